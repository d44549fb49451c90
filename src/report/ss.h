/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/ss.h: the socket table, as iproute2's ss prints it.
 */
#ifndef TERN_REPORT_SS_H
#define TERN_REPORT_SS_H

#include <stdbool.h>
#include <stddef.h>

#include "report/filter.h"
#include "report/holder.h"
#include "report/service.h"
#include "tern/snapshot.h"

struct tern_json;
struct tern_sink;
struct tern_text;

struct tern_ss_options {
	const struct tern_filter *filter;
	const struct tern_services *services; /* NULL: ports are numbers (-n) */
	unsigned int width;                   /* columns of the terminal to spread over; 0: none */
	bool timers;                          /* -o */
	bool extended;                        /* -e */
	bool memory;                          /* -m */
	bool oneline;                         /* -O */
	bool no_header;                       /* -H */
	bool processes;                       /* -p */
	struct tern_holders holders;          /* with -p: all, in tern_holder_order() */
};

/*
 * Writes the table of those of the n rows that match the filter, UDP before TCP as ss does, columns
 * as wide as they need to be, no blanks at line ends.
 */
void tern_ss_table(struct tern_sink *out, const struct tern_ss_options *options,
		   const struct tern_socket_info *rows, size_t n);

/* Writes the same rows as {"schema":"tern.ss","version":1,"sockets":[...]}; see record.h.
 * With -p each has "users". */
void tern_ss_json(struct tern_json *json, const struct tern_ss_options *options,
		  const struct tern_socket_info *rows, size_t n);

/* Appends a time in ms as ss writes it in timer:(): 119min, 5min3sec, 57sec, 9.500ms, 040ms. */
void tern_ss_timer(struct tern_text *text, uint64_t ms);

/* Appends an age: 168ms, 57s, 3m12s, 2h05m, 3d04h. */
void tern_ss_age(struct tern_text *text, uint64_t ns);

#endif
