/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker_connect.c: a connect() in progress.
 *
 * Until it ends the pair is full, so that nothing of the program finds it writable. At its end
 *
 *	established	all of the fill but one byte is read: the pair is writable, who waits in
 *			poll() or in the shim's send() goes on; that byte is the tail
 *	failed		the pair ends with its fill unread: everybody who waits for it is woken with
 *			an error, whose errno SO_ERROR tells
 *
 * With TCP_FASTOPEN_CONNECT, and a cookie, connect() ends at once: what the program writes into the
 * pair goes with the SYN, and how the open ended is known to its next call (tern_connect_defer).
 *
 * The shim of a program that blocks sends one byte of its own: p->handshakes counts those that will
 * come and are nobody's data.
 */
#include <errno.h>
#include <sys/socket.h>

#include "posix/internal.h"
#include "sock/abi.h"

int tern_connect_error(struct tern_pair *p)
{
	int value = 0;
	uint32_t len = sizeof(value);

	(void)tern_sock_getsockopt(tern_broker_socks(p->broker), tern_broker_now(p->broker),
				   p->sock, TERN_ABI_SOL_SOCKET, TERN_ABI_SO_ERROR, &value, &len);
	return value;
}

static bool has_data(struct tern_pair *p)
{
	int bytes = 0;

	return tern_sock_inq(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock,
			     &bytes) == 0 &&
	       bytes > 0;
}

/* Who waits in connect() is told by his send(); the socket knows that it was told. */
static void tell_end(struct tern_pair *p)
{
	sa_family_t any = p->domain;

	if (p->handshakes)
		(void)tern_sock_connect(tern_broker_socks(p->broker), tern_broker_now(p->broker),
					p->sock, &any, sizeof(any));
}

static void establish(struct tern_pair *p, int error)
{
	struct tern_broker *b = p->broker;

	tell_end(p);
	tern_pair_set_narrow(p, !p->handshakes);
	(void)recv(p->fd, b->scratch, b->fill - 1, MSG_DONTWAIT);
	p->error = error;
	tern_stream_begin(p);
}

void tern_connect_defer(struct tern_pair *p)
{
	struct tern_broker *b = p->broker;

	(void)recv(p->fd, b->scratch, b->fill - 1, MSG_DONTWAIT);
	tern_stream_begin(p);
}

void tern_connect_run(struct tern_pair *p)
{
	uint32_t bits;
	int err = 0;

	if ((p->bits & TERN_PB_HANGUP) && tern_pair_is_closed(p)) {
		tern_pair_close(p);
		return;
	}
	p->bits &= (uint8_t) ~(TERN_PB_HANGUP | TERN_PB_CHANGED | TERN_PB_PAIR_IN);
	bits = tern_sock_poll(tern_broker_socks(p->broker), tern_broker_now(p->broker), p->sock);
	if (!(bits & (TERN_SOCK_OUT | TERN_SOCK_ERR | TERN_SOCK_HUP)))
		return;
	if (bits & (TERN_SOCK_ERR | TERN_SOCK_HUP))
		err = tern_connect_error(p);
	/* Established, served and reset before we looked: the data comes first. */
	if (err == 0 || has_data(p))
		establish(p, err);
	else
		tern_pair_die(p, err);
}
