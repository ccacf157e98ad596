"""Every format gives back the frames that were written, and survives what is torn."""

from __future__ import annotations

import importlib
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import can
import can.io.mf4
import pytest

from edge.bus.recording import FORMATS, open_recording
from edge.clock import TimeQuality
from edge.errors import SourceError
from edge.frames import Frame, FrameFlag
from tests.bus.reading import frames_of, read_all

EXT, RTR, ERR = FrameFlag.EXTENDED, FrameFlag.REMOTE, FrameFlag.ERROR
FD, BRS, ESI, TX = FrameFlag.FD, FrameFlag.BITRATE_SWITCH, FrameFlag.ERROR_STATE, FrameFlag.TRANSMITTED
NONE = FrameFlag(0)
START_S = 1_700_000_000

CLASSIC = (
    Frame(0, 0x123, b"\x01\x02\x03", "a"),
    Frame(1_000_000, 0x7FF, bytes(range(8)), "a"),
    Frame(1_001_000, 0x18FEF100, b"\xff" * 8, "b", EXT),
    Frame(1_250_000, 0x001, b"", "a", NONE),
    Frame(2_000_000, 0x00000001, b"\xaa", "a", EXT),
)
SENT = (Frame(3_000_000, 0x321, b"\x10\x20", "b", TX),)
REMOTE = (Frame(4_000_000, 0x111, bytes(4), "a", RTR), Frame(4_100_000, 0x1ABCDEF0, b"", "a", RTR | EXT))
ERROR = (Frame(5_000_000, 0, b"", "a", ERR), Frame(5_100_000, 0x222, b"\x01", "a"))
FLEXIBLE = (
    Frame(6_000_000, 0x100, bytes(range(64)), "a", FD | BRS),
    Frame(6_100_000, 0x1FFFFFFF, bytes(range(12)), "b", FD | EXT | ESI),
    Frame(6_200_000, 0x101, b"\x07", "b", FD | BRS | ESI),
    Frame(6_300_000, 0x102, b"", "a", FD),
)


def message_of(frame: Frame, channel: int | str) -> can.Message:
    flags = frame.flags
    return can.Message(
        timestamp=START_S + frame.t_ns / 1e9,
        arbitration_id=frame.arbitration_id,
        is_extended_id=bool(flags & EXT),
        is_remote_frame=bool(flags & RTR),
        is_error_frame=bool(flags & ERR),
        is_fd=bool(flags & FD),
        bitrate_switch=bool(flags & BRS),
        error_state_indicator=bool(flags & ESI),
        is_rx=not flags & TX,
        channel=channel,
        dlc=len(frame.data),
        data=None if flags & RTR else frame.data,
    )


