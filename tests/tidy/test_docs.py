#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Documents say what is true: each make target, file, function, command and option that they name
is there, the table of rooms is that of tools/tidy, the README's output looks like today's. Then
lies are planted, and must be found. Prints TAP."""

import glob
import os
import re
import subprocess
import sys

from tap import SOURCE, Tap, load_tool

TERN = os.path.join(os.environ.get("TERN_BUILD", os.path.join(SOURCE, "build")), "tern")
PAGES = ["README.md", "CONTRIBUTING.md", "bench/README.md", "docs/ARCHITECTURE.md",
         "docs/HACKING.md", "docs/BENCHMARKS.md", "docs/NETWORK.md", "docs/PROGRAMS.md",
         "examples/README.md"]
INTERNALS_MAX = 60  # lines: a page for a data structure is short
# Where a path may begin that is not of this tree.
SYSTEM = ("/dev/", "/proc/sys/", "/run/", "/usr", "/some/where")
# Directories in which `tcp/ack.c` and the like are looked for.
ROOTS = ["", "src", "docs", "tests", "include"]
FILE = r"[\w./-]+\.(?:c|h|def|md|mdoc|py|sh|build|allow)"


def read(name):
    with open(os.path.join(SOURCE, name), encoding="utf-8") as f:
        return f.read()


def pages():
    """Every document, by its name: its text."""
    internals = sorted(glob.glob(os.path.join(SOURCE, "docs", "internals", "*.md")))
    names = PAGES + [os.path.relpath(path, SOURCE) for path in internals]
    return {name: read(name) for name in names}


def code(text):
    """What stands in backticks or in an indented or fenced block: [(whether a block, text)]."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```\n.*?^```", "", text, flags=re.M | re.S)
    blocks += re.findall(r"^    (?! *[*-] )(.*)$", rest, re.M)
    return [(True, b) for b in blocks] + [(False, s) for s in re.findall(r"`([^`\n]+)`", rest)]


# ---- each rule yields what is wrong with one document

def rule_make(_, text):
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.M))
    for _, piece in code(text):
        for target in re.findall(r"^(?:.*\s)?make (\w+)", piece, re.M):
            if target not in targets and not re.search(rf"make {target}=", piece):
                yield f"make {target}: no such target"


def rule_file(name, text):
    here = os.path.dirname(name)
    words = [w for _, piece in code(text) for w in re.findall(rf"(?<![\w./<*$-]){FILE}\b", piece)]
    files = {os.path.basename(p) for p in glob.glob(f"{SOURCE}/src/*/*") +
             glob.glob(f"{SOURCE}/include/tern/*")}
    for word in words:
        if re.search(r"NAME|ROOM|test_room|/file\.|^room/|^a\.c$|^test_a\.c$|^build", word):
            continue
        found = any(os.path.exists(os.path.join(SOURCE, root, word)) for root in ROOTS + [here])
        if not found and not ("/" not in word and (word in files or "bench" in name)):
            yield f"{word}: no such file"
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target and not os.path.exists(os.path.join(SOURCE, here, target)):
            yield f"({target}): a link to nowhere"


def rule_path(_, text):
    bare = re.sub(r"\]\([^)]*\)", "]", text)
    for path in re.findall(r"(?<![\w./$*)\]-])/[a-z][\w./-]*", bare):
        if not (path + "/").startswith(SYSTEM):
            yield f"{path}: a path of some machine"
    if re.search(r"(?<![\w.])\.\./\.\./", text):
        yield "a path out of this tree"


def sources():
    text = [read(os.path.relpath(path, SOURCE)) for pattern in
            ("src/*/*.[chd]*", "include/tern/*.h", "tests/harness/*.[ch]", "tests/unit/*.h",
             "bench/*.[ch]", "examples/*.c", "src/*/meson.build", "tests/live/live.py")
            for path in glob.glob(os.path.join(SOURCE, pattern))]
    return "\n".join(text)


def rule_name(_, text, have=[]):
    have = have or [sources() + read("tests/meson.build") + read("meson.build")]
    for _, piece in code(text):
        for name in re.findall(r"(?<![\w/])(?:tern_[a-z]\w+|TERN_[A-Z]\w+)\b", piece):
            if name.endswith("NAME") or name.endswith("_Name"):
                continue
            if not re.search(rf"\b{name}\b", have[0]):
                yield f"{name}: no such name in the sources"


