"""SM2 where its standard has a step for what hardly ever happens: made to happen here."""

from __future__ import annotations

import secrets

import pytest

from edge.wire.gbt.security import curve
from edge.wire.gbt.security.choices import Sm2Format
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey
from edge.wire.gbt.security.sm3 import key_stream, sm3
from tests.gbt.security.test_vectors import NONCE, SECRET

ZERO_STREAM_NONCE = 470
"""With the standard's key the first byte of this number's key stream is zero."""


def _judging(digest: int) -> Sm2PublicKey:
    """The public key of the standard's example, to which every message has this digest."""

    class Judging(Sm2PublicKey):
        __slots__ = ()

        def digest(self, message: bytes, signer_id: bytes) -> int:
            del message, signer_id
            return digest

    return Judging(Sm2PrivateKey.of(SECRET).public.point)


def _x_of(factor: int) -> int:
    return curve.multiply_secret(factor, None, secrets.token_bytes)[0]


def test_numbers_beyond_the_order_are_no_signature() -> None:
    key = Sm2PrivateKey.of(SECRET)
    wanted = 5
    digest = (wanted - _x_of(NONCE)) % curve.N
    signature = key.sign_under(NONCE, digest, secrets.token_bytes)
    assert signature is not None
    r, s = signature
    assert r == wanted
    judging = _judging(digest)
    assert judging.holds(b"", b"", r, s)
    assert r + curve.N < 1 << 256
    assert not judging.holds(b"", b"", r + curve.N, s)
    assert not judging.holds(b"", b"", r, s + curve.N)


def test_a_signature_whose_halves_cancel_each_other_needs_no_key_and_is_refused() -> None:
    s = 12_345
    r = curve.N - s
    assert not _judging((r - _x_of(s)) % curve.N).holds(b"", b"", r, s)


def test_a_signature_that_would_tell_something_is_made_anew() -> None:
    key = Sm2PrivateKey.of(SECRET)
    x = _x_of(NONCE)
    for digest in (-x % curve.N, (curve.N - NONCE - x) % curve.N):
        assert key.sign_under(NONCE, digest, secrets.token_bytes) is None


def test_a_key_stream_of_zeros_hides_nothing_and_is_neither_made_nor_taken() -> None:
    key = Sm2PrivateKey.of(SECRET)
    form = Sm2Format.C1C3C2
    assert key.public.encrypt_under(ZERO_STREAM_NONCE, b"x", form, secrets.token_bytes) is None
    begun = curve.multiply_secret(ZERO_STREAM_NONCE, None, secrets.token_bytes)
    shared = curve.multiply_secret(ZERO_STREAM_NONCE, key.public.point, secrets.token_bytes)
    x2, y2 = (number.to_bytes(32) for number in shared)
    assert key_stream(x2 + y2, 1) == b"\0"
    shown = Sm2PublicKey(begun).to_bytes() + sm3(x2, b"x", y2) + b"x"
    with pytest.raises(DecryptionError, match="does not decrypt"):
        key.decrypt(shown, form)


@pytest.mark.parametrize("form", Sm2Format)
def test_a_point_beside_the_curve_is_never_multiplied_by_the_key(form: Sm2Format) -> None:
    key = Sm2PrivateKey.of(SECRET)
    x, y = key.public.point
    hidden = key.public.encrypt_under(1, b"unit", form, secrets.token_bytes)
    assert hidden is not None
    base = curve.G[1].to_bytes(32)
    beside = hidden.replace(base, (curve.G[1] ^ 1).to_bytes(32))
    assert beside != hidden
    with pytest.raises(DecryptionError, match="no point of the curve"):
        key.decrypt(beside, form)
    for point in ((x, y ^ 1), (x + curve.P, y), (0, 0)):
        with pytest.raises(ValueError, match="no point of the curve"):
            Sm2PublicKey(point)


@pytest.mark.parametrize("secret", [0, curve.N - 1, curve.N, -1])
def test_a_secret_is_from_1_to_the_order_less_2(secret: int) -> None:
    with pytest.raises(ValueError, match="no private key"):
        Sm2PrivateKey.of(secret)
