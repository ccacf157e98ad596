"""What an operator reads out of a platform's store, and what a wrong word on the command line gives."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from edge.cli.program import program
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.errors import KeyFileError, NevgateError
from edge.wire.account_message import StreamLedger
from edge.wire.keys import SigningKey
from edge.wire.loss import LossCause, LossRange
from edge.wire.message import MessageKind
from edge.wire.time_corrections import TimeCorrection
from simulator.platform.assembly import own_key
from simulator.platform.keyring import load_keys
from simulator.platform.view import look_table, vehicle_rows
from tests.simulator.platform_rig import BOOT, NOW_NS, PLATFORM_KEY, STREAM, VEHICLE, VEHICLE_KEY, Rig, record


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("platform") / "platform.db"
    rig = Rig(path)
    rig.send(
        rig.vehicle.message(
            *(record(number) for number in (1, 2, 7)), losses=(LossRange(3, 4, LossCause.LOST),)
        )
    )
    rig.send(b"nonsense")
    rig.receipts()
    rig.store.close()
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(program, ["platform", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(*arguments: object) -> list[dict[str, object]]:
    return [json.loads(line) for line in run("query", *arguments, "--json").output.splitlines()]


def test_values_are_physical_and_named_in_both_languages(store: Path) -> None:
    english = rows(store, "records", "--item", "vehicle.speed")
    assert [row["value"] for row in english] == [1, 2, 7]
    assert {(row["name"], row["unit"], row["time_quality"]) for row in english} == {("speed", "km/h", "gnss")}
    assert english[0]["time"] == "2025-06-15T15:06:41.000Z"
    (chinese,) = {row["name"] for row in rows(store, "records", "--item", "vehicle.speed", "--chinese")}
    assert chinese == "车速"
    odometer = rows(store, "records", "--item", "vehicle.odometer")
    assert [row["value"] for row in odometer] == [12345.7, 12345.8, 12346.3]


def test_missing_values_say_so(store: Path) -> None:
    voltage = rows(store, "records", "--item", "hv.voltage")
    assert [row["value"] for row in voltage] == [365, 365, "invalid"]


def test_records_are_chosen_by_time(store: Path) -> None:
    since = rows(store, "records", "--item", "vehicle.speed", "--since", "2025-06-15T15:06:42")
    assert [row["number"] for row in since] == [2, 7]
    until = rows(store, "records", "--item", "vehicle.speed", "--until", "2025-06-15T23:06:42+08:00")
    assert [row["number"] for row in until] == [1]


def test_gaps_vehicles_and_rejections_are_listed(store: Path) -> None:
    assert [(row["first"], row["last"], row["final"], row["cause"]) for row in rows(store, "gaps")] == [
        (3, 4, True, "lost"),
        (5, 6, False, ""),
    ]
    (vehicle,) = rows(store, "vehicles")
    assert (vehicle["vehicle"], vehicle["records"], vehicle["missing"], vehicle["lost"]) == (VEHICLE, 3, 2, 2)
    (rejection,) = rows(store, "rejected")
    assert (rejection["cause"], rejection["head"]) == ("unsigned", b"nonsense".hex())


def test_a_table_and_csv_hold_the_same(store: Path) -> None:
    text = run("query", store, "records", "--csv", "--item", "vehicle.speed").output
    (first, *_) = csv.DictReader(io.StringIO(text))
    assert (first["stream"], first["number"], first["value"]) == (STREAM.hex(), "1", "1")
    table = run("query", store, "vehicles").output
    assert table.splitlines()[1].split()[:4] == [VEHICLE, "3", "2", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["records", "--item", "vehicle.sped"], "vehicle.speed"),
        (["records", "--since", "yesterday"], "no time"),
        (["records", "--json", "--csv"], "either JSON or CSV"),
    ],
)
def test_a_wrong_word_is_named(store: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(NevgateError, match=message):
        run("query", store, *arguments)


def test_the_live_table_fits_a_terminal(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "platform.db")
    rig.send(rig.vehicle.message(*(record(number) for number in range(1, 20))))
    rig.send(b"nonsense")
    rows_ = vehicle_rows(rig.platform.watch)
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(look_table(rows_, rig.platform.hops(), "the broker does not answer", NOW_NS + 2 * NS_PER_S))
    text = console.export_text()
    (line,) = (line for line in text.splitlines() if VEHICLE in line)
    assert line.split()[1:6] == ["19", "19", "0", "0", "1"]
    assert "1 messages unsigned" in text
    assert "the broker does not answer" in text
    rig.store.close()


def test_serving_needs_keys_and_one_broker(tmp_path: Path) -> None:
    serve = ("serve", "--keys", tmp_path, "--store", tmp_path / "platform.db")
    with pytest.raises(NevgateError, match="either --broker"):
        run(*serve)
    with pytest.raises(NevgateError, match="either --broker"):
        run(*serve, "--broker", "localhost:1883", "--with-broker")
    with pytest.raises(NevgateError, match=r"pub\.pem"):
        run(*serve, "--broker", "localhost:1883")
    (tmp_path / f"{VEHICLE}.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
    with pytest.raises(NevgateError, match="no address"):
        run(*serve, "--broker", "localhost")


def test_keys_are_read_by_vehicle_and_private_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "A.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
    (tmp_path / "A.pem").write_bytes(VEHICLE_KEY.to_pem())
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "first.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
    (tmp_path / "B" / "second.pub.pem").write_bytes(PLATFORM_KEY.public.pem)
    keys = load_keys(tmp_path)
    (tmp_path / "platform.pub.pem").write_bytes(SigningKey.seeded(b"own").public.pem)
    assert load_keys(tmp_path, own=SigningKey.seeded(b"own").public) == keys
    assert keys == {"A": [VEHICLE_KEY.public], "B": [VEHICLE_KEY.public, PLATFORM_KEY.public]}
    (tmp_path / "C.pub.pem").write_bytes(b"no key")
    with pytest.raises(KeyFileError, match=r"C\.pub\.pem"):
        load_keys(tmp_path)


def test_the_platform_keeps_the_key_that_it_made(tmp_path: Path) -> None:
    made, new = own_key(tmp_path / "deep" / "platform.pem")
    again, new_again = own_key(tmp_path / "deep" / "platform.pem")
    assert (new, new_again) == (True, False)
    assert made.public == again.public
    assert (tmp_path / "deep" / "platform.pub.pem").read_bytes() == made.public.pem


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with statements of every kind, and something wrong in each."""
    path = tmp_path_factory.mktemp("stated") / "platform.db"
    rig = Rig(path)
    event = rig.vehicle.topic(MessageKind.EVENT)
    rig.send(rig.vehicle.message(record(1), record(2), predecessor=b"p" * 16))
    rig.send(rig.vehicle.message(record(1), stream=b"s" * 16, predecessor=STREAM))
    rig.send(rig.vehicle.checkpoint(1, 3, last_number=5), event)
    rig.send(rig.vehicle.account(5, StreamLedger(4, 1, 0)), event)
    fix = TimeCorrection(BOOT, 0, NS_PER_S, Timebase(NOW_NS + NS_PER_S, TimeQuality.GNSS))
    rig.send(rig.vehicle.corrections(fix), event)
    rig.receipts()
    rig.store.close()
    return path


