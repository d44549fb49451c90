/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/cmd_ss.c: tern ss: the sockets of a running stack.
 *
 * Options and words are read first, so that what is wrong with them is said also where no stack
 * runs. Service names come from the system's list (/etc/services), once, into a table: report asks
 * no system.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/view.h"
#include "report/filter.h"
#include "report/json.h"
#include "report/ss.h"
#include "report/summary.h"

enum { EXPRESSION_MAX = 4096 };

struct request {
	struct tern_view view;
	struct tern_ss_options options;
	struct tern_filter filter;
	struct tern_services services;
	bool all, listening, tcp, udp, summary, json, pretty, numeric;
	uint8_t family;
	char words[EXPRESSION_MAX]; /* the filter */
	struct tern_text expression;
};

/* Port of a struct servent: network order in an int. */
static uint16_t service_port(int s_port)
{
	uint16_t wire = (uint16_t)s_port;
	uint8_t b[2];

	memcpy(b, &wire, sizeof(b));
	return (uint16_t)(b[0] << 8 | b[1]);
}

/* The system's services. Without memory there are fewer names, and numbers instead. */
static void read_services(struct tern_services *services)
{
	struct tern_service *rows = NULL;
	size_t cap = 0;
	struct servent *entry;

	setservent(1);
	while ((entry = getservent())) {
		struct tern_service row = { .port = service_port(entry->s_port) };

		row.proto = strcmp(entry->s_proto, "tcp") == 0   ? TERN_PROTO_TCP
			    : strcmp(entry->s_proto, "udp") == 0 ? TERN_PROTO_UDP
								 : 0;
		if (!row.proto)
			continue;
		if (services->count == cap) {
			struct tern_service *grown = realloc(rows, (cap + 256) * sizeof(*rows));

			if (!grown)
				break;
			rows = grown;
			cap += 256;
		}
		row.name = strdup(entry->s_name);
		if (!row.name)
			break;
		rows[services->count++] = row;
	}
	endservent();
	services->rows = rows;
}

static void free_services(struct tern_services *services)
{
	for (size_t i = 0; i < services->count; i++)
		free((char *)(uintptr_t)services->rows[i].name);
	free((struct tern_service *)(uintptr_t)services->rows);
}

/* The switches that are only to be remembered. */
static bool *switch_of(struct request *r, int id)
{
	switch (id) {
	case TERN_OPT_ALL:
		return &r->all;
	case TERN_OPT_LISTENING:
		return &r->listening;
	case TERN_OPT_TCP:
		return &r->tcp;
	case TERN_OPT_UDP:
		return &r->udp;
	case TERN_OPT_SUMMARY:
		return &r->summary;
	case TERN_OPT_JSON:
		return &r->json;
	case TERN_OPT_PRETTY:
		return &r->pretty;
	case TERN_OPT_NUMERIC:
		return &r->numeric;
	case TERN_OPT_TIMERS:
		return &r->options.timers;
	case TERN_OPT_EXTENDED:
		return &r->options.extended;
	case TERN_OPT_MEMORY:
		return &r->options.memory;
	case TERN_OPT_PROCESSES:
		return &r->options.processes;
	case TERN_OPT_ONELINE:
		return &r->options.oneline;
	case TERN_OPT_NO_HEADER:
		return &r->options.no_header;
	default:
		return NULL;
	}
}

/* False when the command ends here, with args->status. */
static bool read_arguments(struct request *r)
{
	struct tern_cli_args *args = r->view.args;
	bool *flag;
	int id;

	tern_text_init(&r->expression, r->words, sizeof(r->words));
	while ((id = tern_cli_next(args)) > 0) {
		flag = switch_of(r, id);
		if (flag) {
			*flag = true;
		} else if (id == TERN_OPT_NAME) {
			r->view.name = args->value;
		} else if (id == TERN_OPT_INET || id == TERN_OPT_INET6) {
			r->family = id == TERN_OPT_INET ? TERN_INET : TERN_INET6;
		} else if (id == TERN_OPT_OPERAND) {
			tern_text_str(&r->expression, args->value);
			tern_text_char(&r->expression, ' ');
		}
	}
	if (id == 0 && r->expression.cut)
		tern_cli_wrong(args, "the filter is too long; %d bytes are the most",
			       EXPRESSION_MAX - 1);
	return id == 0 && !r->expression.cut;
}

/* False when the filter is wrong; args->status says so. */
static bool read_filter(struct request *r)
{
	unsigned int protos = (r->tcp ? TERN_FILTER_TCP : 0u) | (r->udp ? TERN_FILTER_UDP : 0u);
	char why[256];
	struct tern_text error;

	tern_filter_init(&r->filter, protos ? protos : TERN_FILTER_TCP | TERN_FILTER_UDP, r->all,
			 r->listening);
	if (r->family)
		r->filter.family = r->family;
	tern_text_init(&error, why, sizeof(why));
	if (tern_filter_parse(&r->filter, r->words, &r->services, &error) == 0)
		return true;
	tern_cli_wrong(r->view.args, "%s", why);
	return false;
}

static void write_report(struct request *r)
{
	struct tern_view *view = &r->view;
	struct tern_json json;

	tern_json_init(&json, &view->out, r->pretty);
	if (r->summary && (r->json || r->pretty))
		tern_summary_json(&json, &view->info, view->rows, view->row_count);
	else if (r->summary)
		tern_summary_text(&view->out, &view->info, view->rows, view->row_count);
	else if (r->json || r->pretty)
		tern_ss_json(&json, &r->options, view->rows, view->row_count);
	else
		tern_ss_table(&view->out, &r->options, view->rows, view->row_count);
}

static int show(struct request *r)
{
	struct tern_view *view = &r->view;
	int status;

	r->options.filter = &r->filter;
	r->options.services = r->numeric ? NULL : &r->services;
	r->options.width = tern_view_width();
	status = tern_view_open(view);
	if (status == TERN_CLI_OK)
		status = tern_view_sockets(view);
	if (status == TERN_CLI_OK && r->options.processes && !r->summary)
		status = tern_view_holders(view);
	if (status == TERN_CLI_OK && r->summary)
		status = tern_view_info(view);
	if (status != TERN_CLI_OK)
		return status;
	r->options.holders = (struct tern_holders){ view->holders, view->holder_count };
	write_report(r);
	return tern_view_flush(view);
}

int tern_cli_ss(struct tern_cli_args *args)
{
	struct request *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return tern_cli_problem(args, "no memory");
	tern_view_init(&r->view, args);
	if (!read_arguments(r)) {
		free(r);
		return args->status;
	}
	read_services(&r->services);
	status = read_filter(r) ? show(r) : args->status;
	tern_view_close(&r->view);
	free_services(&r->services);
	free(r);
	return status;
}
