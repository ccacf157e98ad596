"""A frame out of an MCP2515's receive buffer, in machine code: as `mcp2515_plain.py`, where viper is."""

import micropython


@micropython.viper
def unpack(frame: ptr8, ids: ptr32) -> int:
    """Read what READ RX BUFFER answered; as `mcp2515_plain.unpack`."""
    low = frame[2]
    length = frame[5]
    if low & 0x04:
        return -1
    if length & 0x80:
        return -1
    kind = length & 0x0F
    standard = frame[1] << 3 | low >> 5
    if low & 0x08:
        ids[0] = standard << 18 | (low & 3) << 16 | frame[3] << 8 | frame[4]
        if length & 0x40:
            return kind | 0x30
        return kind | 0x10
    ids[0] = standard
    if low & 0x10:
        return kind | 0x20
    return kind
