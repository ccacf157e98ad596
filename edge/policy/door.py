"""The door: what the rules forbid leaves a batch here, before anything else sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge import accelerated
from edge.account import Hop
from edge.database.model import SignalRef
from edge.frames import CLASSIC_BYTES, FrameBatch, FrameFlag, Indices, Int64s, concatenate
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.compiled_masks import SPECIAL, CompiledMasks
from edge.policy.containers import open_containers
from edge.policy.door_account import DoorAccount
from edge.policy.gates import Gate, Gates
from edge.policy.isotp_transport import IsotpTransport
from edge.policy.j1939_transport import J1939Transport, is_transport
from edge.policy.judgement import Reason
from edge.policy.layers import Booleans
from edge.policy.masking import masked, without_withheld
from edge.policy.masks import STANDARD_IDS, UNKNOWN_ROW, Int32s, MaskSet
from edge.policy.split import ClassPart
from edge.policy.transport import Reassembled, Segment

ERROR = "error frame"
REMOTE = "remote frame"
UNKNOWN_BUS = "unknown bus"
UNKNOWN_ID = "unknown id"
NOTHING_ALLOWED = "nothing allowed"
TOO_SHORT = "too short for its checksum"
TOO_LONG = "longer than its checksum covers"
NO_PDU = "container of which no PDU passes"
FURTHER_PDUS = "further PDUs of containers"


@dataclass(slots=True)
class _Pass:
    """One batch on its way through.

    Attributes:
        rows: mask row of each frame.
        judged: frames that are judged by their row: not set aside, no segment.
        sources: the place that each frame had when the batch came.
        whole: reassembled messages by the place of their last segment.
        forced: diagnostic messages that pass by a rule, with the bytes that pass.
        single: those of them that were a single frame and stay one.
        further: PDUs that pass beside the first of their container, which stands for the frame.
    """

    rows: Int32s
    judged: Booleans
    sources: Indices
    whole: dict[int, bytes] = field(default_factory=dict)
    forced: dict[int, bytes] = field(default_factory=dict)
    single: set[int] = field(default_factory=set)
    further: int = 0


@dataclass(frozen=True, slots=True)
class _Left:
    """What passes of a batch.

    Attributes:
        batch: the frames.
        places: where each stood in the batch as it came.
        refused: frames that were dropped whole, as `DoorAccount.refuse` wants them.
    """

    batch: FrameBatch
    places: Indices
    refused: Int64s

    def joined(self, other: _Left) -> _Left:
        """Both, in the order of places; what stands at one place is all of one of them."""
        places = np.concatenate([self.places, other.places])
        order = np.argsort(places, kind="stable")
        return _Left(
            concatenate([self.batch, other.batch]).take(order),
            places[order],
            np.concatenate([self.refused, other.refused]),
        )


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
        self._account = DoorAccount(self._masks.buses)
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
        self._account.entered += len(batch)
        if not len(batch):
            return replace(batch, mask=self.mask)
        numbers = np.array([self._numbers.get(name, -1) for name in batch.buses], np.int64)
        left = self._admit_compiled(batch, numbers) or self._admit(batch, numbers)
        self._account.refuse(left.refused)
        return left.batch

    def _admit(self, batch: FrameBatch, numbers: Int64s) -> _Left:
        """Let a batch of at least one frame through, whatever it holds; `numbers` are those of its buses."""
        account = self._account
        account.newest_ns = max(account.newest_ns, int(batch.t_ns.max()))
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
        refused = self._count(batch, bus, passing, keeps)
        self._account.set_aside[TOO_SHORT] += int(np.count_nonzero(keeps & ~long_enough))
        self._account.set_aside[TOO_LONG] += int(np.count_nonzero(keeps & long_enough & ~fits))
        keep = keeps & fits
        keep[list(passing.forced)] = True
        places = np.flatnonzero(keep)
        account.left += len(places) - passing.further
        return _Left(self._masked(batch, passing, places), passing.sources[places], refused)

    def _admit_compiled(self, batch: FrameBatch, numbers: Int64s) -> _Left | None:
        """Do what `_admit` does, with the same outcome, compiled where one look at each frame is enough.

        Frames that take more go through `_admit` by themselves. None without the accelerator, or for a batch
        that it does not know how to read.
        """
        native, name = accelerated.native, self._gate.name
        if native is None:
            return None
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = CompiledMasks(self._masks)
        judged = compiled.judge(native, batch, numbers, self._account.refused_standard)
        if judged is None:
            return None
        self._account.newest_ns = max(self._account.newest_ns, judged.newest_ns)
        self._account.described += judged.described
        self._account.set_aside += Counter(
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
        self._account.removed += judged.judged_rows @ self._masks.removes
        self._account.passed += judged.kept_rows @ self._masks.passes
        self._account.left += judged.kept
        kept = replace(compiled.masked(native, batch, judged), mask=self.mask)
        ordinary = _Left(kept, np.flatnonzero(judged.rows >= 0), judged.refused_beyond)
        special = np.flatnonzero(judged.rows == SPECIAL)
        if not len(special):
            return ordinary
        other = self._admit(batch.take(special), numbers)
        return ordinary.joined(replace(other, places=special[other.places]))

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
        return self._account.hop((self._j1939, self._isotp))

    def refused_ids(self) -> Mapping[tuple[str, int], int]:
        """Frames dropped whole because their id is unknown or nothing of it is allowed, by bus and id."""
        return self._account.refused_ids()

    def _turn_to(self, gate: Gate) -> None:
        """Let through what `gate` says; what began under another one is not made whole under this."""
        if gate is not self._gate:
            self._gate = gate
            self._account.changes += 1
            self._j1939.forget()
            self._isotp.forget()

    def _begin(self, batch: FrameBatch, bus: Int64s, extended: Booleans) -> _Pass:
        error = batch.has(FrameFlag.ERROR)
        remote = batch.has(FrameFlag.REMOTE) & ~error
        known = bus >= 0
        judged = known & ~(error | remote)
        self._account.set_aside[ERROR] += int(np.count_nonzero(error))
        self._account.set_aside[REMOTE] += int(np.count_nonzero(remote))
        self._account.set_aside[UNKNOWN_BUS] += int(np.count_nonzero(~(known | error | remote)))
        if self._masks.buses:
            rows = self._masks.find(np.maximum(bus, 0), batch.arbitration_id, extended)
            rows[~judged] = UNKNOWN_ROW
            self._account.described += int(np.count_nonzero(rows != UNKNOWN_ROW))
        else:
            rows = np.zeros(len(batch), np.int32)
        return _Pass(rows, judged, np.arange(len(batch)))

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
            self._account.set_aside[NOTHING_ALLOWED] += 1
            self._account.refuse_one(segment.bus, segment.arbitration_id)
            return
        self._account.passed += [data_class in classes for data_class in DataClass]
        length = bytes([len(message.payload) & 0xFF])
        if 0 < segment.data[0] < CLASSIC_BYTES:
            passing.single.add(place)
        passing.forced[place] = without_withheld(row, length + message.payload)

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
            self._account.facts[f"PDUs refused: {cause}"] += count
        self._account.facts[FURTHER_PDUS] += opened.further
        self._account.set_aside[NO_PDU] += opened.emptied
        rows = np.bincount(opened.refused_rows, minlength=len(self._masks.rows))
        self._account.removed += rows @ self._masks.removes
        passing.rows, passing.judged = opened.rows, passing.judged[opened.sources]
        passing.sources = opened.sources
        passing.further = opened.further
        done = set(containers.tolist())
        starts = opened.starts
        passing.whole = {int(starts[at]): whole for at, whole in passing.whole.items() if at not in done}
        passing.forced = {int(starts[at]): forced for at, forced in passing.forced.items()}
        return opened.batch, bus[opened.sources]

    def _count(self, batch: FrameBatch, bus: Int64s, passing: _Pass, keeps: Booleans) -> Int64s:
        """Count what becomes of frames; return those refused that have long ids, see `DoorAccount.refuse`."""
        unknown = passing.judged & (passing.rows == UNKNOWN_ROW)
        refused = passing.judged & ~keeps
        self._account.set_aside[UNKNOWN_ID] += int(np.count_nonzero(unknown))
        self._account.set_aside[NOTHING_ALLOWED] += int(np.count_nonzero(refused & ~unknown))
        rows = np.bincount(passing.rows[passing.judged], minlength=len(self._masks.rows))
        self._account.removed += rows @ self._masks.removes
        places = np.flatnonzero(refused)
        long = batch.arbitration_id[places] >= STANDARD_IDS
        short, rest = places[~long], places[long]
        keys = bus[short] * STANDARD_IDS + batch.arbitration_id[short]
        standard = self._account.refused_standard
        standard += np.bincount(keys, minlength=len(standard))
        found: Int64s = bus[rest] << 32 | batch.arbitration_id[rest]
        return found

    def _masked(self, batch: FrameBatch, passing: _Pass, places: Indices) -> FrameBatch:
        rows = passing.rows[places]
        by_rule = np.zeros(len(batch), np.bool_)
        by_rule[list(passing.forced)] = True
        by_row = np.bincount(rows[~by_rule[places]], minlength=len(self._masks.rows))
        self._account.passed += by_row @ self._masks.passes
        left = masked(self._masks, batch, places, rows, passing.whole, passing.forced)
        return replace(left, mask=self.mask)
