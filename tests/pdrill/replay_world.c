/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library instead of a stack: see replay.h.
 *
 * Script time 0 is when the first event is waited for. What the library says of the time at which
 * it sent a packet is believed, as packetdrill does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "pdrill/replay.h"
#include "wire/tcp.h"

enum {
	SPIN_US = 20,
	SHELL_US = 1000, /* what a shell would take at least */
};

struct replay_options replay_options;
struct packetdrill_interface so;

static struct {
	pthread_mutex_t lock;
	_Atomic bool gone; /* or about to be: nobody asks the library for the time */
	int64_t zero_us;
	struct tern_endpoint peer; /* of the connection accepted last */
	struct drill *d;           /* NULL: time has not begun */
} world = { .lock = PTHREAD_MUTEX_INITIALIZER };

extern char **environ;

/* ---- threads and time ---- */

void replay_lock(void)
{
	(void)pthread_mutex_lock(&world.lock);
}

void replay_unlock(void)
{
	(void)pthread_mutex_unlock(&world.lock);
}

static int64_t clock_us(void)
{
	struct timeval tv;

	(void)so.gettimeofday(so.userdata, &tv, NULL);
	return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

uint64_t replay_now(const struct drill *d)
{
	if (atomic_load(&world.gone))
		return d->now;
	return d->start + (uint64_t)(clock_us() - world.zero_us) * DRILL_US;
}

void replay_refresh(struct drill *d)
{
	d->now = replay_now(d);
}

static void wait_until(struct drill *d, uint64_t until)
{
	uint64_t now;

	replay_unlock();
	while ((now = replay_now(d)) < until) {
		uint64_t us = (until - now) / DRILL_US;

		if (us > SPIN_US)
			(void)so.usleep(so.userdata, (useconds_t)(us - SPIN_US));
	}
	replay_lock();
}

/* ---- packets ---- */

static void receive(struct drill *d)
{
	struct drill_frame *f = d->spare;
	struct tern_packet pkt;
	size_t n = DRILL_FRAME;
	long long us;
	int err;

	replay_unlock();
	err = so.netdev_receive(so.userdata, d->frame, &n, &us);
	replay_lock();
	if (err)
		tern_drill_fail(d, "netdev_receive returned %d", err);
	if (err || !n)
		return;
	if (f)
		d->spare = f->next;
	else
		f = tern_arena_alloc(&d->script.arena, sizeof(*f));
	if (!f)
		return;
	f->next = NULL;
	f->time = d->start + (uint64_t)(us - world.zero_us) * DRILL_US;
	f->len = (uint32_t)n;
	f->kept = TERN_MIN(f->len, (uint32_t)DRILL_KEPT);
	memcpy(f->bytes, d->frame, f->kept);
	*d->tail = f;
	d->tail = &f->next;
	if (d->cfg->verbose)
		tern_drill_trace_frame(d, d->frame, f->len, false);
	if (tern_ip_parse(d->frame, f->len, false, &pkt) != TERN_PARSE_OK)
		tern_drill_fail(d, "a packet that cannot be read was sent");
	else if (pkt.proto == TERN_PROTO_UDP && d->under_test && d->under_test->udp)
		d->under_test->local.port = tern_get_u16(pkt.payload);
	else if (pkt.proto == TERN_PROTO_TCP && !pkt.fragment && !tern_tcp_cksum_ok(&pkt))
		tern_drill_fail(d, "a segment with a wrong checksum was sent");
}

void tern_drill_pass(struct drill *d, uint64_t until, struct drill_frame *const *stop)
{
	if (!world.d) {
		world.d = d;
		d->script.options.tolerance_us =
			TERN_MAX(d->script.options.tolerance_us, replay_options.tolerance_us);
		world.zero_us = clock_us();
	}
	if (!stop)
		wait_until(d, until);
	else if (!*stop)
		receive(d);
	replay_refresh(d);
}

void tern_drill_settle(struct drill *d)
{
	replay_refresh(d);
}

void tern_drill_input(struct drill *d, const uint8_t *bytes, uint32_t len)
{
	if (d->cfg->verbose)
		tern_drill_trace_frame(d, bytes, len, true);
	if (so.netdev_send(so.userdata, bytes, len))
		tern_drill_fail(d, "netdev_send failed: %s", strerror(errno));
	replay_refresh(d);
}

void tern_drill_drop_frame(struct drill *d, struct drill_frame **at)
{
	struct drill_frame *f = *at;

	*at = f->next;
	if (d->tail == &f->next)
		d->tail = at;
	f->next = d->spare;
	d->spare = f;
}

/* ---- made and unmade ---- */

int tern_stack_new(const struct tern_config *cfg, uint64_t now, struct tern_stack **ret)
{
	void (*init)(const char *flags, struct packetdrill_interface *out) = NULL;
	void *library = dlopen(replay_options.library, RTLD_NOW | RTLD_LOCAL);

	(void)cfg;
	(void)now;
	if (library)
		*(void **)&init = dlsym(library, "packetdrill_interface_init");
	if (!init) {
		(void)fprintf(stderr, "%s\n", dlerror());
		return -ENOENT;
	}
	replay_lock();
	init(replay_options.flags, &so);
	*ret = (struct tern_stack *)&world;
	return 0;
}

int tern_socks_new(struct tern_stack *st, uint32_t max, struct tern_socks **ret)
{
	(void)max;
	*ret = (struct tern_socks *)st;
	return 0;
}

/* What a script has left open is closed past the table, as packetdrill does. */
static void close_all(struct drill *d)
{
	for (int i = 0; d && i < DRILL_FDS; i++)
		if (d->fds[i].kind != DRILL_FD_NONE)
			(void)close(d->fds[i].live);
}

void tern_socks_free(struct tern_socks *ss)
{
	if (!ss)
		return;
	close_all(world.d);
	replay_unlock();
	replay_join(false);
	atomic_store(&world.gone, true);
	so.free(so.userdata); /* a call that still blocks ends by it */
	replay_join(true);
}

void tern_stack_free(struct tern_stack *st)
{
	(void)st;
}

/* ---- knobs and counters ---- */

/* What the kernel has no such setting for goes to the library's control socket. */
static int set_by_control(const char *name, const char *value)
{
	char pair[256];
	const char *argv[] = { "tern", "sysctl", "-N", replay_options.name, pair, NULL };
	int status = -1;
	pid_t pid;

	(void)snprintf(pair, sizeof(pair), "%s=%s", name, value);
	if (posix_spawn(&pid, replay_options.program, NULL, NULL, (char *const *)argv, environ))
		return -ENOENT;
	(void)waitpid(pid, &status, 0);
	return status ? -EINVAL : 0;
}

int tern_stack_knob(struct tern_stack *st, uint64_t now, const char *name, const char *value)
{
	char path[128];
	size_t n = strlen(value);
	bool good;
	int fd;

	(void)st;
	(void)now;
	(void)snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return set_by_control(name, value);
	good = write(fd, value, n) == (ssize_t)n;
	(void)usleep(SHELL_US);
	(void)close(fd);
	return good ? 0 : set_by_control(name, value);
}

uint64_t tern_stack_counter(const struct tern_stack *st, unsigned int counter)
{
	(void)st;
	(void)counter;
	return 0; /* nobody tells */
}

bool tern_stack_trace(const struct tern_stack *st, uint64_t *cursor, struct tern_trace_record *ret)
{
	(void)st;
	(void)cursor;
	(void)ret;
	return false;
}

/* ---- sockets ---- */

tern_id tern_sock_id(const struct tern_socks *ss, int fd)
{
	(void)ss;
	return (tern_id)fd;
}

int tern_stack_local(struct tern_stack *st, tern_id id, struct tern_endpoint *ret)
{
	(void)st;
	(void)id;
	(void)ret;
	return -ENOENT; /* the table has no getsockname(): what the script says counts */
}

int tern_stack_remote(struct tern_stack *st, tern_id id, struct tern_endpoint *ret)
{
	(void)st;
	(void)id;
	*ret = world.peer;
	return world.peer.port ? 0 : -ENOENT;
}

int tern_sock_open(struct tern_socks *ss, uint64_t now, int domain, int type, int protocol)
{
	(void)ss;
	(void)now;
	replay_begin();
	return (int)replay_end(so.socket(so.userdata, domain, type, protocol));
}

int tern_sock_bind(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len)
{
	(void)ss;
	(void)now;
	replay_begin();
	return (int)replay_end(so.bind(so.userdata, fd, addr, len));
}

int tern_sock_listen(struct tern_socks *ss, uint64_t now, int fd, int backlog)
{
	(void)ss;
	(void)now;
	replay_begin();
	return (int)replay_end(so.listen(so.userdata, fd, backlog));
}

int tern_sock_accept(struct tern_socks *ss, uint64_t now, int fd, void *addr, uint32_t *len)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t peer_len = sizeof(peer);
	int got;

	(void)ss;
	(void)now;
	(void)addr;
	(void)len;
	replay_begin();
	got = (int)replay_end(
		so.accept(so.userdata, fd, (struct sockaddr *)(void *)&peer, &peer_len));
	if (got >= 0)
		world.peer.port = tern_get_u16((const uint8_t *)&peer + 2);
	return got;
}

