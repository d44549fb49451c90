#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Programs that exist, unmodified under tern run, with the kernel's TCP as the other side."""

import ast
import atexit
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from live import (PATIENCE, case, check, connect, descendants, devices, end, enter_namespace,
                  forget, main, read_all, run, sockets, spawn, tern, wait_for)
from posix_run import OWN, PEER, kernel_server, on_tern, port_is_open, run_on_tern, server

enter_namespace()

TOP = tempfile.mkdtemp(prefix="tern-programs-")
os.chmod(TOP, 0o755)
BODY = os.urandom(20 << 20)
DIGEST = hashlib.sha256(BODY).hexdigest()
with open(os.path.join(TOP, "body"), "wb") as file:
    file.write(BODY)
with open(os.path.join(TOP, "index.html"), "w", encoding="ascii") as file:
    file.write("small\n")
PRIVSEP = "/run/sshd"  # Debian's sshd wants it, and its service makes it
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def digest_of(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def fetch(url, *options):
    """A URL by the kernel's curl, into a file; its sum."""
    path = os.path.join(TOP, "fetched")
    status, _, err = run("curl", "-sS", "--max-time", "20", "-o", path, *options, url)
    check(status == 0, f"curl {url}: {err}")
    return digest_of(path)


def users(*words):
    status, out, err = tern("ss", "-N", "tern0", "-Htanp", *words)
    check(status == 0, err)
    return out


@case
def python3_http_server_serves_files():
    server(8000, sys.executable, "-m", "http.server", "8000", "-d", TOP, **QUIET)
    check(fetch(f"http://{OWN}:8000/body") == DIGEST, "sums differ")
    check(re.search(r'users:\(\("python\S*",pid=\d+,fd=\d+\)\)', users("-l")), users("-l"))
    for _ in range(20):
        fetch(f"http://{OWN}:8000/")


NGINX = """\
daemon off; worker_processes 2; pid {top}/nginx.pid; error_log {top}/error.log {level};
user {user}; events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; client_body_temp_path {top}/b; proxy_temp_path {top}/p;
fastcgi_temp_path {top}/f; uwsgi_temp_path {top}/u; scgi_temp_path {top}/s;
server {{ listen 8080; listen [::]:8080 ipv6only=on; root {top}; location /proxy/ {{
proxy_pass http://127.0.0.1:8081/; }} location /own/ {{ proxy_pass http://{own}:8081/; }}
location /far/ {{ proxy_pass http://{peer}:8082/; }} }}
server {{ listen 8081; root {top}; }} }}
"""


def nginx(**more):
    with open(os.path.join(TOP, "error.log"), "wb"):
        pass
    config = os.path.join(TOP, "nginx.conf")
    with open(config, "w", encoding="ascii") as f:
        f.write(NGINX.format(top=TOP, own=OWN, peer=PEER, user="nobody nogroup", level="notice"))
    return server(8080, "nginx", "-c", config, **more)


def errors_of_nginx():
    with open(os.path.join(TOP, "error.log"), encoding="utf-8") as f:
        return [line for line in f if re.search(r"\[(error|alert|crit|emerg)\]", line)]


@case
def nginx_with_two_workers_serves_files_over_both_families():
    process = nginx()
    for host in (OWN, "[fd77::2]"):
        check(fetch(f"http://{host}:8080/body") == DIGEST, "sums differ")
    for _ in range(100):
        fetch(f"http://{OWN}:8080/")
    fetch(f"http://{OWN}:8080/?[1-200]")
    holders = users("-l", "sport = :8080")
    check(holders.count('("nginx"') >= 6, "master and two workers hold it:", holders)
    master = descendants(process.pid)[0]
    os.kill(master, signal.SIGHUP)
    wait_for(lambda: not errors_of_nginx() and fetch(f"http://{OWN}:8080/body") == DIGEST, "again")
    os.kill(master, signal.SIGQUIT)
    check(process.wait(PATIENCE) == 0, "status", process.returncode)
    check(devices() == [], devices())
    check(not errors_of_nginx(), errors_of_nginx())


@case
def nginx_passes_to_127_0_0_1_to_its_own_address_and_to_the_kernel():
    nginx()
    kernel_server(8082, sys.executable, "-m", "http.server", "8082", "-d", TOP, **QUIET)
    for way in ("proxy", "own", "far"):
        check(fetch(f"http://{OWN}:8080/{way}/body") == DIGEST, way, "sums differ")
        for _ in range(20):
            fetch(f"http://{OWN}:8080/{way}/")
    check(not errors_of_nginx(), errors_of_nginx())


@case
def redis_server_stands_its_benchmark():
    server(6379, "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no",
           "--dir", TOP, **QUIET)
    for more in (("-c", "50", "-n", "20000"), ("-c", "20", "-n", "50000", "-P", "16"),
                 ("-c", "10", "-n", "1000", "-k", "0")):
        status, out, err = run("redis-benchmark", "-h", OWN, "-q", "-t", "set,get", *more,
                               timeout=60)
        check(status == 0 and "SET:" in out and "GET:" in out and "rror" not in out + err, out, err)
    status, out, _ = run("redis-cli", "-h", OWN, "set", "name", "x" * 100)
    check((status, out) == (0, "OK\n"), status, out)


@case
def redis_cli_and_its_benchmark_are_clients():
    kernel_server(6379, "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no",
                  "--dir", TOP, **QUIET)
    status, out, err = run_on_tern("redis-cli", "-h", PEER, "incr", "count")
    check((status, out) == (0, "1\n"), status, out, err)
    status, out, err = run_on_tern("redis-benchmark", "-h", PEER, "-q", "-t", "set,get", "-n",
                                   "10000", "-c", "30")
    check(status == 0 and "GET:" in out and "rror" not in out + err, out, err)


def gigabits(out):
    end_of_it = json.loads(out)["end"]
    check("sum_received" in end_of_it, out[-3000:])
    return end_of_it["sum_received"]["bits_per_second"] / 1e9


@case
def iperf3_serves_both_directions():
    server(5201, "iperf3", "-s", **QUIET)
    for way in ((), ("-R",), ("-P", "4"), ("-u", "-b", "50M")):
        wait_for(lambda: port_is_open(5201), "it listens again after each test")
        status, out, err = run("iperf3", "-c", OWN, "-t", "1", "-J", *way, timeout=30)
        check(status == 0, way, out[-2000:], err)
        if "-u" not in way:
            check(gigabits(out) > 0.01, way, gigabits(out), "Gbit/s")


@case
def iperf3_asks_both_directions():
    kernel_server(5201, "iperf3", "-s", **QUIET)
    for way in ((), ("-R",), ("-u", "-b", "50M")):
        status, out, err = run_on_tern("iperf3", "-c", PEER, "-t", "1", "-J", *way)
        check(status == 0, way, out[-2000:], err)
        if "-u" not in way:
            check(gigabits(out) > 0.01, way, gigabits(out), "Gbit/s")


@case
def curl_and_wget_fetch():
    kernel_server(8082, sys.executable, "-m", "http.server", "8082", "-d", TOP, **QUIET)
    path = os.path.join(TOP, "fetched")
    url = f"http://{PEER}:8082/body"
    for command in (("curl", "-sS", "-o", path, url), ("wget", "-q", "-O", path, url)):
        status, out, err = run_on_tern(*command)
        check((status, out) == (0, ""), command[0], status, out, err)
        check(digest_of(path) == DIGEST, command[0], "sums differ")
        os.unlink(path)
    for command, expected in ((("curl", "-sS", f"http://{PEER}:9/"), 7),
                              (("wget", "-q", "-t1", f"http://{PEER}:9/"), 4)):
        check(run_on_tern(*command)[0] == expected, command[0], "is refused")


PYTHON_CLIENT = """
import hashlib, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
    s.sendall(b"GET /body HTTP/1.0\\r\\n\\r\\n")
    data = b""
    while part := s.recv(65536):
        data += part
print(hashlib.sha256(data.split(b"\\r\\n\\r\\n", 1)[1]).hexdigest())
"""


@case
def a_plain_python_client_fetches():
    kernel_server(8082, sys.executable, "-m", "http.server", "8082", "-d", TOP, **QUIET)
    status, out, err = run_on_tern(sys.executable, "-c", PYTHON_CLIENT, PEER, "8082")
    check((status, out) == (0, DIGEST + "\n"), status, out, err)


def keys():
    """Keys and configuration for a server of our own: the directory."""
    directory = tempfile.mkdtemp(prefix="ssh-", dir=TOP)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(directory, name))
    shutil.copy(directory + "/user.pub", directory + "/authorized")
    if not os.path.exists(PRIVSEP):
        os.mkdir(PRIVSEP)
        atexit.register(os.rmdir, PRIVSEP)
    with open(directory + "/config", "w", encoding="ascii") as f:
        f.write(f"HostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized\n"
                "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPort 2222\n"
                "AllowTcpForwarding yes\nSubsystem sftp internal-sftp\n")
    return directory


