"""Keys: what is written reads back, halves belong together, and files stay with their owner."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import KeyFileError
from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.security.keys import (
    GbtKey,
    KeyKind,
    SymmetricKey,
    cipher_of,
    key_from_exchange,
    key_from_text,
    key_to_text,
    make_key,
    public_half,
    public_key_bytes,
    public_key_from_bytes,
    read_gbt_key,
    signer_of,
    verifier_of,
    write_gbt_key,
)
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey
from tests.gbt.grammar import examples
from tests.gbt.security.keys import private_key, symmetric_key

PAIRS = (KeyKind.SM2, KeyKind.RSA, KeyKind.ECC)
SM2_PEM = b"""-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgRap77+7de6rF5AOd
/jfNn5VanhjrQFao4EqdcFP5wTqhRANCAAQ0rgf3Ak/d9hIPbOFObfZs6FCaNZoL
c4hrBMY/xGziUHTsz/c/XfC+JM0h+AjlXAasYiDtXIc7zBB88SJZrxnC
-----END PRIVATE KEY-----
"""
"""As 'openssl genpkey -algorithm SM2' wrote it."""


def test_a_key_of_openssl_is_read_and_written_as_it_was() -> None:
    key = key_from_text(
        b"-----BEGIN SM2 PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END SM2 PARAMETERS-----\n" + SM2_PEM
    )
    assert isinstance(key, Sm2PrivateKey)
    assert key_to_text(key) == SM2_PEM
    assert "45aa7b" not in f"{key!r}{key}"


@pytest.mark.parametrize("kind", KeyKind)
def test_every_key_reads_back_from_its_file(kind: KeyKind, tmp_path: Path) -> None:
    file = tmp_path / "vehicle.pem"
    if kind is KeyKind.RSA:
        key: GbtKey = private_key(kind)
        assert isinstance(key, rsa.RSAPrivateKey)
    else:
        key = make_key(kind)
    assert not isinstance(key, Sm2PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    beside = write_gbt_key(file, key)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_to_text(read_gbt_key(file)) == key_to_text(key)
    if beside is None:
        assert isinstance(key, SymmetricKey)
    else:
        assert key_to_text(read_gbt_key(beside)) == key_to_text(public_half(key))
        signature = signer_of(key).sign(b"covered")
        verifier_of(read_gbt_key(beside)).check(b"covered", signature)
    with pytest.raises(KeyFileError, match="exists already"):
        write_gbt_key(file, key)
    write_gbt_key(file, key, force=True)
    file.chmod(0o640)
    with pytest.raises(KeyFileError, match="read or written by others"):
        read_gbt_key(file)


def test_a_key_file_that_is_none_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    with pytest.raises(KeyFileError, match=f"{file}: cannot be read"):
        read_gbt_key(file)
    file.touch(0o600)
    file.write_text("sm4 00\n", "utf-8")
    with pytest.raises(KeyFileError, match=f"{file}: a key of SM4 has 16 bytes, not 1"):
        read_gbt_key(file)


def _sm2_with(change: bytes, to: bytes) -> bytes:
    body = base64.b64decode(b"".join(SM2_PEM.splitlines()[1:-1]))
    assert change in body
    text = base64.b64encode(body.replace(change, to))
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no key"),
        (b"sm4 0123456789abcdef0123456789abcde", "not even"),
        (b"aes-256 " + b"00" * 32, "no key"),
        (_sm2_with(bytes.fromhex("45aa7b"), bytes.fromhex("45aa7c")), "that of another key"),
        (
            _sm2_with(bytes.fromhex("45aa7befeedd7baa"), bytes.fromhex("ffffffffffffffff")),
            "no private key of SM2",
        ),
        (_sm2_with(bytes.fromhex("0420"), bytes.fromhex("0421")), "no key of SM2"),
        (_sm2_with(bytes.fromhex("020101"), bytes.fromhex("020102")), "no key of SM2"),
        (SM2_PEM.replace(b"MIGH", b"MIG"), "damaged"),
        (
            ec.generate_private_key(ec.SECP384R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "none of SM2, RSA or ECC over P-256",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "none of SM2, RSA or ECC over P-256",
        ),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
            ),
            "private key is encrypted",
        ),
    ],
)
def test_what_is_no_key_is_refused_with_its_reason(text: bytes, why: str) -> None:
    with pytest.raises(KeyFileError, match=why):
        key_from_text(text)


@settings(max_examples=examples(30))
@given(place=st.integers(0, 300), noise=st.binary(min_size=1, max_size=4))
def test_a_damaged_key_is_read_or_refused(place: int, noise: bytes) -> None:
    for kind in (KeyKind.SM2, KeyKind.ECC):
        text = bytearray(key_to_text(public_half(private_key(kind))))
        text[place % len(text) : place % len(text) + len(noise)] = noise
        try:
            key_from_text(bytes(text))
        except KeyFileError:
            continue


@pytest.mark.parametrize("kind", PAIRS)
def test_a_public_key_goes_through_a_message(kind: KeyKind) -> None:
    key = public_half(private_key(kind))
    sent = public_key_bytes(key)
    assert public_key_bytes(public_key_from_bytes(kind, sent)) == sent
    der = base64.b64decode(b"".join(key_to_text(key).splitlines()[1:-1]))
    assert public_key_bytes(public_key_from_bytes(kind, der)) == sent
    for wrong in (b"", sent[:-1], sent + b"\0", b"\x04" + bytes(64)):
        with pytest.raises(KeyFileError, match=f"no public key of {kind.upper()}"):
            public_key_from_bytes(kind, wrong)
    for other in set(PAIRS) - {kind}:
        with pytest.raises(KeyFileError, match=f"no public key of {other.upper()}"):
            public_key_from_bytes(other, der)


def test_a_key_exchange_gives_a_key_that_encrypts() -> None:
    for code in (Encryption.AES, Encryption.SM4):
        assert key_from_exchange(code, symmetric_key(code).secret) == symmetric_key(code)
        with pytest.raises(KeyFileError, match="has 16 bytes, not 15"):
            key_from_exchange(code, bytes(15))
    for code, kind in ((Encryption.RSA, KeyKind.RSA), (Encryption.SM2, KeyKind.SM2)):
        key = key_from_exchange(code, public_key_bytes(public_half(private_key(kind))))
        assert cipher_of(private_key(kind)).decrypt(cipher_of(key).encrypt(b"unit")) == b"unit"
    for unknown in (0, 1, 6, 254, 255):
        with pytest.raises(KeyFileError, match="none that encrypts"):
            key_from_exchange(unknown, bytes(16))


def test_a_symmetric_key_neither_signs_nor_has_a_public_half() -> None:
    key = symmetric_key(Encryption.SM4)
    assert key.secret.hex() not in repr(key)
    with pytest.raises(KeyFileError, match="takes a private key"):
        signer_of(key)
    with pytest.raises(KeyFileError, match="no public half"):
        verifier_of(key)
    with pytest.raises(KeyFileError, match="takes a private key"):
        signer_of(public_half(private_key(KeyKind.SM2)))
    with pytest.raises(KeyFileError, match="RSA has no key of 16 bytes"):
        SymmetricKey(Encryption.RSA, bytes(16))
