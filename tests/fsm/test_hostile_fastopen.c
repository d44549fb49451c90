/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast Open under attack: the option in every length and form, cookies by chance, of others and
 * good ones, data and FIN on SYNs, floods of good SYNs, resets of what they opened. What an
 * attacker with a good cookie gets is the limit of the listener, once a minute (RFC 7413 §5.1;
 * attacks H01, H02).
 */
#include "harness/hostile.h"

#include "base/bytes.h"
#include "harness/invariants.h"
#include "tcp/fastopen.h"

enum {
	SYNS = 20000,
	LIMIT = 16,
};

static struct world *world_of(uint64_t seed)
{
	uint8_t family = seed % 2 ? TERN_INET : TERN_INET6;
	struct tern_config cfg = hostile_config(family, VICTIM_HOST, seed);
	struct world *w;

	cfg.conns_max = INVARIANTS_CONNS - 1;
	w = world_new_cfg(family, seed, &cfg);
	HOLDS(tern_stack_knob(w->victim, w->now, "net.ipv4.tcp_fastopen", "3") == 0);
	HOLDS(tern_stack_knob(w->victim, w->now, "net.ipv4.tcp_fastopen_key", "1-2-3-4,5-6-7-8") ==
	      0);
	HOLDS(tern_stack_option(w->victim, w->now, w->listener, TERN_SO_FASTOPEN, LIMIT) == 0);
	return w;
}

static uint64_t counted(const struct world *w, enum tern_counter c)
{
	return tern_stack_counter(w->victim, c);
}

/* Who comes: one of 256 hosts, from any port. */
static struct tern_endpoint somebody(struct world *w)
{
	struct tern_endpoint from =
		world_at(w, ATTACKER_HOST, (uint16_t)(1 + world_pick(w, 65535)));

	if (w->family == TERN_INET)
		from.addr = tern_addr_v4(11, 1, 2, (uint8_t)(1 + world_pick(w, 254)));
	else
		from.addr.b[8] = (uint8_t)world_pick(w, 256);
	return from;
}

static void good_cookie(const struct world *w, const struct shot *s, bool second, uint8_t *ret)
{
	const struct tern_knobs *k = &w->victim->knobs;
	struct tern_flow flow = { .local = s->to.addr, .remote = s->from.addr };

	tern_fastopen_cookie(second ? k->tcp_fastopen_key_backup : k->tcp_fastopen_key, &flow, ret);
}

/* The option with len bytes, in one form or the other, behind a segment size. Its length. */
static uint32_t write_options(uint8_t *opt, bool old_form, const uint8_t *cookie, uint32_t len)
{
	static const uint8_t mss[] = { 2, 4, 5, 180 }, magic[] = { 0xf9, 0x89 };
	uint32_t n = sizeof(mss), head = old_form ? 4 : 2;

	memset(opt, 1, 40);
	memcpy(opt, mss, sizeof(mss));
	opt[n] = old_form ? 254 : 34;
	opt[n + 1] = (uint8_t)(head + len);
	if (old_form)
		memcpy(opt + n + 2, magic, sizeof(magic));
	memcpy(opt + n + head, cookie, len);
	return (n + head + len + 3) & ~3u;
}

/* A SYN of any kind. */
static void any_syn(struct world *w, struct shot *s, uint8_t opt[40])
{
	static uint8_t last[18]; /* somebody else's cookie */
	uint8_t cookie[18];
	uint32_t len = sizeof(cookie);

	*s = (struct shot){ .from = somebody(w),
			    .to = world_at(w, VICTIM_HOST, SERVER_PORT),
			    .seq = tern_rng_u32(&w->rng),
			    .wnd = (uint16_t)world_pick(w, 65536),
			    .flags = (uint16_t)(TERN_SYN | (world_once_in(w, 8) ? TERN_FIN : 0)),
			    .len = world_once_in(w, 3) ? 0 : world_pick(w, 60),
			    .opt = opt };
	tern_rng_bytes(&w->rng, cookie, sizeof(cookie));
	switch (world_pick(w, 4)) {
	case 0:
		len = world_pick(w, sizeof(cookie) + 1);
		break;
	case 1:
		memcpy(cookie, last, sizeof(cookie));
		len = TERN_FASTOPEN_COOKIE;
		break;
	default:
		good_cookie(w, s, world_once_in(w, 3), cookie);
		len = TERN_FASTOPEN_COOKIE;
		break;
	}
	memcpy(last, cookie, sizeof(last));
	s->opt_len = write_options(opt, world_once_in(w, 3), cookie, len);
}

static void expect_order(struct world *w, struct invariants *inv)
{
	uint32_t conn;
	const char *wrong = invariants_check(inv, w->victim, true, &conn);

	if (wrong)
		hostile_fail(wrong, __FILE__, __LINE__);
}

