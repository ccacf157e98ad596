"""`open_interface`: any of python-can's interfaces as a `FrameSource`."""

from __future__ import annotations

import logging
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from edge.account import Hop
from edge.bus import multicast
from edge.bus.can_words import kind_of
from edge.bus.formats.rows import MalformedError, Row, piece_of, row_of
from edge.bus.receive_buffer import LOST, ForeignBuffer
from edge.bus.source import FrameSource
from edge.bus.stamps import StampConverter
from edge.bus.tally import Tally
from edge.clock import Clock, Timebase
from edge.errors import SourceError
from edge.frames import FrameBatch, FrameFlag
from edge.lean_can import can

logger = logging.getLogger(__name__)

QUEUE_FRAMES = 1 << 17
BURST_FRAMES = 1024
LAST_FRAMES = 65_536
"""Taken at most when the source is closed: a bus that goes on talking must not keep it open."""
BUFFER_BYTES = 4 << 20
"""Wanted of the kernel for a socket; the usual 208 KiB are some 300 datagrams."""
WAIT_S = 0.1
ERRORS_IN_A_ROW = 3
REOPEN_FIRST_S, REOPEN_MAX_S = 0.1, 5.0

INTERFACE_ERRORS = (
    can.CanError,
    OSError,
    ValueError,
    IndexError,
    AssertionError,
    NotImplementedError,
    ImportError,
    TypeError,
    struct.error,
)
"""What python-can's interfaces raise when a device is missing, goes away, or sends what they cannot read."""

CONTROLLER_PROBLEM, RECEIVE_OVERFLOW = 0x004, 0x01
"""CAN_ERR_CRTL in the id and CAN_ERR_CRTL_RX_OVERFLOW in data[1] of an error frame (linux/can/error.h)."""

LINUX_ERROR_FRAMES = frozenset({"socketcan", "gs_usb", "socketcand"})
EXTRAS = {"udp_multicast": "pip install 'nevgate[bench]'"}


def open_interface(
    *,
    name: str,
    interface: str,
    channel: str,
    bitrate: int | None = None,
    data_bitrate: int | None = None,
    fd: bool = False,
    clock: Clock,
    options: Mapping[str, object] | None = None,
    patience_s: float | None = None,
) -> InterfaceSource:
    """Open an interface of python-can for reading.

    Args:
        name: name of the bus.
        interface: python-can's name of the interface: ``socketcan``, ``slcan``, ``gs_usb``, ``virtual``,
            ``udp_multicast`` …
        channel: what the interface calls its channel: ``can0``, ``/dev/ttyACM0``, ``239.74.163.2:43114`` …
        bitrate: bits a second, where the interface sets it.
        data_bitrate: bits a second of the data phase of CAN FD, where the interface sets it.
        fd: whether CAN FD frames are to be received.
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.
        options: further settings, handed to python-can as they are.
        patience_s: how long an interface that went away is tried again before `read` raises; None: for ever.

    Raises:
        SourceError: if the interface cannot be opened now.
    """
    settings: dict[str, object] = {**(options or {})}
    if bitrate is not None:
        settings["bitrate"] = bitrate
    if data_bitrate is not None:
        settings["data_bitrate"] = data_bitrate
    if fd:
        settings["fd"] = True
    opened = channel
    if interface == multicast.INTERFACE:
        opened, port = multicast.group_and_port(channel)
        if port is not None:
            settings["port"] = port

    def open_bus() -> can.BusABC:
        return can.Bus(channel=opened, interface=interface, ignore_config=True, **settings)  # type: ignore[arg-type]

    return InterfaceSource(
        name=name,
        interface=interface,
        where=f"{interface} {channel}",
        open_bus=open_bus,
        clock=clock,
        patience_s=patience_s,
    )


