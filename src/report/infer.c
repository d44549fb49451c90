/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/infer.c: RFC 9293 figure 5, run for the other end.
 *
 * What the peer sends tells where it is: a SYN, a FIN and a RST each are a move. What we send moves
 * it only if it arrives, and whether it did is seen in what follows in the trace: a segment that
 * takes sequence space has arrived if it is acknowledged before we send it again; an acknowledgment
 * has arrived unless the peer repeats what it acknowledges. Only segments that would move the state
 * are looked into, so a long transfer costs nothing.
 *
 * Where both ends close at once the order of events at the peer differs from ours: its FIN tells by
 * what it acknowledges whether it had seen ours.
 *
 * Of segments that we dropped a RST is not believed: that is what forged ones look like.
 */
#include "report/infer.h"

#include "report/flows.h"
#include "wire/segment.h"

static bool is_ours(const struct tern_infer *infer, const struct tern_trace_record *record)
{
	return record->kind != TERN_TRACE_STATE &&
	       tern_flows_match(record, &infer->local, &infer->remote);
}

static uint32_t space(const struct tern_trace_record *record)
{
	return record->length + ((record->flags & TERN_SYN) != 0) +
	       ((record->flags & TERN_FIN) != 0);
}

static tern_seq end_of(const struct tern_trace_record *record)
{
	return record->seq + space(record);
}

/* Did what takes sequence space arrive? Acknowledged before it was sent again. */
static bool was_acked(const struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *sent = &infer->records[i];

	for (size_t j = i + 1; j < infer->count; j++) {
		const struct tern_trace_record *record = &infer->records[j];

		if (!is_ours(infer, record))
			continue;
		if (record->kind == TERN_TRACE_SEGMENT_OUT) {
			if (record->seq == sent->seq && space(record))
				return false;
		} else if ((record->flags & TERN_ACK) && tern_seq_ge(record->ack, end_of(sent))) {
			return true;
		}
	}
	return false;
}

/* Did an acknowledgment arrive? The peer does not repeat its SYN or FIN. */
static bool was_heard(const struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *sent = &infer->records[i];

	for (size_t j = i + 1; j < infer->count; j++) {
		const struct tern_trace_record *record = &infer->records[j];

		if (!is_ours(infer, record) || record->kind == TERN_TRACE_SEGMENT_OUT)
			continue;
		if ((record->flags & (TERN_SYN | TERN_FIN)) &&
		    tern_seq_le(end_of(record), sent->ack))
			return false;
	}
	return true;
}

/*
 * Do the FINs cross (RFC 9293 figure 13)? The peer's does not acknowledge ours: it left before ours
 * came, and the peer is in FIN-WAIT-1 then, not in CLOSE-WAIT.
 */
static bool crosses(const struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *sent = &infer->records[i];

	for (size_t j = i + 1; j < infer->count && !infer->fin_sent; j++) {
		const struct tern_trace_record *record = &infer->records[j];

		if (!is_ours(infer, record) || record->kind == TERN_TRACE_SEGMENT_OUT)
			continue;
		if (tern_seq_ge(record->ack, end_of(sent)))
			return false;
		if (record->flags & TERN_FIN)
			return true;
	}
	return false;
}

static bool arrived(const struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *sent = &infer->records[i];

	if (sent->flags & TERN_RST)
		return true;
	return space(sent) ? was_acked(infer, i) : was_heard(infer, i);
}

/* The first segment of the peer behind record i, or NULL. */
static const struct tern_trace_record *answer(const struct tern_infer *infer, size_t i)
{
	for (size_t j = i + 1; j < infer->count; j++) {
		if (is_ours(infer, &infer->records[j]) &&
		    infer->records[j].kind == TERN_TRACE_SEGMENT_IN)
			return &infer->records[j];
	}
	return NULL;
}

/* What the peer's answer to our SYN tells about where it was before. */
static uint8_t before_our_syn(const struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *record = answer(infer, i);

	if (!record)
		return 0;
	if (record->flags & TERN_RST)
		return TERN_CLOSED;
	if (!(record->flags & TERN_SYN))
		return 0;
	return record->flags & TERN_ACK ? TERN_LISTEN : TERN_SYN_SENT;
}

static uint8_t after_fin(uint8_t state)
{
	switch (state) {
	case TERN_SYN_RECEIVED:
	case TERN_ESTABLISHED:
		return TERN_CLOSE_WAIT;
	case TERN_FIN_WAIT_1:
		return TERN_CLOSING;
	case TERN_FIN_WAIT_2:
		return TERN_TIME_WAIT;
	default:
		return state;
	}
}

/*
 * The peer sends a SYN. One that answers none is our equal (RFC 9293 figure 8) if we sent one too:
 * ours arrives at the peer soon. A SYN-ACK that is repeated moves nothing.
 */
