"""What a configuration names is opened once, and what was mended in it is told once."""

from pathlib import Path

import pytest

from edge.config.configuration import load_config
from edge.errors import BindingError
from edge.loading import Loaded, load
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey

DATABASE = """VERSION ""

BO_ 256 Motor: 8 XXX
 SG_ Speed : 0|16@1+ (1,0) [0|65535] "rpm" XXX
 SG_ Turns : 16|32@1- (1E-007,0) [-180|180] "deg" XXX
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


BINDING = '[items."motor[1].speed"]\nsignal = "Motor.Speed"\nrange = [0, 45531]\n'


def loaded_from(folder: Path, *, binding: str = BINDING, data_class: str = "operation") -> Loaded:
    (folder / "motor.dbc").write_text(DATABASE)
    (folder / "motor.classes.toml").write_text(f'[{data_class}]\nsignals = ["*.*"]\n')
    (folder / "motor.bind.toml").write_text(binding)
    (folder / "nevgate.toml").write_text(CONFIG)
    write_signing_key(folder / "vehicle.pem", SigningKey.generate(), force=True)
    return load(load_config(folder / "nevgate.toml"))


@pytest.mark.parametrize("data_class", ["cabin", "position", "exterior", "identity"])
def test_no_item_is_filled_from_what_is_more_sensitive(tmp_path: Path, data_class: str) -> None:
    with pytest.raises(BindingError, match="which is more sensitive"):
        loaded_from(tmp_path, data_class=data_class)


def test_what_is_less_sensitive_may_fill_an_item(tmp_path: Path) -> None:
    assert loaded_from(tmp_path, data_class="health").bindings["left"]


def test_a_position_needs_its_datum(tmp_path: Path) -> None:
    place = '[items."gnss.lon"]\nsignal = "Motor.Turns"\n'
    datum = '[items."gnss.datum"]\nconstant = "GCJ02"\n'
    assert loaded_from(tmp_path, binding=datum + place, data_class="position").bindings["left"]
    with pytest.raises(BindingError, match="nothing says of which datum"):
        loaded_from(tmp_path, binding=place, data_class="position")


def test_a_database_of_two_buses_is_one_and_its_defects_are_told_once(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path)
    (left,), (right,) = loaded.plain_databases().values()
    assert left is right
    codes = [defect.code for _, defect in loaded.defects()]
    assert codes == ["missing-bs", "missing-bu"]
