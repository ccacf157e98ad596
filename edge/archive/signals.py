"""Signals decoded from raw frames, as `nevgate decode` writes them, by the databases of a configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edge.archive.export_file import About
from edge.archive.joining import JoinedFrames
from edge.database.load import load_database
from edge.database.model import SignalRef
from edge.decode.plan import DecodePlan
from edge.offline.tables import open_table
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.gates import Gate, Gates

if TYPE_CHECKING:
    from edge.config.configuration import Config

OTHER_MASK = "frames of a door over other databases or classes than the configuration's"


class Rules:
    """What the masks of a configuration's databases let pass, whichever classes were collected at the time.

    Args:
        databases: of each bus, with their classes.
    """

    def __init__(self, databases: Mapping[str, Sequence[ClassedDatabase]]) -> None:
        self._gates = Gates(databases)
        self._classed = databases
        self._databases = {bus: [one.database for one in several] for bus, several in databases.items()}
        self._plans: dict[frozenset[DataClass], DecodePlan] = {}

    def __reduce__(self) -> tuple[type[Rules], tuple[object, ...]]:
        """To another process, which makes its own gates and plans."""
        return type(self), (self._classed,)

    def gate(self, mask: str, missing: Collection[DataClass] = ()) -> Gate | None:
        """What passed under a mask, less classes that are not at hand; None for a mask of other databases."""
        gate = self._gates.of_mask(mask)
        return gate if gate is None or not missing else self._gates.of(gate.collect - frozenset(missing))

    def absent(self, joined: JoinedFrames) -> frozenset[DataClass]:
        """The classes whose bits the mask let pass in these very frames, and that are not in them.

        They are not at hand, or they passed for another purpose than to keep raw frames. A value of theirs
        would be made up of bits that are 0.
        """
        gate = self._gates.of_mask(joined.batch.mask)
        if gate is None or gate.collect <= joined.at_hand:
            return joined.missing
        return joined.missing | (gate.split.split(joined.batch).keys() - joined.at_hand)

    def plan(self, collect: frozenset[DataClass]) -> DecodePlan:
        """Decodes what passed while some classes were collected; made once."""
        plan = self._plans.get(collect)
        if plan is None:
            withheld = frozenset(self._gates.of(collect).reasons)
            plan = self._plans[collect] = DecodePlan(self._databases, withheld=withheld)
        return plan

    def masks(self, collected: Iterable[frozenset[DataClass]]) -> str:
        """The masks of some sets of classes in words, as tables state them."""
        return ", ".join(dict.fromkeys(self._gates.of(one).name for one in collected)) or "none"

    def withheld_from(self, collected: Iterable[frozenset[DataClass]]) -> Withheld:
        """The signals that are not there where some sets of classes were decoded."""
        return Withheld.of([self.plan(one).withheld for one in collected])

    def withheld(self, seen: Iterable[tuple[str, frozenset[DataClass]]]) -> Withheld:
        """The signals that are not there under some masks, each with the classes that are absent."""
        found = [frozenset(gate.reasons) for one in seen if (gate := self.gate(*one)) is not None]
        return Withheld.of(found)


@dataclass(frozen=True, slots=True)
class Withheld:
    """Signals that were not collected.

    Attributes:
        always: at no time.
        at_times: at some times, and collected at others.
    """

    always: frozenset[SignalRef]
    at_times: frozenset[SignalRef]

    @classmethod
    def of(cls, several: Sequence[frozenset[SignalRef]]) -> Self:
        """From what was withheld under each of several masks."""
        always = frozenset.intersection(*several) if several else frozenset()
        return cls(always, frozenset().union(*several) - always)

    def tell(self, about: About) -> None:
        """Write it into what an export says of itself."""
        about.not_collected = tuple(sorted(map(str, self.always)))
        about.not_collected_at_times = tuple(sorted(map(str, self.at_times)))


def load_rules(config: Config) -> Rules:
    """Read databases and class files of a configuration.

    Raises:
        NevgateError: one of them cannot be used.
    """
    return Rules(
        {
            bus.name: tuple(
                load_classes(section.class_file, load_database(section.file)) for section in bus.database
            )
            for bus in config.bus
        }
    )


class SignalFile:
    """Takes frames, decodes them and writes a row a value, its time as good as it is known.

    A class that is not at hand counts like one that is not collected: its signals, and those that it steers
    by a multiplexer, get no values that its absence would make up. What is written for the frames of a period
    depends on nothing before them.

    Args:
        path: where to; its ending tells the format.
        about: what the export says of itself.
        rules: what masks let pass.

    Attributes:
        collected: the classes whose signals were decoded at some time, in order of their first appearance.
    """

    def __init__(self, path: Path, about: About, rules: Rules) -> None:
        self.about = about
        self.collected: dict[frozenset[DataClass], None] = {}
        self._rules = rules
        self._writer = open_table(path)

    def write(self, joined: JoinedFrames) -> None:
        """Write the signals of the frames of one period.

        Raises:
            OSError: the disk refuses.
        """
        batch = joined.batch
        absent = self._rules.absent(joined)
        self.about.not_at_hand.update(map(str, sorted(absent - joined.missing)))
        gate = self._rules.gate(batch.mask, absent)
        if gate is None:
            self.about.left_out[OTHER_MASK] += len(batch)
            return
        self.collected[gate.collect] = None
        plan = self._rules.plan(gate.collect)
        decoded = plan.decode(batch)
        columns = {ref: decoded.columns[ref] for ref in plan.refs if ref in decoded.columns}
        self._writer.write(joined.stamps.time_ns, columns)
        for cause, count in (
            ("frames that no database describes", decoded.frames_unknown),
            ("frames that hold no signal whole", decoded.frames_too_short),
        ):
            if count:
                self.about.left_out[cause] += count
        self.about.written += sum(len(column.rows) for column in columns.values())
        if len(batch):
            self.about.saw(int(joined.stamps.time_ns.min()), int(joined.stamps.time_ns.max()))

    def close(self) -> None:
        """Finish the file, naming what was not collected."""
        withheld = self._rules.withheld_from(self.collected)
        withheld.tell(self.about)
        self._writer.close(self._rules.masks(self.collected), withheld.always)

    def end(self) -> None:
        """Finish a file that is a part of one: what was not collected is said of the whole."""
        self._writer.end()

    def abandon(self) -> None:
        """Let go of the file."""
        self._writer.end()
