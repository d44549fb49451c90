/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit/report/rows.h: socket rows for tests.
 *
 * They are those of a real machine on which `ss -tuan` of iproute2 6.1 was run, so that the golden
 * tables can be held against what it printed.
 */
#ifndef TERN_TESTS_UNIT_REPORT_ROWS_H
#define TERN_TESTS_UNIT_REPORT_ROWS_H

#include <string.h>

#include "base/addr.h"
#include "tern/snapshot.h"

#define ROWS   13
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static inline struct tern_endpoint v4(uint16_t port)
{
	return (struct tern_endpoint){ tern_addr_v4(127, 0, 0, 1), port };
}

static inline struct tern_endpoint v6(uint16_t port)
{
	struct tern_endpoint end = { { .family = TERN_INET6, .b = { [15] = 1 } }, port };

	return end;
}

static inline struct tern_socket_info tcp_row(unsigned int state, struct tern_endpoint local,
					      struct tern_endpoint remote)
{
	struct tern_socket_info row = {
		.cookie = 1,
		.local = local,
		.remote = remote,
		.proto = TERN_PROTO_TCP,
		.state = (uint8_t)state,
		.has = TERN_INFO_TCP,
		.age_ns = 5 * SECOND,
		.mem = { .rcvbuf = 131072, .sndbuf = 16384 },
	};

	if (state == TERN_LISTEN)
		row.has = TERN_INFO_LISTEN;
	if (state == TERN_TIME_WAIT || state == TERN_SYN_RECEIVED)
		row.has = 0;
	return row;
}

static inline void queues(struct tern_socket_info *row, uint32_t recv_q, uint32_t send_q)
{
	row->recv_q = recv_q;
	row->send_q = send_q;
}

static inline void timer(struct tern_socket_info *row, unsigned int kind, uint64_t ms,
			 unsigned int retrans)
{
	row->timer = (uint8_t)kind;
	row->timer_ns = ms * MS;
	row->retrans = (uint8_t)retrans;
}

static inline void make_rows(struct tern_socket_info rows[ROWS])
{
	const struct tern_endpoint none = { { 0 }, 0 };
	struct tern_endpoint any = { { 0 }, 8081 };

	rows[0] = tcp_row(TERN_LISTEN, v4(8080), none);
	queues(&rows[0], 1, 3);
	rows[0].synq = 2;
	rows[0].synq_max = 4096;
	rows[0].listen_drops = 7;
	rows[0].listen_overflows = 5;
	rows[1] = tcp_row(TERN_ESTABLISHED, v4(8080), v4(42064));
	rows[1].unaccepted = true;
	rows[2] = tcp_row(TERN_ESTABLISHED, v4(42050), v4(8080));
	queues(&rows[2], 0, 3782144);
	timer(&rows[2], TERN_TIMER_PERSIST, 416, 1);
	rows[3] = tcp_row(TERN_FIN_WAIT_2, v4(42052), v4(8080));
	timer(&rows[3], TERN_TIMER_TIMEWAIT, 58900, 0);
	rows[3].orphan = true;
	rows[4] = tcp_row(TERN_TIME_WAIT, v4(42054), v4(8080));
	timer(&rows[4], TERN_TIMER_TIMEWAIT, 58001, 0);
	rows[5] = tcp_row(TERN_ESTABLISHED, v4(42064), v4(8080));
	timer(&rows[5], TERN_TIMER_KEEPALIVE, 7199 * 1000, 0);
	rows[6] = tcp_row(TERN_ESTABLISHED, v4(8080), v4(42050));
	queues(&rows[6], 128512, 0);
	rows[6].mem.rmem_alloc = 131840;
	rows[6].mem.drops = 3;
	rows[7] = tcp_row(TERN_CLOSE_WAIT, v4(8080), v4(42052));
	queues(&rows[7], 1, 0);
	rows[7].age_ns = 192 * SECOND;
	rows[8] = tcp_row(TERN_LISTEN, any, none);
	queues(&rows[8], 0, 5);
	rows[9] = tcp_row(TERN_LISTEN, v6(8082), none);
	queues(&rows[9], 1, 5);
	rows[10] = tcp_row(TERN_ESTABLISHED, v6(60662), v6(8082));
	rows[11] = tcp_row(TERN_ESTABLISHED, v6(8082), v6(60662));
	queues(&rows[11], 100, 0);
	rows[12] = tcp_row(TERN_CLOSED, v4(53), none);
	rows[12].proto = TERN_PROTO_UDP;
	rows[12].has = 0;
	for (unsigned int i = 0; i < ROWS; i++)
		rows[i].cookie = i + 0xffd;
}

#endif
