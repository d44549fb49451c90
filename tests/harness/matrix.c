/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/matrix.c: a case of the matrix, played.
 */
#include "harness/matrix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define IN_FLIGHT                                                                      \
	(TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED) | TERN_STATES(FIN_WAIT_1) | \
	 TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK))
#define OPENING    (TERN_STATES(SYN_SENT) | TERN_STATES(SYN_RECEIVED))
#define NO_NUMBERS (TERN_STATES(CLOSED) | TERN_STATES(LISTEN) | TERN_STATES(SYN_SENT))

/* Where the ends stand before the segment. */
struct stand {
	uint32_t left, wnd;
	uint32_t una, nxt;
};

uint16_t matrix_wire_flags(unsigned int flags)
{
	static const uint16_t wire[M_FLAGS] = {
		[M_SYN] = TERN_SYN,
		[M_SYN_ACK] = TERN_SYN | TERN_ACK,
		[M_SYN_FIN] = TERN_SYN | TERN_FIN,
		[M_ACK] = TERN_ACK,
		[M_FIN] = TERN_FIN,
		[M_FIN_ACK] = TERN_FIN | TERN_ACK,
		[M_RST] = TERN_RST,
		[M_RST_ACK] = TERN_RST | TERN_ACK,
		[M_NULL] = 0,
		[M_XMAS] = TERN_FIN | TERN_PSH | TERN_URG,
	};

	return wire[flags];
}

/* The window as it was last shown, or as the record will show it. */
static uint32_t window(const struct puppet *p)
{
	struct tern_flow flow = { .local = p->us.addr,
				  .remote = p->peer.addr,
				  .lport = p->us.port,
				  .rport = p->peer.port };
	uint32_t hash = tern_tcp_hash(&p->st->tcp, &flow);
	uint32_t idx = tern_conn_find(&p->st->tcp, hash, &flow);

	if (idx) {
		const struct tern_conn *c = tern_conn_at(&p->st->tcp, idx);

		return c->state == TERN_SYN_SENT ? c->rcv.adv : c->rcv.adv - c->rcv.nxt;
	}
	idx = tern_timewait_find(&p->st->tw, hash, &flow);
	if (idx) {
		const struct tern_tw *w = tern_tw_at(&p->st->tw, idx);

		return (uint32_t)w->rcv_wnd << w->wscale;
	}
	return 65535;
}

/* Bytes that nobody reads, until there is no window. */
static void fill_window(struct puppet *p)
{
	uint32_t wnd;

	while ((wnd = window(p))) {
		say(p, .len = IS(TERN_MIN(wnd, 16384u)));
		ignore(p);
		wait_ms(p, 50);
		ignore(p);
	}
}

static struct puppet *enter(const struct matrix_place *place, struct stand *ret)
{
	struct puppet *p = puppet_new(place->kind);

	p->ts = place->stamps;
	if (place->zero_window)
		knob(p, "tcp_rmem", "4096 16384 16384");
	bring_to(p, place->state);
	if (place->zero_window)
		fill_window(p);
	if (place->orphan)
		app_closes(p);
	ignore(p);
	ret->left = p->seq;
	ret->wnd = window(p);
	ret->nxt = p->ack;
	ret->una = tern_state_in(place->state, IN_FLIGHT) ? p->ack - 1 : p->ack;
	return p;
}

/* ---- in ---- */

static uint32_t seq_of(unsigned int seq, const struct stand *at)
{
	switch (seq) {
	case M_BEFORE:
		return at->left - 1;
	case M_LEFT:
		return at->left;
	case M_MIDDLE:
		return at->left + at->wnd / 2;
	case M_RIGHT:
		return at->left + at->wnd - 1;
	default:
		return at->left + at->wnd;
	}
}

static uint32_t ack_of(unsigned int ack, const struct stand *at)
{
	switch (ack) {
	case M_ANCIENT:
		return at->una - 200000;
	case M_OLD:
		return at->una - 1;
	case M_UNA:
		return at->una;
	case M_EXACT:
		return at->nxt;
	default:
		return at->nxt + 1;
	}
}

/* TS.Recent is what the puppet's clock showed when it last spoke: now, since no time has passed. */
static void stamp(const struct puppet *p, unsigned int what, struct shape *s)
{
	static const int32_t ages[] = { [M_OLDER] = -1, [M_NEWER] = 1, [M_UNSENT] = 1 };
	uint32_t clock = (uint32_t)(p->now / NS_PER_MS) + p->ts_base;

	s->ts = (struct is){ true, what != M_ABSENT };
	if (what == M_ABSENT)
		return;
	s->tsval = (struct is){ true, clock + (uint32_t)ages[what] };
	if (what == M_UNSENT)
		s->tsecr = (struct is){ true, p->tsecr + 100000 };
}

static struct shape shape_of(const struct puppet *p, const struct matrix_place *place,
			     const struct matrix_case *c, const struct stand *at)
{
	uint16_t flags = matrix_wire_flags(c->flags);
	struct shape s = { .flags = IS(flags),
			   .seq = IS(place->stamps ? at->left : seq_of(c->seq, at)),
			   .len = IS(c->data == M_TEN ? 10 : 0) };

	if (flags & TERN_ACK)
		s.ack = (struct is){ true, ack_of(place->stamps ? M_EXACT : c->ack, at) };
	if (c->flags == M_XMAS)
		s.urgent = (struct is){ true, 1 };
	if (place->stamps)
		stamp(p, c->seq, &s);
	return s;
}

