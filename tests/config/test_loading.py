"""What a configuration names is opened once, and what was mended in it is told once."""

from pathlib import Path

from edge.config import load_config
from edge.loading import load
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey

DATABASE = """VERSION ""

BO_ 256 Motor: 8 XXX
 SG_ Speed : 0|16@1+ (1,0) [0|65535] "rpm" XXX
"""
CONFIG = """
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "left"
[[bus.database]]
file = "motor.dbc"
binding = "motor.bind.toml"
[[bus]]
name = "right"
[[bus.database]]
file = "motor.dbc"
[uplink]
host = "127.0.0.1"
acknowledge = "puback"
tls.enabled = false
[signing]
key = "vehicle.pem"
"""


def test_a_database_of_two_buses_is_one_and_its_defects_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "motor.dbc").write_text(DATABASE)
    (tmp_path / "motor.classes.toml").write_text('[operation]\nsignals = ["*.*"]\n')
    (tmp_path / "motor.bind.toml").write_text(
        '[items."motor[1].speed"]\nsignal = "Motor.Speed"\nrange = [0, 45531]\n'
    )
    (tmp_path / "nevgate.toml").write_text(CONFIG)
    write_signing_key(tmp_path / "vehicle.pem", SigningKey.generate())
    loaded = load(load_config(tmp_path / "nevgate.toml"))
    (left,), (right,) = loaded.plain_databases().values()
    assert left is right
    codes = [defect.code for _, defect in loaded.defects()]
    assert codes == ["missing-bs", "missing-bu"]
