#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of stream sockets: data, its end, errors, readiness. How they are run: probe.py."""

import array
import errno
import hashlib
import os
import select
import signal
import socket
import struct
import tempfile
import threading
import time

from probe import (OWN, OWN6, PEER, PEER6, accepted, check, connected, error_of, fails, libc,
                   listener, main, peer, probe, same, wait_until)

MEGABYTES = 8


@probe
def an_accepted_connection_carries_data_both_ways():
    for host in (OWN, OWN6):
        s, other = accepted(host)
        other.sendall(b"question")
        same(s.recv(100), b"question")
        s.sendall(b"answer")
        same(other.recv(100), b"answer")


@probe
def a_connection_of_ours_carries_data_both_ways():
    for host in (PEER, PEER6):
        s, other = connected(host)
        s.sendall(b"question")
        same(other.recv(100), b"question")
        other.sendall(b"answer")
        same(s.recv(100), b"answer")


@probe
def what_is_sent_at_once_after_connect_arrives():
    s, address = peer.listen()
    with socket.create_connection(address) as own:
        own.sendall(b"x" * 100000)
    other, _ = s.accept()
    same(other.read_all(), b"x" * 100000)


@probe
def what_came_before_accept_is_there():
    s, address = listener()
    other = peer.connect(address)
    other.sendall(b"early")
    other.close()
    own, _ = s.accept()
    same(own.recv(100), b"early")
    same(own.recv(100), b"")


@probe
def a_megabyte_and_more_goes_both_ways_with_equal_sums():
    s, other = accepted()
    block = os.urandom(1 << 16)

    def send():
        for _ in range(MEGABYTES * 16):
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send)
    thread.start()
    got = hashlib.sha256(other.read_all()).hexdigest()
    thread.join()
    same(got, hashlib.sha256(block * (MEGABYTES * 16)).hexdigest())
    peer_sends = threading.Thread(target=lambda: (other.sendall(block * 32), other.close()))
    peer_sends.start()
    parts = []
    while True:
        part = s.recv(5000)
        if not part:
            break
        parts.append(part)
    peer_sends.join()
    check(b"".join(parts) == block * 32, "what came differs")


@probe
def a_reader_that_waits_holds_the_sender_back():
    s, other = accepted()
    other.setblocking(False)
    sent = 0
    try:
        while sent < 1 << 28:
            sent += other.send(bytes(1 << 16))
            time.sleep(0.0002)
    except BlockingIOError:
        pass
    check(sent < 1 << 26, "nothing holds it back:", sent)
    got = 0
    while got < sent:
        got += len(s.recv(1 << 20))
    same(got, sent)


@probe
def a_writer_is_held_back_and_told_when_there_is_room():
    s, other = accepted()
    s.setblocking(False)
    sent = 0
    try:
        while sent < 1 << 28:
            sent += s.send(bytes(1 << 16))
    except BlockingIOError:
        pass
    check(sent < 1 << 28, "nothing holds it back:", sent)
    poller = select.poll()
    poller.register(s, select.POLLOUT)
    time.sleep(0.05)
    got = 0
    while got < sent:
        got += len(other.recv(1 << 20))
    check(poller.poll(2000), "no room")
    check(s.send(b"x") == 1, "no room")


@probe
def the_peers_end_reads_as_the_end_and_writing_goes_on():
    s, other = accepted()
    other.sendall(b"last")
    other.shutdown(socket.SHUT_WR)
    same(s.recv(100), b"last")
    same(s.recv(100), b"")
    same(s.recv(100), b"")
    s.sendall(b"still")
    same(other.recv(100), b"still")
    s.close()
    same(other.recv(100), b"")


@probe
def shutdown_of_writing_ends_what_the_peer_reads():
    s, other = accepted()
    s.sendall(b"last")
    s.shutdown(socket.SHUT_WR)
    same(other.read_all(), b"last")
    fails(errno.EPIPE, s.send, b"x")
    other.sendall(b"answer")
    same(s.recv(100), b"answer")


@probe
def shutdown_of_reading_ends_our_reading_and_the_peer_may_go_on():
    s, other = accepted()
    s.shutdown(socket.SHUT_RD)
    same(s.recv(100), b"")
    for _ in range(100):
        other.sendall(bytes(10000))
    s.sendall(b"still")
    same(other.recv(100), b"still")


@probe
def close_with_unread_data_is_a_reset():
    s, other = accepted()
    other.sendall(b"unread")
    select.select([s], [], [])
    s.close()
    wait_until(lambda: other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET)


@probe
def close_with_linger_zero_is_a_reset():
    for make in (accepted, connected):
        s, other = make()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        fails(errno.ECONNRESET, other.recv, 100)


