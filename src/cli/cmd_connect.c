/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_connect.c: tern connect: standard input and output to a TCP server and back.
 *
 * Two pipes with a buffer each, input to socket and socket to output; a pipe reads only when its
 * buffer is empty, so what one side does not take holds the other back. The stack runs on while
 * either end is slow: nothing here waits but tern_poll(). Output that could block is written
 * through an open file description of its own that does not (the one we were given may be shared
 * with the shell).
 *
 * The end. The peer's FIN ends it, once what came before is written out and what was read is sent.
 * With -N the end of input closes our half, and it is over when both halves are closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/host.h"

enum {
	PIPE_BYTES = 262144,
};

/* From one end to the other. */
struct tube {
	char *buf;
	size_t at, len; /* what is in buf */
	bool ended;     /* nothing more will come */
};

struct relay {
	struct tern_cli_host h;
	const char *target, *port; /* operands */
	int family;                /* AF_UNSPEC: any that the stack has */
	bool half_close;
	bool shut; /* our half is closed */
	int fd, out_fd;
	struct tube out, in; /* to the server, from it */
};

static int failed(const struct relay *r, int err)
{
	return tern_cli_problem(r->h.args, "%s port %s: %s", r->target, r->port, strerror(-err));
}

/* Standard input into the tube. */
static int fill_out(struct relay *r)
{
	ssize_t n = read(STDIN_FILENO, r->out.buf, PIPE_BYTES);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return TERN_CLI_OK;
	if (n < 0)
		return tern_cli_problem(r->h.args, "cannot read the input: %s", strerror(errno));
	r->out.at = 0;
	r->out.len = (size_t)n;
	r->out.ended = n == 0;
	return TERN_CLI_OK;
}

/* The tube into the socket, and our FIN behind its end. */
static int drain_out(struct relay *r)
{
	ssize_t n;
	int err;

	while (r->out.len) {
		n = tern_send(r->h.host, r->fd, r->out.buf + r->out.at, r->out.len, MSG_DONTWAIT);
		if (n < 0)
			return n == -EAGAIN ? TERN_CLI_OK : failed(r, (int)n);
		r->out.at += (size_t)n;
		r->out.len -= (size_t)n;
	}
	if (!r->out.ended || !r->half_close || r->shut)
		return TERN_CLI_OK;
	r->shut = true;
	err = tern_shutdown(r->h.host, r->fd, SHUT_WR);
	return err && err != -ENOTCONN ? failed(r, err) : TERN_CLI_OK;
}

