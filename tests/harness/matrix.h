/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/matrix.h: one connection in a given place, one segment of a given class, and what came
 * of it. Places are the eleven states and what differs inside of one; classes have four
 * coordinates: flags, payload, place of the sequence number (or age of the timestamp), place of the
 * acknowledgment.
 */
#ifndef TERN_TESTS_HARNESS_MATRIX_H
#define TERN_TESTS_HARNESS_MATRIX_H

#include "harness/puppet.h"

enum matrix_flags {
	M_SYN,
	M_SYN_ACK,
	M_SYN_FIN,
	M_ACK,
	M_FIN,
	M_FIN_ACK,
	M_RST,
	M_RST_ACK,
	M_NULL,
	M_XMAS,
	M_FLAGS,
};

enum matrix_data {
	M_EMPTY,
	M_TEN, /* ten bytes */
	M_DATAS,
};

/* Where the segment begins, by the window [RCV.NXT, RCV.NXT + RCV.WND). */
enum matrix_seq {
	M_BEFORE, /* one before the left edge */
	M_LEFT,
	M_MIDDLE,
	M_RIGHT, /* the last number in the window */
	M_BEYOND,
	M_SEQS,
};

/* Where timestamps are looked at instead. */
enum matrix_stamp {
	M_ABSENT,
	M_OLDER,  /* one below TS.Recent */
	M_SAME,   /* TS.Recent */
	M_NEWER,  /* one above */
	M_UNSENT, /* newer, and echoes a TSval that we never sent */
};

enum matrix_ack {
	M_ANCIENT, /* before SND.UNA - MAX.SND.WND */
	M_OLD,     /* SND.UNA - 1 */
	M_UNA,     /* SND.UNA, where SND.NXT is beyond it; else as M_EXACT */
	M_EXACT,   /* SND.NXT */
	M_FUTURE,  /* SND.NXT + 1 */
	M_ACKS,
};

/* What stands there when the segment comes. */
struct matrix_place {
	const char *title;
	enum tern_state state;
	enum kind kind;
	bool orphan;      /* its application has closed it */
	bool zero_window; /* its application does not read */
	bool stamps;      /* the third coordinate is enum matrix_stamp */
	const char *intro;
};

struct matrix_case {
	uint8_t flags, data, seq, ack;
};

struct matrix_outcome {
	char reply[40]; /* "-": none */
	char app[24];   /* what the application learns; "-": nothing */
	uint8_t next;   /* enum tern_state */
	uint16_t reason;
};

uint16_t matrix_wire_flags(unsigned int flags);

/* Makes the place anew, sends the segment, and tells what came of it. */
void matrix_run(const struct matrix_place *place, const struct matrix_case *c,
		struct matrix_outcome *ret);

#endif
