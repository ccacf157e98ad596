"""Batches made ahead: the same in the same order, never too many, and nothing left running."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import can
import pytest

from edge.clock import VirtualClock
from edge.errors import ConfigError
from edge.frames import Frame, FrameBatch
from simulator.vehicle.ahead import Ahead
from simulator.vehicle.player import STOPPED, Player, open_buses
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import BUSES

PATIENCE_S = 20.0


class Making:
    """Counts the batches made, and tells when there are so many."""

    def __init__(self, total: int, tell_at: int) -> None:
        self.made = 0
        self.reached = threading.Event()
        self.threads: set[threading.Thread] = set()
        self._total = total
        self._tell_at = tell_at

    def __iter__(self) -> Iterator[FrameBatch]:
        while self.made < self._total:
            self.threads.add(threading.current_thread())
            self.made += 1
            if self.made == self._tell_at:
                self.reached.set()
            yield FrameBatch.from_frames([Frame(self.made * 1_000_000, 256, bytes(8), bus="body")])


class PatientBus(can.BusABC):
    """Takes its first frame only once `until` has come."""

    def __init__(self, until: threading.Event) -> None:
        super().__init__(channel="patient")
        self.came = False
        self._until = until

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        del msg, timeout
        self.came = self._until.wait(PATIENCE_S)


def test_what_comes_out_is_what_went_in() -> None:
    whole = list(ReferenceVehicle(seed=5).frames(1.5))
    with Ahead(ReferenceVehicle(seed=5).frames(1.5), depth=3) as ahead:
        handed_on = list(ahead)
    assert len(handed_on) == len(whole)
    assert all(one.equals(other) for one, other in zip(handed_on, whole, strict=True))


def test_the_next_batches_are_made_while_one_is_played() -> None:
    making = Making(total=10, tell_at=4)
    with ExitStack() as stack:
        bus = stack.enter_context(PatientBus(making.reached))
        Player({"body": bus}, VirtualClock()).play(making)
    assert bus.came
    assert making.made == 10


def test_no_more_than_the_depth_waits_and_leaving_ends_the_making() -> None:
    making = Making(total=1_000_000, tell_at=6)
    with Ahead(making, depth=4) as ahead:
        next(iter(ahead))
        assert making.reached.wait(PATIENCE_S)
    # One was taken, four wait, and the last was in hand when the making ended.
    assert making.made == 6
    assert not any(thread.is_alive() for thread in making.threads)


def test_what_the_making_raises_comes_after_what_was_made() -> None:
    def broken() -> Iterator[FrameBatch]:
        yield from Making(total=2, tell_at=2)
        raise ConfigError("no more")

    with Ahead(broken()) as ahead:
        batches = iter(ahead)
        assert [len(next(batches)) for _ in range(2)] == [1, 1]
        with pytest.raises(ConfigError, match="no more"):
            next(batches)


def test_a_stop_counts_the_batch_in_hand_whatever_was_made_ahead() -> None:
    stop = threading.Event()
    stop.set()
    making = Making(total=1_000_000, tell_at=1)
    with ExitStack() as stack:
        player = Player(open_buses(stack, "virtual", {"body": "ahead-body"}), VirtualClock())
        player.play(making, stop)
    hop = player.hop()
    assert hop.balanced
    assert (hop.entered, hop.left, hop.set_aside) == (1, 0, {STOPPED: 1})
    assert not any(thread.is_alive() for thread in making.threads)


def test_two_runs_of_a_seed_send_the_same() -> None:
    def heard(name: str) -> list[tuple[int, bytes]]:
        with ExitStack() as stack:
            channels = {bus: f"{name}-{bus}" for bus in BUSES}
            listeners = open_buses(stack, "virtual", channels)
            Player(open_buses(stack, "virtual", channels), VirtualClock()).play(
                ReferenceVehicle(seed=2).frames(1.2)
            )
            found = []
            for listener in listeners.values():
                while (message := listener.recv(0)) is not None:
                    found.append((message.arbitration_id, bytes(message.data)))
        return found

    assert heard("one") == heard("two")
