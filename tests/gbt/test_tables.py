"""The tables of both editions agree with the catalogue, hold at every border, and are what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition, Kind
from edge.records import Missing, Value
from edge.wire.gbt.field import Coding, Field, FieldKind, table
from edge.wire.gbt.options import Options
from edge.wire.gbt.page import marked
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.scale import scale_of
from tests.gbt.grammar import examples, record_of

PAGE = Path(__file__).parents[2] / "docs" / "gbt32960.md"
SCALED = {FieldKind.NUMBER, FieldKind.ENUM}
ROWS = [
    (edition, row)
    for edition in Edition
    for part, rows in table(edition).parts.items()
    if part.startswith("body ")
    for row in rows
]
NUMBERS = [(edition, row) for edition, row in ROWS if row.item and row.kind in SCALED]


def test_every_item_of_the_catalogue_is_in_the_table_of_the_editions_that_have_it() -> None:
    for edition in Edition:
        there = {row.item for one, row in ROWS if one is edition and row.item}
        assert there == {item.id for item in builtin() if edition in item.editions}


@pytest.mark.parametrize(("edition", "row"), NUMBERS, ids=lambda one: getattr(one, "item", one))
def test_a_field_is_written_as_the_catalogue_says(edition: Edition, row: Field) -> None:
    encoding = builtin().item(row.item).editions[edition]
    assert f"body {encoding.body:02X}" == row.part
    assert encoding.width == row.width
    if encoding.resolution is not None:
        assert (encoding.resolution, encoding.offset) == (row.resolution, row.offset)
        assert encoding.raw_maximum in {row.most, None}


@pytest.mark.parametrize(("edition", "row"), NUMBERS, ids=lambda one: getattr(one, "item", one))
def test_a_field_holds_its_bounds_and_not_one_step_more(edition: Edition, row: Field) -> None:
    del edition
    scale = scale_of(row, builtin().item(row.item), Options())
    told: list[object] = []
    assert row.least is not None
    assert row.most is not None
    for raw in (row.least, row.most):
        value = scale.read(raw, "item", told.append)
        assert isinstance(value, int)
        assert scale.write(value, "item", told.append) == raw
    assert told == []
    beyond = [raw for raw in (row.least - 1, row.most + 1) if 0 <= raw < row.abnormal]
    for raw in beyond:
        assert scale.read(raw, "item", told.append) is Missing.ABNORMAL
        said = row.most if row.item == "alarm.max_level" else row.abnormal
        assert scale.write(scale.steps(raw), "item", told.append) == said
    assert len(told) == 2 * len(beyond)
    assert scale.read(row.invalid, "item", told.append) is Missing.INVALID
    assert scale.read(row.abnormal, "item", told.append) is Missing.ABNORMAL
    for missing in Missing:
        code = scale.write(missing, "item", told.append)
        assert code == (row.invalid if missing is Missing.INVALID else row.abnormal)
    assert len(told) == 2 * len(beyond)


def test_no_code_of_a_missing_value_is_a_value() -> None:
    coded = [row for _, row in ROWS if row.coding is not Coding.NONE and row.most is not None]
    assert [row for row in coded if row.holds(row.abnormal)] == []


def test_bodies_are_as_long_as_the_standard_says() -> None:
    def size(edition: Edition, type_id: int, group: str = "") -> int:
        rows = table(edition).fields(f"body {type_id:02X}")
        return sum(row.width for row in rows if row.group == group and not row.count)

    fixed = {1: 20, 3: 18, 4: 5, 5: 9, 6: 14}
    assert {type_id: size(Edition.Y2016, type_id) for type_id in fixed} == fixed
    fixed = {1: 18, 3: 12, 4: 2, 5: 10, 0x32: 18}
    assert {type_id: size(Edition.Y2025, type_id) for type_id in fixed} == fixed
    assert [size(edition, 2, "motor") for edition in Edition] == [12, 10]


@given(st.data())
@settings(max_examples=examples(50), deadline=None)
def test_every_number_of_an_edition_comes_back_at_its_bounds(data: st.DataObject) -> None:
    edition, row = data.draw(st.sampled_from(NUMBERS))
    item = builtin().item(row.item)
    encoding = item.editions[edition]
    if item.kind is Kind.ENUM or encoding.resolution is None or encoding.raw_maximum is None:
        return
    top = encoding.offset + encoding.raw_maximum * encoding.resolution
    bottom = encoding.offset if (row.least or 0) == 0 else encoding.offset + encoding.resolution
    item_id = item.id.replace("[i]", "[1]")
    for physical in (bottom, top):
        steps = int(physical / item.resolution)
        value: Value = (steps, Missing.INVALID) if item.is_list else steps
        codec = RecordCodec(edition)
        said = codec.say(record_of({item_id: value}))
        assert codec.hear(said.reports).record.values[item_id] == value


def test_the_page_shows_the_tables_as_they_are() -> None:
    page = PAGE.read_text("utf-8")
    assert page.count("<!-- table ") == page.count("<!-- end -->") == 4
    assert page == marked(page)
