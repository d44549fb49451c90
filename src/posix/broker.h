/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix/broker.h: the broker of unmodified programs, a service on the loop of a host.
 *
 *	tern_broker_new(host, &cfg, &broker, why);
 *	... start the program with tern_broker_env() in its environment: fork(),
 *	    tern_broker_child(), exec() ...
 *	while (...) {
 *		tern_host_turn(host, tern_broker_patience(broker, timeout));
 *		tern_broker_turn(broker);
 *	}
 *	tern_broker_free(broker);
 */
#ifndef TERN_POSIX_BROKER_H
#define TERN_POSIX_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "report/holder.h"
#include "tern/socket.h"

struct tern_broker;

struct tern_broker_config {
	/* One line about what a program asked for and tern cannot do; NULL: nobody is told. */
	void (*log)(void *user, const char *line);
	void *log_user;
};

/*
 * Makes a broker for the programs of a host, which stays the caller's and must outlive it. error
 * (TERN_ERROR_MAX bytes, may be NULL) gets one line. -ENOMEM, or what the system says.
 */
TERN_NODISCARD int tern_broker_new(struct tern_host *host, const struct tern_broker_config *cfg,
				   struct tern_broker **ret_broker, char *error);

/*
 * Frees the broker and all sockets of programs. What a program has closed and the stack has in full
 * goes on closing; a connection that programs hold, or whose bytes the stack has not taken yet, is
 * reset: its peer must not read a clean end. NULL is allowed.
 */
void tern_broker_free(struct tern_broker *broker);

/*
 * Adds to *left the connections whose bytes the stack has not taken yet, with those bytes and what
 * is not acknowledged of the ones before: what tern_broker_free() is going to lose.
 */
void tern_broker_owed(const struct tern_broker *broker, struct tern_host_left *left);

/* "TERN_BROKER=…" for the environment of programs. Valid as long as the broker. */
const char *tern_broker_env(const struct tern_broker *broker);

/*
 * In the child, between fork() and exec(): gives it the limit of descriptors back that
 * tern_broker_new() has raised. Async-signal-safe.
 */
void tern_broker_child(const struct tern_broker *broker);

/* After each turn of the host: what happened to the sockets goes to the programs. */
void tern_broker_turn(struct tern_broker *broker);

/*
 * How long the next turn of the host may wait, at most timeout_ns: 0 while work is left that was
 * cut short so that all sockets get their share.
 */
uint64_t tern_broker_patience(const struct tern_broker *broker, uint64_t timeout_ns);

/* Sockets that programs hold, and those of them that listen. */
uint32_t tern_broker_sockets(const struct tern_broker *broker);
uint32_t tern_broker_listeners(const struct tern_broker *broker);

/*
 * Who holds which socket now, found by inode in /proc; in order of id, pid, fd. *ret_holders is the
 * caller's to free(). -ENOMEM, or what /proc says.
 */
TERN_NODISCARD int tern_broker_holders(struct tern_broker *broker, struct tern_holder **ret_holders,
				       unsigned int *ret_count);

#endif
