/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include "wire/tcp.h"

/* Reads options that stand in a string literal, to their last byte. */
#define READ(literal, syn, opt) read_options(literal, sizeof(literal) - 1, syn, opt)

static bool read_options(const char *bytes, uint32_t len, bool syn, struct tern_tcp_options *opt)
{
	memset(opt, 0xee, sizeof(*opt));
	return tern_tcp_option_parse(guarded(bytes, len), len, syn, opt);
}

/* Writes options and compares them with a string literal. */
#define WRITES(opt, syn, literal) assert_writes(opt, syn, literal, sizeof(literal) - 1)

static void assert_writes(const struct tern_tcp_options *opt, bool syn, const char *bytes,
			  uint32_t len)
{
	uint8_t buf[TERN_TCP_OPTIONS_MAX + 1];

	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(tern_tcp_option_len(opt, syn), len);
	assert_int_equal(tern_tcp_option_emit(buf, opt, syn), len);
	assert_memory_equal(buf, bytes, len);
	assert_int_equal(buf[len], 0xee);
}

/* RFC9293:MUST-4 */
static void a_linux_syn_is_read(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\4\5\xb4\4\2\x8\xa\0\0\0\5\0\0\0\0\1\3\3\xa", true, &opt));
	assert_int_equal(opt.present,
			 TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE);
	assert_int_equal(opt.mss, 1460);
	assert_int_equal(opt.tsval, 5);
	assert_int_equal(opt.tsecr, 0);
	assert_int_equal(opt.wscale, 10);
	assert_int_equal(opt.sack_count, 0);
}

static void no_options_leave_nothing_behind(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("", false, &opt));
	assert_int_equal(opt.present, 0);
	assert_int_equal(opt.mss, 0);
	assert_int_equal(opt.wscale, 0);
	assert_int_equal(opt.sack_count, 0);
	assert_int_equal(opt.fastopen_len, 0);
	assert_int_equal(opt.tsval, 0);
	assert_int_equal(opt.tsecr, 0);
}

/* RFC9293:MUST-4 RFC9293:MUST-5 RFC9293:MUST-64 */
static void timestamps_are_read_in_any_position(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\1\1\x8\xa\1\2\3\4\5\6\7\x8", false, &opt));
	assert_int_equal(opt.present, TERN_OPT_TS);
	assert_int_equal(opt.tsval, 0x01020304);
	assert_int_equal(opt.tsecr, 0x05060708);
	assert_true(READ("\x8\xa\1\2\3\4\5\6\7\x8\1\1", false, &opt));
	assert_int_equal(opt.tsval, 0x01020304);
	assert_true(READ("\1\x8\xa\1\2\3\4\5\6\7\x8\1", true, &opt));
	assert_int_equal(opt.tsecr, 0x05060708);
}

static void selective_acknowledgments_follow_timestamps(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(
		READ("\1\1\x8\xa\0\0\0\1\0\0\0\2\1\1\5\x12\0\0\0\3\0\0\0\4\xff\xff\xff\xff\0\0\0\1",
		     false, &opt));
	assert_int_equal(opt.present, TERN_OPT_TS | TERN_OPT_SACK);
	assert_int_equal(opt.sack_count, 2);
	assert_int_equal(opt.sack[0].left, 3);
	assert_int_equal(opt.sack[0].right, 4);
	assert_int_equal(opt.sack[1].left, 0xffffffff);
	assert_int_equal(opt.sack[1].right, 1);
}

/* RFC9293:MUST-4 RFC9293:MUST-7 RFC9293:MUST-14 */
static void a_length_of_0_or_1_ends_the_reading(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	for (int kind = 2; kind < 256; kind++) {
		for (char size = 0; size <= 2; size++) {
			char bytes[8] = { 2, 4, 2, 24, (char)kind, size, 1, 1 };

			assert_int_equal(read_options(bytes, 8, true, &opt), size == 2);
			assert_int_equal(opt.present & TERN_OPT_MSS, TERN_OPT_MSS);
			assert_int_equal(opt.mss, 536);
		}
	}
}

static void an_option_beyond_the_end_ends_the_reading(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	for (int kind = 2; kind < 256; kind++) {
		for (int size = 2; size < 256; size++) {
			char bytes[12] = { 1, (char)kind, (char)size };

			assert_int_equal(read_options(bytes, 12, true, &opt), size <= 11);
			assert_int_equal(read_options(bytes, 12, false, &opt), size <= 11);
		}
	}
}

/* RFC9293:MUST-68 */
static void a_kind_without_a_length_ends_the_reading(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	for (int kind = 0; kind < 256; kind++) {
		char bytes[4] = { 1, 1, 1, (char)kind };

		assert_int_equal(read_options(bytes, 4, true, &opt), kind < 2);
		assert_int_equal(opt.present, 0);
	}
}

