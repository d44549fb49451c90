/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness/puppet.c: the stack, the puppet's segments, virtual time.
 *
 * Byte i that the puppet sends behind its SYN, and byte i that the application writes, is
 * stream_byte(i): whoever reads can tell what should stand there.
 */
#include "harness/puppet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	OUR_PORT = 80,
	PEER_PORT = 40000,
	ACTIVE_PORT = 7, /* the puppet's, when the stack connects */
};

static const uint8_t us6[16] = { 0xfd, 0x77, [15] = 2 };
static const uint8_t peer6[16] = { 0xfd, 0x77, [15] = 1 };

static void fill_pattern(uint8_t *to, uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = stream_byte(from + i);
}

struct tern_config puppet_config(void)
{
	struct tern_config cfg = { .addr_count = 2,
				   .conns_max = 64,
				   .halfopens_max = 64,
				   .timewaits_max = 64,
				   .listeners_max = 4,
				   .udps_max = 4 };

	cfg.addrs[0] = (struct tern_prefix){ tern_addr_v4(10, 77, 0, 2), 24 };
	cfg.addrs[1] = (struct tern_prefix){ tern_addr_from_bytes(TERN_INET6, us6), 64 };
	cfg.seed[0] = 1;
	return cfg;
}

struct puppet *puppet_new_cfg(enum kind kind, const struct tern_config *cfg)
{
	struct puppet *p = calloc(1, sizeof(*p));
	bool v6 = kind == PASSIVE6 || kind == ACTIVE6;

	assert_non_null(p);
	p->kind = kind;
	p->now = 1000 * 1000 * NS_PER_MS;
	p->us.addr = cfg->addrs[v6].addr;
	p->us.port = OUR_PORT;
	p->peer.addr = v6 ? tern_addr_from_bytes(TERN_INET6, peer6) : tern_addr_v4(10, 77, 0, 1);
	p->peer.port = is_active(kind) ? ACTIVE_PORT : PEER_PORT;
	p->mss = v6 ? 1440 : 1460;
	p->wscale = 7;
	p->ts = true;
	p->sackok = true;
	p->iss = 0xffffff00; /* soon to wrap */
	p->seq = p->iss;
	p->window = 65535;
	p->ts_base = 0xffff8000;
	assert_int_equal(tern_stack_new(cfg, p->now, &p->st), 0);
	return p;
}

struct puppet *puppet_new(enum kind kind)
{
	struct tern_config cfg = puppet_config();

	return puppet_new_cfg(kind, &cfg);
}

void knob(struct puppet *p, const char *name, const char *value)
{
	char full[64];

	snprintf(full, sizeof(full), "net.ipv4.%s", name);
	assert_int_equal(tern_stack_knob(p->st, p->now, full, value), 0);
}

/* ---- segments in ---- */

static uint64_t all_drops(const struct puppet *p, enum tern_drop *ret_latest,
			  const uint64_t *before)
{
	uint64_t sum = 0;

	for (unsigned int r = 1; r < TERN_DROPS; r++) {
		uint64_t n = tern_stack_drops(p->st, r);

		if (before && n != before[r])
			*ret_latest = (enum tern_drop)r;
		sum += n;
	}
	return sum;
}

/* One frame in: at most one reason is counted. */
static void input(struct puppet *p, const uint8_t *frame, uint32_t len)
{
	struct tern_frame f = { .data = frame, .len = len };
	uint64_t before[TERN_DROPS], sum = 0, now;
	uint8_t *copy = malloc(len); /* of exactly this size, for ASan */

	for (unsigned int r = 1; r < TERN_DROPS; r++) {
		before[r] = tern_stack_drops(p->st, r);
		sum += before[r];
	}
	memcpy(copy, frame, len);
	f.data = copy;
	p->reason = TERN_DROP_NONE;
	tern_stack_input(p->st, p->now, &f, 1);
	free(copy);
	now = all_drops(p, &p->reason, before);
	if (now - sum > 1)
		fail_msg("a segment was dropped for %d reasons", (int)(now - sum));
	p->drops += now - sum;
}

