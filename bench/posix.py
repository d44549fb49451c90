# SPDX-License-Identifier: BSD-2-Clause
"""bench/run posix: unmodified programs under `tern run`, each beside its twin on the kernel.

All of it happens in a network namespace of its own. Under tern a server listens on 10.77.0.2, and
its client is a program of the kernel on the other end of the TUN device. The twin is the same
server in a second namespace behind a veth pair, with the same client. The two take turns.
"""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
SECONDS = 3          # of an iperf3
REQUESTS = 20000     # of an ab
PATIENCE = 30
TERN_ADDR = "10.77.0.2"
KERNEL_ADDR = "10.78.0.2"
HELD = 4000          # idle connections whose memory is counted
C10K = 10000

NGINX = """\
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 16000;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {dir};
proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
server {{ listen 8080 backlog=4096; root {dir}; }} }}
"""


class Failed(Exception):
    pass


def read_line(path, pattern):
    with open(path, encoding="ascii") as f:
        return int(re.search(pattern, f.read(), re.M).group(1))


class Place:
    """Where a server runs: under tern, or on the kernel in the second namespace."""

    def __init__(self, name, addr, device, prefix):
        self.name, self.addr, self.device, self.prefix = name, addr, device, prefix

    @contextlib.contextmanager
    def server(self, *words, port):
        process = subprocess.Popen([*self.prefix, *words], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self.wait(process, port)
            use_cubic(self.addr, self.device)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()

    def wait(self, process, port):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if process.poll() is not None:
                raise Failed(f"{self.name}: {process.stderr.read().decode().strip()}")
            with contextlib.suppress(OSError):
                socket.create_connection((self.addr, port), timeout=1).close()
                return
            time.sleep(0.05)
        raise Failed(f"{self.name}: nobody listens on port {port}")


def client(*words, timeout=120):
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def use_cubic(addr, device, *enter):
    """Whoever sends to the network of addr has cubic for it, whatever the kernel's default is."""
    net = addr.rsplit(".", 1)[0] + ".0/24"
    client(*enter, "ip", "route", "replace", net, "dev", device, "congctl", "cubic")


@contextlib.contextmanager
def second_namespace():
    """A namespace behind a veth pair; gives the words that run a command in it."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    enter = ["nsenter", "--net", "--target", str(holder.pid), "--"]
    try:
        end = time.monotonic() + PATIENCE
        while os.readlink(f"/proc/{holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            if time.monotonic() > end:
                raise Failed("no second namespace")
            time.sleep(0.01)
        for words in (["ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1",
                       "netns", str(holder.pid)],
                      ["ip", "addr", "add", "10.78.0.1/24", "dev", "bench0"],
                      ["ip", "link", "set", "bench0", "up"],
                      [*enter, "ip", "addr", "add", KERNEL_ADDR + "/24", "dev", "bench1"],
                      [*enter, "ip", "link", "set", "bench1", "up"],
                      [*enter, "ip", "link", "set", "lo", "up"],
                      [*enter, "sysctl", "-qw", "net.core.somaxconn=4096"]):
            client(*words)
        use_cubic(KERNEL_ADDR, "bench1", *enter)
        yield enter
    finally:
        holder.kill()
        holder.wait()


def iperf3(place):
    found = {}
    for way, words in (("in", []), ("out", ["-R"])):
        with place.server("iperf3", "-s", port=5201):
            time.sleep(0.2)  # after each connection, that of wait() too, it listens anew
            said = json.loads(client("iperf3", "-c", place.addr, "-J", "-t", str(SECONDS), *words))
            found[f"iperf3_{way}_gbps"] = (
                said["end"]["sum_received"]["bits_per_second"] / 1e9, "Gbit/s")
    found["iperf3_gbps"] = min(found.values())
    return found


def requests(place, *words):
    said = client("ab", "-q", "-c", "100", "-n", str(REQUESTS), *words,
                  f"http://{place.addr}:8080/page")
    if not re.search(r"^Failed requests:\s+0$", said, re.M):
        raise Failed(f"{place.name}: failed requests\n{said}")
    return float(re.search(r"^Requests per second:\s+([0-9.]+)", said, re.M).group(1))


def nginx(place):
    with tempfile.TemporaryDirectory(prefix="tern-bench-") as path:
        os.chmod(path, 0o755)
        with open(f"{path}/nginx.conf", "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=path))
        with open(f"{path}/page", "w", encoding="ascii") as f:
            f.write("x" * 600)
        with place.server("nginx", "-p", path, "-c", f"{path}/nginx.conf", port=8080):
            return {"nginx_close_rps": (requests(place), "requests/s"),
                    "nginx_keepalive_rps": (requests(place, "-k"), "requests/s")}


def redis(place):
    with place.server("redis-server", "--port", "6379", "--bind", "0.0.0.0", "--save", "",
                      "--protected-mode", "no", port=6379):
        said = client("redis-benchmark", "-h", place.addr, "-c", "50", "-n", "100000", "-t", "get",
                      "--csv")
        rate = re.search(r'^"GET","([0-9.]+)"', said, re.M).group(1)
    return {"redis_rps": (float(rate), "requests/s")}


def kernel_memory():
    """Bytes that the kernel holds for sockets, files and their like."""
    return 1024 * (read_line("/proc/meminfo", r"^Slab:\s+(\d+)") +
                   read_line("/proc/meminfo", r"^PageTables:\s+(\d+)"))


def process_memory(pid):
    return 1024 * read_line(f"/proc/{pid}/smaps_rollup", r"^Pss:\s+(\d+)")


def hold(place, count, words, port):
    """Memory that `count` idle connections take: kernel, and the process that serves them."""
    with place.server(*words, port=port) as process:
        time.sleep(0.5)
        before = kernel_memory() + process_memory(process.pid)
        held = [socket.create_connection((place.addr, port), timeout=PATIENCE)
                for _ in range(count)]
        time.sleep(1)
        taken = kernel_memory() + process_memory(process.pid) - before
        for s in held:
            s.close()
        return taken / count


class Bench:
    def __init__(self, build, emit, say, check):
        self.build = build
        self.tern = os.path.join(build, "tern")
        self.events = os.path.join(build, "examples", "daytime_events")
        self.emit, self.say, self.check = emit, say, check

    def take_turns(self, places, what):
        """Medians of what(place) for both places: {name: (tern, kernel, unit, ratio)}."""
        runs = {}
        for i in range(ROUNDS):
            self.say(f"{what.__name__}, round {i + 1} of {ROUNDS}")
            for place in places:
                for name, (value, unit) in what(place).items():
                    runs.setdefault((name, unit), {}).setdefault(place.name, []).append(value)
            if what is iperf3:
                for way in ("in", "out"):
                    runs[f"iperf3_{way}_gbps", "Gbit/s"].setdefault("bare", []).append(
                        self.bare(way))
        for (name, unit), values in runs.items():
            tern, kernel = values["posix"], values["kernel"]
            digits = 2 if unit == "Gbit/s" else 0
            self.emit(f"posix_{name}", f"{statistics.median(tern):.{digits}f}", unit)
            self.emit(f"kernel_{name}", f"{statistics.median(kernel):.{digits}f}", unit)
            ratio = statistics.median(a / b for a, b in zip(tern, kernel))
            if "bare" in values:
                bare = statistics.median(a / b for a, b in zip(tern, values["bare"]))
                self.check(f"{name}: {bare:.2f} of the bare device, at least 0.5", bare >= 0.5)
            if name == "nginx_keepalive_rps":
                self.check(f"nginx, keep-alive: {ratio:.2f} of the kernel, at least 0.5",
                           ratio >= 0.5)
            else:
                self.say(f"       {name}: {ratio:.2f} of the kernel")

    def bare(self, way):
        """What a responder without a stack reaches on a TUN device."""
        program = os.path.join(self.build, "bench", "bench_bulk_tun")
        said = client(program, "bare", way, str(1000 * SECONDS))
        return float(re.search(r" ([0-9.]+) Gbit/s", said).group(1))

    def memory(self, places):
        """What a held connection takes. The client's socket is the kernel's in both runs."""
        self.say(f"memory of {HELD} idle connections")
        posix, kernel = (hold(place, HELD, [self.events, "-w", "600000", "-p", "1313"], 1313)
                         for place in places)
        self.emit("posix_mem_per_conn", f"{posix - kernel / 2:.0f}", "bytes")
        self.emit("kernel_mem_per_conn", f"{kernel / 2:.0f}", "bytes")
        self.say(f"memory of {C10K} connections held by examples/daytime_events")
        taken = hold(places[0], C10K, [self.events, "-w", "600000", "-p", "1313"], 1313)
        self.emit("c10k_bytes_per_connection", f"{taken - kernel / 2:.0f}", "bytes")

    def run(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        client("ip", "link", "set", "lo", "up")
        client("sysctl", "-qw", "net.core.somaxconn=4096",
               "net.ipv4.ip_local_port_range=1024 65535",
               "net.ipv4.tcp_tw_reuse=1")
        with second_namespace() as enter:
            places = (Place("posix", TERN_ADDR, "tern0", [self.tern, "run", "--sysctl",
                                                          "net.core.somaxconn=4096", "--drain",
                                                          "0s", "--"]),
                      Place("kernel", KERNEL_ADDR, "bench0", enter))
            for what in (iperf3, nginx, redis):
                self.take_turns(places, what)
            self.memory(places)


def main(argv):
    """In the namespace: figures on stdout, the rest on stderr."""
    def emit(name, value, unit):
        print(f"{name} {value} {unit}", flush=True)

    def say(text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def check(what, good):
        say(f"{'ok    ' if good else 'MISSED'} {what}")

    try:
        Bench(argv[1], emit, say, check).run()
    except (Failed, OSError, subprocess.SubprocessError) as err:
        say(f"posix: {err}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
