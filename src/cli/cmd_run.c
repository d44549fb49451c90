/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_run.c: tern run: an unmodified program on a stack of its own.
 *
 * The command is executed with the preload library in its environment; this process is the stack,
 * the broker that the library talks to, and the parent. Its life has four phases:
 *
 *	RUNNING	COMMAND runs. Signals that a process sends to us go on to it.
 *	OTHERS	COMMAND has ended, other processes of the run still hold sockets: daemons do that.
 *		Signals go on to them, the second that asks for the end ends us as well. One that
 *		has just forked may not have opened its socket yet: GRACE_NS are waited for it.
 *	CLOSING	Nobody holds a socket. What programs have left in their socket pairs goes into the
 *		stack, and a client (--with) may read it. A signal ends this.
 *	DRAIN	tern_cli_host_stop(): what the stack still owes its peers. A signal ends this.
 *
 * What is left then, in pairs and in the stack, is counted in one line, and reset.
 *
 * The second command (--with) is on the kernel's side: it starts when COMMAND first listens, or
 * after CLIENT_NS; when it has ended, COMMAND gets SIGTERM (and SIGKILL after the time of --drain),
 * and the status is the client's.
 *
 * A key (Ctrl-C, Ctrl-\, Ctrl-Z) reaches the whole process group, COMMAND included, and is not
 * doubled by us. When COMMAND stops as a job does, we stop too, for the shell waits for us; its
 * stack is silent until the job goes on.
 *
 * Nothing is done to COMMAND if this process is killed: its sockets say ECONNRESET, as a program
 * that outlives its network has to be told, and it decides.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/host.h"
#include "cli/run_child.h"
#include "cli/run_nft.h"
#include "cli/run_private.h"
#include "cli/run_program.h"
#include "ctl/server.h"
#include "host/host.h"
#include "posix/broker.h"

enum {
	OTHERS_MAX = 256, /* that a signal is passed on to */
	BARE_LOOKS = 3,
	NOT_FOUND = 127,
	NOT_EXECUTABLE = 126,
	WHY_MAX = 640, /* room for any line that a helper writes */
};

_Static_assert(WHY_MAX >= TERN_ERROR_MAX && WHY_MAX >= (int)TERN_PROGRAM_WHY, "lines fit");

#define SECOND         UINT64_C(1000000000)
#define CLIENT_NS      (2 * SECOND)
#define GRACE_NS       (2 * SECOND)
#define LOOK_NS        (5 * SECOND)
#define LOOK_AGAIN_NS  (SECOND / 10)
#define LOOK_SHARE     1000 /* one part of so many: the time that goes by in looking */
#define CLIENT_END_NS  (2 * SECOND)
#define END_LEAST_NS   SECOND /* between SIGTERM and SIGKILL, whatever --drain says */
#define SAME_SIGNAL_NS (SECOND / 100)

enum phase {
	STARTING,
	RUNNING,
	OTHERS,
	CLOSING,
	DRAIN,
};

/* A process that we have started. */
struct child {
	pid_t pid; /* 0: not started, or ended */
	bool started;
	int status;
};

struct run {
	struct tern_host_service service; /* first: the loop tells us of signals by it */
	struct tern_cli_host h;
	struct tern_cli_args *args;
	struct tern_children children;
	struct tern_broker *broker;
	struct tern_nft nft;

	char **argv;        /* COMMAND's */
	const char *client; /* --with */
	const char *dns;
	struct tern_publish publish[TERN_PUBLISH_MAX];
	unsigned int publish_count;
	bool private, masquerade;
	char path[PATH_MAX], preload[PATH_MAX];

	enum phase phase;
	struct child command, with;
	uint64_t with_due, kill_due, look_due, grace_until; /* TERN_NEVER: not */
	uint64_t signal_at;                                 /* the last that asked for the end */
	unsigned int asked;                                 /* how often, since COMMAND ended */
	unsigned int bare; /* looks in a row that found nobody with a socket */
	int stopped;       /* the signal that stopped COMMAND */
	bool tstp;         /* a SIGTSTP came since the last SIGCONT */
	bool down;         /* the device is gone */
	bool told;         /* of those that still hold sockets */
	bool ending;       /* the client has ended, and the run is to end */
};