/* ---- out ---- */

static const char *flag_names(uint16_t flags)
{
	switch (flags & (TERN_SYN | TERN_FIN | TERN_RST | TERN_ACK)) {
	case TERN_ACK:
		return "ACK";
	case TERN_RST:
		return "RST";
	case TERN_RST | TERN_ACK:
		return "RST-ACK";
	case TERN_SYN:
		return "SYN";
	case TERN_SYN | TERN_ACK:
		return "SYN-ACK";
	case TERN_FIN | TERN_ACK:
		return "FIN-ACK";
	default:
		fail_msg("nothing we would send: 0x%x", flags);
		return "";
	}
}

static const char *name_seq(uint32_t v, const struct tern_segment *reply, const struct shape *s,
			    const struct stand *at)
{
	if ((reply->flags & TERN_RST) && !(reply->flags & TERN_ACK) && v == s->ack.value)
		return " seg.ack";
	if (reply->flags & TERN_SYN)
		return v == at->una ? "" : " new";
	if (!v)
		return " 0";
	return v == at->nxt ? "" : " ?";
}

static const char *name_ack(uint32_t v, const struct tern_segment *reply, const struct shape *s,
			    const struct stand *at, bool numbers)
{
	uint32_t flags = s->flags.value;
	uint32_t end = s->seq.value + s->len.value + !!(flags & TERN_SYN) + !!(flags & TERN_FIN);

	if (!(reply->flags & TERN_ACK))
		return "";
	if (numbers && v == at->left)
		return "";
	if (v == end)
		return " seg.end";
	if (v == s->seq.value + 1)
		return " seg.seq+1";
	return " ?";
}

/* Everything that has left, in a few words. */
static void take_replies(struct puppet *p, const struct matrix_place *place, const struct shape *s,
			 const struct stand *at, struct matrix_outcome *ret)
{
	bool numbers = !tern_state_in(place->state, NO_NUMBERS);
	size_t used = 0;

	snprintf(ret->reply, sizeof(ret->reply), "-");
	while (hear(p)) {
		const struct tern_segment *seg = &p->got.seg;

		used += (size_t)snprintf(ret->reply + used, sizeof(ret->reply) - used, "%s%s%s%s%s",
					 used ? ", " : "", flag_names(seg->flags),
					 name_seq(seg->seq, seg, s, at),
					 name_ack(seg->ack, seg, s, at, numbers),
					 seg->opt.present & TERN_OPT_SACK ? " sack" : "");
		assert_true(used < sizeof(ret->reply));
	}
}

static const char *error_name(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "ECONNREFUSED";
	case ECONNRESET:
		return "ECONNRESET";
	case EPIPE:
		return "EPIPE";
	default:
		fail_msg("errno %d was not expected", error);
		return "";
	}
}

static void add_word(struct matrix_outcome *ret, const char *word)
{
	size_t used = strlen(ret->app);

	snprintf(ret->app + used, sizeof(ret->app) - used, "%s%s", used ? " " : "", word);
}

/* What the application learns: an accepted connection, bytes, the end, an error. */
static void ask_application(struct puppet *p, const struct matrix_place *place,
			    struct matrix_outcome *ret)
{
	bool ended =
		tern_state_in(place->state, TERN_STATES(CLOSE_WAIT) | TERN_STATES(LAST_ACK) |
						    TERN_STATES(CLOSING) | TERN_STATES(TIME_WAIT));
	tern_id child;
	int error;

	ret->app[0] = 0;
	if (!p->id && p->listener && !place->orphan &&
	    tern_stack_accept(p->st, p->now, p->listener, &child) == 0) {
		p->id = child;
		add_word(ret, "accept");
	}
	if (p->id) {
		int64_t got;
		bool bytes = false;

		if (tern_state_in(place->state, OPENING) && is_active(place->kind) &&
		    tern_state_in(ret->next, TERN_STATES_SYNCHRONIZED))
			add_word(ret, "connected");
		error = so_error(p);
		if (error)
			add_word(ret, error_name(error));
		while ((got = app_recv(p)) > 0)
			bytes = true;
		if (bytes && !place->zero_window)
			add_word(ret, "data");
		if (got == 0 && !ended && !error && ret->next != TERN_CLOSED)
			add_word(ret, "end");
	}
	if (!ret->app[0])
		snprintf(ret->app, sizeof(ret->app), "-");
}

void matrix_run(const struct matrix_place *place, const struct matrix_case *c,
		struct matrix_outcome *ret)
{
	struct stand at;
	struct puppet *p = enter(place, &at);
	struct shape s = shape_of(p, place, c, &at);

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(state_of(p), place->state);
	if (place->state == TERN_SYN_SENT && place->stamps && c->seq == M_ABSENT)
		p->stamped = false;
	puppet_say(p, &s);
	ret->reason = (uint16_t)p->reason;
	take_replies(p, place, &s, &at, ret);
	ret->next = (uint8_t)state_of(p);
	if (ret->next == TERN_LISTEN && place->state != TERN_LISTEN &&
	    place->state != TERN_SYN_RECEIVED)
		ret->next = TERN_CLOSED; /* somebody listens, but this connection is gone */
	ask_application(p, place, ret);
	tern_stack_free(p->st);
	free(p);
}
