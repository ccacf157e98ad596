"""Keys: made, named, kept from others' eyes, and refused with a reason."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from edge.cli.program import program
from edge.errors import KeyFileError
from edge.wire.key_files import (
    public_path,
    read_public_half,
    read_signing_key,
    read_verifying_key,
    write_signing_key,
)
from edge.wire.keys import Algorithm, SigningKey, VerifyingKey


@pytest.fixture(params=list(Algorithm))
def key(request: pytest.FixtureRequest) -> SigningKey:
    return SigningKey.seeded(b"keys", request.param)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(program, ["keys", *map(str, arguments)])


def test_a_key_pair_survives_its_files(key: SigningKey, tmp_path: Path) -> None:
    path = tmp_path / "vehicle.pem"
    beside = write_signing_key(path, key)
    assert beside == public_path(path) == tmp_path / "vehicle.pub.pem"
    assert read_signing_key(path).to_pem() == key.to_pem()
    assert read_verifying_key(beside) == key.public == read_public_half(path) == read_public_half(beside)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["vehicle.pem", "vehicle.pub.pem"]


def test_the_key_id_is_the_hash_that_the_format_says(key: SigningKey) -> None:
    spki = load_pem_public_key(key.public.pem).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.public.key_id == hashlib.sha256(spki).digest()[:8]


def test_a_private_key_is_for_its_owner_whatever_the_umask(key: SigningKey, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_signing_key(tmp_path / "vehicle.pem", key)
    finally:
        os.umask(before)
    assert (tmp_path / "vehicle.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o677])
def test_a_private_key_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "vehicle.pem"
    write_signing_key(path, SigningKey.seeded(b"keys"))
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        read_signing_key(path)


def test_a_key_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "vehicle.pem"
    first, second = (SigningKey.seeded(name) for name in (b"1", b"2"))
    write_signing_key(path, first)
    with pytest.raises(KeyFileError, match="exists already"):
        write_signing_key(path, second)
    path.unlink()
    with pytest.raises(KeyFileError, match=r"vehicle\.pub\.pem: file exists already"):
        write_signing_key(path, second)
    write_signing_key(path, second, force=True)
    assert read_signing_key(path).public == read_verifying_key(public_path(path)) == second.public


def test_a_seed_gives_one_key_and_no_seed_a_new_one(key: SigningKey) -> None:
    algorithm = key.public.algorithm
    assert SigningKey.seeded(b"keys", algorithm).to_pem() == key.to_pem()
    assert SigningKey.seeded(b"keyz", algorithm).public != key.public
    assert SigningKey.generate(algorithm).public != SigningKey.generate(algorithm).public


def test_a_key_never_prints_itself(key: SigningKey) -> None:
    assert repr(key) == f"SigningKey({key.public.algorithm}, {key.public.key_id.hex()})"


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (bytes, "no private key"),
    "text": (lambda: b"hello", "no private key"),
    "cut": (lambda: SigningKey.seeded(b"x").to_pem()[:60], "no private key"),
    "public": (lambda: SigningKey.seeded(b"x").public.pem, "no private key"),
    "RSA": (lambda: pem(rsa.generate_private_key(65537, 2048)), "neither Ed25519 nor ECDSA"),
    "P-384": (lambda: pem(ec.generate_private_key(ec.SECP384R1())), "neither Ed25519 nor ECDSA"),
    "encrypted": (lambda: pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "encrypted"),
    "huge": (lambda: bytes(20_000), "too large"),
}


@pytest.mark.parametrize("form", UNUSABLE)
def test_an_unusable_key_file_is_named_with_its_reason(form: str, tmp_path: Path) -> None:
    make, reason = UNUSABLE[form]
    path = tmp_path / "vehicle.pem"
    path.write_bytes(make())
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=rf"vehicle\.pem: .*{reason}"):
        read_signing_key(path)


def test_a_missing_file_and_a_wrong_public_key_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        read_signing_key(tmp_path / "nothing.pem")
    with pytest.raises(KeyFileError, match="No such file"):
        write_signing_key(tmp_path / "nowhere" / "vehicle.pem", SigningKey.seeded(b"x"))
    with pytest.raises(KeyFileError, match="no public key"):
        VerifyingKey.from_pem(b"-----BEGIN CERTIFICATE-----\n")


def test_keys_make_show_and_public_agree(tmp_path: Path) -> None:
    path = tmp_path / "vehicle.pem"
    made = json.loads(run("make", path, "--algorithm", "es256", "--json").output)
    assert made["algorithm"] == "es256"
    shown = json.loads(run("show", path, "--json").output)
    assert (shown["half"], shown["key_id"]) == ("private", made["key_id"])
    assert run("public", path).output.encode() == read_verifying_key(Path(made["public"])).pem
    assert json.loads(run("show", made["public"], "--json").output)["half"] == "public"
    assert "PRIVATE" not in run("show", path).output + run("public", path).output


def test_keys_make_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "vehicle.pem"
    assert run("make", path).exit_code == 0
    content = path.read_bytes()
    refused = run("make", path)
    assert isinstance(refused.exception, KeyFileError)
    assert path.read_bytes() == content
    assert run("make", path, "--force").exit_code == 0
    assert path.read_bytes() != content


def test_openssl_reads_what_we_write(key: SigningKey, tmp_path: Path) -> None:
    write_signing_key(tmp_path / "vehicle.pem", key)
    try:
        read = subprocess.run(
            ["openssl", "pkey", "-in", str(tmp_path / "vehicle.pem"), "-pubout"],
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert read.stdout == key.public.pem


@pytest.mark.parametrize("member", ["make", "show", "public"])
def test_help_shows_each_example_on_a_line_of_its_own(member: str) -> None:
    lines = run(member, "--help").output.splitlines()
    assert "  Examples:" in lines
    assert sum(line.startswith(f"    nevgate keys {member} ") for line in lines) >= 2
