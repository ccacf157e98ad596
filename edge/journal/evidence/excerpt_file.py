"""The file of an excerpt: what it holds, written in one way and read strictly; `docs/journal-format.md`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from edge.errors import JournalError, WireError
from edge.journal.block import (
    BOOT_BYTES,
    HASH_BYTES,
    SALT_BYTES,
    STREAM_BYTES,
    TEXT_BYTES,
    Block,
    BlockHeader,
    BlockKind,
    commit,
    leaf,
    read_header,
)
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, read_cbor, write_cbor

NAME = "nevgate excerpt"
VERSION = 1
MAX_BYTES = 256 * 1024 * 1024
"""An excerpt is read whole; one of a longer time is made in parts."""

_FIELDS = range(10)


class Showing(IntEnum):
    """How a block stands in an excerpt."""

    NEIGHBOUR = 0
    """Outside the range or of another series: it shows that nothing is left out between."""

    CLOSED = 1
    """In the range, its content not shown: it was erased, or is kept no longer."""

    OPEN = 2
    """In the range, with its content."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A block in an excerpt.

    Attributes:
        showing: why it is here.
        header: what is readable without a key.
        header_bytes: the same as it was written.
        ciphertext_hash: SHA-256 of what the journal keeps or kept, 32 bytes.
        commitment: SHA-256 over salt and plaintext, 32 bytes; computed from these where they are here.
        salt: 16 bytes; None unless open.
        plaintext: the content; None unless open.
    """

    showing: Showing
    header: BlockHeader
    header_bytes: bytes
    ciphertext_hash: bytes
    commitment: bytes
    salt: bytes | None = None
    plaintext: bytes | None = None

    @classmethod
    def neighbour(cls, block: Block) -> Entry:
        """Show a block's header and hashes."""
        return cls(
            Showing.NEIGHBOUR, block.header, block.header_bytes, block.ciphertext_hash, block.commitment
        )

    @classmethod
    def within(cls, block: Block, opening: tuple[bytes, bytes] | None) -> Entry:
        """Show a block of the range, with salt and plaintext where they still are."""
        if opening is None:
            return cls(
                Showing.CLOSED, block.header, block.header_bytes, block.ciphertext_hash, block.commitment
            )
        salt, plaintext = opening
        commitment = commit(salt, plaintext)
        if commitment != block.commitment:
            raise JournalError(
                "the content is not what was committed to", where=f"block {block.header.number}"
            )
        return cls(
            Showing.OPEN,
            block.header,
            block.header_bytes,
            block.ciphertext_hash,
            commitment,
            salt,
            plaintext,
        )

    def leaf(self) -> bytes:
        """The block as a leaf of its checkpoint's tree."""
        return leaf(self.header_bytes, self.ciphertext_hash, self.commitment)


