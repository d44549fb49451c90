/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Scripts pass pointers that lead nowhere, to see EFAULT. A library in the same process would die
 * of them, so it asks the system first: process_vm_readv() on ourselves reads a byte of each page,
 * process_vm_writev() writes it back, and both say EFAULT instead of raising a signal. Where a
 * sandbox refuses them every pointer passes for good.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pdrill/pdrill.h"

enum { PAGE = 4096, BATCH = 32 };

/* A byte of each page between at and end, BATCH at most; returns how many. */
static unsigned int list_pages(uintptr_t at, uintptr_t end, struct iovec iov[BATCH])
{
	unsigned int n = 0;

	while (n < BATCH && at < end) {
		iov[n++] = (struct iovec){ .iov_base = (void *)at, .iov_len = 1 };
		at = (at | (PAGE - 1)) + 1;
		if (at == 0)
			break; /* the last page there is */
	}
	return n;
}

static bool is_bad(ssize_t done, unsigned int n)
{
	return (done < 0 && errno == EFAULT) || (done >= 0 && (size_t)done < n);
}

static bool probe(uintptr_t at, size_t len, bool write)
{
	uintptr_t end = at + len;
	struct iovec pages[BATCH];
	uint8_t bytes[BATCH];
	int saved = errno;
	bool good = end >= at;

	while (good && at < end) {
		unsigned int n = list_pages(at, end, pages);
		struct iovec here = { .iov_base = bytes, .iov_len = n };

		if (n == 0)
			break;
		good = !is_bad(process_vm_readv(getpid(), &here, 1, pages, n, 0), n);
		if (good && write)
			good = !is_bad(process_vm_writev(getpid(), &here, 1, pages, n, 0), n);
		at = ((uintptr_t)pages[n - 1].iov_base | (PAGE - 1)) + 1;
		if (at == 0)
			break;
	}
	errno = saved;
	return good;
}

bool tern_pdrill_readable(const void *ptr, size_t len)
{
	return probe((uintptr_t)ptr, len, false);
}

bool tern_pdrill_writable(void *ptr, size_t len)
{
	return probe((uintptr_t)ptr, len, true);
}
