/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/drill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "report/sink.h"

static void a_script_that_holds_says_nothing(void **unused)
{
	static const char text[] = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n";
	struct tern_drill_config cfg = { 0 };
	struct tern_mem mem = { 0 };
	struct tern_sink out;

	(void)unused;
	tern_sink_init(&out, &mem, 0);
	assert_int_equal(tern_drill_run(&cfg, "x.pkt", text, strlen(text), &out),
			 TERN_DRILL_PASSED);
	assert_int_equal(out.len, 0);
	tern_sink_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_that_holds_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
