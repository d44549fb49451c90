#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Probes of the loopback, of a program's talk with itself, and of its view of interfaces. How they
are run: probe.py."""

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import threading
import time

from probe import (ON_TERN, OWN, OWN6, PEER, check, child, error_of, fails, libc, listener, main,
                   peer, probe, reap, same, wait_until)

SIOCGIFCONF, SIOCGIFADDR, SIOCGIFFLAGS, SIOCGIFNETMASK = 0x8912, 0x8915, 0x8913, 0x891b
SIOCGIFMTU = 0x8921
IFF_UP = 1


def exchange(one, two):
    one.sendall(b"there")
    same(two.recv(100), b"there")
    two.sendall(b"and back")
    same(one.recv(100), b"and back")


@probe
def a_wildcard_listener_is_found_on_the_loopback():
    s, address = listener("0.0.0.0")
    with socket.create_connection(("127.0.0.1", address[1])) as client:
        own, source = s.accept()
        same(source, client.getsockname())
        same((own.getsockname()[0], own.getpeername()[0]), ("127.0.0.1", "127.0.0.1"))
        exchange(own, client)
    same(own.recv(1), b"")


@probe
def it_is_found_at_the_own_address_too():
    s, address = listener("0.0.0.0")
    with socket.create_connection((OWN, address[1])) as client:
        own, source = s.accept()
        same(source, client.getsockname())
        same(own.getsockname()[0], OWN)
        exchange(own, client)
    far = peer.connect((OWN, address[1]))
    own, _ = s.accept()
    own.sendall(b"x")
    same(far.recv(1), b"x")


@probe
def both_families_and_mapped_addresses_are_served():
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", 0))
    s.listen()
    port = s.getsockname()[1]
    for host, seen in (("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1"), (OWN6, OWN6),
                       (OWN, "::ffff:" + OWN)):
        with socket.create_connection((host, port)) as client:
            own, source = s.accept()
            same(own.family, socket.AF_INET6)
            same((source[0], own.getsockname()[0]), (seen, seen))
            exchange(own, client)


@probe
def v6only_is_not_found_at_127_0_0_1():
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("::", 0))
    s.listen()
    port = s.getsockname()[1]
    socket.create_connection(("::1", port)).close()
    s.accept()
    fails(errno.ECONNREFUSED, socket.create_connection, ("127.0.0.1", port))


@probe
def a_listener_of_the_loopback_alone_is_not_seen_outside():
    s, address = listener("127.0.0.1")
    same(s.getsockname(), address)
    with socket.create_connection(address) as client:
        own, _ = s.accept()
        exchange(own, client)
    fails(errno.ECONNREFUSED, peer.connect, (OWN, address[1]))


@probe
def a_closed_port_of_the_loopback_refuses():
    fails(errno.ECONNREFUSED, socket.create_connection, ("127.0.0.1", 9))
    s = socket.socket()
    s.setblocking(False)
    same(s.connect_ex(("127.0.0.1", 9)) in (errno.EINPROGRESS, errno.ECONNREFUSED), True)


@probe
def options_flags_and_copies_follow_to_the_loopback():
    s, address = listener("127.0.0.1")
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 7, 0))
    client.setblocking(False)
    copy = os.dup(client.fileno())
    os.set_inheritable(copy, True)
    check(client.connect_ex(address) in (0, errno.EINPROGRESS), "connect")
    own, _ = s.accept()
    check(select.select([], [client], [], 3)[1], "not connected")
    same(error_of(client), 0)
    same(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), 1)
    same(client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1)
    same(client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16), struct.pack("ll", 7, 0))
    fails(errno.EAGAIN, client.recv, 1)
    same((os.get_inheritable(client.fileno()), os.get_inheritable(copy)), (False, True))
    os.write(copy, b"by the copy")
    same(own.recv(100), b"by the copy")
    own.sendall(b"for both")
    same(os.read(copy, 3), b"for")
    same(client.recv(100), b" both")
    os.close(copy)


@probe
def an_epoll_that_watched_before_connect_still_does():
    s, address = listener("127.0.0.1")
    client = socket.socket()
    client.setblocking(False)
    level, edge = select.epoll(), select.epoll()
    level.register(client, select.EPOLLIN | select.EPOLLOUT)
    edge.register(client, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET | select.EPOLLRDHUP)
    client.connect_ex(address)
    own, _ = s.accept()
    for epoll in (level, edge):
        wait_until(lambda e=epoll: [x for x in e.poll(1) if x[1] & select.EPOLLOUT])
    own.sendall(b"x")
    for epoll in (level, edge):
        wait_until(lambda e=epoll: [x for x in e.poll(1) if x[1] & select.EPOLLIN])
    level.modify(client, select.EPOLLIN)
    level.unregister(client)


@probe
def many_connect_over_the_loopback_at_once():
    s, address = listener("0.0.0.0", backlog=128)

    def serve():
        for _ in range(100):
            own, _ = s.accept()
            own.sendall(b"hello")
            own.close()
    thread = threading.Thread(target=serve)
    thread.start()
    clients = [socket.create_connection(("127.0.0.1", address[1])) for _ in range(100)]
    for client in clients:
        same(client.recv(100), b"hello")
        client.close()
    thread.join()


@probe
def a_child_serves_what_its_parent_asks():
    for host in ("127.0.0.1", OWN):
        s, address = listener("0.0.0.0")

        def serve():
            own, _ = s.accept()
            own.sendall(own.recv(100).upper())
        pid = child(serve)
        with socket.create_connection((host, address[1])) as client:
            client.sendall(b"question")
            same(client.recv(100), b"QUESTION")
        reap(pid)


@probe
def a_listener_that_is_closed_leaves_the_loopback():
    s, address = listener("0.0.0.0")
    s.close()

    def refused():
        try:
            socket.create_connection(("127.0.0.1", address[1])).close()
            return False
        except ConnectionRefusedError:
            return True
    wait_until(refused)


@probe
def accept_at_once_queues_both_kinds():
    s, address = listener("0.0.0.0")
    s.setblocking(False)
    far = peer.connect((OWN, address[1]))
    near = socket.create_connection(("127.0.0.1", address[1]))
    got = {}

    def accept():
        try:
            own, source = s.accept()
            got[source] = own
        except BlockingIOError:
            pass
        return len(got) == 2
    wait_until(accept)
    same(set(got), {tuple(far.getsockname()), near.getsockname()})
    for own in got.values():
        fails(errno.EAGAIN, own.recv, 1, socket.MSG_DONTWAIT)


@probe
def connecting_to_the_wildcard_means_this_host():
    s, address = listener("0.0.0.0")
    with socket.create_connection(("0.0.0.0", address[1])) as client:
        own, _ = s.accept()
        exchange(own, client)


@probe
def datagrams_over_the_loopback_pass():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.sendto(b"by address", s.getsockname())
    data, source = s.recvfrom(100)
    same(data, b"by address")
    s.sendto(b"back", source)
    same(client.recv(100), b"back")
    connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connected.connect(s.getsockname())
    connected.send(b"connected")
    same(s.recvfrom(100), (b"connected", connected.getsockname()))


def datagrams(host="", port=0):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((host, port))
    s.settimeout(3)
    return s


@probe
def a_bound_datagram_socket_speaks_to_the_loopback_and_outside():
    s, far = datagrams(), peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = s.getsockname()[1]
    far.bind((PEER, 0))
    client = datagrams("127.0.0.1")
    for _ in range(3):
        client.sendto(b"near", ("127.0.0.1", port))
        same(s.recvfrom(100), (b"near", client.getsockname()))
        s.sendto(b"back", client.getsockname())
        same(client.recvfrom(100), (b"back", ("127.0.0.1", port)))
        s.sendto(b"out", tuple(far.getsockname()))
        data, source = far.recvfrom(100)
        same((data, source[1]), (b"out", port))
        far.sendto(b"in", (OWN, port))
        same(s.recvfrom(100), (b"in", tuple(far.getsockname())))
    same(s.getsockname(), ("0.0.0.0", port))


@probe
def a_client_of_both_hears_both():
    near, far = datagrams("127.0.0.1"), peer.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind((PEER, 0))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(3)
    s.sendto(b"one", near.getsockname())
    data, source = near.recvfrom(100)
    same((data, source), (b"one", ("127.0.0.1", s.getsockname()[1])))
    s.sendto(b"two", tuple(far.getsockname()))
    same(far.recvfrom(100)[0], b"two")
    near.sendto(b"three", source)
    same(s.recvfrom(100), (b"three", near.getsockname()))


@probe
def datagrams_of_both_families_find_a_wildcard():
    s = datagrams("::")
    port = s.getsockname()[1]
    for host, seen in (("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1")):
        client = datagrams(host)
        client.sendto(b"x" * 2000, (host, port))
        data, source = s.recvfrom(3000)
        same((len(data), source[:2]), (2000, (seen, client.getsockname()[1])))
        s.sendto(b"", source)
        same(client.recv(100), b"")


@probe
def a_connected_client_is_answered_over_the_loopback():
    s, client = datagrams(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(3)
    client.connect(("127.0.0.1", s.getsockname()[1]))
    client.send(b"question")
    data, source = s.recvfrom(100)
    same((data, source), (b"question", client.getsockname()))
    s.sendto(b"answer", source)
    same(client.recv(100), b"answer")
    port = s.getsockname()[1]
    s.close()

    def refused():
        try:
            client.send(b"x")
            return False
        except ConnectionRefusedError:
            return True
    wait_until(refused)
    again = datagrams("127.0.0.1", port)
    again.close()


@probe
def a_bound_socket_that_connects_to_the_loopback_keeps_its_port():
    s, client = datagrams(), datagrams()
    port = client.getsockname()[1]
    client.connect(("127.0.0.1", s.getsockname()[1]))
    same(client.getsockname(), ("127.0.0.1", port))
    client.send(b"x")
    same(s.recvfrom(10)[1], ("127.0.0.1", port))
    stream = socket.socket()
    stream.bind(("", 0))
    port = stream.getsockname()[1]
    there, address = listener("127.0.0.1")
    stream.connect(address)
    same(there.accept()[1], ("127.0.0.1", port))


@probe
def datagrams_to_the_own_address_pass():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((OWN, 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.sendto(b"to myself", s.getsockname())
    data, source = s.recvfrom(100)
    same((data, source[0]), (b"to myself", OWN))


@probe
def a_connection_to_oneself_over_the_own_address_moves_a_megabyte():
    s, address = listener(OWN)
    client = socket.create_connection(address)
    own, _ = s.accept()
    data = os.urandom(1 << 20)
    thread = threading.Thread(target=lambda: (own.sendall(data), own.close()))
    thread.start()
    parts = []
    while part := client.recv(1 << 16):
        parts.append(part)
    thread.join()
    check(b"".join(parts) == data, "differs")


@probe
def localhost_by_name_is_reached():
    s, address = listener("0.0.0.0")
    with socket.create_connection(("localhost", address[1])) as client:
        own, _ = s.accept()
        exchange(own, client)


@probe
def the_interface_tells_the_own_address():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    name = b"tern0" if ON_TERN else b"lo"
    answer = fcntl.ioctl(s, SIOCGIFADDR, struct.pack("16s24x", name))
    same(socket.inet_ntoa(answer[20:24]), OWN if ON_TERN else "127.0.0.1")
    flags = struct.unpack_from("H", fcntl.ioctl(s, SIOCGIFFLAGS, struct.pack("16s24x", name)), 16)
    check(flags[0] & IFF_UP, "down")
    mask = fcntl.ioctl(s, SIOCGIFNETMASK, struct.pack("16s24x", name))
    same(socket.inet_ntoa(mask[20:24]), "255.255.255.0" if ON_TERN else "255.0.0.0")
    mtu = struct.unpack_from("i", fcntl.ioctl(s, SIOCGIFMTU, struct.pack("16s24x", name)), 16)[0]
    check(mtu >= 1500, mtu)


@probe
def siocgifconf_lists_the_own_address():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    room = ctypes.create_string_buffer(4096)
    conf = struct.pack("iP", 4096, ctypes.addressof(room))
    length = struct.unpack_from("i", fcntl.ioctl(s, SIOCGIFCONF, conf))[0]
    check(length > 0 and length % 40 == 0, length)
    addresses = [socket.inet_ntoa(room.raw[at + 20:at + 24]) for at in range(0, length, 40)]
    check(OWN in addresses, addresses)


class Sockaddr(ctypes.Structure):
    _fields_ = [("family", ctypes.c_ushort), ("data", ctypes.c_ubyte * 26)]


class Ifaddrs(ctypes.Structure):
    pass


Ifaddrs._fields_ = [("next", ctypes.POINTER(Ifaddrs)), ("name", ctypes.c_char_p),
                    ("flags", ctypes.c_uint), ("addr", ctypes.POINTER(Sockaddr)),
                    ("netmask", ctypes.POINTER(Sockaddr))]


@probe
def getifaddrs_lists_the_own_addresses():
    head = ctypes.POINTER(Ifaddrs)()
    same(libc.getifaddrs(ctypes.byref(head)), 0)
    found, at = set(), head
    while at:
        entry = at.contents
        if entry.addr and entry.addr.contents.family == socket.AF_INET:
            found.add(socket.inet_ntoa(bytes(entry.addr.contents.data[2:6])))
        if entry.addr and entry.addr.contents.family == socket.AF_INET6:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes(entry.addr.contents.data[6:22])))
        at = entry.next
    libc.freeifaddrs(head)
    check({OWN, OWN6} <= found, found)
    if ON_TERN:
        check("10.77.0.1" not in found, "the kernel's end of the device is not ours", found)


main()
