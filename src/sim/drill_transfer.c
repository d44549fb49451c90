/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill_transfer.c: how many bytes a call moves: the arguments of read() and write() and of all
 * their kin.
 */
#include "sim/drill_internal.h"

/* The bytes of [{..., 100}, {..., 20}]. */
static bool read_vector(struct drill *d, const struct tern_expr *e, struct drill_transfer *t)
{
	int64_t n;

	if (!e || e->kind != TERN_EXPR_LIST) {
		tern_drill_broken(d, e ? e->place : d->event->place,
				  "[{..., LENGTH}] expected here");
		return false;
	}
	for (e = e->first; e; e = e->next) {
		const struct tern_expr *base = e->kind == TERN_EXPR_STRUCT ? e->first : NULL;

		if (!base || !base->next || !tern_drill_number(d, base->next, &n) || n < 0) {
			tern_drill_broken(d, e->place, "{..., LENGTH} expected here");
			return false;
		}
		t->fault = t->fault || (base->kind == TERN_EXPR_NUMBER && n > 0);
		t->len += (uint64_t)n;
	}
	return true;
}

static bool read_buffer(struct drill *d, const struct drill_call *c, struct drill_transfer *t)
{
	const struct tern_expr *buffer = tern_drill_arg(c, 1);
	int64_t n;

	if (!tern_drill_number(d, tern_drill_arg(c, 2), &n))
		return false;
	if (n < 0) {
		tern_drill_broken(d, tern_drill_arg(c, 2)->place, "a length is not negative");
		return false;
	}
	t->len = (uint64_t)n;
	t->fault = buffer->kind == TERN_EXPR_NUMBER && n > 0;
	return true;
}

bool tern_drill_transfer(struct drill *d, const struct drill_call *c, struct drill_transfer *t)
{
	int64_t flags = 0;
	bool good = true;

	*t = (struct drill_transfer){ 0 };
	switch (c->call->name) {
	case TERN_CALL_READV:
	case TERN_CALL_WRITEV:
		return read_vector(d, tern_drill_arg(c, 1), t);
	case TERN_CALL_SENDMSG:
	case TERN_CALL_RECVMSG:
		t->message = tern_drill_arg(c, 1);
		if (t->message->kind != TERN_EXPR_STRUCT) {
			tern_drill_broken(d, t->message->place,
					  "{msg_iov(1)=[...], ...} expected here");
			return false;
		}
		t->address = tern_drill_member(t->message, "msg_name");
		good = tern_drill_number(d, tern_drill_arg(c, 2), &flags) &&
		       read_vector(d, tern_drill_member(t->message, "msg_iov"), t);
		break;
	case TERN_CALL_SENDTO:
	case TERN_CALL_RECVFROM:
		t->address = tern_drill_arg(c, 4);
		/* fall through */
	case TERN_CALL_SEND:
	case TERN_CALL_RECV:
		good = read_buffer(d, c, t) && tern_drill_number(d, tern_drill_arg(c, 3), &flags);
		break;
	default:
		return read_buffer(d, c, t);
	}
	t->flags = (int)flags;
	return good;
}
