/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/state.c: the eleven states of RFC 9293 §3.3.2 as tables: names, spellings, legal moves.
 *
 * The table of moves is figure 5 of RFC 9293, and beside it:
 * - every state but CLOSED may end in CLOSED: RST, ABORT, timeout, or the last acknowledgment;
 * - SYN-RECEIVED goes back to LISTEN when a passive open is reset (figure 5, note 1);
 * - FIN-WAIT-1 goes straight to TIME-WAIT when one segment acknowledges our FIN and brings the
 *   peer's (note 2);
 * - SYN-RECEIVED goes straight to CLOSE-WAIT when the FIN comes with the third segment (§3.10.7.4,
 *   eighth step).
 * Staying in a state is no move. A TIME-WAIT tuple that is opened again (RFC 9293 §3.6.1) is a new
 * record: the old one ends in CLOSED.
 */
#include "trace/state.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

struct names {
	const char *rfc, *ss;
};

static const struct names names[TERN_STATE_MAX] = {
	[TERN_ESTABLISHED] = { "ESTABLISHED", "ESTAB" },
	[TERN_SYN_SENT] = { "SYN-SENT", "SYN-SENT" },
	[TERN_SYN_RECEIVED] = { "SYN-RECEIVED", "SYN-RECV" },
	[TERN_FIN_WAIT_1] = { "FIN-WAIT-1", "FIN-WAIT-1" },
	[TERN_FIN_WAIT_2] = { "FIN-WAIT-2", "FIN-WAIT-2" },
	[TERN_TIME_WAIT] = { "TIME-WAIT", "TIME-WAIT" },
	[TERN_CLOSED] = { "CLOSED", "UNCONN" },
	[TERN_CLOSE_WAIT] = { "CLOSE-WAIT", "CLOSE-WAIT" },
	[TERN_LAST_ACK] = { "LAST-ACK", "LAST-ACK" },
	[TERN_LISTEN] = { "LISTEN", "LISTEN" },
	[TERN_CLOSING] = { "CLOSING", "CLOSING" },
};

const uint16_t tern_state_moves[TERN_STATE_MAX] = {
	[TERN_CLOSED] = TERN_STATES(LISTEN) | TERN_STATES(SYN_SENT),
	[TERN_LISTEN] = TERN_STATES(SYN_RECEIVED) | TERN_STATES(SYN_SENT) | TERN_STATES(CLOSED),
	[TERN_SYN_SENT] = TERN_STATES(SYN_RECEIVED) | TERN_STATES(ESTABLISHED) |
			  TERN_STATES(CLOSED),
	[TERN_SYN_RECEIVED] = TERN_STATES(ESTABLISHED) | TERN_STATES(FIN_WAIT_1) |
			      TERN_STATES(CLOSE_WAIT) | TERN_STATES(LISTEN) | TERN_STATES(CLOSED),
	[TERN_ESTABLISHED] = TERN_STATES(FIN_WAIT_1) | TERN_STATES(CLOSE_WAIT) |
			     TERN_STATES(CLOSED),
	[TERN_FIN_WAIT_1] = TERN_STATES(FIN_WAIT_2) | TERN_STATES(CLOSING) |
			    TERN_STATES(TIME_WAIT) | TERN_STATES(CLOSED),
	[TERN_FIN_WAIT_2] = TERN_STATES(TIME_WAIT) | TERN_STATES(CLOSED),
	[TERN_CLOSE_WAIT] = TERN_STATES(LAST_ACK) | TERN_STATES(CLOSED),
	[TERN_CLOSING] = TERN_STATES(TIME_WAIT) | TERN_STATES(CLOSED),
	[TERN_LAST_ACK] = TERN_STATES(CLOSED),
	[TERN_TIME_WAIT] = TERN_STATES(CLOSED),
};

struct spelling {
	const char *name; /* upper case, "-" for "_" */
	uint8_t state;
};

/* Other spellings than those above: ss' filters, netstat, the kernel's, /proc/net/tcp's numbers. */
static const struct spelling spellings[] = {
	{ "SYN-RCVD", TERN_SYN_RECEIVED },
	{ "FIN-WAIT1", TERN_FIN_WAIT_1 },
	{ "FIN-WAIT2", TERN_FIN_WAIT_2 },
	{ "FINWAIT1", TERN_FIN_WAIT_1 },
	{ "FINWAIT2", TERN_FIN_WAIT_2 },
	{ "TIMEWAIT", TERN_TIME_WAIT },
	{ "CLOSE", TERN_CLOSED },
	{ "UNCONNECTED", TERN_CLOSED },
	{ "LISTENING", TERN_LISTEN },
	{ "01", TERN_ESTABLISHED },
	{ "02", TERN_SYN_SENT },
	{ "03", TERN_SYN_RECEIVED },
	{ "04", TERN_FIN_WAIT_1 },
	{ "05", TERN_FIN_WAIT_2 },
	{ "06", TERN_TIME_WAIT },
	{ "07", TERN_CLOSED },
	{ "08", TERN_CLOSE_WAIT },
	{ "09", TERN_LAST_ACK },
	{ "0A", TERN_LISTEN },
	{ "0B", TERN_CLOSING },
	{ "0C", TERN_SYN_RECEIVED },
};

TERN_API const char *tern_state_name(unsigned int state)
{
	return state < TERN_STATE_MAX && names[state].rfc ? names[state].rfc : "?";
}

TERN_API const char *tern_state_ss_name(unsigned int state)
{
	return state < TERN_STATE_MAX && names[state].ss ? names[state].ss : "?";
}

/* Upper case and "-" instead of "_". */
static char plain(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	return c == '_' ? '-' : c;
}

static bool same(const char *text, const char *spelling)
{
	while (*text && plain(*text) == *spelling) {
		text++;
		spelling++;
	}
	return !*text && !*spelling;
}

unsigned int tern_state_find(const char *name)
{
	static const char prefix[] = "TCP-"; /* the kernel's TCP_ESTABLISHED */
	size_t i = 0;

	while (prefix[i] && plain(name[i]) == prefix[i])
		i++;
	if (!prefix[i])
		name += i;
	for (unsigned int state = 1; state < TERN_STATE_MAX; state++) {
		if (same(name, names[state].rfc) || same(name, names[state].ss))
			return state;
	}
	for (i = 0; i < TERN_ARRAY_SIZE(spellings); i++) {
		if (same(name, spellings[i].name))
			return spellings[i].state;
	}
	return 0;
}
