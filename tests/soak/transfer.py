#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""1 GiB each way between tern and the Linux kernel over a TUN device, by every service and by
tern connect; then again over a bad wire. `make soak` runs it; with a number it is that many MiB.

Data come from a seed and are compared by SHA-256 (chargen's with its pattern, discard's by what
the stack counts). Prints a line for each run; exits 1 if one fails.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
sys.dont_write_bytecode = True

import live  # noqa: E402
from live import (TERN, case, check, connect, enter_namespace, serve,  # noqa: E402
                  spawn, tern, wait_for)

enter_namespace()
live.PATIENCE = 1800

MIB = 1 << 20
SIZE = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
BAD = "loss=1%,dup=1%,reorder=1%,seed=7"
HOST, KERNEL = "10.77.0.2", "10.77.0.1"


class Source:
    """Bytes that cannot be guessed, but repeat; counts and sums what it gave."""

    def __init__(self, mib):
        self.block = hashlib.shake_256(b"tern").digest(MIB)
        self.mib, self.sum = mib, hashlib.sha256()

    def send(self, s):
        for i in range(self.mib):
            block = i.to_bytes(8, "big") + self.block[8:]
            s.sendall(block)
            self.sum.update(block)

    def send_and_close(self, s):
        self.send(s)
        s.shutdown(socket.SHUT_WR)


def drain(s):
    total, digest = 0, hashlib.sha256()
    while True:
        data = s.recv(MIB)
        if not data:
            return total, digest.hexdigest()
        total += len(data)
        digest.update(data)


def report(name, mib, begun):
    seconds = time.monotonic() - begun
    print(f"# {name}: {mib} MiB in {seconds:.1f} s, {mib * 8.388608 / seconds:.0f} Mbit/s",
          flush=True)


def echo(name, mib, *more):
    serve("echo", *more)
    begun, source = time.monotonic(), Source(mib)
    with connect(HOST, 7, timeout=600) as s:
        thread = threading.Thread(target=source.send_and_close, args=(s,), daemon=True)
        thread.start()
        total, digest = drain(s)
        thread.join()
    check(total == mib * MIB and digest == source.sum.hexdigest(), name, total, "sums differ")
    report(name, mib, begun)


def discarded():
    """Bytes that the only connection has received."""
    rows = json.loads(tern("ss", "-tnj", "state", "connected")[1])["sockets"]
    return rows[0]["tcp"]["bytes_received"] if rows else 0


def discard(name, mib, *more):
    serve("discard", *more)
    begun, source = time.monotonic(), Source(mib)
    with connect(HOST, 9, timeout=600) as s:
        source.send(s)
        wait_for(lambda: discarded() == mib * MIB, f"{mib} MiB in tern ss")
        s.shutdown(socket.SHUT_WR)
        check(s.recv(1) == b"", "no end")
    report(name, mib, begun)


def chargen(name, mib, *more):
    serve("chargen", *more)
    chars = bytes(range(32, 127)) * 2
    period = b"".join(chars[i:i + 72] + b"\r\n" for i in range(95))
    pattern = period * (MIB // len(period) + 2)
    begun, at, left = time.monotonic(), 0, mib * MIB
    with connect(HOST, 19, timeout=600) as s:
        while left > 0:
            data = s.recv(MIB)
            check(data == pattern[at:at + len(data)], name, "not the pattern", left)
            at = (at + len(data)) % len(period)
            left -= len(data)
    report(name, mib, begun)


def client(name, mib, *more):
    """tern connect -N to a kernel server that echoes."""
    listener = socket.create_server(("", 0))
    listener.settimeout(60)
    result = []

    def talk():
        s, _ = listener.accept()
        with s:
            while True:
                data = s.recv(MIB)
                if not data:
                    return
                s.sendall(data)
    threading.Thread(target=talk, daemon=True).start()
    begun, source = time.monotonic(), Source(mib)
    process = spawn(TERN, "connect", "-N", *more, KERNEL, str(listener.getsockname()[1]),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    class Pipe:
        sendall = staticmethod(process.stdin.write)

        @staticmethod
        def shutdown(_):
            process.stdin.close()

        @staticmethod
        def recv(count):
            return os.read(process.stdout.fileno(), count)
    thread = threading.Thread(target=lambda: result.append(drain(Pipe)), daemon=True)
    thread.start()
    source.send_and_close(Pipe)
    thread.join()
    check(process.wait(live.PATIENCE) == 0, "status")
    check(result == [(mib * MIB, source.sum.hexdigest())], name, result, "sums differ")
    listener.close()
    report(name, mib, begun)


@case
def a_gibibyte_each_way_through_echo():
    echo("echo", SIZE)


@case
def a_gibibyte_into_discard():
    discard("discard", SIZE)


@case
def a_gibibyte_out_of_chargen():
    chargen("chargen", SIZE)


@case
def a_gibibyte_each_way_through_tern_connect():
    client("connect", SIZE)


@case
def a_gibibyte_each_way_through_echo_over_a_bad_wire():
    echo("echo, bad wire", SIZE, "--fault", BAD)


@case
def a_gibibyte_into_discard_over_a_bad_wire():
    discard("discard, bad wire", SIZE, "--fault", BAD)


@case
def a_gibibyte_out_of_chargen_over_a_bad_wire():
    chargen("chargen, bad wire", SIZE, "--fault", BAD)


@case
def a_gibibyte_each_way_through_tern_connect_over_a_bad_wire():
    client("connect, bad wire", SIZE, "--fault", BAD)


live.main()