/* What the sender does next, by chance: gives up, goes on, says nonsense, or nothing. */
static void go_on(struct world *w, struct shot *s)
{
	bool early = w->last.ack == s->seq + 1 + s->len;

	s->opt_len = 0;
	s->seq += early ? 1 + s->len : 1;
	s->ack = w->last.seq + 1;
	s->flags = TERN_ACK;
	switch (world_pick(w, 6)) {
	case 0:
		s->flags = TERN_RST;
		break;
	case 1:
		s->flags = TERN_RST | TERN_ACK;
		s->seq += world_pick(w, 3) - 1;
		break;
	case 2:
		break;
	case 3:
		s->ack += world_pick(w, 3) - 1;
		s->flags |= TERN_FIN;
		break;
	case 4: /* the SYN again, or another */
		s->seq -= 1 + world_pick(w, 2);
		s->flags = TERN_SYN;
		break;
	default:
		return;
	}
	world_fire(w, s);
}

static void any_syns(uint64_t seed)
{
	struct invariants inv = { 0 };
	struct world *w = world_of(seed);
	uint64_t before = w->victim->mem.used;
	struct shot s;
	uint8_t opt[40];

	w->idle_server = seed % 4 >= 2;
	for (unsigned int i = 0; i < SYNS; i++) {
		uint64_t out = w->out;

		any_syn(w, &s, opt);
		world_fire(w, &s);
		HOLDS(w->out - out <= 2); /* SYN-ACK, and what it was to say back */
		if (w->out != out)
			go_on(w, &s);
		if (i % 8 == 0)
			expect_order(w, &inv);
		if (i % 16 == 0)
			world_pass(w, 100 * HOSTILE_MS);
		if (i % 1000 == 0)
			world_chat(w, 1000);
	}
	HOLDS(w->victim->mem.used - before < 1000000);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPFastOpenPassive) > LIMIT);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPFastOpenPassiveAltKey) > 0);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPFastOpenPassiveFail) > 0);
	HOLDS(counted(w, TERN_CNT_TcpExtTCPFastOpenListenOverflow) > 0);
	w->idle_server = false;
	world_pass(w, 300 * HOSTILE_S);
	expect_order(w, &inv);
	world_free(w);
}

static void syns_with_any_cookie_open_what_the_limit_allows(void **state)
{
	(void)state;
	hostile_run(__func__, 4, any_syns);
}

/* A good SYN of the attacker's own address. */
static bool opens_early(struct world *w, struct shot *s, uint8_t opt[40])
{
	uint64_t before = counted(w, TERN_CNT_TcpExtTCPFastOpenPassive);
	uint8_t cookie[TERN_FASTOPEN_COOKIE];

	*s = (struct shot){ .from = world_at(w, ATTACKER_HOST,
					     (uint16_t)(1024 + world_pick(w, 60000))),
			    .to = world_at(w, VICTIM_HOST, SERVER_PORT),
			    .seq = tern_rng_u32(&w->rng),
			    .wnd = 1000,
			    .flags = TERN_SYN,
			    .len = 10,
			    .opt = opt };
	good_cookie(w, s, false, cookie);
	s->opt_len = write_options(opt, false, cookie, sizeof(cookie));
	world_fire(w, s);
	return counted(w, TERN_CNT_TcpExtTCPFastOpenPassive) != before;
}

static void resets(uint64_t seed)
{
	struct invariants inv = { 0 };
	struct world *w = world_of(seed);
	struct shot s, client = { .wnd = 1000, .seq = 77 };
	struct tern_endpoint from = world_at(w, ATTACKER_HOST, 1000);
	unsigned int early = 0;
	uint8_t opt[40];

	for (unsigned int minute = 1; minute <= 3; minute++) {
		for (unsigned int i = 0; i < 500; i++) {
			early += opens_early(w, &s, opt);
			world_serve(w); /* accepted; else it is the accept queue that it fills */
			s.seq += 1 + (w->last.ack == s.seq + 1 + s.len ? s.len : 0);
			s.flags = TERN_RST;
			s.opt_len = s.len = 0;
			world_fire(w, &s);
			expect_order(w, &inv);
		}
		HOLDS(early == LIMIT * minute);
		from.port++;
		world_shake(w, &from, &client); /* the others are served as ever */
		world_pass(w, 60 * HOSTILE_S + HOSTILE_MS);
	}
	world_free(w);
}

static void who_resets_what_it_opened_early_has_the_limit_once_a_minute(void **state)
{
	(void)state;
	hostile_run(__func__, 2, resets);
}

static void silent(uint64_t seed)
{
	struct world *w = world_of(seed);
	unsigned int early = 0;
	uint64_t out = w->out;
	uint8_t opt[40];
	struct shot s;

	for (unsigned int i = 0; i < 500; i++)
		early += opens_early(w, &s, opt);
	HOLDS(early == LIMIT);
	world_pass(w, 300 * HOSTILE_S);
	/* each SYN-ACK and its repetitions, and what each early child said back */
	HOLDS(w->out - out <= 500 * 7 + LIMIT * 2);
	HOLDS(opens_early(w, &s, opt));
	world_free(w);
}

static void who_opens_early_and_is_silent_has_the_limit_until_it_times_out(void **state)
{
	(void)state;
	hostile_run(__func__, 2, silent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syns_with_any_cookie_open_what_the_limit_allows),
		cmocka_unit_test(who_resets_what_it_opened_early_has_the_limit_once_a_minute),
		cmocka_unit_test(who_opens_early_and_is_silent_has_the_limit_until_it_times_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
