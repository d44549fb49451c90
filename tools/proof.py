# SPDX-License-Identifier: BSD-2-Clause
"""tools/proof.py: what `tools/ledger --prove` does. Code that is cited is spoiled, its tests fail.

The tree is copied; the copy has a build directory of its own, without optimisation. Each test must
pass there first. Then, place by place, the cited statement is changed, whatever depends on it is
compiled, and the tests that cite the same requirement run, each alone. A mutation that does not
compile does not count; at the first one that a test notices, the place is proved; where none of
them is noticed it survived, and either the test or the citation is not good enough.

What is tried, in this order: the statement has no effect (a condition is never or always true, a
statement or table row is left out, a function returns at once); a condition, or one part of it, is
turned round; operators, constants and numbers are exchanged. Within each of these the order is
drawn from the seed.
"""

import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple

TEST_SECONDS = 30
Result = namedtuple("Result", "name place verdict how case tried")


# ---------------------------------------------------------------------------------------------
# Statements

LEXEME = re.compile(r"""/\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


def blank_comments(text):
    """The same without comments and strings, as long."""
    return LEXEME.sub(lambda m: re.sub(r"[^\n\"']", " ", m.group(0)) if m.group(0)[0] != "/"
                      else re.sub(r"[^\n]", " ", m.group(0)), text)


def closing(code, at):
    """Behind the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(code)):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return len(code)


def end_of(code, start):
    """Where the statement, row, directive or function that begins at start ends."""
    if code[start] == "#":
        end = re.compile(r"(?:[^\n\\]|\\\n)*").match(code, start).end()
        return end
    label = re.compile(r"(?:case\b[^:\n]*|default\s*):").match(code, start)
    if label:
        until = re.compile(r"^\s*(?:case\b|default\s*:|\})", re.M).search(code, label.end())
        while until and re.match(r"\s*case\b", until.group(0)) and not re.search(
                r"[;{]", code[label.end():until.start()]):
            until = re.compile(r"^\s*(?:case\b|default\s*:|\})", re.M).search(code, until.end())
        return until.start() if until else len(code)
    if re.compile(r"(?:KNOB|DROP|COUNTER)\(").match(code, start):
        return closing(code, code.index("(", start))
    row = re.compile(r"\[|[A-Z][A-Z0-9_]+\s*[=,]|\.\w+\s*=").match(code, start)
    i = start
    while i < len(code):
        c = code[i]
        if c in "([":
            i = closing(code, i)
            continue
        if c == "{":
            end = closing(code, i)
            follows = re.compile(r"\s*(else\b|;|,)").match(code, end)
            if not follows:
                return end
            if follows.group(1) != "else":
                return follows.end() - (0 if row or follows.group(1) == ";" else 1)
            i = follows.end()
            continue
        if c == ";" or (row and c == ","):
            return i + 1
        if c in ")}":
            return i
        i += 1
    return i


def region(text, code, place):
    """(start, end) of what a citation speaks of."""
    line = text.rfind("\n", 0, place.start) + 1
    if not text[line:place.start].strip():
        rest = re.compile(r"\s*").match(code, place.end)
        return rest.end(), end_of(code, rest.end())
    if code[line:].lstrip().startswith("#"):
        return line, place.start
    start = max(code.rfind(c, 0, place.start - len(code[line:place.start]) +
                           len(code[line:place.start].rstrip()) - 1) for c in ";{}") + 1
    start = max(start, 0)
    if "," in code[line:place.start].rstrip()[-1:] and "(" not in code[line:place.start]:
        start = line  # a row of a table
    start += len(code[start:]) - len(code[start:].lstrip())
    return start, place.start


# ---------------------------------------------------------------------------------------------
# Mutations: each yields (rank, what, text that takes the place of the region)

