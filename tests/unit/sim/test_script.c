/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/segment.h"

#define SOCKET "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"

static const struct tern_script_define defines[] = { { "COOKIE", "a1b2c3d4" }, { "N", "512" } };

static struct tern_script script;
static struct tern_script_error error;

static int parse(const char *text)
{
	return tern_script_parse("dir/x.pkt", text, strlen(text), defines, TERN_ARRAY_SIZE(defines),
				 &script, &error);
}

/* Parses; the first event. */
static const struct tern_script_event *event(const char *text)
{
	if (parse(text) < 0)
		fail_msg("%u:%u: %s", error.place.line, error.place.column, error.message);
	return script.events;
}

static const struct tern_script_packet *packet(const char *text)
{
	const struct tern_script_event *e = event(text);

	assert_int_equal(e->kind, TERN_EVENT_PACKET);
	return e->packet;
}

static void times_are_read_in_all_their_forms(void **unused)
{
	static const struct {
		const char *text;
		enum tern_time_kind kind;
		int64_t at, end;
	} cases[] = {
		{ "0 > . 1:1(0) ack 1", TERN_TIME_ABSOLUTE, 0, 0 },
		{ "0.000001 > . 1:1(0) ack 1", TERN_TIME_ABSOLUTE, 1, 0 },
		{ "1.5 > . 1:1(0) ack 1", TERN_TIME_ABSOLUTE, 1500000, 0 },
		{ "+.1 > . 1:1(0) ack 1", TERN_TIME_RELATIVE, 100000, 0 },
		{ "+0~+.2 > . 1:1(0) ack 1", TERN_TIME_RELATIVE_RANGE, 0, 200000 },
		{ ".1~0.2 > . 1:1(0) ack 1", TERN_TIME_ABSOLUTE_RANGE, 100000, 200000 },
		{ "* > . 1:1(0) ack 1", TERN_TIME_ANY, 0, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		const struct tern_script_event *e = event(cases[i].text);

		assert_int_equal(e->time, cases[i].kind);
		assert_int_equal(e->at_us, cases[i].at);
		assert_int_equal(e->end_us, cases[i].end);
		tern_script_free(&script);
	}
}

static void a_call_that_blocks_has_an_end(void **unused)
{
	(void)unused;
	assert_int_equal(event("+.1...0.3 close(3) = 0")->call->end_us, 300000);
	tern_script_free(&script);
	assert_int_equal(event("+.1 ... 0.3 close(3) = 0")->call->end_us, 300000);
	tern_script_free(&script);
	assert_int_equal(event("+.1 close(3) = 0")->call->end_us, -1);
	tern_script_free(&script);
}

static void every_field_of_a_segment_is_read(void **unused)
{
	const struct tern_script_packet *p = packet(
		"+0 < [ect0, ttl 9] 40001 > 80 SFRP.UEWA 7:9(2) ack 5 win 6 urg 3 <mss 1460>");

	(void)unused;
	assert_false(p->out);
	assert_int_equal(p->tos_kind, TERN_TOS_ECN);
	assert_int_equal(p->tos, 2);
	assert_int_equal(p->ttl, 9);
	assert_int_equal(p->sport, 40001);
	assert_int_equal(p->dport, 80);
	assert_int_equal(p->flags, TERN_TCP_FLAGS);
	assert_int_equal(p->seq, 7);
	assert_int_equal(p->len, 2);
	assert_int_equal(p->ack, 5);
	assert_int_equal(p->window, 6);
	assert_int_equal(p->urgent, 3);
	assert_int_equal(p->option_len, 4);
	tern_script_free(&script);
}

static void what_is_not_said_is_known_as_that(void **unused)
{
	const struct tern_script_packet *p = packet("+0 > - 4294967295:0(1) <...>");

	(void)unused;
	assert_true(p->out);
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->window, -1);
	assert_int_equal(p->ttl, -1);
	assert_int_equal(p->tos_kind, TERN_TOS_ANY);
	assert_true(p->any_options);
	tern_script_free(&script);
	/* The ECN bits as a number: AE and ECE. */
	assert_int_equal(packet("+0 > .5 1:1(0) ack 1")->flags, TERN_ACK | TERN_AE | TERN_ECE);
	tern_script_free(&script);
}

