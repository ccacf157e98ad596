"""What is exported reads back equal: the frames, their order and their times to the microsecond."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import can
import can.io.mf4
import pytest
from mcap.reader import make_reader

from edge.archive.export_file import About, ExportError
from edge.archive.exporting import ExportRequest, Format, What, about_path, export
from edge.archive.frame_files import REASSEMBLED
from edge.archive.selection import Selection
from edge.clock import NS_PER_S
from edge.frames import Frame, FrameFlag
from tests.archive.kept import KeptRig, archive, drawn_second, keep_frames
from tests.journal.journal_rig import CATALOGUE, EPOCH_NS, Rig, timebase_at

FROM_CONTROLLER = (
    FrameFlag.EXTENDED | FrameFlag.FD | FrameFlag.BITRATE_SWITCH | FrameFlag.TRANSMITTED | FrameFlag.REMOTE
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = KeptRig(tmp_path / "journal").start()
    yield made
    made.stop()


def exported(
    rig: Rig, path: Path, format_: Format, selection: Selection | None = None, *, force: bool = False
) -> About:
    with archive(rig.folder) as opened:
        request = ExportRequest(path, What.FRAMES, format_, selection or Selection(), force)
        return export(opened, request, CATALOGUE)


def unix_us(frame: Frame) -> int:
    return round((frame.t_ns + EPOCH_NS) / 1_000)


def of_message(message: can.Message, buses: list[str]) -> tuple[int, Frame]:
    """A frame as python-can read it, its time in microseconds apart."""
    said = {
        FrameFlag.EXTENDED: message.is_extended_id,
        FrameFlag.FD: message.is_fd,
        FrameFlag.BITRATE_SWITCH: message.bitrate_switch,
        FrameFlag.TRANSMITTED: not message.is_rx,
        FrameFlag.REMOTE: message.is_remote_frame,
    }
    flags = FrameFlag(0)
    for flag, carried in said.items():
        flags |= flag if carried else FrameFlag(0)
    bus = buses[message.channel] if isinstance(message.channel, int) else str(message.channel)
    return round(message.timestamp * 1e6), Frame(0, message.arbitration_id, bytes(message.data), bus, flags)


class FrameExport(ABC):
    """What holds of every format of raw frames."""

    format: Format
    ending: str
    in_order_of_time = False

    @abstractmethod
    def read(self, path: Path, buses: list[str]) -> list[tuple[int, Frame]]:
        """All frames with their Unix time in microseconds, read by the format's own library."""

    def test_frames_order_and_times_come_back(self, rig: Rig, tmp_path: Path) -> None:
        frames = [frame for _ in range(3) for frame in self.second(rig)]
        path = tmp_path / f"out{self.ending}"
        about = exported(rig, path, self.format)
        if self.in_order_of_time:
            frames.sort(key=lambda frame: frame.t_ns)
        found = self.read(path, [*about.buses])
        assert [frame for _, frame in found] == [replace(frame, t_ns=0) for frame in frames]
        assert all(abs(t_us - unix_us(frame)) <= 1 for (t_us, _), frame in zip(found, frames, strict=True))
        assert (about.written, about.left_out, about.without_wall_time) == (len(frames), {}, 0)

    def test_nothing_is_left_where_it_fails(self, rig: Rig, tmp_path: Path) -> None:
        self.second(rig)
        path = tmp_path / "out" / f"old{self.ending}"
        path.parent.mkdir()
        path.write_text("precious")
        with pytest.raises(ExportError, match="is there already"):
            exported(rig, path, self.format)
        rig.rows("UPDATE block SET ciphertext = zeroblob(length(ciphertext)) WHERE number = 2")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edge.archive.joining.JoinedFrames.tell", self._burst)
            with pytest.raises(RuntimeError):
                exported(rig, path, self.format, force=True)
        assert path.read_text() == "precious"
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_what_is_damaged_costs_itself_alone(self, rig: Rig, tmp_path: Path) -> None:
        self.second(rig)
        rig.rows("UPDATE block SET ciphertext = zeroblob(length(ciphertext)) WHERE number = 1")
        kept = self.second(rig)
        about = exported(rig, tmp_path / f"out{self.ending}", self.format)
        assert about.not_at_hand == {"position": 1}
        assert about.written > len(kept)
        assert any("blocks:" in cause for cause in about.left_out)

    def test_nothing_meant_gives_an_empty_file(self, rig: Rig, tmp_path: Path) -> None:
        path = tmp_path / f"out{self.ending}"
        about = exported(rig, path, self.format)
        assert (self.read(path, []), about.written) == ([], 0)

    def second(self, rig: Rig) -> list[Frame]:
        frames = drawn_second(rig)
        keep_frames(rig, frames)
        return frames

    @staticmethod
    def _burst(*_: object) -> None:
        raise RuntimeError


