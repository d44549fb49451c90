#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Where tern's sockets are not Linux': each row of the table in docs/PROGRAMS.md has a probe here
of its name, which shows both: what the kernel does, and what happens under tern run. How they are
run: probe.py."""

import ctypes
import errno
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from live import needs_mounts
from probe import (ON_TERN, OWN, PEER, accepted, check, child, connected, fails, libc, listener,
                   main, peer, probe, reap, same, wait_until)

IN, OUT, ERR, HUP, RDHUP = (select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP,
                            select.POLLRDHUP)
IP_RECVERR, IP_PKTINFO, SO_TIMESTAMP, SO_ZEROCOPY = 11, 8, 29, 60
MSG_FASTOPEN, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT = 0x20000000, 23, 30


def readiness(s):
    poller = select.poll()
    poller.register(s, IN | OUT | RDHUP)
    got = poller.poll(0)
    return got[0][1] if got else 0


def datagrams():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@probe
def poll_says_nothing_of_a_socket_that_was_never_connected():
    same(readiness(socket.socket()), 0 if ON_TERN else OUT | HUP)


@probe
def poll_says_readable_of_a_socket_that_was_disconnected():
    s, _address = listener()
    s.shutdown(socket.SHUT_RDWR)
    check(readiness(s) & HUP, "no hang-up")
    same(bool(readiness(s) & IN), ON_TERN)
    s, _other = connected()
    unspec = struct.pack("=H14x", socket.AF_UNSPEC)
    same(libc.connect(s.fileno(), unspec, len(unspec)), 0)
    check(readiness(s) & HUP, "no hang-up")
    same(bool(readiness(s) & IN), ON_TERN)


@probe
def poll_says_readable_of_a_socket_that_was_refused():
    s = socket.socket()
    fails(errno.ECONNREFUSED, s.connect, (PEER, 9))
    same(readiness(s) & ~ERR, IN | OUT | HUP | RDHUP if ON_TERN else OUT | HUP)


@probe
def edges_of_writability_come_with_each_write():
    s, other = connected()
    with select.epoll() as edges:
        edges.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        same(edges.poll(1), [(s.fileno(), OUT)])
        if not ON_TERN:
            same(edges.poll(0.2), [])
        while edges.poll(0.2):  # one more may come after connect()
            pass
        s.send(b"x")
        same(edges.poll(0.5), [(s.fileno(), OUT)] if ON_TERN else [])
        other.send(b"y")
        wait_until(lambda: readiness(s) & IN)
        same(edges.poll(1), [(s.fileno(), IN | OUT)])


@probe
def reading_and_writing_a_listener_wait():
    s, _address = listener()
    s.setblocking(False)
    fails(errno.EAGAIN if ON_TERN else errno.ENOTCONN, s.recv, 1)
    fails(errno.EAGAIN if ON_TERN else errno.EPIPE, s.send, b"x")


@probe
def rcvlowat_holds_recv_back_and_not_poll():
    s, other = accepted()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 10)
    same(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), 10)
    other.sendall(b"few")
    time.sleep(0.1)
    same(readiness(s) & IN, IN if ON_TERN else 0)
    s.settimeout(0.1)
    s.setblocking(True)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
    threading.Timer(0.1, other.sendall, (b"and more",)).start()
    check(len(s.recv(100)) >= 10, "recv() did not wait")
    s.close()


@probe
def the_first_write_after_a_reset_raises_sigpipe():
    s, other = accepted()
    signals = []
    before = signal.signal(signal.SIGPIPE, lambda number, _frame: signals.append(number))
    other.reset()
    wait_until(lambda: readiness(s) & HUP)
    fails(errno.ECONNRESET, os.write, s.fileno(), b"x")
    same(len(signals), 1 if ON_TERN else 0)
    fails(errno.EPIPE, os.write, s.fileno(), b"x")
    signal.signal(signal.SIGPIPE, before)


@probe
def an_accepted_connection_that_was_reset_has_its_names_still():
    s, other = accepted()
    whose = s.getpeername()
    other.reset()
    fails(errno.ECONNRESET, s.recv, 1)
    if ON_TERN:
        same(s.getpeername(), whose)
    else:
        fails(errno.ENOTCONN, s.getpeername)


@probe
def datagrams_are_not_put_together():
    s, other = datagrams(), peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind((PEER, 0))
    s.connect(other.getsockname())
    s.send(b"first", socket.MSG_MORE)
    s.send(b"second")
    same(other.recv(100), b"first" if ON_TERN else b"firstsecond")


@probe
def a_copy_in_another_process_does_not_follow_to_the_loopback():
    there = socket.create_server(("127.0.0.1", 0))
    s = socket.socket()
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(said, 1)
        try:
            s.send(b"x", socket.MSG_NOSIGNAL)
            os._exit(0)
        except BrokenPipeError:
            os._exit(1)
    s.connect(there.getsockname())
    os.write(say, b"x")
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 1 if ON_TERN else 0)
    os.close(said)
    os.close(say)


@probe
def in_another_network_namespace_sockets_carry_data_and_no_more():
    s, other = accepted()

    def isolated():
        same(libc.unshare(0x40000000), 0)  # CLONE_NEWNET
        s.sendall(b"data")
        if ON_TERN:
            fails(errno.ENETDOWN, s.setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    reap(child(isolated))
    same(other.recv(10), b"data")


@probe
def without_its_environment_a_program_is_the_kernels():
    code = f"import socket; socket.socket().bind(({OWN!r}, 0))"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, check=False)
    same(done.returncode, 1 if ON_TERN else 0)


@probe
def a_datagram_that_may_not_be_sent_fails_at_the_next_call():
    s = datagrams()
    s.bind((OWN, 0))
    if ON_TERN:
        same(s.sendto(b"x", ("255.255.255.255", 9)), 1)
        wait_until(lambda: readiness(s) & IN)
    fails((errno.EACCES, errno.ENETUNREACH), s.sendto, b"x", ("255.255.255.255", 9))


@probe
def an_error_of_a_datagram_socket_is_readable_not_an_error():
    s = datagrams()
    s.connect((PEER, 9))
    s.send(b"x")
    wait_until(lambda: readiness(s) != OUT)
    same(readiness(s), IN | OUT if ON_TERN else OUT | ERR)
    fails(errno.ECONNREFUSED, s.recv, 1)


@probe
def an_address_of_the_stack_is_none_on_the_loopback():
    there, s = datagrams(), datagrams()
    there.bind(("127.0.0.1", 0))
    there.settimeout(3)
    s.bind((OWN, 0))
    s.sendto(b"x", there.getsockname())
    if ON_TERN:
        fails(errno.EINVAL, s.recv, 1)
    else:
        same(there.recvfrom(1)[1], s.getsockname())
    there, address = listener("127.0.0.1")
    s = socket.socket()
    s.bind((OWN, 0))
    s.connect(address)
    same(there.accept()[1][0], "127.0.0.1" if ON_TERN else OWN)


@probe
def the_port_of_any_address_is_free_on_the_loopback_until_listen():
    s, other = socket.socket(), socket.socket()
    s.bind(("0.0.0.0", 0))
    address = ("127.0.0.1", s.getsockname()[1])
    if ON_TERN:
        other.bind(address)
    else:
        fails(errno.EADDRINUSE, other.bind, address)


@probe
def no_stream_socket_is_bound_to_a_group_or_to_all():
    for host in ("255.255.255.255", "224.0.0.1"):
        if ON_TERN:
            fails(errno.EADDRNOTAVAIL, socket.socket().bind, (host, 0))
        else:
            socket.socket().bind((host, 0))


def limit_numbers(count):
    """Descriptors below count only; those of them that are free."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    return count - len([fd for fd in used if fd < count]) + 1  # that of the directory


