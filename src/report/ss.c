/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/ss.c: formats socket rows into columns.
 *
 * Two passes over the rows: the first measures every cell, the second prints. A column is as wide
 * as its widest cell or its title; spare columns of a terminal are dealt out evenly, right ones
 * first, as ss does. Address and port are columns of their own that touch: addresses are aligned to
 * the right, ports to the left, so the colons stand below each other. The processes that hold a
 * socket stand first in the last column; there may be hundreds, so they are measured and printed
 * one by one, in no buffer.
 *
 * Where ss has a flaw we differ: no blanks at line ends, a blank before "Process" with any port,
 * no empty second line for rows that have no memory of their own.
 */
#include "report/ss.h"

#include <string.h>

#include "base/text.h"
#include "report/json.h"
#include "report/record.h"
#include "report/sink.h"
#include "tern/trace.h"

enum column { NETID, STATE, RECV_Q, SEND_Q, LOCAL, LOCAL_PORT, PEER, PEER_PORT, EXTRA, COLUMNS };

#define CELL_MAX  64
#define EXTRA_MAX 320
#define USER_MAX  (TERN_HOLDER_NAME_MAX + 48)

struct cells {
	struct tern_holders users;
	size_t users_len; /* of their text */
	struct tern_text cell[COLUMNS];
	char buf[EXTRA][CELL_MAX];
	char extra[EXTRA_MAX];
};

struct table {
	const struct tern_ss_options *options;
	bool hidden[COLUMNS];
	size_t width[COLUMNS];
	size_t spare[COLUMNS]; /* what a wide terminal adds to it */
};

static const char *const titles[COLUMNS] = {
	"Netid", "State",         "Recv-Q", "Send-Q",  "Local Address:",
	"Port",  "Peer Address:", "Port",   "Process",
};

static bool aligned_right(enum column column)
{
	return column == LOCAL || column == PEER;
}

/* Does a blank stand in front of the column? */
static bool apart(enum column column)
{
	return column != NETID && column != LOCAL_PORT && column != PEER_PORT && column != EXTRA;
}

void tern_ss_timer(struct tern_text *text, uint64_t ms)
{
	uint64_t seconds = ms / 1000, minutes = seconds / 60;

	seconds %= 60;
	ms %= 1000;
	if (minutes) {
		tern_text_u64(text, minutes);
		tern_text_str(text, "min");
		ms = 0;
		if (minutes > 9)
			seconds = 0;
	}
	if (seconds) {
		if (seconds > 9)
			ms = 0;
		tern_text_u64(text, seconds);
		tern_text_str(text, ms ? "." : "sec");
	}
	if (ms) {
		tern_text_char(text, (char)('0' + ms / 100));
		tern_text_char(text, (char)('0' + ms / 10 % 10));
		tern_text_char(text, (char)('0' + ms % 10));
		tern_text_str(text, "ms");
	}
}

/* "3m12s": a larger unit, and two digits of the next. */
static void two_units(struct tern_text *text, uint64_t large, char unit, uint64_t small, char next)
{
	tern_text_u64(text, large);
	tern_text_char(text, unit);
	tern_text_char(text, (char)('0' + small / 10));
	tern_text_char(text, (char)('0' + small % 10));
	tern_text_char(text, next);
}

void tern_ss_age(struct tern_text *text, uint64_t ns)
{
	uint64_t ms = ns / 1000000, seconds = ms / 1000, minutes = seconds / 60,
		 hours = minutes / 60;

	if (hours >= 24) {
		two_units(text, hours / 24, 'd', hours % 24, 'h');
	} else if (hours) {
		two_units(text, hours, 'h', minutes % 60, 'm');
	} else if (minutes) {
		two_units(text, minutes, 'm', seconds % 60, 's');
	} else if (seconds) {
		tern_text_u64(text, seconds);
		tern_text_char(text, 's');
	} else {
		tern_text_u64(text, ms);
		tern_text_str(text, "ms");
	}
}

/* "10.0.0.1:" or "[::1]:"; an unset peer is the wildcard of our family, as in ss. */
static void format_addr(struct tern_text *cell, const struct tern_addr *addr, uint8_t family)
{
	struct tern_addr shown = *addr;
	bool bracket;

	if (!shown.family)
		shown.family = family;
	bracket = shown.family == TERN_INET6;
	if (bracket)
		tern_text_char(cell, '[');
	tern_text_addr(cell, &shown);
	tern_text_str(cell, bracket ? "]:" : ":");
}

static void format_port(struct tern_text *cell, const struct tern_services *services, uint8_t proto,
			uint16_t port)
{
	const char *name = services && port ? tern_service_name(services, proto, port) : NULL;

	if (name)
		tern_text_str(cell, name);
	else if (port)
		tern_text_u64(cell, port);
	else
		tern_text_char(cell, '*');
}

static void append_number(struct tern_text *text, const char *name, uint64_t v)
{
	tern_text_str(text, name);
	tern_text_u64(text, v);
}

