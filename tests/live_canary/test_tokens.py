"""The search finds every form of a token, and nothing in bytes that hold none."""

from __future__ import annotations

import ctypes
import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.wire.strict_cbor import write_cbor
from tests.live_canary.tokens import NUMBERS, Kind, Tokens, latitude, latitudes_in

NOISE = np.random.default_rng(5).bytes(1 << 20)


def memory_of(value: object) -> bytes:
    return ctypes.string_at(id(value), sys.getsizeof(value))


@given(
    st.integers(0, 1 << 32),
    st.sampled_from(Kind),
    st.integers(0, NUMBERS - 1),
    st.integers(0, 500),
)
def test_each_form_is_found_anywhere(seed: int, kind: Kind, number: int, place: int) -> None:
    tokens = Tokens(seed)
    token = tokens.token(kind, number)
    forms = (
        token.to_bytes(7, "little"),
        token.to_bytes(7, "big"),
        struct.pack("<Q", token),
        struct.pack("<d", token),
        struct.pack(">d", token),
        memory_of(token),
        memory_of(float(token)),
        write_cbor({1: token}),
        str(token).encode(),
        str(float(token)).encode(),
        token.to_bytes(7, "little").hex().encode(),
        token.to_bytes(7, "little").hex().upper().encode(),
        f"{token:x}".encode(),
        tokens.text(kind, number),
    )
    for form in forms:
        found = tokens.found(NOISE[:place] + form + NOISE[:10])
        assert {one: each for one, each in found.items() if each} == {kind: {number}}


@given(
    st.sampled_from(Kind), st.integers(0, NUMBERS - 1), st.integers(1, 2), st.sampled_from([b"\0", b"\xff"])
)
def test_a_token_that_is_partly_overwritten_is_no_other_one(
    kind: Kind, number: int, count: int, filler: bytes
) -> None:
    tokens = Tokens(3)
    whole = tokens.token(kind, number).to_bytes(7, "little")
    for begin in (b"\0", b"\1", filler):
        spoilt = (begin + filler * 2)[:count] + whole[count:]
        assert not any(tokens.found(spoilt).values())


def test_nothing_is_found_where_nothing_is() -> None:
    found = Tokens(1).found(NOISE + Tokens(2).token(Kind.CABIN, 5).to_bytes(7, "little"))
    assert not any(found.values())


@pytest.mark.parametrize("inside", [False, True])
def test_a_latitude_tells_its_number(inside: bool) -> None:
    degrees = [latitude(number, inside=inside) for number in range(3000)]
    for content in (
        b"".join(struct.pack("<d", each) for each in degrees),
        b"".join(memory_of(round(each * 1e6)) + bytes(4) for each in degrees),
    ):
        found = latitudes_in(NOISE[:1021] + content)
        assert found[inside] == set(range(3000))
        assert found[not inside] == set()
