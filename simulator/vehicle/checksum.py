"""CRC-8 SAE J1850 over many payloads at once: the checksum that the reference vehicle's messages carry."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UInt8s = npt.NDArray[np.uint8]

POLYNOMIAL = 0x1D
START = 0xFF
FINAL_XOR = 0xFF


def _table() -> UInt8s:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc << 1 ^ POLYNOMIAL if crc & 0x80 else crc << 1) & 0xFF
        table.append(crc)
    return np.array(table, np.uint8)


_TABLE = _table()


def crc8(payloads: UInt8s, data_id: int) -> UInt8s:
    """Checksum of each payload, as AUTOSAR E2E profile 1 takes it.

    Args:
        payloads: uint8 of shape (N, length); byte 0 holds the checksum and is left out.
        data_id: 16-bit number of the message that goes into the checksum before the data, low byte first, so
            that a message in another's place is noticed.

    Returns:
        uint8 of N.
    """
    start = int(_TABLE[START ^ (data_id & 0xFF)])
    start = int(_TABLE[start ^ (data_id >> 8 & 0xFF)])
    crc = np.full(len(payloads), start, np.uint8)
    for place in range(1, payloads.shape[1]):
        crc = _TABLE[crc ^ payloads[:, place]]
    return crc ^ np.uint8(FINAL_XOR)
