#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The services of tern serve, as the Linux kernel's TCP, UDP and ping find them."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

from live import (PATIENCE, case, check, connect, devices, end, enter_namespace, main, read_all,
                  run, serve, sockets, states, tern, wait_for)

enter_namespace()

V4, V6 = "10.77.0.2", "fd77::2"
HOSTS = (V4, V6)
ALL = ("echo", "discard", "chargen", "daytime", "--addr", V4 + "/24", "--addr6", V6 + "/64")
MEGABYTES = 64
CHARS = bytes(range(32, 127))


def chargen(count):
    """The first bytes that chargen sends."""
    ring = CHARS + CHARS
    period = b"".join(ring[i:i + 72] + b"\r\n" for i in range(95))
    return (period * (count // len(period) + 1))[:count]


def exchange(host, port, payload, seconds=PATIENCE):
    """One datagram there, and the answer."""
    with connect(host, port, socket.SOCK_DGRAM, seconds) as s:
        s.send(payload)
        return s.recv(65536)


def send_and_close_half(s, data):
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)


@case
def ping_is_answered_over_both_families():
    serve(*ALL)
    for host in HOSTS:
        status, out, _ = run("ping", "-c", "3", "-i", "0.05", "-W", "2", "-s", "1000", host)
        check(status == 0 and "3 received" in out, out)


@case
def echo_returns_what_it_gets_and_closes_after_the_client():
    serve(*ALL)
    for host in HOSTS:
        with connect(host, 7) as s:
            s.sendall(b"hello\r\n")
            check(s.recv(100) == b"hello\r\n", "echo")
            s.shutdown(socket.SHUT_WR)
            check(s.recv(100) == b"", "no end")


@case
def discard_takes_all_and_says_nothing():
    serve(*ALL)
    for host in HOSTS:
        with connect(host, 9) as s:
            send_and_close_half(s, bytes(1 << 22))
            check(read_all(s) == b"", "an answer")


@case
def chargen_sends_its_pattern_also_to_a_half_closed_client():
    serve(*ALL)
    for host in HOSTS:
        with connect(host, 19) as s:
            s.shutdown(socket.SHUT_WR)
            got = b""
            while len(got) < 1 << 20:
                got += s.recv(1 << 20)
            check(got == chargen(len(got)), "not the pattern")


@case
def daytime_tells_the_time_and_closes_first():
    serve(*ALL)
    for host in HOSTS:
        with connect(host, 13) as s:
            check(re.fullmatch(rb"\w+, \w+ \d\d, \d{4} \d\d:\d\d:\d\d-\w+\r\n", read_all(s)),
                  "not a time")
    wait_for(lambda: len(sockets("-o", "state", "time-wait")) == 2, "two in TIME-WAIT")


@case
def udp_services_answer_as_their_rfcs_say():
    serve(*ALL)
    for host in HOSTS:
        check(exchange(host, 7, b"x" * 1400) == b"x" * 1400, "echo")
        check(exchange(host, 7, b"") == b"", "echo of nothing")
        check(b", 20" in exchange(host, 13, b"?"), "daytime")
        check(len(exchange(host, 19, b"?")) <= 512, "chargen")
        try:
            exchange(host, 9, b"?", 0.2)
            check(False, "discard answered")
        except TimeoutError:
            pass


@case
def a_large_datagram_goes_through_in_fragments():
    serve(*ALL)
    for host in HOSTS:
        payload = os.urandom(8000)
        check(exchange(host, 7, payload) == payload, host)


@case
def datagrams_from_answering_services_are_left_alone():
    serve(*ALL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("", 19))
        s.settimeout(0.3)
        s.sendto(b"loop", (V4, 7))
        try:
            s.recv(100)
            check(False, "it answers, and would for ever")
        except TimeoutError:
            pass


@case
def closed_ports_refuse():
    serve("echo", "--addr6", V6 + "/64")  # beside the default 10.77.0.2/24
    for host in HOSTS:
        for kind, call in ((socket.SOCK_STREAM, lambda h: connect(h, 99)),
                           (socket.SOCK_DGRAM, lambda h: exchange(h, 99, b"x"))):
            try:
                call(host)
                check(False, host, kind, "is not refused")
            except ConnectionRefusedError:
                pass


@case
def sixty_four_megabytes_come_back_equal():
    serve(*ALL)
    block = os.urandom(1 << 20)
    for host in HOSTS:
        sent, got = hashlib.sha256(), hashlib.sha256()
        with connect(host, 7) as s:
            def send():
                for _ in range(MEGABYTES // 2):
                    s.sendall(block)
                    sent.update(block)
                s.shutdown(socket.SHUT_WR)
            thread = threading.Thread(target=send)
            thread.start()
            while True:
                part = s.recv(1 << 20)
                if not part:
                    break
                got.update(part)
            thread.join()
        check(sent.digest() == got.digest(), host, "sums differ")


@case
def a_bad_wire_loses_no_byte():
    serve(*ALL, "--fault", "loss=1%,dup=1%,reorder=1%,corrupt=0.1%,seed=5")
    data = os.urandom(1 << 21)
    with connect(V4, 7) as s:
        thread = threading.Thread(target=send_and_close_half, args=(s, data))
        thread.start()
        check(read_all(s) == data, "differs")
        thread.join()


@case
def a_hundred_clients_at_once_are_served():
    serve(*ALL)
    clients = [connect(HOSTS[i % 2], 7) for i in range(100)]
    for i, s in enumerate(clients):
        s.sendall(b"client %d" % i)
    for i, s in enumerate(clients):
        check(s.recv(100) == b"client %d" % i, i)
    check(len(sockets("state", "established")) == 100, "not 100 established")
    for s in clients:
        s.close()
    wait_for(lambda: not sockets("state", "connected"), "they are gone")


@case
def a_client_that_does_not_read_holds_nobody_up():
    serve(*ALL)
    with connect(V4, 19) as greedy, connect(V4, 7) as s:
        wait_for(lambda: any(int(row[2]) > 0 for row in sockets("sport = :19")), "a send queue")
        s.sendall(b"still here")
        check(s.recv(100) == b"still here", "echo")
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@case
def a_reset_ends_one_connection_and_nothing_else():
    server = serve(*ALL)
    with connect(V4, 7) as other:
        s = connect(V4, 7)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
        wait_for(lambda: len(sockets("state", "connected")) == 1, "one is left")
        other.sendall(b"x")
        check(other.recv(1) == b"x", "echo")
    check(server.poll() is None, "the server died")


@case
def ctrl_c_closes_connections_and_removes_device_and_control_socket():
    for number in (2, 15, 1):
        server = serve(*ALL)
        with connect(V4, 7) as s:
            wait_for(lambda: "ESTAB" in states(), "a connection")
            check(end(server, number) == 0, "status")
            check(s.recv(1) == b"", "no FIN")
        check(devices() == [], devices())
        check(os.listdir(os.environ["XDG_RUNTIME_DIR"] + "/tern") == [], "socket is left")


def stuffed_client():
    """A client of chargen that reads nothing, until the server's queue waits for its window."""
    s = connect(V4, 19)
    wait_for(lambda: "timer:(persist" in " ".join(sockets("-o", "sport = :19")[-1]), "persist")
    return s


@case
def what_is_owed_at_the_end_is_carried_through():
    server = serve(*ALL, "--fault", "loss=2%,seed=3")
    with stuffed_client() as s:
        server.send_signal(2)
        wait_for(lambda: "FIN-WAIT-1" in states(), "it drains")
        got = read_all(s)
        check(got == chargen(len(got)) and len(got) > 100000, len(got))
    check(server.wait(PATIENCE) == 0, "status")


@case
def a_second_ctrl_c_ends_at_once():
    server = serve(*ALL, "--drain", "2min")
    with stuffed_client():
        server.send_signal(2)
        wait_for(lambda: "FIN-WAIT-1" in states(), "it drains")
        time.sleep(0.05)
        check(end(server) == 1, "status")
        check(devices() == [], devices())


@case
def signals_that_come_together_are_one():
    server = serve(*ALL, "--drain", "300ms")
    with stuffed_client():
        begun = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGINT)
        check(server.wait(PATIENCE) == 1, "status")
        check(time.monotonic() - begun > 0.25, "it did not drain")


@case
def the_drain_ends_in_time_and_says_what_was_owed():
    server = serve(*ALL, "--drain", "300ms", stderr=subprocess.PIPE)
    with stuffed_client():
        check(end(server) == 1, "status")
    err = server.stderr.read().decode()
    check(re.search(r"ended with 1 connection that still owed \d+ bytes", err), err)


@case
def a_service_may_stand_on_another_port():
    serve("echo", "--port", "8007")
    with connect(V4, 8007) as s:
        s.sendall(b"x")
        check(s.recv(1) == b"x", "echo")
    check(tern("sysctl", "-n", "net.ipv4.tcp_fin_timeout")[1] == "60\n", "sysctl")


main()