/* RFC9293:MUST-4 RFC9293:MUST-69 */
static void nothing_is_read_behind_the_end_of_list(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\4\5\xb4\0\3\3\7", true, &opt));
	assert_int_equal(opt.present, TERN_OPT_MSS);
	assert_true(READ("\0\xfe\0\0", true, &opt));
	assert_int_equal(opt.present, 0);
}

static void the_first_of_duplicates_wins(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\4\0\1\2\4\0\2\3\3\4\3\3\5\4\2\4\2\x22\6"
			 "1234\x22\6"
			 "5678",
			 true, &opt));
	assert_int_equal(opt.mss, 1);
	assert_int_equal(opt.wscale, 4);
	assert_int_equal(opt.fastopen_len, 4);
	assert_memory_equal(opt.fastopen, "1234", 4);
	assert_true(READ("\1\1\x8\xa\0\0\0\1\0\0\0\2\x8\xa\0\0\0\3\0\0\0\4", false, &opt));
	assert_int_equal(opt.tsval, 1);
	assert_int_equal(opt.tsecr, 2);
	assert_true(READ("\5\xa\0\0\0\1\0\0\0\2\5\xa\0\0\0\3\0\0\0\4", false, &opt));
	assert_int_equal(opt.sack_count, 1);
	assert_int_equal(opt.sack[0].left, 1);
}

/* RFC9293:MUST-6 RFC9293:MUST-68 RFC5482:3.3 */
static void known_options_of_a_wrong_length_are_passed_over(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\3\5\2\5\5\5\5\2\2", true, &opt));
	assert_int_equal(opt.present, 0);
	assert_true(READ("\3\2\3\4\1\1\4\3\1\4\4\1\1", true, &opt));
	assert_int_equal(opt.present, 0);
	assert_true(READ("\x8\x9\1\2\3\4\5\6\7\x8\xb\1\2\3\4\5\6\7\x8\x9\x8\2", true, &opt));
	assert_int_equal(opt.present, 0);
	/* The right one behind a wrong one counts. */
	assert_true(READ("\2\3\5\2\4\2\x18", true, &opt));
	assert_int_equal(opt.mss, 536);
	/* MD5 and TCP-AO, long and short: unknown here. */
	assert_true(READ("\x13\x12zzzzzzzzzzzzzzzz\x13\2\x1d\2\x1d\4zz", true, &opt));
	assert_int_equal(opt.present, 0);
}

static void sack_blocks_come_whole_and_at_most_four(void **state)
{
	struct tern_tcp_options opt;
	char bytes[64] = { 5 };

	(void)state;
	for (uint32_t len = 0; len <= 40; len++) {
		bytes[1] = (char)(len + 2);
		assert_true(read_options(bytes, len + 2, false, &opt));
		if (len != 0 && len % 8 == 0 && len <= 32) {
			assert_int_equal(opt.present, TERN_OPT_SACK);
			assert_int_equal(opt.sack_count, len / 8);
		} else {
			assert_int_equal(opt.present, 0);
			assert_int_equal(opt.sack_count, 0);
		}
	}
}

/* RFC7413:4.1.1 */
static void a_fast_open_cookie_is_4_to_16_bytes_and_even(void **state)
{
	struct tern_tcp_options opt;
	char bytes[32] = { 34 };

	(void)state;
	for (uint32_t len = 0; len <= 20; len++) {
		bool good = len == 0 || (len >= 4 && len <= 16 && len % 2 == 0);

		bytes[1] = (char)(len + 2);
		assert_true(read_options(bytes, len + 2, true, &opt));
		assert_int_equal(opt.present, good ? TERN_OPT_FASTOPEN : 0);
		assert_int_equal(opt.fastopen_len, good ? len : 0);
	}
}

static void the_experimental_fast_open_option_is_known_by_its_magic_number(void **state)
{
	struct tern_tcp_options opt;
	char bytes[32] = { '\xfe', 0, '\xf9', '\x89' };

	(void)state;
	for (uint32_t len = 0; len <= 20; len++) {
		bool good = len == 0 || (len >= 4 && len <= 16 && len % 2 == 0);

		bytes[1] = (char)(len + 4);
		assert_true(read_options(bytes, len + 4, true, &opt));
		assert_int_equal(opt.present, good ? TERN_OPT_FASTOPEN : 0);
		assert_int_equal(opt.fastopen_len, good ? len : 0);
		if (good)
			assert_true(opt.fastopen_exp);
	}
	assert_true(read_options("\xfe\4\xf9\x88", 4, true, &opt)); /* somebody else's */
	assert_int_equal(opt.present, 0);
	assert_true(read_options("\xfe\3\xf9", 3, true, &opt)); /* cut in the number */
	assert_int_equal(opt.present, 0);
	assert_true(read_options("\xfe\4\xf9\x89", 4, false, &opt)); /* not on a SYN */
	assert_int_equal(opt.present, 0);
	assert_true(read_options("\x22\2\xfe\x8\xf9\x89"
				 "1234",
				 10, true, &opt));
	assert_int_equal(opt.fastopen_len, 0); /* the first wins */
	assert_false(opt.fastopen_exp);
}

