"""Opens the live buses and sensors that a configuration names."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from edge.bus import multicast
from edge.bus.condition import BusCondition, Conditions
from edge.bus.merge import merge
from edge.bus.socketcan.choose import RING, open_socketcan
from edge.bus.socketcan.ring import BLOCK_TIMEOUT_MS, RING_BYTES
from edge.bus.socketcan.sharing import BusOfRing, open_together
from edge.bus.source import FrameSource
from edge.bus.vlink.board_report import Member
from edge.bus.vlink.ports import open_board
from edge.bus.vlink.source import VlinkSource
from edge.clock import Clock
from edge.config.bus import BusSection
from edge.config.configuration import Config
from edge.config.sensor import GpsdSection, IioSection, NmeaSection
from edge.config.socketcan import PYTHON_CAN, SOCKETCAN, SocketCanOptions
from edge.config.vlink import VLINK, VlinkOptions
from edge.errors import ConfigError
from edge.power.board_line import BoardLine
from edge.sensors.gpsd import Gpsd
from edge.sensors.iio import IioAccelerometer
from edge.sensors.nmea_serial import NmeaSerial
from edge.sensors.source import ItemSource

LOW_BLOCK_TIMEOUT_MS = 1
"""In low latency a ring keeps a frame no longer than it must: up to twice that passes."""

FEW = 2
"""From so many buses on, sharing a ring spares something."""


def open_buses(
    config: Config, clock: Clock, conditions: Conditions | None = None, power: BoardLine | None = None
) -> FrameSource:
    """Open every bus that has an interface, as one source in time order.

    Args:
        config: names them.
        clock: stamps what they receive.
        conditions: where it is put down how each of them stands.
        power: what reaches the supervisor of power, where the configuration names one; its board is spoken
            with until that hangs up.

    Raises:
        ConfigError: if no bus has an interface.
        SourceError: if an interface cannot be opened.
    """
    live = [bus for bus in config.bus if bus.interface]
    if not live:
        raise ConfigError(
            "no bus has an interface", todo='Give one to a bus: interface = "socketcan", channel = "can0"'
        )
    multicast.refuse_shared_ports(
        {bus.name: _multicast_port(bus) for bus in live if bus.interface == multicast.INTERFACE}
    )
    told = conditions or Conditions()
    with ExitStack() as stack:
        low = config.capture.latency == "low"
        together = _together(live, clock, told, low=low)
        sources = [stack.enter_context(source) for source in together.values()]
        boards = _boards(live, clock, told, config.power_bus, power)
        sources += [stack.enter_context(source) for source in boards.values()]
        taken = {bus for buses in (*together, *boards) for bus in buses}
        sources += [
            stack.enter_context(_open_bus(bus, clock, told, low=low)) for bus in live if bus.name not in taken
        ]
        stack.pop_all()
    if len(sources) == 1 and together:
        return sources[0]
    return merge(sources, horizon_s=config.sampling.reorder_horizon_s, clock=clock)


def _together(
    live: Sequence[BusSection], clock: Clock, conditions: Conditions, *, low: bool
) -> dict[tuple[str, ...], FrameSource]:
    """Open buses of SocketCAN that want the same of a ring with one, where that works; by their names."""
    alike: defaultdict[tuple[bool, int, int], list[BusOfRing]] = defaultdict(list)
    for bus in live:
        if bus.interface != SOCKETCAN:
            continue
        options, _ = SocketCanOptions.of(bus.options)
        if options.way in {None, RING} and not options.hardware_stamps:
            wanted = (
                options.any_link,
                options.ring_bytes or RING_BYTES,
                options.block_timeout_ms or _block_timeout_ms(low=low),
            )
            alike[wanted].append(
                BusOfRing(bus.name, bus.channel, bus.fd, bus.bitrate, bus.data_bitrate, options.listen_only)
            )
    found: dict[tuple[str, ...], FrameSource] = {}
    with ExitStack() as stack:
        for (any_link, ring_bytes, block_timeout_ms), buses in alike.items():
            if len(buses) < FEW:
                continue
            source = open_together(
                buses,
                clock=clock,
                any_link=any_link,
                ring_bytes=ring_bytes,
                block_timeout_ms=block_timeout_ms,
                conditions=conditions,
            )
            if source is not None:
                found[tuple(bus.name for bus in buses)] = stack.enter_context(source)
        stack.pop_all()
    return found


def _boards(
    live: Sequence[BusSection],
    clock: Clock,
    conditions: Conditions,
    power_bus: str | None,
    power: BoardLine | None,
) -> dict[tuple[str, ...], FrameSource]:
    """Open the boards that speak vlink, each as one source of its buses; by their names."""
    members: defaultdict[tuple[str, int], list[Member]] = defaultdict(list)
    for bus in live:
        if bus.interface == VLINK:
            options = VlinkOptions.of(bus.options)
            members[bus.channel, options.speed].append(
                Member(bus.name, options.bus, bus.bitrate, bus.data_bitrate, bus.fd)
            )
    found: dict[tuple[str, ...], FrameSource] = {}
    with ExitStack() as stack:
        for (channel, speed), buses in members.items():
            names = tuple(bus.name for bus in buses)
            supervises = power is not None and power_bus in names
            source = VlinkSource(
                buses,
                partial(open_board, channel, speed),
                clock=clock,
                random_u32=partial(secrets.randbits, 32),
                conditions=conditions,
                attended=supervises,
            )
            found[names] = stack.enter_context(source)
            if power is not None and supervises:
                power.reach(source)
        stack.pop_all()
    return found


def _block_timeout_ms(*, low: bool) -> int:
    return LOW_BLOCK_TIMEOUT_MS if low else BLOCK_TIMEOUT_MS


def _open_bus(bus: BusSection, clock: Clock, conditions: Conditions, *, low: bool) -> FrameSource:
    if bus.interface == SOCKETCAN:
        options, others = SocketCanOptions.of(bus.options)
        if options.block_timeout_ms is None:
            options = options.model_copy(update={"block_timeout_ms": _block_timeout_ms(low=low)})
        return open_socketcan(
            bus.name,
            bus.channel,
            fd=bus.fd,
            clock=clock,
            bitrate=bus.bitrate,
            data_bitrate=bus.data_bitrate,
            options=others,
            conditions=conditions,
            **options.model_dump(exclude_none=True),
        )
    from edge.bus.live import open_interface  # noqa: PLC0415 - python-can is large, and a ring does without

    conditions.tell(BusCondition(bus.name, f"{bus.interface} {bus.channel}", PYTHON_CAN))
    return open_interface(
        name=bus.name,
        interface=bus.interface,
        channel=bus.channel,
        bitrate=bus.bitrate,
        data_bitrate=bus.data_bitrate,
        fd=bus.fd,
        clock=clock,
        options=bus.options,
    )


def _multicast_port(bus: BusSection) -> int:
    _, port = multicast.group_and_port(bus.channel)
    return port or int(bus.options.get("port", multicast.DEFAULT_PORT))


def open_sensors(config: Config, clock: Clock, stack: ExitStack) -> tuple[ItemSource, ...]:
    """Open every sensor; `stack` closes them.

    Raises:
        SourceError: if one cannot be opened.
    """
    return tuple(stack.enter_context(_sensor(section, clock)) for section in config.sensor)


def _sensor(section: NmeaSection | GpsdSection | IioSection, clock: Clock) -> ItemSource:
    match section:
        case NmeaSection():
            return NmeaSerial(section.device, clock=clock, baud=section.baud)
        case GpsdSection():
            return Gpsd(clock=clock, host=section.host, port=section.port)
        case IioSection():
            return IioAccelerometer(section.folder, clock=clock, period_s=section.period_s)
