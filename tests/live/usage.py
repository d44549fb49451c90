#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Wrong arguments: exit status 2, nothing on stdout, and one line that says what is wrong and what
is right. Needs no privilege."""

import os
import shlex

from live import case, check, main, run, tern, TERN

# words of the command line | what the line must say
WRONG = [
    ("", "no command"),
    ("sevre", "serve is one"),
    ("frobnicate", "tern help lists them"),
    ("--frobnicate", "tern -h lists them"),
    ("help frobnicate", "there is no command"),
    ("run", "no COMMAND"),
    ("run --", "no COMMAND"),
    ("run --pulbish 80 true", "--publish is one"),
    ("run --publish 0 true", "--publish wants a port as 80"),
    ("run --publish 65536 true", "--publish wants a port as 80"),
    ("run --publish 10.0.0.1 true", "--publish wants a port as 80"),
    ("run --publish 10.0.0.256:80 true", "--publish wants a port as 80"),
    ("run --publish 2001:db8::1:80 true", "--publish wants a port as 80"),
    ("run --publish [10.0.0.1]:80 true", "--publish wants a port as 80"),
    ("run --dns 10.77.0.1 true", "--dns goes with --private"),
    ("run --private --dns localhost true", "the address of a name server, not 'localhost'"),
    ("run --private --publish 80 true", "--publish goes without --private"),
    ("run --private --masquerade true", "--masquerade goes without --private"),
    ("run --dev a:b true", "a device name has 1 to 15 characters"),
    ("run --drain 10 true", "as 10s, 500ms or 2min"),
    ("run --with -- true", "--with needs an argument before '--': --with 'CLIENT COMMAND'"),
    ("run --with=-- true", "--with needs an argument before '--'"),
    ("serve -p -- echo", "-p needs an argument before '--'"),
    ("serve", "echo, discard, chargen and daytime"),
    ("serve finger", "echo, discard, chargen and daytime"),
    ("serve echo echo", "once is enough"),
    ("serve --prot 7 echo", "--port is one"),
    ("serve -x echo", "tern serve -h lists them"),
    ("serve --port", "--port needs an argument"),
    ("serve --port 0 echo", "from 1 to 65535, not '0'"),
    ("serve --port 65536 echo", "from 1 to 65535, not '65536'"),
    ("serve --port seven echo", "from 1 to 65535, not 'seven'"),
    ("serve -p 7 echo discard", "goes with one service"),
    ("serve --addr 10.77.0.2 echo", "write it as 10.77.0.2/24"),
    ("serve --addr 10.77.0.2/33 echo", "write it as 10.77.0.2/24"),
    ("serve --addr 224.0.0.1/24 echo", "take a unicast one"),
    ("serve --addr6 10.77.0.2/24 echo", "as fd77::2/64"),
    ("serve --link eth:0 echo", "links are tun:NAME and none"),
    ("serve --link none --peer 10.77.0.1 echo", "take --link tun:NAME, or no --peer"),
    ("connect --link none --peer 10.77.0.1 10.77.0.2 7", "take --link tun:NAME, or no --peer"),
    ("serve --link none --mtu 575 echo", "from 576 to 65535"),
    ("serve --link none --addr 10.77.0.255/24 echo", "take a unicast one"),
    ("serve --link none --addr 240.0.0.1/24 echo", "take a unicast one"),
    ("serve --link none --addr 10.77.0.2/24 --addr 10.77.0.2/16 echo", "once is enough"),
    ("serve --link none --mtu 1279 --addr6 fd77::2/64 echo", "too small for IPv6; take 1280"),
    ("serve --link none --sysctl net.ipv4.tcp_sak=1 echo", "there is no knob"),
    ("serve --link none --sysctl tcp_fin_timeout echo", "write it as"),
    ("serve --link none --sysctl net.ipv4.tcp_fin_timeout=3601 echo", "it takes 0 to 3600 seconds"),
    ("serve --link none --sysctl net.ipv4.tcp_fin_timeout=x echo", "it takes 0 to 3600 seconds"),
    ("serve --link none --sysctl net.ipv4.tcp_rmem=4096 echo", "3 numbers, each 4096"),
    ("serve --sysctl 'net.ipv4.ip_local_port_range=2000 1999' echo", "write the lower port first"),
    ("serve --link none --fault loss=101% echo", "0% to 100%"),
    ("serve --link none --fault lose=1% echo", "known are loss"),
    ("serve --drain 10 echo", "as 10s, 500ms or 2min"),
    ("serve --drain s echo", "as 10s, 500ms or 2min"),
    ("serve --name ../x echo", "cannot be a stack's name"),
    ("serve --trace x echo", "--trace wants a number"),
    ("connect", "no HOST and PORT"),
    ("connect 10.77.0.1", "no PORT"),
    ("connect 10.77.0.1 7 8", "one too many"),
    ("connect --link none 10.77.0.1 0", "from 1 to 65535 or the name of a service, not '0'"),
    ("connect --link none 10.77.0.1 65536", "from 1 to 65535"),
    ("connect --link none 10.77.0.1 nosuch", "the name of a service, not 'nosuch'"),
    ("connect --half-close=yes 10.77.0.1 7", "takes no argument"),
    ("ss -x", "tern ss -h lists them"),
    ("ss -N", "-N needs an argument"),
    ("ss state listning", "unknown state"),
    ("ss sport = :99999", "port"),
    ("ss sport", "sport"),
    ("ladder --flow x", "ADDR:PORT or a number"),
    ("ladder --flow 10.77.0.2:65536", "ADDR:PORT or a number"),
    ("ladder --lines 7", "from 8"),
    ("ladder x", "one too many"),
    ("nstat --zeroes", "--zeros is one"),
    ("sysctl", "-a for all"),
    ("sysctl -w net.ipv4.tcp_sack", "-w wants NAME=VALUE"),
    ("sysctl -w 'net.ipv4.ip_local_port_range=2000 1999'", "write the lower port first"),
    ("demo x", "takes no operands"),
]


@case
def wrong_arguments_get_one_line_and_status_2():
    for words, expected in WRONG:
        status, out, err = tern(*shlex.split(words))
        check(status == 2, f"'tern {words}' ends with {status}:", err)
        check(out == "", f"'tern {words}' writes to stdout:", out)
        check(err.count("\n") == 1 and err.startswith("tern"), f"'tern {words}' says:", err)
        check(expected in err, f"'tern {words}' does not say '{expected}':", err)


@case
def help_is_the_same_by_each_way_and_ends_with_0():
    for command in ("run", "serve", "connect", "ss", "ladder", "nstat", "sysctl", "demo"):
        said = {tern(*words)[:2] for words in
                ((command, "-h"), (command, "--help"), ("help", command), (command, "-h", "-x"))}
        check(len(said) == 1, command, said)
        status, out = said.pop()
        check(status == 0 and out.startswith(f"usage: tern {command} "), out)
        check(all(len(line) <= 100 for line in out.splitlines()), out)
    check(tern("help") == tern("-h") == tern("--help"), "help")


@case
def the_version_is_told():
    status, out, _ = tern("-V")
    check(status == 0 and out.startswith("tern 0."), out)


@case
def called_by_a_commands_name_it_is_that_command():
    link = os.path.join(os.environ["XDG_RUNTIME_DIR"], "tern-ss")
    os.symlink(os.path.realpath(TERN), link)
    check(run(link, "-h")[1].startswith("usage: tern ss "), "tern-ss")


@case
def views_without_a_stack_say_so():
    for command in ("ss", "ladder", "nstat", "sysctl -a"):
        status, out, err = tern(*command.split())
        check((status, out) == (1, ""), command, status, out)
        check("no stack is running" in err and err.count("\n") == 1, err)
        check(f"{os.environ['XDG_RUNTIME_DIR']}/tern;" in err, err)
    status, _, err = tern("ss", "-N", "web")
    check(status == 1 and "no stack named 'web' is running" in err, err)


@case
def output_that_cannot_be_written_is_a_problem():
    status, _, err = run("sh", "-c", f"{TERN} help > /dev/full")
    check(status == 1 and "cannot write the output" in err, status, err)


@case
def a_closed_standard_descriptor_is_not_taken_for_something_else():
    words = f"{TERN} connect --link none --addr 10.77.0.2/24 10.77.0.2 7"
    for closed in ("<&-", ">&-", "<&- >&-"):
        status, _, err = run("sh", "-c", f"{words} {closed}")
        check(status == 1 and "Connection refused" in err, closed, status, err)
    status, _, err = run("sh", "-c", f"{TERN} help >&-")
    check(status == 1 and "Bad file descriptor" in err, status, err)


@case
def the_demo_in_memory_works_and_repeats():
    first, second = tern("demo"), tern("demo")
    check(first == second, "two runs differ")
    status, out, err = first
    check(status == 0, err)
    for word in ("every byte equal", "TIME-WAIT", "timer:(timewait,59sec,0)", "FIN-WAIT-2",
                 "it is gone"):
        check(word in out, word, out)
    check(tern("demo", "--ascii")[1].isascii(), "not ASCII")


main()
