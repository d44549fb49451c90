#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tern run as a parent: what COMMAND is given, what it gets to hear, how it ends."""

import os
import pty
import resource
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

from live import (PATIENCE, TERN, case, check, devices, enter_namespace, main, run, spawn, tern,
                  wait_for)

enter_namespace()

SHOW_STATE = ("import os, resource; "
              "print([l for l in open('/proc/self/status') if l[:3] == 'Sig' and l[3] in 'BI']); "
              "print(resource.getrlimit(resource.RLIMIT_NOFILE)); "
              "print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))); print(os.getcwd())")

# Says READY, then the name of each signal it gets; ends by what is left of its life.
LISTENER = """
import os, signal, time
def told(number, frame):
    os.write(1, signal.Signals(number).name.encode() + b'\\n')
for word in 'INT TERM HUP QUIT USR1 USR2 WINCH CONT'.split():
    signal.signal(getattr(signal, 'SIG' + word), told)
os.write(1, b'READY\\n')
end = time.monotonic() + 60
while time.monotonic() < end:
    time.sleep(0.1)
"""


def python(code):
    return sys.executable, "-c", code


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
        return [int(child) for child in f.read().split()]


def start(*words, **more):
    """tern run -- WORDS, once the command has said READY."""
    process = spawn(TERN, "run", *words, stdout=subprocess.PIPE, **more)
    line = process.stdout.readline()
    check(line == b"READY\n", line)
    return process


@case
def the_exit_status_is_the_commands():
    for words, expected in ((("true",), 0), (("sh", "-c", "exit 7"), 7),
                            (("sh", "-c", "kill -TERM $$"), 143),
                            (("sh", "-c", "kill -KILL $$"), 137)):
        status, out, err = tern("run", "--", *words)
        check((status, out, err) == (expected, "", ""), words, status, out, err)
    check(devices() == [], devices())


@case
def a_command_that_cannot_be_executed_is_told_apart():
    with tempfile.TemporaryDirectory() as directory:
        plain, broken = os.path.join(directory, "plain"), os.path.join(directory, "broken")
        for path, text, mode in ((plain, "exit 0\n", 0o644),
                                 (broken, "#!/nonexistent/interpreter\n", 0o755)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(path, mode)
        for words, expected, said in ((("no-such-command",), 127, "was not found in PATH"),
                                      (("./no-such-command",), 127, "was not found"),
                                      (("",), 127, "was not found"),
                                      ((directory,), 126, "no file that may be executed"),
                                      ((plain,), 126, "no file that may be executed"),
                                      ((broken,), 127, "cannot execute")):
            status, out, err = tern("run", "--", *words)
            check((status, out) == (expected, ""), words, status, out, err)
            check(err.count("\n") == 1 and err.startswith("tern run: ") and said in err, err)
        os.chmod(plain, 0o755)
        check(tern("run", plain)[0] == 0, "a file without #! is a script of sh")


@case
def the_command_is_looked_for_as_the_shell_does():
    with tempfile.TemporaryDirectory() as directory:
        for name, status in (("first", 0o644), ("second", 0o755)):
            os.mkdir(os.path.join(directory, name))
            path = os.path.join(directory, name, "prog")
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\nexit 8\n")
            os.chmod(path, status)
        first, second = (os.path.join(directory, name) for name in ("first", "second"))
        os.symlink(os.path.join(second, "prog"), os.path.join(directory, "here"))
        for path, expected in ((f"{first}:{second}", 8), (first, 126), ("/nonexistent", 127),
                               (f"/nonexistent:{second}:{first}", 8)):
            status, _, err = tern("run", "prog", env=dict(os.environ, PATH=path))
            check(status == expected, path, status, err)
        # An empty word in PATH is the working directory.
        words = f"cd {directory} && exec {os.path.abspath(TERN)} run here"
        for path, expected in ((":/bin", 8), ("/bin:", 8), ("/bin::/sbin", 8), ("/bin", 127)):
            status, _, err = run("/bin/sh", "-c", words, env=dict(os.environ, PATH=path))
            check(status == expected, path, status, err)


@case
def the_command_begins_at_the_first_word_that_is_no_option():
    status, out, err = tern("run", "--name", "x", "echo", "--name", "--", "-h")
    check((status, out, err) == (0, "--name -- -h\n", ""), status, out, err)
    status, out, err = tern("run", "--", "echo", "--", "-x")
    check((status, out, err) == (0, "-- -x\n", ""), status, out, err)


@case
def input_output_and_errors_are_the_commands():
    status, out, err = tern("run", "--", "sh", "-c", "cat; echo bad >&2; exit 1",
                            stdin=b"through\n")
    check((status, out, err) == (1, "through\n", "bad\n"), status, out, err)


@case
def descriptors_signals_and_limits_are_as_tern_got_them():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    read_end, write_end = os.pipe()

    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, soft), hard))
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH, signal.SIGRTMIN + 1})

    said = [subprocess.run([*words, *python(SHOW_STATE)], stdout=subprocess.PIPE, timeout=PATIENCE,
                           pass_fds=(read_end,), preexec_fn=prepare, restore_signals=False,
                           check=True).stdout.decode() for words in ((), (TERN, "run", "--"))]
    check(said[0] == said[1], said)
    os.close(read_end)
    os.close(write_end)