void say_packet(struct puppet *p, const struct tern_addr *src, const struct tern_addr *dst,
		uint8_t proto, const uint8_t *payload, uint32_t len)
{
	static uint8_t frame[70000];
	struct tern_packet pkt = { .src = *src,
				   .dst = *dst,
				   .proto = proto,
				   .ttl = 64,
				   .tos = p->tos,
				   .df = true,
				   .payload_len = len };
	uint32_t header = tern_ip_emit(frame, sizeof(frame), &pkt);

	memcpy(frame + header, payload, len);
	input(p, frame, header + len);
}

static uint32_t clock_of(const struct puppet *p)
{
	return (uint32_t)(p->now / NS_PER_MS) + p->ts_base;
}

static uint32_t value(struct is v, uint32_t otherwise)
{
	return v.set ? v.value : otherwise;
}

/* The options that the puppet would put on this segment, and what the test says of them. */
static void fill_options(const struct puppet *p, const struct shape *s, struct tern_segment *seg)
{
	bool syn = seg->flags & TERN_SYN;
	struct tern_tcp_options *opt = &seg->opt;
	bool ts = syn ? p->ts : p->stamped && !(seg->flags & TERN_RST);

	if (syn) {
		opt->mss = (uint16_t)value(s->mss, p->mss);
		opt->wscale = (uint8_t)value(s->wscale, p->wscale > 0 ? (uint32_t)p->wscale : 0);
		opt->present |= s->mss.set || p->mss ? TERN_OPT_MSS : 0;
		opt->present |= s->wscale.set || p->wscale >= 0 ? TERN_OPT_WSCALE : 0;
		opt->present |= value(s->sackok, p->sackok) ? TERN_OPT_SACKOK : 0;
		opt->present |= p->fastopen ? TERN_OPT_FASTOPEN : 0;
		opt->fastopen_len = p->cookie_len;
		opt->fastopen_exp = p->cookie_exp;
		memcpy(opt->fastopen, p->cookie, sizeof(opt->fastopen));
	} else if (s->sack_left.set) {
		opt->present |= TERN_OPT_SACK;
		opt->sack_count = 1;
		opt->sack[0].left = s->sack_left.value;
		opt->sack[0].right = s->sack_right.value;
	}
	if (!value(s->ts, ts))
		return;
	opt->present |= TERN_OPT_TS;
	opt->tsval = value(s->tsval, clock_of(p));
	opt->tsecr = value(s->tsecr, seg->flags & TERN_ACK ? p->tsecr : 0);
}

static void fill_segment(struct puppet *p, const struct shape *s, struct tern_segment *seg)
{
	uint16_t flags = (uint16_t)value(s->flags, TERN_ACK);
	unsigned int shift = p->scaled && !(flags & TERN_SYN) && p->wscale > 0
				     ? TERN_MIN((unsigned int)p->wscale, 14u)
				     : 0;

	*seg = (struct tern_segment){ .sport = p->peer.port, .dport = p->us.port, .flags = flags };
	seg->seq = value(s->seq, p->seq);
	seg->ack = value(s->ack, flags & TERN_ACK ? p->ack : 0);
	seg->wnd = (uint16_t)value(s->wnd, TERN_MIN(p->window >> shift, 65535u));
	seg->len = value(s->len, 0);
	seg->urgent = (uint16_t)value(s->urgent, 0);
	fill_options(p, s, seg);
	if (seg->flags & TERN_ACK) {
		uint32_t edge = seg->ack + ((uint32_t)seg->wnd << shift);

		if (tern_seq_gt(edge, p->room) || !p->room)
			p->room = edge;
	}
}

