/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_socket.c: socket(), bind(), listen(), shutdown(), getsockname(), getpeername().
 *
 * Ours are streams and datagrams of AF_INET and AF_INET6 over TCP, UDP or the default protocol;
 * MPTCP is TCP to us, as it is on a host whose peers do not speak it. Everything else goes to the
 * kernel: AF_UNIX and netlink silently, what concerns the Internet with a line in the log.
 */
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>

#include "posix/shim.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Is it tern's? Takes MPTCP for TCP. */
static bool ours(int domain, int type, int *protocol)
{
	if (domain != AF_INET && domain != AF_INET6)
		return false;
	switch (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) {
	case SOCK_STREAM:
		if (*protocol == IPPROTO_MPTCP)
			*protocol = 0;
		if (*protocol == 0 || *protocol == IPPROTO_TCP)
			return true;
		break;
	case SOCK_DGRAM:
		if (*protocol == 0 || *protocol == IPPROTO_UDP)
			return true;
		break;
	default:
		break;
	}
	tern_shim_log("a socket that is neither TCP nor UDP (raw, ping, SCTP) is the kernel's");
	return false;
}

int tern_shim_socket(int domain, int type, int protocol)
{
	struct tern_shim_call call = {
		.op = TERN_POSIX_OPEN,
		.want_fd = true,
		.cloexec = type & SOCK_CLOEXEC,
	};
	int kind = protocol, done;

	if (!tern_shim_on() || !ours(domain, type, &kind))
		return tern_shim_next.socket(domain, type, protocol);
	call.args[0] = domain;
	call.args[1] = type;
	call.args[2] = kind;
	done = tern_shim_call(&call);
	if (done < 0)
		return tern_shim_result(done);
	return tern_shim_result(call.ret_fd < 0 ? -ENETDOWN : call.ret_fd);
}

static bool may_bind_service(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (TERN_SHIM_SYS2(SYS_capget, &head, data) < 0)
		return false;
	return data[CAP_NET_BIND_SERVICE / 32].effective >> (CAP_NET_BIND_SERVICE % 32) & 1;
}

int tern_shim_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_BIND, .data = addr, .len = len };
	int done;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.bind(fd, addr, len);
	if (!addr)
		return tern_shim_result(-EFAULT);
	if (len > sizeof(struct sockaddr_storage))
		return tern_shim_result(-EINVAL);
	if (!sock.accepted && tern_shim_is_loopback(addr, len)) {
		done = tern_shim_to_kernel(fd, &sock);
		return done < 0 ? tern_shim_result(done) : tern_shim_next.bind(fd, addr, len);
	}
	call.args[0] = may_bind_service();
	return tern_shim_result(tern_shim_ask_fresh(fd, &sock, &call));
}

int tern_shim_listen(int fd, int backlog)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_LISTEN, .args = { backlog } };
	int done;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.listen(fd, backlog);
	done = tern_shim_ask_fresh(fd, &sock, &call);
	if (done >= 0)
		tern_shim_mark(fd, TERN_SHIM_MARK_LISTENING);
	return tern_shim_result(done);
}

int tern_shim_shutdown(int fd, int how)
{
	struct tern_shim_sock sock;
	struct tern_shim_call call = { .op = TERN_POSIX_SHUTDOWN, .args = { how } };
	int done;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.shutdown(fd, how);
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return tern_shim_result(-EINVAL);
	done = tern_shim_ask(fd, &sock, &call);
	if (done < 0)
		return tern_shim_result(done == -ENETDOWN ? -ENOTCONN : done);
	tern_shim_say_alive(fd);
	/* Of a listening socket only the reading half means something: it wakes accept(). */
	if (tern_shim_marked(fd, TERN_SHIM_MARK_LISTENING)) {
		if (how == SHUT_WR)
			return 0;
		how = SHUT_RD;
	}
	done = (int)TERN_SHIM_SYS2(SYS_shutdown, fd, how);
	return tern_shim_result(done == -ENOTCONN ? 0 : done);
}

static int name(int fd, const struct tern_shim_sock *sock, uint32_t op, struct sockaddr *addr,
		socklen_t *len)
{
	union tern_posix_addr got;
	struct tern_shim_call call = { .op = op, .ret = &got, .ret_max = sizeof(got) };
	int done;

	if (sock->accepted) {
		const union tern_posix_addr *known = op == TERN_POSIX_GETSOCKNAME ? &sock->local
										  : &sock->remote;

		return tern_shim_give_addr(known, addr, len);
	}
	memset(&got, 0, sizeof(got));
	done = tern_shim_ask(fd, sock, &call);
	return done < 0 ? done : tern_shim_give_addr(&got, addr, len);
}

int tern_shim_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.getsockname(fd, addr, len);
	return tern_shim_result(name(fd, &sock, TERN_POSIX_GETSOCKNAME, addr, len));
}

int tern_shim_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct tern_shim_sock sock;

	if (!tern_shim_find(fd, &sock))
		return tern_shim_next.getpeername(fd, addr, len);
	return tern_shim_result(name(fd, &sock, TERN_POSIX_GETPEERNAME, addr, len));
}
