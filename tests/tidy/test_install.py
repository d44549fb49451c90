#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `make install` leaves is whole: a program that takes the address of every function of the
public headers builds with pkg-config's flags, shared and static, and the shared library exports
those functions and no others. Prints TAP."""

import glob
import os
import re
import subprocess
import sys
import tempfile

from tap import SOURCE, Tap, load_tool

BUILD = os.environ["TERN_BUILD"]


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, **options)
    return done.returncode, (done.stdout + done.stderr).strip()


def find(root, name):
    found = glob.glob(f"{root}/**/{name}", recursive=True)
    return found[0] if found else ""


def declared():
    """The functions that the public headers declare, header by header."""
    tidy, functions = load_tool("tidy"), {}
    for path in sorted(glob.glob(f"{SOURCE}/include/tern/*.h")):
        source = tidy.Source(SOURCE, os.path.relpath(path, SOURCE))
        names = []
        for thing in tidy.outermost(source):
            if thing and thing[2] is None and tidy.is_function(thing[0]):
                name = tidy.SIGNATURE.search(tidy.ATTRIBUTE.sub("", thing[0])).group(1)
                names += [name] if name.startswith("tern_") else []
        functions[os.path.basename(path)] = names
    return functions


def user(functions):
    """A program that needs every function to be there."""
    text = "".join(f"#include <tern/{header}>\n" for header in functions)
    text += "#include <stddef.h>\ntypedef void (*any)(void);\nany all[] = {\n"
    text += "".join(f"\t(any){name},\n" for names in functions.values() for name in names)
    text += "};\nint main(void)\n{\n\tfor (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)\n"
    return text + "\t\tif (!all[i])\n\t\t\treturn 1;\n\treturn 0;\n}\n"


def main():
    tap, functions = Tap(), declared()
    names = {name for some in functions.values() for name in some}
    with tempfile.TemporaryDirectory() as root:
        status, said = run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet",
                           "--destdir", root)
        tap.case(status == 0, "install_into_a_directory_succeeds", said)
        have = {os.path.basename(p) for p in glob.glob(f"{root}/**/tern/*.h", recursive=True)}
        tap.case(have == set(functions), "every_public_header_is_installed", str(have))

        shared = find(root, "libtern.so")
        env = dict(os.environ, PKG_CONFIG_SYSROOT_DIR=root,
                   PKG_CONFIG_LIBDIR=os.path.dirname(find(root, "tern.pc")))
        status, flags = run("pkg-config", "--cflags", "--libs", "tern", env=env)
        tap.case(status == 0 and "-ltern" in flags, "pkg_config_knows_tern", flags)
        with open(f"{root}/user.c", "w", encoding="utf-8") as f:
            f.write(user(functions))
        status, said = run("gcc", "-Wall", "-Wno-cast-function-type", "-o", f"{root}/user",
                           f"{root}/user.c", *flags.split())
        tap.case(status == 0, "a_program_links_every_public_function", said)
        status, said = run(f"{root}/user", env={"LD_LIBRARY_PATH": os.path.dirname(shared)})
        tap.case(status == 0, "the_program_finds_the_shared_library", said)
        static = [find(root, "libtern.a") if f == "-ltern" else f for f in flags.split()]
        status, said = run("gcc", "-Wno-cast-function-type", "-o", f"{root}/user-static",
                           f"{root}/user.c", *static)
        tap.case(status == 0, "the_static_library_serves_as_well", said)
        said = run("readelf", "-SW", find(root, "libtern.a"))[1]
        tap.case(".text" in said and ".gnu.lto_" not in said,
                 "the_static_library_holds_code_and_nothing_for_one_compiler", said[-500:])

        status, said = run("nm", "-D", "--defined-only", shared)
        exported = set(re.findall(r"^\w+ [TDBRW] (\w+)", said, re.M))
        tap.case(exported == names, "the_shared_library_exports_the_public_functions_and_no_other",
                 f"only exported: {exported - names}, only declared: {names - exported}")
        status, said = run(find(root, "bin/tern"), "help")
        tap.case(status == 0, "the_installed_program_runs_without_the_library", said)
        status, said = run(find(root, "bin/tern"), "run", "--link", "none", "--", "sh", "-c",
                           "echo $LD_PRELOAD", env=dict(os.environ, XDG_RUNTIME_DIR=root))
        tap.case(status == 0 and os.path.realpath(said) == find(root, "tern/libtern-preload.so"),
                 "the_installed_program_finds_its_preload_library", said)
        version = run("pkg-config", "--modversion", "tern", env=env)[1]
        status, said = run(find(root, "bin/tern"), "-V")
        tap.case(said == "tern " + version, "program_and_library_have_one_version", said)
        tap.case(find(root, "man/man1/tern-ss.1") and
                 find(root, "bash-completion/completions/tern"),
                 "manual_pages_and_completion_are_installed")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
