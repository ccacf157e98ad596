"""Writes decoded values as a table: Parquet, CSV or JSON lines, batch by batch."""

from __future__ import annotations

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.database.model import SignalRef
from edge.decode.message import Column
from edge.errors import NevgateError

ENDINGS = (".parquet", ".csv", ".jsonl")
NOT_COLLECTED = "not collected"
_EXACT_IN_FLOAT = 1 << 53

Times = npt.NDArray[np.int64]


class ExportError(NevgateError):
    """A table cannot be written."""


class TableWriter(ABC):
    """Takes batches of columns and writes one row a value, in order of the frames.

    Every row has the frame's time in nanoseconds (as the recording has it), bus, message, signal and value.
    """

    @abstractmethod
    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """Write the values of one batch whose frames have the times `t_ns`."""

    @abstractmethod
    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """Finish the file, saying which mask it was made under and which signals were not collected."""

    @abstractmethod
    def end(self) -> None:
        """Finish the file without saying that: it is a part of a table."""


def open_table(path: Path) -> TableWriter:
    """A writer for `path`, its format told by the ending.

    Raises:
        ExportError: if the ending is unknown, the file cannot be written, or Parquet's library is missing.
    """
    makers: dict[str, Callable[[Path], TableWriter]] = {
        ".csv": CsvWriter,
        ".jsonl": JsonLinesWriter,
        ".parquet": ParquetWriter,
    }
    maker = makers.get(path.suffix.lower())
    if maker is None:
        raise ExportError(
            f"the ending '{path.suffix}' is no table that nevgate writes",
            where=str(path),
            todo=f"Use one of {', '.join(ENDINGS)}",
        )
    try:
        return maker(path)
    except OSError as error:
        raise ExportError(f"cannot be written ({error.strerror})", where=str(path)) from error


class CsvWriter(TableWriter):
    """Comma-separated values with a heading; floats are the shortest digits that read back equal."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(("t_ns", "bus", "message", "signal", "value"))

    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """See `TableWriter.write`."""
        refs, owners, rows, values = _in_order(columns)
        names = [(ref.bus, ref.message, ref.signal) for ref in refs]
        for owner, when, value in zip(owners, t_ns[rows].tolist(), values, strict=True):
            self._rows.writerow((when, *names[owner], repr(value)))

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`; a signal that was not collected has one row without time."""
        del policy
        for ref in sorted(withheld):
            self._rows.writerow(("", ref.bus, ref.message, ref.signal, NOT_COLLECTED))
        self._file.close()

    def end(self) -> None:
        """See `TableWriter.end`."""
        self._file.close()


class JsonLinesWriter(TableWriter):
    """One JSON object a line; NaN and infinities, which JSON lacks, are strings."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """See `TableWriter.write`."""
        refs, owners, rows, values = _in_order(columns)
        heads = [f', "bus": {_json(ref.bus)}, {_names(ref)}, "value": ' for ref in refs]
        lines = (
            f'{{"t_ns": {when}{heads[owner]}{_json_number(value)}}}\n'
            for owner, when, value in zip(owners, t_ns[rows].tolist(), values, strict=True)
        )
        self._file.writelines(lines)

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`; a signal that was not collected has one line with its state."""
        for ref in sorted(withheld):
            self._file.write(
                f'{{"t_ns": null, "bus": {_json(ref.bus)}, {_names(ref)}, "value": null,'
                f' "state": "{NOT_COLLECTED}", "policy": {_json(policy)}}}\n'
            )
        self._file.close()

    def end(self) -> None:
        """See `TableWriter.end`."""
        self._file.close()


