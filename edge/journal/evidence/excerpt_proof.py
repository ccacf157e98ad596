"""Proves what an excerpt says with public keys alone, and says in plain words what that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.clock import NS_PER_S, TimeQuality
from edge.errors import JournalError
from edge.journal.evidence import merkle
from edge.journal.evidence.evidence import SignatureCheck, check_order
from edge.journal.evidence.excerpt_file import Entry, Excerpt, Segment, Showing, read_excerpt
from edge.wire.checkpoint import Checkpoint
from edge.wire.keys import VerifyingKey

_QUALITIES = {
    TimeQuality.RTC: "its own clock, which nothing had set",
    TimeQuality.NTP: "network time",
    TimeQuality.GNSS: "satellite time",
}
_NOT_PROVED = (
    "Not proved: that what the gateway was given to record was true, or that nobody else has used its keys."
)
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Countersigned:
    """What the platform vouches for: that it had a checkpoint in hand.

    Attributes:
        last: chain number up to which that checkpoint, and those before it by their hashes, go.
        server_time_ns: the platform's Unix time of the receipt, in nanoseconds.
        key_id: 8 bytes, the platform's key.
    """

    last: int
    server_time_ns: int
    key_id: bytes


@dataclass(frozen=True, slots=True)
class ExcerptReport:
    """What an excerpt proves; there is no report of one that does not hold.

    Attributes:
        excerpt: what was proved.
        blocks: every block of the series that touches the range, rising.
        checkpoints: the checkpoints that it rests on, rising.
        key_ids: the vehicle's keys that signed them, each 8 bytes.
        margin_ns: no block of the series that was written up to this long after the range is left out; None
            if the boot was over, so that no such block can have been written at all.
        countersigned: the receipts of the platform that stand with it, checked; rising.
        unchecked_receipts: receipts that could not be checked for want of the platform's key.
    """

    excerpt: Excerpt
    blocks: tuple[Entry, ...]
    checkpoints: tuple[Checkpoint, ...]
    key_ids: tuple[bytes, ...]
    margin_ns: int | None
    countersigned: tuple[Countersigned, ...]
    unchecked_receipts: int

    @property
    def closed(self) -> tuple[int, ...]:
        """Chain numbers of the blocks whose content is not shown."""
        return tuple(each.header.number for each in self.blocks if each.showing is Showing.CLOSED)

    @property
    def countersignature(self) -> Countersigned | None:
        """The earliest receipt that covers every block of the series in the range; None without one."""
        last = self.blocks[-1].header.number if self.blocks else self.checkpoints[-1].last
        return next((each for each in self.countersigned if each.last >= last), None)

    def sentences(self) -> tuple[str, ...]:
        """What is proved, and what is not, for a reader who is no engineer."""
        return (
            self._who(),
            self._when(),
            self._complete(),
            *self._contents(),
            self._platform(),
            _NOT_PROVED,
        )

    def _who(self) -> str:
        keys = ", ".join(key.hex() for key in self.key_ids)
        first, last = self.checkpoints[0].first, self.checkpoints[-1].last
        return (
            f"Vehicle {self.excerpt.vehicle} signed {len(self.checkpoints)} checkpoints in a row, over the"
            f" blocks {first} to {last} of journal {self.excerpt.stream.hex()} (key {keys}). Nothing that"
            " this excerpt shows was changed, added or put in another order since."
        )

    def _when(self) -> str:
        excerpt = self.excerpt
        span = f"{excerpt.from_ns / NS_PER_S:.6f} s to {excerpt.to_ns / NS_PER_S:.6f} s"
        said = f"The range is from {span} after start {excerpt.boot.hex()} of the gateway."
        known = [each for each in self.checkpoints if each.boot == excerpt.boot]
        best = max(known, key=lambda each: each.time_quality, default=None)
        if best is None or best.time_quality is TimeQuality.NONE:
            return f"{said} The gateway did not know the date and the time of day."
        begin, end = (_utc(t_ns + best.wall_offset_ns) for t_ns in (excerpt.from_ns, excerpt.to_ns))
        return f"{said} By {_QUALITIES[best.time_quality]} that is {begin} to {end}."

    def _complete(self) -> str:
        excerpt = self.excerpt
        series = f"{excerpt.kind.name.lower().replace('_', ' ')} blocks of class '{excerpt.data_class}'"
        if self.margin_ns is None:
            until = "The gateway was started anew after that, so that none can have been added later."
        else:
            until = (
                f"None is missing that was written up to {self.margin_ns / NS_PER_S:.3f} s after the range;"
                " a block written later than that is not spoken of."
            )
        return f"These are all {series} that touch the range: {len(self.blocks)} of them. {until}"

    def _contents(self) -> Iterable[str]:
        opened = len(self.blocks) - len(self.closed)
        if opened:
            yield f"The contents of {opened} of them are shown, and are those that were recorded."
        if self.closed:
            numbers = ", ".join(str(number) for number in self.closed[:_NAMED])
            more = f" and {len(self.closed) - _NAMED} more" if len(self.closed) > _NAMED else ""
            yield (
                f"The contents of {len(self.closed)} of them are not shown (blocks {numbers}{more}): whoever"
                " made the excerpt did not have them, or did not hand them on. When they were recorded and"
                " how much they held is proved, what they said is not."
            )

    def _platform(self) -> str:
        if (found := self.countersignature) is not None:
            return (
                f"The platform (key {found.key_id.hex()}) confirms that it had the vehicle's signature over"
                f" block {found.last} and all before it at {_utc(found.server_time_ns)}."
            )
        if self.unchecked_receipts:
            return "The platform's receipts in this excerpt were not checked: its public key was not given."
        return (
            "The platform does not confirm all of this here: nobody but the vehicle says when it was signed."
        )


def _utc(unix_ns: int) -> str:
    seconds, rest_ns = divmod(unix_ns, NS_PER_S)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"Unix time {seconds}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d} UTC"


def verify_excerpt(
    data: bytes, vehicle_keys: Iterable[VerifyingKey], platform_keys: Iterable[VerifyingKey] = ()
) -> ExcerptReport:
    """Prove an excerpt.

    Args:
        data: the excerpt's file.
        vehicle_keys: the public keys of the vehicle, from a place that is trusted.
        platform_keys: those of the platform; without any, its receipts are not checked and prove nothing.

    Returns:
        What is proved.

    Raises:
        JournalError: something does not hold: what, and at which block or checkpoint.
    """
    excerpt = read_excerpt(data)
    check = SignatureCheck(excerpt.vehicle, vehicle_keys, platform_keys)
    checkpoints: list[Checkpoint] = []
    key_ids: dict[bytes, None] = {}
    countersigned: list[Countersigned] = []
    unchecked = 0
    before: tuple[Checkpoint, bytes] | None = None
    for segment in excerpt.segments:
        read, key_id = check.checkpoint(segment.signed)
        if read.stream != excerpt.stream:
            raise JournalError("a checkpoint is of another stream than the excerpt")
        check_order(before, read)
        _check_segment(segment, read)
        before = read, segment.signed
        checkpoints.append(read)
        key_ids[key_id] = None
        if segment.receipt is None:
            continue
        if not check.knows_platform:
            unchecked += 1
            continue
        receipt, platform_key_id = check.countersignature(segment.receipt, segment.signed, read.stream)
        countersigned.append(Countersigned(read.last, receipt.server_time_ns, platform_key_id))
    if not checkpoints:
        raise JournalError("the excerpt rests on no checkpoint")
    margin_ns = _check_complete(excerpt, checkpoints)
    blocks = tuple(entry for entry in _entries(excerpt.segments) if entry.showing is not Showing.NEIGHBOUR)
    return ExcerptReport(
        excerpt,
        blocks,
        tuple(checkpoints),
        tuple(key_ids),
        margin_ns,
        tuple(countersigned),
        unchecked,
    )


def _entries(segments: Iterable[Segment]) -> Iterable[Entry]:
    return (entry for segment in segments for entry in segment.entries)


def _check_segment(segment: Segment, checkpoint: Checkpoint) -> None:
    """The blocks shown stand at their places under the signed root."""
    where = f"checkpoint of blocks {checkpoint.first} to {checkpoint.last}"
    if not segment.entries:
        if segment.nodes:
            raise JournalError("it has hashes that prove no block", where=where)
        return
    number = checkpoint.first - 1
    for entry in segment.entries:
        header = entry.header
        if not number < header.number <= checkpoint.last:
            raise JournalError("a block stands out of order or under another checkpoint's", where=where)
        number = header.number
        if header.boot == checkpoint.boot and header.to_ns > checkpoint.t_ns:
            raise JournalError("a block is from after the checkpoint that covers it", where=f"block {number}")
    known = {entry.header.number - checkpoint.first: entry.leaf() for entry in segment.entries}
    size = checkpoint.last - checkpoint.first + 1
    if merkle.proved_root(size, known, segment.nodes) != checkpoint.root:
        raise JournalError(
            "the blocks shown are not those that were signed: one of them was changed, moved or replaced",
            where=where,
        )


def _check_complete(excerpt: Excerpt, checkpoints: Sequence[Checkpoint]) -> int | None:
    """No block of the series in the range is left out; how long after the range that holds."""
    _check_boots(excerpt, checkpoints)
    fence = checkpoints[0]
    fenced = not excerpt.segments[0].entries and (fence.boot != excerpt.boot or fence.t_ns < excerpt.from_ns)
    accounted = _check_series(excerpt, fence.last if fenced else 0)
    seen = False
    margins: list[int | None] = []
    for segment, checkpoint in zip(excerpt.segments, checkpoints, strict=True):
        seen = seen or any(entry.header.boot == excerpt.boot for entry in segment.entries)
        if checkpoint.last <= accounted:
            if checkpoint.boot == excerpt.boot and checkpoint.t_ns >= excerpt.to_ns:
                margins.append(checkpoint.t_ns - excerpt.to_ns)
            elif checkpoint.boot != excerpt.boot and seen:
                margins.append(None)
        seen = seen or checkpoint.boot == excerpt.boot
    if not margins:
        raise JournalError("the excerpt ends before its range does: what follows is not shown, or not sealed")
    return margins[-1]


def _check_boots(excerpt: Excerpt, checkpoints: Sequence[Checkpoint]) -> None:
    """The boot is one run in the order of the chain, so that other boots are before it or after it."""
    order: list[bool] = []
    for segment, checkpoint in zip(excerpt.segments, checkpoints, strict=True):
        order += [entry.header.boot == excerpt.boot for entry in segment.entries]
        order.append(checkpoint.boot == excerpt.boot)
    if True not in order:
        raise JournalError("nothing here is of the boot that the excerpt speaks of")
    begin, length = order.index(True), sum(order)
    if not all(order[begin : begin + length]):
        raise JournalError("blocks or checkpoints of two boots are mixed")


def _check_series(excerpt: Excerpt, fenced_to: int) -> int:
    """Walk the series' chain; return the chain number up to which no block of the series is left out."""
    last = fenced_to
    linked = False
    for entry in _entries(excerpt.segments):
        header = entry.header
        where = f"block {header.number}"
        if excerpt.in_range(header) != (entry.showing is not Showing.NEIGHBOUR):
            raise JournalError("it is shown as within the range but is not, or the other way", where=where)
        if not excerpt.of_series(header):
            continue
        if header.previous != last and (linked or header.previous > last):
            raise JournalError(f"block {header.previous} of its series is left out before it", where=where)
        last, linked = header.number, True
    for entry in _entries(excerpt.segments):
        if entry.header.number == last + 1:
            last += 1
    return last
