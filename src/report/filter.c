/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report/filter.c: parses and evaluates ss' filters.
 *
 * The parser is a recursive descent over words; blanks end a word, parentheses and "!" are words of
 * their own. Nodes go into an array of 64, operands before what joins them, so that the depth of
 * recursion is bounded by the array in the evaluator and by NESTING_MAX in the parser.
 *
 * States come first and replace what the options chose: the first "state" starts from nothing, a
 * first "exclude" from all.
 */
#include "report/filter.h"

#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/text.h"
#include "trace/state.h"

#define WORD_MAX    80
#define NESTING_MAX 16

#define ALL_STATES ((1u << TERN_STATE_MAX) - 2)
#define CONNECTED  (ALL_STATES & ~(TERN_STATES(LISTEN) | TERN_STATES(CLOSED)))
#define BUCKET     (TERN_STATES(SYN_RECEIVED) | TERN_STATES(TIME_WAIT))

enum order {
	BELOW = 1,
	EQUAL = 2,
	ABOVE = 4,
};

struct parser {
	struct tern_filter *filter;
	const struct tern_services *services;
	struct tern_text *error;
	const char *p;       /* behind the word */
	char word[WORD_MAX]; /* "" at the end */
	unsigned int nesting;
	bool saw_state;
};

static int fail(struct parser *parser, const char *wrong, const char *right)
{
	tern_text_str(parser->error, "filter: ");
	tern_text_str(parser->error, wrong);
	if (parser->word[0]) {
		tern_text_str(parser->error, " at \"");
		tern_text_str(parser->error, parser->word);
		tern_text_char(parser->error, '"');
	} else {
		tern_text_str(parser->error, " at the end");
	}
	tern_text_str(parser->error, "; ");
	tern_text_str(parser->error, right);
	return -EINVAL;
}

/* Length of the word at p: an operator, a parenthesis, or what stands before the next of them. */
static size_t word_length(const char *p)
{
	static const char operators[] = "=!<>&|";
	size_t len = 0;

	if (*p == '(' || *p == ')')
		return 1;
	if (*p && strchr(operators, *p)) {
		if (p[1] == '=' || (p[0] == p[1] && (*p == '&' || *p == '|')))
			return 2;
		return 1;
	}
	while (p[len] && !strchr(" \t\n()=!<>&|", p[len]))
		len++;
	return len;
}

static int next(struct parser *parser)
{
	size_t len;

	while (*parser->p == ' ' || *parser->p == '\t' || *parser->p == '\n')
		parser->p++;
	len = word_length(parser->p);
	if (len >= WORD_MAX) {
		parser->word[0] = '\0';
		return fail(parser, "a word that is too long", "79 bytes are the most");
	}
	memcpy(parser->word, parser->p, len);
	parser->word[len] = '\0';
	parser->p += len;
	return 0;
}

