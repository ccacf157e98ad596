"""SM2 beside OpenSSL's: each takes the signatures and cipher texts of the other."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.wire.gbt.security import der
from edge.wire.gbt.security.choices import DEFAULT_SECURITY, SecurityOptions, Sm2Format
from edge.wire.gbt.security.keys import KeyKind, cipher_of, read_gbt_key, write_gbt_key
from edge.wire.gbt.security.sm2 import Sm2PrivateKey
from tests.gbt.security.keys import private_key

MESSAGE = b"GB/T 32960.3-2025" * 40
ASN1 = SecurityOptions(sm2_format=Sm2Format.ASN1)
ID = ("-pkeyopt", f"distid:{DEFAULT_SECURITY.sm2_id.decode()}")


def _openssl(*arguments: str) -> bytes:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl on the path")
    ran = subprocess.run([program, *arguments], capture_output=True, check=False, timeout=30)
    if ran.returncode and b"SM2" in arguments[-1].encode():
        pytest.skip("this openssl has no SM2")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a message, a key of ours, and one that OpenSSL made."""
    place = tmp_path_factory.mktemp("sm2")
    (place / "theirs.pem").touch(0o600)
    (place / "theirs.pem").write_bytes(_openssl("genpkey", "-algorithm", "SM2"))
    write_gbt_key(place / "ours.pem", private_key(KeyKind.SM2))
    (place / "message").write_bytes(MESSAGE)
    return place


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_each_takes_what_the_other_signs_and_encrypts(place: Path, whose: str) -> None:
    file = place / f"{whose}.pem"
    key = read_gbt_key(file)
    assert isinstance(key, Sm2PrivateKey)
    given = ("-inkey", str(file), "-in", str(place / "message"))
    raw = ("-rawin", "-digest", "sm3", *ID)

    r, s = key.sign(MESSAGE, DEFAULT_SECURITY.sm2_id)
    (place / "signature").write_bytes(der.write(der.SEQUENCE, der.write_integer(r), der.write_integer(s)))
    told = _openssl("pkeyutl", "-verify", *given, *raw, "-sigfile", str(place / "signature"))
    assert b"Signature Verified Successfully" in told
    theirs = der.read_only(_openssl("pkeyutl", "-sign", *given, *raw), der.SEQUENCE)
    r, rest = der.read_integer(theirs)
    s, _ = der.read_integer(rest)
    assert key.public.holds(MESSAGE, DEFAULT_SECURITY.sm2_id, r, s)

    assert cipher_of(key, ASN1).decrypt(_openssl("pkeyutl", "-encrypt", *given)) == MESSAGE
    (place / "hidden").write_bytes(cipher_of(key, ASN1).encrypt(MESSAGE))
    told = _openssl("pkeyutl", "-decrypt", "-inkey", str(file), "-in", str(place / "hidden"))
    assert told == MESSAGE
