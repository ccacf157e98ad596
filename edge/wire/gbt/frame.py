"""`Frame`: what stands around a data unit: start, command, response flag, VIN, encryption, length, check."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError

STARTS = {Edition.Y2016: b"##", Edition.Y2025: b"$$"}
EDITIONS = {start: edition for edition, start in STARTS.items()}
HEADER_BYTES = 24
OVERHEAD_BYTES = HEADER_BYTES + 1
UNIT_BYTES_MAX = 65_531
VIN_BYTES = 17

_HEADER = struct.Struct(">2sBB17sBH")


class Command(IntEnum):
    """Command marks of both editions (chapter 6; the terminal's from 0x80 on in annex B)."""

    VEHICLE_LOGIN = 0x01
    REAL_TIME = 0x02
    REISSUE = 0x03
    VEHICLE_LOGOUT = 0x04
    PLATFORM_LOGIN = 0x05
    PLATFORM_LOGOUT = 0x06
    HEARTBEAT = 0x07
    TIME_SYNC = 0x08
    ACTIVATE = 0x09
    """Since 2025, as the next two."""
    ACTIVATION_RESULT = 0x0A
    DATA_KEY = 0x0B
    QUERY = 0x80
    SET = 0x81
    CONTROL = 0x82


class Response(IntEnum):
    """Response flags; 4 to 7 since 2025."""

    SUCCESS = 0x01
    ERROR = 0x02
    VIN_DUPLICATE = 0x03
    VIN_UNKNOWN = 0x04
    SIGNATURE_ERROR = 0x05
    STRUCTURE_ERROR = 0x06
    DECRYPTION_ERROR = 0x07
    COMMAND = 0xFE
    """No response but a command; nothing else is ever answered."""


class Encryption(IntEnum):
    """How the data unit is encrypted; SM2 and SM4 since 2025."""

    NONE = 0x01
    RSA = 0x02
    AES = 0x03
    SM2 = 0x04
    SM4 = 0x05
    ABNORMAL = 0xFE
    INVALID = 0xFF


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose check code was right.

    Attributes:
        edition: by its start.
        command: command mark.
        response: response flag.
        vin: 17 bytes: the VIN, or the code of a platform.
        encryption: of the unit, as on the wire.
        unit: the data unit, at most 65,531 bytes, encrypted if `encryption` says so.
    """

    edition: Edition
    command: int
    response: int
    vin: bytes
    encryption: int
    unit: bytes

    def write(self) -> bytes:
        """The frame as bytes.

        Raises:
            GbtError: the VIN or the unit has the wrong length, or a mark does not fit a byte.
        """
        if len(self.vin) != VIN_BYTES:
            raise GbtError(f"a VIN or unique id has {VIN_BYTES} bytes, this one {len(self.vin)}")
        if len(self.unit) > UNIT_BYTES_MAX:
            raise GbtError(f"a data unit of {len(self.unit)} bytes is longer than {UNIT_BYTES_MAX}")
        try:
            header = _HEADER.pack(
                STARTS[self.edition],
                self.command,
                self.response,
                self.vin,
                self.encryption,
                len(self.unit),
            )
        except struct.error as error:
            raise GbtError(f"a mark does not fit a byte: {error}") from error
        covered = header[2:] + self.unit
        return header[:2] + covered + bytes((check_code(covered),))


def check_code(covered: bytes) -> int:
    """BCC: the exclusive or of all bytes, from the command to the last before the code (chapter 6)."""
    return int(np.bitwise_xor.reduce(np.frombuffer(covered, np.uint8)))


def read_frame(data: bytes) -> Frame:
    """Read one frame that fills `data`.

    Raises:
        GbtError: it is none; `offset` tells where.
    """
    edition = EDITIONS.get(data[:2])
    if edition is None:
        raise GbtError(f"begins with '{data[:2].hex()}', not 2323 (2016) or 2424 (2025)", offset=0)
    if len(data) < OVERHEAD_BYTES:
        raise GbtError(f"ends within the frame's header of {HEADER_BYTES} bytes", offset=len(data))
    _, command, response, vin, encryption, length = _HEADER.unpack_from(data)
    if length > UNIT_BYTES_MAX:
        raise GbtError(f"tells a data unit of {length} bytes, longer than {UNIT_BYTES_MAX}", offset=22)
    if len(data) != length + OVERHEAD_BYTES:
        where = min(len(data), length + OVERHEAD_BYTES)
        raise GbtError(
            f"has {len(data)} bytes where its length field asks for {length + OVERHEAD_BYTES}", offset=where
        )
    code = check_code(data[2:-1])
    if code != data[-1]:
        raise GbtError(f"check code is {data[-1]:02X}, the bytes give {code:02X}", offset=len(data) - 1)
    return Frame(edition, command, response, vin, encryption, data[HEADER_BYTES:-1])
