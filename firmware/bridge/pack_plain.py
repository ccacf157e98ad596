"""From the ring to packets of vlink, for ports without viper: what `pack_viper.py` does, in bytecode.

No function here takes memory, and no number leaves the 31 bits that small integers have on 32-bit ports.
"""

from array import array

from .ring import (
    BUS,
    CELL_BYTES,
    CELLS,
    DATA_BYTES,
    DROPPED_HIGH,
    DROPPED_LOW,
    EARLIER,
    HEAD,
    HEAD_BYTES,
    LAST_ERA,
    LAST_TICKS,
    MARK_DUE,
    NUMBER_HIGH,
    NUMBER_LOW,
    QUARTER,
    QUARTER_BITS,
    READ_ERA,
    READ_HIGH,
    READ_LOW,
    READ_TICKS,
    TAIL,
    TICKS,
)

_CRC_LOW = array("H", [0] * 256)
_CRC_HIGH = array("H", [0] * 256)


def _make_table() -> None:
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
        _CRC_LOW[value] = crc & 0xFFFF
        _CRC_HIGH[value] = crc >> 16


_make_table()


def put(state: array, cells: bytearray, ticks: int, kind: int, can_id: int, data: bytes, at: int) -> int:
    """Offer a frame to the ring; for the interrupt.

    Args:
        state: of the ring.
        cells: of the ring.
        ticks: when it came.
        kind: of the frame, as on the line.
        can_id: 11 or 29 bits.
        data: where its data stand.
        at: from which byte on.

    Returns:
        1 where the ring has it now, 0 where it was full.
    """
    ticks &= TICKS
    quarter = state[QUARTER]
    ahead = ((ticks >> QUARTER_BITS) - quarter) & 3
    if ahead == EARLIER:
        ahead = -1
    era = (quarter + ahead) >> 2
    if era < 0:
        era = 0

    low = state[NUMBER_LOW]
    high = state[NUMBER_HIGH]
    state[NUMBER_LOW] = (low + 1) & 0xFFFF
    if low == 0xFFFF:
        state[NUMBER_HIGH] = (high + 1) & 0xFFFF

    last = state[LAST_TICKS]
    delta = (ticks - last) & TICKS
    marked = state[MARK_DUE]
    if delta > 0xFFFF or era - state[LAST_ERA] != (1 if ticks < last else 0):
        marked = 1

    count = state[CELLS]
    head = state[HEAD]
    free = state[TAIL] - head - 1
    if free < 0:
        free += count
    size = state[CELL_BYTES]
    length = DATA_BYTES[(kind & 0x0F) | ((kind >> 2) & 0x10)]
    if kind & 0x60 == 0x20:
        length = 0
    if free < 1 + marked or length > size - HEAD_BYTES:
        low = state[DROPPED_LOW]
        state[DROPPED_LOW] = (low + 1) & 0xFFFF
        if low == 0xFFFF:
            state[DROPPED_HIGH] = (state[DROPPED_HIGH] + 1) & 0xFFFF
        state[MARK_DUE] = 1
        return 0

    cell = head * size
    if marked:
        cells[cell] = 0
        cells[cell + 1] = 0
        cells[cell + 2] = 0
        cells[cell + 3] = 1
        cells[cell + 4] = ticks & 0xFF
        cells[cell + 5] = (ticks >> 8) & 0xFF
        cells[cell + 6] = (ticks >> 16) & 0xFF
        cells[cell + 7] = ticks >> 24
        cells[cell + 8] = era & 0xFF
        cells[cell + 9] = (era >> 8) & 0xFF
        cells[cell + 10] = (era >> 16) & 0xFF
        cells[cell + 11] = (era >> 24) & 0xFF
        cells[cell + 12] = low & 0xFF
        cells[cell + 13] = low >> 8
        cells[cell + 14] = high & 0xFF
        cells[cell + 15] = high >> 8
        state[MARK_DUE] = 0
        delta = 0
        head += 1
        if head == count:
            head = 0
        cell = head * size
    cells[cell] = delta & 0xFF
    cells[cell + 1] = delta >> 8
    cells[cell + 2] = kind
    cells[cell + 3] = 0
    cells[cell + 4] = can_id & 0xFF
    cells[cell + 5] = (can_id >> 8) & 0xFF
    cells[cell + 6] = (can_id >> 16) & 0xFF
    cells[cell + 7] = can_id >> 24
    cell += HEAD_BYTES
    for n in range(length):
        cells[cell + n] = data[at + n]
    state[LAST_TICKS] = ticks
    state[LAST_ERA] = era
    head += 1
    state[HEAD] = 0 if head == count else head
    return 1


