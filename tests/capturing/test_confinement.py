"""Under its filter a process of capture can do nothing of what it may not, and all that its devices need."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from errno import EACCES, ENOSYS, EPERM
from pathlib import Path

import pytest

from edge.capturing.needs import REQUEST_BYTES, Need
from edge.capturing.receive_only import receive_only
from edge.capturing.seccomp import packed
from edge.capturing.system_calls import AARCH64, ARM, X86_64, this_machine
from tests.capturing.attempts import ATTEMPTS, EITHER, REACHED

ROOT = Path(__file__).parents[2]
REFUSALS = {EPERM, EACCES, ENOSYS}

pytestmark = pytest.mark.skipif(this_machine() is None, reason="no filter is built for this machine")


@pytest.fixture(name="outcomes", scope="module")
def attempting() -> dict[str, tuple[int | None, int | None]]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.capturing.attempts"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    found: dict[str, tuple[int | None, int | None]] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_works_in_any_process_is_refused_to_capture(
    outcomes: dict[str, tuple[int | None, int | None]], attempt: str
) -> None:
    free, confined = outcomes[attempt]
    assert confined in REFUSALS
    if free in {ENOSYS, EPERM} and (attempt in EITHER or os.geteuid() != 0):
        pytest.skip("nobody may do that here, filtered or not, so that it says nothing")
    if attempt in EITHER:
        assert free not in REFUSALS
    else:
        assert free == REACHED.get(attempt, 0)


CONFINED = """
import os, sys
sys.path.append(sys.argv[1])
import ctypes, mmap, json, signal, socket, struct, threading, time
from pathlib import Path
from edge.capturing import hardening, confinement, needs
def confine(*wanted):
    hardening.harden(os.getppid(), keep=range(100))
    found = confinement.confine([needs.Needed(needs.Need(one), "test") for one in wanted], 1)
    assert not any("filtered" in one for one in found), found
