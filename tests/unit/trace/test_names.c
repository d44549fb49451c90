/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tern/trace.h"
#include "trace/counter.h"
#include "trace/drop.h"
#include "trace/event.h"

typedef const char *(*lookup)(unsigned int i);

static void check_table(lookup name, lookup text, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		assert_non_null(name(i));
		assert_non_null(text(i));
		assert_true(strlen(text(i)) > 0);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
	assert_null(name(count));
	assert_null(text(count));
	assert_null(name(UINT32_MAX));
	assert_null(text(UINT32_MAX));
}

static void every_counter_has_a_name_of_its_own_and_a_text(void **unused)
{
	(void)unused;
	check_table(tern_counter_name, tern_counter_text, TERN_COUNTERS);
	assert_string_equal(tern_counter_name(TERN_CNT_TcpExtListenDrops), "TcpExtListenDrops");
}

static void every_drop_reason_has_a_name_of_its_own_and_a_text(void **unused)
{
	(void)unused;
	check_table(tern_drop_name, tern_drop_text, TERN_DROPS);
	assert_int_equal(TERN_DROP_NONE, 0);
	assert_string_equal(tern_drop_name(TERN_DROP_TCP_TOO_OLD_ACK), "TCP_TOO_OLD_ACK");
}

static void every_event_kind_has_a_name_of_its_own(void **unused)
{
	(void)unused;
	check_table(tern_event_name, tern_event_name, TERN_TRACE_STATE + 1);
	assert_string_equal(tern_event_name(TERN_TRACE_SEGMENT_OUT), "SEGMENT_OUT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_name_of_its_own_and_a_text),
		cmocka_unit_test(every_drop_reason_has_a_name_of_its_own_and_a_text),
		cmocka_unit_test(every_event_kind_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
