/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_serve.c: tern serve: the small services on a stack of their own, until a signal comes.
 *
 * One table of places, in step with the table that tern_poll() takes: first a listener and a
 * datagram socket for each service, then the connections. Each turn gives every ready place a
 * bounded piece of work, so that clients share the stack whatever they do. A connection that ends
 * gives its place to the last one.
 *
 * Where a resource is out (EMFILE, ENOBUFS), accepting pauses until a connection ends or a second
 * has passed; clients wait in the accept queue and beyond.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/host.h"
#include "cli/service.h"
#include "sock/addr.h"

enum {
	SERVICES_MAX = 4,
	BACKLOG = 4096,
	DGRAMS_A_TURN = 64,
};

#define PAUSE_NS UINT64_C(1000000000)

enum kind {
	KIND_LISTENER,
	KIND_DGRAM,
	KIND_STREAM,
};

struct place {
	enum kind kind;
	const struct tern_cli_service *service;
	struct tern_cli_stream stream; /* its fd is set for each kind */
};

struct server {
	struct tern_cli_host h;
	const struct tern_cli_service *services[SERVICES_MAX];
	uint16_t ports[SERVICES_MAX];
	unsigned int service_count;
	uint64_t port; /* 0: each its own */
	int domain;
	bool paused; /* accepting */
	uint64_t dgrams;
	uint8_t *work;
	struct place *places;
	struct tern_pollfd *fds;
	unsigned int count, cap;
};

/* Room for one more place: 0 or -ENOMEM. */
static int reserve(struct server *sv)
{
	unsigned int cap = sv->cap ? 2 * sv->cap : 64;
	void *grown;

	if (sv->count < sv->cap)
		return 0;
	grown = realloc(sv->places, cap * sizeof(*sv->places));
	if (!grown)
		return -ENOMEM;
	sv->places = grown;
	grown = realloc(sv->fds, cap * sizeof(*sv->fds));
	if (!grown)
		return -ENOMEM;
	sv->fds = grown;
	sv->cap = cap;
	return 0;
}

/* Takes a descriptor in, or closes it where there is no room. */
static int take(struct server *sv, int fd, enum kind kind, const struct tern_cli_service *service)
{
	int err = reserve(sv);

	if (err) {
		(void)tern_close(sv->h.host, fd);
		return err;
	}
	sv->places[sv->count] = (struct place){
		.kind = kind,
		.service = service,
		.stream = { .fd = fd, .events = POLLIN },
	};
	sv->fds[sv->count++] = (struct tern_pollfd){ .fd = fd, .events = POLLIN };
	return 0;
}

static void pause_accepting(struct server *sv, bool paused)
{
	sv->paused = paused;
	for (unsigned int i = 0; i < sv->count && i < 2 * sv->service_count; i++)
		if (sv->places[i].kind == KIND_LISTENER)
			sv->fds[i].events = paused ? 0 : POLLIN;
}

static void leave(struct server *sv, unsigned int i)
{
	(void)tern_close(sv->h.host, sv->places[i].stream.fd);
	sv->count--;
	sv->places[i] = sv->places[sv->count];
	sv->fds[i] = sv->fds[sv->count];
	if (sv->paused)
		pause_accepting(sv, false);
}

/* A turn of a connection. False when it has left, and another stands in its place. */
static bool turn_stream(struct server *sv, unsigned int i)
{
	struct place *p = &sv->places[i];

	if (p->service->stream(sv->h.host, &p->stream, sv->work)) {
		leave(sv, i);
		return false;
	}
	sv->fds[i].events = p->stream.events;
	return true;
}

static void turn_listener(struct server *sv, unsigned int i)
{
	const struct tern_cli_service *service = sv->places[i].service;
	int fd;

	do {
		fd = tern_accept(sv->h.host, sv->places[i].stream.fd, NULL, NULL, 0);
		if (fd >= 0 && take(sv, fd, KIND_STREAM, service) < 0)
			fd = -ENOMEM;
		else if (fd >= 0)
			(void)turn_stream(sv, sv->count - 1);
	} while (fd >= 0);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
		pause_accepting(sv, true);
}

