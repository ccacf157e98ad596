"""The frames of a bus that is played: frame n is the same everywhere; MicroPython runs it unchanged."""

STANDARD = 0
EXTENDED = 0x10
REMOTE = 0x20

EIGHT_BYTES = 0
MIXED = 1


def frame(style: int, bus: int, n: int, data: bytearray) -> int:
    """Make frame n of a bus; takes no memory where small integers have 32 bits.

    Args:
        style: `EIGHT_BYTES`, standard frames of 8 bytes, or `MIXED`.
        bus: its number.
        n: of the frame, from 0, below 2^30.
        data: takes the data; bytes 0 to 3 are n.

    Returns:
        The kind; `identifier` tells the id.
    """
    data[0] = n & 0xFF
    data[1] = (n >> 8) & 0xFF
    data[2] = (n >> 16) & 0xFF
    data[3] = (n >> 24) & 0xFF
    data[4] = (n * 7 + bus) & 0xFF
    data[5] = 0 if n & 1 else 3
    data[6] = 0
    data[7] = (n * 31) & 0xFF
    if style == MIXED:
        if n % 16 == 5:
            return EXTENDED | 8
        if n % 16 == 9:
            return 4
        if n % 64 == 30:
            return REMOTE | 2
    return 8


def identifier(kind: int, bus: int, n: int) -> int:
    """Tell the id of frame n."""
    if kind & EXTENDED:
        return 0x18F00000 | (n & 0xFF) << 8 | bus
    return 0x100 + bus * 0x100 + n % 200
