/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/shim_start.c: what happens before main().
 *
 * The environment is read once, here: a program may clear it later (and many daemons do). It says
 * which run this is and the token that opens the broker. Whether a socket of tern's was inherited
 * is looked up here too: if so the page with the broker's counts is needed at once, since read() of
 * a datagram socket has to know. Else a process that has nothing to do with the network never
 * talks to the broker.
 *
 * Other libraries' constructors may run before ours and call socket(): the first wrapper that is
 * called does the same. started: 0 not yet, 1 under way, 2 done. Whoever comes while it is under
 * way (dlsym() in the same thread; another thread) finds plain system calls, and no broker.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "posix/shim.h"

struct tern_shim tern_shim;

/* "RUN:TOKEN", 16 and 32 hexadecimal digits. */
static bool read_env(const char *text)
{
	size_t i;

	if (strlen(text) != TERN_POSIX_RUN_LEN + 1 + 2 * TERN_POSIX_TOKEN_LEN ||
	    text[TERN_POSIX_RUN_LEN] != ':')
		return false;
	memcpy(tern_shim.prefix, "\0" TERN_POSIX_PREFIX, 1 + TERN_POSIX_PREFIX_LEN);
	memcpy(tern_shim.prefix + 1 + TERN_POSIX_PREFIX_LEN, text, TERN_POSIX_RUN_LEN);
	tern_shim.prefix[sizeof(tern_shim.prefix) - 1] = '/';
	text += TERN_POSIX_RUN_LEN + 1;
	for (i = 0; i < TERN_POSIX_TOKEN_LEN; i++) {
		int high = tern_hex_digit(text[2 * i]), low = tern_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		tern_shim.token[i] = (uint8_t)(high * 16 + low);
	}
	return true;
}

__attribute__((constructor)) void tern_shim_start(void)
{
	int none = 0, saved = errno;
	const char *env;

	if (!__atomic_compare_exchange_n(&tern_shim.started, &none, 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return;
	tern_shim_next_find();
	env = getenv(TERN_POSIX_ENV);
	tern_shim.on = env && read_env(env);
	if (tern_shim.on)
		tern_shim_control_start();
	__atomic_store_n(&tern_shim.started, 2, __ATOMIC_RELEASE);
	if (tern_shim.on)
		tern_shim_inherit();
	errno = saved;
}