static void turn_dgram(struct server *sv, unsigned int i)
{
	const struct place *p = &sv->places[i];

	for (int n = 0; n < DGRAMS_A_TURN; n++) {
		struct sockaddr_in6 from = { 0 };
		socklen_t from_len = sizeof(from);
		struct tern_endpoint ep;
		int answer;
		ssize_t len = tern_recvfrom(sv->h.host, p->stream.fd, sv->work, TERN_CLI_WORK,
					    MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (len == -EAGAIN)
			return;
		if (len < 0 || tern_sockaddr_read(sv->domain, &from, from_len, &ep) < 0 ||
		    tern_cli_service_would_loop(ep.port))
			continue;
		answer = p->service->dgram(sv->work, (size_t)len, sv->dgrams++);
		if (answer >= 0)
			(void)tern_sendto(sv->h.host, p->stream.fd, sv->work, (size_t)answer,
					  MSG_DONTWAIT, (struct sockaddr *)&from, from_len);
	}
}

static void turn(struct server *sv)
{
	/* From the end: what takes the place of one that leaves has had its turn, or is new. */
	for (unsigned int i = sv->count; i-- > 0;) {
		if (!sv->fds[i].revents)
			continue;
		switch (sv->places[i].kind) {
		case KIND_LISTENER:
			turn_listener(sv, i);
			break;
		case KIND_DGRAM:
			turn_dgram(sv, i);
			break;
		case KIND_STREAM:
			(void)turn_stream(sv, i);
			break;
		}
	}
}

/* Makes a bound socket: its descriptor, or a negative errno. */
static int bound(struct server *sv, int type, uint16_t port)
{
	struct tern_endpoint any = { .port = port };
	union tern_sockaddr addr;
	uint32_t len;
	int on = 1, err;
	int fd = tern_socket(sv->h.host, sv->domain, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	any.addr.family = sv->domain == AF_INET ? TERN_INET : TERN_INET6;
	len = tern_sockaddr_write(sv->domain, &any, &addr);
	err = tern_setsockopt(sv->h.host, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!err)
		err = tern_bind(sv->h.host, fd, (struct sockaddr *)&addr, len);
	if (!err && type == SOCK_STREAM)
		err = tern_listen(sv->h.host, fd, BACKLOG);
	if (!err)
		return fd;
	(void)tern_close(sv->h.host, fd);
	return err;
}

static int open_service(struct server *sv, unsigned int i)
{
	const struct tern_cli_service *service = sv->services[i];
	int fd = bound(sv, SOCK_STREAM, sv->ports[i]), err = fd;

	if (fd >= 0)
		err = take(sv, fd, KIND_LISTENER, service);
	if (err >= 0) {
		fd = bound(sv, SOCK_DGRAM, sv->ports[i]);
		err = fd < 0 ? fd : take(sv, fd, KIND_DGRAM, service);
	}
	if (err >= 0)
		return TERN_CLI_OK;
	return tern_cli_problem(sv->h.args, "cannot serve %s on port %u: %s", service->name,
				sv->ports[i], strerror(-err));
}

/* One line that says what runs where. */
static int announce(struct server *sv)
{
	for (unsigned int i = 0; i < sv->service_count; i++)
		printf("%s%s:%u", i ? " " : "tern serve: ", sv->services[i]->name, sv->ports[i]);
	printf(" on");
	for (unsigned int i = 0; i < sv->h.cfg.addr_count; i++)
		printf(" %.*s", (int)strcspn(sv->h.addrs[i], "/"), sv->h.addrs[i]);
	if (tern_host_device(sv->h.host)[0])
		printf(", device %s", tern_host_device(sv->h.host));
	printf(", stack %s; Ctrl-C ends it\n", sv->h.name);
	return tern_cli_flush(sv->h.args);
}

static int serve(struct server *sv)
{
	int status = TERN_CLI_OK, n = 0;

	for (unsigned int i = 0; i < sv->service_count && status == TERN_CLI_OK; i++)
		status = open_service(sv, i);
	if (status == TERN_CLI_OK)
		status = announce(sv);
	while (status == TERN_CLI_OK && !tern_cli_host_ending()) {
		n = tern_poll(sv->h.host, sv->fds, sv->count, sv->paused ? PAUSE_NS : UINT64_MAX);
		if (n > 0)
			turn(sv);
		else if (n == 0)
			pause_accepting(sv, false);
		else if (n != -EINTR)
			status = tern_cli_problem(sv->h.args, "%s",
						  n == -ENETDOWN ? "the device is gone"
								 : strerror(-n));
	}
	return status;
}

static bool add_service(struct server *sv, const char *name)
{
	const struct tern_cli_service *service = tern_cli_service_find(name);

	if (!service) {
		tern_cli_wrong(sv->h.args,
			       "there is no service '%s'; services are echo, "
			       "discard, chargen and daytime",
			       name);
		return false;
	}
	for (unsigned int i = 0; i < sv->service_count; i++)
		if (sv->services[i] == service) {
			tern_cli_wrong(sv->h.args, "%s is named twice; once is enough", name);
			return false;
		}
	sv->services[sv->service_count++] = service;
	return true;
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct server *sv)
{
	struct tern_cli_args *args = sv->h.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		bool good;

		if (id == TERN_OPT_PORT)
			good = tern_cli_number(args, 1, 65535, &sv->port) == 0;
		else if (id == TERN_OPT_OPERAND)
			good = add_service(sv, args->value);
		else
			good = tern_cli_host_option(&sv->h, id) == 0;
		if (!good)
			return false;
	}
	if (id < 0)
		return false;
	if (sv->service_count == 0) {
		tern_cli_wrong(args, "no service; name one or more of echo, discard, chargen and "
				     "daytime");
		return false;
	}
	if (sv->port && sv->service_count > 1) {
		tern_cli_wrong(args,
			       "--port goes with one service, not with %u; leave it out, and "
			       "each takes its own",
			       sv->service_count);
		return false;
	}
	return true;
}

/* Fills in what follows from the arguments. */
static void settle(struct server *sv)
{
	sv->domain = AF_INET;
	for (unsigned int i = 0; i < sv->service_count; i++)
		sv->ports[i] = sv->port ? (uint16_t)sv->port : sv->services[i]->port;
	for (unsigned int i = 0; i < sv->h.cfg.addr_count; i++)
		if (strchr(sv->h.addrs[i], ':'))
			sv->domain = AF_INET6;
}

int tern_cli_serve(struct tern_cli_args *args)
{
	struct server sv = { 0 };
	int status, end;

	tern_cli_host_init(&sv.h, args);
	if (!read_arguments(&sv))
		return args->status;
	settle(&sv);
	sv.work = malloc(TERN_CLI_WORK);
	if (!sv.work)
		return tern_cli_problem(args, "no memory");
	status = tern_cli_host_start(&sv.h, sv.services[0]->name);
	if (status == TERN_CLI_OK) {
		status = serve(&sv);
		end = tern_cli_host_stop(&sv.h);
		status = status == TERN_CLI_OK ? end : status;
	}
	free(sv.work);
	free(sv.places);
	free(sv.fds);
	return status;
}
