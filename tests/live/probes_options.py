#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of the POSIX tier: options and flags of TCP and IP, urgent data, what is told of a queue.
How they are run: probe.py."""

import array
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import threading
import time
from unittest import SkipTest

from probe import (OWN, PEER, accepted, check, connected, error_of, fails, libc, listener, main,
                   peer, probe, same, wait_until)

SOL, TCP, IP, IP6 = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6
SIOCATMARK, SIOCOUTQNSD = 0x8905, 0x894B
IN, OUT, PRI = select.POLLIN, select.POLLOUT, select.POLLPRI
UNSPEC = struct.pack("=H14x", socket.AF_UNSPEC)
TCP_CLOSE, TCP_LISTEN = 7, 10


def ioctl(s, request):
    value = array.array("i", [-1])
    fcntl.ioctl(s, request, value)
    return value[0]


def readiness(s, events=IN | PRI):
    poller = select.poll()
    poller.register(s, events)
    got = poller.poll(0)
    return got[0][1] if got else 0


def needs_urgent_pairs():
    one, _two = socket.socketpair()
    try:
        one.send(b"x", socket.MSG_OOB)
    except OSError:
        raise SkipTest("AF_UNIX has no urgent data in this kernel") from None


def states(s):
    return s.getsockopt(TCP, socket.TCP_INFO, 232)[0]


# ---------------------------------------------------------------------------------------------
# Urgent data


@probe
def an_urgent_byte_is_beside_the_stream():
    needs_urgent_pairs()
    s, other = accepted()
    fails(errno.EINVAL, s.recv, 1, socket.MSG_OOB)
    other.send(b"ab!", socket.MSG_OOB)
    wait_until(lambda: readiness(s) == IN | PRI)
    other.send(b"cd")
    same(ioctl(s, SIOCATMARK), 0)
    same(s.recv(1, socket.MSG_OOB | socket.MSG_PEEK), b"!")
    same(s.recv(10), b"ab")
    same(ioctl(s, SIOCATMARK), 1)
    same(libc.sockatmark(s.fileno()), 1)
    same(s.recv(1, socket.MSG_OOB), b"!")
    fails(errno.EINVAL, s.recv, 1, socket.MSG_OOB)
    wait_until(lambda: readiness(s) == IN)
    same(s.recv(10), b"cd")
    same(ioctl(s, SIOCATMARK), 0)


@probe
def an_urgent_byte_that_is_not_wanted_is_left_out():
    needs_urgent_pairs()
    s, other = accepted()
    other.send(b"ab!", socket.MSG_OOB)
    wait_until(lambda: readiness(s) & PRI)
    other.send(b"cd")
    time.sleep(0.05)
    same(s.recv(10), b"ab")
    same(s.recv(10), b"cd")


@probe
def an_urgent_byte_stays_in_line_if_so_oobinline_says_so():
    needs_urgent_pairs()
    s, address = listener()
    s.setsockopt(SOL, socket.SO_OOBINLINE, 1)
    other = peer.connect(address)
    own, _ = s.accept()
    same(own.getsockopt(SOL, socket.SO_OOBINLINE), 1)
    other.send(b"ab!", socket.MSG_OOB)
    wait_until(lambda: readiness(own) & PRI)
    other.send(b"cd")
    time.sleep(0.05)
    fails(errno.EINVAL, own.recv, 1, socket.MSG_OOB)
    same(own.recv(10), b"ab")
    same(ioctl(own, SIOCATMARK), 1)
    same(own.recv(10), b"!cd")
    own.setsockopt(SOL, socket.SO_OOBINLINE, 0)
    other.send(b"?", socket.MSG_OOB)
    wait_until(lambda: readiness(own) & PRI)
    same(own.recv(1, socket.MSG_OOB), b"?")


@probe
def an_urgent_byte_of_ours_is_urgent_there():
    needs_urgent_pairs()
    s, other = connected()
    other.settimeout(2)
    same(s.send(b"before"), 6)
    same(s.send(b"x!", socket.MSG_OOB), 2)
    s.send(b"after")
    time.sleep(0.1)
    same(other.recv(100, socket.MSG_PEEK), b"beforex")
    same(other.recv(1, socket.MSG_OOB), b"!")
    same(other.recv(100), b"beforex")
    wait_until(lambda: other.recv(100, socket.MSG_PEEK) == b"after")
    same(s.send(b"y", socket.MSG_OOB), 1)
    same(s.send(b"", socket.MSG_OOB), 0)
    same(s.sendmsg([b"z", b"?"], [], socket.MSG_OOB), 2)
    time.sleep(0.1)
    same(other.recv(1, socket.MSG_OOB), b"?")
    s.close()
    got = other.read_all()
    check(got in (b"afterz", b"afteryz"), got)


@probe
def much_with_urgent_bytes_in_it_arrives_in_order():
    needs_urgent_pairs()
    s, other = connected()
    other.setsockopt(SOL, socket.SO_OOBINLINE, 1)
    parts = [bytes([i]) * (20000 + 3001 * i) for i in range(20)]
    got = []
    reader = threading.Thread(target=lambda: got.append(other.read_all()))
    reader.start()
    for i, part in enumerate(parts):
        s.sendall(part, socket.MSG_OOB if i % 3 == 0 else 0)
    s.close()
    reader.join()
    check(got[0] == b"".join(parts), "not what was sent")


@probe
def urgent_data_is_told_by_sigurg():
    needs_urgent_pairs()
    s, other = accepted()
    got = []
    before = signal.signal(signal.SIGURG, lambda number, _frame: got.append(number))
    fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())
    other.send(b"!", socket.MSG_OOB)
    wait_until(lambda: got)
    same(s.recv(1, socket.MSG_OOB), b"!")
    signal.signal(signal.SIGURG, before)


@probe
def datagrams_have_no_urgent_data():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((PEER, 9))
    fails(errno.EOPNOTSUPP, s.send, b"x", socket.MSG_OOB)
    fails(errno.ENOTTY, ioctl, s, SIOCATMARK)
    fails(errno.ENOTTY, ioctl, s, SIOCOUTQNSD)


# ---------------------------------------------------------------------------------------------
# What waits for more; what is queued


def nothing_comes(other):
    time.sleep(0.05)
    other.settimeout(0)
    fails(errno.EAGAIN, other.recv, 10)
    other.settimeout(5)


def segments(s):
    """Segments with data that were sent."""
    return struct.unpack_from("I", s.getsockopt(TCP, socket.TCP_INFO, 232), 156)[0]


@probe
def msg_more_waits_for_the_rest():
    s, other = connected()
    same(s.send(b"ab", socket.MSG_MORE), 2)
    same(s.send(b"cd", socket.MSG_MORE), 2)
    nothing_comes(other)
    s.send(b"ef")
    same(other.recv(10), b"abcdef")
    same(segments(s), 1)
    s.send(b"gh", socket.MSG_MORE)
    os.write(s.fileno(), b"ij")
    same(other.recv(10), b"ghij")
    same(segments(s), 2)
    s.send(b"kl", socket.MSG_MORE)
    s.shutdown(socket.SHUT_WR)
    same(other.read_all(), b"kl")


@probe
def a_cork_holds_back_and_its_end_lets_go():
    s, other = connected()
    s.setsockopt(TCP, socket.TCP_CORK, 1)
    s.send(b"ab")
    s.send(b"cd")
    nothing_comes(other)
    s.setsockopt(TCP, socket.TCP_CORK, 0)
    same(other.recv(10), b"abcd")
    same(segments(s), 1)
    s.setsockopt(TCP, socket.TCP_CORK, 1)
    s.send(b"held not longer than this")
    same(other.recv(100), b"held not longer than this")


@probe
def queues_are_told():
    s, other = connected()
    for request in (termios.FIONREAD, termios.TIOCOUTQ, SIOCOUTQNSD, SIOCATMARK):
        same(ioctl(s, request), 0)
    other.send(b"12345")
    wait_until(lambda: ioctl(s, termios.FIONREAD) == 5)
    s.setblocking(False)
    other.setsockopt(SOL, socket.SO_RCVBUF, 4096)
    try:
        while True:
            s.send(bytes(4096))
    except BlockingIOError:
        pass
    time.sleep(0.1)
    queued, unsent = ioctl(s, termios.TIOCOUTQ), ioctl(s, SIOCOUTQNSD)
    check(0 < unsent <= queued, queued, unsent)
    l, _address = listener()
    for request in (termios.FIONREAD, termios.TIOCOUTQ, SIOCOUTQNSD):
        fails(errno.EINVAL, ioctl, l, request)
    same(ioctl(l, SIOCATMARK), 0)


# ---------------------------------------------------------------------------------------------
# connect(AF_UNSPEC)


@probe
def connect_to_no_address_undoes_a_connection():
    s, other = connected()
    same(libc.connect(s.fileno(), UNSPEC, len(UNSPEC)), 0)
    fails(errno.ECONNRESET, other.recv, 1)
    fails(errno.ENOTCONN, s.getpeername)
    same(states(s), TCP_CLOSE)
    far, address = peer.listen()
    s.connect(address)
    other, _ = far.accept()
    s.send(b"again")
    same(other.recv(10), b"again")


@probe
def connect_to_no_address_undoes_a_listener():
    s, address = listener()
    same(libc.connect(s.fileno(), UNSPEC, len(UNSPEC)), 0)
    same(s.getsockopt(SOL, socket.SO_ACCEPTCONN), 0)
    same(states(s), TCP_CLOSE)
    fails(errno.ECONNREFUSED, peer.connect, address)


@probe
def connect_to_no_address_undoes_that_of_datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((PEER, 9))
    same(libc.connect(s.fileno(), UNSPEC, len(UNSPEC)), 0)
    fails(errno.ENOTCONN, s.getpeername)
    fails(errno.EDESTADDRREQ, s.send, b"x")


# ---------------------------------------------------------------------------------------------
# Options: what they are at first, what is taken, what is shown, what is refused

TCP_THIN_LINEAR, TCP_NOTSENT_LOWAT, TCP_SAVE_SYN, TCP_SAVED_SYN, TCP_INQ = 16, 25, 27, 28, 36
TCP_FASTOPEN_NO_COOKIE = 34
IP_MTU_DISCOVER, IP_MINTTL, IP_BIND_NO_PORT, IP_LOCAL_PORT_RANGE = 10, 21, 24, 51
IP_FREEBIND, IP_RECVTOS, SO_INCOMING_CPU, SO_BUSY_POLL, SO_MARK = 15, 13, 49, 46, 36

# level, name, [(given, shown or errno)]
VALUES = [
    (TCP, socket.TCP_NODELAY, [(1, 1), (5, 1), (-1, 1), (0, 0)]),
    (TCP, socket.TCP_CORK, [(1, 1), (7, 1), (0, 0)]),
    (TCP, socket.TCP_MAXSEG, [(87, "EINVAL"), (88, None), (1000, None), (32767, None),
                              (32768, "EINVAL"), (0, None), (-1, "EINVAL")]),
    (TCP, socket.TCP_SYNCNT, [(1, 1), (127, 127), (0, "EINVAL"), (128, "EINVAL"), (-1, "EINVAL")]),
    (TCP, socket.TCP_KEEPIDLE, [(1, 1), (32767, 32767), (0, "EINVAL"), (32768, "EINVAL")]),
    (TCP, socket.TCP_KEEPINTVL, [(1, 1), (32767, 32767), (0, "EINVAL"), (32768, "EINVAL")]),
    (TCP, socket.TCP_KEEPCNT, [(1, 1), (127, 127), (0, "EINVAL"), (128, "EINVAL")]),
    (TCP, socket.TCP_USER_TIMEOUT, [(0, 0), (1, 1), (2147483647, 2147483647), (-1, "EINVAL"),
                                    (0, 0)]),
    (TCP, socket.TCP_LINGER2, [(1, 1), (60, 60), (121, None), (-1, -1), (-5, -1), (0, None)]),
    (TCP, socket.TCP_DEFER_ACCEPT, [(0, 0), (1, 1), (2, 3), (10, 15), (100, 127), (-1, 0)]),
    (TCP, socket.TCP_WINDOW_CLAMP, [(100000, None)]),
    (TCP, socket.TCP_QUICKACK, [(1, 1), (0, 0)]),
    (TCP, TCP_THIN_LINEAR, [(1, 1), (0, 0), (2, "EINVAL"), (-1, "EINVAL")]),
    (TCP, TCP_NOTSENT_LOWAT, [(1000, 1000), (0, 0), (-1, -1)]),
    (TCP, TCP_INQ, [(1, 1), (0, 0), (2, "EINVAL")]),
    (TCP, TCP_SAVE_SYN, [(0, 0), (3, "EINVAL"), (-1, "EINVAL")]),
    (TCP, TCP_FASTOPEN_NO_COOKIE, [(1, 1), (0, 0), (2, "EINVAL")]),
    (TCP, 9999, [(1, "ENOPROTOOPT")]),
    (IP, socket.IP_TOS, [(0x10, 0x10), (0xfc, 0xfc), (0xff, None), (0, None)]),
    (IP, socket.IP_TTL, [(1, 1), (255, 255), (0, "EINVAL"), (256, "EINVAL"), (-1, 64)]),
    (IP, IP_MTU_DISCOVER, [(0, 0), (1, 1), (2, 2), (3, 3), (5, 5), (6, "EINVAL"), (-1, "EINVAL")]),
    (IP, IP_MINTTL, [(0, 0), (-1, "EINVAL"), (256, "EINVAL")]),
    (IP, IP_BIND_NO_PORT, [(0, 0)]),
    (SOL, socket.SO_KEEPALIVE, [(1, 1), (0, 0)]),
    (SOL, socket.SO_OOBINLINE, [(1, 1), (9, 1), (0, 0)]),
    (SOL, socket.SO_PRIORITY, [(5, 5), (0, 0)]),
    (SOL, SO_INCOMING_CPU, [(0, 0), (3, 3)]),
    (SOL, SO_MARK, [(3, 3), (0, 0)]),
    (SOL, SO_BUSY_POLL, [(-1, "EINVAL"), (0, 0)]),
    (SOL, 9999, [(1, "ENOPROTOOPT")]),
]


def try_values(s, level, name, values):
    wrong = []
    for given, wanted in values:
        try:
            s.setsockopt(level, name, given)
            got = s.getsockopt(level, name)
        except OSError as error:
            got = errno.errorcode[error.errno]
        except OverflowError:
            continue
        if wanted is None:
            wrong += [(name, given, got)] if isinstance(got, str) else []
        elif got != wanted:
            wrong.append((name, given, got))
    return wrong


@probe
def options_take_what_linux_takes():
    wrong = []
    for level, name, values in VALUES:
        wrong += try_values(socket.socket(), level, name, values)
    same(wrong, [])


@probe
def options_of_a_connection_take_what_linux_takes():
    wrong = []
    own, _other = accepted()
    for level, name, values in VALUES:
        if name not in (socket.TCP_QUICKACK, TCP_FASTOPEN_NO_COOKIE, socket.TCP_DEFER_ACCEPT):
            wrong += try_values(own, level, name, values)
    same(wrong, [])


main()
