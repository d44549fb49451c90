#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of sockets across processes: fork, exec, dup, users, roots, signals. How they are run:
probe.py.

With an argument that begins with "then-" this is a program that such a probe has executed.
"""

import array
import errno
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from probe import (OWN, PEER, accepted, check, child, connected, fails, libc, listener, main, peer,
                   probe, reap, same, wait_until)

NOBODY = 65534


def echo_once(s):
    own, _ = s.accept()
    own.sendall(own.recv(100))
    own.close()


def asks(address, text=b"hello"):
    other = peer.connect(address)
    other.sendall(text)
    same(other.read_all(), text)


def execute(fds, *words):
    """Runs this file anew with these descriptors open; it is to end well."""
    subprocess.run([sys.executable, os.path.abspath(__file__), *words], pass_fds=fds, check=True)


@probe
def children_accept_on_an_inherited_listener():
    s, address = listener()
    pids = [child(echo_once, s) for _ in range(4)]
    for _ in range(4):
        asks(address)
    for pid in pids:
        reap(pid)


@probe
def a_connection_ends_with_its_last_holder():
    s, other = accepted()

    def hold():
        time.sleep(0.5)
        s.sendall(b"from the child")
    pid = child(hold)
    s.close()
    begun = time.monotonic()
    same(other.read_all(), b"from the child")
    check(time.monotonic() - begun > 0.3, "it ended with the first holder")
    reap(pid)


@probe
def a_process_that_daemonises_keeps_its_sockets():
    s, address = listener()

    def fork_again():
        os.setsid()
        if os.fork() == 0:
            for _ in range(2):
                echo_once(s)
            os._exit(0)
    reap(child(fork_again))
    s.close()
    asks(address)
    asks(address)
    wait_until(lambda: refused(address))


def refused(address):
    try:
        peer.connect(address).close()
        return False
    except ConnectionRefusedError:
        return True


@probe
def child_and_parent_open_sockets_of_their_own():
    def talk():
        for _ in range(5):
            own, other = connected()
            own.sendall(b"x")
            same(other.recv(1), b"x")
            own.close()
    pids = [child(talk) for _ in range(4)]
    talk()
    for pid in pids:
        reap(pid)


@probe
def dup_is_the_same_connection():
    s, other = accepted()
    copies = [os.dup(s.fileno()), os.dup(s.fileno())]
    high = 200
    os.dup2(s.fileno(), high)
    s.close()
    os.write(copies[0], b"one")
    os.write(high, b"two")
    while (got := other.recv(6, socket.MSG_PEEK)) != b"onetwo":
        check(len(got) < 6, got)
    again = socket.socket(fileno=copies[1])
    same(again.getpeername(), tuple(other.getsockname()))
    again.close()
    os.close(copies[0])
    os.close(high)
    same(other.read_all(), b"onetwo")


@probe
def dup2_over_a_socket_closes_it():
    s, other = accepted()
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, s.fileno())
    same(other.read_all(), b"")
    os.close(null)
    s.detach()


@probe
def exec_keeps_sockets_that_are_passed():
    s, address = listener()
    threading.Thread(target=execute, args=((s.fileno(),), "then-echo", str(s.fileno()))).start()
    asks(address)
    s, other = accepted()
    execute((s.fileno(),), "then-write", str(s.fileno()))
    same(other.recv(100), b"written after exec")


@probe
def close_on_exec_closes_sockets():
    s, other = accepted()
    check(not os.get_inheritable(s.fileno()), "Python's sockets are close-on-exec")
    process = subprocess.Popen(["sleep", "1"], close_fds=False)
    s.close()
    begun = time.monotonic()
    same(other.read_all(), b"")
    check(time.monotonic() - begun < 0.7, "somebody still held it")
    process.wait()


@probe
def vfork_and_exec_in_many_threads_leaves_sockets_alone():
    s, other = accepted()
    threads = [threading.Thread(target=lambda: subprocess.run(["true"], check=True))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        own, far = connected()
        own.sendall(b"x")
        same(far.recv(1), b"x")
        own.close()
    for thread in threads:
        thread.join()
    s.sendall(b"alive")
    same(other.recv(10), b"alive")


@probe
def a_program_that_was_executed_opens_sockets_of_its_own():
    far, address = peer.listen()
    execute((), "then-connect", address[0], str(address[1]))
    same(far.accept()[0].read_all(), b"connected after exec")


@probe
def workers_of_another_user_go_on():
    s, address = listener()

    def worker():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        echo_once(s)
        own, other = connected()
        own.sendall(b"x")
        same(other.recv(1), b"x")
    pid = child(worker)
    asks(address)
    reap(pid)


@probe
def a_process_that_becomes_another_user_after_its_first_socket_goes_on():
    def worker():
        first, _ = listener()
        os.setuid(NOBODY)
        first.close()
        s, _address = listener()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        same(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
    reap(child(worker))


@probe
def a_process_in_a_chroot_goes_on():
    s, address = listener()
    keep = socket.socket(socket.AF_UNIX)  # the other side's, which a chroot would hide
    keep.connect(os.environ["PROBE_AGENT"])

    def worker():
        with tempfile.TemporaryDirectory() as directory:
            os.chroot(directory)
            os.chdir("/")
            echo_once(s)
            socket.socket().bind((OWN, 0))
            os._exit(0)
    pid = child(worker)
    asks(address)
    reap(pid)


@probe
def closefrom_closes_the_programs_sockets_and_new_ones_work():
    def daemon():
        s, other = accepted()
        os.set_blocking(1, True)
        libc.closefrom(3)
        peer.pid = 0
        fails(errno.EBADF, s.getpeername)
        s.detach()
        again, address = listener()
        far = peer.connect(address)
        same(again.accept()[1], tuple(far.getsockname()))
        del other
    reap(child(daemon))

    def ranges():
        listener()
        libc.close_range(3, 0xffffffff, 0)
        peer.pid = 0
        same(socket.socket().fileno(), 3)
        again, _address = listener()
        again.getsockname()
    reap(child(ranges))


@probe
def descriptors_of_others_at_high_numbers_are_left_alone():
    def crowd():
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        reader, writer = os.pipe()
        listener()
        for fd in range(min(soft, 1024) - 8, min(soft, 1024)):
            os.dup2(writer, fd)
        again, _address = listener()
        again.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for fd in range(min(soft, 1024) - 8, min(soft, 1024)):
            same(os.write(fd, b"x"), 1)
        same(os.read(reader, 100), b"x" * 8)
    reap(child(crowd))


@probe
def a_stopped_sibling_holds_nobody_up():
    s, other = accepted()

    def sibling():
        socket.socket().bind((OWN, 0))
        os.kill(os.getpid(), signal.SIGSTOP)
    pid = child(sibling)
    os.waitpid(pid, os.WUNTRACED)
    own, far = connected()
    own.sendall(b"x")
    same(far.recv(1), b"x")
    s.sendall(b"y")
    same(other.recv(1), b"y")
    os.kill(pid, signal.SIGCONT)
    reap(pid)


@probe
def a_process_that_is_killed_resets_or_ends_its_connections_as_linux_does():
    s, address = listener()
    quiet = peer.connect(address)
    noisy = peer.connect(address)
    one, _ = s.accept()
    two, _ = s.accept()
    noisy.sendall(b"unread")
    select.select([two], [], [])

    def hold():
        time.sleep(100)
    pid = child(hold)
    for own in (s, one, two):
        own.close()
    os.kill(pid, signal.SIGKILL)
    same(quiet.read_all(), b"")
    fails(errno.ECONNRESET, noisy.recv, 10)
    wait_until(lambda: refused(address))


@probe
def sockets_travel_between_processes():
    left, right = socket.socketpair()
    s, other = accepted()

    def take():
        _, ancillary, _, _ = right.recvmsg(1, 100)
        fds = array.array("i")
        fds.frombytes(ancillary[0][2][:4])
        got = socket.socket(fileno=fds[0])
        same(got.getpeername(), tuple(other.getsockname()))
        got.sendall(b"from afar")
    pid = child(take)
    left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", [s.fileno()]))])
    s.close()
    reap(pid)
    same(other.read_all(), b"from afar")


@probe
def two_processes_share_a_connection():
    s, other = accepted()

    def write():
        for _ in range(100):
            s.sendall(b"c" * 100)
    pid = child(write)
    for _ in range(100):
        s.sendall(b"p" * 100)
    reap(pid)
    s.close()
    got = other.read_all()
    same((got.count(b"c"), got.count(b"p")), (10000, 10000))


@probe
def nothing_of_ours_is_seen_in_the_program():
    before = sorted(map(int, os.listdir("/proc/self/fd")))
    s, _other = accepted()
    lowest = next(n for n in range(3, 100) if n not in before)
    check(s.fileno() <= lowest + 2, "descriptors are not the lowest")
    low = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd < 200]
    check(len(low) <= len(before) + 4, low)

    def alone():
        same(len(os.listdir("/proc/self/task")), 1)
        fails(errno.ECHILD, os.wait)
        with open("/proc/self/status", encoding="ascii") as f:
            caught = [line for line in f if line.startswith("SigCgt")][0].split()[1]
        same(int(caught, 16) & ~(1 << 13 | 1 << 1 | 1 << 9 | 1 << 32 | 1 << 33), 0)
    for number in (signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    reap(child(alone))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@probe
def unix_sockets_and_pairs_stay_with_the_kernel():
    left, right = socket.socketpair()
    left.sendall(b"x")
    same(right.recv(1), b"x")
    same(left.family, socket.AF_UNIX)
    same(left.getpeername(), "")
    with tempfile.TemporaryDirectory() as directory:
        s = socket.socket(socket.AF_UNIX)
        s.bind(directory + "/s")
        s.listen()
        c = socket.socket(socket.AF_UNIX)
        c.connect(directory + "/s")
        s.accept()[0].sendall(b"y")
        same(c.recv(1), b"y")
        same(c.getpeername(), directory + "/s")
    reader, writer = os.pipe()
    os.close(writer)
    same(os.read(reader, 1), b"")


def executed():
    what = sys.argv[1]
    if what == "then-echo":
        echo_once(socket.socket(fileno=int(sys.argv[2])))
    elif what == "then-write":
        s = socket.socket(fileno=int(sys.argv[2]))
        same(s.getpeername()[0] in (PEER, "10.99.0.2", "10.99.0.1"), True)
        s.sendall(b"written after exec")
    elif what == "then-connect":
        with socket.create_connection((sys.argv[2], int(sys.argv[3]))) as s:
            s.sendall(b"connected after exec")


if sys.argv[1:] and sys.argv[1].startswith("then-"):
    executed()
else:
    main()
