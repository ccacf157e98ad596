"""What the gateway took up is sent, or counted and told, however a run goes and ends."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge.account import Hop
from edge.bus.memory import MemorySource
from edge.bus.merge import merge
from edge.cli.running import run_watched
from edge.clock import SystemClock
from edge.errors import SourceError, UplinkError
from edge.frames import Frame, FrameBatch
from edge.gateway import Gateway
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource
from edge.uplink.events import LinkEvent
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.gateway.rig import MS, Rig, S, alarm, live, motion, recording, source

UNREACHABLE = LinkFaults(refuse=1.0)
SMALL = "queue_messages = 2"
OFTEN = "uplink_period_s = 1"
FIVE_FIT = 273
"""Bytes of a packet that holds five records, and not ten."""


class Broken(MemorySource):
    """A recording that cannot be read to its end."""

    def read(self, timeout_s: float) -> FrameBatch | None:
        batch = super().read(timeout_s)
        if batch is None:
            raise SourceError("went away", where="bus pt")
        return batch


def broken(seconds: int) -> Broken:
    whole = recording(seconds)
    return Broken(iter(lambda: whole.read(0), None), buses=["pt"])


def restless(seconds: int) -> MemorySource:
    """A frame a second whose values follow no rule; ten records of it need more than `FIVE_FIT` bytes."""
    rng = random.Random(1)  # noqa: S311 - a seed must replay the run
    return source([[motion(second * S, rng.randrange(300)) for second in range(seconds + 1)]])


def test_a_recording_arrives_whole_and_the_account_balances(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.gateway.run(recording(47), stop=rig.stop)
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 47)]
    assert rig.platform.speeds[40] == 390
    account = rig.gateway.account()
    assert account.balanced
    assert [(hop.name, hop.unit, hop.entered, hop.left) for hop in account.hops] == [
        ("memory", "frames", 471, 471),
        ("door", "frames", 471, 471),
        ("decode", "frames", 471, 471),
        ("records", "records", 47, 47),
        ("dispatch", "records", 47, 47),
        ("uplink", "messages", 6, 6),
        ("uplink", "records", 47, 47),
    ]


def test_an_alarm_is_on_its_way_before_the_next_record_is_made(tmp_path: Path) -> None:
    rig = Rig(tmp_path, sampling="uplink_period_s = 30")
    frames = [
        motion(0, 1),
        motion(1_500 * MS, 2),
        alarm(2_500 * MS, up=True),
        alarm(2_600 * MS, up=False),
        motion(3_100 * MS, 3),
        motion(4_100 * MS, 4),
    ]
    held: list[int] = []

    def watch(gateway: Gateway) -> None:
        held.append(gateway.uplink.state().waiting_messages)

    rig.gateway.run(source([each] for each in frames), stop=rig.stop, watch=watch)
    assert held == [0, 0, 0, 0, 2, 2]
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 4)]
    assert rig.platform.alarms == [3]


class TestRecordingsWait:
    """A recording is read no faster than the platform takes it."""

    @pytest.mark.parametrize("batch", [1, 10, 10_000])
    def test_nothing_is_lost_however_small_the_outbox_and_large_the_batches(
        self, tmp_path: Path, batch: int
    ) -> None:
        rig = Rig(tmp_path, uplink=SMALL, sampling=OFTEN)
        rig.gateway.run(recording(60, batch=batch), stop=rig.stop)
        assert rig.gateway.finish(60)
        assert rig.platform.received == [(1, 60)]
        assert not rig.platform.sequence.lost

    def test_a_stop_gets_through_at_once_and_what_was_read_is_accounted_for(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, uplink=SMALL, sampling=OFTEN, faults=UNREACHABLE)
        rig.clock.at.append((10 * S, rig.stop.set))
        rig.gateway.run(recording(100, batch=200), stop=rig.stop)
        assert rig.clock.boot_ns() < 10 * S + 100 * MS
        assert not rig.gateway.finish(0)
        account = rig.gateway.account()
        assert account.balanced
        frames = [hop.left for hop in account.hops if hop.unit == "frames"]
        assert frames == [200, 200, 200]
        assert rig.fact("uplink", "records", "waiting to be acknowledged") == 2
        assert rig.fact("uplink", "records", "queue full, never sent") == 17

    def test_an_uplink_that_failed_ends_the_run(self, tmp_path: Path) -> None:
        class BrokenLink(VirtualLink):
            def poll(self) -> Sequence[LinkEvent]:
                raise RuntimeError("no such thing")

        rig = Rig(tmp_path, uplink=SMALL, sampling=OFTEN)
        clock = SystemClock()
        rng = random.Random(1)  # noqa: S311 - a seed must replay the run
        gateway = Gateway(
            rig.loaded,
            clock=clock,
            rng=rng,
            draw=rng.randbytes,
            link=BrokenLink(clock, rng, rig.platform.take),
        )
        gateway.start()
        with pytest.raises(UplinkError, match="RuntimeError: no such thing"):
            gateway.run(recording(100, batch=1001), stop=rig.stop)
        assert not gateway.finish(60)
        assert gateway.account().balanced


class TestFinish:
    """What waits is sent as long as there is time."""

    def test_without_time_nothing_is_waited_for(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, faults=UNREACHABLE)
        rig.gateway.run(recording(25), stop=rig.stop)
        before_ns = rig.clock.boot_ns()
        assert not rig.gateway.finish(0)
        assert rig.clock.boot_ns() == before_ns
        assert rig.gateway.account().balanced
        assert rig.fact("uplink", "records", "waiting to be acknowledged") == 25

    def test_a_broker_that_never_comes_is_waited_for_no_longer_than_said(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, faults=UNREACHABLE)
        rig.gateway.run(recording(25), stop=rig.stop)
        before_ns = rig.clock.boot_ns()
        assert not rig.gateway.finish(7)
        assert 7 * S <= rig.clock.boot_ns() - before_ns < 8 * S

    def test_a_first_signal_ends_the_waiting(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, faults=UNREACHABLE)
        rig.gateway.run(recording(25), stop=rig.stop)
        rig.clock.at.append((rig.clock.boot_ns() + 3 * S, rig.stop.set))
        before_ns = rig.clock.boot_ns()
        assert not rig.gateway.finish(60, rig.stop)
        assert rig.clock.boot_ns() - before_ns < 4 * S

    def test_after_a_stop_what_waits_is_still_sent(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path)
        rig.gateway.run(recording(25), stop=rig.stop)
        rig.stop.set()
        assert rig.gateway.finish(60, rig.stop)
        assert rig.platform.received == [(1, 25)]

    def test_losses_while_the_rest_is_sent_are_told_too(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, maximum_packet_size=FIVE_FIT)
        rig.gateway.run(restless(45), stop=rig.stop)
        assert rig.gateway.finish(60)
        assert not rig.platform.sequence.missing()
        assert rig.platform.sequence.highest == 45
        assert list(rig.platform.sequence.lost) == [(1, 40)]
        assert rig.platform.received == [(41, 45)]


def test_messages_are_split_to_what_the_broker_takes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, maximum_packet_size=FIVE_FIT)
    rig.connect()
    rig.gateway.run(restless(60), stop=rig.stop)
    assert rig.gateway.finish(60)
    assert rig.platform.received == [(1, 60)]
    assert len(rig.platform.messages) > 6


def test_messages_are_split_to_what_the_outbox_holds(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    uplink = rig.loaded.config.uplink.model_copy(update={"queue_bytes": 4 * 232})
    rig.loaded = replace(rig.loaded, config=rig.loaded.config.model_copy(update={"uplink": uplink}))
    rig.gateway = rig.make_gateway()
    rig.gateway.run(restless(30), stop=rig.stop)
    assert rig.gateway.finish(600)
    assert rig.platform.received == [(1, 30)]
    assert len(rig.platform.messages) == 6


def test_a_range_entry_reaches_the_platform_once_when_there_is_room(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink="queue_messages = 10", sampling=OFTEN, faults=UNREACHABLE)

    def reach() -> None:
        rig.link.faults = LinkFaults()

    rig.clock.at.append((40 * S, reach))
    rig.gateway.run(live(rig, "pt", lambda now_ns: [motion(now_ns, 1)], seconds=100), stop=rig.stop)
    assert rig.gateway.finish(60)
    sequence = rig.platform.sequence
    ((first, last),) = sequence.lost
    assert first == 1
    assert last - first + 1 == rig.fact("uplink", "records", "queue full, never sent")
    assert not sequence.missing()
    assert not sequence.recovered
    assert rig.fact("dispatch", "records", "range entries") == 1
    assert rig.gateway.account().balanced


class TestBrokenRuns:
    """Whatever ends a run, what waits is sent and the account stands."""

    def test_a_source_that_goes_away_costs_none_of_the_records_before(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path)
        with pytest.raises(SourceError, match="went away"):
            rig.gateway.run(broken(25), stop=rig.stop)
        assert rig.gateway.finish(60)
        assert rig.platform.received == [(1, 25)]
        assert rig.gateway.account().balanced

    def test_the_account_is_printed_before_the_error_is_raised(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rig = Rig(tmp_path)
        monkeypatch.setattr(rig.gateway, "start", lambda: None)
        with pytest.raises(SourceError, match="went away"):
            run_watched(
                rig.gateway,
                rig.loaded,
                broken(25),
                clock=rig.clock,
                title="",
                drain_s=60,
                live=False,
                as_json=True,
            )
        shown = json.loads(capsys.readouterr().out)
        assert shown["balanced"]
        assert shown["hops"][-1]["left"] == 25

    def test_an_error_of_the_onlooker_costs_no_record(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path)

        def watch(_: Gateway) -> None:
            if rig.gateway.sampler.next_number > 13:
                raise RuntimeError("the screen broke")

        with pytest.raises(RuntimeError, match="the screen broke"):
            rig.gateway.run(recording(25), stop=rig.stop, watch=watch)
        assert rig.gateway.finish(60)
        assert rig.platform.received == [(1, 13)]
        assert rig.gateway.account().balanced


def test_a_gateway_runs_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.gateway.run(recording(5), stop=rig.stop)
    with pytest.raises(ValueError, match="runs once"):
        rig.gateway.run(recording(5), stop=rig.stop)
    assert [hop.name for hop in rig.gateway.account().hops].count("door") == 1


def test_two_gateways_in_one_process_are_two_streams(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for seed in (2, 9):
        gateway = rig.gateway if seed == 2 else rig.make_gateway(seed)
        gateway.run(recording(15), stop=threading.Event())
        assert gateway.finish(60)
        rig.link.cut()
        assert gateway.account().balanced
    assert [list(sequence.received) for sequence in rig.platform.streams.values()] == [[(1, 15)], [(1, 15)]]


class SlowSensor(ItemSource):
    """A sensor whose reading takes time."""

    name = "slow"
    items = ()

    def __init__(self, rig: Rig, *, takes_ms: int) -> None:
        self._rig = rig
        self._takes_ms = takes_ms

    def read(self, timeout_s: float) -> tuple[Observation, ...]:
        del timeout_s
        self._rig.clock.pass_until(self._rig.clock.boot_ns() + self._takes_ms * MS)
        return ()

    def close(self) -> None:
        pass

    def hop(self) -> Hop:
        return Hop("slow", "observations", 0, 0)


class TestLive:
    """Live buses are never waited for, and nothing that was received is passed by."""

    def test_frames_in_the_reorder_buffer_are_in_the_record_of_their_instant(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, buses=("pt", "silent"))

        def frames(now_ns: int) -> list[Frame]:
            return [motion(now_ns - before_ms * MS, now_ns // S % 200) for before_ms in (60, 40, 20)]

        sources = [
            live(rig, "pt", frames, seconds=20, every_ms=70),
            live(rig, "silent", lambda _: [], seconds=20, every_ms=70),
        ]
        together = merge(sources, horizon_s=0.2, clock=rig.clock)
        rig.gateway.run(together, sensors=[SlowSensor(rig, takes_ms=60)], stop=rig.stop)
        assert rig.gateway.finish(60)
        assert rig.fact("records", "records", "frames behind their record") == 0
        assert rig.gateway.account().balanced

    def test_a_stop_drops_nothing_that_was_received(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path, buses=("pt", "silent"))
        sources = [
            live(rig, "pt", lambda now_ns: [motion(now_ns, 7)], seconds=60),
            live(rig, "silent", lambda _: [], seconds=60),
        ]
        together = merge(sources, horizon_s=0.2, clock=rig.clock)
        rig.clock.at.append((9 * S + 50 * MS, rig.stop.set))
        rig.gateway.run(together, stop=rig.stop)
        assert rig.gateway.finish(60)
        hop = rig.gateway.account().hops[0]
        assert hop.entered == hop.left > 70
        assert not hop.set_aside
        assert rig.fact("door", "frames", "nothing allowed") == 0
        assert rig.gateway.account().balanced

    def test_silent_buses_have_a_record_a_second(self, tmp_path: Path) -> None:
        rig = Rig(tmp_path)
        rig.gateway.run(live(rig, "pt", lambda _: [], seconds=30), stop=rig.stop)
        assert rig.gateway.finish(60)
        ((first, last),) = rig.platform.received
        assert first == 1
        assert 28 <= last <= 30
