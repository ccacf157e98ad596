"""What is missing is named precisely: a right, an interface, a family of sockets; and what to do about it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bus.socketcan.rights import Interface, ProcessRights, interfaces, refused
from tests.socketcan.veth import FAR, NEAR, Cable, cable

NET_RAW = 1 << 13
CAN0, VCAN1, ETH0 = (
    Interface("can0", True, False),
    Interface("vcan1", True, True),
    Interface("eth0", False, True),
)


def proc(
    folder: Path,
    *,
    effective: int = 0,
    permitted: int = 0,
    bounding: int = 0x1FFFFFFFFFF,
    no_new_privileges: int = 0,
    seccomp: int = 0,
    users: str = "         0          0 4294967295\n",
    protocols: str = "",
) -> Path:
    """A /proc that says this of the process that reads it."""
    (folder / "self").mkdir()
    (folder / "net").mkdir()
    (folder / "self" / "status").write_text(
        "Name:\tpython\n"
        f"CapInh:\t{0:016x}\nCapPrm:\t{permitted:016x}\nCapEff:\t{effective:016x}\n"
        f"CapBnd:\t{bounding:016x}\nCapAmb:\t{0:016x}\n"
        f"NoNewPrivs:\t{no_new_privileges}\nSeccomp:\t{seccomp}\nSeccomp_filters:\t1\n"
    )
    (folder / "self" / "uid_map").write_text(users)
    (folder / "net" / "protocols").write_text(f"protocol  size sockets\n{protocols}")
    return folder


def told(
    number: int, way: str, folder: Path | None = None, *present: Interface, channel: str = "can0"
) -> str:
    error = refused(
        OSError(number, os.strerror(number)),
        way=way,
        channel=channel,
        where="bus pt",
        proc=folder or Path("/nowhere"),
        present=present,
    )
    return str(error)


@pytest.mark.parametrize(
    ("state", "what", "todo"),
    [
        ({}, "CAP_NET_RAW is missing.", "AmbientCapabilities=CAP_NET_RAW"),
        ({"no_new_privileges": 1}, "under no_new_privs capabilities of program files do not count", "setcap"),
        ({"bounding": 0x1FFFFFFFFFF & ~NET_RAW}, "the bounding set keeps it from this process", "--cap-add"),
        ({"permitted": NET_RAW}, "is permitted and not in effect", "AmbientCapabilities"),
        ({"effective": NET_RAW, "seccomp": 2}, "a seccomp filter refuses", "RestrictAddressFamilies"),
        ({"effective": NET_RAW, "users": "0 1000 1\n"}, "user namespace", "PrivateUsers=no"),
        ({"effective": NET_RAW, "users": "0 1000 1\n", "seccomp": 2}, "user namespace", "PrivateUsers=no"),
        ({"effective": NET_RAW}, "security module", "AppArmor"),
    ],
)
def test_why_a_packet_socket_is_refused(tmp_path: Path, state: dict[str, int], what: str, todo: str) -> None:
    words = told(errno.EPERM, "ring", proc(tmp_path, **state))  # type: ignore[arg-type]
    assert what in words
    assert todo in words
    assert words.startswith("bus pt: CAP_NET_RAW ")


def test_a_family_that_is_filtered_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    folder = proc(tmp_path, protocols="CAN_RAW  1024  0\nPACKET  1472  2\n")
    assert "the kernel has AF_CAN, and a filter keeps it" in told(errno.EAFNOSUPPORT, "raw", folder)
    assert "the kernel has AF_PACKET, and a filter keeps it" in told(errno.EAFNOSUPPORT, "ring", folder)
    (folder / "net" / "protocols").write_text("protocol\nUDP 1 2\n")
    assert "the kernel has no raw CAN sockets. Load them: modprobe can_raw" in told(
        errno.EAFNOSUPPORT, "raw", folder
    )
    assert "no packet sockets. Load them: modprobe af_packet" in told(errno.EAFNOSUPPORT, "ring", folder)
    assert "modprobe can_raw" in told(errno.EPROTONOSUPPORT, "raw", folder)


def test_the_interfaces_that_there_are_are_listed_with_a_missing_one() -> None:
    words = told(errno.ENODEV, "raw", None, CAN0, VCAN1, ETH0, channel="can7")
    assert words == "bus pt: there is no interface can7. There are can0 (down), vcan1"
    assert "no interface can7. There is no CAN interface, only eth0; is its driver loaded" in told(
        errno.ENODEV, "ring", None, ETH0, channel="can7"
    )
    assert "There is no CAN interface; is its driver" in told(errno.ENODEV, "raw", None, channel="can7")


@pytest.mark.parametrize(("number", "way"), [(errno.ENODEV, "raw"), (errno.EMEDIUMTYPE, "ring")])
def test_an_interface_of_another_kind_is_called_that(number: int, way: str) -> None:
    words = told(number, way, None, VCAN1, ETH0, channel="eth0")
    assert words == "bus pt: eth0 is no CAN interface. There are vcan1"


def test_an_interface_of_another_kind_is_called_that_where_none_can_be_listed() -> None:
    words = told(errno.EMEDIUMTYPE, "ring", channel="eth0")
    assert words == "bus pt: eth0 is no CAN interface. There is no CAN interface"


@pytest.mark.parametrize(
    ("number", "way", "what"),
    [
        (errno.ENETDOWN, "raw", "can0 is down. Set it up: ip link set can0 up"),
        (errno.ENOMEM, "ring", "no memory"),
        (errno.EMFILE, "raw", "too many files"),
        (errno.EPERM, "raw", "refuses the socket. Look at SystemCallFilter"),
        (errno.ENOSYS, "raw", "a call of the system is missing"),
        (errno.ENOPROTOOPT, "ring", "TPACKET_V3"),
        (errno.EIO, "raw", "cannot be opened: Input/output error"),
    ],
)
def test_other_errors_are_said_in_words(number: int, way: str, what: str) -> None:
    assert what in told(number, way)


def test_a_kernel_that_says_nothing_of_a_process_does_not_bring_it_down(tmp_path: Path) -> None:
    assert ProcessRights.read(tmp_path) == ProcessRights(False, False, True, False, False, False, False)


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


def test_interfaces_are_found_with_their_kind(wire: Cable) -> None:
    wire.down(FAR)
    try:
        found = {each.name: each for each in wire.namespace.call(interfaces)}
    finally:
        wire.up(FAR)
    assert found[NEAR] == Interface(NEAR, False, True)
    assert found[FAR] == Interface(FAR, False, False)


PROGRAM = f"""
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from edge.bus.socketcan.choose import open_socketcan
from edge.clock import SystemClock
from edge.errors import SourceError
try:
    with open_socketcan("pt", "{NEAR}", clock=SystemClock(), way="ring", any_link=True) as source:
        print("open", source.way)
