"""Judges one payload: whose it is, whether it is theirs, and whether it can be taken at its word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.clock import Timebase
from edge.errors import WireError
from edge.uplink.outgoing import TOPIC_ROOT
from edge.wire.account_message import decode as decode_account
from edge.wire.checkpoint import Checkpoint
from edge.wire.checkpoint import decode as decode_checkpoint
from edge.wire.cose import Role, Verified
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.media_message import MediaChunk, decode_media_message
from edge.wire.message import MessageKind, decode
from edge.wire.status import Status
from edge.wire.status import decode as decode_status
from edge.wire.time_corrections import TimeCorrections
from edge.wire.time_corrections import decode as decode_corrections
from edge.wire.up_kinds import UpKind, peek_kind
from simulator.platform.accepted import (
    Accepted,
    AcceptedMedia,
    AcceptedStatement,
    Statement,
    statement_kind,
)
from simulator.platform.keyring import Keyring
from simulator.platform.rejected import Cause, RejectedError

INT64_MAX = 2**63 - 1
_KINDS = {kind.topic: kind for kind in MessageKind}

MEDIA = "media"
"""The last word of the topic of stills and clips."""

_ANY_KIND = frozenset({MessageKind.BACKLOG, MessageKind.EVENT})
"""Topics that carry record messages of every kind, as they were signed."""

_STATEMENTS: Mapping[UpKind, Callable[[bytes, Limits], Statement]] = MappingProxyType(
    {
        UpKind.CHECKPOINT: decode_checkpoint,
        UpKind.ACCOUNT: decode_account,
        UpKind.TIME_CORRECTIONS: decode_corrections,
    }
)
"""The codecs of what goes up beside the records, all of it as events."""


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

    def judge(self, topic: str, payload: bytes) -> Accepted | AcceptedStatement | AcceptedMedia:
        """Judge one payload.

        Raises:
            RejectedError: with the cause, if it is not to be taken in.
        """
        place = vehicle_of(topic, "up")
        if place is None or place[1] not in {*_KINDS, MEDIA}:
            raise RejectedError(Cause.TOPIC, f"nothing is expected on {topic!r}")
        if place[1] == MEDIA:
            return self._judge_media(place[0], payload)
        vehicle, road = place[0], _KINDS[place[1]]
        self._check_size(payload)
        opened = self.keyring.open(vehicle, payload)
        try:
            if road is MessageKind.EVENT:
                read = _STATEMENTS.get(peek_kind(opened.payload, self.limits))
                if read is not None:
                    return _judge_statement(vehicle, read(opened.payload, self.limits), opened)
            return self._judge_records(vehicle, road, opened)
        except WireError as error:
            raise RejectedError(Cause.MALFORMED, str(error)) from error

    def _judge_media(self, vehicle: str, payload: bytes) -> AcceptedMedia:
        self._check_size(payload)
        opened = self.keyring.open(vehicle, payload)
        if not opened.provable:
            raise RejectedError(Cause.NOT_A_DEVICES, "a device has authenticated what must be signed: media")
        try:
            message = decode_media_message(opened.payload, self.limits)
        except WireError as error:
            raise RejectedError(Cause.MALFORMED, str(error)) from error
        if isinstance(message, MediaChunk):
            _check_vehicle(vehicle, message.about.vehicle)
            _check_wall_time(message.about.timebase, message.about.from_ns, "the still or clip")
        else:
            _check_vehicle(vehicle, message.vehicle)
        return AcceptedMedia(vehicle, message, opened.key_id)

    def _judge_records(self, vehicle: str, road: MessageKind, opened: Verified) -> Accepted:
        message = decode(opened.payload, self.items, self.limits)
        _check_vehicle(vehicle, message.vehicle)
        if road is not message.kind and road not in _ANY_KIND:
            # What could not be sent live goes as backlog with the same signed bytes.
            raise RejectedError(Cause.WRONG_KIND, f"signed as {message.kind.topic}, sent as {road.topic}")
        if not (message.records or message.losses):
            raise RejectedError(Cause.IMPOSSIBLE, "neither a record nor a range entry")
        if message.predecessor == message.stream:
            raise RejectedError(Cause.IMPOSSIBLE, "a stream that names itself as its predecessor")
        for record in message.records:
            _check_wall_time(record.timebase, record.t_ns, f"number {record.number}")
        return Accepted(
            vehicle=vehicle,
            stream=message.stream,
            boot=message.boot,
            kind=message.kind,
            road=road,
            records=message.records,
            losses=message.losses,
            predecessor=message.predecessor,
            key_id=opened.key_id,
            provable=opened.provable,
        )

    def judge_status(self, vehicle: str, payload: bytes) -> Status:
        """Judge one status word, which a gateway or its last will left.

        Raises:
            RejectedError: with the cause, if it is not to be believed.
        """
        self._check_size(payload)
        opened = self.keyring.open(vehicle, payload, Role.STATUS)
        if not opened.provable and self.keyring.signs(vehicle):
            raise RejectedError(Cause.NOT_A_DEVICES, "the status of a vehicle with a gateway must be signed")
        try:
            return decode_status(opened.payload, self.limits)
        except WireError as error:
            raise RejectedError(Cause.MALFORMED, str(error)) from error

    def _check_size(self, payload: bytes) -> None:
        if len(payload) > self.limits.message_bytes:
            raise RejectedError(
                Cause.OVERSIZED, f"{len(payload)} bytes, at most {self.limits.message_bytes} are taken"
            )


def _judge_statement(vehicle: str, statement: Statement, opened: Verified) -> AcceptedStatement:
    _check_vehicle(vehicle, statement.vehicle)
    if not (opened.provable or isinstance(statement, TimeCorrections)):
        raise RejectedError(
            Cause.NOT_A_DEVICES,
            f"a device has authenticated what must be signed: {statement_kind(statement)}",
        )
    for timebase, t_ns in _moments(statement):
        _check_wall_time(timebase, t_ns, f"the {statement_kind(statement)}")
    return AcceptedStatement(vehicle, statement, opened.key_id, opened.provable)


def _moments(statement: Statement) -> Iterator[tuple[Timebase, int]]:
    """Every time in a statement that becomes a wall time."""
    match statement:
        case TimeCorrections():
            for each in statement.corrections:
                yield each.timebase, each.from_ns
                yield each.timebase, each.to_ns
        case Checkpoint():
            yield Timebase(statement.wall_offset_ns, statement.time_quality), statement.t_ns
        case _:
            yield statement.timebase, statement.t_ns


def _check_vehicle(vehicle: str, signed_for: str) -> None:
    if signed_for != vehicle:
        raise RejectedError(Cause.WRONG_VEHICLE, f"signed for {signed_for!r}, sent as {vehicle!r}")


def _check_wall_time(timebase: Timebase, t_ns: int, what: str) -> None:
    wall_ns = timebase.wall_ns(t_ns)
    if not 0 <= wall_ns <= INT64_MAX:
        raise RejectedError(Cause.IMPOSSIBLE, f"{what} has the wall time {wall_ns} ns")
