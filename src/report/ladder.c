/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/ladder.c: walks a trace and decides which line each record gets.
 *
 * Every record of the connection has a rank: KEY (SYN, FIN, RST, a change of state, and the first
 * segment behind one of these, which completes it), EVENT (a drop or a retransmission), PLAIN (any
 * other), HIDDEN (a change of state that the segment before or behind it shows anyway). A first
 * walk counts. If everything fits it is drawn; else stretches of PLAIN are summed up to one line,
 * and EVENTs too once a quarter of the lines is used for them.
 *
 * The peer's states come from its own records where we have them: each segment is looked up there
 * by its numbers, which also tells what the peer dropped and what never arrived. Otherwise infer.c
 * works them out.
 */
#include "report/ladder.h"

#include <string.h>

#include "base/compiler.h"
#include "base/seq.h"
#include "report/arrow.h"
#include "report/flows.h"
#include "report/infer.h"
#include "report/sink.h"
#include "wire/segment.h"

#define LINES         40
#define PEER_AHEAD    16384   /* records of the peer that a segment is looked for in */
#define SHOWN_NEXT_NS 1000000 /* a change shows in a segment that leaves so soon after it */
#define SHORT_RUN     2       /* plain segments in a row that are drawn one by one */

enum rank {
	HIDDEN,
	PLAIN,
	EVENT,
	KEY,
};

/* Sequence numbers of one direction. */
struct way {
	bool known;
	tern_seq isn, sent; /* relative base; end of what was sent so far */
};

struct ladder {
	struct tern_sink *out;
	const struct tern_ladder_options *options;
	const struct tern_trace_record *records;
	size_t n;
	struct way in, out_way;
	bool behind_key;          /* the next plain segment completes it */
	size_t peer_in, peer_out; /* places in the peer's trace */
	struct tern_infer infer;
	uint8_t peer_state;
	uint64_t start_ns;
	size_t events; /* drawn so far */
	struct tern_arrow_run run;
	struct tern_arrow held[SHORT_RUN];
};

static bool is_ours(const struct ladder *ladder, size_t i)
{
	return tern_flows_match(&ladder->records[i], &ladder->options->local,
				&ladder->options->remote);
}

static uint32_t space(const struct tern_trace_record *record)
{
	return record->length + ((record->flags & TERN_SYN) != 0) +
	       ((record->flags & TERN_FIN) != 0);
}

/* Follows the sequence numbers of a direction; true if the segment was sent before. */
static bool advance(struct way *way, const struct tern_trace_record *record)
{
	tern_seq end = record->seq + space(record);
	bool syn = record->flags & TERN_SYN;

	if (!way->known || (syn && record->seq != way->isn)) {
		way->known = true;
		way->isn = syn ? record->seq : record->seq - 1;
		way->sent = end;
		return false;
	}
	if (space(record) && tern_seq_le(end, way->sent))
		return true;
	way->sent = tern_seq_max(way->sent, end);
	return false;
}

/* Does the segment that it follows from tell this change of state already? */
static bool is_shown_before(const struct ladder *ladder, size_t i)
{
	uint64_t time_ns = ladder->records[i].time_ns;
	uint32_t reached = 0; /* states that changes between the segment and this one led to */

	while (i-- > 0 && ladder->records[i].time_ns == time_ns) {
		const struct tern_trace_record *before = &ladder->records[i];

		if (!is_ours(ladder, i))
			continue;
		if (before->kind != TERN_TRACE_STATE)
			return before->kind == TERN_TRACE_SEGMENT_IN &&
			       before->before != before->after && !(reached & 1u << before->after);
		reached |= 1u << before->after;
	}
	return false;
}

/* Does the next segment show this change of state as well? */
static bool is_shown_next(const struct ladder *ladder, size_t i)
{
	const struct tern_trace_record *change = &ladder->records[i];

	for (size_t j = i + 1; j < ladder->n; j++) {
		const struct tern_trace_record *next = &ladder->records[j];

		if (next->time_ns - change->time_ns > SHOWN_NEXT_NS)
			return false;
		if (is_ours(ladder, j))
			return next->kind != TERN_TRACE_STATE && next->before == change->after;
	}
	return false;
}

