#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tern connect against servers of the Linux kernel."""

import hashlib
import os
import signal
import socket
import subprocess
import threading
import time

from live import (PATIENCE, TERN, case, check, devices, end, enter_namespace, main, read_all,
                  run, spawn, states, tern, wait_for)

enter_namespace()

V4, V6 = "10.77.0.1", "fd77::1"
LINK = ("--addr", "10.77.0.2/24", "--addr6", "fd77::2/64")
MEGABYTES = 64


class Server(threading.Thread):
    """A kernel server for one client: talk(socket) is its part."""

    def __init__(self, talk, family=socket.AF_INET):
        super().__init__(daemon=True)
        self.listener = socket.socket(family)
        self.listener.bind(("", 0))
        self.listener.listen()
        self.listener.settimeout(PATIENCE)
        self.port = str(self.listener.getsockname()[1])
        self.talk, self.result = talk, None
        self.start()

    def run(self):
        with self.listener:
            client, _ = self.listener.accept()
        with client:
            client.settimeout(PATIENCE)
            self.result = self.talk(client)

    def end(self):
        self.join(PATIENCE)
        check(not self.is_alive(), "the server goes on")
        return self.result


def echo(s):
    count = 0
    while True:
        data = s.recv(1 << 20)
        if not data:
            return count
        s.sendall(data)
        count += len(data)


@case
def input_goes_there_and_answers_come_back():
    for host, family in ((V4, socket.AF_INET), (V6, socket.AF_INET6)):
        server = Server(echo, family)
        status, out, err = tern("connect", "-N", *LINK, host, server.port, stdin=b"hello\n")
        check((status, out, err) == (0, "hello\n", ""), status, out, err)
        check(server.end() == 6, "bytes")
        check(devices() == [], devices())


@case
def it_ends_when_the_server_closes():
    server = Server(lambda s: s.sendall(b"the time\r\n"))
    with spawn(TERN, "connect", *LINK, V4, server.port, stdin=subprocess.PIPE,
               stdout=subprocess.PIPE) as process:
        check(process.stdout.read() == b"the time\r\n", "output")
        check(process.wait(PATIENCE) == 0, "status")


@case
def without_n_the_end_of_input_closes_nothing():
    def talk(s):
        check(s.recv(100) == b"question", "question")
        time.sleep(0.3)
        s.setblocking(False)
        try:
            return s.recv(100)
        except BlockingIOError:
            s.sendall(b"answer")
            return "open"
    server = Server(talk)
    status, out, err = tern("connect", *LINK, V4, server.port, stdin=b"question")
    check((status, out) == (0, "answer"), status, out, err)
    check(server.end() == "open", "our half was closed")


@case
def with_n_the_end_of_input_is_a_fin_and_the_rest_still_comes():
    def talk(s):
        asked = read_all(s)
        time.sleep(0.2)
        s.sendall(bytes(3000000))
        return asked
    server = Server(talk)
    status, out, err = tern("connect", "-N", *LINK, V4, server.port, stdin=b"question")
    check((status, len(out)) == (0, 3000000), status, len(out), err)
    check(server.end() == b"question", "question")


@case
def files_move_both_ways_with_equal_sums():
    directory = os.environ["XDG_RUNTIME_DIR"]
    there, back = os.path.join(directory, "there"), os.path.join(directory, "back")
    block = os.urandom(1 << 20)
    with open(there, "wb") as f:
        for _ in range(MEGABYTES):
            f.write(block)
    wanted = hashlib.sha256(block * MEGABYTES).hexdigest()

    def take(s):
        digest = hashlib.sha256()
        while True:
            data = s.recv(1 << 20)
            if not data:
                return digest.hexdigest()
            digest.update(data)

    def give(s):
        with open(there, "rb") as f:
            s.sendfile(f)
    server = Server(take)
    with open(there, "rb") as f:
        process = spawn(TERN, "connect", "-N", *LINK, V4, server.port, stdin=f)
        check(process.wait(PATIENCE) == 0, "status")
    check(server.end() == wanted, "what arrived there differs")
    server = Server(give)
    with open(back, "wb") as f:
        process = spawn(TERN, "connect", *LINK, V4, server.port, stdin=subprocess.DEVNULL,
                        stdout=f)
        check(process.wait(PATIENCE) == 0, "status")
    server.end()
    with open(back, "rb") as f:
        check(hashlib.sha256(f.read()).hexdigest() == wanted, "what came back differs")
    os.unlink(there)
    os.unlink(back)


