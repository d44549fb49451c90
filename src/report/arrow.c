/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/arrow.c: lines of a ladder, 100 columns wide.
 *
 * Time, our state, 60 columns of arrow, the peer's state. The label stands in the middle of the
 * shaft: flags always, numbers and options as far as there is room, "…" where something is left
 * out. A segment that was dropped has the reason in place of the arrow's head, at the end
 * where it was dropped. Columns are counted in characters, not bytes.
 */
#include "report/arrow.h"

#include <string.h>

#include "base/compiler.h"
#include "base/text.h"
#include "report/flows.h"
#include "report/sink.h"
#include "report/utf8.h"
#include "wire/segment.h"

#define LABEL_MAX 160
#define SHAFT_MIN 1 /* dashes on either side of the label */

struct glyphs {
	const char *dash, *left, *right, *cross, *more, *dots;
};

static const struct glyphs utf8_glyphs = { "─", "◄", "►", "✗", "…", "⋮" };
static const struct glyphs ascii_glyphs = { "-", "<", ">", "x", "...", ":" };

static const struct glyphs *glyphs_of(bool ascii)
{
	return ascii ? &ascii_glyphs : &utf8_glyphs;
}

/* Appends a string and blanks up to a width in columns. */
static void column(struct tern_sink *out, const char *s, size_t width)
{
	size_t columns = tern_utf8_columns(s);

	tern_sink_str(out, s);
	if (columns < width)
		tern_sink_fill(out, ' ', width - columns);
}

/* Seconds in ten columns: six decimals, fewer if it takes long. */
static void draw_time(struct tern_sink *out, uint64_t ns)
{
	uint64_t value = ns / 1000;
	unsigned int decimals = 6;
	char buf[32];
	struct tern_text text;

	do {
		tern_text_init(&text, buf, sizeof(buf));
		tern_text_fixed(&text, value, decimals--);
		value /= 10;
	} while (text.len > TERN_LADDER_TIME && decimals);
	if (text.len < TERN_LADDER_TIME)
		tern_sink_fill(out, ' ', TERN_LADDER_TIME - text.len);
	tern_sink_text(out, &text);
	tern_sink_str(out, "  ");
}

static const char *state_name(uint8_t state)
{
	return state ? tern_state_name(state) : "?";
}

/* A segment to a port where nothing is has no state on our side: RFC 9293 calls that CLOSED. */
static const char *our_state(const struct tern_trace_record *record)
{
	return tern_state_name(record->after ? record->after : TERN_CLOSED);
}

/* SYN+ACK; of more than three flags only letters. */
static void append_flags(struct tern_text *text, uint16_t flags)
{
	static const struct {
		uint16_t flag;
		const char *name;
		char letter;
	} names[] = {
		{ TERN_SYN, "SYN", 'S' }, { TERN_FIN, "FIN", 'F' }, { TERN_RST, "RST", 'R' },
		{ TERN_PSH, "PSH", 'P' }, { TERN_ACK, "ACK", 'A' }, { TERN_URG, "URG", 'U' },
		{ TERN_ECE, "ECE", 'E' }, { TERN_CWR, "CWR", 'W' }, { TERN_AE, "AE", 'e' },
	};
	size_t count = 0, from = text->len;

	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++)
		count += (flags & names[i].flag) != 0;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(names); i++) {
		if (!(flags & names[i].flag))
			continue;
		if (count > 3) {
			tern_text_char(text, names[i].letter);
			continue;
		}
		if (text->len > from)
			tern_text_char(text, '+');
		tern_text_str(text, names[i].name);
	}
	if (!count)
		tern_text_str(text, "no flags");
}

/* A label in the making: pieces are appended as long as they fit. */
struct label {
	struct tern_text text;
	size_t room;
	bool full; /* a piece did not fit */
};

static void append_piece(struct label *label, const char *name, const uint64_t *value)
{
	char buf[48];
	struct tern_text piece;

	tern_text_init(&piece, buf, sizeof(buf));
	tern_text_char(&piece, ' ');
	tern_text_str(&piece, name);
	if (value)
		tern_text_u64(&piece, *value);
	if (label->full || label->text.len + piece.len > label->room)
		label->full = true;
	else
		tern_text_str(&label->text, buf);
}

static void append_options(struct label *label, const struct tern_trace_record *record)
{
	const uint64_t mss = record->mss, wscale = record->wscale;

	if (record->options & TERN_OPT_MSS)
		append_piece(label, "mss=", &mss);
	if (record->options & TERN_OPT_WSCALE)
		append_piece(label, "ws=", &wscale);
	if (record->options & TERN_OPT_SACKOK)
		append_piece(label, "sackok", NULL);
	if (record->options & TERN_OPT_TS)
		append_piece(label, "ts", NULL);
}

