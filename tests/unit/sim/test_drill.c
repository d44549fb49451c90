/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/drill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "report/sink.h"
#include "unit/golden.h"

#define SERVER                                              \
	"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"     \
	"+0 bind(3, ..., ...) = 0\n"                        \
	"+0 listen(3, 1) = 0\n"                             \
	"+0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 0>\n" \
	"+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>\n"   \
	"+0 < . 1:1(0) ack 1 win 65535\n"                   \
	"+0 accept(3, ..., ...) = 4\n"

static struct tern_mem mem;
static struct tern_sink out;
static struct tern_drill_config cfg;

static int setup(void **unused)
{
	(void)unused;
	memset(&cfg, 0, sizeof(cfg));
	cfg.ascii = true;
	tern_sink_init(&out, &mem, 0);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	tern_sink_free(&out);
	return 0;
}

static enum tern_drill_verdict drill(const char *text)
{
	enum tern_drill_verdict verdict;

	tern_sink_reset(&out);
	verdict = tern_drill_run(&cfg, "x.pkt", text, strlen(text), &out);
	tern_sink_char(&out, '\0');
	return verdict;
}

static void passes(const char *text)
{
	if (drill(text) != TERN_DRILL_PASSED)
		fail_msg("%s", out.buf);
	assert_int_equal(out.len, 1);
}

/* Fails (or is broken) with a message that holds this. */
static void fails(const char *text, const char *message, enum tern_drill_verdict verdict)
{
	if (drill(text) != verdict || !strstr(out.buf, message))
		fail_msg("of:\n%s\nsaid:\n%s\nand not: %s", text, out.buf, message);
}

static void a_script_that_holds_says_nothing(void **unused)
{
	(void)unused;
	passes(SERVER "+0 write(4, ..., 1000) = 1000\n+0 > P. 1:1001(1000) ack 1\n");
}

static void a_connect_that_fails_is_drawn_whatever_its_port(void **unused)
{
	(void)unused;
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
	      "+0 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)\n",
	      "SYN-SENT", TERN_DRILL_FAILED);
}

static void every_field_that_differs_is_named(void **unused)
{
	static const struct {
		const char *packet, *message;
	} cases[] = {
		{ "+0 > . 1:1001(1000) ack 1", "x.pkt:9:1: the flags differ" },
		{ "+0 > P. 2:1002(1000) ack 1", "the sequence number is 1, not 2" },
		{ "+0 > P. 1:900(899) ack 1", "the length is 1000, not 899" },
		{ "+0 > P. 1:1101(1100) ack 1", "the length is 1000, not 1100" },
		{ "+0 > P. 1:1001(1000) ack 2", "ack is 1, not 2" },
		{ "+0 > P. 1:1001(1000) ack 1 win 65", "win is 64, not 65" },
		{ "+0 > P. 1:1001(1000) ack 1 urg 1", "urg is 0, not 1" },
		{ "+0 > P. 1:1001(1000) ack 1 <nop,nop,nop,nop>", "the TCP options differ" },
		{ "+0 > [ect0] P. 1:1001(1000) ack 1", "the ECN field is noecn" },
		{ "+0 > [ect01] P. 1:1001(1000) ack 1", "the ECN field is noecn" },
		{ "+0 > [tos 4] P. 1:1001(1000) ack 1", "tos is 0, not 4" },
		{ "+0 > [ttl 9] P. 1:1001(1000) ack 1", "ttl is 64, not 9" },
		{ "+0 > udp (1000)", "this is no UDP datagram" },
		{ "+0 > icmp unreachable", "this is no ICMP message" },
	};
	char text[512];

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		(void)snprintf(text, sizeof(text), SERVER "+0 write(4, ..., 1000) = 1000\n%s\n",
			       cases[i].packet);
		fails(text, cases[i].message, TERN_DRILL_FAILED);
	}
}