/* ---- arguments */

static bool add_publish(struct run *r)
{
	if (r->publish_count == TERN_PUBLISH_MAX) {
		tern_cli_wrong(r->args, "--publish comes more often than %d times",
			       TERN_PUBLISH_MAX);
		return false;
	}
	if (tern_publish_parse(r->args->value, &r->publish[r->publish_count]) < 0) {
		tern_cli_wrong(r->args,
			       "--publish wants a port as 80, 192.0.2.1:80 or [2001:db8::1]:80, "
			       "not '%s'",
			       r->args->value);
		return false;
	}
	r->publish_count++;
	return true;
}

static bool set_dns(struct run *r)
{
	struct tern_addr addr;

	r->dns = r->args->value;
	if (tern_addr_parse(r->dns, &addr) == 0)
		return true;
	tern_cli_wrong(r->args, "--dns wants the address of a name server, not '%s'", r->dns);
	return false;
}

static bool take_option(struct run *r, int id)
{
	switch (id) {
	case TERN_OPT_WITH:
		r->client = r->args->value;
		return true;
	case TERN_OPT_PRIVATE:
		r->private = true;
		return true;
	case TERN_OPT_DNS:
		return set_dns(r);
	case TERN_OPT_PUBLISH:
		return add_publish(r);
	case TERN_OPT_MASQUERADE:
		r->masquerade = true;
		return true;
	default:
		return tern_cli_host_option(&r->h, id) == 0;
	}
}

/* Options up to the first word that is none: it begins COMMAND, and the rest is COMMAND's. */
static bool read_arguments(struct run *r)
{
	int id;

	while (!r->argv && (id = tern_cli_next(r->args)) != 0) {
		if (id < 0)
			return false;
		if (id == TERN_OPT_OPERAND)
			r->argv = r->args->argv - 1;
		else if (!take_option(r, id))
			return false;
	}
	if (!r->argv)
		tern_cli_wrong(r->args,
			       "no COMMAND; write it as tern run -- python3 -m http.server 80");
	else if (r->dns && !r->private)
		tern_cli_wrong(r->args, "--dns goes with --private: the host's "
					"/etc/resolv.conf is not touched");
	else if (r->private && (r->publish_count || r->masquerade))
		tern_cli_wrong(r->args,
			       "--%s goes without --private: a private network has no "
			       "way out",
			       r->masquerade ? "masquerade" : "publish");
	else
		return true;
	return false;
}

/* ---- signals */

/* A signal to a process of the run; what a key made it has already if it is of our group. */
static void pass_on(pid_t pid, const struct tern_signal *s)
{
	bool job = s->number == SIGTSTP || s->number == SIGCONT || s->number == SIGWINCH;

	if (s->sender == pid || (s->terminal && (job || getpgid(pid) == getpgrp())))
		return;
	(void)kill(pid, s->number);
}

/* Adds a process once. */
static void add_pid(pid_t *pids, unsigned int *count, pid_t pid)
{
	for (unsigned int i = 0; i < *count; i++)
		if (pids[i] == pid)
			return;
	if (*count < OTHERS_MAX)
		pids[(*count)++] = pid;
}

/*
 * The topmost processes of the run beside COMMAND that hold sockets, or have those below them that
 * do. *ret_first (may be NULL) is one that holds one.
 */
static unsigned int holders(struct run *r, pid_t *pids, struct tern_holder *ret_first)
{
	unsigned int all_count = 0, holding_count = 0, count = 0;
	struct tern_holder *all = NULL;
	pid_t holding[OTHERS_MAX];

	if (!r->broker || tern_broker_holders(r->broker, &all, &all_count) < 0)
		return 0;
	for (unsigned int i = 0; i < all_count; i++) {
		if (all[i].pid == getpid())
			continue;
		if (!holding_count && ret_first)
			*ret_first = all[i];
		add_pid(holding, &holding_count, all[i].pid);
	}
	free(all);
	for (unsigned int i = 0; i < holding_count; i++) {
		pid_t top = tern_children_ancestor(holding[i]);

		add_pid(pids, &count, top ? top : holding[i]);
	}
	return count;
}

