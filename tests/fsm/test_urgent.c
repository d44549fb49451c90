/* SPDX-License-Identifier: BSD-2-Clause */
/* Urgent data (RFC 9293 §3.8.5, RFC 6093): the pointer on both sides, and what the mark does. */
#include <errno.h>

#include "harness/puppet.h"

#define URGENT (TERN_ACK | TERN_URG)

static int64_t oob(struct puppet *p, uint8_t *byte)
{
	return tern_stack_recv(p->st, p->now, p->id, byte, 1, TERN_MSG_OOB);
}

/* n bytes written, the last of them urgent. */
static void writes_urgent(struct puppet *p, uint32_t n)
{
	uint8_t data[4096];

	assert_true(n <= sizeof(data));
	for (uint32_t i = 0; i < n; i++)
		data[i] = stream_byte(p->written + i);
	assert_int_equal(tern_stack_send(p->st, p->now, p->id, data, n, TERN_MSG_OOB), n);
	p->written += n;
}

/*
 * RFC9293:MUST-62: the pointer names the byte behind the last urgent one; of as many as there are,
 * RFC9293:MUST-30.
 */
static void the_pointer_we_send_names_the_byte_behind_urgent_data(void **state)
{
	(void)state;
	FOR_EACH_KIND(k)
	{
		static const uint32_t lengths[] = { 1, 2, 1000 };

		for (size_t i = 0; i < TERN_ARRAY_SIZE(lengths); i++) {
			struct puppet *p = in_state(TERN_ESTABLISHED, k);

			writes_urgent(p, lengths[i]);
			expect(p, .flags = IS(URGENT), .len = IS(lengths[i]),
			       .urgent = IS(lengths[i]));
			app_writes(p, 10);
			say(p);
			expect(p, .flags = IS(TERN_ACK), .len = IS(10));
			say(p);
			done(p);
		}
	}
}

static void every_segment_before_the_mark_announces_it(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint32_t mss = p->mss - 12;

	(void)state;
	writes_urgent(p, 3000);
	expect(p, .flags = IS(URGENT), .len = IS(mss), .urgent = IS(3000));
	expect(p, .flags = IS(URGENT), .len = IS(mss), .urgent = IS(3000 - mss));
	expect(p, .flags = IS(URGENT), .len = IS(3000 - 2 * mss), .urgent = IS(3000 - 2 * mss));
	wait_ms(p, 100);
	expect(p, .flags = IS(URGENT)); /* sent again, too */
	ignore(p);
	say(p);
	ignore(p);
	say(p, .len = IS(1));
	expect(p, .flags = IS(TERN_ACK));
	app_reads(p, 1);
	done(p);
}

static void urgent_data_waits_neither_for_nagle_nor_for_a_cork(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

	(void)state;
	app_writes(p, 10);
	expect(p, .len = IS(10));
	app_writes(p, 10);
	expect_silence(p);
	writes_urgent(p, 1);
	expect(p, .flags = IS(URGENT), .len = IS(11), .urgent = IS(11));
	say(p);
	set_option(p, p->id, TERN_SO_CORK, 1);
	writes_urgent(p, 5);
	expect(p, .flags = IS(URGENT), .len = IS(5), .urgent = IS(5));
	say(p);
	done(p);
}

/* The peer hears of it although it takes nothing else (MUST-66 is its side of it). */
static void a_closed_window_does_not_keep_the_pointer_back(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint32_t una = p->ack;

	(void)state;
	say(p, .wnd = IS(0));
	p->window = 0;
	writes_urgent(p, 4);
	expect_silence(p);
	wait_ms(p, 300);
	expect(p, .seq = IS(una - 1), .flags = IS(URGENT), .len = IS(0));
	expect(p, .seq = IS(una), .flags = IS(URGENT), .len = IS(0), .urgent = IS(4));
	p->window = 65535;
	say(p, .ack = IS(una));
	expect(p, .seq = IS(una), .flags = IS(URGENT), .len = IS(4), .urgent = IS(4));
	say(p);
	done(p);
}

