"""Runs inside the virtual machine: what is done to a real CAN interface, and what is told of it."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping

from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import Expected, LinkReport
from edge.clock import SystemClock

PATIENCE_S = 20.0
LISTENING = ("bitrate", "500000", "listen-only", "on")

Monitor = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Has qemu's monitor carry out a command, and returns its answer."""


class _Lines(logging.Handler):
    """Keeps the lines of the log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record.getMessage())


class _Scene:
    """One interface, what is done to it, and what is told of that."""

    def __init__(self, interface: str, expected: Expected) -> None:
        self.lines = _Lines()
        log = logging.getLogger("edge.bus.socketcan")
        log.addHandler(self.lines)
        log.setLevel(logging.INFO)
        clock = SystemClock()
        self.report = LinkReport(LinkWatch(interface, clock), bus="pt", clock=clock, expected=expected)

    def told(self, *wanted: str) -> list[str]:
        """The events since the last time, waited for until the wanted ones are there."""
        found: list[str] = []
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found += [str(change.event) for change in self.report.look(at_once=True)]
            if set(wanted) <= set(found):
                break
            time.sleep(0.05)
        return found

    def state(self) -> dict[str, object]:
        state = self.report.state
        if state is None:
            return {"outage": self.report.outage}
        return {
            "name": state.name,
            "kind": state.kind,
            "up": state.up,
            "bitrate": state.bitrate,
            "listen_only": state.listen_only,
            "can_listen_only": state.can_listen_only,
            "controller": str(state.controller_state),
            "device": state.device,
            "counts": state.counts is not None,
            "errors": [state.transmit_errors, state.receive_errors],
            "restart_ms": state.restart_ms,
            "outage": self.report.outage,
        }


def link_events(
    monitor: Monitor, *, interface: str = "can0", controller: str = "controller0"
) -> dict[str, object]:
    """Do everything to an interface that can happen to it, and return what was told at each step.

    Args:
        monitor: of qemu, which unplugs the controller and plugs it in again.
        interface: of the controller; down, or with a bit rate.
        controller: what the monitor calls it.
    """
    _set(interface, *LISTENING)
    scene = _Scene(interface, Expected(bitrate=500_000))
    found: dict[str, object] = {"start": scene.state()}

    _set(interface, "bitrate", "250000", "listen-only", "on", "restart-ms", "100")
    found["bitrate"] = scene.told("bitrate changed", "link up")
    found["bitrate state"] = scene.state()

    _set(interface, "bitrate", "500000", "listen-only", "off")
    found["sends"] = scene.told("not listen-only", "link up")
    found["sends state"] = scene.state()

    _set(interface, *LISTENING)
    found["listens"] = scene.told("listen-only again", "link up")
    found["listens state"] = scene.state()

    _ip("set", interface, "down")
    _ip("set", interface, "name", "canpt")
    _ip("set", "canpt", "up")
    found["renamed"] = scene.told("link renamed", "link up")
    _ip("set", "canpt", "down")
    _ip("set", "canpt", "name", interface)
    _ip("set", interface, "up")
    found["renamed back"] = scene.told("link renamed", "link up")

    found["unplug"] = monitor({"execute": "device_del", "arguments": {"id": controller}})
    found["gone"] = scene.told("link gone")
    found["gone state"] = scene.state()
    _plug_in(monitor, controller)
    found["back"] = scene.told("link back")
    found["back state"] = scene.state()
    _set(interface, "bitrate", "125000", "listen-only", "on")
    found["up again"] = scene.told("bitrate changed", "link up")
    found["up again state"] = scene.state()

    found["facts"] = dict(scene.report.facts)
    found["lines"] = scene.lines.kept
    scene.report.close()

    _ip("add", "dev", "vcan7", "type", "vcan")
    _ip("set", "vcan7", "up")
    virtual = _Scene("vcan7", Expected(bitrate=500_000))
    found["virtual"] = virtual.state()
    virtual.report.close()
    _ip("del", "vcan7")
    return found


def _set(interface: str, *words: str) -> None:
    """Set it up anew."""
    _ip("set", interface, "down")
    _ip("set", interface, "type", "can", *words)
    _ip("set", interface, "up")


def _plug_in(monitor: Monitor, controller: str) -> None:
    command = {"driver": "kvaser_pci", "canbus": "bus", "id": controller}
    deadline = time.monotonic() + PATIENCE_S
    while "error" in monitor({"execute": "device_add", "arguments": command}):
        # The machine lets go of a device some time after its guest was told.
        if time.monotonic() > deadline:
            raise TimeoutError(f"{controller} cannot be plugged in again")
        time.sleep(0.2)


def _ip(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True, timeout=60)
