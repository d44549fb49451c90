#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sockets of unmodified programs mean what Linux' mean: each probe of probes_*.py, run on the
kernel's TCP, to know that it is right, and under tern run. probe.py says what a probe is.

posix_semantics.py [FILE...] runs only these files of probes.
"""

import os
import signal
import subprocess
import sys
from unittest import SkipTest

from live import TERN, case, check, enter_namespace, main, spawn
from probe import Agent, add_addresses, names_in, results

enter_namespace()

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ["probes_stream", "probes_setup", "probes_process", "probes_dgram", "probes_local",
         "probes_fastopen", "probes_options", "probes_differences"]
ON_TERN = [TERN, "run", "--addr", "10.77.0.2/24", "--addr6", "fd77::2/64", "--peer", "10.77.0.1",
           "--peer", "fd77::1", "--sysctl", "net.ipv4.tcp_fastopen=3", "--"]
TIMEOUT = 90  # seconds for a file
seen = {}


def run_file(name, on_tern):
    """All probes of a file, once: their results and what else was said."""
    if (name, on_tern) not in seen:
        add_addresses()
        with open("/proc/sys/net/ipv4/tcp_fastopen", "w", encoding="ascii") as f:
            f.write("3")  # both ends, of this namespace
        env = dict(os.environ, PROBE_AGENT=Agent().path, PROBE_ON="tern" if on_tern else "kernel",
                   PYTHONUNBUFFERED="1")
        command = [sys.executable, os.path.join(HERE, name + ".py")]
        process = spawn(*(ON_TERN if on_tern else []), *command, env=env, stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        out, err = out.decode(errors="replace"), err.decode(errors="replace")
        seen[name, on_tern] = results(out), process.returncode, out[-500:] + err[-3000:]
    return seen[name, on_tern]


def add_case(name, probe, on_tern):
    def function():
        got, status, said = run_file(name, on_tern)
        check(probe in got, f"it never came to that: status {status}\n{said}")
        if (got[probe] or "").startswith("SKIP: "):
            raise SkipTest(got[probe].removeprefix("SKIP: "))
        check(got[probe] is None, got[probe])
    function.__name__ = probe + ("" if on_tern else ": so does the kernel")
    case(function)


for name in sys.argv[1:] or FILES:
    for on_tern in (False, True):
        for probe in names_in(os.path.join(HERE, name + ".py")):
            add_case(name, probe, on_tern)

main()
