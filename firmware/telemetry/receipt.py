"""Reads the platform's receipts: what of a stream has arrived (docs/wire-format.md)."""

from .cbor import read

MISSING = 256
"""Missing ranges that are taken in; a receipt with more is refused."""


def read_receipt(data: bytes | memoryview) -> tuple:
    """Stream, watermark, missing ranges as pairs of first and last, highest, and Unix time in nanoseconds.

    Raises:
        ValueError: the bytes are no receipt.
    """
    fields = read(data)
    if not isinstance(fields, dict) or fields.get(1) != 1:
        raise ValueError("no receipt")
    stream, watermark, time_ns = fields.get(2), fields.get(3), fields.get(5)
    if not isinstance(stream, bytes) or len(stream) != 16:
        raise ValueError("no stream")
    if not isinstance(watermark, int) or not isinstance(time_ns, int) or watermark < 0 or time_ns < 0:
        raise ValueError("no receipt")
    missing, highest, before = [], watermark, watermark
    if 4 in fields:
        ranges, highest = fields[4], fields.get(7)
        if not isinstance(ranges, list) or not 0 < len(ranges) <= MISSING or not isinstance(highest, int):
            raise ValueError("no ranges")
        for each in ranges:
            if not isinstance(each, list) or len(each) != 2:
                raise ValueError("no range")
            first, more = each
            if not isinstance(first, int) or not isinstance(more, int) or first <= before or more < 0:
                raise ValueError("ranges do not rise")
            before = first + more
            missing.append((first, before))
        if highest <= before:
            raise ValueError("highest within the missing")
    return stream, watermark, tuple(missing), highest, time_ns
