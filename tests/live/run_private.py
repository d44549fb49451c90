#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tern run --private: a network of one's own, as root and as somebody without privilege."""

import os
import shutil
from unittest import SkipTest

from live import TERN, case, check, devices, enter_namespace, main, needs_mounts, run, tern

enter_namespace()

NOBODY = 65534
SERVER = "import socket; s = socket.create_server(('', 80)); s.accept()[0].sendall(b'private')"


def may_open_tun(uid):
    """Is /dev/net/tun open to that user, on the device and in the directories above it?"""
    code = "import os; os.close(os.open('/dev/net/tun', os.O_RDWR))"
    return run("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--",
               "/usr/bin/python3", "-c", code)[0] == 0


def open_node():
    """The words before a command that let everybody open /dev/net/tun, in a mount namespace."""
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], "tun")
    os.mknod(path, 0o666 | 0o020000, os.makedev(10, 200))
    os.chmod(path, 0o666)
    return ("unshare", "--mount", "sh", "-c", f'mount --bind {path} /dev/net/tun && exec "$@"',
            "sh")


def as_nobody(*words, before=(), **more):
    """tern run as a user without privilege, with a runtime directory of his own."""
    base = os.environ["XDG_RUNTIME_DIR"]
    os.chmod(base, 0o755)
    here, runtime = os.path.join(base, "bin"), os.path.join(base, "nobody")
    for directory in (here, runtime):
        os.makedirs(directory, exist_ok=True)
    os.chown(runtime, NOBODY, NOBODY)
    # This tree may stand where no other user may look: /root.
    copy = shutil.copy(TERN, os.path.join(here, "tern"))
    beside = os.path.dirname(os.path.realpath(TERN))
    shutil.copy(os.path.join(beside, "libtern-preload.so"), here)
    return run(*before, "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
               "--clear-groups", "--", copy, "run", *words,
               env=dict(os.environ, XDG_RUNTIME_DIR=runtime), **more)


def client(host):
    return f"/usr/bin/python3 -c \"import socket; print(socket.create_connection(('{host}', 80))" \
           ".recv(100))\""


@case
def root_gets_a_network_that_nobody_else_sees():
    show = "ls /sys/class/net; grep -h ^Cap /proc/self/status; cat /proc/self/uid_map"
    status, out, err = tern("run", "--private", "--", "ip", "-br", "addr")
    check((status, err) == (0, ""), status, err)
    check("127.0.0.1/8" in out and "10.77.0.1/24" in out and out.count("\n") == 2, out)
    check(devices() == [], devices())
    # Nothing else is different for root: no user namespace.
    plain, private = tern("run", "--", "sh", "-c", show)[1], tern("run", "--private", "--", "sh",
                                                                  "-c", show)[1]
    check(plain.splitlines()[-6:] == private.splitlines()[-6:], plain, private)


@case
def the_client_is_in_the_same_network():
    status, out, err = tern("run", "--private", "--with", client("10.77.0.2"), "--",
                            "/usr/bin/python3", "-c", SERVER)
    check((status, out, err) == (0, "b'private'\n", ""), status, out, err)


@case
def a_name_server_is_its_own():
    needs_mounts()
    with open("/etc/resolv.conf", encoding="utf-8") as f:
        before = f.read()
    status, out, err = tern("run", "--private", "--dns", "10.77.0.53", "--", "cat",
                            "/etc/resolv.conf")
    check((status, out, err) == (0, "nameserver 10.77.0.53\n", ""), status, out, err)
    with open("/etc/resolv.conf", encoding="utf-8") as f:
        check(f.read() == before, "the host's was changed")
    check(not [n for n in os.listdir("/tmp") if n.startswith("tern-resolv")], "a file is left")


@case
def a_name_is_asked_there():
    needs_mounts()
    # The kernel's side of the device is where the resolver asks: a server of one answer.
    server = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
              "s.bind(('10.77.0.1', 53))\n"
              "while True:\n    q, peer = s.recvfrom(512)\n    end = q.index(0, 12) + 5\n"
              "    a = b'\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\x0a\\x4d\\0\\x02' "
              "if q[end - 3] == 1 else b''\n"
              "    s.sendto(q[:2] + b'\\x81\\x80\\0\\1' + bytes([0, bool(a)]) + bytes(4) + "
              "q[12:end] + a, peer)\n")
    code = ("import socket, subprocess, sys, time\n"
            f"p = subprocess.Popen([sys.executable, '-c', {server!r}], "
            "env={})\ntime.sleep(0.5)\n"
            "print(socket.gethostbyname('host.test'))\np.kill()")
    status, out, err = tern("run", "--private", "--dns", "10.77.0.1", "--", "/usr/bin/python3",
                            "-c", code)
    check((status, out) == (0, "10.77.0.2\n"), status, out, err)


@case
def without_root_it_takes_a_user_namespace():
    needs_mounts()
    before = ()
    if not may_open_tun(NOBODY):
        before = open_node()
    show = "id -u; id -g; cat /proc/net/dev | grep -c tern0"
    status, out, err = as_nobody("--private", "--", "sh", "-c", show, before=before)
    if status == 3 and "no user namespace" in err:
        raise SkipTest(err.strip())
    check((status, out, err) == (0, f"{NOBODY}\n{NOBODY}\n1\n", ""), status, out, err)
    # A port below 1024, a client, a name server, ping: as a network of one's own has it.
    status, out, err = as_nobody("--private", "--dns", "10.77.0.53", "--with",
                                 "cat /etc/resolv.conf; " + client("10.77.0.2"), "--",
                                 "/usr/bin/python3", "-c", SERVER, before=before)
    check((status, out, err) == (0, "nameserver 10.77.0.53\nb'private'\n", ""), status, out, err)


@case
def where_the_device_is_closed_to_him_it_says_so():
    if may_open_tun(NOBODY):
        raise SkipTest("/dev/net/tun is open to everybody here")
    status, out, err = as_nobody("--private", "--", "true")
    if status == 3 and "no user namespace" in err:
        raise SkipTest(err.strip())
    check((status, out) == (3, "") and "no right to open it" in err and err.count("\n") == 1,
          status, err)


@case
def where_there_are_no_user_namespaces_it_says_why():
    if run("unshare", "--user", "true")[0]:
        raise SkipTest("needs user namespaces, which a chroot forbids")
    # Below a user namespace whose limit is 0, and without capabilities in it.
    status, out, err = run("unshare", "--user", "--map-root-user", "sh", "-c",
                           "echo 0 >/proc/sys/user/max_user_namespaces && "
                           "exec setpriv --bounding-set=-all --inh-caps=-all "
                           f"{TERN} run --private -- true")
    check((status, out) == (3, "") and "no user namespace" in err and err.count("\n") == 1,
          status, err)
    check("max_user_namespaces" in err, err)


main()
