/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/drill.c: a script, played.
 *
 * Events happen in the order of the text. One that the script does itself (a packet in, a system
 * call, a shell line, a %{ }% block) happens at its time exactly; time passes until then, and what
 * the stack sends meanwhile waits in a queue. One that the script expects, a packet out, takes the
 * next of that queue, or has time pass until there is one; when it was sent is then compared with
 * the script. Relative times count from the end of the event before.
 *
 * Tolerance is packetdrill's: --tolerance_usecs (4 ms), or --tolerance_percent (1) of the time
 * since the event before, whichever is more. It is for timers that a script states roughly; our
 * clock itself is exact.
 */
#include "sim/drill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "report/sink.h"
#include "sim/drill_internal.h"

enum {
	SOCKETS_MAX = 256,
	PORT_FIRST = 40001,   /* of the peer */
	MEMORY_MAX = 1 << 26, /* no script needs more, and tables are made for it */
};

int64_t tern_drill_us(const struct drill *d, uint64_t ns)
{
	return (int64_t)((ns - d->start) / DRILL_US);
}

int64_t tern_drill_tolerance(const struct drill *d, int64_t expected_us)
{
	const struct tern_script_options *o = &d->script.options;
	int64_t part = (expected_us - d->last_us) * o->tolerance_percent / 100;

	return TERN_MAX(o->tolerance_us, part);
}

void tern_drill_check_end(struct drill *d, const struct drill_call *c)
{
	int64_t ended = tern_drill_us(d, c->ended), tolerance = tern_drill_tolerance(d, c->end_us);
	int64_t apart = ended - c->end_us;

	if (d->verdict == TERN_DRILL_PASSED && (apart > tolerance || apart < -tolerance))
		tern_drill_fail(d, "timing: the call was to return at %.6f s, and did at %.6f s",
				(double)c->end_us / 1e6, (double)ended / 1e6);
}

static void set_addresses(struct drill *d)
{
	const struct tern_script_options *o = &d->script.options;
	bool v6 = o->version == TERN_SCRIPT_IPV6;

	(void)!tern_addr_parse(v6 ? "fd3d:0a0b:17d6::1" : "192.168.0.1", &d->local);
	(void)!tern_addr_parse(v6 ? "fd3d:fa7b:d17d::1" : "192.0.2.1", &d->remote);
	if (o->local.family)
		d->local = o->local;
	if (o->remote.family)
		d->remote = o->remote;
}

static int make_stack(struct drill *d)
{
	struct tern_config cfg = { .addr_count = 1,
				   .mtu = d->script.options.mtu,
				   .conns_max = SOCKETS_MAX,
				   .halfopens_max = SOCKETS_MAX,
				   .timewaits_max = SOCKETS_MAX,
				   .listeners_max = SOCKETS_MAX,
				   .udps_max = SOCKETS_MAX,
				   .memory_max = MEMORY_MAX,
				   .trace_max = DRILL_TRACE,
				   .seed = "tern drill" };
	int err;

	set_addresses(d);
	cfg.addrs[0] = (struct tern_prefix){ d->local, d->local.family == TERN_INET ? 16 : 48 };
	d->start = d->now = 1000 * DRILL_S;
	d->next_port = PORT_FIRST;
	d->tail = &d->frames;
	d->frame = malloc(DRILL_FRAME);
	if (!d->frame)
		return -ENOMEM;
	err = tern_stack_new(&cfg, d->now, &d->st);
	return err ? err : tern_socks_new(d->st, SOCKETS_MAX, &d->ss);
}

/* When an event of the script's own doing happens. */
static void wait_until(struct drill *d, const struct tern_script_event *e)
{
	int64_t at = e->at_us + (e->time == TERN_TIME_RELATIVE ? d->last_us : 0);
	uint64_t until = d->start + (uint64_t)at * DRILL_US;

	tern_drill_pass(d, TERN_MAX(until, d->now), NULL);
}

