/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/host.c: a stack for the length of a command.
 *
 * Signals. The first INT, TERM or HUP interrupts whatever blocks; the command then leaves its work
 * and stops, which drains. A second one interrupts the drain as well; one right behind the first is
 * the first again, as timeout(1) sends it to us and to our process group. The handler only counts
 * and calls tern_host_interrupt(). The TUN device needs no care: it goes with its descriptor,
 * however the process ends. A control socket that a kill leaves behind is replaced by the next
 * stack of that name, or removed by the first tern ss that finds nobody there.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/host.h"
#include "ctl/path.h"
#include "ctl/server.h"
#include "loop/loop.h"

enum {
	TRACE_DEFAULT = 16384,
	TRACE_MAX = 1 << 24,
	MTU_MIN = 576,
	MTU_MAX = 65535,
};

#define DRAIN_DEFAULT_NS UINT64_C(10000000000)
#define SAME_SIGNAL_NS   UINT64_C(10000000)

/* What the handler may touch. */
static volatile sig_atomic_t signals;
static struct tern_host *volatile interrupted;

/* What comes within SAME_SIGNAL_NS of a signal is that signal. */
void tern_cli_host_signal(void)
{
	static uint64_t last_ns; /* the handler's alone: signals wait while it runs */
	struct tern_host *host = interrupted;
	uint64_t now = tern_loop_now();

	if (signals && now - last_ns < SAME_SIGNAL_NS)
		return;
	last_ns = now;
	signals = signals + 1;
	if (host)
		tern_host_interrupt(host);
}

static void on_signal(int number)
{
	(void)number;
	tern_cli_host_signal();
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	(void)sigfillset(&act.sa_mask);
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
	act.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &act, NULL);
}

bool tern_cli_host_ending(void)
{
	return signals > 0;
}

void tern_cli_host_init(struct tern_cli_host *h, struct tern_cli_args *args)
{
	*h = (struct tern_cli_host){
		.args = args,
		.cfg = { .link = "tun:tern0", .trace_max = TRACE_DEFAULT },
		.drain_ns = DRAIN_DEFAULT_NS,
	};
}

/* One more word of an option that may come several times. */
static int add(struct tern_cli_host *h, const char **words, unsigned int *count, unsigned int max)
{
	if (*count == max) {
		tern_cli_wrong(h->args, "%s comes more often than %u times", h->args->shown, max);
		return -EINVAL;
	}
	words[(*count)++] = h->args->value;
	return 0;
}

static int add_addr6(struct tern_cli_host *h)
{
	if (!strchr(h->args->value, ':')) {
		tern_cli_wrong(h->args, "--addr6 wants an IPv6 address as fd77::2/64, not '%s'",
			       h->args->value);
		return -EINVAL;
	}
	return add(h, h->addrs, &h->cfg.addr_count, TERN_ADDRS_MAX);
}

static int add_sysctl(struct tern_cli_host *h)
{
	const char *word = h->args->value;

	if (!strchr(word, '=')) {
		tern_cli_wrong(h->args,
			       "'%s' is not a sysctl setting; write it as "
			       "net.ipv4.tcp_fin_timeout=30",
			       word);
		return -EINVAL;
	}
	if (!tern_cli_knob_ok(h->args, word))
		return -EINVAL;
	return add(h, h->sysctls, &h->cfg.sysctl_count, TERN_CLI_SYSCTLS_MAX);
}

static int set_number(struct tern_cli_host *h, uint64_t min, uint64_t max, uint32_t *ret)
{
	uint64_t n;
	int err = tern_cli_number(h->args, min, max, &n);

	if (!err)
		*ret = (uint32_t)n;
	return err;
}

static int set_name(struct tern_cli_host *h)
{
	h->name = h->args->value;
	if (tern_ctl_name_ok(h->name))
		return 0;
	tern_cli_wrong(h->args,
		       "'%s' cannot be a stack's name; take letters, digits, '-', '_' and '.'",
		       h->name);
	return -EINVAL;
}