/* RFC9293:MUST-32: told as soon as it is known, and how much stands before it. RFC9293:MUST-33 */
static void the_application_hears_of_the_mark_before_the_byte_is_there(void **state)
{
	uint8_t byte = 0;

	(void)state;
	FOR_EACH_KIND(k)
	{
		struct puppet *p = in_state(TERN_ESTABLISHED, k);

		assert_int_equal(oob(p, &byte), -EINVAL);
		say(p, .flags = IS(URGENT), .urgent = IS(50), .len = IS(10));
		ignore(p);
		assert_true(events(p) & TERN_EV_REPORT);
		assert_int_equal(oob(p, &byte), -EAGAIN);
		assert_int_equal(option(p, p->id, TERN_SO_URGENT), 0);
		say(p, .len = IS(45));
		ignore(p);
		assert_true(events(p) & TERN_EV_REPORT);
		assert_int_equal(option(p, p->id, TERN_SO_URGENT), 1);
		assert_int_equal(option(p, p->id, TERN_SO_INQ), 49);
		assert_int_equal(oob(p, &byte), 1);
		assert_int_equal(byte, stream_byte(49));
		assert_int_equal(oob(p, &byte), -EINVAL); /* once */
		app_reads(p, 49);
		assert_int_equal(option(p, p->id, TERN_SO_ATMARK), 1);
		p->read++; /* the urgent byte is not in the stream */
		app_reads(p, 5);
		assert_int_equal(option(p, p->id, TERN_SO_ATMARK), 0);
		done(p);
	}
}

/* RFC9293:MUST-30 RFC9293:MUST-33 */
static void a_read_ends_at_the_mark(void **state)
{
	uint8_t data[100];

	(void)state;
	for (int in_line = 0; in_line < 2; in_line++) {
		struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);

		set_option(p, p->id, TERN_SO_OOBINLINE, in_line);
		say(p, .flags = IS(URGENT), .urgent = IS(6), .len = IS(10));
		ignore(p);
		assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, 100, TERN_MSG_PEEK),
				 5);
		assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, 100, 0), 5);
		assert_int_equal(option(p, p->id, TERN_SO_ATMARK), 1);
		assert_int_equal(option(p, p->id, TERN_SO_UNREAD), in_line ? 5 : 4);
		assert_int_equal(oob(p, data), in_line ? -EINVAL : 1);
		assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, 100, TERN_MSG_PEEK),
				 in_line ? 5 : 4);
		assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, 100, 0),
				 in_line ? 5 : 4);
		assert_int_equal(data[0], stream_byte(in_line ? 5 : 6));
		assert_int_equal(app_recv(p), -EAGAIN);
		done(p);
	}
}

static void without_a_copy_a_read_ends_at_the_mark_too(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	struct tern_piece pieces[4];

	(void)state;
	say(p, .flags = IS(URGENT), .urgent = IS(6), .len = IS(10));
	ignore(p);
	assert_int_equal(tern_stack_peek(p->st, p->now, p->id, pieces, 4), 1);
	assert_int_equal(pieces[0].len, 5);
	assert_int_equal(tern_stack_recv(p->st, p->now, p->id, NULL, 5, TERN_MSG_TRUNC), 5);
	assert_int_equal(tern_stack_peek(p->st, p->now, p->id, pieces, 4), 1);
	assert_int_equal(pieces[0].len, 4);
	assert_int_equal(((const uint8_t *)pieces[0].ptr)[0], stream_byte(6));
	assert_int_equal(tern_stack_recv(p->st, p->now, p->id, NULL, 4, TERN_MSG_TRUNC), 4);
	done(p);
}

