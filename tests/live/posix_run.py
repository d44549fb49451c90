# SPDX-License-Identifier: BSD-2-Clause
"""What tests of programs under tern run share: starting them there, and waiting for their ports."""

import socket
import subprocess

from live import TERN, check, spawn, wait_for

OWN, PEER = "10.77.0.2", "10.77.0.1"
OPTIONS = ("--addr", OWN + "/24", "--addr6", "fd77::2/64", "--peer", PEER, "--peer", "fd77::1")


def on_tern(*command, options=(), **more):
    """tern run -- COMMAND, ended with the case."""
    return spawn(TERN, "run", *OPTIONS, *options, "--", *map(str, command), **more)


def answers(port, host=OWN):
    try:
        socket.create_connection((host, port), timeout=2).close()
        return True
    except OSError:
        return False


def server(port, *command, **more):
    """A server under tern run, once it listens on a port. There must be no second one."""
    process = on_tern(*command, **more)

    def listens():
        check(process.poll() is None, "it ended with status", process.returncode)
        return port_is_open(port)
    wait_for(listens, f"{command[0]} on port {port}")
    return process


def port_is_open(port):
    done = subprocess.run([TERN, "ss", "-N", "tern0", "-Hltn", f"sport = :{port}"],
                          capture_output=True, text=True, check=False)
    return bool(done.stdout.strip())


def kernel_server(port, *command, host=PEER, **more):
    """A server on the kernel's side, once it listens."""
    process = spawn(*map(str, command), **more)

    def listens():
        check(process.poll() is None, "it ended with status", process.returncode)
        done = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True,
                              check=False)
        return bool(done.stdout.strip())
    wait_for(listens, f"{command[0]} on port {port}")
    return process


def run_on_tern(*command, timeout=60, options=(), **more):
    """A command under tern run to its end: (status, stdout, stderr)."""
    done = subprocess.run([TERN, "run", *OPTIONS, *options, "--", *map(str, command)],
                          capture_output=True, timeout=timeout, check=False, **more)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(
        errors="replace")
