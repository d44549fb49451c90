#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of opening connections: bind, listen, connect, accept, their errors, options and names.
How they are run: probe.py."""

import ctypes
import errno
import os
import platform
import resource
import select
import signal
import socket
import struct
import threading
import time

from probe import (OWN, OWN6, PEER, accepted, check, child, connected, error_of, fails, libc,
                   listener, main, peer, probe, reap, same, wait_until)

TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_LISTEN = 1, 8, 10
NOBODY = 65534


def stream():
    return socket.socket(socket.AF_INET)


def reuse(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s


def full_listener():
    """A listener of the peer that answers no further SYN, and what holds it."""
    s, address = peer.listen(0)
    holders = []
    for _ in range(3):
        holder = peer.socket()
        holder.setblocking(False)
        try:
            holder.connect(address)
        except BlockingIOError:
            pass
        holders.append(holder)
    time.sleep(0.1)
    return s, address, holders


@probe
def connect_in_progress_ends_with_an_edge_of_writing_and_no_error():
    s, address = peer.listen()
    own = stream()
    own.setblocking(False)
    epoll = select.epoll()
    epoll.register(own, select.EPOLLOUT | select.EPOLLIN | select.EPOLLET)
    epoll.poll(0)
    same(own.connect_ex(address), errno.EINPROGRESS)
    got = epoll.poll(3)
    while got and got[0][1] & select.EPOLLHUP:
        got = epoll.poll(3)
    same(got, [(own.fileno(), select.EPOLLOUT)])
    same(error_of(own), 0)
    same(own.connect_ex(address) in (0, errno.EISCONN), True)
    own.send(b"x")
    same(s.accept()[0].recv(1), b"x")


@probe
def connect_again_while_in_progress_is_ealready():
    _keep, address, _holders = full_listener()
    own = stream()
    own.setblocking(False)
    same(own.connect_ex(address), errno.EINPROGRESS)
    same(own.connect_ex(address), errno.EALREADY)
    same(select.select([], [own], [], 0.1)[1], [])


@probe
def connect_twice_is_eisconn():
    own, _other = connected()
    fails(errno.EISCONN, own.connect, (PEER, 9))


@probe
def a_closed_port_refuses():
    fails(errno.ECONNREFUSED, stream().connect, (PEER, 9))
    own = stream()
    own.setblocking(False)
    same(own.connect_ex((PEER, 9)), errno.EINPROGRESS)
    poller = select.poll()
    poller.register(own, select.POLLOUT | select.POLLIN)
    got = poller.poll(3000)[0][1]
    same(got & (select.POLLOUT | select.POLLERR | select.POLLHUP),
         select.POLLOUT | select.POLLERR | select.POLLHUP)
    same(error_of(own), errno.ECONNREFUSED)
    same(error_of(own), 0)


@probe
def a_socket_that_was_refused_may_connect_again():
    s, address = peer.listen()
    own = stream()
    fails(errno.ECONNREFUSED, own.connect, (PEER, 9))
    own.connect(address)
    own.sendall(b"second try")
    same(s.accept()[0].recv(100), b"second try")


@probe
def connect_without_answer_times_out():
    _keep, address, _holders = full_listener()
    own = stream()
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    begun = time.monotonic()
    fails(errno.ETIMEDOUT, own.connect, address)
    check(1 < time.monotonic() - begun < 8, time.monotonic() - begun)


@probe
def a_timeout_of_sending_ends_connect():
    _keep, address, _holders = full_listener()
    own = stream()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
    begun = time.monotonic()
    fails(errno.EINPROGRESS, own.connect, address)
    check(0.15 < time.monotonic() - begun < 2, time.monotonic() - begun)
    fails(errno.EALREADY, own.connect, address)
    check(0.35 < time.monotonic() - begun < 4, time.monotonic() - begun)


def raw_connect(s, address):
    """connect(2) as it is: Python's would be repeated after a signal."""
    name = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(address[1]),
                       socket.inet_aton(address[0]))
    result = libc.connect(s.fileno(), name, len(name))
    return ctypes.get_errno() if result < 0 else 0


def interrupted(call, restart):
    """call() while a signal comes, whose handler is set with or without SA_RESTART."""
    came = []
    signal.signal(signal.SIGUSR1, lambda *_: came.append(1))
    signal.siginterrupt(signal.SIGUSR1, not restart)
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGUSR1])
    timer.start()
    got = call()
    timer.join()
    return got


@probe
def a_signal_interrupts_connect_which_goes_on():
    _keep, address, _holders = full_listener()
    own = stream()
    same(interrupted(lambda: raw_connect(own, address), False), errno.EINTR)
    own.setblocking(False)
    same(raw_connect(own, address), errno.EALREADY)


