"""`Accepted`: a report that passed every check, as it is stored, forwarded and converted."""

from __future__ import annotations

from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Encryption, Frame, Response
from edge.wire.gbt.message import Message, Report, read_report


class Accepted(NamedTuple):
    """A report that was taken.

    Attributes:
        vin: of the vehicle, 17 bytes.
        edition: of the message.
        command: real-time or reissue.
        time_s: Unix time of collection.
        received_ns: Unix time of arrival.
        unit: the data unit, decrypted, its signature with it.
    """

    vin: bytes
    edition: Edition
    command: int
    time_s: int
    received_ns: int
    unit: bytes

    @property
    def report(self) -> Report:
        """The data unit taken apart, anew each time."""
        return read_report(self.unit, self.edition)

    @property
    def frame(self) -> Frame:
        """As a frame that is not encrypted; of one that came so, the same bytes as came."""
        return Frame(self.edition, self.command, Response.COMMAND, self.vin, Encryption.NONE, self.unit)

    @property
    def message(self) -> Message:
        """As a message that is not encrypted."""
        return Message(self.edition, self.command, Response.COMMAND, self.vin, self.report)