@case
def a_slow_reader_of_the_output_holds_the_server_back():
    sent = []

    def talk(s):
        s.settimeout(1)
        try:
            while True:
                sent.append(s.send(bytes(65536)))
        except TimeoutError:
            return "held"
    server = Server(talk)
    process = spawn(TERN, "connect", *LINK, V4, server.port, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE)
    check(server.end() == "held", "never held back")
    count = 0
    while count < sum(sent):
        got = os.read(process.stdout.fileno(), 1 << 20)
        check(got, f"ended after {count} of {sum(sent)}")
        count += len(got)
    check(process.wait(PATIENCE) == 0, "status")


@case
def a_port_that_refuses_is_named():
    status, out, err = tern("connect", *LINK, V4, "99")
    check((status, out) == (1, ""), status, out)
    check(err == f"tern connect: {V4} port 99: Connection refused\n", err)


@case
def a_host_that_is_not_there_times_out():
    status, _, err = tern("connect", *LINK, "--sysctl", "net.ipv4.tcp_syn_retries=1",
                          "--sysctl", "net.ipv4.tcp_syn_linear_timeouts=0",
                          "10.98.0.9", "7")
    check(status == 1 and "Connection timed out" in err, status, err)


@case
def a_reset_is_a_problem():
    def talk(s):
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server = Server(talk)
    status, _, err = tern("connect", "-N", *LINK, V4, server.port, stdin=b"xy")
    check(status == 1 and "Connection reset by peer" in err, status, err)


@case
def an_address_of_a_family_that_the_stack_lacks_is_refused():
    status, _, err = tern("connect", "--addr", "10.77.0.2/24", V6, "7")
    check(status == 1 and err.count("\n") == 1 and "--addr6" in err, status, err)
    status, _, err = tern("connect", "-4", *LINK, V6, "7")
    check(status == 1 and f"{V6} has no address of the family of -4" in err, status, err)


@case
def states_of_an_opening_and_a_closing_client_are_seen():
    seen = threading.Event()
    server = Server(lambda s: seen.wait(PATIENCE))
    process = spawn(TERN, "connect", "-N", *LINK, V4, server.port, stdin=subprocess.DEVNULL)
    wait_for(lambda: states() == ["FIN-WAIT-2"], "FIN-WAIT-2")
    end(process)
    seen.set()
    seen = threading.Event()
    server = Server(lambda s: s.shutdown(socket.SHUT_WR) or seen.wait(PATIENCE))
    process = spawn(TERN, "connect", "-N", *LINK, V4, server.port, stdin=subprocess.PIPE)
    wait_for(lambda: states() == ["CLOSE-WAIT"], "CLOSE-WAIT")
    seen.set()
    process.stdin.close()
    process.stdin = None
    check(process.wait(PATIENCE) == 0, "status")


@case
def ctrl_c_ends_it_with_a_fin_and_leaves_nothing():
    server = Server(lambda s: read_all(s) or "fin")
    process = spawn(TERN, "connect", *LINK, V4, server.port, stdin=subprocess.PIPE)
    wait_for(lambda: states() == ["ESTAB"], "ESTAB")
    check(end(process, signal.SIGINT) == 1, "status")
    check(server.end() == "fin", "no FIN")
    check(devices() == [], devices())


@case
def a_fin_that_nobody_acknowledges_is_owed():
    over = threading.Event()
    server = Server(lambda s: over.wait(PATIENCE))
    process = spawn(TERN, "connect", *LINK, "--drain", "300ms", V4, server.port,
                    stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: states() == ["ESTAB"], "ESTAB")
    run("ip", "addr", "flush", "dev", "tern0")
    check(end(process, signal.SIGINT) == 1, "status")
    err = process.stderr.read().decode()
    check("ended with 1 connection that still owed a FIN not acknowledged" in err, err)
    over.set()
    server.end()


@case
def ctrl_c_ends_a_connect_that_waits():
    process = spawn(TERN, "connect", *LINK, "10.98.0.9", "7", stdin=subprocess.DEVNULL)
    wait_for(lambda: states() == ["SYN-SENT"], "SYN-SENT")
    check(end(process, signal.SIGINT) == 1, "status")


main()