static void options_of_a_syn_are_ignored_elsewhere_and_sack_on_a_syn(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\4\5\xb4\4\2\3\3\7\x22\2", false, &opt));
	assert_int_equal(opt.present, 0);
	assert_true(READ("\5\xa\0\0\0\1\0\0\0\2", true, &opt));
	assert_int_equal(opt.present, 0);
}

static void values_stand_as_received(void **state)
{
	struct tern_tcp_options opt;

	(void)state;
	assert_true(READ("\2\4\0\0\3\3\xff", true, &opt));
	assert_int_equal(opt.present, TERN_OPT_MSS | TERN_OPT_WSCALE);
	assert_int_equal(opt.mss, 0);
	assert_int_equal(opt.wscale, 255);
}

/* RFC9293:MUST-65 */
static void options_are_written_in_the_order_of_linux(void **state)
{
	struct tern_tcp_options opt = {
		.mss = 1460,
		.wscale = 10,
		.tsval = 5,
		.tsecr = 6,
		.fastopen_len = 8,
		.fastopen = "abcdefgh",
	};

	(void)state;
	opt.present = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE;
	WRITES(&opt, true, "\2\4\5\xb4\4\2\x8\xa\0\0\0\5\0\0\0\6\1\3\3\xa");
	opt.present = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_WSCALE;
	WRITES(&opt, true, "\2\4\5\xb4\1\1\4\2\1\3\3\xa");
	opt.present = TERN_OPT_MSS | TERN_OPT_TS;
	WRITES(&opt, true, "\2\4\5\xb4\1\1\x8\xa\0\0\0\5\0\0\0\6");
	opt.present = TERN_OPT_MSS;
	WRITES(&opt, true, "\2\4\5\xb4");
	opt.present = TERN_OPT_FASTOPEN;
	WRITES(&opt, true,
	       "\x22\xa"
	       "abcdefgh\1\1");
	opt.fastopen_exp = true;
	WRITES(&opt, true,
	       "\xfe\xc\xf9\x89"
	       "abcdefgh");
	opt.fastopen_len = 0;
	WRITES(&opt, true, "\xfe\4\xf9\x89");
	opt.fastopen_exp = false;
	WRITES(&opt, true, "\x22\2\1\1");
	opt.present = 0;
	WRITES(&opt, true, "");
	WRITES(&opt, false, "");
	opt.present = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE;
	WRITES(&opt, false, "\1\1\x8\xa\0\0\0\5\0\0\0\6");
	opt.present = TERN_OPT_SACK;
	opt.sack_count = 1;
	opt.sack[0] = (struct tern_sack_block){ 1, 2 };
	WRITES(&opt, false, "\1\1\5\xa\0\0\0\1\0\0\0\2");
	WRITES(&opt, true, "");
	opt.sack_count = 0;
	WRITES(&opt, false, "");
}

static void sack_blocks_that_find_no_room_are_left_off(void **state)
{
	struct tern_tcp_options opt = { .present = TERN_OPT_SACK };

	(void)state;
	for (opt.sack_count = 0; opt.sack_count < 4; opt.sack_count++) {
		uint32_t n = opt.sack_count;

		opt.present = TERN_OPT_SACK;
		assert_int_equal(tern_tcp_option_len(&opt, false), n ? 4 + 8 * n : 0);
		opt.present = TERN_OPT_SACK | TERN_OPT_TS;
		assert_int_equal(tern_tcp_option_len(&opt, false), 12 + (n ? 4 + 8 * n : 0));
	}
	opt.sack_count = 200;
	assert_int_equal(tern_tcp_option_len(&opt, false), 40);
	opt.present = TERN_OPT_SACK;
	assert_int_equal(tern_tcp_option_len(&opt, false), 36);
}

static void everything_on_a_syn_takes_exactly_40_bytes(void **state)
{
	struct tern_tcp_options opt = {
		.present = TERN_OPT_MSS | TERN_OPT_SACKOK | TERN_OPT_TS | TERN_OPT_WSCALE |
			   TERN_OPT_FASTOPEN | TERN_OPT_SACK,
		.fastopen_len = 16,
		.sack_count = 4,
	};

	(void)state;
	assert_int_equal(tern_tcp_option_len(&opt, true), 40);
	opt.fastopen_len = 255; /* more than there is room for: the cookie is cut */
	assert_int_equal(tern_tcp_option_len(&opt, true), 40);
}

