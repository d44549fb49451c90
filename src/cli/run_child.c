/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_child.c: starting programs and looking after them.
 *
 * Signals. All that are passed on, and SIGCHLD, are blocked and read from a signalfd, which tells
 * who sent them. No handler is installed and no disposition changed but SIGCHLD's (ignored, it
 * would take the exit status with it), so a program started here needs only the old mask back:
 * what was ignored is ignored, SIGPIPE kills it as ever. SIGPIPE, SIGTTOU and SIGTTIN are blocked
 * as well: a line that nobody reads, or one from the background, must not end or stop the stack.
 *
 * Orphans. PR_SET_CHILD_SUBREAPER makes this process the parent of descendants whose own parent
 * ended, so a daemon that has forked twice is still seen.
 *
 * Descriptors. The broker needs one for each socket of all programs together; a program gets the
 * limit that it would have had.
 */
#include "cli/run_child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

enum {
	ANCESTORS_MAX = 128, /* /proc changes while it is read: no walk is endless */
	FILES_MAX = 1 << 20,
};

static const int passed_on[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
				 SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP };

/* ---- this process */

static void raise_files(struct tern_children *c)
{
	struct rlimit more;

	c->files_known = getrlimit(RLIMIT_NOFILE, &c->files) == 0;
	if (!c->files_known)
		return;
	more = (struct rlimit){ .rlim_cur = FILES_MAX, .rlim_max = FILES_MAX };
	if (c->files.rlim_cur >= FILES_MAX ||
	    (c->files.rlim_max < FILES_MAX && setrlimit(RLIMIT_NOFILE, &more) == 0))
		return;
	more = (struct rlimit){ .rlim_cur = TERN_MIN(c->files.rlim_max, (rlim_t)FILES_MAX),
				.rlim_max = c->files.rlim_max };
	(void)setrlimit(RLIMIT_NOFILE, &more);
}

static void remember_ignored(struct tern_children *c)
{
	struct sigaction act;

	(void)sigemptyset(&c->ignored);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(passed_on); i++)
		if (sigaction(passed_on[i], NULL, &act) == 0 && act.sa_handler == SIG_IGN)
			(void)sigaddset(&c->ignored, passed_on[i]);
}

/* Of which a user expects that it ends a program. */
static bool asks_for_end(const struct tern_children *c, int number)
{
	return (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT) &&
	       !sigismember(&c->ignored, number);
}

int tern_children_take_over(struct tern_children *c)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t mine, blocked;

	(void)sigemptyset(&mine);
	for (size_t i = 0; i < TERN_ARRAY_SIZE(passed_on); i++)
		(void)sigaddset(&mine, passed_on[i]);
	(void)sigaddset(&mine, SIGCHLD);
	blocked = mine;
	(void)sigaddset(&blocked, SIGPIPE);
	(void)sigaddset(&blocked, SIGTTIN);
	(void)sigaddset(&blocked, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &blocked, &c->mask);
	remember_ignored(c);
	(void)sigaction(SIGCHLD, &plain, &c->chld);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	raise_files(c);
	c->signal_fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signal_fd < 0 ? -errno : 0;
}

bool tern_children_next_signal(const struct tern_children *c, struct tern_signal *ret)
{
	struct signalfd_siginfo info;

	if (read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	*ret = (struct tern_signal){ .number = (int)info.ssi_signo,
				     .sender = (pid_t)info.ssi_pid,
				     .terminal = info.ssi_code == SI_KERNEL,
				     .ends = asks_for_end(c, (int)info.ssi_signo) };
	return true;
}

bool tern_children_next_change(struct tern_child_change *ret)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED);

	if (pid <= 0)
		return false;
	*ret = (struct tern_child_change){ .pid = pid };
	if (WIFSTOPPED(status))
		ret->stopped = WSTOPSIG(status);
	else if (WIFCONTINUED(status))
		ret->continued = true;
	else
		ret->ended = true;
	if (ret->ended)
		ret->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

void tern_children_stop_self(void)
{
	(void)raise(SIGSTOP);
}

/* ---- starting */

char **tern_child_environment(char *const *env, const char *preload, const char *broker)
{
	static const char name[] = "LD_PRELOAD=";
	const char *before = getenv("LD_PRELOAD");
	size_t count = 0, n = 0, len, equals = strcspn(broker, "=") + 1;
	char **all, *text;

	before = before && *before ? before : NULL;
	while (env[count])
		count++;
	len = sizeof(name) + strlen(preload) + (before ? strlen(before) + 1 : 0);
	all = malloc((count + 3) * sizeof(*all) + len);
	if (!all)
		return NULL;
	text = (char *)(all + count + 3);
	(void)snprintf(text, len, "%s%s%s%s", name, preload, before ? ":" : "",
		       before ? before : "");
	for (size_t i = 0; i < count; i++)
		if (strncmp(env[i], name, sizeof(name) - 1) != 0 &&
		    strncmp(env[i], broker, equals) != 0)
			all[n++] = env[i];
	all[n++] = text;
	all[n++] = (char *)(uintptr_t)broker;
	all[n] = NULL;
	return all;
}

