"""The end of a journal's chain: where the next block goes, and how it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from edge.clock import NS_PER_DAY, Timebase
from edge.errors import JournalError, WireError
from edge.journal.block import BlockHeader, BlockKind, first_link, leaf, link, write_header
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import seal
from edge.wire.strict_cbor import read_cbor, write_cbor


@dataclass(frozen=True, slots=True)
class Draft:
    """The contents of a block that has no place in the chain yet.

    Attributes:
        kind: what it holds.
        data_class: one class, or empty where the content is about nobody.
        plaintext: the content.
        boot: 16 bytes that name the boot of the times.
        from_ns: boot-monotonic time of the first datum.
        to_ns: of the last.
        timebase: how they relate to wall time.
        count: frames or records.
        first_number: of its records; 0 for none.
        last_number: likewise.
        mask: the door's mask.
        purpose: what its data key is for besides its class, such as a consent.
        locked: whether the bounds leave it alone.
        alarm: whether one of its records carries an alarm that takes precedence.
        stream: ordinal of the stream whose records it holds.
    """

    kind: BlockKind
    data_class: str
    plaintext: bytes
    boot: bytes
    from_ns: int
    to_ns: int
    timebase: Timebase
    count: int = 0
    first_number: int = 0
    last_number: int = 0
    mask: str = ""
    purpose: str = ""
    locked: bool = False
    alarm: bool = False
    stream: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A block as the database holds it; `outside` where its ciphertext lies in a file (`MediaFiles`)."""

    number: int
    draft: Draft
    wall_ns: int
    header: bytes
    commitment: bytes
    ciphertext_hash: bytes
    link: bytes
    ciphertext: bytes
    leaf: bytes
    outside: bool = False


@dataclass(slots=True)
class Chain:
    """The state that the next block is made from; copied before a transaction, kept if it commits.

    Attributes:
        number: of the last block; 0 for none.
        link: of the last block.
        previous: number of the last block of each kind and class.
        leaves: of the blocks since the last checkpoint.
        latest_ns: the latest time of any block of this run.
    """

    number: int
    link: bytes
    previous: dict[tuple[int, str], int] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    latest_ns: int = 0

    @classmethod
    def begin(cls, stream: bytes) -> Chain:
        """The chain of a journal without blocks."""
        return cls(0, first_link(stream))

    def series(self) -> bytes:
        """The last block of each kind and class, for the database."""
        return write_cbor([[kind, name, number] for (kind, name), number in sorted(self.previous.items())])

    def copy(self) -> Chain:
        """A chain to try a transaction on."""
        return Chain(self.number, self.link, dict(self.previous), list(self.leaves), self.latest_ns)

    def add(self, draft: Draft, keys: KeyStore, draw: Callable[[int], bytes]) -> Row:
        """Seal `draft` and give it the next place.

        Raises:
            JournalError: no data key can be made.
        """
        wall_ns = draft.timebase.wall_ns(draft.to_ns) if draft.timebase.wall_offset_ns else 0
        key = keys.key_for(draft.data_class, period_of(wall_ns, draft.boot), draft.purpose)
        number = self.number + 1
        series = (draft.kind, draft.data_class)
        header = write_header(
            BlockHeader(
                number=number,
                kind=draft.kind,
                data_class=draft.data_class,
                boot=draft.boot,
                from_ns=draft.from_ns,
                to_ns=draft.to_ns,
                wall_offset_ns=draft.timebase.wall_offset_ns,
                time_quality=draft.timebase.quality,
                previous=self.previous.get(series, 0),
                key_id=key.key_id,
                count=draft.count,
                first_number=draft.first_number,
                last_number=draft.last_number,
                mask=draft.mask,
            )
        )
        sealed = seal(key.key, header, draft.plaintext, draw)
        ciphertext_hash = hashlib.sha256(sealed.ciphertext).digest()
        leaf_hash = leaf(header, ciphertext_hash, sealed.commitment)
        self.number = number
        self.latest_ns = max(self.latest_ns, draft.to_ns)
        self.link = link(self.link, leaf_hash)
        self.previous[series] = number
        self.leaves.append(leaf_hash)
        return Row(
            number,
            draft,
            wall_ns,
            header,
            sealed.commitment,
            ciphertext_hash,
            self.link,
            sealed.ciphertext,
            leaf_hash,
        )


def load_chain(connection: apsw.Connection, stream: bytes) -> Chain:
    """The end of the chain as a database has it.

    Raises:
        JournalError: what it says of its end cannot be read.
        apsw.Error: the database cannot be read.
    """
    chain = Chain.begin(stream)
    for number, last_link in connection.execute(
        "SELECT number, link FROM block ORDER BY number DESC LIMIT 1"
    ):
        chain.number, chain.link = number, last_link
    series = connection.execute("SELECT series FROM stream WHERE ordinal = 1").get
    if series is not None:
        chain.previous = _read_series(series)
    covered = connection.execute("SELECT max(last) FROM checkpoint").get or 0
    chain.leaves = [
        leaf(*row)
        for row in connection.execute(
            "SELECT header, ciphertext_hash, commitment FROM block WHERE number > ? ORDER BY number",
            (covered,),
        )
    ]
    return chain


def _read_series(data: bytes) -> dict[tuple[int, str], int]:
    previous: dict[tuple[int, str], int] = {}
    try:
        entries = read_cbor(data)
    except WireError as error:
        raise JournalError("the end of the journal's chain is damaged") from error
    for entry in entries if isinstance(entries, list) else [entries]:
        match entry:
            case [int(kind), str(name), int(number)]:
                previous[kind, name] = number
            case _:
                raise JournalError("the end of the journal's chain is damaged")
    return previous


def period_of(wall_ns: int, boot: bytes) -> str:
    """The period of a data key: the UTC day, or the boot where the vehicle has no wall time."""
    if wall_ns <= 0:
        return f"boot {boot.hex()}"
    return f"day {wall_ns // NS_PER_DAY}"
