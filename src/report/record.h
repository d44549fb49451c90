/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/record.h: socket rows, stack totals and trace records as JSON objects, and back.
 *
 * This is the form in which they cross the control socket, one a line, and the form `tern ss -j`
 * and `tern trace -j` print. Keys are snake_case and never change their meaning; new ones may come.
 * States have ss' names, flags tcpdump's letters; id and cookie are hexadecimal strings, since a
 * JSON number does not hold 64 bits everywhere.
 */
#ifndef TERN_REPORT_RECORD_H
#define TERN_REPORT_RECORD_H

#include <stddef.h>

#include "report/holder.h"
#include "tern/snapshot.h"
#include "tern/trace.h"

struct tern_json;

#define TERN_RECORD_VERSION 1  /* goes up when a key changes its meaning, never for a new key */
#define TERN_RECORD_STRINGS 64 /* bytes that the strings of one record need at most */

/*
 * Write one record as an object under key (NULL: at the top, a line of its own). A socket has an
 * array "users" where its holders are given (NULL: it has none).
 */
void tern_record_write_socket(struct tern_json *json, const char *key,
			      const struct tern_socket_info *row, const struct tern_holders *users);
void tern_record_write_stack(struct tern_json *json, const char *key,
			     const struct tern_stack_info *info);
void tern_record_write_trace(struct tern_json *json, const char *key,
			     const struct tern_trace_record *record);

/* A holder by itself, with the id of its socket. */
void tern_record_write_holder(struct tern_json *json, const char *key,
			      const struct tern_holder *holder);

/*
 * Read one record out of len bytes of JSON. Unknown keys are passed over, missing ones are zero.
 * Strings of the record (congestion, version) are kept in `strings` and live as long as that.
 * Errors: see tern_fields_read().
 */
int tern_record_read_socket(const char *text, size_t len, char strings[TERN_RECORD_STRINGS],
			    struct tern_socket_info *ret_row);
int tern_record_read_stack(const char *text, size_t len, char strings[TERN_RECORD_STRINGS],
			   struct tern_stack_info *ret_info);
int tern_record_read_trace(const char *text, size_t len, struct tern_trace_record *ret_record);
int tern_record_read_holder(const char *text, size_t len, struct tern_holder *ret_holder);

/* The name of an enum tern_timer_kind, as ss writes it ("keepalive"); NULL if there is none. */
const char *tern_record_timer_name(unsigned int timer);

#endif
