"""What the process of capture opens, as its parent orders it: sources, sensors and door."""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edge.bus.condition import Conditions
from edge.capture import Capture, MaskedSource
from edge.capturing.needs import Need, Needed, needs_of
from edge.capturing.pace import USUAL_PACE, Pace, pace_of
from edge.capturing.rights import Rights, User
from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.clock import Clock
from edge.config.configuration import Config, load_config
from edge.database.load import load_database
from edge.database.model import Database
from edge.devices import open_buses, open_sensors
from edge.errors import ConfigError
from edge.places.guard import PlaceGuard
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.policy.rules import Area
from edge.power.board_line import BoardLine
from edge.power.line import PowerLine

_AREAS: TypeAdapter[tuple[Area, ...]] = TypeAdapter(tuple[Area, ...])


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """What a process of capture is to open.

    Attributes:
        opener: ``package.module:function``, an `Opener`.
        arguments: for it, plain values that JSON can hold.
        needed: what is opened needs this of the system while it is read; everything else is refused to it.
        user: whom the process becomes; None: it stays who started it.
        power: whether it is also the line to the supervisor of power.
    """

    opener: str
    arguments: Mapping[str, Any]
    needed: tuple[Needed, ...] = ()
    user: User | None = None
    power: bool = False

    @property
    def rights(self) -> Rights:
        """What the process may do that not everybody may."""
        return Rights(any(one.need is Need.PACKET_SOCKETS for one in self.needed), self.user)


@dataclass(frozen=True, slots=True)
class Opened:
    """What an opener has opened.

    Attributes:
        capture: to be read; what it hands on has been through a door.
        mask: the name of the mask that batches have now.
        items: ids of the items that its sensors provide.
        pace: when live sources are read.
        power: to the supervisor of power, where one of the sources reaches it.
    """

    capture: MaskedSource
    mask: str
    items: tuple[str, ...] = ()
    pace: Pace = USUAL_PACE
    power: PowerLine | None = None


Opener = Callable[[Mapping[str, Any], Collection[DataClass], str, Clock], Opened]
"""Opens what a plan's arguments say, collecting some classes under an admission's name."""


def plan_of(configuration: Path, config: Config, areas: Sequence[Area] = ()) -> CapturePlan:
    """The plan for the live buses and sensors of a configuration.

    Args:
        configuration: its file, which capture reads itself.
        config: what was read of it: capture refuses to start if that file, or one of a database that it
            names, is not what it is now, since core and capture would not mean the same by a mask.
        areas: places in which less is collected, by the policy in force.

    Raises:
        ConfigError: capture is to be another user, who is not there, or whom this process cannot become.
    """
    path = configuration.absolute()
    return CapturePlan(
        f"{__name__}:{open_configuration.__name__}",
        {
            "configuration": str(path),
            "files": {str(each): _digest(each) for each in _files(path, config)},
            "areas": _AREAS.dump_python(tuple(areas), mode="json"),
        },
        needs_of(config),
        user_called(config.capture.user, "capture.user"),
        config.power is not None,
    )


def observed_items(config: Config, clock: Clock) -> tuple[str, ...]:
    """Ids of the items that a configuration's sensors provide; nothing is read of them.

    Raises:
        SourceError: if one cannot be opened.
    """
    with ExitStack() as stack:
        return tuple(item for sensor in open_sensors(config, clock, stack) for item in sensor.items)


def open_configuration(
    arguments: Mapping[str, Any], collect: Collection[DataClass], admission: str, clock: Clock
) -> Opened:
    """Open what `plan_of` has planned.

    Raises:
        ConfigError: a file has changed since.
        NevgateError: of the room that a file belongs to.
        SourceError: a bus or sensor cannot be opened.
    """
    for name, digest in arguments["files"].items():
        if _digest(Path(name)) != digest:
            raise ConfigError("has changed since the gateway was started", where=name, todo="Start it again")
    config = load_config(Path(arguments["configuration"]))
    areas = _AREAS.validate_python(arguments["areas"])
    files = {section.file: load_database(section.file) for bus in config.bus for section in bus.database}
    classed = {
        bus.name: [load_classes(section.class_file, files[section.file]) for section in bus.database]
        for bus in config.bus
    }
    door = Door(classed, frozenset(collect), admission)
    guard = PlaceGuard.of(areas, classed, _bindings(config, files)) if areas else None
    with ExitStack() as stack:
        sensors = open_sensors(config, clock, stack)
        conditions = Conditions()
        power = None if config.power is None else BoardLine()
        source = stack.enter_context(open_buses(config, clock, conditions, power))
        stack.pop_all()
    return Opened(
        Capture(source, door, sensors=sensors, guard=guard, clock=clock, conditions=conditions),
        door.mask,
        tuple(item for sensor in sensors for item in sensor.items),
        pace_of(config),
        power,
    )


def _bindings(config: Config, files: Mapping[Path, Database]) -> dict[str, list[Binding]]:
    catalogue = builtin()
    return {
        bus.name: [
            load_binding(section.binding_file, files[section.file], catalogue)
            for section in bus.database
            if section.binding_file is not None
        ]
        for bus in config.bus
    }


def opener_of(name: str) -> Opener:
    """The opener that a plan names.

    Raises:
        ImportError: there is no such module.
        AttributeError: it has no such function.
    """
    module, _, function = name.partition(":")
    opener: Opener = getattr(import_module(module), function)
    return opener


def user_called(name: str, where: str) -> User | None:
    """The user of that name; None for whoever this is, and without a name.

    Args:
        name: as the configuration has it.
        where: the key under which it has it, for complaints.

    Raises:
        ConfigError: nobody is called so, or only root could become them.
    """
    if not name:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"nobody is called '{name}' here", where=where) from None
    if entry.pw_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise ConfigError(
            f"only root can become '{name}'",
            where=where,
            todo="Leave it out; the gateway's own user reads the buses then",
        )
    return User(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))


def _files(configuration: Path, config: Config) -> Iterator[Path]:
    yield configuration
    for bus in config.bus:
        for section in bus.database:
            yield section.file
            yield section.class_file
            if section.binding_file is not None:
                yield section.binding_file


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