/* Orphans of the run that were adopted. */
static unsigned int adopted(struct run *r, pid_t *pids)
{
	pid_t mine[OTHERS_MAX];
	int n = tern_children_list(mine, OTHERS_MAX);
	unsigned int count = 0;

	for (int i = 0; i < n && i < OTHERS_MAX; i++)
		if (mine[i] != r->with.pid && mine[i] != r->nft.pid)
			pids[count++] = mine[i];
	return count;
}

/* To whoever is to end or to hear of it: COMMAND, or when that has ended the others. */
static void pass_to_run(struct run *r, const struct tern_signal *s)
{
	pid_t pids[OTHERS_MAX];
	unsigned int count;

	if (r->command.pid) {
		pass_on(r->command.pid, s);
		return;
	}
	count = holders(r, pids, NULL);
	if (!count)
		count = adopted(r, pids);
	for (unsigned int i = 0; i < count; i++)
		pass_on(pids[i], s);
}

static void take_signal(struct run *r, const struct tern_signal *s)
{
	uint64_t now = tern_host_now(r->h.host);
	bool again = s->ends && now - r->signal_at < SAME_SIGNAL_NS;

	if (s->number == SIGTSTP || s->number == SIGCONT)
		r->tstp = s->number == SIGTSTP;
	if (s->ends)
		r->signal_at = now;
	if (r->phase == RUNNING || r->phase == OTHERS)
		pass_to_run(r, s);
	/* timeout(1) sends it to us and to our group: that is one. */
	if (!s->ends || again || r->phase == RUNNING)
		return;
	r->asked++;
	r->look_due = 0;
	if (r->phase == DRAIN)
		tern_cli_host_signal();
}

static void take_change(struct run *r, const struct tern_child_change *change)
{
	struct child *child = change->pid == r->command.pid ? &r->command
			      : change->pid == r->with.pid  ? &r->with
							    : NULL;

	if (child == &r->command)
		r->stopped = change->stopped;
	if (!change->ended)
		return;
	r->look_due = 0;
	if (change->pid == r->nft.pid)
		r->nft.pid = 0;
	if (!child)
		return;
	child->pid = 0;
	child->status = change->status;
}

/* The shell waits for us: we stop as COMMAND did, if that was the shell's or the user's doing. */
static void stop_with_command(struct run *r)
{
	if (!r->stopped)
		return;
	if (r->stopped == SIGTTIN || r->stopped == SIGTTOU || r->tstp) {
		r->stopped = 0;
		r->tstp = false;
		tern_children_stop_self();
	}
}

static void on_ready(struct tern_host_service *service, int fd, unsigned int events)
{
	struct run *r = (struct run *)service;
	struct tern_child_change change;
	struct tern_signal s;

	(void)fd;
	(void)events;
	while (tern_children_next_signal(&r->children, &s))
		if (s.number != SIGCHLD)
			take_signal(r, &s);
	while (tern_children_next_change(&change))
		take_change(r, &change);
	stop_with_command(r);
}

/* ---- turns */

/* Has everybody end: COMMAND, or the others; with SIGKILL if they have not after a while. */
static void end_run(struct run *r)
{
	const struct tern_signal end = { .number = SIGTERM };

	pass_to_run(r, &end);
	r->kill_due =
		tern_host_until(tern_host_now(r->h.host), TERN_MAX(r->h.drain_ns, END_LEAST_NS));
}

static void device_gone(struct run *r)
{
	r->down = true;
	r->with_due = TERN_NEVER;
	(void)tern_cli_problem(r->args, "the device is gone, and with it the sockets of the "
					"programs");
	tern_ctl_set_holders(r->h.ctl, NULL, NULL);
	tern_broker_free(r->broker);
	r->broker = NULL;
	end_run(r);
}