@probe
def a_signal_with_restart_leaves_connect_waiting():
    _keep, address, _holders = full_listener()
    own = stream()
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    begun = time.monotonic()
    same(interrupted(lambda: raw_connect(own, address), True), errno.ETIMEDOUT)
    check(time.monotonic() - begun > 1, "it did not wait")


@probe
def a_signal_interrupts_accept():
    s, _address = listener()

    def accept():
        result = libc.accept(s.fileno(), None, None)
        return ctypes.get_errno() if result < 0 else 0
    same(interrupted(accept, False), errno.EINTR)


@probe
def a_signal_with_restart_leaves_accept_waiting():
    s, address = listener()
    others = []
    connect = threading.Timer(0.5, lambda: others.append(peer.connect(address)))
    connect.start()
    fd = interrupted(lambda: libc.accept(s.fileno(), None, None), True)
    connect.join()
    check(fd >= 0, "interrupted")
    os.close(fd)


@probe
def shutdown_of_a_listener_wakes_accept_with_einval():
    s, address = listener()
    threading.Timer(0.2, s.shutdown, [socket.SHUT_RDWR]).start()
    fails(errno.EINVAL, s.accept)
    fails(errno.EINVAL, s.accept)
    fails(errno.ECONNREFUSED, peer.connect, address)
    s.listen()
    peer.connect(s.getsockname())
    s.accept()


@probe
def shutdown_by_another_thread_ends_recv():
    s, _other = accepted()
    threading.Timer(0.2, s.shutdown, [socket.SHUT_RDWR]).start()
    same(s.recv(10), b"")


@probe
def accept_at_the_limit_of_descriptors_keeps_the_connection():
    s, address = listener()
    other = peer.connect(address)
    other.sendall(b"patient")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(s.fileno() + 40, 64), hard))
    taken = []
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError as error:
            same(error.errno, errno.EMFILE)
        for _ in range(3):
            fails(errno.EMFILE, s.accept)
        os.close(taken.pop())
        own, source = s.accept()
        same(source, tuple(other.getsockname()))
        same(own.recv(100), b"patient")
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@probe
def socket_at_the_limit_of_descriptors_is_emfile():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    taken = []
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        fails(errno.EMFILE, stream)
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@probe
def a_full_accept_queue_answers_no_more_syns():
    s, address = listener(backlog=3)
    others = []
    for _ in range(12):
        other = peer.socket()
        other.setblocking(False)
        try:
            other.connect(address)
        except BlockingIOError:
            pass
        others.append(other)
    time.sleep(0.3)
    s.settimeout(0.2)
    count = 0
    try:
        while count < 12:
            s.accept()
            count += 1
    except TimeoutError:
        pass
    check(4 <= count < 12, count, "of 12 with a backlog of 3")


@probe
def a_port_is_taken_while_somebody_listens():
    _s, address = listener()
    fails(errno.EADDRINUSE, stream().bind, address)
    fails(errno.EADDRINUSE, reuse(stream()).bind, address)


@probe
def reuseport_lets_several_listen():
    def one(port):
        s = stream()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind((OWN, port))
        s.listen()
        return s
    first = one(0)
    second = one(first.getsockname()[1])
    for _ in range(20):
        peer.connect(first.getsockname())
    count = 0
    while count < 20:
        for s in select.select([first, second], [], [], 2)[0]:
            s.accept()
            count += 1


@probe
def a_server_that_closed_first_starts_again_only_with_reuseaddr():
    s, address = listener()
    other = peer.connect(address)
    own, _ = s.accept()
    own.close()
    same(other.recv(1), b"")
    other.close()
    s.close()
    time.sleep(0.1)
    fails(errno.EADDRINUSE, stream().bind, address)
    again = reuse(stream())
    again.bind(address)
    again.listen()
    peer.connect(address)
    again.accept()


@probe
def low_ports_need_a_capability():
    s = stream()
    s.bind((OWN, 77))
    s.close()

    def as_nobody():
        os.setuid(NOBODY)
        fails(errno.EACCES, stream().bind, (OWN, 78))
        stream().bind((OWN, 1078))
    reap(child(as_nobody))


@probe
def addresses_that_are_not_ours_cannot_be_bound():
    fails(errno.EADDRNOTAVAIL, stream().bind, ("192.0.2.77", 0))
    s = stream()
    s.bind((OWN, 0))
    fails(errno.EINVAL, s.bind, (OWN, 0))
    fails(errno.EAFNOSUPPORT, raw_bind, stream(), socket.AF_INET6)


def raw_bind(s, family):
    name = struct.pack("=HH24x", family, 0)
    if libc.bind(s.fileno(), name, len(name)) < 0:
        raise OSError(ctypes.get_errno(), "bind")


