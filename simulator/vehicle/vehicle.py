"""`ReferenceVehicle`: the simulated vehicle as the buses see it, frame by frame."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.database.model import Database
from edge.frames import FD_BYTES, FrameBatch, concatenate
from simulator.vehicle.channels import CHUNK_STEPS, STEP_NS
from simulator.vehicle.encoder import MessageEncoder
from simulator.vehicle.physics import Chunk, Physics
from simulator.vehicle.scenario import Scenario, named
from simulator.vehicle.timing import Cycle, Wire, frame_ns
from simulator.vehicle.wiring import BUSES, DATABASES, load_databases, load_wiring

Int64s = npt.NDArray[np.int64]

BATCH_NS = 100_000_000
DEFAULT_CYCLE_MS = 1_000


class _Bus:
    """One bus: its messages' encoders and cycles, and the wire that they share."""

    def __init__(self, place: int, name: str, database: Database, physics: Physics, seed: int) -> None:
        self.place = place
        wiring = load_wiring(name)
        messages = database.messages
        self._senders = [
            (
                MessageEncoder(message, wiring, physics.rows),
                Cycle(
                    message.cycle_time_ms or DEFAULT_CYCLE_MS,
                    random.Random(f"{seed}:{name}:{message.name}"),  # noqa: S311 - reproducible, nothing secret
                ),
            )
            for message in messages
        ]
        self._ids = np.array([message.arbitration_id for message in messages], np.uint32)
        self._flags = np.array([encoder.flags for encoder, _ in self._senders], np.uint16)
        self._lengths = np.array([message.length for message in messages], np.uint16)
        self._lasts_ns = np.array(
            [frame_ns(message.length, extended=message.extended, fd=message.is_fd) for message in messages],
            np.int64,
        )
        self._wire = Wire()

    def frames(self, chunk: Chunk, timebase: Timebase) -> FrameBatch:
        """The frames that are asked for during `chunk`, in the order in which they are received."""
        begin_ns = chunk.first_step * STEP_NS
        asked: list[Int64s] = []
        payloads: list[npt.NDArray[np.uint8]] = []
        for encoder, cycle in self._senders:
            times = cycle.until(chunk.end_ns)
            steps = np.minimum((times - begin_ns) // STEP_NS, CHUNK_STEPS - 1).astype(np.intp)
            if encoder.gate is not None:
                sent = chunk.values[encoder.gate, steps] != 0
                times, steps = times[sent], steps[sent]
            asked.append(times)
            payloads.append(encoder.encode(chunk.values, steps))
        counts = [len(times) for times in asked]
        data = np.zeros((sum(counts), FD_BYTES), np.uint8)
        begin = 0
        for count, payload in zip(counts, payloads, strict=True):
            data[begin : begin + count, : payload.shape[1]] = payload
            begin += count
        asked_ns = np.concatenate(asked)
        sender = np.repeat(np.arange(len(counts)), counts)
        # The lower id wins where two are asked for in the same nanosecond, as arbitration has it.
        order = np.lexsort((self._ids[sender], asked_ns))
        sender = sender[order]
        return FrameBatch(
            t_ns=self._wire.sent(asked_ns[order], self._lasts_ns[sender]),
            bus=np.full(len(order), self.place, np.uint8),
            arbitration_id=self._ids[sender],
            flags=self._flags[sender],
            length=self._lengths[sender],
            data=data[order],
            buses=BUSES,
            timebase=timebase,
        )


class ReferenceVehicle:
    """A battery-electric vehicle with four buses, the same to the last bit for the same seed and scenario.

    Attributes:
        scenario: what the driver does.
        databases: by bus name.
        fd_buses: names of the buses that carry CAN FD.
        timebase: relates its time, which begins at 0, to the scenario's wall time.
        channels: names of all quantities that `truth` knows.
        sent: frames handed out so far.
        sent_by_bus: the same by bus.
    """

    buses = BUSES

    def __init__(
        self,
        seed: int = 1,
        scenario: Scenario | str = "drive",
        *,
        folder: Path = DATABASES,
        history_s: float = 30.0,
    ) -> None:
        """Build the vehicle.

        Args:
            seed: decides everything that is drawn.
            scenario: a `Scenario`, or the name of one.
            folder: where the four databases are.
            history_s: how far back `truth` reaches.

        Raises:
            DatabaseError: if a database is missing or broken.
            ConfigError: if there is no scenario of that name.
        """
        self.scenario = named(scenario) if isinstance(scenario, str) else scenario
        self.databases = load_databases(folder)
        self.fd_buses = frozenset(
            name
            for name, database in self.databases.items()
            if any(message.is_fd for message in database.messages)
        )
        wall_ns = round(self.scenario.start.timestamp()) * NS_PER_S
        self.timebase = Timebase(wall_ns, TimeQuality.GNSS)
        self._physics = Physics(seed, self.scenario)
        self._buses = [
            _Bus(place, name, self.databases[name], self._physics, seed) for place, name in enumerate(BUSES)
        ]
        self.channels = tuple(self._physics.rows)
        self.sent = 0
        self.sent_by_bus: Counter[str] = Counter(dict.fromkeys(BUSES, 0))
        chunks = max(1, -(-round(history_s * NS_PER_S) // (CHUNK_STEPS * STEP_NS))) + 1
        self._history: deque[Chunk] = deque(maxlen=chunks)
        self._waiting = FrameBatch.empty(BUSES, FD_BYTES)
        self._computed_ns = 0
        self._handed_ns = 0

    def frames(self, duration_s: float) -> Iterator[FrameBatch]:
        """The frames of the next `duration_s` (infinity for ever), in batches of 100 ms.

        Times are nanoseconds from 0, at the end of each frame on its bus, in order across the buses. A
        further call goes on where the one before it stopped. How the time is cut into calls changes no frame.
        """
        forever = duration_s == float("inf")
        end_ns = None if forever else self._handed_ns + round(duration_s * NS_PER_S)
        while end_ns is None or self._handed_ns < end_ns:
            until_ns = (self._handed_ns // BATCH_NS + 1) * BATCH_NS
            yield self._hand_out(until_ns if end_ns is None else min(until_ns, end_ns))

    def _hand_out(self, until_ns: int) -> FrameBatch:
        while self._computed_ns < until_ns:
            self._compute()
        waiting = self._waiting
        cut = int(np.searchsorted(waiting.t_ns, until_ns, side="left"))
        batch = waiting.take(slice(0, cut))
        self._waiting = waiting.take(slice(cut, None))
        self._handed_ns = until_ns
        self.sent += len(batch)
        for place, count in enumerate(np.bincount(batch.bus, minlength=len(BUSES)).tolist()):
            self.sent_by_bus[BUSES[place]] += count
        return batch

    def _compute(self) -> None:
        chunk = self._physics.advance()
        self._history.append(chunk)
        parts = [bus.frames(chunk, self.timebase) for bus in self._buses]
        if len(self._waiting):
            parts.insert(0, self._waiting)
        united = concatenate(parts)
        self._waiting = united.take(np.lexsort((united.bus, united.t_ns)))
        self._computed_ns = chunk.end_ns

    def truth(self, t_ns: int) -> Mapping[str, float]:
        """The physical state at `t_ns`, by channel.

        It is held for 10 ms from each step. A frame carries the state of the moment at which it was asked
        for, which is at most a few milliseconds before the time that it bears.

        Raises:
            LookupError: if the instant was not simulated yet or lies further back than the history.
        """
        step = t_ns // STEP_NS
        for chunk in self._history:
            if chunk.first_step <= step < chunk.first_step + CHUNK_STEPS:
                column = chunk.values[:, step - chunk.first_step].tolist()
                return dict(zip(self.channels, column, strict=True))
        raise LookupError(f"the state at {t_ns} ns is not held")
