"""The process in which asammdf reads MDF 4 files: one that is damaged can crash it, and then nothing else.

It is asked on standard input, one line of JSON a file, and answers on standard output: lines of JSON, a
piece's followed by its columns' bytes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from edge.bus.formats.rows import (
    CUT_SHORT,
    DATA_TOO_LONG,
    EXTENDED_ID_MAX,
    FD_LENGTHS,
    ID_OUT_OF_RANGE,
    STANDARD_ID_MAX,
    T_NS_LIMIT,
    TIME_OUT_OF_RANGE,
    Piece,
)
from edge.clock import NS_PER_S
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameFlag

CHUNK_RECORDS = 65536
KINDS = {
    "CAN_DataFrame": FrameFlag(0),
    "CAN_RemoteFrame": FrameFlag.REMOTE,
    "CAN_ErrorFrame": FrameFlag.ERROR,
}
EXTENDED_BIT = 1 << 31

COLUMNS: Mapping[str, npt.DTypeLike] = {
    "t_ns": np.int64,
    "channel": np.intp,
    "arbitration_id": np.uint32,
    "flags": np.uint16,
    "length": np.uint16,
    "data": np.uint8,
}
"""The columns of a piece in the order in which their bytes are sent."""

Refuse = Callable[[str, int, str], None]
"""Is told of frames that are set aside: cause, how many, where."""


@dataclass(slots=True)
class Group:
    """One channel group that holds frames: how far it was read, and what waits to be put in order."""

    place: int
    kind: str
    records: int
    names: frozenset[str]
    done: int = 0
    piece: Piece | None = None

    @property
    def exhausted(self) -> bool:
        """Whether all its records were read."""
        return self.done >= self.records


class FrameGroups:
    """The frames of one open file, put together from its channel groups in order of time.

    Args:
        mdf: the file, as asammdf opened it.
        refuse: is told of what is set aside.
    """

    def __init__(self, mdf: Any, refuse: Refuse) -> None:  # noqa: ANN401 - asammdf has no types
        self._mdf = mdf
        self._refuse = refuse

    def pieces(self) -> Iterator[Piece]:
        """Put the groups together: what no group can precede any more is handed on, in order of time."""
        groups = _groups(self._mdf)
        while True:
            for group in groups:
                if not (group.exhausted or (group.piece and len(group.piece))):
                    group.piece = self._chunk(group)
            waiting = [group for group in groups if group.piece is not None and len(group.piece)]
            if not waiting and all(group.exhausted for group in groups):
                return
            open_ended = [group.piece.t_ns.max() for group in waiting if group.piece and not group.exhausted]
            bound = min(open_ended, default=None)
            ready = []
            for group in waiting:
                piece = group.piece
                if piece is None:
                    continue
                count = (
                    len(piece)
                    if bound is None
                    else int(np.searchsorted(np.maximum.accumulate(piece.t_ns), bound, side="right"))
                )
                ready.append(piece.take(slice(0, count)))
                group.piece = piece.take(slice(count, None))
            if ready:
                yield _by_time(ready)

    def _chunk(self, group: Group) -> Piece:
        """The next records of one group as frames; those that no controller can have seen are set aside."""
        asked = min(CHUNK_RECORDS, group.records - group.done)
        begin = group.done
        stamps = np.asarray(
            self._mdf.get_master(group.place, record_offset=begin, record_count=asked), np.float64
        )
        count = len(stamps)
        group.done += count
        if count < asked:
            self._refuse(CUT_SHORT, group.records - group.done, f"{group.kind} record {group.done}")
            group.done = group.records

        def column(name: str, default: int = 0) -> npt.NDArray[Any]:
            full = f"{group.kind}.{name}"
            if full not in group.names:
                return np.full(count, default, np.int64)
            return np.asarray(
                self._mdf.get(
                    full,
                    group=group.place,
                    record_offset=begin,
                    record_count=count,
                    samples_only=True,
                    ignore_invalidation_bits=True,
                )[0]
            )

        in_time = np.abs(stamps) < T_NS_LIMIT / NS_PER_S
        t_ns = np.rint(np.where(in_time, stamps, 0) * NS_PER_S).astype(np.int64)
        number = column("ID").astype(np.int64)
        extended = (column("IDE") != 0) | ((number & EXTENDED_BIT) != 0)
        number &= EXTENDED_BIT - 1
        base = KINDS[group.kind]
        length = column("DLC" if base & FrameFlag.REMOTE else "DataLength").astype(np.int64)
        fd = column("EDL") != 0
        flags = np.full(count, int(base), np.uint16)
        said: list[tuple[npt.NDArray[Any], FrameFlag]] = [(column("Dir") != 0, FrameFlag.TRANSMITTED)]
        if not base & FrameFlag.ERROR:
            said.append((extended, FrameFlag.EXTENDED))
        if not base & FrameFlag.REMOTE:
            said += [
                (fd, FrameFlag.FD),
                (fd & (column("BRS") != 0), FrameFlag.BITRATE_SWITCH),
                (fd & (column("ESI") != 0), FrameFlag.ERROR_STATE),
            ]
        for carried, flag in said:
            flags |= np.where(carried, np.uint16(flag), np.uint16(0))
        data, length = _data(column("DataBytes"), length, count, remote=bool(base & FrameFlag.REMOTE))
        channel = column("BusChannel").astype(np.int64)
        numbers = np.unique(channel)
        piece = Piece(
            t_ns=t_ns,
            channel=np.searchsorted(numbers, channel).astype(np.intp),
            labels=tuple(map(str, numbers.tolist())),
            arbitration_id=number.astype(np.uint32),
            flags=flags,
            length=length.astype(np.uint16),
            data=data,
        )
        wide = extended | bool(base & FrameFlag.ERROR)
        bad_length = np.where(
            fd, ~np.isin(length, tuple(FD_LENGTHS)), (length < 0) | (length > CLASSIC_BYTES)
        )
        return self._possible(
            piece,
            {
                TIME_OUT_OF_RANGE: ~in_time,
                ID_OUT_OF_RANGE: (number < 0) | (number > np.where(wide, EXTENDED_ID_MAX, STANDARD_ID_MAX)),
                DATA_TOO_LONG: bad_length,
            },
            f"{group.kind} record {begin}",
        )

    def _possible(self, piece: Piece, bad: Mapping[str, npt.NDArray[np.bool_]], where: str) -> Piece:
        """The frames of `piece` against which nothing speaks; the others are counted by their first cause."""
        good = np.ones(len(piece), np.bool_)
        for cause, spoken_against in bad.items():
            for place in np.flatnonzero(spoken_against & good).tolist():
                self._refuse(cause, 1, f"{where} + {place}")
            good &= ~spoken_against
        return piece if good.all() else piece.take(good)


def _groups(mdf: Any) -> list[Group]:  # noqa: ANN401 - asammdf has no types
    """The channel groups that hold CAN frames and have records."""
    groups = []
    for place, group in enumerate(mdf.groups):
        names = frozenset(str(channel.name) for channel in group.channels)
        records = int(group.channel_group.cycles_nr)
        for kind in KINDS:
            if records and any(name.startswith(f"{kind}.") for name in names):
                groups.append(Group(place, kind, records, names))
                break
    return groups


def _data(
    found: npt.NDArray[Any], length: npt.NDArray[np.int64], count: int, *, remote: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Data bytes in 8 or 64 columns, zero past each frame's length."""
    longest = int(length.max(initial=0))
    data = np.zeros((count, CLASSIC_BYTES if longest <= CLASSIC_BYTES else FD_BYTES), np.uint8)
    if remote or found.ndim != 2:  # noqa: PLR2004 - one row a frame
        return data, length
    columns = min(data.shape[1], found.shape[1])
    used = np.arange(columns) < length[:, np.newaxis]
    np.copyto(data[:, :columns], found[:, :columns].astype(np.uint8), where=used)
    return data, length