@probe
def names_of_both_ends_are_as_the_peer_sees_them():
    for make in (accepted, connected):
        own, other = make()
        same(own.getsockname(), tuple(other.getpeername()))
        same(own.getpeername(), tuple(other.getsockname()))
    s = stream()
    fails(errno.ENOTCONN, s.getpeername)
    same(s.getsockname(), ("0.0.0.0", 0))
    s.bind((OWN, 0))
    check(s.getsockname()[1] > 0, "no port")
    bound, _ = listener(OWN6)
    same(len(bound.getsockname()), 4)


@probe
def listen_without_bind_takes_a_port():
    s = stream()
    s.listen()
    port = s.getsockname()[1]
    check(port, "no port")
    peer.connect((OWN, port))
    s.accept()


@probe
def bind_before_connect_fixes_the_source():
    s, address = peer.listen()
    own = stream()
    own.bind((OWN, 0))
    port = own.getsockname()[1]
    own.connect(address)
    same(tuple(s.accept()[1]), (OWN, port))


@probe
def wrong_calls_fail_as_on_linux():
    own, _other = accepted()
    fails(errno.ENOTCONN, stream().shutdown, socket.SHUT_WR)
    fails(errno.ENOTCONN, stream().recv, 1)
    fails(errno.EINVAL, stream().accept)
    fails(errno.EINVAL, own.accept)
    fails(errno.EINVAL, own.listen)
    fails(errno.EISCONN, own.connect, own.getpeername())
    s, _address = listener()
    fails(errno.EISCONN, s.connect, (PEER, 9))


@probe
def unknown_sockets_are_refused():
    fails(errno.EPROTONOSUPPORT, socket.socket, socket.AF_INET, socket.SOCK_STREAM, 17)
    fails(errno.ESOCKTNOSUPPORT, socket.socket, socket.AF_INET, socket.SOCK_SEQPACKET, 0)
    fails(errno.EINVAL, socket.socket, socket.AF_INET, 99, 0)


@probe
def the_kinds_of_a_socket_are_told():
    s, _address = listener()
    own, _other = accepted()
    for one, listening in ((s, 1), (own, 0), (stream(), 0)):
        level = socket.SOL_SOCKET
        same(one.getsockopt(level, socket.SO_DOMAIN), socket.AF_INET)
        same(one.getsockopt(level, socket.SO_TYPE), socket.SOCK_STREAM)
        same(one.getsockopt(level, socket.SO_PROTOCOL), socket.IPPROTO_TCP)
        same(one.getsockopt(level, socket.SO_ACCEPTCONN), listening)
        same(one.getsockopt(level, socket.SO_ERROR), 0)


@probe
def options_keep_what_they_are_given():
    tcp, sol = socket.IPPROTO_TCP, socket.SOL_SOCKET
    own, _other = accepted()
    for s in (stream(), own):
        for level, name, value in ((tcp, socket.TCP_NODELAY, 1), (sol, socket.SO_KEEPALIVE, 1),
                                   (tcp, socket.TCP_KEEPIDLE, 77), (tcp, socket.TCP_KEEPINTVL, 7),
                                   (tcp, socket.TCP_KEEPCNT, 5), (sol, socket.SO_REUSEADDR, 1),
                                   (sol, socket.SO_REUSEPORT, 1), (tcp, socket.TCP_CORK, 1),
                                   (tcp, socket.TCP_USER_TIMEOUT, 5000),
                                   (tcp, socket.TCP_QUICKACK, 1), (sol, socket.SO_OOBINLINE, 1)):
            s.setsockopt(level, name, value)
            check(s.getsockopt(level, name) in (value, True), level, name,
                  s.getsockopt(level, name))
        s.setsockopt(sol, socket.SO_SNDBUF, 40000)
        same(s.getsockopt(sol, socket.SO_SNDBUF), 80000)
        s.setsockopt(sol, socket.SO_RCVBUF, 50000)
        same(s.getsockopt(sol, socket.SO_RCVBUF), 100000)
        s.setsockopt(sol, socket.SO_LINGER, struct.pack("ii", 1, 9))
        same(s.getsockopt(sol, socket.SO_LINGER, 8), struct.pack("ii", 1, 9))
        s.setsockopt(sol, socket.SO_LINGER, struct.pack("ii", 0, 0))


