/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/service.h: service names, as the caller read them from /etc/services.
 */
#ifndef TERN_REPORT_SERVICE_H
#define TERN_REPORT_SERVICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tern_service {
	const char *name;
	uint16_t port;
	uint8_t proto; /* enum tern_proto */
};

/* A table of them in any order; a zeroed one knows no names. The first match wins. */
struct tern_services {
	const struct tern_service *rows;
	size_t count;
};

/* The name of a port, or NULL. */
static inline const char *tern_service_name(const struct tern_services *services, uint8_t proto,
					    uint16_t port)
{
	for (size_t i = 0; i < services->count; i++) {
		if (services->rows[i].port == port && services->rows[i].proto == proto)
			return services->rows[i].name;
	}
	return NULL;
}

/* The port of a service of any protocol, or 0. */
static inline uint16_t tern_service_port(const struct tern_services *services, const char *name)
{
	for (size_t i = 0; i < services->count; i++) {
		if (strcmp(services->rows[i].name, name) == 0)
			return services->rows[i].port;
	}
	return 0;
}

#endif
