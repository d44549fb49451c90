/* SPDX-License-Identifier: BSD-2-Clause */
#include "report/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/rng.h"
#include "report/json.h"
#include "report/sink.h"
#include "trace/drop.h"
#include "trace/state.h"
#include "unit/golden.h"

static char buf[8192], strings[TERN_RECORD_STRINGS];
static struct tern_sink sink;
static struct tern_json json;

static void begin(bool indent)
{
	tern_sink_init_fixed(&sink, buf, sizeof(buf));
	tern_json_init(&json, &sink, indent);
}

static void seed(struct tern_rng *rng, uint8_t number)
{
	uint8_t bytes[TERN_RNG_SEED_LEN] = { number };

	tern_rng_init(rng, bytes);
}

/* Any bytes, made into values that have a JSON form. */
static void fill(struct tern_rng *rng, void *at, size_t size)
{
	tern_rng_bytes(rng, at, size);
}

static void make_addr(struct tern_rng *rng, struct tern_addr *addr)
{
	static const uint8_t families[] = { TERN_UNSPEC, TERN_INET, TERN_INET6 };
	uint8_t family = families[tern_rng_u32(rng) % 3];
	uint8_t bytes[16];

	fill(rng, bytes, sizeof(bytes));
	*addr = tern_addr_from_bytes(family, bytes);
}

static void make_row(struct tern_rng *rng, struct tern_socket_info *row)
{
	memset(row, 0, sizeof(*row));
	fill(rng, row, sizeof(*row));
	make_addr(rng, &row->local.addr);
	make_addr(rng, &row->remote.addr);
	row->proto = tern_rng_u32(rng) & 1 ? TERN_PROTO_TCP : TERN_PROTO_UDP;
	row->state = (uint8_t)(1 + tern_rng_u32(rng) % (TERN_STATE_MAX - 1));
	row->has = TERN_INFO_TCP | TERN_INFO_LISTEN;
	row->timer = (uint8_t)(tern_rng_u32(rng) % (TERN_TIMER_DELACK + 1));
	row->options &= 63;
	row->congestion = tern_rng_u32(rng) & 1 ? "newreno" : NULL;
	memset(&row->orphan, (int)(tern_rng_u32(rng) & 1), 1);
	memset(&row->unaccepted, (int)(tern_rng_u32(rng) & 1), 1);
	memset(&row->nodelay, (int)(tern_rng_u32(rng) & 1), 1);
	memset(&row->keepalive, (int)(tern_rng_u32(rng) & 1), 1);
}

/* Writing what was read gives the same text: since every member is in it, they are all equal. */
static void expect_same_text(const char *first, size_t len)
{
	assert_int_equal(sink.len, len);
	assert_memory_equal(buf, first, len);
}

static void a_socket_row_survives_the_round_trip(void **unused)
{
	static char first[sizeof(buf)];
	struct tern_socket_info row, back;
	struct tern_rng rng;

	(void)unused;
	seed(&rng, 1);
	for (unsigned int i = 0; i < 1000; i++) {
		size_t len;

		make_row(&rng, &row);
		begin(false);
		tern_record_write_socket(&json, NULL, &row, NULL);
		assert_false(sink.failed);
		len = sink.len;
		memcpy(first, buf, len);
		assert_int_equal(tern_record_read_socket(first, len, strings, &back), 0);
		begin(false);
		tern_record_write_socket(&json, NULL, &back, NULL);
		expect_same_text(first, len);
		assert_int_equal(back.cookie, row.cookie);
		assert_int_equal(back.state, row.state);
		assert_int_equal(back.mem.drops, row.mem.drops);
		assert_int_equal(back.last_rcv_ms, row.last_rcv_ms);
		assert_true(tern_addr_eq(&back.local.addr, &row.local.addr));
	}
}

