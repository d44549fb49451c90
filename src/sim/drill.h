/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill.h: runs packetdrill scripts on the engine, in virtual time.
 *
 * A run makes a stack and a table of sockets of its own, plays the script's events against them,
 * and frees both. Nothing waits, nothing is executed, nothing leaves the process: the same script
 * gives the same run.
 */
#ifndef TERN_SIM_DRILL_H
#define TERN_SIM_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "sim/script.h"

struct tern_sink;

enum tern_drill_verdict {
	TERN_DRILL_PASSED,
	TERN_DRILL_FAILED, /* the stack did not do what the script expects */
	TERN_DRILL_BROKEN, /* the script cannot be read, or asks for what there is not */
};

struct tern_drill_config {
	const struct tern_script_define *settings; /* knobs, set before the script's own */
	size_t setting_count;
	const struct tern_script_define *defines; /* -D */
	size_t define_count;
	const char *persona; /* set before all others, or NULL */
	bool tso;            /* frames have the PSH of a device that cuts: it is compared */
	bool verbose;        /* every event is written as it happens */
	bool ascii;          /* no characters beyond ASCII */
};

/*
 * Runs len bytes of script; name is the file's, for messages and for the files that it names. What
 * there is to say goes to out: nothing of a script that passes, unless verbose.
 */
enum tern_drill_verdict tern_drill_run(const struct tern_drill_config *cfg, const char *name,
				       const char *text, size_t len, struct tern_sink *out);

/* The same for a file. One that cannot be read is BROKEN, and out says why. */
enum tern_drill_verdict tern_drill_file(const struct tern_drill_config *cfg, const char *path,
					struct tern_sink *out);

#endif
