"""CRTD, the text log of OVMS, versions 1 and 2: frames received and sent, on one bus or on numbered ones.

``seconds.fraction [bus](R|T)(11|29) id byte byte ...``; every record type that begins with ``C`` is a
comment, an event or a command (https://docs.openvehicles.com, "CRTD CAN Log Format").
"""

from __future__ import annotations

import re

from edge.bus.formats.lines import LineRecording
from edge.bus.formats.rows import MalformedError, Row, checked
from edge.clock import NS_PER_S
from edge.frames import FrameFlag

ONLY_BUS = "1"
"""The label of records without a bus number, which version 1 has for its single bus."""

RECORD = re.compile(rb"(\d{1,10})\.(\d{1,9})[ \t]+(\d{0,3})([A-Z][A-Z0-9]{2})(?:[ \t]+(.*))?", re.DOTALL)
FRAME = re.compile(rb"([0-9A-Fa-f]{1,8})((?:[ \t]+[0-9A-Fa-f]{2})*)")
KINDS = {
    b"R11": FrameFlag(0),
    b"R29": FrameFlag.EXTENDED,
    b"T11": FrameFlag.TRANSMITTED,
    b"T29": FrameFlag.TRANSMITTED | FrameFlag.EXTENDED,
}


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is CRTD."""
    found = RECORD.match(head.lstrip())
    return found is not None and (found[4] in KINDS or found[4].startswith(b"C"))


class CrtdRecording(LineRecording):
    """A CRTD file; its stamps are Unix time unless they are too small for that."""

    _unix_stamped = True

    def _row(self, line: bytes) -> Row | None:
        return read_line(line)


def read_line(line: bytes) -> Row | None:
    """Read one line; None if it is a comment, an event or a command.

    Raises:
        MalformedError: if it is no record, or a frame's record without a frame.
    """
    record = RECORD.fullmatch(line)
    if not record:
        raise MalformedError("malformed line")
    seconds, fraction, bus, kind, rest = record.groups()
    if kind.startswith(b"C"):
        return None
    frame = FRAME.fullmatch((rest or b"").strip())
    if kind not in KINDS or not frame:
        raise MalformedError("malformed line")
    data = bytes.fromhex(frame[2].decode())
    t_ns = int(seconds) * NS_PER_S + int(fraction.ljust(9, b"0"))
    label = str(int(bus)) if bus else ONLY_BUS
    return checked((t_ns, label, int(frame[1], 16), int(KINDS[kind]), data, len(data)))