/* The TCP checksum over header and payload, as one piece each. */
static void emit(struct puppet *p, const struct tern_segment *seg, uint8_t *tcp, uint32_t header)
{
	struct tern_piece piece = { tcp + header, seg->len };

	fill_pattern(tcp + header, seg->seq + !!(seg->flags & TERN_SYN) - p->iss - 1, seg->len);
	tern_tcp_cksum_full(&p->peer.addr, &p->us.addr, tcp, header, &piece, seg->len != 0);
	say_packet(p, &p->peer.addr, &p->us.addr, TERN_PROTO_TCP, tcp, header + seg->len);
	if (seg->seq == p->seq && !(seg->flags & TERN_RST))
		p->seq += tern_segment_len(seg);
}

void puppet_say(struct puppet *p, const struct shape *s)
{
	static uint8_t tcp[TERN_TCP_HEADER_MAX + 65535];
	struct tern_segment seg;

	fill_segment(p, s, &seg);
	assert_true(seg.len <= 65535 - 200);
	p->tos = (uint8_t)value(s->tos, 0);
	emit(p, &seg, tcp, tern_tcp_emit(tcp, TERN_TCP_HEADER_MAX, &seg));
	p->tos = 0;
}

void say_with_options(struct puppet *p, uint16_t flags, const uint8_t *options, uint32_t len)
{
	uint8_t tcp[TERN_TCP_HEADER_MAX];
	struct tern_segment seg;

	assert_true(len % 4 == 0 && len <= 40);
	fill_segment(p, &(struct shape){ .flags = IS(flags) }, &seg);
	seg.opt.present = 0;
	tern_tcp_emit(tcp, sizeof(tcp), &seg);
	memcpy(tcp + TERN_TCP_HEADER, options, len);
	tcp[12] = (uint8_t)((TERN_TCP_HEADER + len) / 4 << 4);
	emit(p, &seg, tcp, TERN_TCP_HEADER + len);
}

