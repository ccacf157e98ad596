"""`open_socketcan`: a CAN interface of the kernel by the best way that there is, and why it is that one."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from edge.bus.condition import Conditions
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import Expected, LinkReport
from edge.bus.socketcan.raw import BUFFER_BYTES, RawReception
from edge.bus.socketcan.reception import Reception
from edge.bus.socketcan.rights import refused
from edge.bus.socketcan.ring import BLOCK_TIMEOUT_MS, RING_BYTES, RingReception
from edge.bus.socketcan.source import SocketCanSource
from edge.bus.socketcan.watched import WatchedSource
from edge.bus.source import FrameSource
from edge.clock import Clock
from edge.config.socketcan import PYTHON_CAN, REQUIRED, SOCKETCAN
from edge.errors import ConfigError, SourceError

RING, RAW = "ring", "raw"
WAYS = (RING, RAW, PYTHON_CAN)
"""How frames can be taken, the best first."""

RING_BYTES_MIN = 1 << 18
"""A ring is not made smaller than this where memory is short: it would hold 70 ms of a busy bus."""

_SAME_FOR_ALL = frozenset({errno.ENODEV, errno.ENXIO, errno.EMEDIUMTYPE})
"""Errors of the interface, which no other way would open either."""

logger = logging.getLogger(__name__)


def open_socketcan(
    name: str,
    channel: str,
    *,
    fd: bool = False,
    clock: Clock,
    way: str | None = None,
    bitrate: int | None = None,
    data_bitrate: int | None = None,
    listen_only: str = REQUIRED,
    any_link: bool = False,
    hardware_stamps: bool = False,
    ring_bytes: int = RING_BYTES,
    block_timeout_ms: int = BLOCK_TIMEOUT_MS,
    buffer_bytes: int = BUFFER_BYTES,
    options: Mapping[str, object] | None = None,
    patience_s: float | None = None,
    conditions: Conditions | None = None,
) -> FrameSource:
    """Open a CAN interface of the kernel for reading.

    A ring (`RingReception`) is tried first, then a raw CAN socket (`RawReception`), then python-can. The log
    says in one line which it is, and why nothing better. Nothing is set on the interface.

    Args:
        name: name of the bus.
        channel: the interface: ``can0``.
        fd: whether CAN FD frames are expected. Ring and raw socket take them in any case.
        clock: gives boot-monotonic time.
        way: ``ring``, ``raw`` or ``python-can`` to take that one or none; None: the best that there is.
        bitrate: bits a second that the interface should have; another is warned of.
        data_bitrate: the same for the data phase of CAN FD.
        listen_only: ``required`` to raise an alarm while the controller is not listen-only, ``any`` for one
            that is known to take part in the bus.
        any_link: whether a ring may be opened on an interface that is none of CAN.
        hardware_stamps: whether the controller's stamps are taken where it has them.
        ring_bytes: memory of the ring; less is taken where the kernel has not so much, and said.
        block_timeout_ms: for how long the ring gathers frames at most.
        buffer_bytes: receive buffer of a raw socket; what became of it is said.
        options: settings for python-can, handed to it as they are.
        patience_s: how long an interface that went away is waited for before `read` raises; None: for ever.
        conditions: where it is put down how the bus stands.

    Raises:
        ConfigError: there is no such way.
        SourceError: it cannot be opened; says what is missing and what to do.
    """
    if way is not None and way not in WAYS:
        raise ConfigError(
            f"there is no way '{way}' to take frames",
            where=f"bus {name}",
            todo=f"Take one of {', '.join(WAYS)}",
        )
    where = f"socketcan {channel}"
    opening = _Opening(name, channel, any_link, hardware_stamps, ring_bytes, block_timeout_ms, buffer_bytes)
    missed: list[tuple[str, SourceError]] = []
    told = conditions or Conditions()
    with ExitStack() as stack:
        expected = Expected(bitrate, data_bitrate, fd, listen_only == REQUIRED)
        opening.link = _link_of(name, channel, clock, expected, told, stack)
        for each in (RING, RAW) if way is None else (way,):
            if each == PYTHON_CAN:
                continue
            try:
                source = SocketCanSource(
                    name=name,
                    where=where,
                    open_reception=opening.by(each),
                    clock=clock,
                    link=opening.link,
                    patience_s=patience_s,
                )
            except SourceError as error:
                missed.append((each, error))
                if way is not None or _of_the_interface(error):
                    raise
            else:
                stack.pop_all()
                told.tell(replace(told.of(name), way=each))
                _say(name, channel, opening.words, missed)
                return source
        from edge.bus.live import open_interface  # noqa: PLC0415 - python-can is large, and needed by nothing else

        try:
            interface = open_interface(
                name=name,
                interface=SOCKETCAN,
                channel=channel,
                bitrate=bitrate,
                data_bitrate=data_bitrate,
                fd=fd,
                clock=clock,
                options=options,
                patience_s=patience_s,
            )
        except SourceError as error:
            if way is not None:
                raise
            missed.append((PYTHON_CAN, error))
            raise _none_of(missed) from error
        fallback: FrameSource = interface
        if opening.link is not None:
            fallback = WatchedSource(interface, opening.link, open_anew=interface.open_anew)
        stack.pop_all()
    told.tell(replace(told.of(name), way=PYTHON_CAN))
    _say(name, channel, "python-can, one call and one object a frame", missed)
    return fallback


class _Opening:
    """Opens receptions of one interface, also anew, and says in `words` what it has opened."""

    def __init__(
        self,
        name: str,
        channel: str,
        any_link: bool,
        hardware_stamps: bool,
        ring_bytes: int,
        block_timeout_ms: int,
        buffer_bytes: int,
    ) -> None:
        self.words = ""
        self.link: LinkReport | None = None
        self._name = name
        self._channel = channel
        self._any_link = any_link
        self._hardware_stamps = hardware_stamps
        self._ring_bytes = ring_bytes
        self._block_timeout_ms = block_timeout_ms
        self._buffer_bytes = buffer_bytes

    def by(self, way: str) -> Callable[[], Reception]:
        """What opens the interface by `way`, and says precisely why it cannot."""
        opened = self._ring if way == RING else self._raw

        def open_reception() -> Reception:
            channel = self._channel if self.link is None else self.link.interface
            try:
                return opened(channel)
            except OSError as error:
                raise refused(
                    error, way=way, channel=channel, where=f"bus {self._name} (socketcan {channel}, {way})"
                ) from error

        return open_reception

    def _ring(self, channel: str) -> Reception:
        reception, self.words = open_ring(
            (channel,),
            ring_bytes=self._ring_bytes,
            block_timeout_ms=self._block_timeout_ms,
            hardware_stamps=self._hardware_stamps,
            any_link=self._any_link,
        )
        return reception

    def _raw(self, channel: str) -> Reception:
        reception = RawReception.open(
            channel, hardware_stamps=self._hardware_stamps, buffer_bytes=self._buffer_bytes
        )
        short = ""
        if reception.buffer_bytes < 2 * self._buffer_bytes:
            short = (
                f" of the {_size(2 * self._buffer_bytes)} asked for: "
                f"raise it by sysctl net.core.rmem_max={self._buffer_bytes}"
            )
        self.words = f"a raw socket with a buffer of {_size(reception.buffer_bytes)}{short}"
        return reception


def open_ring(
    channels: Sequence[str], *, ring_bytes: int, block_timeout_ms: int, hardware_stamps: bool, any_link: bool
) -> tuple[RingReception, str]:
    """Open a ring, smaller where the kernel has not so much memory; say in words what it is.

    Raises:
        OSError: see `RingReception`.
    """
    size = ring_bytes
    while True:
        try:
            reception = RingReception(
                *channels,
                ring_bytes=size,
                block_timeout_ms=block_timeout_ms,
                hardware_stamps=hardware_stamps,
                any_link=any_link,
            )
        except OSError as error:
            if error.errno not in {errno.ENOMEM, errno.ENOBUFS} or size // 2 < RING_BYTES_MIN:
                raise
            size //= 2
        else:
            short = "" if size == ring_bytes else f", no memory for the {_size(ring_bytes)} asked for"
            return reception, f"a ring of {_size(size)}{short}"


def report_link(
    watch: LinkWatch, name: str, channel: str, clock: Clock, expected: Expected, conditions: Conditions
) -> LinkReport:
    """What reports on a link from now on, and puts down what is read by it."""
    _put_down(name, channel, expected, conditions)
    return LinkReport(watch, bus=name, clock=clock, expected=expected, conditions=conditions)


def _link_of(
    name: str, channel: str, clock: Clock, expected: Expected, conditions: Conditions, stack: ExitStack
) -> LinkReport | None:
    """The same for a link that is not watched yet; None where the kernel cannot be asked."""
    try:
        watch = LinkWatch(channel, clock)
    except SourceError as error:
        _put_down(name, channel, expected, conditions)
        logger.warning("bus %s: nobody watches its link: %s", name, error)
        return None
    return stack.enter_context(report_link(watch, name, channel, clock, expected, conditions))


def _put_down(name: str, channel: str, expected: Expected, conditions: Conditions) -> None:
    interface, required = f"socketcan {channel}", expected.listen_only
    conditions.tell(replace(conditions.of(name), interface=interface, listening_required=required))


def _of_the_interface(error: SourceError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _SAME_FOR_ALL


def _say(name: str, channel: str, words: str, missed: list[tuple[str, SourceError]]) -> None:
    why = "".join(f"; no {way}: {_reason(error)}" for way, error in missed)
    logger.log(
        logging.WARNING if missed else logging.INFO, "bus %s: %s is read by %s%s", name, channel, words, why
    )


def _reason(error: SourceError) -> str:
    return f"{error.what}. {error.todo}" if error.todo else error.what


def _none_of(missed: list[tuple[str, SourceError]]) -> SourceError:
    """The one error of an interface that no way opens."""
    todo = next((error.todo for _, error in missed if error.todo), "")
    return SourceError(
        "cannot be read in any way: " + "; ".join(f"{way}: {error.what}" for way, error in missed),
        where=missed[-1][1].where,
        todo=todo,
    )


def _size(count: int) -> str:
    """So many bytes, for people."""
    return f"{count / (1 << 20):.3g} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
