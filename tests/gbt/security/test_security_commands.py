"""`nevgate gbt` with keys: what is signed and encrypted opens and holds, and what does not is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.wire.gbt.frame import UNIT_BYTES_MAX, Encryption
from edge.wire.gbt.options import Options
from edge.wire.gbt.security.ciphers import encrypted
from edge.wire.gbt.security.keys import KeyKind, cipher_of, signer_of, write_gbt_key
from edge.wire.gbt.security.room import with_room
from edge.wire.gbt.security.signatures import signed, write_signature
from tests.cli.running import Program
from tests.gbt.grammar import VIN
from tests.gbt.security.keys import private_key, report, symmetric_key
from tests.gbt.test_golden import MESSAGE_2016

BEAT = "242407fe4c4e564741544530305844454d30303031010000ae"
KINDS = (KeyKind.SM2, KeyKind.RSA, KeyKind.ECC)


@pytest.fixture
def nevgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program in a folder with a record, and a key of each kind."""
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:
        write_gbt_key(Path(f"{kind}.pem"), private_key(kind))
    for code in (Encryption.AES, Encryption.SM4):
        write_gbt_key(Path(f"{code.name.lower()}.key"), symmetric_key(code))
    values = {"vehicle.speed": 12.5, "hv.soc": 80}
    Path("record.json").write_text(json.dumps({"time": "2026-03-01T00:00:00Z", "values": values}), "utf-8")
    return Program(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("signing", "hiding", "name"),
    [
        ("sm2", "sm4.key", "SM4"),
        ("rsa", "aes.key", "AES-128"),
        ("ecc", "sm2.pem", "SM2"),
        ("ecc", "rsa.pem", "RSA"),
    ],
)
def test_what_is_signed_and_encrypted_opens_and_holds(
    nevgate: Program, signing: str, hiding: str, name: str
) -> None:
    public = hiding.replace(".pem", ".pub.pem")
    record = ("gbt", "encode", "record.json", "--vin", VIN.decode())
    written = nevgate(*record, "--sign", f"{signing}.pem", "--encrypt", public)
    data = written.out.strip()
    Path("message.hex").write_text(data, "utf-8")

    shut = nevgate("gbt", "decode", "message.hex", "--json")
    (told,) = json.loads(shut.out)
    assert (shut.code, told["decrypted"], told["signature"]) == (0, None, None)
    assert (told["encryption"], "record" in told) == (int(data[42:44], 16), False)

    keys = ("--key", hiding, "--verify", f"{signing}.pub.pem")
    opened = nevgate("gbt", "decode", "message.hex", *keys, "--json")
    (told,) = json.loads(opened.out)
    assert opened.code == 0
    assert told["decrypted"] == {
        "by": name,
        "wire_bytes": len(data) // 2 - 25,
        "unit_bytes": told["decrypted"]["unit_bytes"],
        "error": None,
    }
    assert told["signature"] == {"state": "valid", "why": f"by {signing.upper()}"}
    assert told["record"]["values"]["vehicle.speed"] == 12.5
    assert told["encryption"] == int(data[42:44], 16)

    shown = nevgate("gbt", "decode", "message.hex", *keys)
    assert f"decrypted by {name}: " in shown.out
    assert f"signature valid: by {signing.upper()}" in shown.out
    assert any("车速 12.5 km/h" in " ".join(line.split()) for line in shown.out.splitlines())


def test_what_does_not_hold_is_said_and_ends_with_1(nevgate: Program) -> None:
    message, _ = report()
    good = signed(message, signer_of(private_key(KeyKind.ECC))).write()
    hidden = encrypted(message.frame(), cipher_of(symmetric_key(Encryption.SM4, 1))).write()
    changed = bytearray(good)
    changed[26] ^= 1
    changed[-1] ^= 1
    ecc, sm2 = ("--verify", "ecc.pub.pem"), ("--verify", "sm2.pub.pem")
    for data, arguments, code, state, why in (
        (good, ecc, 0, "valid", "by ECC"),
        (bytes(changed), ecc, 1, "invalid", "the signature does not hold"),
        (message.write(), ecc, 1, "missing", "has no signature"),
        (good, sm2, 1, "unchecked", "is signed by ECC, and no key given is of that"),
        (good, (*sm2, *ecc), 0, "valid", "by ECC"),
        (hidden, ecc, 1, "unchecked", "the data unit is encrypted"),
        (MESSAGE_2016, ecc, 0, "not asked for", "only real-time and reissue messages of 2025 are signed"),
        (good, (*ecc, "--signature-covers-mark"), 1, "invalid", "the signature does not hold"),
    ):
        shown = nevgate("gbt", "decode", data.hex(), *arguments, "--json")
        (told,) = json.loads(shown.out)
        assert (shown.code, told["signature"]) == (code, {"state": state, "why": why})
        shown = nevgate("gbt", "decode", data.hex(), *arguments)
        assert (shown.code, f"signature {state}: {why}" in shown.out) == (code, True)


