"""The service unit of the handbook forbids capture nothing that it needs to confine itself and to read."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.capturing.needs import Need
from edge.capturing.receive_only import receive_only
from edge.capturing.seccomp import ALLOW
from edge.capturing.system_calls import X86_64
from tests.capturing.filter_machine import run

UNIT = Path(__file__).parents[2] / "docs" / "nevgate.service"
ANALYZE = shutil.which("systemd-analyze")
SETTING = {"adjtimex", "clock_adjtime", "clock_adjtime64"}
NEEDS = (Need.CAN_SOCKETS, Need.PACKET_SOCKETS, Need.LINK_STATE)


def lines(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)


def expanded(name: str) -> set[str]:
    """The calls of a group, as this systemd has it."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(
        [ANALYZE or "", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    members = [line.strip() for line in shown[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*map(expanded, members))


@pytest.fixture(name="permitted", scope="module")
def permitting() -> set[str]:
    """The calls that the unit leaves to the service."""
    if ANALYZE is None:
        pytest.skip("no systemd-analyze here, which says what a group of calls is")
    found = expanded("@default")
    for line in lines("SystemCallFilter"):
        names = set().union(*map(expanded, line.removeprefix("~").split()))
        found = found - names if line.startswith("~") else found | names
    return found


def test_the_unit_leaves_what_capture_confines_itself_with(permitted: set[str]) -> None:
    assert {"capset", "capget", "prctl", "seccomp"} <= permitted


def test_the_unit_leaves_every_call_that_the_filter_of_capture_leaves(permitted: set[str]) -> None:
    program = receive_only(X86_64, NEEDS, writable=[2, 5], process=1)
    free = {
        name
        for name, number in X86_64.calls.items()
        if run(program, X86_64.audit_arch, number, (0,) * 6) == ALLOW
    }
    assert {"recvmmsg", "read", "poll"} < free
    assert free - permitted == set()
    assert SETTING & free <= permitted


def test_the_unit_gives_the_one_right_and_the_families_of_sockets() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(UNIT.read_text("utf-8"))
    service = unit["Service"]
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_RAW"
    assert {"AF_CAN", "AF_PACKET", "AF_NETLINK", "AF_UNIX"} <= set(service["RestrictAddressFamilies"].split())
