#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How other hosts reach a stack under tern run, as docs/NETWORK.md has it: a host of the LAN in a
namespace of its own, this one as the host between it and the stack."""

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time

from live import (PATIENCE, TERN, case, check, devices, end, enter_namespace, main, needs_mounts,
                  run, skip, spawn, tern, wait_for)

enter_namespace()
if subprocess.run(["sh", "-c", "nft list ruleset"], capture_output=True, check=False).returncode:
    skip("needs nft, and a kernel with nf_tables")

FORWARDING = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")

# Tells who comes, by TCP and UDP, IPv4 and IPv6, where from it sees him come.
SERVER = """
import select, socket
tcp = [socket.create_server(('', 8080)),
       socket.create_server(('::', 8080), family=socket.AF_INET6)]
udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
udp[0].bind(('', 8080))
print('READY', flush=True)
while True:
    for s in select.select(tcp + udp, [], [])[0]:
        if s in udp:
            data, peer = s.recvfrom(100)
            s.sendto(peer[0].encode(), peer)
        else:
            c, peer = s.accept()
            c.sendall(peer[0].encode())
            c.close()
"""

SERVER4 = SERVER.replace("socket.create_server(('::', 8080), family=socket.AF_INET6)", "")

ASK = """
import socket, sys
host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET,
                  socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
s.settimeout(3)
s.connect((host, port))
if kind == 'udp':
    s.send(b'who am I')
