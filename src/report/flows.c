/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/flows.c: groups the records of a trace by their endpoints.
 *
 * Flows are looked for one by one, the last one found first: records of one connection come in
 * bunches. A tuple that is used again counts as the same flow.
 */
#include "report/flows.h"

#include <string.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/text.h"
#include "report/sink.h"

static bool same_end(const struct tern_endpoint *a, const struct tern_endpoint *b)
{
	return a->port == b->port && tern_addr_eq(&a->addr, &b->addr);
}

bool tern_flows_match(const struct tern_trace_record *record, const struct tern_endpoint *local,
		      const struct tern_endpoint *remote)
{
	return same_end(&record->remote, remote) && same_end(&record->local, local);
}

static void add(struct tern_trace_flow *flow, const struct tern_trace_record *record)
{
	flow->last_ns = record->time_ns;
	if (record->after)
		flow->state = record->after;
	if (record->kind == TERN_TRACE_STATE)
		return;
	flow->segments++;
	flow->drops += record->reason != 0;
	if (record->kind == TERN_TRACE_SEGMENT_IN)
		flow->bytes_in += record->length;
	else
		flow->bytes_out += record->length;
}

size_t tern_flows_list(const struct tern_trace_record *records, size_t n,
		       struct tern_trace_flow *flows, size_t max)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t looked = 0;

		while (looked < count &&
		       !tern_flows_match(&records[i], &flows[at].local, &flows[at].remote)) {
			at = (at + 1) % count;
			looked++;
		}
		if (looked == count) {
			if (count == max)
				continue;
			at = count++;
			flows[at] = (struct tern_trace_flow){
				.local = records[i].local,
				.remote = records[i].remote,
				.first_ns = records[i].time_ns,
				.state = TERN_CLOSED,
			};
		}
		add(&flows[at], &records[i]);
	}
	return count;
}

void tern_flows_bytes(struct tern_sink *out, uint64_t bytes)
{
	static const char *const units[] = { " kB", " MB", " GB", " TB", " PB", " EB" };
	char buf[32];
	struct tern_text text;
	size_t unit = 0;

	if (bytes < 1000) {
		tern_sink_u64(out, bytes);
		tern_sink_str(out, " B");
		return;
	}
	while (bytes >= 1000000 && unit + 1 < TERN_ARRAY_SIZE(units)) {
		bytes /= 1000;
		unit++;
	}
	tern_text_init(&text, buf, sizeof(buf));
	tern_text_fixed(&text, bytes / 100, 1);
	tern_sink_text(out, &text);
	tern_sink_str(out, units[unit]);
}

static void pad(struct tern_sink *out, size_t from, size_t width)
{
	size_t len = out->len - from;

	tern_sink_fill(out, ' ', len < width ? width - len : 1);
}

static void endpoint(struct tern_sink *out, const struct tern_endpoint *end)
{
	char buf[TERN_TEXT_ENDPOINT_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	tern_text_endpoint(&text, end);
	tern_sink_text(out, &text);
}

static void seconds(struct tern_sink *out, uint64_t ns)
{
	char buf[32];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	tern_text_fixed(&text, ns / 1000000, 3);
	tern_sink_text(out, &text);
}

static size_t widest(const struct tern_trace_flow *flows, size_t n)
{
	size_t width = strlen("Local Address:Port");

	for (size_t i = 0; i < n; i++) {
		char buf[TERN_TEXT_ENDPOINT_MAX];
		struct tern_text text;

		tern_text_init(&text, buf, sizeof(buf));
		tern_text_endpoint(&text, &flows[i].local);
		width = TERN_MAX(width, text.len);
		tern_text_init(&text, buf, sizeof(buf));
		tern_text_endpoint(&text, &flows[i].remote);
		width = TERN_MAX(width, text.len);
	}
	return width + 2;
}

static void flow_row(struct tern_sink *out, const struct tern_trace_flow *flow, uint64_t start_ns,
		     size_t width)
{
	size_t from = out->len;

	endpoint(out, &flow->local);
	pad(out, from, width);
	from = out->len;
	endpoint(out, &flow->remote);
	pad(out, from, width);
	from = out->len;
	seconds(out, flow->first_ns - start_ns);
	pad(out, from, 10);
	from = out->len;
	seconds(out, flow->last_ns - flow->first_ns);
	pad(out, from, 10);
	from = out->len;
	tern_sink_u64(out, flow->segments);
	pad(out, from, 10);
	from = out->len;
	tern_flows_bytes(out, flow->bytes_in);
	pad(out, from, 10);
	from = out->len;
	tern_flows_bytes(out, flow->bytes_out);
	pad(out, from, 10);
	from = out->len;
	tern_sink_u64(out, flow->drops);
	pad(out, from, 7);
	tern_sink_str(out, tern_state_name(flow->state));
	tern_sink_newline(out);
}

void tern_flows_text(struct tern_sink *out, const struct tern_trace_flow *flows, size_t n)
{
	size_t width = widest(flows, n), from = out->len;

	tern_sink_str(out, "  #  Local Address:Port");
	pad(out, from, 5 + width);
	from = out->len;
	tern_sink_str(out, "Peer Address:Port");
	pad(out, from, width);
	tern_sink_str(out, "Start     Duration  Segments  In        Out       Drops  State\n");
	for (size_t i = 0; i < n; i++) {
		from = out->len;
		tern_sink_fill(out, ' ', i + 1 < 10 ? 2 : i + 1 < 100);
		tern_sink_u64(out, i + 1);
		pad(out, from, 5);
		flow_row(out, &flows[i], flows[0].first_ns, width);
	}
}
