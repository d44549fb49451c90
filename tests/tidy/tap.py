# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the tools share: TAP output, and a tool loaded as a module."""

import importlib.machinery
import importlib.util
import os
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def case(self, good, name, said=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            for line in said.splitlines() or ["(no output)"]:
                print(f"#   {line}")

    def end(self):
        """The exit status of the test."""
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def load_tool(name):
    """tools/NAME as a module: many cases are quicker in one process."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(SOURCE, "tools", name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module
