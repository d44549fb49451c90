/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation
 *
 * What a stack is made with. --so_flags is a list with commas between:
 *
 *	name=x		the control socket: `tern ss -N x`
 *	addr=10.0.0.1	an own address, with or without /prefix; as often as wanted
 *	mtu=1300	of the link
 *	seed=7		keys and initial numbers that repeat
 *	trace=4096	records of the event ring; with a name there is a ring in any case
 *	tso=0		single segments out, none joined (burst.c)
 *	persona=freebsd	a row of knobs
 *	any knob=value	net.ipv4.tern_timewait_len=1; the prefix may be left out
 *
 * The stack must have packetdrill's local address as its own, and nobody tells us which that is.
 * So, for each family: the flags; else packetdrill's own options (--local_ip, --netmask_ip, --mtu),
 * on its command line, which is that of our process, or in the head of a script; else the addresses
 * of tun0 in this namespace; else packetdrill's defaults. Whatever packets are sent to becomes ours
 * when they come (wire.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/text.h"
#include "pdrill/pdrill.h"

enum {
	COMMAND_MAX = 65536, /* of a command line that is looked at */
	HEAD_MAX = 8192,     /* of a script */
	MTU_MIN = 576,
	MTU_MAX = 65535,
	TRACE_DEFAULT = 4096,
	TRACE_MAX = 1 << 24,
	PREFIX4 = 16, /* packetdrill's 255.255.0.0 */
	PREFIX6 = 64,
};

static int wrong(struct tern_pdrill_setup *setup, const char *what, const char *word)
{
	return tern_host_fail(setup->error, -EINVAL, "%s: '%.100s'", what, word);
}

static bool has_family(const struct tern_pdrill_setup *setup, uint8_t family)
{
	for (unsigned int i = 0; i < setup->addr_count; i++)
		if (setup->addrs[i].addr.family == family)
			return true;
	return false;
}

static bool has_addr(const struct tern_pdrill_setup *setup, const struct tern_addr *addr)
{
	for (unsigned int i = 0; i < setup->addr_count; i++)
		if (tern_addr_eq(&setup->addrs[i].addr, addr))
			return true;
	return false;
}

/* Adds an address of this prefix length (0: packetdrill's); -EINVAL where a host has none such. */
static int add_addr(struct tern_pdrill_setup *setup, const struct tern_addr *addr,
		    unsigned int length)
{
	if (has_addr(setup, addr))
		return 0;
	if (setup->addr_count == TERN_ADDRS_MAX || tern_addr_is_any(addr) ||
	    tern_addr_is_multicast(addr) || tern_addr_is_loopback(addr))
		return -EINVAL;
	if (length == 0)
		length = addr->family == TERN_INET ? PREFIX4 : PREFIX6;
	setup->addrs[setup->addr_count].addr = *addr;
	setup->addrs[setup->addr_count++].length = (uint8_t)length;
	return 0;
}

/* Text to an address: IPv4, IPv6, or IPv4 in its mapped form. */
static int read_addr(const char *text, struct tern_addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret = tern_addr_from_bytes(TERN_INET, bytes);
		return 0;
	}
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return -EINVAL;
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		*ret = tern_addr_from_bytes(TERN_INET, bytes + 12);
	else
		*ret = tern_addr_from_bytes(TERN_INET6, bytes);
	return 0;
}

/* "10.0.0.1" or "10.0.0.1/8". */
static int add_addr_text(struct tern_pdrill_setup *setup, const char *text)
{
	const char *slash = strchr(text, '/');
	char word[TERN_PDRILL_WORD_MAX];
	struct tern_addr addr;
	uint64_t length = 0;

	(void)snprintf(word, sizeof(word), "%.*s", slash ? (int)(slash - text) : 100, text);
	if (read_addr(word, &addr) < 0)
		return -EINVAL;
	if (slash && (tern_text_parse_u64(slash + 1, &length) < 0 || length == 0 ||
		      length > 8 * tern_addr_len(addr.family)))
		return -EINVAL;
	return add_addr(setup, &addr, (unsigned int)length);
}

/* ---- flags ---- */

static int read_number(struct tern_pdrill_setup *setup, const char *key, const char *value,
		       uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n;

	if (tern_text_parse_u64(value, &n) < 0 || n < min || n > max)
		return tern_host_fail(setup->error, -EINVAL,
				      "flag %s takes %llu to %llu, not '%.100s'", key,
				      (unsigned long long)min, (unsigned long long)max, value);
	*ret = n;
	return 0;
}

static int set_name(struct tern_pdrill_setup *setup, const char *value)
{
	if (!tern_ctl_name_ok(value))
		return wrong(setup,
			     "flag name: no name for a stack (letters, digits, '-', '_', '.')",
			     value);
	(void)snprintf(setup->name, sizeof(setup->name), "%s", value);
	return 0;
}

