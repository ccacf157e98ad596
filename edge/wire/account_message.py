"""The account as a message: what entered each hop of a vehicle's road, what left it, each loss by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from types import MappingProxyType

from edge.account import Account, Hop
from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, Fields, read_cbor, write_cbor
from edge.wire.up_kinds import UpKind

VERSION = 1
STREAM_BYTES = 16
BOOT_BYTES = 16

HOPS = 256
"""Hops of one account at most."""

COUNTS = 1_024
"""Causes, lower bounds or facts of one hop at most."""

NAME_BYTES = 1_024
"""Length of a hop's, a unit's or a cause's name at most, in UTF-8."""


class _Field(IntEnum):
    """Keys of the account's map; see ``nevgate.cddl``."""

    VERSION = 1
    KIND = 2
    VEHICLE = 3
    STREAM = 4
    BOOT = 5
    TIME = 6
    WALL_OFFSET = 7
    TIME_QUALITY = 8
    LAST_NUMBER = 9
    HOPS = 10
    SINCE = 11
    LEDGER = 12


@dataclass(frozen=True, slots=True)
class StreamLedger:
    """What has become of the numbers of one stream on their way to one platform, each counted once.

    The three add up to the last number committed; a platform that finds otherwise reports it.

    Attributes:
        acknowledged: a receipt has acknowledged them as records, whatever became of the vehicle's copy since.
        waiting: records that are still to be acknowledged.
        given_up: they will not come, and a range entry says so or is about to.
    """

    acknowledged: int
    waiting: int
    given_up: int

    def __post_init__(self) -> None:
        if not all(0 <= count <= INT64_MAX for count in (self.acknowledged, self.waiting, self.given_up)):
            raise WireError("a ledger's count is out of range", where="account")

    @property
    def total(self) -> int:
        """All numbers that the ledger speaks of."""
        return self.acknowledged + self.waiting + self.given_up


@dataclass(frozen=True, slots=True)
class AccountMessage:
    """The account of one vehicle at one moment.

    Attributes:
        vehicle: the VIN, or a pseudonym that the platform knows; 1 to 128 bytes in UTF-8.
        stream: 16 bytes, the stream that was being written.
        boot: 16 bytes that name the boot of both times.
        t_ns: when the account was taken, nanoseconds since that boot.
        timebase: its relation to wall time then.
        last_number: greatest number of the stream that was committed then; 0 for none.
        account: the hops, which need not balance: that is for the reader to see.
        since_ns: from when on the hops count, nanoseconds since that boot; not after `t_ns`.
        ledger: of numbers 1 to `last_number`, for the platform that the message goes to; None where something
            else than its receipts counts as acknowledged.
    """

    vehicle: str
    stream: bytes
    boot: bytes
    t_ns: int
    timebase: Timebase
    last_number: int
    account: Account
    since_ns: int
    ledger: StreamLedger | None = None

    def __post_init__(self) -> None:
        _check_name(self.vehicle, DEFAULT_LIMITS.text_bytes)
        if len(self.stream) != STREAM_BYTES or len(self.boot) != BOOT_BYTES:
            raise WireError("stream and boot id have 16 bytes each", where="account")
        if not INT64_MIN <= self.since_ns <= self.t_ns <= INT64_MAX:
            raise WireError("an account's times run backwards or are out of range", where="account")
        if not INT64_MIN <= self.timebase.wall_offset_ns <= INT64_MAX:
            raise WireError("wall offset is out of range", where="account")
        if not 0 <= self.last_number <= INT64_MAX:
            raise WireError("last number is out of range", where="account")
        if not 0 < len(self.account.hops) <= HOPS:
            raise WireError(f"an account has 1 to {HOPS} hops", where="account")
        for hop in self.account.hops:
            _check_hop(hop)


def _check_name(name: str, limit: int) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise WireError("a name has characters that UTF-8 lacks", where="account") from error
    if not 0 < size <= limit:
        raise WireError(f"a name has 1 to {limit} bytes", where="account")


