"""A block of the journal as evidence: its clear header, its commitment, and its place in the chain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from edge.clock import Timebase, TimeQuality
from edge.errors import JournalError, WireError
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, read_cbor, write_cbor

VERSION = 1
BOOT_BYTES = 16
STREAM_BYTES = 16
KEY_ID_BYTES = 8
SALT_BYTES = 16
HASH_BYTES = 32
TEXT_BYTES = 128

_LEAF, _LINK, _FIRST_LINK = b"\x00", b"\x02", b"\x03"


class BlockKind(IntEnum):
    """What a block holds; the numbers are permanent."""

    FRAMES = 1
    """Raw frames of the buses, as the door let them pass."""

    RECORDS = 2
    """Records of regulated items."""

    EVENT_FRAMES = 3
    """Raw frames around an event, kept longer than the others."""

    EVENT = 4
    """An event: what triggered it, from when to when."""

    MEDIA = 5
    """A piece of video or a picture."""

    SECURITY = 6
    """A security event of the gateway."""

    CONFIGURATION = 7
    """A configuration that came into force."""

    TIME = 8
    """A step of the wall clock, or an offset that a later fix gives to earlier times."""

    ACCOUNT = 9
    """The account of losses at one instant."""

    ERASURE = 10
    """What was erased on request, and when."""

    CONSENT = 11
    """What a person agreed to, refused or withdrew."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What is readable of a block without any key; it is authenticated with the ciphertext.

    Attributes:
        number: place in the chain, from 1, without gaps.
        kind: what the block holds.
        data_class: the one class of its data, a name of up to 128 bytes; empty where it has none.
        boot: 16 bytes, the boot whose monotonic time the block carries.
        from_ns: earliest boot-monotonic time in it, nanoseconds.
        to_ns: latest one, included.
        wall_offset_ns: added to a monotonic time gives Unix time, as known when the block was made.
        time_quality: how good that wall time is.
        previous: number of the block before of the same kind and class; 0 for none.
        key_id: 8 bytes, the data key under which it is sealed.
        count: frames or records in it.
        first_number: number of its first record; 0 where it holds none.
        last_number: number of its last record; 0 where it holds none.
        mask: name of the door's mask, up to 128 bytes; empty where there is none.

    Raises:
        JournalError: a field is out of range, or two contradict each other.
    """

    number: int
    kind: BlockKind
    data_class: str
    boot: bytes
    from_ns: int
    to_ns: int
    wall_offset_ns: int
    time_quality: TimeQuality
    previous: int
    key_id: bytes
    count: int
    first_number: int
    last_number: int
    mask: str

    @property
    def timebase(self) -> Timebase:
        """How its times relate to wall time."""
        return Timebase(self.wall_offset_ns, self.time_quality)

    def __post_init__(self) -> None:
        where = f"block {self.number}"
        if not 1 <= self.number <= INT64_MAX:
            raise JournalError("a chain number is 1 or more", where=where)
        if not 0 <= self.previous < self.number:
            raise JournalError("the block before in the series is not before it", where=where)
        if not INT64_MIN <= self.from_ns <= self.to_ns <= INT64_MAX:
            raise JournalError("its time runs backwards or out of range", where=where)
        if not INT64_MIN <= self.wall_offset_ns <= INT64_MAX or not 0 <= self.count <= INT64_MAX:
            raise JournalError("wall offset or count is out of range", where=where)
        numbered = 1 <= self.first_number <= self.last_number <= INT64_MAX
        if not numbered and (self.first_number, self.last_number) != (0, 0):
            raise JournalError("its record numbers run backwards or out of range", where=where)
        if len(self.boot) != BOOT_BYTES or len(self.key_id) != KEY_ID_BYTES:
            raise JournalError("a boot id has 16 bytes and a key id 8", where=where)
        if max(len(self.data_class.encode()), len(self.mask.encode())) > TEXT_BYTES:
            raise JournalError(f"a class or mask has a name of more than {TEXT_BYTES} bytes", where=where)


def write_header(header: BlockHeader) -> bytes:
    """Write a header as a CBOR array in its one encoding (RFC 8949, section 4.2.1)."""
    return write_cbor(
        [
            VERSION,
            header.number,
            int(header.kind),
            header.data_class,
            header.boot,
            header.from_ns,
            header.to_ns,
            header.wall_offset_ns,
            int(header.time_quality),
            header.previous,
            header.key_id,
            header.count,
            header.first_number,
            header.last_number,
            header.mask,
        ]
    )


def read_header(data: bytes) -> BlockHeader:
    """Read a header strictly: other bytes never give an equal header.

    Raises:
        JournalError: the bytes are no header, in whatever way.
    """
    try:
        value = read_cbor(data)
    except WireError as error:
        raise JournalError(f"a block's header is damaged: {error.what}", where=error.where) from error
    return _header(value)


def _header(value: CborValue) -> BlockHeader:
    match value:
        case [
            int(version),
            int(number),
            int(kind),
            str(data_class),
            bytes(boot),
            int(from_ns),
            int(to_ns),
            int(wall_offset_ns),
            int(quality),
            int(previous),
            bytes(key_id),
            int(count),
            int(first_number),
            int(last_number),
            str(mask),
        ]:
            if version != VERSION:
                raise JournalError(f"a block's header has version {version}, not {VERSION}")
            try:
                kinds = BlockKind(kind), TimeQuality(quality)
            except ValueError as error:
                raise JournalError(
                    "kind or time quality is not a known one", where=f"block {number}"
                ) from error
            return BlockHeader(
                number,
                kinds[0],
                data_class,
                boot,
                from_ns,
                to_ns,
                wall_offset_ns,
                kinds[1],
                previous,
                key_id,
                count,
                first_number,
                last_number,
                mask,
            )
        case _:
            raise JournalError("a block's header is no array of 15 fields of their types")


@dataclass(frozen=True, slots=True)
class Block:
    """A block as the journal keeps it.

    Attributes:
        header: what is readable without a key.
        header_bytes: the header as it was written, which is what is hashed and authenticated.
        commitment: SHA-256 over salt and plaintext, 32 bytes.
        ciphertext_hash: SHA-256 over nonce, ciphertext and tag, 32 bytes.
        ciphertext: nonce, ciphertext and tag; None when retention or an erasure has removed them, empty
            where they should be in a file and it is not there.
        link: hash of the chain up to this block, 32 bytes.
    """

    header: BlockHeader
    header_bytes: bytes
    commitment: bytes
    ciphertext_hash: bytes
    ciphertext: bytes | None
    link: bytes


def commit(salt: bytes, plaintext: bytes) -> bytes:
    """Commit to a plaintext: SHA-256 over the salt of 16 random bytes and the plaintext.

    The salt, which only the ciphertext holds, keeps everybody from confirming a guessed plaintext.

    Raises:
        JournalError: the salt has another length, so that salt and plaintext could be divided otherwise.
    """
    if len(salt) != SALT_BYTES:
        raise JournalError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(salt + plaintext).digest()


def leaf(header_bytes: bytes, ciphertext_hash: bytes, commitment: bytes) -> bytes:
    """Hash a block as a leaf of the Merkle tree (RFC 9162, section 2.1.1).

    The entry is the header, which ends itself, and two hashes of 32 bytes: it can be divided in one way.
    """
    return hashlib.sha256(_LEAF + header_bytes + ciphertext_hash + commitment).digest()


def link(previous: bytes, leaf: bytes) -> bytes:
    """Hash of the chain up to a block, from that up to the block before and the block's leaf."""
    return hashlib.sha256(_LINK + previous + leaf).digest()


def first_link(stream: bytes) -> bytes:
    """Hash of a chain without a block: it binds the chain to its stream.

    Raises:
        JournalError: the stream id has not 16 bytes.
    """
    if len(stream) != STREAM_BYTES:
        raise JournalError(f"a stream id has {STREAM_BYTES} bytes, not {len(stream)}")
    return hashlib.sha256(_FIRST_LINK + stream).digest()