/* A flag that is no knob. 0, -EINVAL, or 1: it is a knob, or nothing. */
static int take_flag(struct tern_pdrill_setup *setup, const char *key, const char *value)
{
	uint64_t n = 0;
	int err;

	if (strcmp(key, "name") == 0)
		return set_name(setup, value);
	if (strcmp(key, "addr") == 0)
		return add_addr_text(setup, value) < 0
			       ? wrong(setup, "flag addr: no address of a host", value)
			       : 0;
	if (strcmp(key, "seed") == 0) {
		setup->seeded = true;
		return read_number(setup, key, value, 0, UINT64_MAX, &setup->seed);
	}
	if (strcmp(key, "mtu") == 0) {
		err = read_number(setup, key, value, MTU_MIN, MTU_MAX, &n);
		setup->mtu = (uint32_t)n;
		return err;
	}
	if (strcmp(key, "tso") == 0) {
		err = read_number(setup, key, value, 0, 1, &n);
		setup->no_tso = !n;
		return err;
	}
	if (strcmp(key, "trace") == 0) {
		err = read_number(setup, key, value, 0, TRACE_MAX, &n);
		setup->trace_max = (uint32_t)n;
		return err;
	}
	return 1;
}

/*
 * Takes the next flag off a text: "key=value" up to a comma. False at the end; *ret_key is "" where
 * it is no such thing.
 */
static bool next_flag(const char **text, char key[TERN_PDRILL_WORD_MAX],
		      char value[TERN_PDRILL_WORD_MAX])
{
	const char *at = *text + strspn(*text, ", \t\n");
	size_t len = strcspn(at, ",\n"), name = strcspn(at, "=,\n");

	*text = at + len;
	if (!*at)
		return false;
	key[0] = value[0] = '\0';
	if (name == len) {
		(void)snprintf(value, TERN_PDRILL_WORD_MAX, "%.*s", (int)TERN_MIN(len, 100ul), at);
		return true;
	}
	if (len < TERN_PDRILL_WORD_MAX) {
		(void)snprintf(key, TERN_PDRILL_WORD_MAX, "%.*s", (int)name, at);
		(void)snprintf(value, TERN_PDRILL_WORD_MAX, "%.*s", (int)(len - name - 1),
			       at + name + 1);
	}
	return true;
}

static int read_flags(struct tern_pdrill_setup *setup, const char *flags)
{
	char key[TERN_PDRILL_WORD_MAX], value[TERN_PDRILL_WORD_MAX];

	while (next_flag(&flags, key, value)) {
		if (!key[0])
			return wrong(setup, "a flag is written key=value, with commas between",
				     value);
		if (take_flag(setup, key, value) < 0)
			return -EINVAL;
	}
	return 0;
}

int tern_pdrill_flag_knobs(struct tern_pdrill_setup *setup, struct tern_stack *st, uint64_t now)
{
	char key[TERN_PDRILL_WORD_MAX], value[TERN_PDRILL_WORD_MAX];
	struct tern_pdrill_setup ignored = { 0 };
	const char *flags = setup->flags;

	while (next_flag(&flags, key, value)) {
		int err;

		if (take_flag(&ignored, key, value) <= 0)
			continue;
		err = tern_stack_knob(st, now, strcmp(key, "persona") ? key : "tern_persona",
				      value);
		if (err == -ENOENT)
			return wrong(setup,
				     "there is no such flag and no such knob (flags: name addr mtu "
				     "seed tso trace persona)",
				     key);
		if (err)
			return tern_host_fail(setup->error, -EINVAL, "%s does not take '%.100s'",
					      key, value);
	}
	return 0;
}

/* ---- packetdrill's options ---- */

/* The value of an option of this name: behind '=' in the word, or the next word; NULL: another. */
static const char *option_value(const char *word, const char *next, const char *name)
{
	size_t len = strlen(name);

	word += word[0] == '-' && word[1] == '-' ? 2 : 0;
	if (strncmp(word, name, len))
		return NULL;
	if (word[len] == '=')
		return word + len + 1;
	return word[len] ? NULL : next;
}

/* Bits of a netmask; 0: it is none. */
static unsigned int mask_length(const char *text)
{
	uint8_t bytes[4];
	uint32_t mask;

	if (inet_pton(AF_INET, text, bytes) != 1)
		return 0;
	mask = tern_get_u32(bytes);
	return mask && !(~mask & (~mask + 1)) ? (unsigned int)__builtin_popcount(mask) : 0;
}

/* One word that begins with "--", and the one behind it (or NULL). */
static void take_option(struct tern_pdrill_setup *setup, const char *word, const char *next)
{
	const char *value = option_value(word, next, "local_ip");
	struct tern_addr addr;
	uint64_t n;

	if (value && read_addr(value, &addr) == 0)
		(void)add_addr(setup, &addr, 0);
	value = option_value(word, next, "netmask_ip");
	for (unsigned int i = 0; value && mask_length(value) && i < setup->addr_count; i++)
		if (setup->addrs[i].addr.family == TERN_INET)
			setup->addrs[i].length = (uint8_t)mask_length(value);
	value = option_value(word, next, "mtu");
	if (value && !setup->mtu && tern_text_parse_u64(value, &n) == 0 && n >= MTU_MIN &&
	    n <= MTU_MAX)
		setup->mtu = (uint32_t)n;
}

