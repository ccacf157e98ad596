"""A platform on loopback: real sockets, TLS, and clients that do not behave."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.catalogue.item import Edition
from edge.cli.gbt_serve import command as serve_command
from edge.clock import SystemClock
from edge.errors import KeyFileError, UplinkError
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Frame, Response, read_frame
from edge.wire.gbt.message import Values
from simulator.certificates import Authority
from simulator.gbt.accepted import Accepted
from simulator.gbt.asks import parse_ask
from simulator.gbt.events import Answered, Closed, Event, LoggedIn
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.server import GbtServer, ServerLimits
from simulator.gbt.session import PlatformConnection
from simulator.gbt.store import Store, StoreError
from tests.gbt.grammar import VIN
from tests.gbt_platform.rig import OTHER, command, login, logout, platform_login, report

Y2016 = Edition.Y2016
PATIENCE_S = 20.0


class Heard:
    """Events of a server, and waiting for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()

    def take(self, connection: PlatformConnection, event: Event) -> None:
        del connection
        self.events.append(event)
        self._more.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._more.clear()
                await self._more.wait()


async def said(reader: asyncio.StreamReader) -> Frame:
    async with asyncio.timeout(PATIENCE_S):
        header = await reader.readexactly(24)
        return read_frame(header + await reader.readexactly(int.from_bytes(header[22:]) + 1))


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))


def now_s() -> int:
    return SystemClock().wall_ns() // 10**9


def test_a_terminal_over_tcp() -> None:
    async def work() -> None:
        heard, forwarded = Heard(), list[Accepted]()
        platform = GbtPlatform(sinks=(forwarded.append,))
        async with GbtServer(platform, on_event=heard.take) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            at_s = now_s()
            writer.write(login(Y2016, at_s=at_s))
            assert (await said(reader)).response == Response.SUCCESS
            writer.write(b"".join(report(Y2016, at_s + place) for place in range(100)))
            writer.write(report(Y2016, at_s + 99) + command(Y2016, Command.HEARTBEAT))
            assert (await said(reader)).command == Command.HEARTBEAT
            assert [one.time_s - at_s for one in forwarded] == list(range(100))
            server.ask(VIN, parse_ask("query 02"))
            asked = await said(reader)
            answer = Values("parameters", (asked.unit[:6], 1, ((2, 10),)))
            writer.write(command(Y2016, Command.QUERY, answer, response=1) + logout(Y2016, at_s=at_s))
            assert (await said(reader)).command == Command.VEHICLE_LOGOUT
            assert any(isinstance(one, Answered) and one.parameters == ((2, 10),) for one in heard.events)
            writer.close()
            await heard.until(lambda: isinstance(heard.events[-1], Closed))
            assert not server.links
        assert platform.hops()[0].balanced
        assert platform.stored == 100

    run(work)


def test_a_second_login_closes_the_first_connection() -> None:
    async def work() -> None:
        async with GbtServer(GbtPlatform()) as server:
            first, first_writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            first_writer.write(login(Y2016))
            await said(first)
            second, second_writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            second_writer.write(login(Y2016, 2))
            assert (await said(second)).response == Response.SUCCESS
            async with asyncio.timeout(PATIENCE_S):
                assert await first.read() == b""
            for writer in (first_writer, second_writer):
                writer.close()

    run(work)


