"""Cut the power of a littlefs at each of its writes and erasures, and look what the ring still holds."""

import os
import sys

from telemetry.flash_ring import FlashRing

BLOCK = 512
BLOCKS = 96
GONE = -5
"""What a device without power tells: EIO. littlefs takes a number above 0 for success."""


class Flash:
    """A flash in memory whose power fails after so many writes and erasures; the last one is half done.

    It tells so instead of raising, which would leave littlefs in the middle of what it does, with files that
    the next collection of garbage closes in vain.

    Attributes:
        content: its bytes.
        left: changes until the power fails; below 0 it does not fail.
        changes: how many were done.
    """

    def __init__(self, content: bytearray | None = None) -> None:
        self.content = content or bytearray(b"\xff" * BLOCK * BLOCKS)
        self.left = -1
        self.changes = 0

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> int:
        if self.left == 0:
            return GONE
        start = block * BLOCK + offset
        buffer[:] = self.content[start : start + len(buffer)]
        return 0

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> int:
        return self._change(block * BLOCK + offset, buffer)

    def _change(self, start: int, octets: bytes | bytearray) -> int:
        if self.left == 0:
            return GONE
        self.changes += 1
        self.left -= self.left > 0
        size = len(octets) // 2 if self.left == 0 else len(octets)
        self.content[start : start + size] = octets[:size]
        return GONE if self.left == 0 else 0

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            return self._change(argument * BLOCK, b"\xff" * BLOCK)
        return 0


def open_ring(flash: Flash) -> FlashRing:
    os.mount(flash, "/flash")
    return FlashRing("/flash/ring", b"vehicle1", b"thekeyid", os.urandom, 2048, 4)


def message(number: int) -> bytes:
    return bytes((number + place) & 0xFF for place in range(180))


def cut_after(changes: int, content: bytes) -> tuple:
    """Append until the power fails; the last number that `append` returned for."""
    flash = Flash(bytearray(content))
    ring = open_ring(flash)
    flash.left = changes
    committed = ring.last
    try:
        for _ in range(60):
            ring.append(message(ring.next_number))
            committed = ring.last
    except OSError:
        pass
    os.umount("/flash")
    return flash.content, committed, flash.left == 0


def undisturbed(content: bytes) -> tuple:
    """How many changes there are, and those that belong to a new segment or to the end of the oldest."""
    flash = Flash(bytearray(content))
    ring = open_ring(flash)
    began = flash.changes
    rolling = []
    for _ in range(60):
        before, segment = flash.changes - began, ring._segments[-1][0]
        ring.append(message(ring.next_number))
        if ring._segments[-1][0] != segment:
            rolling.append((before + 1, flash.changes - began))
    os.umount("/flash")
    return flash.changes - began, rolling


def look(changes: int) -> None:
    """Cut the power after so many changes, and compare what is held with what was committed."""
    content, committed, failed = cut_after(changes, start)
    assert failed, changes
    again = open_ring(Flash(content))
    assert again.stream == stream, changes
    assert committed <= again.last <= committed + 1, (changes, committed, again.last)
    assert again.next_number == again.last + 1
    for number in range(again.first, again.last + 1):
        length = again.read(number, out)
        assert bytes(out[:length]) == message(number), (changes, number)
    lost = sum(last - first + 1 for first, last in again.losses)
    assert lost == again.first - 1, (changes, again.losses, again.first)
    os.umount("/flash")


flash = Flash()
os.VfsLfs2.mkfs(flash)
ring = open_ring(flash)
for _ in range(7):
    ring.append(message(ring.next_number))
stream = ring.stream
os.umount("/flash")
start = bytes(flash.content)
out = bytearray(512)
step = int(sys.argv[1])
total, rolling = undisturbed(start)
cuts = set(range(1, total + 1, step))
# The first new segment, and the first that costs the oldest.
for first, last in (rolling[0], rolling[3]):
    cuts.update(range(first, last + 1))
for changes in sorted(cuts):
    look(changes)
sys.stdout.write(f"{len(cuts)} cuts of {total}, held")
