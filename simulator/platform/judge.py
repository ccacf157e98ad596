"""Judges one payload: whose it is, whether it is theirs, and whether it can be taken at its word."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import WireError
from edge.records import Record
from edge.uplink.outgoing import TOPIC_ROOT
from edge.wire.cose import Role
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.loss import LossRange
from edge.wire.message import MessageKind, decode
from edge.wire.status import Status
from edge.wire.status import decode as decode_status
from simulator.platform.keyring import Keyring
from simulator.platform.rejected import Cause, RejectedError

INT64_MAX = 2**63 - 1
_KINDS = {kind.topic: kind for kind in MessageKind}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that can be taken at its word.

    Attributes:
        vehicle: who signed it.
        stream: 16 bytes.
        boot: 16 bytes.
        kind: live, alarm, backlog or event.
        records: in rising order of numbers.
        losses: the range entries.
        predecessor: the 16 bytes of the stream that this one continues, if it says so.
        key_id: which key signed it.
    """

    vehicle: str
    stream: bytes
    boot: bytes
    kind: MessageKind
    records: tuple[Record, ...]
    losses: tuple[LossRange, ...]
    predecessor: bytes | None
    key_id: bytes

    @property
    def urgent(self) -> bool:
        """Whether it tells of an alarm, so that its receipt must not wait."""
        return self.kind is MessageKind.ALARM or any(record.alarm for record in self.records)


def vehicle_of(topic: str, branch: str) -> tuple[str, str] | None:
    """Vehicle and rest of a topic ``nev/v1/{vehicle}/{branch}[/rest]``, or None for any other topic."""
    root, _, below = topic.partition(TOPIC_ROOT + "/")
    vehicle, _, after = below.partition("/")
    found, _, rest = after.partition("/")
    return (vehicle, rest) if not root and vehicle and found == branch else None


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges payloads one by one; it remembers nothing.

    Attributes:
        keyring: the vehicles' keys.
        items: the catalogue's wire keys.
        limits: what a message may cost at most.
    """

    keyring: Keyring
    items: ItemKeys
    limits: Limits = DEFAULT_LIMITS

    def judge(self, topic: str, payload: bytes) -> Accepted:
        """Judge one payload.

        Raises:
            RejectedError: with the cause, if it is not to be taken in.
        """
        place = vehicle_of(topic, "up")
        if place is None or place[1] not in _KINDS:
            raise RejectedError(Cause.TOPIC, f"nothing is expected on {topic!r}")
        vehicle, kind = place[0], _KINDS[place[1]]
        self._check_size(payload)
        opened = self.keyring.open(vehicle, payload)
        try:
            message = decode(opened.payload, self.items, self.limits)
        except WireError as error:
            raise RejectedError(Cause.MALFORMED, str(error)) from error
        if message.vehicle != vehicle:
            raise RejectedError(Cause.WRONG_VEHICLE, f"signed for {message.vehicle!r}, sent as {vehicle!r}")
        if kind not in {message.kind, MessageKind.BACKLOG}:
            # What could not be sent live goes as backlog with the same signed bytes.
            raise RejectedError(Cause.WRONG_KIND, f"signed as {message.kind.topic}, sent as {kind.topic}")
        if not (message.records or message.losses):
            raise RejectedError(Cause.IMPOSSIBLE, "neither a record nor a range entry")
        if message.predecessor == message.stream:
            raise RejectedError(Cause.IMPOSSIBLE, "a stream that names itself as its predecessor")
        for record in message.records:
            wall_ns = record.timebase.wall_ns(record.t_ns)
            if not 0 <= wall_ns <= INT64_MAX:
                raise RejectedError(
                    Cause.IMPOSSIBLE, f"number {record.number} has the wall time {wall_ns} ns"
                )
        return Accepted(
            vehicle=vehicle,
            stream=message.stream,
            boot=message.boot,
            kind=message.kind,
            records=message.records,
            losses=message.losses,
            predecessor=message.predecessor,
            key_id=opened.key_id,
        )

    def judge_status(self, vehicle: str, payload: bytes) -> Status:
        """Judge one status word, which a gateway or its last will left.

        Raises:
            RejectedError: with the cause, if it is not to be believed.
        """
        self._check_size(payload)
        opened = self.keyring.open(vehicle, payload, Role.STATUS)
        try:
            return decode_status(opened.payload, self.limits)
        except WireError as error:
            raise RejectedError(Cause.MALFORMED, str(error)) from error

    def _check_size(self, payload: bytes) -> None:
        if len(payload) > self.limits.message_bytes:
            raise RejectedError(
                Cause.OVERSIZED, f"{len(payload)} bytes, at most {self.limits.message_bytes} are taken"
            )