static void play_event(struct drill *d, const struct tern_script_event *e)
{
	bool out = e->kind == TERN_EVENT_PACKET && e->packet->out;

	d->event = e;
	if (!out)
		wait_until(d, e);
	if (d->cfg->verbose)
		tern_drill_trace_event(d);
	if (d->verdict != TERN_DRILL_PASSED)
		return;
	switch (e->kind) {
	case TERN_EVENT_PACKET:
		if (out)
			tern_drill_packet_out(d, e->packet);
		else
			tern_drill_packet_in(d, e->packet);
		break;
	case TERN_EVENT_CALL:
		tern_drill_call(d, e->call);
		break;
	case TERN_EVENT_SHELL:
		tern_drill_settings(d, e->settings);
		break;
	case TERN_EVENT_CHECK:
		tern_drill_check(d, e->asserts);
		break;
	}
	d->last_us = tern_drill_us(d, d->now);
	if (d->cfg->verbose)
		tern_drill_trace_states(d);
}

/* Knobs of the command line, then of the script's first shell line. */
static void set_knobs(struct drill *d)
{
	struct tern_script_setting persona = { .place = { 1, 1 },
					       .name = "net.ipv4.tern_persona",
					       .value = d->cfg->persona };

	if (d->cfg->persona)
		tern_drill_settings(d, &persona);
	for (size_t i = 0; i < d->cfg->setting_count && d->verdict == TERN_DRILL_PASSED; i++) {
		const struct tern_script_define *s = &d->cfg->settings[i];
		struct tern_script_setting one = { .place = { 1, 1 },
						   .name = s->name,
						   .value = s->value };

		tern_drill_settings(d, &one);
	}
	if (d->verdict == TERN_DRILL_PASSED)
		tern_drill_settings(d, d->script.settings);
}

static void play(struct drill *d)
{
	int err = make_stack(d);

	if (err) {
		tern_drill_broken(d, (struct tern_script_place){ 1, 1 }, "no stack can be made: %s",
				  strerror(-err));
		return;
	}
	set_knobs(d);
	for (const struct tern_script_event *e = d->script.events;
	     e && d->verdict == TERN_DRILL_PASSED; e = e->next)
		play_event(d, e);
	if (d->verdict == TERN_DRILL_PASSED)
		tern_drill_call_finish(d);
}

static void say_unreadable(struct drill *d, const struct tern_script_error *error)
{
	tern_drill_say(d, "%s:%u:%u: %s\n", d->script.name, error->place.line, error->place.column,
		       error->message);
	tern_drill_say(d, "    %s\n", error->line);
	tern_drill_say(d, "    %*s^\n", (int)error->place.column - 1, "");
	d->verdict = TERN_DRILL_BROKEN;
}

enum tern_drill_verdict tern_drill_run(const struct tern_drill_config *cfg, const char *name,
				       const char *text, size_t len, struct tern_sink *out)
{
	struct tern_script_error error;
	enum tern_drill_verdict verdict;
	struct drill *d = calloc(1, sizeof(*d));

	if (!d) {
		tern_sink_str(out, "no memory\n");
		return TERN_DRILL_BROKEN;
	}
	d->cfg = cfg;
	d->out = out;
	if (tern_script_parse(name, text, len, cfg->defines, cfg->define_count, &d->script,
			      &error) < 0) {
		say_unreadable(d, &error);
	} else {
		play(d);
		if (d->verdict != TERN_DRILL_PASSED)
			tern_drill_report(d);
	}
	verdict = d->verdict;
	tern_socks_free(d->ss);
	tern_stack_free(d->st);
	tern_script_free(&d->script);
	free(d->frame);
	free(d->data);
	free(d);
	return verdict;
}

enum tern_drill_verdict tern_drill_file(const struct tern_drill_config *cfg, const char *path,
					struct tern_sink *out)
{
	struct tern_arena arena = { 0 };
	enum tern_drill_verdict verdict = TERN_DRILL_BROKEN;
	size_t len;
	char *text = tern_script_load(&arena, path, &len);

	if (text) {
		verdict = tern_drill_run(cfg, path, text, len, out);
	} else {
		tern_sink_str(out, path);
		tern_sink_str(out, ": ");
		tern_sink_str(out, strerror(errno));
		tern_sink_str(out, "\n");
	}
	tern_arena_free(&arena);
	return verdict;
}