@probe
def options_that_are_none_are_refused():
    s = stream()
    fails(errno.ENOPROTOOPT, s.getsockopt, socket.IPPROTO_TCP, 9999)
    fails(errno.ENOPROTOOPT, s.setsockopt, socket.IPPROTO_TCP, 9999, 1)
    fails(errno.EINVAL, s.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, b"")
    fails(errno.EINVAL, s.setsockopt, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0)
    fails(errno.ENOPROTOOPT, s.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


@probe
def a_length_below_zero_is_refused_before_all_else():
    value, length = ctypes.create_string_buffer(8), ctypes.c_int(-1)
    for s in (stream(), accepted()[0]):
        for where in (value, None):
            same(libc.getsockopt(s.fileno(), socket.SOL_SOCKET, socket.SO_TYPE, where,
                                 ctypes.byref(length)), -1)
            same(ctypes.get_errno(), errno.EINVAL)
        length = ctypes.c_int(4)
        same(libc.getsockopt(s.fileno(), socket.SOL_SOCKET, socket.SO_TYPE, None,
                             ctypes.byref(length)), -1)
        same(ctypes.get_errno(), errno.EFAULT)
        length = ctypes.c_int(-1)


@probe
def connections_inherit_options_of_their_listener():
    s = stream()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.bind((OWN, 0))
    s.listen()
    peer.connect(s.getsockname())
    own, _ = s.accept()
    same(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
    same(own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)


@probe
def tcp_info_tells_the_state_and_bytes():
    own, other = accepted()
    info = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    check(len(info) >= 104, len(info))
    same(info[0], TCP_ESTABLISHED)
    check(struct.unpack_from("I", info, 16)[0] in range(500, 65536), "snd_mss")
    check(struct.unpack_from("I", info, 68)[0] > 0, "rtt")
    own.sendall(b"12345")
    same(other.recv(5), b"12345")
    other.close()
    wait_until(lambda: own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)[0] ==
               TCP_CLOSE_WAIT)
    s, _address = listener()
    same(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)[0], TCP_LISTEN)
    name = own.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    check(name.rstrip(b"\0").isalnum(), name)


@probe
def v6only_parts_the_families_and_dual_listeners_join_them():
    both = socket.socket(socket.AF_INET6)
    both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    both.bind(("::", 0))
    both.listen()
    port = both.getsockname()[1]
    other = peer.connect((OWN, port))
    own, source = both.accept()
    same(source[0], "::ffff:" + PEER if other.getsockname()[0] == PEER
         else "::ffff:" + other.getsockname()[0])
    same(own.getsockname()[0], "::ffff:" + OWN)
    peer.connect((OWN6, port))
    both.accept()
    only = socket.socket(socket.AF_INET6)
    only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    same(only.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), 1)
    only.bind(("::", 0))
    only.listen()
    fails(errno.ECONNREFUSED, peer.connect, (OWN, only.getsockname()[1]))
    beside = stream()
    beside.bind(("0.0.0.0", only.getsockname()[1]))


@probe
def a_mapped_address_connects_by_ipv4():
    s, address = peer.listen()
    own = socket.socket(socket.AF_INET6)
    own.connect(("::ffff:" + address[0], address[1]))
    same(tuple(s.accept()[1])[0], own.getsockname()[0][7:])


@probe
def many_threads_connect_and_accept_at_once():
    s, address = listener(backlog=64)
    target, target_address = peer.listen(128)
    got, wrong = [], []

    def accept():
        own, _ = s.accept()
        got.append(own.recv(10))
        own.close()

    def connect():
        try:
            with socket.create_connection(target_address) as own:
                own.sendall(b"x")
        except OSError as error:
            wrong.append(error)
    threads = [threading.Thread(target=accept) for _ in range(16)]
    threads += [threading.Thread(target=connect) for _ in range(16)]
    for thread in threads:
        thread.start()
    for _ in range(16):
        peer.connect(address).sendall(b"hello")
    for thread in threads:
        thread.join()
    same((got, wrong), ([b"hello"] * 16, []))
    for _ in range(16):
        same(target.accept()[0].recv(1), b"x")


@probe
def a_timeout_of_the_user_ends_a_connection_with_etimedout():
    s, address = peer.listen()
    own = stream()
    own.setsockopt(socket.IPPROTO_TCP, 18, 700)  # TCP_USER_TIMEOUT
    own.connect(address)
    other, _ = s.accept()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2000)
    own.setblocking(False)
    try:
        while True:
            own.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    own.setblocking(True)
    fails(errno.ETIMEDOUT, own.recv, 1)


@probe
def calls_by_number_are_those_by_name():
    s, address = listener()
    number = {"x86_64": 51, "aarch64": 204}.get(platform.machine())  # getsockname()
    if number is None:
        return
    name, length = ctypes.create_string_buffer(128), ctypes.c_uint(128)
    same(libc.syscall(number, s.fileno(), name, ctypes.byref(length)), 0)
    same(struct.unpack_from("=H", name.raw)[0], socket.AF_INET)
    same(struct.unpack_from("!H", name.raw, 2)[0], address[1])
    same(libc.syscall(number, -1, name, ctypes.byref(length)), -1)
    same(ctypes.get_errno(), errno.EBADF)


main()