static void options_read_as_they_were_written(void **state)
{
	const uint32_t on_syn = TERN_OPT_MSS | TERN_OPT_WSCALE | TERN_OPT_SACKOK | TERN_OPT_TS |
				TERN_OPT_FASTOPEN;
	const uint32_t elsewhere = TERN_OPT_TS | TERN_OPT_SACK;
	struct tern_rng rng;

	(void)state;
	seed(&rng, 5);
	for (int i = 0; i < 100000; i++) {
		struct tern_tcp_options in, out;
		uint8_t buf[TERN_TCP_OPTIONS_MAX];
		bool syn = (i & 1) != 0;
		uint32_t len;

		memset(&in, 0, sizeof(in));
		in.present = (uint16_t)(tern_rng_u32(&rng) & (syn ? on_syn : elsewhere));
		if (in.present & TERN_OPT_MSS)
			in.mss = (uint16_t)tern_rng_u32(&rng);
		if (in.present & TERN_OPT_WSCALE)
			in.wscale = (uint8_t)tern_rng_u32(&rng);
		if (in.present & TERN_OPT_TS) {
			in.tsval = tern_rng_u32(&rng);
			in.tsecr = tern_rng_u32(&rng);
		}
		if (in.present & TERN_OPT_SACK)
			in.sack_count =
				(uint8_t)(1 +
					  tern_rng_below(&rng, in.present & TERN_OPT_TS ? 3 : 4));
		tern_rng_bytes(&rng, in.sack, in.sack_count * sizeof(in.sack[0]));
		if (in.present & TERN_OPT_FASTOPEN) {
			in.fastopen_len = (uint8_t)(2 * tern_rng_below(&rng, 9));
			if (in.fastopen_len == 2)
				in.fastopen_len = 0;
			in.fastopen_exp = tern_rng_below(&rng, 2);
		}
		tern_rng_bytes(&rng, in.fastopen, in.fastopen_len);
		len = tern_tcp_option_emit(buf, &in, syn);
		assert_int_equal(len, tern_tcp_option_len(&in, syn));
		assert_int_equal(len % 4, 0);
		memset(&out, 0, sizeof(out));
		assert_true(tern_tcp_option_parse(guarded(buf, len), len, syn, &out));
		assert_memory_equal(&in, &out, sizeof(in));
	}
}

static void random_options_end(void **state)
{
	static const uint8_t common[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 18, 34, 254 };
	struct tern_rng rng;
	uint8_t bytes[40];

	(void)state;
	seed(&rng, 6);
	for (int i = 0; i < 200000; i++) {
		struct tern_tcp_options opt;
		uint32_t len = tern_rng_below(&rng, 41);

		tern_rng_bytes(&rng, bytes, len);
		for (uint32_t at = 0; at < len; at++)
			bytes[at] = bytes[at] % 8 ? common[bytes[at] % sizeof(common)] : bytes[at];
		(void)tern_tcp_option_parse(guarded(bytes, len), len, i % 2 == 0, &opt);
		assert_true(opt.sack_count <= TERN_SACK_BLOCKS_MAX);
		assert_true(opt.fastopen_len <= TERN_FASTOPEN_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_linux_syn_is_read),
		cmocka_unit_test(no_options_leave_nothing_behind),
		cmocka_unit_test(timestamps_are_read_in_any_position),
		cmocka_unit_test(selective_acknowledgments_follow_timestamps),
		cmocka_unit_test(a_length_of_0_or_1_ends_the_reading),
		cmocka_unit_test(an_option_beyond_the_end_ends_the_reading),
		cmocka_unit_test(a_kind_without_a_length_ends_the_reading),
		cmocka_unit_test(nothing_is_read_behind_the_end_of_list),
		cmocka_unit_test(the_first_of_duplicates_wins),
		cmocka_unit_test(known_options_of_a_wrong_length_are_passed_over),
		cmocka_unit_test(sack_blocks_come_whole_and_at_most_four),
		cmocka_unit_test(a_fast_open_cookie_is_4_to_16_bytes_and_even),
		cmocka_unit_test(the_experimental_fast_open_option_is_known_by_its_magic_number),
		cmocka_unit_test(options_of_a_syn_are_ignored_elsewhere_and_sack_on_a_syn),
		cmocka_unit_test(values_stand_as_received),
		cmocka_unit_test(options_are_written_in_the_order_of_linux),
		cmocka_unit_test(sack_blocks_that_find_no_room_are_left_off),
		cmocka_unit_test(everything_on_a_syn_takes_exactly_40_bytes),
		cmocka_unit_test(options_read_as_they_were_written),
		cmocka_unit_test(random_options_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
