"""A wrapped key opens for what it was wrapped for, and for nothing else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import JournalError
from edge.journal.keys.wrapping import WRAPPED_BYTES, unwrap, wrap

KEYS = st.binary(min_size=32, max_size=32)
IDENTITIES = st.lists(st.one_of(st.text(max_size=8), st.binary(max_size=8), st.integers(0, 1000)), max_size=5)


@given(KEYS, IDENTITIES, KEYS)
def test_what_was_wrapped_unwraps(wrapping_key: bytes, identity: list[str | bytes | int], key: bytes) -> None:
    wrapped = wrap(wrapping_key, identity, key, os.urandom)
    assert len(wrapped) == WRAPPED_BYTES
    assert key not in wrapped
    assert unwrap(wrapping_key, identity, wrapped) == key


@given(IDENTITIES, IDENTITIES)
def test_another_identity_is_refused(mine: list[str | bytes | int], other: list[str | bytes | int]) -> None:
    wrapped = wrap(bytes(32), mine, bytes(range(32)), os.urandom)
    if mine != other:
        with pytest.raises(JournalError):
            unwrap(bytes(32), other, wrapped)


@given(KEYS, st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_but_the_rooms_error(wrapping_key: bytes, wrapped: bytes) -> None:
    with pytest.raises(JournalError):
        unwrap(wrapping_key, ["data key"], wrapped)


@pytest.mark.parametrize(("wrapping_length", "length"), [(31, 32), (32, 31), (32, 0), (33, 32)])
def test_keys_of_other_lengths_are_refused(wrapping_length: int, length: int) -> None:
    with pytest.raises(JournalError, match="32 bytes"):
        wrap(bytes(wrapping_length), [], bytes(length), os.urandom)
