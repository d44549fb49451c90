/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl/answer.c: the requests.
 *
 * A request is a flat JSON object on a line; its answer is JSON lines. The last line is
 * {"end":true}, or {"error":"..."} in place of whatever was still to come.
 *
 *	{"cmd":"sockets"}			a record of a socket a line
 *	{"cmd":"users"}				a record of a descriptor that holds a socket a line:
 *						those there were when it was asked
 *	{"cmd":"info"}				one record of the stack's totals
 *	{"cmd":"counters"}			{"counter":NAME,"value":N} a line, then
 *						{"drop":REASON,"value":N} a line
 *	{"cmd":"knobs"}				{"knob":NAME,"value":"..."} a line
 *	{"cmd":"knobs","name":NAME}		that one
 *	{"cmd":"set","name":NAME,"value":"..."}	nothing
 *	{"cmd":"trace"[,"from":N]}		a trace record a line; the end is
 *						{"end":true,"cursor":N}, where to go on from
 *
 * Records are those of report/record.h. Tables are read by cursor, so between two lines the stack
 * may have gone on: a row is true when it is written.
 */
#include "ctl/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "report/json.h"
#include "report/json_read.h"
#include "report/record.h"
#include "trace/sysctl.h"

enum {
	WORD_MAX = 1024, /* TERN_KNOB_VALUE_MAX and more */
};

enum topic {
	TOPIC_NONE,
	TOPIC_SOCKETS,
	TOPIC_USERS,
	TOPIC_INFO,
	TOPIC_COUNTERS,
	TOPIC_DROPS, /* the second half of the counters */
	TOPIC_KNOBS,
	TOPIC_TRACE,
};

struct request {
	char cmd[WORD_MAX], name[WORD_MAX], value[WORD_MAX];
	uint64_t from;
};

void tern_ctl_answer_error(struct tern_sink *out, const char *text)
{
	struct tern_json json;

	tern_json_init(&json, out, false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "error", text);
	tern_json_end(&json);
}

static void end(struct tern_ctl_answer *answer, struct tern_sink *out)
{
	struct tern_json json;

	tern_json_init(&json, out, false);
	tern_json_object(&json, NULL);
	tern_json_bool(&json, "end", true);
	if (answer->topic == TOPIC_TRACE)
		tern_json_u64(&json, "cursor", answer->cursor);
	tern_json_end(&json);
	tern_ctl_answer_drop(answer);
}

void tern_ctl_answer_drop(struct tern_ctl_answer *answer)
{
	free(answer->holders);
	*answer = (struct tern_ctl_answer){ 0 };
}

static int keep_word(char word[WORD_MAX], const struct tern_json_token *token)
{
	if (token->kind != TERN_JSON_STRING || token->len >= WORD_MAX)
		return -EINVAL;
	memcpy(word, token->str, token->len + 1);
	return 0;
}

static int keep_member(struct request *req, const struct tern_json_token *token)
{
	if (strcmp(token->key, "cmd") == 0)
		return keep_word(req->cmd, token);
	if (strcmp(token->key, "name") == 0)
		return keep_word(req->name, token);
	if (strcmp(token->key, "value") == 0)
		return keep_word(req->value, token);
	if (strcmp(token->key, "from") == 0 && token->kind == TERN_JSON_NUMBER && token->integer &&
	    !token->negative) {
		req->from = token->number;
		return 0;
	}
	return -EINVAL;
}

/* 0 or -EINVAL. */
static int read_request(const char *text, size_t len, struct request *ret)
{
	struct tern_json_reader reader;
	struct tern_json_token token;
	int err;

	memset(ret, 0, sizeof(*ret));
	tern_json_reader_init(&reader, text, len, 1);
	err = tern_json_next(&reader, &token);
	if (err != 1 || token.kind != TERN_JSON_OBJECT)
		return -EINVAL;
	while ((err = tern_json_next(&reader, &token)) == 1)
		if (token.kind != TERN_JSON_END && keep_member(ret, &token) < 0)
			return -EINVAL;
	return err < 0 ? -EINVAL : 0;
}

static void write_knob(struct tern_sink *out, const char *name, const char *value)
{
	struct tern_json json;

	tern_json_init(&json, out, false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, "knob", name);
	tern_json_str(&json, "value", value);
	tern_json_end(&json);
}

static void complain(struct tern_sink *out, const char *name, const char *value, int err)
{
	char why[TERN_KNOB_WHY_MAX + WORD_MAX];

	tern_knob_complain(name, value, err, why, sizeof(why));
	tern_ctl_answer_error(out, why);
}

static void one_knob(struct tern_ctl_answer *answer, const struct tern_stack *st, const char *name,
		     struct tern_sink *out)
{
	char value[WORD_MAX];

	int err = tern_stack_get_knob(st, name, value, sizeof(value));

	if (err) {
		complain(out, name, "", err);
		return;
	}
	write_knob(out, name, value);
	end(answer, out);
}

static void set_knob(struct tern_ctl_answer *answer, struct tern_stack *st, uint64_t now,
		     const struct request *req, struct tern_sink *out)
{
	int err = tern_stack_knob(st, now, req->name, req->value);

	if (err)
		complain(out, req->name, req->value, err);
	else
		end(answer, out);
}

/* Who holds the sockets now; nobody is known where no one can be asked. */
static void ask_holders(struct tern_ctl_answer *answer, const struct tern_ctl_source *source,
			struct tern_sink *out)
{
	char why[WORD_MAX];
	int err = 0;

	if (source->holders)
		err = source->holders(source->holders_user, &answer->holders,
				      &answer->holder_count);
	if (!err)
		return;
	(void)snprintf(why, sizeof(why), "cannot find the processes: %s", strerror(-err));
	tern_ctl_answer_error(out, why);
	*answer = (struct tern_ctl_answer){ 0 };
}

