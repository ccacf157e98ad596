"""Records into tables: CSV and Parquet with a row a value, MCAP with a message a record."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from edge.archive.export_file import About
from edge.archive.frame_tables import McapLog, ParquetFile
from edge.archive.records import VALID, ItemValue
from edge.clock import Timebase, TimeQuality
from edge.records import Record


@dataclass(frozen=True, slots=True)
class ToldRecord:
    """A record with all that a table says of it.

    Attributes:
        record: the record.
        stream: 16 bytes, of its number.
        boot: 16 bytes.
        timebase: the best known relation to wall time.
        values: its values.
    """

    record: Record
    stream: bytes
    boot: bytes
    timebase: Timebase
    values: tuple[ItemValue, ...]

    @property
    def time_ns(self) -> int:
        """Unix time, or time since boot where there is no wall time."""
        known = self.timebase.quality is not TimeQuality.NONE
        return self.timebase.wall_ns(self.record.t_ns) if known else self.record.t_ns


class RecordFile(ABC):
    """Takes records and writes one file.

    Args:
        path: where to.
        about: what the export says of itself.
    """

    def __init__(self, path: Path, about: About) -> None:
        self.path = path
        self.about = about

    @abstractmethod
    def write(self, told: list[ToldRecord]) -> None:
        """Write some records."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Let go of the file without finishing it."""
        self.close()


COLUMNS = (
    "stream",
    "number",
    "time_ns",
    "time_quality",
    "boot",
    "t_ns",
    "alarm",
    "item",
    "element",
    "value",
    "unit",
    "name",
    "state",
    "steps",
)
"""``time_ns`` is Unix time, or time since boot where ``time_quality`` is ``NONE``; a value that is missing is
empty and its ``state`` says why; an item without a row was not collected."""


def table_rows(told: Iterable[ToldRecord]) -> Iterator[tuple[object, ...]]:
    """A row a value, as `COLUMNS` names its cells."""
    for one in told:
        record = one.record
        head = (
            one.stream.hex(),
            record.number,
            one.time_ns,
            one.timebase.quality.name,
            one.boot.hex(),
            record.t_ns,
            record.alarm,
        )
        for value in one.values:
            yield (
                *head,
                value.item_id,
                value.element,
                value.physical,
                value.unit,
                value.name,
                value.state,
                value.steps,
            )


class CsvRecords(RecordFile):
    """Comma-separated values with a heading; numbers have all their digits."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def write(self, told: list[ToldRecord]) -> None:
        """See `RecordFile.write`."""
        for row in table_rows(told):
            self._rows.writerow([csv_cell(cell) for cell in row])

    def close(self) -> None:
        """See `RecordFile.close`."""
        self._file.close()


class ParquetRecords(RecordFile):
    """Apache Parquet; ``value`` is a double, ``steps`` the exact value in steps of the item's resolution."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._file = ParquetFile(path, self._schema)

    @staticmethod
    def _schema(pa: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
        text = pa.dictionary(pa.int32(), pa.string())
        kinds = {
            "number": pa.int64(),
            "time_ns": pa.int64(),
            "t_ns": pa.int64(),
            "alarm": pa.bool_(),
            "element": pa.int32(),
            "value": pa.float64(),
            "steps": pa.int64(),
        }
        return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])

    def write(self, told: list[ToldRecord]) -> None:
        """See `RecordFile.write`."""
        rows = list(table_rows(told))
        if not rows:
            return
        self._file.add(
            [
                self._file.pa.array(
                    [float(cell) if isinstance(cell, Decimal) else cell for cell in column],
                    self._file.schema.field(number).type,
                )
                for number, column in enumerate(zip(*rows, strict=True))
            ]
        )

    def close(self) -> None:
        """See `RecordFile.close`."""
        self._file.finish(self.about)

    def abandon(self) -> None:
        """See `RecordFile.abandon`."""
        self._file.abandon()


RECORD_SCHEMA: dict[str, object] = {
    "title": "nevgate.Record",
    "type": "object",
    "properties": {
        "stream": {"type": "string"},
        "number": {"type": "integer"},
        "boot": {"type": "string"},
        "t_ns": {"type": "integer", "description": "nanoseconds since boot"},
        "time_quality": {"type": "string"},
        "alarm": {"type": "boolean"},
        "values": {"type": "object", "description": "physical values by item; null where one is missing"},
        "missing": {"type": "object", "description": "why: invalid or abnormal, by item or item#element"},
    },
}


class McapRecords(RecordFile):
    """MCAP, a message a record under the topic ``/records``."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._log = McapLog(path)

    def write(self, told: list[ToldRecord]) -> None:
        """See `RecordFile.write`."""
        for one in told:
            values: dict[str, object] = {}
            missing: dict[str, str] = {}
            for value in one.values:
                number = None if value.physical is None else _number(value)
                if value.element is None:
                    values[value.item_id] = number
                else:
                    elements = values.setdefault(value.item_id, [])
                    if isinstance(elements, list):
                        elements.append(number)
                if value.state != VALID:
                    place = "" if value.element is None else f"#{value.element}"
                    missing[f"{value.item_id}{place}"] = value.state
            record = one.record
            message: dict[str, object] = {
                "stream": one.stream.hex(),
                "number": record.number,
                "boot": one.boot.hex(),
                "t_ns": record.t_ns,
                "time_quality": one.timebase.quality.name,
                "alarm": record.alarm,
                "values": values,
                "missing": missing,
            }
            self._log.add("/records", RECORD_SCHEMA, one.time_ns, message)

    def close(self) -> None:
        """See `RecordFile.close`."""
        self._log.finish(self.about)

    def abandon(self) -> None:
        """See `RecordFile.abandon`."""
        self._log.abandon()


def _number(value: ItemValue) -> int | float | None:
    physical = value.physical
    if physical is None:
        return None
    return int(physical) if physical == physical.to_integral_value() else float(physical)


def csv_cell(cell: object) -> object:
    """A cell as CSV has it: empty for what is missing, truth in small letters."""
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else cell
