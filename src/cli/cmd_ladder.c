/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_ladder.c: tern ladder: a connection of a running stack, drawn from its trace.
 *
 * The connection is named by an end of it or by its number in --list; without, it is the one that
 * began last. Where both ends are in the stack the other end's states are known as well; else
 * report infers them and says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/view.h"
#include "report/flows.h"
#include "report/ladder.h"

enum {
	FLOWS_MAX = 65536,
	LINES_MAX = 10000,
	SHOWN_MAX = 64, /* of a user's word, in an error */
};

struct request {
	struct tern_view view;
	const char *flow; /* as the user wrote it, or NULL */
	uint64_t number;  /* in the list, or 0 */
	struct tern_endpoint end;
	bool list, ascii;
	uint64_t lines;
	struct tern_trace_flow *flows;
	size_t flow_count;
};

/* "10.77.0.1:7", "[fd77::1]:7": 0 or -1. */
static int read_endpoint(const char *text, struct tern_endpoint *ret)
{
	const char *colon = strrchr(text, ':');
	char addr[TERN_TEXT_ADDR_MAX];
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(addr))
		return -1;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (tern_addr_parse(addr, &ret->addr) < 0 || tern_text_parse_u64(colon + 1, &port) < 0 ||
	    port > UINT16_MAX)
		return -1;
	ret->port = (uint16_t)port;
	return 0;
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	int id;

	while ((id = tern_cli_next(args)) > 0) {
		if (id == TERN_OPT_NAME)
			r->view.name = args->value;
		else if (id == TERN_OPT_LIST)
			r->list = true;
		else if (id == TERN_OPT_ASCII)
			r->ascii = true;
		else if (id == TERN_OPT_FLOW)
			r->flow = args->value;
		else if (id == TERN_OPT_LINES && tern_cli_number(args, 8, LINES_MAX, &r->lines) < 0)
			return false;
		if (id != TERN_OPT_OPERAND)
			continue;
		tern_cli_wrong(args, "'%s' is one too many; a connection is named by --flow",
			       args->value);
		return false;
	}
	if (id < 0)
		return false;
	if (!r->flow || read_endpoint(r->flow, &r->end) == 0)
		return true;
	if (tern_text_parse_u64(r->flow, &r->number) == 0 && r->number > 0)
		return true;
	tern_cli_wrong(args, "--flow wants ADDR:PORT or a number of --list, not '%.*s'", SHOWN_MAX,
		       r->flow);
	return false;
}

static bool is_end(const struct tern_endpoint *a, const struct tern_endpoint *b)
{
	return a->port == b->port && tern_addr_eq(&a->addr, &b->addr);
}

/* The connection that was asked for, or NULL. */
static const struct tern_trace_flow *choose(const struct request *r)
{
	const struct tern_trace_flow *flow;

	if (r->number)
		return r->number <= r->flow_count ? &r->flows[r->number - 1] : NULL;
	for (size_t i = r->flow_count; i-- > 0;) {
		flow = &r->flows[i];
		if (!r->flow || is_end(&r->end, &flow->local) || is_end(&r->end, &flow->remote))
			return flow;
	}
	return NULL;
}

/* Does the trace hold the other end of it, too? */
static bool both_ends(const struct request *r, const struct tern_trace_flow *flow)
{
	for (size_t i = 0; i < r->flow_count; i++)
		if (is_end(&r->flows[i].local, &flow->remote) &&
		    is_end(&r->flows[i].remote, &flow->local))
			return true;
	return false;
}

static int draw(struct request *r)
{
	const struct tern_trace_flow *flow = choose(r);
	struct tern_view *view = &r->view;
	struct tern_ladder_options options = { .lines = (unsigned int)r->lines, .ascii = r->ascii };

	if (!flow && r->flow)
		return tern_cli_problem(view->args,
					"no connection '%.*s' is remembered; --list shows those "
					"that are",
					SHOWN_MAX, r->flow);
	if (!flow)
		return tern_cli_problem(view->args, "no connection is remembered yet");
	options.local = flow->local;
	options.remote = flow->remote;
	if (both_ends(r, flow)) {
		options.peer = view->records;
		options.peer_count = view->record_count;
	}
	(void)tern_ladder_text(&view->out, &options, view->records, view->record_count);
	return tern_view_flush(view);
}

static int show(struct request *r)
{
	struct tern_view *view = &r->view;
	int status = tern_view_open(view);

	if (status == TERN_CLI_OK)
		status = tern_view_trace(view);
	if (status != TERN_CLI_OK)
		return status;
	r->flows = calloc(FLOWS_MAX, sizeof(*r->flows));
	if (!r->flows)
		return tern_cli_problem(view->args, "no memory");
	r->flow_count = tern_flows_list(view->records, view->record_count, r->flows, FLOWS_MAX);
	if (!r->list)
		return draw(r);
	tern_flows_text(&view->out, r->flows, r->flow_count);
	return tern_view_flush(view);
}

int tern_cli_ladder(struct tern_cli_args *args)
{
	struct request r = { 0 };
	int status;

	tern_view_init(&r.view, args);
	status = read_arguments(&r) ? show(&r) : args->status;
	tern_view_close(&r.view);
	free(r.flows);
	return status;
}