@probe
def plain_close_is_a_fin_and_what_was_sent_arrives():
    s, other = accepted()
    s.sendall(b"y" * 50000)
    s.close()
    same(len(other.read_all()), 50000)


@probe
def close_that_lingers_waits_for_the_peer():
    s, other = accepted()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 5))
    s.settimeout(0.2)
    try:
        while True:
            s.send(bytes(1 << 16))
    except TimeoutError:
        pass
    s.settimeout(None)
    reader = threading.Timer(0.3, other.read_all)
    begun = time.monotonic()
    reader.start()
    s.close()
    took = time.monotonic() - begun
    reader.join()
    check(0.2 < took < 4, "it took", took)


@probe
def close_that_lingers_gives_up_in_time():
    s, other = accepted()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
    s.settimeout(0.2)
    try:
        while True:
            s.send(bytes(1 << 16))
    except TimeoutError:
        pass
    s.settimeout(None)
    begun = time.monotonic()
    s.close()
    took = time.monotonic() - begun
    check(0.8 < took < 3, "it took", took)
    other.reset()


@probe
def a_reset_in_mid_body_is_no_clean_end():
    for make in (accepted, connected):
        s, other = make()
        other.sendall(b"half of the body")
        same(s.recv(100), b"half of the body")
        other.reset()
        fails(errno.ECONNRESET, s.recv, 100)
        same(s.recv(100), b"")


@probe
def a_reset_wakes_a_reader_that_waits():
    s, other = accepted()
    threading.Timer(0.2, other.reset).start()
    fails(errno.ECONNRESET, s.recv, 100)


@probe
def a_reset_is_a_readiness_and_so_error_tells_it_once():
    s, other = accepted()
    poller = select.poll()
    poller.register(s, select.POLLIN)
    other.reset()
    got = poller.poll(3000)
    check(got and got[0][1] & select.POLLERR and got[0][1] & select.POLLHUP, got)
    same(error_of(s), errno.ECONNRESET)
    same(error_of(s), 0)


@probe
def writing_to_who_has_gone_is_epipe_and_no_signal_with_nosignal():
    s, other = accepted()
    told = []
    signal.signal(signal.SIGPIPE, lambda *_: told.append(1))
    try:
        other.reset()
        wait_until(lambda: select.select([s], [], [], 1)[0])
        fails((errno.ECONNRESET, errno.EPIPE), s.send, b"x", socket.MSG_NOSIGNAL)
        fails(errno.EPIPE, s.send, b"x", socket.MSG_NOSIGNAL)
        same(told, [])
        fails(errno.EPIPE, s.send, b"x")
        same(told, [1])
    finally:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@probe
def peek_shows_without_taking():
    s, other = accepted()
    other.sendall(b"abcdef")
    same(s.recv(3, socket.MSG_PEEK), b"abc")
    same(s.recv(10), b"abcdef")


@probe
def dontwait_does_not_wait_and_waitall_does():
    s, other = accepted()
    fails(errno.EAGAIN, s.recv, 10, socket.MSG_DONTWAIT)
    other.sendall(b"abc")
    threading.Timer(0.2, other.sendall, [b"def"]).start()
    same(s.recv(6, socket.MSG_WAITALL), b"abcdef")


@probe
def vectors_and_messages_are_as_good_as_buffers():
    s, other = accepted()
    same(os.writev(s.fileno(), [b"ab", b"", b"cde"]), 5)
    same(other.recv(100), b"abcde")
    same(s.sendmsg([b"fg", b"h"]), 3)
    same(other.recv(100), b"fgh")
    other.sendall(b"0123456789")
    first, second = bytearray(3), bytearray(3)
    same(os.readv(s.fileno(), [first, second]), 6)
    same(bytes(first + second), b"012345")
    data, ancillary, flags, _ = s.recvmsg(100)
    same((data, ancillary, flags), (b"6789", [], 0))
    same(os.write(s.fileno(), b"plain"), 5)
    same(other.recv(100), b"plain")
    other.sendall(b"plain")
    same(os.read(s.fileno(), 100), b"plain")


@probe
def sendfile_sends_a_file():
    data = os.urandom(3 << 20)
    s, other = accepted()
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        f.seek(0)
        threading.Thread(target=lambda: (s.sendfile(f), s.close())).start()
        check(other.read_all() == data, "differs")


@probe
def splice_moves_from_and_to_a_pipe():
    s, other = accepted()
    reader, writer = os.pipe()
    other.sendall(b"through a pipe")
    select.select([s], [], [])
    same(os.splice(s.fileno(), writer, 100), 14)
    same(os.splice(reader, s.fileno(), 14), 14)
    same(other.recv(100), b"through a pipe")
    os.close(reader)
    os.close(writer)


