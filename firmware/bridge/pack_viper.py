"""From the ring to packets of vlink, in machine code: what `pack_plain.py` says, where viper is.

The words of `ring.py` stand here again, since viper takes only constants of its own module into the code; a
test compares them. Integers are the machine's: 32 bits on boards, 64 on a desk, so nothing may lean on
either.
"""

from array import array

import micropython
from micropython import const

from .ring import DATA_BYTES

_HEAD = const(0)
_NUMBER_LOW = const(1)
_NUMBER_HIGH = const(2)
_DROPPED_LOW = const(3)
_DROPPED_HIGH = const(4)
_LAST_TICKS = const(5)
_LAST_ERA = const(6)
_MARK_DUE = const(7)
_TAIL = const(8)
_QUARTER = const(9)
_READ_TICKS = const(10)
_READ_ERA = const(11)
_READ_LOW = const(12)
_READ_HIGH = const(13)
_CELLS = const(14)
_CELL_BYTES = const(15)
_BUS = const(16)
_HEAD_BYTES = const(8)
_TICKS = const(0x3FFFFFFF)
_QUARTER_BITS = const(28)
_EARLIER = const(3)

_CRC = array("I", [0] * 256)


def _make_table() -> None:
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
        _CRC[value] = crc


_make_table()


@micropython.viper
def put(state: ptr32, cells: ptr8, ticks: int, kind: int, can_id: int, data: ptr8, at: int) -> int:
    """Offer a frame to the ring; as `pack_plain.put`."""
    ticks = ticks & _TICKS
    quarter = state[_QUARTER]
    ahead = ((ticks >> _QUARTER_BITS) - quarter) & 3
    if ahead == _EARLIER:
        ahead = -1
    era = (quarter + ahead) >> 2
    if era < 0:
        era = 0

    low = state[_NUMBER_LOW]
    high = state[_NUMBER_HIGH]
    state[_NUMBER_LOW] = (low + 1) & 0xFFFF
    if low == 0xFFFF:
        state[_NUMBER_HIGH] = (high + 1) & 0xFFFF

    last = state[_LAST_TICKS]
    delta = (ticks - last) & _TICKS
    marked = state[_MARK_DUE]
    step = 0
    if ticks < last:
        step = 1
    if delta > 0xFFFF:
        marked = 1
    if era - state[_LAST_ERA] != step:
        marked = 1

    count = state[_CELLS]
    head = state[_HEAD]
    free = state[_TAIL] - head - 1
    if free < 0:
        free += count
    size = state[_CELL_BYTES]
    lengths = ptr8(DATA_BYTES)
    length = lengths[(kind & 0x0F) | ((kind >> 2) & 0x10)]
    if kind & 0x60 == 0x20:
        length = 0
    if length > size - _HEAD_BYTES:
        free = 0
    if free < 1 + marked:
        low = state[_DROPPED_LOW]
        state[_DROPPED_LOW] = (low + 1) & 0xFFFF
        if low == 0xFFFF:
            state[_DROPPED_HIGH] = (state[_DROPPED_HIGH] + 1) & 0xFFFF
        state[_MARK_DUE] = 1
        return 0

    cell = head * size
    words = ptr32(uint(cells) + uint(cell))
    if marked:
        words[0] = 1 << 24
        words[1] = ticks
        words[2] = era
        words[3] = low | high << 16
        state[_MARK_DUE] = 0
        delta = 0
        head += 1
        if head == count:
            head = 0
        cell = head * size
        words = ptr32(uint(cells) + uint(cell))
    words[0] = delta | (kind & 0xFF) << 16
    words[1] = can_id
    cell += _HEAD_BYTES
    n = 0
    while n < length:
        cells[cell + n] = data[at + n]
        n += 1
    state[_LAST_TICKS] = ticks
    state[_LAST_ERA] = era
    head += 1
    if head == count:
        head = 0
    state[_HEAD] = head
    return 1


