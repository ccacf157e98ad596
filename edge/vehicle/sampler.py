"""`Sampler`: from last values with their age to the numbered records of the vehicle."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.account import Hop
from edge.catalogue.binding import FRESHNESS_PERIODS, NS_PER_S
from edge.catalogue.bound import Binding, BitSet, BoundItem, Derivation, Derived, One, Reading
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item
from edge.catalogue.quantise import Quantiser
from edge.clock import Timebase
from edge.database.model import SignalRef
from edge.errors import BindingError
from edge.policy.classes import DataClass
from edge.records import Element, Missing, Record, Value
from edge.sensors.observation import Observation
from edge.vehicle.derive import Derive, Origin, deriver
from edge.vehicle.evaluate import Evaluate, evaluator
from edge.vehicle.levels import BitOnBus, Judge, level_judge
from edge.vehicle.sample import Sample, SignalState

ALARM_LEVEL = 3
"""From this level on an alarm gives its record precedence (GB/T 32960.3)."""

MAX_LEVEL_ITEM = "alarm.max_level"
_JUDGED = frozenset({Derivation.MAX_LEVEL, Derivation.LEVELS})
_PENDING = 4096


@dataclass(frozen=True, slots=True)
class _OnBus:
    bus: str
    bound: BoundItem

    @property
    def refs(self) -> frozenset[SignalRef]:
        return frozenset(SignalRef(self.bus, name.message, name.signal) for name in self.bound.signals)


@dataclass(slots=True)
class _Observed:
    """What a sensor said of one item: the value that counts, and later ones that wait for their instant."""

    quantiser: Quantiser
    limit_ns: int
    held: tuple[int, Element] | None = None
    waiting: deque[tuple[int, Element]] = field(default_factory=lambda: deque(maxlen=_PENDING))

    def forget(self) -> None:
        self.held = None
        self.waiting.clear()

    def value(self, t_ns: int) -> Element:
        while self.waiting and self.waiting[0][0] < t_ns:
            self.held = self.waiting.popleft()
        if self.held is None or not 0 < t_ns - self.held[0] <= self.limit_ns:
            return Missing.INVALID
        return self.held[1]


class Sampler:
    """Samples records: one value for each item that is bound or observed, and may be collected.

    A record at instant T holds for each signal the last value stamped before T, and for each item source its
    last observation before T. What is missing or older than its limit is invalid; what is out of range is
    abnormal and never clipped. An item has no entry where the door withholds one of its signals or its class,
    or where it is derived from such an item.

    Args:
        bindings: the bindings of each bus.
        catalogue: the items.
        withheld: signals that the door removes.
        admits: whether the door lets a class through; None lets all through.
        observed: ids of the items that sensors beside CAN provide.
        first_number: number of the first record in its stream.

    Raises:
        BindingError: if two bindings fill one item, or an item is derived from one that nothing fills.
    """

    def __init__(
        self,
        bindings: Mapping[str, Sequence[Binding]],
        catalogue: Catalogue,
        *,
        withheld: Collection[SignalRef] = (),
        admits: Callable[[DataClass], bool] | None = None,
        observed: Collection[str] = (),
        first_number: int = 1,
    ) -> None:
        self._catalogue = catalogue
        self._number = first_number
        self._admits = admits or (lambda _: True)
        self._withheld = frozenset(withheld)
        self._counts: Counter[str] = Counter()
        by_id = _gather(bindings)
        self._observed = self._take_observed(observed, by_id)
        self._refused = frozenset(observed) - self._observed.keys()
        kept = {item_id: parts for item_id, parts in by_id.items() if self._collected(parts)}
        self._parts = {
            item_id: parts
            for item_id, parts in kept.items()
            if not isinstance(parts[0].bound.source, Derived)
        }
        self._evaluate: dict[str, Evaluate] = {}
        self._prepare({})
        self._derive: dict[str, Derive] = {}
        self._judge: dict[str, tuple[str, Judge]] = {}
        level_refs: set[SignalRef] = set()
        followed: set[SignalRef] = set()
        for item_id, parts in kept.items():
            source = parts[0].bound.source
            if not isinstance(source, Derived):
                continue
            origins = self._origins(parts[0].bound, source, by_id)
            if origins is None:
                continue
            if source.derivation not in _JUDGED:
                self._derive[item_id] = deriver(parts[0].bound, origins)
                continue
            bits = _bits(parts[0].bound, by_id.get(origins[0].id, ()))
            refs = {one.level_ref for one in bits if one.level_ref is not None}
            if not refs & self._withheld:
                judge = level_judge(bits, highest=source.derivation is Derivation.MAX_LEVEL)
                self._judge[item_id] = origins[0].id, judge
                level_refs |= refs
                followed |= {one.level_ref for one in bits if one.level_ref is not None and one.latched}
        used = [part for item_id in self._evaluate for part in kept[item_id]]
        self._wanted = frozenset(ref for part in used for ref in part.refs) | level_refs
        self._latched = frozenset(
            SignalRef(part.bus, name.message, name.signal)
            for part in used
            if isinstance(part.bound.source, BitSet) and part.bound.source.latched
            for name in part.bound.source.signals
        )
        self._withhold: frozenset[str] = frozenset()
        self._peak = _peak(kept[MAX_LEVEL_ITEM]) if MAX_LEVEL_ITEM in self._evaluate else None
        self._followed = frozenset(followed | ({self._peak[0]} if self._peak is not None else set()))

    @property
    def wanted(self) -> frozenset[SignalRef]:
        """The signals that have to be decoded."""
        return self._wanted

    @property
    def latched(self) -> frozenset[SignalRef]:
        """Those of them that may put a bit up in any frame."""
        return self._latched

    @property
    def followed(self) -> frozenset[SignalRef]:
        """Those of them that carry an alarm's level, of which the highest since the last record counts."""
        return self._followed

    @property
    def items(self) -> tuple[str, ...]:
        """Ids of the items that every record holds."""
        return (*self._evaluate, *self._derive, *self._judge, *self._observed)

    @property
    def next_number(self) -> int:
        """The number that the next record gets."""
        return self._number

    def restrict(self, items: Collection[str]) -> None:
        """Leave all but some items out of the next samples: the others may not be collected for now.

        Args:
            items: of `self.items`.
        """
        self._withhold = frozenset(self.items) - frozenset(items)
        for item_id in self._withhold & self._observed.keys():
            self._observed[item_id].forget()

    def observe(self, observation: Observation) -> None:
        """Take up what a sensor says; what may not be collected, or was not declared, is counted."""
        self._counts["entered"] += 1
        known = self._observed.get(observation.item_id)
        if known is None or observation.item_id in self._withhold:
            refused = observation.item_id in self._refused | self._withhold
            self._counts["nothing allowed" if refused else "no declared item"] += 1
            return
        value = observation.value
        element = value if isinstance(value, Missing) else known.quantiser(value)
        last = known.waiting[-1] if known.waiting else known.held
        if last is not None and observation.t_ns < last[0]:
            self._counts["older than the last one"] += 1
            return
        self._counts["left"] += 1
        known.waiting.append((observation.t_ns, element))

    def sample(self, t_ns: int, timebase: Timebase, snapshot: SignalState, mask: str = "") -> Record:
        """Make the record of the instant `t_ns`: `read` and `number` in one."""
        return self.number(self.read(t_ns, timebase, snapshot, mask))

    def read(self, t_ns: int, timebase: Timebase, snapshot: SignalState, mask: str = "") -> Sample:
        """Sample the instant `t_ns`, without a number.

        Args:
            t_ns: the instant, in boot-monotonic nanoseconds.
            timebase: how it relates to wall time.
            snapshot: the last values before the instant; a value stamped at or after it counts as missing.
            mask: name of the door's mask.
        """
        values, times, latched = snapshot.values, snapshot.t_ns, snapshot.latched
        if len(values) != self._prepared_for:
            self._prepare(values)
        without = self._withhold
        record: dict[str, Value] = {
            item_id: evaluate(values, times, latched, t_ns)
            for item_id, evaluate in self._evaluate.items()
            if item_id not in without
        }
        for item_id, observed in self._observed.items():
            if item_id not in without:
                record[item_id] = observed.value(t_ns)
        for item_id, derive in self._derive.items():
            if item_id not in without:
                record[item_id] = derive(record)
        for item_id, (flags_id, judge) in self._judge.items():
            if item_id not in without:
                record[item_id] = judge(record[flags_id], values, times, snapshot.seen, t_ns)
        if self._peak is not None and MAX_LEVEL_ITEM not in without:
            ref, reading = self._peak
            shown = [record[MAX_LEVEL_ITEM], *map(reading.element, snapshot.seen.get(ref, ()))]
            levels = [level for level in shown if isinstance(level, int)]
            record[MAX_LEVEL_ITEM] = max(levels) if levels else shown[0]
        level = record.get(MAX_LEVEL_ITEM)
        return Sample(
            t_ns=t_ns,
            timebase=timebase,
            values=MappingProxyType(record),
            mask=mask,
            alarm=isinstance(level, int) and level >= ALARM_LEVEL,
        )

    def number(self, sample: Sample, *, reissue: bool = False) -> Record:
        """Make `sample` the next record of the stream; only what is handed on may have a number."""
        number = self._number
        self._number += 1
        return Record(
            number, sample.t_ns, sample.timebase, sample.values, sample.mask, sample.alarm, reissue=reissue
        )

    def hop(self) -> Hop:
        """The account of the observations taken up."""
        counts = self._counts
        causes = {cause: count for cause, count in counts.items() if cause not in {"entered", "left"}}
        return Hop("sensors to vehicle", "observations", counts["entered"], counts["left"], causes)

    def _prepare(self, values: Mapping[SignalRef, int | float]) -> None:
        """Make the functions that read `values`, with its own keys; it only ever grows by new signals."""
        keys = {ref: ref for ref in values}
        self._evaluate = {item_id: _evaluator(parts, keys) for item_id, parts in self._parts.items()}
        self._prepared_for = len(values)

    def _collected(self, parts: Sequence[_OnBus]) -> bool:
        item = parts[0].bound.item
        return self._admits(item.data_class) and not any(part.refs & self._withheld for part in parts)

    def _take_observed(
        self, observed: Iterable[str], by_id: Mapping[str, Sequence[_OnBus]]
    ) -> dict[str, _Observed]:
        taken: dict[str, _Observed] = {}
        for item_id in observed:
            item = self._catalogue.locate(item_id).item
            if item_id in by_id:
                raise BindingError(
                    f"'{item_id}' is provided by a sensor too",
                    where=by_id[item_id][0].bound.where,
                    todo="Remove the binding or the sensor",
                )
            if self._admits(item.data_class):
                taken[item_id] = _Observed(Quantiser(item), _limit_ns(item))
        return taken

    def _origins(
        self, bound: BoundItem, source: Derived, by_id: Mapping[str, Sequence[_OnBus]]
    ) -> list[Origin] | None:
        """The items that one is derived from, in order of their numbers; None if one is not collected."""
        origins: list[Origin] = []
        for pattern in source.of:
            expression = re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]")
            names = [
                name for name in (*by_id, *self._observed, *self._refused) if re.fullmatch(expression, name)
            ]
            if not names:
                raise BindingError(
                    f"'{bound.id}' is derived from '{pattern}', which nothing fills",
                    where=bound.where,
                    todo="Bind it, or leave the derivation away",
                )
            for name in names:
                parts = by_id.get(name, ())
                if parts and isinstance(parts[0].bound.source, Derived):
                    raise BindingError(
                        f"'{bound.id}' is derived from '{name}', which is derived itself", where=bound.where
                    )
                if name not in self._evaluate and name not in self._observed:
                    return None
                origins.append(Origin(name, self._catalogue.locate(name)))
        return sorted(origins, key=lambda origin: (origin.located.item.key, origin.located.index or 0))


