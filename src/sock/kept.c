/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/kept.c: options that change nothing in the stack, in one table.
 *
 *	KEPT	a number within a range, shown as it was set: what it would do concerns queues,
 *		routing or processors that are not there (SO_MARK), or is done by others
 *		(SO_PEEK_OFF by data.c, IP_FREEBIND by bind(), TCP_INQ by those who
 *		have control messages)
 *	SWITCH	the same, and any number means yes or no
 *	OFF	can be switched off, which it is. Switching it on is refused: a program that asks
 *		for control messages, filters or guards must learn that there are none
 *	SINK	is taken, does nothing and cannot be read
 *	SHOWN	can be read only, and is always the same
 *	NEVER	neither
 *
 * Ranges and errors are Linux 6.18's.
 */
#include "sock/kept.h"

#include <errno.h>
#include <limits.h>

#include "base/compiler.h"

enum kind { KEPT, SWITCH, OFF, SINK, SHOWN, NEVER };

enum { STREAM = 1, DGRAM = 2, ANY = 3 };

static const struct row {
	int level, name;
	uint8_t types, kind;
	uint8_t place; /* of KEPT: enum tern_kept */
	int standard, min, max;
	int refusal; /* errno of what may not be set: OFF, SHOWN; of NEVER, when read, too */
} rows[] = {
/* clang-format off */
#define SOL(n) TERN_ABI_SOL_SOCKET, n
	{ SOL(TERN_ABI_SO_DEBUG), ANY, SWITCH, 0, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_DONTROUTE), ANY, SWITCH, 1, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_NO_CHECK), ANY, SWITCH, 2, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_RXQ_OVFL), ANY, SWITCH, 3, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_WIFI_STATUS), ANY, SWITCH, 4, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_NOFCS), ANY, SWITCH, 5, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_SELECT_ERR_QUEUE), ANY, SWITCH, 6, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_PREFER_BUSY_POLL), ANY, SWITCH, 7, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_PRIORITY), ANY, KEPT, TERN_KEPT_PRIORITY, 0, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_MARK), ANY, KEPT, TERN_KEPT_MARK, 0, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_BUSY_POLL), ANY, KEPT, TERN_KEPT_BUSY_POLL, 0, 0, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_INCOMING_CPU), ANY, KEPT, TERN_KEPT_CPU, -1, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_PEEK_OFF), ANY, KEPT, TERN_KEPT_PEEK_OFF, -1, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_MAX_PACING_RATE), ANY, KEPT, TERN_KEPT_PACING, -1, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_TXREHASH), STREAM, KEPT, TERN_KEPT_TXREHASH, 1, 0, 1, 0 },
	{ SOL(TERN_ABI_SO_TXREHASH), DGRAM, NEVER, 0, 0, 0, 0, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_BSDCOMPAT), ANY, OFF, 0, 0, 0, 0, 0 },
	{ SOL(TERN_ABI_SO_TIMESTAMP_OLD), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_TIMESTAMPNS_OLD), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_TIMESTAMPING_OLD), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_TIMESTAMP_NEW), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_TIMESTAMPNS_NEW), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_TIMESTAMPING_NEW), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_ZEROCOPY), ANY, OFF, 0, 0, 0, 1, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_BINDTOIFINDEX), ANY, OFF, 0, 0, 0, INT_MAX, ENODEV },
	{ SOL(TERN_ABI_SO_RESERVE_MEM), ANY, OFF, 0, 0, 0, INT_MAX, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_RCVMARK), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_RCVPRIORITY), ANY, OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_CNX_ADVICE), ANY, SINK, 0, 0, INT_MIN, INT_MAX, 0 },
	{ SOL(TERN_ABI_SO_BUSY_POLL_BUDGET), ANY, SINK, 0, 0, 0, UINT16_MAX, 0 },
	{ SOL(TERN_ABI_SO_BPF_EXTENSIONS), ANY, SHOWN, 0, 64, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_INCOMING_NAPI_ID), ANY, SHOWN, 0, 0, 0, 0, ENOPROTOOPT },
	{ SOL(TERN_ABI_SO_PASSCRED), ANY, NEVER, 0, 0, 0, 0, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_PASSSEC), ANY, NEVER, 0, 0, 0, 0, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_PASSPIDFD), ANY, NEVER, 0, 0, 0, 0, EOPNOTSUPP },
	{ SOL(TERN_ABI_SO_PASSRIGHTS), ANY, NEVER, 0, 0, 0, 0, EOPNOTSUPP },
