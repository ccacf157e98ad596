"""The reference vehicle as a board sees it: databases with classes, bindings, and what a policy leaves."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.database.load import load_database
from edge.database.model import Database
from edge.firmware.decoder import BoardDecoder, board_decoder
from edge.policy.classed import ClassedDatabase
from edge.policy.classfile import load_classes
from edge.policy.policyfile import profile

DBC = Path(__file__).parents[2] / "dbc"


@dataclass(frozen=True)
class Vehicle:
    """Databases with their classes and bindings, by bus."""

    classed: Mapping[str, tuple[ClassedDatabase, ...]]
    bindings: Mapping[str, tuple[Binding, ...]]

    @property
    def buses(self) -> tuple[str, ...]:
        return tuple(self.classed)

    @property
    def databases(self) -> dict[str, tuple[Database, ...]]:
        return {bus: tuple(one.database for one in each) for bus, each in self.classed.items()}


@functools.cache
def reference_vehicle() -> Vehicle:
    classed: dict[str, tuple[ClassedDatabase, ...]] = {}
    bindings: dict[str, tuple[Binding, ...]] = {}
    for path in sorted(DBC.glob("nev-*.dbc")):
        database = load_database(path)
        bus = path.stem.removeprefix("nev-")
        classed[bus] = (load_classes(path.with_suffix(".classes.toml"), database),)
        binding = path.with_suffix(".binding.toml")
        bindings[bus] = (load_binding(binding, database, builtin()),) if binding.exists() else ()
    return Vehicle(classed, bindings)


@functools.cache
def reference_board(policy: str) -> BoardDecoder:
    """What a built-in profile lets a board of it collect."""
    vehicle = reference_vehicle()
    return board_decoder(vehicle.classed, vehicle.bindings, profile(policy), vehicle.buses)
