"""Signatures of reports: those of the vehicle hold, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import HEADER_BYTES, Command, Encryption, Frame
from edge.wire.gbt.message import Body, Message, Report, Values, message_of, read_message
from edge.wire.gbt.options import Options
from edge.wire.gbt.security import curve
from edge.wire.gbt.security.choices import SecurityOptions
from edge.wire.gbt.security.faults import SignatureError, SignatureMissingError
from edge.wire.gbt.security.keys import KeyKind, public_half, signer_of, verifier_of
from edge.wire.gbt.security.signatures import (
    check_signature,
    is_signable,
    read_signature,
    signed,
    write_signature,
)
from edge.wire.gbt.security.sm2 import Sm2PrivateKey
from tests.gbt.grammar import examples
from tests.gbt.security.keys import private_key, report, seeded

KINDS = (KeyKind.SM2, KeyKind.RSA, KeyKind.ECC)
kinds = pytest.mark.parametrize("kind", KINDS)


@cache
def _signed(kind: KeyKind, *, covers_mark: bool = False) -> Message:
    message, _ = report()
    return signed(message, signer_of(private_key(kind)), Options(signature_covers_mark=covers_mark))


def _signature(message: Message) -> tuple[int, int, bytes, int, bytes]:
    assert isinstance(message.content, Report)
    assert message.content.signature is not None
    algorithm, r_length, r, s_length, s = message.content.signature
    return algorithm, r_length, r, s_length, s


def _with(message: Message, signature: tuple[int, int, bytes, int, bytes] | None) -> Message:
    assert isinstance(message.content, Report)
    return replace(message, content=replace(message.content, signature=signature))


@kinds
class TestEveryAlgorithm:
    """What holds for each member of the family."""

    def test_a_signed_report_reads_back_and_holds(self, kind: KeyKind) -> None:
        message = read_message(_signed(kind).write())
        assert message == _signed(kind)
        key = private_key(kind)
        assert _signature(message)[0] == KINDS.index(kind) + 1
        assert len(_signature(message)[2] + _signature(message)[4]) == signer_of(key).signature_bytes
        for half in (key, public_half(key)):
            check_signature(message, verifier_of(half))

    def test_a_reissue_keeps_its_signature(self, kind: KeyKind) -> None:
        again = read_message(replace(_signed(kind), command=Command.REISSUE).write())
        check_signature(again, verifier_of(private_key(kind)))

    def test_whether_the_mark_is_covered_has_to_be_agreed(self, kind: KeyKind) -> None:
        verifier = verifier_of(private_key(kind))
        covering = Options(signature_covers_mark=True)
        check_signature(_signed(kind, covers_mark=True), verifier, covering)
        for message, options in ((_signed(kind, covers_mark=True), Options()), (_signed(kind), covering)):
            with pytest.raises(SignatureError, match="does not hold"):
                check_signature(message, verifier, options)

    def test_a_report_without_signature_is_told_as_such(self, kind: KeyKind) -> None:
        message, content = report()
        with pytest.raises(SignatureMissingError, match="has no signature"):
            check_signature(message, verifier_of(private_key(kind)))
        hiding = replace(message, content=replace(content, rest=b"\x77unknown"))
        with pytest.raises(SignatureMissingError, match="before an unknown information type"):
            check_signature(hiding, verifier_of(private_key(kind)))

    def test_the_signature_of_another_report_or_of_another_key_does_not_hold(self, kind: KeyKind) -> None:
        message, content = report()
        later = replace(message, content=replace(content, time=bytes((26, 3, 1, 8, 0, 59))))
        swapped = _with(later, _signature(_signed(kind)))
        with pytest.raises(SignatureError, match="does not hold"):
            check_signature(swapped, verifier_of(private_key(kind)))
        with pytest.raises(SignatureError, match="does not hold"):
            check_signature(_signed(kind), verifier_of(private_key(kind, 1)))

    def test_a_signature_of_another_algorithm_is_refused(self, kind: KeyKind) -> None:
        other = KINDS[KINDS.index(kind) - 1]
        with pytest.raises(
            SignatureError, match=f"signed by {kind.upper()}, the key is one of {other.upper()}"
        ):
            check_signature(_signed(kind), verifier_of(private_key(other)))
        _, r_length, r, s_length, s = _signature(_signed(kind))
        for code in (0, 4, 255):
            with pytest.raises(SignatureError, match=f"no known algorithm \\({code:02X}\\)"):
                check_signature(
                    _with(_signed(kind), (code, r_length, r, s_length, s)), verifier_of(private_key(kind))
                )

    def test_r_and_s_have_one_length_alone(self, kind: KeyKind) -> None:
        algorithm, _, r, _, s = _signature(_signed(kind))
        halves = (len(r + s) + 1) // 2
        for r2, s2 in (
            (b"\0" + r, s),
            (r, b"\0" + s),
            (r[1:], s),
            (r + s, b"") if s else ((r + s)[:halves], (r + s)[halves:]),
            (b"", b""),
            (r, s + r) if s else (r + b"\0", s),
        ):
            changed = _with(_signed(kind), (algorithm, len(r2), r2, len(s2), s2))
            with pytest.raises(SignatureError, match=r"R of \d+ and S of \d+ bytes"):
                check_signature(changed, verifier_of(private_key(kind)))

    @settings(max_examples=examples(20))
    @given(place=st.integers(0, 9_999), flip=st.integers(1, 255))
    def test_a_changed_byte_is_noticed(self, kind: KeyKind, place: int, flip: int) -> None:
        frame = _signed(kind).frame()
        assert _notices(kind, frame, place % len(frame.unit), flip)

    def test_only_plain_reports_of_2025_are_signed_and_once(self, kind: KeyKind) -> None:
        message, content = report()
        signer, verifier = signer_of(private_key(kind)), verifier_of(private_key(kind))
        for wrong in (
            replace(message, edition=Edition.Y2016),
            replace(message, command=Command.VEHICLE_LOGOUT, content=Values("command 04", (bytes(6), 1))),
            replace(message, encryption=Encryption.SM4),
        ):
            assert not is_signable(wrong)
            with pytest.raises(GbtError, match="only plain"):
                signed(wrong, signer)
            with pytest.raises(SignatureMissingError, match="only plain"):
                check_signature(wrong, verifier)
        with pytest.raises(GbtError, match="signed already"):
            signed(_signed(kind), signer)
        with pytest.raises(GbtError, match="unknown information type"):
            signed(replace(message, content=replace(content, rest=b"\x77")), signer)

    def test_a_signature_alone_reads_back(self, kind: KeyKind) -> None:
        signature = signer_of(private_key(kind)).sign(b"chip and key")
        data = write_signature(signature)
        verifier_of(private_key(kind)).check(b"chip and key", read_signature(data))
        for wrong in (b"", data[:-1], data + b"\0"):
            with pytest.raises(SignatureError, match=r"is no signature|follow the signature"):
                read_signature(wrong)


def _notices(kind: KeyKind, frame: Frame, place: int, flip: int) -> bool:
    unit = bytearray(frame.unit)
    unit[place] ^= flip
    changed = replace(frame, unit=bytes(unit)).write()
    try:
        check_signature(read_message(changed), verifier_of(private_key(kind)))
    except GbtError:
        return True
    return False


@pytest.mark.parametrize("kind", [KeyKind.RSA, KeyKind.ECC])
def test_every_changed_byte_from_the_time_to_the_last_of_s_is_noticed(kind: KeyKind) -> None:
    frame = _signed(kind).frame()
    assert [place for place in range(len(frame.unit)) if not _notices(kind, frame, place, 1)] == []


def test_what_lies_before_the_time_is_not_signed() -> None:
    frame = _signed(KeyKind.ECC).frame()
    other = message_of(replace(frame, vin=b"LNVGATE00XDEM0002"))
    check_signature(other, verifier_of(private_key(KeyKind.ECC)))
    assert len(frame.write()) == HEADER_BYTES + len(frame.unit) + 1


@pytest.mark.parametrize("kind", [KeyKind.SM2, KeyKind.ECC])
def test_r_and_s_are_numbers_of_the_group(kind: KeyKind) -> None:
    order = (
        curve.N if kind is KeyKind.SM2 else 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    )
    _, _, r, _, s = _signature(_signed(kind))
    r_number, s_number = int.from_bytes(r), int.from_bytes(s)
    pairs = [(0, s_number), (r_number, 0), (order, s_number), (r_number, order), (2**256 - 1, s_number)]
    pairs += [(r_number, order - r_number), (s_number, r_number)]
    if kind is KeyKind.SM2:
        pairs.append((r_number, order - s_number))
    for r2, s2 in pairs:
        wrong = (KINDS.index(kind) + 1, 32, r2.to_bytes(32), 32, s2.to_bytes(32))
        with pytest.raises(SignatureError, match="does not hold"):
            check_signature(_with(_signed(kind), wrong), verifier_of(private_key(kind)))


def test_ecdsa_has_a_second_s_as_its_standard_has() -> None:
    # FIPS 186-5 takes s and the order less s, so that a signature names no message: the time in it does.
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    algorithm, _, r, _, s = _signature(_signed(KeyKind.ECC))
    second = (order - int.from_bytes(s)).to_bytes(32)
    check_signature(
        _with(_signed(KeyKind.ECC), (algorithm, 32, r, 32, second)), verifier_of(private_key(KeyKind.ECC))
    )


def test_sm2_signs_for_an_id() -> None:
    key = private_key(KeyKind.SM2)
    other = SecurityOptions(sm2_id=b"LNVGATE00XDEM0001")
    signature = signer_of(key, other).sign(b"covered")
    verifier_of(key, other).check(b"covered", signature)
    with pytest.raises(SignatureError, match="does not hold"):
        verifier_of(key).check(b"covered", signature)


def test_sm2_never_uses_a_number_twice_even_where_nothing_is_random() -> None:
    key = private_key(KeyKind.SM2)
    assert isinstance(key, Sm2PrivateKey)

    def drawn(seed: int, covered: bytes) -> tuple[bytes, bytes]:
        _, _, r, _, s = signer_of(key, random_bytes=seeded(seed).randbytes).sign(covered)
        return r, s

    assert drawn(1, b"one") == drawn(1, b"one")
    assert drawn(1, b"one") != drawn(2, b"one")
    # The same number used once would make the differences of R the differences of the digests.
    digests = [key.public.digest(covered, SecurityOptions().sm2_id) for covered in (b"one", b"two")]
    first, second = (int.from_bytes(drawn(1, covered)[0]) for covered in (b"one", b"two"))
    assert (first - second) % curve.N != (digests[0] - digests[1]) % curve.N


def test_the_order_of_what_is_read_is_covered() -> None:
    message, content = report()
    turned = replace(message, content=replace(content, bodies=(*content.bodies[1:], content.bodies[0])))
    assert isinstance(content.bodies[0], Body)
    with pytest.raises(SignatureError, match="does not hold"):
        check_signature(
            _with(turned, _signature(_signed(KeyKind.ECC))), verifier_of(private_key(KeyKind.ECC))
        )
