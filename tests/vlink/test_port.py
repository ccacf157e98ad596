"""The line to a board: found, refused with reasons, unplugged, read by a confined capture."""

from __future__ import annotations

import array
import errno
import fcntl
import itertools
import os
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import serial

from edge.bus.vlink import ports
from edge.bus.vlink import source as naming
from edge.bus.vlink.board_report import Member
from edge.bus.vlink.port import WRITE_BYTES, SerialPort
from edge.bus.vlink.ports import UsbPort, find, open_board
from edge.bus.vlink.source import VlinkSource
from edge.capturing.needs import SHORT_BYTES, Need, needs_of
from edge.capturing.opening import plan_of
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.devices import open_buses
from edge.errors import SourceError
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from tests.capturing.driving import Reader
from tests.capturing.sources import OPERATION, write_databases
from tests.vlink.terminal import Terminal, terminal

TIOCGEXCL = 0x80045440
PICO = UsbPort("/dev/ttyACM0", 0x2E8A, 0x0005, "E661")
OTHER_PICO = UsbPort("/dev/ttyACM3", 0x2E8A, 0x0005, "E662")
PYBOARD = UsbPort("/dev/ttyACM1", 0xF055, 0x9802, "3254")
ESP = UsbPort("/dev/ttyACM2", 0x303A, 0x4001, "")
MODEM = UsbPort("/dev/ttyUSB0", 0x0403, 0x6001, "A5XK")


@pytest.fixture(name="board")
def plugged_in(tmp_path: Path) -> Iterator[Terminal]:
    with terminal(tmp_path) as one:
        yield one


class TestFinding:
    @pytest.mark.parametrize("one", [PICO, PYBOARD, ESP])
    def test_the_one_board_that_is_there(self, one: UsbPort) -> None:
        assert find("auto", listed=lambda: [MODEM, one]) == one.device

    def test_one_of_several_by_its_serial_number(self) -> None:
        assert find("auto:E662", listed=lambda: [PICO, OTHER_PICO]) == "/dev/ttyACM3"

    def test_a_board_with_two_ports_is_one_board(self) -> None:
        second = UsbPort("/dev/ttyACM9", 0xF055, 0x9802, "3254")
        assert find("auto", listed=lambda: [second, PYBOARD]) == "/dev/ttyACM1"

    def test_a_port_is_taken_as_it_is(self) -> None:
        assert find("/dev/ttyAMA0", listed=lambda: pytest.fail("nobody asks")) == "/dev/ttyAMA0"

    @pytest.mark.parametrize(
        ("channel", "listed", "words"),
        [
            ("auto", [MODEM], "no board is found on USB"),
            (
                "auto",
                [PICO, PYBOARD],
                "several boards are there: Raspberry Pi Pico E661 at /dev/ttyACM0, pyboard",
            ),
            ("auto:E9", [PICO], "no board with the serial number E9 is plugged in"),
        ],
    )
    def test_what_is_wrong_is_said(self, channel: str, listed: list[UsbPort], words: str) -> None:
        with pytest.raises(SourceError, match=words) as told:
            find(channel, listed=lambda: listed)
        assert told.value.todo