static void append_pieces(struct label *label, const struct tern_arrow *arrow)
{
	const struct tern_trace_record *record = arrow->record;
	const uint64_t seq = arrow->seq, ack = arrow->ack;
	const uint64_t length = record->length, window = record->window;

	append_flags(&label->text, record->flags);
	if (arrow->again)
		append_piece(label, "again", NULL);
	append_piece(label, "seq=", &seq);
	if (record->flags & TERN_ACK)
		append_piece(label, "ack=", &ack);
	if (record->length)
		append_piece(label, "len=", &length);
	if (!(record->flags & TERN_RST))
		append_piece(label, "win=", &window);
	if (record->flags & TERN_SYN)
		append_options(label, record);
}

/* What stands on the shaft, in at most room columns; buf holds it. Returns its columns. */
static size_t make_label(char buf[LABEL_MAX], const struct tern_arrow *arrow, size_t room,
			 const struct glyphs *glyphs)
{
	struct label label = { .room = room };

	tern_text_init(&label.text, buf, LABEL_MAX);
	append_pieces(&label, arrow);
	if (label.full) {
		label.room = room - 1 - tern_utf8_columns(glyphs->more);
		label.full = false;
		tern_text_init(&label.text, buf, LABEL_MAX);
		append_pieces(&label, arrow);
		tern_text_char(&label.text, ' ');
		tern_text_str(&label.text, glyphs->more);
	}
	return tern_utf8_columns(buf);
}

static void dashes(struct tern_sink *out, const struct glyphs *glyphs, size_t n)
{
	while (n--)
		tern_sink_str(out, glyphs->dash);
}

/* What stands at the end where the segment arrives: a head, or why there is none. */
static void make_head(struct tern_text *head, const struct tern_arrow *arrow, bool in,
		      const struct glyphs *glyphs)
{
	uint16_t reason = in ? arrow->record->reason : arrow->peer_reason;
	const char *name = reason ? tern_drop_name(reason) : arrow->lost ? "lost" : NULL;

	if (!reason && !arrow->lost) {
		tern_text_str(head, in ? glyphs->left : glyphs->right);
		return;
	}
	if (in)
		tern_text_str(head, glyphs->cross);
	tern_text_char(head, ' ');
	tern_text_str(head, name ? name : "dropped");
	tern_text_char(head, ' ');
	if (!in)
		tern_text_str(head, glyphs->cross);
}

static void draw_shaft(struct tern_sink *out, const struct tern_arrow *arrow,
		       const struct glyphs *glyphs)
{
	bool in = arrow->record->kind == TERN_TRACE_SEGMENT_IN;
	char label[LABEL_MAX], head_buf[64];
	struct tern_text head;
	size_t used, spare;

	tern_text_init(&head, head_buf, sizeof(head_buf));
	make_head(&head, arrow, in, glyphs);
	used = tern_utf8_columns(head_buf) + 2 * SHAFT_MIN + 2;
	used += make_label(label, arrow, TERN_LADDER_ARROW - used, glyphs);
	spare = used < TERN_LADDER_ARROW ? TERN_LADDER_ARROW - used : 0;
	if (in)
		tern_sink_text(out, &head);
	dashes(out, glyphs, SHAFT_MIN + spare / 2);
	tern_sink_char(out, ' ');
	tern_sink_str(out, label);
	tern_sink_char(out, ' ');
	dashes(out, glyphs, SHAFT_MIN + spare - spare / 2);
	if (!in)
		tern_sink_text(out, &head);
}

void tern_arrow_draw(struct tern_sink *out, const struct tern_arrow *arrow, bool ascii)
{
	draw_time(out, arrow->time_ns);
	column(out, our_state(arrow->record), TERN_LADDER_STATE + 2);
	if (arrow->record->kind == TERN_TRACE_STATE)
		tern_sink_fill(out, ' ', TERN_LADDER_ARROW);
	else
		draw_shaft(out, arrow, glyphs_of(ascii));
	tern_sink_str(out, "  ");
	tern_sink_str(out, state_name(arrow->peer_state));
	tern_sink_newline(out);
}

/* 1,024 */
static void draw_grouped(struct tern_text *text, uint64_t v)
{
	char buf[24];
	struct tern_text digits;

	tern_text_init(&digits, buf, sizeof(buf));
	tern_text_u64(&digits, v);
	for (size_t i = 0; i < digits.len; i++) {
		if (i && (digits.len - i) % 3 == 0)
			tern_text_char(text, ',');
		tern_text_char(text, buf[i]);
	}
}