def ssh_words(directory, host, *more):
    return ("ssh", "-F", "none", "-p", "2222", "-i", directory + "/user", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={directory}/known",
            "-o", "LogLevel=ERROR", "root@" + host, *more)


@case
def sshd_lets_in_and_carries_files():
    directory = keys()
    with open(directory + "/log", "wb") as log:
        server(2222, "/usr/sbin/sshd", "-D", "-e", "-f", directory + "/config", stdout=log,
               stderr=log)
    status, out, err = run(*ssh_words(directory, OWN, "echo", "hello"))
    with open(directory + "/log", encoding="utf-8", errors="replace") as f:
        check((status, out) == (0, "hello\n"), status, out, err, f.read())
    status, out, err = run(*ssh_words(directory, OWN, "sha256sum"), stdin=BODY)
    check((status, out.split()[:1]) == (0, [DIGEST]), status, out, err)
    status, out, err = run(*ssh_words(directory, OWN, "cat", TOP + "/index.html"))
    check((status, out) == (0, "small\n"), status, out, err)


@case
def ssh_gets_in_elsewhere():
    directory = keys()
    kernel_server(2222, "/usr/sbin/sshd", "-D", "-e", "-f", directory + "/config", **QUIET)
    status, out, err = run_on_tern(*ssh_words(directory, PEER, "sha256sum"), input=BODY)
    check((status, out.split()[:1]) == (0, [DIGEST]), status, out, err)


