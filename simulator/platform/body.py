"""A record's values as one blob: a CBOR array without loss; the items' names are kept once, as its layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import cbor2

from edge.records import Element, Missing, Value


def _encode_missing(encoder: cbor2.CBOREncoder, value: object) -> None:
    """INVALID is CBOR null and ABNORMAL is CBOR undefined (RFC 8949, 3.3), also inside arrays."""
    if value is Missing.INVALID:
        encoder.encode(None)
    elif value is Missing.ABNORMAL:
        encoder.encode(cbor2.undefined)
    else:
        raise TypeError(f"no value of a record: {value!r}")


def encode_body(values: Sequence[Value]) -> bytes:
    """The values of one record in its layout's order."""
    buffer = BytesIO()
    cbor2.CBOREncoder(buffer, default=_encode_missing).encode(list(values))
    return buffer.getvalue()


def _element(value: object) -> Element:
    if value is None:
        return Missing.INVALID
    if value is cbor2.undefined:
        return Missing.ABNORMAL
    if isinstance(value, int):
        return value
    raise TypeError(f"no element of a stored record: {value!r}")


def decode_body(layout: Sequence[str], body: bytes) -> Mapping[str, Value]:
    """The values by item id; the opposite of `encode_body`."""
    stored: list[object] = cbor2.loads(body)
    return {
        item: tuple(_element(element) for element in value)
        if isinstance(value, list | tuple)
        else _element(value)
        for item, value in zip(layout, stored, strict=True)
    }