def told(*words):
    return subprocess.run([TERN, *words], capture_output=True, text=True, check=False)


def rule_command(_, text, known={}):
    for block, piece in code(text):
        for line in piece.splitlines():
            match = re.search(r"(?:^|\s|^build/|# build/|\| build/)tern ([a-z]+\b(?!:))(.*)",
                              re.sub(r"\s# .*", "", line))
            if not match:
                continue
            name, rest = match.groups()
            if name not in known:
                done = told("help", name)
                known[name] = done.stdout if done.returncode == 0 else None
            if known[name] is None:
                yield f"tern {name}: no such command"
                continue
            words = re.split(r"[|&;<>]", rest)[0].split() if block else rest.split()
            for word in own_words(name, words, known[name]):
                yield from wrong_option(name, word, known[name])


def own_words(name, words, help_text):
    """Those in front of the command that tern run runs: the rest is that command's."""
    if name != "run":
        return words
    words = re.sub(r"'[^']*'", "quoted", " ".join(words)).split()
    mine, i = [], 0
    while i < len(words) and words[i].startswith("-") and words[i] != "--":
        mine.append(words[i])
        i += 2 if re.search(rf"{words[i]} \S", help_text) else 1
    return mine


def wrong_option(name, word, help_text):
    if re.fullmatch(r"--[a-z][\w-]*", word):
        if not re.search(rf"{word}\b", help_text):
            yield f"tern {name} {word}: no such option"
    elif re.fullmatch(r"-[A-Za-z0-9]+", word):
        for letter in word[1:]:
            if f"  -{letter}, " not in help_text:
                yield f"tern {name} -{letter}: no such option"


RULES = [rule_make, rule_file, rule_path, rule_name, rule_command]


def findings(name, text, rules=RULES):
    return [f"{name}: {wrong}" for rule in rules for wrong in rule(name, text)]


# ---- what holds for one document alone

def rooms_of(text):
    """The table of rooms in ARCHITECTURE: {room: what it may include}."""
    table = text.split("| room | what lives there")[1].split("\n\n")[0]
    rows = re.findall(r"^\| (\w+) \|.*\| ([^|]+) \|$", table, re.M)
    return {room: may for room, may in rows}


def wrong_rooms(text):
    rooms, table = load_tool("tidy").ROOMS, rooms_of(text)
    there = {os.path.basename(os.path.dirname(p)) for p in glob.glob(f"{SOURCE}/src/*/meson.build")}
    for room in sorted(there ^ set(table)):
        yield f"{room}: {'not in the table' if room in there else 'no such room'}"
    for room, may in table.items():
        kind, allowed = rooms.get(room, ("", ""))
        want = " ".join(r for r in allowed.split() if r in there and r != room) or "nothing"
        want = "everything" if allowed == "*" else want + (", the OS" if kind == "os" else "")
        if sorted(want.replace(",", " ,").split()) != sorted(may.replace(",", " ,").split()):
            yield f"{room}: may include {want}; the page says {may}"
    for room in "tcp", "stack":
        listed = text.split(f"| in `{room}/` |")[1].split("\n\n")[0]
        for path in sorted(glob.glob(f"{SOURCE}/src/{room}/*.c")):
            if f"`{os.path.basename(path)}`" not in listed:
                yield f"{room}/{os.path.basename(path)}: not in the table of files"


def shape(line):
    """A line of a ladder or table without what differs from run to run."""
    line = re.sub(r"\(\w+\)$", "(who)", re.sub(r"\d+(\.\d+)*", "N", line.strip()))
    return re.sub(r"[─ ]+", " ", line)


def ladder_of(text):
    lines = text[text.index("      time  "):].splitlines()
    return [line for line in lines[:lines.index("")] if line != "```"]


