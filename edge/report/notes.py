"""What a journal's notes say, read once: policies that came into force, consents, erasures, accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.archive.opening import Archive
from edge.clock import Timebase, TimeQuality
from edge.consent.consent_notes import decode_entry
from edge.consent.entries import Entry
from edge.errors import JournalError, WireError
from edge.journal.block import BlockHeader, BlockKind
from edge.wire.account_message import AccountMessage
from edge.wire.account_message import decode as decode_account
from edge.wire.strict_cbor import read_cbor

_POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was written down.

    Attributes:
        number: of its block in the chain.
        boot: 16 bytes that name the boot.
        t_ns: nanoseconds since that boot.
        wall_ns: Unix time in nanoseconds, as well as it is known; None for not at all.
        quality: how good that is.
    """

    number: int
    boot: bytes
    t_ns: int
    wall_ns: int | None
    quality: TimeQuality


@dataclass(frozen=True, slots=True)
class PolicyNote:
    """A policy that came into force, with a start of the gateway or when the one before had ended.

    Attributes:
        at: when.
        name: of the policy.
        version: 0 for a built-in profile.
        digest: over all that it says.
        profile: that it starts from, or is.
        signature: ``built in``, ``good``, or ``refused: `` and why, this one being in force in place of it.
        file: SHA-256 of its file; empty for a built-in profile.
        key_id: of the key that signed it; empty likewise.
    """

    at: Moment
    name: str
    version: int
    digest: str
    profile: str
    signature: str
    file: bytes
    key_id: bytes


@dataclass(frozen=True, slots=True)
class ConsentNote:
    """An entry of the consent ledger where it stands in the chain."""

    at: Moment
    entry: Entry


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """An erasure that was carried out.

    Attributes:
        at: when.
        data_class: of the data.
        purpose: the one label of keys that was meant; None where it was not by that.
        consents: that were over; empty where it was not by them.
        reason: as it stands in the chain.
        blocks: whose content went.
        keys: ids of the data keys that were destroyed.
        messages: that waited and were deleted.
    """

    at: Moment
    data_class: str
    purpose: str | None
    consents: frozenset[int]
    reason: str
    blocks: int
    keys: tuple[bytes, ...]
    messages: int

    @property
    def label(self) -> str | None:
        """The label of the destroyed keys; None where it may have been any."""
        if self.purpose is not None:
            return self.purpose
        return "consent " + ",".join(map(str, sorted(self.consents))) if self.consents else None


@dataclass(frozen=True, slots=True)
class AccountNote:
    """An account of the road."""

    at: Moment
    message: AccountMessage


@dataclass(slots=True)
class Notes:
    """All of them, in order of the chain.

    Attributes:
        policies: that came into force.
        consents: entries of the ledger.
        erasures: that were carried out.
        accounts: of the road.
        unreadable: blocks of these kinds whose content cannot be read, by kind.
    """

    policies: list[PolicyNote] = field(default_factory=list)
    consents: list[ConsentNote] = field(default_factory=list)
    erasures: list[ErasureNote] = field(default_factory=list)
    accounts: list[AccountNote] = field(default_factory=list)
    unreadable: dict[BlockKind, int] = field(default_factory=dict)


def read_notes(archive: Archive) -> Notes:
    """Read the notes of a journal; what cannot be read is counted."""
    notes = Notes()
    for at, kind, plaintext in _contents(archive):
        try:
            read = plaintext is not None and _take(notes, at, kind, plaintext)
        except WireError:
            read = False
        if not read:
            notes.unreadable[kind] = notes.unreadable.get(kind, 0) + 1
    return notes


def moment_of(archive: Archive, header: BlockHeader, t_ns: int) -> Moment:
    """A moment of a block, in the best wall time that is known of it."""
    own = Timebase(header.wall_offset_ns, header.time_quality)
    timebase = archive.wall_times.timebase(header.boot, t_ns, own)
    known = timebase.quality is not TimeQuality.NONE
    return Moment(
        header.number, header.boot, t_ns, timebase.wall_ns(t_ns) if known else None, timebase.quality
    )


def _contents(archive: Archive) -> Iterator[tuple[Moment, BlockKind, bytes | None]]:
    kinds = (BlockKind.CONFIGURATION, BlockKind.CONSENT, BlockKind.ERASURE, BlockKind.ACCOUNT)
    numbers: list[tuple[int, int]] = list(
        archive.connection.execute(
            "SELECT number, kind FROM block WHERE stream = 1 AND kind IN (?, ?, ?, ?) AND class = ''"
            " ORDER BY number",
            tuple(map(int, kinds)),
        )
    )
    for number, kind in numbers:
        try:
            block = archive.reader.block(number)
        except JournalError:
            continue
        if block is None:
            continue
        try:
            opened = archive.reader.plaintext(block)
        except JournalError:
            opened = None
        at = moment_of(archive, block.header, block.header.to_ns)
        yield at, BlockKind(kind), None if opened is None else opened[1]


def _take(notes: Notes, at: Moment, kind: BlockKind, plaintext: bytes) -> bool:
    """Read a note; true unless it raises."""
    match kind:
        case BlockKind.CONFIGURATION:
            found = _policy(at, plaintext)
            if found is not None:
                notes.policies.append(found)
        case BlockKind.CONSENT:
            notes.consents.append(ConsentNote(at, decode_entry(plaintext)))
        case BlockKind.ERASURE:
            notes.erasures.append(_erasure(at, plaintext))
        case _:
            notes.accounts.append(AccountNote(at, decode_account(plaintext)))
    return True


def _policy(at: Moment, plaintext: bytes) -> PolicyNote | None:
    match read_cbor(plaintext):
        case {
            1: str(what),
            2: str(name),
            3: int(version),
            4: str(digest),
            5: str(profile),
            6: str(signature),
            **more,
        } if what == _POLICY:
            file, key = more.get(7, b""), more.get(8, b"")
            if isinstance(file, bytes) and isinstance(key, bytes):
                return PolicyNote(at, name, version, digest, profile, signature, file, key)
        case {1: str(what)} if what != _POLICY:
            return None
    raise WireError("no note of a policy")


def _erasure(at: Moment, plaintext: bytes) -> ErasureNote:
    match read_cbor(plaintext):
        case {1: str(data_class), 5: str(reason), 6: int(blocks), 7: [*keys], 8: int(messages), **more}:
            purpose, consents = more.get(4), more.get(9, [])
            return ErasureNote(
                at,
                data_class,
                purpose if isinstance(purpose, str) else None,
                frozenset(one for one in consents if isinstance(one, int))
                if isinstance(consents, list)
                else frozenset(),
                reason,
                blocks,
                tuple(one for one in keys if isinstance(one, bytes)),
                messages,
            )
    raise WireError("no note of an erasure")
