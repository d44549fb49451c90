/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/summary.c: counts rows the way Linux counts its sockets, so that the first lines of
 * `ss -s` mean the same.
 *
 * In the kernel "estab" is Tcp.CurrEstab: ESTABLISHED and CLOSE-WAIT. "closed" is what is in no
 * table of live sockets: sockets that were never bound or connected, and TIME-WAIT. The table
 * counts sockets, so neither TIME-WAIT nor half-open records; a dual-stack socket counts as IPv6.
 */
#include "report/summary.h"

#include "report/json.h"
#include "report/record.h"
#include "report/sink.h"
#include "tern/trace.h"
#include "tern/wire.h"

struct counts {
	uint32_t tcp, tcp6, udp, udp6; /* live sockets; the 6 ones of them IPv6 */
	uint32_t estab, closed, orphans, timewaits;
};

static void count_tcp(struct counts *counts, const struct tern_socket_info *row, bool is6)
{
	counts->estab += row->state == TERN_ESTABLISHED || row->state == TERN_CLOSE_WAIT;
	counts->orphans += row->orphan && row->state != TERN_TIME_WAIT;
	if (row->state == TERN_TIME_WAIT) {
		counts->timewaits++;
		counts->closed++;
	} else if (row->state == TERN_CLOSED) {
		counts->closed++;
	} else if (row->state != TERN_SYN_RECEIVED || row->has) {
		counts->tcp++;
		counts->tcp6 += is6;
	}
}

static struct counts count(const struct tern_socket_info *rows, size_t n)
{
	struct counts counts = { 0 };

	for (size_t i = 0; i < n; i++) {
		bool is6 = rows[i].local.addr.family != TERN_INET;

		if (rows[i].proto == TERN_PROTO_UDP) {
			counts.udp++;
			counts.udp6 += is6;
		} else {
			count_tcp(&counts, &rows[i], is6);
		}
	}
	return counts;
}

static void part(struct tern_sink *out, const char *before, uint64_t v)
{
	tern_sink_str(out, before);
	tern_sink_u64(out, v);
}

/* A number in a column of ten. */
static void cell(struct tern_sink *out, uint64_t v)
{
	size_t from = out->len;

	tern_sink_u64(out, v);
	if (out->len - from < 10)
		tern_sink_fill(out, ' ', 10 - (out->len - from));
}

static void table_row(struct tern_sink *out, const char *name, uint64_t total, uint64_t v6)
{
	tern_sink_str(out, name);
	tern_sink_str(out, "\t  ");
	cell(out, total);
	cell(out, total - v6);
	cell(out, v6);
	tern_sink_newline(out);
}

static void limits(struct tern_sink *out, const struct tern_stack_info *info)
{
	part(out, "Connections ", info->conns);
	part(out, " of ", info->conns_max);
	part(out, ", half-open ", info->halfopens);
	part(out, " of ", info->halfopens_max);
	part(out, ", unaccepted ", info->accept_queued);
	part(out, ", timewait ", info->timewaits);
	part(out, " of ", info->timewaits_max);
	tern_sink_newline(out);
	part(out, "Memory    TCP buffers ", info->tcp_buffer_bytes);
	part(out, " of ", info->tcp_buffer_limit);
	tern_sink_str(out, info->pressure ? " bytes (pressure)" : " bytes");
	part(out, ", UDP buffers ", info->udp_buffer_bytes);
	part(out, " bytes, engine ", info->memory_bytes);
	part(out, " bytes (peak ", info->memory_peak_bytes);
	tern_sink_str(out, ")\n");
}

void tern_summary_text(struct tern_sink *out, const struct tern_stack_info *info,
		       const struct tern_socket_info *rows, size_t n)
{
	struct counts counts = count(rows, n);

	part(out, "Total: ", (uint64_t)counts.tcp + counts.closed - counts.timewaits + counts.udp);
	part(out, "\nTCP:   ", (uint64_t)counts.tcp + counts.closed);
	part(out, " (estab ", counts.estab);
	part(out, ", closed ", counts.closed);
	part(out, ", orphaned ", counts.orphans);
	part(out, ", timewait ", counts.timewaits);
	tern_sink_str(out, ")\n\nTransport Total     IP        IPv6\n");
	table_row(out, "UDP", counts.udp, counts.udp6);
	table_row(out, "TCP", counts.tcp, counts.tcp6);
	table_row(out, "INET", (uint64_t)counts.tcp + counts.udp,
		  (uint64_t)counts.tcp6 + counts.udp6);
	tern_sink_newline(out);
	limits(out, info);
}

void tern_summary_json(struct tern_json *json, const struct tern_stack_info *info,
		       const struct tern_socket_info *rows, size_t n)
{
	struct counts counts = count(rows, n);

	tern_json_object(json, NULL);
	tern_json_str(json, "schema", "tern.ss.summary");
	tern_json_u64(json, "version", TERN_RECORD_VERSION);
	tern_json_object(json, "sockets");
	tern_json_u64(json, "tcp", counts.tcp);
	tern_json_u64(json, "tcp_ipv6", counts.tcp6);
	tern_json_u64(json, "udp", counts.udp);
	tern_json_u64(json, "udp_ipv6", counts.udp6);
	tern_json_u64(json, "estab", counts.estab);
	tern_json_u64(json, "closed", counts.closed);
	tern_json_u64(json, "orphaned", counts.orphans);
	tern_json_u64(json, "timewait", counts.timewaits);
	tern_json_end(json);
	tern_record_write_stack(json, "stack", info);
	tern_json_end(json);
}
