"""The subset of CBOR that nevgate speaks, deterministic (RFC 8949, 4.2.1): into a buffer, and back.

It is the twin of `edge/wire/strict_cbor.py` for boards: what one writes, the other reads.
"""

UNSIGNED, NEGATIVE, OCTETS, TEXT, ARRAY, MAP, TAG = range(7)

_DEPTH = 8
_INT64_MAX = 0x7FFF_FFFF_FFFF_FFFF


class Writer:
    """Writes items one after the other into a buffer that is made once.

    Args:
        size: bytes of the buffer; what does not fit raises `ValueError`.

    Attributes:
        buffer: the bytes; the first `length` of them are written.
        length: how many.
    """

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.length = 0
        self._view = memoryview(self.buffer)

    def reset(self):
        """Begin anew."""
        self.length = 0

    def written(self) -> memoryview:
        """What is written, a view that the next `reset` makes stale."""
        return self._view[: self.length]

    def head(self, major: int, argument: int):
        """Write a head in its shortest form."""
        start = major << 5
        if argument < 24:
            self._put(start | argument, argument, 0)
        elif argument < 0x100:
            self._put(start | 24, argument, 1)
        elif argument < 0x1_0000:
            self._put(start | 25, argument, 2)
        elif argument < 0x1_0000_0000:
            self._put(start | 26, argument, 4)
        else:
            self._put(start | 27, argument, 8)

    def integer(self, number: int):
        """Write an integer of 64 bits with a sign."""
        if number < 0:
            self.head(NEGATIVE, -1 - number)
        else:
            self.head(UNSIGNED, number)

    def octets(self, octets):
        """Write a byte string."""
        self.head(OCTETS, len(octets))
        self.raw(octets)

    def text(self, text: str):
        """Write a text."""
        octets = text.encode()
        self.head(TEXT, len(octets))
        self.raw(octets)

    def array(self, count: int):
        """Write the head of an array; its elements follow."""
        self.head(ARRAY, count)

    def map(self, count: int):
        """Write the head of a map; its pairs follow, keys rising."""
        self.head(MAP, count)

    def raw(self, octets):
        """Write bytes as they are."""
        end = self.length + len(octets)
        self._fits(end)
        self._view[self.length : end] = octets
        self.length = end

    def _put(self, initial: int, argument: int, width: int):
        end = self.length + 1 + width
        self._fits(end)
        self.buffer[self.length] = initial
        for place in range(end - 1, self.length, -1):
            self.buffer[place] = argument & 0xFF
            argument >>= 8
        self.length = end

    def _fits(self, end: int):
        if end > len(self.buffer):
            raise ValueError("no room in the buffer")


def read(data: bytes | memoryview):
    """Read the one item that `data` holds: int, bytes, str, list, or dict by rising integers.

    Raises:
        ValueError: the bytes are anything else, in whatever way, or go on after the item.
    """
    value, end = _item(data, 0, 0)
    if end != len(data):
        raise ValueError("bytes after the item")
    return value


def head(data, position: int):
    """Read a head: major type, argument, and the position after it.

    Raises:
        ValueError: it is none, or not in its shortest form.
    """
    if position >= len(data):
        raise ValueError("no item")
    major, information = data[position] >> 5, data[position] & 31
    position += 1
    if information < 24:
        return major, information, position
    if information > 27:
        raise ValueError("indefinite or reserved")
    width = 1 << information - 24
    if position + width > len(data):
        raise ValueError("cut short")
    argument = int.from_bytes(bytes(data[position : position + width]), "big")
    if argument < (24 if width == 1 else 1 << 4 * width):
        raise ValueError("not the shortest form")
    return major, argument, position + width


def _item(data, position: int, depth: int):
    if depth > _DEPTH:
        raise ValueError("too deep")
    major, argument, position = head(data, position)
    if major <= NEGATIVE:
        if argument > _INT64_MAX:
            raise ValueError("more than 64 bits")
        return (-1 - argument if major else argument), position
    if major <= TEXT:
        end = position + argument
        if end > len(data):
            raise ValueError("cut short")
        octets = bytes(data[position:end])
        return (octets if major == OCTETS else _text(octets)), end
    if major == ARRAY:
        if argument > len(data) - position:
            raise ValueError("cut short")
        elements = []
        for _ in range(argument):
            element, position = _item(data, position, depth + 1)
            elements.append(element)
        return elements, position
    if major != MAP or argument > (len(data) - position) // 2:
        raise ValueError("no item of this kind is spoken")
    pairs, before = {}, -1
    for _ in range(argument):
        major, key, position = head(data, position)
        if major != UNSIGNED or key <= before:
            raise ValueError("keys do not rise")
        pairs[key], position = _item(data, position, depth + 1)
        before = key
    return pairs, position


def _text(octets):
    try:
        return octets.decode()
    except UnicodeError as error:
        raise ValueError("no UTF-8") from error