static void format_timer(struct tern_text *text, const struct tern_socket_info *row)
{
	const char *name = tern_record_timer_name(row->timer);

	if (row->timer != TERN_TIMER_NONE) {
		tern_text_str(text, " timer:(");
		tern_text_str(text, name ? name : "unknown");
		tern_text_char(text, ',');
		tern_ss_timer(text, row->timer_ns / 1000000);
		append_number(text, ",", row->retrans);
		tern_text_char(text, ')');
	}
	if (row->proto != TERN_PROTO_TCP)
		return;
	tern_text_str(text, " age:(");
	for (const char *p = tern_state_ss_name(row->state); *p; p++)
		tern_text_char(text, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
	tern_text_char(text, ',');
	tern_ss_age(text, row->age_ns);
	tern_text_char(text, ')');
}

static void format_details(struct tern_text *text, const struct tern_socket_info *row)
{
	tern_text_str(text, " sk:");
	tern_text_hex(text, row->cookie, 1);
	if (row->has & TERN_INFO_LISTEN) {
		append_number(text, " synq:", row->synq);
		append_number(text, "/", row->synq_max);
		append_number(text, " drops:", row->listen_drops);
		append_number(text, " overflows:", row->listen_overflows);
	}
	if (row->orphan)
		tern_text_str(text, " orphan");
	if (row->unaccepted)
		tern_text_str(text, " unaccepted");
}

/* Half-open and TIME-WAIT records have no buffers. */
static bool has_memory(const struct tern_socket_info *row)
{
	return row->has || row->proto == TERN_PROTO_UDP;
}

static void format_memory(struct tern_text *text, const struct tern_skmem *mem)
{
	append_number(text, " skmem:(r", mem->rmem_alloc);
	append_number(text, ",rb", mem->rcvbuf);
	append_number(text, ",t", mem->wmem_alloc);
	append_number(text, ",tb", mem->sndbuf);
	append_number(text, ",f", mem->fwd_alloc);
	append_number(text, ",w", mem->wmem_queued);
	append_number(text, ",o", mem->optmem);
	append_number(text, ",bl", mem->backlog);
	append_number(text, ",d", mem->drops);
	tern_text_char(text, ')');
}

/* ("nginx",pid=7,fd=6) behind what separates it from the one before. */
static void format_user(struct tern_text *text, const struct tern_holder *user, bool first)
{
	tern_text_str(text, first ? " users:((\"" : ",(\"");
	for (const char *p = user->name; *p; p++)
		tern_text_char(text, (uint8_t)*p < ' ' || *p == 0x7f ? '?' : *p);
	append_number(text, "\",pid=", (uint64_t)user->pid);
	append_number(text, ",fd=", (uint64_t)user->fd);
	tern_text_char(text, ')');
}

/* Prints the users of a row, or, with out NULL, only measures them; returns how long they are. */
static size_t print_users(struct tern_sink *out, const struct tern_holders *users)
{
	char buf[USER_MAX];
	struct tern_text text;
	size_t len = 0;

	for (size_t i = 0; i < users->count; i++) {
		tern_text_init(&text, buf, sizeof(buf));
		format_user(&text, &users->rows[i], i == 0);
		if (i + 1 == users->count)
			tern_text_char(&text, ')');
		if (out)
			tern_sink_text(out, &text);
		len += text.len;
	}
	return len;
}

static void format_row(const struct tern_ss_options *options, const struct tern_socket_info *row,
		       struct cells *cells)
{
	struct tern_text *cell = cells->cell;

	for (unsigned int i = 0; i < EXTRA; i++)
		tern_text_init(&cell[i], cells->buf[i], CELL_MAX);
	tern_text_init(&cell[EXTRA], cells->extra, EXTRA_MAX);
	cells->users = (struct tern_holders){ 0 };
	if (options->processes)
		cells->users = tern_holders_of(&options->holders, row->id);
	cells->users_len = print_users(NULL, &cells->users);
	tern_text_str(&cell[NETID], row->proto == TERN_PROTO_UDP ? "udp" : "tcp");
	tern_text_str(&cell[STATE], tern_state_ss_name(row->state));
	tern_text_u64(&cell[RECV_Q], row->recv_q);
	tern_text_u64(&cell[SEND_Q], row->send_q);
	format_addr(&cell[LOCAL], &row->local.addr, TERN_UNSPEC);
	format_port(&cell[LOCAL_PORT], options->services, row->proto, row->local.port);
	format_addr(&cell[PEER], &row->remote.addr, row->local.addr.family);
	format_port(&cell[PEER_PORT], options->services, row->proto, row->remote.port);
	if (options->timers)
		format_timer(&cell[EXTRA], row);
	if (options->extended)
		format_details(&cell[EXTRA], row);
	if (options->memory && options->oneline && has_memory(row))
		format_memory(&cell[EXTRA], &row->mem);
}

static size_t cell_len(const struct cells *cells, enum column column)
{
	return cells->cell[column].len + (column == EXTRA ? cells->users_len : 0);
}

static void measure(struct table *table, const struct cells *cells)
{
	for (unsigned int i = 0; i < COLUMNS; i++) {
		if (cell_len(cells, i) > table->width[i])
			table->width[i] = cell_len(cells, i);
	}
}

/* Widths that the titles need; a peer's port leaves a blank before "Process". */
static void measure_titles(struct table *table)
{
	if (table->options->no_header)
		return;
	for (unsigned int i = 0; i < COLUMNS; i++) {
		if (table->width[i] < strlen(titles[i]))
			table->width[i] = strlen(titles[i]);
	}
	if (table->width[PEER_PORT] <= strlen(titles[PEER_PORT]))
		table->width[PEER_PORT]++;
}

/* Deals the columns that a terminal has to spare out among ours. */
static void spread(struct table *table)
{
	size_t total = 0, count = 0, each, rest;
	bool first = true;

	for (unsigned int i = 0; i < COLUMNS; i++) {
		if (table->hidden[i] || !table->width[i])
			continue;
		total += table->width[i] + (apart(i) && !first);
		count++;
		first = false;
	}
	if (!count || table->options->width <= total)
		return;
	each = (table->options->width - total) / count;
	rest = (table->options->width - total) % count;
	for (unsigned int i = COLUMNS; i-- > 0;) {
		if (table->hidden[i] || !table->width[i])
			continue;
		table->spare[i] = each + (rest > 0);
		rest -= rest > 0;
	}
}

/* A cell of a row; without cells, the title. */
static void print_cell(const struct table *table, struct tern_sink *out, enum column column,
		       const struct cells *cells)
{
	size_t len = cells ? cell_len(cells, column) : strlen(titles[column]);
	size_t fill = table->width[column] + table->spare[column] - len;

	if (aligned_right(column))
		tern_sink_fill(out, ' ', fill);
	if (cells && column == EXTRA)
		(void)print_users(out, &cells->users);
	if (cells)
		tern_sink_text(out, &cells->cell[column]);
	else
		tern_sink_str(out, titles[column]);
	if (!aligned_right(column))
		tern_sink_fill(out, ' ', fill);
}

static void print_line(const struct table *table, struct tern_sink *out, const struct cells *cells)
{
	bool first = true;

	for (unsigned int i = 0; i < COLUMNS; i++) {
		if (table->hidden[i] || !table->width[i])
			continue;
		if (apart(i) && !first)
			tern_sink_char(out, ' ');
		print_cell(table, out, i, cells);
		first = false;
	}
	tern_sink_newline(out);
}

static void print_memory(struct tern_sink *out, const struct tern_skmem *mem)
{
	char buf[EXTRA_MAX];
	struct tern_text text;

	tern_text_init(&text, buf, sizeof(buf));
	format_memory(&text, mem);
	tern_sink_char(out, '\t');
	tern_sink_text(out, &text);
	tern_sink_char(out, '\n');
}

static void print_row(const struct table *table, struct tern_sink *out,
		      const struct tern_socket_info *row)
{
	struct cells cells;

	format_row(table->options, row, &cells);
	print_line(table, out, &cells);
	if (table->options->memory && !table->options->oneline && has_memory(row))
		print_memory(out, &row->mem);
}

/* Protocols in the order of output. */
static const uint8_t protos[] = { TERN_PROTO_UDP, TERN_PROTO_TCP };

static bool shown(const struct tern_ss_options *options, const struct tern_socket_info *row,
		  uint8_t proto)
{
	return row->proto == proto && tern_filter_match(options->filter, row);
}

void tern_ss_table(struct tern_sink *out, const struct tern_ss_options *options,
		   const struct tern_socket_info *rows, size_t n)
{
	struct table table = { .options = options };
	struct cells cells;

	table.hidden[NETID] = options->filter->protos != (TERN_FILTER_TCP | TERN_FILTER_UDP);
	table.hidden[STATE] = tern_filter_one_state(options->filter);
	for (size_t i = 0; i < n; i++) {
		if (!tern_filter_match(options->filter, &rows[i]))
			continue;
		format_row(options, &rows[i], &cells);
		measure(&table, &cells);
	}
	measure_titles(&table);
	spread(&table);
	if (!options->no_header)
		print_line(&table, out, NULL);
	for (size_t p = 0; p < sizeof(protos); p++) {
		for (size_t i = 0; i < n; i++) {
			if (shown(options, &rows[i], protos[p]))
				print_row(&table, out, &rows[i]);
		}
	}
}

void tern_ss_json(struct tern_json *json, const struct tern_ss_options *options,
		  const struct tern_socket_info *rows, size_t n)
{
	struct tern_holders users;

	tern_json_object(json, NULL);
	tern_json_str(json, "schema", "tern.ss");
	tern_json_u64(json, "version", TERN_RECORD_VERSION);
	tern_json_array(json, "sockets");
	for (size_t p = 0; p < sizeof(protos); p++) {
		for (size_t i = 0; i < n; i++) {
			if (!shown(options, &rows[i], protos[p]))
				continue;
			users = tern_holders_of(&options->holders, rows[i].id);
			tern_record_write_socket(json, NULL, &rows[i],
						 options->processes ? &users : NULL);
		}
	}
	tern_json_end(json);
	tern_json_end(json);
}
