/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "tcp/negotiate.h"

#define ALL (TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS)

static struct tern_knobs knobs;

static int begin(void **state)
{
	(void)state;
	tern_knobs_init(&knobs);
	return 0;
}

static struct tern_terms judge(uint8_t family, uint16_t offered, struct tern_tcp_options opt)
{
	struct tern_terms terms;

	tern_negotiate(&knobs, family, offered, 7, &opt, &terms);
	return terms;
}

/* RFC9293:MUST-15. */
static void without_the_option_the_mss_is_the_protocols(void **state)
{
	(void)state;
	assert_int_equal(judge(TERN_INET, ALL, (struct tern_tcp_options){ 0 }).peer_mss, 536);
	assert_int_equal(judge(TERN_INET6, ALL, (struct tern_tcp_options){ 0 }).peer_mss, 1220);
}

/* CVE-2019-11479: the floor is tcp_min_snd_mss, options included. RFC9293:MUST-14 */
static void an_mss_too_small_is_raised_to_the_floor(void **state)
{
	static const struct {
		uint16_t option, mss;
	} cases[] = { { 0, 48 },  { 1, 48 },      { 47, 48 },      { 48, 48 },
		      { 49, 49 }, { 1460, 1460 }, { 65535, 65535 } };

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		struct tern_tcp_options opt = { .present = TERN_OPT_MSS, .mss = cases[i].option };

		assert_int_equal(judge(TERN_INET, ALL, opt).peer_mss, cases[i].mss);
	}
}

/* Every option is in force when both sides sent it, and only then. RFC7323:2.2a RFC7323:3.2a */
static void an_option_needs_both_sides(void **state)
{
	(void)state;
	for (uint16_t offered = 0; offered < 16; offered++)
		for (uint16_t sent = 0; sent < 16; sent++) {
			struct tern_tcp_options opt = { .present = sent, .mss = 1460, .wscale = 3 };
			struct tern_terms t = judge(TERN_INET, offered, opt);
			bool scaled = offered & sent & TERN_OPT_WSCALE;

			assert_int_equal(t.options, offered & sent & ~TERN_OPT_MSS);
			assert_int_equal(t.snd_wscale, scaled ? 3 : 0);
			assert_int_equal(t.rcv_wscale, scaled ? 7 : 0);
		}
}

/* RFC 7323 §2.3. RFC7323:2.3b */
static void a_window_scale_above_14_is_taken_as_14(void **state)
{
	(void)state;
	for (unsigned int shift = 0; shift < 256; shift++) {
		struct tern_tcp_options opt = { .present = TERN_OPT_WSCALE,
						.wscale = (uint8_t)shift };

		assert_int_equal(judge(TERN_INET, ALL, opt).snd_wscale, TERN_MIN(shift, 14u));
	}
}

/* RFC9293:MUST-67 */
static void the_advertised_mss_is_what_a_packet_holds(void **state)
{
	static const struct {
		uint8_t family;
		uint32_t mtu;
		uint16_t mss;
	} cases[] = { { TERN_INET, 1500, 1460 },   { TERN_INET6, 1500, 1440 },
		      { TERN_INET, 576, 536 },     { TERN_INET6, 1280, 1220 },
		      { TERN_INET, 65535, 65495 }, { TERN_INET6, 65575, 65475 } };

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(cases); i++)
		assert_int_equal(tern_advertised_mss(cases[i].family, cases[i].mtu), cases[i].mss);
}

static void the_window_scale_fits_the_largest_buffer(void **state)
{
	(void)state;
	knobs.rmem_max = 2304;
	for (uint32_t shift = 0; shift <= 14; shift++) {
		knobs.tcp_rmem_max = UINT32_C(65535) << shift;
		assert_int_equal(tern_window_scale(&knobs, 4096, false), shift);
		if (shift < 14) {
			knobs.tcp_rmem_max++;
			assert_int_equal(tern_window_scale(&knobs, 4096, false),
					 shift + (shift == 0));
		}
	}
	knobs.tcp_rmem_max = 4096;
	assert_int_equal(tern_window_scale(&knobs, 1 << 20, false), 5);
	knobs.tcp_rmem_max = 1 << 30;
	assert_int_equal(tern_window_scale(&knobs, 4096, false), 14);
}

static void knobs_decide_what_is_offered(void **state)
{
	(void)state;
	assert_int_equal(tern_offered_options(&knobs), ALL);
	knobs.tcp_window_scaling = 0;
	assert_int_equal(tern_offered_options(&knobs), ALL & ~TERN_OPT_WSCALE);
	knobs.tcp_sack = 0;
	assert_int_equal(tern_offered_options(&knobs), TERN_OPT_MSS | TERN_OPT_TS);
	knobs.tcp_timestamps = 0;
	assert_int_equal(tern_offered_options(&knobs), TERN_OPT_MSS);
	knobs.tcp_timestamps = 2;
	assert_int_equal(tern_offered_options(&knobs), TERN_OPT_MSS | TERN_OPT_TS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_the_option_the_mss_is_the_protocols, begin),
		cmocka_unit_test_setup(an_mss_too_small_is_raised_to_the_floor, begin),
		cmocka_unit_test_setup(an_option_needs_both_sides, begin),
		cmocka_unit_test_setup(a_window_scale_above_14_is_taken_as_14, begin),
		cmocka_unit_test_setup(the_advertised_mss_is_what_a_packet_holds, begin),
		cmocka_unit_test_setup(the_window_scale_fits_the_largest_buffer, begin),
		cmocka_unit_test_setup(knobs_decide_what_is_offered, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