void tern_ctl_answer_begin(struct tern_ctl_answer *answer, const struct tern_ctl_source *source,
			   uint64_t now, const char *request, size_t len, struct tern_sink *out)
{
	static const struct {
		const char *cmd;
		enum topic topic;
	} topics[] = {
		{ "sockets", TOPIC_SOCKETS },   { "users", TOPIC_USERS }, { "info", TOPIC_INFO },
		{ "counters", TOPIC_COUNTERS }, { "knobs", TOPIC_KNOBS }, { "trace", TOPIC_TRACE },
	};
	struct request req;

	*answer = (struct tern_ctl_answer){ 0 };
	if (read_request(request, len, &req) < 0) {
		tern_ctl_answer_error(out, "not a request: a flat JSON object with a \"cmd\"");
		return;
	}
	if (strcmp(req.cmd, "set") == 0) {
		set_knob(answer, source->st, now, &req, out);
		return;
	}
	if (strcmp(req.cmd, "knobs") == 0 && req.name[0]) {
		one_knob(answer, source->st, req.name, out);
		return;
	}
	for (size_t i = 0; i < TERN_ARRAY_SIZE(topics); i++)
		if (strcmp(req.cmd, topics[i].cmd) == 0)
			answer->topic = (int)topics[i].topic;
	if (answer->topic == TOPIC_NONE)
		tern_ctl_answer_error(out, "no such cmd; there are sockets, users, info, counters, "
					   "knobs, set and trace");
	if (answer->topic == TOPIC_TRACE)
		answer->cursor = req.from;
	if (answer->topic == TOPIC_USERS)
		ask_holders(answer, source, out);
}

/* {"counter":NAME,"value":N}; false behind the last one. */
static bool next_number(struct tern_ctl_answer *answer, const struct tern_stack *st,
			struct tern_sink *out)
{
	bool drops = answer->topic == TOPIC_DROPS;
	unsigned int i = (unsigned int)answer->cursor;
	const char *name = drops ? tern_drop_name(i) : tern_counter_name(i);
	struct tern_json json;

	if (!name)
		return false;
	answer->cursor++;
	tern_json_init(&json, out, false);
	tern_json_object(&json, NULL);
	tern_json_str(&json, drops ? "drop" : "counter", name);
	tern_json_u64(&json, "value", drops ? tern_stack_drops(st, i) : tern_stack_counter(st, i));
	tern_json_end(&json);
	return true;
}

/* The rows of a triple stand together and share their name: it is one knob. */
static bool next_knob(struct tern_ctl_answer *answer, const struct tern_stack *st,
		      struct tern_sink *out)
{
	unsigned int i = (unsigned int)answer->cursor;
	const struct tern_knob_row *row = tern_knob_row(i),
				   *before = i ? tern_knob_row(i - 1) : NULL;
	char value[WORD_MAX];

	if (!row)
		return false;
	answer->cursor++;
	if (before && strcmp(before->name, row->name) == 0)
		return true;
	if (tern_stack_get_knob(st, row->name, value, sizeof(value)) == 0)
		write_knob(out, row->name, value);
	return true;
}

static bool next_socket(struct tern_ctl_answer *answer, const struct tern_stack *st, uint64_t now,
			struct tern_sink *out)
{
	struct tern_socket_info row;
	struct tern_json json;

	if (!tern_stack_next_socket(st, now, &answer->cursor, &row))
		return false;
	tern_json_init(&json, out, false);
	tern_record_write_socket(&json, NULL, &row, NULL);
	return true;
}

static bool next_holder(struct tern_ctl_answer *answer, struct tern_sink *out)
{
	struct tern_json json;

	if (answer->cursor >= answer->holder_count)
		return false;
	tern_json_init(&json, out, false);
	tern_record_write_holder(&json, NULL, &answer->holders[answer->cursor++]);
	return true;
}

static bool next_info(struct tern_ctl_answer *answer, const struct tern_stack *st, uint64_t now,
		      struct tern_sink *out)
{
	struct tern_stack_info info;
	struct tern_json json;

	if (answer->cursor++)
		return false;
	tern_stack_info(st, now, &info);
	tern_json_init(&json, out, false);
	tern_record_write_stack(&json, NULL, &info);
	return true;
}

static bool next_trace(struct tern_ctl_answer *answer, const struct tern_stack *st,
		       struct tern_sink *out)
{
	struct tern_trace_record record;
	struct tern_json json;

	if (!tern_stack_trace(st, &answer->cursor, &record))
		return false;
	tern_json_init(&json, out, false);
	tern_record_write_trace(&json, NULL, &record);
	return true;
}

void tern_ctl_answer_next(struct tern_ctl_answer *answer, struct tern_stack *st, uint64_t now,
			  struct tern_sink *out)
{
	bool more = false;

	switch (answer->topic) {
	case TOPIC_SOCKETS:
		more = next_socket(answer, st, now, out);
		break;
	case TOPIC_USERS:
		more = next_holder(answer, out);
		break;
	case TOPIC_INFO:
		more = next_info(answer, st, now, out);
		break;
	case TOPIC_COUNTERS:
		more = next_number(answer, st, out);
		if (!more)
			*answer = (struct tern_ctl_answer){ .topic = TOPIC_DROPS };
		more = true;
		break;
	case TOPIC_DROPS:
		more = next_number(answer, st, out);
		break;
	case TOPIC_KNOBS:
		more = next_knob(answer, st, out);
		break;
	case TOPIC_TRACE:
		more = next_trace(answer, st, out);
		break;
	default:
		return;
	}
	if (!more)
		end(answer, out);
}
