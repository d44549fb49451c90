#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tern ss, ladder, nstat and sysctl, on a stack that the Linux kernel talks to."""

import json
import re
import socket
import struct
import tempfile

from live import (case, check, connect, enter_namespace, main, read_all, serve, sockets, states,
                  tern, wait_for)

enter_namespace()

HOST = "10.77.0.2"
ALL = ("echo", "chargen", "daytime")


def ss(*words):
    status, out, err = tern("ss", *words)
    check(status == 0, words, err)
    return out


def raw_syn(source, port):
    """A SYN from an address that nobody has, so that nobody answers the SYN-ACK."""
    addresses = socket.inet_aton(source) + socket.inet_aton(HOST)
    header = struct.pack("!HHIIBBHHH", 4000, port, 1, 0, 0x50, 2, 1000, 0, 0)
    words = struct.unpack("!16H", addresses + struct.pack("!HH", 6, 20) + header)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    header = header[:16] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + header[18:]
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + addresses + header
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(packet, (HOST, 0))


@case
def listeners_are_shown_with_their_queues():
    serve(*ALL)
    check(sorted(sockets("-l")) == [["LISTEN", "0", "4096", f"0.0.0.0:{port}", "0.0.0.0:*"]
                                    for port in (13, 19, 7)], sockets("-l"))
    check(re.search(r"^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port",
                    ss("-tan")), ss("-tan"))


@case
def a_connection_goes_from_estab_to_nothing_on_the_side_that_closes_last():
    serve(*ALL)
    with connect(HOST, 7) as s:
        row = wait_for(lambda: sockets("state", "connected"), "a row")[0]
        check(row[0] == "ESTAB" and row[3] == HOST + ":7", row)
        check(row[4] == "%s:%d" % s.getsockname(), row)
    wait_for(lambda: not sockets("state", "connected"), "it goes")


@case
def the_side_that_closes_first_stays_in_time_wait_with_its_timer():
    serve(*ALL)
    with connect(HOST, 13) as s:
        read_all(s)
    wait_for(lambda: "TIME-WAIT" in states(), "TIME-WAIT")
    check(re.search(r"^TIME-WAIT .* timer:\(timewait,5\dsec,0\)", ss("-tano"), re.M),
          ss("-tano"))


@case
def a_half_open_connection_and_one_that_waits_for_a_window_are_shown():
    serve(*ALL)
    raw_syn("10.77.0.99", 7)
    row = wait_for(lambda: sockets("-o", "state", "syn-recv"), "SYN-RECV")[0]
    check(row[3] == "10.77.0.99:4000" and row[4].startswith("timer:(on,"), row)
    check("synq:1/" in ss("-tlne"), ss("-tlne"))
    with connect(HOST, 19):
        wait_for(lambda: "timer:(persist," in ss("-tano"), "persist")
        check(int(sockets("sport = :19", )[-1][2]) > 10000, "Send-Q")
        check(re.search(r"skmem:\(r0,rb\d+,t\d+,tb\d+,f\d+,w[1-9]\d*,", ss("-tnm")),
              ss("-tnm"))


@case
def an_orphan_in_fin_wait_2_is_gone_after_tcp_fin_timeout():
    serve(*ALL, "--sysctl", "net.ipv4.tcp_fin_timeout=1")
    with connect(HOST, 13):
        wait_for(lambda: re.search(r"^FIN-WAIT-2 .*timer:\(timewait,", ss("-tano"), re.M),
                 "FIN-WAIT-2")
        wait_for(lambda: "FIN-WAIT-2" not in states(), "it goes")


@case
def filters_choose():
    serve(*ALL)
    with connect(HOST, 7), connect(HOST, 7):
        wait_for(lambda: len(sockets("state", "established")) == 2, "two")
        for words, count in ((("sport = :7",), 3), (("dport = :7",), 0),
                             (("exclude", "listening"), 2), (("not", "src", HOST), 3),
                             (("state", "listening", "sport", "=", ":13"), 1)):
            check(len(sockets(*words)) == count, words, sockets(*words))
        check(len(ss("-Huan").splitlines()) == 3, ss("-Huan"))
        check("State" not in ss("-tn", "state", "established"), "State is told twice")


@case
def names_of_services_come_from_the_system():
    serve(*ALL)
    check("0.0.0.0:daytime" in ss("-tl"), ss("-tl"))
    check("0.0.0.0:13 " in ss("-tln"), ss("-tln"))