/* The second SYN-ACK leaves a second after the first, at 1.0 s. */
static void a_packet_has_to_come_when_it_is_expected(void **unused)
{
	static const struct {
		const char *packet;
		bool good;
	} cases[] = {
		{ "+1 > S. 0:0(0) ack 1", true },       { "1 > S. 0:0(0) ack 1", true },
		{ "+.986 > S. 0:0(0) ack 1", false },   { "+1.014 > S. 0:0(0) ack 1", false },
		{ "+.993 > S. 0:0(0) ack 1", true },    { "+1.007 > S. 0:0(0) ack 1", true },
		{ "+.5~+.9 > S. 0:0(0) ack 1", false }, { "+.5~+1.1 > S. 0:0(0) ack 1", true },
		{ "1.1~1.2 > S. 0:0(0) ack 1", false }, { "0~1.2 > S. 0:0(0) ack 1", true },
		{ "* > S. 0:0(0) ack 1", true },        { "+.1 > S. 0:0(0) ack 1", false },
		{ "+9 > S. 0:0(0) ack 1", false },
	};
	char text[512];

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		(void)snprintf(text, sizeof(text),
			       "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
			       "+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
			       "+0 < S 0:0(0) win 65535\n+0 > S. 0:0(0) ack 1 <...>\n%s <...>\n",
			       cases[i].packet);
		if (cases[i].good)
			passes(text);
		else
			fails(text, "timing: expected", TERN_DRILL_FAILED);
	}
}

static void tolerance_is_what_the_script_says(void **unused)
{
	static const char script[] = "--tolerance_usecs=%d\n--tolerance_percent=%d\n"
				     "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
				     "+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
				     "+0 < S 0:0(0) win 65535\n+0 > S. 0:0(0) ack 1 <...>\n"
				     "+.9 > S. 0:0(0) ack 1 <...>\n";
	char text[512];

	(void)unused;
	(void)snprintf(text, sizeof(text), script, 90000, 1);
	fails(text, "timing", TERN_DRILL_FAILED);
	(void)snprintf(text, sizeof(text), script, 110000, 1);
	passes(text);
	(void)snprintf(text, sizeof(text), script, 1, 12);
	passes(text);
	(void)snprintf(text, sizeof(text), script, 1, 10);
	fails(text, "tolerance 0.090000 s", TERN_DRILL_FAILED);
}

static void nothing_sent_is_told_as_that(void **unused)
{
	(void)unused;
	fails(SERVER "+0 > . 1:1(0) ack 1\n", "x.pkt:8:1: no packet was sent", TERN_DRILL_FAILED);
}

/* One event is one event, however many segments it takes. */
static void segments_that_follow_each_other_are_one(void **unused)
{
	(void)unused;
	passes(SERVER "+0 write(4, ..., 4500) = 4500\n+0 > P. 1:4501(4500) ack 1\n");
	passes(SERVER "+0 write(4, ..., 4500) = 4500\n+0 > . 1:1001(1000) ack 1\n"
		      "+0 > . 1001:3001(2000) ack 1\n+0 > P. 3001:4501(1500) ack 1\n");
	fails(SERVER "+0 write(4, ..., 4500) = 4500\n+0 > . 1:1501(1500) ack 1\n",
	      "the length is 1000, not 1500", TERN_DRILL_FAILED);
}

/* A kernel ends a piece where it likes, but never pushes less than the end of a write. */
static void psh_inside_a_run_may_be_a_kernels(void **unused)
{
	(void)unused;
	passes(SERVER "+0 write(4, ..., 3000) = 3000\n+0 > . 1:1001(1000) ack 1\n"
		      "+0 > P. 1001:2001(1000) ack 1\n+0 > P. 2001:3001(1000) ack 1\n");
	passes(SERVER "+0 write(4, ..., 2000) = 2000\n+0 > . 1:1001(1000) ack 1\n"
		      "+0 > P. 1001:2001(1000) ack 1\n");
	fails(SERVER "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:1001(1000) ack 1\n"
		     "+0 > . 1001:2001(1000) ack 1\n",
	      "the flags differ", TERN_DRILL_FAILED);
	fails(SERVER "+0 send(4, ..., 1000, MSG_MORE) = 1000\n+0 > P. 1:1001(1000) ack 1\n",
	      "the flags differ", TERN_DRILL_FAILED);
}