/* As Linux: of two marks the later one counts, and the byte of the earlier one is lost. */
static void a_later_mark_takes_the_place_of_an_earlier_one(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint8_t byte = 0;

	(void)state;
	say(p, .flags = IS(URGENT), .urgent = IS(5), .len = IS(10));
	say(p, .flags = IS(URGENT), .urgent = IS(3), .len = IS(10));
	ignore(p);
	assert_int_equal(oob(p, &byte), 1);
	assert_int_equal(byte, stream_byte(12));
	app_reads(p, 12);
	assert_int_equal(option(p, p->id, TERN_SO_ATMARK), 1);
	p->read++;
	app_reads(p, 7);
	say(p, .flags = IS(URGENT), .urgent = IS(1), .seq = IS(p->seq - 5), .len = IS(5));
	assert_int_equal(oob(p, &byte), -EINVAL); /* old news */
	ignore(p);
	done(p);
}

/* RFC9293:MUST-66. */
static void a_pointer_counts_although_our_window_is_closed(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint8_t byte;

	(void)state;
	while (p->edge != p->seq) {
		say(p, .len = IS(TERN_MIN(p->edge - p->seq, 1400u)));
		ignore(p);
	}
	do {
		say(p, .len = IS(1));
		ignore(p);
	} while (p->reason == TERN_DROP_NONE);
	assert_dropped(p, TCP_ZEROWINDOW);
	p->seq--;
	events(p);
	say(p, .flags = IS(URGENT), .urgent = IS(1), .len = IS(1));
	assert_dropped(p, TCP_ZEROWINDOW);
	p->seq--;
	assert_true(events(p) & TERN_EV_REPORT);
	assert_int_equal(oob(p, &byte), -EAGAIN);
	ignore(p);
	tern_stack_abort(p->st, p->now, p->id);
	p->id = 0;
	ignore(p);
	done(p);
}

/* RFC 9293 §3.10.7.4, sixth: after the peer's FIN, URG is to be ignored. */
static void behind_a_fin_nothing_is_urgent(void **state)
{
	static const enum tern_state states[] = { TERN_CLOSE_WAIT, TERN_CLOSING, TERN_LAST_ACK };

	(void)state;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(states); i++) {
		struct puppet *p = in_state(states[i], PASSIVE4);

		events(p);
		say(p, .flags = IS(URGENT), .urgent = IS(1), .ack = IS(p->ack - 0));
		assert_false(events(p) & TERN_EV_REPORT);
		ignore(p);
		done(p);
	}
}

static void what_the_pointer_means_is_a_knob(void **state)
{
	struct puppet *p = in_state(TERN_ESTABLISHED, PASSIVE4);
	uint8_t byte = 0;

	(void)state;
	knob(p, "tcp_stdurg", "1");
	say(p, .flags = IS(URGENT), .urgent = IS(4), .len = IS(10));
	ignore(p);
	assert_int_equal(oob(p, &byte), 1);
	assert_int_equal(byte, stream_byte(4));
	app_reads(p, 4);
	p->read++;
	app_reads(p, 5);
	done(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pointer_we_send_names_the_byte_behind_urgent_data),
		cmocka_unit_test(every_segment_before_the_mark_announces_it),
		cmocka_unit_test(urgent_data_waits_neither_for_nagle_nor_for_a_cork),
		cmocka_unit_test(a_closed_window_does_not_keep_the_pointer_back),
		cmocka_unit_test(the_application_hears_of_the_mark_before_the_byte_is_there),
		cmocka_unit_test(a_read_ends_at_the_mark),
		cmocka_unit_test(without_a_copy_a_read_ends_at_the_mark_too),
		cmocka_unit_test(a_later_mark_takes_the_place_of_an_earlier_one),
		cmocka_unit_test(a_pointer_counts_although_our_window_is_closed),
		cmocka_unit_test(behind_a_fin_nothing_is_urgent),
		cmocka_unit_test(what_the_pointer_means_is_a_knob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