int tern_cli_host_option(struct tern_cli_host *h, int id)
{
	switch (id) {
	case TERN_OPT_LINK:
		h->cfg.link = h->args->value;
		return 0;
	case TERN_OPT_DEV:
		(void)snprintf(h->link, sizeof(h->link), "tun:%s", h->args->value);
		h->cfg.link = h->link;
		return 0;
	case TERN_OPT_ADDR:
		h->addr_given = true;
		return add(h, h->addrs, &h->cfg.addr_count, TERN_ADDRS_MAX);
	case TERN_OPT_ADDR6:
		return add_addr6(h);
	case TERN_OPT_PEER:
		return add(h, h->peers, &h->cfg.peer_count, TERN_ADDRS_MAX);
	case TERN_OPT_SYSCTL:
		return add_sysctl(h);
	case TERN_OPT_NAME:
		return set_name(h);
	case TERN_OPT_FAULT:
		h->cfg.fault = h->args->value;
		return 0;
	case TERN_OPT_DRAIN:
		return tern_cli_time(h->args, &h->drain_ns);
	case TERN_OPT_MTU:
		return set_number(h, MTU_MIN, MTU_MAX, &h->cfg.mtu);
	case TERN_OPT_TRACE:
		return set_number(h, 0, TRACE_MAX, &h->cfg.trace_max);
	default:
		return 0;
	}
}

/* The name of a stack that was given none: its device's, where that is known and can be one. */
static const char *default_name(const struct tern_cli_host *h, const char *command)
{
	if (strncmp(h->cfg.link, "tun:", 4) == 0 && tern_ctl_name_ok(h->cfg.link + 4))
		return h->cfg.link + 4;
	return command;
}

int tern_cli_host_start(struct tern_cli_host *h, const char *command)
{
	char why[TERN_ERROR_MAX] = "";
	int err;

	if (!h->addr_given && h->cfg.addr_count < TERN_ADDRS_MAX)
		h->addrs[h->cfg.addr_count++] = "10.77.0.2/24";
	h->cfg.addrs = h->addrs;
	h->cfg.peers = h->peers;
	h->cfg.sysctls = h->sysctls;
	if (!h->name)
		h->name = default_name(h, command);
	if (!h->own_signals)
		catch_signals();
	err = tern_ctl_new(h->name, &h->ctl, why);
	if (err == -EADDRINUSE)
		return tern_cli_problem(
			h->args, "%s with --name (and a --dev and an --addr of its own)", why);
	if (err)
		return tern_cli_failed(h->args, err, why);
	err = tern_host_new(&h->cfg, &h->host, why);
	if (!err) {
		err = tern_ctl_attach(h->ctl, h->host);
		if (err)
			(void)snprintf(why, sizeof(why), "cannot serve the control socket: %s",
				       strerror(-err));
	}
	if (err) {
		tern_ctl_free(h->ctl);
		tern_host_free(h->host);
		h->host = NULL;
		return tern_cli_failed(h->args, err, why);
	}
	interrupted = h->host;
	if (signals)
		tern_host_interrupt(h->host);
	return TERN_CLI_OK;
}

/* One line about what is still owed: bytes, or where there are none the FIN behind them. */
static int tell_left(struct tern_cli_host *h, const struct tern_host_left *left)
{
	const char *conns = left->conns == 1 ? "connection" : "connections";

	if (left->bytes)
		return tern_cli_problem(h->args,
					"ended with %" PRIu32 " %s that still owed %" PRIu64
					" byte%s; --drain gives them longer",
					left->conns, conns, left->bytes,
					left->bytes == 1 ? "" : "s");
	return tern_cli_problem(h->args,
				"ended with %" PRIu32
				" %s that still owed a FIN not acknowledged; --drain gives them "
				"longer",
				left->conns, conns);
}

static int drain(struct tern_cli_host *h)
{
	uint64_t until = tern_host_now(h->host) + h->drain_ns;
	struct tern_host_left left = { 0 };
	int before = signals, err;

	/* An interrupt that is left over from the first signal is not yet the second. */
	do {
		uint64_t now = tern_host_now(h->host);

		err = tern_host_drain(h->host, now < until ? until - now : 0, &left);
	} while (err == -EINTR && signals == before);
	left.conns += h->owed.conns;
	left.bytes += h->owed.bytes;
	return left.conns == 0 ? TERN_CLI_OK : tell_left(h, &left);
}

int tern_cli_host_stop(struct tern_cli_host *h)
{
	int status = signals < 2 ? drain(h) : TERN_CLI_OK;

	interrupted = NULL;
	tern_ctl_free(h->ctl);
	tern_host_free(h->host);
	h->host = NULL;
	return status;
}
