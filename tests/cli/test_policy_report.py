"""`nevgate policy report` as it is called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edge.gateway import Gateway
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from simulator.platform.assembly import open_platform
from tests.cli.journals import leave
from tests.cli.running import Outcome, Program
from tests.report.week import DAY_S, PLATFORM, TRACK, VEHICLE, VIN, Drive, Week, agree, day

EGRESS = {
    "format": 1,
    "test": "GB/T 44464-2024, 5.8 and D.8",
    "started": "2027-03-01T09:00:00+00:00",
    "policy": "fleet north version 1",
    "home": ["CN"],
    "verdict": "pass",
    "reasons": [],
    "phases": [{"phase": "power-off", "lasted_s": 3600.0, "basis": "measured", "packets": 1}],
    "counts": {},
}
REPORT = ("policy", "report", "-c", "nevgate.toml")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """Leave the journal of two drives, with a report that was made during the second."""
    folder = tmp_path_factory.mktemp("vehicle")
    week = Week(folder)
    with open_platform(keys={VIN: [VEHICLE.public]}, store=folder / "platform.db", key=PLATFORM) as platform:
        week.drive(Drive(day(0, 7.5)), platform)
        week.drive(Drive(day(0, 18), {5: agree(TRACK, DAY_S, keep=True)}), platform)
    return week


@pytest.fixture
def vehicle(left: Week, tmp_path: Path, nevgate: Program) -> Path:
    """Copy a vehicle into the folder in which the program runs."""
    del nevgate
    shutil.copytree(
        left.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("reserve", "platform.db*")
    )
    return tmp_path


def egress(folder: Path, **changed: object) -> Path:
    """Write the result of an egress test, under the policy that was in force."""
    report = json.loads((folder / "report.json").read_text())
    policy = report["policies"][0]
    title = f"{policy['name']} version {policy['version']} ({policy['digest']})"
    path = folder / "egress.json"
    path.write_text(json.dumps({**EGRESS, "policy": title, **changed}))
    return path


def outcome_of(folder: Path, check: str) -> str:
    report = json.loads((folder / "report.json").read_text())
    (found,) = [one["outcome"] for one in report["checks"] if one["check"] == check]
    return str(found)


def test_it_writes_page_json_and_signature_and_says_what_is_not_proven(
    nevgate: Program, vehicle: Path
) -> None:
    found = nevgate(*REPORT)
    assert found.code == 3, found.err
    assert "not proven No packet went where it must not" in found.out
    assert {"report.html", "report.json", "report.json.sig"} <= {one.name for one in vehicle.iterdir()}
    assert outcome_of(vehicle, "allowed") == "passed"


def test_with_a_test_of_what_leaves_all_is_proven(nevgate: Program, vehicle: Path) -> None:
    nevgate(*REPORT)
    path = egress(vehicle)
    assert nevgate(*REPORT, "--egress", path, "--force").code == 0
    egress(vehicle, verdict="fail", counts={"not allowed": 2})
    assert nevgate(*REPORT, "--egress", path, "--force").code == 4
    assert outcome_of(vehicle, "egress") == "failed"
    for changed in (
        {"verdict": "not proven", "reasons": ["power-off: not captured"]},
        {"policy": "another (0000000000000000)"},
        {"home": ["CN", "DE"]},
    ):
        egress(vehicle, **changed)
        assert nevgate(*REPORT, "--egress", path, "--force").code == 3
        assert outcome_of(vehicle, "egress") == "not proven"


def test_the_signature_holds_for_these_bytes_of_this_vehicle_alone(nevgate: Program, vehicle: Path) -> None:
    nevgate(*REPORT)
    check = ("policy", "report", "--check", "report.json", "--vehicle-key", "vehicle.pub.pem")
    found = nevgate(*check)
    assert found.code == 0, found.err
    assert "The signature holds" in found.out
    assert "report.html shows what the JSON says" in found.out
    write_signing_key(vehicle / "other.pem", SigningKey.seeded(b"other"))
    assert nevgate(*check[:-1], "other.pub.pem").code == 1
    page = vehicle / "report.html"
    page.write_text(page.read_text("utf-8").replace("not proven", "passed"), "utf-8")
    assert "is not the page of this JSON" in nevgate(*check).err
    page.unlink()
    assert nevgate(*check).code == 0
    plain = vehicle / "report.json"
    plain.write_text(plain.read_text().replace('"not proven"', '"passed"'))
    found = nevgate(*check)
    assert found.code == 1
    assert "before it was changed" in found.err


def test_another_vehicles_report_is_not_this_ones(nevgate: Program, vehicle: Path) -> None:
    nevgate(*REPORT)
    plain = vehicle / "report.json"
    plain.write_text(plain.read_text().replace(VIN, "LNVTEST0000000002"))
    found = nevgate("policy", "report", "--check", "report.json", "--vehicle-key", "vehicle.pub.pem")
    assert found.code == 1
    assert found.err.count("\n") == 1


def test_nothing_is_replaced_unless_told(nevgate: Program, vehicle: Path) -> None:
    (vehicle / "report.json").write_text("mine")
    found = nevgate(*REPORT)
    assert found.code == 1
    assert "--force" in found.err
    assert (vehicle / "report.json").read_text() == "mine"
    assert not (vehicle / "report.html").exists()


def test_without_the_key_it_is_not_signed_and_says_so(nevgate: Program, vehicle: Path) -> None:
    (vehicle / "vehicle.pem").unlink()
    found = nevgate(*REPORT, "--language", "en")
    assert found.code == 3
    assert "is not signed" in found.err
    assert "not signed" in (vehicle / "report.html").read_text("utf-8")
    assert not (vehicle / "report.json.sig").exists()
    assert outcome_of(vehicle, "chain") == "passed"
    assert nevgate(*REPORT, "--sign", "--force").code == 1


def test_an_unsigned_report_leaves_no_older_signature_beside_it(nevgate: Program, vehicle: Path) -> None:
    nevgate(*REPORT)
    assert nevgate(*REPORT, "--no-sign", "--force").code == 3
    assert not (vehicle / "report.json.sig").exists()


def test_days_are_whole_and_the_journal_is_left_as_it_was(nevgate: Program, vehicle: Path) -> None:
    before = {one.name: one.read_bytes() for one in (vehicle / "journal").iterdir() if one.suffix != ".lock"}
    found = nevgate(*REPORT, "--from", "2027-03-01", "--to", "2027-03-01", "--json-out", "a.json")
    assert found.code == 3, found.err
    assert json.loads((vehicle / "a.json").read_text())["period"] == {
        "from": "2027-03-01T00:00:00Z",
        "to": "2027-03-02T00:00:00Z",
    }
    after = {one.name: one.read_bytes() for one in (vehicle / "journal").iterdir() if one.name in before}
    assert after == before


def test_a_report_while_the_gateway_runs(nevgate: Program, left: Week, tmp_path: Path) -> None:
    shutil.copytree(left.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("platform.db*"))
    running = Week.of(tmp_path, runs=2)
    found: list[Outcome] = []

    def report(_: Gateway) -> None:
        found.append(nevgate(*REPORT, "--force"))

    with open_platform(keys={VIN: [VEHICLE.public]}, store=tmp_path / "new.db", key=PLATFORM) as platform:
        running.drive(Drive(day(1, 7.5), {12: report}), platform)
    assert [one.code for one in found] == [3], found[0].err
    told = json.loads((tmp_path / "report.json").read_text())
    assert len(told["counts"]["runs"]) == 3
    assert not told["counts"]["exact"]
    assert outcome_of(tmp_path, "chain") == outcome_of(tmp_path, "allowed") == "passed"


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "yesterday"),
        ("--from", "2027-03-05", "--to", "2027-03-01"),
        ("--home", "UK"),
        ("--egress", "nevgate.toml"),
        ("--egress", "none.json"),
        ("--policy", "none.toml"),
        ("--json-out", "report.html"),
        ("--check", "none.json"),
        ("--check", "nevgate.toml"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(
    nevgate: Program, vehicle: Path, words: tuple[str, ...]
) -> None:
    del vehicle
    found = nevgate(*REPORT, *words)
    assert found.code in {1, 2}
    assert "Traceback" not in found.err
    assert found.err.startswith(("nevgate:", "Usage:"))


def test_a_journal_without_wall_time_has_no_days(nevgate: Program, tmp_path: Path) -> None:
    leave(tmp_path / "vehicle", seconds=5)
    found = nevgate("policy", "report", "-c", tmp_path / "vehicle" / "nevgate.toml")
    assert found.code == 1
    assert "wall time" in found.err
    assert not (tmp_path / "report.html").exists()