def test_what_cannot_be_decrypted_is_said_and_ends_with_1(nevgate: Program) -> None:
    message, _ = report()
    hidden = encrypted(message.frame(), cipher_of(private_key(KeyKind.SM2, 1))).write()
    for key, why in (
        ("aes.key", "is encrypted by SM2, and no key given is of that"),
        ("sm2.pem", "does not decrypt under this SM2 key"),
        ("sm2.pub.pem", "only the public half of this SM2 key is here"),
    ):
        shown = nevgate("gbt", "decode", hidden.hex(), "--key", key)
        assert (shown.code, shown.err.strip()) == (1, f"nevgate: byte 0: {why}")
        (told,) = json.loads(nevgate("gbt", "decode", hidden.hex(), "--key", key, "--json").out)
        assert (told["decrypted"]["error"], told["decrypted"]["unit_bytes"]) == (why, None)
    assert nevgate("gbt", "decode", BEAT, "--key", "aes.key").code == 0


def test_both_sides_have_to_agree_on_the_mode(nevgate: Program) -> None:
    record = ("gbt", "encode", "record.json", "--vin", VIN.decode(), "--encrypt", "sm4.key")
    mode = ("--block-mode", "cbc-fixed-iv", "--iv", "00112233445566778899aabbccddeeff")
    first = nevgate(*record, *mode).out.strip()
    assert nevgate(*record, *mode).out.strip() == first
    assert nevgate("gbt", "decode", first, "--key", "sm4.key", *mode).code == 0
    assert nevgate("gbt", "decode", first, "--key", "sm4.key").code == 1
    assert "fixed IV of 16 bytes, not 0" in nevgate(*record, *mode[:2]).err
    assert "'xy' is no IV" in nevgate(*record, "--iv", "xy").err


def test_keys_that_cannot_be_used_are_one_line(nevgate: Program) -> None:
    record = ("gbt", "encode", "record.json", "--vin", VIN.decode())
    assert "encrypts no data unit" in nevgate(*record, "--encrypt", "ecc.pem").err
    assert "takes a private key" in nevgate(*record, "--sign", "sm4.key").err
    assert "only plain" in nevgate(*record, "--edition", "2016", "--sign", "ecc.pem").err
    twice = nevgate("gbt", "decode", BEAT, "--key", "sm4.key", "--key", "sm4.key")
    assert twice.err.strip() == "nevgate: sm4.key: is a second key of SM4"
    twice = nevgate("gbt", "decode", BEAT, "--verify", "ecc.pem", "--verify", "ecc.pub.pem")
    assert twice.err.strip() == "nevgate: ecc.pub.pem: is a second key of ECC"


def test_make_key_makes_keys_that_the_others_take(nevgate: Program) -> None:
    made = nevgate("gbt", "make-key", "sm2", "mine.pem", "--json")
    assert json.loads(made.out) == {"kind": "sm2", "private": "mine.pem", "public": "mine.pub.pem"}
    assert "session.key  (for both sides alone)" in nevgate("gbt", "make-key", "sm4", "session.key").out
    assert "exists already" in nevgate("gbt", "make-key", "sm4", "session.key").err
    assert "no name" in nevgate("gbt", "make-key", "sm2", "mine.pub.pem").err
    record = ("gbt", "encode", "record.json", "--vin", VIN.decode())
    data = nevgate(*record, "--sign", "mine.pem", "--encrypt", "session.key").out.strip()
    assert nevgate("gbt", "decode", data, "--key", "session.key", "--verify", "mine.pub.pem").code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_unit_with_room_fits_a_frame(kind: KeyKind) -> None:
    signer = signer_of(private_key(kind))
    for cipher in (
        None,
        cipher_of(symmetric_key(Encryption.SM4)),
        cipher_of(private_key(KeyKind.RSA)),
    ):
        room = with_room(Options(unit_bytes=UNIT_BYTES_MAX), cipher, signer).unit_bytes
        whole = bytes(room) + b"\xff" + write_signature(signer.sign(b""))
        longest = UNIT_BYTES_MAX if cipher is None else cipher.longest
        assert len(whole) == longest
    assert with_room(Options(), None, None) == Options()
