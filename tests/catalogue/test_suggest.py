"""Suggested bindings name the plain signals of real databases, and load as they are printed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.catalogue.suggest import Suggestion, as_toml, suggest
from edge.catalogue.vocabulary import WORDINGS, words
from edge.cli.dbc_bind import command
from edge.database.load import load_database

MADE_UP = Path(__file__).parent / "made_up.dbc"
REAL = [
    "kona-ev/pcan.dbc",
    "css-drive/OBD-v4.4.dbc",
    "css-drive/canedge-internal-can9.dbc",
    "savvycan/LeafPowertrainBus.dbc",
]


def best(suggestions: list[Suggestion]) -> dict[str, str]:
    return {suggestion.item_id: suggestion.candidates[0].name for suggestion in suggestions}


def test_the_plain_signals_of_a_database_are_found() -> None:
    found = best(suggest(load_database(MADE_UP), builtin()))
    assert found["vehicle.speed"] == "Motion.Speed"
    assert found["vehicle.gear"] == "Motion.Gear"
    assert found["hv.voltage"] == "Battery.Voltage"
    assert found["hv.current"] == "Battery.Current"
    assert found["motor[1].torque"] == "Motor.Torque"
    assert found["pack[1].cells"] == "Cells.Cell_{n}"


@pytest.mark.parametrize("file", REAL)
def test_what_is_printed_loads(shared_data: Path, tmp_path: Path, file: str) -> None:
    database = load_database(shared_data / file)
    suggestions = suggest(database, builtin())
    path = tmp_path / "suggested.binding.toml"
    path.write_text(as_toml(suggestions, database), encoding="utf-8")
    binding = load_binding(path, database, builtin())
    assert {bound.id for bound in binding} == {suggestion.item_id for suggestion in suggestions}


def test_real_databases_get_the_bindings_that_a_reader_would_write(shared_data: Path) -> None:
    kona = best(suggest(load_database(shared_data / REAL[0]), builtin()))
    assert kona["hv.voltage"] == "Batt_HV_Status.VBatt"
    assert kona["hv.current"] == "Batt_HV_Status.IBatt"
    assert kona["hv.soc"] == "BMS_542.SocDisp"
    assert kona["vehicle.odometer"] == "Odometer.Odometer"
    obd = best(suggest(load_database(shared_data / REAL[1]), builtin()))
    assert obd["vehicle.speed"] == "OBD_RX.S01PID0D_VehicleSpeed"
    assert obd["engine.speed"] == "OBD_RX.S01PID0C_EngineRPM"
    gnss = best(suggest(load_database(shared_data / REAL[2]), builtin()))
    assert gnss["gnss.lat"] == "GnssPos.Latitude"
    assert gnss["gnss.lon"] == "GnssPos.Longitude"


def test_a_signal_is_suggested_for_one_item_only() -> None:
    suggestions = suggest(load_database(MADE_UP), builtin(), least_score=0)
    names = [candidate.name for suggestion in suggestions for candidate in suggestion.candidates]
    assert len(names) == len(set(names))


def test_every_wording_is_of_an_item() -> None:
    assert all(builtin().has(item_id) for item_id in WORDINGS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BattHV_Volt", {"battery", "voltage", "hv"}),
        ("MotSpd", {"motor", "speed"}),
        ("engineRPM", {"engine", "speed"}),
        ("CELL_VOLT_MAX", {"cell", "voltage", "maximum"}),
    ],
)
def test_abbreviations_are_spelled_out(name: str, meant: set[str]) -> None:
    assert meant <= words(name)


def test_the_command_prints_a_binding_and_json(tmp_path: Path) -> None:
    printed = CliRunner().invoke(command, [str(MADE_UP)])
    assert printed.exit_code == 0
    path = tmp_path / "x.binding.toml"
    path.write_text(printed.output, encoding="utf-8")
    assert load_binding(path, load_database(MADE_UP), builtin()).items
    listed = CliRunner().invoke(command, [str(MADE_UP), "--json", "--least-score", "0.6"])
    entries = json.loads(listed.output)
    assert all(candidate["score"] >= 0.6 for entry in entries for candidate in entry["candidates"])
    assert {"item", "cn", "vss", "candidates"} <= set(entries[0])
