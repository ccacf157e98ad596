"""Serial port, gpsd and accelerometer as item sources: what they give, and what a lost device does.

The gpsd lines have the form that gpsd_json(5) describes for release 3.22 and later; the position is made up.
"""

import json
import os
import pty
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.clock import SystemClock, VirtualClock
from edge.errors import SourceError
from edge.records import Missing
from edge.sensors.gpsd import LONGEST_LINE, WATCH, Gpsd, GpsdReader
from edge.sensors.iio import IioAccelerometer
from edge.sensors.nmea_serial import NmeaSerial
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource
from tests.sensors.test_nmea import RMC, sentence

VERSION = {"class": "VERSION", "release": "3.25", "rev": "3.25", "proto_major": 3, "proto_minor": 15}
TPV = {
    "class": "TPV",
    "device": "/dev/ttyAMA0",
    "mode": 3,
    "time": "2026-01-02T03:04:05.000Z",
    "ept": 0.005,
    "lat": 39.968724166,
    "lon": 116.342386833,
    "altHAE": 48.0,
    "speed": 0.0,
}
SKY = {"class": "SKY", "device": "/dev/ttyAMA0", "hdop": 1.0, "nSat": 12, "uSat": 9, "satellites": []}


def lines(*reports: object) -> bytes:
    return b"".join(json.dumps(report).encode() + b"\r\n" for report in reports)


def until(source: ItemSource, enough: Callable[[list[Observation]], bool]) -> list[Observation]:
    found: list[Observation] = []
    for _ in range(200):
        news = source.read(0.1)
        assert news is not None
        found += news
        if enough(found):
            return found
    raise AssertionError(f"only {found}")