def _by_time(pieces: list[Piece]) -> Piece:
    """The frames of all `pieces` in order of time; at the same time in order of the groups."""
    labels: dict[str, int] = {}
    for piece in pieces:
        for label in piece.labels:
            labels.setdefault(label, len(labels))
    width = max(piece.data.shape[1] for piece in pieces)
    data = np.concatenate(
        [np.pad(piece.data, ((0, 0), (0, width - piece.data.shape[1]))) for piece in pieces]
    )
    t_ns = np.concatenate([piece.t_ns for piece in pieces])
    order = np.argsort(t_ns, kind="stable")
    return Piece(
        t_ns=t_ns,
        channel=np.concatenate(
            [np.array([labels[label] for label in piece.labels], np.intp)[piece.channel] for piece in pieces]
        ),
        labels=tuple(labels),
        arbitration_id=np.concatenate([piece.arbitration_id for piece in pieces]),
        flags=np.concatenate([piece.flags for piece in pieces]),
        length=np.concatenate([piece.length for piece in pieces]),
        data=data,
    ).take(order)


def answer(request: Mapping[str, str], out: BinaryIO) -> None:
    """Read the file that `request` names and write its start, pieces and refusals to `out`."""
    from asammdf import MDF  # noqa: PLC0415 - an optional dependency

    def say(**fields: object) -> None:
        out.write(json.dumps(fields).encode() + b"\n")

    def refuse(cause: str, count: int, where: str) -> None:
        say(kind="refused", cause=cause, count=count, where=where)

    try:
        with contextlib.closing(MDF(request["path"], temporary_folder=request["folder"])) as mdf:
            header: Any = mdf.header
            say(
                kind="start",
                abs_time_ns=int(header.abs_time),
                flags=int(header.time_flags),
                offset_minutes=int(header.tz_offset) + int(header.daylight_save_time),
            )
            for piece in FrameGroups(mdf, refuse).pieces():
                say(kind="piece", count=len(piece), width=piece.data.shape[1], labels=piece.labels)
                out.writelines(
                    np.ascontiguousarray(getattr(piece, column), dtype).tobytes()
                    for column, dtype in COLUMNS.items()
                )
                out.flush()
    except Exception as error:  # noqa: BLE001 - asammdf raises whatever its parsing runs into
        # Only what kind of error it is: its words may quote the file's content.
        say(kind="failed", text=type(error).__name__)
    say(kind="end")
    out.flush()


def main() -> None:
    """Answer requests until standard input ends; what libraries print goes to standard error."""
    logging.disable()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin:
        answer(json.loads(line), out)


if __name__ == "__main__":
    main()