#undef SOL
#define TCP(n) TERN_ABI_SOL_TCP, n, STREAM
	{ TCP(TERN_ABI_TCP_THIN_LINEAR_TIMEOUTS), KEPT, TERN_KEPT_THIN, 0, 0, 1, 0 },
	{ TCP(TERN_ABI_TCP_INQ), KEPT, TERN_KEPT_TCP_INQ, 0, 0, 1, 0 },
	{ TCP(TERN_ABI_TCP_THIN_DUPACK), OFF, 0, 0, 0, 1, 0 },
	{ TCP(TERN_ABI_TCP_REPAIR), OFF, 0, 0, INT_MIN, INT_MAX, EPERM },
	{ TCP(TERN_ABI_TCP_REPAIR_QUEUE), NEVER, 0, 0, 0, 0, EPERM },
	{ TCP(TERN_ABI_TCP_REPAIR_WINDOW), NEVER, 0, 0, 0, 0, EPERM },
	{ TCP(TERN_ABI_TCP_SAVE_SYN), OFF, 0, 0, 0, 2, ENOPROTOOPT },
	{ TCP(TERN_ABI_TCP_TX_DELAY), OFF, 0, 0, 0, INT_MAX, ENOPROTOOPT },
	{ TCP(TERN_ABI_TCP_ULP), SINK, 0, 0, 1, 0, ENOENT },
	{ TCP(TERN_ABI_TCP_IS_MPTCP), SHOWN, 0, 0, 0, 0, ENOPROTOOPT },
#undef TCP
#define IP(n) TERN_ABI_SOL_IP, n, ANY
	{ IP(TERN_ABI_IP_MTU_DISCOVER), KEPT, TERN_KEPT_PMTUD4, 1, 0, 5, 0 },
	{ IP(TERN_ABI_IP_RECVOPTS), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RETOPTS), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_PKTINFO), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RECVERR), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RECVTTL), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RECVTOS), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_FREEBIND), KEPT, TERN_KEPT_FREEBIND, 0, INT_MIN, INT_MAX, 0 },
	{ IP(TERN_ABI_IP_TRANSPARENT), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RECVORIGDSTADDR), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_MINTTL), OFF, 0, 0, 0, 255, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_BIND_ADDRESS_NO_PORT), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP(TERN_ABI_IP_RECVERR_RFC4884), OFF, 0, 0, 0, 1, ENOPROTOOPT },
#undef IP
#define IP6(n) TERN_ABI_SOL_IPV6, n, ANY
	{ IP6(TERN_ABI_IPV6_MTU_DISCOVER), KEPT, TERN_KEPT_PMTUD6, 1, 0, 5, 0 },
	{ IP6(TERN_ABI_IPV6_RECVERR), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_FLOWINFO_SEND), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_RECVPKTINFO), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_RECVHOPLIMIT), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_RECVTCLASS), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_DONTFRAG), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_MINHOPCOUNT), OFF, 0, 0, 0, 255, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_TRANSPARENT), OFF, 0, 0, 0, 0, ENOPROTOOPT },
	{ IP6(TERN_ABI_IPV6_FREEBIND), KEPT, TERN_KEPT_FREEBIND, 0, INT_MIN, INT_MAX, 0 },
#undef IP6
	/* clang-format on */
};

static const struct row *find(const struct tern_sock *s, int level, int name)
{
	unsigned int type = tern_sock_is_stream(s) ? STREAM : DGRAM;

	for (size_t i = 0; i < TERN_ARRAY_SIZE(rows); i++)
		if (rows[i].name == name && rows[i].level == level && (rows[i].types & type))
			return &rows[i];
	return NULL;
}

static int set_off(const struct row *row, int value)
{
	if (value == 0 || !row->refusal)
		return value < row->min || (row->max && value > row->max) ? -EINVAL : 0;
	/* max 0: any number means on */
	return row->max && (value < row->min || value > row->max) ? -EINVAL : -row->refusal;
}

int tern_kept_set(struct tern_sock *s, int level, int name, int value)
{
	const struct row *row = find(s, level, name);

	if (!row)
		return -ENOPROTOOPT;
	switch ((enum kind)row->kind) {
	case KEPT:
		if (row->place == TERN_KEPT_TXREHASH && value == -1)
			value = row->standard;
		if (row->place == TERN_KEPT_FREEBIND)
			value = value != 0;
		if (value < row->min || value > row->max)
			return -EINVAL;
		s->kept[row->place] = value;
		return 0;
	case SWITCH:
		s->switches = (uint8_t)(s->switches & ~(1u << row->place));
		s->switches = (uint8_t)(s->switches | (unsigned int)(value != 0) << row->place);
		return 0;
	case OFF:
		return set_off(row, value);
	case SINK:
		if (row->refusal)
			return -row->refusal;
		return value < row->min || value > row->max ? -EINVAL : 0;
	case SHOWN:
	case NEVER:
		break;
	}
	return -row->refusal;
}

int tern_kept_get(const struct tern_sock *s, int level, int name, int *ret_value)
{
	const struct row *row = find(s, level, name);

	if (!row || row->kind == SINK)
		return -ENOPROTOOPT;
	if (row->kind == NEVER)
		return -row->refusal;
	if (row->kind == KEPT)
		*ret_value = s->kept[row->place];
	else if (row->kind == SWITCH)
		*ret_value = s->switches >> row->place & 1;
	else
		*ret_value = row->standard;
	return 0;
}

void tern_kept_init(struct tern_sock *s)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(rows); i++)
		if (rows[i].kind == KEPT)
			s->kept[rows[i].place] = rows[i].standard;
}
