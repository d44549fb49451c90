/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each class of segment in each state: what is answered, what state follows, what the application
 * learns, why the segment was dropped. All of it is in tests/golden/fsm.txt, which is documentation
 * too; TERN_GOLDEN_UPDATE=1 writes that file anew. Cases with the same outcome share a line, and
 * each line names the rule that it follows: a line that no rule explains fails the test.
 */
#include "harness/matrix.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "matrix_notes.h"
#include "unit/golden.h"

enum { WIDTH = 96 }; /* of texts */
enum { CASES = M_FLAGS * M_DATAS * M_SEQS * M_ACKS };

static const struct matrix_place places[] = {
	{ "CLOSED", TERN_CLOSED, PASSIVE4,
	  .intro = "No socket has the port: numbers have no meaning here (RFC 9293 3.10.7.1)." },
	{ "LISTEN", TERN_LISTEN, PASSIVE4,
	  .intro = "First RST, then ACK, then SYN (3.10.7.2); numbers have no meaning here." },
	{ "SYN-SENT", TERN_SYN_SENT, ACTIVE4,
	  .intro =
		  "First ACK, then RST, then SYN (3.10.7.3). RCV.NXT is not known yet; una is ISS, "
		  "exact ISS + 1." },
	{ "SYN-RECEIVED, from LISTEN", TERN_SYN_RECEIVED, PASSIVE4,
	  .intro = "before is IRS, the number of the SYN itself; una is ISS, exact ISS + 1." },
	{ "SYN-RECEIVED, from SYN-SENT", TERN_SYN_RECEIVED, ACTIVE4,
	  .intro = "Both ends have sent a SYN (3.5). before is IRS; una is ISS, exact ISS + 1." },
	{ "ESTABLISHED", TERN_ESTABLISHED, PASSIVE4,
	  .intro = "Nothing is in flight: una is exact." },
	{ "ESTABLISHED, our window is closed", TERN_ESTABLISHED, PASSIVE4, .zero_window = true,
	  .intro = "The receive buffer is full. middle is left, right is before, beyond is left." },
	{ "FIN-WAIT-1", TERN_FIN_WAIT_1, PASSIVE4,
	  .intro =
		  "shutdown(SHUT_WR); the application still reads. exact acknowledges our FIN, una "
		  "does not." },
	{ "FIN-WAIT-1, closed by its application", TERN_FIN_WAIT_1, PASSIVE4, .orphan = true,
	  .intro = "close(): nobody will read." },
	{ "FIN-WAIT-2", TERN_FIN_WAIT_2, PASSIVE4,
	  .intro = "shutdown(SHUT_WR); the application still reads." },
	{ "FIN-WAIT-2, closed by its application", TERN_FIN_WAIT_2, PASSIVE4, .orphan = true,
	  .intro = "close(): nobody will read. A record of 48 bytes is all that is left." },
	{ "CLOSE-WAIT", TERN_CLOSE_WAIT, PASSIVE4,
	  .intro = "before is the number of the peer's FIN." },
	{ "CLOSING", TERN_CLOSING, PASSIVE4,
	  .intro = "before is the number of the peer's FIN; exact acknowledges ours, una not." },
	{ "LAST-ACK", TERN_LAST_ACK, PASSIVE4,
	  .intro = "before is the number of the peer's FIN; exact acknowledges ours, una not." },
	{ "TIME-WAIT, somebody listens", TERN_TIME_WAIT, PASSIVE4,
	  .intro = "before is the number of the peer's FIN." },
	{ "TIME-WAIT, nobody listens", TERN_TIME_WAIT, ACTIVE4,
	  .intro = "before is the number of the peer's FIN." },
	{ "Timestamps: SYN-SENT", TERN_SYN_SENT, ACTIVE4, .stamps = true,
	  .intro = "unsent: echoes what was never sent. All at ack = exact." },
	{ "Timestamps: SYN-RECEIVED, from LISTEN", TERN_SYN_RECEIVED, PASSIVE4, .stamps = true,
	  .intro = "All at seq = left, ack = exact." },
	{ "Timestamps: ESTABLISHED", TERN_ESTABLISHED, PASSIVE4, .stamps = true,
	  .intro = "All at seq = left, ack = exact. The other states that hold a full record are "
		   "alike." },
	{ "Timestamps: FIN-WAIT-2, closed by its application", TERN_FIN_WAIT_2, PASSIVE4,
	  .orphan = true, .stamps = true, .intro = "All at seq = left, ack = exact." },
	{ "Timestamps: TIME-WAIT, somebody listens", TERN_TIME_WAIT, PASSIVE4, .stamps = true,
	  .intro = "All at seq = left, ack = exact." },
};