/* Could it be a script? As shells judge it: no zero byte in the first line. */
static bool is_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[256];
	ssize_t len = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		(void)close(fd);
	for (ssize_t i = 0; i < len && head[i] != '\n'; i++)
		if (!head[i] || head[i] == '\177')
			return false;
	return len >= 0;
}

/*
 * A text whose format the kernel does not know is a script of sh, for execvp(3) and so for us. What
 * is no text is not: sh would do with it whatever its bytes happen to say.
 */
static void execute(const struct tern_program *program)
{
	char *const *argv = program->argv;
	size_t count = 0;
	char **more;

	(void)execve(program->path, argv, program->env);
	if (errno != ENOEXEC)
		return;
	if (!is_text(program->path)) {
		errno = ENOEXEC;
		return;
	}
	while (argv[count])
		count++;
	more = malloc((count + 2) * sizeof(*more));
	if (!more)
		return;
	memcpy(more + 1, argv, (count + 1) * sizeof(*more));
	more[0] = (char *)(uintptr_t) "/bin/sh";
	more[1] = (char *)(uintptr_t)program->path;
	(void)execve("/bin/sh", more, program->env);
}

/* In the child: back to what this process was given, and off. Returns only when that failed. */
static void become(const struct tern_children *c, const struct tern_program *program)
{
	if (program->no_input) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)dup2(fd, STDIN_FILENO);
	}
	if (c->files_known)
		(void)setrlimit(RLIMIT_NOFILE, &c->files);
	(void)sigaction(SIGCHLD, &c->chld, NULL);
	(void)sigprocmask(SIG_SETMASK, &c->mask, NULL);
	execute(program);
}

int tern_child_start(const struct tern_children *c, const struct tern_program *program,
		     pid_t *ret_pid)
{
	int failed[2], err = 0;
	ssize_t n;
	pid_t pid;

	/* Closed by exec: nothing to be read means that it worked. */
	if (pipe2(failed, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		become(c, program);
		err = errno;
		n = write(failed[1], &err, sizeof(err));
		_exit(n < 0 ? 126 : 127);
	}
	err = pid < 0 ? errno : 0;
	(void)close(failed[1]);
	if (pid > 0) {
		do {
			n = read(failed[0], &err, sizeof(err));
		} while (n < 0 && errno == EINTR);
		if (n == sizeof(err))
			(void)waitpid(pid, NULL, 0);
		else
			err = 0;
	}
	(void)close(failed[0]);
	if (!err)
		*ret_pid = pid;
	return -err;
}

/* ---- who is there */

/*
 * The parent of a process, or 0. Of one that has ended, too: its own child may have been made
 * since /proc was read, and its SIGCHLD is still to come.
 */
static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	ssize_t len;
	char *behind;
	int fd, parent;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	behind = strrchr(text, ')'); /* a name may have anything in it */
	return behind && sscanf(behind + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* The next process in /proc, or 0 at the end. */
static pid_t next_process(DIR *proc)
{
	struct dirent *entry;
	uint64_t pid;

	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    tern_text_parse_u64(entry->d_name, &pid) == 0)
			return (pid_t)pid;
	return 0;
}

int tern_children_list(pid_t *pids, int max)
{
	DIR *proc = opendir("/proc");
	int count = 0;
	pid_t pid;

	if (!proc)
		return -errno;
	while ((pid = next_process(proc))) {
		if (parent_of(pid) != getpid())
			continue;
		if (count < max)
			pids[count] = pid;
		count++;
	}
	(void)closedir(proc);
	return count;
}

void tern_children_kill_tree(pid_t child, int number)
{
	DIR *proc = opendir("/proc");
	pid_t pid;

	while (proc && (pid = next_process(proc)))
		if (pid != child && tern_children_ancestor(pid) == child)
			(void)kill(pid, number);
	if (proc)
		(void)closedir(proc);
	(void)kill(child, number);
}

pid_t tern_children_ancestor(pid_t pid)
{
	pid_t self = getpid();

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid_t parent = parent_of(pid);

		if (parent == self)
			return pid;
		pid = parent;
	}
	return 0;
}