def fill(state: array, cells: bytearray, packet: bytearray, room: int) -> int:
    """Move frames from the ring into a payload of FRAMES; for the main loop.

    Args:
        state: of the ring.
        cells: of the ring.
        packet: takes the payload from byte 3 on.
        room: where the payload ends at the latest.

    Returns:
        Where it ends, or 0 where nothing waits.
    """
    head = state[HEAD]
    tail = state[TAIL]
    count = state[CELLS]
    size = state[CELL_BYTES]
    ticks = state[READ_TICKS]
    era = state[READ_ERA]
    low = state[READ_LOW]
    high = state[READ_HIGH]
    frames = 0
    out = 17
    while tail != head and frames < 255:
        cell = tail * size
        if cells[cell + 3]:
            if frames:
                break
            ticks = cells[cell + 4] | cells[cell + 5] << 8 | cells[cell + 6] << 16 | cells[cell + 7] << 24
            era = cells[cell + 8] | cells[cell + 9] << 8 | cells[cell + 10] << 16 | cells[cell + 11] << 24
            low = cells[cell + 12] | cells[cell + 13] << 8
            high = cells[cell + 14] | cells[cell + 15] << 8
            tail += 1
            if tail == count:
                tail = 0
            continue
        kind = cells[cell + 2]
        length = DATA_BYTES[(kind & 0x0F) | ((kind >> 2) & 0x10)]
        if kind & 0x60 == 0x20:
            length = 0
        wide = 4 if kind & 0x10 else 2
        if out + 3 + wide + length > room:
            break
        # 2^30 itself is no small integer everywhere.
        ticks = ticks - TICKS - 1 + (cells[cell] | cells[cell + 1] << 8)
        if ticks < 0:
            ticks = ticks + TICKS + 1
        else:
            era += 1
        if frames:
            packet[out] = cells[cell]
            packet[out + 1] = cells[cell + 1]
        else:
            packet[3] = state[BUS]
            packet[4] = low & 0xFF
            packet[5] = low >> 8
            packet[6] = high & 0xFF
            packet[7] = high >> 8
            packet[8] = ticks & 0xFF
            packet[9] = (ticks >> 8) & 0xFF
            packet[10] = (ticks >> 16) & 0xFF
            packet[11] = (ticks >> 24) | ((era & 3) << 6)
            packet[12] = (era >> 2) & 0xFF
            packet[13] = (era >> 10) & 0xFF
            packet[14] = (era >> 18) & 0xFF
            packet[15] = (era >> 26) & 0xFF
            packet[out] = 0
            packet[out + 1] = 0
        packet[out + 2] = kind
        out += 3
        for n in range(wide):
            packet[out + n] = cells[cell + 4 + n]
        out += wide
        cell += HEAD_BYTES
        for n in range(length):
            packet[out + n] = cells[cell + n]
        out += length
        frames += 1
        low += 1
        if low > 0xFFFF:
            low = 0
            high = (high + 1) & 0xFFFF
        tail += 1
        if tail == count:
            tail = 0
    state[READ_TICKS] = ticks
    state[READ_ERA] = era
    state[READ_LOW] = low
    state[READ_HIGH] = high
    state[TAIL] = tail
    packet[16] = frames
    return out if frames else 0


def seal(packet: bytearray, end: int, line: bytearray, kind: int, sequence: int) -> int:
    """Make a packet of a payload, ready for the line.

    Args:
        packet: the payload from byte 3 on; takes header and CRC.
        end: where the payload ends.
        line: takes what goes on the line.
        kind: the packet's type.
        sequence: the packet's number.

    Returns:
        How many bytes go on the line, delimiter included.
    """
    packet[0] = kind
    packet[1] = sequence & 0xFF
    packet[2] = (sequence >> 8) & 0xFF
    low = 0xFFFF
    high = 0xFFFF
    for n in range(end):
        index = (low ^ packet[n]) & 0xFF
        low = ((low >> 8) | (high & 0xFF) << 8) ^ _CRC_LOW[index]
        high = (high >> 8) ^ _CRC_HIGH[index]
    packet[end] = (low ^ 0xFFFF) & 0xFF
    packet[end + 1] = (low ^ 0xFFFF) >> 8
    packet[end + 2] = (high ^ 0xFFFF) & 0xFF
    packet[end + 3] = (high ^ 0xFFFF) >> 8
    code = 0
    out = 1
    for n in range(end + 4):
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
    line[code] = out - code
    line[out] = 0
    return out + 1