static const char *const flag_words[] = { "SYN",     "SYN-ACK", "SYN-FIN", "ACK",  "FIN",
					  "FIN-ACK", "RST",     "RST-ACK", "NULL", "XMAS" };
static const char *const data_words[] = { "no", "yes" };
static const char *const seq_words[] = { "before", "left", "middle", "right", "beyond" };
static const char *const stamp_words[] = { "absent", "older", "same", "newer", "unsent" };
static const char *const ack_words[] = { "ancient", "old", "una", "exact", "future" };

/* A text that grows. */
struct text {
	char bytes[GOLDEN_MAX];
	size_t len;
};

static struct text out;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out.bytes + out.len, sizeof(out.bytes) - out.len, format, args);
	va_end(args);
	assert_true(n >= 0 && out.len + (size_t)n < sizeof(out.bytes));
	out.len += (size_t)n;
}

/* One without the blanks at its end. */
static void end_line(void)
{
	while (out.len && out.bytes[out.len - 1] == ' ')
		out.len--;
	put("\n");
}

/* A text in lines of at most WIDTH, the second and following ones indented. */
static void put_text(const char *text, int indent)
{
	size_t start = out.len;
	bool fresh = true;
	int column;

	while (start && out.bytes[start - 1] != '\n')
		start--;
	column = (int)(out.len - start);
	while (*text) {
		size_t word = strcspn(text, " ");

		if (!fresh && column + (int)word + 1 > WIDTH) {
			put("\n%*s", indent, "");
			column = indent;
			fresh = true;
		}
		put("%s%.*s", fresh ? "" : " ", (int)word, text);
		column += (int)word + !fresh;
		fresh = false;
		text += word + (text[word] == ' ');
	}
	put("\n");
}

static unsigned int bit(unsigned int v)
{
	return 1u << v;
}

/* ---- folding ---- */

/* A box of cases with one outcome: a set of values for each coordinate. */
struct box {
	unsigned int flags, data, seq, ack;
};

struct table {
	struct matrix_outcome cell[M_FLAGS][M_DATAS][M_SEQS][M_ACKS];
	const char *why[M_FLAGS][M_DATAS][M_SEQS][M_ACKS];
	bool printed[M_FLAGS][M_DATAS][M_SEQS][M_ACKS];
};

static struct table table;

static void fill(const struct matrix_place *place)
{
	memset(&table, 0, sizeof(table));
	for (unsigned int i = 0; i < CASES; i++) {
		struct matrix_case c = { (uint8_t)(i / (M_ACKS * M_SEQS * M_DATAS)),
					 (uint8_t)(i / (M_ACKS * M_SEQS) % M_DATAS),
					 (uint8_t)(i / M_ACKS % M_SEQS), (uint8_t)(i % M_ACKS) };
		struct matrix_outcome *cell = &table.cell[c.flags][c.data][c.seq][c.ack];
		bool acks = (matrix_wire_flags(c.flags) & TERN_ACK) && !place->stamps;

		if (c.ack && !acks)
			*cell = table.cell[c.flags][c.data][c.seq][0];
		else
			matrix_run(place, &c, cell);
		table.why[c.flags][c.data][c.seq][c.ack] = matrix_why(place, bit(c.flags), cell);
	}
}

/* Have all cases of the box this outcome, and for the same reason? */
static bool box_is(const struct box *b, const struct matrix_outcome *outcome, const char *why)
{
	for (unsigned int i = 0; i < CASES; i++) {
		unsigned int f = i / (M_ACKS * M_SEQS * M_DATAS),
			     d = i / (M_ACKS * M_SEQS) % M_DATAS, s = i / M_ACKS % M_SEQS,
			     a = i % M_ACKS;

		if (!(b->flags >> f & 1) || !(b->data >> d & 1) || !(b->seq >> s & 1) ||
		    !(b->ack >> a & 1))
			continue;
		if (table.why[f][d][s][a] != why ||
		    memcmp(&table.cell[f][d][s][a], outcome, sizeof(*outcome)) != 0)
			return false;
	}
	return true;
}