/* The first lines of a script may be options; comments and blank lines stand between them. */
static void read_head(struct tern_pdrill_setup *setup, char *text)
{
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *inner, *word;

		line += strspn(line, " \t\r");
		if (!*line || strncmp(line, "//", 2) == 0 || *line == '#')
			continue;
		if (strncmp(line, "--", 2))
			return;
		for (word = strtok_r(line, " \t\r", &inner); word;
		     word = strtok_r(NULL, " \t\r", &inner))
			take_option(setup, word, NULL);
	}
}

/* A word of the command line that is no option may be a script. */
static void read_script(struct tern_pdrill_setup *setup, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[HEAD_MAX];
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, head, sizeof(head) - 1);
	(void)close(fd);
	if (n <= 0)
		return;
	head[n] = '\0';
	read_head(setup, head);
}

void tern_pdrill_read_command(struct tern_pdrill_setup *setup, const char *words, size_t len)
{
	const char *end = words + len;

	/* What stands in the command itself comes before what scripts say. */
	for (const char *word = words; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;

		if (strncmp(word, "--", 2) == 0)
			take_option(setup, word, next < end ? next : NULL);
	}
	words += len ? strlen(words) + 1 : 0; /* the program */
	for (const char *word = words; word < end; word += strlen(word) + 1)
		if (word[0] && word[0] != '-')
			read_script(setup, word);
}

static void read_own_command(struct tern_pdrill_setup *setup)
{
	char *words = malloc(COMMAND_MAX);
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	while (words && fd >= 0 && n > 0 && len < COMMAND_MAX - 1) {
		n = read(fd, words + len, COMMAND_MAX - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (words) {
		words[len] = '\0';
		tern_pdrill_read_command(setup, words, len);
	}
	if (fd >= 0)
		(void)close(fd);
	free(words);
}

/* ---- the system, and what is left ---- */

static unsigned int ones(const void *mask, size_t len)
{
	const uint8_t *bytes = mask;
	unsigned int n = 0;

	for (size_t i = 0; i < len; i++)
		n += (unsigned int)__builtin_popcount(bytes[i]);
	return n;
}

static void add_device(struct tern_pdrill_setup *setup, bool want4, bool want6)
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct tern_addr addr;
		struct sockaddr_in6 in6;
		struct sockaddr_in in;

		if (!i->ifa_addr || !i->ifa_netmask || strcmp(i->ifa_name, "tun0"))
			continue;
		if (i->ifa_addr->sa_family == AF_INET && want4) {
			memcpy(&in, i->ifa_addr, sizeof(in));
			addr = tern_addr_from_bytes(TERN_INET, &in.sin_addr);
			memcpy(&in, i->ifa_netmask, sizeof(in));
			(void)add_addr(setup, &addr, ones(&in.sin_addr, 4));
		} else if (i->ifa_addr->sa_family == AF_INET6 && want6) {
			memcpy(&in6, i->ifa_addr, sizeof(in6));
			addr = tern_addr_from_bytes(TERN_INET6, &in6.sin6_addr);
			memcpy(&in6, i->ifa_netmask, sizeof(in6));
			if (!tern_addr_is_linklocal6(&addr))
				(void)add_addr(setup, &addr, ones(&in6.sin6_addr, 16));
		}
	}
	freeifaddrs(all);
}

int tern_pdrill_setup(const char *flags, struct tern_pdrill_setup *ret)
{
	struct tern_pdrill_setup command = { 0 };
	bool want4, want6;
	int err;

	ret->flags = flags ? flags : "";
	err = read_flags(ret, ret->flags);
	if (err)
		return err;
	want4 = !has_family(ret, TERN_INET);
	want6 = !has_family(ret, TERN_INET6);
	read_own_command(&command);
	for (unsigned int i = 0; i < command.addr_count; i++)
		if (command.addrs[i].addr.family == TERN_INET ? want4 : want6)
			(void)add_addr(ret, &command.addrs[i].addr, command.addrs[i].length);
	if (!ret->mtu)
		ret->mtu = command.mtu ? command.mtu : 1500;
	add_device(ret, !has_family(ret, TERN_INET), !has_family(ret, TERN_INET6));
	if (!has_family(ret, TERN_INET))
		(void)add_addr_text(ret, "192.168.0.1/16");
	if (!has_family(ret, TERN_INET6) && ret->mtu >= 1280)
		(void)add_addr_text(ret, "fd3d:a0b:17d6::1/64");
	if (ret->name[0] && !ret->trace_max)
		ret->trace_max = TRACE_DEFAULT;
	return 0;
}