except SourceError as error:
    print(error)
"""
NOBODY = ("--reuid", "65534", "--regid", "65534", "--clear-groups")


def as_nobody(wire: Cable, *options: str) -> str:
    """What a ring's opening says to a user without rights, but those of `options`."""
    if not shutil.which("setpriv"):
        pytest.skip("becoming another user needs setpriv(1) of util-linux")
    words = ["ip", "netns", "exec", wire.namespace.name, "setpriv", *NOBODY, *options, sys.executable]
    if subprocess.run([*words, "-c", "import edge"], check=False, capture_output=True).returncode:
        pytest.skip("another user cannot read this installation")
    done = subprocess.run([*words, "-c", PROGRAM], check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_a_user_with_the_ambient_right_alone_opens_a_ring(wire: Cable) -> None:
    said = as_nobody(wire, "--inh-caps", "-all,+net_raw", "--ambient-caps", "-all,+net_raw", "--no-new-privs")
    assert "open ring" in said


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "CAP_NET_RAW is missing. Give it to the service: AmbientCapabilities=CAP_NET_RAW"),
        (("--no-new-privs",), "under no_new_privs capabilities of program files do not count"),
        (("--bounding-set", "-net_raw"), "the bounding set keeps it from this process"),
    ],
)
def test_a_user_without_it_is_told_which_right_is_missing(
    wire: Cable, options: tuple[str, ...], what: str
) -> None:
    assert what in as_nobody(wire, *options)


def test_a_process_that_may_not_ask_for_interfaces_reads_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket, "if_nameindex", refuse)
    for name, kind, flags in (
        ("can0", "280", "0x40080"),
        ("can1", "280", "0x400c1"),
        ("eth0", "1", "0x1003"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
        (tmp_path / name / "flags").write_text(f"{flags}\n")
    (tmp_path / "odd").mkdir()
    found = interfaces(tmp_path)
    assert [(one.name, one.can, one.up) for one in found] == [
        ("can0", True, False),
        ("can1", True, True),
        ("eth0", False, True),
        ("odd", None, None),
    ]
    assert interfaces(tmp_path / "missing") == ()
