"""Runs inside the virtual machine: what is done to a real CAN interface, and what is told of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import Expected, LinkReport
from edge.clock import SystemClock

PATIENCE_S = 20.0
LISTENING = ("bitrate", "500000", "listen-only", "on")

TOLD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "start": ("can0: can, 500000 bit/s, listen-only, controller active",),
        "another bit rate": (
            "link down",
            "bitrate changed",
            "link up",
            "can0: can, 250000 bit/s, listen-only, controller active",
        ),
        "listen-only off": (
            "link down",
            "bitrate changed",
            "link up",
            "not listen-only",
            "can0: can, 500000 bit/s, not listen-only, controller active",
        ),
        "listen-only on": (
            "link down",
            "link up",
            "listen-only again",
            "can0: can, 500000 bit/s, listen-only, controller active",
        ),
        "renamed": (
            "link down",
            "link renamed",
            "link up",
            "canpt: can, 500000 bit/s, listen-only, controller active",
        ),
        "unplugged": ("link down", "link gone", "can0 is gone"),
        "plugged in": ("link back", "can0: down, can, not listen-only"),
        "set up": (
            "bitrate changed",
            "link up",
            "can0: can, 125000 bit/s, listen-only, controller active",
        ),
        "facts": (
            "bitrate changed: 3",
            "link back: 1",
            "link down: 5",
            "link gone: 1",
            "link renamed: 1",
            "link up: 5",
            "listen-only again: 1",
            "not as configured: 2",
            "not listen-only: 1",
        ),
    }
)
"""What `link_events` gives: the events of each step, then the state that it ended in."""


Monitor = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Has qemu's monitor carry out a command (QMP), and returns its answer."""


class _Scene:
    """One interface, and what is told of it."""

    def __init__(self, interface: str) -> None:
        clock = SystemClock()
        watch = LinkWatch(interface, clock)
        self.report = LinkReport(watch, bus="pt", clock=clock, expected=Expected(bitrate=500_000))

    def told(self, last: str) -> tuple[str, ...]:
        """The events since the last time, waited for until `last` is there, and the state now."""
        found: list[str] = []
        deadline = time.monotonic() + PATIENCE_S
        while last not in found and time.monotonic() < deadline:
            found += [str(change.event) for change in self.report.look()]
            time.sleep(0.05)
        return (*found, self.state())

    def state(self) -> str:
        state = self.report.state
        return self.report.outage if state is None else f"{state.name}: {state}"


def link_events(monitor: Monitor, *, controller: str = "controller0") -> dict[str, tuple[str, ...]]:
    """Do everything to `can0` that can happen to it, and return what was told of each step.

    Args:
        monitor: of qemu, which unplugs the controller and plugs it in again.
        controller: what the monitor calls the one that is can0.
    """
    _set("can0", *LISTENING)
    scene = _Scene("can0")
    found: dict[str, tuple[str, ...]] = {"start": (scene.state(),)}
    with scene.report:
        _set("can0", "bitrate", "250000", "listen-only", "on")
        found["another bit rate"] = scene.told("link up")
        _set("can0", "bitrate", "500000", "listen-only", "off")
        found["listen-only off"] = scene.told("not listen-only")
        _set("can0", *LISTENING)
        found["listen-only on"] = scene.told("listen-only again")
        _ip("set", "can0", "down")
        _ip("set", "can0", "name", "canpt")
        _ip("set", "canpt", "up")
        found["renamed"] = scene.told("link up")
        monitor({"execute": "device_del", "arguments": {"id": controller}})
        found["unplugged"] = scene.told("link gone")
        _plug_in(monitor, controller)
        found["plugged in"] = scene.told("link back")
        _set("can0", "bitrate", "125000", "listen-only", "on")
        found["set up"] = scene.told("link up")
        found["facts"] = tuple(f"{fact}: {count}" for fact, count in sorted(scene.report.facts.items()))
    _ip("set", "can0", "down")
    return found


def virtual_link() -> str:
    """What a virtual interface is said to be."""
    _ip("add", "dev", "vcan7", "type", "vcan")
    try:
        _ip("set", "vcan7", "up")
        scene = _Scene("vcan7")
        with scene.report:
            return f"{scene.state()}; listen-only alarm: {scene.report.listen_only_alarm}"
    finally:
        _ip("del", "vcan7")


def _set(interface: str, *words: str) -> None:
    """Set it up anew."""
    _ip("set", interface, "down")
    _ip("set", interface, "type", "can", *words)
    _ip("set", interface, "up")


def _plug_in(monitor: Monitor, controller: str) -> None:
    """Plug it in as soon as the machine has let go of it, some time after the guest was told."""
    device = {"driver": "kvaser_pci", "canbus": "bus", "id": controller}
    deadline = time.monotonic() + PATIENCE_S
    while "error" in (answer := monitor({"execute": "device_add", "arguments": device})):
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def _ip(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True, timeout=60)
