#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tern run says before the start, in one line and with status 126, what it cannot get into; of what
the command executes in turn the log says it, and it is executed."""

import os
import shutil
import struct
import subprocess

from live import PATIENCE, TERN, case, check, enter_namespace, main, run, tern

enter_namespace()

NOBODY = 65534
# A note as the Go linker writes it, in a C program: what tells is the note, not the language.
GO_NOTE = '''
__asm__(".section .note.go.buildid,\\"a\\",@note\\n.long 4, 4, 4\\n.asciz \\"Go\\\\0\\"\\n"
        ".long 0x41414141\\n.text\\n");
'''
GO_SECTION = '''
static const char info[16] __attribute__((used, section(".go.buildinfo"))) = "Go buildinf:";
'''


def path_of(name):
    return os.path.join(os.environ["XDG_RUNTIME_DIR"], name)


def build(name, *words, code="", status=0):
    """Compiles a program that does nothing."""
    source, path = path_of(name + ".c"), path_of(name)
    with open(source, "w", encoding="utf-8") as f:
        f.write(code + f"int main(void) {{ return {status}; }}\n")
    subprocess.run(["gcc", "-o", path, source, *words], check=True, timeout=PATIENCE)
    return path


def script(name, line):
    path = path_of(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(line + "\n")
    os.chmod(path, 0o755)
    return path


def refused(words, said, about):
    status, out, err = tern("run", "--", *words)
    check((status, out) == (126, "") and err.count("\n") == 1, words, status, out, err)
    check(err.startswith(f"tern run: '{about}' ") and said in err, err)


@case
def a_static_program_is_refused():
    for name, how in (("static", "-static"), ("static-pie", "-static-pie")):
        path = build(name, how)
        refused([path], "is statically linked", path)


@case
def a_go_program_is_refused_however_it_is_linked():
    for name, code, words in (("go-note", GO_NOTE, ()), ("go-section", GO_SECTION, ()),
                              ("go-static", GO_NOTE, ("-static",))):
        path = build(name, *words, code=code)
        refused([path], "is a Go program", path)
    # With its section headers stripped the note still tells.
    path = build("go-stripped", code=GO_NOTE)
    with open(path, "r+b") as f:
        f.seek(40)
        f.write(struct.pack("<Q", 0))
        f.seek(60)
        f.write(struct.pack("<HH", 0, 0))
    refused([path], "is a Go program", path)


@case
def a_program_for_another_machine_or_libc_is_refused():
    path = build("foreign")
    with open(path, "r+b") as f:
        f.seek(18)
        f.write(struct.pack("<H", 243))  # RISC-V
    refused([path], "is for another machine", path)
    with open(path, "r+b") as f:
        f.seek(4)
        f.write(b"\1\1\1")  # 32 bits
        f.seek(18)
        f.write(struct.pack("<H", 3))
    refused([path], "is for another machine", path)
    path = build("musl", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
    refused([path], "is linked with musl", path)


@case
def a_script_is_judged_by_its_interpreter():
    static = build("interpreter", "-static")
    refused([script("plain", f"#! {static} -x")], "is statically linked", static)
    refused([script("again", f"#!{path_of('plain')}")], "is statically linked", static)
    os.environ["PATH"] += ":" + os.environ["XDG_RUNTIME_DIR"]
    for line in ("#!/usr/bin/env interpreter", "#!/usr/bin/env -S A=b interpreter -x"):
        refused([script("by-env", line)], "is statically linked", static)
    for line in ("#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env -S A=b sh -e", "# no line"):
        status, out, err = tern("run", "--", script("good", line + "\nexit 4"))
        check((status, out, err) == (4, "", ""), line, status, err)


# Executes argv[1] by each of libc's ways: from a child, from one of vfork(), spawned; prints the
# statuses. errno must be what it was where the file is not there.
EXECUTES = '''
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static int way(int i, const char *file, char **argv)
{
	pid_t pid;
	switch (i) {
	case 7: return posix_spawn(&pid, file, 0, 0, argv, environ) ? -1 : pid;
	case 8: return posix_spawnp(&pid, file, 0, 0, argv, environ) ? -1 : pid;
	}
	pid = i % 2 ? vfork() : fork();
	if (pid)
		return pid;
	errno = 77;
	switch (i) {
	case 0: execve(file, argv, environ); break;
	case 1: execv(file, argv); break;
	case 2: execvp(file, argv); break;
	case 3: execvpe(file, argv, environ); break;
	case 4: execl(file, "name", "an argument", (char *)0); break;
	case 5: execlp(file, "name", "an argument", (char *)0); break;
	case 6: execle(file, "name", "an argument", (char *)0, environ); break;
	}
	_exit(errno == ENOENT ? 100 : 101);
}
int main(int argc, char **argv)
{
	for (int i = 0; i < 9; i++) {
		int status = 0;
		pid_t pid = way(i, argv[1], argv + 1);
		waitpid(pid, &status, 0);
		printf("%d ", pid < 0 ? -1 : WEXITSTATUS(status));
		fflush(stdout);
	}
	return argc - 2;
}
#define main unused
'''

CHECKS = '''
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
	return argc == 2 && !strcmp(argv[0], "name") && !strcmp(argv[1], "an argument") &&
	       getenv("PATH") ? 42 : 1;
}
#define main unused
'''

# Executes itself by execl() with a list, first in vain; then tells how long it was.
LISTS = '''
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (atoi(argv[i]) != i - 1)
			return 101;
	if (argc > 1)
		return (argc - 1) % 100;
	if (execl("/nowhere", "name", LIST, (char *)0) != -1 || errno != ENOENT)
		return 102;
	execl("/proc/self/exe", "name", LIST, (char *)0);
	return 103;
}
#define main unused
'''


def executed(words, status, *lines):
    """It is executed all the same, and there are these lines."""
    got, out, err = tern("run", "--", *words)
    check(got == status, words, got, out, err)
    check(err.splitlines() == [f"tern run: {line}: its sockets are the kernel's"
                               for line in lines], words, err)
    return out


@case
def what_the_command_executes_is_named_and_executed():
    static = build("below", "-static", status=7)
    line = f"{static} is statically linked"
    os.environ["PATH"] += ":" + os.environ["XDG_RUNTIME_DIR"]
    for words in (["env", static], ["env", "below"], ["sh", "-c", static], ["nice", "below"],
                  ["sh", "-c", f"{static} & wait $!"], ["env", script("low", f"#! {static}")],
                  ["python3", "-c", f"import subprocess as s; exit(s.run('{static}').returncode)"]):
        executed(words, 7, line)
    # Once, however often.
    executed(["sh", "-c", f"{static}; {static}; env {static}"], 7, line)
    go = build("go-below", code=GO_NOTE)
    executed(["env", go], 0, f"{go} is a Go program")
    go = build("go-below-section", code=GO_SECTION)
    executed(["env", go], 0, f"{go} is a Go program")
    executed(["env", build("dynamic-below", status=3)], 3)
    executed(["ldd", build("traced")], 0)


@case
def each_way_of_executing_is_seen_and_left_as_it_is():
    static = build("each", "-static", status=9)
    for number in range(9):
        only = EXECUTES.replace("i = 0; i < 9", f"i = {number}; i <= {number}")
        check(executed([build("executes", code=only), static], 0,
                       f"{static} is statically linked") == "9 ", number)
    check(executed([build("executes", code=EXECUTES), "/nowhere"], 0) ==
          "100 " * 7 + "-1 -1 ", "of what is not there")
    checks = build("checks", code=CHECKS)
    for number in range(4, 7):
        only = EXECUTES.replace("i = 0; i < 9", f"i = {number}; i <= {number}")
        check(executed([build("executes-list", code=only), checks], 0) == "42 ", number)
    # Of long lists too, at the border of what has room on the stack.
    for number in (254, 255, 256, 300):  # and its name, and the end
        code = LISTS.replace("LIST", ", ".join(f'"{i}"' for i in range(number)))
        check(executed([build("lists", code=code)], number % 100) == "", number)
    name = "x" * 2000  # what is too long to be looked at
    check(executed([path_of("executes"), name], 0).startswith("101 " * 7), "too long")


@case
def what_gains_privilege_further_down_is_named():
    path = build("gains", status=5)
    os.chown(path, NOBODY, 0)
    os.chmod(path, 0o4755)
    executed(["env", path], 5, f"{path} is setuid")
    executed(["setpriv", "--no-new-privs", path], 5)


@case
def truncated_and_broken_files_do_no_harm():
    good = build("good-program")
    executes = build("executes-once", code=EXECUTES.replace("i = 0; i < 9", "i = 1; i < 2"))
    with open(good, "rb") as f:
        image = f.read()
    path = path_of("broken")
    os.chdir(os.environ["XDG_RUNTIME_DIR"])
    before = sorted(os.listdir())
    for size in (0, 1, 4, 16, 63, 64, 65, 200, 600, 1000):
        with open(path, "wb") as f:
            f.write(image[:size])
        os.chmod(path, 0o755)
        status = tern("run", "--", path)[0]
        # Empty it is a script; else no program, and nothing that sh should be given.
        check(status == 0 if size == 0 else status == 126 or status > 127, size, status)
    for at in range(0, 64):  # each byte of the ELF header wrong
        with open(path, "wb") as f:
            f.write(image[:at] + bytes([image[at] ^ 0xff]) + image[at + 1:4096])
        os.chmod(path, 0o755)
        status = tern("run", "--", path)[0]
        check(status == 126 or status > 127, at, status)
        check(tern("run", "--", executes, path)[0] == 0, at, "executed further down")
    check(sorted(os.listdir()) == sorted({*before, "broken", "tern"}), os.listdir())


def copy_to(name, library=True):
    """A copy of the program, and its library beside it, in a directory of that name."""
    here = path_of(name)
    os.makedirs(here, exist_ok=True)
    if library:
        beside = os.path.dirname(os.path.realpath(TERN))
        shutil.copy(os.path.join(beside, "libtern-preload.so"), here)
    return shutil.copy(TERN, os.path.join(here, "tern"))


def as_nobody(*words, extra=()):
    """tern run as somebody without privilege: it gets as far as the device."""
    os.chmod(os.environ["XDG_RUNTIME_DIR"], 0o755)
    # This tree may stand where no other user may look: /root.
    copy = copy_to("bin")
    return run("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *extra,
               "--", copy, "run", "--", *words)


@case
def a_program_that_gains_privilege_is_refused():
    path = build("privileged")
    # cap_net_raw=ep, as setcap(8) writes it.
    capability = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
    for mode, said in ((0o4755, "is setuid"), (0o2755, "is setgid"), (0o755, "has capabilities")):
        os.chmod(path, mode)
        if mode == 0o755:
            os.setxattr(path, "security.capability", capability)
        status, out, err = as_nobody(path)
        check((status, out) == (126, "") and said in err, oct(mode), status, err)
        check(err.count("\n") == 1, err)
        # Where the system gives it nothing it is a program as any other.
        status, _, err = as_nobody(path, extra=("--no-new-privs",))
        check(status != 126, oct(mode), status, err)
    # Root becomes no other user by it.
    os.removexattr(path, "security.capability")
    os.chmod(path, 0o4755)
    check(tern("run", "--", path)[0] == 0, "setuid root, run by root")
    os.chown(path, NOBODY, 0)
    os.chmod(path, 0o4755)
    refused([path], "is setuid", path)


@case
def a_program_that_may_not_be_read_is_let_pass():
    path = build("unreadable")
    os.chmod(path, 0o711)
    os.chown(path, 0, 0)
    status, _, err = as_nobody(path)
    check(status not in (126, 127), status, err)


@case
def without_its_library_it_does_not_start():
    status, out, err = run(copy_to("alone", library=False), "run", "--", "true")
    check((status, out) == (1, "") and "libtern-preload.so is neither beside tern" in err,
          status, err)
    status, out, err = run(copy_to("a blank"), "run", "--", "true")
    check((status, out) == (1, "") and "has a blank or a colon" in err, status, err)


main()