/* One turn of everything, at most until then. */
static void turn(struct run *r, uint64_t until)
{
	uint64_t now = tern_host_now(r->h.host), wait = until > now ? until - now : 0;
	struct pollfd signals = { .fd = r->children.signal_fd, .events = POLLIN };

	if (!r->down) {
		if (wait && until == TERN_NEVER)
			wait = TERN_NEVER;
		if (tern_host_turn(r->h.host, tern_broker_patience(r->broker, wait)) == -ENETDOWN)
			device_gone(r);
		else
			tern_broker_turn(r->broker);
		return;
	}
	wait = TERN_MIN(wait, SECOND);
	if (poll(&signals, 1, (int)(wait / 1000000)) > 0)
		on_ready(&r->service, signals.fd, TERN_LOOP_IN);
}

static uint32_t sockets(const struct run *r)
{
	return r->broker ? tern_broker_sockets(r->broker) : 0;
}

/* ---- the client */

static void start_client(struct run *r)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, NULL, NULL };
	struct tern_program sh = { .path = "/bin/sh",
				   .argv = argv,
				   .env = environ,
				   .no_input = true };
	int err;

	argv[2] = (char *)(uintptr_t)r->client;
	r->with_due = TERN_NEVER;
	err = tern_child_start(&r->children, &sh, &r->with.pid);
	if (err) {
		r->with.status = tern_cli_problem(r->args, "cannot start '%s': %s", r->client,
						  strerror(-err));
		r->with.pid = 0;
	}
	r->with.started = true;
}

/* It was given the time that closing took. */
static void end_client(struct run *r)
{
	uint64_t until = tern_host_now(r->h.host) + CLIENT_END_NS;

	if (!r->with.pid)
		return;
	tern_children_kill_tree(r->with.pid, SIGTERM);
	while (r->with.pid && tern_host_now(r->h.host) < until)
		turn(r, until);
	if (r->with.pid)
		tern_children_kill_tree(r->with.pid, SIGKILL);
	while (r->with.pid)
		turn(r, TERN_NEVER);
}

/* ---- phases */

static void tell_others(struct run *r, const struct tern_holder *first)
{
	if (r->told || r->client)
		return;
	r->told = true;
	(void)tern_cli_problem(r->args,
			       "%s has ended with status %d; %s (%d) still holds a socket, so the "
			       "stack stays until the last is closed or a signal comes",
			       r->argv[0], r->command.status, first->name, first->pid);
}

/* Is there still a reason to stay, now that COMMAND has ended? */
static bool others_remain(struct run *r, uint64_t now)
{
	struct tern_holder first;
	pid_t pids[OTHERS_MAX];

	if (r->asked > 1)
		return false;
	if (sockets(r) && holders(r, pids, &first)) {
		tell_others(r, &first);
		r->bare = 0;
		return true;
	}
	r->bare++;
	if (!adopted(r, pids))
		return false;
	/* One that is just being made is on its way to its process: look again. */
	return now < r->grace_until || (sockets(r) && r->bare < BARE_LOOKS);
}

static void look(struct run *r, uint64_t now)
{
	uint64_t took;

	if (r->phase == RUNNING && !r->command.pid) {
		r->phase = OTHERS;
		r->look_due = 0;
		r->kill_due = TERN_NEVER;
		r->grace_until = r->command.status == 0 ? now + GRACE_NS : 0;
	}
	if (r->phase != OTHERS || (r->look_due > now && sockets(r)))
		return;
	if (!others_remain(r, now))
		r->phase = CLOSING;
	/* With many sockets a look takes long, and nothing else happens: then it is rare. */
	took = tern_host_now(r->h.host) - now;
	r->look_due = now + (r->bare ? LOOK_AGAIN_NS : TERN_MAX(LOOK_NS, took * LOOK_SHARE));
	if (r->phase != CLOSING && r->ending && r->kill_due == TERN_NEVER)
		end_run(r);
}

