"""Makes excerpts: all blocks of one kind and class in a range of time, and the proof that they are all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.clock import NS_PER_S
from edge.errors import JournalError, WireError
from edge.journal.block import Block, BlockKind, leaf
from edge.journal.evidence import merkle
from edge.journal.evidence.evidence import Evidence, StoredCheckpoint
from edge.journal.evidence.excerpt_file import MAX_BYTES, Entry, Excerpt, Segment, write_excerpt
from edge.wire.checkpoint import Checkpoint, decode
from edge.wire.cose import unverified_payload

DEFAULT_MARGIN_NS = 120 * NS_PER_S
"""How late after the range a block may have been written and is still looked for: windows reach back."""


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A checkpoint, as stored and as read."""

    stored: StoredCheckpoint
    read: Checkpoint


@dataclass(slots=True)
class _Collected:
    """What of a segment is shown, while its blocks pass by."""

    sealed: _Sealed
    leaves: list[bytes] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)

    def segment(self) -> Segment:
        stored = self.sealed.stored
        nodes = merkle.prove(self.leaves, [n - stored.first for n in self.entries]) if self.entries else ()
        entries = tuple(self.entries[number] for number in sorted(self.entries))
        return Segment(stored.signed, stored.receipt, nodes, entries)


def make_excerpt(
    evidence: Evidence,
    *,
    kind: BlockKind,
    data_class: str,
    boot: bytes,
    from_ns: int,
    to_ns: int,
    margin_ns: int = DEFAULT_MARGIN_NS,
) -> bytes:
    """Make the excerpt of a series over a range of one boot's time.

    It goes from the last checkpoint before the range, or the stream's beginning, to the first one `margin_ns`
    after it, or of a later boot; where there is none yet, to the last one after the range. Contents are only
    those of the series within the range. Signatures are handed on as they are, not checked.

    Args:
        evidence: the journal.
        kind: of the series.
        data_class: of the series; empty for none.
        boot: 16 bytes, the boot whose monotonic time the range is in.
        from_ns: beginning of the range in nanoseconds.
        to_ns: its end, included.
        margin_ns: how late after the range a block may have been written.

    Returns:
        The excerpt's file.

    Raises:
        JournalError: nothing is known of the boot, the range is not sealed by a checkpoint yet, blocks that
            the proof needs are gone, or the excerpt would be too large.
    """
    if from_ns > to_ns:
        raise JournalError("the range of the excerpt runs backwards")
    checkpoints = [_Sealed(each, _read(each)) for each in evidence.checkpoints()]
    if not checkpoints:
        raise JournalError("nothing of this journal is sealed yet", todo="Wait for the next checkpoint")
    newest = checkpoints[-1].read
    excerpt = Excerpt(newest.vehicle, newest.stream, kind, data_class, boot, from_ns, to_ns, ())
    fence, horizon, witness = _window(evidence, checkpoints, excerpt, margin_ns)
    segments = _collect(evidence, checkpoints, excerpt, (fence, horizon), witness)
    data = write_excerpt(
        Excerpt(newest.vehicle, newest.stream, kind, data_class, boot, from_ns, to_ns, segments)
    )
    if len(data) > MAX_BYTES:
        raise JournalError(
            f"the excerpt would have {len(data):,} bytes, more than {MAX_BYTES:,}",
            todo="Make several excerpts of shorter ranges",
        )
    return data


def _read(stored: StoredCheckpoint) -> Checkpoint:
    try:
        return decode(unverified_payload(stored.signed))
    except WireError as error:
        raise JournalError(
            f"a stored checkpoint is damaged: {error.what}", where=f"blocks {stored.first} to {stored.last}"
        ) from error