static void a_trace_record_survives_the_round_trip(void **unused)
{
	struct tern_trace_record record, back;
	struct tern_rng rng;

	(void)unused;
	seed(&rng, 2);
	for (unsigned int i = 0; i < 1000; i++) {
		memset(&record, 0, sizeof(record));
		fill(&rng, &record.seq, sizeof(record.seq));
		record.time_ns = UINT64_MAX - i;
		make_addr(&rng, &record.local.addr);
		make_addr(&rng, &record.remote.addr);
		record.local.port = (uint16_t)tern_rng_u32(&rng);
		record.remote.port = (uint16_t)tern_rng_u32(&rng);
		fill(&rng, &record.ack, sizeof(uint32_t) * 5);
		record.mss = (uint16_t)tern_rng_u32(&rng);
		record.flags = (uint16_t)(tern_rng_u32(&rng) & 511);
		record.options = (uint16_t)(tern_rng_u32(&rng) & 63);
		record.reason = (uint16_t)(tern_rng_u32(&rng) % TERN_DROPS);
		record.wscale = (uint8_t)tern_rng_u32(&rng);
		record.kind = (uint8_t)(tern_rng_u32(&rng) % 3);
		record.before = (uint8_t)(tern_rng_u32(&rng) % TERN_STATE_MAX);
		record.after = (uint8_t)(tern_rng_u32(&rng) % TERN_STATE_MAX);
		begin(false);
		tern_record_write_trace(&json, NULL, &record);
		memset(&back, 0, sizeof(back));
		assert_int_equal(tern_record_read_trace(buf, sink.len, &back), 0);
		assert_memory_equal(&back, &record, sizeof(record));
	}
}

static struct tern_stack_info stack_info(void)
{
	return (struct tern_stack_info){
		.version = "0.1.0",
		.now_ns = 1,
		.conns = 2,
		.orphans = 3,
		.halfopens = 4,
		.timewaits = 5,
		.listeners = 6,
		.udps = 7,
		.accept_queued = 8,
		.conns_max = 9,
		.halfopens_max = 10,
		.timewaits_max = 11,
		.tcp_buffer_bytes = 12,
		.tcp_buffer_limit = UINT64_MAX,
		.udp_buffer_bytes = 13,
		.memory_bytes = 14,
		.memory_peak_bytes = 15,
		.pressure = true,
	};
}

static void stack_totals_survive_the_round_trip(void **unused)
{
	struct tern_stack_info info = stack_info(), back;

	(void)unused;
	begin(false);
	tern_record_write_stack(&json, NULL, &info);
	assert_int_equal(tern_record_read_stack(buf, sink.len, strings, &back), 0);
	assert_string_equal(back.version, "0.1.0");
	back.version = info.version;
	assert_true(back.pressure);
	assert_memory_equal(&back, &info, offsetof(struct tern_stack_info, pressure));
}

static void the_json_form_is_the_committed_one(void **unused)
{
	struct tern_stack_info info = stack_info();
	struct tern_socket_info row = {
		.id = 0x0100000100000001,
		.cookie = 0x1001,
		.local = { tern_addr_v4(10, 77, 0, 2), 7 },
		.remote = { { 0 }, 0 },
		.proto = TERN_PROTO_TCP,
		.state = TERN_LISTEN,
		.has = TERN_INFO_LISTEN,
		.acceptq_max = 5,
		.synq_max = 4096,
		.send_q = 4,
	};
	struct tern_trace_record record = {
		.time_ns = 1000,
		.local = { tern_addr_v4(10, 77, 0, 2), 7 },
		.remote = { tern_addr_v4(10, 77, 0, 1), 50260 },
		.seq = 1,
		.flags = 18,
		.options = 15,
		.mss = 1460,
		.wscale = 7,
		.kind = TERN_TRACE_SEGMENT_IN,
		.before = TERN_SYN_SENT,
		.after = TERN_ESTABLISHED,
	};

	(void)unused;
	begin(true);
	tern_record_write_socket(&json, NULL, &row, NULL);
	row.has = TERN_INFO_TCP;
	row.congestion = "newreno";
	tern_record_write_socket(&json, NULL, &row, NULL);
	tern_record_write_stack(&json, NULL, &info);
	tern_record_write_trace(&json, NULL, &record);
	assert_golden("record.json", buf, sink.len);
}

