/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_nft.c: --publish and --masquerade.
 *
 * The table. tern_NAME of family inet: what comes for a published port of this host, from outside
 * (prerouting) or from itself (output), goes to the stack's address; the stack's own connections
 * leave with this host's address (masquerade). A connection from 127.0.0.1 gets the device's
 * address for source, since the stack takes no packets of that network; route_localnet of our own
 * device lets it out. Nobody else's tables are read or written.
 *
 * The guard. A forked process sets everything up, says "ok" or one line, and then waits for the end
 * of a pipe whose other end this process holds: so table and forwarding are taken back however this
 * process ends, also by SIGKILL. It has its own session, takes no signal and holds no descriptor
 * but its pipes and standard error.
 *
 * Forwarding. It is on for the whole host while somebody needs it. What it was before is kept in a
 * file of the runtime directory, one for each network namespace. All guards hold a shared lock on
 * it. Who gets the lock alone at the beginning is the first, and writes the file (unless somebody
 * was killed before he could restore: then it is still right); who gets it alone at the end is the
 * last, and restores.
 */
#include "cli/run_nft.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/text.h"
#include "ctl/path.h"
#include "tern/socket.h"

/* The guard's pipes and what it runs nft with. */
enum {
	GUARD_LIFE = 3,   /* ends when everything is to be taken back */
	GUARD_ANSWER = 4, /* "ok", or a line about what is wrong */
	GUARD_FIRST_FREE = 5,
	ADDR_TEXT = 64, /* more than an address takes */
	MEMORY_PATH_MAX = TERN_CTL_PATH_MAX + 64,
};

static const char *const forwarding[2] = { "/proc/sys/net/ipv4/ip_forward",
					   "/proc/sys/net/ipv6/conf/all/forwarding" };

struct guard {
	const struct tern_nft_config *cfg;
	bool loopback; /* packets from 127.0.0.1 may leave through the device */
	int memory_fd; /* the file that remembers */
	char why[TERN_ERROR_MAX];
};

int tern_publish_parse(const char *text, struct tern_publish *ret)
{
	struct tern_publish p = { 0 };
	const char *port = strrchr(text, ':');
	char addr[ADDR_TEXT];
	uint64_t number;
	size_t len;

	port = port ? port + 1 : text;
	if (tern_text_parse_u64(port, &number) < 0 || number < 1 || number > 65535)
		return -EINVAL;
	p.port = (uint16_t)number;
	if (port != text) {
		bool brackets = text[0] == '[' && port - text >= 3 && port[-2] == ']';

		text += brackets;
		len = (size_t)(port - text) - (brackets ? 2 : 1);
		if (len >= sizeof(addr))
			return -EINVAL;
		memcpy(addr, text, len);
		addr[len] = '\0';
		if (tern_addr_parse(addr, &p.addr) < 0 || brackets != (p.addr.family == TERN_INET6))
			return -EINVAL;
	}
	*ret = p;
	return 0;
}

/* ---- the script */

static const char *show(const struct tern_addr *addr, char text[ADDR_TEXT])
{
	struct tern_text t;

	tern_text_init(&t, text, ADDR_TEXT);
	tern_text_addr(&t, addr);
	return text;
}

static void publish_rule(FILE *f, const struct guard *g, const struct tern_addr *own,
			 const struct tern_publish *p)
{
	const char *ip = own->family == TERN_INET ? "ip" : "ip6";
	char text[ADDR_TEXT];

	if (own->family == TERN_UNSPEC || (p->addr.family && p->addr.family != own->family))
		return;
	if (p->addr.family)
		(void)fprintf(f, "\t\t%s daddr %s", ip, show(&p->addr, text));
	else if (own->family == TERN_INET) /* the comparison also says that it is IPv4 */
		(void)fprintf(f, "\t\tip daddr != %s fib daddr type local",
			      g->loopback ? "0.0.0.0" : "127.0.0.0/8");
	else
		(void)fprintf(f, "\t\tip6 daddr != ::1 fib daddr type local");
	(void)fprintf(f, " meta l4proto { tcp, udp } th dport %u dnat %s to %s\n", p->port, ip,
		      show(own, text));
}

static void publish_rules(FILE *f, const struct guard *g)
{
	for (unsigned int i = 0; i < g->cfg->publish_count; i++)
		for (int family = 0; family < 2; family++)
			publish_rule(f, g, &g->cfg->own[family], &g->cfg->publish[i]);
}

/* Deletes the table, whether it is there or not. */
static void deletion(FILE *f, const struct guard *g)
{
	(void)fprintf(f, "table inet tern_%s\ndelete table inet tern_%s\n", g->cfg->name,
		      g->cfg->name);
}

