#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of Fast Open, both ends, and of TCP_DEFER_ACCEPT. The order counts: the first learns the
cookie of the other side."""

import errno
import select
import socket
import time

from probe import OWN, check, fails, listener, main, peer, probe, same

TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_KEY, TCP_FASTOPEN_NO_COOKIE = 23, 30, 33, 34
MSG_FASTOPEN = 0x20000000
SYN_DATA = 32  # of tcpi_options


def with_syn(s):
    """Did data of this connection's SYN arrive?"""
    return bool(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)[5] & SYN_DATA)


def far_listener():
    far, address = peer.listen()
    far.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    return far, address


def read(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            break
        data += part
    return data


def deferring():
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    return s


@probe
def without_a_cookie_the_send_is_an_ordinary_connect():
    far, address = far_listener()
    s = socket.socket()
    s.setblocking(False)
    fails(errno.EINPROGRESS, s.sendto, b"early", MSG_FASTOPEN, address)
    check(select.select([], [s], [], 5)[1], "not connected")
    same(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
    same(s.send(b"late"), 4)
    other, _ = far.accept()
    same(read(other, 4), b"late")
    check(not with_syn(other), "with the SYN")


@probe
def with_a_cookie_data_goes_with_the_syn():
    far, address = far_listener()
    s = socket.socket()
    same(s.sendto(b"early", MSG_FASTOPEN, address), 5)
    other, _ = far.accept()
    same(read(other, 5), b"early")
    check(with_syn(other), "behind the handshake")
    check(with_syn(s), "this side does not know")
    other.sendall(b"answer")
    same(read(s, 6), b"answer")
    same(s.send(b"more"), 4)
    same(read(other, 4), b"more")


@probe
def so_it_does_without_blocking():
    far, address = far_listener()
    s = socket.socket()
    s.setblocking(False)
    same(s.sendmsg([b"in ", b"parts"], [], MSG_FASTOPEN, address), 8)
    other, _ = far.accept()
    same(read(other, 8), b"in parts")
    check(with_syn(other), "behind the handshake")
    check(select.select([], [s], [], 5)[1], "not writable")


@probe
def more_than_a_syn_holds_is_sent_whole():
    far, address = far_listener()
    data = bytes(range(256)) * 200
    s = socket.socket()
    same(s.sendmsg([data[:1000], data[1000:1001], data[1001:]], [], MSG_FASTOPEN, address),
         len(data))
    s.close()
    other, _ = far.accept()
    same(other.read_all(), data)
    check(with_syn(other), "behind the handshake")


@probe
def a_connect_leaves_the_syn_to_the_first_write():
    far, address = far_listener()
    s = deferring()
    s.connect(address)
    far.setblocking(False)
    time.sleep(0.05)
    fails(errno.EAGAIN, far.accept)
    check(select.select([], [s], [], 0)[1], "not writable")
    s.sendall(b"request")
    time.sleep(0.05)
    other, _ = far.accept()
    other.setblocking(True)
    same(read(other, 7), b"request")
    check(with_syn(other), "behind the handshake")
    other.sendall(b"reply")
    same(read(s, 5), b"reply")


@probe
def and_to_such_a_send():
    far, address = far_listener()
    s = deferring()
    s.connect(address)
    same(s.sendto(b"request", MSG_FASTOPEN, address), 7)
    other, _ = far.accept()
    same(read(other, 7), b"request")
    check(with_syn(other), "behind the handshake")


@probe
def what_is_written_before_the_end_arrives():
    for blocking in (True, False):
        far, address = far_listener()
        data = b"x" * 5000
        s = deferring()
        s.connect(address)
        s.sendall(data)
        if blocking:
            s.shutdown(socket.SHUT_WR)
        else:
            s.close()
        other, _ = far.accept()
        same(other.read_all(), data)
        check(with_syn(other), "behind the handshake")


@probe
def a_connect_that_is_closed_before_it_writes_was_none():
    far, address = far_listener()
    s = deferring()
    s.connect(address)
    s.close()
    far.setblocking(False)
    time.sleep(0.1)
    fails(errno.EAGAIN, far.accept)


@probe
def who_refuses_is_told_of():
    far, address = far_listener()
    far.close()
    fails(errno.ECONNREFUSED, socket.socket().sendto, b"x", MSG_FASTOPEN, address)
    s = deferring()
    s.setblocking(False)
    s.connect(address)
    same(s.send(b"x"), 1)
    check(select.select([s], [], [], 5)[0], "not told")
    fails(errno.ECONNREFUSED, s.recv, 10)


@probe
def a_connection_that_stands_takes_no_such_send():
    _far, address = far_listener()
    s = socket.create_connection(address)
    fails(errno.EISCONN, s.sendto, b"x", MSG_FASTOPEN, address)
    same(s.send(b"x"), 1)


@probe
def a_listener_takes_data_of_a_syn():
    s = socket.create_server((OWN, 0))
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)
    same(s.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN), 5)
    for early in (False, True):
        other = peer.socket()
        other.setblocking(True)
        same(other.sendto(b"hello", MSG_FASTOPEN, s.getsockname()), 5)
        conn, _ = s.accept()
        same(read(conn, 5), b"hello")
        same(with_syn(conn), early)
        conn.sendall(b"welcome")
        same(read(other, 7), b"welcome")


@probe
def without_cookies_the_first_one_is_early():
    s = socket.create_server((OWN, 0))
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, b"k" * 16)  # what peers know is wrong now
    same(s.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, 32), b"k" * 16)
    fails(errno.EINVAL, s.setsockopt, socket.IPPROTO_TCP, TCP_FASTOPEN_KEY, b"short")
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
    same(s.getsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE), 1)
    other = peer.socket()
    other.setblocking(True)
    same(other.sendto(b"hello", MSG_FASTOPEN, s.getsockname()), 5)
    conn, _ = s.accept()
    same(read(conn, 5), b"hello")
    check(with_syn(conn), "behind the handshake")


@probe
def accept_waits_for_data():
    s, address = listener()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    check(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) >= 5, "another time")
    other = peer.connect(address)
    check(not select.select([s], [], [], 0.2)[0], "ready without data")
    other.sendall(b"x")
    check(select.select([s], [], [], 5)[0], "not ready")
    conn, _ = s.accept()
    same(read(conn, 1), b"x")


main()