@probe
def below_a_low_limit_there_is_a_socket_less():
    def count():
        free, made = limit_numbers(40), []
        try:
            while True:
                made.append(socket.socket())
        except OSError as error:
            same(error.errno, errno.EMFILE)
        same(len(made), free - 1 if ON_TERN else free)
    reap(child(count))


@probe
def a_child_without_a_free_number_cannot_ask():
    s, _other = accepted()

    def full():
        taken = [os.dup(0) for _ in range(limit_numbers(40))]
        fails(errno.EMFILE, os.dup, 0)
        if ON_TERN:
            fails(errno.EMFILE, s.setsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
        else:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
        s.send(b"data needs no asking")
        os.close(taken[0])
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10000)
    reap(child(full))


STATIC = '''
#include <arpa/inet.h>
int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	return argc != 2 || inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1 ||
	       bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&addr, sizeof(addr)) < 0;
}
'''


@probe
def a_static_program_further_down_is_the_kernels():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "static")
        subprocess.run(["gcc", "-static", "-xc", "-o", path, "-"], input=STATIC.encode(),
                       check=True)
        same(subprocess.run([path, OWN], check=False).returncode, 1 if ON_TERN else 0)


@probe
def options_that_tern_does_not_know_are_refused():
    s, _other = accepted()
    for level, name in ((socket.SOL_SOCKET, SO_TIMESTAMP), (socket.SOL_SOCKET, SO_ZEROCOPY),
                        (socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IP, IP_PKTINFO)):
        s.setsockopt(level, name, 0)
        if ON_TERN:
            fails((errno.ENOPROTOOPT, errno.EOPNOTSUPP), s.setsockopt, level, name, 1)
        else:
            s.setsockopt(level, name, 1)


@probe
def a_write_that_goes_with_the_syn_does_not_wait_for_the_answer():
    far, address = peer.listen()
    far.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 1)
    same(socket.socket().sendto(b"x", MSG_FASTOPEN, address), 1)  # learns the cookie
    far.close()
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    s.connect(address)
    if ON_TERN:
        same(s.send(b"x"), 1)
    fails(errno.ECONNREFUSED, s.recv if ON_TERN else s.send, 1 if ON_TERN else b"x")


@probe
def the_kernels_ss_does_not_show_them():
    _s, address = listener()
    done = subprocess.run(["ss", "-Hltn", f"sport = :{address[1]}"], capture_output=True,
                          text=True, check=True)
    same(bool(done.stdout), not ON_TERN)
    check(os.stat("/proc/net/tcp"), "no such view")


@probe
def names_are_resolved_by_the_kernel():
    needs_mounts()
    server = peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((PEER, 53))
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
        f.write(f"nameserver {PEER}\noptions attempts:1 timeout:1\n")
        f.flush()
        asks = subprocess.Popen(["unshare", "--mount", "sh", "-c",
                                 f"mount --bind {f.name} /etc/resolv.conf && "
                                 "getent ahosts name.of.nobody.test"])
        _question, source = server.recvfrom(1000)
        asks.kill()
        asks.wait()
    check(source[0] != "10.77.0.2", "tern asks: take it off the table")


main()
