/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * What SO_SNDBUF means is what it means on Linux, where programs measure it. A stream is queued
 * there in chunks, of whole segments and half the largest window, 64 KiB at most; each is charged
 * for its bytes and what managing it costs. A chunk may be begun while less is charged than the
 * send buffer is large, and is then filled: so a write goes beyond the buffer by less than a chunk.
 * What leaves of a chunk while it is written makes room in it that is filled, too. A writer that
 * waits is woken when a third of the buffer is free.
 *
 * Nothing is queued in chunks here: they are counted out of what is in flight (bursts) and what is
 * not. TCP_NOTSENT_LOWAT ends the queue earlier: with that much waiting to leave there is no room.
 */
#include "tcp/sndbuf.h"

#include "base/compiler.h"
#include "tcp/allow.h"

enum {
	CHUNK_MAX = 65536 - 321, /* Linux' sk_gso_max_size, less headers */
	CHUNK_COST = 1280,       /* of its sk_buff with room for headers */
	MSS_UNKNOWN = 536,
};

static uint32_t chunk_of(const struct tern_conn *c)
{
	uint32_t mss = c->cc.mss ? c->cc.mss : MSS_UNKNOWN, most = CHUNK_MAX;

	if (c->snd.max_wnd)
		most = TERN_MIN(most,
				c->snd.max_wnd > MSS_UNKNOWN ? c->snd.max_wnd / 2 : c->snd.max_wnd);
	return most > mss ? most - most % mss : mss;
}

/* Bytes that wait to leave; in SYN-SENT and SYN-RECEIVED the SYN stands before them. */
static uint32_t unsent_of(const struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t flight = c->snd.nxt - c->snd.una;

	return x->send.bytes > flight ? x->send.bytes - flight : 0;
}

static uint32_t charged_of(const struct tern_conn *c, const struct tern_traffic *x)
{
	uint32_t chunk = chunk_of(c);

	return x->send.bytes +
	       CHUNK_COST * (x->flight.bursts + (unsent_of(c, x) + chunk - 1) / chunk);
}

/* Bytes that could leave at once, behind those that wait. */
static uint32_t passing(const struct tern_tcp *t, const struct tern_conn *c,
			const struct tern_traffic *x)
{
	uint32_t flight = c->snd.nxt - c->snd.una, unsent = unsent_of(c, x), mss = c->cc.mss;
	uint32_t room;

	if (!mss || c->snd.wnd <= flight)
		return 0;
	room = TERN_MIN((c->snd.wnd - flight) / mss, tern_allowed_segments(t, c, x)) * mss;
	return room > unsent ? room - unsent : 0;
}

uint32_t tern_sndbuf_room(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	uint32_t chunk = chunk_of(c), charged = charged_of(c, x);
	uint32_t low = tern_conn_lowat(c, t->knobs->tcp_notsent_lowat);
	uint32_t left, chunks, pass, more;

	if (charged >= c->snd_buf || unsent_of(c, x) >= low)
		return 0;
	left = c->snd_buf - charged;
	chunks = (left - 1) / (chunk + CHUNK_COST) + 1;
	pass = passing(t, c, x);
	if (pass % chunk == 0 || chunks <= pass / chunk)
		return chunks * chunk;
	more = pass % chunk + CHUNK_COST;
	chunks = left > more ? (left - more - 1) / (chunk + CHUNK_COST) + 1 : 1;
	return TERN_MAX(chunks, pass / chunk + 1) * chunk + pass % chunk;
}

bool tern_sndbuf_is_roomy(const struct tern_tcp *t, const struct tern_conn *c,
			  const struct tern_traffic *x)
{
	uint32_t charged = charged_of(c, x);
	uint32_t low = tern_conn_lowat(c, t->knobs->tcp_notsent_lowat);

	return charged + charged / 2 <= c->snd_buf &&
	       (low == UINT32_MAX || unsent_of(c, x) < low / 2);
}