class GpsdServer:
    """Answers each connection with a greeting, waits for the request to watch, and plays lines."""

    def __init__(self, plays: list[bytes]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []
        self._plays = plays
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for place, play in enumerate(self._plays):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(lines(VERSION))
                self.asked.append(connection.recv(len(WATCH), socket.MSG_WAITALL))
                connection.sendall(play)
                if place == len(self._plays) - 1:
                    self._done.wait(20)

    def stop(self) -> None:
        self._done.set()
        # Only a shutdown wakes the thread that accepts; closing leaves it waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._listener.close()
        assert not self._thread.is_alive()


@contextmanager
def gpsd_server(*plays: bytes) -> Iterator[GpsdServer]:
    server = GpsdServer(list(plays))
    try:
        yield server
    finally:
        server.stop()


class SourceFamily(ABC):
    """What holds for every item source."""

    @abstractmethod
    @contextmanager
    def speaking(self, tmp_path: Path) -> Iterator[ItemSource]:
        """A source whose device has something to say."""
        yield NotImplemented  # pragma: no cover

    def test_its_items_are_in_the_catalogue_and_it_gives_no_others(self, tmp_path: Path) -> None:
        with self.speaking(tmp_path) as source:
            assert all(builtin().has(item_id) for item_id in source.items)
            found = until(source, bool)
            assert {observation.item_id for observation in found} <= set(source.items)
            assert source.hop().balanced
            assert source.hop().left >= 1

    def test_a_closed_source_ends(self, tmp_path: Path) -> None:
        with self.speaking(tmp_path) as source:
            source.close()
            assert source.read(0.1) is None
            source.close()


class TestSerial(SourceFamily):
    @contextmanager
    def speaking(self, tmp_path: Path) -> Iterator[ItemSource]:
        del tmp_path
        ours, theirs = pty.openpty()
        try:
            with NmeaSerial(os.ttyname(theirs), clock=SystemClock()) as source:
                source.read(0.01)
                os.write(ours, b"\xff\x00half a line\r\n" + sentence(RMC))
                yield source
        finally:
            os.close(ours)
            os.close(theirs)

    def test_position_comes_through_a_terminal(self, tmp_path: Path) -> None:
        with self.speaking(tmp_path) as source:
            found = until(source, lambda seen: len(seen) >= 4)
            assert [o.value for o in found if o.item_id == "gnss.valid"] == [1]
            assert source.hop().set_aside == {"no sentence": 1}

    def test_a_port_that_is_not_there_is_waited_for(self, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        link = tmp_path / "receiver"
        try:
            with NmeaSerial(str(link), clock=SystemClock()) as source:
                assert source.read(0.01) == ()
                assert source.hop().facts["port failed"] == 1
                link.symlink_to(os.ttyname(theirs))
                source.read(0.01)
                os.write(ours, sentence(RMC))
                assert until(source, bool)
        finally:
            os.close(ours)
            os.close(theirs)

    def test_a_receiver_that_is_pulled_out_does_not_stop_the_loop(self) -> None:
        ours, theirs = pty.openpty()
        with NmeaSerial(os.ttyname(theirs), clock=SystemClock()) as source:
            assert source.read(0.01) == ()
            os.close(ours)
            os.close(theirs)
            for _ in range(3):
                assert source.read(0.01) == ()
            assert source.hop().facts["port failed"] >= 1


class TestGpsd(SourceFamily):
    @contextmanager
    def speaking(self, tmp_path: Path) -> Iterator[ItemSource]:
        del tmp_path
        with (
            gpsd_server(lines(TPV, SKY)) as server,
            Gpsd(clock=SystemClock(), port=server.port) as source,
        ):
            yield source

    def test_position_and_satellites_come_once_asked_for(self) -> None:
        with gpsd_server(lines({**TPV, "status": 3}, SKY)) as server:
            with Gpsd(clock=SystemClock(), port=server.port) as source:
                found = {o.item_id: o.value for o in until(source, lambda seen: len(seen) >= 6)}
            assert server.asked == [WATCH]
        assert found == {
            "gnss.valid": 1,
            "gnss.datum": 1,
            "gnss.lat": 39.968724166,
            "gnss.lon": 116.342386833,
            "gnss.quality": 4,
            "gnss.satellites": 9,
        }

    def test_a_lost_connection_is_made_anew_and_half_a_line_forgotten(self) -> None:
        with gpsd_server(lines(TPV) + b'{"class":"TPV","mo', lines(SKY)) as server:
            with Gpsd(clock=SystemClock(), port=server.port) as source:
                until(source, lambda seen: any(o.item_id == "gnss.satellites" for o in seen))
                hop = source.hop()
            assert server.asked == [WATCH, WATCH]
        assert (hop.facts["connected"], hop.facts["connection failed"]) == (2, 1)
        assert hop.set_aside == {"other report": 2}

    def test_gpsd_that_is_not_there_is_waited_for(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        with Gpsd(clock=SystemClock(), port=port) as source:
            assert source.read(0.01) == ()
            assert source.hop().facts["connection failed"] == 1


@pytest.mark.parametrize("mode", [0, 1])
def test_gpsd_without_a_fix_gives_no_position(mode: int) -> None:
    found = {o.item_id: o.value for o in GpsdReader().feed(lines({**TPV, "mode": mode}), 0)}
    assert (found["gnss.valid"], found["gnss.quality"]) == (0, 0)
    assert found["gnss.lat"] is found["gnss.lon"] is Missing.INVALID


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"not json\n", "no JSON"),
        (b"[" * 60000 + b"\n", "no JSON"),
        (b"[1, 2]\n", "other report"),
        (lines({"class": "DEVICES"}), "other report"),
        (lines({**TPV, "mode": "3"}), "malformed field"),
        (lines({**TPV, "lat": None}), "malformed field"),
        (b'{"class": "TPV", "mode": 3, "lat": NaN, "lon": 1}\n', "malformed field"),
        (b"x" * (LONGEST_LINE + 1), "too long"),
    ],
)
def test_gpsd_lines_that_are_no_use_are_counted_by_cause(line: bytes, cause: str) -> None:
    reader = GpsdReader()
    assert reader.feed(line, 0) == []
    assert reader.counts == {"entered": 1, cause: 1}
    assert len(reader.feed(b"\n" + lines(SKY), 0)) == 1


