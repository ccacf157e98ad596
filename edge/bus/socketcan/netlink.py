"""Codec of the kernel's messages about links (rtnetlink(7)): what is asked, and what it tells of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

INTERFACE_NAME_BYTES = 15
"""Longest name of an interface (``IFNAMSIZ`` less its end); what is longer is an alternative name."""

ALTERNATIVE_NAME_BYTES = 127

_NLMSG_ERROR = 2
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_NLM_F_REQUEST = 0x01
_ATTRIBUTE_KIND = 0x3FFF
"""Of an attribute's type, without ``NLA_F_NESTED`` and ``NLA_F_NET_BYTEORDER``."""

_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_EXT_MASK = 3, 4, 18, 29
_IFLA_PROP_LIST, _IFLA_ALT_IFNAME, _IFLA_PARENT_DEV_NAME, _IFLA_PARENT_DEV_BUS_NAME = 52, 53, 56, 57
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_INFO_XSTATS = 1, 2, 3
_IFLA_CAN_BITTIMING, _IFLA_CAN_CLOCK, _IFLA_CAN_STATE, _IFLA_CAN_CTRLMODE = 1, 3, 4, 5
_IFLA_CAN_RESTART_MS, _IFLA_CAN_BERR_COUNTER, _IFLA_CAN_DATA_BITTIMING = 6, 8, 9
_IFLA_CAN_CTRLMODE_EXT, _IFLA_CAN_CTRLMODE_SUPPORTED = 17, 1
_WITHOUT_STATISTICS = 1 << 3
_CAN_KIND = "can"

_MESSAGE = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")
_MODE = struct.Struct("=II")
_ERROR_COUNTERS = struct.Struct("=HH")
_STATISTICS = struct.Struct("=6I")


