#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server under `tern run` and its clients end their connections in every way there is, at random:
close, close with unread data, reset, half close first, in the middle of sending. Afterwards nothing
may be left: no socket, no record, no descriptor of the broker's.

`make soak` runs it; with a number, for so many seconds.
"""

import glob
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
sys.dont_write_bytecode = True

from live import TERN, case, check, enter_namespace, main, spawn, tern, wait_for  # noqa: E402

enter_namespace()

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
ADDRESS = ("10.77.0.2", 9000)
CLIENTS = 24
RESET = struct.pack("ii", 1, 0)
SERVER = """
import asyncio, random, socket, struct

async def serve(reader, writer):
    way = random.randrange(8)
    try:
        if way == 0:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                       struct.pack("ii", 1, 0))
        if way == 1:
            return
        if way == 2:
            writer.write(bytes(random.randrange(300000)))
        while data := await asyncio.wait_for(reader.read(70000), 2):
            writer.write(data)
            if way == 3 and random.random() < 0.2:
                return
            if way == 4:
                writer.write_eof()
                way = -1
            await asyncio.wait_for(writer.drain(), 2)
    except (OSError, asyncio.TimeoutError, RuntimeError):
        pass
    finally:
        writer.close()

async def main():
    async with await asyncio.start_server(serve, "0.0.0.0", 9000, backlog=256) as server:
        await server.serve_forever()

asyncio.run(main())
"""


def talk(s, way):
    """One connection's life, up to its end."""
    s.settimeout(5)
    s.connect(ADDRESS)
    if way in (0, 4):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if way == 0:
        return
    for _ in range(random.randrange(1, 6)):
        s.sendall(bytes(random.randrange(1, 100000)))
        if way == 1:
            return
        if way == 2:
            s.shutdown(socket.SHUT_WR)
        if way != 3:
            s.recv(100000)
        if way == 2:
            return
    if way == 5:
        s.shutdown(socket.SHUT_WR)
        while s.recv(100000):
            pass


def clients():
    """How many connections there were, and how they ended that were not ended by us."""
    end = time.monotonic() + SECONDS
    counts, errors = [], {}

    def work():
        count = 0
        while time.monotonic() < end:
            with socket.socket() as s:
                try:
                    talk(s, random.randrange(9))
                except OSError as err:
                    errors[str(err)] = errors.get(str(err), 0) + 1
                count += 1
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), errors


def left():
    """What sockets there are, TIME-WAIT apart."""
    sockets = json.loads(tern("ss", "-sj")[1])["sockets"]
    sockets["closed"] -= sockets.pop("timewait")  # it is counted there, too
    return sockets


@case
def whoever_hangs_up_and_however_nothing_is_left():
    server = spawn(TERN, "run", "--", sys.executable, "-c", SERVER, stderr=subprocess.DEVNULL)
    wait_for(lambda: tern("ss", "-Hltn")[1].strip(), "the server")
    before, descriptors = left(), len(glob.glob(f"/proc/{server.pid}/fd/*"))
    count, errors = clients()
    print(f"# {count} connections; {errors}", flush=True)
    check(not any("timed out" in name or "refused" in name for name in errors), errors)
    wait_for(lambda: left() == before, "the end of all connections", 60)
    check(len(glob.glob(f"/proc/{server.pid}/fd/*")) == descriptors, "descriptors are left")
    check(server.poll() is None, "the server has ended")


main()