static void kill_run(struct run *r)
{
	const struct tern_signal last = { .number = SIGKILL };

	(void)tern_cli_problem(r->args, "what still runs did not end within the time of --drain "
					"after SIGTERM, and is killed");
	pass_to_run(r, &last);
	r->kill_due = TERN_NEVER;
}

/* Until nobody holds a socket any more. */
static void live(struct run *r)
{
	while (r->phase != CLOSING) {
		uint64_t due = TERN_MIN(r->with_due, r->kill_due), now;

		turn(r, r->phase == OTHERS ? TERN_MIN(due, r->look_due) : due);
		now = tern_host_now(r->h.host);
		if (r->with_due != TERN_NEVER &&
		    (now >= r->with_due || tern_broker_listeners(r->broker)))
			start_client(r);
		if (r->with.started && !r->with.pid && !r->ending) {
			r->ending = true;
			end_run(r);
		}
		if (now >= r->kill_due)
			kill_run(r);
		look(r, now);
	}
}

/* What programs have left in their pairs goes on its way, and the client reads it. */
static void close_down(struct run *r)
{
	uint64_t until = tern_host_until(tern_host_now(r->h.host), r->h.drain_ns), now;

	r->asked = r->asked > 1; /* who was asked twice is to end now */
	while (!r->asked && (sockets(r) || r->with.pid) && tern_host_now(r->h.host) < until)
		turn(r, until);
	end_client(r);
	now = tern_host_now(r->h.host);
	r->h.drain_ns = r->asked || now > until ? 0 : until - now;
	r->phase = DRAIN;
}

/* ---- beginning and end */

static void tell(void *user, const char *line)
{
	(void)tern_cli_problem(user, "%s", line);
}

static int who_holds(void *user, struct tern_holder **ret_holders, unsigned int *ret_count)
{
	return tern_broker_holders(user, ret_holders, ret_count);
}

/* An address of the stack's of that family, from the words of --addr. */
static struct tern_addr own_address(const struct run *r, uint8_t family)
{
	for (unsigned int i = 0; i < r->h.cfg.addr_count; i++) {
		struct tern_addr addr;
		char word[64];

		(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(r->h.addrs[i], "/"),
			       r->h.addrs[i]);
		if (tern_addr_parse(word, &addr) == 0 && addr.family == family)
			return addr;
	}
	return tern_addr_any(TERN_UNSPEC);
}

static int start_nft(struct run *r)
{
	struct tern_nft_config cfg = {
		.name = r->h.name,
		.device = tern_host_device(r->h.host),
		.own = { own_address(r, TERN_INET), own_address(r, TERN_INET6) },
		.publish = r->publish,
		.publish_count = r->publish_count,
		.masquerade = r->masquerade,
	};
	char why[TERN_ERROR_MAX];
	int err;

	if (!r->publish_count && !r->masquerade)
		return TERN_CLI_OK;
	if (!cfg.device[0])
		return tern_cli_problem(r->args, "--publish and --masquerade lead to a device, "
						 "which --link none has not");
	for (unsigned int i = 0; i < r->publish_count; i++)
		if (r->publish[i].addr.family && !own_address(r, r->publish[i].addr.family).family)
			return tern_cli_problem(r->args,
						"--publish of an IPv%d address: the stack "
						"has no address of that family",
						r->publish[i].addr.family);
	err = tern_nft_start(&cfg, &r->nft, why);
	return err ? tern_cli_failed(r->args, err, why) : TERN_CLI_OK;
}