int tern_sock_shutdown(struct tern_socks *ss, uint64_t now, int fd, int how)
{
	(void)ss;
	(void)now;
	replay_begin();
	return (int)replay_end(so.shutdown(so.userdata, fd, how));
}

int tern_sock_close(struct tern_socks *ss, uint64_t now, int fd, uint64_t *ret_until)
{
	(void)ss;
	(void)now;
	*ret_until = TERN_NEVER;
	replay_begin();
	return (int)replay_end(so.close(so.userdata, fd));
}

/* A close() that lingers has done so when it returns. */
int tern_sock_linger(struct tern_socks *ss, uint64_t now, int fd, bool give_up)
{
	(void)ss;
	(void)now;
	(void)fd;
	(void)give_up;
	return 0;
}

int tern_sock_setsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 const void *value, uint32_t len)
{
	(void)ss;
	(void)now;
	replay_begin();
	return (int)replay_end(so.setsockopt(so.userdata, fd, level, name, value, len));
}

/* A %{ }% block asks past the table. */
int tern_sock_getsockopt(struct tern_socks *ss, uint64_t now, int fd, int level, int name,
			 void *value, uint32_t *len)
{
	(void)ss;
	(void)now;
	if (world.d->event->kind == TERN_EVENT_CHECK)
		return getsockopt(fd, level, name, value, len) ? -errno : 0;
	replay_begin();
	return (int)replay_end(so.getsockopt(so.userdata, fd, level, name, value, len));
}

