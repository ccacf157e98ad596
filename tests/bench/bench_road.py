"""The whole road: replay against the car's own time, memory of `run`, sizes of the reference vehicle."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge.bus.memory import MemorySource
from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.clock import NS_PER_S, SystemClock
from edge.config.configuration import load_config
from edge.dispatch import CoseDispatch
from edge.gateway import Gateway
from edge.loading import load
from edge.road import VolatileRoad
from simulator.broker import EmbeddedBroker
from simulator.vehicle.player import Player, open_buses
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.bench.comparison import Comparison
from tests.conftest import SHARED_DATA
from tests.road.conftest import PROJECT, Bench, set_up
from tests.road.test_recordings import KONA_BUSES

ROUNDS = 5
PLAY_S = 20.0
WARM_S = 8.0
GROUPS = {
    name: f"239.74.163.{place}:{43100 + place}" for place, name in enumerate(ReferenceVehicle.buses, start=10)
}


def measure() -> list[Comparison]:
    """Measure all of it; what needs recordings is left out where they are not beside the project."""
    rows: list[Comparison] = []
    if SHARED_DATA.is_dir():
        rows += _replay(SHARED_DATA / "kona-ev")
    rows += [_message_size(60, "at most 45 for 80 moving values"), _message_size(10, "at most 80")]
    rows.append(_memory())
    return rows


@contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / "broker").mkdir()
        yield stack.enter_context(set_up(Path(folder), EmbeddedBroker(Path(folder) / "broker")))


def _replay(data: Path) -> list[Comparison]:
    """Replay the recording to its last receipt; platform and gateway share one core."""
    recording = next(data.glob("230112-7-*.csv"))
    cores = os.sched_getaffinity(0)
    with _bench() as bench:
        config = bench.configure(KONA_BUSES.format(data=data, dbc=PROJECT / "dbc"))
        os.sched_setaffinity(0, {min(cores)})
        try:
            loaded = load(load_config(config))
            inside = [_replay_once(loaded, recording) for _ in range(ROUNDS)]
            command = [
                sys.executable,
                "-m",
                "edge",
                "replay",
                str(recording),
                "--config",
                str(config),
                "--json",
            ]
            outside = [_timed(command) for _ in range(3)]
        finally:
            os.sched_setaffinity(0, cores)
    car_s = 10.842
    return [
        Comparison(
            f"replay of the Kona recording to the last receipt, {words}",
            statistics.median(times),
            car_s,
            "s",
            "the car",
            car_s / statistics.median(times),
            asked,
        )
        for words, times, asked in (
            ("configuration loaded", inside, "at least 20 times the car"),
            ("as a command, start of Python and its libraries included", outside, ""),
        )
    ]


def _replay_once(loaded: object, recording: Path) -> float:
    start = time.perf_counter()
    gateway = Gateway(loaded, clock=SystemClock(), rng=random.Random(1), draw=os.urandom)  # type: ignore[arg-type] # noqa: S311 - jitter
    gateway.start()
    source = merge([open_recording(recording, buses={"0": "pcan", "1": "ccan"})])
    gateway.run(source, stop=threading.Event())
    if not gateway.finish(30):
        raise RuntimeError("not everything was acknowledged")
    return time.perf_counter() - start


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _reference_buses(extra: str = "") -> str:
    return "".join(
        f'[[bus]]\nname = "{name}"\n{extra.format(group=GROUPS[name])}'
        f'[[bus.database]]\nfile = "{PROJECT}/dbc/nev-{name}.dbc"\n'
        for name in ReferenceVehicle.buses
    )


def _message_size(records: int, asked: str) -> Comparison:
    """Bytes of signed messages a record, over a drive of the reference vehicle, arrays of cells and all."""
    with _bench() as bench:
        config = bench.configure(_reference_buses() + f"[sampling]\nuplink_period_s = {min(records, 30)}\n")
        loaded = load(load_config(config))
        gateway = Gateway(loaded, clock=SystemClock(), rng=random.Random(1), draw=os.urandom)  # noqa: S311 - jitter
        if isinstance(gateway.road, VolatileRoad) and isinstance(gateway.road.dispatch, CoseDispatch):
            gateway.road.dispatch.live_records = records
        vehicle = ReferenceVehicle(1)
        source = MemorySource(vehicle.frames(records * 3 + 1), buses=vehicle.buses, timebase=vehicle.timebase)
        gateway.start()
        gateway.run(source, stop=threading.Event())
        gateway.finish(30)
        hop = next(hop for hop in gateway.account().hops if hop.name == "dispatch")
        sizes = hop.facts["bytes"] / hop.entered
        values = sum(len(v) if isinstance(v, tuple) else 1 for v in bench.stored()[-1].record.values.values())
    return Comparison(
        f"signed message of {records} records of the reference vehicle, {values} values a record",
        sizes,
        None,
        "bytes/record",
        "",
        None,
        asked,
    )


def _memory() -> Comparison:
    """Resident memory of `nevgate run` on four virtual buses after some time of driving."""
    with _bench() as bench, ExitStack() as stack:
        live = 'interface = "udp_multicast"\nchannel = "{group}"\nfd = true\n'
        config = bench.configure(_reference_buses(live))
        process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(config), "--no-live"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        clock = SystemClock()
        player = Player(open_buses(stack, "udp_multicast", GROUPS), clock)
        resident: list[int] = []
        stop = threading.Event()

        def watch() -> None:
            begin = clock.boot_ns()
            while not stop.wait(0.5) and process.poll() is None:
                if clock.boot_ns() - begin > WARM_S * NS_PER_S:
                    resident.append(_resident_bytes(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        player.play(ReferenceVehicle(1).frames(PLAY_S))
        stop.set()
        watcher.join()
        process.send_signal(signal.SIGINT)
        process.wait(30)
    return Comparison(
        "memory of run, four buses, 2,250 frames/s",
        statistics.median(resident) / 1e6,
        None,
        "MB resident",
        "",
        None,
        "under 150",
    )


def _resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
