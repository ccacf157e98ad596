"""The catalogue holds every row of the standard's tables, and its keys stay what they are."""

import csv
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition, Item, Kind
from edge.errors import CatalogueError

LISTS = {"u32[]": Kind.CODES, "(bit,level)[]": Kind.PAIRS}
SPLIT = {"h2.max_conc", "scap.extremes", "fc.voltage", "fc.current", "fc.probes[]"}
"""Rows whose two editions differ so much that each has items of its own, or that stand for many rows."""


@pytest.fixture(scope="session")
def table(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data.parent / "spec" / "gbt32960-catalogue.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def by_row() -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in builtin():
        if item.row:
            found[item.row].append(item)
    return found


def test_every_row_of_the_table_is_there_and_nothing_else_claims_to_be(
    table: list[dict[str, str]], by_row: dict[str, list[Item]]
) -> None:
    assert {row["id"] for row in table} == set(by_row)


def test_names_unit_resolution_range_and_confidence_are_the_tables(
    table: list[dict[str, str]], by_row: dict[str, list[Item]]
) -> None:
    for row in table:
        if row["id"] in SPLIT:
            continue
        item = next(item for item in by_row[row["id"]] if item.id == row["id"].removesuffix("[]"))
        assert item.en == row["name_en"].partition(" + ")[0]
        assert item.cn == row["name_cn"]
        assert item.confidence == row["confidence"]
        assert item.period_s == Decimal(row["max_period_s"])
        unit = row["unit"]
        if unit in {"enum", "bool", "bits"}:
            assert item.kind == Kind(unit)
        elif unit in LISTS:
            assert item.kind == LISTS[unit]
        else:
            assert item.unit == ("" if unit == "-" else unit)
        if item.kind in {Kind.NUMBER, Kind.ARRAY} and ".." in row["gateway_range"]:
            assert item.resolution == Decimal(row["gateway_res"])
            low, high = re.match(r"(-?[\d.]+?)\.\.(-?[\d.]+)", row["gateway_range"]).groups()  # type: ignore[union-attr]
            assert item.minimum == Decimal(low)
            if item.id not in {"vehicle.brake_pedal", "alarm.max_level"}:
                assert item.maximum == Decimal(high)


def test_each_edition_writes_the_items_as_the_table_says(
    table: list[dict[str, str]], by_row: dict[str, list[Item]]
) -> None:
    for row in table:
        for edition in Edition:
            body = row[f"body_{edition.value}"]
            words = next(v for k, v in row.items() if k.startswith(f"enc_{edition.value}"))
            writers = [item for item in by_row[row["id"]] if edition in item.editions]
            writers.sort(key=lambda item: not row["id"].startswith(item.id))
            if body in {"-", "derive"}:
                assert not writers, row["id"]
                continue
            assert writers, row["id"]
            main = writers[0].editions[edition]
            assert main.body == int(body.split()[0], 16)
            linear = re.match(r"(\d);([\d.e-]+);(-?\d+);(\d+)", words)
            if linear and row["id"] != "scap.extremes":
                assert main.width == int(linear[1])
                assert main.resolution == Decimal(linear[2])
                assert main.offset == Decimal(linear[3])
                assert main.raw_maximum == int(linear[4])
            if " + 1" in words:
                assert len(writers) == 1 + words.count(" + 1")


def test_the_extremes_of_the_super_capacitor_are_twelve_rows(by_row: dict[str, list[Item]]) -> None:
    extremes = by_row["scap.extremes"]
    assert len(extremes) == 12
    assert sum(item.editions[Edition.Y2025].width for item in extremes) == 18


def test_hydrogen_concentration_is_an_item_for_each_of_its_units(by_row: dict[str, list[Item]]) -> None:
    units = {item.unit: set(item.editions) for item in by_row["h2.max_conc"] if item.unit}
    assert units == {"mg/kg": {Edition.Y2016}, "%vol": {Edition.Y2025}}


def test_static_data_of_both_editions_has_as_many_rows_as_annex_a() -> None:
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for item in builtin():
        for edition, where in item.tables.items():
            counts[edition.value, where] += 1
    assert counts == {
        (2016, "A.2"): 10,
        (2016, "A.3"): 5,
        (2016, "A.4"): 13,
        (2025, "A.2"): 18,
        (2025, "A.3"): 5,
        (2025, "A.4"): 8,
        (2025, "A.5"): 12,
        (2025, "A.6"): 3,
    }


def test_a_record_is_at_least_as_wide_as_either_edition() -> None:
    for item in builtin():
        for encoding in item.editions.values():
            if item.kind is Kind.NUMBER and encoding.resolution is not None and encoding.raw_maximum:
                top = encoding.offset + encoding.raw_maximum * encoding.resolution
                assert item.resolution <= encoding.resolution, item.id
                assert item.minimum <= max(encoding.offset, item.minimum), item.id
                assert item.maximum >= top or item.id in {"alarm.max_level", "motor[i].torque"}, item.id


def test_overflow_of_the_older_edition_is_told_and_not_clipped() -> None:
    speed = builtin().item("vehicle.speed")
    assert speed.fits(Edition.Y2016, 2200)
    assert not speed.fits(Edition.Y2016, 2201)
    assert speed.fits(Edition.Y2025, 2201)
    assert not builtin().item("hv.current").fits(Edition.Y2016, -10001)


def test_keys_on_the_wire_are_permanent() -> None:
    keys = {item.key: item.id for item in builtin()}
    assert {key: keys[key] for key in (1, 4, 23, 42, 50, 71, 82, 97, 136, 140, 301)} == {
        1: "vehicle.state",
        4: "vehicle.speed",
        23: "motor[i].speed",
        42: "gnss.lon",
        50: "bat.max_cell_v",
        71: "alarm.flags",
        82: "pack[i].cells",
        97: "h2.max_conc_volume",
        136: "scap.min_temp_probe",
        140: "imu.accel_x",
        301: "static.vin",
    }


def test_position_and_identity_are_classed_as_such() -> None:
    classes = {item.id: item.data_class.value for item in builtin()}
    assert classes["gnss.lat"] == classes["gnss.valid"] == "position"
    assert classes["static.vin"] == "identity"
    assert classes["vehicle.speed"] == "operation"


def test_concrete_ids_lead_to_their_item_and_back() -> None:
    catalogue = builtin()
    located = catalogue.locate("motor[2].speed")
    assert (located.item.id, located.index) == ("motor[i].speed", 2)
    assert catalogue.key("motor[2].speed") == (23, 2)
    assert catalogue.item_id(23, 2) == "motor[2].speed"
    assert catalogue.item("motor[2].speed") is catalogue.item("motor[i].speed")
    assert catalogue.key("vehicle.speed") == (4, 0)
    assert catalogue.item_id(4, 0) == "vehicle.speed"


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("vehicle.sped", "vehicle.speed"),
        ("motor[3].sped", "motor[3].speed"),
        ("motor.speed", "motor[1].speed"),
        ("motor[i].speed", "motor[1].speed"),
        ("vehicle.speed[1]", "vehicle.speed"),
        ("pack[1].cells[3]", "pack[1].cells"),
    ],
)
def test_a_wrong_id_is_answered_with_the_nearest_right_one(wrong: str, advice: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        builtin().locate(wrong)
    assert f"'{advice}'" in caught.value.todo


def test_indices_end_where_the_standard_ends() -> None:
    assert builtin().has("motor[253].speed")
    assert not builtin().has("motor[254].speed")
    assert not builtin().has("motor[0].speed")
    assert not builtin().has("vehicle[1].speed")
    assert [builtin().item_id(*key) for key in ((4, 1), (23, 0), (23, 254), (9999, 0))] == [None] * 4
    assert [builtin().key(name) for name in ("motor[0].speed", "motor[i].speed", "x")] == [None] * 3


def test_every_item_has_a_key_that_leads_back_to_it() -> None:
    for item in builtin():
        item_id = item.id.replace("[i]", "[7]")
        key = builtin().key(item_id)
        assert key is not None
        assert builtin().item_id(*key) == item_id


def test_the_catalogue_is_read_once() -> None:
    assert builtin() is builtin()
