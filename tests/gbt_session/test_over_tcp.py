"""A terminal and a platform on loopback: real TCP and TLS, short."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, SystemClock, TimeQuality
from edge.uplink.events import Notice
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.link import GatedTerminalLink, TcpLink
from edge.uplink.gbt.options import SessionOptions
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.rules import session_rules
from edge.uplink.gbt.server_change import Server
from edge.uplink.gbt.session import TerminalSession
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.gbt.uplink import GbtUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.tls import TlsSettings
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import answer, read_message
from simulator.certificates import Authority
from simulator.gbt.accepted import Accepted
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.server import GbtServer
from simulator.gbt.settings import Answers, PlatformSettings
from tests.gbt_platform.rig import report
from tests.gbt_terminal.terminal import VIN
from tests.gbt_terminal.torn_files import TornFiles

PATIENCE_S = 20
COUNT = 40
STREAM = bytes(16)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("keys"), wall_ns=time.time_ns())


def until(holds: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, what
        threading.Event().wait(0.01)


class Site:
    """A platform that listens, on a thread of its own."""

    def __init__(self, authority: Authority | None, answers: Answers) -> None:
        self.accepted: list[Accepted] = []
        platform = GbtPlatform(settings=PlatformSettings(answers=answers), sinks=[self.accepted.append])
        context = None
        if authority is not None:
            pair = authority.server()
            context = _server_context(pair.certificate, pair.key)
        self.loop = asyncio.new_event_loop()
        self.server = GbtServer(platform, tls=context)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self.server.start())

    def call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)  # type: ignore[arg-type]

    def cut(self) -> None:
        """Break every connection."""

        async def abort() -> None:
            for link in list(self.server.links.values()):
                link.transport.abort()

        self.call(abort())

    def seconds(self) -> set[int]:
        return {one.time_s for one in self.accepted}

    def close(self) -> None:
        self.call(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()


@dataclass
class Road:
    """A terminal's uplink on its thread."""

    port: int
    tls: TlsSettings | None
    acknowledge: Literal["silence", "response"]
    edition: Edition = Edition.Y2016
    may_connect: Callable[[], str] = lambda: ""
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = MemoryOutbox(max_messages=1000, max_bytes=10_000_000)
        clock = SystemClock(TimeQuality.NTP)
        session = TerminalSession(
            session_rules(self.edition, reconnect_first_s=0.1, heartbeat_s=1, farewell_s=1),
            SessionOptions("here", self.acknowledge),
            Terminal(self.edition, VIN.decode()),
            Server("localhost", self.port),
            self.outbox,
            SessionNumbers(DurableFile(Path("/numbers"), TornFiles())),
            PlatformClock(clock),
            rng=random.Random(1),  # noqa: S311 - jitter
        )
        self.link = TcpLink(
            TcpSettings(tls=self.tls, close_s=0.2, section="destination", resolve=lambda _: ["127.0.0.1"])
        )
        self.uplink = GbtUplink(
            session=session,
            link=GatedTerminalLink(self.link, self.may_connect),
            store=self.outbox,
            clock=clock,
            notify=self._note,
        )
        self.start_s = time.time_ns() // NS_PER_S + 1

    def _note(self, notice: Notice) -> None:
        self.told.append(notice.text)

    def put(self, number: int) -> None:
        payload = report(self.edition, self.start_s + number)
        self.uplink.put(Outgoing(Kind.LIVE, "", payload, STREAM, number, number, 1))

    @property
    def expected(self) -> set[int]:
        return {self.start_s + number for number in range(1, COUNT + 1)}


@contextmanager
def site(authority: Authority | None, answers: Answers) -> Iterator[Site]:
    standing = Site(authority, answers)
    try:
        yield standing
    finally:
        standing.close()


@pytest.mark.parametrize(
    ("acknowledge", "answers", "secure"),
    [("silence", Answers.ERRORS, True), ("response", Answers.ALL, False)],
)
def test_reports_arrive_over_a_cut_in_order_and_none_is_missing(
    authority: Authority, acknowledge: Literal["silence", "response"], answers: Answers, secure: bool
) -> None:
    with site(authority if secure else None, answers) as standing:
        tls = TlsSettings(ca_file=authority.certificate) if secure else None
        road = Road(standing.server.bound_port, tls, acknowledge)
        road.uplink.start()
        for number in range(1, COUNT // 2 + 1):
            road.put(number)
        until(lambda: len(standing.accepted) >= COUNT // 4, "the first half")
        standing.cut()
        for number in range(COUNT // 2 + 1, COUNT + 1):
            road.put(number)
        until(lambda: standing.seconds() == road.expected, "the second half")
        assert road.uplink.stop(PATIENCE_S)
        assert road.uplink.done
        assert not road.uplink.failed
        counts = road.outbox.counts()
        assert (counts.acknowledged.messages, counts.held.messages, counts.lost) == (COUNT, 0, {})
        assert standing.server.opened == 2
        live = [one.time_s for one in standing.accepted if one.command == Command.REAL_TIME]
        assert live == sorted(live)
        assert road.uplink.facts()["logouts"] == 1


def test_a_platform_that_nobody_vouches_for_gets_nothing(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, wall_ns=time.time_ns(), name="stranger")
    with site(authority, Answers.ERRORS) as standing:
        road = Road(standing.server.bound_port, TlsSettings(ca_file=stranger.certificate), "silence")
        road.put(1)
        road.uplink.start()
        until(lambda: bool(road.told), "the trouble")
        assert road.told[0].startswith("here: the platform's certificate comes from no authority in ")
        assert "destination.tls.ca_file" in road.told[0]
        assert not road.uplink.stop(0)
        assert standing.server.platform.frames == 0
        assert road.outbox.counts().held.messages == 1


def test_a_connection_that_is_no_longer_allowed_ends() -> None:
    with site(None, Answers.ALL) as standing:
        allowed = [""]
        road = Road(standing.server.bound_port, None, "response", may_connect=lambda: allowed[0])
        road.uplink.start()
        until(lambda: road.uplink.online, "the login")
        allowed[0] = "the consent was withdrawn"
        road.put(1)
        until(lambda: any("the consent was withdrawn" in text for text in road.told), "the word of it")
        assert not road.uplink.stop(0)
        assert standing.accepted == []


def test_a_platform_that_does_not_read_holds_up_nobody() -> None:
    """The link's buffer is bounded by what may be under way, and stopping does not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        road = Road(listener.getsockname()[1], None, "silence")
        road.uplink.start()
        deaf, _ = listener.accept()
        with deaf:
            login = deaf.recv(1000)
            deaf.sendall(_answer_to(login))
            until(lambda: road.uplink.online, "the login")
            payload = report(Edition.Y2016, road.start_s) * 500
            for number in range(1, 101):
                road.uplink.put(Outgoing(Kind.LIVE, "", payload, STREAM, number, number, 1))
            until(lambda: road.uplink.facts().get("reports sent", 0) > 1000, "some reports")
            assert road.link.unsent() < 2 * 262_144
            before_s = time.monotonic()
            assert not road.uplink.stop(0)
            assert road.uplink.done
            assert time.monotonic() - before_s < 15


def _answer_to(login: bytes) -> bytes:
    return answer(read_message(login), Response.SUCCESS).write()


def _server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
