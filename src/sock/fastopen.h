/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/fastopen.h: Fast Open and TCP_DEFER_ACCEPT as programs see them.
 */
#ifndef TERN_SOCK_FASTOPEN_H
#define TERN_SOCK_FASTOPEN_H

#include "sock/record.h"

/* Is it an option of this kind? All are at TERN_ABI_SOL_TCP. */
bool tern_fastopen_has_option(int name);

/* setsockopt and getsockopt of those. */
int tern_fastopen_setsockopt(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			     const void *value, uint32_t len);
int tern_fastopen_getsockopt(struct tern_socks *ss, uint64_t now, struct tern_sock *s, int name,
			     void *value, uint32_t *len);

/*
 * The first send of a stream with TERN_SOCK_FASTOPEN, or of one whose connect() left the SYN to it.
 * *ret_done is false where the connection stands already: then it is a send like any other.
 */
int64_t tern_fastopen_sendto(struct tern_socks *ss, uint64_t now, int fd, const void *data,
			     size_t len, int flags, const void *addr, uint32_t addr_len,
			     bool *ret_done);

#endif