@case
def a_closed_standard_descriptor_stays_closed():
    show = "ls /proc/self/fd"
    for closed in ("<&-", "2>&-"):
        plain = run("sh", "-c", f"{show} {closed}")[1]
        check(run("sh", "-c", f"{TERN} run -- {show} {closed}")[1] == plain, closed, plain)


@case
def a_broken_pipe_ends_the_command_and_not_the_stack():
    status, out, _ = run("bash", "-c", f"{TERN} run -- yes | head -n 1; echo ${{PIPESTATUS[0]}}")
    check((status, out) == (0, "y\n141\n"), status, out)


@case
def only_the_command_has_the_library_in_its_environment():
    show = "env | grep -E '^(LD_PRELOAD|TERN_BROKER)=' | sort"
    with tempfile.TemporaryDirectory() as directory:
        clients = os.path.join(directory, "clients")
        env = dict(os.environ, LD_PRELOAD="", TERN_BROKER="of another run")
        status, out, err = tern("run", "--with", f"env >{clients}", "--", "sh", "-c",
                                f"{show}; trap 'exit 0' TERM; while :; do sleep 0.05; done",
                                env=env)
        check((status, err) == (0, ""), status, err)
        first, second = out.splitlines()
        check(first.startswith("LD_PRELOAD=/") and first.endswith("/libtern-preload.so"), first)
        check(second.startswith("TERN_BROKER=") and "another" not in second, second)
        with open(clients, encoding="utf-8") as f:
            text = f.read()
        check("tern-preload" not in text and "TERN_BROKER=of another run" in text, text)
    # Ours stands before what is there.
    out = tern("run", "--", "sh", "-c", "echo $LD_PRELOAD",
               env=dict(os.environ, LD_PRELOAD="libpthread.so.0"))[1]
    check(out.strip().endswith("/libtern-preload.so:libpthread.so.0"), out)


@case
def signals_that_a_process_sends_go_on_once():
    process = start("--", *python(LISTENER))
    for word in "USR1 USR2 WINCH HUP QUIT INT CONT TERM".split():
        process.send_signal(getattr(signal, "SIG" + word))
        line = process.stdout.readline()
        check(line == f"SIG{word}\n".encode(), line, word)
    ready = select.select([process.stdout], [], [], 0.3)[0]
    check(not ready and process.poll() is None, "more than was sent")