@probe
def fionread_counts_what_is_there():
    s, other = accepted()
    other.sendall(b"12345")
    select.select([s], [], [])
    count = array.array("i", [0])
    import fcntl
    import termios
    fcntl.ioctl(s, termios.FIONREAD, count)
    same(count[0], 5)
    fcntl.ioctl(s, 0x5411, count)  # SIOCOUTQ
    same(count[0], 0)
    fails(errno.EINVAL, fcntl.ioctl, listener()[0], termios.FIONREAD, count)


@probe
def accept_and_recv_do_not_wait_on_non_blocking_sockets():
    s, address = listener()
    s.setblocking(False)
    fails(errno.EAGAIN, s.accept)
    other = peer.connect(address)
    wait_until(lambda: select.select([s], [], [], 0)[0])
    own, source = s.accept()
    same(source[:2], tuple(other.getsockname()[:2]))
    own.setblocking(False)
    fails(errno.EAGAIN, own.recv, 10)


@probe
def accept4_sets_its_flags():
    import fcntl
    s, address = listener()
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC,
                  socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
        peer.connect(address)
        fd = libc.accept4(s.fileno(), None, None, flags)
        check(fd >= 0, "accept4")
        same(bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK),
             bool(flags & socket.SOCK_NONBLOCK))
        same(bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC),
             bool(flags & socket.SOCK_CLOEXEC))
        os.close(fd)


@probe
def select_poll_and_epoll_tell_of_a_connection_to_accept():
    s, address = listener()
    same(select.select([s], [s], [], 0), ([], [], []))
    poller, epoll = select.poll(), select.epoll()
    poller.register(s, select.POLLIN | select.POLLOUT)
    epoll.register(s, select.EPOLLIN | select.EPOLLOUT)
    same((poller.poll(0), epoll.poll(0)), ([], []))
    peer.connect(address)
    same(select.select([s], [], [], 3)[0], [s])
    same(poller.poll(3000), [(s.fileno(), select.POLLIN)])
    same(epoll.poll(3), [(s.fileno(), select.EPOLLIN)])
    s.accept()
    same((poller.poll(0), epoll.poll(0)), ([], []))


@probe
def level_edge_and_oneshot_triggers_are_as_they_should():
    s, other = accepted()
    level, edge, once = select.epoll(), select.epoll(), select.epoll()
    level.register(s, select.EPOLLIN)
    edge.register(s, select.EPOLLIN | select.EPOLLET)
    once.register(s, select.EPOLLIN | select.EPOLLONESHOT)
    other.sendall(b"one")
    for epoll in (level, edge, once):
        same(len(epoll.poll(3)), 1)
    same([len(e.poll(0.05)) for e in (level, edge, once)], [1, 0, 0])
    other.sendall(b"two")
    same([len(e.poll(1)) for e in (level, edge)], [1, 1])
    same(len(once.poll(0.05)), 0)
    once.modify(s, select.EPOLLIN | select.EPOLLONESHOT)
    same(len(once.poll(1)), 1)
    same(s.recv(100), b"onetwo")
    same([len(e.poll(0.05)) for e in (level, edge, once)], [0, 0, 0])


@probe
def the_peers_fin_is_a_hang_up_of_reading():
    s, other = accepted()
    poller = select.poll()
    poller.register(s, select.POLLIN | select.POLLRDHUP | select.POLLOUT)
    same(poller.poll(0), [(s.fileno(), select.POLLOUT)])
    other.shutdown(socket.SHUT_WR)
    wait_until(lambda: poller.poll(0)[0][1] != select.POLLOUT)
    same(poller.poll(0),
         [(s.fileno(), select.POLLIN | select.POLLRDHUP | select.POLLOUT)])


@probe
def a_timeout_of_receiving_ends_recv_and_accept():
    s, address = listener()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
    begun = time.monotonic()
    fails(errno.EAGAIN, s.accept)
    check(0.15 < time.monotonic() - begun < 2, "accept", time.monotonic() - begun)
    peer.connect(address)
    own, _ = s.accept()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
    begun = time.monotonic()
    fails(errno.EAGAIN, own.recv, 10)
    check(0.15 < time.monotonic() - begun < 2, "recv", time.monotonic() - begun)
    same(own.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16), struct.pack("ll", 0, 200000))


@probe
def a_timeout_of_sending_ends_send():
    s, _other = accepted()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200000))
    begun = time.monotonic()
    try:
        while True:
            begun = time.monotonic()
            s.send(bytes(1 << 20))
    except BlockingIOError:
        check(0.15 < time.monotonic() - begun < 2, time.monotonic() - begun)


@probe
def urgent_data_is_one_byte_beside_the_stream():
    s, other = accepted()
    other.send(b"before", 0)
    other.send(b"!", socket.MSG_OOB)
    time.sleep(0.1)
    same(s.recv(6), b"before")


main()
