/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/answer.h: requests of the control socket, and their answers line by line. No sockets here:
 * lines in, lines out, so that an answer of a million rows can be cut wherever its reader is slow.
 */
#ifndef TERN_CTL_ANSWER_H
#define TERN_CTL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/holder.h"
#include "report/sink.h"
#include "tern/stack.h"

struct tern_ctl_answer {
	int topic;       /* what is being told, 0: nothing */
	uint64_t cursor; /* how far */
	struct tern_holder *holders;
	unsigned int holder_count;
};

/* What answers are made of. */
struct tern_ctl_source {
	struct tern_stack *st;
	tern_holders_fn *holders; /* NULL: nobody knows */
	void *holders_user;
};

/*
 * Takes a request of len bytes and does what it asks. Afterwards either an answer is under way, or
 * its one line, an error or the end, is in out already.
 */
void tern_ctl_answer_begin(struct tern_ctl_answer *answer, const struct tern_ctl_source *source,
			   uint64_t now, const char *request, size_t len, struct tern_sink *out);

/* Frees what an answer holds that will not be finished. */
void tern_ctl_answer_drop(struct tern_ctl_answer *answer);

/* Writes the next line into out; the last one ends the answer. */
void tern_ctl_answer_next(struct tern_ctl_answer *answer, struct tern_stack *st, uint64_t now,
			  struct tern_sink *out);

/* Is there more to write? */
static inline bool tern_ctl_answer_open(const struct tern_ctl_answer *answer)
{
	return answer->topic != 0;
}

/* The line that says why there is no answer. */
void tern_ctl_answer_error(struct tern_sink *out, const char *text);

#endif