@dataclass(frozen=True, slots=True)
class Segment:
    """A checkpoint and those of its blocks that the excerpt shows.

    Attributes:
        signed: the signed checkpoint.
        receipt: the platform's signed receipt that countersigns it; None where there is none.
        nodes: the hashes that lead from the blocks shown to the checkpoint's root; none without a block.
        entries: the blocks shown, rising.
    """

    signed: bytes
    receipt: bytes | None
    nodes: tuple[bytes, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """All blocks of one series that touch a range of time, and what proves that they are all.

    Attributes:
        vehicle: VIN or pseudonym, as in the checkpoints.
        stream: 16 bytes, the stream whose journal it is from.
        kind: of the series.
        data_class: of the series.
        boot: 16 bytes, whose monotonic time the range is in.
        from_ns: beginning of the range, boot-monotonic nanoseconds.
        to_ns: its end, included.
        segments: checkpoints in a row, rising.
    """

    vehicle: str
    stream: bytes
    kind: BlockKind
    data_class: str
    boot: bytes
    from_ns: int
    to_ns: int
    segments: tuple[Segment, ...]

    def of_series(self, header: BlockHeader) -> bool:
        """Whether a block is of the series."""
        return header.kind == self.kind and header.data_class == self.data_class

    def in_range(self, header: BlockHeader) -> bool:
        """Whether a block is of the series and touches the range."""
        return (
            self.of_series(header)
            and header.boot == self.boot
            and header.from_ns <= self.to_ns
            and header.to_ns >= self.from_ns
        )


def write_excerpt(excerpt: Excerpt) -> bytes:
    """Write an excerpt as a CBOR map in its one encoding (RFC 8949, section 4.2.1)."""
    segments: list[CborValue] = [
        [each.signed, each.receipt or b"", list(each.nodes), [_written(entry) for entry in each.entries]]
        for each in excerpt.segments
    ]
    values: list[CborValue] = [
        NAME,
        VERSION,
        excerpt.vehicle,
        excerpt.stream,
        int(excerpt.kind),
        excerpt.data_class,
        excerpt.boot,
        excerpt.from_ns,
        excerpt.to_ns,
        segments,
    ]
    return write_cbor(dict(zip(_FIELDS, values, strict=True)))


def _written(entry: Entry) -> CborValue:
    content = (entry.commitment,) if entry.salt is None else (entry.salt, entry.plaintext or b"")
    return [int(entry.showing), entry.header_bytes, entry.ciphertext_hash, *content]


def read_excerpt(data: bytes, limit: int = MAX_BYTES) -> Excerpt:
    """Read an excerpt strictly; nothing of it is proved yet.

    Args:
        data: the whole file.
        limit: bytes to accept.

    Raises:
        JournalError: the bytes are no excerpt, in whatever way.
    """
    if len(data) > limit:
        raise JournalError(f"an excerpt of {len(data):,} bytes exceeds {limit:,}")
    try:
        value = read_cbor(data)
    except WireError as error:
        raise JournalError(f"the excerpt is damaged: {error.what}", where=error.where) from error
    if not isinstance(value, dict) or list(value) != list(_FIELDS) or value[0] != NAME:
        raise JournalError("this file is no excerpt of a journal")
    match list(value.values()):
        case [
            _,
            int(version),
            str(vehicle),
            bytes(stream),
            int(kind),
            str(data_class),
            bytes(boot),
            int(from_ns),
            int(to_ns),
            list(segments),
        ]:
            pass
        case _:
            raise JournalError("a field of the excerpt has another type than its own")
    if version != VERSION:
        raise JournalError(f"the excerpt has version {version}, not {VERSION}")
    if kind not in set(BlockKind):
        raise JournalError(f"the excerpt is of blocks of the unknown kind {kind}")
    if not INT64_MIN <= from_ns <= to_ns <= INT64_MAX:
        raise JournalError("the excerpt's range runs backwards")
    if (len(stream), len(boot)) != (STREAM_BYTES, BOOT_BYTES):
        raise JournalError("the excerpt's stream and boot ids have not 16 bytes")
    if max(len(vehicle.encode()), len(data_class.encode())) > TEXT_BYTES:
        raise JournalError(f"the excerpt's vehicle or class has a name of more than {TEXT_BYTES} bytes")
    return Excerpt(
        vehicle,
        stream,
        BlockKind(kind),
        data_class,
        boot,
        from_ns,
        to_ns,
        tuple(_segment(each) for each in segments),
    )


def _segment(value: CborValue) -> Segment:
    match value:
        case [bytes(signed), bytes(receipt), list(nodes), list(entries)]:
            hashes = [node for node in nodes if isinstance(node, bytes) and len(node) == HASH_BYTES]
            if len(hashes) == len(nodes):
                return Segment(
                    signed, receipt or None, tuple(hashes), tuple(_entry(each) for each in entries)
                )
    raise JournalError("a checkpoint of the excerpt is not laid out as one")


def _entry(value: CborValue) -> Entry:
    match value:
        case [0 | 1 as showing, bytes(header), bytes(ciphertext_hash), bytes(commitment)]:
            _lengths((ciphertext_hash, commitment), HASH_BYTES)
            return Entry(Showing(showing), read_header(header), header, ciphertext_hash, commitment)
        case [2, bytes(header), bytes(ciphertext_hash), bytes(salt), bytes(plaintext)]:
            _lengths((ciphertext_hash,), HASH_BYTES)
            _lengths((salt,), SALT_BYTES)
            return Entry(
                Showing.OPEN,
                read_header(header),
                header,
                ciphertext_hash,
                commit(salt, plaintext),
                salt,
                plaintext,
            )
        case _:
            raise JournalError("a block of the excerpt is not laid out as one")


def _lengths(values: Iterable[bytes], size: int) -> None:
    for value in values:
        if len(value) != size:
            raise JournalError(f"a hash or salt in the excerpt has {len(value)} bytes, not {size}")