/* The rank of record i, which is ours; walks on. */
static enum rank rank(struct ladder *ladder, size_t i, bool *ret_again)
{
	const struct tern_trace_record *record = &ladder->records[i];
	bool out = record->kind == TERN_TRACE_SEGMENT_OUT;
	bool completes = ladder->behind_key;

	*ret_again = false;
	if (record->kind == TERN_TRACE_STATE)
		return is_shown_before(ladder, i) || is_shown_next(ladder, i) ? HIDDEN : KEY;
	*ret_again = advance(out ? &ladder->out_way : &ladder->in, record);
	ladder->behind_key = false;
	if ((record->flags & (TERN_SYN | TERN_FIN | TERN_RST)) || record->before != record->after) {
		ladder->behind_key = true;
		return KEY;
	}
	if (record->reason || *ret_again)
		return EVENT;
	return completes ? KEY : PLAIN;
}

/* The same segment, as both ends recorded it? */
static bool same_segment(const struct tern_trace_record *a, const struct tern_trace_record *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->length == b->length &&
	       a->flags == b->flags;
}

/* Finds the peer's record of a segment, from *at on; *at becomes its place. NULL if it has none. */
static const struct tern_trace_record *find_peer(const struct ladder *ladder,
						 const struct tern_trace_record *record, size_t *at)
{
	const struct tern_ladder_options *options = ladder->options;
	uint8_t kind = record->kind == TERN_TRACE_SEGMENT_IN ? TERN_TRACE_SEGMENT_OUT
							     : TERN_TRACE_SEGMENT_IN;

	size_t end = TERN_MIN(options->peer_count, *at + PEER_AHEAD);

	for (size_t i = *at; i < end; i++) {
		const struct tern_trace_record *peer = &options->peer[i];

		if (peer->kind == kind && same_segment(peer, record) &&
		    tern_flows_match(peer, &options->remote, &options->local)) {
			*at = i;
			return peer;
		}
	}
	return NULL;
}

/* Was the same segment sent once more before the peer received it? Then the first copy was lost. */
static bool sent_again_before(const struct ladder *ladder, const struct tern_trace_record *record,
			      uint64_t time_ns)
{
	const struct tern_trace_record *end = ladder->records + ladder->n;

	for (const struct tern_trace_record *p = record + 1; p < end && p->time_ns <= time_ns;
	     p++) {
		if (p->kind == record->kind && same_segment(p, record) &&
		    tern_flows_match(p, &record->local, &record->remote))
			return true;
	}
	return false;
}

/* What the peer's own trace tells about a segment. */
static void ask_peer(struct ladder *ladder, struct tern_arrow *arrow)
{
	const struct tern_ladder_options *options = ladder->options;
	bool in = arrow->record->kind == TERN_TRACE_SEGMENT_IN;
	size_t *at = in ? &ladder->peer_out : &ladder->peer_in;
	const struct tern_trace_record *peer = find_peer(ladder, arrow->record, at);
	uint64_t end_ns = options->peer_count ? options->peer[options->peer_count - 1].time_ns : 0;

	if (!in && peer && sent_again_before(ladder, arrow->record, peer->time_ns)) {
		arrow->lost = true;
		return;
	}
	if (!peer) {
		arrow->lost = !in && end_ns > arrow->record->time_ns;
		return;
	}
	++*at;
	if (peer->after)
		ladder->peer_state = peer->after;
	if (!in)
		arrow->peer_reason = peer->reason;
}

static struct tern_arrow make_arrow(struct ladder *ladder, size_t i, bool again)
{
	const struct tern_trace_record *record = &ladder->records[i];
	bool out = record->kind == TERN_TRACE_SEGMENT_OUT;
	const struct way *sender = out ? &ladder->out_way : &ladder->in;
	struct way *other = out ? &ladder->in : &ladder->out_way;
	struct tern_arrow arrow = {
		.record = record,
		.time_ns = record->time_ns - ladder->start_ns,
		.again = again,
	};

