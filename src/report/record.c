/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/record.c: the tables that say how each snapshot struct looks in JSON.
 *
 * Rows stand in the order of output. A member that is added to a struct of tern/snapshot.h or
 * tern/trace.h gets a row here and is written and read from then on.
 */
#include "report/record.h"

#include <stdint.h>

#include "base/compiler.h"
#include "base/text.h"
#include "report/fields.h"
#include "report/json.h"
#include "trace/event.h"

const char *tern_record_timer_name(unsigned int timer)
{
	static const char *const names[] = {
		[TERN_TIMER_NONE] = "off",
		[TERN_TIMER_ON] = "on",
		[TERN_TIMER_KEEPALIVE] = "keepalive",
		[TERN_TIMER_TIMEWAIT] = "timewait",
		[TERN_TIMER_PERSIST] = "persist",
		[TERN_TIMER_DELACK] = "delack",
	};

	return timer < TERN_ARRAY_SIZE(names) ? names[timer] : NULL;
}

static const char *proto_name(unsigned int proto)
{
	return proto == TERN_PROTO_TCP ? "tcp" : proto == TERN_PROTO_UDP ? "udp" : NULL;
}

static const char *state_name(unsigned int state)
{
	const char *name = tern_state_ss_name(state);

	return name[0] == '?' ? NULL : name;
}

static const char *reason_name(unsigned int reason)
{
	return reason ? tern_drop_name(reason) : NULL;
}

/* Bits of enum tern_tcp_option. */
static const char *option_name(unsigned int bit)
{
	static const char *const names[] = { "mss", "wscale", "sackok", "ts", "sack", "fastopen" };

	return bit < TERN_ARRAY_SIZE(names) ? names[bit] : NULL;
}

/* Bits of enum tern_tcp_flag, as tcpdump writes them. */
static const char *flag_letter(unsigned int bit)
{
	static const char *const letters[] = { "F", "S", "R", "P", ".", "U", "E", "W", "e" };

	return bit < TERN_ARRAY_SIZE(letters) ? letters[bit] : NULL;
}

/* clang-format off */
#define SOCKET(kind, group, key, member) \
	TERN_FIELD(tern_socket_info, kind, group, key, member, 0, NULL)
#define NAMED(kind, group, key, member, name) \
	TERN_FIELD(tern_socket_info, kind, group, key, member, 0, name)
#define LISTEN(key, member) \
	TERN_FIELD(tern_socket_info, INT, "listen", key, member, TERN_INFO_LISTEN, NULL)
#define TCP(key, member) \
	TERN_FIELD(tern_socket_info, INT, "tcp", key, member, TERN_INFO_TCP, NULL)