static void creation(FILE *f, const struct guard *g)
{
	const struct tern_nft_config *cfg = g->cfg;
	char text[ADDR_TEXT];

	deletion(f, g);
	(void)fprintf(f, "table inet tern_%s {\n", cfg->name);
	if (cfg->publish_count) {
		(void)fprintf(f,
			      "\tchain prerouting {\n"
			      "\t\ttype nat hook prerouting priority -100;\n"
			      "\t\tiifname \"%s\" return\n",
			      cfg->device);
		publish_rules(f, g);
		(void)fprintf(f, "\t}\n\tchain output {\n"
				 "\t\ttype nat hook output priority -100;\n");
		publish_rules(f, g);
		(void)fprintf(f, "\t}\n");
	}
	(void)fprintf(f, "\tchain postrouting {\n\t\ttype nat hook postrouting priority 100;\n");
	if (cfg->publish_count)
		(void)fprintf(f, "\t\toifname \"%s\" ip saddr 127.0.0.0/8 masquerade\n",
			      cfg->device);
	for (int i = 0; cfg->masquerade && i < 2; i++)
		if (cfg->own[i].family)
			(void)fprintf(f, "\t\toifname != \"%s\" %s saddr %s masquerade\n",
				      cfg->device, i ? "ip6" : "ip", show(&cfg->own[i], text));
	(void)fprintf(f, "\t}\n}\n");
}

/* ---- nft */

static void become_nft(int script, int said)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)dup2(script, STDIN_FILENO);
	(void)dup2(said, STDERR_FILENO);
	(void)execlp("nft", "nft", "-f", "-", NULL);
	(void)execl("/usr/sbin/nft", "nft", "-f", "-", NULL);
	_exit(127);
}

