"""A backlog of days at a local Mosquitto: how fast it drains, and what that does to live records.

`python -m tests.bench.bench_backlog --hours 72` drains the whole of it; the bench table drains some hours.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.bus.memory import MemorySource
from edge.clock import NS_PER_S, SystemClock, Timebase, TimeQuality
from edge.config.configuration import load_config
from edge.frames import FrameBatch, concatenate
from edge.gateway import Gateway
from edge.loading import Loaded, load
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from simulator.broker import MosquittoBroker
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.bench.comparison import Comparison
from tests.bench.filled_journal import Filled, fill, vehicle_records
from tests.road.conftest import PROJECT, VIN

HOURS = 4.0
"""Of the bench table; the rate does not depend on it."""

CALM_S = 30.0
"""Live records alone, before and after, for comparison."""

_PATTERN_S = 120
_DRAIN_MOST_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain came to.

    Attributes:
        filled: the backlog.
        drain_s: from the start of the gateway to the receipt for the last record of the backlog.
        cpu_s: processor time of the gateway's process meanwhile.
        delays_s: of live records from their instant to the platform's store, during the drain.
        calm_s: the same with nothing else to send.
        messages: messages of backlog.
        missing: numbers that the platform neither has nor was told of.
        most_mb: largest resident memory of the gateway's process.
    """

    filled: Filled
    drain_s: float
    cpu_s: float
    delays_s: Sequence[float]
    calm_s: Sequence[float]
    messages: int
    missing: int
    most_mb: float


def measure() -> list[Comparison]:
    """Drain some hours."""
    return rows(drain(HOURS))


def rows(done: Drained) -> list[Comparison]:
    """Lay a drain out for the table."""
    hours = done.filled.records / 3600
    what = f"backlog of {hours:g} h at 1 Hz to a local Mosquitto, platform with its store behind it"
    during, calm = (_quantile(times, 0.5) for times in (done.delays_s, done.calm_s))
    late, calm_late = (_quantile(times, 0.99) for times in (done.delays_s, done.calm_s))
    beside = "the same without backlog"
    if done.missing:
        raise RuntimeError(f"the platform misses {done.missing} records")
    return [
        Comparison(
            what, done.filled.records / done.drain_s, None, "times real time", "", None, "at least 200"
        ),
        Comparison(f"{what}: processor", 100 * done.cpu_s / done.drain_s, None, "% of a core", "", None, ""),
        Comparison(
            f"{what}: records a message",
            done.filled.records / max(1, done.messages),
            None,
            "records",
            "",
            None,
            "",
        ),
        Comparison(
            "live record meanwhile, from its instant to the store, median",
            during,
            calm,
            "s",
            beside,
            calm / during,
            "keeps its pace",
        ),
        Comparison(
            "live record meanwhile, 99th percentile", late, calm_late, "s", beside, calm_late / late, ""
        ),
        Comparison(
            "largest memory of the gateway's process", done.most_mb, None, "MB resident", "", None, ""
        ),
        Comparison(
            "journal of such records, one-second blocks",
            done.filled.bytes / hours / 1e6,
            None,
            "MB/hour",
            "",
            None,
            "",
        ),
    ]


