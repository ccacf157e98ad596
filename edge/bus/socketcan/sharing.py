"""`open_together`: several CAN interfaces as one source out of one ring, where that can be had."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from edge.bus.condition import Conditions
from edge.bus.socketcan.choose import RING, open_ring, report_link
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import Expected
from edge.bus.socketcan.ring import INTERFACES_MAX
from edge.bus.socketcan.state_log import StateLog
from edge.bus.socketcan.together import Member, TogetherSource
from edge.bus.source import FrameSource
from edge.clock import Clock
from edge.config.socketcan import REQUIRED
from edge.errors import SourceError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BusOfRing:
    """A bus that may share a ring with others.

    Attributes:
        name: of the bus.
        channel: the interface: ``can0``.
        fd: whether CAN FD frames are expected.
        bitrate: bits a second that the interface should have.
        data_bitrate: the same for the data phase of CAN FD.
        listen_only: see `open_socketcan`.
    """

    name: str
    channel: str
    fd: bool = False
    bitrate: int | None = None
    data_bitrate: int | None = None
    listen_only: str = REQUIRED


def open_together(
    buses: Sequence[BusOfRing],
    *,
    clock: Clock,
    any_link: bool,
    ring_bytes: int,
    block_timeout_ms: int,
    conditions: Conditions,
) -> FrameSource | None:
    """Open several interfaces with one ring.

    Args:
        buses: with interfaces that are there, down or up, each another one.
        clock: gives boot-monotonic time.
        any_link: whether interfaces may be none of CAN.
        ring_bytes: memory of the ring for each bus.
        block_timeout_ms: for how long the ring gathers frames at most.
        conditions: where it is put down how the buses stand.

    Returns:
        The source; None where it cannot be had, and the log says why: each is to be opened by itself then,
        which also says what is wrong with which.
    """
    names = ", ".join(bus.name for bus in buses)
    if len({bus.channel for bus in buses}) < len(buses) or len(buses) > INTERFACES_MAX:
        return None
    with ExitStack() as stack:
        try:
            watches = [stack.enter_context(LinkWatch(bus.channel, clock)) for bus in buses]
        except SourceError as error:
            logger.info("buses %s: have no ring together: %s", names, error)
            return None
        interfaces = [watch.state.name for watch in watches if watch.state is not None]
        if len(interfaces) < len(buses):
            return None
        try:
            reception, words = open_ring(
                interfaces,
                ring_bytes=ring_bytes * len(buses),
                block_timeout_ms=block_timeout_ms,
                hardware_stamps=False,
                any_link=any_link,
            )
        except OSError as error:
            logger.info("buses %s: have no ring together: %s", names, error.strerror or error)
            return None
        stack.callback(reception.close)
        # Only now does anybody report on the links: those of a bus opened by itself are reported on there.
        members = []
        for bus, watch in zip(buses, watches, strict=True):
            expected = Expected(bus.bitrate, bus.data_bitrate, bus.fd, bus.listen_only == REQUIRED)
            link = report_link(watch, bus.name, bus.channel, clock, expected, conditions)
            members.append(Member(bus.name, link, StateLog(bus.name, clock)))
        source = TogetherSource(members, reception, clock)
        stack.pop_all()
    for bus in buses:
        conditions.tell(replace(conditions.of(bus.name), way=RING))
    channels = ", ".join(bus.channel for bus in buses)
    logger.info("buses %s: %s are read by %s together", names, channels, words)
    return source
