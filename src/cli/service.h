/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/service.h: the four small services of the first days: echo (RFC 862), discard (RFC 863),
 * chargen (RFC 864) and daytime (RFC 867), on TCP and UDP.
 */
#ifndef TERN_CLI_SERVICE_H
#define TERN_CLI_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tern/socket.h"

/* One connection that is served. */
struct tern_cli_stream {
	int fd;
	short events;  /* what it waits for: POLLIN, POLLOUT */
	uint32_t at;   /* chargen: place in its pattern */
	bool finished; /* chargen: the client's half is closed */
};

enum {
	TERN_CLI_WORK = 262144, /* bytes that a turn moves at most, and a server needs to work */
};

struct tern_cli_service {
	const char *name;
	uint16_t port;
	/*
	 * A turn of a connection that is new or ready. 0: goes on when `events` hold; 1: done, to
	 * be closed; negative errno: the connection failed. work has TERN_CLI_WORK bytes.
	 */
	int (*stream)(struct tern_host *host, struct tern_cli_stream *s, uint8_t *work);
	/*
	 * Turns a datagram of len bytes in work into the answer there; returns its length, or
	 * negative for none. count is how many came before.
	 */
	int (*dgram)(uint8_t *work, size_t len, uint64_t count);
};

/* The services; a row without name ends them. */
extern const struct tern_cli_service tern_cli_services[];

/* The service of a name, or NULL. */
const struct tern_cli_service *tern_cli_service_find(const char *name);

/*
 * Is it the port of a service that answers whatever it gets? Answering one of those would start an
 * endless exchange (CERT CA-1996-01).
 */
bool tern_cli_service_would_loop(uint16_t port);

#endif