static const struct tern_field socket_rows[] = {
	SOCKET(HEX, NULL, "id", id),
	SOCKET(HEX, NULL, "cookie", cookie),
	NAMED(NAMED, NULL, "proto", proto, proto_name),
	NAMED(NAMED, NULL, "state", state, state_name),
	SOCKET(INT, NULL, "recv_q", recv_q),
	SOCKET(INT, NULL, "send_q", send_q),
	SOCKET(ADDR, "local", "addr", local.addr),
	SOCKET(INT, "local", "port", local.port),
	SOCKET(ADDR, "peer", "addr", remote.addr),
	SOCKET(INT, "peer", "port", remote.port),
	NAMED(NAMED, "timer", "kind", timer, tern_record_timer_name),
	SOCKET(INT, "timer", "expires_ns", timer_ns),
	SOCKET(INT, "timer", "retrans", retrans),
	SOCKET(INT, NULL, "age_ns", age_ns),
	SOCKET(BOOL, NULL, "orphan", orphan),
	SOCKET(BOOL, NULL, "unaccepted", unaccepted),
	SOCKET(BOOL, NULL, "nodelay", nodelay),
	SOCKET(BOOL, NULL, "keepalive", keepalive),
	SOCKET(INT, "skmem", "rmem_alloc", mem.rmem_alloc),
	SOCKET(INT, "skmem", "rcvbuf", mem.rcvbuf),
	SOCKET(INT, "skmem", "wmem_alloc", mem.wmem_alloc),
	SOCKET(INT, "skmem", "sndbuf", mem.sndbuf),
	SOCKET(INT, "skmem", "fwd_alloc", mem.fwd_alloc),
	SOCKET(INT, "skmem", "wmem_queued", mem.wmem_queued),
	SOCKET(INT, "skmem", "optmem", mem.optmem),
	SOCKET(INT, "skmem", "backlog", mem.backlog),
	SOCKET(INT, "skmem", "drops", mem.drops),
	LISTEN("synq", synq),
	LISTEN("synq_max", synq_max),
	LISTEN("acceptq", acceptq),
	LISTEN("acceptq_max", acceptq_max),
	LISTEN("drops", listen_drops),
	LISTEN("overflows", listen_overflows),
	TERN_FIELD(tern_socket_info, BITS, "tcp", "options", options, TERN_INFO_TCP, option_name),
	TCP("snd_wscale", snd_wscale),
	TCP("rcv_wscale", rcv_wscale),
	TCP("rtt_us", rtt_us),
	TCP("rttvar_us", rttvar_us),
	TCP("rto_us", rto_us),
	TCP("min_rtt_us", min_rtt_us),
	TCP("mss", mss),
	TCP("pmtu", pmtu),
	TCP("advmss", advmss),
	TCP("cwnd", cwnd),
	TCP("ssthresh", ssthresh),
	TCP("unacked", unacked),
	TCP("snd_wnd", snd_wnd),
	TCP("rcv_wnd", rcv_wnd),
	TCP("bytes_sent", bytes_sent),
	TCP("bytes_retrans", bytes_retrans),
	TCP("bytes_acked", bytes_acked),
	TCP("bytes_received", bytes_received),
	TCP("segs_out", segs_out),
	TCP("segs_in", segs_in),
	TCP("data_segs_out", data_segs_out),
	TCP("data_segs_in", data_segs_in),
	TCP("total_retrans", total_retrans),
	TCP("last_snd_ms", last_snd_ms),
	TCP("last_rcv_ms", last_rcv_ms),
	TERN_FIELD(tern_socket_info, STRING, "tcp", "congestion", congestion, TERN_INFO_TCP, NULL),
};

#define STACK(kind, group, key, member) \
	TERN_FIELD(tern_stack_info, kind, group, key, member, 0, NULL)

static const struct tern_field stack_rows[] = {
	STACK(STRING, NULL, "tern_version", version),
	STACK(INT, NULL, "now_ns", now_ns),
	STACK(INT, "tcp", "conns", conns),
	STACK(INT, "tcp", "conns_max", conns_max),
	STACK(INT, "tcp", "orphans", orphans),
	STACK(INT, "tcp", "half_opens", halfopens),
	STACK(INT, "tcp", "half_opens_max", halfopens_max),
	STACK(INT, "tcp", "time_waits", timewaits),
	STACK(INT, "tcp", "time_waits_max", timewaits_max),
	STACK(INT, "tcp", "listeners", listeners),
	STACK(INT, "tcp", "accept_queued", accept_queued),
	STACK(INT, "udp", "sockets", udps),
	STACK(INT, "memory", "tcp_buffer_bytes", tcp_buffer_bytes),
	STACK(INT, "memory", "tcp_buffer_limit", tcp_buffer_limit),
	STACK(INT, "memory", "udp_buffer_bytes", udp_buffer_bytes),
	STACK(INT, "memory", "bytes", memory_bytes),
	STACK(INT, "memory", "peak_bytes", memory_peak_bytes),
	STACK(BOOL, "memory", "pressure", pressure),
};

#define TRACE(kind, group, key, member, name) \
	TERN_FIELD(tern_trace_record, kind, group, key, member, 0, name)

static const struct tern_field trace_rows[] = {
	TRACE(INT, NULL, "time_ns", time_ns, NULL),
	TRACE(NAMED, NULL, "kind", kind, tern_event_name),
	TRACE(ADDR, "local", "addr", local.addr, NULL),
	TRACE(INT, "local", "port", local.port, NULL),
	TRACE(ADDR, "peer", "addr", remote.addr, NULL),
	TRACE(INT, "peer", "port", remote.port, NULL),
	TRACE(NAMED, NULL, "before", before, state_name),
	TRACE(NAMED, NULL, "after", after, state_name),
	TRACE(LETTERS, NULL, "flags", flags, flag_letter),
	TRACE(INT, NULL, "seq", seq, NULL),
	TRACE(INT, NULL, "ack", ack, NULL),
	TRACE(INT, NULL, "win", window, NULL),
	TRACE(INT, NULL, "len", length, NULL),
	TRACE(BITS, NULL, "options", options, option_name),
	TRACE(INT, NULL, "mss", mss, NULL),
	TRACE(INT, NULL, "wscale", wscale, NULL),
	TRACE(INT, NULL, "tsval", tsval, NULL),
	TRACE(INT, NULL, "tsecr", tsecr, NULL),
	TRACE(NAMED, NULL, "reason", reason, reason_name),
};