def test_one_that_does_not_read_is_dropped_with_bounded_buffers() -> None:
    async def work() -> None:
        heard = Heard()
        limits = ServerLimits(unsent_bytes=4096, unread_s=0.2)
        async with GbtServer(GbtPlatform(), on_event=heard.take, limits=limits) as server:
            client = socket.create_connection(("127.0.0.1", server.bound_port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            beats = command(Y2016, Command.TIME_SYNC) * 1000
            unsent = 0
            while not (heard.events and isinstance(heard.events[-1], Closed)):
                try:
                    client.send(beats)
                except BlockingIOError:
                    pass
                except (ConnectionResetError, BrokenPipeError):
                    break
                for link in server.links.values():
                    unsent = max(unsent, link.transport.get_write_buffer_size())
                await asyncio.sleep(0.001)
            await heard.until(lambda: bool(heard.events))
            assert heard.events[-1] == Closed("", "it does not read what it is answered")
            # What one read of 256 KiB asks for beyond the limit, and no more.
            assert unsent < 4096 + 2 * 262_144
            client.close()

    run(work)


def test_too_many_connections_are_closed_at_once() -> None:
    async def work() -> None:
        async with GbtServer(GbtPlatform(), limits=ServerLimits(connections=1)) as server:
            first, first_writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            first_writer.write(login(Y2016))
            await said(first)
            second, second_writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await second.readexactly(1)
            assert server.refused == 1
            first_writer.write(command(Y2016, Command.HEARTBEAT))
            assert (await said(first)).response == Response.SUCCESS
            for writer in (first_writer, second_writer):
                writer.close()

    run(work)


class FullStore(Store):
    """A store whose disk is full."""

    def commit(self) -> None:
        raise StoreError("the disk is full", where="reports.db")


def test_a_store_that_cannot_be_written_ends_the_service() -> None:
    async def work() -> None:
        server = GbtServer(GbtPlatform(FullStore()))
        async with server:
            async with asyncio.timeout(PATIENCE_S):
                await server.changed.wait()
            assert server.failed
        with pytest.raises(StoreError):
            server.raise_failure()

    run(work)


def test_an_address_that_is_taken() -> None:
    async def work() -> None:
        async with GbtServer(GbtPlatform()) as server:
            with pytest.raises(UplinkError, match="cannot listen"):
                await GbtServer(GbtPlatform(), port=server.bound_port).start()

    run(work)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_the_command_over_tls_shows_and_judges(tmp_path: Path) -> None:
    authority = Authority(tmp_path, wall_ns=SystemClock().wall_ns())
    pair = authority.server()
    port = free_port()
    answers: list[int] = []

    def client() -> None:
        context = ssl.create_default_context(cafile=str(authority.certificate))
        for _ in range(200):
            try:
                plain = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as link:
            link.sendall(platform_login(Y2016))
            answers.append(link.recv(100)[3])
            at_s = now_s()
            link.sendall(b"".join(report(Y2016, at_s + place, vin=OTHER) for place in range(3)))
            link.sendall(b"?" + command(Y2016, Command.HEARTBEAT, vin=OTHER))
            answers.append(link.recv(100)[3])

    thread = threading.Thread(target=client)
    thread.start()
    tls = ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]
    store = str(tmp_path / "reports.db")
    ran = CliRunner().invoke(serve_command, ["--port", str(port), "--once", "--json", "--store", store, *tls])
    thread.join()
    assert ran.exit_code == 0, ran.output
    assert answers == [1, 1]
    assert f"127.0.0.1:{port} (TLS)" in ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one.get("event") for one in lines] == ["loggedin", "garbage", "closed", None]
    assert lines[0]["who"] == "city"
    account, kpis = lines[-1]["account"], lines[-1]["kpis"]
    assert (account["messages"], account["stored"], account["balanced"]) == (5, 3, True)
    assert kpis["met"] is True
    assert {one["name"] for one in kpis["figures"] if one["scope"] == "vehicle"} >= {"latency", "lost"}
    with Store(tmp_path / "reports.db") as kept:
        assert len(list(kept.read(OTHER))) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ask", "SHORT query 02"], "is no VIN"),
        (["--ask", "LNVGATE00XDEM0001 dance"], "is no command"),
        (["--tls-key", "{}"], "needs the platform's certificate"),
        (["--tls-certificate", "{}"], "cannot be used for TLS"),
    ],
)
def test_what_the_command_refuses(tmp_path: Path, arguments: list[str], words: str) -> None:
    some = tmp_path / "some.pem"
    some.write_text("nothing")
    ran = CliRunner().invoke(serve_command, [one.format(some) for one in arguments])
    assert words in str(ran.exception)
    assert ran.exception is not None
    assert type(ran.exception).__module__ in {KeyFileError.__module__, "edge.wire.gbt.faults"}


def test_the_end_is_orderly() -> None:
    async def work() -> None:
        heard = Heard()
        async with GbtServer(GbtPlatform(), on_event=heard.take) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            writer.write(login(Y2016))
            await said(reader)
            assert isinstance(heard.events[0], LoggedIn)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        assert heard.events[-1] == Closed(VIN.decode(), "the platform ends")
        writer.close()

    run(work)


def test_time_on_the_wire_is_the_clocks() -> None:
    async def work() -> None:
        async with GbtServer(GbtPlatform()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
            before_s = now_s()
            writer.write(command(Y2016, Command.TIME_SYNC))
            assert time_bytes(before_s) <= (await said(reader)).unit <= time_bytes(now_s())
            writer.close()

    run(work)
