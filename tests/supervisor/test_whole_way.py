"""`nevgate run` and the firmware on a real MicroPython behind a port: the supply falls, ignition goes off."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import serial

from edge.control.client import ControlClient
from edge.errors import NevgateError
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from firmware.supervisor import machine as m
from simulator.board.behind_port import PlayedBus
from tests.firmware.bench import Bench, Host, bench
from tests.gateway.rig import BINDING, CLASSES, MADE_UP

LONG_S = 60.0
HOLD_UP_S = 5
PARAMETERS = {
    "critical_ms": 20_000,
    "ignition_off_ms": 100,
    "restart_ms": 200,
    "minimum_on_ms": 500,
    "grace_ms": 500,
    "can_quiet_ms": 300,
    "hold_up_ms": HOLD_UP_S * 1_000,
    "halt_ms": 500,
    "off_ms": 300,
}
CONFIGURATION = """
[vehicle]
vin = "LNVTEST0000000001"
[[bus]]
name = "pt"
interface = "vlink"
channel = "{port}"
[[bus.database]]
file = "{database}"
classes = "classes.toml"
binding = "binding.toml"
[capture]
own_process = {own_process}
[power]
close_s = 1
[journal]
folder = "journal"
[control]
socket = "control"
[uplink]
host = "127.0.0.1"
port = 9
acknowledge = "puback"
tls.enabled = false
[signing]
key = "vehicle.pem"
"""


@dataclass
class Ran:
    """What a run left behind.

    Attributes:
        before: `nevgate status` while it ran.
        log: what it told.
        account: its account.
        status: it ended with.
        powered_for_s: after its end.
    """

    before: Mapping[str, Any]
    log: str
    account: Mapping[str, Any]
    status: int
    powered_for_s: float


def until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("board"), PlayedBus(rate=200), power=PARAMETERS) as running:
        yield running


def run(board: Bench, folder: Path, *, own_process: bool) -> Ran:
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    (folder / "classes.toml").write_text(CLASSES)
    (folder / "binding.toml").write_text(BINDING)
    (folder / "nevgate.toml").write_text(
        CONFIGURATION.format(port=board.board.port, database=MADE_UP, own_process=str(own_process).lower())
    )
    log = folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--no-live", "--json", "--drain", "0.2"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        client = ControlClient(folder / "control")

        def state() -> Mapping[str, Any]:
            assert process.poll() is None, log.read_text()
            try:
                return client.ask({"do": "state"})
            except NevgateError:
                return {}

        until(lambda: (state().get("power") or {}).get("supervisor") == "on")
        before = state()["power"]
        board.command("supply 5000")
        until(lambda: "the supply falls (5.0 V): all is committed now" in log.read_text())
        board.command("supply 12600")
        board.command("rate 0 0")
        board.command("ignition 0")
        out, _ = process.communicate(timeout=LONG_S)
        ended_s = time.monotonic()
        until(lambda: not board.report()["powered"])
        powered_for_s = time.monotonic() - ended_s
    finally:
        process.kill()
        process.wait()
    return Ran(before, log.read_text(), json.loads(out), process.returncode, powered_for_s)


@pytest.fixture(scope="module")
def ran(board: Bench, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run(board, tmp_path_factory.mktemp("run"), own_process=True)


def test_ignition_goes_off_and_the_journal_is_closed_before_power_is(ran: Ran) -> None:
    assert ran.status == 5, ran.log
    lines = [
        f"asks to end within {HOLD_UP_S} s: nothing left to watch",
        "ended: the supervisor of power asked for it: nothing left to watch, ignition off",
        "the supervisor of power knows that the journal is closed",
        "nevgate: ended: supervisor asked: nothing left to watch, ignition off",
    ]
    places = [ran.log.find(line) for line in lines]
    assert -1 not in places, ran.log
    assert places == sorted(places)
    assert ran.powered_for_s < HOLD_UP_S - 1


def test_status_and_account_tell_of_the_supervisor(ran: Ran) -> None:
    assert ran.before == {"supervisor": "on", "supply_v": 12.6, "ignition": True, "ending": ""}
    assert ran.account["balanced"]
    (hop,) = [hop for hop in ran.account["hops"] if hop["name"] == "power"]
    facts = hop["facts"]
    assert facts["asked to end: nothing left to watch"] == facts["events: supply falling"] == 1
    assert facts["events: ignition"] >= 1
    assert "ends not answered for" not in facts


def test_a_gateway_that_never_answers_has_its_power_cut_when_its_time_is_over(board: Bench, ran: Ran) -> None:
    assert ran.status == 5
    with serial.Serial(board.board.port, timeout=0.02) as port:
        host = Host(port)
        host.begin()
        board.command("ignition 1")
        host.until(lambda: any(event.code == m.POWER_ON for event in host.events))
        board.command("ignition 0")
        host.until(lambda: any(event.code == m.POWER_OFF for event in host.events), LONG_S)
    (off,) = [event for event in host.events if event.code == m.POWER_OFF]
    asked = [event for event in host.events if event.code == m.SHUTDOWN_PLEASE]
    assert off.text == "no answer"
    assert len(asked) >= HOLD_UP_S - 1
    assert (off.t_us - asked[0].t_us) / 1e6 == pytest.approx(HOLD_UP_S, abs=0.2)
    assert not board.report()["powered"]
