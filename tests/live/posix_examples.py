#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The daytime servers of examples/ in their concurrency models, on the kernel and under tern."""

import os
import re
import subprocess
import sys

from live import SOURCE, case, check, enter_namespace, main, run, spawn, tern, wait_for
from posix_run import OWN, on_tern

enter_namespace()

BUILD = os.environ.get("TERN_BUILD", os.path.join(SOURCE, "build"))
LOAD = os.path.join(SOURCE, "tests", "live", "daytime_load.py")
CLIENTS = 200
MODELS = {
    "a_process_for_each_connection": ("daytime_process",),
    "a_thread_for_each_connection": ("daytime_thread",),
    "threads_with_posix_aio": ("daytime_aio",),
    "threads_with_io_uring": ("daytime_uring",),
    "threads_with_epoll": ("daytime_events",),
    "threads_with_poll": ("daytime_events", "-m", "poll"),
    "threads_with_select": ("daytime_events", "-m", "select"),
}


def wait_for_line(process, wanted):
    line = process.stdout.readline().decode()
    check(wanted in line, "it says:", line)


def load(host, count=CLIENTS, least=1):
    status, out, err = run(sys.executable, LOAD, host, "13", str(count), timeout=60)
    check(status == 0 and out.startswith(f"{count} dates"), out, err)
    most = int(re.search(r"(\d+) connections at once", out).group(1))
    check(most >= least, out)


def add(name, program, more):
    path = os.path.join(BUILD, "examples", program)
    if program == "daytime_uring" and not os.path.exists(path):
        return

    def on_kernel():
        process = spawn(path, *more, "-w", "100", stdout=subprocess.PIPE)
        wait_for_line(process, "listening on port 13")
        load("127.0.0.1", least=CLIENTS)
        rows = run("ss", "-Htano", "state", "time-wait", "sport = :13")[1].splitlines()
        check(len(rows) == CLIENTS, len(rows), "in TIME_WAIT")

    def unmodified():
        process = on_tern(path, *more, "-w", "100", stdout=subprocess.PIPE)
        wait_for_line(process, "listening on port 13")
        for host in (OWN, "fd77::2"):
            load(host, least=CLIENTS)
        rows = tern("ss", "-N", "tern0", "-Htano", "state", "time-wait", "sport = :13")[1]
        wait = re.findall(r"timer:\(timewait,\S+,\d+\)", rows)
        check(len(wait) == 2 * CLIENTS, len(wait), "in TIME_WAIT", rows[-300:])
        load("127.0.0.1", 20)

        def one_socket_left():
            return len(tern("ss", "-N", "tern0", "-Hta", "state", "all", "exclude",
                            "time-wait")[1].splitlines()) == 1
        wait_for(one_socket_left, "only the listener is left")
    on_kernel.__name__ = name + ": on the kernel"
    unmodified.__name__ = name + ": under tern run"
    case(on_kernel)
    case(unmodified)


for title, words in MODELS.items():
    add(title, words[0], words[1:])


main()