def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())
"""


def confined(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own; ``confine`` and ``say`` are there for it."""
    return subprocess.run(
        [sys.executable, "-c", CONFINED + script, ROOT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_threads_that_were_there_before_are_under_the_filter_and_new_ones_start() -> None:
    run = confined("""
before = threading.Event()
outcomes = []
def attempt():
    before.wait()
    try:
        socket.socket()
    except PermissionError:
        outcomes.append("refused")
first = threading.Thread(target=attempt)
first.start()
confine()
before.set()
first.join()
second = threading.Thread(target=attempt)
second.start()
second.join()
say(*outcomes)
""")
    assert (run.stdout, run.stderr, run.returncode) == ("refused refused\n", "", 0)


@pytest.mark.skipif(this_machine() is not X86_64, reason="the other machine is i386")
def test_a_call_of_another_machine_ends_the_process() -> None:
    script = """
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of i386); int 0x80; ret
ask = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
"""
    free = confined(script + "say(ask() == os.getpid())")
    if free.returncode != 0:
        pytest.skip("this kernel has no calls of i386")
    assert free.stdout == "True\n"
    assert confined(script + "confine(); ask(); say('lives')").returncode == -signal.SIGSYS


@pytest.mark.skipif(this_machine() is not X86_64, reason="x32 is of x86-64")
@pytest.mark.parametrize("needs", ["", "'unknown'"])
def test_calls_of_x32_are_not_there(needs: str) -> None:
    run = confined(f"""
confine({needs})
libc = ctypes.CDLL(None, use_errno=True)
for number in (0x40000000 | 39, 0x40000000 | 520, 520):
    say(libc.syscall(number, 0, 0, 0), ctypes.get_errno())
""")
    assert run.stdout == f"-1 {ENOSYS}\n" * 3


@pytest.mark.parametrize("machine", [AARCH64, ARM], ids=["aarch64", "ARM"])
def test_the_kernel_takes_a_filter_of_another_machine_and_ends_whoever_is_none(machine: object) -> None:
    other = AARCH64 if machine is AARCH64 else ARM
    if this_machine() is other:
        pytest.skip("that is this machine")
    program = packed(receive_only(other, list(Need), writable=[1, 2], process=1))
    run = confined(
        """
from edge.capturing.seccomp import Instruction
from edge.capturing.system_calls import this_machine
program = [Instruction(*each) for each in struct.iter_unpack("=HBBI", bytes.fromhex(sys.argv[2]))]
hardening.harden(os.getppid(), keep=range(100))
say("before")
confinement.install(program, this_machine().calls["seccomp"])
say("after")
""",
        program.hex(),
    )
    assert (run.stdout, run.returncode) == ("before\n", -signal.SIGSYS)


def test_what_capture_does_all_the_time_works() -> None:
    run = confined("""
a, b = socket.socketpair()
confine()
b_gone = threading.Thread(target=time.sleep, args=(0.01,))
b_gone.start(); b_gone.join()
assert Path(sys.argv[1], "pyproject.toml").read_text()
assert sorted(os.listdir(sys.argv[1]))
import xml.dom.minidom, sqlite3
import select
poll = select.poll(); poll.register(a, select.POLLIN)
assert poll.poll(10) == []
a.setblocking(False)
try:
    a.recv(10)
except BlockingIOError:
    pass
a.close()
from edge.clock import SystemClock
say(SystemClock().timebase().quality in (1, 2, 3))
assert len(bytearray(1 << 26)) and os.urandom(4)
os.write(2, b"to stderr")
try:
    a = socket.socket(socket.AF_CAN)
except PermissionError:
    say("refused")
os.close(1)
say("not closed")
signal.raise_signal(signal.SIGTERM)
""")
    assert (run.stdout, run.stderr) == ("True\nrefused\nnot closed\n", "to stderr")
    assert run.returncode == -signal.SIGTERM


def test_a_copy_of_the_connection_gets_a_number_that_cannot_be_written_to() -> None:
    run = confined("""
import fcntl
confine()
copy = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 0)
say(copy > 2)
try:
    os.write(copy, b"out")
except PermissionError:
    say("refused")
""")
    assert (run.stdout, run.stderr) == ("True\nrefused\n", "")


def test_nothing_opened_later_gets_the_place_of_a_closed_stderr() -> None:
    script = """
os.close(2)
confine("datagrams")
late = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
say(late.fileno() > 2, os.fstat(2).st_rdev == os.stat("/dev/null").st_rdev)
"""
    assert confined(script).stdout == "True True\n"


def test_the_kernel_can_be_asked_about_links_on_the_socket_that_was_open() -> None:
    run = confined("""
def ask(link):
    os.write(link.fileno(), struct.pack("IHHII", 17 + 3, 18, 0x301, 1, 0) + bytes(4))
    return struct.unpack_from("IH", link.recv(65536))[1]
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
confine("link state")
say(ask(link))
number = link.fileno()
link.close()
later = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
say(later.fileno() != number)
try:
    ask(later)
except PermissionError:
    say("refused")
""")
    assert (run.stdout, run.stderr) == ("16\nTrue\nrefused\n", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need CAP_NET_RAW")
def test_a_packet_socket_and_its_ring_are_opened_again() -> None:
    run = confined("""
confine("packet sockets")
for _ in range(2):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.setsockopt(263, 10, 2)
    packets.setsockopt(263, 5, struct.pack("7I", 1 << 16, 4, 2048, 128, 4, 0, 0))
    ring = mmap.mmap(packets.fileno(), 4 << 16)
    packets.bind(("lo", 0x000C))
    packets.getsockopt(263, 6, 12)
    ring.close()
    packets.close()
say("opened")
""")
    assert (run.stdout, run.stderr) == ("opened\n", "")


def sources(needs: Sequence[str], script: str, *arguments: object) -> str:
    """What a script says in which a source is opened and read under a filter that has its needs."""
    run = confined(f"from edge.clock import SystemClock\nconfine(*{list(needs)!r})\n" + script, *arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_gpsd_is_asked(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = sources(
            ["requests"],
            """
from edge.sensors.gpsd import Gpsd
sensor = Gpsd(clock=SystemClock(), host=sys.argv[2], port=int(sys.argv[3]))
sensor.read(0.05)
say(dict(sensor.hop().facts))
""",
            host,
            server.getsockname()[1],
        )
        assert said == "{'connected': 1, 'connection failed': 0}\n"
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(100).startswith(b"?WATCH=")


def test_a_serial_receiver_is_opened_again() -> None:
    ours, theirs = os.openpty()
    said = sources(
        ["serial ports"],
        """
from edge.sensors.nmea_serial import NmeaSerial
sensor = NmeaSerial(sys.argv[2], clock=SystemClock())
sensor.read(0.05)
sensor._drop()
sensor.read(0.05)
say(dict(sensor.hop().facts))
try:
    os.write(sensor._port.fileno(), b"x")
except PermissionError:
    say("refused")
sensor.close()
""",
        os.ttyname(theirs),
    )
    assert said == "{'port opened': 2, 'port failed': 0}\nrefused\n"
    os.close(ours)
    os.close(theirs)


def test_a_serial_adapter_is_told_what_to_do_but_sends_no_frame_of_eight_bytes() -> None:
    ours, theirs = os.openpty()
    said = sources(
        ["serial ports", "commands"],
        """
import can
bus = can.Bus(interface="slcan", channel=sys.argv[2], bitrate=500000, sleep_after_open=0, ignore_config=True)
try:
    bus.send(can.Message(arbitration_id=1, is_extended_id=False, data=bytes(8)))
except can.CanError:
    say("not sent")
bus.shutdown()
""",
        os.ttyname(theirs),
    )
    assert said == "not sent\n"
    commands = os.read(ours, 100)
    assert b"S6\r" in commands
    assert b"t" not in commands
    os.close(ours)
    os.close(theirs)


def test_a_multicast_bus_is_opened_again() -> None:
    said = sources(
        ["datagrams"],
        """
import can
for _ in range(2):
    bus = can.Bus(interface="udp_multicast", channel="239.74.163.78", port=43978, ignore_config=True)
    assert bus.recv(0) is None
    bus.shutdown()
bus = can.Bus(interface="udp_multicast", channel="239.74.163.78", port=43978, ignore_config=True)
try:
    bus.send(can.Message(arbitration_id=1))
except can.CanError as error:
    say(type(error.__cause__).__name__)
""",
    )
    assert said == "PermissionError\n"


def test_what_is_open_is_told_with_who_asks_for_it() -> None:
    run = confined("""
hardening.harden(os.getppid(), keep=range(100))
said = confinement.confine([needs.Needed(needs.Need.REQUESTS, "sensor gpsd")], 1)
say("|".join(one for one in said if not one.startswith("thread")))
""")
    assert run.stdout == (
        f"capture can connect and send {REQUEST_BYTES} bytes at a time over the network: "
        "sensor gpsd asks for it\n"
    )


def test_a_kernel_that_does_not_filter_is_told() -> None:
    run = confined("""
hardening.harden(os.getppid(), keep=range(100))
confinement._SET_MODE_FILTER = 99
say(*confinement.confine([], 1))
""")
    assert run.stdout == "capture's system calls are not filtered: Invalid argument\n"
