/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/view.c: looking at a running stack through its control socket.
 *
 * Whole tables are read before anything is written: widths of columns, totals and ladders need
 * them, and a stack that goes away meanwhile gives an error instead of half a table.
 */
#include "cli/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/client.h"
#include "report/json_read.h"

enum { FIRST_CAP = 256, WIDTH_MAX = 1000 };

void tern_view_init(struct tern_view *view, struct tern_cli_args *args)
{
	*view = (struct tern_view){ .args = args };
	tern_sink_init(&view->out, &view->mem, 0);
}

int tern_view_open(struct tern_view *view)
{
	char why[TERN_ERROR_MAX] = "";
	int err = tern_ctl_open(view->name, &view->client, why);

	return err ? tern_cli_failed(view->args, err, why) : TERN_CLI_OK;
}

bool tern_view_runs(struct tern_view *view)
{
	char why[TERN_ERROR_MAX] = "";

	return tern_ctl_open(view->name, &view->client, why) == 0;
}

int tern_view_ask(struct tern_view *view, const char *request, tern_view_line *take)
{
	const char *line, *name = tern_ctl_name(view->client);
	size_t len;
	int err = tern_ctl_ask(view->client, request);

	while (!err) {
		int more = tern_ctl_next(view->client, &line, &len);

		if (more <= 0) {
			err = more;
			break;
		}
		err = take(view, line, len);
	}
	switch (err) {
	case 0:
		return TERN_CLI_OK;
	case -EREMOTEIO:
		return tern_cli_problem(view->args, "%s", tern_ctl_error(view->client));
	case -EPIPE:
		return tern_cli_problem(view->args, "stack %s has ended", name);
	case -ETIMEDOUT:
		return tern_cli_problem(view->args, "stack %s does not answer", name);
	case -ENOMEM:
		return tern_cli_problem(view->args, "no memory");
	default:
		return tern_cli_problem(view->args, "stack %s gave an answer that is none (%s)",
					name, strerror(-err));
	}
}

int tern_view_member(const char *line, size_t len, struct tern_view_member *ret)
{
	struct tern_json_reader reader;
	struct tern_json_token token;
	int more;

	*ret = (struct tern_view_member){ 0 };
	tern_json_reader_init(&reader, line, len, 1);
	while ((more = tern_json_next(&reader, &token)) == 1) {
		bool is_value = strcmp(token.key, "value") == 0;

		if (token.kind == TERN_JSON_NUMBER && is_value) {
			ret->number = token.number;
		} else if (token.kind == TERN_JSON_STRING && is_value) {
			(void)snprintf(ret->text, sizeof(ret->text), "%s", token.str);
		} else if (token.kind == TERN_JSON_STRING) {
			(void)snprintf(ret->what, sizeof(ret->what), "%s", token.key);
			(void)snprintf(ret->name, sizeof(ret->name), "%s", token.str);
		}
	}
	return more < 0 || !ret->name[0] ? -EINVAL : 0;
}

/* Room for one more of `size` bytes in a table. 0 or -ENOMEM. */
static int grow(void **table, size_t size, size_t count, size_t *cap)
{
	size_t wanted = *cap ? 2 * *cap : FIRST_CAP;
	void *grown;

	if (count < *cap)
		return 0;
	grown = realloc(*table, wanted * size);
	if (!grown)
		return -ENOMEM;
	*table = grown;
	*cap = wanted;
	return 0;
}

/* Few names come again and again: each is kept once. */
static const char *keep_name(struct tern_view *view, const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < TERN_VIEW_NAMES; i++) {
		if (!view->names[i][0])
			(void)snprintf(view->names[i], sizeof(view->names[i]), "%s", name);
		if (strncmp(view->names[i], name, sizeof(view->names[i]) - 1) == 0)
			return view->names[i];
	}
	return NULL;
}

static int take_socket(struct tern_view *view, const char *line, size_t len)
{
	char strings[TERN_RECORD_STRINGS];
	void *table = view->rows;
	struct tern_socket_info *row;
	int err = grow(&table, sizeof(*row), view->row_count, &view->row_cap);

	if (err)
		return err;
	view->rows = table;
	row = &view->rows[view->row_count];
	err = tern_record_read_socket(line, len, strings, row);
	if (err)
		return err;
	row->congestion = keep_name(view, row->congestion);
	view->row_count++;
	return 0;
}

static int take_info(struct tern_view *view, const char *line, size_t len)
{
	return tern_record_read_stack(line, len, view->info_strings, &view->info);
}

static int take_record(struct tern_view *view, const char *line, size_t len)
{
	void *table = view->records;
	int err = grow(&table, sizeof(*view->records), view->record_count, &view->record_cap);

	if (err)
		return err;
	view->records = table;
	err = tern_record_read_trace(line, len, &view->records[view->record_count]);
	view->record_count += !err;
	return err;
}

static int take_holder(struct tern_view *view, const char *line, size_t len)
{
	void *table = view->holders;
	int err = grow(&table, sizeof(*view->holders), view->holder_count, &view->holder_cap);

	if (err)
		return err;
	view->holders = table;
	err = tern_record_read_holder(line, len, &view->holders[view->holder_count]);
	view->holder_count += !err;
	return err;
}

int tern_view_sockets(struct tern_view *view)
{
	return tern_view_ask(view, "{\"cmd\":\"sockets\"}", take_socket);
}

int tern_view_holders(struct tern_view *view)
{
	int status = tern_view_ask(view, "{\"cmd\":\"users\"}", take_holder);

	if (view->holder_count)
		qsort(view->holders, view->holder_count, sizeof(*view->holders), tern_holder_order);
	return status;
}

int tern_view_info(struct tern_view *view)
{
	return tern_view_ask(view, "{\"cmd\":\"info\"}", take_info);
}

int tern_view_trace(struct tern_view *view)
{
	return tern_view_ask(view, "{\"cmd\":\"trace\"}", take_record);
}

int tern_view_flush(struct tern_view *view)
{
	if (view->out.failed)
		return tern_cli_problem(view->args, "no memory");
	if (view->out.len)
		(void)fwrite(view->out.buf, 1, view->out.len, stdout);
	tern_sink_reset(&view->out);
	return tern_cli_flush(view->args);
}

void tern_view_close(struct tern_view *view)
{
	tern_ctl_close(view->client);
	tern_sink_free(&view->out);
	free(view->rows);
	free(view->records);
	free(view->holders);
}

unsigned int tern_view_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t n;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (columns && tern_text_parse_u64(columns, &n) == 0 && n > 0 && n <= WIDTH_MAX)
		return (unsigned int)n;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col <= WIDTH_MAX)
		return size.ws_col;
	return 0;
}
