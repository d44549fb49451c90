#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# two_stacks.sh PROGRAM: it says what it is there to say.
said=$("$1") || exit 1
[ "$said" = 'the server says: hello, stack' ] || { echo "said: $said"; exit 1; }
