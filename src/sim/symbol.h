/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/symbol.h: names of numbers in scripts: Linux' constants and errno, and fields of TCP_INFO.
 */
#ifndef TERN_SIM_SYMBOL_H
#define TERN_SIM_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a name of len characters; false if there is none. */
bool tern_symbol_find(const char *name, size_t len, int64_t *ret_value);

/* The errno of a name of len characters; 0 if there is none. And the name of one, or "?". */
int tern_symbol_errno(const char *name, size_t len);
const char *tern_symbol_errno_name(int error);

/* A name that is near to a wrong one, or NULL. */
const char *tern_symbol_nearest(const char *name, size_t len);

/* A field of TCP_INFO, or of SO_MEMINFO, by name ("tcpi_state"): its number, or -1. */
int tern_info_field(const char *name, size_t len);
const char *tern_info_field_name(int field);

/* Is the field one of SO_MEMINFO? */
bool tern_info_is_meminfo(int field);

/* The field's value out of len bytes of TCP_INFO or SO_MEMINFO; false where they end before it. */
bool tern_info_value(int field, const void *info, size_t len, int64_t *ret_value);

#endif
