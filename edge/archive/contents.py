"""What blocks of notes say, as plain values: events, the wall clock, accounts, erasures, consents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.archive.media import describe_media
from edge.archive.opening import Archive
from edge.clock import TimeQuality
from edge.consent.consent_notes import decode_entry
from edge.consent.plain import plain_entry
from edge.errors import JournalError, WireError
from edge.journal.block import BlockKind
from edge.wire.account_message import AccountMessage
from edge.wire.account_message import decode as decode_account
from edge.wire.strict_cbor import CborValue, read_cbor

_LAID_OUT = frozenset(
    {BlockKind.ACCOUNT, BlockKind.EVENT, BlockKind.TIME, BlockKind.ERASURE, BlockKind.CONSENT}
)


@dataclass(frozen=True, slots=True)
class EventWindow:
    """The window of an event, in one boot.

    Attributes:
        boot: 16 bytes.
        event_id: its name in that boot.
        from_ns: nanoseconds since boot at which the window begins.
        to_ns: at which it ends.
    """

    boot: bytes
    event_id: str
    from_ns: int
    to_ns: int


def describe(kind: BlockKind, plaintext: bytes) -> Mapping[str, object]:
    """What a block of notes says, by names of its fields (docs/journal-format.md).

    Kinds without a layout of their own are shown as the CBOR that they are, or as hexadecimal.

    Raises:
        JournalError: the content cannot be read.
    """
    try:
        if kind is BlockKind.ACCOUNT:
            return describe_account(decode_account(plaintext))
        if kind is BlockKind.MEDIA:
            return describe_media(plaintext)
        if kind is BlockKind.CONSENT:
            return plain_entry(decode_entry(plaintext))
        fields = read_cbor(plaintext)
    except WireError as error:
        if kind in _LAID_OUT:
            raise JournalError(f"the content cannot be read: {error}") from error
        return {"bytes": plaintext.hex()}
    return _described(kind, fields)


def describe_account(message: AccountMessage) -> Mapping[str, object]:
    """An account as plain values."""
    ledger = message.ledger
    return {
        "vehicle": message.vehicle,
        "t_ns": message.t_ns,
        "since_ns": message.since_ns,
        "last_number": message.last_number,
        "account": message.account.as_json(),
        "ledger": ledger
        and {
            "acknowledged": ledger.acknowledged,
            "waiting": ledger.waiting,
            "given_up": ledger.given_up,
        },
    }


def event_window(archive: Archive, event_id: str) -> EventWindow:
    """The window of an event, of the last boot that had one of that name.

    Raises:
        JournalError: the journal has no such event, or its content is gone.
    """
    names: dict[str, None] = {}
    found: EventWindow | None = None
    for (number,) in archive.connection.execute(
        "SELECT number FROM block WHERE stream = 1 AND kind = ? AND size > 0 ORDER BY number",
        (int(BlockKind.EVENT),),
    ):
        try:
            opened = archive.content(number)
            said = None if opened is None else read_cbor(opened[1])
        except (JournalError, WireError):
            continue
        match said:
            case {1: str(name), 4: [int(from_ns), int(to_ns)]} if opened is not None:
                names[name] = None
                if name == event_id:
                    # The later note, of the end, knows how far the window was prolonged.
                    found = EventWindow(opened[0].header.boot, name, from_ns, to_ns)
            case _:
                continue
    if found is None:
        known = ", ".join([*names][-5:])
        raise JournalError(
            f"there is no event '{event_id}'",
            where=str(archive.folder),
            todo=f"The last ones are {known}" if known else "There is no event in it at all",
        )
    return found


def erased_keys(archive: Archive) -> frozenset[bytes]:
    """Ids of the data keys that were destroyed on request, as the journal says; none without its keys."""
    keys: set[bytes] = set()
    for (number,) in archive.connection.execute(
        "SELECT number FROM block WHERE stream = 1 AND kind = ? AND size > 0", (int(BlockKind.ERASURE),)
    ):
        try:
            opened = archive.content(number)
            said = None if opened is None else read_cbor(opened[1])
        except (JournalError, WireError):
            continue
        match said:
            case {7: [*found]}:
                keys |= {key for key in found if isinstance(key, bytes)}
            case _:
                continue
    return frozenset(keys)


def _described(kind: BlockKind, fields: CborValue) -> Mapping[str, object]:
    match kind, fields:
        case BlockKind.EVENT, dict(named):
            return _event(named)
        case BlockKind.TIME, {1: at_ns, 2: [before_ns, before], 3: [after_ns, after], **more}:
            return {
                "at_ns": at_ns,
                "before": {"wall_offset_ns": before_ns, "quality": _quality(before)},
                "after": {"wall_offset_ns": after_ns, "quality": _quality(after)},
                "corrects_ns": more.get(4),
            }
        case BlockKind.SECURITY, {
            1: str(event),
            2: str(cause),
            3: str(kept_in),
            4: bytes(stream),
            5: [*told],
        }:
            return {
                "event": event,
                "cause": cause,
                "kept_in": kept_in or None,
                "stream": stream.hex() or None,
                "rescued": dict(zip(("records", "lost", "messages"), map(_plain, told), strict=False)),
            }
        case BlockKind.ERASURE, dict(named):
            return _erasure(named)
        case _:
            return {"fields": _plain(fields)}


def _event(fields: dict[int, CborValue]) -> Mapping[str, object]:
    match fields:
        case {1: event_id, 2: trigger, 3: ended, 4: [from_ns, to_ns], 5: cause}:
            more: dict[str, object] = (
                {"frames": fields.get(9), "again": fields.get(10)}
                if ended
                else {
                    "at_ns": fields.get(6),
                    "locked": bool(fields.get(7)),
                    "complete_from_ns": fields.get(8),
                }
            )
            return {
                "event": event_id,
                "trigger": trigger,
                "what": "ended" if ended else "began",
                "from_ns": from_ns,
                "to_ns": to_ns,
                "cause": cause,
                **more,
            }
        case _:
            return {"fields": _plain(fields)}


def _erasure(fields: dict[int, CborValue]) -> Mapping[str, object]:
    match fields:
        case {1: data_class, 5: reason, 6: blocks, 7: [*keys], 8: messages}:
            return {
                "class": data_class,
                "first_day": fields.get(2),
                "last_day": fields.get(3),
                "purpose": fields.get(4),
                "consents": _plain(fields.get(9, [])),
                "reason": reason,
                "blocks": blocks,
                "keys": [_plain(key) for key in keys],
                "messages": messages,
            }
        case _:
            return {"fields": _plain(fields)}


def _quality(value: CborValue) -> str:
    try:
        return TimeQuality(int(str(value))).name
    except ValueError:
        return str(value)


def _plain(value: CborValue) -> object:
    """CBOR as JSON can hold it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value
