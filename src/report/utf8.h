/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/utf8.h: UTF-8 as RFC 3629 allows it.
 */
#ifndef TERN_REPORT_UTF8_H
#define TERN_REPORT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the well-formed character that begins the n bytes at p, or 0 if none does. */
size_t tern_utf8_length(const char *p, size_t n);

/* Writes a code point (below 0x110000, no surrogate) to out; returns its 1 to 4 bytes. */
size_t tern_utf8_encode(uint32_t code, char out[4]);

/* Characters in the string s: bytes that do not continue a character. */
size_t tern_utf8_columns(const char *s);

#endif