@case
def a_signal_to_the_whole_group_comes_twice():
    process = start("--", *python(LISTENER), start_new_session=True)
    # Standard signals do not queue: the first has to be dealt with before the second comes.
    process.send_signal(signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGUSR1)
    check(process.stdout.readline() == b"SIGUSR1\n", "from whom sent it")
    process.send_signal(signal.SIGCONT)
    said = sorted(process.stdout.readline() for _ in range(2))
    check(said == [b"SIGCONT\n", b"SIGUSR1\n"], "from tern", said)


@case
def a_signal_of_the_commands_own_is_not_sent_back():
    # It tells its whole group, as daemons do; the group is ours too.
    code = ("import os, signal, sys, time\nn = []\nsignal.signal(signal.SIGUSR1, "
            "lambda *a: n.append(1))\nos.kill(0, signal.SIGUSR1)\ntime.sleep(0.5)\n"
            "print(len(n))")
    done = subprocess.run([TERN, "run", "--", *python(code)], stdout=subprocess.PIPE,
                          timeout=PATIENCE, start_new_session=True)
    check((done.returncode, done.stdout) == (0, b"1\n"), done)


def job(*words):
    """A command as the foreground job of a terminal of its own: (pid, terminal)."""
    leader, follower = pty.openpty()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            # As a shell: the session's leader, with the job in a group of its own.
            os.close(leader)
            name = os.ttyname(follower)
            os.close(os.open(name, os.O_RDWR))
            for fd in range(3):
                os.dup2(follower, fd)
            shell(words)
        finally:
            os._exit(99)
    os.close(follower)
    return pid, leader


