"""A vehicle that signs real messages and a platform that takes them, for the platform's tests."""

from __future__ import annotations

from pathlib import Path

from edge.account import Account, Hop
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.records import Missing, Record, Value
from edge.uplink.outgoing import VehicleTopics
from edge.wire.account_message import AccountMessage, StreamLedger
from edge.wire.account_message import encode as encode_account
from edge.wire.checkpoint import Checkpoint, signed_hash
from edge.wire.checkpoint import encode as encode_checkpoint
from edge.wire.cose import Role, Signer, Verifier
from edge.wire.keys import SigningKey
from edge.wire.loss import LossRange
from edge.wire.message import MessageKind, RecordMessage, encode
from edge.wire.receipt import Receipt
from edge.wire.receipt import decode as decode_receipt
from edge.wire.status import Status
from edge.wire.status import encode as encode_status
from edge.wire.time_corrections import TimeCorrection, TimeCorrections
from edge.wire.time_corrections import encode as encode_corrections
from simulator.platform.intake import Alert
from simulator.platform.judge import Judge
from simulator.platform.keyring import Keyring
from simulator.platform.pace import ReceiptPacer
from simulator.platform.platform import Platform
from simulator.platform.receipts import Publication
from simulator.platform.store import Store

VEHICLE = "LNEVGATE000000001"
STREAM = bytes(range(16))
BOOT = b"b" * 16
NOW_NS = 1_750_000_000 * NS_PER_S
VEHICLE_KEY = SigningKey.seeded(b"vehicle")
PLATFORM_KEY = SigningKey.seeded(b"platform")


def record(number: int, *, alarm: bool = False, speed: int | None = None) -> Record:
    """A record a second, with a value of each kind."""
    values: dict[str, Value] = {
        "vehicle.speed": 10 * number % 2000 if speed is None else speed,
        "vehicle.odometer": 123_456 + number,
        "hv.voltage": Missing.INVALID if number % 7 == 0 else 3_650,
        "hv.current": Missing.ABNORMAL if number % 11 == 0 else -120,
    }
    return Record(number, number * NS_PER_S, Timebase(NOW_NS, TimeQuality.GNSS), values, "m1", alarm)


class Vehicle:
    """Signs messages for one vehicle."""

    def __init__(self, name: str = VEHICLE, key: SigningKey = VEHICLE_KEY) -> None:
        self.name = name
        self.topics = VehicleTopics(name)
        self._up = Signer(key, vehicle=name)
        self._status = Signer(key, vehicle=name, role=Role.STATUS)

    def message(
        self,
        *records: Record,
        kind: MessageKind = MessageKind.LIVE,
        losses: tuple[LossRange, ...] = (),
        stream: bytes = STREAM,
        boot: bytes = BOOT,
        predecessor: bytes | None = None,
        vehicle: str | None = None,
    ) -> bytes:
        content = RecordMessage(kind, vehicle or self.name, stream, boot, records, losses, predecessor)
        return self.sign(encode(content, builtin()))

    def content(self, *records: Record) -> bytes:
        return encode(RecordMessage(MessageKind.LIVE, self.name, STREAM, BOOT, records), builtin())

    def sign(self, content: bytes) -> bytes:
        return self._up.sign(content)

    def numbers(self, first: int, last: int) -> bytes:
        return self.message(*(record(number) for number in range(first, last + 1)))

    def checkpoint(
        self,
        first: int,
        last: int,
        *,
        last_number: int,
        previous: bytes | None = None,
        link: bytes = b"l" * 32,
        vehicle: str | None = None,
    ) -> bytes:
        """A signed checkpoint; `previous` is the signed one before."""
        content = Checkpoint(
            vehicle=vehicle or self.name,
            stream=STREAM,
            first=first,
            last=last,
            root=b"r" * 32,
            link=link,
            previous=None if previous is None else signed_hash(previous),
            boot=BOOT,
            t_ns=last * NS_PER_S,
            wall_offset_ns=NOW_NS,
            time_quality=TimeQuality.GNSS,
            last_number=last_number,
        )
        return self.sign(encode_checkpoint(content))

    def account(
        self, last_number: int, ledger: StreamLedger | None, *hops: Hop, t_s: int = 3600, boot: bytes = BOOT
    ) -> bytes:
        hops = hops or (Hop("uplink", "records", last_number, last_number),)
        wall = Timebase(NOW_NS, TimeQuality.GNSS)
        content = AccountMessage(
            self.name, STREAM, boot, t_s * NS_PER_S, wall, last_number, Account(hops), 0, ledger
        )
        return self.sign(encode_account(content))

    def corrections(self, *corrections: TimeCorrection) -> bytes:
        return self.sign(encode_corrections(TimeCorrections(self.name, STREAM, corrections)))

    def status(self, *, online: bool) -> bytes:
        return self._status.sign(encode_status(Status(online, STREAM, "nevgate test", 5)))

    def topic(self, kind: MessageKind = MessageKind.LIVE) -> str:
        return f"nev/v1/{self.name}/up/{kind.topic}"


class Rig:
    """A platform over a store, with one vehicle whose key it knows."""

    def __init__(self, path: Path, *, interval_s: float = 0.0) -> None:
        self.path = path
        self.vehicle = Vehicle()
        self.alerts: list[Alert] = []
        self.now_ns = NOW_NS
        self.store = Store(path)
        self.platform = Platform(
            Judge(Keyring({VEHICLE: [VEHICLE_KEY.public]}), builtin()),
            self.store,
            PLATFORM_KEY,
            pacer=ReceiptPacer(interval_s=interval_s),
            on_alert=self.alerts.append,
        )
        self._verifier = Verifier({VEHICLE: [PLATFORM_KEY.public]})

    def send(self, payload: bytes, topic: str | None = None) -> None:
        self.platform.receive(topic or self.vehicle.topic(), payload, self.now_ns)

    def receipts(self) -> list[Receipt]:
        return [self.read(publication) for publication in self.platform.commit(self.now_ns)]

    def read(self, publication: Publication) -> Receipt:
        assert publication.topic == self.vehicle.topics.receipt
        verified = self._verifier.verify(publication.payload, vehicle=VEHICLE, role=Role.DOWN)
        return decode_receipt(verified.payload)

    @property
    def messages(self) -> dict[str, int]:
        """What became of the messages; checks that all of them are accounted for."""
        hop = self.platform.hops()[0]
        assert hop.balanced, hop
        return {"stored": hop.left, **hop.set_aside}

    @property
    def records(self) -> dict[str, int]:
        """What became of the records; checks that all of them are accounted for."""
        hop = self.platform.hops()[1]
        assert hop.balanced, hop
        return {"stored": hop.left, **hop.set_aside}