class ParquetWriter(TableWriter):
    """Apache Parquet: ``t_ns``, ``bus``, ``message``, ``signal``, ``value`` and ``exact``.

    ``value`` is a double; where that does not hold an integer, ``exact`` has its digits. What was not
    collected is in the file's metadata under ``nevgate.not_collected``, the mask under ``nevgate.policy``.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra that only this class needs
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError as error:
            raise ExportError(
                "Parquet needs pyarrow", where=str(path), todo="pip install 'nevgate[export]'"
            ) from error
        self._pa: Any = pa
        text = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                ("t_ns", pa.int64()),
                ("bus", text),
                ("message", text),
                ("signal", text),
                ("value", pa.float64()),
                ("exact", pa.string()),
            ]
        )
        self._writer = pq.ParquetWriter(str(path), self._schema, compression="zstd")

    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """See `TableWriter.write`."""
        if not columns:
            return
        refs = list(columns)
        rows = np.concatenate([column.rows for column in columns.values()])
        owners = np.repeat(np.arange(len(refs)), [len(column.rows) for column in columns.values()])
        order = np.argsort(rows, kind="stable")
        values = np.concatenate([_doubles(column.values) for column in columns.values()])[order]
        exact = self._exact(columns)[order] if any(map(_needs_digits, columns.values())) else None
        owners = owners[order].astype(np.int32)
        parts = [self._pa.array(t_ns[rows[order]])]
        for part in ("bus", "message", "signal"):
            names = sorted({getattr(ref, part) for ref in refs})
            place = {name: number for number, name in enumerate(names)}
            codes = np.array([place[getattr(ref, part)] for ref in refs], np.int32)[owners]
            parts.append(self._pa.DictionaryArray.from_arrays(codes, self._pa.array(names)))
        parts.append(self._pa.array(values))
        parts.append(
            self._pa.nulls(len(rows), self._pa.string())
            if exact is None
            else self._pa.array(exact.tolist(), self._pa.string())
        )
        self._writer.write_table(self._pa.Table.from_arrays(parts, schema=self._schema))

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`."""
        self._writer.add_key_value_metadata(
            {
                "nevgate.policy": policy,
                "nevgate.not_collected": json.dumps([str(ref) for ref in sorted(withheld)]),
            }
        )
        self._writer.close()

    def end(self) -> None:
        """See `TableWriter.end`."""
        self._writer.close()

    @staticmethod
    def _exact(columns: Mapping[SignalRef, Column]) -> npt.NDArray[np.object_]:
        digits: list[str | None] = []
        for column in columns.values():
            if not _needs_digits(column):
                digits += [None] * len(column.values)
                continue
            digits += [
                str(value) if isinstance(value, int) and abs(value) > _EXACT_IN_FLOAT else None
                for value in column.values.tolist()
            ]
        result = np.empty(len(digits), object)
        result[:] = digits
        return result


def _in_order(
    columns: Mapping[SignalRef, Column],
) -> tuple[list[SignalRef], list[int], npt.NDArray[np.int64], list[int | float]]:
    """All values of a batch by frame: references, owner of each value, row of each value, values."""
    refs = list(columns)
    if not refs:
        return refs, [], np.empty(0, np.int64), []
    rows = np.concatenate([column.rows for column in columns.values()])
    owners = np.repeat(np.arange(len(refs)), [len(column.rows) for column in columns.values()])
    values: list[int | float] = []
    for column in columns.values():
        values += column.values.tolist()
    order = np.argsort(rows, kind="stable")
    return refs, owners[order].tolist(), rows[order], [values[place] for place in order.tolist()]


def _doubles(values: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(values).astype(np.float64)


def _needs_digits(column: Column) -> bool:
    """Whether some value is an integer that a double may not hold."""
    values = column.values
    if values.dtype == np.float64:
        return False
    if values.dtype.kind in "iu" and len(values):
        return int(values.max()) > _EXACT_IN_FLOAT or int(values.min()) < -_EXACT_IN_FLOAT
    return True


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _names(ref: SignalRef) -> str:
    return f'"message": {_json(ref.message)}, "signal": {_json(ref.signal)}'


def _json_number(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: '"Infinity"', -math.inf: '"-Infinity"'}.get(value, '"NaN"')
    return repr(value)