def wrong_ladder(text, now):
    """The handshake stands there as it is drawn today; all else is made of the same parts."""
    said, drawn = ladder_of(text), ladder_of(now)
    if [shape(line) for line in said[:5]] != [shape(line) for line in drawn[:5]]:
        yield "\n".join(["the README's handshake:", *said[:5], "is drawn like this:", *drawn[:5]])
    row = re.compile(r" +\d+\.\d{6}  [A-Z12-]+ +[◄─].*[►─]  [A-Z12-]+")
    for line in said[2:]:
        if not row.fullmatch(line) or len(line) > 100:
            yield f"no line of a ladder: {line}"
    for name in set(re.findall(r" ([a-z]+)=", "\n".join(said))):
        if f" {name}=" not in now:
            yield f"{name}=: no ladder of today has that"
    head = "Recv-Q Send-Q Local Address:Port Peer Address:Port Process"
    if (head in text) != (head in now):
        yield "the head of the socket table is another one"


def every_target_is_in_hacking(text):
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.M)) - {"build"}
    return [t for t in sorted(targets) if f"`make {t}" not in text]


# ---- the cases

LIES = [
    ("a_target_that_is_not_there", "`make coffee`", "make coffee"),
    ("a_target_in_a_block", "    make coffee\n", "make coffee"),
    ("a_file_that_is_not_there", "see `tcp/nothing.c`", "tcp/nothing.c"),
    ("a_file_that_is_not_there_by_its_name_alone", "see `nothing.c`", "nothing.c"),
    ("a_link_to_nowhere", "see [here](nothing.md)", "nothing.md"),
    ("a_path_of_a_machine", "look into /home/somebody/tern", "/home/somebody"),
    ("a_function_that_is_not_there", "call `tern_stack_nothing`", "tern_stack_nothing"),
    ("a_variable_that_is_not_there", "    TERN_NOTHING=7 build/x\n", "TERN_NOTHING"),
    ("a_command_that_is_not_there", "`tern nothing` does it", "tern nothing"),
    ("a_long_option_that_is_not_there", "`tern ss --nothing`", "--nothing"),
    ("a_letter_that_is_no_option", "    build/tern ss -tanX\n", "-X"),
]


def main():
    tap, texts = Tap(), pages()
    for name, text in texts.items():
        wrong = findings(name, text)
        tap.case(not wrong, f"what_is_named_is_there: {name}", "\n".join(wrong))
        if "internals" in name:
            count = len(text.splitlines())
            tap.case(count <= INTERNALS_MAX, f"it_is_short: {name}", f"{count} lines")
    architecture, readme = texts["docs/ARCHITECTURE.md"], texts["README.md"]
    wrong = list(wrong_rooms(architecture))
    tap.case(not wrong, "the_tables_of_rooms_and_files_are_right", "\n".join(wrong))
    missing = every_target_is_in_hacking(texts["docs/HACKING.md"])
    tap.case(not missing, "every_target_is_in_HACKING", " ".join(missing))
    tap.case("    make test\n" in readme and "\nmake test\n" in read(".ci/run"),
             "CI_runs_what_the_README_says")
    now = told("demo").stdout
    wrong = list(wrong_ladder(readme, now))
    tap.case(not wrong, "the_README_shows_the_output_of_today", "\n".join(wrong))
    for name, lie, what in LIES:
        found = findings("docs/LIES.md", lie)
        tap.case(len(found) == 1 and what in found[0], f"found: {name}", "\n".join(found))
    wrong = list(wrong_rooms(re.sub(r"^\| timer \|.*\n", "", architecture, flags=re.M)))
    tap.case(wrong == ["timer: not in the table"], "found: a_room_that_is_left_out", str(wrong))
    wrong = list(wrong_rooms(architecture.replace("| base link, the OS |", "| base, the OS |")))
    tap.case(len(wrong) == 1 and wrong[0].startswith("loop: "), "found: a_room_that_may_less",
             str(wrong))
    wrong = list(wrong_rooms(architecture.replace("`oow.h`", "").replace("`ack.c`", "")))
    tap.case(wrong == ["tcp/ack.c: not in the table of files"], "found: a_file_left_out",
             str(wrong))
    wrong = list(wrong_ladder(readme.replace("win=64240 mss", "window=64240 mss"), now))
    tap.case(len(wrong) == 2, "found: output_of_yesterday", str(wrong))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
