#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The ledger of this tree is complete and its pages are those of today. Then faults are planted in
a small tree, and must be found; and code is spoiled as tools/ledger --prove does it. Prints TAP."""

import os
import subprocess
import sys
import tempfile

from tap import SOURCE, Tap, load_tool

sys.path.insert(0, os.path.join(SOURCE, "tools"))
import proof  # noqa: E402

TABLE = """# RFC 9999: A protocol
# §1 All of it
MUST-1	MUST	1	Do a	yes
MUST-2	MUST	1	Do b	no	nobody wants it
"""
CODE = """/* RFC9999:MUST-1 */
int f(int a)
{
	return a;
}
"""
TEST = """/* RFC9999:MUST-1 */
static void a_is_done(void **state)
{
}
"""
GOOD = {"docs/rfc/9999.tsv": TABLE, "src/room/a.c": CODE, "tests/unit/room/test_a.c": TEST}

FAULTS = [
    ("a_yes_without_code", {"src/room/a.c": "int a;\n"}, "cite it at the code"),
    ("a_yes_without_a_test", {"tests/unit/room/test_a.c": ""}, "cite it at a test"),
    ("a_requirement_that_is_not_there", {"src/room/b.c": "/* RFC9999:MUST-9 */\nint b;\n"},
     "RFC9999:MUST-9 is in no table"),
    ("a_citation_above_no_test", {"tests/unit/room/test_b.c": "/* RFC9999:MUST-1 */\nint b;\n"},
     "no test's function follows"),
    ("a_no_without_a_reason", {"docs/rfc/9999.tsv": TABLE.replace("\tnobody wants it", "")},
     "a no needs a reason"),
    ("an_answer_that_is_none", {"docs/rfc/9999.tsv": TABLE.replace("\tno\t", "\tperhaps\t")},
     "an answer"),
    ("a_row_that_stands_there_twice", {"docs/rfc/9999.tsv": TABLE + "MUST-1\tMUST\t1\tDo a\tyes\n"},
     "stands there twice"),
    ("a_page_of_yesterday", {"docs/rfc-others.md": "old\n"}, "not that of today"),
]

# (name, code; the citation is its first comment, what must be among the mutations)
STATEMENTS = [
    ("a_condition", "void f(void)\n{\n\t/* RFC9999:MUST-1 */\n\tif (a(1) && b)\n\t\tc();\n}\n",
     ["if (0 && (a(1) && b))\n\t\tc();", "if (!(a(1) && b))\n\t\tc();", "if (a(1) ||",
      "if ( 0 &&"]),
    ("a_call", "void f(void)\n{\n\t/* RFC9999:MUST-1 */\n\tg(1,\n\t  2);\n\th();\n}\n", [";"]),
    ("a_declaration", "void f(void)\n{\n\t/* RFC9999:MUST-1 */\n\tint a = b ? 1 : 2;\n}\n",
     ["int a = 0;", "int a = b ? 2 : 2;", "int a = 0 ? 1 : 2;"]),
    ("a_row_of_a_table",
     "const int t[] = {\n\t/* RFC9999:MUST-1 */\n\t[A] = B(1, 2),\n\t[C] = D,\n};\n",
     ["[A] = B(2, 2),", ""]),
    ("a_constant", "/* RFC9999:MUST-1 */\n#define LIMIT 3\nint a;\n", ["#define LIMIT 4"]),
    ("a_knob", "/* RFC9999:MUST-1 */\nKNOB(a, \"b\", 7, 0, 9)\nKNOB(c, \"d\", 1, 0, 9)\n",
     ["KNOB(a, \"b\", 8, 0, 9)"]),
    ("a_function", "/* RFC9999:MUST-1 */\nint f(int a)\n{\n\tg(a);\n\treturn a;\n}\n",
     ["int f(int a)\n{ return 0;\n\tg(a);\n\treturn a;\n}",
      "int f(int a)\n{\n\t;\n\treturn a;\n}"]),
    ("what_stands_in_front_of_the_comment",
     "void f(void)\n{\n\tg();\n\th(1); /* RFC9999:MUST-1 */\n}\n", [";"]),
    ("a_case", "int f(int a)\n{\n\tswitch (a) {\n\t/* RFC9999:MUST-1 */\n\tcase 1:\n\t\ta = 2;\n"
     "\t\tbreak;\n\tdefault:\n\t\tbreak;\n\t}\n\treturn a;\n}\n", ["case 1: break;\n"]),
]


def plant(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def run(root, *words):
    return subprocess.run([os.path.join(SOURCE, "tools/ledger"), "--root", root, *words],
                          capture_output=True, text=True, check=False)


def faults(tap):
    for name, files, what in FAULTS:
        with tempfile.TemporaryDirectory() as root:
            plant(root, GOOD)
            run(root, "--write")
            fine = run(root)
            plant(root, files)
            done = run(root)
            tap.case(fine.returncode == 0 and done.returncode == 1 and what in done.stdout,
                     f"found: {name}", fine.stdout + done.stdout)


def lines_may_move(tap):
    with tempfile.TemporaryDirectory() as root:
        plant(root, GOOD)
        run(root, "--write")
        plant(root, {"src/room/a.c": "\n" * 100 + CODE})
        done = run(root)
        tap.case(done.returncode == 0, "lines_may_move_without_a_new_page", done.stdout)


def statements(tap, ledger):
    for name, text, wanted in STATEMENTS:
        comment = ledger.COMMENT.search(text)
        place = ledger.Place("a.c", 1, "f", comment.start(), comment.end())
        code = proof.blank_comments(text)
        start, end = proof.region(text, code, place)
        last = text[end:].startswith("\n}")
        found = [new for _, new in proof.mutations(text[start:end], code[start:end], last, 1)]
        again = [new for _, new in proof.mutations(text[start:end], code[start:end], last, 1)]
        missing = [w for w in wanted if not any(f.startswith(w) if w else not f for f in found)]
        tap.case(not missing and found == again, f"spoiled: {name}",
                 f"missing {missing} among {found}")


def main():
    tap = Tap()
    done = run(SOURCE)
    tap.case(done.returncode == 0, "the_ledger_of_this_tree_is_complete", done.stdout + done.stderr)
    faults(tap)
    lines_may_move(tap)
    statements(tap, load_tool("ledger"))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