@case
def json_says_the_same():
    serve(*ALL)
    with connect(HOST, 7) as s:
        wait_for(lambda: sockets("state", "established"), "a row")
        told = json.loads(ss("-tanj"))
        check(told["schema"] == "tern.ss" and told["version"] == 1, told)
        rows = [row for row in told["sockets"] if row["state"] == "ESTAB"]
        check(len(rows) == 1, told)
        check(rows[0]["local"] == {"addr": HOST, "port": 7}, rows)
        check(rows[0]["peer"] == {"addr": "10.77.0.1", "port": s.getsockname()[1]}, rows)
        check(json.loads(ss("-tan", "--pretty"))["sockets"], "pretty")
        check(len(ss("-tan", "--pretty").splitlines()) > 10, "pretty is not indented")
        check(json.loads(ss("-sj"))["schema"] == "tern.ss.summary", "summary")
        counters = json.loads(tern("nstat", "-j")[1])["counters"]
        check(counters["TcpPassiveOpens"] == 1, counters)


@case
def the_summary_counts():
    serve(*ALL)
    with connect(HOST, 7), connect(HOST, 13) as s:
        read_all(s)
        wait_for(lambda: "estab 1," in ss("-s"), ss("-s"))
        check(re.search(r"^TCP:   5 \(estab 1, closed ", ss("-s"), re.M), ss("-s"))


@case
def counters_go_up_and_patterns_choose():
    serve(*ALL)
    connect(HOST, 7).close()
    check(re.search(r"^TcpPassiveOpens +1 +0\.0$", tern("nstat")[1], re.M), tern("nstat")[1])
    check(len(tern("nstat", "-az")[1].splitlines()) > len(tern("nstat", "-a")[1].splitlines()),
          "-z shows no more")
    out = tern("nstat", "-z", "TcpExt*")[1].splitlines()[1:]
    check(out and all(line.startswith("TcpExt") for line in out), out)


@case
def knobs_are_read_and_set():
    serve(*ALL)
    name = "net.ipv4.tcp_fin_timeout"
    check(tern("sysctl", name)[1] == name + " = 60\n", "read")
    check(tern("sysctl", "-w", name + "=30")[1] == name + " = 30\n", "set")
    check(tern("sysctl", "-n", name)[1] == "30\n", "read again")
    check(name + " = 30\n" in tern("sysctl", "-a")[1], "all")
    check(tern("sysctl", "tcp_keepalive_*")[1].count("\n") == 3, "a pattern")
    check(tern("sysctl", "/proc/sys/net/ipv4/tcp_fin_timeout")[1] == name + " = 30\n", "a path")
    knobs = json.loads(tern("sysctl", "-j", name, "tcp_rmem")[1])
    check(knobs["schema"] == "tern.sysctl" and knobs["knobs"][name] == "30", knobs)
    out = tern("sysctl", "--explain", name)[1]
    check(out.startswith(name + " = 30\n") and "30 → 30 seconds" in out, out)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write("# a comment\n; another\n\nnet.ipv4.tcp_fin_timeout = 20\n"
                   "vm.swappiness = 1\n-net.ipv4.tcp_nothing=1\nnet/ipv4/tcp_rmem=5000 6000 7000\n")
        conf.flush()
        status, out, err = tern("sysctl", "-p", conf.name)
        check(status == 0 and out == name + " = 20\nnet.ipv4.tcp_rmem = 5000 6000 7000\n", out, err)
        check(err.count("\n") == 1 and ":5: there is no knob 'vm.swappiness'" in err, err)
    check(tern("sysctl", "-n", "tcp_rmem")[1] == "5000\t6000\t7000\n", "set by a file")
    for word, said in ((name + "x", "no knob 'net.ipv4.tcp_fin_timeoutx'"),
                       ("tcp_tw_recycle=1", "removed in Linux 4.12: broke clients behind NAT"),
                       (name + "x=1", "the nearest is net.ipv4.tcp_fin_timeout"),
                       (name + "=x", "it takes 0 to 3600 seconds"),
                       (name + "=9999", "does not take '9999'")):
        status, _, err = tern("sysctl", word)
        check(status == 2 and said in err and err.count("\n") == 1, word, status, err)


@case
def a_ladder_shows_handshake_and_close_with_both_states():
    serve(*ALL)
    with connect(HOST, 13) as s:
        read_all(s)
        end = "%s:%d" % s.getsockname()
    wait_for(lambda: "TIME-WAIT" in states(), "TIME-WAIT")
    for words in ((), ("--flow", end), ("--flow", "1"), ("--ascii",)):
        status, out, err = tern("ladder", *words)
        check(status == 0, err)
        for word in ("SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "TIME-WAIT", "SYN+ACK",
                     "LAST-ACK", end):
            check(word in out, word, out)
        check(all(len(line) <= 100 for line in out.splitlines()), out)
    check(tern("ladder", "--ascii")[1].isascii(), "not ASCII")
    check(tern("ladder", "--list")[1].count(end) == 1, tern("ladder", "--list")[1])
    status, _, err = tern("ladder", "--flow", "10.77.0.1:1")
    check(status == 1 and "--list" in err, err)


@case
def a_stack_without_trace_says_so():
    serve(*ALL, "--trace", "0")
    connect(HOST, 7).close()
    status, _, err = tern("ladder")
    check(status == 1 and "no connection is remembered" in err, err)


main()