class FromPythonCan(FrameExport):
    """Read back by python-can."""

    def read(self, path: Path, buses: list[str]) -> list[tuple[int, Frame]]:
        with can.LogReader(path) as reader:
            return [of_message(message, buses) for message in reader]

    def test_a_reassembled_message_is_left_out_and_counted(self, rig: Rig, tmp_path: Path) -> None:
        frames = [
            Frame(1_000, 0x100, b"\x01", "pt"),
            Frame(2_000, 0x18FECA00, bytes(20), "pt", FrameFlag.EXTENDED | FrameFlag.REASSEMBLED),
        ]
        keep_frames(rig, frames)
        about = exported(rig, tmp_path / f"out{self.ending}", self.format)
        assert (about.written, about.left_out) == (1, {REASSEMBLED: 1})


class TestCandump(FromPythonCan):
    format, ending = Format.CANDUMP, ".log"

    def test_what_it_holds_stands_beside_it(self, rig: Rig, tmp_path: Path) -> None:
        self.second(rig)
        path = tmp_path / "out.log"
        exported(rig, path, self.format)
        said = json.loads(about_path(path).read_text())
        assert said["masks"] == {"mask": 60}
        assert said["stream"] == rig.open.stream.hex()


class TestBlf(FromPythonCan):
    format, ending = Format.BLF, ".blf"

    def test_time_that_runs_backwards_is_refused(self, rig: Rig, tmp_path: Path) -> None:
        refuses_the_past(rig, tmp_path / "out.blf", self.format)


class TestMf4(FromPythonCan):
    format, ending = Format.MF4, ".mf4"
    in_order_of_time = True

    def read(self, path: Path, buses: list[str]) -> list[tuple[int, Frame]]:
        # nevgate imports python-can without asammdf, which its reader then does without for good.
        with importlib.reload(can.io.mf4).MF4Reader(path) as reader:
            return [of_message(message, buses) for message in reader]

    def test_time_that_runs_backwards_is_refused(self, rig: Rig, tmp_path: Path) -> None:
        refuses_the_past(rig, tmp_path / "out.mf4", self.format)


def refuses_the_past(rig: Rig, path: Path, format_: Format) -> None:
    keep_frames(rig, drawn_second(rig))
    rig.stop()
    rig.boot = b"second boot_____"
    rig.clock.set_timebase(timebase_at(EPOCH_NS - 3_600 * NS_PER_S))
    rig.start()
    kept = drawn_second(rig)
    keep_frames(rig, kept)
    with pytest.raises(ExportError, match="time runs backwards"):
        exported(rig, path, format_)
    assert not list(path.parent.glob(f"*{path.suffix}"))
    about = exported(rig, path, format_, Selection(boot=rig.boot.hex()))
    assert about.written == len(kept)


class TestParquet(FrameExport):
    format, ending = Format.PARQUET, ".parquet"

    def read(self, path: Path, buses: list[str]) -> list[tuple[int, Frame]]:
        del buses
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        found = []
        for row in pq.read_table(path).to_pylist():
            flags = FrameFlag(0)
            for flag in FrameFlag:
                flags |= flag if row[str(flag.name).lower()] else FrameFlag(0)
            frame = Frame(0, row["arbitration_id"], row["data"], row["bus"], flags)
            assert row["time_ns"] == row["t_ns"] + EPOCH_NS
            assert (row["time_quality"], row["boot"]) == ("NTP", b"first boot______".hex())
            found.append((round(row["time_ns"] / 1_000), frame))
        return found

    def test_a_reassembled_message_is_kept_whole(self, rig: Rig, tmp_path: Path) -> None:
        frame = Frame(2_000, 0x18FECA00, bytes(range(200)), "pt", FrameFlag.EXTENDED | FrameFlag.REASSEMBLED)
        keep_frames(rig, [frame])
        path = tmp_path / "out.parquet"
        exported(rig, path, self.format)
        assert [found for _, found in self.read(path, [])] == [replace(frame, t_ns=0)]


class TestMcap(FrameExport):
    format, ending = Format.MCAP, ".mcap"

    def read(self, path: Path, buses: list[str]) -> list[tuple[int, Frame]]:
        del buses
        found = []
        with path.open("rb") as file:
            for _, channel, message in make_reader(file).iter_messages(log_time_order=False):
                said = json.loads(message.data)
                assert channel.topic == f"/can/{said['bus']}"
                flags = FrameFlag(0)
                for name in said["flags"]:
                    flags |= FrameFlag[name.upper()]
                frame = Frame(0, said["id"], bytes.fromhex(said["data"]), said["bus"], flags)
                found.append((round(message.log_time / 1_000), frame))
        return found
