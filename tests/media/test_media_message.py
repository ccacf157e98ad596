"""Media on the wire: kept whole, one encoding each, refused when anything is off."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pycddl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.wire
from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.wire.loss import LossCause
from edge.wire.media_message import (
    LARGEST_BYTES,
    MediaAbout,
    MediaChunk,
    MediaEnded,
    decode_media_message,
    encode_chunk,
    encode_ended,
)
from edge.wire.strict_cbor import read_cbor, write_cbor
from edge.wire.up_kinds import UpKind, peek_kind
from tests.wire import strategies

SCHEMA = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
MEDIA_SCHEMA = pycddl.Schema("root = media-message\n" + SCHEMA)
ABOUT = MediaAbout(
    "LNEVGATE000000001",
    bytes(range(16)),
    7,
    b"d" * 32,
    10,
    b"b" * 16,
    -5,
    30,
    Timebase(1_764_000_000_000_000_000, TimeQuality.GNSS),
    "exterior",
    "event",
    "front",
    "crash@81",
    "image/jpeg",
    1280,
    720,
    1,
    2,
    0,
    ("yunet",),
)
CHUNK = MediaChunk(ABOUT, 4, b"abcdef")
ENDED = MediaEnded("LNEVGATE000000001", bytes(range(16)), 7, LossCause.ERASED)

texts = st.text(min_size=1, max_size=20)
uint63s = st.integers(0, strategies.INT64_MAX)


@st.composite
def chunks(draw: st.DrawFn) -> MediaChunk:
    content = draw(st.binary(min_size=1, max_size=40))
    offset = draw(st.integers(0, LARGEST_BYTES - len(content)))
    from_ns, to_ns = sorted((draw(strategies.int64s), draw(strategies.int64s)))
    about = MediaAbout(
        vehicle=draw(texts),
        stream=draw(strategies.ids16),
        block=draw(st.integers(1, strategies.INT64_MAX)),
        digest=draw(st.binary(min_size=32, max_size=32)),
        size=draw(st.integers(offset + len(content), LARGEST_BYTES)),
        boot=draw(strategies.ids16),
        from_ns=from_ns,
        to_ns=to_ns,
        timebase=draw(strategies.timebases),
        data_class=draw(texts),
        purpose=draw(texts),
        camera=draw(texts),
        cause=draw(texts),
        format=draw(texts),
        width=draw(st.integers(1, strategies.INT64_MAX)),
        height=720,
        frames=draw(st.integers(1, strategies.INT64_MAX)),
        faces=draw(uint63s),
        plates=draw(uint63s),
        detectors=tuple(draw(st.lists(texts, max_size=3))),
    )
    return MediaChunk(about, offset, content)


@settings(max_examples=30)
@given(chunks())
def test_a_chunk_comes_back_equal_and_fits_the_schema(chunk: MediaChunk) -> None:
    written = encode_chunk(chunk)
    MEDIA_SCHEMA.validate_cbor(written)
    assert decode_media_message(written) == chunk
    assert write_cbor(read_cbor(written)) == written


@pytest.mark.parametrize("cause", LossCause)
def test_an_end_comes_back_equal_and_fits_the_schema(cause: LossCause) -> None:
    ended = MediaEnded("LNEVGATE000000001", bytes(16), 3, cause)
    written = encode_ended(ended)
    MEDIA_SCHEMA.validate_cbor(written)
    assert decode_media_message(written) == ended


def test_the_kinds_can_be_told_apart() -> None:
    assert peek_kind(encode_chunk(CHUNK)) is UpKind.MEDIA_CHUNK
    assert peek_kind(encode_ended(ENDED)) is UpKind.MEDIA_ENDED


BROKEN = {
    1: 2,
    2: 6,
    3: "",
    4: b"short",
    5: 0,
    6: bytes(31),
    7: 9,
    8: bytes(15),
    9: 31,
    11: "later",
    12: 9,
    13: "",
    14: "x" * 257,
    18: 0,
    20: 0,
    21: -1,
    23: [7],
    24: 5,
    25: b"",
    26: 1,
}


@pytest.mark.parametrize("key", BROKEN)
def test_whatever_is_off_is_refused(key: int) -> None:
    fields = read_cbor(encode_chunk(CHUNK))
    assert isinstance(fields, dict)
    with pytest.raises(WireError):
        decode_media_message(write_cbor({**fields, key: BROKEN[key]}))  # type: ignore[dict-item] # broken on purpose
    fields.pop(key, None)
    if key in {23, 26}:
        decode_media_message(write_cbor(fields))
    else:
        with pytest.raises(WireError):
            decode_media_message(write_cbor(fields))


@settings(max_examples=60)
@given(st.data())
def test_no_bytes_raise_anything_else(data: st.DataObject) -> None:
    written = bytearray(data.draw(st.sampled_from([encode_chunk(CHUNK), encode_ended(ENDED)])))
    for _ in range(data.draw(st.integers(1, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        decode_media_message(bytes(written))
