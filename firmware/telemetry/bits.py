"""Bits of a record message's body, the highest of each byte first: the codes of docs/wire-format.md."""


class BitWriter:
    """Writes codes into a buffer that is made once.

    Args:
        size: bytes of the buffer; what does not fit raises `ValueError`.

    Attributes:
        buffer: the bytes.
    """

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self._view = memoryview(self.buffer)
        self._length = 0

    def reset(self):
        """Begin anew."""
        self._length = 0

    def written(self) -> memoryview:
        """What is written, filled up with bits of 0; a view that the next `reset` makes stale."""
        return self._view[: (self._length + 7) >> 3]

    def bits(self, number: int, width: int):
        """Write `number` in `width` bits."""
        position = self._length
        end = position + width
        if end > len(self.buffer) << 3:
            raise ValueError("no room in the buffer")
        buffer = self.buffer
        while width:
            place, used = position >> 3, position & 7
            if not used:
                buffer[place] = 0
            taken = 8 - used
            if taken > width:
                taken = width
            width -= taken
            buffer[place] |= (number >> width & (1 << taken) - 1) << 8 - used - taken
            position += taken
        self._length = end

    def golomb(self, number: int):
        """Write a number from 0 in exponential Golomb code of order 0."""
        length = bit_length(number + 1)
        self.bits(0, length - 1)
        self.bits(number + 1, length)

    def sized(self, number: int):
        """Write a number of 64 bits with a sign behind its length."""
        code = zigzag(number)
        length = bit_length(code)
        if length < 31:
            self.bits(length, 5)
        else:
            self.bits(31, 5)
            self.bits(length - 31, 6)
        if length > 1:
            self.bits(code & (1 << length - 1) - 1, length - 1)


def zigzag(number: int):
    """Map 0, -1, 1, -2, 2, ... to 0, 1, 2, 3, 4, ..."""
    return -(number << 1) - 1 if number < 0 else number << 1


def bit_length(number: int):
    """How many bits a number from 0 has; MicroPython's integers do not say it."""
    length = 0
    while number > 0xFF:
        number >>= 8
        length += 8
    while number:
        number >>= 1
        length += 1
    return length
