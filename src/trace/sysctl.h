/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace/sysctl.h: the knobs of a stack, generated from sysctl.def. Code reads
 * knobs->tcp_fin_timeout; names and ranges are for people.
 */
#ifndef TERN_TRACE_SYSCTL_H
#define TERN_TRACE_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define TERN_KNOB_KEY_WORDS  4
#define TERN_KNOB_RANGES_MAX 64
#define TERN_KNOB_NAME_MAX   64  /* room for any name that is known */
#define TERN_KNOB_WHY_MAX    512 /* room for any complaint, values as long as they are apart */

/*
 * Room for the longest value: 64 ranges of ports, of 12 characters each with the comma. Keys
 * (two of 36 characters) and lists of names are shorter.
 */
#define TERN_KNOB_VALUE_MAX (TERN_KNOB_RANGES_MAX * 12 + 1)

/* A set of ports, in order, ranges neither overlapping nor touching. */
struct tern_knob_ports {
	uint32_t count;
	struct {
		uint16_t low, high;
	} range[TERN_KNOB_RANGES_MAX];
};

/*
 * What is asked with every segment comes first: one number a row. A key has its words as written,
 * x-x-x-x, and a second one that is still taken; field_count says how many of the two are set.
 */
struct tern_knobs {
#define KNOB(field, ...) uint32_t field;
#include "trace/sysctl.def"
#define KNOB_KEY(field, ...)                          \
	uint32_t field[TERN_KNOB_KEY_WORDS];          \
	uint32_t field##_backup[TERN_KNOB_KEY_WORDS]; \
	uint32_t field##_count;
#define KNOB_PORTS(field, ...) struct tern_knob_ports field;
#include "trace/sysctl.def"
};

enum tern_knob_kind {
	TERN_KNOB_NUMBER, /* one number; rows of the same name make a triple */
	TERN_KNOB_NAME,   /* a name out of a list; the field holds its place */
	TERN_KNOB_KEY,    /* one or two keys of 128 bits */
	TERN_KNOB_PORTS,  /* a list of ports */
	TERN_KNOB_FIXED,  /* a text that can only be read */
};

/* How the meaning of a present value is told. */
enum tern_knob_means {
	TERN_MEANS_PLAIN,   /* the number and its unit */
	TERN_MEANS_VALUES,  /* a text for each value */
	TERN_MEANS_BITS,    /* a text for each bit */
	TERN_MEANS_SYN,     /* the waits between SYNs, and their sum */
	TERN_MEANS_SYN_ACK, /* the waits between SYN-ACKs, and their sum */
	TERN_MEANS_RTO, /* the waits between repetitions at the shortest timeout, and their sum */
	TERN_MEANS_ORPHAN, /* the same for connections without an application */
	TERN_MEANS_KEEP,   /* when a dead peer is noticed */
};

/* What one value of a mode, or one bit of a mask, means. The list ends with a NULL text. */
struct tern_knob_value {
	uint32_t value;
	const char *text;
};

struct tern_knob_row {
	const char *name, *unit;
	enum tern_knob_kind kind;
	uint32_t standard, min, max;
	size_t offset;            /* of the field in struct tern_knobs */
	const char *text;         /* what it does */
	const char *const *names; /* TERN_KNOB_NAME: ends with NULL */
	const char *fixed;        /* TERN_KNOB_FIXED: the value */
	enum tern_knob_means means;
	const struct tern_knob_value *values;
	const char *myth, *fact; /* what it is wrongly believed to do, and what is right; or NULL */
	const char *rfc;         /* or NULL */
};

/* Sets every knob to its default. */
void tern_knobs_init(struct tern_knobs *knobs);

/* Rows of sysctl.def in order; NULL beyond the last. */
const struct tern_knob_row *tern_knob_row(unsigned int i);

/*
 * The first row of a knob, and how many rows it has; NULL if the name is none. Taken as well are
 * names without their prefix and paths (/proc/sys/net/ipv4/tcp_sack).
 */
const struct tern_knob_row *tern_knob_find(const char *name, unsigned int *ret_count);

/*
 * Why a set or get of this name and value failed with err, in one sentence that says what is right:
 * which name is near, what became of a name that Linux has dropped, what the knob takes.
 */
void tern_knob_complain(const char *name, const char *value, int err, char *text, size_t cap);

/*
 * Sets a knob by name, as tern_knob_find() takes it or as FreeBSD has it
 * ("net.inet.tcp.msl"), from text, as sysctl
 * takes it: decimal or 0x numbers, a triple all its numbers; a name; a key; ports. -ENOENT, -EINVAL
 * (not such a value, too many or too few), -ERANGE, -EDOM (a port range that runs backwards),
 * -EADDRINUSE (it would begin below ip_unprivileged_port_start),
 * -E2BIG (more than TERN_KNOB_RANGES_MAX ranges of ports), -EACCES (it can only be read). Nothing
 * changes on error.
 */
TERN_NODISCARD int tern_knob_set(struct tern_knobs *knobs, const char *name, const char *value);

/* Writes the value as sysctl prints it, numbers with tabs between. -ENOENT, -ENOSPC. */
TERN_NODISCARD int tern_knob_get(const struct tern_knobs *knobs, const char *name, char *text,
				 size_t cap);

/*
 * Is a port one that no socket is given unasked (net.ipv4.ip_local_reserved_ports)? Then the last
 * port of the range that it is in, else 0.
 */
uint16_t tern_knob_port_reserved(const struct tern_knobs *knobs, uint16_t port);

#endif
