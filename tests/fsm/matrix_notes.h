/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsm/matrix_notes.h: why a line of tests/golden/fsm.txt is as it is. Notes are texts; rules say
 * which lines they are about, and the first that fits is the one.
 */
#ifndef TERN_TESTS_FSM_MATRIX_NOTES_H
#define TERN_TESTS_FSM_MATRIX_NOTES_H

#include "harness/matrix.h"

struct note {
	const char *name, *text;
};

static const struct note notes[] = {
	{ "closed",
	  "3.10.7.1: nobody is there. A reset that says so, but never in answer to one." },
	{ "opens", "3.10.7.2 third: half open. A choice: data on a SYN is not taken and not "
		   "acknowledged; it comes again when the connection stands (RFC 4987)." },
	{ "stray", "3.10.7.2 second: there is nothing to acknowledge." },
	{ "no-rst", "3.10.7.2 first: there is nothing to reset." },
	{ "no-syn", "3.10.7.2 fourth: such a segment cannot be meant for us." },
	{ "syn-fin", "A choice, Linux': no honest peer sends SYN with FIN, scanners do. RFC 9293 "
		     "takes the SYN and queues the FIN; tern_drop_synfin=0 takes the SYN." },
	{ "not-ours",
	  "3.10.7.3 first: it acknowledges what this connection never sent; a reset has "
	  "no answer." },
	{ "refused", "3.10.7.3 second: a reset with the ACK of our SYN." },
	{ "blind", "3.10.7.3 second: without the ACK of our SYN a reset proves nothing (RFC 5961 "
		   "3.2 needs a window; there is none yet)." },
	{ "connects", "3.10.7.3 fourth: the connection stands; data and FIN are taken with it." },
	{ "crosses",
	  "3.10.7.3 fourth, 3.5 figure 7, MUST-10: simultaneous open, our SYN goes again "
	  "as SYN-ACK. A choice: data and FIN are left to come again." },
	{ "neither", "3.10.7.3 fifth: neither SYN nor RST." },
	{ "back",
	  "3.10.7.4 second: the passive open is LISTEN again and nobody is told. The active "
	  "one was refused; ECONNRESET is Linux' word for it (tern_rst_syn_received)." },
	{ "wrong-ack", "3.10.7.4 fifth: SYN-RECEIVED resets what it did not send, and stays. A "
		       "choice after LISTEN: it does so wherever the number stands (3.5.2, group "
		       "2; as Linux and FreeBSD): the peer knows of another connection." },
	{ "stands", "3.10.7.4 fifth: our SYN is acknowledged; data and FIN are taken with it. The "
		    "SYN-ACK of a crossing open counts by its ACK (3.5 figure 7)." },
	{ "again", "A choice, Linux': the same SYN draws the same SYN-ACK. RFC 9293 would send an "
		   "ACK, which a peer in SYN-SENT drops." },
	{ "other-syn",
	  "A choice: RFC 9293 goes back to LISTEN, so that any SYN in the window would "
	  "end a handshake. Challenged as if the state were synchronized (RFC 5961 "
	  "4.2): a peer that began anew answers by RST, and its next SYN opens. "
	  "(tern_syn_again=any: the same SYN-ACK again.)" },
	{ "outside", "3.10.7.4 first: not in the window, so an ACK and no more. That for data or "
		     "FIN always leaves; the others share tcp_invalid_ratelimit." },
	{ "rst-out", "RFC 5961 3.2 (1): a reset outside the window is dropped in silence." },
	{ "rst", "RFC 5961 3.2 (2): exactly RCV.NXT. The application reads ECONNRESET; EPIPE in "
		 "CLOSE-WAIT (tern_rst_close_wait), and ECONNRESET in CLOSING and LAST-ACK, are "
		 "choices, Linux'." },
	{ "rst-in",
	  "RFC 5961 3.2 (3): elsewhere in the window: challenge ACK. The peer, if it was "
	  "that, resets with the number that we name. (tern_insecure_rst=1 believes it.)" },
	{ "syn", "RFC 5961 4.2: any SYN, wherever it stands, draws a challenge ACK. "
		 "(tern_insecure_syn=1: RFC 793's reset.)" },
	{ "unsent", "3.10.7.4 fifth: acknowledges what was never sent: ACK, nothing is taken." },
	{ "ancient", "RFC 5961 5.2: older than SND.UNA - MAX.SND.WND: ACK, nothing is taken." },
	{ "no-ack", "3.10.7.4 fifth: without ACK it is dropped." },
	{ "ack",
	  "Acceptable, and nothing to answer. At beyond a choice, Linux': whoever has filled "
	  "our window sends bare ACKs from its right edge." },
	{ "data",
	  "3.10.7.4 seventh: taken. Of what begins before the window the part in it. Each of "
	  "the first 16 data segments is acknowledged at once (a choice, Linux')." },
	{ "early", "RFC 5681 4.2, SHLD-31: ahead of RCV.NXT; kept, and acknowledged at once." },
	{ "fin", "3.10.7.4 eighth: the peer's FIN." },
	{ "fin-acked",
	  "3.10.7.4 fifth: our FIN is acknowledged; what else the segment brings is taken "
	  "in the next state." },
	{ "after-fin",
	  "3.10.7.4 seventh: nothing comes behind a FIN. Its ACK has counted; a choice: "
	  "no answer, since nothing new was said." },
	{ "fin-again", "3.10.7.4 eighth: the peer cannot end twice; the state stays." },
	{ "nobody", "3.6.1, SHLD-3: nobody will read it: reset. In FIN-WAIT-2 whatever is not the "
		    "FIN in order counts as that (a choice, Linux'): what is missing is data." },
	{ "small", "The record shrinks to 48 bytes, and what came early is forgotten: it comes "
		   "again." },
	{ "full", "MUST-66: no room, but ACK and RST count; the ACK says that there is no room." },
	{ "assassin", "RFC 1337, fix F1: a reset does not end TIME-WAIT. With tcp_rfc1337=1 none "
		      "does." },
	{ "tw-rst", "3.10.7.4 second: exactly RCV.NXT ends TIME-WAIT. A choice, Linux': "
		    "tcp_rfc1337=1 ignores it." },
	{ "reopens",
	  "MAY-2, RFC 6191: higher number, or newer timestamp. The record stays until the "
	  "handshake is done." },
	{ "late", "3.10.7.4: acknowledged again. The FIN again (at before) starts the 2 MSL anew, "
		  "nothing else does." },
	{ "silent", "A choice, Linux': two ends in TIME-WAIT would answer each other for ever." },
	{ "ts-old", "RFC 7323 5.3 R1: older than TS.Recent: ACK, nothing is taken." },
	{ "ts-echo",
	  "A choice, Linux': an echo of what was never sent proves that the segment is of "
	  "another connection." },
};