/* The first line that nft said, in why, behind what it is about. */
static void tell_nft(int said, char *why)
{
	char text[160];
	ssize_t len = pread(said, text, sizeof(text) - 1, 0);

	text[len < 0 ? 0 : len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(why, TERN_ERROR_MAX, "nft refused the table: %s", text);
}

/* A file of nobody else's, for nft's input and what it says. */
static FILE *open_scratch(void)
{
	int fd = memfd_create("tern-nft", MFD_CLOEXEC);

	return fd < 0 ? NULL : fdopen(fd, "w+e");
}

/* Has nft do what `write_script` writes. 0, -ENOENT, -EPERM, -EIO; then g->why says so. */
static int run_nft(struct guard *g, void (*write_script)(FILE *f, const struct guard *g))
{
	FILE *script = open_scratch(), *said = open_scratch();
	int status = 0, err = -ENOMEM;
	pid_t pid = -1;

	if (script && said) {
		write_script(script, g);
		rewind(script);
		pid = fork();
	}
	if (pid == 0)
		become_nft(fileno(script), fileno(said));
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		err = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
	if (err == -EIO && WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		err = -ENOENT;
		(void)snprintf(g->why, sizeof(g->why),
			       "--publish and --masquerade need the program nft: install nftables");
	} else if (err == -EIO) {
		tell_nft(fileno(said), g->why);
		if (strstr(g->why, "Operation not permitted"))
			err = -EPERM;
	} else if (err) {
		(void)snprintf(g->why, sizeof(g->why), "cannot run nft: %s", strerror(-err));
	}
	if (script)
		(void)fclose(script);
	if (said)
		(void)fclose(said);
	return err;
}

/* ---- forwarding */

/* What a knob of /proc/sys that is 0 or 1 says, or a negative errno. */
static int read_knob(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = errno;
	char c = '0';

	if (fd < 0)
		return -err;
	if (read(fd, &c, 1) != 1)
		c = '0';
	(void)close(fd);
	return c != '0';
}

static int write_knob(const char *path, int value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value ? "1" : "0", 1) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/* The file that remembers how forwarding was in this network namespace. */
static int memory_path(char path[MEMORY_PATH_MAX])
{
	char dir[TERN_CTL_PATH_MAX];
	struct stat st;
	int err = tern_ctl_dir(dir);

	if (err)
		return err;
	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	(void)snprintf(path, MEMORY_PATH_MAX, "%s/forwarding-%" PRIu64, dir, (uint64_t)st.st_ino);
	return 0;
}

/* Opens and locks it. *ret_alone: nobody else has it. The last one removes it while he has it. */
static int open_memory(bool *ret_alone)
{
	char path[MEMORY_PATH_MAX];
	int err = memory_path(path);

	while (!err) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat st;

		if (fd < 0)
			return -errno;
		*ret_alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (!*ret_alone && flock(fd, LOCK_SH) < 0)
			err = -errno;
		if (!err && fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd;
		(void)close(fd);
	}
	return err;
}

/* Two characters, '0' or '1', or nothing if nobody has written them yet. */
static bool recall(int fd, char were[2])
{
	return pread(fd, were, 2, 0) == 2;
}

static int forward(struct guard *g)
{
	bool alone = false;
	char were[2];
	int err = 0;

	g->memory_fd = open_memory(&alone);
	if (g->memory_fd < 0)
		return g->memory_fd;
	if (alone && !recall(g->memory_fd, were)) {
		for (int i = 0; i < 2; i++)
			were[i] = read_knob(forwarding[i]) == 1 ? '1' : '0';
		if (pwrite(g->memory_fd, were, 2, 0) != 2)
			err = -errno;
	}
	(void)flock(g->memory_fd, LOCK_SH);
	for (int i = 0; i < 2 && !err; i++)
		if (g->cfg->own[i].family && read_knob(forwarding[i]) == 0)
			err = write_knob(forwarding[i], 1);
	return err;
}

static void stop_forwarding(struct guard *g)
{
	char were[2], path[MEMORY_PATH_MAX];

	if (g->memory_fd < 0 || flock(g->memory_fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (recall(g->memory_fd, were))
		for (int i = 0; i < 2; i++)
			if (read_knob(forwarding[i]) != (were[i] == '1'))
				(void)write_knob(forwarding[i], were[i] == '1');
	if (memory_path(path) == 0)
		(void)unlink(path);
}

/* ---- the guard */

/* Lets 127.0.0.1 reach a published port through the device; it goes with the device. */
static bool route_localnet(const struct tern_nft_config *cfg)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/route_localnet",
		       cfg->device);
	return cfg->publish_count && cfg->own[0].family && write_knob(path, 1) == 0;
}

static int set_up(struct guard *g)
{
	int err = forward(g);

	g->loopback = route_localnet(g->cfg);
	if (!err)
		return run_nft(g, creation);
	(void)snprintf(g->why, sizeof(g->why),
		       "cannot have this host forward packets (sysctl net.ipv4.ip_forward): %s",
		       strerror(-err));
	return err;
}

static void take_back(struct guard *g)
{
	if (run_nft(g, deletion) < 0)
		(void)fprintf(stderr, "tern run: table tern_%s is left: %s\n", g->cfg->name,
			      g->why);
}

/* What the guard answers: how it went, and a line if it went wrong. */
struct answer {
	int err;
	char why[TERN_ERROR_MAX];
};

static void be_guard(const struct tern_nft_config *cfg, int life, int answer_fd)
{
	struct guard g = { .cfg = cfg, .memory_fd = -1 };
	struct answer answer = { 0 };
	int null = open("/dev/null", O_RDWR);
	ssize_t n;
	char c;

	(void)setsid();
	(void)prctl(PR_SET_NAME, "tern-nft");
	/* The pipes may stand where they are to go: first out of the way. */
	life = fcntl(life, F_DUPFD, GUARD_FIRST_FREE);
	answer_fd = fcntl(answer_fd, F_DUPFD, GUARD_FIRST_FREE);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup3(life, GUARD_LIFE, O_CLOEXEC);
	(void)dup3(answer_fd, GUARD_ANSWER, O_CLOEXEC);
	(void)close_range(GUARD_FIRST_FREE, ~0u, 0);
	answer.err = set_up(&g);
	memcpy(answer.why, g.why, sizeof(answer.why));
	n = write(GUARD_ANSWER, &answer, sizeof(answer));
	(void)close(GUARD_ANSWER);
	while (n > 0 && !answer.err && read(GUARD_LIFE, &c, 1) < 0 && errno == EINTR)
		continue;
	if (!answer.err)
		take_back(&g);
	stop_forwarding(&g);
	_exit(0);
}

int tern_nft_start(const struct tern_nft_config *cfg, struct tern_nft *ret, char *why)
{
	int life[2], said[2], err = 0;
	struct answer answer;
	pid_t pid;

	(void)snprintf(why, TERN_ERROR_MAX, "cannot start a process for nft");
	if (pipe2(life, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(said, O_CLOEXEC) < 0) {
		err = -errno;
		(void)close(life[0]);
		(void)close(life[1]);
		return err;
	}
	pid = fork();
	if (pid == 0)
		be_guard(cfg, life[0], said[1]);
	err = pid < 0 ? -errno : 0;
	(void)close(life[0]);
	(void)close(said[1]);
	if (!err && read(said[0], &answer, sizeof(answer)) != sizeof(answer))
		err = -EIO;
	(void)close(said[0]);
	*ret = (struct tern_nft){ .pid = pid, .fd = life[1] };
	if (!err && answer.err) {
		err = answer.err;
		memcpy(why, answer.why, sizeof(answer.why));
	}
	if (err && pid < 0)
		(void)close(life[1]);
	else if (err)
		tern_nft_stop(ret);
	return err;
}

void tern_nft_stop(struct tern_nft *nft)
{
	if (!nft->pid)
		return;
	(void)close(nft->fd);
	while (waitpid(nft->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	*nft = (struct tern_nft){ 0 };
}