def talk(host, port, data=b"to and fro"):
    with connect(host, port) as s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
        sender.start()
        got = read_all(s)
        sender.join()
    return got


@case
def socat_and_ncat_serve():
    for command in (("socat", "TCP-LISTEN:7007,fork,reuseaddr", "EXEC:cat"),
                    ("ncat", "-4", "-l", "-k", "7007", "-e", "/bin/cat")):
        process = server(7007, *command)
        for _ in range(5):
            with connect(OWN, 7007) as s:
                s.sendall(b"to and fro")
                check(s.recv(100) == b"to and fro", command[0])
        if command[0] == "socat":  # ncat ends without its output when a client's half is closed
            check(talk(OWN, 7007, BODY[:3 << 20]) == BODY[:3 << 20], command[0], "differs")
        end(process, signal.SIGTERM)


@case
def socat_and_ncat_ask():
    kernel_server(7007, "socat", "TCP-LISTEN:7007,fork,reuseaddr", "EXEC:cat")
    for command in (("socat", "-", f"TCP:{PEER}:7007"), ("ncat", PEER, "7007")):
        status, out, err = run_on_tern(*command, input=b"to and fro\n")
        check((status, out) == (0, "to and fro\n"), command, status, out, err)


@case
def socat_speaks_udp_as_server_and_client():
    on_tern("socat", "UDP-LISTEN:7008,fork", "EXEC:cat")

    def echoed():
        try:
            with connect(OWN, 7008, socket.SOCK_DGRAM, 0.3) as s:
                s.send(b"datagram")
                return s.recv(100) == b"datagram"
        except OSError:
            return False
    wait_for(echoed, "an echo")
    forget()  # its children hold the socket, and so the stack
    spawn("socat", "UDP-RECVFROM:7009,fork", "EXEC:cat")
    status, out, err = run_on_tern("socat", "-t", "2", "-", f"UDP:{PEER}:7009", input=b"question")
    check((status, out) == (0, "question"), status, out, err)


READER = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
count = 0
try:
    while part := s.recv(1000):
        count += len(part)
        print("read", flush=True)
    print("end", flush=True)
except ConnectionResetError:
    print("reset", flush=True)
