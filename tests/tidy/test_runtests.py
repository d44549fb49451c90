#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/runtests counts what cmocka, TAP and plain programs say, and believes no crash, no
timeout and no silence. Prints TAP."""

import sys

from tap import Tap, load_tool

RUN, OK = "[ RUN      ] ", "[       OK ] "
FAILED, SKIPPED = "[  FAILED  ] ", "[  SKIPPED ] "


def cmocka(*lines):
    return "[==========] Running tests.\n" + "".join(line + "\n" for line in lines)


# (name of the case, result, status, output, passed, failed, skipped)
CASES = [
    ("a_program_without_cases_counts_as_one", "OK", 0, "some words\n", 1, [], []),
    ("a_program_that_fails_without_cases_counts_as_one", "FAIL", 1, "words\n", 0,
     [("t", "fail")], []),
    ("a_program_that_times_out_fails", "TIMEOUT", -15, "", 0,
     [("t", "timeout, killed by signal 15")], []),
    ("a_program_that_skips_says_why", "SKIP", 77, "words\nSKIP: needs root\n", 0, [],
     [("t", "needs root")]),
    ("a_program_that_skips_without_a_reason_is_shown", "SKIP", 77, "", 0, [],
     [("t", "no reason given")]),
    ("cases_of_cmocka_are_counted", "OK", 0,
     cmocka(RUN + "a", OK + "a", RUN + "b", OK + "b"), 2, [], []),
    ("a_case_skipped_in_cmocka_keeps_its_reason", "OK", 0,
     cmocka(RUN + "a", "SKIP: no tun", SKIPPED + "a", RUN + "b", SKIPPED + "b"), 0, [],
     [("t: a", "no tun"), ("t: b", "no reason given")]),
    ("a_case_that_failed_is_counted_once", "FAIL", 1,
     cmocka(RUN + "a", FAILED + "a", RUN + "b", OK + "b", FAILED + "a"), 1,
     [("t: a", "failed")], []),
    ("the_case_that_crashed_is_named", "FAIL", -6,
     cmocka(RUN + "a", OK + "a", RUN + "b"), 1, [("t: b", "never ended")], []),
    ("a_leak_reported_after_good_cases_fails", "FAIL", 1, cmocka(RUN + "a", OK + "a"), 1,
     [("t", "fail")], []),
    ("cases_of_tap_are_counted", "OK", 0, "1..2\nok 1 - a\nok 2 - b\n", 2, [], []),
    ("a_tap_plan_may_come_last", "OK", 0, "ok 1 - a\n1..1\n", 1, [], []),
    ("a_skipped_tap_case_keeps_its_reason", "OK", 0, "1..1\nok 1 - a # SKIP no tun\n", 0, [],
     [("t: a", "no tun")]),
    ("a_tap_plan_of_nothing_is_a_skip", "OK", 0, "1..0 # SKIP no tun\n", 0, [],
     [("t", "no tun")]),
    ("a_failed_tap_case_counts_though_the_program_is_content", "OK", 0,
     "1..2\nok 1 - a\nnot ok 2 - b\n", 1, [("t: b", "failed")], []),
    ("a_tap_plan_not_fulfilled_fails", "OK", 0, "1..3\nok 1 - a\n", 1,
     [("t", "planned 3 cases and ran 1")], []),
]


def main():
    tap, runtests = Tap(), load_tool("runtests")
    for name, result, status, out, passed, failed, skipped in CASES:
        tally = runtests.count({"name": "tern:unit / t", "result": result, "returncode": status,
                                "stdout": out})
        got = (tally.passed, tally.failed, tally.skipped)
        tap.case(got == (passed, failed, skipped), name, f"counted {got}")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
