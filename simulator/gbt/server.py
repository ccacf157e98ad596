"""`GbtServer`: a platform on TCP or TLS; one thread, bounded buffers, slow readers dropped."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from edge.clock import Clock, SystemClock
from edge.errors import NevgateError, UplinkError
from edge.wire.gbt.frame import Encryption
from simulator.gbt.asks import Ask
from simulator.gbt.events import Event, Turn
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.session import PlatformConnection
from simulator.gbt.vehicle_state import Standing

LOOPBACK = "127.0.0.1"
TICK_S = 0.25
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What bounds a server.

    Attributes:
        connections: at once; one more is closed as soon as it opens.
        unsent_bytes: answers that may wait for a client to read, here and in the kernel each; beyond, nothing
            is read from it any more.
        unread_s: seconds that they may wait; then the client is dropped.
        closing_s: seconds that the last answers may take on a connection that is being closed.
    """

    connections: int = 4096
    unsent_bytes: int = 65_536
    unread_s: float = 10.0
    closing_s: float = 5.0


class _Link(asyncio.Protocol):
    """One socket and its connection of the platform."""

    transport: asyncio.Transport
    connection: PlatformConnection

    def __init__(self, server: GbtServer) -> None:
        self.server = server
        self.stalled_s: float | None = None
        self.closing_s: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        server = self.server
        peer = transport.get_extra_info("peername")
        name = f"{peer[0]}:{peer[1]}" if peer else "?"
        self.connection = server.platform.connect(server.clock.wall_ns(), name)
        if len(server.links) >= server.limits.connections:
            server.refused += 1
            self.closing_s = server.elapsed_s()
            self.transport.abort()
            return
        self.transport.set_write_buffer_limits(high=server.limits.unsent_bytes)
        # The kernel would else let megabytes of answers wait for a client that reads none.
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, server.limits.unsent_bytes)
        server.links[self.connection] = self
        server.opened += 1

    def data_received(self, data: bytes) -> None:
        if self.closing_s is None:
            self.server.guarded(self._take, data)

    def _take(self, data: bytes) -> None:
        self.carry_out(self.connection.take(data, self.server.clock.wall_ns()))
        self.server.drop_superseded()

    def carry_out(self, turn: Turn) -> None:
        """Send and tell what a turn says, and close where it says so."""
        if turn.send and not self.transport.is_closing():
            self.transport.write(turn.send)
        if turn.events:
            self.server.told(self.connection, turn.events)
        if turn.close:
            self.closing_s = self.server.elapsed_s()
            self.transport.close()

    def pause_writing(self) -> None:
        self.stalled_s = self.server.elapsed_s()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.stalled_s = None
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        server = self.server
        if server.links.pop(self.connection, None) is None:
            return
        why = "the other side has closed it" if exc is None else f"the connection broke: {_words(exc)}"
        server.guarded(self._lost, why)
        server.closed += 1
        server.changed.set()

    def _lost(self, why: str) -> None:
        turn = self.connection.lost(self.server.clock.wall_ns(), why)
        self.server.told(self.connection, turn.events)

    def tick(self) -> None:
        """Time has passed."""
        server = self.server
        elapsed_s = server.elapsed_s()
        if self.closing_s is not None:
            if elapsed_s - self.closing_s >= server.limits.closing_s:
                self.transport.abort()
            return
        self.carry_out(self.connection.tick(server.clock.wall_ns()))
        if self.stalled_s is not None and elapsed_s - self.stalled_s >= server.limits.unread_s:
            self.carry_out(self.connection.end("it does not read what it is answered"))
            self.transport.abort()


class GbtServer:
    """Serves a platform on one address, within the event loop that starts it.

    Args:
        platform: what speaks.
        host: address to listen at; loopback unless said otherwise.
        port: 0 for one that is free; `bound_port` tells it.
        tls: context of a server; None for plain TCP.
        clock: gives Unix time.
        limits: bounds.
        on_event: called for each event, with its connection; it must not block.

    Attributes:
        platform: see above.
        links: sockets by connection.
        opened: connections in all.
        closed: those that have ended.
        refused: connections beyond the limit.
        changed: set whenever a connection has ended.
    """

    def __init__(
        self,
        platform: GbtPlatform,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        limits: ServerLimits | None = None,
        on_event: Callable[[PlatformConnection, Event], None] | None = None,
    ) -> None:
        self.platform = platform
        self.clock = clock or SystemClock()
        self.limits = limits or ServerLimits()
        self.links: dict[Standing, _Link] = {}
        self.opened = self.closed = self.refused = 0
        self.changed = asyncio.Event()
        self._host, self._port, self._tls = host, port, tls
        self._on_event = on_event
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._failure: NevgateError | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            UplinkError: the address cannot be listened at.
        """
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: _Link(self), self._host, self._port, ssl=self._tls, backlog=1024
            )
        except OSError as error:
            raise UplinkError(
                f"cannot listen: {error.strerror or error}",
                where=f"{self._host}:{self._port}",
                todo="Is the port in use? --port 0 takes a free one",
            ) from error
        self._ticker = asyncio.create_task(self._tick())

    @property
    def bound_port(self) -> int:
        """The port that is listened at; 0 before `start`."""
        if self._listener is None:
            return 0
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    @property
    def failed(self) -> bool:
        """Whether something ended the service; `raise_failure` says what."""
        return self._failure is not None

    def raise_failure(self) -> None:
        """Raise what ended the service, if anything did.

        Raises:
            NevgateError: such as a store that cannot be written any more.
        """
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Close every connection in order, and make durable what was taken."""
        if self._listener is not None:
            self._listener.close()
        if self._ticker is not None:
            self._ticker.cancel()
        for link in list(self.links.values()):
            if link.closing_s is None:
                link.carry_out(link.connection.end("the platform ends"))
        end_s = self.elapsed_s() + self.limits.closing_s
        while self.links and self.elapsed_s() < end_s:
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), end_s - self.elapsed_s())
            except TimeoutError:
                break
        for link in list(self.links.values()):
            link.transport.abort()
        self.guarded(self.platform.commit)

    def ask(self, vin: bytes, ask: Ask) -> None:
        """Send a command to a vehicle's terminal.

        Raises:
            GbtError: the vehicle has no connection of its own, or its edition cannot say that.
        """
        connection, data = self.platform.ask(vin, ask, self.clock.wall_ns())
        self.links[connection].carry_out(Turn(data))

    def offer_key(self, connection: PlatformConnection, code: Encryption) -> None:
        """Send a new data key to a vehicle's terminal.

        Raises:
            GbtError: it cannot be; see `PlatformConnection.offer_key`.
        """
        data = connection.offer_key(code, secrets.token_bytes(_KEY_BYTES), self.clock.wall_ns())
        self.links[connection].carry_out(Turn(data))

    def told(self, connection: PlatformConnection, events: tuple[Event, ...]) -> None:
        """Hand events on."""
        if self._on_event is not None:
            for one in events:
                self._on_event(connection, one)

    def drop_superseded(self) -> None:
        """Close connections that a login on another one has ended."""
        for connection, turn in self.platform.dropped():
            link = self.links.get(connection)
            if link is not None:
                link.carry_out(turn)

    def elapsed_s(self) -> float:
        """Seconds since boot."""
        return self.clock.boot_ns() / 1e9

    def guarded(self, work: Callable[..., None], *given: object) -> None:
        """Do something that may fail for good, such as writing the store; then the service is over."""
        try:
            work(*given)
        except NevgateError as error:
            self._failure = self._failure or error
            self.changed.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for link in list(self.links.values()):
                self.guarded(link.tick)
            self.guarded(self.platform.commit)


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
