"""Records as JSON for people: physical values by item, times with their zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.errors import CatalogueError
from edge.records import Element, Missing, Record, Value
from edge.wire.gbt.faults import GbtError

_BEIJING = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_to_json(record: Record, catalogue: Catalogue) -> dict[str, Any]:
    """A record as what `json.dumps` takes: numbers in the items' units, ``invalid`` and ``abnormal``."""
    wall_s = record.timebase.wall_ns(record.t_ns) // NS_PER_S
    return {
        "time": (_EPOCH + timedelta(seconds=wall_s)).astimezone(_BEIJING).isoformat(),
        "reissue": record.reissue,
        "values": {
            item_id: value_to_json(value, catalogue.item(item_id)) for item_id, value in record.values.items()
        },
    }


def value_to_json(value: Value | None, item: Item) -> Any:  # noqa: ANN401 - JSON
    """A value as JSON has it."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return [_element(one, item) for one in value]
    return _element(value, item)


def _element(value: Element, item: Item) -> int | float | str:
    if isinstance(value, Missing):
        return value.value
    physical = item.physical(value)
    return int(physical) if physical == physical.to_integral_value() else float(physical)


def record_from_json(asked: object, catalogue: Catalogue, number: int = 1) -> Record:
    """The record that JSON says.

    Args:
        asked: what `json.loads` gave with ``parse_float=Decimal``.
        catalogue: the items.
        number: of the record.

    Raises:
        GbtError: it is no such record; the message names the item.
    """
    if not isinstance(asked, Mapping) or not isinstance(asked.get("values"), Mapping):
        raise GbtError("is no record", todo='It is {"time": "2026-03-01T08:00:00+08:00", "values": {...}}')
    if unknown := set(asked) - {"time", "reissue", "values"}:
        raise GbtError(f"a record has no '{min(unknown)}'")
    try:
        moment = datetime.fromisoformat(str(asked.get("time")))
    except ValueError as error:
        raise GbtError(f"'{asked.get('time')}' is no time", todo="ISO 8601 with its zone") from error
    if moment.tzinfo is None:
        raise GbtError(f"the time '{asked['time']}' has no zone", todo="End it with +08:00 or Z")
    values: dict[str, Value] = {}
    for item_id, value in asked["values"].items():
        try:
            item = catalogue.locate(str(item_id)).item
        except CatalogueError as error:
            raise GbtError(error.what, todo=error.todo) from error
        values[str(item_id)] = _value(value, item, str(item_id))
    return Record(
        number,
        (moment - _EPOCH) // timedelta(microseconds=1) * 1000,
        Timebase(0, TimeQuality.RTC),
        values,
        reissue=asked.get("reissue") is True,
    )


def _value(value: object, item: Item, item_id: str) -> Value:
    if isinstance(value, list) != item.is_list and not isinstance(value, str):
        raise GbtError(f"{item_id} is {'a list' if item.is_list else 'no list'}")
    if isinstance(value, list):
        return tuple(_steps(one, item, item_id) for one in value)
    return _steps(value, item, item_id)


def _steps(value: object, item: Item, item_id: str) -> Element:
    if isinstance(value, str):
        named = item.value_named(value)
        if named is not None:
            return named
        try:
            return Missing(value)
        except ValueError as error:
            words = ", ".join(["invalid", "abnormal", *item.names.values()])
            raise GbtError(
                f"{item_id}: '{value}' is no value", todo=f"A number, or one of {words}"
            ) from error
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise GbtError(f"{item_id}: {value!r} is no value")
    try:
        whole = (Decimal(value) / item.resolution).to_integral_value()
    except ArithmeticError as error:
        raise GbtError(f"{item_id}: {value} is no number") from error
    if whole * item.resolution != value or not item.least_steps <= whole <= item.most_steps:
        todo = f"It goes from {item.minimum} to {item.maximum} {item.unit} in steps of {item.resolution}"
        raise GbtError(f"{item_id}: {value} cannot be", todo=todo)
    return int(whole)