print(s.recv(100).decode(), end='')
"""


def lan():
    """A host at 192.0.2.2 and 2001:db8::2 on eth0; this one is .1 and ::1, and .3. Its process."""
    other = spawn("unshare", "--net", "sleep", "1000")
    wait_for(lambda: os.readlink(f"/proc/{other.pid}/ns/net") !=
             os.readlink("/proc/self/ns/net"), "its namespace")

    def there(*words):
        check(run("nsenter", "--net", "--target", str(other.pid), *words)[0] == 0, words)

    def here(*words):
        check(run(*words)[0] == 0, words)

    here("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns",
         str(other.pid))
    for where, last in ((here, 1), (there, 2)):
        where("ip", "addr", "add", f"192.0.2.{last}/24", "dev", "eth0")
        where("ip", "addr", "add", f"2001:db8::{last}/64", "dev", "eth0", "nodad")
        where("ip", "link", "set", "eth0", "up")
    here("ip", "addr", "add", "192.0.2.3/24", "dev", "eth0")
    there("ip", "link", "set", "lo", "up")
    other.ask = lambda *words: ask(*words, prefix=("nsenter", "--net", "--target", str(other.pid)))
    other.there = there
    return other


def ask(host, kind="tcp", port=8080, prefix=()):
    """What the server says to whom asks it from here; None: it does not answer."""
    status, out, _ = run(*prefix, sys.executable, "-c", ASK, host, str(port), kind)
    return out if status == 0 else None


def start(*words):
    server = SERVER if "--addr6" in words else SERVER4
    process = spawn(TERN, "run", *words, "--", sys.executable, "-c", server,
                    stdout=subprocess.PIPE)
    line = process.stdout.readline()
    check(line == b"READY\n", "no server")
    return process


def forwarding():
    said = []
    for path in FORWARDING:
        with open(path, encoding="utf-8") as f:
            said.append(f.read().strip())
    return said


def set_forwarding(v4, v6):
    for path, value in zip(FORWARDING, (v4, v6)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(value)


def tables():
    return run("nft", "list", "tables")[1]


def nothing_is_left():
    return ("tern" not in tables() and forwarding() == ["0", "0"] and
            not any(name.startswith("forwarding") for name in
                    os.listdir(os.path.join(os.environ["XDG_RUNTIME_DIR"], "tern"))))


@case
def a_routed_address_is_reached_from_the_lan():
    other = lan()
    start("--addr", "10.77.0.2/24", "--addr6", "fd77::2/64")
    check(other.ask("10.77.0.2") is None, "without a route")
    set_forwarding("1", "1")
    other.there("ip", "route", "add", "10.77.0.2", "via", "192.0.2.1")
    other.there("ip", "route", "add", "fd77::2", "via", "2001:db8::1")
    for kind in ("tcp", "udp"):
        check(other.ask("10.77.0.2", kind) == "192.0.2.2", kind, other.ask("10.77.0.2", kind))
    check(other.ask("fd77::2") == "2001:db8::2", other.ask("fd77::2"))
    check("tern" not in tables(), "no table is needed")


@case
def a_published_port_of_the_host_leads_to_the_stack():
    other = lan()
    process = start("--publish", "8080", "--addr", "10.77.0.2/24", "--addr6", "fd77::2/64")
    for kind in ("tcp", "udp"):
        for host in ("192.0.2.1", "192.0.2.3"):
            check(other.ask(host, kind) == "192.0.2.2", host, kind, other.ask(host, kind))
    check(other.ask("2001:db8::1") == "2001:db8::2", other.ask("2001:db8::1"))
    # And from the host itself, at each of its addresses.
    check(ask("192.0.2.1") == "192.0.2.1", ask("192.0.2.1"))
    for kind in ("tcp", "udp"):
        check(ask("127.0.0.1", kind) == "10.77.0.1", kind, ask("127.0.0.1", kind))
    check(ask("2001:db8::1") is not None, "by IPv6")
    check(end(process, signal.SIGTERM) == 143, process.returncode)
    check(nothing_is_left(), tables(), forwarding())
    check(other.ask("192.0.2.1") is None, "it is still published")


@case
def a_port_published_at_one_address_is_not_at_the_others():
    other = lan()
    start("--publish", "192.0.2.3:8080")
    check(other.ask("192.0.2.3") == "192.0.2.2", "published")
    check(other.ask("192.0.2.1") is None and ask("192.0.2.1") is None, "not published")
    check(forwarding() == ["1", "0"], "IPv6 is not forwarded for a stack that has none")


@case
def large_segments_pass_the_host_both_ways():
    # What the devices leave for later (checksums, cutting) has to survive the translation.
    other = lan()
    size = 20_000_000
    sender = (f"import socket\ns = socket.create_server(('', 8080))\nprint('READY', flush=True)\n"
              f"c = s.accept()[0]\nc.sendall(bytes(range(250)) * {size // 250})\n")
    reader = ("import hashlib, socket, sys\ns = socket.create_connection((sys.argv[1], 8080))\n"
              "h, n = hashlib.sha256(), 0\nwhile True:\n    b = s.recv(1 << 20)\n"
              "    if not b:\n        break\n    h.update(b)\n    n += len(b)\n"
              "print(n, h.hexdigest())")
    expected = f"{size} {hashlib.sha256(bytes(range(250)) * (size // 250)).hexdigest()}\n"
    there = ("nsenter", "--net", "--target", str(other.pid), sys.executable, "-c")
    process = spawn(TERN, "run", "--publish", "8080", "--", sys.executable, "-c", sender,
                    stdout=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    status, out, err = run(*there, reader, "192.0.2.1")
    check((status, out) == (0, expected), "out of the stack", status, out, err)
    check(process.wait(PATIENCE) == 0, process.returncode)
    process = spawn(*there, sender, stdout=subprocess.PIPE)
    check(process.stdout.readline() == b"READY\n", "no server")
    status, out, err = tern("run", "--masquerade", "--", sys.executable, "-c", reader, "192.0.2.2")
    check((status, out) == (0, expected), "into the stack", status, out, err)


@case
def masquerade_lets_the_stack_out_with_the_hosts_address():
    other = lan()
    there = spawn("nsenter", "--net", "--target", str(other.pid), sys.executable, "-c", SERVER4,
                  stdout=subprocess.PIPE)
    check(there.stdout.readline() == b"READY\n", "no server")
    command = ("--", sys.executable, "-c", ASK, "192.0.2.2", "8080")
    check(tern("run", *command, "tcp")[0] != 0, "it has no way out")
    for kind in ("tcp", "udp"):
        status, out, err = tern("run", "--masquerade", *command, kind)
        check((status, out) == (0, "192.0.2.1"), kind, status, out, err)
    check(nothing_is_left(), tables(), forwarding())


@case
def an_address_of_the_lan_is_taken_by_proxy_arp():
    other = lan()
    set_forwarding("1", "1")
    for path in ("ipv4/conf/eth0/proxy_arp", "ipv6/conf/eth0/proxy_ndp"):
        with open("/proc/sys/net/" + path, "w", encoding="utf-8") as f:
            f.write("1")
    check(run("ip", "neigh", "add", "proxy", "2001:db8::50", "dev", "eth0")[0] == 0, "proxy_ndp")
    start("--addr", "192.0.2.50/32", "--peer", "10.77.0.1", "--addr6", "2001:db8::50/128",
          "--peer", "fd77::1")
    for kind in ("tcp", "udp"):
        check(other.ask("192.0.2.50", kind) == "192.0.2.2", kind, other.ask("192.0.2.50", kind))
    # The kernel delays its answer for a proxied neighbour by up to 0.8 s.
    check(other.ask("2001:db8::50") == "2001:db8::2", other.ask("2001:db8::50"))
    check(ask("192.0.2.50") == "10.77.0.1", ask("192.0.2.50"))


@case
def table_and_forwarding_go_however_it_ends():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        process = start("--publish", "8080", "--masquerade", "--addr6", "fd77::2/64", "--addr",
                        "10.77.0.2/24", "--name", "a-b.c")
        check("tern_a-b.c" in tables() and forwarding() == ["1", "1"], tables(), forwarding())
        command = int(run("cat", f"/proc/{process.pid}/task/{process.pid}/children")[1].split()[-1])
        process.send_signal(number)
        process.wait(PATIENCE)
        wait_for(nothing_is_left, f"the end after {number}: {tables()} {forwarding()}")
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):  # its stack is gone: it may be, too
                os.kill(command, signal.SIGKILL)
    check(devices() == [], devices())


@case
def forwarding_that_was_on_stays_on():
    set_forwarding("1", "0")
    process = start("--publish", "8080")
    check(end(process, signal.SIGTERM) == 143, process.returncode)
    check(forwarding() == ["1", "0"], forwarding())


@case
def the_last_of_several_switches_forwarding_off():
    first = start("--publish", "8080")
    second = spawn(TERN, "run", "--publish", "8081", "--dev", "tern1", "--addr", "10.77.1.2/24",
                   "--", "sleep", "1000")
    wait_for(lambda: "tern_tern1" in tables(), "the second table")
    end(first, signal.SIGTERM)
    check(forwarding() == ["1", "0"] and "tern_tern0" not in tables(), tables(), forwarding())
    end(second, signal.SIGTERM)
    check(nothing_is_left(), tables(), forwarding())


@case
def where_nothing_of_proc_sys_can_be_written_what_is_on_is_enough():
    needs_mounts()

    def run_there(*words):
        done = subprocess.run(["unshare", "--mount", "sh", "-c",
                               "mount --bind /proc/sys /proc/sys && "
                               'mount -o remount,bind,ro /proc/sys && exec "$@"', "sh", TERN,
                               "run", "--publish", "8080", "--", *words], capture_output=True,
                              timeout=PATIENCE, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    status, out, err = run_there("true")
    check((status, out) == (1, "") and "ip_forward" in err and err.count("\n") == 1, status, err)
    set_forwarding("1", "0")
    status, out, err = run_there("nft", "list", "table", "inet", "tern_tern0")
    check((status, err) == (0, "") and "ip daddr != 127.0.0.0/8" in out, status, out, err)


@case
def tables_of_others_are_not_touched():
    rules = ("table ip other {\nchain forward {\n"
             "type filter hook forward priority 0; policy accept;\n}\n}\n")
    check(run("nft", rules)[0] == 0, "a table")
    before = run("nft", "list", "ruleset")[1]
    end(start("--publish", "8080", "--masquerade"), signal.SIGTERM)
    check(run("nft", "list", "ruleset")[1] == before, "it changed")


@case
def without_nft_it_says_what_is_missing():
    needs_mounts()
    done = subprocess.run(["unshare", "--mount", "sh", "-c",
                           "mount --bind /dev/null $(command -v nft) && "
                           f"exec {TERN} run --publish 80 -- true"], capture_output=True,
                          timeout=PATIENCE, check=False)
    err = done.stderr.decode()
    check((done.returncode, done.stdout) == (1, b"") and "install nftables" in err, done)
    check(err.count("\n") == 1, err)
    wait_for(lambda: forwarding() == ["0", "0"], "forwarding is put back")
    check(devices() == [], devices())


@case
def publishing_what_cannot_be_is_a_problem():
    for words, said in ((("--link", "none", "--publish", "80"), "lead to a device"),
                        (("--publish", "[2001:db8::1]:80"), "has no address of that family")):
        status, out, err = tern("run", *words, "--", "true")
        check((status, out) == (1, "") and said in err, words, status, err)
    check(nothing_is_left(), tables(), forwarding())


main()