def shell(words):
    """Runs a job; says when it stops, continues it on a line of input, ends with its status."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(words[0], words)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)
        os.write(1, b"STOPPED\n")
        os.read(0, 100)
        os.tcsetpgrp(0, pid)
        os.killpg(pid, signal.SIGCONT)


def read_until(terminal, word):
    text, end = b"", time.monotonic() + PATIENCE
    while word not in text:
        check(time.monotonic() < end, f"no {word} in", text)
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 4096)
    return text


@case
def a_key_reaches_the_command_once():
    pid, terminal = job(TERN, "run", "--", *python(LISTENER))
    try:
        read_until(terminal, b"READY")
        for key, word in ((termios.VINTR, b"SIGINT"), (termios.VQUIT, b"SIGQUIT")):
            os.write(terminal, termios.tcgetattr(terminal)[6][key])
            text = read_until(terminal, word)
            time.sleep(0.3)
            while select.select([terminal], [], [], 0)[0]:
                text += os.read(terminal, 4096)
            check(text.count(word) == 1, text)
        # Not the terminal's doing: the group leader alone is told.
        os.kill(children(pid)[0], signal.SIGTERM)
        read_until(terminal, b"SIGTERM")
    finally:
        for child in children(pid):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


@case
def a_stopped_job_is_stopped_and_goes_on():
    pid, terminal = job(TERN, "run", "--", *python(LISTENER))
    try:
        read_until(terminal, b"READY")
        os.write(terminal, termios.tcgetattr(terminal)[6][termios.VSUSP])
        read_until(terminal, b"STOPPED")
        os.write(terminal, b"fg\n")
        read_until(terminal, b"SIGCONT")
        os.write(terminal, termios.tcgetattr(terminal)[6][termios.VINTR])
        read_until(terminal, b"SIGINT")
    finally:
        for child in children(pid):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


@case
def a_stop_of_the_command_alone_does_not_stop_the_stack():
    process = start("--", *python(LISTENER))
    command = children(process.pid)[0]
    for number in (signal.SIGSTOP, signal.SIGTSTP):
        os.kill(command, number)
        time.sleep(0.3)
        check(run("ping", "-c", "1", "-W", "5", "10.77.0.2")[0] == 0, "no answer", number)
        os.kill(command, signal.SIGCONT)
    check(process.stdout.readline() == b"SIGCONT\n", "it goes on")


@case
def a_caller_that_ignores_its_children_gets_the_status():
    words = [TERN, "run", "--", "sh", "-c", "exit 9"]
    done = subprocess.Popen(words, restore_signals=False,
                            preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    check(done.wait(PATIENCE) == 9, done.returncode)


@case
def the_clients_status_counts_and_its_end_is_the_commands():
    code = "import socket; s = socket.create_server(('', 80))\n" + LISTENER.replace("TERM ", "")
    for client, expected in (("exit 0", 0), ("exit 5", 5), ("kill -KILL $$", 137)):
        status, out, err = tern("run", "--with", f"sleep 0.2; {client}", "--", *python(code))
        check((status, out, err) == (expected, "READY\n", ""), client, status, out, err)


@case
def where_nobody_listens_the_client_starts_after_two_seconds():
    began = time.monotonic()
    check(tern("run", "--with", "exit 3", "--", "sleep", "100")[0] == 3, "status")
    took = time.monotonic() - began
    check(2 <= took < 4, took)


@case
def the_clients_input_is_not_the_commands():
    status, out, err = tern("run", "--with", "cat; echo client", "--", "sh", "-c",
                            "cat; exec sleep 60", stdin=b"for the command\n")
    check((status, out, err) == (0, "for the command\nclient\n", ""), status, out, err)


@case
def a_command_that_does_not_end_for_its_client_is_killed():
    status, _, err = tern("run", "--drain", "500ms", "--with", "true", "--", *python(LISTENER))
    check(status == 0 and "did not end within the time of --drain" in err, status, err)
    check(err.count("\n") == 1, err)


@case
def a_client_is_not_waited_for_longer_than_the_drain():
    began = time.monotonic()
    status, _, _ = tern("run", "--drain", "1s", "--with", "sleep 60", "--", "sleep", "3")
    check(status == 143 and time.monotonic() - began < 7, status, time.monotonic() - began)


@case
def the_stack_is_seen_while_the_command_runs():
    process = start("--name", "web", "--dev", "terra", "--addr", "10.9.8.7/24", "--sysctl",
                    "net.ipv4.tcp_fin_timeout=7", "--", *python(LISTENER))
    check(devices() == ["terra"], devices())
    check("10.9.8.1/24" in run("ip", "-4", "addr", "show", "dev", "terra")[1], "peer")
    check(tern("sysctl", "-N", "web", "-n", "net.ipv4.tcp_fin_timeout")[1] == "7\n", "knob")
    status, _, err = tern("run", "--name", "web", "--dev", "other", "--", "true")
    check(status == 1 and err.count("\n") == 1 and "--name" in err, status, err)
    command = children(process.pid)[0]
    process.kill()
    process.wait()
    wait_for(lambda: devices() == [], "the device goes with tern")
    os.kill(command, signal.SIGKILL)


@case
def killed_outright_it_leaves_the_command_to_itself():
    process = start("--", *python(LISTENER))
    command = children(process.pid)[0]
    try:
        process.kill()
        process.wait()
        os.kill(command, signal.SIGUSR1)
        check(process.stdout.readline() == b"SIGUSR1\n", "it does not live")
    finally:
        os.kill(command, signal.SIGKILL)


@case
def a_device_that_goes_ends_the_command():
    process = start("--", *python(LISTENER.replace("TERM ", "")), stderr=subprocess.PIPE)
    run("ip", "link", "delete", "tern0")
    check(process.wait(PATIENCE) == 143, process.returncode)
    err = process.stderr.read().decode()
    check("the device is gone" in err and err.count("\n") == 1, err)


@case
def a_child_that_holds_no_socket_is_not_waited_for_long():
    for ended, least, most in (("exit 0", 1.5, 6), ("exit 1", 0, 1.5)):
        began = time.monotonic()
        tern("run", "--", "sh", "-c", f"sleep 10 >/dev/null 2>&1 & {ended}")
        took = time.monotonic() - began
        check(least <= took < most, ended, took)


main()
