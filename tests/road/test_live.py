"""`nevgate run` as a program of its own, on virtual buses that another process could fill as well."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack

import can
import pytest

from edge.clock import SystemClock
from edge.errors import ConfigError, SourceError
from simulator.broker import free_ports
from simulator.vehicle.player import Player, open_buses
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.road.conftest import PROJECT, Bench

PLAY_S = 4.0


def open_groups(stack: ExitStack, channels: dict[str, str]) -> dict[str, can.BusABC]:
    """Open the multicast buses, or skip where the machine has no multicast."""
    try:
        return open_buses(stack, "udp_multicast", channels)
    except SourceError as error:
        pytest.skip(f"this machine has no UDP multicast: {error}")


def test_run_takes_every_frame_and_ends_in_order_on_a_signal(bench: Bench) -> None:
    channels = {
        name: f"239.74.163.{40 + place}:{port}"
        for place, (name, port) in enumerate(zip(ReferenceVehicle.buses, free_ports(4), strict=True))
    }
    buses = "".join(
        f'[[bus]]\nname = "{name}"\ninterface = "udp_multicast"\nchannel = "{channel}"\nfd = true\n'
        f'[[bus.database]]\nfile = "{PROJECT}/dbc/nev-{name}.dbc"\n'
        for name, channel in channels.items()
    )
    config = bench.configure(buses + "[sampling]\nuplink_period_s = 2\n")
    with ExitStack() as stack:
        player = Player(open_groups(stack, channels), SystemClock())
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(config), "--no-live", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(process.kill)
        assert process.stderr is not None
        for line in process.stderr:
            if "connected" in line:
                break
        player.play(ReferenceVehicle(1).frames(PLAY_S))
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)

    account = json.loads(printed)
    hops = {(hop["name"].split()[0], hop["unit"]): hop for hop in account["hops"]}
    assert process.returncode == 0
    assert account["balanced"]
    received = hops["merged", "frames"]
    assert received["entered"] == player.hop().left
    stored = bench.stored()
    assert [record.record.number for record in stored] == list(range(1, len(stored) + 1))
    assert len(stored) == hops["records", "records"]["left"] >= PLAY_S - 1


def test_multicast_buses_that_would_mix_are_refused() -> None:
    with ExitStack() as stack, pytest.raises(ConfigError, match="share the UDP port 43113"):
        open_buses(stack, "udp_multicast", {"powertrain": "239.74.163.2", "body": "239.74.163.3"})
