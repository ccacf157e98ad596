"""Encryption, signatures, activation and data keys (2025) at a platform."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.message import Values
from edge.wire.gbt.options import ActivationCodes, Options
from edge.wire.gbt.security.ciphers import UnitCipher, encrypted
from edge.wire.gbt.security.keys import (
    KeyKind,
    PrivateKey,
    SymmetricKey,
    cipher_of,
    key_from_exchange,
    make_key,
    public_half,
    public_key_bytes,
    signer_of,
    verifier_of,
)
from edge.wire.gbt.security.signatures import signed, write_signature
from edge.wire.gbt.stream import StreamDecoder
from simulator.gbt.checks import Fault
from simulator.gbt.events import Doubled, KeyAnswered
from simulator.gbt.register import PlatformEntry, Register, VehicleEntry
from simulator.gbt.settings import PlatformSettings
from tests.gbt.grammar import T_S, VIN
from tests.gbt_platform.rig import OTHER, Peer, Rig, damaged, platform_login, report_message, unit_of

Y2025 = Edition.Y2025
CHIP = b"CHIP-0001".ljust(16)


def draw(count: int) -> bytes:
    return random.Random(count).randbytes(count)  # noqa: S311 - the same in each run


def private(kind: KeyKind) -> PrivateKey:
    key = make_key(kind, draw)
    assert not isinstance(key, SymmetricKey)
    return key


@pytest.fixture(scope="module")
def sm2() -> PrivateKey:
    return private(KeyKind.SM2)


@pytest.fixture(scope="module")
def ecc() -> PrivateKey:
    return private(KeyKind.ECC)


def signed_rig(key: PrivateKey) -> Rig:
    return Rig(Register({VIN: VehicleEntry(VIN, verifier=verifier_of(key))}))


def test_a_signed_a_tampered_an_unsigned_and_a_replayed_report(ecc: PrivateKey) -> None:
    rig = signed_rig(ecc)
    peer = rig.terminal(Y2025)
    good = signed(report_message(Y2025), signer_of(ecc))
    assert peer.flags(good.write()) == []
    unit = bytearray(unit_of(good))
    unit[10] ^= 1
    assert peer.flags(damaged(good.write(), bytes(unit))) == [Response.SIGNATURE_ERROR]
    assert peer.flags(report_message(Y2025, T_S + 1).write()) == [Response.SIGNATURE_ERROR]
    other = signed(report_message(Y2025, T_S + 1), signer_of(private(KeyKind.SM2)))
    assert peer.flags(other.write()) == [Response.SIGNATURE_ERROR]
    assert peer.refused.fault is Fault.SIGNATURE
    assert rig.times() == [0]
    # Replayed as it was, and as reissue, which its signature does not cover.
    for again in (good, replace(good, command=Command.REISSUE)):
        assert peer.flags(again.write()) == []
        assert isinstance(peer.last, Doubled)
    assert rig.times() == [0]
    # A refused signature is no parse error.
    assert rig.platform.vehicles[VIN].figures.parse_errors == 0


def cipher(code: Encryption = Encryption.AES, secret: bytes = bytes(range(16))) -> UnitCipher:
    return cipher_of(SymmetricKey(code, secret), random_bytes=draw)


@pytest.mark.parametrize("edition", list(Edition))
def test_an_encrypted_report_is_kept_in_plain(edition: Edition) -> None:
    rig = Rig(Register({VIN: VehicleEntry(VIN, ciphers={Encryption.AES: cipher()})}))
    peer = rig.terminal(edition)
    plain = report_message(edition).frame()
    assert peer.flags(encrypted(plain, cipher()).write()) == []
    assert [one.write() for one in rig.platform.store.frames()] == [plain.write()]
    (kept,) = rig.platform.store.read(VIN)
    assert kept.message == report_message(edition)
    wrong = encrypted(report_message(edition, T_S + 1).frame(), cipher(secret=bytes(16)))
    flags = peer.flags(wrong.write())
    assert flags == [Response.ERROR if edition is Edition.Y2016 else Response.DECRYPTION_ERROR]
    # The time of what cannot be decrypted is not known: the answer has none.
    (answer,) = peer.say(wrong.write())
    assert answer.unit == b""


def test_a_platform_encrypts_what_it_forwards() -> None:
    entry = PlatformEntry("city", "secret", ciphers={Encryption.AES: cipher()})
    rig = Rig(Register(platforms={"city": entry}, any_vehicle=True))
    peer = rig.connect()
    peer.say(platform_login(Y2025))
    assert peer.flags(encrypted(report_message(Y2025).frame(), cipher()).write()) == []
    assert rig.times() == [0]


def activation(key: PrivateKey, *, chip: bytes = CHIP, vin: bytes = VIN, broken: bool = False) -> bytes:
    public = public_key_bytes(public_half(key))
    plain = (time_bytes(T_S), chip, len(public), public, vin)
    covered = layouts(Y2025)["command 09"].write((*plain, b""))
    signature = write_signature(signer_of(key).sign(covered + b"?" * broken))
    unit = layouts(Y2025)["command 09"].write((*plain, signature))
    return Frame(Y2025, Command.ACTIVATE, Response.COMMAND, vin, Encryption.NONE, unit).write()


def frame_of(data: bytes) -> Frame:
    (frame,) = StreamDecoder().feed(data)
    assert isinstance(frame, Frame)
    return frame


def result(peer: Peer, data: bytes) -> tuple[int, ...]:
    (answer,) = peer.say(data)
    return (answer.command, answer.response, *answer.unit)


@pytest.mark.parametrize("codes", list(ActivationCodes))
def test_activation(ecc: PrivateKey, sm2: PrivateKey, codes: ActivationCodes) -> None:
    base = 1 if codes is ActivationCodes.FROM_ONE else 0
    rig = Rig(settings=PlatformSettings(options=Options(activation_codes=codes)))
    peer = rig.connect()
    assert result(peer, activation(ecc, broken=True)) == (9, Response.SIGNATURE_ERROR, *time_bytes(T_S))
    moved = replace(frame_of(activation(ecc)), vin=OTHER)
    assert result(peer, moved.write()) == (9, Response.ERROR, *time_bytes(T_S))
    assert result(peer, activation(ecc)) == (0x0A, Response.SUCCESS, 1, base)
    assert result(peer, activation(ecc)) == (0x0A, Response.SUCCESS, 2, base + 1)
    assert result(peer, activation(sm2, vin=OTHER)) == (0x0A, Response.SUCCESS, 2, base + 1)
    assert result(peer, activation(sm2, chip=bytes(16))) == (0x0A, Response.SUCCESS, 2, base + 2)
    # From now on the vehicle's reports are checked by the key that was activated.
    terminal = rig.terminal(Y2025)
    assert terminal.flags(report_message(Y2025).write()) == [Response.SIGNATURE_ERROR]
    assert terminal.flags(signed(report_message(Y2025), signer_of(ecc)).write()) == []


def test_activation_with_another_chip_than_the_registered_one(ecc: PrivateKey) -> None:
    rig = Rig(Register({VIN: VehicleEntry(VIN, chip=b"ANOTHER".ljust(16))}))
    assert result(rig.connect(), activation(ecc)) == (0x0A, Response.SUCCESS, 2, 2)


def data_key(field: bytes, *, code: int = Encryption.SM4, from_s: int = T_S, to_s: int = T_S + 600) -> Frame:
    unit = layouts(Y2025)["command 0B"].write((code, len(field), field, time_bytes(from_s), time_bytes(to_s)))
    return Frame(Y2025, Command.DATA_KEY, Response.COMMAND, VIN, Encryption.NONE, unit)


def test_a_data_key_of_the_terminal_holds_for_its_term(sm2: PrivateKey) -> None:
    own = cipher_of(sm2, random_bytes=draw)
    rig = Rig(Register(any_vehicle=True, own={Encryption.SM2: own}))
    peer = rig.terminal(Y2025)
    secret = bytes(range(16))
    assert peer.flags(data_key(secret).write()) == [Response.DECRYPTION_ERROR]  # in plain
    for message in (data_key(own.encrypt(secret)), encrypted(data_key(secret), own)):
        (answer,) = peer.say(message.write())
        assert (answer.command, answer.response, answer.unit) == (0x0B, 1, b"")
    frame = encrypted(report_message(Y2025).frame(), cipher(Encryption.SM4))
    assert peer.flags(frame.write()) == []
    assert rig.times() == [0]
    later = encrypted(report_message(Y2025, T_S + 1).frame(), cipher(Encryption.SM4)).write()
    peer.say(report_message(Y2025, T_S + 2).write())
    # 600 s and a minute of grace for what was under way.
    rig.now_ns += 659 * 10**9
    assert peer.flags(later) == []
    rig.now_ns += 10**9
    assert peer.flags(later) == [Response.DECRYPTION_ERROR]


@pytest.mark.parametrize(
    "message",
    [
        data_key(bytes(16), to_s=T_S),
        data_key(bytes(15), code=Encryption.RSA),
        data_key(bytes(16), code=0x77),
        Frame(Y2025, Command.DATA_KEY, Response.COMMAND, VIN, Encryption.NONE, b"\1\2\3"),
    ],
    ids=["no term", "no key of RSA", "unknown type", "cut short"],
)
def test_what_is_no_data_key(message: Frame) -> None:
    rig = Rig(settings=PlatformSettings(plain_data_keys=True))
    assert rig.connect().flags(message.write()) == [Response.STRUCTURE_ERROR]


def test_2016_knows_neither() -> None:
    peer = Rig().connect()
    frame = replace(data_key(bytes(16)), edition=Edition.Y2016)
    assert peer.flags(frame.write(), replace(frame, command=Command.ACTIVATE).write()) == [2, 2]


def test_a_data_key_of_the_platform_holds_once_it_is_taken(sm2: PrivateKey) -> None:
    rig = Rig()
    peer = rig.connect()
    peer.say(activation(sm2))
    peer = rig.terminal(Y2025)
    secret = bytes(range(16))
    (offered,) = StreamDecoder().feed(peer.connection.offer_key(Encryption.SM4, secret, rig.now_ns))
    assert isinstance(offered, Frame)
    code, _, field, begins, ends = layouts(Y2025)["command 0B"].read(offered.unit)[0]
    taken = key_from_exchange(code, cipher_of(sm2, random_bytes=draw).decrypt(field))
    assert taken == SymmetricKey(Encryption.SM4, secret)
    assert (begins, ends) == (time_bytes(T_S), time_bytes(T_S + 86_400))
    frame = encrypted(signed(report_message(Y2025), signer_of(sm2)).frame(), cipher(Encryption.SM4)).write()
    assert peer.flags(frame) == [Response.DECRYPTION_ERROR]
    answer = Frame(Y2025, Command.DATA_KEY, Response.SUCCESS, VIN, Encryption.NONE, b"")
    assert peer.say(answer.write()) == []
    assert peer.last == KeyAnswered(VIN.decode(), Response.SUCCESS)
    assert peer.flags(frame) == []
    assert rig.times() == [0]


def test_values_are_read_behind_decryption() -> None:
    rig = Rig(Register({VIN: VehicleEntry(VIN, ciphers={Encryption.AES: cipher()})}))
    peer = rig.connect()
    raws = (time_bytes(T_S), 1, bytes(20), 0, (), ())
    unit = layouts(Y2025)["command 01"].write(Values("command 01", raws).raws)
    frame = Frame(Y2025, Command.VEHICLE_LOGIN, Response.COMMAND, VIN, Encryption.NONE, unit)
    (answer,) = peer.say(encrypted(frame, cipher()).write())
    assert (answer.response, answer.encryption, answer.unit) == (1, Encryption.NONE, time_bytes(T_S))
