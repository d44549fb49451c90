/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli/table.c: every command and every option, once.
 *
 * `tern help`, `tern CMD -h`, the lists of options in the manual pages and the bash completion are
 * made of these tables; tools/options checks the committed ones against them. Options that several
 * commands share stand in groups of their own.
 */
#include "cli/cli.h"

#define END       \
	{         \
		0 \
	}

static const struct tern_cli_option common[] = {
	{ TERN_OPT_HELP, 'h', false, "help", NULL, "show this help", NULL },
	END,
};

static const struct tern_cli_option stack[] = {
	{ TERN_OPT_DEV, 0, false, "dev", "NAME",
	  "the TUN device the stack sits on: short for --link tun:NAME", NULL },
	{ TERN_OPT_LINK, 0, false, "link", "LINK",
	  "what the stack sits on: tun:NAME, a TUN device that is made and removed again (default "
	  "tun:tern0), or none, only its own addresses",
	  "tun:tern0 none" },
	{ TERN_OPT_ADDR, 0, false, "addr", "ADDR/LEN",
	  "an address of the stack, several times if need be (default 10.77.0.2/24)", NULL },
	{ TERN_OPT_ADDR6, 0, false, "addr6", "ADDR/LEN",
	  "an IPv6 address of the stack, as fd77::2/64", NULL },
	{ TERN_OPT_PEER, 0, false, "peer", "ADDR",
	  "the kernel's address on the device (default the first free one of the prefix, "
	  "10.77.0.1)",
	  NULL },
	{ TERN_OPT_NAME, 0, false, "name", "NAME",
	  "what tern ss and its kin call the stack (default the name of its device, else the "
	  "command's)",
	  NULL },
	{ TERN_OPT_SYSCTL, 0, false, "sysctl", "KNOB=VALUE",
	  "set a knob of the stack, as net.ipv4.tcp_fin_timeout=30; tern sysctl -a lists them",
	  NULL },
	{ TERN_OPT_MTU, 0, false, "mtu", "BYTES", "MTU of the link (default 1500)", NULL },
	{ TERN_OPT_FAULT, 0, false, "fault", "FAULTS",
	  "make the link a bad one: loss=1%,dup=1%,reorder=1%,corrupt=100ppm,delay=10ms,jitter=2ms,"
	  "seed=7; in.loss or out.loss for one direction",
	  "loss=1% dup=1% reorder=1% delay=10ms" },
	{ TERN_OPT_DRAIN, 0, false, "drain", "TIME",
	  "how long closed connections may take at the end for what they still owe (default 10s)",
	  NULL },
	{ TERN_OPT_TRACE, 0, false, "trace", "RECORDS",
	  "segments and state changes that are remembered for tern ladder (default 16384)", NULL },
	END,
};

static const struct tern_cli_option running[] = {
	{ TERN_OPT_NAME, 'N', false, "name", "NAME", "which stack, where several are running",
	  "@stack" },
	END,
};

static const struct tern_cli_option running_program[] = {
	{ TERN_OPT_WITH, 0, false, "with", "'CLIENT COMMAND'",
	  "a second command, for sh and on the kernel's side: it starts when COMMAND first listens "
	  "(or after 2s), COMMAND is ended when it ends, and the exit status is its own",
	  NULL },
	{ TERN_OPT_PRIVATE, 0, false, "private", NULL,
	  "in a network namespace of its own; without root in a user namespace as well", NULL },
	{ TERN_OPT_DNS, 0, false, "dns", "ADDR", "with --private: the name server there", NULL },
	{ TERN_OPT_PUBLISH, 0, false, "publish", "[ADDR:]PORT",
	  "a port of this host (at ADDR only) leads to the stack's, for TCP and UDP, by nftables",
	  NULL },
	{ TERN_OPT_MASQUERADE, 0, false, "masquerade", NULL,
	  "the stack's connections to other hosts leave with this host's address, by nftables",
	  NULL },
	END,
};

static const struct tern_cli_option serve[] = {
	{ TERN_OPT_PORT, 'p', false, "port", "PORT",
	  "serve there instead of the service's own port (one service only)", NULL },
	END,
};

