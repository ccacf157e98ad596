"""A journal that already holds days of the reference vehicle, as the gateway would have written them."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Clock, Timebase, TimeQuality
from edge.gateway import Gateway, View
from edge.journal.chain import Draft, load_chain
from edge.journal.database import open_database
from edge.journal.keys.key_provider import FileKeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.opening import JOURNAL_FILE, KEYS_FILE
from edge.journal.pending import DraftMaker
from edge.journal.rows import insert
from edge.loading import Loaded
from edge.records import Record
from edge.wire.record_columns import Field
from edge.wire.strict_cbor import read_cbor, write_cbor
from simulator.vehicle.vehicle import ReferenceVehicle

EARLIER_BOOT = b"the earlier boot"
_TRANSACTION = 2_000


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written.

    Attributes:
        records: how many.
        bytes: of the database.
        plain_bytes: of the blocks' contents before they were sealed.
    """

    records: int
    bytes: int
    plain_bytes: int


def vehicle_records(loaded: Loaded, clock: Clock, seconds: int) -> list[Record]:
    """Records of a drive, one a second, as the gateway makes them of all frames."""
    vehicle = ReferenceVehicle(1)
    source = MemorySource(vehicle.frames(seconds + 2.0), buses=vehicle.buses, timebase=vehicle.timebase)
    found: list[Record] = []
    config = loaded.config.model_copy(update={"journal": None, "destination": ()})
    gateway = Gateway(replace(loaded, config=config), clock=clock, rng=random.Random(1), draw=os.urandom)  # noqa: S311 - jitter

    def watch(seen: Gateway) -> None:
        view: View = seen.view()
        if view.record is not None and (not found or found[-1] is not view.record):
            found.append(view.record)

    gateway.run(source, stop=threading.Event(), watch=watch)
    gateway.road.close()
    return found[:seconds]


def fill(folder: Path, stream: bytes, records: Sequence[Record], hours: float, clock: Clock) -> Filled:
    """Write `hours` of 1 Hz records that end now, a block a second and class, of an earlier boot.

    Args:
        folder: of a journal that was made, is closed and has no records.
        stream: its stream.
        records: a pattern that is repeated.
        hours: how long.
        clock: tells now.
    """
    total = round(hours * 3600)
    timebase = Timebase(clock.wall_ns() - total * NS_PER_S, TimeQuality.NTP)
    catalogue = builtin()
    maker = DraftMaker(
        boot=EARLIER_BOOT,
        split=lambda _: {},
        class_of=lambda name: catalogue.item(name).data_class,
        keys=catalogue,
        resolution_ns=1_000,
    )
    pattern = [list(maker.of_records([replace(one, number=1, t_ns=0, timebase=timebase)])) for one in records]
    connection = open_database(str(folder / JOURNAL_FILE))
    keys = KeyStore(str(folder / KEYS_FILE), FileKeyProvider(folder, os.urandom), os.urandom)
    connection.pragma("synchronous", "off")
    chain, numbers, plain_bytes = load_chain(connection, stream), iter(range(1, total + 1)), 0
    for first in count(1, _TRANSACTION):
        if first > total:
            break
        with connection:
            for number in [next(numbers) for _ in range(min(_TRANSACTION, total - first + 1))]:
                for draft in _placed(pattern[number % len(pattern)], number):
                    insert(connection, chain.add(draft, keys, os.urandom))
                    plain_bytes += len(draft.plaintext)
            connection.execute("UPDATE stream SET last_number = ?, series = ?", (number, chain.series()))
    connection.close()
    keys.close()
    return Filled(total, (folder / JOURNAL_FILE).stat().st_size, plain_bytes)


def _placed(drafts: Sequence[Draft], number: int) -> Iterator[Draft]:
    """Blocks of one record, moved to its number and second."""
    for draft in drafts:
        fields = read_cbor(draft.plaintext)
        if not isinstance(fields, dict):
            raise TypeError("a block of records is a map")
        fields[Field.FIRST_NUMBER], fields[Field.FIRST_TIME] = number, number * NS_PER_S
        yield replace(
            draft,
            plaintext=write_cbor(fields),
            from_ns=number * NS_PER_S,
            to_ns=number * NS_PER_S,
            first_number=number,
            last_number=number,
        )