@dataclass(frozen=True, slots=True)
class ControllerCounts:
    """What the driver of a CAN controller has counted since the interface exists (``can_device_stats``).

    Attributes:
        bus_errors: errors on the bus, where the driver reports them.
        warnings: changes to error-warning.
        passives: changes to error-passive.
        bus_offs: changes to bus-off.
        arbitrations_lost: frames of its own that gave way to others.
        restarts: of the controller after bus-off.
    """

    bus_errors: int
    warnings: int
    passives: int
    bus_offs: int
    arbitrations_lost: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Controller:
    """What the kernel tells of a CAN controller (linux/can/netlink.h); None where it does not tell.

    Attributes:
        bitrate: bits a second, of the arbitration phase; None also while none is set.
        data_bitrate: bits a second, of the data phase of CAN FD.
        mode: ``CAN_CTRLMODE_`` flags that are on.
        supported_mode: those that the controller knows (Linux 5.17 or newer).
        state: ``enum can_state``.
        restart_ms: how long after bus-off the controller is started again by itself; 0: never.
        transmit_errors: the controller's error counter, ISO 11898-1.
        receive_errors: the same for reception.
        clock_hz: of the controller.
        counts: see `ControllerCounts`.
    """

    bitrate: int | None = None
    data_bitrate: int | None = None
    mode: int | None = None
    supported_mode: int | None = None
    state: int | None = None
    restart_ms: int | None = None
    transmit_errors: int | None = None
    receive_errors: int | None = None
    clock_hz: int | None = None
    counts: ControllerCounts | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One network interface, as a message of the kernel describes it.

    Attributes:
        index: by which the kernel knows it, whatever it is called.
        name: its name.
        hardware: ``ARPHRD_`` kind of link layer.
        flags: ``IFF_`` flags.
        kind: of the driver's rtnetlink interface: ``can``, ``vcan``, ``veth`` …; empty if it has none.
        mtu: largest payload in bytes; None if not told.
        other_names: alternative names (``ip link property``).
        device: bus and name of the device behind it, such as ``usb 1-1.4:1.0``; empty if there is none.
        controller: where the kind is ``can``.
    """

    index: int
    name: str
    hardware: int
    flags: int
    kind: str = ""
    mtu: int | None = None
    other_names: tuple[str, ...] = ()
    device: str = ""
    controller: Controller | None = None


@dataclass(frozen=True, slots=True)
class LinkTold:
    """The kernel tells of a link, asked or not.

    Attributes:
        link: as it is now, or as it was last.
        deleted: whether it is gone.
    """

    link: Link
    deleted: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The kernel's answer to a question that it cannot answer.

    Attributes:
        sequence: of the question.
        error: errno, such as ``ENODEV``; 0 is a mere acknowledgement.
    """

    sequence: int
    error: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message, or the rest of a datagram, whose lengths contradict each other."""


Told = LinkTold | Refused | Unreadable


class _MalformedError(Exception):
    """Lengths that reach past the end, or fall short of what they announce."""


def question(sequence: int, *, index: int = 0, name: str = "") -> bytes:
    """RTM_GETLINK for one link: by its index, or where that is 0 by one of its names.

    Args:
        sequence: comes back with a refusal, 32 bits.
        index: of the link.
        name: up to 15 bytes in UTF-8; a longer one, up to 127, is taken for an alternative name.

    Raises:
        ValueError: neither is given, or the name is too long or holds a NUL.
    """
    body = _LINK.pack(0, 0, index, 0, 0) + _packed(_IFLA_EXT_MASK, _U32.pack(_WITHOUT_STATISTICS))
    if not index:
        spelled = name.encode()
        if not 0 < len(spelled) <= ALTERNATIVE_NAME_BYTES or b"\0" in spelled:
            raise ValueError(f"no name of an interface: {name!r}")
        short = len(spelled) <= INTERFACE_NAME_BYTES
        body += _packed(_IFLA_IFNAME if short else _IFLA_ALT_IFNAME, spelled + b"\0")
    length = _MESSAGE.size + len(body)
    return _MESSAGE.pack(length, _RTM_GETLINK, _NLM_F_REQUEST, sequence & 0xFFFF_FFFF, 0) + body


def told(datagram: bytes) -> tuple[Told, ...]:
    """What one datagram of the kernel says of links, in order.

    Messages about other things, and those of a bridge about its ports, are passed over. A message that
    contradicts itself is one `Unreadable`; those after it are read if its own length is plausible.
    """
    return tuple(_told(datagram))


def _told(datagram: bytes) -> Iterator[Told]:
    place = 0
    while place < len(datagram):
        if len(datagram) - place < _MESSAGE.size:
            yield Unreadable()
            return
        length, kind, _, sequence, _ = _MESSAGE.unpack_from(datagram, place)
        if not _MESSAGE.size <= length <= len(datagram) - place:
            yield Unreadable()
            return
        body = datagram[place + _MESSAGE.size : place + length]
        place += _aligned(length)
        try:
            if kind in {_RTM_NEWLINK, _RTM_DELLINK}:
                link = _link(body)
                if link is not None:
                    yield LinkTold(link, deleted=kind == _RTM_DELLINK)
            elif kind == _NLMSG_ERROR:
                yield Refused(sequence, -_integer(_S32, body))
        except _MalformedError:
            yield Unreadable()


def _link(body: bytes) -> Link | None:
    """The link of a message; None where a bridge speaks of a port."""
    if len(body) < _LINK.size:
        raise _MalformedError
    family, hardware, index, flags, _ = _LINK.unpack_from(body)
    if family:
        return None
    attributes = dict(_attributes(body[_LINK.size :]))
    name = _text(attributes.get(_IFLA_IFNAME, b""))
    if index <= 0 or not name:
        raise _MalformedError
    others = attributes.get(_IFLA_PROP_LIST, b"")
    parent = (attributes.get(each, b"") for each in (_IFLA_PARENT_DEV_BUS_NAME, _IFLA_PARENT_DEV_NAME))
    info = dict(_attributes(attributes.get(_IFLA_LINKINFO, b"")))
    kind = _text(info.get(_IFLA_INFO_KIND, b""))
    return Link(
        index=index,
        name=name,
        hardware=hardware,
        flags=flags,
        kind=kind,
        mtu=_optional(attributes, _IFLA_MTU),
        other_names=tuple(_text(value) for key, value in _attributes(others) if key == _IFLA_ALT_IFNAME),
        device=" ".join(filter(None, map(_text, parent))),
        controller=_controller(info) if kind == _CAN_KIND else None,
    )


def _controller(info: dict[int, bytes]) -> Controller:
    data = dict(_attributes(info.get(_IFLA_INFO_DATA, b"")))
    modes = _optionals(_MODE, data.get(_IFLA_CAN_CTRLMODE))
    errors = _optionals(_ERROR_COUNTERS, data.get(_IFLA_CAN_BERR_COUNTER))
    counts = _optionals(_STATISTICS, info.get(_IFLA_INFO_XSTATS))
    return Controller(
        # A bitrate is the first member of can_bittiming, and 0 or all ones while none is set.
        bitrate=_bitrate(_optional(data, _IFLA_CAN_BITTIMING)),
        data_bitrate=_bitrate(_optional(data, _IFLA_CAN_DATA_BITTIMING)),
        mode=modes[1] if modes else None,
        supported_mode=_optional(
            dict(_attributes(data.get(_IFLA_CAN_CTRLMODE_EXT, b""))), _IFLA_CAN_CTRLMODE_SUPPORTED
        ),
        state=_optional(data, _IFLA_CAN_STATE),
        restart_ms=_optional(data, _IFLA_CAN_RESTART_MS),
        transmit_errors=errors[0] if errors else None,
        receive_errors=errors[1] if errors else None,
        clock_hz=_optional(data, _IFLA_CAN_CLOCK),
        counts=ControllerCounts(*counts) if counts else None,
    )


def _bitrate(value: int | None) -> int | None:
    return None if value in {0, 0xFFFF_FFFF} else value


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(body):
        if len(body) - place < _ATTRIBUTE.size:
            raise _MalformedError
        length, kind = _ATTRIBUTE.unpack_from(body, place)
        if not _ATTRIBUTE.size <= length <= len(body) - place:
            raise _MalformedError
        yield kind & _ATTRIBUTE_KIND, body[place + _ATTRIBUTE.size : place + length]
        place += _aligned(length)


def _packed(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return (_ATTRIBUTE.pack(length, kind) + value).ljust(_aligned(length), b"\0")


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _optional(attributes: dict[int, bytes], kind: int) -> int | None:
    value = attributes.get(kind)
    return None if value is None else _integer(_U32, value)


def _integer(layout: struct.Struct, value: bytes) -> int:
    number: int = _unpacked(layout, value)[0]
    return number


def _optionals(layout: struct.Struct, value: bytes | None) -> tuple[int, ...] | None:
    return None if value is None else _unpacked(layout, value)


def _unpacked(layout: struct.Struct, value: bytes) -> tuple[int, ...]:
    """The members that are known; a newer kernel may have more of them behind."""
    if len(value) < layout.size:
        raise _MalformedError
    return layout.unpack_from(value)


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "backslashreplace")
