"""Broker and platform, which survive every crash, and a witness of each payload that reaches the platform."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.catalogue.catalogue import builtin
from edge.wire.account_message import decode as decode_account
from edge.wire.cose import Verifier
from edge.wire.message import MessageKind, decode
from edge.wire.up_kinds import UpKind, peek_kind
from simulator.broker import LOOPBACK, Broker
from simulator.platform.assembly import open_platform
from simulator.platform.judge import vehicle_of
from simulator.platform.platform import Platform
from simulator.platform.receipts import Publication
from simulator.platform.serve import BrokerAccess, PlatformService
from tests.crash.drive import PLATFORM_KEY, VEHICLE_KEY, write_vehicle

RECEIPT_S = 0.03
_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message with records that reached the platform.

    Attributes:
        kind: as signed.
        stream: whose numbers.
        first: the first number in it, of a record or a range entry.
        last: the last.
        losses: how many range entries are in it.
        sha256: of the signed bytes.
        times: how often it came.
    """

    kind: MessageKind
    stream: bytes
    first: int
    last: int
    losses: int
    sha256: bytes
    times: int


@dataclass(slots=True)
class Arrivals:
    """What came from one vehicle.

    Attributes:
        payloads: signed bytes by their hash, in the order in which they first came.
        times: how often each came.
    """

    payloads: dict[bytes, bytes] = field(default_factory=dict)
    times: Counter[bytes] = field(default_factory=Counter)


class Witness:
    """Keeps the bytes of everything that reached the platform, repeats included, until it is asked for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrivals: defaultdict[str, Arrivals] = defaultdict(Arrivals)
        self._came_ns: dict[str, int] = {}
        self._stored_ns: dict[str, int] = {}

    def note(self, topic: str, payload: bytes) -> None:
        """Note one payload; statuses are not kept."""
        place = vehicle_of(topic, "up")
        if place is None:
            return
        digest = hashlib.sha256(payload).digest()
        with self._changed:
            arrivals = self._arrivals[place[0]]
            arrivals.payloads.setdefault(digest, payload)
            arrivals.times[digest] += 1
            if place[1] == "event":
                opened = _opened(place[0], payload)
                if peek_kind(opened) is UpKind.ACCOUNT:
                    self._came_ns[place[0]] = decode_account(opened).t_ns

    def committed(self) -> None:
        """Note that what came is stored."""
        with self._changed:
            self._stored_ns.update(self._came_ns)
            self._came_ns.clear()
            self._changed.notify_all()

    def wait_for_account(self, vehicle: str, since_ns: int, timeout_s: float) -> bool:
        """Wait until an account of a vehicle, taken at that time or later, is stored."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stored_ns.get(vehicle, -1) >= since_ns, timeout_s)

    def take(self, vehicle: str) -> Arrivals:
        """Hand over what came from a vehicle, and forget it."""
        with self._changed:
            return self._arrivals.pop(vehicle, Arrivals())


def watch(platform: Platform, witness: Witness) -> None:
    """Have each payload noted before the platform looks at it, and each commit when it is done."""
    receive, commit = platform.receive, platform.commit

    def receiving(topic: str, payload: bytes, now_ns: int) -> None:
        witness.note(topic, payload)
        receive(topic, payload, now_ns)

    def committing(now_ns: int, *, all_receipts: bool = False) -> list[Publication]:
        publications = commit(now_ns, all_receipts=all_receipts)
        witness.committed()
        return publications

    vars(platform).update(receive=receiving, commit=committing)


def messages(vehicle: str, arrivals: Arrivals) -> Iterator[Message]:
    """The record messages of a vehicle."""
    for sha256, payload in arrivals.payloads.items():
        opened = _opened(vehicle, payload)
        if not peek_kind(opened).holds_records:
            continue
        read = decode(opened, builtin())
        numbers = [record.number for record in read.records]
        numbers += [edge for loss in read.losses for edge in (loss.first, loss.last)]
        yield Message(
            read.kind,
            read.stream,
            min(numbers),
            max(numbers),
            len(read.losses),
            sha256,
            arrivals.times[sha256],
        )


def _opened(vehicle: str, payload: bytes) -> bytes:
    return Verifier({vehicle: [VEHICLE_KEY.public]}).verify(payload, vehicle=vehicle).payload


@dataclass(frozen=True, slots=True)
class Bench:
    """What survives every crash.

    Attributes:
        folder: keys, the journals, and the platform's store.
        port: of the broker.
        store: the platform's file.
        witness: of what reached it.
    """

    folder: Path
    port: int
    store: Path
    witness: Witness

    @property
    def journals(self) -> Path:
        """The folder of journals, each in one named after its vehicle."""
        return self.folder / "journals"


@contextmanager
def set_up(folder: Path, broker: Broker, vehicles: Iterable[str]) -> Iterator[Bench]:
    """Start `broker` and a platform at it that knows `vehicles`, all with one key."""
    write_vehicle(folder)
    (folder / "journals").mkdir()
    witness = Witness()
    with ExitStack() as stack:
        port = stack.enter_context(broker).port()
        platform = stack.enter_context(
            open_platform(
                keys={name: [VEHICLE_KEY.public] for name in vehicles},
                store=folder / "platform.db",
                key=PLATFORM_KEY,
                receipt_interval_s=RECEIPT_S,
            )
        )
        watch(platform, witness)
        service = stack.enter_context(PlatformService(platform, BrokerAccess(LOOPBACK, port)))
        service.wait_ready(_READY_S)
        yield Bench(folder, port, folder / "platform.db", witness)
