"""The page with a gateway that is none, served on a free port of loopback."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.clock import NS_PER_S, Clock, VirtualClock
from edge.config.page import PageSection
from edge.page.app import Page, PageApp
from edge.page.asking import Asking
from edge.page.attempts import Attempts
from edge.page.door_keeper import DoorKeeper
from edge.page.pins import Cost, Pins, Role
from edge.page.server import PageServer
from edge.page.sessions import Sessions
from edge.page.taking import Taking
from tests.page.fake_gateway import FakeGateway

CHEAP = Cost(n=16, r=1)
PINS = {Role.DRIVER: "2580", Role.OWNER: "739154", Role.INSPECTOR: "860213"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class StillClock(VirtualClock):
    """A clock that a test moves: each look is a second later where `steps` is set, so nothing stays fresh."""

    steps = True

    def boot_ns(self) -> int:
        now_ns = super().boot_ns()
        if self.steps:
            self.advance_to(now_ns + NS_PER_S)
        return now_ns


@dataclass
class Served:
    """A page that is there."""

    folder: Path
    gateway: FakeGateway
    clock: Clock
    section: PageSection
    app: PageApp
    page: Page
    port: int
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


def make(
    folder: Path,
    *,
    clock: Clock | None = None,
    taking: Taking | None = None,
    pins: Mapping[Role, str] = PINS,
    **section: object,
) -> Served:
    """Make a page without serving it."""
    port = free_port()
    clock = clock or StillClock(1_000 * NS_PER_S)
    made = PageSection.model_validate({"port": port, **section})
    gateway = FakeGateway()
    kept = Pins(folder / "pins.json", os.urandom, CHEAP)
    for role, pin in pins.items():
        kept.set(role, pin)
    page = Page(
        section=made,
        authorities=made.authorities,
        asking=Asking(gateway, clock),
        sessions=Sessions(clock, os.urandom, made.idle_s),
        keeper=DoorKeeper(kept, Attempts(folder / "attempts.json", clock, "boot")),
        taking=taking,
    )
    return Served(folder, gateway, clock, made, PageApp(page), page, port)


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serve a page as long as the test needs it."""
    server = PageServer(served.app, "127.0.0.1", served.port)
    thread = threading.Thread(target=server.serve, args=(served.stop,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.stop.set()
        with suppress(OSError):
            server.pull_trigger()
        thread.join(timeout=10)
        assert not thread.is_alive()
