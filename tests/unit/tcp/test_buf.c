/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/rng.h"
#include "tcp/buf.h"

enum { STREAM = 1 << 20, MAX = 8 << 20, PIECES = 19 };

static uint8_t stream[STREAM];
static struct tern_mem mem;
static struct tern_bufs bufs;

static int begin(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
	mem = (struct tern_mem){ .limit = 0 };
	bufs = (struct tern_bufs){ .trace = NULL };
	return tern_bufs_init(&bufs, &mem, MAX);
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(bufs.used, 0);
	tern_bufs_free(&bufs);
	assert_int_equal(mem.used, 0);
	return 0;
}

/* Bytes charged for a chain, buffer by buffer; and that the buffers follow each other. */
static uint64_t charged(const struct tern_chain *c, uint32_t *ret_bytes)
{
	uint64_t sum = 0;
	tern_seq next = 0;

	*ret_bytes = 0;
	for (uint32_t i = c->head; i; i = tern_buf_at(&bufs, i)->next) {
		const struct tern_buf *b = tern_buf_at(&bufs, i);

		assert_true(b->len > 0 && b->len <= b->cap);
		assert_int_equal(b->cap, tern_buf_size(&bufs, i) - sizeof(*b));
		if (i != c->head)
			assert_int_equal(b->seq, next);
		next = b->seq + b->len;
		*ret_bytes += b->len;
		sum += tern_buf_size(&bufs, i);
		assert_true(b->next || c->tail == i);
	}
	return sum;
}

/* A queue of bytes by chain and by two counters, side by side. */
static void a_chain_is_a_queue_of_bytes(void **state)
{
	static const uint8_t seed[TERN_RNG_SEED_LEN] = { 1 };
	struct tern_rng rng;

	(void)state;
	tern_rng_init(&rng, seed);
	for (unsigned int round = 0; round < 40; round++) {
		struct tern_chain c = { 0, 0 };
		tern_seq base = round % 2 ? 0u - tern_rng_below(&rng, STREAM) : tern_rng_u32(&rng);
		uint32_t from = 0, to = 0, cursor = 0;
		int64_t account = 0;

		for (unsigned int step = 0; step < 200; step++) {
			uint32_t most = tern_rng_below(&rng, 3) ? 3000 : 100000, n, bytes, got;
			struct tern_piece pieces[PIECES];
			uint8_t copy[4096];

			n = 1 + tern_rng_below(&rng, most);
			n = TERN_MIN(n, STREAM - to);
			if (n && tern_rng_below(&rng, 2)) {
				int64_t k = tern_chain_append(&bufs, &c, base + to, stream + to, n,
							      to - from);

				assert_true(k >= 0);
				account += k;
				to += n;
			}
			if (tern_rng_below(&rng, 2)) {
				from += tern_rng_below(&rng, to - from + 1);
				account -= tern_chain_trim(&bufs, &c, base + from);
				cursor = 0;
			}
			assert_int_equal(charged(&c, &bytes), account);
			assert_int_equal(bufs.used, account);
			assert_true(bytes >= to - from);
			if (from == to)
				continue;
			n = TERN_MIN(to - from, (uint32_t)sizeof(copy));
			tern_chain_copy(&bufs, &c, base + to - n, copy, n);
			assert_memory_equal(copy, stream + to - n, n);
			n = tern_chain_pieces(&bufs, &c, &cursor, base + from, to - from, pieces,
					      PIECES, &got);
			assert_true(got == to - from || n == PIECES);
			for (uint32_t i = 0, at = from; i < n; at += pieces[i++].len)
				assert_memory_equal(pieces[i].ptr, stream + at, pieces[i].len);
			cursor = tern_rng_below(&rng, 2) ? cursor : 0;
			if (cursor && got < to - from) /* on from where the pieces ended */
				assert_true(tern_chain_pieces(&bufs, &c, &cursor, base + from + got,
							      1, pieces, 1, &got) == 1);
			cursor = 0;
		}
		assert_int_equal(tern_chain_clear(&bufs, &c), account);
		assert_int_equal(bufs.used, 0);
	}
}

/* D10: what small pieces cost stays in proportion to what they are. */
static void small_pieces_do_not_pin_large_buffers(void **state)
{
	static const uint32_t sizes[] = { 1, 100, 536, 1000, 1448, 1460, 9000 };

	(void)state;
	for (unsigned int i = 0; i < TERN_ARRAY_SIZE(sizes); i++) {
		struct tern_chain c = { 0, 0 };
		uint32_t bytes = 0;

		while (bytes + sizes[i] < 200000) {
			tern_chain_append(&bufs, &c, bytes, stream, sizes[i], bytes);
			bytes += sizes[i];
			assert_true(bufs.used <= 512 + 3 * (uint64_t)bytes);
		}
		tern_chain_clear(&bufs, &c);
	}
}

