#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The house rules: tools/tidy catches what is planted, is silent on clean code, and is silent on
this tree. Prints TAP."""

import os
import subprocess
import sys
import tempfile

from tap import SOURCE, Tap, load_tool

TIDY = os.path.join(SOURCE, "tools", "tidy")
THEORY = """/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Theory of operation: this file exists so that a rule has something to look at, and no more.
 */
"""

CLEAN = {
    "include/tern/thing.h": """#ifndef TERN_THING_H
#define TERN_THING_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
struct tern_thing { uint8_t a; };
int tern_thing_make(struct tern_thing *ret_thing);
#ifdef __cplusplus
}
#endif
#endif
""",
    "src/base/pool.h": """#ifndef TERN_BASE_POOL_H
#define TERN_BASE_POOL_H
#include <stddef.h>
void *tern_pool_get(size_t len);
void tern_pool_put(void *p);
#endif
""",
    "src/base/pool.c": THEORY + """#include "base/pool.h"
#include <stdlib.h>
void *tern_pool_get(size_t len)
{
\treturn malloc(len);
}
""",
    # All that is nearly wrong, but right.
    "src/tcp/state.c": THEORY + """#include "base/pool.h"
#include "trace/drop.def"
#include "tern/thing.h"
#include <assert.h>
#include <string.h>

/* malloc(1) and printf("x") in a comment; a string below. TODOS is a word of its own. */
static const char *const names[] = { "malloc(", "a // comment", "{{{" };
static const struct { int a, b; } table[2] = { { 1, 2 }, { 3, 4 } };
enum { A = 1, B };
struct part {
\tint x;
\tvoid (*free)(void *);
};
struct part *tern_state_part(struct part *p);
_Static_assert(sizeof(int) == 4, "int");
#define EACH(x) \\
\tfor (int i = 0; i < (x); i++) \\
\t\tif (i && x || y)

__attribute__((format(printf, 1, 2))) static int helper(struct part *p, int c)
{
\tstatic const int steps[] = { 1, 2 };
\tint start_time = 0;

\tassert(p->x == 1 && p->x <= 2 && p->x >= 0 && p->x != 3);
\tp->free(p);
\treturn c == '{' || c == '"' ? steps[0] + start_time : table[0].a + (int)strlen(names[0]);
}

struct part *tern_state_part(struct part *p)
{
\treturn helper(p, 0) ? p : NULL;
}
""",
    "src/loop/clock.c": THEORY + """#include "link/link.h"
#include <time.h>
static int calls;
int tern_loop_now(struct timespec *ts)
{
\tcalls++;
\treturn clock_gettime(CLOCK_MONOTONIC, ts);
}
""",
    "src/cli/tern.c": THEORY + """#include "loop/loop.h"
#include <stdio.h>
int main(void)
{
\treturn printf("tern\\n") < 0;
}
""",
    "src/tcp/reason.h": """#ifndef TERN_TCP_REASON_H