static void a_holder_survives_the_round_trip(void **unused)
{
	struct tern_holder holder = { UINT64_MAX, 4194304, 1023, "nginx: \"x\"" }, back;

	(void)unused;
	begin(false);
	tern_record_write_holder(&json, NULL, &holder);
	assert_int_equal(tern_record_read_holder(buf, sink.len, &back), 0);
	assert_int_equal(back.id, holder.id);
	assert_int_equal(back.pid, holder.pid);
	assert_int_equal(back.fd, holder.fd);
	assert_string_equal(back.name, holder.name);

	/* The longest that the kernel has, and none of it UTF-8: each byte becomes three. */
	memset(holder.name, 0xff, 15);
	begin(false);
	tern_record_write_holder(&json, NULL, &holder);
	assert_int_equal(tern_record_read_holder(buf, sink.len, &back), 0);
	assert_int_equal(strlen(back.name), 45);
}

static void a_socket_names_its_users_where_they_are_known(void **unused)
{
	static const struct tern_holder rows[] = { { 1, 7, 6, "nginx" }, { 1, 8, 6, "nginx" } };
	const struct tern_socket_info row = { .id = 1, .proto = TERN_PROTO_TCP };
	const struct tern_holders none = { 0 }, two = { rows, 2 };
	struct tern_socket_info back;

	(void)unused;
	begin(false);
	tern_record_write_socket(&json, NULL, &row, NULL);
	tern_sink_char(&sink, '\0');
	assert_null(strstr(buf, "users"));
	begin(false);
	tern_record_write_socket(&json, NULL, &row, &none);
	tern_sink_char(&sink, '\0');
	assert_non_null(strstr(buf, ",\"users\":[]}\n"));
	begin(false);
	tern_record_write_socket(&json, NULL, &row, &two);
	assert_int_equal(tern_record_read_socket(buf, sink.len, strings, &back), 0);
	tern_sink_char(&sink, '\0');
	assert_non_null(strstr(buf, ",\"users\":[{\"name\":\"nginx\",\"pid\":7,\"fd\":6},"
				    "{\"name\":\"nginx\",\"pid\":8,\"fd\":6}]}\n"));
}

static void a_row_of_a_newer_stack_is_read_and_garbage_is_not(void **unused)
{
	struct tern_socket_info row;
	const char *newer =
		"{\"state\":\"ESTAB\",\"newer\":{\"x\":[1]},\"tcp\":{\"y\":1,\"mss\":2}}";
	const char *wrong = "{\"state\":\"ESTABL\"}";

	(void)unused;
	assert_int_equal(tern_record_read_socket(newer, strlen(newer), strings, &row), 0);
	assert_int_equal(row.state, TERN_ESTABLISHED);
	assert_int_equal(row.mss, 2);
	assert_int_equal(row.has, TERN_INFO_TCP);
	assert_int_equal(tern_record_read_socket(wrong, strlen(wrong), strings, &row), -EINVAL);
}

static void timers_have_the_names_ss_gives_them(void **unused)
{
	(void)unused;
	assert_string_equal(tern_record_timer_name(TERN_TIMER_ON), "on");
	assert_string_equal(tern_record_timer_name(TERN_TIMER_PERSIST), "persist");
	assert_string_equal(tern_record_timer_name(TERN_TIMER_DELACK), "delack");
	assert_null(tern_record_timer_name(TERN_TIMER_DELACK + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_row_survives_the_round_trip),
		cmocka_unit_test(a_trace_record_survives_the_round_trip),
		cmocka_unit_test(stack_totals_survive_the_round_trip),
		cmocka_unit_test(the_json_form_is_the_committed_one),
		cmocka_unit_test(a_holder_survives_the_round_trip),
		cmocka_unit_test(a_socket_names_its_users_where_they_are_known),
		cmocka_unit_test(a_row_of_a_newer_stack_is_read_and_garbage_is_not),
		cmocka_unit_test(timers_have_the_names_ss_gives_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
