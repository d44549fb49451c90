#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How a tern run ends: daemons that outlive COMMAND, what closed sockets still owe, a client."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

from live import (PATIENCE, TERN, case, check, connect, devices, end, enter_namespace, main,
                  read_all, spawn, states, tern, wait_for)

enter_namespace()

HOST = "10.77.0.2"

# A daemon as of old: the parent ends at once, the child forks again and opens its socket late.
DAEMON = """
import os, signal, socket, sys, time
if os.fork():
    os._exit({status})
os.setsid()
if os.fork():
    os._exit(0)
time.sleep({late})
def told(number, frame):
    os.write(2, signal.Signals(number).name.encode() + b'\\n')
    if number != {deaf}:
        os._exit(0)
for number in signal.SIGTERM, signal.SIGINT, signal.SIGUSR1:
    signal.signal(number, told)
s = socket.create_server(('', 80))
while True:
    c = s.accept()[0]
    c.sendall(b'daemon\\n')
    c.close()
"""

# Sends SIZE bytes to whoever comes first, and ends.
SENDER = """
import socket, sys
s = socket.create_server(('', 80))
print('READY', flush=True)
c = s.accept()[0]
c.sendall(b'x' * int(sys.argv[1]))
"""

SERVER = """
import socket, time
time.sleep({late})
s = socket.create_server(('', 80))
while True:
    c = s.accept()[0]
    c.sendall(b'server\\n')
    c.close()
"""


def python(code, *words, **values):
    return (sys.executable, "-c", code.format(**values) if values else code, *words)


def start(*words, **more):
    """tern run WORDS, its lines in a pipe."""
    return spawn(TERN, "run", *words, stderr=subprocess.PIPE, **more)


def answer():
    try:
        with connect(HOST, 80, timeout=2) as s:
            return read_all(s)
    except OSError:
        return None


def line_of(process):
    return process.stderr.readline().decode()


@case
def a_daemon_that_outlives_the_command_keeps_its_stack():
    process = start("--", *python(DAEMON, status=0, late=0.5, deaf=0))
    wait_for(lambda: answer() == b"daemon\n", "the daemon")
    line = line_of(process)
    check("has ended with status 0" in line and "still holds a socket" in line, line)
    check(process.poll() is None, "tern has ended")
    check(end(process, signal.SIGTERM) == 0, process.returncode)
    check(process.stderr.read() == b"SIGTERM\n", "the signal goes on to it, once")
    check(devices() == [], devices())


@case
def the_status_is_the_commands_also_where_a_daemon_outlives_it():
    process = start("--", *python(DAEMON.replace("os._exit({status})", "time.sleep(1); "
                                                 "os._exit({status})"), status=5, late=0, deaf=0))
    wait_for(lambda: "has ended with status 5" in line_of(process), "its line")
    check(answer() == b"daemon\n", "it serves")
    check(end(process, signal.SIGINT) == 5, process.returncode)


@case
def signals_that_ask_for_no_end_reach_the_daemon_and_tern_stays():
    process = start("--", *python(DAEMON, status=0, late=0, deaf=int(signal.SIGUSR1)))
    wait_for(lambda: "still holds a socket" in line_of(process), "its line")
    for _ in range(3):
        process.send_signal(signal.SIGUSR1)
        check(line_of(process) == "SIGUSR1\n", "USR1")
    check(answer() == b"daemon\n", "it serves on")
    check(end(process, signal.SIGTERM) == 0, process.returncode)


@case
def a_second_signal_ends_tern_where_the_daemon_does_not_listen_to_the_first():
    process = start("--", *python(DAEMON, status=0, late=0, deaf=int(signal.SIGTERM)))
    wait_for(lambda: "still holds a socket" in line_of(process), "its line")
    process.send_signal(signal.SIGTERM)
    check(line_of(process) == "SIGTERM\n", "the first goes on")
    time.sleep(0.3)
    check(process.poll() is None and answer() == b"daemon\n", "tern stays")
    began = time.monotonic()
    check(end(process, signal.SIGTERM) == 0, process.returncode)
    check(time.monotonic() - began < 3, "it takes too long")
    check(devices() == [], devices())


@case
def a_daemon_that_ends_by_itself_ends_tern():
    code = DAEMON.replace("    c.close()\n", "    c.close()\n    os._exit(0)\n")
    process = start("--", *python(code, status=0, late=0, deaf=0))
    wait_for(lambda: "still holds a socket" in line_of(process), "its line")
    check(answer() == b"daemon\n", "it serves once")
    check(process.wait(PATIENCE) == 0, process.returncode)


