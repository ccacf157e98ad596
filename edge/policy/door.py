"""The door: what the rules forbid leaves a batch here, before anything else sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from edge import accelerated
from edge.accelerated import Accelerator
from edge.account import Hop
from edge.database.model import SignalRef
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, FrameFlag, Indices, Int64s, UInt8s, UInt16s
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.compiled_masks import CompiledMasks
from edge.policy.containers import open_containers
from edge.policy.gates import Gate, Gates
from edge.policy.isotp_transport import IsotpTransport
from edge.policy.j1939_transport import J1939Transport, is_transport
from edge.policy.judgement import Reason
from edge.policy.layers import Booleans, raw_values
from edge.policy.masks import REMOVED, STANDARD_IDS, UNKNOWN_ROW, Int32s, MaskSet, Row, split_by_row
from edge.policy.split import ClassPart
from edge.policy.transport import LOST, WAITING, Reassembled, Segment

ERROR = "error frame"
REMOTE = "remote frame"
UNKNOWN_BUS = "unknown bus"
UNKNOWN_ID = "unknown id"
NOTHING_ALLOWED = "nothing allowed"
TOO_SHORT = "too short for its checksum"
TOO_LONG = "longer than its checksum covers"
NO_PDU = "container of which no PDU passes"

REFUSED_IDS = 65_536
"""Ids that are counted one by one beside the 11-bit ones; frames of further ids are counted together."""


@dataclass(slots=True)
class _Pass:
    """One batch on its way through.

    Attributes:
        rows: mask row of each frame.
        judged: frames that are judged by their row: not set aside, no segment.
        whole: reassembled messages by the place of their last segment.
        forced: diagnostic messages that pass by a rule, with the bytes that pass.
        single: those of them that were a single frame and stay one.
        further: PDUs that pass beside the first of their container, which stands for the frame.
    """

    rows: Int32s
    judged: Booleans
    whole: dict[int, bytes] = field(default_factory=dict)
    forced: dict[int, bytes] = field(default_factory=dict)
    single: set[int] = field(default_factory=set)
    further: int = 0


DESCRIBED = "frames that a database describes"
FURTHER_PDUS = "further PDUs of containers"


class Door:
    """Keeps the bits of signals whose class is collected and drops all others (docs/class-files.md).

    What it lets pass changes with the classes to collect, from one batch to the next; besides, it only
    remembers messages that are not whole yet, and counts. `split` and `gate_of` may be asked by any thread;
    the rest is for one.
    """

    def __init__(
        self,
        buses: Mapping[str, Sequence[ClassedDatabase]],
        collect: Collection[DataClass],
        admission: str = "",
    ) -> None:
        """Build the masks.

        Args:
            buses: the databases of each bus by its name; a bus without databases passes nothing.
            collect: the classes to collect.
            admission: name of the `Admission` that says so, which goes into the name of the mask.
        """
        self._gates = Gates(buses)
        self._standing = self._gate = self._gates.of(collect)
        self._admission = admission
        self._numbers = {bus: number for number, bus in enumerate(self._gate.masks.buses)}
        self._j1939 = J1939Transport()
        self._isotp = IsotpTransport()
        self._entered = 0
        self._left = 0
        self._described = 0
        self._newest_ns = 0
        self._set_aside: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()
        self._removed = np.zeros(len(REMOVED), np.int64)
        self._passed = np.zeros(len(DataClass), np.int64)
        self._changes = 0
        self._refused_standard = np.zeros(len(self._masks.buses) * STANDARD_IDS, np.int64)
        self._refused_extended: Counter[tuple[str, int]] = Counter()
        self._refused_elsewhere = 0
        self._compiled: dict[str, CompiledMasks] = {}

    @property
    def mask(self) -> str:
        """The name of the mask in force.

        A hash over databases, classes, the classes to collect and the rules; behind a slash, the admission
        that says so, if it has a name.
        """
        name = self._gate.name
        return f"{name}/{self._admission}" if self._admission else name

    @property
    def _masks(self) -> MaskSet:
        return self._gate.masks

    def adopt(self, collect: Collection[DataClass], admission: str = "") -> None:
        """Collect other classes from the next batch on.

        Args:
            collect: the classes to collect.
            admission: name of the `Admission` that says so.
        """
        self._standing = self._gates.of(collect)
        self._admission = admission
        self._turn_to(self._standing)

    def admits(self, data_class: DataClass) -> bool:
        """Whether data of `data_class` may be collected now, anywhere but where less is."""
        return data_class in self._standing.collect

    def collected(self, ref: SignalRef) -> bool:
        """Whether a signal passes, whole and whenever it is there; False for what no database knows."""
        return ref in self._gate.collected

    def withheld(self) -> frozenset[SignalRef]:
        """All signals of the databases that do not pass."""
        return frozenset(self._gate.reasons)

    def reason(self, ref: SignalRef) -> Reason | None:
        """Why a signal is withheld; None if it passes, or if no database knows it."""
        return self._gate.reasons.get(ref)

    def gate_of(self, mask: str) -> Gate | None:
        """What passed under a mask of these databases, also one that is no longer in force."""
        return self._gates.of_mask(mask)

    def admit(self, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
        """Let a batch through.

        The arrays of `batch` are not written to. The order of frames is kept; a reassembled message stands
        in the place of its last segment.

        Args:
            batch: frames as they came from a bus.
            withhold: classes that are not collected for this batch, such as inside a forbidden area.

        Returns:
            The frames of which something may be collected, all other bits 0, under the name `mask`.

        Raises:
            ValueError: if the batch has been through a door already.
        """
        if batch.mask:
            raise ValueError(f"the batch went through the mask {batch.mask} already")
        self._turn_to(
            self._gates.of(self._standing.collect - frozenset(withhold)) if withhold else self._standing
        )
        self._entered += len(batch)
        if not len(batch):
            return replace(batch, mask=self.mask)
        numbers = np.array([self._numbers.get(name, -1) for name in batch.buses], np.int64)
        native = accelerated.native
        at_once = None if native is None else self._admit_compiled(native, batch, numbers)
        return self._admit(batch, numbers) if at_once is None else at_once

    def _admit(self, batch: FrameBatch, numbers: Int64s) -> FrameBatch:
        """Let a batch of at least one frame through, whatever it holds; `numbers` are those of its buses."""
        self._newest_ns = max(self._newest_ns, int(batch.t_ns.max()))
        bus = numbers[batch.bus]
        extended = batch.has(FrameFlag.EXTENDED)
        # Only what is put together here may say that it was: its class is told otherwise, see `ClassSplit`.
        batch = replace(batch, flags=batch.flags & ~np.uint16(FrameFlag.REASSEMBLED))
        passing = self._begin(batch, bus, extended)
        batch = self._reassemble(batch, passing, bus, extended)
        batch, bus = self._open_containers(batch, passing, bus)
        keeps = passing.judged & self._masks.keeps[passing.rows]
        long_enough = batch.length >= self._masks.shortest[passing.rows]
        fits = long_enough & (batch.length <= self._masks.longest[passing.rows])
        self._count(batch, bus, passing, keeps)
        self._set_aside[TOO_SHORT] += int(np.count_nonzero(keeps & ~long_enough))
        self._set_aside[TOO_LONG] += int(np.count_nonzero(keeps & long_enough & ~fits))
        keep = keeps & fits
        keep[list(passing.forced)] = True
        places = np.flatnonzero(keep)
        self._left += len(places) - passing.further
        return self._masked(batch, passing, places)

    def _admit_compiled(self, native: Accelerator, batch: FrameBatch, numbers: Int64s) -> FrameBatch | None:
        """Do what `_admit` does, with the same outcome, where one look at each frame is enough; else None."""
        compiled = self._compiled.get(self._gate.name)
        if compiled is None:
            compiled = self._compiled[self._gate.name] = CompiledMasks(self._masks)
        judged = compiled.judge(native, batch, numbers, self._refused_standard)
        if judged is None:
            return None
        self._newest_ns = max(self._newest_ns, judged.newest_ns)
        self._described += judged.described
        self._set_aside += Counter(
            {
                ERROR: judged.error,
                REMOTE: judged.remote,
                UNKNOWN_BUS: judged.unknown_bus,
                UNKNOWN_ID: judged.unknown_id,
                NOTHING_ALLOWED: judged.nothing,
                TOO_SHORT: judged.too_short,
                TOO_LONG: judged.too_long,
            }
        )
        self._removed += judged.judged_rows @ self._masks.removes
        self._passed += judged.kept_rows @ self._masks.passes
        self._refuse_all(judged.refused_beyond)
        self._left += judged.kept
        return replace(compiled.masked(native, batch, judged), mask=self.mask)

    def split(self, batch: FrameBatch) -> Mapping[DataClass, ClassPart]:
        """Divide what this door, or one built alike, has admitted by data class, see `ClassSplit.split`.

        Raises:
            ValueError: the batch went through a door over other databases, or none.
        """
        gate = self._gates.of_mask(batch.mask)
        if gate is None:
            raise ValueError(
                f"the batch went through {batch.mask or 'no mask'}, which is none of this door's"
            )
        return gate.split.split(batch)

    def hop(self) -> Hop:
        """The account: every frame that entered left, or is counted under one cause."""
        set_aside = self._set_aside + self._j1939.set_aside + self._isotp.set_aside
        for transport in (self._j1939, self._isotp):
            waiting, over = transport.waiting(self._newest_ns)
            set_aside[WAITING] += waiting
            set_aside[LOST] += over
        facts = self._j1939.facts + self._isotp.facts + self._facts
        facts[DESCRIBED] = self._described
        for name, count in zip(REMOVED, self._removed, strict=True):
            facts[f"frames with {name} removed"] = int(count)
        for data_class, count in zip(DataClass, self._passed, strict=True):
            facts[f"frames with {data_class} kept"] = int(count)
        facts["changes of the mask"] = self._changes
        facts["frames of ids beyond the table of refused ids"] = self._refused_elsewhere
        return Hop(
            name="door",
            unit="frames",
            entered=self._entered,
            left=self._left,
            set_aside=MappingProxyType({cause: count for cause, count in set_aside.items() if count}),
            facts=MappingProxyType({name: count for name, count in facts.items() if count}),
        )

    def refused_ids(self) -> Mapping[tuple[str, int], int]:
        """Frames dropped whole because their id is unknown or nothing of it is allowed, by bus and id."""
        refused = Counter(self._refused_extended)
        for place in np.flatnonzero(self._refused_standard):
            bus, identifier = divmod(int(place), STANDARD_IDS)
            refused[self._masks.buses[bus], identifier] += int(self._refused_standard[place])
        return MappingProxyType(dict(sorted(refused.items())))

    def _turn_to(self, gate: Gate) -> None:
        """Let through what `gate` says; what began under another one is not made whole under this."""
        if gate is not self._gate:
            self._gate = gate
            self._changes += 1
            self._j1939.forget()
            self._isotp.forget()

    def _begin(self, batch: FrameBatch, bus: Int64s, extended: Booleans) -> _Pass:
        error = batch.has(FrameFlag.ERROR)
        remote = batch.has(FrameFlag.REMOTE) & ~error
        known = bus >= 0
        judged = known & ~(error | remote)
        self._set_aside[ERROR] += int(np.count_nonzero(error))
        self._set_aside[REMOTE] += int(np.count_nonzero(remote))
        self._set_aside[UNKNOWN_BUS] += int(np.count_nonzero(~(known | error | remote)))
        if self._masks.buses:
            rows = self._masks.find(np.maximum(bus, 0), batch.arbitration_id, extended)
            rows[~judged] = UNKNOWN_ROW
            self._described += int(np.count_nonzero(rows != UNKNOWN_ROW))
        else:
            rows = np.zeros(len(batch), np.int32)
        return _Pass(rows, judged)

    def _reassemble(self, batch: FrameBatch, passing: _Pass, bus: Int64s, extended: Booleans) -> FrameBatch:
        """Take segments out of the batch and put whole messages in the places of their last segments."""
        isotp = self._isotp_segments(batch, passing)
        j1939 = passing.judged & extended & ~isotp
        if self._masks.speaks_j1939.any():
            j1939 &= self._masks.speaks_j1939[bus] & is_transport(batch.arbitration_id)
        else:
            j1939[:] = False
        places = np.flatnonzero(isotp | j1939)
        passing.judged[places] = False
        rebuilt: dict[int, Reassembled] = {}
        for place in places.tolist():
            segment = Segment(
                bus=int(bus[place]),
                t_ns=int(batch.t_ns[place]),
                arbitration_id=int(batch.arbitration_id[place]),
                extended=bool(extended[place]),
                data=batch.data[place, : int(batch.length[place])].tobytes(),
            )
            if j1939[place]:
                message = self._j1939.push(segment)
                if message is not None:
                    rebuilt[place] = message
                    passing.whole[place] = message.payload
            else:
                message = self._isotp.push(segment)
                if message is not None:
                    self._judge_diagnostics(passing, place, segment, message)
        return self._rebuilt(batch, passing, bus, rebuilt)

    def _isotp_segments(self, batch: FrameBatch, passing: _Pass) -> Booleans:
        """Which frames of ISO-TP ids are no single frames that their message describes."""
        found: Booleans = self._masks.channels[passing.rows]
        places = np.flatnonzero(found)
        first = batch.data[places, 0]
        found[places] = ~(
            self._masks.described[passing.rows[places]]
            & (batch.length[places] > 0)
            & (first > 0)
            & (first < CLASSIC_BYTES)
        )
        return found

    def _judge_diagnostics(self, passing: _Pass, place: int, segment: Segment, message: Reassembled) -> None:
        row = self._masks.rows[int(passing.rows[place])]
        classes = {rule.data_class for rule in row.rules if rule.matches(message.payload)}
        if not classes or not classes <= self._gate.collect:
            self._set_aside[NOTHING_ALLOWED] += 1
            self._refuse(segment.bus, segment.arbitration_id)
            return
        self._passed += [data_class in classes for data_class in DataClass]
        length = bytes([len(message.payload) & 0xFF])
        if 0 < segment.data[0] < CLASSIC_BYTES:
            passing.single.add(place)
        passing.forced[place] = _without_withheld(row, length + message.payload)

    def _rebuilt(
        self, batch: FrameBatch, passing: _Pass, bus: Int64s, rebuilt: Mapping[int, Reassembled]
    ) -> FrameBatch:
        """The batch with ids, flags and lengths of whole messages; their bytes stay in `passing`."""
        lengths = {place: len(message.payload) for place, message in rebuilt.items()}
        lengths |= {
            place: len(payload) for place, payload in passing.forced.items() if place not in passing.single
        }
        if not lengths:
            return batch
        arbitration_id, flags, length = batch.arbitration_id.copy(), batch.flags.copy(), batch.length.copy()
        flags[list(lengths)] |= np.uint16(FrameFlag.REASSEMBLED)
        length[list(lengths)] = list(lengths.values())
        whole = np.array(list(rebuilt), np.intp)
        arbitration_id[whole] = [message.arbitration_id for message in rebuilt.values()]
        passing.judged[whole] = True
        rows = self._masks.find(bus[whole], arbitration_id[whole], np.ones(len(whole), np.bool_))
        # Behind the door any message on an id of ISO-TP counts as one that a rule let pass, of its class.
        passing.rows[whole] = np.where(self._masks.channels[rows], UNKNOWN_ROW, rows)
        return replace(batch, arbitration_id=arbitration_id, flags=flags, length=length)

    def _open_containers(self, batch: FrameBatch, passing: _Pass, bus: Int64s) -> tuple[FrameBatch, Int64s]:
        """Put the PDUs that pass in the places of their containers; return the batch and its bus numbers."""
        containers = np.flatnonzero(passing.judged & self._masks.containers[passing.rows])
        if not len(containers):
            return batch, bus
        opened = open_containers(batch, passing.rows, containers, passing.whole, self._masks)
        for cause, count in opened.refused.items():
            self._facts[f"PDUs refused: {cause}"] += count
        self._facts[FURTHER_PDUS] += opened.further
        self._set_aside[NO_PDU] += opened.emptied
        rows = np.bincount(opened.refused_rows, minlength=len(self._masks.rows))
        self._removed += rows @ self._masks.removes
        passing.rows, passing.judged = opened.rows, passing.judged[opened.sources]
        passing.further = opened.further
        done = set(containers.tolist())
        starts = opened.starts
        passing.whole = {int(starts[at]): whole for at, whole in passing.whole.items() if at not in done}
        passing.forced = {int(starts[at]): forced for at, forced in passing.forced.items()}
        return opened.batch, bus[opened.sources]

    def _count(self, batch: FrameBatch, bus: Int64s, passing: _Pass, keeps: Booleans) -> None:
        unknown = passing.judged & (passing.rows == UNKNOWN_ROW)
        refused = passing.judged & ~keeps
        self._set_aside[UNKNOWN_ID] += int(np.count_nonzero(unknown))
        self._set_aside[NOTHING_ALLOWED] += int(np.count_nonzero(refused & ~unknown))
        rows = np.bincount(passing.rows[passing.judged], minlength=len(self._masks.rows))
        self._removed += rows @ self._masks.removes
        places = np.flatnonzero(refused)
        long = batch.arbitration_id[places] >= STANDARD_IDS
        short, rest = places[~long], places[long]
        keys = bus[short] * STANDARD_IDS + batch.arbitration_id[short]
        self._refused_standard += np.bincount(keys, minlength=len(self._refused_standard))
        self._refuse_all(bus[rest] << 32 | batch.arbitration_id[rest])

    def _refuse_all(self, refused: Int64s) -> None:
        """Count frames that were dropped whole, each given as ``bus << 32 | id``."""
        if len(refused):
            keys, counts = np.unique(refused, return_counts=True)
            for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
                self._refuse(key >> 32, key & 0xFFFFFFFF, count)

    def _refuse(self, bus: int, arbitration_id: int, count: int = 1) -> None:
        key = (self._masks.buses[bus], arbitration_id)
        if key in self._refused_extended or len(self._refused_extended) < REFUSED_IDS:
            self._refused_extended[key] += count
        else:
            self._refused_elsewhere += count

    def _masked(self, batch: FrameBatch, passing: _Pass, places: Indices) -> FrameBatch:
        payloads = passing.whole | passing.forced
        messages = {
            at: payloads[place]
            for at, place in (enumerate(places.tolist()) if payloads else ())
            if place in payloads
        }
        kept = batch.take(places)
        rows = passing.rows[places]
        by_rule = np.zeros(len(batch), np.bool_)
        by_rule[list(passing.forced)] = True
        forced = by_rule[places]
        self._passed += np.bincount(rows[~forced], minlength=len(self._masks.rows)) @ self._masks.passes
        width = _width(max([batch.data.shape[1], *(len(payload) for payload in messages.values())]))
        padded = -(-width // CLASSIC_BYTES) * CLASSIC_BYTES
        data = np.ascontiguousarray(kept.widened(padded).data)
        for at, payload in messages.items():
            data[at] = 0
            data[at, : len(payload)] = np.frombuffer(payload, np.uint8)
        mask = self._masks.base(rows, padded)
        for number, group in split_by_row(rows, np.flatnonzero(self._masks.multiplexed[rows])):
            row = self._masks.rows[number]
            mask[group] |= row.by_multiplexers(data[group], kept.length[group], padded)
        mask[forced] = 0xFF
        words = mask.view(np.uint64)
        # No mask reaches past the end of its row: only frames shorter than that could pass bytes they lack.
        cut = np.flatnonzero(kept.length < self._masks.ends[rows])
        if len(cut):
            words[cut] &= _within(kept.length[cut], padded)
        words &= data.view(np.uint64)
        return replace(kept, data=mask[:, :width], mask=self.mask)


def _width(longest: int) -> int:
    """Columns of a batch whose longest frame has `longest` bytes, see `FrameBatch.data`."""
    return next((size for size in (CLASSIC_BYTES, FD_BYTES) if longest <= size), longest)


def _within(length: UInt16s, width: int) -> npt.NDArray[np.uint64]:
    """Mask the bytes that a frame has, so that nothing past its length passes: words of (frames, width)."""
    lengths = np.where(np.arange(width) < np.arange(width + 1)[:, None], np.uint8(0xFF), np.uint8(0))
    taken: npt.NDArray[np.uint64] = lengths.view(np.uint64).take(np.minimum(length, width), axis=0)
    return taken


def _without_withheld(row: Row, payload: bytes) -> bytes:
    """Clear the bits of withheld signals in a message that is laid out as a single frame."""
    data = np.frombuffer(payload, np.uint8)[np.newaxis]
    cleared: UInt8s = data[0].copy()
    hidden = {(judged.signal.bits, judged.signal.signed) for judged in row.withheld}
    for judged in row.withheld:
        # A multiplexer that must not be looked at, or is not there, may have any value.
        present = all(
            int(raw_values(data, multiplexer)[0]) in values
            for multiplexer, values in judged.presence
            if multiplexer not in hidden and max(multiplexer[0]) // 8 < len(payload)
        )
        if present:
            for bit in judged.signal.bits:
                if bit // 8 < len(payload):
                    cleared[bit // 8] &= 0xFF ^ (1 << bit % 8)
    return cleared.tobytes()
