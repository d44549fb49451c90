#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of datagram sockets. How they are run: probe.py."""

import array
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import tempfile
import termios
import threading
import time

from probe import (ON_TERN, OWN, OWN6, PEER, PEER6, check, child, error_of, fails, libc, main,
                   peer, probe, reap, same, wait_until)

LARGEST = 65507


def own_socket(host=OWN):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, 0))
    return s


def far_socket(host=PEER):
    s = peer.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, 0))
    return s, s.getsockname()[:2]


def pair():
    """Our socket and the peer's, each connected to the other."""
    s = own_socket()
    far, address = far_socket()
    s.connect(address)
    far.connect(s.getsockname())
    return s, far


@probe
def datagrams_go_there_and_back_with_their_addresses():
    for host, other in ((OWN, PEER), (OWN6, PEER6)):
        s = own_socket(host)
        far, address = far_socket(other)
        same(s.sendto(b"question", address), 8)
        data, source = far.recvfrom(100)
        same((data, source[:2]), (b"question", s.getsockname()[:2]))
        far.sendto(b"answer", s.getsockname())
        data, source = s.recvfrom(100)
        same((data, source[:2]), (b"answer", address))


@probe
def boundaries_are_kept():
    s, far = pair()
    for size in (1, 1000, 0, 3):
        far.send(b"x" * size)
    same([len(s.recv(2000)) for _ in range(4)], [1, 1000, 0, 3])
    for size in (1, 1000, 0, 3):
        s.send(b"x" * size)
    same([len(far.recv(2000)) for _ in range(4)], [1, 1000, 0, 3])


@probe
def an_empty_datagram_is_one():
    s, far = pair()
    far.send(b"")
    check(select.select([s], [], [], 3)[0], "nothing to read")
    same(s.recvfrom(10)[1], tuple(far.getsockname()))
    same(s.send(b""), 0)
    same(far.recv(10), b"")


@probe
def the_largest_datagram_passes_and_a_larger_one_is_emsgsize():
    s, far = pair()
    data = os.urandom(LARGEST)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 200000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200000)
    same(s.send(data), LARGEST)
    check(far.recv(70000) == data, "what arrived there differs")
    far.send(data)
    check(s.recv(70000) == data, "what arrived here differs")
    fails(errno.EMSGSIZE, s.send, data + b"x")


@probe
def what_does_not_fit_is_cut_and_msg_trunc_tells():
    s, far = pair()
    far.send(b"0123456789")
    far.send(b"0123456789")
    far.send(b"next")
    same(s.recv(4), b"0123")
    data, _, flags, _ = s.recvmsg(4)
    same((data, bool(flags & socket.MSG_TRUNC)), (b"0123", True))
    same(s.recv(10), b"next")
    far.send(b"0123456789")
    buf = ctypes.create_string_buffer(4)
    same(libc.recv(s.fileno(), buf, 4, socket.MSG_TRUNC), 10)


@probe
def peek_leaves_a_datagram():
    s, far = pair()
    far.send(b"look")
    same(s.recv(2, socket.MSG_PEEK), b"lo")
    same(s.recvfrom(10, socket.MSG_PEEK), (b"look", tuple(far.getsockname())))
    same(s.recv(10), b"look")


@probe
def a_connected_socket_hears_only_its_peer():
    s, far = pair()
    stranger, _ = far_socket()
    stranger.sendto(b"strange", s.getsockname())
    far.send(b"known")
    same(s.recv(100), b"known")
    fails(errno.EAGAIN, s.recv, 100, socket.MSG_DONTWAIT)


@probe
def a_connected_socket_may_send_elsewhere_and_part_again():
    s, _far = pair()
    stranger, address = far_socket()
    same(s.sendto(b"hello", address), 5)
    same(stranger.recv(10), b"hello")
    unspec = struct.pack("=H14x", socket.AF_UNSPEC)
    same(libc.connect(s.fileno(), unspec, len(unspec)), 0)
    fails(errno.ENOTCONN, s.getpeername)
    fails(errno.EDESTADDRREQ, s.send, b"x")


@probe
def without_destination_there_is_edestaddrreq():
    s = own_socket()
    fails(errno.EDESTADDRREQ, s.send, b"x")
    fails(errno.EDESTADDRREQ, os.write, s.fileno(), b"x")


@probe
def a_closed_port_refuses_connected_sockets():
    s = own_socket()
    s.connect((PEER, 9))
    s.send(b"x")
    check(select.select([s], [], [], 3)[0], "nobody says anything")
    fails(errno.ECONNREFUSED, s.recv, 10)
    s.send(b"x")
    wait_until(lambda: select.select([s], [], [], 0)[0])
    fails(errno.ECONNREFUSED, s.send, b"x")
    fails(errno.EAGAIN, s.recv, 10, socket.MSG_DONTWAIT)


