"""The register's file: what it says, and what it complains of."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.errors import ConfigError, NevgateError
from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.security.keys import KeyKind, make_key, write_gbt_key
from simulator.gbt.register import OPEN_REGISTER, load_register
from tests.gbt.grammar import VIN
from tests.gbt_platform.rig import CENTRE, OTHER

TEXT = """
keys = ["own.pem"]

[[vehicle]]
vin = "LNVGATE00XDEM0001"
type = "sedan"
edition = "2025"
chip = "CHIP-0001"
keys = ["aes.key"]
public_key = "vehicle.pub.pem"

[[vehicle]]
vin = "LNVGATE00XDEM0002"

[[platform]]
user = "city"
password_file = "password"
id = "CITYPLATFORM00001"
vehicles = ["LNVGATE00XDEM0002"]
"""


def test_a_register(tmp_path: Path) -> None:
    write_gbt_key(tmp_path / "own.pem", make_key(KeyKind.SM2))
    write_gbt_key(tmp_path / "aes.key", make_key(KeyKind.AES))
    write_gbt_key(tmp_path / "vehicle.pem", make_key(KeyKind.ECC))
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "vehicles.toml").write_text(TEXT)
    register = load_register(tmp_path / "vehicles.toml")
    first, second = register.vehicle(VIN), register.vehicle(OTHER)
    assert first is not None
    assert second is not None
    assert (first.type, first.edition, first.chip) == ("sedan", Edition.Y2025, b"CHIP-0001".ljust(16))
    assert first.verifier is not None
    assert list(first.ciphers) == [Encryption.AES]
    assert second.edition is None
    assert list(register.own) == [Encryption.SM2]
    assert register.vehicle(CENTRE) is None
    entry = register.platform(b"city".ljust(12, b"\0"), b"secret".ljust(20), CENTRE)
    assert entry is not None
    assert [entry.forwards(vin) for vin in (VIN, OTHER)] == [False, True]
    assert register.platform(b"city", b"secret", OTHER) is None
    assert register.platform(b"city", b"", CENTRE) is None
    assert register.platform(b"town", b"secret", CENTRE) is None
    assert "secret" not in repr(register)


def test_an_open_register_knows_everybody_with_a_name() -> None:
    assert OPEN_REGISTER.vehicle(VIN) is not None
    assert OPEN_REGISTER.vehicle(bytes(17)) is None
    assert OPEN_REGISTER.platform(b"who", b"ever", CENTRE) is not None
    assert OPEN_REGISTER.platform(bytes(12), b"", CENTRE) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[vehicle]]\nvin = "SHORT"', ":2: 'vehicle[0].vin'"),
        ('[[vehicle]]\nvim = "LNVGATE00XDEM0001"', "did you mean 'vin'"),
        ('[[vehicle]]\nvin = "LNVGATE00XDEM0001"\n' * 2, ":4: LNVGATE00XDEM0001 stands there twice"),
        ('[[platform]]\nuser = "city"', "give either password or password_file"),
        ('[[platform]]\nuser = "city"\npassword_file = "none"', ":3: none cannot be read"),
        ('[[vehicle]]\nvin = "LNVGATE00XDEM0001"\nkeys = ["none.key"]', "none.key"),
        ("[[vehicle]", "is not valid TOML"),
    ],
)
def test_complaints_name_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "vehicles.toml"
    path.write_text(text)
    with pytest.raises(NevgateError) as caught:
        load_register(path)
    assert words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_register(tmp_path / "none.toml")