void say_icmp(struct puppet *p, uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
{
	struct tern_segment seg = { .sport = p->us.port,
				    .dport = p->peer.port,
				    .seq = seq,
				    .flags = TERN_ACK };
	struct tern_packet pkt = { .src = p->us.addr,
				   .dst = p->peer.addr,
				   .ttl = 1,
				   .df = true,
				   .proto = TERN_PROTO_TCP,
				   .payload_len = TERN_TCP_HEADER };
	uint8_t quoted[80], icmp[200];
	uint32_t n = tern_ip_emit(quoted, sizeof(quoted), &pkt);
	bool v6 = p->us.addr.family == TERN_INET6;

	n += tern_tcp_emit(quoted + n, TERN_TCP_HEADER, &seg);
	n = tern_icmp_emit_error(icmp, sizeof(icmp), &p->peer.addr, &p->us.addr, type, code, rest,
				 quoted, n);
	say_packet(p, &p->peer.addr, &p->us.addr, v6 ? TERN_PROTO_ICMPV6 : TERN_PROTO_ICMP, icmp,
		   n);
}

/* ---- frames out ---- */

/* Takes what the stack has to send into the queue. */
static void drain(struct puppet *p)
{
	struct tern_out out;

	while (tern_stack_output(p->st, p->now, &out, 1) == 1) {
		if (p->count == CAUGHT_MAX)
			fail_msg("more than %d frames at once", CAUGHT_MAX);
		check_frame(p, &out, &p->caught[(p->first + p->count++) % CAUGHT_MAX]);
	}
}

static bool next_caught(struct puppet *p, struct caught *ret)
{
	drain(p);
	if (!p->count)
		return false;
	*ret = p->caught[p->first];
	p->first = (p->first + 1) % CAUGHT_MAX;
	p->count--;
	return true;
}

void ignore(struct puppet *p)
{
	drain(p);
	p->count = 0;
}

static void show(const struct puppet *p, const char *what, const struct caught *c)
{
	const struct tern_segment *s = &c->seg;

	print_error("%s: proto %u flags 0x%02x seq %+d (of ours), ack %+d (of the peer's), win %u, "
		    "len %u, options 0x%x mss %u wscale %u tsval %u tsecr %u\n",
		    what, c->proto, s->flags, (int)(s->seq - p->ack), (int)(s->ack - p->seq),
		    s->wnd, s->len, s->opt.present, s->opt.mss, s->opt.wscale, s->opt.tsval,
		    s->opt.tsecr);
}

static bool differs(struct is v, uint32_t got, const char *name)
{
	if (!v.set || v.value == got)
		return false;
	print_error("%s is %u (0x%x), not %u (0x%x)\n", name, got, got, v.value, v.value);
	return true;
}

static bool segment_differs(const struct shape *s, const struct tern_segment *seg)
{
	const struct tern_tcp_options *opt = &seg->opt;
	bool bad = false;

	bad |= differs(s->flags, seg->flags & ~(uint32_t)TERN_PSH, "flags");
	bad |= differs(s->seq, seg->seq, "seq");
	bad |= differs(s->ack, seg->ack, "ack");
	bad |= differs(s->wnd, seg->wnd, "wnd");
	bad |= differs(s->len, seg->len, "len");
	bad |= differs(s->mss, opt->present & TERN_OPT_MSS ? opt->mss : 0, "mss");
	bad |= differs(s->wscale, opt->present & TERN_OPT_WSCALE ? opt->wscale : 255, "wscale");
	bad |= differs(s->sackok, !!(opt->present & TERN_OPT_SACKOK), "sackok");
	bad |= differs(s->ts, !!(opt->present & TERN_OPT_TS), "ts");
	bad |= differs(s->tsval, opt->tsval, "tsval");
	bad |= differs(s->tsecr, opt->tsecr, "tsecr");
	bad |= differs(s->sack_left, opt->sack_count ? opt->sack[0].left : 0, "sack left");
	bad |= differs(s->urgent, seg->flags & TERN_URG ? seg->urgent : 0, "urgent");
	bad |= differs(s->sack_right, opt->sack_count ? opt->sack[0].right : 0, "sack right");
	return bad;
}

/* The puppet has seen it: what it acknowledges and echoes from now on. */
static void take_in(struct puppet *p, const struct caught *c)
{
	const struct tern_segment *seg = &c->seg;

	if (c->proto != TERN_PROTO_TCP || (seg->flags & TERN_RST) || seg->dport != p->peer.port ||
	    seg->sport != p->us.port)
		return;
	if (seg->opt.present & TERN_OPT_TS)
		p->tsecr = seg->opt.tsval;
	if (seg->flags & TERN_SYN) {
		p->irs = seg->seq;
		p->ack = tern_seq_max(p->ack ? p->ack : seg->seq, seg->seq + 1 + seg->len);
		p->room = p->room ? p->room : p->ack + TERN_MIN(p->window, 65535u);
		p->scaled = p->wscale >= 0 && (seg->opt.present & TERN_OPT_WSCALE);
		p->stamped = p->ts && (seg->opt.present & TERN_OPT_TS);
		p->stack_wscale = seg->opt.wscale;
	} else if (tern_segment_len(seg) && tern_seq_le(seg->seq, p->ack)) {
		p->ack = tern_seq_max(p->ack, seg->seq + tern_segment_len(seg));
	}
}

bool hear(struct puppet *p)
{
	if (!next_caught(p, &p->got))
		return false;
	take_in(p, &p->got);
	return true;
}

void puppet_expect(struct puppet *p, const struct shape *s, const char *file, int line)
{
	if (!next_caught(p, &p->got)) {
		print_error("nothing has left the stack (kind %d, %s)\n", (int)p->kind,
			    tern_state_name(state_of(p)));
		_fail(file, line);
	}
	if (p->got.proto != TERN_PROTO_TCP || segment_differs(s, &p->got.seg) ||
	    differs(s->tos, p->got.tos, "tos")) {
		show(p, "got", &p->got);
		print_error("kind %d, last segment in: %s\n", (int)p->kind,
			    tern_drop_name(p->reason));
		_fail(file, line);
	}
	take_in(p, &p->got);
}

void puppet_expect_silence(struct puppet *p, const char *file, int line)
{
	struct caught c;

	if (!next_caught(p, &c))
		return;
	show(p, "not silent", &c);
	print_error("kind %d\n", (int)p->kind);
	_fail(file, line);
}

/* ---- time ---- */

/* On to the next deadline at or before `end`; false when time stands at the end. */
static bool step(struct puppet *p, uint64_t end)
{
	uint64_t due = tern_stack_deadline(p->st);

	if (due > end) {
		p->now = end;
		return false;
	}
	p->now = TERN_MAX(p->now, due);
	tern_stack_tick(p->st, p->now);
	drain(p);
	return true;
}

void wait_ms(struct puppet *p, uint64_t ms)
{
	uint64_t end = p->now + ms * NS_PER_MS;

	drain(p);
	while (step(p, end))
		;
	tern_stack_tick(p->st, p->now);
	drain(p);
}

void puppet_expect_after(struct puppet *p, uint64_t ms, const struct shape *s, const char *file,
			 int line)
{
	uint64_t due = p->now + ms * NS_PER_MS, end = due + SLACK_MS * NS_PER_MS;

	drain(p);
	while (!p->count && step(p, end))
		;
	if (!p->count) {
		print_error("nothing has left the stack after %u ms\n", (unsigned int)ms);
		_fail(file, line);
	}
	if (p->caught[p->first].at + NS_PER_MS <= due) { /* some clocks count milliseconds */
		print_error("%d ms too soon\n", (int)((due - p->caught[p->first].at) / NS_PER_MS));
		show(p, "got", &p->caught[p->first]);
		_fail(file, line);
	}
	puppet_expect(p, s, file, line);
}

/* ---- the application ---- */

void app_writes(struct puppet *p, uint32_t n)
{
	static uint8_t data[1 << 20];

	assert_true(n <= sizeof(data));
	fill_pattern(data, p->written, n);
	assert_int_equal(tern_stack_send(p->st, p->now, p->id, data, n, 0), n);
	p->written += n;
}

void app_reads(struct puppet *p, uint32_t n)
{
	static uint8_t data[1 << 20];

	assert_true(n <= sizeof(data));
	assert_int_equal(tern_stack_recv(p->st, p->now, p->id, data, n, 0), n);
	for (uint32_t i = 0; i < n; i++)
		if (data[i] != stream_byte(p->read + i))
			fail_msg("byte %u is not what the peer sent", p->read + i);
	p->read += n;
}

int64_t app_recv(struct puppet *p)
{
	uint8_t byte;

	return tern_stack_recv(p->st, p->now, p->id, &byte, 1, 0);
}

void app_accepts(struct puppet *p)
{
	assert_int_equal(tern_stack_accept(p->st, p->now, p->listener, &p->id), 0);
}

void app_closes(struct puppet *p)
{
	assert_int_equal(tern_stack_close(p->st, p->now, p->id), 0);
	p->id = 0;
}

void app_shuts(struct puppet *p, enum tern_how how)
{
	assert_int_equal(tern_stack_shutdown(p->st, p->now, p->id, how), 0);
}

uint32_t events(struct puppet *p)
{
	struct tern_event ev;
	uint32_t bits = 0;

	while (tern_stack_event(p->st, &ev))
		if (ev.id == p->id)
			bits |= ev.bits;
	return bits;
}

int64_t option(struct puppet *p, tern_id id, enum tern_option opt)
{
	int64_t v = 0;

	assert_int_equal(tern_stack_get_option(p->st, p->now, id, opt, &v), 0);
	return v;
}

void set_option(struct puppet *p, tern_id id, enum tern_option opt, int64_t v)
{
	assert_int_equal(tern_stack_option(p->st, p->now, id, opt, v), 0);
}

uint64_t counter(const struct puppet *p, enum tern_counter c)
{
	return tern_stack_counter(p->st, c);
}