static int fill_in(struct relay *r)
{
	ssize_t n = tern_recv(r->h.host, r->fd, r->in.buf, PIPE_BYTES, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return TERN_CLI_OK;
	if (n < 0)
		return failed(r, (int)n);
	r->in.at = 0;
	r->in.len = (size_t)n;
	r->in.ended = n == 0;
	return TERN_CLI_OK;
}

static int drain_in(struct relay *r)
{
	while (r->in.len) {
		ssize_t n = write(r->out_fd, r->in.buf + r->in.at, r->in.len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return TERN_CLI_OK;
		if (n < 0)
			return tern_cli_problem(r->h.args, "cannot write the output: %s",
						strerror(errno));
		r->in.at += (size_t)n;
		r->in.len -= (size_t)n;
	}
	return TERN_CLI_OK;
}

/* Moves what can be moved. */
static int move(struct relay *r, const struct tern_pollfd fds[3])
{
	int status = TERN_CLI_OK;

	if (fds[1].revents)
		status = fill_out(r);
	if (status == TERN_CLI_OK)
		status = drain_out(r);
	if (status == TERN_CLI_OK && (fds[0].revents & ~POLLOUT) && !r->in.len && !r->in.ended)
		status = fill_in(r);
	if (status == TERN_CLI_OK)
		status = drain_in(r);
	return status;
}

static bool is_over(const struct relay *r)
{
	bool sent = !r->out.len && (!r->half_close || r->shut);

	return r->in.ended && !r->in.len && sent;
}

/* Until the end of the connection, an error or a signal. */
static int relay(struct relay *r)
{
	int status = TERN_CLI_OK;

	while (status == TERN_CLI_OK && !is_over(r)) {
		bool read_input = !r->out.len && !r->out.ended;
		bool read_socket = !r->in.len && !r->in.ended;
		struct tern_pollfd fds[3] = {
			{ .fd = r->fd,
			  .events = (short)((read_socket ? POLLIN : 0) |
					    (r->out.len ? POLLOUT : 0)) },
			{ .fd = read_input ? STDIN_FILENO : -1,
			  .kind = TERN_POLL_PROCESS,
			  .events = POLLIN },
			{ .fd = r->in.len ? r->out_fd : -1,
			  .kind = TERN_POLL_PROCESS,
			  .events = POLLOUT },
		};
		int n;

		/* Whatever the socket says, there is nothing to be done with it: do not spin. */
		if (!fds[0].events)
			fds[0].fd = -1;
		n = tern_poll(r->h.host, fds, 3, UINT64_MAX);
		if (n == -EINTR)
			return tern_cli_host_ending() ? TERN_CLI_PROBLEM : TERN_CLI_OK;
		status = n < 0 ? failed(r, n) : move(r, fds);
	}
	return status;
}

/* The family to look HOST up for: what was asked, else what the stack has. */
static int family_of(const struct relay *r)
{
	bool v4 = false, v6 = false;

	for (unsigned int i = 0; i < r->h.cfg.addr_count; i++) {
		bool colon = strchr(r->h.addrs[i], ':');

		v4 = v4 || !colon;
		v6 = v6 || colon;
	}
	if (r->family != AF_UNSPEC || (v4 && v6))
		return r->family;
	return v6 ? AF_INET6 : AF_INET;
}

static int open_connection(struct relay *r)
{
	struct addrinfo hints = { .ai_family = family_of(r), .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int err = getaddrinfo(r->target, r->port, &hints, &found);

	if ((err == EAI_FAMILY || err == EAI_ADDRFAMILY) && r->family != AF_UNSPEC)
		return tern_cli_problem(r->h.args, "%s has no address of the family of -%c",
					r->target, r->family == AF_INET ? '4' : '6');
	if (err == EAI_FAMILY || err == EAI_ADDRFAMILY)
		return tern_cli_problem(r->h.args,
					"%s is not an address of a family that the stack has; "
					"give it one with --addr or --addr6",
					r->target);
	if (err)
		return tern_cli_problem(r->h.args, "%s port %s: %s", r->target, r->port,
					gai_strerror(err));
	err = -EADDRNOTAVAIL;
	for (const struct addrinfo *a = found; a && err && !tern_cli_host_ending();
	     a = a->ai_next) {
		r->fd = tern_socket(r->h.host, a->ai_family, SOCK_STREAM, 0);
		if (r->fd < 0) {
			err = r->fd;
			continue;
		}
		err = tern_connect(r->h.host, r->fd, a->ai_addr, a->ai_addrlen);
		if (err)
			(void)tern_close(r->h.host, r->fd);
	}
	freeaddrinfo(found);
	if (err)
		return tern_cli_host_ending() ? TERN_CLI_PROBLEM : failed(r, err);
	return TERN_CLI_OK;
}

/*
 * Where output goes: for what can block (a pipe, a terminal) a description of our own that does
 * not, if the system gives one.
 */
static int open_output(void)
{
	int fd = -1, flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat st;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : STDOUT_FILENO;
}

/* A number from 1 to 65535, or the name of a service. */
static bool is_port(const char *text)
{
	uint64_t number;

	if (tern_text_parse_u64(text, &number) == 0)
		return number >= 1 && number <= 65535;
	return getservbyname(text, "tcp");
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct relay *r)
{
	struct tern_cli_args *args = r->h.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		if (id == TERN_OPT_HALF_CLOSE) {
			r->half_close = true;
		} else if (id == TERN_OPT_INET || id == TERN_OPT_INET6) {
			r->family = id == TERN_OPT_INET ? AF_INET : AF_INET6;
		} else if (id != TERN_OPT_OPERAND) {
			if (tern_cli_host_option(&r->h, id) < 0)
				return false;
		} else if (r->port) {
			tern_cli_wrong(args, "'%s' is one too many; HOST and PORT are all",
				       args->value);
			return false;
		} else {
			*(r->target ? &r->port : &r->target) = args->value;
		}
	}
	if (id == 0 && !r->port)
		tern_cli_wrong(args, "no %s; write it as tern connect 10.77.0.1 8080",
			       r->target ? "PORT" : "HOST and PORT");
	if (id != 0 || !r->port)
		return false;
	if (!is_port(r->port))
		tern_cli_wrong(
			args, "PORT is a number from 1 to 65535 or the name of a service, not '%s'",
			r->port);
	return is_port(r->port);
}

int tern_cli_connect(struct tern_cli_args *args)
{
	struct relay r = { .family = AF_UNSPEC };
	int status, end;

	tern_cli_host_init(&r.h, args);
	if (!read_arguments(&r))
		return args->status;
	r.out.buf = malloc(PIPE_BYTES);
	r.in.buf = malloc(PIPE_BYTES);
	r.out_fd = open_output();
	if (!r.out.buf || !r.in.buf)
		status = tern_cli_problem(args, "no memory");
	else
		status = tern_cli_host_start(&r.h, "connect");
	if (r.h.host) {
		status = open_connection(&r);
		if (status == TERN_CLI_OK)
			status = relay(&r);
		end = tern_cli_host_stop(&r.h);
		status = status == TERN_CLI_OK ? end : status;
	}
	if (r.out_fd != STDOUT_FILENO)
		(void)close(r.out_fd);
	free(r.out.buf);
	free(r.in.buf);
	return status;
}