static void timestamps_are_compared_only_where_a_tick_is_given(void **unused)
{
	static const char script[] =
		"%s0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, 0) = 3\n"
		"+0 connect(3, ..., ...) = -1 EINPROGRESS\n"
		"+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>\n"
		"+1 > S 0:0(0) <mss 1460,sackOK,TS val %u ecr 0,nop,wscale 10>\n"
		"+.1 < S. 0:0(0) ack 1 win 9 <mss 1460,nop,nop,TS val 7 ecr %u>\n"
		"+0 > . 1:1(0) ack 1 <nop,nop,TS val 1200 ecr 7>\n";
	char text[1024];

	(void)unused;
	(void)snprintf(text, sizeof(text), script, "", 5555, 5555);
	passes(text);
	(void)snprintf(text, sizeof(text), script, "--tcp_ts_tick_usecs=1000\n", 1100, 1100);
	passes(text);
	(void)snprintf(text, sizeof(text), script, "--tcp_ts_tick_usecs=1000\n", 1105, 1105);
	fails(text, "TS val is 1100, not 1105", TERN_DRILL_FAILED);
	/* An echo of nothing that was sent does not complete the handshake (RFC 7323 3.2). */
	(void)snprintf(text, sizeof(text), script, "--tcp_ts_tick_usecs=1000\n", 1100, 9999);
	fails(text, "actual:  > R 1:1(0) win 0", TERN_DRILL_FAILED);
}

static void what_a_call_returns_has_to_be_what_is_said(void **unused)
{
	(void)unused;
	fails(SERVER "+0 write(4, ..., 10) = 11\n", "the call returned 10", TERN_DRILL_FAILED);
	fails(SERVER "+0 read(4, ..., 10) = 0\n", "the call blocks for ever", TERN_DRILL_FAILED);
	fails(SERVER "+0 bind(4, ..., ...) = 0\n", "the call returned -1 EINVAL (Invalid argument)",
	      TERN_DRILL_FAILED);
	fails(SERVER "+0 bind(4, ..., ...) = -1 EBADF\n", "returned -1 EINVAL", TERN_DRILL_FAILED);
	passes(SERVER "+0 bind(4, ..., ...) = -1\n+0 bind(4, ..., ...) = ...\n");
	fails(SERVER "+0 close(9) = 0\n", "returned -1 EBADF", TERN_DRILL_FAILED);
	fails(SERVER "+0 accept(3, ..., ...) = 4\n", "blocks for ever", TERN_DRILL_FAILED);
	fails(SERVER "+0 socket(..., SOCK_STREAM, 0) = 4\n", "descriptor 4 is in use",
	      TERN_DRILL_BROKEN);
	fails(SERVER "+0 ioctl(4, SIOCINQ, [3]) = 0\n", "the call gave 0, not 3",
	      TERN_DRILL_FAILED);
	fails(SERVER "+0 getsockopt(4, SOL_TCP, TCP_KEEPCNT, [3], [4]) = 0\n",
	      "the option is 9, not 3", TERN_DRILL_FAILED);
	fails(SERVER "+0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=7}, ...) = 0\n",
	      "tcpi_state is 1, not 7", TERN_DRILL_FAILED);
	fails(SERVER "+0 listen(..., 1) = 0\n", "x.pkt:8:11: a number expected here",
	      TERN_DRILL_BROKEN);
}

static void a_call_that_blocks_ends_when_it_is_said(void **unused)
{
	static const char data[] = "+.1 < P. 1:11(10) ack 1 win 65535\n";
	char text[1024];

	(void)unused;
	(void)snprintf(text, sizeof(text), SERVER "+0...0.1 read(4, ..., 10) = 10\n%s", data);
	passes(text);
	(void)snprintf(text, sizeof(text), SERVER "+0...0.2 read(4, ..., 10) = 10\n%s", data);
	fails(text, "timing: the call was to return at 0.200000 s, and did at 0.100000 s",
	      TERN_DRILL_FAILED);
	(void)snprintf(text, sizeof(text), SERVER "+0...0.05 read(4, ..., 10) = 10\n%s", data);
	fails(text, "x.pkt:8:1: timing: the call was to return at 0.050000 s, and did",
	      TERN_DRILL_FAILED);
	fails(SERVER "+0...0.05 read(4, ..., 10) = 10\n",
	      "was to return at 0.050000 s, and still blocks", TERN_DRILL_FAILED);
	fails(SERVER "+0...0.05 read(4, ..., 10) = 10\n+0 close(3) = 0\n", "still blocks",
	      TERN_DRILL_FAILED);
}