static void options_become_the_bytes_that_they_are(void **unused)
{
	static const struct {
		const char *text;
		uint8_t len, bytes[20];
	} cases[] = {
		{ "mss 1460", 4, { 2, 4, 5, 0xb4 } },
		{ "sackOK,nop,nop", 4, { 4, 2, 1, 1 } },
		{ "nop,wscale 7", 4, { 1, 3, 3, 7 } },
		{ "nop,nop,TS val 1 ecr 258", 12, { 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 1, 2 } },
		{ "nop,nop,sack 1:2", 12, { 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2 } },
		{ "FO,nop,nop", 4, { 34, 2, 1, 1 } },
		{ "FO 0102,eol,eol,nop,nop", 8, { 34, 4, 1, 2, 0, 0, 1, 1 } },
		{ "FO COOKIE,nop,nop", 8, { 34, 6, 0xa1, 0xb2, 0xc3, 0xd4, 1, 1 } },
		{ "FOEXP", 4, { 254, 4, 0xf9, 0x89 } },
		{ "ECN e1b 1 ceb 2,nop, eol,eol,eol", 12, { 174, 8, 0, 0, 1, 0, 0, 2, 1 } },
		{ "kind 253 0a0b", 4, { 253, 4, 10, 11 } },
	};
	char text[128];

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		const struct tern_script_packet *p;

		(void)snprintf(text, sizeof(text), "+0 > . 1:1(0) ack 1 <%s>", cases[i].text);
		p = packet(text);
		assert_int_equal(p->option_len, cases[i].len);
		assert_memory_equal(p->option, cases[i].bytes, cases[i].len);
		tern_script_free(&script);
	}
}

static void icmp_may_quote_before_or_behind(void **unused)
{
	static const char *const texts[] = {
		"+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
		"+0 < [1:1461(1460)] icmp unreachable frag_needed mtu 1200",
		"+0 < icmp type 3 code 4 mtu 1200 [1:1461(1460)]",
	};

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(texts); i++) {
		const struct tern_script_packet *p = packet(texts[i]);

		assert_int_equal(p->protocol, TERN_SCRIPT_ICMP);
		assert_int_equal(p->type, 3);
		assert_int_equal(p->code, 4);
		assert_int_equal(p->mtu, 1200);
		assert_true(p->quotes);
		assert_int_equal(p->quoted_seq, 1);
		assert_int_equal(p->quoted_len, 1460);
		tern_script_free(&script);
	}
	assert_int_equal(
		packet("--ip_version=ipv6\n+0 < icmp packet_too_big mtu 1280 [udp (9)]")->type, 2);
	tern_script_free(&script);
}

static void arguments_are_numbers_texts_lists_and_structures(void **unused)
{
	const struct tern_expr *e = event(SOCKET)->call->args;

	(void)unused;
	assert_int_equal(e->kind, TERN_EXPR_ELLIPSIS);
	assert_int_equal(e->next->value, 1);
	assert_int_equal(e->next->next->value, 6);
	tern_script_free(&script);
	e = event("0 setsockopt(3, SOL_SOCKET, 2|8, {onoff=1, linger=N}, 4*2) = 0")->call->args;
	assert_int_equal(e->next->next->value, 10);
	assert_int_equal(e->next->next->next->kind, TERN_EXPR_STRUCT);
	assert_string_equal(e->next->next->next->first->next->name, "linger");
	assert_int_equal(e->next->next->next->first->next->value, 512);
	assert_int_equal(e->next->next->next->next->value, 8);
	tern_script_free(&script);
}