def _check_hop(hop: Hop) -> None:
    _check_name(hop.name, NAME_BYTES)
    _check_name(hop.unit, NAME_BYTES)
    if not (0 <= hop.entered <= INT64_MAX and 0 <= hop.left <= INT64_MAX):
        raise WireError("a hop's count is out of range", where=hop.name)
    for counts in (hop.set_aside, hop.at_least, hop.facts):
        if len(counts) > COUNTS:
            raise WireError(f"a hop has at most {COUNTS} counts of a sort", where=hop.name)
        for name, count in counts.items():
            _check_name(name, NAME_BYTES)
            if not 0 <= count <= INT64_MAX:
                raise WireError(f"the count of '{name}' is out of range", where=hop.name)


def encode(message: AccountMessage) -> bytes:
    """Write an account as a CBOR map, not yet signed; equal accounts give equal bytes.

    Raises:
        WireError: it would be larger than a message may be.
    """
    hops: list[CborValue] = [
        [
            hop.name,
            hop.unit,
            hop.entered,
            hop.left,
            _write_counts(hop.set_aside),
            _write_counts(hop.at_least),
            _write_counts(hop.facts),
        ]
        for hop in message.account.hops
    ]
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.KIND: int(UpKind.ACCOUNT),
        _Field.VEHICLE: message.vehicle,
        _Field.STREAM: message.stream,
        _Field.BOOT: message.boot,
        _Field.TIME: message.t_ns,
        _Field.WALL_OFFSET: message.timebase.wall_offset_ns,
        _Field.TIME_QUALITY: int(message.timebase.quality),
        _Field.LAST_NUMBER: message.last_number,
        _Field.HOPS: hops,
        _Field.SINCE: message.since_ns,
    }
    if message.ledger is not None:
        ledger = message.ledger
        fields[_Field.LEDGER] = [ledger.acknowledged, ledger.waiting, ledger.given_up]
    data = write_cbor({int(key): value for key, value in fields.items()})
    if len(data) > DEFAULT_LIMITS.message_bytes:
        raise WireError(f"account of {len(data)} bytes exceeds {DEFAULT_LIMITS.message_bytes}")
    return data


def _write_counts(counts: Mapping[str, int]) -> CborValue:
    # The strict subset of CBOR has no maps with texts as keys, so that counts go as pairs in order of name.
    return [[name, count] for name, count in sorted(counts.items())]


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> AccountMessage:
    """Read an account strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Returns:
        The account.

    Raises:
        WireError: the bytes are no such account, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"account of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "account")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    fields.integer(_Field.KIND, UpKind.ACCOUNT, UpKind.ACCOUNT)
    vehicle = fields.text(_Field.VEHICLE, limits.text_bytes)
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    boot = fields.octets(_Field.BOOT, BOOT_BYTES)
    t_ns = fields.integer(_Field.TIME)
    wall_offset_ns = fields.integer(_Field.WALL_OFFSET)
    quality = TimeQuality(fields.integer(_Field.TIME_QUALITY, 0, max(TimeQuality)))
    last_number = fields.integer(_Field.LAST_NUMBER, 0)
    account = Account.of(_read_hop(entry) for entry in fields.array(_Field.HOPS, HOPS))
    since_ns = fields.integer(_Field.SINCE)
    ledger = None
    if fields.has(_Field.LEDGER):
        ledger = StreamLedger(*fields.integers(fields.array(_Field.LEDGER, 3), 3))
    fields.finish()
    timebase = Timebase(wall_offset_ns, quality)
    return AccountMessage(vehicle, stream, boot, t_ns, timebase, last_number, account, since_ns, ledger)


def _read_hop(entry: CborValue) -> Hop:
    match entry:
        case [str(name), str(unit), int(entered), int(left), [*set_aside], [*at_least], [*facts]]:
            return Hop(
                name,
                unit,
                entered,
                left,
                _read_counts(set_aside),
                _read_counts(at_least),
                _read_counts(facts),
            )
        case _:
            raise WireError("a hop is not of its form", where="account")


def _read_counts(entries: Sequence[CborValue]) -> Mapping[str, int]:
    pairs: list[tuple[str, int]] = []
    for entry in entries:
        match entry:
            case [str(name), int(count)]:
                pairs.append((name, count))
            case _:
                raise WireError("a hop's count is not a name and a number", where="account")
    if any(later[0] <= earlier[0] for earlier, later in pairwise(pairs)):
        raise WireError("a hop's counts are not in order of name, each once", where="account")
    return MappingProxyType(dict(pairs))
