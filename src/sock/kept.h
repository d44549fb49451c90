/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock/kept.h: options that change nothing in the stack: kept and shown, or refused.
 */
#ifndef TERN_SOCK_KEPT_H
#define TERN_SOCK_KEPT_H

#include "sock/record.h"

/*
 * Sets an option of this kind. -ENOPROTOOPT where it is none of them or may not be set, and what
 * Linux says of its value.
 */
int tern_kept_set(struct tern_sock *s, int level, int name, int value);

/* What it reads as. -ENOPROTOOPT where it is none of them or cannot be read; -EOPNOTSUPP, ... */
int tern_kept_get(const struct tern_sock *s, int level, int name, int *ret_value);

/* The values of a new socket. */
void tern_kept_init(struct tern_sock *s);

#endif