enum {
	ANY = -1,
	SAME = 100,    /* no other state follows */
	ANOTHER = 101, /* one does */
	WAITS_FIN = TERN_STATES(ESTABLISHED) | TERN_STATES(FIN_WAIT_1) | TERN_STATES(FIN_WAIT_2) |
		    TERN_STATES(SYN_RECEIVED),
	FIN_OUT = TERN_STATES(FIN_WAIT_1) | TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK),
	HAS_FIN = TERN_STATES(CLOSE_WAIT) | TERN_STATES(CLOSING) | TERN_STATES(LAST_ACK),
	SYNS = 1 << M_SYN | 1 << M_SYN_ACK | 1 << M_SYN_FIN,
	RSTS = 1 << M_RST | 1 << M_RST_ACK,
	FINS = 1 << M_FIN | 1 << M_FIN_ACK,
};

/* 0 and ANY fit all; flags fits when all of the line's are in it. */
struct rule {
	const char *name;
	int states, flags, reason, next;
	const char *reply, *app; /* what stands in there */
};

#define WHEN(s) TERN_STATES(s)
#define DROP(r) TERN_DROP_##r

static const struct rule rules[] = {
	{ "closed", WHEN(CLOSED), 0, ANY, ANY, 0, 0 },

	{ "opens", WHEN(LISTEN), 0, DROP(NONE), ANY, 0, 0 },
	{ "stray", WHEN(LISTEN), 0, DROP(TCP_INVALID_ACK_SEQUENCE), ANY, 0, 0 },
	{ "no-rst", WHEN(LISTEN), RSTS, ANY, ANY, 0, 0 },
	{ "syn-fin", WHEN(LISTEN) | WHEN(SYN_RECEIVED), 1 << M_SYN_FIN, DROP(TCP_SYN_FIN), ANY, 0,
	  0 },
	{ "no-syn", WHEN(LISTEN), 0, DROP(TCP_FLAGS), ANY, 0, 0 },

	{ "ts-echo", 0, 0, DROP(TCP_RFC7323_TSECR), ANY, 0, 0 },
	{ "ts-old", 0, 0, DROP(TCP_RFC7323_PAWS), ANY, 0, 0 },
	{ "ts-old", 0, 0, DROP(TCP_RFC7323_PAWS_ACK), ANY, 0, 0 },
	{ "ts-old", 0, 0, DROP(TCP_RFC7323_TW_PAWS), ANY, 0, 0 },

	{ "not-ours", WHEN(SYN_SENT), 0, DROP(TCP_INVALID_ACK_SEQUENCE), ANY, 0, 0 },
	{ "refused", WHEN(SYN_SENT), RSTS, DROP(TCP_RESET), ANY, 0, 0 },
	{ "blind", WHEN(SYN_SENT), RSTS, DROP(TCP_INVALID_RST), ANY, 0, 0 },
	{ "neither", WHEN(SYN_SENT), 0, DROP(TCP_FLAGS), ANY, 0, 0 },
	{ "crosses", WHEN(SYN_SENT), SYNS, DROP(NONE), TERN_SYN_RECEIVED, 0, 0 },
	{ "connects", WHEN(SYN_SENT), SYNS, DROP(NONE), TERN_ESTABLISHED, 0, 0 },

	{ "back", WHEN(SYN_RECEIVED), RSTS, DROP(TCP_RESET), ANY, 0, 0 },
	{ "wrong-ack", WHEN(SYN_RECEIVED), 0, DROP(TCP_INVALID_ACK_SEQUENCE), ANY, 0, 0 },
	{ "again", WHEN(SYN_RECEIVED), 1 << M_SYN, DROP(TCP_OLD_SEQUENCE), ANY, "SYN-ACK", 0 },
	{ "other-syn", WHEN(SYN_RECEIVED), SYNS, DROP(TCP_SYN_CHALLENGED), ANY, 0, 0 },
	{ "stands", WHEN(SYN_RECEIVED), 0, DROP(NONE), ANOTHER, 0, 0 },

	{ "assassin", WHEN(TIME_WAIT), RSTS, ANY, SAME, 0, 0 },
	{ "tw-rst", WHEN(TIME_WAIT), RSTS, ANY, ANOTHER, 0, 0 },
	{ "reopens", WHEN(TIME_WAIT), 1 << M_SYN, DROP(NONE), TERN_SYN_RECEIVED, 0, 0 },
	{ "late", WHEN(TIME_WAIT), 0, DROP(TCP_TIMEWAIT), ANY, 0, 0 },
	{ "silent", WHEN(TIME_WAIT), 0, DROP(NONE), SAME, 0, 0 },

	{ "syn", 0, SYNS, DROP(TCP_SYN_CHALLENGED), ANY, 0, 0 },
	{ "rst-out", 0, RSTS, DROP(TCP_INVALID_RST), ANY, 0, 0 },
	{ "rst-in", 0, RSTS, DROP(TCP_RST_CHALLENGED), ANY, 0, 0 },
	{ "rst", 0, RSTS, DROP(TCP_RESET), ANY, 0, 0 },
	{ "outside", 0, 0, DROP(TCP_OLD_SEQUENCE), ANY, 0, 0 },
	{ "outside", 0, 0, DROP(TCP_INVALID_SEQUENCE), ANY, 0, 0 },
	{ "unsent", 0, 0, DROP(TCP_ACK_UNSENT_DATA), ANY, 0, 0 },
	{ "ancient", 0, 0, DROP(TCP_TOO_OLD_ACK), ANY, 0, 0 },
	{ "full", 0, 0, DROP(TCP_ZEROWINDOW), ANY, 0, 0 },
	{ "no-ack", 0, 0, DROP(TCP_NO_ACK), ANY, 0, 0 },
	{ "nobody", WHEN(FIN_WAIT_1) | WHEN(FIN_WAIT_2), 0, DROP(TCP_ABORT_ON_DATA), ANY, 0, 0 },
	{ "after-fin", HAS_FIN, 0, DROP(TCP_DATA_AFTER_FIN), ANY, 0, 0 },
	{ "fin", WAITS_FIN, FINS, DROP(NONE), ANOTHER, "seg.end", 0 },
	{ "small", WHEN(FIN_WAIT_1), FINS, DROP(NONE), TERN_FIN_WAIT_2, "-", 0 },
	{ "fin-acked", FIN_OUT, 0, DROP(NONE), ANOTHER, 0, 0 },
	{ "data", WAITS_FIN, 1 << M_ACK, DROP(NONE), ANY, "seg.end", "data" },
	{ "early", WAITS_FIN, FINS | 1 << M_ACK, DROP(NONE), ANY, "ACK", 0 },
	{ "fin-again", HAS_FIN, FINS, DROP(NONE), SAME, "-", 0 },
	{ "ack", 0, 1 << M_ACK, DROP(NONE), SAME, "-", 0 },
};

#undef WHEN
#undef DROP

static inline bool rule_fits(const struct rule *r, const struct matrix_place *place,
			     unsigned int flags, const struct matrix_outcome *o)
{
	bool same = o->next == place->state;

	if (r->states && !tern_state_in(place->state, (uint32_t)r->states))
		return false;
	if (r->flags && (flags & ~(unsigned int)r->flags))
		return false;
	if (r->reason != ANY && r->reason != o->reason)
		return false;
	if ((r->next == SAME && !same) || (r->next == ANOTHER && same) ||
	    (r->next >= 0 && r->next < SAME && r->next != o->next))
		return false;
	return (!r->reply || strstr(o->reply, r->reply)) && (!r->app || strstr(o->app, r->app));
}

/* The name of the note for a line, or NULL. */
static inline const char *matrix_why(const struct matrix_place *place, unsigned int flags,
				     const struct matrix_outcome *o)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(rules); i++)
		if (rule_fits(&rules[i], place, flags, o))
			return rules[i].name;
	return NULL;
}

#endif
