/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "wire/dump.h"

#define LINE_MAX_LEN 4096

static uint32_t unhex(const char *text, uint8_t *bytes)
{
	uint32_t n = 0;
	unsigned int v;

	for (; sscanf(text, "%2x", &v) == 1 && text[0] > ' '; text += 2)
		bytes[n++] = (uint8_t)v;
	return n;
}

static const char *dump(const uint8_t *bytes, uint32_t len, const struct tern_dump_base *base)
{
	static char line[LINE_MAX_LEN];
	struct tern_text text;

	tern_text_init(&text, line, sizeof(line));
	tern_dump_packet(&text, guarded(bytes, len), len, base);
	return line;
}

/* tests/golden/tcpdump.txt says how it was made. */
static void packets_print_as_tcpdump_prints_them(void **state)
{
	static char line[LINE_MAX_LEN];
	uint8_t bytes[LINE_MAX_LEN];
	const char *source = getenv("TERN_SOURCE");
	struct tern_dump_base base;
	bool relative = false;
	uint32_t len = 0, count = 0;
	FILE *f;

	(void)state;
	snprintf(line, sizeof(line), "%s/tests/golden/tcpdump.txt", source ? source : ".");
	f = fopen(line, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == 'b') {
			assert_int_equal(sscanf(line, "b %u %u", &base.seq, &base.ack), 2);
			relative = true;
		} else if (line[0] == '>') {
			len = unhex(line + 2, bytes);
		} else if (line[0] == '=') {
			assert_string_equal(dump(bytes, len, relative ? &base : NULL), line + 2);
			count++;
		}
	}
	fclose(f);
	assert_true(count > 250);
}

static void a_line_that_does_not_fit_is_a_true_beginning(void **state)
{
	static const uint8_t bytes[28] = { 0x45, 0, 0, 28, 0,  0, 0, 0, 64, 17, 0, 0, 10,
					   77,   0, 1, 10, 77, 0, 2, 0, 1,  0,  2, 0, 8 };
	static const char whole[] = "IP 10.77.0.1.1 > 10.77.0.2.2: UDP, length 0";

	(void)state;
	assert_string_equal(dump(bytes, 28, NULL), whole);
	for (size_t cap = 1; cap < sizeof(whole); cap++) {
		char buf[64];
		struct tern_text text;

		tern_text_init(&text, buf, cap);
		tern_dump_packet(&text, bytes, 28, NULL);
		assert_true(text.cut);
		assert_int_equal(strncmp(buf, whole, strlen(buf)), 0);
	}
}

static void no_bytes_at_all_print_as_no_version(void **state)
{
	(void)state;
	assert_string_equal(dump(NULL, 0, NULL), "unknown ip 0");
}

/* Every packet of the golden file, spoiled: only the guard page can tell. */
static void spoiled_packets_never_lead_outside(void **state)
{
	static char line[LINE_MAX_LEN];
	uint8_t bytes[LINE_MAX_LEN], spoiled[LINE_MAX_LEN];
	const char *source = getenv("TERN_SOURCE");
	struct tern_rng rng;
	FILE *f;

	(void)state;
	seed(&rng, 13);
	snprintf(line, sizeof(line), "%s/tests/golden/tcpdump.txt", source ? source : ".");
	f = fopen(line, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint32_t len;

		if (line[0] != '>')
			continue;
		len = unhex(line + 2, bytes);
		for (uint32_t cut = 0; cut <= len; cut++)
			assert_true(strlen(dump(bytes, cut, NULL)) > 0);
		for (int i = 0; i < 100; i++) {
			memcpy(spoiled, bytes, len);
			for (uint32_t n = tern_rng_below(&rng, 4) + 1; n > 0; n--)
				spoiled[tern_rng_below(&rng, len)] = (uint8_t)tern_rng_u32(&rng);
			assert_true(strlen(dump(spoiled, len, NULL)) > 0);
		}
	}
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_print_as_tcpdump_prints_them),
		cmocka_unit_test(a_line_that_does_not_fit_is_a_true_beginning),
		cmocka_unit_test(no_bytes_at_all_print_as_no_version),
		cmocka_unit_test(spoiled_packets_never_lead_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
