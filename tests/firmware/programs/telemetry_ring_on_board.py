"""Cut the power of a littlefs at each of its writes, and look what the ring still holds."""

import os
import sys

from telemetry.flash_ring import FlashRing

BLOCK = 512
BLOCKS = 96


class PowerCutError(OSError):
    """The supply is gone."""


class Flash:
    """A flash in memory whose power fails after so many writes; the last one is half done."""

    def __init__(self, content: bytearray | None = None) -> None:
        self.content = content or bytearray(b"\xff" * BLOCK * BLOCKS)
        self.left = -1

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        start = block * BLOCK + offset
        buffer[:] = self.content[start : start + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        start = block * BLOCK + offset
        size = self._power(len(buffer))
        self.content[start : start + size] = buffer[:size]
        if size < len(buffer):
            raise PowerCutError(5)

    def _power(self, size: int) -> int:
        if self.left == 0:
            return 0
        self.left -= self.left > 0
        return size // 2 if self.left == 0 else size

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK
        if operation == 6:
            if self.left == 0:
                return 5
            start = argument * BLOCK
            self.content[start : start + BLOCK] = b"\xff" * BLOCK
        return 0


def open_ring(flash: Flash) -> FlashRing:
    os.mount(flash, "/flash")
    return FlashRing("/flash/ring", b"vehicle1", b"thekeyid", os.urandom, 2048, 4)


def message(number: int) -> bytes:
    return bytes((number + place) & 0xFF for place in range(180))


def cut_after(writes: int, content: bytes) -> tuple:
    """Append until the power fails; the last number that `append` returned for."""
    flash = Flash(bytearray(content))
    flash.left = -1
    ring = open_ring(flash)
    flash.left = writes
    committed = ring.last
    try:
        for _ in range(60):
            ring.append(message(ring.next_number))
            committed = ring.last
    except OSError:
        pass
    os.umount("/flash")
    return flash.content, committed, flash.left == 0


flash = Flash()
os.VfsLfs2.mkfs(flash)
ring = open_ring(flash)
for _ in range(7):
    ring.append(message(ring.next_number))
stream = ring.stream
os.umount("/flash")
start = bytes(flash.content)
out = bytearray(512)
writes = 1
step = int(sys.argv[1])
while True:
    content, committed, failed = cut_after(writes, start)
    again = open_ring(Flash(content))
    assert again.stream == stream, writes
    assert committed <= again.last <= committed + 1, (writes, committed, again.last)
    assert again.next_number == again.last + 1
    for number in range(again.first, again.last + 1):
        length = again.read(number, out)
        assert bytes(out[:length]) == message(number), (writes, number)
    lost = sum(last - first + 1 for first, last in again.losses)
    assert lost == again.first - 1, (writes, again.losses, again.first)
    os.umount("/flash")
    if not failed:
        break
    writes += step
sys.stdout.write(f"{writes} writes, held")
