"""The configuration: what is wrong is said with its line and what would be right."""

from pathlib import Path

import pytest

from edge.config.configuration import Config, load_config
from edge.errors import ConfigError

GOOD = """\
[vehicle]
vin = "LNVGATE00XDEM0001"

[[bus]]
name = "powertrain"
interface = "virtual"
channel = "pt"

[[bus.database]]
file = "nev.dbc"

[uplink]
host = "127.0.0.1"

[uplink.tls]
enabled = false

[signing]
key = "vehicle.key"
platform = "platform.pub.pem"
"""

BROKEN = {
    "no VIN": ("LNVGATE00XDEM0001", "LNVGATE00XDEM000", ":2: 'vehicle.vin': a VIN has 17 capital letters"),
    "VIN with an O": ("XDEM0001", "XDEMO001", ":2: 'vehicle.vin': a VIN has 17 capital letters"),
    "misspelt key": (
        "interface =",
        "interfase =",
        ":6: unknown key 'bus[0].interfase'; did you mean 'interface'?",
    ),
    "interface without channel": ('channel = "pt"\n', "", "has an interface but no channel"),
    "bad bus name": ('"powertrain"', '"power train"', ":5: 'bus[0].name': a bus name begins with a letter"),
    "plain text to a distant broker": (
        "127.0.0.1",
        "platform.example",
        "without TLS only a broker on this machine",
    ),
    "port out of range": (
        "[uplink.tls]",
        "port = 70000\n[uplink.tls]",
        ":15: 'uplink.port': Input should be less",
    ),
    "half a client certificate": (
        "enabled = false",
        'certificate = "c.pem"',
        "needs 'certificate' and 'key' both",
    ),
    "unknown profile": (
        "[signing]",
        '[policy]\nprofile = "lax"\n[signing]',
        ":19: 'policy.profile': Input should be",
    ),
    "no signing key": ('key = "vehicle.key"\n', "", ":18: 'signing.key' is missing"),
    "slow uplink": (
        "[signing]",
        "[sampling]\nuplink_period_s = 60\n[signing]",
        ":19: 'sampling.uplink_period_s'",
    ),
    "two buses of one name": (
        "[uplink]",
        '[[bus]]\nname = "powertrain"\n[uplink]',
        "two buses are called 'powertrain'",
    ),
    "receipts unchecked": (
        'platform = "platform.pub.pem"\n',
        "",
        "receipts are checked with the platform's public key",
    ),
    "no bus": ('[[bus]]\nname = "powertrain"', '[x]\nname = "powertrain"', "unknown key 'x'"),
    "single brackets": ("[[bus]]", "[bus]", "'bus' is a list of tables; write [[bus]], in double brackets"),
    "not TOML": ("[uplink]", "[uplink", ":12: is not valid TOML"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "nevgate.toml"
    path.write_text(text)
    return path


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert config.bus[0].database[0].file == tmp_path / "nev.dbc"
    assert config.bus[0].database[0].class_file == tmp_path / "nev.classes.toml"
    assert config.signing.key == tmp_path / "vehicle.key"


def test_what_is_not_said_takes_the_private_and_regulated_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD.replace("[uplink.tls]\nenabled = false\n", "")))
    assert config.uplink.tls.enabled
    assert config.policy.profile is None
    assert config.policy.file is None
    assert config.sampling.collect_period_s == 1
    assert config.sampling.uplink_period_s == 10


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_is_refused_with_line_and_remedy(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, GOOD.replace(old, new, 1)))
    assert expected in str(caught.value)


def test_all_complaints_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("LNVGATE00XDEM0001", "X").replace("[uplink.tls]", "keep_alive_s = 1\n[uplink.tls]")
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(tmp_path / "absent.toml")


def test_the_example_is_a_valid_configuration() -> None:
    example = Path(__file__).parents[2] / "edge" / "nevgate.example.toml"
    assert len(load_config(example).bus) == 2


def test_the_schema_describes_every_section() -> None:
    assert {"vehicle", "bus", "policy", "sampling", "uplink", "signing"} <= Config.model_json_schema()[
        "properties"
    ].keys()