static uint8_t sends_syn(struct tern_infer *infer, const struct tern_trace_record *record)
{
	bool repeated = infer->syn_sent && infer->syn_end == record->seq + 1;
	bool ours = infer->syn_ours;

	infer->syn_sent = true;
	infer->syn_end = record->seq + 1;
	infer->fin_sent = infer->fin_crosses = infer->syn_ours = false;
	if (repeated && infer->state == TERN_ESTABLISHED)
		return TERN_ESTABLISHED;
	if ((record->flags & TERN_ACK) || ours)
		return TERN_SYN_RECEIVED;
	return repeated && infer->state == TERN_SYN_RECEIVED ? TERN_SYN_RECEIVED : TERN_SYN_SENT;
}

static uint8_t sends_fin(struct tern_infer *infer, const struct tern_trace_record *record)
{
	uint8_t state = infer->state == TERN_CLOSE_WAIT ? TERN_LAST_ACK : TERN_FIN_WAIT_1;

	if (infer->fin_crosses)
		state = after_fin(state);
	infer->fin_crosses = false;
	infer->fin_sent = true;
	infer->fin_end = end_of(record);
	return state;
}

/* The peer sends a segment. */
static void peer_sends(struct tern_infer *infer, const struct tern_trace_record *record)
{
	if (record->flags & TERN_RST) {
		infer->state = record->reason ? infer->state : TERN_CLOSED;
		return;
	}
	if (record->flags & TERN_SYN)
		infer->state = sends_syn(infer, record);
	else if (!infer->state)
		infer->state = TERN_ESTABLISHED;
	if ((record->flags & TERN_FIN) && !infer->fin_sent)
		infer->state = sends_fin(infer, record);
}

/* The state after a SYN of ours arrives in `state`. */
static uint8_t after_syn(uint8_t state, bool ack)
{
	switch (state) {
	case TERN_SYN_SENT:
		return ack ? TERN_ESTABLISHED : TERN_SYN_RECEIVED;
	case TERN_SYN_RECEIVED:
		return ack ? TERN_ESTABLISHED : state;
	case 0:
	case TERN_LISTEN:
		return ack ? state : TERN_SYN_RECEIVED;
	default:
		return state;
	}
}

static uint8_t after_ack(const struct tern_infer *infer, uint8_t state, tern_seq ack)
{
	bool fin = infer->fin_sent && tern_seq_ge(ack, infer->fin_end);

	if (state == TERN_SYN_RECEIVED && infer->syn_sent && tern_seq_ge(ack, infer->syn_end))
		return TERN_ESTABLISHED;
	if (!fin)
		return state;
	if (state == TERN_FIN_WAIT_1)
		return TERN_FIN_WAIT_2;
	if (state == TERN_CLOSING)
		return TERN_TIME_WAIT;
	return state == TERN_LAST_ACK ? TERN_CLOSED : state;
}

/* The state if the peer receives a segment of ours. */
static uint8_t if_received(const struct tern_infer *infer, const struct tern_trace_record *record)
{
	uint8_t state = infer->state;

	if (record->flags & TERN_RST)
		return state == TERN_LISTEN || state == TERN_TIME_WAIT ? state : TERN_CLOSED;
	if (record->flags & TERN_SYN)
		return after_syn(state, record->flags & TERN_ACK);
	if (record->flags & TERN_ACK)
		state = after_ack(infer, state, record->ack);
	if (record->flags & TERN_FIN)
		state = after_fin(state);
	return state;
}

uint8_t tern_infer_begin(struct tern_infer *infer, const struct tern_trace_record *records,
			 size_t n, const struct tern_endpoint *local,
			 const struct tern_endpoint *remote)
{
	size_t i = 0;

	*infer = (struct tern_infer){ .records = records,
				      .count = n,
				      .local = *local,
				      .remote = *remote };
	while (i < n && !is_ours(infer, &records[i]))
		i++;
	if (i == n)
		return 0;
	if (records[i].kind == TERN_TRACE_SEGMENT_IN)
		peer_sends(infer, &records[i]);
	else if ((records[i].flags & (TERN_SYN | TERN_ACK)) == TERN_SYN)
		infer->state = before_our_syn(infer, i);
	else if (records[i].flags & TERN_SYN)
		infer->state = TERN_SYN_SENT;
	else
		infer->state = TERN_ESTABLISHED;
	return infer->state;
}

uint8_t tern_infer_step(struct tern_infer *infer, size_t i)
{
	const struct tern_trace_record *record = &infer->records[i];
	uint8_t state;

	if (record->kind == TERN_TRACE_SEGMENT_IN) {
		peer_sends(infer, record);
		return infer->state;
	}
	infer->syn_ours = infer->syn_ours || (record->flags & (TERN_SYN | TERN_ACK)) == TERN_SYN;
	state = if_received(infer, record);
	if (state == infer->state || !arrived(infer, i))
		return infer->state;
	infer->fin_crosses = (record->flags & TERN_FIN) && crosses(infer, i);
	if (!infer->fin_crosses)
		infer->state = state;
	return infer->state;
}