SWAPS = [
    (r"(?<![<>=!-])<=(?!=)", "<"), (r"(?<![<>=!-])>=(?!=)", ">"), (r"(?<![<])<(?![<=])", "<="),
    (r"(?<![>-])>(?![>=])", ">="), (r"==", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"),
    (r"\btern_seq_lt\(", "tern_seq_le("), (r"\btern_seq_le\(", "tern_seq_lt("),
    (r"\btern_seq_gt\(", "tern_seq_ge("), (r"\btern_seq_ge\(", "tern_seq_gt("),
    (r"\bTERN_MIN\(", "TERN_MAX("), (r"\bTERN_MAX\(", "TERN_MIN("),
    (r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"<<", ">>"), (r">>", "<<"),
    (r"(?<= )/(?= )", "*"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"(?<![=!<>&|])!(?!=)", ""), (r"\+=", "="), (r"\|=", "="), (r"&= ~", "|= "),
]
NUMBER = re.compile(r"(?<![\w.\"])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)")


def conditions(code):
    """(start, end) of the parentheses of each if and while."""
    for match in re.finditer(r"\b(?:if|while)\s*(?=\()", code):
        yield match.end(), closing(code, match.end())


def choices(code):
    """(start, end) of each condition in front of a question mark."""
    for match in re.finditer(r"\?", code):
        at, depth = match.start() - 1, 0
        while at > 0 and not (depth == 0 and (code[at] in "(,;{" or re.search(
                r"(?<![=!<>])=$|\breturn$", code[:at + 1]))):
            depth += {")": 1, "(": -1}.get(code[at], 0)
            at -= 1
        yield at + 1, match.start()


def parts(code, start, end):
    """(start, end) of each operand of && and || anywhere within."""
    cuts, stack = [start], []
    for match in re.finditer(r"[()]|&&|\|\|", code[start:end]):
        at = start + match.start()
        if match.group(0) == "(":
            stack.append(cuts)
            cuts = [at + 1]
        elif match.group(0) == ")":
            yield from ((a, b) for a, b in zip(cuts, cuts[1:] + [at]) if len(cuts) > 1)
            cuts = stack.pop() if stack else [start]
        else:
            yield cuts[-1], at
            cuts.append(at + 2)
    if len(cuts) > 1:
        yield cuts[-1], end


def replaced(text, start, end, new):
    return text[:start] + new + text[end:]


def without_effect(text, code, last):
    """Rank 0: the statement does nothing. last: its function ends behind it."""
    head = re.match(r"(?:if|while)\s*\(", code)
    if head:
        end = closing(code, head.end() - 1)
        yield "never", replaced(text, head.end(), end - 1, f"0 && ({text[head.end():end - 1]})")
        if code.startswith("if"):
            yield "always", replaced(text, head.end(), end - 1,
                                     f"1 || ({text[head.end():end - 1]})")
        return
    if is_function(code):
        open_at = code.index("{") + 1
        for back in ("return;", "return 0;", "return 1;"):
            yield f"{back[:-1]} at once", replaced(text, open_at, open_at, " " + back)
        return
    if code.startswith("#"):
        return
    if re.match(r"[\[.A-Z]", code) and re.search(r",\s*$", code):
        yield "row left out", ""
        return
    if re.match(r"(?:case\b|default\b)", code):
        label = code.index(":") + 1
        yield "case does nothing", text[:label] + " break;\n"
        return
    declared = declaration(code)
    for value in ("0", "1") if declared else ():
        yield f"= {value}", replaced(text, *declared, f" {value}")
    back = re.match(r"return\s+(.*);", code, re.S)
    for value in ("0", "1") if back else ():
        yield f"return {value}", f"return {value};"
    if not declared and not (back and last):
        yield "left out", ";"


def declaration(code):
    """(start, end) of what a variable, or a member, is set to at its birth."""
    match = re.match(r"(?:(?:const|static|struct|enum|unsigned|bool|u?int\d*_t|int|tern_seq|size_t|"
                     r"uint8_t)\s+)+(?:\w+\s+)?\**\w+\s*=(?!=)", code)
    end = code.rfind(";")
    return (match.end(), end) if match and end > 0 and code[match.end():].lstrip()[0] != "{" \
        else None


def is_function(code):
    return re.match(r"[^;={}#]*\)\s*\{", code) is not None and not re.match(
        r"(?:if|while|for|switch)\b", code)


def turned_round(text, code, _):
    """Rank 1: conditions, and parts of them; statements of a block left out, one at a time."""
    for start, end in conditions(code):
        yield "turned round", replaced(text, start + 1, end - 1, f"!({text[start + 1:end - 1]})")
        yield "never", replaced(text, start + 1, end - 1, f"0 && ({text[start + 1:end - 1]})")
    for start, end in choices(code):
        for value in ("0", "1"):
            yield f"{value} ? :", replaced(text, start, end, f" {value} ")
    for start, end in parts(code, 0, len(code)):
        for value in ("0", "1"):
            yield f"a part is {value}", replaced(text, start, end, f" {value} ")
    for match in re.finditer(r"^\t+(?!return\b|break\b|case\b)[^\s{}#][^\n;{}]*(?:\n[^\n;{}]*)*;",
                             code, re.M):
        first = match.start() + len(match.group(0)) - len(match.group(0).lstrip())
        if match.start() > 0 and not declaration(code[first:match.end()]):
            yield "a line left out", replaced(text, first, match.end(), ";")
    for match in re.finditer(r"\breturn\s+([^;]+);", code):
        for value in ("0", "1"):
            yield f"return {value}", replaced(text, *match.span(1), value)


def exchanged(text, code, _):
    """Rank 2: operators, constants, numbers."""
    for pattern, new in SWAPS:
        for match in re.finditer(pattern, code):
            if match.group(0) in "<>" and re.search(r"#\s*include", code):
                continue
            yield f"{match.group(0).strip('(')} → {new.strip('(') or 'none'}", replaced(
                text, *match.span(), new)
    for match in re.finditer(r"\s\|\s*(~?\(?[A-Z]\w+\(?\w*\)?)", code):
        yield f"without {match.group(1)}", replaced(text, *match.span(), "")
    for match in NUMBER.finditer(code):
        value = int(match.group(0), 0)
        for new in dict.fromkeys((value + 1, value * 2, value // 2, 0)):
            if new != value:
                yield f"{match.group(0)} → {new}", replaced(text, *match.span(), str(new))


def mutations(text, code, last, seed):
    """[(what, new text of the region)], the same for the same seed, without doubles."""
    found, seen = [], {text}
    draw = random.Random(seed)
    for kind in (without_effect, turned_round, exchanged):
        some = list(kind(text, code, last))
        if kind is not without_effect:
            draw.shuffle(some)
        for what, new in some:
            if new not in seen:
                seen.add(new)
                found.append((what, new))
    return found


# ---------------------------------------------------------------------------------------------
# The copy

class Copy:
    def __init__(self, root, where):
        self.root, self.where = root, os.path.abspath(where)
        self.tree = os.path.join(self.where, "tree")
        self.build = os.path.join(self.where, "build")

    def bring_up_to_date(self):
        """Only what differs is written, so that little is built again."""
        names = set(self.names())
        for name in names:
            source, to = os.path.join(self.root, name), os.path.join(self.tree, name)
            with open(source, "rb") as f:
                data = f.read()
            if os.path.exists(to):
                with open(to, "rb") as f:
                    if f.read() == data:
                        continue
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with open(to, "wb") as f:
                f.write(data)
            shutil.copymode(source, to)
        for where, _, there in os.walk(self.tree):
            for name in there:
                path = os.path.join(where, name)
                if os.path.relpath(path, self.tree) not in names:
                    os.remove(path)

    def names(self):
        listed = subprocess.run(["git", "-C", self.root, "ls-files", "-co", "--exclude-standard"],
                                capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            names = listed.stdout.splitlines()
        else:
            names = []
            for where, dirs, there in os.walk(self.root):
                dirs[:] = [d for d in dirs if not re.match(r"build\b|\.git$|__pycache__$", d)]
                names += [os.path.relpath(os.path.join(where, n), self.root) for n in there]
        return [n for n in names if os.path.isfile(os.path.join(self.root, n))]

    def configure(self):
        if os.path.exists(os.path.join(self.build, "build.ninja")):
            return
        done = subprocess.run(
            ["meson", "setup", self.build, self.tree, "-Dtests=enabled", "-Dbuildtype=plain",
             "-Doptimization=0", "-Dwerror=false", "-Dwarning_level=0", "-Dc_args=-w"],
            env={**os.environ, "CC": os.environ.get("CC", "gcc")}, capture_output=True, text=True,
            check=False)
        if done.returncode:
            shutil.rmtree(self.build, ignore_errors=True)
            sys.exit(f"tools/ledger: the copy cannot be configured\n{done.stdout}{done.stderr}")

    def make(self, targets):
        """Builds; what went wrong, or None."""
        done = subprocess.run(["ninja", "-C", self.build, *sorted(targets)], capture_output=True,
                              text=True, check=False)
        return None if done.returncode == 0 else done.stdout + done.stderr

    def passes(self, case):
        """Does the test pass, run alone? None: there is no such test in its program."""
        env = {**os.environ, "TERN_TEST": case.name, "TERN_SOURCE": self.tree,
               "TERN_BUILD": self.build}
        words = [os.path.join(self.build, target_of(case))]
        if case.path.endswith(".pkt"):
            words += ["drill", os.path.join(self.tree, case.path)]
        try:
            done = subprocess.run(words, env=env, cwd=self.tree, capture_output=True, text=True,
                                  errors="replace", timeout=TEST_SECONDS, check=False,
                                  preexec_fn=limit)
        except subprocess.TimeoutExpired:
            return False
        if not case.path.endswith(".pkt") and f"[ RUN      ] {case.name}\n" not in (
                done.stdout + done.stderr):
            return None
        return done.returncode == 0


def limit():
    """What a spoiled program may take: it may well run away."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def target_of(case):
    """The program that a test is in, as ninja calls it; None where it cannot be run here."""
    if case.path.endswith(".pkt"):
        return "tern"
    match = re.fullmatch(r"tests/(?:unit/)?(\w+)/test_(\w+)\.c", case.path)
    return f"tests/test_{match.group(1)}_{match.group(2)}" if match else None


# ---------------------------------------------------------------------------------------------

def noticed(copy, cases):
    """(whether it compiles, the first test that fails or None). Programs are built as needed."""
    for case in cases:
        if copy.make({target_of(case)}):
            return False, None
        if not copy.passes(case):
            return True, case
    return True, None


def spoil(copy, name, place, cases, args):
    """Mutates one place until a test notices."""
    path = os.path.join(copy.tree, place.path)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    code = blank_comments(text)
    start, end = region(text, code, place)
    tried = compiled = 0
    try:
        last = re.match(r"\s*\n\}", code[end:]) is not None
        for what, new in mutations(text[start:end], code[start:end], last, f"{args.seed} {name}"):
            if compiled >= args.tries:
                break
            tried += 1
            with open(path, "w", encoding="utf-8") as f:
                f.write(text[:start] + new + text[end:])
            built, case = noticed(copy, cases)
            compiled += built
            if case:
                return Result(name, place, "proved", what, case, tried)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    return Result(name, place, "survived" if compiled else "not compiled", "", None, tried)


def prove_one(copy, ledger, name, args):
    cases = sorted((c for c in ledger.tests.get(name, []) if target_of(c)),
                   key=lambda case: case.path.endswith(".pkt"))  # these need all of tern
    if not ledger.code.get(name) or not cases:
        yield Result(name, None, "not cited", "", None, 0)
        return
    wrong = copy.make({target_of(c) for c in cases})
    if wrong:
        sys.exit(f"tools/ledger: the copy does not build\n{wrong}")
    for case in cases:
        if not copy.passes(case):
            yield Result(name, None, "fails untouched", case.name, case, 0)
            return
    for place in ledger.code[name]:
        yield spoil(copy, name, place, cases, args)


def line_of(result):
    place = result.place
    where = f"{place.path}:{place.line} {place.function}" if place else ""
    who = f"{result.how}: {result.case.name}" if result.case else ""
    return f"{result.verdict:<15} {result.name:<20} {where:<52} {who}".rstrip()


def run(ledger, names, args):
    where = args.dir or tempfile.mkdtemp(prefix="tern-proof-")
    copy = Copy(ledger.root, where)
    results = []
    try:
        copy.bring_up_to_date()
        copy.configure()
        for name in names:
            for result in prove_one(copy, ledger, name, args):
                results.append(result)
                print(line_of(result), flush=True)
    finally:
        if not args.dir:
            shutil.rmtree(where, ignore_errors=True)
    return results


def report(results, names):
    """The count, and the exit status: 0 if every place of every row is proved."""
    open_rows = {r.name for r in results if r.verdict != "proved"}
    print(f"{len(names) - len(open_rows)} of {len(names)} requirements proved, at "
          f"{sum(r.verdict == 'proved' for r in results)} of {len(results)} places")
    return 1 if open_rows else 0
