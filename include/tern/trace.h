/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tern/trace.h: states, reasons and the event ring as users see them.
 */
#ifndef TERN_TRACE_H
#define TERN_TRACE_H

#include <stdint.h>

#include "tern/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* RFC 9293 §3.3.2 states, numbered as Linux numbers them in TCP_INFO. */
enum tern_state {
	TERN_ESTABLISHED = 1,
	TERN_SYN_SENT = 2,
	TERN_SYN_RECEIVED = 3,
	TERN_FIN_WAIT_1 = 4,
	TERN_FIN_WAIT_2 = 5,
	TERN_TIME_WAIT = 6,
	TERN_CLOSED = 7,
	TERN_CLOSE_WAIT = 8,
	TERN_LAST_ACK = 9,
	TERN_LISTEN = 10,
	TERN_CLOSING = 11,
};

enum tern_trace_kind {
	TERN_TRACE_SEGMENT_IN,
	TERN_TRACE_SEGMENT_OUT,
	TERN_TRACE_STATE,
};

/*
 * One record of the event ring. Of a segment it holds what a ladder needs; before and after are the
 * state of our end around it, or 0 where no record was involved (a closed port). reason is an enum
 * tern_drop value, 0 if not dropped.
 */
struct tern_trace_record {
	uint64_t time_ns;
	struct tern_endpoint local, remote;
	uint32_t seq, ack, window; /* as on the wire; the window unscaled */
	uint32_t length;           /* payload bytes */
	uint32_t tsval, tsecr;
	uint16_t mss;
	uint16_t flags;   /* enum tern_tcp_flag bits */
	uint16_t options; /* enum tern_tcp_option bits: which of mss, wscale, sackok, ts were
			     there */
	uint16_t reason;
	uint8_t wscale;
	uint8_t kind; /* enum tern_trace_kind */
	uint8_t before, after;
};

/*
 * The name of a state as RFC 9293 writes it ("SYN-SENT"), or as ss prints it ("SYN-SENT", "ESTAB");
 * "?" if there is none.
 */
const char *tern_state_name(unsigned int state);
const char *tern_state_ss_name(unsigned int state);

/* The name ("TCP_OLD_ACK") and the explanation of a drop reason; NULL beyond the last. */
const char *tern_drop_name(unsigned int reason);
const char *tern_drop_text(unsigned int reason);

/* The name ("TcpActiveOpens") and the explanation of a counter; NULL beyond the last. */
const char *tern_counter_name(unsigned int counter);
const char *tern_counter_text(unsigned int counter);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