#define TERN_TCP_REASON_H
enum tern_reason {
#define DROP(name, text) TERN_DROP_##name,
#undef DROP
\tTERN_REASON_NONE = 0,
\tTERN_REASONS,
};
struct tern_reason_pair { enum { ONE = 1 } one; int (*two)(int); };
extern const char *const tern_reason_names[];
#endif
""",
    "tests/unit/tcp/test_state.c": """static const struct CMUnitTest tests[] = {
\tcmocka_unit_test(a_fin_in_syn_received_moves_to_close_wait),
\tcmocka_unit_test_setup_teardown(the_4_tuple_is_unique, setup, teardown),
};
""",
    "tools/tidy.allow": "# nothing\n",
}


def body(lines):
    return "int tern_f(int x)\n{\n" + lines + "\treturn x;\n}\n"


def source(text):
    return THEORY + text


def length(n):
    """A function of n lines."""
    return source(body("\tx++;\n" * (n - 4)))


def complexity(n):
    return source(body("".join(f"\tif (x > {i})\n\t\tx--;\n" for i in range(n - 1))))


def public(text, guard="TERN_BAD_H"):
    return f"#ifndef {guard}\n#define {guard}\n{text}#endif\n"


# (what it shows, file, text, the finding or None): one tree each, all else clean
PLANTED = [
    ("wire_may_not_include_tcp", "src/wire/a.c", source('#include "tcp/state.h"\n'),
     "src/wire/a.c:5: include: "),
    ("tcp_may_not_include_syn", "src/tcp/a.c", source('#include "syn/listener.h"\n'), ": include:"),
    ("base_may_include_nothing", "src/base/a.c", source('#include "wire/ip.h"\n'), ": include:"),
    ("link_may_include_only_the_layout_of_cookies", "src/link/a.c",
     source('#include "cookie/layout.h"\n#include "cookie/cookie.h"\n'),
     "src/link/a.c:6: include: "),
    ("report_needs_no_stack", "src/report/a.c", source('#include "stack/stack.h"\n'), ": include:"),
    ("an_include_without_its_room_is_caught", "src/tcp/a.c", source('#include "state.h"\n'),
     ": include:"),
    ("a_pure_room_may_not_include_stdio", "src/tcp/a.c", source("#include <stdio.h>\n"),
     "src/tcp/a.c:5: include: "),
    ("a_pure_room_may_not_include_the_socket_header", "src/sock/a.c",
     source('#include "tern/socket.h"\n'), ": include:"),
    ("an_os_room_may_include_stdio", "src/loop/a.c", source("#include <stdio.h>\n"), None),
    ("a_public_header_may_not_include_the_systems", "include/tern/bad.h",
     public("#include <unistd.h>\n"), ": include:"),
    ("a_public_header_may_not_include_a_room", "include/tern/bad.h",
     public('#if 0\n#include "base/pool.h"\n#endif\n'), ": include:"),
    ("an_example_sees_only_public_headers", "examples/a.c", source('#include "base/pool.h"\n'),
     ": include:"),
    ("a_room_outside_the_table_is_caught", "src/attic/a.c", source(""), ": room:"),
    ("malloc_in_a_pure_room_is_caught", "src/tcp/a.c", source(body("\tx = malloc(1);\n")),
     "src/tcp/a.c:7: banned: malloc()"),
    ("free_in_the_pool_of_another_room_is_caught", "src/tcp/pool.c",
     source(body("\tfree (x);\n")), ": banned:"),
    ("snprintf_in_a_pure_room_is_caught", "src/tcp/a.c", source(body("\tsnprintf(x);\n")),
     ": banned:"),
    ("printf_in_a_library_is_caught", "src/loop/a.c", source(body("\tprintf(x);\n")), ": banned:"),
    ("sprintf_in_the_cli_is_caught", "src/cli/a.c", source(body("\tsprintf(x);\n")), ": banned:"),
    ("strcpy_in_a_test_is_caught", "tests/unit/a.c", body("\tstrcpy(x, y);\n"), ": banned:"),
    ("atoi_in_an_example_is_caught", "examples/a.c", source(body("\tatoi(x);\n")), ": banned:"),
    ("a_wrapped_call_in_the_shim_is_caught", "src/posix/shim_a.c",
     source(body("\tclose(x);\n")), ": banned:"),
    ("the_next_librarys_function_is_not_ours", "src/posix/shim_a.c",
     source(body("\ttern_shim_next.close(x);\n")), None),
    ("fcntl_in_the_shim_is_caught", "src/posix/shim_a.c", source(body("\tfcntl(x, 1);\n")),
     ": banned:"),
    ("malloc_in_the_shim_is_caught", "src/posix/shim_a.c", source(body("\tx = malloc(1);\n")),
     ": banned:"),
    ("an_assertion_in_the_shim_is_caught", "src/posix/shim_a.c", source(body("\tassert(x);\n")),
     ": banned:"),
    ("dlsym_outside_of_the_shim_is_caught", "src/posix/a.c", source(body("\tdlsym(x, y);\n")),
     ": banned:"),
    ("rand_in_a_benchmark_is_caught", "bench/a.c", source(body("\trand();\n")), ": banned:"),
    ("strtok_is_caught_everywhere", "src/cli/a.c", source(body("\tstrtok(x, y);\n")), ": banned:"),
    ("htons_in_a_room_is_caught", "src/link/a.c", source(body("\thtons(x);\n")), ": banned:"),
    ("a_clock_outside_the_loop_is_caught", "src/host/a.c",
     source(body("\tclock_gettime(0, x);\n")), ": banned:"),
    ("entropy_outside_the_loop_is_caught", "src/cli/a.c", source(body("\tgetrandom(x);\n")),
     ": banned:"),
    ("a_call_after_a_return_is_caught", "src/tcp/a.c", source(body("\treturn time(x);\n")),
     ": banned:"),
    ("an_increment_in_an_assert_is_caught", "src/tcp/a.c", source(body("\tassert(x++ < 3);\n")),
     "src/tcp/a.c:7: assert: "),
    ("an_assignment_in_an_assert_is_caught", "src/tcp/a.c", source(body("\tassert((x = 3));\n")),
     ": assert:"),
    ("a_function_of_70_lines_passes", "src/tcp/a.c", length(70), None),
    ("a_function_of_71_lines_is_caught", "src/tcp/a.c", length(71),
     "src/tcp/a.c:5: length: tern_f"),
    ("a_complexity_of_20_passes", "src/tcp/a.c", complexity(20), None),
    ("a_complexity_of_21_is_caught", "src/tcp/a.c", complexity(21),
     "src/tcp/a.c:5: complexity: tern_f() has complexity 21"),
    ("every_kind_of_branch_is_counted", "src/tcp/a.c",
     source(body("\tx = x && x || x ? 1 : 2;\n\tswitch (x) {\n\tcase 1:\n\tcase 2:\n\t\tx++;\n\t}\n"
                 "\twhile (x)\n\t\tfor (;;)\n\t\t\tif (x)\n\t\t\t\tx = 2;\n" * 3)),
     "complexity 25"),
    ("branches_in_comments_and_strings_do_not_count", "src/tcp/a.c",
     source(body('\tx = "if if && || ?"; /* for while case */\n' * 30)), None),
    ("a_long_function_in_an_extern_c_block_is_caught", "src/tcp/a.c",
     source('extern "C" {\n' + body("\tx++;\n" * 70) + "}\n"), ": length:"),
    ("a_file_of_800_lines_passes", "src/tcp/a.c", source("\n" * 796), None),
    ("a_file_of_801_lines_is_caught", "src/tcp/a.c", source("\n" * 797), ": file:"),
    ("a_line_of_100_columns_passes", "src/tcp/a.c", source("\t/* " + "x" * 86 + " */\n"), None),
    ("a_line_of_101_columns_is_caught", "src/tcp/a.c", source("\t/* " + "x" * 87 + " */\n"),
     "src/tcp/a.c:5: columns: 101 columns"),
    ("a_wrong_guard_is_caught", "src/tcp/a.h", public("", "TERN_TCP_B_H"), "TERN_TCP_A_H"),
    ("a_missing_guard_is_caught", "src/tcp/a.h", "struct a;\n", ": guard:"),
    ("a_header_that_needs_another_is_caught", "src/tcp/a.h",
     public("uint8_t f(void);\n", "TERN_TCP_A_H"), "src/tcp/a.h:1: header: "),
    ("a_public_header_that_is_not_cxx_is_caught", "include/tern/bad.h",
     public("int f(int class);\n"), "g++ -std=c++17"),
    ("a_test_without_a_sentence_is_caught", "tests/unit/a.c", "\tcmocka_unit_test(fin_works),\n",
     "tests/unit/a.c:1: test-name: fin_works"),
    ("a_test_with_a_number_for_a_name_is_caught", "tests/unit/a.c",
     "\tcmocka_unit_test(case_4_17),\n", ": test-name:"),
    ("a_test_called_test_is_caught", "tests/unit/a.c",
     "\tcmocka_unit_test_setup(test_fin_is_sent, s),\n", ": test-name:"),
    ("an_unfinished_spot_is_caught", "src/tcp/a.c", source("/* TO" "DO: more */\n"),
     "src/tcp/a.c:5: marker: "),
    ("an_unfinished_spot_in_a_script_is_caught", "tools/a.sh", "#!/bin/sh\n# FIX" "ME\n",
     "tools/a.sh:2: marker: "),
    ("a_file_without_theory_is_caught", "src/tcp/a.c", "/* a.c */\n" + body(""), ": theory:"),
    ("a_licence_is_no_theory", "src/tcp/a.c",
     "/* SPDX-License-Identifier: BSD-2-Clause */\n" + body(""), ": theory:"),
    ("a_global_in_a_pure_room_is_caught", "src/tcp/a.c", source("static int count = 3;\n"),
     "src/tcp/a.c:5: global: "),
    ("a_pointer_that_can_be_written_is_a_global", "src/tcp/a.c",
     source("const char *last;\n"), ": global:"),
    ("a_global_array_of_structs_is_caught", "src/tcp/a.c",
     source("static struct a {\n\tint x;\n} b[3] = { { 1 } };\n"), ": global:"),
    ("a_static_in_a_function_is_caught", "src/tcp/a.c",
     source(body("\tstatic int calls;\n")), "src/tcp/a.c:7: global: "),
    ("a_typedef_of_a_struct_is_caught", "src/tcp/a.c", source("typedef struct a a_t;\n"),
     ": typedef:"),
    ("a_line_comment_is_caught", "src/tcp/a.c", source("int a(void); // note\n"), ": comment:"),
    ("a_static_with_the_prefix_is_caught", "src/tcp/a.c",
     source("static " + body("")), ": name:"),
    ("a_public_function_without_the_prefix_is_caught", "src/tcp/a.c",
     source("int f(int x)\n{\n\treturn x;\n}\n"), ": name:"),
    ("half_a_block_in_an_if_is_caught", "src/tcp/a.c",
     source("#if A\nint tern_f(void) {\n#else\nint tern_f(int x) {\n#endif\n}\n"), ": braces:"),
    ("white_space_at_the_end_of_a_line_is_caught", "src/tcp/a.c", source("int a(void); \n"),
     ": space:"),
    ("a_missing_last_newline_is_caught", "src/tcp/a.c", source("int a(void);"), ": space:"),
    ("an_exception_that_excuses_nothing_is_caught", "tools/tidy.allow",
     "length src/tcp/state.c it was long once\n", "tools/tidy.allow:1: allow: "),
    ("an_exception_without_a_reason_is_caught", "tools/tidy.allow", "length src/tcp/state.c\n",
     "tools/tidy.allow:1: allow: "),
]


def plant(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def findings(module, root):
    found = module.check(root, list(module.all_files(root)), True)
    return "".join(f"{path}:{line}: {rule}: {message}\n" for path, line, rule, message in found)


def tidy(*args):
    """tools/tidy as a program."""
    done = subprocess.run([sys.executable, TIDY, *args], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    tap, module = Tap(), load_tool("tidy")
    for name, path, text, want in PLANTED:
        with tempfile.TemporaryDirectory() as root:
            plant(root, {"tools/tidy.allow": "# none\n", path: text})
            said = findings(module, root)
        # One violation is one finding, not a shower of them.
        good = said == "" if want is None else want in said and said.count("\n") == 1
        tap.case(good, name, said)
    with tempfile.TemporaryDirectory() as root:
        plant(root, {"src/tcp/a.c": length(71)})
        tap.case(tidy("--root", root) == (1, findings(module, root)),
                 "the_program_prints_its_findings_and_exits_1", tidy("--root", root)[1])
    with tempfile.TemporaryDirectory() as root:
        plant(root, CLEAN)
        tap.case(tidy("--root", root) == (0, ""), "a_clean_tree_has_no_findings",
                 tidy("--root", root)[1])
        plant(root, {"src/tcp/state.c": length(71),
                     "tools/tidy.allow": "length src/tcp/state.c a table read best in one piece\n"})
        tap.case(tidy("--root", root)[0] == 0, "an_exception_with_a_reason_is_honoured",
                 tidy("--root", root)[1])
    with tempfile.TemporaryDirectory() as root:
        tap.case(tidy("--root", root)[0] == 2, "a_tree_without_files_is_an_error", "")
    status, said = tidy()
    tap.case(status == 0, "this_tree_keeps_its_house_rules", said)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
