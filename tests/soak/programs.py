#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Unmodified programs under `tern run` for long: a gibibyte through nginx and socat, also over a
bad wire; 50,000 requests; 200,000 short connections, after which nothing may be left.

`make soak` runs it; with a number, transfers are that many MiB. Sums are SHA-256.
"""

import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "live"))
sys.dont_write_bytecode = True

import live  # noqa: E402
from live import (TERN, case, check, enter_namespace, run, skip, spawn, tern,  # noqa: E402
                  wait_for)

for needed in ("nginx", "curl", "socat", "ab"):
    if not shutil.which(needed):
        skip(f"needs {needed}")
enter_namespace()
live.PATIENCE = 1800

MIB = 1 << 20
SIZE = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
HOST = "10.77.0.2"
CONFIG = """\
daemon off; worker_processes 2; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
server {{ listen 8080 backlog=1024; root {dir}; }} }}
"""


def listens(port):
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class Nginx:
    """nginx, master and two workers, under tern run."""

    def __init__(self, *more):
        self.dir = tempfile.mkdtemp(prefix="tern-soak-")
        os.chmod(self.dir, 0o755)
        with open(f"{self.dir}/nginx.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(dir=self.dir))
        self.words = [TERN, "run", *more, "--", "nginx", "-p", self.dir, "-c",
                      f"{self.dir}/nginx.conf"]

    def __enter__(self):
        self.process = spawn(*self.words)
        wait_for(lambda: listens(8080), "nginx")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.dir)

    def file(self, name, mib):
        return make_file(f"{self.dir}/{name}", mib)


def make_file(path, mib):
    """A file of so many MiB; its sum."""
    block, digest = hashlib.shake_256(b"tern").digest(MIB), hashlib.sha256()
    with open(path, "wb") as f:
        for i in range(mib):
            part = i.to_bytes(8, "big") + block[8:]
            digest.update(part)
            f.write(part)
    return digest.hexdigest()


def sum_of(stream):
    digest = hashlib.sha256()
    while True:
        part = stream.read(MIB)
        if not part:
            return digest.hexdigest()
        digest.update(part)


def report(name, mib, begun):
    seconds = time.monotonic() - begun
    print(f"# {name}: {mib} MiB in {seconds:.1f} s, {mib * 8.388608 / seconds:.0f} Mbit/s",
          flush=True)


def download(name, *more):
    with Nginx(*more) as nginx:
        want, begun = nginx.file("big", SIZE), time.monotonic()
        curl = spawn("curl", "-sS", f"http://{HOST}:8080/big", stdout=subprocess.PIPE)
        check(sum_of(curl.stdout) == want, name, "sums differ")
        check(curl.wait(60) == 0, "curl's status")
        report(name, SIZE, begun)


def upload(name, *more):
    with tempfile.TemporaryDirectory(prefix="tern-soak-") as path:
        want = make_file(f"{path}/big", SIZE)
        server = spawn(TERN, "run", *more, "--", "socat", "-u", "TCP-LISTEN:9000,reuseaddr",
                       f"CREATE:{path}/got")
        wait_for(lambda: tern("ss", "-Hltn")[1].strip(), "socat")
        begun = time.monotonic()
        status, _, err = run("socat", "-u", f"OPEN:{path}/big", f"TCP:{HOST}:9000",
                             timeout=live.PATIENCE)
        check(status == 0, err)
        check(server.wait(120) == 0, "the server's status")
        with open(f"{path}/got", "rb") as f:
            check(sum_of(f) == want, name, "sums differ")
        report(name, SIZE, begun)


def held():
    """All that the stack holds: sockets, records and memory."""
    said = json.loads(tern("ss", "-sj")[1])
    stack = said["stack"]
    return said["sockets"], stack["tcp"], stack["udp"], stack["memory"]["bytes"]


def waits():
    return json.loads(tern("ss", "-sj")[1])["sockets"]["timewait"]


def descriptors(pid):
    return len(glob.glob(f"/proc/{pid}/fd/*"))


def requests(count, *more):
    status, out, err = run("ab", "-q", "-c", "100", "-n", str(count), *more,
                           f"http://{HOST}:8080/page", timeout=600)
    check(status == 0, err)
    check("Failed requests:        0\n" in out, out)
    check(f"Complete requests:      {count}\n" in out, out)


@case
def a_gibibyte_out_of_nginx():
    download("nginx")


@case
def a_gibibyte_into_socat():
    upload("socat")


@case
def a_gibibyte_out_of_nginx_over_one_percent_loss():
    download("nginx, loss", "--fault", "loss=1%,seed=7")


@case
def a_gibibyte_into_socat_over_one_percent_loss():
    upload("socat, loss", "--fault", "loss=1%,seed=7")


@case
def fifty_thousand_requests_and_none_fails():
    with Nginx() as nginx:
        nginx.file("page", 0)
        requests(50000)
        requests(50000, "-k")


@case
def two_hundred_thousand_short_connections_leave_nothing():
    with Nginx() as nginx:
        nginx.file("page", 0)
        requests(1000)
        wait_for(lambda: waits() == 0, "the end of TIME-WAIT", 120)
        before = held(), descriptors(nginx.process.pid)
        begun = time.monotonic()
        requests(200000)
        print(f"# {200000 / (time.monotonic() - begun):.0f} connections a second", flush=True)
        wait_for(lambda: waits() == 0, "the end of TIME-WAIT", 120)
        after = held(), descriptors(nginx.process.pid)
        check(after == before, "before:", before, "after:", after)


live.main()
