#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/setup, with a dpkg-query, an apt-get and an id of our own in front of it. Prints TAP."""

import os
import shutil
import subprocess
import sys
import tempfile

from tap import SOURCE, Tap

FAKES = {
    # What is installed stands in the file have, what apt knows in the file known.
    "dpkg-query": 'for p; do :; done\n'
                  'grep -qx "$p" "$D/have" && printf "install ok installed"\n',
    "apt-cache": 'grep -qx "$2" "$D/known" && echo known\n',
    "apt-get": 'echo "apt-get $*" >>"$D/log"\n'
               'case "$*" in\n'
               '*update*) cat "$D/archive" >"$D/known" ;;\n'
               '*install*) while [ "$1" != --no-install-recommends ]; do shift; done; shift\n'
               '\tfor p; do grep -qx "$p" "$D/known" || exit 100; done\n'
               '\tfor p; do echo "$p" >>"$D/have"; done ;;\n'
               'esac\n',
    "id": 'cat "$D/uid"\n',
    "sudo": '[ "$1" = -n ] && shift\n[ -f "$D/may-sudo" ] && "$@"\n',
}
PACKAGES = "# a comment\n\nalpha build the compiler\nbeta  test  tests\ngamma check checks\n"


class World:
    def __init__(self, root, have="", known="alpha beta gamma", archive="alpha beta gamma",
                 uid="0", may_sudo=False):
        self.root = root
        os.mkdir(f"{root}/tools")
        os.mkdir(f"{root}/bin")
        shutil.copy(os.path.join(SOURCE, "tools", "setup"), f"{root}/tools/setup")
        self.write("tools/packages", PACKAGES)
        for name, script in FAKES.items():
            self.write(f"bin/{name}", "#!/bin/sh\n" + script)
            os.chmod(f"{root}/bin/{name}", 0o755)
        for name, words in (("have", have), ("known", known), ("archive", archive),
                            ("uid", uid)):
            self.write(name, "".join(word + "\n" for word in words.split()))
        if may_sudo:
            self.write("may-sudo", "")

    def write(self, name, text):
        with open(f"{self.root}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def run(self, *groups):
        done = subprocess.run([f"{self.root}/tools/setup", *groups], text=True,
                              capture_output=True,
                              env={"PATH": f"{self.root}/bin:/usr/bin:/bin", "D": self.root})
        return done.returncode, done.stdout + done.stderr

    def log(self):
        if not os.path.exists(f"{self.root}/log"):
            return []
        with open(f"{self.root}/log", encoding="utf-8") as f:
            return f.read().splitlines()

    def have(self):
        with open(f"{self.root}/have", encoding="utf-8") as f:
            return f.read().split()


def world(**state):
    """A decorator: the case gets a world in that state."""
    def wrap(case):
        def run():
            with tempfile.TemporaryDirectory() as root:
                return case(World(root, **state))
        run.__name__ = case.__name__
        return run
    return wrap


@world(have="alpha beta")
def nothing_missing_is_silent_and_calls_no_apt(w):
    return w.run("build", "test") == (0, "") and w.log() == []


@world(have="alpha")
def only_what_is_missing_in_the_groups_is_installed(w):
    status, _ = w.run("build", "test")
    return status == 0 and w.have() == ["alpha", "beta"] and len(w.log()) == 1


@world(known="", archive="alpha beta gamma")
def unknown_packages_cause_one_update(w):
    status, _ = w.run("build", "test")
    return (status == 0 and w.have() == ["alpha", "beta"] and
            sum("update" in line for line in w.log()) == 1)


@world(known="", archive="alpha")
def a_package_the_archive_lacks_ends_in_3_and_the_line_to_type(w):
    status, said = w.run("build", "test")
    return status == 3 and said.endswith(
        "apt-get update && apt-get install -y --no-install-recommends alpha beta\n")


@world(uid="1000")
def without_rights_it_ends_in_3_and_the_line_to_type(w):
    status, said = w.run("build")
    return (status == 3 and w.log() == [] and said.endswith(
        "apt-get update && apt-get install -y --no-install-recommends alpha\n"))


@world(uid="1000", may_sudo=True)
def a_sudo_that_does_not_ask_is_used(w):
    status, _ = w.run("build")
    return status == 0 and w.have() == ["alpha"]


@world()
def a_group_that_does_not_exist_ends_in_2(w):
    status, said = w.run("bild")
    return status == 2 and "no group 'bild'" in said


@world()
def no_group_at_all_ends_in_2(w):
    return w.run()[0] == 2


def every_line_of_the_real_list_has_a_known_group_and_a_reason():
    with open(os.path.join(SOURCE, "tools", "packages"), encoding="utf-8") as f:
        rows = [line.split() for line in f if line.strip() and not line.startswith("#")]
    names = [row[0] for row in rows]
    return (len(set(names)) == len(names) and
            all(len(row) > 2 and row[1] in "build test check demo bench docs".split()
                for row in rows))


CASES = [
    nothing_missing_is_silent_and_calls_no_apt,
    only_what_is_missing_in_the_groups_is_installed,
    unknown_packages_cause_one_update,
    a_package_the_archive_lacks_ends_in_3_and_the_line_to_type,
    without_rights_it_ends_in_3_and_the_line_to_type,
    a_sudo_that_does_not_ask_is_used,
    a_group_that_does_not_exist_ends_in_2,
    no_group_at_all_ends_in_2,
    every_line_of_the_real_list_has_a_known_group_and_a_reason,
]


def main():
    tap = Tap()
    for case in CASES:
        tap.case(case(), case.__name__)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
