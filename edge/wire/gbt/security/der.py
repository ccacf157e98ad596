"""The little of DER (ITU-T X.690) that SM2 keys and SM2 cipher texts need, read strictly."""

from __future__ import annotations

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_ID = 0x06
SEQUENCE = 0x30

_LONG_FORM = 0x80
_LENGTH_BYTES_MAX = 2


def write(tag: int, *pieces: bytes) -> bytes:
    """One element."""
    content = b"".join(pieces)
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, _LONG_FORM | size)) + length.to_bytes(size) + content


def write_integer(value: int) -> bytes:
    """A number that is not negative."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def read(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Read the element at the beginning.

    Returns:
        Its content, and what follows it.

    Raises:
        ValueError: it has another tag, ends early, or its length is not written in the shortest way.
    """
    if len(data) < 2 or data[0] != tag:  # noqa: PLR2004 - tag and length
        raise ValueError(f"no element of tag {tag:02X}")
    length, start = data[1], 2
    if length & _LONG_FORM:
        size = length & ~_LONG_FORM
        start += size
        if not 1 <= size <= _LENGTH_BYTES_MAX or start > len(data):
            raise ValueError("no length of an element")
        length = int.from_bytes(data[2:start])
        if length < _LONG_FORM or length < 1 << 8 * (size - 1):
            raise ValueError("a length longer than needed")
    if start + length > len(data):
        raise ValueError("ends within an element")
    return data[start : start + length], data[start + length :]


def read_only(data: bytes, tag: int) -> bytes:
    """The content of an element that fills `data`; else as `read`."""
    content, rest = read(data, tag)
    if rest:
        raise ValueError("something follows the element")
    return content


def read_integer(data: bytes) -> tuple[int, bytes]:
    """Read a number that is not negative; else as `read`."""
    content, rest = read(data, INTEGER)
    if not content or content[0] & 0x80 or (len(content) > 1 and not content[0] and not content[1] & 0x80):
        raise ValueError("no number, a negative one, or one longer than needed")
    return int.from_bytes(content), rest