static void results_have_an_errno_a_remark_or_neither(void **unused)
{
	static const struct {
		const char *text;
		int64_t value;
		int error;
	} cases[] = {
		{ "0 close(3) = 0", 0, 0 },
		{ "0 fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)", 0x802, 0 },
		{ "0 close(3) = -1 EBADF (Bad file descriptor)", -1, EBADF },
		{ "0 close(3) = -1 EBADF(Bad file descriptor)", -1, EBADF },
		{ "0 close(3) = -1 (Whatever)", -1, 0 },
		{ "0 close(3) = -1", -1, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		const struct tern_script_call *call = event(cases[i].text)->call;

		assert_int_equal(call->result->value, cases[i].value);
		assert_int_equal(call->error, cases[i].error);
		tern_script_free(&script);
	}
	assert_int_equal(event("0 close(3) = ...")->call->result->kind, TERN_EXPR_ELLIPSIS);
	tern_script_free(&script);
}

static void comments_may_stand_anywhere_between(void **unused)
{
	(void)unused;
	assert_non_null(event("# a line\n// another\n/* more\nlines */ 0 // here\n"
			      "close(3) = 0 /* and */ // there\n"));
	assert_null(script.events->next);
	assert_int_equal(script.events->place.line, 4);
	tern_script_free(&script);
}

static const struct tern_script_setting *settings(const char *text)
{
	(void)event(text);
	return script.settings;
}

static void shell_lines_become_settings(void **unused)
{
	static const struct {
		const char *text, *name, *value;
	} cases[] = {
		{ "`sysctl -q net.ipv4.tcp_sack=0`" SOCKET, "net.ipv4.tcp_sack", "0" },
		{ "`sysctl -w net.ipv4.tcp_sack=\"0\" > /dev/null 2>&1`" SOCKET,
		  "net.ipv4.tcp_sack", "0" },
		{ "`sysctl -q net.ipv4.tcp_rmem=\"1 $((2*3)) $(( 15*1024*1024 - 1 ))\"`" SOCKET,
		  "net.ipv4.tcp_rmem", "1 6 15728639" },
		{ "`./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0`" SOCKET, "net.ipv4.tcp_sack",
		  "0" },
		{ "`../common/set_sysctls.py \\\n /proc/sys/net/ipv4/tcp_sack=0`" SOCKET,
		  "net.ipv4.tcp_sack", "0" },
		{ "`echo 0 > /proc/sys/net/ipv4/tcp_sack`" SOCKET, "net.ipv4.tcp_sack", "0" },
		{ "`tc qdisc add dev tun0 root pfifo; ip tcp_metrics flush all && "
		  "sysctl net/ipv4/tcp_sack=0 # why\n# and so on`" SOCKET,
		  "net.ipv4.tcp_sack", "0" },
	};

	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(cases); i++) {
		const struct tern_script_setting *s = settings(cases[i].text);

		assert_non_null(s);
		assert_string_equal(s->name, cases[i].name);
		assert_string_equal(s->value, cases[i].value);
		assert_null(s->next);
		tern_script_free(&script);
	}
	assert_null(settings("`sysctl_restore_${PPID}.sh`" SOCKET));
	tern_script_free(&script);
}

static void a_block_becomes_its_assertions(void **unused)
{
	const struct tern_script_assert *a =
		event("0 %{\nassert 1 <= tcpi_rtt < 9, 'rtt %d' % tcpi_rtt; print(tcpi_rtt, 'x')\n"
		      "assert not (tcpi_state == TCP_LISTEN or \\\n tcpi_options & TCPI_OPT_SACK)  "
		      "# why\nassert tcpi_state in (1, 2,), tcpi_state\npass }%")
			->asserts;

	(void)unused;
	assert_string_equal(a->text, "1 <= tcpi_rtt < 9");
	assert_non_null(a->shown);
	assert_null(a->next->shown);
	assert_non_null(a->next->next);
	assert_null(a->next->next->next);
	tern_script_free(&script);
}

struct mistake {
	const char *text;
	uint32_t line, column;
	const char *message; /* a part of it */
};