class InterfaceSource(FrameSource):
    """A live interface, emptied by a thread of its own into a bounded queue.

    The thread stands between interface and gateway because the kernel's socket buffer may hold a few hundred
    frames only; the queue holds 131,072 and counts what does not fit as ``reader queue full``. What did not
    fit into the buffer of a socket counts as ``lost: socket buffer full``; interfaces that are no socket have
    no such count.

    An interface that raises three times running is closed and opened again, first after 0.1 s, then after
    twice as long each time up to 5 s; `outage` says why, the facts ``outages`` and ``reopened`` count it.
    What was sent meanwhile is unknown. Single errors in between (a garbled datagram) count as at least one
    frame ``unreadable by the interface``; a controller's receive overflow as at least one ``controller
    overflow``.
    """

    live = True

    def __init__(
        self,
        *,
        name: str,
        interface: str,
        where: str,
        open_bus: Callable[[], can.BusABC],
        clock: Clock,
        patience_s: float | None = None,
        queue_frames: int = QUEUE_FRAMES,
    ) -> None:
        self._name = name
        self._interface = interface
        self._where = where
        self._open_bus = open_bus
        self._clock = clock
        self._patience_s = patience_s
        self._queue_frames = queue_frames
        self._queue: deque[Row] = deque()
        self._tally = Tally()
        self._stamps = StampConverter()
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._stop = threading.Event()
        self._anew = threading.Event()
        self._failure: SourceError | None = None
        self._outage = ""
        self._buffer: ForeignBuffer | None = None
        self._bus: can.BusABC | None = self._opened()
        self._thread = threading.Thread(target=self._run, name=f"bus {name}", daemon=True)
        self._thread.start()

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`: the one."""
        return (self._name,)

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`: the clock's."""
        return self._clock.timebase()

    @property
    def outage(self) -> str:
        """Why the interface is away at present; empty while it is there."""
        return self._outage

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; None only after `close`.

        Raises:
            SourceError: if the interface has been away for longer than `patience_s`.
        """
        if not self._queue and not self._stop.is_set() and self._failure is None:
            self._clock.wait(self._arrived, timeout_s)
        with self._lock:
            rows = list(self._queue)
            self._queue.clear()
            self._arrived.clear()
            if self._failure is not None:
                self._arrived.set()
            failure = self._failure
            timebase = self._clock.timebase()
        if not rows:
            if failure is not None:
                raise failure
            return None if self._stop.is_set() else FrameBatch.empty(self.buses)
        piece = piece_of(rows)
        batch = FrameBatch(
            t_ns=piece.t_ns,
            bus=piece.channel.astype("uint8"),
            arbitration_id=piece.arbitration_id,
            flags=piece.flags,
            length=piece.length,
            data=piece.data,
            buses=self.buses,
            timebase=timebase,
        )
        with self._lock:
            self._tally.hand_on(batch)
        return batch

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        self._arrived.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def open_anew(self) -> None:
        """Have the interface closed and opened again: it went away, and is another one now.

        A socket of the kernel says so once, and is deaf from then on.
        """
        self._anew.set()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        with self._lock:
            self._count_dropped()
            self._tally.facts.update(self._stamps.facts)
            self._stamps.facts.clear()
            return self._tally.hop(f"bus {self._name}", ended=False)

    def _count_dropped(self) -> None:
        """Count what the kernel has dropped; under the lock, so that nobody closes the socket meanwhile."""
        dropped = self._buffer.newly_dropped() if self._buffer is not None else 0
        if dropped:
            self._tally.refuse(LOST, dropped)

    def _opened(self) -> can.BusABC:
        try:
            bus = self._open_bus()
        except INTERFACE_ERRORS as error:
            raise SourceError(
                f"cannot be opened: {error}",
                where=f"bus {self._name} ({self._where})",
                todo=EXTRAS.get(self._interface, ""),
            ) from error
        with self._lock:
            self._buffer = _buffer_of(bus)
        return bus

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._drain()
                if not self._stop.is_set() and not self._reopen():
                    return
        except Exception as error:  # noqa: BLE001 - a thread has no caller; read() raises it
            self._fail(f"failed: {kind_of(error)}")
        finally:
            self._shut()

    def _drain(self) -> None:
        """Receive until told to stop, or until the interface is gone."""
        bus = self._bus
        errors = 0
        while bus is not None and not self._stop.is_set():
            burst: list[can.Message] = []
            try:
                message = bus.recv(WAIT_S)
                while message is not None:
                    burst.append(message)
                    message = bus.recv(0) if len(burst) < BURST_FRAMES else None
            except INTERFACE_ERRORS as error:
                if burst:
                    self._settle(errors)
                    errors = 0
                errors += 1
                self._outage = kind_of(error)
            else:
                self._settle(errors)
                errors = 0
            if burst:
                self._take(burst)
            if self._anew.is_set():
                self._anew.clear()
                self._take_what_waits(bus)
                return
            if errors >= ERRORS_IN_A_ROW:
                return
        if bus is not None:
            self._take_what_waits(bus)

    def _take_what_waits(self, bus: can.BusABC) -> None:
        """Receive what the system had received before the stop, as far as it is there at once."""
        burst: list[can.Message] = []
        try:
            while len(burst) < LAST_FRAMES and (message := bus.recv(0)) is not None:
                burst.append(message)
        except INTERFACE_ERRORS as error:
            logger.info("bus %s: nothing more can be received at the end: %s", self._name, kind_of(error))
        if burst:
            self._take(burst)

    def _settle(self, errors: int) -> None:
        """The interface works after `errors` errors: each was a frame that it could not read."""
        if errors:
            self._outage = ""
            with self._lock:
                self._tally.at_least["unreadable by the interface"] += errors

    def _take(self, burst: list[can.Message]) -> None:
        """Stamp, convert and queue what was received in one go."""
        timebase = self._clock.timebase()
        now_ns = self._clock.boot_ns()
        with self._lock:
            for message in burst:
                t_ns = self._stamps.boot_ns(message.timestamp, now_ns, timebase)
                try:
                    row = row_of(message, self._name, t_ns)
                except MalformedError as error:
                    self._tally.refuse(str(error))
                    continue
                if row[3] & FrameFlag.ERROR and self._overflowed(row):
                    self._tally.at_least["controller overflow"] += 1
                if len(self._queue) < self._queue_frames:
                    self._tally.entered += 1
                    self._queue.append(row)
                else:
                    self._tally.refuse("reader queue full")
            self._arrived.set()

    def _overflowed(self, row: Row) -> bool:
        number, data = row[2], row[4]
        return (
            self._interface in LINUX_ERROR_FRAMES
            and bool(number & CONTROLLER_PROBLEM)
            and bool(data[1:2])
            and bool(data[1] & RECEIVE_OVERFLOW)
        )

    def _reopen(self) -> bool:
        """Open the interface again, trying until it works, or patience or the source ends."""
        with self._lock:
            self._tally.facts["outages"] += 1
        self._shut()
        gone_ns = self._clock.boot_ns()
        delay_s = REOPEN_FIRST_S
        while not self._clock.wait(self._stop, delay_s):
            try:
                self._bus = self._opened()
            except SourceError as error:
                self._outage = error.what
                away_s = (self._clock.boot_ns() - gone_ns) / 1e9
                if self._patience_s is not None and away_s >= self._patience_s:
                    self._fail(f"has been away for {away_s:.0f} s: {error.what}")
                    return False
                delay_s = min(2 * delay_s, REOPEN_MAX_S)
            else:
                with self._lock:
                    self._stamps = StampConverter()
                    self._tally.facts["reopened"] += 1
                self._outage = ""
                return True
        return False

    def _fail(self, what: str) -> None:
        with self._lock:
            self._failure = SourceError(what, where=f"bus {self._name} ({self._where})")
            self._arrived.set()

    def _shut(self) -> None:
        bus, self._bus = self._bus, None
        with self._lock:
            self._count_dropped()
            self._buffer = None
        if bus is not None:
            with suppress(*INTERFACE_ERRORS):
                bus.shutdown()


def _buffer_of(bus: can.BusABC) -> ForeignBuffer | None:
    """The receive buffer of a bus's socket; None where it has none."""
    try:
        return ForeignBuffer(bus.fileno(), BUFFER_BYTES)
    except (OSError, NotImplementedError, ValueError):
        return None
