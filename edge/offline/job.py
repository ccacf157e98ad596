"""`DecodeJob`: what is to be done with every piece of every recording, as values that travel anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.database.load import parse_database
from edge.database.model import Database
from edge.errors import PolicyError
from edge.offline.decoding import OfflineDecoder
from edge.offline.tables import TableWriter
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes

_FORM = 1
"""Of what decoding a piece gives; a run is resumed only by a program of the same form."""


@dataclass(frozen=True, slots=True)
class DecodeJob:
    """What is to be done.

    Attributes:
        databases: bus (`ANY_BUS` for every one), name and content of each database file.
        patterns: which signals; empty for all.
        classes: name and content of each class file; None without a policy.
        collect: with a policy, the classes to collect.
        buses: names of buses by the recordings' channel labels.
        ending: of the table, such as ``.parquet``; empty for none.
    """

    databases: tuple[tuple[str, str, bytes], ...]
    patterns: tuple[str, ...] = ()
    classes: tuple[tuple[str, bytes], ...] | None = None
    collect: tuple[str, ...] = ()
    buses: tuple[tuple[str, str], ...] = ()
    ending: str = ""

    def fingerprint(self) -> str:
        """Names the outcome: equal jobs of equal programs decode a piece alike."""
        values = [
            _FORM,
            [[bus, hashlib.sha256(content).hexdigest()] for bus, _, content in self.databases],
            self.patterns,
            self.classes
            and [[Path(name).name, hashlib.sha256(content).hexdigest()] for name, content in self.classes],
            self.collect if self.classes is not None else [],
            self.buses,
            self.ending,
        ]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A job with its files read.

    Attributes:
        job: the job.
        files: its databases, in order.
        by_bus: the same by bus.
        classed: their classed forms by SHA-256; None without a policy.
        divisible: whether recordings may be cut: no door of the job puts messages together across a cut.
    """

    job: DecodeJob
    files: tuple[Database, ...]
    by_bus: Mapping[str, Sequence[Database]]
    classed: Mapping[str, ClassedDatabase] | None
    divisible: bool

    def decoder(self, writer: TableWriter | None) -> OfflineDecoder:
        """A fresh decoder."""
        return OfflineDecoder(
            self.by_bus,
            patterns=self.job.patterns,
            classed=self.classed,
            collect=[DataClass(name) for name in self.job.collect],
            writer=writer,
        )


@lru_cache(maxsize=4)
def prepared(job: DecodeJob) -> Prepared:
    """Read a job's files; a process does so once.

    Raises:
        DatabaseError: if a database cannot be loaded.
        PolicyError: if a class file contradicts itself or its database, or belongs to none.
    """
    files = tuple(parse_database(content, Path(name)) for _, name, content in job.databases)
    by_bus: dict[str, list[Database]] = {}
    for (bus, _, _), database in zip(job.databases, files, strict=True):
        by_bus.setdefault(bus, []).append(database)
    classed = None if job.classes is None else _classed(job.classes, files)
    assembles = classed is not None and any(one.speaks_j1939 or one.channels for one in classed.values())
    return Prepared(job, files, by_bus, classed, not assembles)


def _classed(
    class_files: Sequence[tuple[str, bytes]], databases: Sequence[Database]
) -> Mapping[str, ClassedDatabase]:
    """Each database with its class file: that of the same name, or the only one for the only database."""
    by_stem = {_stem(name): (name, content) for name, content in class_files}
    classed: dict[str, ClassedDatabase] = {}
    for database in databases:
        file = by_stem.pop(_stem(database.path), None)
        if file is None and len(class_files) == len(databases) == 1:
            file = class_files[0]
            by_stem.clear()
        classed[database.sha256] = ClassedDatabase(database, {}) if file is None else _loaded(*file, database)
    if by_stem:
        name, _ = next(iter(by_stem.values()))
        raise PolicyError(
            "belongs to none of the databases", where=name, todo="Name it like its database: car.classes.toml"
        )
    return classed


def _stem(path: str | Path) -> str:
    return Path(path).name.partition(".")[0]


def _loaded(name: str, content: bytes, database: Database) -> ClassedDatabase:
    with TemporaryDirectory(prefix="nevgate-") as folder:
        path = Path(folder, Path(name).name)
        path.write_bytes(content)
        try:
            return load_classes(path, database)
        except PolicyError as error:
            where = error.where.replace(str(path), name)
            raise PolicyError(error.what, where=where, todo=error.todo) from error