@case
def what_was_sent_arrives_though_its_sender_has_ended():
    size = 3_000_000
    process = spawn(TERN, "run", "--", *python(SENDER, str(size)), stdout=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(PATIENCE)
        s.connect((HOST, 80))
        time.sleep(1)
        check(len(read_all(s)) == size, "bytes are missing")
    check(process.wait(PATIENCE) == 0, process.returncode)


def left_of(process, s, size):
    """tern has ended with the debt to s that its line tells: all but what s has, and s is told."""
    err = process.stderr.read().decode()
    line = re.search(r"ended with 1 connection that still owed (\d+) bytes; --drain", err)
    check(err.count("\n") == 1 and line, err)
    s.settimeout(PATIENCE)
    got = 0
    try:
        while piece := s.recv(65536):
            got += len(piece)
    except ConnectionResetError:
        check(got + int(line[1]) == size, got, err)
        return
    check(False, "a clean end after", got)


def who_does_not_read():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect((HOST, 80))
    return s


@case
def the_drain_has_an_end_one_line_says_what_was_left_and_the_peer_gets_a_reset():
    for size in 20000, 200000: # that the stack holds, and that lie in the program's pair as well
        process = spawn(TERN, "run", "--drain", "1s", "--", *python(SENDER, str(size)),
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(process.stdout.readline() == b"READY\n", "no server")
        with who_does_not_read() as s:
            check(process.wait(PATIENCE) == 0, "the status is the command's", process.returncode)
            left_of(process, s, size)


@case
def a_second_signal_resets_the_connections_that_a_daemon_holds():
    code = DAEMON.replace("    c.close()\n", "    c.recv(1)\n")
    process = start("--drain", "60s", "--", *python(code, status=0, late=0,
                                                    deaf=int(signal.SIGTERM)))
    wait_for(lambda: "still holds a socket" in line_of(process), "its line")
    with connect(HOST, 80) as s:
        check(s.recv(100) == b"daemon\n", "it serves")
        process.send_signal(signal.SIGTERM)
        check(line_of(process) == "SIGTERM\n", "the first goes on")
        time.sleep(0.3)
        check(end(process, signal.SIGTERM) == 0, process.returncode)
        s.settimeout(PATIENCE)
        try:
            check(False, "no reset, but", s.recv(1))
        except ConnectionResetError:
            pass


@case
def a_signal_ends_the_drain():
    process = spawn(TERN, "run", "--drain", "60s", "--", *python(SENDER, "100000"),
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    with who_does_not_read() as s:
        wait_for(lambda: states("state", "fin-wait-1") or states("state", "established"), "it")
        time.sleep(1)
        check(process.poll() is None, "it does not wait")
        began = time.monotonic()
        check(end(process, signal.SIGINT) == 0, process.returncode)
        check(time.monotonic() - began < 2, "it takes too long")
        left_of(process, s, 100000)


@case
def what_timeout_sends_to_us_and_to_our_group_is_one_signal():
    words = ("timeout", "1", TERN, "run", "--", *python(SENDER, "30000000"))
    process = spawn(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(PATIENCE)
        s.connect((HOST, 80))
        time.sleep(2)
        check(process.poll() is None, "the sender is gone, what it wrote is still to be sent")
        check(len(read_all(s)) > 100000, "all that was written, and then the end")
    check(process.wait(PATIENCE) == 124 and process.stderr.read() == b"", process.returncode)


@case
def time_wait_is_not_waited_for():
    process = spawn(TERN, "run", "--", *python(SENDER, "10"), stdout=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    began = time.monotonic()
    with connect(HOST, 80) as s:
        check(read_all(s) == b"x" * 10, "it")
    check(process.wait(PATIENCE) == 0 and time.monotonic() - began < 3, "it takes too long")


@case
def the_client_starts_when_the_command_listens():
    client = f"exec 3<>/dev/tcp/{HOST}/80; cat <&3; exit 6"
    began = time.monotonic()
    status, out, err = tern("run", "--with", f"bash -c '{client}'", "--",
                            *python(SERVER, late=0.2))
    took = time.monotonic() - began
    check((status, out, err) == (6, "server\n", ""), status, out, err)
    check(0.2 < took < 1.9, took)


@case
def the_clients_end_is_the_daemons_as_well():
    status, out, err = tern("run", "--with", f"bash -c 'cat </dev/tcp/{HOST}/80'", "--",
                            *python(DAEMON, status=0, late=0.2, deaf=0))
    check((status, out) == (0, "daemon\n"), status, out, err)
    check(err == "SIGTERM\n", err)
    check(devices() == [], devices())


@case
def a_client_reads_what_a_command_left_that_has_ended():
    status, out, err = tern("run", "--with", f"bash -c 'sleep 1; wc -c </dev/tcp/{HOST}/80'", "--",
                            *python(SENDER, "1000000"))
    check((status, out.split()) == (0, ["READY", "1000000"]), status, out, err)


# Takes connections until no descriptor is left, in tern run as well.
HOARDER = """
import socket
s = socket.create_server(('', 80), backlog=256)
held = []
while True:
    try:
        held.append(s.accept())
    except OSError:
        pass
"""


@case
def without_a_descriptor_left_the_stack_still_tells_of_itself():
    spawn("sh", "-c", 'ulimit -n 64; exec "$@"', "-", TERN, "run", "--", *python(HOARDER))
    wait_for(lambda: states("state", "listening"), "the listener")
    clients = [connect(HOST, 80) for _ in range(100)]
    for _ in range(20):
        status, out, err = tern("ss", "-s")
        check(status == 0 and "estab 100" in out, status, out, err)
    for c in clients:
        c.close()


@case
def killed_outright_it_resets_the_commands_sockets():
    with socket.create_server(("", 9000)) as listener:
        code = ("import socket\ns = socket.create_connection(('10.77.0.1', 9000))\n"
                "s.sendall(b'x')\ntry:\n    print(s.recv(1))\n"
                "except OSError as error:\n    print(error.errno)\n")
        listener.settimeout(PATIENCE)
        process = spawn(TERN, "run", "--", *python(code), stdout=subprocess.PIPE)
        peer = listener.accept()[0]
        check(peer.recv(1) == b"x", "connected")
        process.kill()
        check(process.stdout.read() == b"104\n", "ECONNRESET")
        peer.close()


main()
