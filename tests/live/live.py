# SPDX-License-Identifier: BSD-2-Clause
"""What the live tests share: a network namespace for each case, stacks, cases as TAP.

A test script defines functions; each one decorated by @case is a case named after it. main() runs
them in order. A case fails by an exception. Stacks started in a case are ended with it.
"""

import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from unittest import SkipTest

TERN = os.environ.get("TERN", "tern")
SOURCE = os.environ.get("TERN_SOURCE") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLONE_NEWNET = 0x40000000
PATIENCE = 20  # seconds for anything that is awaited

cases = []
started = []  # processes of the running case


def case(function):
    cases.append(function)
    return function


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(77)


def needs_mounts():
    """Skips the case where mounts cannot be kept to oneself: / of a plain chroot is no mount."""
    if run("unshare", "--mount", "true")[0]:
        raise SkipTest("needs mounts of its own; in a plain chroot there are none")


def enter_namespace():
    """Goes on in a network namespace of its own, or skips the script."""
    if os.environ.get("TERN_LIVE_NAMESPACE"):
        return
    if os.geteuid() != 0:
        skip("needs root, for a network namespace")
    if not os.path.exists("/dev/net/tun"):
        skip("needs /dev/net/tun")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        skip("may not make a network namespace (CAP_SYS_ADMIN)")
    os.environ["TERN_LIVE_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--", sys.executable] + sys.argv)


def run(*words, stdin=b"", timeout=PATIENCE, env=None):
    """A command to its end: (status, stdout, stderr), as text."""
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=timeout, env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def tern(*words, **more):
    return run(TERN, *words, **more)


def check(good, *said):
    if not good:
        raise AssertionError(" ".join(map(str, said)) or "not as it must be")


def wait_for(what, said="", patience=PATIENCE):
    """Until what() is true and fails no check; gives what it gave."""
    end, why = time.monotonic() + patience, ""
    while True:
        try:
            got = what()
        except AssertionError as error:
            got, why = None, error
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain: {said} {why}")
        time.sleep(0.02)


def spawn(*words, **more):
    """A process that is ended with the case."""
    process = subprocess.Popen(words, **more)
    started.append(process)
    return process


def serve(*words, **more):
    """tern serve, once it says that it is there."""
    process = spawn(TERN, "serve", *words, stdout=subprocess.PIPE, **more)
    line = process.stdout.readline().decode()
    check(line.startswith("tern serve: "), "no stack:", line)
    process.line = line
    return process


def end(process, number=signal.SIGINT):
    """Asks a process to end, and gives its status."""
    process.send_signal(number)
    return process.wait(PATIENCE)


def devices():
    """Network devices but the loopback."""
    return [name for _, name in socket.if_nameindex() if name != "lo"]


def connect(host, port, kind=socket.SOCK_STREAM, timeout=PATIENCE):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, kind)
    s.settimeout(timeout)
    s.connect((host, port))
    return s


def read_all(s):
    parts = []
    while True:
        part = s.recv(1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)


def sockets(*words, name="tern0"):
    """Rows of tern ss -H, as lists of words."""
    status, out, err = tern("ss", "-N", name, "-Htan", *words)
    check(status == 0, err)
    return [line.split() for line in out.splitlines()]


def states(*words, **more):
    return [row[0] for row in sockets(*words, **more)]


def descendants(pid):
    """All processes below one."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as f:
                children = [int(word) for word in f.read().split()]
        except OSError:
            continue
        for child in children:
            found += [child] + descendants(child)
    return found


def forget():
    for process in started:
        below = descendants(process.pid)
        if process.poll() is None:
            process.kill()
        process.wait()
        for pid in below:  # a tern run that is killed leaves its programs behind
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
    started.clear()


def enter_fresh_namespace():
    """A namespace for the case: what kernel sockets of the one before still owe stays behind."""
    if not os.environ.get("TERN_LIVE_NAMESPACE"):
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main():
    failed = 0
    os.environ["XDG_RUNTIME_DIR"] = directory = tempfile.mkdtemp(prefix="tern-live-")
    os.environ.pop("COLUMNS", None)
    try:
        for number, function in enumerate(cases, 1):
            try:
                enter_fresh_namespace()
                function()
                print(f"ok {number} - {function.__name__}", flush=True)
            except SkipTest as reason:
                print(f"ok {number} - {function.__name__} # SKIP {reason}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {number} - {function.__name__}", flush=True)
                for line in traceback.format_exc().splitlines():
                    print(f"#   {line}")
            finally:
                forget()
    finally:
        shutil.rmtree(directory)
    print(f"1..{len(cases)}")
    sys.exit(1 if failed else 0)