@micropython.viper
def fill(state: ptr32, cells: ptr8, packet: ptr8, room: int) -> int:
    """Move frames from the ring into a payload of FRAMES; as `pack_plain.fill`."""
    lengths = ptr8(DATA_BYTES)
    head = state[_HEAD]
    tail = state[_TAIL]
    count = state[_CELLS]
    size = state[_CELL_BYTES]
    ticks = state[_READ_TICKS]
    era = state[_READ_ERA]
    low = state[_READ_LOW]
    high = state[_READ_HIGH]
    frames = 0
    out = 17
    while tail != head:
        if frames == 255:
            break
        cell = tail * size
        words = ptr32(uint(cells) + uint(cell))
        if cells[cell + 3] != 0:
            if frames != 0:
                break
            ticks = words[1]
            era = words[2]
            low = cells[cell + 12] | cells[cell + 13] << 8
            high = cells[cell + 14] | cells[cell + 15] << 8
            tail += 1
            if tail == count:
                tail = 0
            continue
        kind = cells[cell + 2]
        length = lengths[(kind & 0x0F) | ((kind >> 2) & 0x10)]
        if kind & 0x60 == 0x20:
            length = 0
        wide = 2
        if kind & 0x10:
            wide = 4
        if out + 3 + wide + length > room:
            break
        ticks = ticks - _TICKS - 1 + (words[0] & 0xFFFF)
        if ticks < 0:
            ticks = ticks + _TICKS + 1
        else:
            era += 1
        if frames == 0:
            packet[3] = state[_BUS]
            packet[4] = low
            packet[5] = low >> 8
            packet[6] = high
            packet[7] = high >> 8
            packet[8] = ticks
            packet[9] = ticks >> 8
            packet[10] = ticks >> 16
            packet[11] = (ticks >> 24) | ((era & 3) << 6)
            packet[12] = era >> 2
            packet[13] = era >> 10
            packet[14] = era >> 18
            packet[15] = era >> 26
            packet[out] = 0
            packet[out + 1] = 0
        else:
            packet[out] = cells[cell]
            packet[out + 1] = cells[cell + 1]
        packet[out + 2] = kind
        packet[out + 3] = cells[cell + 4]
        packet[out + 4] = cells[cell + 5]
        if wide == 4:
            packet[out + 5] = cells[cell + 6]
            packet[out + 6] = cells[cell + 7]
        out += 3 + wide
        cell += _HEAD_BYTES
        n = 0
        while n < length:
            packet[out + n] = cells[cell + n]
            n += 1
        out += length
        frames += 1
        low += 1
        if low > 0xFFFF:
            low = 0
            high = (high + 1) & 0xFFFF
        tail += 1
        if tail == count:
            tail = 0
    state[_READ_TICKS] = ticks
    state[_READ_ERA] = era
    state[_READ_LOW] = low
    state[_READ_HIGH] = high
    state[_TAIL] = tail
    packet[16] = frames
    if frames == 0:
        return 0
    return out


@micropython.viper
def seal(packet: ptr8, end: int, line: ptr8, kind: int, sequence: int) -> int:
    """Make a packet of a payload, ready for the line; as `pack_plain.seal`."""
    table = ptr32(_CRC)
    packet[0] = kind
    packet[1] = sequence
    packet[2] = sequence >> 8
    # As a signed number, since no literal above 31 bits is an integer here.
    crc = -1
    n = 0
    while n < end:
        crc = table[(crc ^ packet[n]) & 0xFF] ^ ((crc >> 8) & 0xFFFFFF)
        n += 1
    crc = crc ^ -1
    packet[end] = crc
    packet[end + 1] = crc >> 8
    packet[end + 2] = crc >> 16
    packet[end + 3] = crc >> 24
    end += 4
    code = 0
    out = 1
    n = 0
    while n < end:
        octet = packet[n]
        if out - code == 255:
            line[code] = 255
            code = out
            out += 1
        if octet:
            line[out] = octet
        else:
            line[code] = out - code
            code = out
        out += 1
        n += 1
    line[code] = out - code
    line[out] = 0
    return out + 1
