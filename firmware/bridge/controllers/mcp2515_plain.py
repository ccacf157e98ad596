"""A frame out of an MCP2515's receive buffer, for ports without viper: what `mcp2515_viper.py` does."""

from array import array


def unpack(frame: bytearray, ids: array) -> int:
    """Read what READ RX BUFFER answered (registers 61 to 6D, section 4); takes no memory.

    Args:
        frame: the answer, with the octet of the instruction.
        ids: its first word takes the id.

    Returns:
        The frame's kind as on the line; -1 where a bit is set that is always 0, so that this is no answer.
    """
    low = frame[2]
    length = frame[5]
    if low & 0x04 or length & 0x80:
        return -1
    kind = length & 0x0F
    if low & 0x08:
        # The standard part has 11 bits, so this stays a small integer everywhere.
        ids[0] = (frame[1] << 3 | low >> 5) << 18 | (low & 3) << 16 | frame[3] << 8 | frame[4]
        return kind | 0x30 if length & 0x40 else kind | 0x10
    ids[0] = frame[1] << 3 | low >> 5
    return kind | 0x20 if low & 0x10 else kind