/* Is the word one of those in the list, blanks between them? */
static bool is_one_of(const char *word, const char *list)
{
	size_t len = strlen(word);

	while (*list && len) {
		size_t n = strcspn(list, " ");

		if (n == len && memcmp(list, word, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

static int add_node(struct parser *parser, const struct tern_filter_node *node, uint8_t *ret)
{
	struct tern_filter *filter = parser->filter;

	if (filter->count == TERN_FILTER_NODES)
		return fail(parser, "an expression that is too long", "64 tests are the most");
	filter->nodes[filter->count] = *node;
	*ret = filter->count++;
	return 0;
}

static unsigned int find_order(const char *word)
{
	static const struct {
		const char *words;
		uint8_t order;
	} operators[] = {
		{ "= == eq", EQUAL },
		{ "!= ne neq", BELOW | ABOVE },
		{ "< lt", BELOW },
		{ "> gt", ABOVE },
		{ "<= le leq", BELOW | EQUAL },
		{ ">= ge geq", ABOVE | EQUAL },
	};

	for (size_t i = 0; i < TERN_ARRAY_SIZE(operators); i++) {
		if (is_one_of(word, operators[i].words))
			return operators[i].order;
	}
	return 0;
}

/* A port by number or name, with or without the colon before it. */
static int parse_port(struct parser *parser, const char *text, uint16_t *ret)
{
	uint64_t number;

	text += *text == ':';
	if (tern_text_parse_u64(text, &number) == 0) {
		if (number > UINT16_MAX)
			return fail(parser, "a port that is none", "0 to 65535 are ports");
		*ret = (uint16_t)number;
		return 0;
	}
	*ret = tern_service_port(parser->services, text);
	return *ret ? 0 : fail(parser, "an unknown port", "write :80 or the name of a service");
}

/* A prefix length; text is what stands behind the "/". */
static int parse_plen(struct parser *parser, const char *text, struct tern_filter_node *node)
{
	uint64_t bits;

	if (tern_text_parse_u64(text, &bits) || bits > 8 * tern_addr_len(node->addr.family))
		return fail(parser, "a prefix that is none", "write 10.0.0.0/8 or [2001:db8::]/32");
	node->plen = (uint8_t)bits;
	return 0;
}

/* "a.b.c.d[/n]"; the shorter forms of ss (10/8) are filled up by zeros. */
static int parse_addr(struct parser *parser, char *text, struct tern_filter_node *node)
{
	char *slash = strchr(text, '/');
	char buf[WORD_MAX + 8];
	struct tern_text filled;

	if (slash)
		*slash++ = '\0';
	tern_text_init(&filled, buf, sizeof(buf));
	tern_text_str(&filled, text);
	if (slash && !strchr(text, ':')) {
		size_t dots = 0;

		for (const char *p = text; *p; p++)
			dots += *p == '.';
		for (; dots < 3; dots++)
			tern_text_str(&filled, ".0");
	}
	if (tern_addr_parse(buf, &node->addr))
		return fail(parser, "an address that is none", "write 10.0.0.1 or [2001:db8::1]");
	node->plen = (uint8_t)(8 * tern_addr_len(node->addr.family));
	return slash ? parse_plen(parser, slash, node) : 0;
}

/* HOST[/PREFIX][:PORT], an IPv6 address with a port in brackets, "*" for any. */
static int parse_host(struct parser *parser, struct tern_filter_node *node)
{
	char word[WORD_MAX], *host = word, *port, *close;
	int err = 0;

	memcpy(word, parser->word, sizeof(word));
	close = host[0] == '[' ? strchr(host, ']') : NULL;
	if (close) {
		/* The prefix may stand behind the bracket: close up over it. */
		host++;
		memmove(close, close + 1, strlen(close));
		port = strchr(close, ':');
	} else {
		port = strrchr(host, ':');
		if (port && strchr(host, ':') != port)
			port = NULL;
	}
	if (port)
		*port++ = '\0';
	if (host[0] && strcmp(host, "*") != 0)
		err = parse_addr(parser, host, node);
	if (!err && port && strcmp(port, "*") != 0)
		err = parse_port(parser, port, &node->port);
	return err;
}

/* sport, dport, src or dst with what follows it. */
static int parse_test(struct parser *parser, uint8_t *ret)
{
	static const char *const names[] = { "sport", "dport", "src", "dst" };
	struct tern_filter_node node = { .order = EQUAL };
	unsigned int order;
	size_t i = 0;
	int err;

	while (i < TERN_ARRAY_SIZE(names) && strcmp(parser->word, names[i]) != 0)
		i++;
	if (i == TERN_ARRAY_SIZE(names))
		return fail(parser, "an unknown word",
			    "known are sport dport src dst and or not ( )");
	node.op = (uint8_t)(TERN_FILTER_SPORT + i);
	err = next(parser);
	order = find_order(parser->word);
	if (!err && order) {
		node.order = (uint8_t)order;
		err = next(parser);
	}
	if (err)
		return err;
	if (!parser->word[0] || find_order(parser->word))
		return fail(parser, "nothing to compare with",
			    "write sport = :80 or dst 10.0.0.0/8");
	if (node.op == TERN_FILTER_SPORT || node.op == TERN_FILTER_DPORT)
		err = parse_port(parser, parser->word, &node.port);
	else if (node.order != EQUAL && node.order != (BELOW | ABOVE))
		err = fail(parser, "addresses have no order", "only = and != compare them");
	else
		err = parse_host(parser, &node);
	if (!err)
		err = add_node(parser, &node, ret);
	return err ? err : next(parser);
}

static int parse_or(struct parser *parser, uint8_t *ret);

static int parse_factor(struct parser *parser, uint8_t *ret)
{
	struct tern_filter_node node = { .op = TERN_FILTER_NOT };
	int err;

	if (++parser->nesting > NESTING_MAX)
		return fail(parser, "too much nesting", "16 levels are the most");
	if (is_one_of(parser->word, "! not")) {
		err = next(parser);
		if (!err)
			err = parse_factor(parser, &node.left);
		if (!err)
			err = add_node(parser, &node, ret);
	} else if (strcmp(parser->word, "(") == 0) {
		err = next(parser);
		if (!err)
			err = parse_or(parser, ret);
		if (!err && strcmp(parser->word, ")") != 0)
			err = fail(parser, "a parenthesis that is not closed", "write )");
		if (!err)
			err = next(parser);
	} else {
		err = parse_test(parser, ret);
	}
	parser->nesting--;
	return err;
}

static int parse_and(struct parser *parser, uint8_t *ret)
{
	int err = parse_factor(parser, ret);

	while (!err && parser->word[0] && !is_one_of(parser->word, ") | || or")) {
		struct tern_filter_node node = { .op = TERN_FILTER_AND, .left = *ret };

		if (is_one_of(parser->word, "& && and"))
			err = next(parser);
		if (!err)
			err = parse_factor(parser, &node.right);
		if (!err)
			err = add_node(parser, &node, ret);
	}
	return err;
}

static int parse_or(struct parser *parser, uint8_t *ret)
{
	int err = parse_and(parser, ret);

	while (!err && is_one_of(parser->word, "| || or")) {
		struct tern_filter_node node = { .op = TERN_FILTER_OR, .left = *ret };

		err = next(parser);
		if (!err)
			err = parse_and(parser, &node.right);
		if (!err)
			err = add_node(parser, &node, ret);
	}
	return err;
}

/* The states behind a word: one, or those of a macro; 0 if it is neither. */
static uint32_t find_states(const char *word)
{
	static const struct {
		const char *name;
		uint32_t states;
	} macros[] = {
		{ "all", ALL_STATES },
		{ "connected", CONNECTED },
		{ "synchronized", CONNECTED & ~TERN_STATES(SYN_SENT) },
		{ "bucket", BUCKET },
		{ "big", ALL_STATES & ~BUCKET },
		{ "half-open", TERN_STATES(SYN_RECEIVED) },
		{ "closing-family", TERN_STATES_SYNCHRONIZED & ~TERN_STATES(ESTABLISHED) },
		{ "unaccepted", CONNECTED },
	};

	for (size_t i = 0; i < TERN_ARRAY_SIZE(macros); i++) {
		if (strcmp(word, macros[i].name) == 0)
			return macros[i].states;
	}
	return tern_state_find(word) ? 1u << tern_state_find(word) : 0;
}

/* state X or exclude X. */
static int parse_state(struct parser *parser)
{
	bool exclude = parser->word[0] == 'e';
	uint32_t states;
	int err = next(parser);

	if (err)
		return err;
	states = find_states(parser->word);
	if (!states)
		return fail(parser, "an unknown state",
			    "write established, time-wait ... or all, connected, synchronized, "
			    "bucket, big, half-open, closing-family, unaccepted");
	if (!parser->saw_state)
		parser->filter->states = exclude ? ALL_STATES : 0;
	parser->saw_state = true;
	if (strcmp(parser->word, "unaccepted") == 0) {
		if (exclude)
			return fail(parser, "not to be excluded", "write: state unaccepted");
		parser->filter->unaccepted = true;
	}
	if (exclude)
		parser->filter->states &= ~states;
	else
		parser->filter->states |= states;
	return next(parser);
}

void tern_filter_init(struct tern_filter *filter, unsigned int protos, bool all, bool listening)
{
	const uint32_t idle = TERN_STATES(LISTEN) | TERN_STATES(CLOSED);

	memset(filter, 0, sizeof(*filter));
	filter->protos = (uint8_t)protos;
	filter->states = all ? ALL_STATES : listening ? idle : ALL_STATES & ~(idle | BUCKET);
}

int tern_filter_parse(struct tern_filter *filter, const char *text,
		      const struct tern_services *services, struct tern_text *error)
{
	struct parser parser = {
		.filter = filter,
		.services = services,
		.error = error,
		.p = text,
	};
	int err = next(&parser);

	while (!err && is_one_of(parser.word, "state exclude"))
		err = parse_state(&parser);
	if (!err && parser.word[0])
		err = parse_or(&parser, &filter->root);
	if (!err && parser.word[0])
		err = fail(&parser, "something too many", "remove it");
	return err;
}

static bool match_host(const struct tern_filter_node *node, const struct tern_endpoint *end)
{
	bool same =
		(!node->port || node->port == end->port) &&
		(!node->addr.family || tern_addr_in_prefix(&end->addr, &node->addr, node->plen));

	return same == (node->order == EQUAL);
}

static bool match_port(const struct tern_filter_node *node, uint16_t port)
{
	enum order order = port < node->port ? BELOW : port == node->port ? EQUAL : ABOVE;

	return node->order & order;
}

static bool match_node(const struct tern_filter *filter, uint8_t at,
		       const struct tern_socket_info *row)
{
	const struct tern_filter_node *node = &filter->nodes[at];

	switch ((enum tern_filter_op)node->op) {
	case TERN_FILTER_AND:
		return match_node(filter, node->left, row) && match_node(filter, node->right, row);
	case TERN_FILTER_OR:
		return match_node(filter, node->left, row) || match_node(filter, node->right, row);
	case TERN_FILTER_NOT:
		return !match_node(filter, node->left, row);
	case TERN_FILTER_SPORT:
		return match_port(node, row->local.port);
	case TERN_FILTER_DPORT:
		return match_port(node, row->remote.port);
	case TERN_FILTER_SRC:
		return match_host(node, &row->local);
	default:
		return match_host(node, &row->remote);
	}
}

bool tern_filter_match(const struct tern_filter *filter, const struct tern_socket_info *row)
{
	unsigned int proto = row->proto == TERN_PROTO_UDP ? TERN_FILTER_UDP : TERN_FILTER_TCP;

	if (!(filter->protos & proto) || !tern_state_in(row->state, filter->states))
		return false;
	if (filter->unaccepted && !row->unaccepted)
		return false;
	if (filter->family && row->local.addr.family != filter->family &&
	    (row->local.addr.family || filter->family == TERN_INET))
		return false;
	return !filter->count || match_node(filter, filter->root, row);
}

bool tern_filter_one_state(const struct tern_filter *filter)
{
	return !(filter->states & (filter->states - 1));
}