static const struct mistake mistakes[] = {
	{ "", 1, 1, "no event" },
	{ "// nothing\n", 2, 1, "no event" },
	{ "/* for ever", 1, 1, "comment does not end" },
	{ "--nonsense=1\n" SOCKET, 1, 3, "no option --nonsense" },
	{ "--tolerance_usecs=many\n" SOCKET, 1, 19, "a number expected" },
	{ "--tolerance_usecs=5x\n" SOCKET, 1, 20, "end of the number" },
	{ "--ip_version=ipv5\n" SOCKET, 1, 14, "ipv4, ipv6 or" },
	{ "--local_ip=1.2.3\n" SOCKET, 1, 12, "an address" },
	{ "--local_ip=fd00::1\n" SOCKET, 1, 1, "do not fit" },
	{ "--mtu=10\n" SOCKET, 1, 7, "10 is not between 576 and 65535" },
	{ "hello", 1, 1, "an event, which begins with its time, expected, not 'hello'" },
	{ "\033[31mX", 1, 1, "expected, not ' [31mX'" },
	{ "+x", 1, 2, "a time in seconds expected" },
	{ "+0", 1, 3, "a packet (< or >), a system call, %{ or ` expected, not the end" },
	{ "+0 ?", 1, 4, "expected, not '?'" },
	{ "+0 fork() = 0", 1, 4, "no system call 'fork'" },
	{ "+0 close() = 0", 1, 4, "close() has 1 arguments, not 0" },
	{ "+0 close(3, 4) = 0", 1, 4, "close() has 1 arguments, not 2" },
	{ "+0 close(3 = 0", 1, 12, "')' expected, not '= 0'" },
	{ "+0 close(3)", 1, 12, "'=' expected, not the end of the line" },
	{ "+0 close(3) = [1]", 1, 4, "a result is a number or ..." },
	{ "+0 close(3) = -1 EWHAT", 1, 18, "'EWHAT' is no errno" },
	{ "+0 close(3) = 0 0", 1, 18, "expected, not the end" },
	{ "+0 socket(..., SOCK_STREAN, 0) = 3", 1, 16, "did you mean SOCK_STREAM?" },
	{ "+0 socket(..., WHATEVER, 0) = 3", 1, 16, "'WHATEVER' is not known" },
	{ "+0 socket(..., COOKIE, 0) = 3", 1, 16, "defined as 'a1b2c3d4', which is no number" },
	{ "+0 write(3, \"abc, 3) = 3", 1, 13, "string does not end" },
	{ "+0 listen(3, 1|\"a\") = 0", 1, 15, "joins numbers only" },
	{ "+0...0.1 > . 1:1(0) ack 1", 1, 10, "a system call expected" },
	{ "+.2...0.1 close(3) = 0", 1, 4, "ends before it begins" },
	{ "+.2~+.1 > . 1:1(0) ack 1", 1, 8, "ends before it begins" },
	{ "+.1~.2 > . 1:1(0) ack 1", 1, 5, "+ as in +0~+.1 expected" },
	{ ".1~+.2 > . 1:1(0) ack 1", 1, 5, "a time without + expected" },
	{ "* close(3) = 0", 1, 3, "for packets out" },
	{ "0~1 < . 1:1(0) ack 1 win 5", 1, 5, "for packets out" },
	{ "1 close(3) = 0\n0.5 close(4) = 0", 2, 5, "time goes back" },
	{ "+0 > X 1:1(0)", 1, 6, "flags (letters of FSRP.UEWA, or -) expected, not 'X 1:1(0)'" },
	{ "+0 > SS 1:1(0)", 1, 7, "'S' stands there twice" },
	{ "+0 > . 1:1(1) ack 1", 1, 8, "1 and 1 bytes make 2, not 1" },
	{ "+0 > . 1:4294967297(1)", 1, 10, "is not between 0 and 4294967295" },
	{ "+0 > . 0:70000(70000)", 1, 8, "more than a packet holds" },
	{ "+0 > . 1:1 ack 1", 1, 12, "'(' expected, not 'ack 1'" },
	{ "+0 < . 1:1(0) ack 1", 1, 14, "a packet in wants a window" },
	{ "+0 < . 1:1(0) ack 1 win 65536", 1, 25, "65536 is not between 0 and 65535" },
	{ "+0 < . 1:1(0) ack 1 win 5 <...>", 1, 14, "<...> is for packets out" },
	{ "+0 > . 1:1(0) ack 1 <nop>", 1, 21, "these options are 1 bytes" },
	{ "+0 > . 1:1(0) ack 1 <mss>", 1, 25, "a number expected" },
	{ "+0 > . 1:1(0) ack 1 <foo 1>", 1, 22, "a TCP option" },
	{ "+0 > . 1:1(0) ack 1 <TS 1>", 1, 25, "val expected" },
	{ "+0 > . 1:1(0) ack 1 <FO xyz>", 1, 25, "hexadecimal digits in pairs" },
	{ "+0 > . 1:1(0) ack 1 <FO wxyz>", 1, 25, "'wxyz' is not hexadecimal, nor defined" },
	{ "+0 > . 1:1(0) ack 1 <sack 1:2 3:4 5:6 7:8 9:9>", 1, 46, "more SACK blocks" },
	{ "+0 > . 1:1(0) <TS val 1 ecr 1,TS val 1 ecr 1,TS val 1 ecr 1,TS val 1 ecr 1,nop>", 1, 76,
	  "longer than 40 bytes" },
	{ "+0 > . 1:1(0) ack 1 <mss 5", 1, 27, "'>' expected" },
	{ "+0 > [nothing] . 1:1(0)", 1, 7, "noecn, ect0" },
	{ "+0 > sctp: INIT", 1, 6, "others are not spoken" },
	{ "+0 < icmp nothing", 1, 11, "no type of ICMP" },
	{ "+0 < icmp unreachable nowhere [1:1(0)]", 1, 23, "no code of ICMP type 3" },
	{ "+0 < [1:1(0)] . 1:1(0)", 1, 15, "icmp expected" },
	{ "+0 < udp 9", 1, 10, "'(' expected" },
	{ "+0 %{ assert tcpi_state == 1", 1, 4, "this %{ has no }%" },
	{ "+0 %{ import os }%", 1, 7, "assert or print (no other Python is understood)" },
	{ "+0 %{ assert tcpi_nothing == 1 }%", 1, 14, "'tcpi_nothing' is neither a field" },
	{ "+0 %{ assert len(tcpi_rtt) == 1 }%", 1, 14, "'len()' is not known here" },
	{ "+0 %{ assert tcpi_rtt == }%", 1, 26, "a field of TCP_INFO or a number expected" },
	{ "+0 %{ assert tcpi_rtt = 1 }%", 1, 23, "the end of the statement" },
	{ "+0 %{ assert 1, 'abc }%", 1, 17, "string does not end" },
	{ "`rm -rf x; reboot`\n" SOCKET, 1, 12, "'reboot' is not understood" },
	{ "`sysctl -q`\n`x", 2, 1, "has no second one" },
	{ "`sysctl tcp_sack`\n" SOCKET, 1, 9, "NAME=VALUE expected, not 'tcp_sack'" },
	{ "`sysctl -z a=1`\n" SOCKET, 1, 9, "sysctl -z is not known here" },
	{ "`sysctl a=\"1`\n" SOCKET, 1, 11, "has no second one" },
	{ "`sysctl a=$((1/0))`\n" SOCKET, 1, 15, "division by zero" },
	{ "`sysctl a=1 > /etc/motd`\n" SOCKET, 1, 13, "may go to /dev/null" },
	{ "`nstat -z`\n" SOCKET, 1, 8, "nstat -z is not known here" },
	{ "`nstat | wc -l`\n" SOCKET, 1, 10, "grep [-q] PATTERN expected" },
	{ "`sysctl a=1 | sh`\n" SOCKET, 1, 13, "a plain command expected" },
	{ "`./nothing.sh`\n" SOCKET, 1, 2, "dir/./nothing.sh: No such file" },
};

