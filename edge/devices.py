"""Opens the live buses and sensors that a configuration names."""

from __future__ import annotations

from contextlib import ExitStack

from edge.bus import multicast
from edge.bus.condition import BusCondition, Conditions
from edge.bus.merge import merge
from edge.bus.socketcan.choose import open_socketcan
from edge.bus.source import FrameSource
from edge.clock import Clock
from edge.config import BusSection, Config, GpsdSection, IioSection, NmeaSection
from edge.config_socketcan import PYTHON_CAN, SOCKETCAN, SocketCanOptions
from edge.errors import ConfigError
from edge.sensors.gpsd import Gpsd
from edge.sensors.iio import IioAccelerometer
from edge.sensors.nmea_serial import NmeaSerial
from edge.sensors.source import ItemSource


def open_buses(config: Config, clock: Clock, conditions: Conditions | None = None) -> FrameSource:
    """Open every bus that has an interface, as one source in time order.

    Args:
        config: names them.
        clock: stamps what they receive.
        conditions: where it is put down how each of them stands.

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
        sources = [stack.enter_context(_open_bus(bus, clock, told)) for bus in live]
        stack.pop_all()
    return merge(sources, horizon_s=config.sampling.reorder_horizon_s, clock=clock)


def _open_bus(bus: BusSection, clock: Clock, conditions: Conditions) -> FrameSource:
    if bus.interface == SOCKETCAN:
        options, others = SocketCanOptions.of(bus.options)
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