	if (record->kind != TERN_TRACE_STATE) {
		if (!other->known && (record->flags & TERN_ACK))
			*other = (struct way){ true, record->ack - 1, record->ack };
		arrow.seq = record->seq - sender->isn;
		arrow.ack = record->ack - other->isn;
		if (ladder->options->peer)
			ask_peer(ladder, &arrow);
		else
			ladder->peer_state = tern_infer_step(&ladder->infer, i);
	}
	arrow.peer_state = ladder->peer_state;
	return arrow;
}

/* Draws what was held back: one by one if it is short, in one line if it is not. */
static void flush(struct ladder *ladder)
{
	struct tern_arrow_run *run = &ladder->run;

	if (run->count > SHORT_RUN)
		tern_arrow_draw_run(ladder->out, run, ladder->options->ascii);
	else
		for (size_t i = 0; i < run->count; i++)
			tern_arrow_draw(ladder->out, &ladder->held[i], ladder->options->ascii);
	memset(run, 0, sizeof(*run));
}

static void hold(struct ladder *ladder, const struct tern_arrow *arrow)
{
	struct tern_arrow_run *run = &ladder->run;
	const struct tern_trace_record *record = arrow->record;

	if (run->count < SHORT_RUN)
		ladder->held[run->count] = *arrow;
	if (!run->count)
		run->first_ns = arrow->time_ns;
	run->count++;
	run->again += arrow->again;
	run->drops += record->reason || arrow->peer_reason || arrow->lost;
	if (record->kind == TERN_TRACE_SEGMENT_IN)
		run->bytes_in += record->length;
	else
		run->bytes_out += record->length;
	run->state = record->after;
	run->peer_state = arrow->peer_state;
}

/* Counts the records that would be drawn; what the walk changes is set back. */
static size_t count(struct ladder *ladder)
{
	size_t found = 0;
	bool again;

	for (size_t i = 0; i < ladder->n; i++) {
		if (is_ours(ladder, i))
			found += rank(ladder, i, &again) != HIDDEN;
	}
	ladder->in = ladder->out_way = (struct way){ .known = false };
	ladder->behind_key = false;
	return found;
}

/* The state the peer was in before the first segment, out of its own trace. */
static uint8_t first_peer_state(const struct tern_ladder_options *options)
{
	for (size_t i = 0; i < options->peer_count; i++) {
		const struct tern_trace_record *peer = &options->peer[i];

		if (tern_flows_match(peer, &options->remote, &options->local))
			return peer->kind == TERN_TRACE_STATE ? peer->after : peer->before;
	}
	return 0;
}

static void draw_head(struct ladder *ladder)
{
	const struct tern_ladder_options *options = ladder->options;
	size_t i = 0;

	ladder->peer_state = tern_infer_begin(&ladder->infer, ladder->records, ladder->n,
					      &options->local, &options->remote);
	if (options->peer)
		ladder->peer_state = first_peer_state(options);
	while (!is_ours(ladder, i))
		i++;
	ladder->start_ns = ladder->records[i].time_ns;
	tern_arrow_draw_head(ladder->out, &options->local, &options->remote, !options->peer);
	tern_arrow_draw_states(ladder->out, ladder->records[i].before, ladder->peer_state);
}

size_t tern_ladder_text(struct tern_sink *out, const struct tern_ladder_options *options,
			const struct tern_trace_record *records, size_t n)
{
	struct ladder ladder = { .out = out, .options = options, .records = records, .n = n };
	size_t lines = options->lines ? options->lines : LINES;
	size_t found = count(&ladder);
	bool all = found <= lines, again;

	if (!found)
		return 0;
	draw_head(&ladder);
	for (size_t i = 0; i < n; i++) {
		struct tern_arrow arrow;
		enum rank is;

		if (!is_ours(&ladder, i))
			continue;
		is = rank(&ladder, i, &again);
		if (is == HIDDEN)
			continue;
		arrow = make_arrow(&ladder, i, again);
		if (is == EVENT && !all && ladder.events++ >= lines / 4)
			is = PLAIN;
		if (is == PLAIN && !all) {
			hold(&ladder, &arrow);
			continue;
		}
		flush(&ladder);
		tern_arrow_draw(out, &arrow, options->ascii);
	}
	flush(&ladder);
	return found;
}
