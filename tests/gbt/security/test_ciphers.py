"""Data units under every cipher: what goes in comes out, whatever else comes in is a `DecryptionError`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.errors import KeyFileError
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import UNIT_BYTES_MAX, Encryption, read_frame
from edge.wire.gbt.message import Opaque, message_of
from edge.wire.gbt.security import der
from edge.wire.gbt.security.choices import BlockMode, RsaPadding, SecurityOptions, Sm2Format
from edge.wire.gbt.security.ciphers import NAMES, UnitCipher, decrypted, encrypted
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.security.keys import GbtKey, KeyKind, cipher_of, public_half
from tests.gbt.grammar import examples
from tests.gbt.security.keys import private_key, report, symmetric_key

IV = bytes(range(16))
_RSA, _SM2 = private_key(KeyKind.RSA), private_key(KeyKind.SM2)
_AES, _SM4 = symmetric_key(Encryption.AES), symmetric_key(Encryption.SM4)


def _block(mode: BlockMode) -> SecurityOptions:
    return SecurityOptions(block_mode=mode, fixed_iv=IV if mode is BlockMode.CBC_FIXED_IV else b"")


CIPHERS = {
    **{f"aes {mode}": cipher_of(_AES, _block(mode)) for mode in BlockMode},
    **{f"sm4 {mode}": cipher_of(_SM4, _block(mode)) for mode in BlockMode},
    **{f"rsa {way}": cipher_of(_RSA, SecurityOptions(rsa_padding=way)) for way in RsaPadding},
    **{f"sm2 {form}": cipher_of(_SM2, SecurityOptions(sm2_format=form)) for form in Sm2Format},
}
ciphers = pytest.mark.parametrize("cipher", CIPHERS.values(), ids=CIPHERS.keys())
CHANGES = st.sampled_from(["noise", "blocks of noise", "cut", "one byte"])
CALM = settings(max_examples=examples(8))


@ciphers
class TestEveryCipher:
    """What holds for each member of the family."""

    @CALM
    @given(unit=st.binary(max_size=700))
    def test_what_is_encrypted_is_decrypted(self, cipher: UnitCipher, unit: bytes) -> None:
        hidden = cipher.encrypt(unit)
        assert cipher.decrypt(hidden) == unit
        assert len(unit) < 5 or unit not in hidden

    def test_the_longest_unit_fits_a_frame_and_a_longer_one_is_refused(self, cipher: UnitCipher) -> None:
        hidden = cipher.encrypt(bytes(cipher.longest))
        assert len(hidden) <= UNIT_BYTES_MAX
        assert cipher.decrypt(hidden) == bytes(cipher.longest)
        assert cipher.longest > UNIT_BYTES_MAX * 0.45
        with pytest.raises(GbtError, match=f"does not fit a frame under {NAMES[cipher.code]}"):
            cipher.encrypt(bytes(cipher.longest + 1))

    @CALM
    @given(
        change=CHANGES, noise=st.binary(max_size=300), place=st.integers(0, 9_999), flip=st.integers(1, 255)
    )
    def test_any_bytes_are_a_unit_or_a_decryption_error(
        self, cipher: UnitCipher, change: str, noise: bytes, place: int, flip: int
    ) -> None:
        hidden = bytearray(cipher.encrypt(b"a data unit that comes in pieces of sixteen bytes"))
        place %= len(hidden)
        hidden[place] ^= flip
        changed = {
            "noise": noise,
            "blocks of noise": noise[:19] * 16,
            "cut": bytes(hidden[:place]),
            "one byte": bytes(hidden),
        }[change]
        try:
            unit = cipher.decrypt(changed)
        except DecryptionError:
            return
        assert len(unit) <= len(changed)

    def test_a_frame_is_encrypted_before_its_check_code_and_decrypted_behind_it(
        self, cipher: UnitCipher
    ) -> None:
        message, _ = report()
        sent = encrypted(message.frame(), cipher).write()
        received = read_frame(sent)
        assert received.encryption == cipher.code
        assert message_of(received).content == Opaque(received.unit, "encrypted")
        assert message_of(decrypted(received, cipher)) == message
        with pytest.raises(GbtError, match="check code"):
            read_frame(sent[:40] + bytes((sent[40] ^ 1,)) + sent[41:])

    def test_an_empty_unit_stays_empty(self, cipher: UnitCipher) -> None:
        message, _ = report()
        beat = replace(message.frame(), command=7, unit=b"")
        assert encrypted(beat, cipher) == beat
        assert decrypted(replace(beat, encryption=cipher.code), cipher) == beat

    def test_a_unit_is_not_encrypted_twice_nor_decrypted_by_another(self, cipher: UnitCipher) -> None:
        message, _ = report()
        hidden = encrypted(message.frame(), cipher)
        with pytest.raises(GbtError, match="already"):
            encrypted(hidden, cipher)
        other = next(one for one in CIPHERS.values() if one.code != cipher.code)
        with pytest.raises(DecryptionError, match=f"by {NAMES[cipher.code]}, not {NAMES[other.code]}"):
            decrypted(hidden, other)
        for mark in (Encryption.ABNORMAL, Encryption.INVALID, 0x77):
            with pytest.raises(DecryptionError, match=f"no known algorithm \\({mark:02X}\\)"):
                decrypted(replace(hidden, encryption=mark), cipher)
        assert decrypted(message.frame(), cipher) == message.frame()

    def test_only_what_2016_has_a_mark_for_encrypts_its_messages(self, cipher: UnitCipher) -> None:
        frame = replace(report()[0].frame(), edition=Edition.Y2016)
        if cipher.code in {Encryption.RSA, Encryption.AES}:
            assert decrypted(encrypted(frame, cipher), cipher) == frame
            return
        with pytest.raises(GbtError, match=f"2016 has no mark for {NAMES[cipher.code]}"):
            encrypted(frame, cipher)


@pytest.mark.parametrize("key", [_AES, _SM4])
def test_equal_units_show_as_equal_only_in_the_modes_that_say_so(key: GbtKey) -> None:
    unit = bytes(64)
    default = cipher_of(key)
    assert default.encrypt(unit) != default.encrypt(unit)
    for mode in (BlockMode.CBC_FIXED_IV, BlockMode.ECB):
        cipher = cipher_of(key, _block(mode))
        assert cipher.encrypt(unit) == cipher.encrypt(unit)
    shown = cipher_of(key, _block(BlockMode.ECB)).encrypt(unit)
    assert shown[:16] == shown[16:32]
    with pytest.raises(GbtError, match="fixed IV of 16 bytes, not 0"):
        SecurityOptions(block_mode=BlockMode.CBC_FIXED_IV)


@pytest.mark.parametrize("key", [_RSA, _SM2])
def test_a_public_key_only_encrypts(key: GbtKey) -> None:
    hidden = cipher_of(public_half(key)).encrypt(b"unit")
    assert cipher_of(key).decrypt(hidden) == b"unit"
    with pytest.raises(DecryptionError, match="only the public half"):
        cipher_of(public_half(key)).decrypt(hidden)


KEYS = {
    "aes": [symmetric_key(Encryption.AES, seed) for seed in range(6)],
    "sm4": [symmetric_key(Encryption.SM4, seed) for seed in range(6)],
    "rsa": [private_key(KeyKind.RSA, seed) for seed in range(2)],
    "sm2": [private_key(KeyKind.SM2, seed) for seed in range(3)],
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
def test_another_key_gives_an_error_or_other_bytes(keys: list[GbtKey]) -> None:
    unit = b"GB/T 32960" * 20
    hidden = cipher_of(keys[0]).encrypt(unit)
    for other in keys[1:]:
        try:
            assert cipher_of(other).decrypt(hidden) != unit
        except DecryptionError:
            continue


def test_ecc_encrypts_nothing() -> None:
    with pytest.raises(KeyFileError, match="encrypts no data unit"):
        cipher_of(private_key(KeyKind.ECC))


def test_sm2_notices_a_changed_byte_of_each_part() -> None:
    cipher = cipher_of(_SM2)
    hidden = cipher.encrypt(b"unit")
    for place in (0, 1, 32, 33, 64, 65, 96, 97, 100):
        changed = hidden[:place] + bytes((hidden[place] ^ 0x80,)) + hidden[place + 1 :]
        with pytest.raises(DecryptionError):
            cipher.decrypt(changed)


def test_der_is_read_in_its_shortest_form_alone() -> None:
    assert der.read_integer(bytes.fromhex("02020080")) == (128, b"")
    assert der.read(der.write(4, bytes(70_000)[:65_000]), 4) == (bytes(65_000), b"")
    for wrong in (
        "",
        "02",
        "0200",
        "020180",
        "02020001",
        "02810101",
        "0282000101",
        "0280",
        "0283000001",
        "0202ff",
    ):
        with pytest.raises(ValueError, match=r"\w"):
            der.read_integer(bytes.fromhex(wrong))
    with pytest.raises(ValueError, match="something follows"):
        der.read_only(bytes.fromhex("040100ff"), der.OCTET_STRING)
    assert all(
        der.read_integer(der.write_integer(value)) == (value, b"") for value in (0, 1, 127, 128, 1 << 256)
    )
