/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/summary.h: totals, as `ss -s` prints them.
 */
#ifndef TERN_REPORT_SUMMARY_H
#define TERN_REPORT_SUMMARY_H

#include <stddef.h>

#include "tern/snapshot.h"

struct tern_json;
struct tern_sink;

/* Writes ss' totals and table out of all n rows of a stack; its limits and memory behind them. */
void tern_summary_text(struct tern_sink *out, const struct tern_stack_info *info,
		       const struct tern_socket_info *rows, size_t n);

/* Writes the same as {"schema":"tern.ss.summary","version":1,"sockets":{...},"stack":{...}}. */
void tern_summary_json(struct tern_json *json, const struct tern_stack_info *info,
		       const struct tern_socket_info *rows, size_t n);

#endif
