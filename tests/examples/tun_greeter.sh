#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tun_greeter.sh PROGRAM: a kernel client is greeted, heard and let go, in a namespace of its own.
set -u

skip() {
	echo "SKIP: $1"
	exit 77
}

if [ -z "${GREETER_INSIDE:-}" ]; then
	[ "$(id -u)" -eq 0 ] || skip "needs root, for a network namespace"
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	unshare --net --pid --fork true 2>/dev/null ||
		skip "may not make a network namespace (CAP_SYS_ADMIN)"
	GREETER_INSIDE=yes exec unshare --net --pid --fork --kill-child "$0" "$1"
fi

fail() {
	echo "$*"
	exit 1
}

pipe=$(mktemp -u)
mkfifo "$pipe" || exit 1
trap 'rm -f "$pipe"' EXIT
"$1" >"$pipe" &
server=$!
exec 3<"$pipe"
read -r line <&3
[ "$line" = 'waiting for a client on tern0' ] || fail "it says: $line"
said=$(echo 'thank you' | timeout 10 ncat 10.77.0.2 8080)
[ "$said" = 'tern at your service
thank you' ] || fail "the client heard: $said"
read -r line <&3
[ "$line" = 'a client from 10.77.0.1' ] || fail "it says: $line"
wait $server || fail "status $?"
[ -z "$(ip -o link show type tun)" ] || fail "the device is left"