static void assertions_are_counted_out(void **unused)
{
	static const struct {
		const char *condition;
		bool good;
	} cases[] = {
		{ "1 + 2 * 3 == 7", true },
		{ "(1 + 2) * 3 == 9 and not 0", true },
		{ "1 < 2 < 3 and not 1 < 3 < 2", true },
		{ "7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7 / 2 == 3.5", true },
		{ "1 << 4 | 1 == 17 and 6 & 3 == 2 and 6 ^ 3 == 5 and ~0 == -1 and 8 >> 2 == 2",
		  true },
		{ "abs(-3) == 3 and min(1, 2) == 1 and max(1, 2.5) == 2.5", true },
		{ "2 in (1, 2, 3) or False", true },
		{ "4 in [1, 2, 3] or False", false },
		{ "True and 0.5", true },
		{ "tcpi_state == TCP_ESTABLISHED", true },
		{ "tcpi_state != TCP_ESTABLISHED", false },
		{ "tcpi_snd_wscale == 0 and tcpi_rcv_wscale == 10", true },
		{ "tcpi_options & TCPI_OPT_WSCALE", true },
		{ "tcpi_options & TCPI_OPT_SACK", false },
		{ "tcpi_snd_mss >= 1000 and tcpi_snd_mss <= 1000", true },
		{ "1 > 2 or 1 >= 2 or 2 <= 1", false },
	};
	char text[1024];

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		(void)snprintf(text, sizeof(text), SERVER "+0 %%{ assert %s, tcpi_state }%%\n",
			       cases[i].condition);
		if (cases[i].good)
			passes(text);
		else
			fails(text, "the assertion does not hold: ", TERN_DRILL_FAILED);
	}
	fails(SERVER "+0 %{ assert tcpi_state == 9, 'state %d' % tcpi_state }%\n",
	      "does not hold: tcpi_state == 9 (it is 1)", TERN_DRILL_FAILED);
	fails(SERVER "+0 %{ assert 1 / 0 }%\n", "division by zero", TERN_DRILL_FAILED);
	fails("0 socket(..., SOCK_STREAM, 0) = 3\n+0 close(3) = 0\n+0 %{ assert 1 }%\n",
	      "no socket to ask", TERN_DRILL_BROKEN);
}

static void knobs_are_set_for_one_script(void **unused)
{
	static const struct tern_script_define off[] = { { "tcp_window_scaling", "0" } };

	(void)unused;
	fails("`sysctl net.ipv4.tcp_window_scaling=0`\n" SERVER, "the TCP options differ",
	      TERN_DRILL_FAILED);
	passes(SERVER);
	cfg.settings = off;
	cfg.setting_count = 1;
	fails(SERVER, "the TCP options differ", TERN_DRILL_FAILED);
	passes("`sysctl net.ipv4.tcp_window_scaling=1`\n" SERVER);
	cfg.setting_count = 0;
	fails("`sysctl net.ipv4.tcp_nonsense=1`\n" SERVER,
	      "x.pkt:1:9: there is no knob 'net.ipv4.tcp_nonsense'", TERN_DRILL_BROKEN);
	passes("`sysctl -e net.ipv4.tcp_nonsense=1 tcp_window_scaling=1`\n" SERVER);
	fails("`sysctl net.ipv4.tcp_sack=7`\n" SERVER, "does not take '7'", TERN_DRILL_BROKEN);
	fails("`sysctl net.ipv4.tcp_sack=x`\n" SERVER, "does not take 'x'", TERN_DRILL_BROKEN);
	fails(SERVER "+0 `sysctl net.ipv4.tcp_sack=x`\n", "x.pkt:8:12: ", TERN_DRILL_BROKEN);
}