static void what_is_wrong_is_told_with_its_place(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(mistakes); i++) {
		const struct mistake *m = &mistakes[i];

		if (parse(m->text) != -EINVAL)
			fail_msg("taken: %s", m->text);
		if (!strstr(error.message, m->message) || error.place.line != m->line ||
		    error.place.column != m->column)
			fail_msg("of '%s': %u:%u: %s", m->text, error.place.line,
				 error.place.column, error.message);
		tern_script_free(&script);
	}
}

/* Whatever a script is cut down to is read, or refused. */
static void a_script_may_end_anywhere(void **unused)
{
	static const char text[] =
		"--mtu=1500\n`sysctl -q a.b=\"1 $((2*3))\" > /dev/null`\n"
		"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
		"+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0x10}, 8) = 0\n"
		"+0...0.1 connect(3, ..., ...) = -1 EHOSTUNREACH (x)\n"
		"+0~+.1 > [ect0] SEW 0:0(0) win 5 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>\n"
		"+0 < [1:1(0)] icmp unreachable host_unreachable\n"
		"+0 %{ assert (tcpi_rtt + 1) * 2 // 3 == 1, 'x %d' % tcpi_rtt }%\n";

	(void)unused;
	for (size_t n = 0; n <= strlen(text); n++) {
		int err = tern_script_parse("x", text, n, NULL, 0, &script, &error);

		assert_true(err == 0 || (err == -EINVAL && error.message[0]));
		tern_script_free(&script);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read_in_all_their_forms),
		cmocka_unit_test(a_call_that_blocks_has_an_end),
		cmocka_unit_test(every_field_of_a_segment_is_read),
		cmocka_unit_test(what_is_not_said_is_known_as_that),
		cmocka_unit_test(options_become_the_bytes_that_they_are),
		cmocka_unit_test(icmp_may_quote_before_or_behind),
		cmocka_unit_test(arguments_are_numbers_texts_lists_and_structures),
		cmocka_unit_test(results_have_an_errno_a_remark_or_neither),
		cmocka_unit_test(comments_may_stand_anywhere_between),
		cmocka_unit_test(shell_lines_become_settings),
		cmocka_unit_test(a_block_becomes_its_assertions),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(a_script_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
