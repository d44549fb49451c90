/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay [-bv] [-j N] [-t USECS] [-d DIR] [-D NAME=VALUE] [-f FLAGS] SCRIPT...
 *
 * Plays scripts on libtern-packetdrill.so in real time, N at once, and prints TAP. Each has a
 * process and a network namespace of its own, whose /proc/sys its settings go to. The library is
 * that of $TERN_BUILD, preloaded unless -b says otherwise; FLAGS are its --so_flags. Scripts are
 * looked for in DIR; times may be off by USECS, 4000 as a rule. Like packetdrill it has itself
 * preferred to all other programs, where it may.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "pdrill/replay.h"
#include "report/sink.h"

enum { WORDS_MAX = 16, JOBS_MAX = 64, SKIPPED = 77 };

static struct {
	bool verbose, bare, one;
	int jobs;
	const char *dir;
	struct tern_script_define defines[WORDS_MAX];
	size_t define_count;
	char library[4096], program[4096], flags[1024];
} options = { .jobs = 4 };

struct job {
	pid_t pid;
	FILE *out;
	const char *script;
	int number;
};

static int put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		(void)close(fd);
	return n < 0 ? -1 : 0;
}

/* A network namespace, in a user namespace where that is the only way. */
static int enter_namespace(void)
{
	char map[64];
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -1;
	(void)put_file("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	if (put_file("/proc/self/uid_map", map))
		return -1;
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	return put_file("/proc/self/gid_map", map);
}

static bool may_enter(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter_namespace() ? 1 : 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* ---- the child ---- */

static int play(const char *script)
{
	struct tern_drill_config cfg = { .defines = options.defines,
					 .define_count = options.define_count,
					 .verbose = options.verbose,
					 .tso = true };
	struct tern_mem mem = { 0 };
	struct tern_sink out;
	struct sched_param first = { .sched_priority = 1 };
	bool passed;

	(void)sched_setscheduler(0, SCHED_RR, &first);
	(void)snprintf(replay_options.name, sizeof(replay_options.name), "replay-%d", getpid());
	(void)snprintf(options.flags + strlen(options.flags),
		       sizeof(options.flags) - strlen(options.flags), "%sname=%s",
		       options.flags[0] ? "," : "", replay_options.name);
	replay_options.flags = options.flags;
	replay_options.library = options.library;
	replay_options.program = options.program;
	tern_sink_init(&out, &mem, 0);
	passed = tern_drill_file(&cfg, script, &out) == TERN_DRILL_PASSED;
	if (out.len)
		(void)fwrite(out.buf, 1, out.len, stdout);
	tern_sink_free(&out);
	return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The words of this program once more, with one script: the library reads its command line. */
static void become_child(char **words, int count, const char *script, FILE *out)
{
	char path[4096], one[] = "-1", **argv = calloc((size_t)count + 3, sizeof(*argv));

	if (!argv || enter_namespace())
		_exit(EXIT_FAILURE);
	(void)snprintf(path, sizeof(path), "%s%s%s", options.dir ? options.dir : "",
		       options.dir ? "/" : "", script);
	memcpy(argv, words, (size_t)count * sizeof(*argv));
	argv[count] = one;
	argv[count + 1] = path;
	if (!options.bare)
		(void)setenv("LD_PRELOAD", options.library, 1);
	(void)dup2(fileno(out), STDOUT_FILENO);
	(void)dup2(fileno(out), STDERR_FILENO);
	(void)execv("/proc/self/exe", argv);
	_exit(EXIT_FAILURE);
}

/* ---- the parent ---- */

static void say(struct job *job, bool passed)
{
	const char *name = strrchr(job->script, '/');
	char line[1024];
	size_t len;

	name = name ? name + 1 : job->script;
	len = strlen(name);
	if (len > 4 && strcmp(name + len - 4, ".pkt") == 0)
		len -= 4;
	printf("%s %d - %.*s\n", passed ? "ok" : "not ok", job->number, (int)len, name);
	rewind(job->out);
	while ((!passed || options.verbose) && fgets(line, sizeof(line), job->out))
		printf("# %s", line);
	(void)fflush(stdout);
	(void)fclose(job->out);
	job->pid = 0;
}

/* Waits for one of the children. */
static bool reap(struct job *jobs)
{
	int status;
	pid_t pid = wait(&status);

	for (int i = 0; i < JOBS_MAX; i++) {
		if (pid <= 0 || jobs[i].pid != pid)
			continue;
		if (WIFSIGNALED(status))
			printf("# signal %d\n", WTERMSIG(status));
		say(&jobs[i], status == 0);
		return status == 0;
	}
	return false;
}

static void start(struct job *jobs, char **words, int count, const char *script, int number)
{
	struct job *job = jobs;

	while (job->pid)
		job++;
	*job = (struct job){ .script = script, .number = number, .out = tmpfile() };
	if (!job->out)
		exit(EXIT_FAILURE);
	(void)fflush(stdout);
	job->pid = fork();
	if (job->pid == 0)
		become_child(words, count, script, job->out);
}

static int play_all(char **words, int count, char **scripts, int n)
{
	static struct job jobs[JOBS_MAX];
	char dir[] = "/tmp/tern-replay-XXXXXX", sub[64];
	int running = 0, failed = 0;

	if (!may_enter()) {
		printf("SKIP: no network namespace can be made\n");
		return SKIPPED;
	}
	/* Control sockets stand there. */
	if (!mkdtemp(dir) || setenv("XDG_RUNTIME_DIR", dir, 1))
		return EXIT_FAILURE;
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++, running++) {
		for (; running >= options.jobs; running--)
			failed += !reap(jobs);
		start(jobs, words, count, scripts[i], i + 1);
	}
	for (; running; running--)
		failed += !reap(jobs);
	(void)snprintf(sub, sizeof(sub), "%s/tern", dir);
	(void)rmdir(sub);
	(void)rmdir(dir);
	if (failed)
		printf("# %d of %d failed\n", failed, n);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool define(char *pair)
{
	struct tern_script_define *d = &options.defines[options.define_count];
	char *name = strdup(pair), *equals = name ? strchr(name, '=') : NULL;

	if (!equals || options.define_count == WORDS_MAX)
		return false;
	*equals = '\0';
	*d = (struct tern_script_define){ name, equals + 1 };
	options.define_count++;
	return true;
}

static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+1bvj:t:d:D:f:")) >= 0) {
		if (option == '1')
			options.one = true;
		else if (option == 'b')
			options.bare = true;
		else if (option == 'v')
			options.verbose = true;
		else if (option == 'j')
			options.jobs = (int)strtol(optarg, NULL, 10);
		else if (option == 't')
			replay_options.tolerance_us = strtol(optarg, NULL, 10);
		else if (option == 'd')
			options.dir = optarg;
		else if (option == 'f')
			(void)snprintf(options.flags, sizeof(options.flags) / 2, "%s", optarg);
		else if (option != 'D' || !define(optarg))
			return false;
	}
	return optind < argc && options.jobs > 0 && options.jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	const char *build = getenv("TERN_BUILD");

	if (!read_options(argc, argv) || !build) {
		(void)fprintf(stderr, "usage: TERN_BUILD=DIR replay [-bv] [-j N] [-t USECS] "
				      "[-d DIR] [-D NAME=VALUE] [-f FLAGS] SCRIPT...\n");
		return EXIT_FAILURE;
	}
	(void)snprintf(options.library, sizeof(options.library), "%s/libtern-packetdrill.so",
		       build);
	(void)snprintf(options.program, sizeof(options.program), "%s/tern", build);
	if (options.one)
		return play(argv[optind]);
	return play_all(argv, optind, argv + optind, argc - optind);
}