def drain(hours: float) -> Drained:
    """Fill a journal, then start a gateway on it with a vehicle that goes on driving."""
    clock = SystemClock(TimeQuality.NTP)
    with tempfile.TemporaryDirectory() as name, _platform(Path(name)) as port:
        folder = Path(name)
        loaded = load(load_config(_configuration(folder, port)))
        stream = _make_journal(loaded, clock)
        filled = fill(folder / "journal", stream, vehicle_records(loaded, clock, _PATTERN_S), hours, clock)
        vehicle = ReferenceVehicle(1)
        seconds = [_thinned(list(vehicle.frames(1.0))) for _ in range(_PATTERN_S)]
        gateway = Gateway(loaded, clock=clock, rng=random.Random(1), draw=os.urandom)  # noqa: S311 - jitter
        stop = threading.Event()
        gateway.start()
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        thread = threading.Thread(target=lambda: gateway.run(_driving(seconds, clock), stop=stop))
        thread.start()
        ended_s = _wait_for(folder / "platform.db", filled.records)
        cpu_s = time.process_time() - start_cpu_s
        ended_ns = time.time_ns()
        time.sleep(CALM_S)
        stop.set()
        thread.join()
        gateway.finish(30)
        time.sleep(1)
        with sqlite3.connect(folder / "platform.db") as store:
            live = store.execute(
                "SELECT (m.received_ns - r.wall_ns) / 1e9, m.received_ns FROM record r"
                " JOIN message m ON m.id = r.message WHERE m.kind = 'live' AND r.number > ?",
                (filled.records,),
            ).fetchall()
            (messages,) = store.execute("SELECT count(*) FROM message WHERE kind = 'backlog'").fetchone()
            have, most = store.execute("SELECT count(*), max(number) FROM record").fetchone()
        store.close()
    return Drained(
        filled,
        ended_s - start_s,
        cpu_s,
        [delay for delay, received_ns in live if received_ns <= ended_ns],
        [delay for delay, received_ns in live if received_ns > ended_ns],
        messages,
        most - have,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


@contextmanager
def _platform(folder: Path) -> Iterator[int]:
    """Mosquitto, and the platform as a process of its own; the broker's port."""
    (folder / "keys").mkdir()
    (folder / "broker").mkdir()
    write_signing_key(folder / "keys" / f"{VIN}.pem", SigningKey.seeded(b"vehicle"))
    write_signing_key(folder / "platform.pem", SigningKey.seeded(b"platform"))
    with MosquittoBroker(folder / "broker") as broker, ExitStack() as stack:
        port = broker.port()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "edge", "platform", "serve", "--broker", f"127.0.0.1:{port}"),
                *("--keys", str(folder / "keys"), "--store", str(folder / "platform.db")),
                *("--key", str(folder / "platform.pem"), "--json"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        yield port


def _configuration(folder: Path, port: int) -> Path:
    buses = "".join(
        f'[[bus]]\nname = "{name}"\n[[bus.database]]\nfile = "{PROJECT}/dbc/nev-{name}.dbc"\n'
        for name in ReferenceVehicle.buses
    )
    path = folder / "nevgate.toml"
    path.write_text(
        f'[vehicle]\nvin = "{VIN}"\n{buses}\n[policy]\nprofile = "gbt44464"\n'
        f'[uplink]\nhost = "127.0.0.1"\nport = {port}\ntls.enabled = false\n'
        "[sampling]\nuplink_period_s = 1.0\n"
        f'[signing]\nkey = "keys/{VIN}.pem"\nplatform = "platform.pub.pem"\n'
        f'[journal]\nfolder = "{folder}/journal"\n'
    )
    return path


def _make_journal(loaded: Loaded, clock: SystemClock) -> bytes:
    gateway = Gateway(loaded, clock=clock, rng=random.Random(1), draw=os.urandom)  # noqa: S311 - jitter
    stream = gateway.identity.stream
    gateway.road.close()
    return stream


def _driving(seconds: Sequence[FrameBatch], clock: SystemClock) -> MemorySource:
    """The vehicle in real time, each id once a second, since the road behind the sampler is measured."""

    def batches() -> Iterator[FrameBatch]:
        start_ns = clock.boot_ns()
        tenths = 0
        while True:
            due_ns = start_ns + tenths * NS_PER_S // 10
            time.sleep(max(0.0, (due_ns - clock.boot_ns()) / NS_PER_S))
            second = seconds[tenths // 10 % len(seconds)]
            moved = replace(
                second,
                t_ns=second.t_ns % NS_PER_S + due_ns - NS_PER_S,
                timebase=Timebase(clock.timebase().wall_offset_ns, TimeQuality.NTP),
            )
            yield moved if tenths % 10 == 0 else moved.take(slice(0, 0))
            tenths += 1

    return MemorySource(
        batches(), name="vehicle", buses=ReferenceVehicle.buses, timebase=clock.timebase(), live=True
    )


def _thinned(batches: Sequence[FrameBatch]) -> FrameBatch:
    """The last frame of each id."""
    whole = concatenate(batches)
    keys = (whole.bus.astype(np.int64) << 32) | whole.arbitration_id
    _, places = np.unique(keys[::-1], return_index=True)
    return whole.take(np.sort(len(keys) - 1 - places))


def _wait_for(store: Path, number: int) -> float:
    """Wait until the platform has stored so many records; the time of it."""
    give_up_s = time.perf_counter() + _DRAIN_MOST_S
    while time.perf_counter() < give_up_s:
        time.sleep(0.5)
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            (have,) = connection.execute(
                "SELECT count(*) FROM record WHERE number <= ?", (number,)
            ).fetchone()
        connection.close()
        if have >= number:
            return time.perf_counter()
    raise TimeoutError("the backlog did not drain in an hour")


def _quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


if __name__ == "__main__":
    from rich.console import Console

    from tests.bench.__main__ import table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=72.0)
    Console(width=160).print(table(rows(drain(parser.parse_args().hours))))
