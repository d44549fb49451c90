/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/view.h: what the commands that look at a running stack share: finding it, reading its rows,
 * writing reports to standard output.
 */
#ifndef TERN_CLI_VIEW_H
#define TERN_CLI_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "report/record.h"
#include "report/sink.h"
#include "tern/snapshot.h"
#include "tern/trace.h"
#include "trace/sysctl.h"

enum {
	TERN_VIEW_NAMES = 16, /* different names of congestion control */
	TERN_VIEW_WORD = 256, /* bytes of a name, with the NUL */
};

struct tern_ctl_client;

struct tern_view {
	struct tern_cli_args *args;
	const char *name; /* -N, or NULL */
	struct tern_ctl_client *client;
	struct tern_mem mem;
	struct tern_sink out;
	struct tern_socket_info *rows;
	size_t row_count, row_cap;
	struct tern_trace_record *records;
	size_t record_count, record_cap;
	struct tern_holder *holders;
	size_t holder_count, holder_cap;
	struct tern_stack_info info;
	char info_strings[TERN_RECORD_STRINGS];
	char names[TERN_VIEW_NAMES][16];
};

/* Takes one line of an answer. 0 or a negative errno. */
typedef int tern_view_line(struct tern_view *view, const char *line, size_t len);

void tern_view_init(struct tern_view *view, struct tern_cli_args *args);

/* Connects to the stack. TERN_CLI_OK, or another status after a line that says why not. */
int tern_view_open(struct tern_view *view);

/* Connects if one stack runs; true if so. Nothing is said else. */
bool tern_view_runs(struct tern_view *view);

/* Asks, and gives each line of the answer to take(). A status, as tern_view_open(). */
int tern_view_ask(struct tern_view *view, const char *request, tern_view_line *take);

/* A line {"WHAT":"NAME","value":V}; the value is text or a number. */
struct tern_view_member {
	char what[16], name[TERN_VIEW_WORD], text[TERN_KNOB_VALUE_MAX];
	uint64_t number;
};

/* Reads such a line. 0 or -EINVAL. */
TERN_NODISCARD int tern_view_member(const char *line, size_t len, struct tern_view_member *ret);

/*
 * Reads all sockets into rows, who holds them into holders (in order), the totals into info, the
 * trace into records. A status.
 */
int tern_view_sockets(struct tern_view *view);
int tern_view_holders(struct tern_view *view);
int tern_view_info(struct tern_view *view);
int tern_view_trace(struct tern_view *view);

/* Writes what is in out to standard output and empties it. A status. */
int tern_view_flush(struct tern_view *view);

/* Frees all. */
void tern_view_close(struct tern_view *view);

/* Columns of the terminal that standard output is, else 0. */
unsigned int tern_view_width(void);

#endif
