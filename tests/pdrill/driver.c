/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other side of libtern-packetdrill.so: see driver.h. The library is found in $TERN_BUILD.
 */
#include "pdrill/driver.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IP4 = 20, IP6 = 40, TCP = 20, FRAME_MAX = 65536 };

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(uint32_t start, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		start += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return start;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* The sum over a TCP segment and its pseudo header; both addresses stand behind each other. */
static uint16_t tcp_sum(const uint8_t *addrs, size_t addrs_len, const uint8_t *tcp, size_t len)
{
	return fold(sum(sum(6 + (uint32_t)len, addrs, addrs_len), tcp, len));
}

void load(struct driver *d, const char *flags)
{
	const char *build = getenv("TERN_BUILD");
	void (*init)(const char *, struct table *);
	char path[4096];
	void *library;

	assert_non_null(build);
	(void)snprintf(path, sizeof(path), "%s/libtern-packetdrill.so", build);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail_msg("%s", dlerror());
	*(void **)&init = dlsym(library, "packetdrill_interface_init");
	assert_non_null(init);
	memset(d, 0, sizeof(*d));
	init(flags, &d->t);
	for (size_t i = 0; i < sizeof(d->t) / sizeof(void *); i++)
		assert_non_null(((void *const *)&d->t)[i]);
	d->family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, "192.168.0.1", d->local), 1);
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", d->peer), 1);
	d->local_port = OUR_PORT;
	d->peer_port = PEER_PORT;
	d->seq = 1000;
	d->window = 65535;
}

void unload(struct driver *d)
{
	d->t.free(d->t.ud);
}

void say(struct driver *d, unsigned int flags, const void *data, size_t len)
{
	static const uint8_t mss[] = { 2, 4, 1000 >> 8, 1000 & 0xff };
	size_t options = flags & SYN ? sizeof(mss) : 0;
	size_t ip = d->family == AF_INET ? IP4 : IP6, addr = d->family == AF_INET ? 4 : 16;
	size_t total = ip + TCP + options + len;
	uint8_t *frame = calloc(1, total), *tcp = frame + ip, *addrs = tcp - 2 * addr;

	assert_non_null(frame);
	memcpy(addrs, d->peer, addr);
	memcpy(addrs + addr, d->local, addr);
	if (d->family == AF_INET) {
		frame[0] = 0x45;
		put16(frame + 2, (unsigned int)total);
		frame[8] = 64;
		frame[9] = 6;
		put16(frame + 10, fold(sum(0, frame, IP4)));
	} else {
		frame[0] = 0x60;
		put16(frame + 4, (unsigned int)(total - ip));
		frame[6] = 6;
		frame[7] = 64;
	}
	put16(tcp, d->peer_port);
	put16(tcp + 2, d->local_port);
	put32(tcp + 4, d->seq);
	put32(tcp + 8, flags & ACK ? d->ack : 0);
	tcp[12] = (uint8_t)((TCP + options) / 4 << 4);
	tcp[13] = (uint8_t)flags;
	put16(tcp + 14, d->window);
	memcpy(tcp + TCP, mss, options);
	if (len)
		memcpy(tcp + TCP + options, data, len);
	put16(tcp + 16, tcp_sum(addrs, 2 * addr, tcp, total - ip));
	assert_int_equal(d->t.netdev_send(d->t.ud, frame, total), 0);
	free(frame);
	d->seq += (uint32_t)len + ((flags & SYN) != 0) + ((flags & FIN) != 0);
}

bool hear(struct driver *d, struct segment *ret)
{
	static uint8_t frame[FRAME_MAX];
	size_t n = sizeof(frame), ip = d->family == AF_INET ? IP4 : IP6;
	size_t addr = d->family == AF_INET ? 4 : 16, header;
	const uint8_t *tcp = frame + ip;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(d->t.netdev_receive(d->t.ud, frame, &n, &ret->usecs), 0);
	if (n == 0)
		return false;
	assert_true(n >= ip + TCP);
	assert_int_equal(frame[0] >> 4, d->family == AF_INET ? 4 : 6);
	assert_int_equal(frame[d->family == AF_INET ? 9 : 6], 6);
	assert_memory_equal(tcp - 2 * addr, d->local, addr);
	assert_memory_equal(tcp - addr, d->peer, addr);
	assert_int_equal(tcp_sum(tcp - 2 * addr, 2 * addr, tcp, n - ip), 0);
	header = (size_t)(tcp[12] >> 4) * 4;
	ret->source = get16(tcp);
	ret->dest = get16(tcp + 2);
	ret->seq = get32(tcp + 4);
	ret->ack = get32(tcp + 8);
	ret->flags = tcp[13];
	ret->window = get16(tcp + 14);
	ret->options_len = header - TCP;
	memcpy(ret->options, tcp + TCP, ret->options_len);
	ret->len = n - ip - header;
	assert_true(ret->len <= sizeof(ret->data));
	memcpy(ret->data, tcp + header, ret->len);
	d->ack = ret->seq + (uint32_t)ret->len + ((ret->flags & SYN) != 0) +
		 ((ret->flags & FIN) != 0);
	return true;
}

struct segment expect(struct driver *d, unsigned int flags)
{
	struct segment seg;

	assert_true(hear(d, &seg));
	assert_int_equal(seg.flags, flags);
	return seg;
}

struct segment expect_data(struct driver *d, const void *data, size_t len)
{
	struct segment seg;

	do
		assert_true(hear(d, &seg));
	while (!seg.len && seg.flags == ACK);
	assert_int_equal(seg.flags, ACK | PSH);
	assert_int_equal(seg.len, len);
	assert_memory_equal(seg.data, data, len);
	return seg;
}

socklen_t address(const struct driver *d, bool local, struct sockaddr_storage *ret)
{
	const uint8_t *addr = local ? d->local : d->peer;
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memset(ret, 0, sizeof(*ret));
	in.sin_port = in6.sin6_port = htons(local ? d->local_port : d->peer_port);
	memcpy(&in.sin_addr, addr, 4);
	memcpy(&in6.sin6_addr, addr, 16);
	if (d->family == AF_INET) {
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}

int listen_at(struct driver *d)
{
	struct sockaddr_storage addr;
	socklen_t len = address(d, true, &addr);
	int fd = d->t.socket(d->t.ud, d->family, SOCK_STREAM, IPPROTO_TCP);

	assert_true(fd >= 10000);
	assert_int_equal(d->t.bind(d->t.ud, fd, (const struct sockaddr *)&addr, len), 0);
	assert_int_equal(d->t.listen(d->t.ud, fd, 5), 0);
	return fd;
}

void shake(struct driver *d)
{
	struct segment seg;

	say(d, SYN, NULL, 0);
	seg = expect(d, SYN | ACK);
	assert_int_equal(seg.ack, d->seq);
	assert_int_equal(seg.source, OUR_PORT);
	say(d, ACK, NULL, 0);
}

int accepted(struct driver *d, int *ret_listener)
{
	int fd;

	*ret_listener = listen_at(d);
	shake(d);
	fd = d->t.accept(d->t.ud, *ret_listener, NULL, NULL);
	assert_true(fd > *ret_listener);
	return fd;
}

long long now_usecs(struct driver *d)
{
	struct timeval tv;

	assert_int_equal(d->t.gettimeofday(d->t.ud, &tv, NULL), 0);
	return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}
