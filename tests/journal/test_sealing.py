"""Sealing: what goes in comes out, nothing else does, and the bytes are RFC 8439's."""

import hashlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import JournalError
from edge.journal.block import commit
from edge.journal.keys.sealing import OVERHEAD_BYTES, Draw, open_sealed, seal

KEYS = st.binary(min_size=32, max_size=32)
HEADERS = st.binary(max_size=200)
PLAINTEXTS = st.binary(max_size=2_000)
SEEDS = st.integers(min_value=0)


def seeded(seed: int) -> Draw:
    return Random(seed).randbytes  # noqa: S311 - a test repeats its seed


@given(KEYS, HEADERS, PLAINTEXTS, SEEDS)
def test_what_was_sealed_opens(key: bytes, header: bytes, plaintext: bytes, seed: int) -> None:
    sealed = seal(key, header, plaintext, seeded(seed))
    salt, opened = open_sealed(key, header, sealed.ciphertext)
    assert opened == plaintext
    assert len(salt) == 16
    assert sealed.commitment == hashlib.sha256(salt + plaintext).digest() == commit(salt, plaintext)
    assert len(sealed.ciphertext) == len(plaintext) + OVERHEAD_BYTES


@given(KEYS, HEADERS, PLAINTEXTS, SEEDS, st.data())
def test_a_changed_byte_anywhere_is_refused(
    key: bytes, header: bytes, plaintext: bytes, seed: int, data: st.DataObject
) -> None:
    sealed = seal(key, header, plaintext, seeded(seed))
    parts = [key, header, sealed.ciphertext]
    which = data.draw(st.integers(0, 2).filter(lambda index: parts[index] != b""))
    place = data.draw(st.integers(0, len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[place] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(changed)
    with pytest.raises(JournalError):
        open_sealed(*parts)


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_the_rooms_error(
    key: bytes, header: bytes, ciphertext: bytes
) -> None:
    with pytest.raises(JournalError):
        open_sealed(key, header, ciphertext)


@given(KEYS, PLAINTEXTS, SEEDS)
def test_a_ciphertext_cut_short_or_drawn_out_is_refused(key: bytes, plaintext: bytes, seed: int) -> None:
    ciphertext = seal(key, b"header", plaintext, seeded(seed)).ciphertext
    for other in (ciphertext[:-1], ciphertext[1:], ciphertext + b"\0", ciphertext[: OVERHEAD_BYTES - 1]):
        with pytest.raises(JournalError):
            open_sealed(key, b"header", other)


def test_the_same_plaintext_is_sealed_differently_each_time() -> None:
    draw = seeded(1)
    first, second = (seal(bytes(32), b"header", b"the same", draw) for _ in range(2))
    assert first.ciphertext[:12] != second.ciphertext[:12]
    assert first.commitment != second.commitment


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(JournalError, match="32 bytes"):
        seal(bytes(length), b"", b"", seeded(1))


def test_a_source_that_runs_dry_is_noticed() -> None:
    with pytest.raises(JournalError, match="randomness"):
        seal(bytes(32), b"", b"", lambda size: bytes(size - 1))


def test_the_bytes_are_those_of_rfc_8439() -> None:
    """RFC 8439, 2.8.2: the salt stands where the example's first 16 bytes of plaintext stand."""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    drawn = {12: bytes.fromhex("070000004041424344454647"), 16: text[:16]}
    key, header = bytes(range(0x80, 0xA0)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = seal(key, header, text[16:], drawn.__getitem__)
    assert sealed.ciphertext == bytes.fromhex(
        "070000004041424344454647"
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    )
    assert open_sealed(key, header, sealed.ciphertext) == (text[:16], text[16:])
