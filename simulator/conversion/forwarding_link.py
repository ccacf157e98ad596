"""Runs a `ForwardSession` over TCP, with TLS unless it is told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import NS_PER_S, Clock
from edge.uplink.failures import connect_failure
from simulator.conversion.forward_rules import Action, Connect, HangUp, Transmit
from simulator.conversion.forwarding import ForwardSession

CONNECT_TIMEOUT_S = 10.0
_PIECE_BYTES = 65_536
_STOP_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class PlatformAddress:
    """Where the other platform is.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: what to trust and show; None for plain TCP.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ForwardLink:
    """Carries a session until it has ended.

    Args:
        session: what to carry.
        address: where to.
        clock: the session's; it has to move with the time of the event loop.
        stop: asked again and again whether to end; then the session waits for answers as its rules say.
    """

    def __init__(
        self, session: ForwardSession, address: PlatformAddress, clock: Clock, stop: Callable[[], bool]
    ) -> None:
        self._session = session
        self._address = address
        self._clock = clock
        self._stop = stop
        self._arrivals: asyncio.Queue[bytes | str] = asyncio.Queue(16)
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Carry the session to its end."""
        try:
            await self._do(self._session.start())
            while not self._session.ended:
                if self._stop():
                    await self._do(self._session.stop())
                    if self._session.ended:
                        break
                heard = await self._next()
                if heard is None:
                    await self._do(self._session.tick())
                elif isinstance(heard, bytes):
                    await self._do(self._session.received(heard))
                else:
                    await self._hang_up()
                    await self._do(self._session.closed(heard))
        finally:
            await self._hang_up()

    async def _next(self) -> bytes | str | None:
        """What comes next: bytes, why the connection ended, or None when the session's time has come."""
        wake_ns = self._session.wake_ns
        left_s = _STOP_LOOK_S if wake_ns is None else (wake_ns - self._clock.boot_ns()) / NS_PER_S
        try:
            async with asyncio.timeout(min(max(left_s, 0.0), _STOP_LOOK_S)):
                return await self._arrivals.get()
        except TimeoutError:
            return None

    async def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Connect():
                    await self._connect()
                case Transmit():
                    if self._writer is not None:
                        self._writer.write(action.data)
                case HangUp():
                    await self._hang_up()

    async def _connect(self) -> None:
        address = self._address
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, self._writer = await asyncio.open_connection(
                    address.host, address.port, ssl=address.tls
                )
        except OSError as error:
            reason = connect_failure(error, host=address.host, ca_file=None, timeout_s=CONNECT_TIMEOUT_S)
            await self._do(self._session.closed(reason.what))
            return
        self._reading = asyncio.create_task(self._read(reader))
        await self._do(self._session.opened())

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(_PIECE_BYTES):
                await self._arrivals.put(data)
        except OSError as error:
            await self._arrivals.put(error.strerror or str(error))
        else:
            await self._arrivals.put("the other side closed it")

    async def _hang_up(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
        while not self._arrivals.empty():
            self._arrivals.get_nowait()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await writer.wait_closed()
