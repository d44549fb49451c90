/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/service.c: what the services do with their bytes.
 *
 * A turn moves a bounded amount and never waits: it runs until the socket has nothing more to
 * give or to take, and says what it waits for. Echo keeps no buffer of its own: what it reads by
 * MSG_PEEK it takes from the socket only as far as it could be sent, so a client that does not
 * read is held back by its own receive window.
 *
 * Chargen's pattern are the 95 printing characters, shifted by one each line, 72 to a line; it
 * repeats after 95 lines. A client that closes its half is still sent to: the service ends when
 * the connection does, as RFC 864 has it.
 */
#include "cli/service.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loop/loop.h"

enum {
	CHARS = 95, /* printing characters of ASCII */
	LINE = 74,  /* 72 of them, CR and LF */
	PATTERN = CHARS * LINE,
	DATAGRAM_CHARS = 512, /* RFC 864: a datagram of 0 to 512 characters */
	REPEATS = 38,         /* of the pattern in memory: that is what a turn sends at most */
};

/* Waits for events; 0 or the error. */
static int later(struct tern_cli_stream *s, ssize_t n, short events)
{
	s->events = events;
	return n < 0 && n != -EAGAIN ? (int)n : 0;
}

static int echo_stream(struct tern_host *host, struct tern_cli_stream *s, uint8_t *work)
{
	ssize_t n = tern_recv(host, s->fd, work, TERN_CLI_WORK, MSG_PEEK | MSG_DONTWAIT);
	ssize_t sent;

	if (n == 0)
		return 1;
	if (n < 0)
		return later(s, n, POLLIN);
	sent = tern_send(host, s->fd, work, (size_t)n, MSG_DONTWAIT);
	if (sent < 0)
		return later(s, sent, POLLOUT);
	(void)tern_recv(host, s->fd, work, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT);
	return later(s, 0, sent < n ? POLLOUT : POLLIN);
}

static int discard_stream(struct tern_host *host, struct tern_cli_stream *s, uint8_t *work)
{
	ssize_t n =
		tern_recv(host, s->fd, work, 4 * (size_t)TERN_CLI_WORK, MSG_TRUNC | MSG_DONTWAIT);

	return n == 0 ? 1 : later(s, n, POLLIN);
}

/* The pattern, often enough for large sends from each place of its first copy. */
static const uint8_t *pattern(void)
{
	static uint8_t bytes[REPEATS * PATTERN];

	for (uint32_t i = 0; i < PATTERN && !bytes[sizeof(bytes) - 1]; i++) {
		uint32_t line = i / LINE, column = i % LINE;

		if (column < LINE - 2)
			bytes[i] = (uint8_t)(' ' + (line + column) % CHARS);
		else
			bytes[i] = column == LINE - 2 ? '\r' : '\n';
	}
	for (size_t i = 1; i < REPEATS && !bytes[sizeof(bytes) - 1]; i++)
		memcpy(bytes + i * PATTERN, bytes, PATTERN);
	return bytes;
}

static int chargen_stream(struct tern_host *host, struct tern_cli_stream *s, uint8_t *work)
{
	ssize_t n = -EAGAIN;

	if (!s->finished)
		n = tern_recv(host, s->fd, work, TERN_CLI_WORK, MSG_TRUNC | MSG_DONTWAIT);
	if (n < 0 && n != -EAGAIN)
		return (int)n;
	s->finished = s->finished || n == 0;
	n = tern_send(host, s->fd, pattern() + s->at, REPEATS * PATTERN - s->at, MSG_DONTWAIT);
	if (n > 0)
		s->at = (uint32_t)(s->at + n) % PATTERN;
	return later(s, n, s->finished ? POLLOUT : POLLIN | POLLOUT);
}

/* "Friday, November 20, 2026 07:50:23-UTC", the first of RFC 867's forms. */
static int daytime_text(uint8_t *to)
{
	time_t now = (time_t)(tern_loop_realtime() / 1000000000);
	struct tm tm;

	return (int)strftime((char *)to, 128, "%A, %B %d, %Y %H:%M:%S-%Z\r\n",
			     localtime_r(&now, &tm));
}

static int daytime_stream(struct tern_host *host, struct tern_cli_stream *s, uint8_t *work)
{
	ssize_t n = tern_send(host, s->fd, work, (size_t)daytime_text(work), MSG_DONTWAIT);

	if (n < 0)
		return (int)n;
	/* What the client said is thrown away: left unread it would make the end a reset. */
	while (tern_recv(host, s->fd, work, TERN_CLI_WORK, MSG_TRUNC | MSG_DONTWAIT) > 0)
		continue;
	return 1;
}

static int echo_dgram(uint8_t *work, size_t len, uint64_t count)
{
	(void)work;
	(void)count;
	return (int)len;
}

static int discard_dgram(uint8_t *work, size_t len, uint64_t count)
{
	(void)work;
	(void)len;
	(void)count;
	return -1;
}

/* RFC 864 wants a random length; one that differs each time serves as well. */
static int chargen_dgram(uint8_t *work, size_t len, uint64_t count)
{
	size_t chars = (size_t)(count * 211 % (DATAGRAM_CHARS + 1));

	(void)len;
	memcpy(work, pattern() + count % CHARS * LINE, chars);
	return (int)chars;
}

static int daytime_dgram(uint8_t *work, size_t len, uint64_t count)
{
	(void)len;
	(void)count;
	return daytime_text(work);
}

const struct tern_cli_service tern_cli_services[] = {
	{ "echo", 7, echo_stream, echo_dgram },
	{ "discard", 9, discard_stream, discard_dgram },
	{ "chargen", 19, chargen_stream, chargen_dgram },
	{ "daytime", 13, daytime_stream, daytime_dgram },
	{ 0 },
};

const struct tern_cli_service *tern_cli_service_find(const char *name)
{
	for (const struct tern_cli_service *s = tern_cli_services; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

bool tern_cli_service_would_loop(uint16_t port)
{
	return port == 7 || port == 13 || port == 17 || port == 19;
}