#define HOLDER(kind, key, member) TERN_FIELD(tern_holder, kind, NULL, key, member, 0, NULL)

static const struct tern_field holder_rows[] = {
	HOLDER(HEX, "id", id),
	HOLDER(CHARS, "name", name),
	HOLDER(INT, "pid", pid),
	HOLDER(INT, "fd", fd),
};
/* clang-format on */

static const struct tern_fields socket_fields = {
	.rows = socket_rows,
	.count = TERN_ARRAY_SIZE(socket_rows),
	.size = sizeof(struct tern_socket_info),
	.has_at = offsetof(struct tern_socket_info, has),
};

static const struct tern_fields stack_fields = {
	.rows = stack_rows,
	.count = TERN_ARRAY_SIZE(stack_rows),
	.size = sizeof(struct tern_stack_info),
	.has_at = SIZE_MAX,
};

static const struct tern_fields trace_fields = {
	.rows = trace_rows,
	.count = TERN_ARRAY_SIZE(trace_rows),
	.size = sizeof(struct tern_trace_record),
	.has_at = SIZE_MAX,
};

/* Within a socket's record "id" is known: the rows behind it are written. */
static const struct tern_fields user_fields = {
	.rows = holder_rows + 1,
	.count = TERN_ARRAY_SIZE(holder_rows) - 1,
	.size = sizeof(struct tern_holder),
	.has_at = SIZE_MAX,
};

static const struct tern_fields holder_fields = {
	.rows = holder_rows,
	.count = TERN_ARRAY_SIZE(holder_rows),
	.size = sizeof(struct tern_holder),
	.has_at = SIZE_MAX,
};

void tern_record_write_socket(struct tern_json *json, const char *key,
			      const struct tern_socket_info *row, const struct tern_holders *users)
{
	tern_json_object(json, key);
	tern_fields_write_members(json, &socket_fields, row);
	if (users) {
		tern_json_array(json, "users");
		for (size_t i = 0; i < users->count; i++)
			tern_fields_write(json, NULL, &user_fields, &users->rows[i]);
		tern_json_end(json);
	}
	tern_json_end(json);
}

void tern_record_write_holder(struct tern_json *json, const char *key,
			      const struct tern_holder *holder)
{
	tern_fields_write(json, key, &holder_fields, holder);
}

void tern_record_write_stack(struct tern_json *json, const char *key,
			     const struct tern_stack_info *info)
{
	tern_fields_write(json, key, &stack_fields, info);
}

void tern_record_write_trace(struct tern_json *json, const char *key,
			     const struct tern_trace_record *record)
{
	tern_fields_write(json, key, &trace_fields, record);
}

int tern_record_read_socket(const char *text, size_t len, char strings[TERN_RECORD_STRINGS],
			    struct tern_socket_info *ret_row)
{
	struct tern_text kept;

	tern_text_init(&kept, strings, TERN_RECORD_STRINGS);
	return tern_fields_read(&socket_fields, text, len, true, &kept, ret_row);
}

int tern_record_read_stack(const char *text, size_t len, char strings[TERN_RECORD_STRINGS],
			   struct tern_stack_info *ret_info)
{
	struct tern_text kept;

	tern_text_init(&kept, strings, TERN_RECORD_STRINGS);
	return tern_fields_read(&stack_fields, text, len, true, &kept, ret_info);
}

int tern_record_read_trace(const char *text, size_t len, struct tern_trace_record *ret_record)
{
	return tern_fields_read(&trace_fields, text, len, true, NULL, ret_record);
}

int tern_record_read_holder(const char *text, size_t len, struct tern_holder *ret_holder)
{
	return tern_fields_read(&holder_fields, text, len, true, NULL, ret_holder);
}
