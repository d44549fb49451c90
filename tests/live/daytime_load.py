#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""daytime_load.py HOST PORT COUNT: COUNT connections to a daytime server, all at once.

Each is opened, says nothing, and reads until the server closes; what it read has to be one date.
Says "COUNT dates" and how many stood open at the same time, or what was wrong, and exits 1.
"""

import errno
import re
import resource
import selectors
import socket
import sys
import time

DATE = re.compile(rb"\w+, \w+ \d\d, \d{4} \d\d:\d\d:\d\d-\w+\r\n")
PATIENCE = 60  # seconds without any progress
OPENING_MAX = 256  # so many handshakes at once: no more than a listener's backlog is sure to hold


class Load:
    def __init__(self, host, port, count):
        self.family, _, _, _, self.address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM)[0]
        self.to_open, self.opening, self.most = count, 0, 0
        self.dates, self.wrong = 0, []
        self.selector = selectors.DefaultSelector()

    def open(self):
        s = socket.socket(self.family)
        s.setblocking(False)
        err = s.connect_ex(self.address)
        if err not in (0, errno.EINPROGRESS):
            raise OSError(err, "connect")
        self.selector.register(s, selectors.EVENT_WRITE, bytearray())
        self.to_open -= 1
        self.opening += 1

    def close(self, s, text, why=None):
        self.selector.unregister(s)
        s.close()
        if why is None and DATE.fullmatch(text):
            self.dates += 1
        else:
            self.wrong.append(why or bytes(text))

    def ready(self, key):
        s, text = key.fileobj, key.data
        try:
            if key.events == selectors.EVENT_WRITE:
                self.opening -= 1
                err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if err:
                    raise OSError(err, "connect")
                self.selector.modify(s, selectors.EVENT_READ, text)
                return
            part = s.recv(4096)
            text += part
            if not part:
                self.close(s, text)
        except OSError as error:
            self.close(s, text, error)

    def run(self):
        last = time.monotonic()
        while self.to_open or self.selector.get_map():
            while self.to_open and self.opening < OPENING_MAX:
                self.open()
            self.most = max(self.most, len(self.selector.get_map()) - self.opening)
            events = self.selector.select(1)
            for key, _ in events:
                self.ready(key)
            if events:
                last = time.monotonic()
            elif time.monotonic() - last > PATIENCE:
                self.wrong.append(f"{len(self.selector.get_map())} connections hang")
                return


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = Load(host, port, count)
    load.run()
    print(f"{load.dates} dates, {load.most} connections at once")
    if load.wrong or load.dates != count:
        print(f"{len(load.wrong)} wrong, the first: {load.wrong[:1]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