class TestOpening:
    def test_another_program_at_the_port_is_said(self, board: Terminal) -> None:
        SerialPort(board.port, 115_200)
        held = open_board(board.port, 115_200)
        with pytest.raises(SourceError, match="another program has it open"):
            open_board(board.port, 115_200)
        held.close()

    def test_no_such_port_is_said(self) -> None:
        with pytest.raises(SourceError, match="there is no such port"):
            open_board("/dev/ttyACM77", 921_600)

    def test_a_missing_right_is_said_with_the_group(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(device: str, speed: int) -> SerialPort:
            raise OSError(errno.EACCES, "Permission denied", device, speed)

        monkeypatch.setattr(ports, "SerialPort", refuse)
        with pytest.raises(SourceError, match="may not be opened by this user") as told:
            open_board("/dev/ttyACM77", 921_600)
        assert "usermod -aG dialout" in told.value.todo

    def test_the_speed_counts_on_a_uart_only(self, board: Terminal) -> None:
        assert open_board(board.port, 921_600).bit_rate is None

    def test_a_port_that_goes_while_it_is_opened_is_said(
        self, board: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unplugged(descriptor: int, queue: int) -> None:
            raise termios.error(errno.EIO, "Input/output error", descriptor, queue)

        monkeypatch.setattr(termios, "tcflush", unplugged)
        with pytest.raises(SourceError, match="Input/output error"):
            open_board(board.port, 921_600)

    def test_no_other_program_may_open_it_and_its_modem_lines_stay(self, board: Terminal) -> None:
        exclusive = array.array("i", [0])
        with Path(board.port).open("rb", buffering=0) as before:
            attributes = termios.tcgetattr(before.fileno())
            attributes[2] |= termios.HUPCL
            termios.tcsetattr(before.fileno(), termios.TCSANOW, attributes)
        port = SerialPort(board.port, 921_600)
        fcntl.ioctl(port.fileno(), TIOCGEXCL, exclusive)
        assert exclusive[0]
        assert not termios.tcgetattr(port.fileno())[2] & termios.HUPCL
        port.close()
        port.close()
        with Path(board.port).open("rb", buffering=0) as later:
            fcntl.ioctl(later.fileno(), TIOCGEXCL, exclusive)
        assert not exclusive[0]

    def test_a_driver_is_asked_not_to_collect_bytes(
        self, board: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[bool] = []
        monkeypatch.setattr(serial.Serial, "set_low_latency_mode", lambda _, wanted: asked.append(wanted))
        SerialPort(board.port, 921_600).close()
        assert asked == [True]

    def test_nothing_longer_is_written_at_once_than_capture_may(
        self, board: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port = SerialPort(str(board.path), 921_600)
        sizes: list[int] = []
        write = os.write

        def note(descriptor: int, data: bytes) -> int:
            sizes.append(len(data))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", note)
        assert port.write(bytes(range(1, 60))) == 59
        assert WRITE_BYTES == max(sizes) <= SHORT_BYTES
        port.close()


def drive(board: Terminal, source: VlinkSource, until: Callable[[], bool]) -> int:
    """Let board and source have their turns until something is so; tells how many frames came."""
    frames = 0
    end_s = time.monotonic() + 20
    while not until():
        assert time.monotonic() < end_s, "it did not come about"
        board.turn()
        batch = source.read(0)
        frames += 0 if batch is None else len(batch)
    return frames


def test_unplugged_and_plugged_in_again_on_real_terminals(board: Terminal) -> None:
    nonces = itertools.count()
    source = VlinkSource(
        [Member("pt")],
        lambda: open_board(str(board.path), 921_600),
        clock=SystemClock(),
        random_u32=lambda: next(nonces),
    )
    with source:
        drive(board, source, lambda: source.relation.known)
        board.board.offer(0, 400)
        drive(board, source, lambda: source.hop().left == 400)
        board.unplug()
        drive(board, source, lambda: source.hop().facts.get(naming.OUTAGES) == 1)
        board.plug()
        board.board.offer(0, 600)
        drive(board, source, lambda: source.hop().left == 900)
        board.board.offer(0, 1)
        drive(board, source, lambda: naming.IN_RING in source.hop().set_aside)
        hop = source.hop()
        assert hop.balanced
        assert (hop.entered, hop.set_aside) == (1001, {naming.IN_RING: 100})


@pytest.fixture(name="configuration")
def configuring(tmp_path: Path, board: Terminal) -> Path:
    write_databases(tmp_path)
    write_signing_key(tmp_path / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    path = tmp_path / "nevgate.toml"
    path.write_text(
        '[vehicle]\nvin = "LNVTEST0000000001"\n'
        f'[[bus]]\nname = "pt"\ninterface = "vlink"\nchannel = "{board.path}"\n'
        '[[bus.database]]\nfile = "mixed.dbc"\n'
        f'[[bus]]\nname = "body"\ninterface = "vlink"\nchannel = "{board.path}"\noptions = {{ bus = 1 }}\n'
        '[uplink]\nhost = "127.0.0.1"\nacknowledge = "puback"\ntls.enabled = false\n'
        '[signing]\nkey = "vehicle.pem"\n'
    )
    return path


def test_buses_of_one_board_are_one_source(configuration: Path) -> None:
    config = load_config(configuration)
    with open_buses(config, SystemClock()) as source:
        assert source.buses == ("pt", "body")
    assert {one.need for one in needs_of(config)} == {Need.SERIAL_PORTS, Need.COMMANDS}


def test_a_confined_capture_speaks_with_the_board_and_finds_it_again(
    configuration: Path, board: Terminal
) -> None:
    with CaptureProcess(
        plan_of(configuration, load_config(configuration)), OPERATION, "first", clock=SystemClock()
    ) as capture:
        reader = Reader(capture)

        def turns_until(condition: Callable[[], bool]) -> Callable[[], bool]:
            def turn() -> bool:
                board.turn()
                return condition()

            return turn

        def offer(begin: int, end: int) -> None:
            for number in range(begin, end):
                board.board.offer(0, 1, number.to_bytes(4, "little") + b"deny")

        reader.until(turns_until(lambda: any(one.board for one in capture.buses)))
        offer(0, 100)
        reader.until(turns_until(lambda: reader.frames == 100))
        board.unplug()
        reader.until(lambda: any("gone" in one.away for one in capture.buses))
        board.plug()
        offer(100, 150)
        reader.until(turns_until(lambda: reader.frames == 150))
        assert reader.numbers == list(range(150))
        assert reader.cabin() == {bytes(4)}
        condition = capture.buses[0]
        assert (condition.bus, condition.way, condition.away) == ("pt", "vlink", "")
        assert condition.board is not None
        assert condition.board.board == "Desk board"
        assert capture.buses[1].away == "Desk board has no bus 1"