def test_an_account_is_shown_beside_the_platform_s_own_counts(stated: Path) -> None:
    (account,) = rows(stated, "account", "--vehicle", VEHICLE)
    told = ("last_number", "acknowledged", "waiting", "given_up", "stored", "missing", "explained")
    assert [account[key] for key in told] == [5, 4, 1, 0, 2, 3, 0]
    assert account["agrees"] is False
    assert account["differences"] == [
        "2: acknowledged according to the vehicle, not stored here: 4 of 5 acknowledged, 2 stored"
    ]
    (hop,) = cast("list[dict[str, object]]", account["hops"])
    assert (hop["name"], hop["entered"], hop["balanced"]) == ("uplink", 5, True)
    assert rows(stated, "account", "--vehicle", "OTHER") == []


def test_streams_checkpoints_corrections_and_findings_are_listed(stated: Path) -> None:
    first, second = rows(stated, "streams")
    assert (first["predecessor_known"], first["successors"]) == (False, [(b"s" * 16).hex()])
    assert (second["predecessor"], second["predecessor_known"]) == (STREAM.hex(), True)
    (checkpoint,) = rows(stated, "checkpoints")
    assert [checkpoint[key] for key in ("first_block", "last_block", "missing", "standing", "sound")] == [
        1,
        3,
        3,
        "begins the chain",
        True,
    ]
    (correction,) = rows(stated, "corrections")
    assert (correction["quality"], correction["from"]) == ("gnss", "2025-06-15T15:06:41.000Z")
    assert [(row["finding"], row["numbers"], row["open"]) for row in rows(stated, "findings")] == [
        ("the stream before is not here", 1, True),
        ("records of a checkpoint are missing", 3, True),
        ("acknowledged according to the vehicle, not stored here", 2, False),
    ]
    for what in ("streams", "checkpoints", "corrections", "findings", "account"):
        assert VEHICLE in run("query", stated, what).output
        assert run("query", stated, what, "--csv").output.startswith("vehicle,")


def test_a_corrected_time_stands_beside_the_signed_one(stated: Path) -> None:
    speeds = rows(stated, "records", "--item", "vehicle.speed")
    told = {(row["number"], row["time"], row["corrected_time"], row["corrected_quality"]) for row in speeds}
    assert told == {
        (1, "2025-06-15T15:06:41.000Z", "2025-06-15T15:06:42.000Z", "gnss"),
        (2, "2025-06-15T15:06:42.000Z", "", ""),
    }
