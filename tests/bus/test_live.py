"""Live interfaces: frames with flags and boot time, losses counted, outages survived."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

import can
import numpy as np
import pytest

from edge.bus.live import InterfaceSource, open_interface
from edge.clock import SystemClock, Timebase, TimeQuality
from edge.errors import SourceError
from edge.frames import Frame, FrameFlag
from tests.bus.reading import frames_of, without_time

EXT, RTR, ERR, FD = FrameFlag.EXTENDED, FrameFlag.REMOTE, FrameFlag.ERROR, FrameFlag.FD
BRS, ESI = FrameFlag.BITRATE_SWITCH, FrameFlag.ERROR_STATE
MESSAGES = (
    can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\x01\x02"),
    can.Message(arbitration_id=0x18FEF100, data=bytes(8)),
    can.Message(arbitration_id=0x111, is_extended_id=False, is_remote_frame=True, dlc=4),
    can.Message(
        arbitration_id=0x1ABCDEF0,
        is_fd=True,
        bitrate_switch=True,
        error_state_indicator=True,
        data=bytes(range(64)),
    ),
    can.Message(
        arbitration_id=0x004, is_extended_id=False, is_error_frame=True, data=bytes((0, 1, 0, 0, 0, 0, 0, 0))
    ),
)
EXPECTED = [
    (0x123, b"\x01\x02", "pt", FrameFlag(0)),
    (0x18FEF100, bytes(8), "pt", EXT),
    (0x111, bytes(4), "pt", RTR),
    (0x1ABCDEF0, bytes(range(64)), "pt", EXT | FD | BRS | ESI),
    (0x004, bytes((0, 1, 0, 0, 0, 0, 0, 0)), "pt", ERR),
]


def collect(source: InterfaceSource, count: int, reads: int = 200) -> list[Frame]:
    """Frames from `source` until there are `count`, or it was asked `reads` times in vain."""
    frames: list[Frame] = []
    for _ in range(reads):
        batch = source.read(0.05)
        assert batch is not None
        frames += frames_of(batch)
        if len(frames) >= count:
            break
    return frames


class InterfaceContract(ABC):
    """What every interface does; a subclass says how to open both ends of one."""

    data_only: ClassVar[bool] = False

    @abstractmethod
    def ends(self) -> Iterator[tuple[InterfaceSource, can.BusABC]]: ...

    @pytest.fixture(name="pair")
    def make_pair(self) -> Iterator[tuple[InterfaceSource, can.BusABC]]:
        yield from self.ends()

    def test_frames_arrive_with_flags_in_order_and_are_counted(
        self, pair: tuple[InterfaceSource, can.BusABC]
    ) -> None:
        source, sender = pair
        for message in MESSAGES:
            sender.send(message)
        frames = collect(source, len(MESSAGES))
        hop = source.hop()
        assert without_time(frames) == EXPECTED
        assert hop.balanced
        assert (hop.name, hop.entered, hop.left) == ("bus pt", 5, 5)
        assert {kind: hop.facts[kind] for kind in ("data", "remote", "error", "fd")} == {
            "data": 3,
            "remote": 1,
            "error": 1,
            "fd": 1,
        }

    def test_stamps_are_boot_time_between_sending_and_reading(
        self, pair: tuple[InterfaceSource, can.BusABC]
    ) -> None:
        source, sender = pair
        before_ns = SystemClock().boot_ns()
        for _ in range(50):
            sender.send(MESSAGES[0])
        t_ns = np.array([frame.t_ns for frame in collect(source, 50)])
        after_ns = SystemClock().boot_ns()
        slack_ns = 1_000_000
        assert len(t_ns) == 50
        assert (np.diff(t_ns) >= 0).all()
        assert before_ns - slack_ns <= t_ns[0] <= t_ns[-1] <= after_ns

    def test_what_was_received_before_the_close_can_still_be_read(
        self, pair: tuple[InterfaceSource, can.BusABC]
    ) -> None:
        source, sender = pair
        for _ in range(100):
            sender.send(MESSAGES[0])
        source.close()
        frames = 0
        while (batch := source.read(0)) is not None:
            frames += len(batch)
        assert frames == source.hop().entered == 100

    def test_silence_is_an_empty_batch_and_closing_ends_the_thread(
        self, pair: tuple[InterfaceSource, can.BusABC]
    ) -> None:
        source, _ = pair
        batch = source.read(0.01)
        assert batch is not None
        assert len(batch) == 0
        assert source.live
        assert source.buses == ("pt",)
        source.close()
        source.close()
        assert source.read(0.01) is None
        assert "bus pt" not in {thread.name for thread in threading.enumerate()}


class TestVirtual(InterfaceContract):
    def ends(self) -> Iterator[tuple[InterfaceSource, can.BusABC]]:
        channel = f"test-{uuid.uuid4()}"
        with (
            can.Bus(interface="virtual", channel=channel) as sender,
            open_interface(name="pt", interface="virtual", channel=channel, clock=SystemClock()) as source,
        ):
            yield source, sender


class TestUdpMulticast(InterfaceContract):
    def ends(self) -> Iterator[tuple[InterfaceSource, can.BusABC]]:
        pytest.importorskip("msgpack")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        group = "239.74.163.2"
        options = {"port": port, "hop_limit": 0}
        try:
            sender = can.Bus(interface="udp_multicast", channel=group, fd=True, **options)
            sender.send(MESSAGES[0])
            if sender.recv(2) is None:
                pytest.skip("multicast datagrams do not come back on this machine")
        except (can.CanError, OSError) as error:
            pytest.skip(f"this machine refuses multicast: {error}")
        with (
            sender,
            open_interface(
                name="pt",
                interface="udp_multicast",
                channel=group,
                fd=True,
                clock=SystemClock(),
                options=options,
            ) as source,
        ):
            yield source, sender


class ScriptedBus(can.BusABC):
    """A bus that does what a list says: messages come, errors are raised, then there is silence."""

    def __init__(self, script: list[can.Message | Exception]) -> None:
        self.script = script
        super().__init__("scripted")

    def recv(self, timeout: float | None = None) -> can.Message | None:
        if not self.script:
            threading.Event().wait(timeout or 0)
            return None
        next_one = self.script.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return next_one

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise NotImplementedError


def message(number: int, **fields: bool) -> can.Message:
    return can.Message(arbitration_id=number, is_extended_id=False, data=b"\x01", **fields)


def gone(count: int = 3) -> list[can.Message | Exception]:
    return [can.CanOperationError("device is gone") for _ in range(count)]


class Interface:
    """Opens scripted buses one after the other; an error in place of a script fails the opening."""

    def __init__(self, *scripts: list[can.Message | Exception] | Exception) -> None:
        self.scripts = list(scripts)

    def __call__(self) -> can.BusABC:
        script = self.scripts.pop(0) if self.scripts else can.CanInitializationError("no such device")
        if isinstance(script, Exception):
            raise script
        return ScriptedBus(script)


def scripted(interface: Interface, **settings: object) -> InterfaceSource:
    return InterfaceSource(
        name="pt",
        interface="socketcan",
        where="socketcan can0",
        open_bus=interface,
        clock=SystemClock(TimeQuality.NTP),
        **settings,  # type: ignore[arg-type]
    )


def test_interface_that_goes_away_is_opened_again() -> None:
    opening_fails = can.CanInitializationError("not back yet")
    with scripted(Interface([message(1), *gone()], opening_fails, [message(2)])) as source:
        frames = collect(source, 2)
        hop = source.hop()
    assert [frame.arbitration_id for frame in frames] == [1, 2]
    assert (hop.facts["outages"], hop.facts["reopened"]) == (1, 1)
    assert hop.balanced


def test_what_the_system_held_when_the_source_was_closed_is_taken() -> None:
    waiting = threading.Event()
    closing = threading.Event()

    class Busy(ScriptedBus):
        """Frames come while the reader is kept from looking, and it is told to stop meanwhile."""

        def recv(self, timeout: float | None = None) -> can.Message | None:
            if timeout:
                waiting.set()
                closing.wait(5)
                return None
            return super().recv(0)

    source = InterfaceSource(
        name="pt",
        interface="socketcan",
        where="socketcan can0",
        open_bus=lambda: Busy([message(1), message(2), message(3)]),
        clock=SystemClock(),
    )
    waiting.wait(5)
    closer = threading.Thread(target=source.close)
    closer.start()
    while not source._stop.is_set():
        threading.Event().wait(0.001)
    closing.set()
    closer.join()
    frames: list[Frame] = []
    while (batch := source.read(1)) is not None:
        frames += frames_of(batch)
    assert [frame.arbitration_id for frame in frames] == [1, 2, 3]


def test_single_errors_are_counted_as_losses_and_cost_no_other_frame() -> None:
    with scripted(Interface([message(1), *gone(1), message(2), *gone(2), message(3)])) as source:
        frames = collect(source, 3)
        hop = source.hop()
    assert [frame.arbitration_id for frame in frames] == [1, 2, 3]
    assert hop.at_least == {"unreadable by the interface": 3}
    assert "outages" not in hop.facts


def test_interface_that_stays_away_is_an_error_when_patience_ends() -> None:
    with scripted(Interface([message(1), *gone()]), patience_s=0.2) as source:
        assert len(collect(source, 1)) == 1
        with pytest.raises(SourceError, match=r"bus pt \(socketcan can0\): has been away .* no such device"):
            collect(source, 1)
        assert source.outage == "cannot be opened: no such device"


def test_programming_error_in_an_interface_is_raised_by_read() -> None:
    with (
        scripted(Interface([ZeroDivisionError("C0FFEE")])) as source,
        pytest.raises(SourceError, match=r"failed: ZeroDivisionError$"),
    ):
        collect(source, 1)


def test_interface_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(SourceError, match=r"bus pt \(socketcan can0\): cannot be opened: no such device"):
        scripted(Interface())
    with pytest.raises(SourceError, match="bus pt"):
        open_interface(name="pt", interface="no-such-interface", channel="x", clock=SystemClock())


def test_what_does_not_fit_the_queue_is_counted() -> None:
    reading = threading.Event()
    script: list[can.Message | Exception] = [message(number) for number in range(50)]
    with scripted(Interface(script), queue_frames=20) as source:
        while source.hop().entered < 50:
            reading.wait(0.01)
        frames = collect(source, 20)
        hop = source.hop()
    assert [frame.arbitration_id for frame in frames] == list(range(20))
    assert hop.set_aside == {"reader queue full": 30}
    assert hop.balanced


class DatagramBus(can.BusABC):
    """A bus whose frames are datagrams of one byte, which it begins to receive only when it may."""

    def __init__(self, may: threading.Event) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.may = may
        super().__init__("datagrams")

    def fileno(self) -> int:
        return self.socket.fileno()

    def recv(self, timeout: float | None = None) -> can.Message | None:
        if not self.may.wait(timeout or 0):
            return None
        with suppress(BlockingIOError):
            return can.Message(arbitration_id=self.socket.recv(1)[0], is_extended_id=False)
        return None

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise NotImplementedError

    def shutdown(self) -> None:
        super().shutdown()
        self.socket.close()


def test_what_does_not_fit_the_socket_is_counted_to_the_frame_and_again_after_an_outage() -> None:
    offered = 60_000
    may = threading.Event()
    buses: list[DatagramBus] = []

    def opened() -> DatagramBus:
        buses.append(DatagramBus(may))
        return buses[-1]

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        InterfaceSource(
            name="pt", interface="datagrams", where="here", open_bus=opened, clock=SystemClock()
        ) as source,
    ):
        for _ in range(offered // 2):
            sender.sendto(b"x", buses[0].socket.getsockname())
        source.open_anew()
        may.set()
        while len(buses) == 1:
            source.read(0.01)
        may.clear()
        for _ in range(offered // 2):
            sender.sendto(b"x", buses[1].socket.getsockname())
        may.set()
        end_s = time.monotonic() + 20
        while source.hop().entered < offered and time.monotonic() < end_s:
            source.read(0.01)
        while len(source.read(0.01) or ()):
            pass
        hop = source.hop()
    assert hop.entered == offered
    assert hop.left == offered - hop.set_aside["lost: socket buffer full"] < offered


def test_controller_overflow_is_counted_as_at_least_one_loss() -> None:
    overflow = can.Message(
        arbitration_id=0x004, is_extended_id=False, is_error_frame=True, data=bytes((0, 1, 0, 0, 0, 0, 0, 0))
    )
    with scripted(Interface([overflow, message(1)])) as source:
        collect(source, 2)
        assert source.hop().at_least == {"controller overflow": 1}


def test_batches_carry_the_clock_s_timebase() -> None:
    with scripted(Interface([message(1)])) as source:
        batch = source.read(1.0)
        assert batch is not None
        assert batch.timebase.quality is TimeQuality.NTP
        assert abs(batch.timebase.wall_offset_ns - SystemClock().timebase().wall_offset_ns) < 10**9
        assert source.timebase != Timebase()