/* ---- what replay_call.c does itself, or packetdrill's table has not ---- */

int tern_sock_connect(struct tern_socks *ss, uint64_t now, int fd, const void *addr, uint32_t len)
{
	(void)ss;
	(void)now;
	(void)fd;
	(void)addr;
	(void)len;
	return -ENOSYS;
}

int tern_sock_inq(struct tern_socks *ss, uint64_t now, int fd, int *ret)
{
	(void)ss;
	(void)now;
	(void)fd;
	(void)ret;
	return -ENOSYS;
}

int tern_sock_outq(struct tern_socks *ss, uint64_t now, int fd, int *ret)
{
	return tern_sock_inq(ss, now, fd, ret);
}

int tern_sock_outqnsd(struct tern_socks *ss, uint64_t now, int fd, int *ret)
{
	return tern_sock_inq(ss, now, fd, ret);
}

int tern_sock_atmark(struct tern_socks *ss, uint64_t now, int fd, int *ret)
{
	return tern_sock_inq(ss, now, fd, ret);
}

int tern_sock_getsockname(struct tern_socks *ss, int fd, void *addr, uint32_t *len)
{
	(void)ss;
	(void)fd;
	(void)addr;
	(void)len;
	return -ENOSYS;
}

int tern_sock_getpeername(struct tern_socks *ss, int fd, void *addr, uint32_t *len)
{
	return tern_sock_getsockname(ss, fd, addr, len);
}
