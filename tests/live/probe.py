# SPDX-License-Identifier: BSD-2-Clause
"""What the probes of the POSIX tier share. A probe is a function of a program that is run twice:
on the kernel's TCP, which shows that what it expects is Linux, and under tern run.

A file of probes is such a program: probes_NAME.py. Functions decorated by @probe are run in order
by main(); each must return, within its time, without a failed check(). The other side, always a
kernel socket, is remote controlled: peer.socket(...) makes a socket in the test script, and calls
of its methods are carried out there. OWN is the program's address, PEER the other side's.

In the script (posix_semantics.py) an Agent answers these calls; run() runs one file of probes.
"""

import atexit
import ctypes
import errno
import itertools
import json
import os
import pickle
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from unittest import SkipTest

ON_TERN = os.environ.get("PROBE_ON") == "tern"
OWN, PEER = ("10.77.0.2", "10.77.0.1") if ON_TERN else ("10.99.0.2", "10.99.0.1")
OWN6, PEER6 = ("fd77::2", "fd77::1") if ON_TERN else ("fd99::2", "fd99::1")
SECONDS = 10  # a probe's time
libc = ctypes.CDLL(None, use_errno=True)

# ---------------------------------------------------------------------------------------------
# The script's side


class Agent(threading.Thread):
    """Carries out what a program's peer object asks for, on sockets of this process."""

    def __init__(self):
        super().__init__(daemon=True)
        self.path = os.path.join(tempfile.mkdtemp(prefix="tern-agent-"), "agent")
        atexit.register(shutil.rmtree, os.path.dirname(self.path), ignore_errors=True)
        self.sockets, self.handles = {}, itertools.count()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        os.chmod(os.path.dirname(self.path), 0o755)
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            control, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(control,), daemon=True).start()

    def serve(self, control):
        own = []  # the sockets that this process of the program has made: gone with it
        with control, control.makefile("rwb") as stream:
            try:
                while True:
                    handle, name, args = pickle.load(stream)
                    pickle.dump(self.call(own, handle, name, args), stream)
                    stream.flush()
            except (EOFError, OSError):
                pass
        for handle in own:
            if handle in self.sockets:
                self.sockets.pop(handle).close()

    def keep(self, own, s):
        s.settimeout(SECONDS)
        own.append(next(self.handles))
        self.sockets[own[-1]] = s
        return own[-1]

    def call(self, own, handle, name, args):
        try:
            if handle is None:
                return "socket", self.keep(own, socket.socket(*args)), None
            if name == "forget":
                return "value", self.sockets.pop(handle).close(), None
            got = getattr(self.sockets[handle], name)(*args)
            if name == "accept":
                return "accepted", self.keep(own, got[0]), got[1]
            return "value", got, None
        except OSError as error:
            return "error", error.errno, str(error)


def add_addresses():
    """The addresses that programs on the kernel take."""
    for address in ("10.99.0.1/32", "10.99.0.2/32", "fd99::1/128", "fd99::2/128"):
        subprocess.run(["ip", "address", "replace", address, "dev", "lo"], check=True)


def results(text):
    """What main() printed: {name: None or what was wrong}."""
    return dict(json.loads(line[6:]) for line in text.splitlines() if line.startswith("probe "))


def names_in(path):
    """The probes of a file, in order."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    return [line[4:line.index("(")] for before, line in zip(lines, lines[1:])
            if before.startswith("@probe") and line.startswith("def ")]


# ---------------------------------------------------------------------------------------------
# The program's side

probes, children = [], []


def probe(function):
    probes.append(function)
    return function


def check(good, *said):
    if not good:
        raise AssertionError(" ".join(map(str, said)) or "not as it must be")


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, not {wanted!r}")


class Remote:
    """A socket in the test script."""

    def __init__(self, peer, handle):
        self.peer, self.handle = peer, handle

    def __getattr__(self, name):
        return lambda *args: self.peer.call(self.handle, name, args)

    def close(self):
        self.peer.call(self.handle, "forget", ())

    def reset(self):
        self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def read_all(self):
        parts = []
        while True:
            part = self.recv(1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)


class Peer:
    """The other side, always of the kernel."""

    def __init__(self):
        self.stream, self.pid, self.lock = None, 0, None

    def call(self, handle, name, args):
        if self.pid != os.getpid():
            self.lock = threading.Lock()
            control = socket.socket(socket.AF_UNIX)
            control.connect(os.environ["PROBE_AGENT"])
            self.stream, self.pid = control.makefile("rwb"), os.getpid()
            control.close()
        with self.lock:
            pickle.dump((handle, name, args), self.stream)
            self.stream.flush()
            kind, value, more = pickle.load(self.stream)
        if kind == "error":
            raise OSError(value, more)
        if kind == "accepted":
            return Remote(self, value), more
        return Remote(self, value) if kind == "socket" else value

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        return self.call(None, "socket", (family, kind))

    def listen(self, backlog=16, host=PEER):
        s = self.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.bind((host, 0))
        s.listen(backlog)
        return s, s.getsockname()[:2]

    def connect(self, address):
        s = self.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        s.connect(address[:2])
        return s


peer = Peer()


def listener(host=OWN, port=0, backlog=16):
    """A listening socket of the program, and its address."""
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(backlog)
    return s, s.getsockname()[:2]


def accepted(host=OWN):
    """A connection that the peer opened: our socket, the peer's."""
    s, address = listener(host)
    with s:
        other = peer.connect(address)
        return s.accept()[0], other


def connected(host=PEER):
    """A connection that we opened: our socket, the peer's."""
    s, address = peer.listen(host=host)
    own = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    own.connect(address)
    other, _ = s.accept()
    s.close()
    return own, other


def fails(number, call, *args):
    """The call has to fail with this errno."""
    try:
        got = call(*args)
    except OSError as error:
        wanted = number if isinstance(number, tuple) else (number,)
        names = " or ".join(errno.errorcode[n] for n in wanted)
        check(error.errno in wanted, f"{errno.errorcode.get(error.errno, error)}, not {names}")
        return
    raise AssertionError(f"{errno.errorcode.get(number, number)} expected; it gave {got!r}")


def wait_until(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        check(time.monotonic() < end, "waited in vain")
        time.sleep(0.01)


def error_of(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def child(function, *args):
    """Runs function in a child; gives the pid. Its exit status is 0 if nothing was wrong."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        signal.alarm(SECONDS)
        try:
            function(*args)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    children.append(pid)
    return pid


def reap(pid):
    children.remove(pid)
    same(os.waitpid(pid, 0)[1], 0)


def alarm(_number, _frame):
    raise TimeoutError(errno.ETIME, "the probe hangs")


def main():
    signal.signal(signal.SIGALRM, alarm)
    wanted = sys.argv[1:]
    for function in probes:
        if wanted and function.__name__ not in wanted:
            continue
        why = None
        signal.alarm(SECONDS)
        try:
            function()
        except SkipTest as reason:
            why = f"SKIP: {reason}"
        except BaseException:
            why = traceback.format_exc()
            peer.pid = 0  # its stream may stand in the middle of something
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, alarm)
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            children.clear()
        print("probe " + json.dumps([function.__name__, why]), flush=True)