"""


def far_server():
    """A listener of the kernel, and its port."""
    s = socket.socket()
    s.bind(("", 0))
    s.listen()
    s.settimeout(PATIENCE)
    return s, s.getsockname()[1]


@case
def a_pure_reader_whose_broker_is_killed_in_mid_body_reads_a_reset():
    far, port = far_server()
    process = on_tern(sys.executable, "-c", READER, PEER, port, stdout=subprocess.PIPE)
    client, _ = far.accept()
    client.sendall(b"half of it")
    check(process.stdout.readline() == b"read\n", "nothing was read")
    programs = descendants(process.pid)
    process.kill()
    check(process.stdout.readline() == b"reset\n", "not a reset")
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in programs), "they end")
    client.close()


WAITERS = """
import errno, select, socket, sys, threading
peer, port = sys.argv[1], int(sys.argv[2])
got = {}
def accept():
    s = socket.create_server(("", 4001)); ready(); s.accept()
def connect():
    s = socket.socket(); ready(); s.connect(("10.98.0.9", 7))
def recv():
    s = socket.create_connection((peer, port)); ready(); return s.recv(1)
def send():
    s = socket.create_connection((peer, port)); ready()
    while True: s.send(bytes(65536))
def poll():
    s = socket.create_connection((peer, port)); p = select.poll(); p.register(s, select.POLLIN)
    ready(); p.poll(); return s.recv(1)
def epoll():
    s = socket.create_server(("", 4002)); e = select.epoll(); e.register(s, select.EPOLLIN)
    ready(); e.poll(); s.accept()
def datagram():
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 4003)); ready(); s.recv(1)
def ready():
    sys.stdout.write("ready\\n")  # in one go: threads do not tear it
    sys.stdout.flush()
def run(what):
    try:
        got[what.__name__] = repr(what())
    except OSError as error:
        got[what.__name__] = errno.errorcode[error.errno]
threads = [threading.Thread(target=run, args=(what,))
           for what in (accept, connect, recv, send, poll, epoll, datagram)]
for thread in threads: thread.start()
for thread in threads: thread.join()
try:
    socket.socket()
except OSError as error:
    got["socket"] = errno.errorcode[error.errno]
print(sorted(got.items()), flush=True)
"""


@case
def no_call_hangs_when_the_broker_is_killed():
    far, port = far_server()
    process = on_tern(sys.executable, "-c", WAITERS, PEER, port, stdout=subprocess.PIPE)
    for _ in range(7):
        check(process.stdout.readline() == b"ready\n", "not all of them wait")
    time.sleep(0.3)
    process.kill()
    got = dict(ast.literal_eval(process.stdout.readline().decode()))
    for call in ("recv", "poll", "datagram"):
        check(got[call] == "ECONNRESET", got)
    check(got["send"] in ("ECONNRESET", "EPIPE"), got)
    check(not [call for call, end in got.items() if end in ("b''", "None")], got)
    far.close()


@case
def a_pure_reader_that_meets_a_reset_in_mid_body_reads_it():
    far, port = far_server()
    process = on_tern(sys.executable, "-c", READER, PEER, port, stdout=subprocess.PIPE)
    client, _ = far.accept()
    client.sendall(b"half of it")
    check(process.stdout.readline() == b"read\n", "nothing was read")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    check(process.stdout.readline() == b"reset\n", "not a reset")


@case
def holders_are_shown_after_fork_and_dup():
    code = ("import os, socket, time; s = socket.socket(); s.bind(('', 4000)); s.listen(); "
            "os.dup2(s.fileno(), 77); os.fork(); time.sleep(100)")
    server(4000, sys.executable, "-c", code)
    wait_for(lambda: users("-l").count("pid=") == 4, "two processes with two descriptors each")
    check(users("-l").count("fd=77)") == 2, users("-l"))


@case
def closed_sockets_of_a_killed_program_are_gone():
    code = ("import socket, time; s = socket.socket(); s.bind(('', 4000)); s.listen(50); "
            "c = [s.accept()[0] for _ in range(20)]; time.sleep(100)")
    process = server(4000, "sh", "-c", f'{sys.executable} -c "{code}" & wait; sleep 100')
    clients = [connect(OWN, 4000) for _ in range(20)]
    wait_for(lambda: len(sockets("state", "established")) == 20, "all accepted")
    program = [pid for pid in descendants(process.pid)
               if "python" in os.readlink(f"/proc/{pid}/exe")]
    os.kill(program[0], signal.SIGKILL)
    for client in clients:
        check(read_all(client) == b"", "no end")
        client.close()
    wait_for(lambda: not sockets("state", "connected", "exclude", "time-wait"), "they are gone")
    check(not port_is_open(4000), "it listens still")


try:
    main()
finally:
    shutil.rmtree(TOP, ignore_errors=True)