def _window(
    evidence: Evidence, checkpoints: Sequence[_Sealed], excerpt: Excerpt, margin_ns: int
) -> tuple[int, int, Block | None]:
    """Places of the last checkpoint before the range (-1 for none) and of the one that closes it.

    The third is the first block of a boot in which no checkpoint was made.
    """
    own = [place for place, each in enumerate(checkpoints) if each.read.boot == excerpt.boot]
    if not own:
        witness = _first_of_boot(evidence, excerpt.boot, checkpoints[-1].stored.last)
        number = witness.header.number
        after = next(place for place, each in enumerate(checkpoints) if each.stored.last >= number)
        return after - 1, after, witness
    before = [place for place in own if checkpoints[place].read.t_ns < excerpt.from_ns]
    fence = before[-1] if before else own[0] - 1
    if own[-1] + 1 < len(checkpoints):
        last = own[-1] + 1
    elif checkpoints[own[-1]].read.t_ns >= excerpt.to_ns:
        last = own[-1]
    else:
        raise JournalError(
            f"the range is not sealed yet: the last checkpoint was made {checkpoints[-1].read.t_ns} ns after"
            f" boot, the range ends at {excerpt.to_ns} ns",
            todo="Wait for the next checkpoint, or end the range earlier",
        )
    late = (place for place in own if checkpoints[place].read.t_ns >= excerpt.to_ns + margin_ns)
    return fence, next(late, last), None


def _first_of_boot(evidence: Evidence, boot: bytes, last: int) -> Block:
    for block in evidence.blocks(1, last):
        if block.header.boot == boot:
            return block
    raise JournalError(
        f"no sealed block is of boot {boot.hex()}",
        todo="'nevgate journal ls' names the boots; the newest may not be sealed yet",
    )


def _collect(
    evidence: Evidence,
    checkpoints: Sequence[_Sealed],
    excerpt: Excerpt,
    window: tuple[int, int],
    witness: Block | None,
) -> tuple[Segment, ...]:
    fence, horizon = window
    collected = [_Collected(checkpoints[fence])] if fence >= 0 else []
    trailing: list[tuple[_Collected, Entry]] = []
    boot_seen = witness is None
    for sealed in checkpoints[fence + 1 : horizon + 1]:
        segment = _Collected(sealed)
        collected.append(segment)
        for block in _whole(evidence, sealed.stored):
            segment.leaves.append(leaf(block.header_bytes, block.ciphertext_hash, block.commitment))
            if not excerpt.of_series(block.header):
                trailing.append((segment, Entry.neighbour(block)))
                continue
            trailing.clear()
            boot_seen = boot_seen or block.header.boot == excerpt.boot
            segment.entries[block.header.number] = _shown(evidence, excerpt, block)
    successor = _successor(evidence, checkpoints[horizon + 1 : horizon + 2], excerpt) if trailing else None
    if successor is not None:
        collected.append(successor)
    else:
        for segment, entry in trailing:
            segment.entries[entry.header.number] = entry
    if not boot_seen and witness is not None:
        collected[-1 if successor is None else -2].entries.setdefault(
            witness.header.number, Entry.neighbour(witness)
        )
    return tuple(each.segment() for each in collected)


def _shown(evidence: Evidence, excerpt: Excerpt, block: Block) -> Entry:
    if excerpt.in_range(block.header):
        return Entry.within(block, evidence.plaintext(block))
    return Entry.neighbour(block)


def _whole(evidence: Evidence, stored: StoredCheckpoint) -> Iterator[Block]:
    """All blocks of a segment, or an error: one missing leaf leaves nothing to prove the others by."""
    number = stored.first
    for block in evidence.blocks(stored.first, stored.last):
        if block.header.number != number:
            break
        number += 1
        yield block
    if number <= stored.last:
        raise JournalError(
            "the excerpt cannot be proved complete: this block is no longer in the journal",
            where=f"block {number}",
            todo="Choose a range after it",
        )


def _successor(evidence: Evidence, following: Sequence[_Sealed], excerpt: Excerpt) -> _Collected | None:
    """The series' next block, if it is in the segment that follows: it names the one before it."""
    for sealed in following:
        segment = _Collected(sealed)
        for block in evidence.blocks(sealed.stored.first, sealed.stored.last):
            segment.leaves.append(leaf(block.header_bytes, block.ciphertext_hash, block.commitment))
            if not segment.entries and excerpt.of_series(block.header):
                segment.entries[block.header.number] = Entry.neighbour(block)
        whole = len(segment.leaves) == sealed.stored.last - sealed.stored.first + 1
        return segment if segment.entries and whole else None
    return None