@given(st.lists(st.binary(max_size=200) | st.sampled_from([lines(TPV), lines(SKY), b"\n"])))
def test_no_bytes_of_gpsd_raise(pieces: list[bytes]) -> None:
    reader = GpsdReader()
    for piece in pieces:
        reader.feed(piece, 0)
    assert reader.counts["entered"] == sum(n for cause, n in reader.counts.items() if cause != "entered")


def accelerometer(folder: Path, **extra: str) -> Path:
    """A folder as sysfs shows an accelerometer with 0.0095768 m/s^2 a step."""
    files = {
        "in_accel_x_raw": "100",
        "in_accel_y_raw": "-200",
        "in_accel_z_raw": "1024",
        "in_accel_scale": "0.01",
    }
    for name, text in (files | extra).items():
        (folder / name).write_text(text + "\n", encoding="ascii")
    return folder


class TestIio(SourceFamily):
    @contextmanager
    def speaking(self, tmp_path: Path) -> Iterator[ItemSource]:
        with IioAccelerometer(accelerometer(tmp_path), clock=VirtualClock()) as source:
            yield source

    def test_raw_values_are_scaled(self, tmp_path: Path) -> None:
        source = IioAccelerometer(accelerometer(tmp_path), clock=VirtualClock(), period_s=0.1)
        found = source.read(1)
        assert found is not None
        assert [(o.item_id, o.t_ns) for o in found] == [(f"imu.accel_{axis}", 100_000_000) for axis in "xyz"]
        assert [o.value for o in found] == pytest.approx([1.0, -2.0, 10.24])

    def test_offset_and_mount_matrix_are_applied(self, tmp_path: Path) -> None:
        folder = accelerometer(
            tmp_path,
            in_accel_x_offset="10",
            in_accel_y_scale="0.02",
            in_accel_mount_matrix="0, 1, 0; -1, 0, 0; 0, 0, 1",
        )
        found = IioAccelerometer(folder, clock=VirtualClock()).read(1)
        assert found is not None
        assert [o.value for o in found] == pytest.approx([-4.0, -1.1, 10.24])

    def test_readings_keep_their_period_and_missed_ones_are_counted(self, tmp_path: Path) -> None:
        clock = VirtualClock()
        source = IioAccelerometer(accelerometer(tmp_path), clock=clock, period_s=0.1)
        assert source.read(0.04) == ()
        stamps = [news[0].t_ns for _ in range(2) if (news := source.read(1))]
        clock.advance_to(550_000_000)
        stamps += [news[0].t_ns for _ in range(2) if (news := source.read(1))]
        assert stamps == [100_000_000, 200_000_000, 550_000_000, 600_000_000]
        assert source.hop().facts["missed"] == 2

    def test_an_axis_that_cannot_be_read_is_counted_and_tried_again(self, tmp_path: Path) -> None:
        source = IioAccelerometer(accelerometer(tmp_path), clock=VirtualClock())
        (tmp_path / "in_accel_y_raw").unlink()
        assert source.read(1) == ()
        (tmp_path / "in_accel_y_raw").write_text("no number", encoding="ascii")
        assert source.read(1) == ()
        accelerometer(tmp_path)
        assert source.read(1)
        hop = source.hop()
        assert hop.balanced
        assert hop.set_aside == {"unreadable": 2}

    @pytest.mark.parametrize(
        ("extra", "words"),
        [
            ({"in_accel_scale": "fast"}, "cannot be read as a number"),
            ({"in_accel_mount_matrix": "1, 0; 0, 1"}, "three rows of three"),
            ({"mount_matrix": "a, b, c"}, "is no mount matrix"),
        ],
    )
    def test_constants_that_cannot_be_are_refused(
        self, tmp_path: Path, extra: dict[str, str], words: str
    ) -> None:
        with pytest.raises(SourceError, match=words):
            IioAccelerometer(accelerometer(tmp_path, **extra), clock=VirtualClock())

    def test_a_folder_without_axes_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="in_accel_x_raw, in_accel_y_raw, in_accel_z_raw missing"):
            IioAccelerometer(tmp_path, clock=VirtualClock())
