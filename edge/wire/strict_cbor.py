"""The subset of CBOR that nevgate speaks, read strictly: each value has one encoding, bad bytes one error."""

from __future__ import annotations

from typing import cast

import cbor2

from edge.errors import WireError

MAX_DEPTH = 8
INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

CborValue = int | bytes | str | list["CborValue"] | dict[int, "CborValue"]

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SHORTEST_FLOOR = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}


def _argument(data: bytes, position: int) -> tuple[int, int, int]:
    """Read a head; return major type, argument and the position after it."""
    if position >= len(data):
        raise WireError("message ends within a CBOR item", where=f"byte {position}")
    initial = data[position]
    major, information = initial >> 5, initial & 31
    if information < 24:  # noqa: PLR2004 - RFC 8949 section 3
        return major, information, position + 1
    width = _ARGUMENT_BYTES.get(information)
    if width is None:
        raise WireError("indefinite length or reserved CBOR head", where=f"byte {position}")
    end = position + 1 + width
    if end > len(data):
        raise WireError("message ends within a CBOR head", where=f"byte {position}")
    argument = int.from_bytes(data[position + 1 : end], "big")
    if argument < _SHORTEST_FLOOR[information]:
        raise WireError("CBOR number is not in its shortest form", where=f"byte {position}")
    return major, argument, end


def _item(data: bytes, position: int, depth: int) -> tuple[CborValue, int]:
    if depth > MAX_DEPTH:
        raise WireError(f"CBOR nested deeper than {MAX_DEPTH}", where=f"byte {position}")
    start = position
    major, argument, position = _argument(data, position)
    if major in {_UINT, _NEGATIVE}:
        if argument > INT64_MAX:
            raise WireError("integer outside 64 bits signed", where=f"byte {start}")
        return (argument if major == _UINT else -1 - argument), position
    if major in {_BYTES, _TEXT}:
        end = position + argument
        if end > len(data):
            raise WireError("CBOR string longer than the message", where=f"byte {start}")
        chunk = data[position:end]
        return (chunk if major == _BYTES else _text(chunk, start)), end
    if major == _ARRAY:
        if argument > len(data) - position:
            raise WireError("CBOR array longer than the message", where=f"byte {start}")
        elements: list[CborValue] = []
        for _ in range(argument):
            element, position = _item(data, position, depth + 1)
            elements.append(element)
        return elements, position
    if major == _MAP:
        return _map(data, position, argument, depth)
    raise WireError("CBOR tag, float or simple value where none belongs", where=f"byte {start}")


def _text(chunk: bytes, start: int) -> str:
    try:
        return chunk.decode()
    except UnicodeDecodeError as error:
        raise WireError("text is not UTF-8", where=f"byte {start}") from error


def _map(data: bytes, position: int, count: int, depth: int) -> tuple[dict[int, CborValue], int]:
    if count > (len(data) - position) // 2:
        raise WireError("CBOR map longer than the message", where=f"byte {position}")
    pairs: dict[int, CborValue] = {}
    previous = -1
    for _ in range(count):
        major, key, after = _argument(data, position)
        if major != _UINT or key <= previous:
            raise WireError("map keys are not rising unsigned integers", where=f"byte {position}")
        pairs[key], position = _item(data, after, depth + 1)
        previous = key
    return pairs, position


def read_cbor(data: bytes, start: int = 0) -> CborValue:
    """Read the one item that `data` holds from byte `start` to its end.

    Accepted are integers of 64 bits signed, byte and text strings, arrays, and maps whose keys are unsigned
    integers, all of definite length, in shortest form, keys rising (core deterministic encoding, RFC 8949
    section 4.2.1). Neither tags nor floats nor simple values are: no such item can reach a library's own
    decoder of dates, regular expressions, big numbers or shared references.

    Args:
        data: the bytes.
        start: where the item begins.

    Returns:
        The item as plain Python values; nothing is allocated beyond the size of `data`.

    Raises:
        WireError: the bytes are anything else, nest deeper than `MAX_DEPTH`, or go on after the item.
    """
    value, end = _item(data, start, 0)
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes after the end of the message", where=f"byte {end}")
    return value


def write_cbor(value: CborValue) -> bytes:
    """Write `value`; its maps must hold their keys rising, as `read_cbor` asks."""
    return cbor2.dumps(value)


class Fields:
    """The fields of one map, taken one by one with their types; what is left over at the end is an error.

    Attributes:
        name: what the map is, for error messages.
    """

    def __init__(self, value: CborValue, name: str) -> None:
        if not isinstance(value, dict):
            raise WireError(f"{name} is no CBOR map")
        self._rest = dict(value)
        self.name = name

    def _wrong(self, key: int, wanted: str) -> WireError:
        return WireError(f"field {key} is not {wanted}", where=self.name)

    def has(self, key: int) -> bool:
        """Whether the field is there and not yet taken."""
        return key in self._rest

    def integer(self, key: int, low: int = INT64_MIN, high: int = INT64_MAX) -> int:
        """Take an integer from `low` to `high`, both included."""
        value = self._rest.pop(key, None)
        if not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(key, f"an integer from {low} to {high}")
        return value

    def octets(self, key: int, size: int | None = None) -> bytes:
        """Take a byte string, of `size` bytes if that is given."""
        value = self._rest.pop(key, None)
        if not isinstance(value, bytes) or (size is not None and len(value) != size):
            raise self._wrong(key, "a byte string" + (f" of {size} bytes" if size is not None else ""))
        return value

    def text(self, key: int, limit: int) -> str:
        """Take a text of 1 to `limit` bytes in UTF-8."""
        value = self._rest.pop(key, None)
        if not isinstance(value, str) or not 0 < len(value.encode()) <= limit:
            raise self._wrong(key, f"a text of 1 to {limit} bytes")
        return value

    def array(self, key: int, limit: int) -> list[CborValue]:
        """Take an array of 1 to `limit` elements."""
        value = self._rest.pop(key, None)
        if not isinstance(value, list) or not 0 < len(value) <= limit:
            raise self._wrong(key, f"an array of 1 to {limit} elements")
        return value

    def integers(self, value: CborValue, count: int) -> list[int]:
        """Check that `value` is an array of `count` integers."""
        if not isinstance(value, list) or len(value) != count or not all(isinstance(v, int) for v in value):
            raise WireError(f"an entry is not an array of {count} integers", where=self.name)
        return cast("list[int]", value)

    def finish(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._rest:
            raise WireError(f"unknown fields {sorted(self._rest)}", where=self.name)