/* Adds the values of a coordinate that leave the box of one outcome. */
static void grow(struct box *b, unsigned int *set, unsigned int count,
		 const struct matrix_outcome *outcome, const char *why)
{
	for (unsigned int v = 0; v < count; v++) {
		unsigned int before = *set;

		*set |= 1u << v;
		if (!box_is(b, outcome, why))
			*set = before;
	}
}

static unsigned int size(const struct box *b)
{
	return (unsigned int)(__builtin_popcount(b->flags) * __builtin_popcount(b->data) *
			      __builtin_popcount(b->seq) * __builtin_popcount(b->ack));
}

/* The largest box that holds this case, whichever coordinate grows first. */
static void grow_best(struct box *b, const struct matrix_outcome *outcome, const char *why)
{
	static const unsigned int counts[4] = { M_FLAGS, M_DATAS, M_SEQS, M_ACKS };
	struct box best = *b;

	for (unsigned int order = 0; order < 256; order++) {
		struct box try = *b;
		unsigned int all = bit(order & 3) | bit(order >> 2 & 3) | bit(order >> 4 & 3) |
				   bit(order >> 6);
		unsigned int *sets[4] = { &try.flags, &try.data, &try.seq, &try.ack };

		if (all != 15)
			continue;
		for (unsigned int i = 0; i < 4; i++)
			grow(&try, sets[order >> 2 * i & 3], counts[order >> 2 * i & 3], outcome,
			     why);
		if (size(&try) > size(&best))
			best = try;
	}
	*b = best;
}

static bool has_ack(unsigned int flags)
{
	return matrix_wire_flags(flags) & TERN_ACK;
}

/*
 * Does the box hold the case? What has no ACK stands for all values of that coordinate.
 */
static bool holds(const struct box *b, unsigned int f, unsigned int d, unsigned int s,
		  unsigned int a)
{
	return (b->flags >> f & 1) && (b->data >> d & 1) && (b->seq >> s & 1) &&
	       ((b->ack >> a & 1) || !has_ack(f));
}

/* Does `less` still hold what `b` holds and no line has shown yet? */
static bool suffices(const struct box *less, const struct box *b)
{
	for (unsigned int i = 0; i < CASES; i++) {
		unsigned int f = i / (M_ACKS * M_SEQS * M_DATAS),
			     d = i / (M_ACKS * M_SEQS) % M_DATAS, s = i / M_ACKS % M_SEQS,
			     a = i % M_ACKS;

		if (holds(b, f, d, s, a) && !table.printed[f][d][s][a] && !holds(less, f, d, s, a))
			return false;
	}
	return true;
}

static void shrink(struct box *b, unsigned int *set, unsigned int count)
{
	for (unsigned int v = 0; v < count; v++) {
		struct box before = *b;

		*set &= ~bit(v);
		if (!suffices(b, &before))
			*set = *set | bit(v);
	}
}

/* Leaves out of the box what other lines have shown. */
static void shrink_all(struct box *b)
{
	bool acks = true;

	shrink(b, &b->flags, M_FLAGS);
	shrink(b, &b->data, M_DATAS);
	shrink(b, &b->seq, M_SEQS);
	for (unsigned int f = 0; f < M_FLAGS; f++)
		acks = acks && (!(b->flags >> f & 1) || has_ack(f));
	if (acks)
		shrink(b, &b->ack, M_ACKS);
}

static void mark(const struct box *b)
{
	for (unsigned int i = 0; i < CASES; i++) {
		unsigned int f = i / (M_ACKS * M_SEQS * M_DATAS),
			     d = i / (M_ACKS * M_SEQS) % M_DATAS, s = i / M_ACKS % M_SEQS,
			     a = i % M_ACKS;

		if (holds(b, f, d, s, a))
			table.printed[f][d][s][a] = true;
	}
}

/* ---- lines ---- */

static void put_set(unsigned int set, unsigned int count, const char *const *words, int width)
{
	char cell[128] = "";
	size_t used = 0;

	if (set == (1u << count) - 1) {
		put("%-*s  ", width, "any");
		return;
	}
	for (unsigned int v = 0; v < count; v++)
		if (set >> v & 1)
			used += (size_t)snprintf(cell + used, sizeof(cell) - used, "%s%s",
						 used ? " " : "", words[v]);
	put("%-*s  ", width, cell);
}

