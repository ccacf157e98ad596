"""A flash for littlefs that can lose its power, for programs on MicroPython."""


class Disk:
    """A flash in a file or in memory.

    Args:
        store: a file, or what has the same methods.
        block: bytes of a block.
        blocks: how many there are.

    Attributes:
        left: writes and erasures until the power is cut; negative for never.
    """

    def __init__(self, store, block, blocks) -> None:
        self.store = store
        self.block = block
        self.blocks = blocks
        self.left = -1

    def readblocks(self, number, buffer, offset=0) -> None:
        self.store.seek(number * self.block + offset)
        got = self.store.readinto(buffer)
        for place in range(got or 0, len(buffer)):
            buffer[place] = 0xFF

    def writeblocks(self, number, buffer, offset=0) -> None:
        self._count()
        self.store.seek(number * self.block + offset)
        self.store.write(buffer)

    def ioctl(self, op, argument):
        if op == 4:
            return self.blocks
        if op == 5:
            return self.block
        if op == 6:
            self._count()
        return 0

    def _count(self) -> None:
        if self.left == 0:
            raise OSError(5)
        self.left -= 1
