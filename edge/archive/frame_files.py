"""Raw frames into the files that CAN tools read: candump, BLF, MF4. Parquet and MCAP: `frame_tables`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.archive.export_file import About, ExportError
from edge.archive.joining import JoinedFrames
from edge.clock import NS_PER_S
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, FrameFlag, Int64s
from edge.lean_can import can

_EXTENDED, _REMOTE, _ERROR = int(FrameFlag.EXTENDED), int(FrameFlag.REMOTE), int(FrameFlag.ERROR)
_FD, _BITRATE_SWITCH = int(FrameFlag.FD), int(FrameFlag.BITRATE_SWITCH)
_ERROR_STATE, _TRANSMITTED = int(FrameFlag.ERROR_STATE), int(FrameFlag.TRANSMITTED)

REASSEMBLED = "reassembled messages, which are no frames"
_FD_LENGTHS = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64])
_WALL_TIMES_SINCE_S = 631_152_000
"""BLF has no dates before 1990; python-can writes such times without one."""


class FrameFile(ABC):
    """Takes frames, period after period, and writes one file.

    Args:
        path: where to.
        about: what the export says of itself; told what was written and what could not be.
    """

    def __init__(self, path: Path, about: About) -> None:
        self.path = path
        self.about = about

    def write(self, joined: JoinedFrames) -> None:
        """Write the frames of one period.

        Raises:
            ExportError: the format cannot hold them.
            OSError: the disk refuses.
        """
        batch, time_ns = joined.batch, joined.stamps.time_ns
        kept = self.holds(batch)
        if not kept.all():
            self.about.left_out[REASSEMBLED] += int((~kept).sum())
            batch, time_ns = batch.take(kept), time_ns[kept]
        if not len(batch):
            return
        self.about.written += len(batch)
        self.about.saw(int(time_ns.min()), int(time_ns.max()))
        self.put(batch, time_ns, joined)

    def holds(self, batch: FrameBatch) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which frames the format can hold: those that were on a bus as they are."""
        return ~batch.has(FrameFlag.REASSEMBLED) & (batch.length <= FD_BYTES)

    @abstractmethod
    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """Write frames that the format can hold.

        Args:
            batch: the frames.
            time_ns: int64 of N, their times as the export shows them.
            joined: where they are from.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Let go of the file without finishing it."""
        self.close()

    def number_of(self, bus: str) -> int:
        """The number of a bus, for formats without names; from 0, in order of appearance."""
        return self.about.buses.setdefault(bus, len(self.about.buses))


class CandumpFile(FrameFile):
    """The text log of can-utils (``candump -L``), buses by name, in order of arrival."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._writer = can.CanutilsLogWriter(path)

    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """See `FrameFile.put`."""
        del joined
        for message in messages(batch, time_ns, batch.buses):
            # The writer else moves a frame that is earlier than the first one to that one's time.
            self._writer.last_timestamp = None
            self._writer.on_message_received(message)

    def close(self) -> None:
        """See `FrameFile.close`."""
        self._writer.stop()


class BlfFile(FrameFile):
    """Vector's binary log, buses by number, in order of arrival."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._writer = can.BLFWriter(path)

    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """See `FrameFile.put`."""
        del joined
        writer = self._writer
        first_s = int(time_ns.min()) / NS_PER_S
        if writer.start_timestamp is None:
            # What arrived first need not be the earliest, and no frame may lie before the file's beginning.
            writer.start_timestamp = int(first_s * 1000) / 1000 if first_s > _WALL_TIMES_SINCE_S else 0.0
        elif first_s < writer.start_timestamp:
            raise ExportError(
                "time runs backwards here, which BLF cannot hold",
                where=f"{first_s:.6f} s",
                todo="Export one boot at a time with --boot, or to candump or Parquet",
            )
        numbers = [self.number_of(bus) for bus in batch.buses]
        for message in messages(batch, time_ns, numbers):
            writer.on_message_received(message)

    def close(self) -> None:
        """See `FrameFile.close`."""
        self._writer.stop()