def _bits(bound: BoundItem, parts: Sequence[_OnBus]) -> list[BitOnBus]:
    """The bits that alarm levels are derived from.

    Raises:
        BindingError: if the set is filled as a whole, so that nothing says what level a bit has.
    """
    bits = [
        BitOnBus(part.bus, bit, latched=part.bound.source.latched)
        for part in parts
        if isinstance(part.bound.source, BitSet)
        for bit in part.bound.source.bits
    ]
    if not bits:
        raise BindingError(
            f"'{bound.id}' is derived from a set whose bits have no levels",
            where=bound.where,
            todo="Bind the set bit by bit, with 'bits'",
        )
    return bits


def _peak(parts: Sequence[_OnBus]) -> tuple[SignalRef, Reading] | None:
    """The signal that says the highest level as it is, and how; None if a condition guards it."""
    bound = parts[0].bound
    if not isinstance(bound.source, One) or bound.valid_when is not None:
        return None
    name = bound.source.signal
    return SignalRef(parts[0].bus, name.message, name.signal), bound.source.reading


def _limit_ns(item: Item) -> int:
    return round(FRESHNESS_PERIODS * item.period_s * NS_PER_S)


def _gather(bindings: Mapping[str, Sequence[Binding]]) -> dict[str, list[_OnBus]]:
    """All bound items by id; the bits of one set may stand in several files."""
    by_id: dict[str, list[_OnBus]] = {}
    for bus, files in bindings.items():
        for binding in files:
            for bound in binding:
                parts = by_id.setdefault(bound.id, [])
                if parts and not _mergeable([*parts, _OnBus(bus, bound)]):
                    raise BindingError(
                        f"'{bound.id}' is already filled by {parts[0].bound.where}",
                        where=bound.where,
                        todo="Remove one of the two; only the bits of a set may be spread over files",
                    )
                parts.append(_OnBus(bus, bound))
    return by_id


def _mergeable(parts: Sequence[_OnBus]) -> bool:
    sources = [part.bound.source for part in parts]
    numbers = [bit.number for source in sources if isinstance(source, BitSet) for bit in source.bits]
    return all(isinstance(source, BitSet) for source in sources) and len(numbers) == len(set(numbers))


def _evaluator(parts: Sequence[_OnBus], keys: Mapping[SignalRef, SignalRef]) -> Evaluate:
    if len(parts) == 1:
        return evaluator(parts[0].bound, parts[0].bus, keys)
    evaluates = [evaluator(part.bound, part.bus, keys) for part in parts]

    def union(
        values: Mapping[SignalRef, int | float],
        times: Mapping[SignalRef, int],
        latched: Mapping[SignalRef, int | float],
        t_ns: int,
    ) -> Value:
        known = [
            flags
            for evaluate in evaluates
            if isinstance(flags := evaluate(values, times, latched, t_ns), int)
        ]
        return sum(known) if known else Missing.INVALID

    return union
