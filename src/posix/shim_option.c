/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_option.c: getsockopt() and setsockopt().
 *
 * Options are the broker's, but for these: what kind of socket it is says its name (the pair would
 * say AF_UNIX); SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT and SO_OOBINLINE work on the pair, where the
 * program waits, and are told to the broker only that it knows them for the next pair or when the
 * socket becomes a kernel socket; SO_ERROR is the broker's, and once told is taken from the pair
 * too, so that a read() after it finds the end, as on Linux.
 *
 * Options that servers set on every connection and that cannot fail are sent without waiting for a
 * reply. What the program does next is a message after it on the same connection, or bytes in the
 * pair, which at worst are sent before TCP_NODELAY holds: nothing is in flight then, so Nagle would
 * not have held them.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

/* asm/socket.h: with 64 bits of seconds on every machine */
#define RCVTIMEO_NEW 66
#define SNDTIMEO_NEW 67

/* Options that work where the program waits. */
static bool is_the_pairs(int level, int name)
{
	return level == SOL_SOCKET &&
	       (name == SO_RCVTIMEO || name == SO_SNDTIMEO || name == SO_RCVLOWAT ||
		name == SO_OOBINLINE || name == RCVTIMEO_NEW || name == SNDTIMEO_NEW);
}

static int give(const void *from, socklen_t have, void *value, socklen_t *len)
{
	if (*len > have)
		*len = have;
	memcpy(value, from, *len);
	return 0;
}

/* What the name of the pair tells. False: it does not. */
static bool known(const struct tern_shim_sock *sock, int name, int *ret_value)
{
	switch (name) {
	case SO_DOMAIN:
		*ret_value = sock->domain;
		return true;
	case SO_TYPE:
		*ret_value = sock->type;
		return true;
	case SO_PROTOCOL:
		*ret_value = sock->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
		return true;
	default:
		return false;
	}
}

/* The pair's own error, which is taken away by asking. */
static int pair_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (TERN_SHIM_SYS5(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return 0;
	return error;
}

static int get_error(int fd, const struct tern_shim_sock *sock)
{
	int error = 0, done;
	struct tern_shim_call call = {
		.op = TERN_POSIX_GETSOCKOPT,
		.args = { SOL_SOCKET, SO_ERROR, sizeof(error) },
		.ret = &error,
		.ret_max = sizeof(error),
	};

	if (sock->type == SOCK_DGRAM) {
		error = tern_shim_dgram_error(fd);
		if (error)
			return error;
	}
	done = tern_shim_ask(fd, sock, &call);
	if (done >= 0 && error == 0)
		return 0;
	if (done < 0)
		error = 0;
	/* no broker: what is left of it is the reset */
	done = pair_error(fd);
	return error ? error : done;
}

static int get(int fd, const struct tern_shim_sock *sock, int level, int name, void *value,
	       socklen_t *len)
{
	struct tern_shim_call call = {
		.op = TERN_POSIX_GETSOCKOPT,
		.args = { level, name, (int32_t)*len },
		.ret = value,
		.ret_max = *len,
	};
	int small, done;

	if ((int)*len < 0)
		return -EINVAL;
	if (!value)
		return -EFAULT;
	if (is_the_pairs(level, name))
		return (int)TERN_SHIM_SYS5(SYS_getsockopt, fd, level, name, value, len);
	if (level == SOL_SOCKET && name == SO_BINDTODEVICE) {
		*len = 0; /* to none; sshd asks */
		return 0;
	}
	if (level == SOL_SOCKET && known(sock, name, &small))
		return give(&small, sizeof(small), value, len);
	if (level == SOL_SOCKET && name == SO_ERROR) {
		small = get_error(fd, sock);
		return give(&small, sizeof(small), value, len);
	}
	if (*len > TERN_POSIX_DATA_MAX)
		call.args[2] = TERN_POSIX_DATA_MAX;
	done = tern_shim_ask(fd, sock, &call);
	if (done < 0)
		return done;
	*len = call.ret_len;
	return 0;
}

int tern_shim_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.getsockopt(fd, level, name, value, len);
	if (!len)
		return tern_shim_result(-EFAULT);
	return tern_shim_result(get(fd, &sock, level, name, value, len));
}

/* Such as take an int and any value of it. */
static bool cannot_fail(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_REUSEADDR || name == SO_REUSEPORT || name == SO_KEEPALIVE;
	return level == IPPROTO_TCP && (name == TCP_NODELAY || name == TCP_QUICKACK);
}

static int set(int fd, const struct tern_shim_sock *sock, int level, int name, const void *value,
	       socklen_t len)
{
	struct tern_shim_call call = {
		.op = TERN_POSIX_SETSOCKOPT,
		.args = { level, name },
		.data = value,
		.len = len,
	};
	int done;

	if ((int)len < 0 || len > TERN_POSIX_DATA_MAX)
		return -EINVAL;
	if (is_the_pairs(level, name)) {
		done = (int)TERN_SHIM_SYS5(SYS_setsockopt, fd, level, name, value, len);
		if (done < 0)
			return done;
		call.noreply = true;
	}
	if (len >= sizeof(int) && cannot_fail(level, name) &&
	    (level == SOL_SOCKET || sock->type == SOCK_STREAM))
		call.noreply = true;
	done = tern_shim_ask(fd, sock, &call);
	return done < 0 ? done : 0;
}

int tern_shim_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.setsockopt(fd, level, name, value, len);
	if (!value && len)
		return tern_shim_result(-EFAULT);
	return tern_shim_result(set(fd, &sock, level, name, value, len));
}
