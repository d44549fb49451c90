#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Manual pages and completion: they follow from the option tables, and are well made."""

import glob
import os
import re
import shutil
import subprocess

from live import SOURCE, TERN, case, check, main, run, tern

PAGES = sorted(glob.glob(os.path.join(SOURCE, "docs", "man", "*.mdoc")))
COMPLETION = os.path.join(SOURCE, "tools", "completion", "tern")


def commands():
    listed = tern("help")[1].split("\n\n")[1]
    return re.findall(r"^  (\w+) ", listed, re.M)


def complete(*words):
    """What TAB offers behind these words."""
    script = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); '
              '_tern; printf "%s\\n" "${COMPREPLY[@]}"')
    status, out, err = run("bash", "-c", script, "bash", COMPLETION, "tern", *words)
    check(status == 0 and not err, err)
    return out.split()


@case
def lists_of_options_follow_from_the_table():
    status, out, err = run(os.path.join(SOURCE, "tools", "options"), TERN)
    check(status == 0, out, err)


@case
def a_list_that_does_not_follow_is_found():
    copy = os.path.join(os.environ["XDG_RUNTIME_DIR"], "copy")
    for part in ("docs/man", "tools"):
        shutil.copytree(os.path.join(SOURCE, part), os.path.join(copy, part))
    page = os.path.join(copy, "docs", "man", "tern-serve.1.mdoc")
    with open(page, encoding="utf-8") as f:
        text = f.read()
    check("Fl -port" in text, "no --port")
    with open(page, "w", encoding="utf-8") as f:
        f.write(text.replace("Fl -port", "Fl -prot"))
    tool = os.path.join(copy, "tools", "options")
    status, out, _ = run(tool, TERN)
    check(status == 1 and out.startswith("docs/man/tern-serve.1.mdoc: "), status, out)
    check(run(tool, "--write", TERN)[0] == 0 and run(tool, TERN)[0] == 0, "not put right")


@case
def each_command_has_its_page():
    names = {os.path.basename(page) for page in PAGES}
    check(names == {"tern.1.mdoc"} | {f"tern-{command}.1.mdoc" for command in commands()
                                      if command != "help"}, names)


@case
def manual_pages_have_no_lint():
    out = subprocess.run(["mandoc", "-Tlint", "-W", "style", *PAGES], capture_output=True,
                         text=True).stdout
    # Whether a page that is referred to is installed here says nothing about ours.
    found = [line for line in out.splitlines() if "referenced manual not found" not in line]
    check(not found, "\n".join(found))


@case
def completion_offers_commands_options_and_words():
    check(set(commands()) <= set(complete("")), complete(""))
    check(complete("co") == ["connect"], complete("co"))
    check(complete("serve", "--po") == ["--port"], complete("serve", "--po"))
    check(complete("serve", "day") == ["daytime"], complete("serve", "day"))
    check(complete("serve", "--link", "no") == ["none"], complete("serve", "--link", "no"))
    check(complete("serve", "--port", "") == [], complete("serve", "--port", ""))


@case
def completion_offers_running_stacks():
    directory = os.path.join(os.environ["XDG_RUNTIME_DIR"], "tern")
    os.makedirs(directory)
    check(complete("ss", "-N", "") == [], complete("ss", "-N", ""))
    with open(os.path.join(directory, "web.sock"), "w", encoding="utf-8"):
        check(complete("ss", "-N", "") == ["web"], complete("ss", "-N", ""))


main()
