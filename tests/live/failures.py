#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What tern says and leaves when something is in the way: privilege, names, addresses, devices,
what dead stacks left behind."""

import os
import shutil
import signal
import socket
import stat

from live import (PATIENCE, TERN, case, check, connect, devices, enter_namespace, main, run, serve,
                  sockets, spawn, tern, wait_for)

enter_namespace()

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
          "--inh-caps=-all", "--")


def control(name=""):
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], "tern", name)


def refuses(words, status, *said):
    """tern fails with this status, one line that says all this, and leaves no device."""
    before = devices()
    got, out, err = tern(*words.split(), timeout=PATIENCE)
    check(got == status, f"'tern {words}' ends with {got}:", err)
    check(err.count("\n") == 1 and err.startswith("tern "), err)
    for word in said:
        check(word in err, f"'tern {words}' does not say '{word}':", err)
    check(devices() == before, devices())


def as_nobody(*words):
    """tern by a user without rights, who may read the program and has a runtime directory."""
    home = os.path.join(os.environ["XDG_RUNTIME_DIR"], "nobody")
    os.makedirs(home, exist_ok=True)
    os.chmod(os.environ["XDG_RUNTIME_DIR"], 0o755)
    os.chown(home, 65534, 65534)
    program = os.path.join(home, "tern-copy")
    shutil.copy(TERN, program)
    os.chmod(program, 0o755)
    return run(*NOBODY, program, *words, env=dict(os.environ, XDG_RUNTIME_DIR=home))


@case
def without_privilege_it_says_which_and_how_to_get_it():
    status, out, err = as_nobody("serve", "echo")
    check((status, out) == (3, ""), status, out, err)
    check("CAP_NET_ADMIN" in err or "run as root" in err, err)
    check(err.count("\n") == 1, err)
    check(as_nobody("demo")[0] == 0, "the demo in memory needs no privilege")


@case
def a_directory_that_is_another_users_is_named_with_a_way_out():
    home = os.path.join(os.environ["XDG_RUNTIME_DIR"], "root")
    program = as_copy()
    for made in ("", "tern"):
        os.makedirs(os.path.join(home, made))
        os.chmod(os.path.join(home, made), 0o755)
        status, _, err = run(*NOBODY, program, "serve", "echo",
                             env=dict(os.environ, XDG_RUNTIME_DIR=home))
        check(status == 3 and "control socket" in err and "XDG_RUNTIME_DIR" in err, made, err)
        check(err.count("\n") == 1, err)


@case
def a_file_that_is_no_socket_is_left_alone():
    os.makedirs(control(), mode=0o700, exist_ok=True)
    with open(control("tern0.sock"), "w", encoding="ascii") as file:
        file.write("mine")
    refuses("serve echo", 1, "tern0.sock", "File exists")
    with open(control("tern0.sock"), encoding="ascii") as file:
        check(file.read() == "mine", "it was changed")
    os.unlink(control("tern0.sock"))


@case
def another_users_stack_is_not_reached():
    serve("echo", "--name", "web")
    os.chmod(control(), 0o755)
    status, _, err = run(*NOBODY, "sh", "-c", 'exec "$0" ss -N web', as_copy())
    check(status == 3 and "another user's" in err, status, err)


def as_copy():
    as_nobody("-V")
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], "nobody", "tern-copy")


@case
def a_name_that_is_taken_is_named():
    serve("echo", "--name", "web")
    refuses("serve echo --name web --link tun:tern9 --addr 10.79.0.2/24", 1, "'web'", "--name")


@case
def a_device_that_is_taken_is_named():
    serve("echo", "--name", "web")
    refuses("serve echo --name other --addr 10.79.0.2/24", 1, "tern0", "take another name")
    refuses("serve echo --link tun:lo --name other", 1, "'lo'")
    refuses("serve echo --link tun:a/b", 2, "device name")


@case
def an_address_that_is_taken_is_named():
    run("ip", "addr", "add", "10.77.0.2/24", "dev", "lo")
    refuses("serve echo", 1, "10.77.0.2", "device lo", "taken")
    run("ip", "addr", "del", "10.77.0.2/24", "dev", "lo")
    refuses("serve echo --peer 10.77.0.2", 2, "same address")
    refuses("serve echo --peer 10.77.0", 2, "not a peer address", "10.77.0.1")
    refuses("serve echo --peer 224.0.0.1", 2, "not a peer address", "10.77.0.1")
    refuses("serve echo --peer fd77::1", 2, "no address of the family of peer 'fd77::1'")


@case
def the_control_socket_of_a_dead_stack_is_replaced():
    dead = serve("echo", "--name", "web")
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    check(os.path.exists(control("web.sock")), "nothing was left")
    wait_for(lambda: devices() == [], "the device goes with the process")
    server = serve("echo", "--name", "web")
    check(sockets(name="web"), "no rows")
    check(stat.S_IMODE(os.stat(control("web.sock")).st_mode) == 0o600, "mode")
    server.send_signal(signal.SIGKILL)
    server.wait()
    status, _, err = tern("ss")
    check(status == 1 and "no stack is running" in err, err)
    check(not os.path.exists(control("web.sock")), "it was not cleaned up")


@case
def several_stacks_are_listed():
    serve("echo", "--name", "one")
    serve("echo", "--name", "two", "--link", "tun:tern1", "--addr", "10.78.0.2/24")
    refuses("ss", 1, "-N NAME", "one two")
    check("10.77.0.1" not in tern("ss", "-tan", "-N", "two")[1], "not that stack")
    check(sockets(name="two"), "no rows")


@case
def a_stack_without_device_is_named_by_its_command():
    serve("daytime", "--link", "none")
    check(os.path.exists(control("daytime.sock")), os.listdir(control()))
    check(devices() == [], devices())


@case
def a_device_that_goes_away_ends_the_server():
    server = serve("echo")
    run("ip", "link", "del", "tern0")
    check(server.wait(PATIENCE) == 1, "status")
    check(not os.path.exists(control("tern0.sock")), "socket is left")


@case
def a_stack_out_of_connections_goes_on():
    serve("echo", "--sysctl", "net.ipv4.tcp_max_orphans=0")
    for _ in range(20):
        with connect("10.77.0.2", 7) as s:
            s.sendall(b"x")
            check(s.recv(1) == b"x", "echo")


@case
def noise_on_the_control_socket_is_answered_by_errors():
    server = serve("echo", "--name", "web")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(PATIENCE)
        s.connect(control("web.sock"))
        s.sendall(b"\0\xff{}\n[1,2]\n" + b"x" * 5000 + b"\n")
        check(b'"error"' in s.recv(65536), "no error")
    check(sockets(name="web") and server.poll() is None, "the stack suffers")


main()
