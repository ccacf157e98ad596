"""`Proof`: flips every forbidden bit of every id, and sees that nothing changes behind the door."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt

from edge.bus.source import FrameSource
from edge.clock import NS_PER_S
from edge.collecting import Described
from edge.database.layout import pgn_of
from edge.frames import FrameBatch, FrameFlag, UInt8s, UInt16s
from edge.policy.classed import ClassedDatabase, DiagnosticChannel
from edge.policy.classes import DataClass
from edge.policy.j1939_transport import is_transport
from edge.policy.rules import Policy
from edge.proving.containers import container_exchanges, has_containers
from edge.proving.drawing import draw_payloads
from edge.proving.finding import Counterexample, Finding, Occasion
from edge.proving.messages import Exchange, diagnostic_exchanges, group_exchanges
from edge.proving.occasions import occasions_of
from edge.proving.reading import Booleans, Reading, meant_by
from edge.proving.recorded import Redrawn, prove_recording
from edge.proving.segments import batch_of, end_ns
from edge.proving.twins import PERIOD_NS, Difference, Twins

TOGETHER = 4
"""Frames for each payload in which many forbidden bits change at once."""

UNKNOWN_IDS = 64
_STEP_NS = 1_000_000
_MOST_FRAMES = 32_768
_EXTENDED_IDS = 1 << 29
_STANDARD_IDS = 1 << 11
_ADDRESSES = 0xFE


@dataclass(frozen=True, slots=True)
class Target:
    """Frames of one id on one bus.

    Attributes:
        bus: the bus.
        arbitration_id: 11 or 29 bits.
        extended: whether 29.
        channel: what it carries of ISO-TP; None for none.
    """

    bus: str
    arbitration_id: int
    extended: bool
    channel: DiagnosticChannel | None = None


class Proof:
    """Experiments on one policy over the databases of one vehicle.

    Args:
        policy: the policy in force.
        described: what the vehicle could tell.
        frames: random payloads for each id, beside the edges and one for each value of a multiplexer.
        chance: draws everything.
        recording: opens a recording of this vehicle from its begin; None for none.

    Attributes:
        finding: what was tried and found so far.
        targets: the ids.
        steps: how many steps `run` tells of.
    """

    def __init__(
        self,
        policy: Policy,
        described: Described,
        *,
        frames: int,
        chance: Random,
        recording: Callable[[], FrameSource] | None = None,
    ) -> None:
        self._recording = recording
        self.finding = Finding()
        self.targets = tuple(_targets(described.databases))
        self._databases = described.databases
        self._frames = frames
        self._chance = chance
        self._bits = np.random.default_rng(chance.getrandbits(64))
        self._occasions = occasions_of(policy, _classes(described.databases))
        self._tally = self.finding.tally
        self._twins = Twins(policy, described, self._tally)
        self._now_ns = NS_PER_S
        a_turn = len(self.targets) + len(self._databases) + (recording is not None)
        self.steps = len(self._occasions) * a_turn
        self._payloads = {target: self._draw(target) for target in self.targets}
        self._tally.occasions = tuple(occasion.title for occasion, _ in self._occasions)
        self._tally.ids = len(self.targets)
        self._tally.unknown_ids = UNKNOWN_IDS * len(self._databases)
        self._tally.payloads = sum(len(data) for data, _ in self._payloads.values())

    def run(self, progress: Callable[[int], None]) -> Finding:
        """Do all experiments, or as many as it takes to find a counterexample.

        Args:
            progress: told how many of `steps` are done.
        """
        for done, found in enumerate(self._experiments(), start=1):
            progress(done)
            if found is not None:
                self.finding.counterexample = found
                break
        return self.finding

    def _experiments(self) -> Iterator[Counterexample | None]:
        for occasion, admission in self._occasions:
            self._twins.turn_to(occasion, admission)
            for target in self.targets:
                yield self._single(occasion, target) or self._segmented(occasion, target)
            for bus in self._databases:
                yield self._unknown(occasion, bus)
            if self._recording is not None:
                yield self._recorded(occasion, self._recording)

    def _recorded(self, occasion: Occasion, opening: Callable[[], FrameSource]) -> Counterexample | None:
        """A recording as it is, and with its forbidden bits drawn anew."""
        redrawn = Redrawn(self._databases, occasion, self._bits)
        with opening() as source:
            found, self._tally.recorded, last_ns = prove_recording(
                source, redrawn, self._twins, occasion, self._now_ns
            )
        self._now_ns = last_ns + 2 * PERIOD_NS
        return found

    def _draw(self, target: Target) -> tuple[UInt8s, UInt16s]:
        meant = meant_by(self._databases[target.bus], target.arbitration_id, extended=target.extended)
        if not meant or has_containers(meant):
            return np.zeros((0, 8), np.uint8), np.zeros(0, np.uint16)
        data, length = draw_payloads(meant, self._frames, self._chance)
        if target.channel is not None:
            # Single frames of ISO-TP are judged as the message; all else on such an id is a segment.
            data[:, 0] = self._bits.integers(1, 8, len(data))
            length = np.maximum(length, 1).astype(np.uint16)
        return data, length

    def _single(self, occasion: Occasion, target: Target) -> Counterexample | None:
        """Frames that are judged by themselves."""
        data, length = self._payloads[target]
        if not len(data):
            return None
        meant = meant_by(self._databases[target.bus], target.arbitration_id, extended=target.extended)
        reading = Reading(meant, occasion.classes)
        forbidden = reading.forbidden(data, length)
        if target.channel is not None:
            forbidden[:, :8] = False
        base, flipped = self._flips(forbidden)
        for begin in range(0, len(base), _MOST_FRAMES):
            part = slice(begin, begin + _MOST_FRAMES)
            rows, flips = base[part], flipped[part]
            moved = reading.dragged(flips, data[rows], length[rows]) & ~flips
            if target.channel is not None:
                moved[:, :8] = False
            moved &= self._bits.random(moved.shape) < 0.5  # noqa: PLR2004 - a bit is one as often as not
            one = self._batch(target, data[rows], length[rows])
            two = replace(one, data=one.data ^ _packed(flips | moved))
            found = self._twins.compare(one, two, _packed(forbidden)[rows])
            if found is not None:
                return self._counterexample(occasion, target, reading, (one, two), flips, found)
        return None

    def _flips(self, forbidden: Booleans) -> tuple[npt.NDArray[np.intp], Booleans]:
        """Each forbidden bit of each payload by itself, then several at once.

        Returns:
            Which payload each frame is, and its bits that are flipped.
        """
        rows, bits = np.nonzero(forbidden)
        singles = np.zeros((len(rows), forbidden.shape[1]), np.bool_)
        singles[np.arange(len(rows)), bits] = True
        several = np.repeat(np.arange(len(forbidden)), TOGETHER)
        together = forbidden[several] & (self._bits.random((len(several), forbidden.shape[1])) < 0.5)  # noqa: PLR2004 - as above
        together[::TOGETHER] = forbidden
        self._tally.flips += len(rows)
        self._tally.together += len(several)
        return np.concatenate([rows, several]), np.concatenate([singles, together])

    def _batch(self, target: Target, data: UInt8s, length: UInt16s) -> FrameBatch:
        """Frames one after the other; those of a group come from any address."""
        count = len(data)
        identifier = np.full(count, target.arbitration_id, np.uint32)
        flags = np.full(count, FrameFlag.EXTENDED if target.extended else 0, np.uint16)
        meant = meant_by(self._databases[target.bus], target.arbitration_id, extended=target.extended)
        if meant and all(one.message.pgn is not None for one in meant):
            identifier = (identifier & ~np.uint32(0xFF)) | self._bits.integers(
                0, _ADDRESSES, count, dtype=np.uint32
            )
        if data.shape[1] > 8:  # noqa: PLR2004 - bytes of a classic frame
            flags |= np.uint16(FrameFlag.FD)
        t_ns = self._now_ns + np.arange(count, dtype=np.int64) * _STEP_NS
        self._now_ns += count * _STEP_NS + 2 * PERIOD_NS
        return FrameBatch(
            t_ns, np.zeros(count, np.uint8), identifier, flags, length, data, buses=(target.bus,)
        )

    def _segmented(self, occasion: Occasion, target: Target) -> Counterexample | None:
        """Messages that come in segments, or are diagnostics."""
        databases = self._databases[target.bus]
        meant = meant_by(databases, target.arbitration_id, extended=target.extended)
        reading = Reading(meant, occasion.classes)
        count = max(1, self._frames // 4)
        exchanges: Sequence[Exchange] = ()
        if has_containers(meant):
            exchanges = container_exchanges(
                meant, target.arbitration_id, occasion.classes, count, self._chance
            )
        elif target.channel is not None:
            exchanges = diagnostic_exchanges(
                target.channel, reading, target.arbitration_id, occasion.classes, count, self._chance
            )
        elif target.extended and any(one.speaks_j1939 for one in databases):
            exchanges = group_exchanges(reading, target.arbitration_id, count, self._chance)
        if not exchanges:
            return None
        batches = [
            batch_of(
                target.bus,
                [frames[place] for frames in ((one.before, one.after) for one in exchanges)],
                extended=target.extended,
                t_ns=self._now_ns,
            )
            for place in (0, 1)
        ]
        self._now_ns = end_ns(batches[0]) + 2 * PERIOD_NS
        self._tally.messages += len(exchanges)
        self._tally.flips += sum(one.bit is not None for one in exchanges)
        found = self._twins.compare(batches[0], batches[1])
        if found is None:
            return None
        kind = "J1939 message" if target.channel is None else "diagnostic message"
        kind = "container" if has_containers(meant) else kind
        return _of_messages(occasion, target, exchanges, (kind, found))

    def _unknown(self, occasion: Occasion, bus: str) -> Counterexample | None:
        """Frames of ids that nobody describes: whatever they hold, nothing leaves."""
        databases = self._databases[bus]
        channels = {(one.extended, one.arbitration_id) for each in databases for one in each.channels}
        ids: list[tuple[int, bool]] = []
        while len(ids) < UNKNOWN_IDS:
            extended = self._chance.random() < 0.5  # noqa: PLR2004 - half of them
            identifier = self._chance.randrange(_EXTENDED_IDS if extended else _STANDARD_IDS)
            known = meant_by(databases, identifier, extended=extended) or (extended, identifier) in channels
            groups = {one.pgn for each in databases for one in each.channels if one.pgn is not None}
            transport = extended and bool(is_transport(np.array([identifier], np.uint32))[0])
            if not known and not transport and not (extended and pgn_of(identifier) in groups):
                ids.append((identifier, extended))
        target = Target(bus, 0, extended=False)
        data = self._bits.integers(0, 256, (len(ids), 8), dtype=np.uint8)
        one = self._batch(target, data, np.full(len(ids), 8, np.uint16))
        one = replace(
            one,
            arbitration_id=np.array([identifier for identifier, _ in ids], np.uint32),
            flags=np.array([FrameFlag.EXTENDED if extended else 0 for _, extended in ids], np.uint16),
        )
        two = replace(one, data=self._bits.integers(0, 256, data.shape, dtype=np.uint8))
        everything = np.full(data.shape, 0xFF, np.uint8)
        found = self._twins.compare(one, two, everything)
        if found is None:
            return None
        identifier, extended = ids[found.row or 0]
        none = Reading((), occasion.classes)
        flips = np.unpackbits(one.data ^ two.data, axis=1, bitorder="little").astype(np.bool_)
        odd = Target(bus, identifier, extended)
        return self._counterexample(occasion, odd, none, (one, two), flips, found)

    def _counterexample(
        self,
        occasion: Occasion,
        target: Target,
        reading: Reading,
        pair: tuple[FrameBatch, FrameBatch],
        flips: Booleans,
        found: Difference,
    ) -> Counterexample:
        """Name the id, the bit and whose it is."""
        row = found.row
        if row is None:
            return Counterexample(
                occasion.title,
                target.bus,
                target.arbitration_id,
                target.extended,
                "frame",
                None,
                (),
                found.depends,
            )
        one, two = pair
        left = [self._twins.alone(batch.take(slice(row, row + 1))) for batch in pair]
        bits = np.flatnonzero(flips[row])
        if len(bits) > 1 and left[0] is not None:
            # Of several bits the one is named that shows.
            shown = int.from_bytes(left[0], "little") ^ int.from_bytes(left[1] or b"", "little")
            bits = np.array([bit for bit in bits.tolist() if shown >> bit & 1][:1] or bits[:1].tolist())
        bit = int(bits[0]) if len(bits) else None
        return Counterexample(
            occasion=occasion.title,
            bus=target.bus,
            arbitration_id=int(one.arbitration_id[row]),
            extended=target.extended,
            kind="frame",
            bit=bit,
            signals=() if bit is None else tuple(reading.names(bit)),
            depends=found.depends,
            before=one.frame(row).data.hex(),
            after=two.frame(row).data.hex(),
            left_before=None if left[0] is None else left[0].hex(),
            left_after=None if left[1] is None else left[1].hex(),
        )


def _of_messages(
    occasion: Occasion, target: Target, exchanges: Sequence[Exchange], outcome: tuple[str, Difference]
) -> Counterexample:
    """The message in which a difference shows."""
    kind, found = outcome
    place, frames = 0, 0
    while found.row is not None and frames + len(exchanges[place].before) <= found.row:
        frames += len(exchanges[place].before)
        place += 1
    one = exchanges[place] if found.row is not None else None
    return Counterexample(
        occasion=occasion.title,
        bus=target.bus,
        arbitration_id=target.arbitration_id,
        extended=target.extended,
        kind=kind,
        bit=None if one is None else one.bit,
        signals=() if one is None else one.signals,
        depends=found.depends,
        before="" if one is None else one.message.hex(),
        after="" if one is None else one.changed.hex(),
    )


def _targets(databases: Mapping[str, Sequence[ClassedDatabase]]) -> list[Target]:
    """Every id that a database describes or a class file declares, each once."""
    found: dict[tuple[str, bool, int], Target] = {}
    for bus, several in databases.items():
        speaks = any(one.speaks_j1939 for one in several)
        channels = {
            (channel.extended, channel.arbitration_id): channel for one in several for channel in one.channels
        }
        groups = {
            channel.pgn: channel for one in several for channel in one.channels if channel.pgn is not None
        }
        ids = [
            (message.extended, message.arbitration_id) for one in several for message in one.database.messages
        ]
        for extended, identifier in (*ids, *channels):
            if extended and speaks and is_transport(np.array([identifier], np.uint32))[0]:
                continue
            channel = channels.get((extended, identifier))
            if channel is None and extended:
                channel = groups.get(pgn_of(identifier))
            found.setdefault((bus, extended, identifier), Target(bus, identifier, extended, channel))
    return list(found.values())


def _classes(databases: Mapping[str, Sequence[ClassedDatabase]]) -> frozenset[DataClass]:
    """The classes that anything of the databases has."""
    every = [one for several in databases.values() for one in several]
    rules = [rule for one in every for channel in one.channels for rule in channel.rules]
    return frozenset(
        {data_class for one in every for data_class in one.classes.values()}
        | {rule.data_class for rule in rules}
    )


def _packed(bits: Booleans) -> UInt8s:
    return np.packbits(bits, axis=1, bitorder="little")