static void append_bytes(struct tern_text *text, uint64_t bytes, const char *way)
{
	char buf[32];
	struct tern_sink sink;

	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_flows_bytes(&sink, bytes);
	tern_text_str(text, ", ");
	tern_text_strn(text, buf, sink.len);
	tern_text_str(text, way);
}

/* "N again, M dropped", what there is of it, a comma before it if asked. */
static void append_events(struct tern_text *text, const struct tern_arrow_run *run, bool comma)
{
	if (run->again) {
		tern_text_str(text, comma ? ", " : "");
		draw_grouped(text, run->again);
		tern_text_str(text, " again");
	}
	if (run->drops) {
		tern_text_str(text, comma || run->again ? ", " : "");
		draw_grouped(text, run->drops);
		tern_text_str(text, " dropped");
	}
}

/* Columns that the events take in a line of their own. */
static size_t event_columns(const struct tern_arrow_run *run)
{
	char buf[LABEL_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	append_events(&text, run, true);
	return text.len;
}

/* A text in the middle of where arrows are, dots around it. */
static void draw_middle(struct tern_sink *out, const char *s, const struct glyphs *glyphs)
{
	size_t columns = tern_utf8_columns(s) + 2 * tern_utf8_columns(glyphs->dots) + 2;
	size_t spare = columns < TERN_LADDER_ARROW ? TERN_LADDER_ARROW - columns : 0;

	tern_sink_fill(out, ' ', spare / 2);
	tern_sink_str(out, glyphs->dots);
	tern_sink_char(out, ' ');
	tern_sink_str(out, s);
	tern_sink_char(out, ' ');
	tern_sink_str(out, glyphs->dots);
	tern_sink_fill(out, ' ', spare - spare / 2);
}

void tern_arrow_draw_run(struct tern_sink *out, const struct tern_arrow_run *run, bool ascii)
{
	const struct glyphs *glyphs = glyphs_of(ascii);
	char buf[LABEL_MAX];
	struct tern_text text;
	bool one_line;

	tern_text_init(&text, buf, sizeof(buf));
	draw_grouped(&text, run->count);
	tern_text_str(&text, " segments");
	append_bytes(&text, run->bytes_out, " out");
	append_bytes(&text, run->bytes_in, " in");
	one_line = text.len + event_columns(run) + 4 <= TERN_LADDER_ARROW;
	if (one_line)
		append_events(&text, run, true);
	draw_time(out, run->first_ns);
	column(out, tern_state_name(run->state ? run->state : TERN_CLOSED), TERN_LADDER_STATE + 2);
	draw_middle(out, buf, glyphs);
	tern_sink_str(out, "  ");
	tern_sink_str(out, state_name(run->peer_state));
	tern_sink_newline(out);
	if (one_line)
		return;
	tern_text_init(&text, buf, sizeof(buf));
	append_events(&text, run, false);
	tern_sink_fill(out, ' ', TERN_LADDER_TIME + TERN_LADDER_STATE + 4);
	draw_middle(out, buf, glyphs);
	tern_sink_newline(out);
}

void tern_arrow_draw_states(struct tern_sink *out, uint8_t state, uint8_t peer_state)
{
	tern_sink_fill(out, ' ', TERN_LADDER_TIME + 2);
	column(out, tern_state_name(state ? state : TERN_CLOSED),
	       TERN_LADDER_STATE + TERN_LADDER_ARROW + 4);
	tern_sink_str(out, state_name(peer_state));
	tern_sink_newline(out);
}

void tern_arrow_draw_head(struct tern_sink *out, const struct tern_endpoint *local,
			  const struct tern_endpoint *remote, bool inferred)
{
	char near_buf[TERN_TEXT_ENDPOINT_MAX + 8], far_buf[TERN_TEXT_ENDPOINT_MAX + 24];
	struct tern_text near, far;
	size_t room = TERN_LADDER_COLUMNS - TERN_LADDER_TIME - 2;

	tern_text_init(&near, near_buf, sizeof(near_buf));
	tern_text_endpoint(&near, local);
	tern_text_str(&near, " (tern)");
	tern_text_init(&far, far_buf, sizeof(far_buf));
	tern_text_endpoint(&far, remote);
	tern_text_str(&far, inferred ? " (inferred)" : " (tern)");
	column(out, "      time", TERN_LADDER_TIME + 2);
	tern_sink_text(out, &near);
	if (near.len + 2 + far.len > room) {
		tern_sink_newline(out);
		tern_sink_fill(out, ' ', TERN_LADDER_TIME + 2);
		near.len = 0;
	}
	if (near.len + far.len < room)
		tern_sink_fill(out, ' ', room - near.len - far.len);
	tern_sink_text(out, &far);
	tern_sink_newline(out);
}