@probe
def so_error_tells_and_takes_what_icmp_said():
    s = own_socket()
    s.connect((PEER, 9))
    s.send(b"x")
    check(select.select([s], [], [], 3)[0], "nobody says anything")
    same(error_of(s), errno.ECONNREFUSED)
    same(error_of(s), 0)
    fails(errno.EAGAIN, s.recv, 10, socket.MSG_DONTWAIT)


@probe
def a_closed_port_leaves_unconnected_sockets_alone():
    s = own_socket()
    s.sendto(b"x", (PEER, 9))
    time.sleep(0.2)
    fails(errno.EAGAIN, s.recv, 10, socket.MSG_DONTWAIT)


@probe
def our_closed_port_refuses_theirs():
    far, _ = far_socket()
    far.connect((OWN, 9))
    far.send(b"x")
    fails(errno.ECONNREFUSED, far.recv, 10)


@probe
def a_port_is_given_with_the_first_datagram_or_connect():
    far, address = far_socket()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"x", address)
    same(s.getsockname()[1], far.recvfrom(10)[1][1])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(address)
    same(s.getsockname()[0], OWN if ON_TERN else PEER)
    same(s.getpeername(), address)


@probe
def ports_are_taken_as_on_linux():
    s = own_socket()
    fails(errno.EADDRINUSE, socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind, s.getsockname())
    shared = []
    for _ in range(2):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((OWN, shared[0].getsockname()[1] if shared else 0))
        shared.append(one)


@probe
def readiness_is_told_by_select_poll_and_epoll():
    s, far = pair()
    epoll, poller = select.epoll(), select.poll()
    epoll.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    poller.register(s, select.POLLIN | select.POLLOUT)
    same(epoll.poll(1), [(s.fileno(), select.EPOLLOUT)])
    same(poller.poll(1), [(s.fileno(), select.POLLOUT)])
    far.send(b"x")
    wait_until(lambda: poller.poll(0) == [(s.fileno(), select.POLLIN | select.POLLOUT)])
    same(epoll.poll(1), [(s.fileno(), select.EPOLLIN | select.EPOLLOUT)])
    same(epoll.poll(0.05), [])
    same(s.recv(10), b"x")
    same(poller.poll(0), [(s.fileno(), select.POLLOUT)])


@probe
def waiting_ends_by_data_time_and_dontwait():
    s, far = pair()
    threading.Timer(0.2, far.send, [b"late"]).start()
    same(s.recv(10), b"late")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 100000))
    begun = time.monotonic()
    fails(errno.EAGAIN, s.recv, 10)
    check(0.08 < time.monotonic() - begun < 1, "time")
    fails(errno.EAGAIN, s.recv, 10, socket.MSG_DONTWAIT)
    s.setblocking(False)
    fails(errno.EAGAIN, s.recv, 10)


@probe
def read_and_write_and_their_kin_carry_datagrams():
    s, far = pair()
    same(os.write(s.fileno(), b"plain"), 5)
    same(far.recv(100), b"plain")
    same(os.writev(s.fileno(), [b"ab", b"", b"c"]), 3)
    same(far.recv(100), b"abc")
    same(s.sendmsg([b"de", b"f"], [], 0), 3)
    same(far.recv(100), b"def")
    same(s.sendmsg([b"to"], [], 0, tuple(far.getsockname())), 2)
    same(far.recv(100), b"to")
    far.send(b"0123456789")
    same(os.read(s.fileno(), 100), b"0123456789")
    far.send(b"0123456789")
    first, second = bytearray(3), bytearray(100)
    same(os.readv(s.fileno(), [first, second]), 10)
    same(bytes(first) + bytes(second[:7]), b"0123456789")
    far.send(b"0123456789")
    data, ancillary, flags, source = s.recvmsg(100)
    same((data, ancillary, flags, source),
         (b"0123456789", [], 0, tuple(far.getsockname())))


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint),
                ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", Msghdr), ("len", ctypes.c_uint)]


def many(sizes):
    """An array for sendmmsg() and recvmmsg(), and what keeps its buffers alive."""
    buffers = [ctypes.create_string_buffer(b"x" * size, max(size, 1)) for size in sizes]
    names = [ctypes.create_string_buffer(16) for _ in sizes]
    vectors = [Iovec(ctypes.addressof(b), size) for b, size in zip(buffers, sizes)]
    array_of = (Mmsghdr * len(sizes))()
    for entry, vector in zip(array_of, vectors):
        entry.hdr.iov, entry.hdr.iovlen = ctypes.pointer(vector), 1
    return array_of, (buffers, names, vectors)


