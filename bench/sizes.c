/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sizes: bytes of the records, IPv4: open, half-open, TIME-WAIT.
 */
#include <stdio.h>

#include "stack/internal.h"

enum { ADDRS = 8 }; /* the packed flow of an IPv4 connection, behind each record */

int main(void)
{
	printf("sizeof_conn %zu bytes\n", sizeof(struct tern_conn) + ADDRS);
	printf("sizeof_halfopen %zu bytes\n", sizeof(struct tern_half) + ADDRS);
	printf("sizeof_timewait %zu bytes\n", sizeof(struct tern_tw) + ADDRS);
	return 0;
}