static int start_command(struct run *r)
{
	char **env = tern_child_environment(environ, r->preload, tern_broker_env(r->broker));
	struct tern_program program = { .path = r->path, .argv = r->argv, .env = env };
	struct tern_signal s;
	int err;

	if (!env)
		return tern_cli_problem(r->args, "no memory");
	/* A signal that came before there was anybody to pass it on to. */
	while (tern_children_next_signal(&r->children, &s))
		if (s.ends) {
			free(env);
			return 128 + s.number;
		}
	err = tern_child_start(&r->children, &program, &r->command.pid);
	free(env);
	if (err) {
		(void)tern_cli_problem(r->args, "cannot execute '%s': %s", r->path, strerror(-err));
		return err == -ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
	}
	r->command.started = true;
	r->phase = RUNNING;
	r->kill_due = r->look_due = TERN_NEVER;
	r->with_due = r->client ? tern_host_now(r->h.host) + CLIENT_NS : TERN_NEVER;
	return TERN_CLI_OK;
}

/* On the stack that is there: the broker, the way in, COMMAND, and its whole life. */
static int on_stack(struct run *r)
{
	const struct tern_broker_config cfg = { .log = tell, .log_user = r->args };
	char why[TERN_ERROR_MAX];
	int status, err;

	r->service.ready = on_ready;
	err = tern_broker_new(r->h.host, &cfg, &r->broker, why);
	if (err)
		return tern_cli_failed(r->args, err, why);
	tern_ctl_set_holders(r->h.ctl, who_holds, r->broker);
	status = start_nft(r);
	if (status != TERN_CLI_OK)
		return status;
	err = tern_host_watch(r->h.host, r->children.signal_fd, TERN_LOOP_IN, &r->service);
	if (err)
		return tern_cli_problem(r->args, "cannot wait for signals: %s", strerror(-err));
	status = start_command(r);
	if (status != TERN_CLI_OK)
		return status;
	live(r);
	close_down(r);
	return r->with.started ? r->with.status : r->command.status;
}

/* What can be known to fail before anything is made. A status. */
static int prepare(struct run *r)
{
	const char *name = r->argv[0];
	bool elevated = !r->private || geteuid() == 0;
	char why[WHY_MAX];
	int err = tern_program_find(name, r->path);

	if (err) {
		(void)tern_cli_problem(r->args,
				       err == -EACCES      ? "'%s' is no file that may be executed"
				       : strchr(name, '/') ? "'%s' was not found"
							   : "'%s' was not found in PATH",
				       err == -EACCES ? r->path : name);
		return err == -EACCES ? NOT_EXECUTABLE : NOT_FOUND;
	}
	if (tern_program_check(r->path, elevated, why) < 0) {
		(void)tern_cli_problem(r->args, "%s", why);
		return NOT_EXECUTABLE;
	}
	err = tern_program_preload(r->preload);
	if (err == -EINVAL)
		return tern_cli_problem(r->args,
					"the path '%s' has a blank or a colon, which "
					"LD_PRELOAD does not take; install tern elsewhere",
					r->preload);
	if (err)
		return tern_cli_problem(r->args, "libtern-preload.so is neither beside tern nor "
						 "where tern was to be installed; build or "
						 "install it");
	err = r->private ? tern_private_enter(r->dns, why) : 0;
	if (err)
		return tern_cli_failed(r->args, err, why);
	err = tern_children_take_over(&r->children);
	return err ? tern_cli_problem(r->args, "cannot wait for signals: %s", strerror(-err))
		   : TERN_CLI_OK;
}

int tern_cli_run(struct tern_cli_args *args)
{
	struct run r = { .args = args };
	int status;

	/* A line in one piece: COMMAND writes there as well. */
	(void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	tern_cli_host_init(&r.h, args);
	r.h.own_signals = true;
	if (!read_arguments(&r))
		return args->status;
	status = prepare(&r);
	if (status != TERN_CLI_OK)
		return status;
	status = tern_cli_host_start(&r.h, "run");
	if (status == TERN_CLI_OK) {
		status = on_stack(&r);
		tern_ctl_set_holders(r.h.ctl, NULL, NULL);
		if (r.broker)
			tern_broker_owed(r.broker, &r.h.owed);
		tern_broker_free(r.broker);
		(void)tern_cli_host_stop(&r.h);
		tern_nft_stop(&r.nft);
	}
	(void)close(r.children.signal_fd);
	return status;
}