static const struct tern_cli_option connecting[] = {
	{ TERN_OPT_HALF_CLOSE, 'N', false, "half-close", NULL,
	  "at the end of input close our half of the connection, and wait for the end of the other",
	  NULL },
	{ TERN_OPT_INET, '4', false, "ipv4", NULL, "use IPv4 only", NULL },
	{ TERN_OPT_INET6, '6', false, "ipv6", NULL, "use IPv6 only", NULL },
	END,
};

static const struct tern_cli_option ss[] = {
	{ TERN_OPT_ALL, 'a', false, "all", NULL,
	  "all sockets: listening, half-open and in TIME-WAIT as well", NULL },
	{ TERN_OPT_LISTENING, 'l', false, "listening", NULL, "only listening sockets", NULL },
	{ TERN_OPT_NUMERIC, 'n', false, "numeric", NULL, "ports as numbers", NULL },
	{ TERN_OPT_TCP, 't', false, "tcp", NULL, "TCP sockets", NULL },
	{ TERN_OPT_UDP, 'u', false, "udp", NULL, "UDP sockets", NULL },
	{ TERN_OPT_INET, '4', false, "ipv4", NULL, "IPv4 sockets", NULL },
	{ TERN_OPT_INET6, '6', false, "ipv6", NULL, "IPv6 sockets", NULL },
	{ TERN_OPT_TIMERS, 'o', false, "options", NULL,
	  "the timer that a socket waits for, and its age in this state", NULL },
	{ TERN_OPT_EXTENDED, 'e', false, "extended", NULL,
	  "identity, and SYN queue and drops of listeners", NULL },
	{ TERN_OPT_MEMORY, 'm', false, "memory", NULL, "memory of each socket", NULL },
	{ TERN_OPT_PROCESSES, 'p', false, "processes", NULL,
	  "processes that hold each socket, with their descriptors", NULL },
	{ TERN_OPT_SUMMARY, 's', false, "summary", NULL,
	  "totals, limits and memory instead of sockets", NULL },
	{ TERN_OPT_ONELINE, 'O', false, "oneline", NULL, "one line a socket", NULL },
	{ TERN_OPT_NO_HEADER, 'H', false, "no-header", NULL, "no line of headings", NULL },
	{ TERN_OPT_JSON, 'j', false, "json", NULL, "JSON", NULL },
	{ TERN_OPT_PRETTY, 0, false, "pretty", NULL, "JSON, indented", NULL },
	END,
};

static const struct tern_cli_option ladder[] = {
	{ TERN_OPT_FLOW, 0, false, "flow", "FLOW",
	  "which connection: ADDR:PORT of one end, or its number in --list (default the last)",
	  NULL },
	{ TERN_OPT_LIST, 'l', false, "list", NULL, "list the connections that are remembered",
	  NULL },
	{ TERN_OPT_LINES, 0, false, "lines", "N",
	  "summarise what makes it longer than this (default 40)", NULL },
	{ TERN_OPT_ASCII, 0, false, "ascii", NULL, "no characters beyond ASCII", NULL },
	END,
};

static const struct tern_cli_option nstat[] = {
	{ TERN_OPT_ALL, 'a', false, "ignore", NULL,
	  "absolute values: always so here, taken for nstat's sake", NULL },
	{ TERN_OPT_ZEROS, 'z', false, "zeros", NULL, "counters that are 0 as well", NULL },
	{ TERN_OPT_JSON, 'j', false, "json", NULL, "JSON", NULL },
	{ TERN_OPT_PRETTY, 0, false, "pretty", NULL, "JSON, indented", NULL },
	END,
};

static const struct tern_cli_option sysctl[] = {
	{ TERN_OPT_ALL, 'a', false, "all", NULL, "show all knobs", NULL },
	{ TERN_OPT_VALUES, 'n', false, "values", NULL, "show values without names", NULL },
	{ TERN_OPT_WRITE, 'w', false, "write", NULL, "every operand sets a knob: NAME=VALUE",
	  NULL },
	{ TERN_OPT_FILE, 'p', false, "load", "FILE",
	  "set what a file in sysctl.conf's form says; - is standard input", NULL },
	{ TERN_OPT_EXPLAIN, 0, false, "explain", NULL,
	  "say what knobs do, what their values mean, and what is wrongly said of them", NULL },
	{ TERN_OPT_JSON, 'j', false, "json", NULL, "JSON", NULL },
	{ TERN_OPT_PRETTY, 0, false, "pretty", NULL, "JSON, indented", NULL },
	END,
};

