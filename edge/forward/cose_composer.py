"""`CoseComposer`: signed CBOR messages out of records and gaps, each as large as may be sent now."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import WireError
from edge.forward.composer import Composed, Composer
from edge.forward.view import View, whole
from edge.records import Record
from edge.uplink.outgoing import Kind
from edge.wire.cose import Signer
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.loss import LossRange
from edge.wire.message import MESSAGE_WEIGHT, MessageKind, RecordMessage, encode, weight_of

KINDS = {
    Kind.ALARM: MessageKind.ALARM,
    Kind.LIVE: MessageKind.LIVE,
    Kind.EVENT: MessageKind.EVENT,
    Kind.BACKLOG: MessageKind.BACKLOG,
}

_ROOM = 0.85
"""A message is aimed at this share of what it may be: one that comes out too large has to be made again."""


class CoseComposer(Composer):
    """Composes the signed messages of one vehicle (docs/wire-format.md).

    Args:
        vehicle: the VIN or pseudonym in messages.
        keys: the catalogue's wire keys.
        signer: signs for the vehicle, role up.
        view: what the destination may have of a record.
    """

    def __init__(self, vehicle: str, keys: ItemKeys, signer: Signer, view: View = whole) -> None:
        super().__init__(view)
        self._vehicle = vehicle
        self._keys = keys
        self._signer = signer
        self._record_bytes = 60.0

    def records(
        self,
        kind: Kind,
        records: Sequence[Record],
        *,
        stream: bytes,
        predecessor: bytes | None,
        boot: bytes,
        most_bytes: int | None,
    ) -> Composed:
        """See `Composer.records`."""
        limit = min(most_bytes or DEFAULT_LIMITS.message_bytes, DEFAULT_LIMITS.message_bytes)
        shown = [self.view(record) for record in records[: self.likely(limit)]]
        if weight_of(shown[0]) > MESSAGE_WEIGHT:
            return Composed(b"", 1, "too large for a message")
        count = _light_enough(shown)
        while True:
            try:
                payload = self._sign(
                    RecordMessage(
                        kind=KINDS[kind],
                        vehicle=self._vehicle,
                        stream=stream,
                        boot=boot,
                        records=tuple(shown[:count]),
                        predecessor=predecessor if shown[0].number == 1 else None,
                    )
                )
            except WireError as error:
                if count == 1:
                    return Composed(b"", 1, f"cannot be written as a message: {error}")
                count //= 2
                continue
            if len(payload) <= limit or (count == 1 and len(payload) <= DEFAULT_LIMITS.message_bytes):
                self._record_bytes = len(payload) / count
                return Composed(payload, count)
            if count == 1:
                return Composed(b"", 1, "too large for a message")
            count = max(1, min(count - 1, int(count * _ROOM * limit / len(payload))))

    def likely(self, most_bytes: int | None) -> int:
        """See `Composer.likely`."""
        limit = min(most_bytes or DEFAULT_LIMITS.message_bytes, DEFAULT_LIMITS.message_bytes)
        return max(1, min(DEFAULT_LIMITS.records, int(_ROOM * limit / self._record_bytes)))

    def gap(self, entry: LossRange, *, stream: bytes, predecessor: bytes | None, boot: bytes) -> bytes:
        """See `Composer.gap`."""
        return self._sign(
            RecordMessage(
                kind=MessageKind.BACKLOG,
                vehicle=self._vehicle,
                stream=stream,
                boot=boot,
                losses=(entry,),
                predecessor=predecessor if entry.first == 1 else None,
            )
        )

    def _sign(self, message: RecordMessage) -> bytes:
        return self._signer.sign(encode(message, self._keys))


def _light_enough(records: Sequence[Record]) -> int:
    """How many of the first records a reader takes in one message; at least one."""
    weight, count = 0, 0
    for record in records:
        weight += weight_of(record)
        if count and weight > MESSAGE_WEIGHT:
            break
        count += 1
    return count