static void counters_are_looked_at_like_nstat(void **unused)
{
	(void)unused;
	passes(SERVER "+0 `nstat | grep TcpPassiveOpens > /dev/null`\n");
	passes(SERVER "+0 `nstat -s | grep TcpPassiveOpens | grep -q \" 1 \"`\n"
		      "+0 `nstat -s | grep TcpPassiveOpens | grep -q \" 1 \"; nstat -n`\n"
		      "+0 `nstat | grep -q TcpPassiveOpens | grep -q \" 0 \"`\n");
	fails(SERVER "+0 `nstat | grep TcpPassiveOpens | grep -q \" 2 \"`\n",
	      "TcpPassiveOpens has grown by 1, not 2", TERN_DRILL_FAILED);
	fails(SERVER "+0 `nstat > /dev/null`\n+0 `nstat | grep TcpPassiveOpens`\n",
	      "TcpPassiveOpens has grown by 0", TERN_DRILL_FAILED);
	fails(SERVER "+0 `nstat | grep TcpNonsense`\n", "there is no counter TcpNonsense",
	      TERN_DRILL_BROKEN);
}

static void what_failed_is_shown_with_what_went_before(void **unused)
{
	(void)unused;
	assert_int_equal(drill("// a remark\n" SERVER "+.1 write(4, ..., 1000) = 1000\n"
			       "+0 > P. 1:1001(1000) ack 1\n+.1 < .  1:1(0) ack 1001 win 65535\n"
			       "+0 close(4) = 0\n+0 > F. 1001:1001(0)  ack 2 // wrong\n"),
			 TERN_DRILL_FAILED);
	assert_golden("drill-failure.txt", out.buf, out.len - 1);
}

static void every_event_is_told_to_who_wants_it(void **unused)
{
	(void)unused;
	cfg.verbose = true;
	assert_int_equal(drill(SERVER), TERN_DRILL_PASSED);
	assert_non_null(strstr(out.buf, "   0.000000  x.pkt:4: < S 0:0(0) win 65535 <mss 1000"));
	assert_non_null(strstr(out.buf, "   0.000000  < IP 192.0.2.1.40001 > 192.168.0.1.8080: "
					"Flags [S], seq 0, win 65535, options [mss 1000,"));
	assert_non_null(strstr(out.buf, "   0.000000  > IP 192.168.0.1.8080 > 192.0.2.1.40001: "
					"Flags [S.], seq "));
	assert_non_null(strstr(out.buf, "    port 8080: LISTEN -> SYN-RECEIVED\n"));
	assert_non_null(strstr(out.buf, "    port 8080: SYN-RECEIVED -> ESTABLISHED\n"));
	assert_non_null(strstr(out.buf, "   0.000000  x.pkt:7: accept(3, ..., ...) = 4\n"));
}

static void the_same_script_gives_the_same_run(void **unused)
{
	char *first;

	(void)unused;
	cfg.verbose = true;
	assert_int_equal(drill(SERVER), TERN_DRILL_PASSED);
	first = strdup(out.buf);
	assert_int_equal(drill(SERVER), TERN_DRILL_PASSED);
	assert_string_equal(out.buf, first);
	free(first);
}

static void a_file_that_is_not_there_is_said_to_be_missing(void **unused)
{
	(void)unused;
	assert_int_equal(tern_drill_file(&cfg, "no/such.pkt", &out), TERN_DRILL_BROKEN);
	tern_sink_char(&out, '\0');
	assert_string_equal(out.buf, "no/such.pkt: No such file or directory\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_script_that_holds_says_nothing),
		CASE(a_connect_that_fails_is_drawn_whatever_its_port),
		CASE(every_field_that_differs_is_named),
		CASE(a_packet_has_to_come_when_it_is_expected),
		CASE(tolerance_is_what_the_script_says),
		CASE(nothing_sent_is_told_as_that),
		CASE(segments_that_follow_each_other_are_one),
		CASE(psh_inside_a_run_may_be_a_kernels),
		CASE(timestamps_are_compared_only_where_a_tick_is_given),
		CASE(what_a_call_returns_has_to_be_what_is_said),
		CASE(a_call_that_blocks_ends_when_it_is_said),
		CASE(assertions_are_counted_out),
		CASE(knobs_are_set_for_one_script),
		CASE(counters_are_looked_at_like_nstat),
		CASE(what_failed_is_shown_with_what_went_before),
		CASE(every_event_is_told_to_who_wants_it),
		CASE(the_same_script_gives_the_same_run),
		CASE(a_file_that_is_not_there_is_said_to_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