@probe
def several_datagrams_go_with_one_call():
    s, far = pair()
    out, _keep = many([1, 2, 0, 4])
    same(libc.sendmmsg(s.fileno(), out, 4, 0), 4)
    same([entry.len for entry in out], [1, 2, 0, 4])
    same([len(far.recv(10)) for _ in range(4)], [1, 2, 0, 4])
    for size in (3, 0, 5):
        far.send(b"y" * size)
    wait_until(lambda: select.select([s], [], [], 0)[0])
    time.sleep(0.1)
    into, keep = many([100] * 8)
    for entry, name in zip(into, keep[1]):
        entry.hdr.name, entry.hdr.namelen = ctypes.addressof(name), 16
    same(libc.recvmmsg(s.fileno(), into, 8, socket.MSG_DONTWAIT, None), 3)
    same([entry.len for entry in into][:3], [3, 0, 5])
    same(keep[0][0].raw[:3], b"yyy")
    port = struct.unpack_from("!H", keep[1][0].raw, 2)[0]
    same(port, far.getsockname()[1])


@probe
def fionread_is_the_next_datagrams_length():
    s, far = pair()
    count = array.array("i", [77])
    fcntl.ioctl(s, termios.FIONREAD, count)
    same(count[0], 0)
    far.send(b"12345")
    far.send(b"123")
    wait_until(lambda: select.select([s], [], [], 0)[0])
    fcntl.ioctl(s, termios.FIONREAD, count)
    same(count[0], 5)


@probe
def options_and_kinds_are_those_of_datagrams():
    s = own_socket()
    level = socket.SOL_SOCKET
    same(s.getsockopt(level, socket.SO_TYPE), socket.SOCK_DGRAM)
    same(s.getsockopt(level, socket.SO_DOMAIN), socket.AF_INET)
    same(s.getsockopt(level, socket.SO_PROTOCOL), socket.IPPROTO_UDP)
    s.setsockopt(level, socket.SO_BROADCAST, 1)
    same(s.getsockopt(level, socket.SO_BROADCAST), 1)
    s.setsockopt(level, socket.SO_RCVBUF, 100000)
    same(s.getsockopt(level, socket.SO_RCVBUF), 200000)
    fails(errno.EOPNOTSUPP, s.listen)
    fails(errno.EOPNOTSUPP, s.accept)


@probe
def broadcast_needs_permission():
    s = own_socket()
    fails(errno.EACCES, s.connect, ("255.255.255.255", 9))


@probe
def a_reader_that_waits_loses_the_newest_and_keeps_the_oldest():
    s, far = pair()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
    for number in range(2000):
        far.send(struct.pack("I", number) + bytes(1000))
    time.sleep(0.2)
    s.setblocking(False)
    got = []
    try:
        while True:
            got.append(struct.unpack_from("I", s.recv(2000))[0])
    except BlockingIOError:
        pass
    check(5 < len(got) < 1000, len(got), "of 2000 were kept")
    same(got[:5], [0, 1, 2, 3, 4])


@probe
def a_child_shares_the_socket():
    s, far = pair()

    def answer():
        s.send(s.recv(100).upper())
    pid = child(answer)
    far.send(b"question")
    same(far.recv(100), b"QUESTION")
    reap(pid)


@probe
def closing_frees_the_port():
    s = own_socket()
    address = s.getsockname()
    s.close()

    def bound():
        again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            again.bind(address)
            return True
        except OSError:
            return False
    wait_until(bound)


@probe
def dup_and_close_on_exec_hold_for_datagrams_too():
    s, far = pair()
    copy = os.dup(s.fileno())
    s.close()
    os.write(copy, b"still there")
    same(far.recv(100), b"still there")
    os.close(copy)


@probe
def datagrams_sent_by_other_calls_go_to_the_connected_peer():
    s, far = pair()
    with tempfile.TemporaryFile() as f:
        f.write(b"out of a file")
        f.flush()
        same(os.sendfile(s.fileno(), f.fileno(), 0, 13), 13)
    same(far.recv(100), b"out of a file")
    number = {"x86_64": 307, "aarch64": 269}.get(platform.machine())  # sendmmsg()
    if number is not None:
        out, _keep = many([3, 5])
        same(libc.syscall(number, s.fileno(), out, 2, 0), 2)
        same([len(far.recv(10)) for _ in range(2)], [3, 5])


main()