static void put_line(const struct matrix_place *place, const struct box *b,
		     const struct matrix_outcome *o, const char *why)
{
	put_set(b->flags, M_FLAGS, flag_words, 33);
	put_set(b->data, M_DATAS, data_words, 4);
	put_set(b->seq, M_SEQS, place->stamps ? stamp_words : seq_words, 24);
	put_set(b->ack, M_ACKS, ack_words, 22);
	put("%-20s  %-12s  %-16s  %-24s  %s", o->reply,
	    o->next == place->state ? "." : tern_state_name(o->next), o->app,
	    o->reason == TERN_DROP_NONE ? "-" : tern_drop_name(o->reason),
	    why ? why : "UNEXPLAINED");
	end_line();
}

static void put_place(const struct matrix_place *place)
{
	put("\n\n%s\n", place->title);
	put_text(place->intro, 0);
	put("\n");
	put("%-33s  %-4s  %-24s  %-22s  %-20s  %-12s  %-16s  %-24s  why\n", "segment", "data",
	    place->stamps ? "timestamp" : "seq", "ack", "reply", "next", "application",
	    "drop reason");
	fill(place);
	for (unsigned int i = 0; i < CASES; i++) {
		unsigned int f = i / (M_ACKS * M_SEQS * M_DATAS),
			     d = i / (M_ACKS * M_SEQS) % M_DATAS, s = i / M_ACKS % M_SEQS,
			     a = i % M_ACKS;
		const struct matrix_outcome *o = &table.cell[f][d][s][a];
		struct box b = { bit(f), bit(d), bit(s), bit(a) };

		if (table.printed[f][d][s][a])
			continue;
		grow_best(&b, o, table.why[f][d][s][a]);
		shrink_all(&b);
		put_line(place, &b, o, table.why[f][d][s][a]);
		mark(&b);
	}
}

static const char *const legend[] = {
	"What each state does with each class of segment. Made by tests/fsm/test_matrix.c; "
	"do not edit.",
	"",
	"segment      flags; XMAS is FIN, PSH and URG. data: ten bytes of it or none.",
	"seq          its first number: before is RCV.NXT - 1, left is RCV.NXT, middle and "
	"right are in the window, right the last number in it, beyond the next.",
	"ack          where it has one: ancient is less than SND.UNA - MAX.SND.WND, old "
	"SND.UNA - 1, una SND.UNA, exact SND.NXT, future SND.NXT + 1.",
	"timestamp    absent; older than TS.Recent, the same, newer; unsent: newer, and "
	"echoes what we never sent.",
	"reply        ACK alone means <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> with RCV.NXT as it "
	"was; seg.end: it acknowledges the whole segment; seg.seq+1: its SYN only; sack: "
	"with a block. RST seg.ack is <SEQ=SEG.ACK><CTL=RST>, RST-ACK 0 seg.end is "
	"<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, RST-ACK alone has SND.NXT and RCV.NXT; "
	"new: a number of its own choice.",
	"next         the state that follows; a dot: the same.",
	"application  what it learns: accept and connected, data and end to be read, an "
	"error.",
	"drop reason  as tern counts it; of what was taken none.",
	"why          the note at the end. Numbers of sections without an RFC are RFC 9293's.",
	"",
	"Each case is that of a fresh connection: limits of answers (tcp_invalid_ratelimit) "
	"do not show. Timestamps are off but where they are the matter.",
};

static void put_legend(void)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(legend); i++)
		put_text(legend[i], strstr(legend[i], "  ") ? 13 : 0);
}

/* The notes, of which each must be the reason of some line. */
static void put_notes(void)
{
	put("\n\nWhy\n\n");
	for (size_t i = 0; i < TERN_ARRAY_SIZE(notes); i++) {
		char needle[24];

		snprintf(needle, sizeof(needle), "  %s\n", notes[i].name);
		if (!strstr(out.bytes, needle))
			fail_msg("no line is as note %s has it", notes[i].name);
		put("%-11s  ", notes[i].name);
		put_text(notes[i].text, 13);
	}
}

static void every_state_takes_every_class_of_segment_as_written_down(void **state)
{
	(void)state;
	/* 3,000 stacks one after the other: their memory stays with the program. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 128 << 20);
	out.len = 0;
	put_legend();
	for (size_t i = 0; i < TERN_ARRAY_SIZE(places); i++)
		put_place(&places[i]);
	put_notes();
	if (strstr(out.bytes, "UNEXPLAINED"))
		print_error("a line of the matrix follows no rule of matrix_notes.h\n");
	assert_golden("fsm.txt", out.bytes, out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_takes_every_class_of_segment_as_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