class Mf4File(FrameFile):
    """ASAM MDF 4 with bus logging, buses by number; in order of time, as the format demands.

    Data and remote frames are two channel groups. asammdf takes columns, so no frame becomes an object.
    """

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        try:
            from asammdf import MDF  # noqa: PLC0415 - an extra that only this class needs
        except ImportError as error:
            raise ExportError(
                "MF4 needs asammdf", where=str(path), todo="pip install 'nevgate[mf4]'"
            ) from error
        self._mdf: Any = MDF(version="4.10", temporary_folder=str(path.parent))
        self._start_ns: int | None = None
        self._groups: dict[tuple[bool, int], int] = {}
        self._last_ns: dict[int, int] = {}

    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """See `FrameFile.put`."""
        del joined
        order = np.argsort(time_ns, kind="stable")
        batch, time_ns = batch.take(order), time_ns[order]
        if self._start_ns is None:
            # asammdf keeps whole microseconds of the beginning.
            self._start_ns = int(time_ns[0]) // 1_000_000 * 1_000_000
            self._mdf.header.start_time = datetime.fromtimestamp(self._start_ns / NS_PER_S, UTC)
        if int(time_ns[0]) < self._start_ns:
            raise ExportError(
                "time runs backwards here, which MF4 cannot hold",
                where=f"{int(time_ns[0]) / NS_PER_S:.6f} s",
                todo="Export one boot at a time with --boot, or to candump or Parquet",
            )
        numbers = np.array([self.number_of(bus) for bus in batch.buses] or [0], np.uint8)[batch.bus]
        remote = batch.has(FrameFlag.REMOTE)
        wide = batch.length > CLASSIC_BYTES
        for is_remote, width in ((False, CLASSIC_BYTES), (False, FD_BYTES), (True, 0)):
            rows = np.flatnonzero(remote if is_remote else ~remote & (wide == (width == FD_BYTES)))
            if len(rows):
                seconds = (time_ns[rows] - self._start_ns) / NS_PER_S
                self._add(is_remote, width, _mf4_records(batch.take(rows), numbers[rows], width), seconds)

    def close(self) -> None:
        """See `FrameFile.close`."""
        try:
            self._mdf.header.comment = json.dumps(self.about.as_json(), ensure_ascii=False)
            self._mdf.save(str(self.path), compression=1, overwrite=True)
        finally:
            self._mdf.close()

    def abandon(self) -> None:
        """See `FrameFile.abandon`."""
        self._mdf.close()

    def _add(self, remote: bool, width: int, records: Any, seconds: Any) -> None:  # noqa: ANN401 - NumPy records
        from asammdf import Signal, Source  # noqa: PLC0415 - see above

        group = self._groups.get((remote, width))
        if group is not None:
            self._mdf.extend(group, [(seconds, None), (records, None)])
            return
        self._groups[remote, width] = len(self._groups)
        source = Source("CAN", "", "", Source.SOURCE_BUS, Source.BUS_TYPE_CAN)
        name = "CAN_RemoteFrame" if remote else "CAN_DataFrame"
        self._mdf.append(Signal(samples=records, timestamps=seconds, name=name, source=source))


@dataclass(frozen=True, slots=True)
class PlainFrame:
    """One frame as plain values, made in bulk: enumerations cost more than all the rest.

    Attributes:
        time_ns: as the export shows it.
        t_ns: since boot.
        bus: place in the batch's buses.
        arbitration_id: 11 or 29 bits.
        flags: bits of `FrameFlag`.
        data: its bytes.
    """

    time_ns: int
    t_ns: int
    bus: int
    arbitration_id: int
    flags: int
    data: bytes


def plain_frames(batch: FrameBatch, time_ns: Int64s) -> Iterator[PlainFrame]:
    """The frames of a batch one by one."""
    width = batch.data.shape[1]
    blob = batch.data.tobytes()
    columns = (time_ns, batch.t_ns, batch.bus, batch.arbitration_id, batch.flags, batch.length)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for place, (time, t_ns, bus, arbitration_id, flags, length) in enumerate(rows):
        begin = place * width
        yield PlainFrame(time, t_ns, bus, arbitration_id, flags, blob[begin : begin + length])


def messages(
    batch: FrameBatch, time_ns: Int64s, channels: Sequence[str] | Sequence[int]
) -> Iterator[can.Message]:
    """The frames as python-can has them, one after the other.

    Args:
        batch: frames, none longer than CAN FD allows.
        time_ns: int64 of N.
        channels: name or number of each of the batch's buses.
    """
    for frame in plain_frames(batch, time_ns):
        flags = frame.flags
        remote = bool(flags & _REMOTE)
        yield can.Message(
            timestamp=frame.time_ns / NS_PER_S,
            arbitration_id=frame.arbitration_id,
            is_extended_id=bool(flags & _EXTENDED),
            is_remote_frame=remote,
            is_error_frame=bool(flags & _ERROR),
            is_fd=bool(flags & _FD),
            bitrate_switch=bool(flags & _BITRATE_SWITCH),
            error_state_indicator=bool(flags & _ERROR_STATE),
            is_rx=not flags & _TRANSMITTED,
            dlc=len(frame.data),
            data=None if remote else frame.data,
            channel=channels[frame.bus],
        )


def _mf4_records(batch: FrameBatch, channels: Any, width: int) -> Any:  # noqa: ANN401 - NumPy records
    """Frames as records of ASAM's bus logging (MDF 4.1, associated standard for bus logging)."""
    name = "CAN_DataFrame" if width else "CAN_RemoteFrame"
    columns: list[tuple[Any, ...]] = [
        (f"{name}.BusChannel", "<u1"),
        (f"{name}.ID", "<u4"),
        (f"{name}.IDE", "<u1"),
        (f"{name}.DLC", "<u1"),
        (f"{name}.DataLength", "<u1"),
        (f"{name}.Dir", "<u1"),
    ]
    if width:
        columns += [
            (f"{name}.DataBytes", "<u1", (width,)),
            (f"{name}.EDL", "<u1"),
            (f"{name}.BRS", "<u1"),
            (f"{name}.ESI", "<u1"),
        ]
    records = np.zeros(len(batch), np.dtype(columns))
    records[f"{name}.BusChannel"] = channels
    records[f"{name}.ID"] = batch.arbitration_id
    records[f"{name}.IDE"] = batch.has(FrameFlag.EXTENDED)
    records[f"{name}.DLC"] = np.searchsorted(_FD_LENGTHS, batch.length)
    records[f"{name}.DataLength"] = batch.length
    records[f"{name}.Dir"] = batch.has(FrameFlag.TRANSMITTED)
    if width:
        records[f"{name}.DataBytes"] = batch.widened(width).data[:, :width]
        for column, flag in (
            ("EDL", FrameFlag.FD),
            ("BRS", FrameFlag.BITRATE_SWITCH),
            ("ESI", FrameFlag.ERROR_STATE),
        ):
            records[f"{name}.{column}"] = batch.has(flag)
    return records
