"""What parts of a configuration need of the system while they run, and what that leaves open in capture."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.config.sensor import GpsdSection, IioSection, NmeaSection
from edge.config.socketcan import PYTHON_CAN, SOCKETCAN
from edge.config.vlink import VLINK
from edge.sensors.gpsd import WATCH

if TYPE_CHECKING:
    # A confined process knows needs, and reads no configuration: all of that takes a second of its start.
    from edge.config.bus import BusSection
    from edge.config.configuration import Config

SHORT_BYTES = 12
"""As much may be written at once to a device that is told what to do, such as a serial adapter.

The shortest frame that a socket takes is one of CAN XL with 13 bytes (linux/can.h), so that none fits.
"""

REQUEST_BYTES = len(WATCH)
"""A request over TCP has exactly this length; neither a classic frame (16 bytes) nor an FD one (72) has."""


class Need(StrEnum):
    """Something that is refused to capture unless a source or sensor needs it."""

    CAN_SOCKETS = "CAN sockets"
    """Open raw CAN sockets, also again after an interface came back."""
    PACKET_SOCKETS = "packet sockets"
    """The same with packet sockets, which take ``CAP_NET_RAW``."""
    LINK_STATE = "link state"
    """Ask the kernel about network links, on the sockets that are open for it at the start."""
    DATAGRAMS = "datagrams"
    """Receive UDP."""
    REQUESTS = "requests"
    """Connect over TCP and send requests of `REQUEST_BYTES`."""
    NAME_LOOKUP = "name lookup"
    """Ask name servers."""
    SERIAL_PORTS = "serial ports"
    """Open and set up serial ports, also again after one was unplugged."""
    COMMANDS = "commands"
    """Write up to `SHORT_BYTES` at once to a device."""
    USB_DEVICES = "USB devices"
    """Drive USB devices."""
    UNKNOWN = "unknown"
    """Nobody has written down what it needs."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A need, and what has it.

    Attributes:
        need: what is needed.
        by: the part of the configuration, for people: ``bus pt (slcan)``.
    """

    need: Need
    by: str


_INTERFACES: Mapping[str, tuple[Need, ...]] = MappingProxyType(
    {
        SOCKETCAN: (Need.CAN_SOCKETS, Need.PACKET_SOCKETS, Need.LINK_STATE),
        "udp_multicast": (Need.DATAGRAMS,),
        "virtual": (),
        "serial": (Need.SERIAL_PORTS,),
        "slcan": (Need.SERIAL_PORTS, Need.COMMANDS),
        VLINK: (Need.SERIAL_PORTS, Need.COMMANDS),
        "gs_usb": (Need.USB_DEVICES, Need.COMMANDS),
    }
)
_WAYS: Mapping[object, tuple[Need, ...]] = MappingProxyType(
    {
        "ring": (Need.PACKET_SOCKETS, Need.LINK_STATE),
        "raw": (Need.CAN_SOCKETS, Need.LINK_STATE),
        PYTHON_CAN: (Need.CAN_SOCKETS, Need.LINK_STATE),
    }
)

_OPEN: Mapping[Need, str] = MappingProxyType(
    {
        Need.REQUESTS: f"capture can connect and send {REQUEST_BYTES} bytes at a time over the network",
        Need.NAME_LOOKUP: "capture can send on the network",
        Need.SERIAL_PORTS: "capture can open files and devices for writing, but create none",
        Need.COMMANDS: f"capture can write {SHORT_BYTES} bytes at a time to devices that it opens",
        Need.USB_DEVICES: "capture can open files and devices for writing, and drive USB devices",
        Need.UNKNOWN: "capture can send on buses and networks, and write to files and devices that are there",
    }
)


def needs_of(config: Config) -> tuple[Needed, ...]:
    """What the live buses and the sensors of a configuration need, in the order in which they stand there."""
    found: list[Needed] = []
    for bus in config.bus:
        if bus.interface:
            found += [Needed(need, f"bus {bus.name} ({bus.interface})") for need in _of_bus(bus)]
    for sensor in config.sensor:
        found += [Needed(need, f"sensor {sensor.kind}") for need in _of_sensor(sensor)]
    return tuple(dict.fromkeys(found))


def told(needed: Sequence[Needed]) -> tuple[str, ...]:
    """A sentence for each thing that is left open because of a need, naming what has it."""
    return tuple(
        f"{sentence}: {', '.join(by)} asks for it"
        for need, sentence in _OPEN.items()
        if (by := [one.by for one in needed if one.need is need])
    )


def _of_bus(bus: BusSection) -> tuple[Need, ...]:
    needs = _INTERFACES.get(bus.interface, (Need.UNKNOWN,))
    if bus.interface == SOCKETCAN:
        needs = _WAYS.get(bus.options.get("way"), needs)
    return (*needs, Need.UNKNOWN) if Need.SERIAL_PORTS in needs and _is_url(bus.channel) else needs


def _of_sensor(sensor: NmeaSection | GpsdSection | IioSection) -> Iterator[Need]:
    match sensor:
        case NmeaSection(device=device):
            yield Need.SERIAL_PORTS
            if _is_url(device):
                yield Need.UNKNOWN
        case GpsdSection(host=host):
            yield Need.REQUESTS
            if not _is_address(host):
                yield Need.NAME_LOOKUP
        case IioSection():
            return


def _is_url(device: str) -> bool:
    """Whether pyserial takes it for something else than a port, such as ``socket://host:port``."""
    return "://" in device


def _is_address(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
