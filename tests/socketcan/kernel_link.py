"""A kernel for tests: messages about links, laid out as by rtnl_fill_ifinfo and can_fill_info."""

import errno
import struct
from typing import Any

from edge.bus.socketcan.link import NetlinkSocket

NEW_LINK, DELETED_LINK, ERROR, DONE = 16, 17, 2, 3
UP, RUNNING = 0x1, 0x40
ARPHRD_ETHER, ARPHRD_CAN = 1, 280
LISTEN_ONLY, FD = 0x02, 0x20
NESTED = 0x8000


def attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def message(kind: int, body: bytes, sequence: int = 0) -> bytes:
    length = 16 + len(body)
    return struct.pack("=IHHII", length, kind, 0, sequence, 0) + body + bytes(-length % 4)


def refusal(sequence: int, error: int) -> bytes:
    return message(ERROR, struct.pack("=i", -error) + bytes(16), sequence)


def controller_data(
    *,
    bitrate: int = 500_000,
    data_bitrate: int = 0,
    mode: int = LISTEN_ONLY,
    supported: int | None = 0x1FF,
    state: int = 0,
    restart_ms: int = 0,
    errors: tuple[int, int] | None = (0, 0),
) -> bytes:
    """IFLA_INFO_DATA in the order of can_fill_info."""
    parts = []
    if bitrate:
        parts.append(attribute(1, struct.pack("=8I", bitrate, 875, 125, 6, 7, 2, 1, 1)))
    parts += [
        attribute(2, b"sja1000".ljust(16, b"\0") + struct.pack("=8I", 1, 16, 1, 8, 4, 1, 64, 1)),
        attribute(3, struct.pack("=I", 8_000_000)),
        attribute(4, struct.pack("=I", state)),
        attribute(5, struct.pack("=II", 0, mode)),
        attribute(6, struct.pack("=I", restart_ms)),
    ]
    if errors is not None:
        parts.append(attribute(8, struct.pack("=HH", *errors)))
    if data_bitrate:
        parts.append(attribute(9, struct.pack("=8I", data_bitrate, 750, 25, 7, 7, 5, 1, 1)))
    if supported is not None:
        parts.append(attribute(17 | NESTED, attribute(1, struct.pack("=I", supported))))
    return b"".join(parts)


def link_body(
    *,
    index: int = 3,
    name: str = "can0",
    flags: int = UP | RUNNING,
    kind: str = "can",
    hardware: int = ARPHRD_CAN,
    mtu: int = 16,
    other_names: tuple[str, ...] = (),
    device: tuple[str, str] | None = None,
    counts: tuple[int, int, int, int, int, int] | None = (0, 0, 0, 0, 0, 0),
    family: int = 0,
    **controller: Any,  # noqa: ANN401 - as `controller_data` takes it
) -> bytes:
    parts = [
        struct.pack("=BxHiII", family, hardware, index, flags, 0),
        attribute(3, name.encode() + b"\0"),
        attribute(13, struct.pack("=I", 10)),
        attribute(16, b"\x06"),
        attribute(4, struct.pack("=I", mtu)),
    ]
    info = attribute(1, kind.encode() + b"\0")
    if kind == "can":
        if counts is not None:
            info += attribute(3, struct.pack("=6I", *counts))
        info += attribute(2 | NESTED, controller_data(**controller))
    if kind:
        parts.append(attribute(18 | NESTED, info))
    if other_names:
        names = b"".join(attribute(53, each.encode() + b"\0") for each in other_names)
        parts.append(attribute(52 | NESTED, names))
    if device is not None:
        bus, place = device
        parts += [attribute(56, place.encode() + b"\0"), attribute(57, bus.encode() + b"\0")]
    return b"".join(parts)


def new_link(**link: Any) -> bytes:  # noqa: ANN401 - as `link_body` takes it
    return message(NEW_LINK, link_body(**link))


def deleted_link(**link: Any) -> bytes:  # noqa: ANN401 - as `link_body` takes it
    return message(DELETED_LINK, link_body(**link))


class Kernel(NetlinkSocket):
    """Answers every question as it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.waiting: list[bytes | OSError] = []
        self.refuses = False
        self.open = True

    def fileno(self) -> int:
        return 3 if self.open else -1

    def ask(self, request: bytes) -> None:
        if self.refuses:
            raise OSError(errno.EPERM, "Operation not permitted")
        sequence: int = struct.unpack_from("=I", request, 8)[0]
        self.waiting.append(self.answer or refusal(sequence, errno.ENODEV))

    def hear(self) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        first = self.waiting.pop(0)
        if isinstance(first, OSError):
            raise first
        return first

    def close(self) -> None:
        self.open = False
