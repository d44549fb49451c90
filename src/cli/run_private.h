/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_private.h: a network of one's own.
 */
#ifndef TERN_CLI_RUN_PRIVATE_H
#define TERN_CLI_RUN_PRIVATE_H

#include "base/compiler.h"

/*
 * Goes on in a network namespace of its own with a loopback device: with privilege in that alone,
 * without in a user namespace as well, in which the user stays who he is and may set up devices
 * and take low ports. dns (NULL: left as it is) becomes the one name server of /etc/resolv.conf,
 * in a mount namespace. To be called before anything that belongs to a network is opened. On error
 * why (TERN_ERROR_MAX bytes) gets one line; -EPERM where this user may not.
 */
TERN_NODISCARD int tern_private_enter(const char *dns, char *why);

#endif
