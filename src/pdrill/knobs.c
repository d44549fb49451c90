/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * Settings. Scripts set knobs where the kernel has them, in /proc/sys of a namespace of their own;
 * for us that is only a store. Each of our knobs that the kernel has too is opened once, and its
 * text is read before every socket, listen and connect, and before every other call and packet
 * unless that was a moment ago: a shell line may have stood before it. What differs from the text
 * before is handed to the stack, which knows how to read it. So a value that came by a flag or
 * through the control socket stays until the script writes the same setting. A number beyond our
 * range becomes the nearest that we take; a name that we do not know (a congestion control, say) is
 * passed over. The key of zeros that stands where the kernel has none yet is a key: a script may
 * have written just that.
 *
 * tun0 is asked whether it takes more than one segment at a time (see burst.c), before every
 * socket() only: that may wait long for a lock which all namespaces share.
 *
 * Reading costs a system call for each knob, some tens of them: about 0.1 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>

#include "base/text.h"
#include "pdrill/pdrill.h"
#include "trace/sysctl.h"

#define FRESH_NS UINT64_C(300000) /* no process is begun and over in that time */

enum { PATH_MAX_LEN = 128, VALUES = 3 };

struct tern_pdrill_knob {
	const struct tern_knob_row *row;
	int fd;
	char last[TERN_KNOB_VALUE_MAX];
};

/* net.ipv4.tcp_sack stands at /proc/sys/net/ipv4/tcp_sack. */
static int open_knob(const char *name)
{
	char path[PATH_MAX_LEN];
	int n = snprintf(path, sizeof(path), "/proc/sys/%s", name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	for (char *p = path + sizeof("/proc/sys/") - 1; *p; p++)
		if (*p == '.')
			*p = '/';
	return open(path, O_RDONLY | O_CLOEXEC);
}

int tern_pdrill_knobs_open(struct tern_pdrill *d)
{
	const struct tern_knob_row *row;
	unsigned int n = 0;

	while (tern_knob_row(n))
		n++;
	d->knobs = calloc(n, sizeof(*d->knobs));
	if (!d->knobs)
		return -ENOMEM;
	for (unsigned int i = 0; (row = tern_knob_row(i)); i++) {
		struct tern_pdrill_knob *knob = &d->knobs[d->knob_count];

		if (row->kind == TERN_KNOB_FIXED ||
		    (i && strcmp(tern_knob_row(i - 1)->name, row->name) == 0))
			continue;
		knob->fd = open_knob(row->name);
		knob->row = row;
		d->knob_count += knob->fd >= 0;
	}
	return 0;
}

void tern_pdrill_knobs_close(struct tern_pdrill *d)
{
	for (unsigned int i = 0; i < d->knob_count; i++)
		(void)close(d->knobs[i].fd);
	free(d->knobs);
	d->knobs = NULL;
	d->knob_count = 0;
}

/* The numbers of a text, each moved into its row's range, as a text. */
static void clamp(const struct tern_knob_row *row, const char *text, char *ret, size_t cap)
{
	struct tern_text out;

	tern_text_init(&out, ret, cap);
	for (unsigned int i = 0; i < VALUES && *text; i++) {
		char *end;
		unsigned long long n = strtoull(text, &end, 10);

		if (end == text || (i && strcmp(row[i].name, row->name)))
			return;
		if (i)
			tern_text_char(&out, '\t');
		n = TERN_MAX(n, (unsigned long long)row[i].min);
		n = TERN_MIN(n, (unsigned long long)row[i].max);
		tern_text_u64(&out, n);
		text = end + strspn(end, " \t");
	}
}

static void take_over(struct tern_pdrill *d, const struct tern_pdrill_knob *knob)
{
	const struct tern_knob_row *row = knob->row;
	char nearest[TERN_KNOB_VALUE_MAX];

	if (tern_stack_knob(d->st, d->now, row->name, knob->last) != -ERANGE ||
	    row->kind != TERN_KNOB_NUMBER)
		return;
	clamp(row, knob->last, nearest, sizeof(nearest));
	(void)tern_stack_knob(d->st, d->now, row->name, nearest);
}

void tern_pdrill_device_read(struct tern_pdrill *d)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GGSO, .data = 1 };
	struct ifreq request = { .ifr_name = "tun0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFINDEX, &request) == 0) {
		request.ifr_data = (char *)&value;
		if (ioctl(fd, SIOCETHTOOL, &request) < 0)
			value.data = 1;
	}
	(void)close(fd);
	d->cut = d->no_tso || !value.data;
}

void tern_pdrill_knobs_read(struct tern_pdrill *d)
{
	d->knobs_read_ns = d->now;
	for (unsigned int i = 0; i < d->knob_count; i++) {
		struct tern_pdrill_knob *knob = &d->knobs[i];
		char text[TERN_KNOB_VALUE_MAX];
		ssize_t n = pread(knob->fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			continue;
		while (n > 0 && text[n - 1] == '\n')
			n--;
		text[n] = '\0';
		if (strcmp(text, knob->last) == 0)
			continue;
		memcpy(knob->last, text, (size_t)n + 1);
		take_over(d, knob);
	}
}

void tern_pdrill_knobs_look(struct tern_pdrill *d)
{
	if (d->now - d->knobs_read_ns >= FRESH_NS)
		tern_pdrill_knobs_read(d);
}
