/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim/symbol.c: names of numbers in scripts. Rows of symbol.def, searched one by one: a script has
 * some dozen words.
 */
#include "sim/symbol.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "sock/abi.h"

struct row {
	const char *name;
	int64_t value;
};

static const struct row symbols[] = {
#define SYMBOL(name, value) { #name, value },
#define ERRNO(name)
#include "sim/symbol.def"
#undef SYMBOL
#undef ERRNO
};

static const struct row errors[] = {
#define SYMBOL(name, value)
#define ERRNO(name) { #name, name },
#include "sim/symbol.def"
#undef SYMBOL
#undef ERRNO
};

static bool is(const char *name, const char *text, size_t len)
{
	return strncmp(name, text, len) == 0 && name[len] == '\0';
}

bool tern_symbol_find(const char *name, size_t len, int64_t *ret_value)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(symbols); i++) {
		if (is(symbols[i].name, name, len)) {
			*ret_value = symbols[i].value;
			return true;
		}
	}
	if (is("NULL", name, len)) {
		*ret_value = 0;
		return true;
	}
	*ret_value = tern_symbol_errno(name, len);
	return *ret_value != 0;
}

int tern_symbol_errno(const char *name, size_t len)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(errors); i++)
		if (is(errors[i].name, name, len))
			return (int)errors[i].value;
	return 0;
}

const char *tern_symbol_errno_name(int error)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(errors); i++)
		if (errors[i].value == error)
			return errors[i].name;
	return "?";
}

/* How many characters two words do not share, counted from both ends. */
static size_t unlike(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t head = 0, tail = 0, most = TERN_MIN(a_len, b_len);

	while (head < most && a[head] == b[head])
		head++;
	while (tail < most - head && a[a_len - 1 - tail] == b[b_len - 1 - tail])
		tail++;
	return TERN_MAX(a_len, b_len) - head - tail;
}

const char *tern_symbol_nearest(const char *name, size_t len)
{
	const char *best = NULL;
	size_t best_unlike = 3; /* at most two characters */

	for (size_t i = 0; i < TERN_ARRAY_SIZE(symbols); i++) {
		size_t n = unlike(name, len, symbols[i].name, strlen(symbols[i].name));

		if (n < best_unlike) {
			best_unlike = n;
			best = symbols[i].name;
		}
	}
	return best;
}

struct field {
	const char *name;
	uint16_t offset;
	uint8_t size, shift, bits; /* bits 0: all of size bytes */
	bool meminfo;
};

#define INFO(field)                                                         \
	{                                                                   \
		"tcpi_" #field, offsetof(struct tern_tcp_info, field),      \
			sizeof(((struct tern_tcp_info *)0)->field), 0, 0, 0 \
	}
#define BITS(name, field, shift, bits)                                                  \
	{                                                                               \
		"tcpi_" #name, offsetof(struct tern_tcp_info, field), 1, shift, bits, 0 \
	}
#define MEM(name, number)                                     \
	{                                                     \
		"SK_MEMINFO_" #name, 4 * (number), 4, 0, 0, 1 \
	}

static const struct field fields[] = {
	INFO(state),
	INFO(ca_state),
	INFO(retransmits),
	INFO(probes),
	INFO(backoff),
	INFO(options),
	BITS(snd_wscale, wscales, 0, 4),
	BITS(rcv_wscale, wscales, 4, 4),
	BITS(delivery_rate_app_limited, flags, 0, 1),
	BITS(fastopen_client_fail, flags, 1, 2),
	INFO(rto),
	INFO(ato),
	INFO(snd_mss),
	INFO(rcv_mss),
	INFO(unacked),
	INFO(sacked),
	INFO(lost),
	INFO(retrans),
	INFO(fackets),
	INFO(last_data_sent),
	INFO(last_ack_sent),
	INFO(last_data_recv),
	INFO(last_ack_recv),
	INFO(pmtu),
	INFO(rcv_ssthresh),
	INFO(rtt),
	INFO(rttvar),
	INFO(snd_ssthresh),
	INFO(snd_cwnd),
	INFO(advmss),
	INFO(reordering),
	INFO(rcv_rtt),
	INFO(rcv_space),
	INFO(total_retrans),
	INFO(pacing_rate),
	INFO(max_pacing_rate),
	INFO(bytes_acked),
	INFO(bytes_received),
	INFO(segs_out),
	INFO(segs_in),
	INFO(notsent_bytes),
	INFO(min_rtt),
	INFO(data_segs_in),
	INFO(data_segs_out),
	INFO(delivery_rate),
	INFO(busy_time),
	INFO(rwnd_limited),
	INFO(sndbuf_limited),
	INFO(delivered),
	INFO(delivered_ce),
	INFO(bytes_sent),
	INFO(bytes_retrans),
	INFO(dsack_dups),
	INFO(reord_seen),
	INFO(rcv_ooopack),
	INFO(snd_wnd),
	MEM(RMEM_ALLOC, 0),
	MEM(RCVBUF, 1),
	MEM(WMEM_ALLOC, 2),
	MEM(SNDBUF, 3),
	MEM(FWD_ALLOC, 4),
	MEM(WMEM_QUEUED, 5),
	MEM(OPTMEM, 6),
	MEM(BACKLOG, 7),
	MEM(DROPS, 8),
};

int tern_info_field(const char *name, size_t len)
{
	for (size_t i = 0; i < TERN_ARRAY_SIZE(fields); i++)
		if (is(fields[i].name, name, len))
			return (int)i;
	return -1;
}

const char *tern_info_field_name(int field)
{
	return fields[field].name;
}

bool tern_info_is_meminfo(int field)
{
	return fields[field].meminfo;
}

bool tern_info_value(int field, const void *info, size_t len, int64_t *ret_value)
{
	const struct field *f = &fields[field];
	const uint8_t *at = (const uint8_t *)info + f->offset;
	uint64_t wide;
	uint32_t word;

	if ((size_t)f->offset + f->size > len)
		return false;
	if (f->size == 8) {
		memcpy(&wide, at, 8);
		*ret_value = wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
	} else if (f->size == 4) {
		memcpy(&word, at, 4);
		*ret_value = word;
	} else {
		*ret_value = f->bits ? *at >> f->shift & ((1 << f->bits) - 1) : *at;
	}
	return true;
}
