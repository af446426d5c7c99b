"""Sockets: local pairs always; all others where the network is allowed."""

import errno
import os
import shutil
import socket
import struct

import pytest

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.events import EventStream
from pyldso.kernel.policy import Policy
from pyldso.kernel.process import Process

PYTHON = "/usr/bin/python3"

PAIRS = """
import os, socket, struct
a, b = socket.socketpair()
a.sendall(b"hello"); print(b.recv(10))
r, w = os.pipe()
socket.send_fds(a, [b"fd"], [r]); message, fds, *_ = socket.recv_fds(b, 10, 4)
os.write(w, b"through"); print(message, os.read(fds[0], 10))
print(a.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), repr(a.getsockname()), a.getpeername())
a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10000)
credentials = a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
print(credentials == struct.pack("iii", os.getpid(), os.getuid(), os.getgid()))
a.sendmsg([b"one", b"two"]); buffers = [bytearray(2), bytearray(9)]
print(b.recvmsg_into(buffers), buffers)
a.shutdown(socket.SHUT_WR); print(b.recv(5))
"""

NETWORK = """
import os, socket
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen()
client = socket.create_connection(server.getsockname()); end, address = server.accept()
client.send(b"text"); print(end.recv(9), address[0], client.getpeername() == server.getsockname())
print(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
one.bind(("127.0.0.1", 0)); two.sendto(b"datagram", one.getsockname())
print(one.recvfrom(10)[0]); two.sendmsg([b"x", b"y"], [], 0, one.getsockname())
print(one.recvmsg(10)[0])
local = socket.socket(socket.AF_UNIX); local.bind("./socket"); local.listen()
other = socket.socket(socket.AF_UNIX); other.connect("./socket"); end, _ = local.accept()
other.send(b"local"); print(end.recv(9), local.getsockname()); os.unlink("./socket")
"""

TRY = """
import socket
try:
    {}
except OSError as error:
    print(error.errno)
"""


@pytest.fixture(autouse=True)
def _with_python():
    if shutil.which(PYTHON) is None:
        pytest.skip(f"{PYTHON} is the program that uses sockets here")


def test_local_pairs_work_as_natively(pyldso, tool):
    ended = pyldso("run", PYTHON, "-c", PAIRS)
    assert ended.stdout == tool(PYTHON, "-c", PAIRS).stdout
    assert ended.returncode == 0, ended.stderr


def test_network_works_as_natively_where_it_is_allowed(pyldso, tool, tmp_path):
    ended = pyldso("run", "--allow-net", PYTHON, "-c", NETWORK)
    assert ended.stdout == tool(PYTHON, "-c", NETWORK, cwd=tmp_path).stdout
    assert ended.returncode == 0, ended.stderr
    elsewhere = TRY.format('socket.socket(socket.AF_UNIX).bind("/etc/pyldso-socket")')
    assert pyldso("run", "--allow-net", PYTHON, "-c", elsewhere).stdout == "13\n"
    assert not os.path.exists("/etc/pyldso-socket")


SET_LINK = """
import socket, struct
print(socket.if_nameindex()[0])
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
mtu = int(open("/sys/class/net/lo/mtu").read())
body = struct.pack("<BxHiII", 0, 0, 1, 0, 0) + struct.pack("<HHI", 8, 4, mtu)  # IFLA_MTU, as it is
netlink.send(struct.pack("<IHHII", 16 + len(body), 16, 5, 1, 0) + body)  # RTM_NEWLINK, with answer
print(struct.unpack_from("<i", netlink.recv(100), 16)[0])
"""


def test_network_is_not_changed_even_by_root(pyldso):
    ended = pyldso("run", "--allow-net", PYTHON, "-c", SET_LINK)
    assert ended.stdout == f"(1, 'lo')\n{-errno.EPERM}\n"


@pytest.mark.parametrize("family", ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"])
def test_network_is_refused_with_a_warning(family, pyldso):
    script = TRY.format(f"socket.socket(socket.{family}, socket.SOCK_DGRAM)")
    ended = pyldso("run", "--warn", PYTHON, "-c", script)
    assert "pyldso: warning: network: sockets are not allowed (--allow-net)\n" in ended.stderr
    assert ended.stdout == "13\n"


@pytest.fixture
def pair_of(tmp_path):
    """A process with a pair of sockets, a page of memory, and its system calls."""
    process = Process(EventStream(), Policy((str(tmp_path),)))
    page = process.memory.map(0, 0x2000, 3)
    process.memory.unmap(page + 0x1000, 0x1000)
    ends = socket.socketpair()

    def call(name, *arguments):
        words = [word & 2**64 - 1 for word in arguments]
        return process._system_call(NUMBERS[name], words + [0] * (6 - len(words)))

    yield process, page, ends, call
    for end in ends:
        end.close()


def test_own_descriptor_cannot_be_handed_over(pair_of):
    process, page, (one, _), call = pair_of
    private = process.files.keep_private(os.dup(0))
    control = struct.pack("<QiiI", 20, socket.SOL_SOCKET, socket.SCM_RIGHTS, private)
    process.memory.write(page, control)
    process.memory.write(page + 256, struct.pack("<QQ", page, 1))
    process.memory.write(page + 512, struct.pack("<QIxxxxQQQQi", 0, 0, page + 256, 1, page, 24, 0))
    assert call("sendmsg", one.fileno(), page + 512, 0) == -errno.EBADF
    process.files.close_private(private)


def test_transfer_goes_as_far_as_the_memory_does(pair_of):
    process, page, (one, two), call = pair_of
    one.send(bytes(range(200)))
    assert call("read", two.fileno(), page + 0xFC0, 200) == 64
    assert process.memory.read(page + 0xFC0, 64) == bytes(range(64))
    assert call("write", two.fileno(), page + 0xFC0, 2**40) == 64
    assert one.recv(100) == bytes(range(64))
    assert call("read", two.fileno(), page + 0x1000, 200) == -errno.EFAULT
    process.memory.write(page, struct.pack("<QQQQ", page + 0x100, 16, page + 0xFF0, 100))
    assert call("readv", two.fileno(), page, 2) == 32
    assert call("getsockopt", two.fileno(), socket.SOL_SOCKET, 26, page, page + 64) < 0


def test_filters_with_pointers_are_refused(pair_of):
    _, page, (one, _), call = pair_of
    for option in (26, 51):  # SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF
        assert call("setsockopt", one.fileno(), socket.SOL_SOCKET, option, page, 16) < 0