static const struct tern_cli_option drill[] = {
	{ TERN_OPT_VERBOSE, 'v', false, "verbose", NULL,
	  "print every event, packet and change of state as it happens", NULL },
	{ TERN_OPT_PERSONA, 0, false, "persona", "NAME",
	  "whose manners the stack has where there is a choice: linux or freebsd",
	  "linux freebsd" },
	{ TERN_OPT_SYSCTL, 0, false, "sysctl", "KNOB=VALUE",
	  "set a knob before the script sets its own, several times if need be", NULL },
	{ TERN_OPT_DEFINE, 'D', false, "define", "NAME=VALUE",
	  "what a word of the script stands for, several times if need be", NULL },
	{ TERN_OPT_TAP, 0, false, "tap", NULL, "a line of TAP for each script", NULL },
	{ TERN_OPT_ASCII, 0, false, "ascii", NULL, "no characters beyond ASCII", NULL },
	END,
};

static const struct tern_cli_option demo[] = {
	{ TERN_OPT_ASCII, 0, false, "ascii", NULL, "no characters beyond ASCII", NULL },
	END,
};

static const struct tern_cli_option self[] = {
	{ TERN_OPT_VERSION, 'V', false, "version", NULL, "show the version", NULL },
	END,
};

static const struct tern_cli_option help[] = {
	{ TERN_OPT_BASH, 0, true, "bash", NULL, "the completion for bash", NULL },
	{ TERN_OPT_MDOC, 0, true, "mdoc", NULL, "a command's options, for its manual page", NULL },
	END,
};

#define GROUPS(...)                             \
	(const struct tern_cli_option *const[]) \
	{                                       \
		__VA_ARGS__, common, NULL       \
	}

const struct tern_cli_command tern_cli_commands[] = {
	{ "run", "[--] COMMAND [ARGUMENT]...", "run an unmodified program on a stack of its own",
	  NULL, GROUPS(running_program, stack), tern_cli_run },
	{ "serve", "SERVICE...", "run echo, discard, chargen or daytime on a stack of its own",
	  "echo discard chargen daytime", GROUPS(serve, stack), tern_cli_serve },
	{ "connect", "HOST PORT",
	  "connect standard input and output to a TCP server, from a stack of its own", NULL,
	  GROUPS(connecting, stack), tern_cli_connect },
	{ "ss", "[FILTER]", "show the sockets of a running stack",
	  "state exclude sport dport src dst", GROUPS(ss, running), tern_cli_ss },
	{ "ladder", "", "draw a connection of a running stack, with the states of both ends", NULL,
	  GROUPS(ladder, running), tern_cli_ladder },
	{ "nstat", "[PATTERN]...", "show the counters of a running stack", NULL,
	  GROUPS(nstat, running), tern_cli_nstat },
	{ "sysctl", "[NAME[=VALUE]]...", "show, set and explain the knobs of a running stack", NULL,
	  GROUPS(sysctl, running), tern_cli_sysctl },
	{ "drill", "SCRIPT...", "run packetdrill scripts on the stack, in virtual time", NULL,
	  GROUPS(drill), tern_cli_drill },
	{ "demo", "", "show a connection between two stacks in memory; needs no privilege", NULL,
	  GROUPS(demo), tern_cli_demo },
	{ "help", "[COMMAND]", "show the commands, or the options of one",
	  "run serve connect ss ladder nstat sysctl drill demo", GROUPS(help),
	  tern_cli_help_command },
	{ 0 },
};

const struct tern_cli_command tern_cli_self = {
	"", "COMMAND [ARGUMENT]...", "a TCP/IP stack in user space", NULL, GROUPS(self), NULL,
};