class FormatContract(ABC):
    """What every format does; a subclass says how a file of it is written and what it can hold."""

    ending: ClassVar[str]
    labels: ClassVar[Mapping[str, str]]
    resolution_ns: ClassVar[int] = 1000
    quality: ClassVar[TimeQuality] = TimeQuality.NONE
    holds: ClassVar[tuple[tuple[Frame, ...], ...]] = (CLASSIC,)
    textual: ClassVar[bool] = False
    damaged: ClassVar[int] = 24

    @abstractmethod
    def write(self, path: Path, frames: Iterable[Frame]) -> None: ...

    def named(self) -> dict[str, str]:
        return {label: bus for bus, label in self.labels.items()}

    def expected(self) -> list[Frame]:
        return [frame for group in self.holds for frame in group]

    def path(self, folder: Path) -> Path:
        path = folder / f"recording{self.ending}"
        self.write(path, self.expected())
        return path

    def test_gives_back_what_was_written(self, tmp_path: Path) -> None:
        with open_recording(self.path(tmp_path), buses=self.named()) as source:
            frames = frames_of(read_all(source))
        expected = self.expected()
        assert [(f.arbitration_id, f.data, f.bus, f.flags) for f in frames] == [
            (f.arbitration_id, f.data, f.bus, f.flags) for f in expected
        ]
        begin = frames[0].t_ns - expected[0].t_ns
        for frame, written in zip(frames, expected, strict=True):
            assert abs(frame.t_ns - begin - written.t_ns) <= self.resolution_ns
            assert not self.textual or frame.t_ns % 1000 == 0

    def test_counts_by_kind_and_balances(self, tmp_path: Path) -> None:
        with open_recording(self.path(tmp_path)) as source:
            read_all(source)
            hop = source.hop()
        expected = self.expected()
        assert hop.balanced
        assert not hop.set_aside
        assert hop.left == len(expected)
        assert hop.facts["fd"] == sum(bool(f.flags & FD) for f in expected)
        assert hop.facts["remote"] == sum(bool(f.flags & RTR) for f in expected)
        assert hop.facts["error"] == sum(bool(f.flags & ERR) for f in expected)

    def test_channels_name_their_own_bus_unless_told_otherwise(self, tmp_path: Path) -> None:
        with open_recording(self.path(tmp_path)) as source:
            read_all(source)
            assert set(source.buses) == set(self.labels.values())

    def test_batches_are_no_larger_than_asked(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        with open_recording(path) as whole, open_recording(path, batch_frames=2) as split:
            sizes = []
            frames = []
            while (batch := split.read(0)) is not None:
                sizes.append(len(batch))
                frames += frames_of(batch)
            assert frames == frames_of(read_all(whole))
        assert max(sizes) <= 2

    def test_format_is_found_by_content_whatever_the_ending(self, tmp_path: Path) -> None:
        path = self.path(tmp_path).rename(tmp_path / "recording.unknown")
        with open_recording(path) as source:
            assert len(read_all(source)) == len(self.expected())

    def test_quality_of_wall_time_is_said(self, tmp_path: Path) -> None:
        with open_recording(self.path(tmp_path)) as source:
            batch = source.read(0)
            assert batch is not None
            assert source.timebase == batch.timebase
            assert source.timebase.quality is self.quality

    def test_truncated_anywhere_it_keeps_what_is_whole_and_balances(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        content = path.read_bytes()
        with open_recording(path) as source:
            whole = frames_of(read_all(source))
        expected = self.expected()
        chance = random.Random(1)  # noqa: S311 - a seed, no secret
        for end in sorted(chance.sample(range(len(content)), min(self.damaged, len(content)))):
            frames, balanced = self.survive(tmp_path, content[:end])
            assert balanced
            assert len(frames) <= len(expected)
            if self.textual and frames:
                assert frames[:-1] == whole[: len(frames) - 1]

    def test_mutated_it_raises_nothing_but_source_errors_and_balances(self, tmp_path: Path) -> None:
        content = self.path(tmp_path).read_bytes()
        chance = random.Random(2)  # noqa: S311 - a seed, no secret
        for _ in range(self.damaged):
            broken = bytearray(content)
            for _ in range(chance.randint(1, 6)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            _, balanced = self.survive(tmp_path, bytes(broken))
            assert balanced

    def survive(self, folder: Path, content: bytes) -> tuple[list[Frame], bool]:
        path = folder / f"torn{self.ending}"
        path.write_bytes(content)
        try:
            source = open_recording(path)
        except SourceError:
            return [], True
        with source:
            frames: list[Frame] = []
            try:
                while (batch := source.read(0)) is not None:
                    frames += frames_of(batch)
            except SourceError:
                pass
            hop = source.hop()
        return frames, hop.balanced and hop.left == len(frames)


class LineContract(FormatContract):
    """What the formats in lines of text do besides."""

    textual = True

    def test_malformed_line_is_named_and_costs_no_other(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        lines = path.read_bytes().splitlines(keepends=True)
        with open_recording(path) as source:
            whole = frames_of(read_all(source))
        place = self.line_of_frame(lines, 2)
        lines[place] = lines[place][: len(lines[place]) // 2 + 2] + b"?zz\n"
        path.write_bytes(b"".join(lines))
        with open_recording(path) as source:
            rest = frames_of(read_all(source))
            hop = source.hop()
            defects = source.defects
        assert rest == whole[:2] + whole[3:]
        assert hop.balanced
        assert sum(hop.set_aside.values()) == 1
        assert [str(defect) for defect in defects] == [f"{path}:{place + 1}: {next(iter(hop.set_aside))}"]

    def test_windows_line_ends_change_nothing(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        content = path.read_bytes().replace(b"\r\n", b"\n")
        frames = []
        for end in (b"\n", b"\r\n"):
            path.write_bytes(content.replace(b"\n", end))
            with open_recording(path) as source:
                frames.append(frames_of(read_all(source)))
                assert source.hop().facts.get("last line without an end", 0) == 0
        assert frames[0] == frames[1]
        assert len(frames[0]) == len(self.expected())

    def line_of_frame(self, lines: list[bytes], number: int) -> int:
        """Index of the line that holds frame `number`, the frames being the last lines with one each."""
        return len(lines) - len(self.expected()) + number


class TestCandump(LineContract):
    ending = ".log"
    labels: ClassVar = {"a": "can0", "b": "vcan1"}
    quality = TimeQuality.RTC
    holds: ClassVar[tuple[tuple[Frame, ...], ...]] = (CLASSIC, SENT, REMOTE, ERROR, FLEXIBLE)

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        path.write_text("".join(map(self.line, frames)))

    def line(self, frame: Frame) -> str:
        flags = frame.flags
        t_us = START_S * 1_000_000 + frame.t_ns // 1000
        number = f"{frame.arbitration_id:08X}" if flags & EXT else f"{frame.arbitration_id:03X}"
        number = f"{0x20000000 | frame.arbitration_id:08X}" if flags & ERR else number
        data = frame.data.hex().upper()
        if flags & RTR:
            data = f"R{len(frame.data) or ''}"
        if flags & FD:
            data = f"#{bool(flags & BRS) | bool(flags & ESI) << 1:X}{data}"
        end = " T" if flags & TX else ""
        return f"({t_us // 1_000_000}.{t_us % 1_000_000:06d}) {self.labels[frame.bus]} {number}#{data}{end}\n"

    def test_unix_stamps_are_kept_exactly(self, tmp_path: Path) -> None:
        path = tmp_path / "r.log"
        path.write_text("(1436509053.850871) can0 1#\n(1436509053.650713) vcan0 123#01\n")
        with open_recording(path) as source:
            batch = read_all(source)
        assert frames_of(batch)[0].t_ns == 1_436_509_053_650_713_000
        assert batch.timebase.wall_ns(int(batch.t_ns[0])) == 1_436_509_053_650_713_000
        assert source.hop().set_aside == {"malformed line": 1}

    def test_small_stamps_say_nothing_of_wall_time(self, tmp_path: Path) -> None:
        path = tmp_path / "r.log"
        path.write_text("(0.000001) can0 123#\n")
        with open_recording(path) as source:
            assert source.timebase.quality is TimeQuality.NONE


class TestCandumpByPythonCan(TestCandump):
    holds: ClassVar[tuple[tuple[Frame, ...], ...]] = (CLASSIC, SENT, ERROR, FLEXIBLE)
    labels: ClassVar = {"a": "can0", "b": "can1"}

    def expected(self) -> list[Frame]:
        """Python-can writes every error frame as the class "bus error" of linux/can/error.h."""
        frames = super().expected()
        return [replace(frame, arbitration_id=0x80) if frame.flags & ERR else frame for frame in frames]

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        with can.CanutilsLogWriter(path) as writer:
            for frame in frames:
                writer(message_of(frame, self.labels[frame.bus]))


class TestGvret(LineContract):
    ending = ".csv"
    labels: ClassVar = {"a": "0", "b": "1"}
    header = "Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n"
    fill = ""

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        path.write_text(self.header + "".join(map(self.line, frames)))

    def line(self, frame: Frame) -> str:
        columns = [
            str(1_953_613_500 + frame.t_ns // 1000),
            f"{frame.arbitration_id:08X}",
            "true" if frame.flags & EXT else "false",
            *self.direction(frame),
            self.labels[frame.bus],
            str(len(frame.data)),
            *(f"{byte:02X}" for byte in frame.data),
        ]
        return ",".join(columns) + self.fill + "\n"

    def direction(self, frame: Frame) -> list[str]:
        del frame
        return []


class TestGvretFilled(TestGvret):
    fill = ",00,00,"


class TestGvretTrailingComma(TestGvret):
    fill = ","


class TestGvretWithDirection(TestGvret):
    header = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n"
    holds = (CLASSIC, SENT)

    def direction(self, frame: Frame) -> list[str]:
        return ["Tx" if frame.flags & TX else "Rx"]


class TestGvretWithDirectionTrailingComma(TestGvretWithDirection):
    fill = ","


class TestGvretWithoutHeader(TestGvret):
    header = ""


class TestCrtd(LineContract):
    ending = ".crtd"
    labels: ClassVar = {"a": "1", "b": "2"}
    holds = (CLASSIC, SENT)
    quality = TimeQuality.RTC

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        path.write_text("1700000000.000000 CXX a comment\n" + "".join(map(self.line, frames)))

    def line(self, frame: Frame) -> str:
        kind = ("T" if frame.flags & TX else "R") + ("29" if frame.flags & EXT else "11")
        t_us = START_S * 1_000_000 + frame.t_ns // 1000
        data = "".join(f" {byte:02x}" for byte in frame.data)
        stamp = f"{t_us // 1_000_000}.{t_us % 1_000_000:06d}"
        return f"{stamp} {self.labels[frame.bus]}{kind} {frame.arbitration_id:x}{data}\n"


class TestBusmaster(LineContract):
    ending = ".log"
    labels: ClassVar = {"a": "1", "b": "2"}
    resolution_ns = 100_000
    holds = (CLASSIC, SENT, REMOTE)
    mode = "SYSTEM"
    base = "HEX"

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        path.write_text(
            "***BUSMASTER Ver 3.2.2***\n***PROTOCOL CAN***\n***[START LOGGING SESSION]***\n"
            f"***START DATE AND TIME 31:12:2023 23:59:59:996***\n***{self.base}***\n***{self.mode} MODE***\n"
            + "".join(self.lines(frames))
        )

    def lines(self, frames: Iterable[Frame]) -> Iterable[str]:
        for frame in frames:
            yield self.line(frame, (86_399_996_000_000 + frame.t_ns) % 86_400_000_000_000)

    def line(self, frame: Frame, stamp_ns: int) -> str:
        seconds, rest_ns = divmod(stamp_ns, 10**9)
        stamp = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest_ns // 100_000:04d}"
        kind = ("x" if frame.flags & EXT else "s") + ("r" if frame.flags & RTR else "")
        data = "" if frame.flags & RTR else " ".join(map(self.number, frame.data))
        return (
            f"{stamp} {'Tx' if frame.flags & TX else 'Rx'} {self.labels[frame.bus]} "
            f"{self.prefix}{self.number(frame.arbitration_id)} {kind} {len(frame.data)} {data}\n"
        )

    prefix = "0x"

    def number(self, value: int) -> str:
        return f"{value:02X}"

    def test_wall_time_is_the_start_in_the_zone_given(self, tmp_path: Path) -> None:
        path = self.path(tmp_path)
        with (
            open_recording(path, zone=UTC) as utc,
            open_recording(path, zone=timezone(timedelta(hours=8))) as cn,
        ):
            assert utc.timebase.wall_offset_ns == 1_704_067_199_996_000_000
            assert utc.timebase.wall_offset_ns - cn.timebase.wall_offset_ns == 8 * 3600 * 10**9
            assert utc.timebase.quality is TimeQuality.RTC


class TestBusmasterDecimal(TestBusmaster):
    base = "DEC"
    prefix = ""

    def number(self, value: int) -> str:
        return str(value)


class TestBusmasterAbsolute(TestBusmaster):
    mode = "ABSOLUTE"

    def lines(self, frames: Iterable[Frame]) -> Iterable[str]:
        return [self.line(frame, frame.t_ns) for frame in frames]


class TestBusmasterRelative(TestBusmaster):
    mode = "RELATIVE"
    resolution_ns = 1_000_000

    def lines(self, frames: Iterable[Frame]) -> Iterable[str]:
        last_ns = 0
        for frame in frames:
            yield self.line(frame, frame.t_ns - last_ns)
            last_ns = frame.t_ns


class TestAsc(LineContract):
    ending = ".asc"
    labels: ClassVar = {"a": "1", "b": "2"}
    holds = (CLASSIC, SENT, REMOTE, ERROR, FLEXIBLE)

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        with can.ASCWriter(path) as writer:
            for frame in frames:
                writer(message_of(frame, int(self.labels[frame.bus]) - 1))

    def line_of_frame(self, lines: list[bytes], number: int) -> int:
        return len(lines) - 1 - len(self.expected()) + number

    def test_stamps_relative_to_the_line_before_add_up(self, tmp_path: Path) -> None:
        path = tmp_path / "r.asc"
        path.write_text(
            "date Mon Sep 30 15:06:13.191 2023\nbase hex  timestamps relative\ninternal events logged\n"
            " 0.001000 1  123             Rx   d 1 01\n 0.002000 1  123             Rx   d 1 02\n"
        )
        with open_recording(path) as source:
            assert read_all(source).t_ns.tolist() == [1_000_000, 3_000_000]
            assert source.timebase.wall_offset_ns == 1_696_086_373_191_000_000

    def test_decimal_base(self, tmp_path: Path) -> None:
        path = tmp_path / "r.asc"
        path.write_text(
            "date Mon Sep 30 03:06:13.191 pm 2023\nbase dec  timestamps absolute\nno internal events logged\n"
            " 0.001000 1  291             Rx   d 2 10 255\n"
        )
        with open_recording(path) as source:
            assert frames_of(read_all(source)) == [Frame(1_000_000, 291, b"\x0a\xff", "1")]
            assert source.timebase.wall_offset_ns == 1_696_086_373_191_000_000


class TestTrc(LineContract):
    ending = ".trc"
    labels: ClassVar = {"a": "1", "b": "2"}

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        with can.TRCWriter(str(path)) as writer:
            for frame in frames:
                writer(message_of(frame, int(self.labels[frame.bus]) - 1))


class TestTrcByHand(LineContract):
    ending = ".trc"
    labels: ClassVar = {"a": "1", "b": "2"}
    holds = (CLASSIC, SENT, REMOTE, ERROR, FLEXIBLE)

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        path.write_text(
            ";$FILEVERSION=2.1\n;$STARTTIME=45291.5\n;$COLUMNS=N,O,T,B,I,d,R,l,D\n;\n"
            + "".join(self.line(number, frame) for number, frame in enumerate(frames, 1))
        )

    def line(self, number: int, frame: Frame) -> str:
        flags = frame.flags
        kind = (
            {NONE: "FD", BRS: "FB", ESI: "BI", BRS | ESI: "FE"}[flags & (BRS | ESI)] if flags & FD else "DT"
        )
        kind = "RR" if flags & RTR else "ER" if flags & ERR else kind
        identifier = f"{frame.arbitration_id:08X}" if flags & EXT else f"{frame.arbitration_id:04X}"
        data = "" if flags & RTR else frame.data.hex(" ").upper()
        return (
            f"{number:7d} {frame.t_ns / 1e6:13.3f} {kind} {self.labels[frame.bus]} "
            f"{'-' if flags & ERR else identifier} {'Tx' if flags & TX else 'Rx'} -  {len(frame.data)} "
            f"{data}\n"
        )

    def test_start_is_days_since_1899(self, tmp_path: Path) -> None:
        with open_recording(self.path(tmp_path)) as source:
            assert source.timebase.wall_offset_ns == 1_704_024_000_000_000_000

    def test_version_that_is_not_read_is_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "r.trc"
        path.write_text(";$FILEVERSION=9.9\n")
        with pytest.raises(SourceError, match=r"version 9\.9"):
            open_recording(path)


class TestTrcOneZero(LineContract):
    ending = ".trc"
    labels: ClassVar = {"a": "1", "b": "1"}
    resolution_ns = 1_000_000

    def expected(self) -> list[Frame]:
        return [Frame(f.t_ns, f.arbitration_id, f.data, "b", f.flags) for f in super().expected()]

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        lines = [
            f"{number:6d}) {frame.t_ns // 1_000_000:7d} "
            + (f"{frame.arbitration_id:08X}" if frame.flags & EXT else f"{frame.arbitration_id:04X}")
            + f" {len(frame.data)} {frame.data.hex(' ').upper()}\n"
            for number, frame in enumerate(frames, 1)
        ]
        path.write_text(";##########################\n;  a trace\n" + "".join(lines))


class TestBlf(FormatContract):
    ending = ".blf"
    labels: ClassVar = {"a": "1", "b": "2"}
    holds = (CLASSIC, SENT, REMOTE, ERROR, FLEXIBLE)

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        with can.BLFWriter(path) as writer:
            for frame in frames:
                writer(message_of(frame, int(self.labels[frame.bus]) - 1))

    def test_torn_container_costs_itself_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "r.blf"
        count = 6000
        with can.BLFWriter(path) as writer:
            writer.max_container_size = 16 * 1024
            for number in range(count):
                writer(message_of(Frame(number * 1000, number % 0x800, number.to_bytes(4, "big"), "a"), 0))
        content = bytearray(path.read_bytes())
        second = content.index(b"LOBJ", content.index(b"LOBJ") + 4)
        content[second + 60 : second + 90] = bytes(30)
        path.write_bytes(content)
        with open_recording(path) as source:
            numbers = {int.from_bytes(frame.data, "big") for frame in frames_of(read_all(source))}
            hop = source.hop()
        assert {0, count - 1} <= numbers
        assert count - 1000 < len(numbers) < count
        assert hop.balanced
        assert hop.set_aside["torn container"] == 1


class TestMf4(FormatContract):
    ending = ".mf4"
    damaged: ClassVar[int] = 12
    labels: ClassVar = {"a": "0", "b": "1"}
    holds = (CLASSIC, SENT, REMOTE, ERROR, FLEXIBLE)

    def write(self, path: Path, frames: Iterable[Frame]) -> None:
        pytest.importorskip("asammdf")
        # The gateway keeps asammdf out of python-can; the writer needs it.
        with importlib.reload(can.io.mf4).MF4Writer(path) as writer:
            for frame in frames:
                writer(message_of(frame, int(self.labels[frame.bus])))


def test_every_format_has_a_contract() -> None:
    tested = {kind.ending for kind in (TestMf4, TestBlf, TestGvret, TestCandump, TestCrtd, TestTrc, TestAsc)}
    assert {ending for known in FORMATS for ending in known.endings} - {".mdf"} == tested


def test_what_is_no_recording_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing of the kind")
    with pytest.raises(SourceError, match="no recording of a known format") as refusal:
        open_recording(path)
    assert refusal.value.where == str(path)
    with pytest.raises(SourceError, match="cannot be read"):
        open_recording(tmp_path / "absent.log")


def test_more_than_256_channels_are_set_aside_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.log"
    path.write_text("".join(f"(1.000000) can{number} 123#00\n" for number in range(300)))
    with open_recording(path) as source:
        assert len(read_all(source)) == 256
        assert source.hop().set_aside == {"more than 256 buses": 44}
        assert source.hop().balanced


def test_account_of_a_recording_closed_halfway_balances(tmp_path: Path) -> None:
    path = tmp_path / "r.log"
    path.write_text("".join(f"(1.{number:06d}) can0 123#00\n" for number in range(10)))
    source = open_recording(path, batch_frames=4)
    source.read(0)
    assert source.hop().set_aside == {"waiting to be handed on": 6}
    source.close()
    source.close()
    assert source.hop().balanced
    assert source.read(0) is None
