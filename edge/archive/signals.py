"""Signals decoded from raw frames, as `nevgate decode` writes them, by the databases of a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.archive.export_file import About
from edge.archive.joining import JoinedFrames
from edge.config import Config
from edge.database.load import load_database
from edge.database.model import SignalRef
from edge.decode.plan import DecodePlan
from edge.offline.tables import open_table
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door

OTHER_MASK = "frames of a door with other rules than the configuration's"


@dataclass(slots=True)
class Policy:
    """What a configuration's door lets pass.

    Attributes:
        databases: of each bus, with their classes.
        collect: the classes that are collected.
        door: with these rules.
    """

    databases: Mapping[str, Sequence[ClassedDatabase]]
    collect: frozenset[DataClass]
    door: Door = field(init=False)

    def __post_init__(self) -> None:
        self.door = self.door_without(frozenset())

    def door_without(self, missing: frozenset[DataClass]) -> Door:
        """The door that collects all classes but some."""
        return Door(self.databases, self.collect - missing)

    def not_collected(self) -> tuple[str, ...]:
        """Full names of the signals that the door withholds."""
        return tuple(sorted(map(str, self.door.withheld())))


def load_policy(config: Config) -> Policy:
    """Read databases and class files of a configuration.

    Raises:
        NevgateError: one of them cannot be used.
    """
    databases = {
        bus.name: tuple(
            load_classes(section.class_file, load_database(section.file)) for section in bus.database
        )
        for bus in config.bus
    }
    return Policy(databases, frozenset(config.door.collect))


class SignalFile:
    """Takes frames, decodes them and writes a row a value, its time as good as it is known.

    A class that is not at hand counts like one that is not collected: its signals, and those that it steers
    by a multiplexer, get no values that its absence would make up.

    Args:
        path: where to; its ending tells the format.
        about: what the export says of itself.
        policy: databases and classes.
    """

    def __init__(self, path: Path, about: About, policy: Policy) -> None:
        self.about = about
        self._policy = policy
        self._plans: dict[frozenset[DataClass], DecodePlan] = {}
        self._withheld: set[SignalRef] = set()
        self._writer = open_table(path)

    def write(self, joined: JoinedFrames) -> None:
        """Write the signals of the frames of one period.

        Raises:
            OSError: the disk refuses.
        """
        batch = joined.batch
        if batch.mask != self._policy.door.mask:
            self.about.left_out[OTHER_MASK] += len(batch)
            return
        plan = self._plan(joined.missing)
        decoded = plan.decode(batch)
        self._writer.write(joined.stamps.time_ns, decoded.columns)
        for cause, count in (
            ("frames that no database describes", decoded.frames_unknown),
            ("frames that hold no signal whole", decoded.frames_too_short),
        ):
            if count:
                self.about.left_out[cause] += count
        self.about.written += sum(len(column.rows) for column in decoded.columns.values())
        if len(batch):
            self.about.saw(int(joined.stamps.time_ns.min()), int(joined.stamps.time_ns.max()))

    def close(self) -> None:
        """Finish the file, naming what was not collected."""
        if not self._plans:
            self._plan(frozenset())
        self.about.not_collected = tuple(sorted(map(str, self._withheld)))
        self._writer.close(self._policy.door.mask, self._withheld)

    def abandon(self) -> None:
        """Let go of the file."""
        self._writer.close("", ())

    def _plan(self, missing: frozenset[DataClass]) -> DecodePlan:
        plan = self._plans.get(missing)
        if plan is None:
            door = self._policy.door_without(missing) if missing else self._policy.door
            databases = {
                bus: [one.database for one in several] for bus, several in self._policy.databases.items()
            }
            plan = self._plans[missing] = DecodePlan(databases, withheld=door.withheld())
            self._withheld |= plan.withheld
        return plan