static void chains_join_where_one_ends_and_the_other_begins(void **state)
{
	struct tern_chain a = { 0, 0 }, b = { 0, 0 }, none = { 0, 0 };
	uint8_t copy[3000];
	uint32_t bytes;

	(void)state;
	tern_chain_join(&bufs, &a, &none);
	assert_int_equal(a.head, 0);
	tern_chain_append(&bufs, &b, 1000, stream + 1000, 2000, 0);
	tern_chain_append(&bufs, &a, 0, stream, 1000, 0);
	tern_chain_join(&bufs, &a, &b);
	assert_int_equal(b.head, 0);
	assert_int_equal(b.tail, 0);
	charged(&a, &bytes);
	assert_int_equal(bytes, 3000);
	tern_chain_copy(&bufs, &a, 0, copy, 3000);
	assert_memory_equal(copy, stream, 3000);
	tern_chain_append(&bufs, &a, 3000, stream + 3000, 10, 0);
	tern_chain_clear(&bufs, &a);
}

static void a_limit_is_kept_and_a_failed_append_changes_nothing(void **state)
{
	struct tern_chain c = { 0, 0 };
	uint32_t bytes = 0;

	(void)state;
	bufs.limit = 100000;
	while (tern_chain_append(&bufs, &c, bytes, stream, 700, bytes) >= 0)
		bytes += 700;
	assert_true(bufs.used <= 100000 && bufs.used > 100000 - 512 - 700);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t used = bufs.used;
		uint32_t held;

		assert_int_equal(tern_chain_append(&bufs, &c, bytes, stream, 50000, 0), -ENOBUFS);
		assert_int_equal(bufs.used, used);
		charged(&c, &held);
		assert_int_equal(held, bytes);
	}
	tern_chain_clear(&bufs, &c);
	bufs.limit = MAX;
}

/* G5: the engine's memory runs out at each allocation in turn. */
static void running_out_of_memory_is_an_answer(void **state)
{
	unsigned int failed = 0;

	(void)state;
	for (uint64_t nth = 1; nth < 12; nth++) {
		struct tern_chain c = { 0, 0 };
		uint32_t bytes = 0, held = 0;

		mem.fail_in = nth;
		for (unsigned int i = 0; i < 30; i++) {
			if (tern_chain_append(&bufs, &c, bytes, stream, 20000, bytes) < 0)
				failed++;
			else
				bytes += 20000;
		}
		charged(&c, &held);
		assert_int_equal(held, bytes);
		mem.fail_in = 0;
		tern_chain_clear(&bufs, &c);
		assert_int_equal(bufs.used, 0);
		tern_bufs_free(&bufs);
		assert_int_equal(tern_bufs_init(&bufs, &mem, MAX), 0);
	}
	assert_true(failed < 30); /* a smaller buffer stands in where there is one */
}

static void pressure_begins_above_one_mark_and_ends_below_the_other(void **state)
{
	struct tern_chain c = { 0, 0 };

	(void)state;
	bufs.low = 2048;
	bufs.pressure = 4096;
	tern_chain_append(&bufs, &c, 0, stream, 2032, 0);
	tern_chain_append(&bufs, &c, 2032, stream, 2032, 0);
	assert_int_equal(bufs.used, 4096);
	assert_false(tern_bufs_pressure(&bufs));
	tern_chain_append(&bufs, &c, 4064, stream, 1, 0);
	assert_true(tern_bufs_pressure(&bufs));
	tern_chain_trim(&bufs, &c, 2032);
	assert_int_equal(bufs.used, 2048 + 512);
	assert_true(tern_bufs_pressure(&bufs));
	tern_chain_trim(&bufs, &c, 4064);
	assert_int_equal(bufs.used, 512);
	assert_false(tern_bufs_pressure(&bufs));
	tern_chain_clear(&bufs, &c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chain_is_a_queue_of_bytes, begin, end),
		cmocka_unit_test_setup_teardown(small_pieces_do_not_pin_large_buffers, begin, end),
		cmocka_unit_test_setup_teardown(chains_join_where_one_ends_and_the_other_begins,
						begin, end),
		cmocka_unit_test_setup_teardown(a_limit_is_kept_and_a_failed_append_changes_nothing,
						begin, end),
		cmocka_unit_test_setup_teardown(running_out_of_memory_is_an_answer, begin, end),
		cmocka_unit_test_setup_teardown(
			pressure_begins_above_one_mark_and_ends_below_the_other, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
