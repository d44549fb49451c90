#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/demo: it works, says so by its status, and leaves nothing behind however it ends."""

import os
import shutil
import signal
import subprocess
import tempfile

from live import PATIENCE, SOURCE, TERN, case, check, enter_namespace, main, run, spawn, wait_for

enter_namespace()

DEMO = os.path.join(SOURCE, "tools", "demo")


def descendants(pid):
    """Processes under one, itself included."""
    found, fresh = [], [pid]
    while fresh:
        pid = fresh.pop()
        found.append(pid)
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
                fresh += [int(child) for child in f.read().split()]
        except FileNotFoundError:
            pass
    return found


def is_alive(pid):
    """Is it more than a name in the table?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@case
def it_shows_every_step_and_ends_with_0():
    status, out, err = run(DEMO, os.path.relpath(TERN), timeout=120)
    check(status == 0, out, err)
    for word in ("tern run python3 -m http.server", "served  sha256", "fetched sha256",
                 'users:(("python3",pid=', "ESTAB", "SYN-RECEIVED", "LAST-ACK",
                 "timer:(timewait,", "Every step was checked and worked."):
        check(word in out, f"no '{word}' in", out)
    check(len(out.splitlines()) <= 60, "more than two screens")


@case
def a_step_that_does_not_work_fails_it():
    with tempfile.TemporaryDirectory() as directory:
        # A curl that loses a byte.
        broken = os.path.join(directory, "curl")
        with open(broken, "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\n{shutil.which("curl")} "$@" | tail -c +2\n')
        os.chmod(broken, 0o755)
        status, out, err = run(DEMO, TERN, timeout=120,
                               env=dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}"))
    check(status == 1 and "FAILED: the file that came differs" in err, status, out, err)


@case
def interrupted_at_any_time_it_leaves_nothing():
    for number in (signal.SIGINT, signal.SIGTERM):
        for word in (None, b"An unmodified", b"2 ", b"3 "):
            directory = tempfile.mkdtemp()
            process = spawn(DEMO, TERN, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            start_new_session=True, env=dict(os.environ, TMPDIR=directory))
            wait_for(lambda: len(descendants(process.pid)) > 2, "its processes")
            while word and not process.stdout.readline().startswith(word):
                check(process.poll() is None, "it ended before", word)
            below = descendants(process.pid)
            # Ctrl-C goes to the whole group, kill to one process.
            (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
            # Before there is anything to clean up the signal itself ends it.
            good = (128 + number,) if word else (128 + number, -number)
            check(process.wait(PATIENCE) in good, process.returncode)
            wait_for(lambda: not any(map(is_alive, below)), f"the end of {below}")
            check(os.listdir(directory) == [], os.listdir(directory))
            os.rmdir(directory)
            check("tern0" not in run("ip", "link")[1], "a device is left")


@case
def killed_outright_it_leaves_no_process():
    process = spawn(DEMO, TERN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(descendants(process.pid)) > 3, "its processes")
    below = descendants(process.pid)
    for pid in below[1:2]:
        os.kill(pid, signal.SIGKILL)
    process.wait(PATIENCE)
    wait_for(lambda: not any(map(is_alive, below)), f"the end of {below}")


@case
def without_privilege_it_shows_the_same_in_memory():
    with tempfile.TemporaryDirectory() as directory:
        # This tree may stand where no other user may look: /root.
        os.chmod(directory, 0o755)
        demo, tern = shutil.copy(DEMO, directory), shutil.copy(TERN, directory)
        status, out, err = run("setpriv", "--reuid", "65534", "--clear-groups", "--", demo, tern)
    check(status == 0, out, err)
    check("needs root" in out and "between two stacks in memory" in out, out)
    check("TIME-WAIT" in out, out)


main()
