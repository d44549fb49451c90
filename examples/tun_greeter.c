/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server on a TCP/IP stack of its own: it puts the host 10.77.0.2 on a TUN device, greets the
 * first client that connects to port 8080, repeats what that one says, and ends. Needs root.
 *
 *	cc tun_greeter.c $(pkg-config --cflags --libs tern)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <tern/socket.h>

static const char greeting[] = "tern at your service\n";

/* Listens, and serves one client to its end. 0 or a negative errno. */
static int serve(struct tern_host *host)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(8080) }, from;
	socklen_t len = sizeof(from);
	int listener = tern_socket(host, AF_INET, SOCK_STREAM, 0), fd;
	char text[INET_ADDRSTRLEN], data[4096];
	ssize_t n = tern_bind(host, listener, (struct sockaddr *)&at, sizeof(at));

	if (n == 0)
		n = tern_listen(host, listener, 16);
	if (n < 0)
		return (int)n;
	printf("waiting for a client on %s\n", tern_host_device(host));
	(void)fflush(stdout);
	fd = tern_accept(host, listener, (struct sockaddr *)&from, &len, 0);
	if (fd < 0)
		return fd;
	printf("a client from %s\n", inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)));
	n = tern_send(host, fd, greeting, sizeof(greeting) - 1, 0);
	while (n > 0 && (n = tern_recv(host, fd, data, sizeof(data), 0)) > 0)
		n = tern_send(host, fd, data, (size_t)n, 0);
	return n < 0 ? (int)n : tern_close(host, fd);
}

int main(void)
{
	const char *const addr = "10.77.0.2/24";
	const struct tern_host_config cfg = { .link = "tun:tern0",
					      .addrs = &addr,
					      .addr_count = 1 };
	char why[TERN_ERROR_MAX];
	struct tern_host *host;
	int err = tern_host_new(&cfg, &host, why);

	if (err < 0) {
		(void)fprintf(stderr, "tun_greeter: %s\n", why);
		return 1;
	}
	err = serve(host);
	if (err < 0)
		(void)fprintf(stderr, "tun_greeter: %s\n", strerror(-err));
	/* What closed sockets still owe their peers, carried through. */
	(void)tern_host_drain(host, UINT64_C(10000000000), NULL);
	tern_host_free(host);
	return err < 0 ? 1 : 0;
}
