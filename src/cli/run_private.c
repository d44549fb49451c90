/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/run_private.c: a network namespace of one's own, without root where the kernel allows.
 *
 * With CAP_SYS_ADMIN a network namespace is all it takes. Without, a user namespace comes with it:
 * its creator has every capability in it. The user's and the group's number are mapped to
 * themselves, so that files, whoami and the programs' idea of their user stay as they are. Such a
 * user's programs would have no capabilities: three are left to them as ambient ones, to take low
 * ports, to look at packets and to configure this network, which has no way out.
 *
 * A TUN device belongs to the namespace in which /dev/net/tun was opened: this comes first.
 */
#include "cli/run_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tern/socket.h"

static int fail(char *why, int err, const char *what, const char *reason)
{
	(void)snprintf(why, TERN_ERROR_MAX, "--private: %s: %s", what, reason);
	return err;
}

/* The number in a file of /proc/sys, or -1. */
static int knob(const char *path)
{
	FILE *f = fopen(path, "re");
	int value = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &value) != 1)
		value = -1;
	(void)fclose(f);
	return value;
}

/* Why the kernel made no user namespace, as precisely as it can be found out. */
static int forbidden(char *why, int err)
{
	static const char what[] = "no user namespace";

	if (err == EINVAL)
		return fail(why, -EPERM, what, "the kernel is built without them; run as root");
	if (err == ENOSPC || knob("/proc/sys/user/max_user_namespaces") == 0)
		return fail(why, -EPERM, what,
			    "the limit is reached (sysctl user.max_user_namespaces)");
	if (knob("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		return fail(why, -EPERM, what,
			    "sysctl kernel.unprivileged_userns_clone is 0: set it to 1, or run as "
			    "root");
	return fail(why, -EPERM, what,
		    "forbidden here, as in some containers and in a chroot; run as root");
}

/* Writes a file whole. 0 or -errno. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	(void)close(fd);
	return err;
}

/* A namespace was made, but this was refused in it. If by the rule of Ubuntu, that is named. */
static int refused(char *why, int err, const char *what)
{
	if ((err == -EPERM || err == -EACCES) &&
	    knob("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		return fail(why, -EPERM, "a user namespace without rights",
			    "sysctl kernel.apparmor_restrict_unprivileged_userns is 1: set it to "
			    "0, or run as root");
	return fail(why, err, what, strerror(-err));
}

static int map_ids(uid_t uid, gid_t gid, char *why)
{
	char line[64];
	int err;

	(void)put("/proc/self/setgroups", "deny");
	(void)snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	err = put("/proc/self/uid_map", line);
	if (!err) {
		(void)snprintf(line, sizeof(line), "%u %u 1", gid, gid);
		err = put("/proc/self/gid_map", line);
	}
	if (!err)
		return 0;
	return refused(why, err, "cannot map the user's number");
}

/* What this process may do here, programs started by it may as well. Best effort: ports >= 1024. */
static void leave_capabilities(void)
{
	static const unsigned int left[] = { CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW };
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(left); i++)
		data[0].inheritable |= data[0].permitted & (1u << left[i]);
	if (syscall(SYS_capset, &head, data) < 0)
		return;
	for (size_t i = 0; i < TERN_ARRAY_SIZE(left); i++)
		(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, left[i], 0, 0);
}

static int loopback_up(char *why)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return fail(why, -errno, "no socket", strerror(errno));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		err = errno;
	ifr.ifr_flags |= IFF_UP;
	if (!err && ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		err = errno;
	(void)close(fd);
	return err ? refused(why, -err, "cannot bring lo up") : 0;
}

/* A file with one name server is put over /etc/resolv.conf; the file itself goes at once. */
static int name_server(const char *dns, char *why)
{
	static const char what[] = "cannot put --dns into /etc/resolv.conf";
	char path[] = "/tmp/tern-resolv-XXXXXX", line[96];
	int fd, err = 0, len;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return refused(why, -errno, "cannot keep mounts to itself");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return fail(why, -errno, what, strerror(errno));
	len = snprintf(line, sizeof(line), "nameserver %s\n", dns);
	if (fchmod(fd, 0644) < 0 || write(fd, line, (size_t)len) != len ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		err = errno;
	(void)close(fd);
	(void)unlink(path);
	return err ? fail(why, -err, what, strerror(err)) : 0;
}

int tern_private_enter(const char *dns, char *why)
{
	int spaces = CLONE_NEWNET | (dns ? CLONE_NEWNS : 0), err;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(spaces) < 0) {
		if (errno != EPERM)
			return fail(why, -errno, "no network namespace", strerror(errno));
		if (unshare(spaces | CLONE_NEWUSER) < 0)
			return forbidden(why, errno);
		err = map_ids(uid, gid, why);
		if (err)
			return err;
		leave_capabilities();
	}
	err = loopback_up(why);
	return err || !dns ? err : name_server(dns, why);
}
