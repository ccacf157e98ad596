"""Which policy came into force, as blocks of the journal, and the newest version of each that ever did."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import apsw

from edge.clock import Clock, Timebase
from edge.errors import JournalError, WireError
from edge.journal.block import HASH_BYTES, BlockKind
from edge.journal.chain import Draft
from edge.journal.opening import OpenJournal
from edge.journal.pending import Edit
from edge.journal.reader import Reader
from edge.journal.upkeep.bounds import BELIEVED
from edge.journal.upkeep.removal import TOTALS
from edge.policy.policy_choice import PolicyChoice, SeenVersion, ShortMemory, VersionMemory, newer
from edge.wire.strict_cbor import INT64_MAX, CborValue, Fields, read_cbor, write_cbor

_WHAT, _NAME, _VERSION, _DIGEST, _PROFILE, _SIGNATURE, _FILE, _KEY = range(1, 9)
_POLICY = "policy"
_LONGEST_NAME = 256
_LONGEST_TEXT = 2_000
_TOTALS = "policy in force"
_HEX_DIGITS = 2 * HASH_BYTES

logger = logging.getLogger(__name__)


def configuration_note(
    choice: PolicyChoice, boot: bytes, at_ns: int, timebase: Timebase, *, locked: bool = False
) -> Draft:
    """The block that says which policy came into force, and why (docs/journal-format.md).

    Args:
        choice: what was chosen.
        boot: names the boot of the time.
        at_ns: boot-monotonic time of it.
        timebase: its relation to wall time.
        locked: whether the bounds leave the block alone, as they do where a new version came into force.
    """
    policy = choice.policy
    fields: dict[int, CborValue] = {
        _WHAT: _POLICY,
        _NAME: policy.name,
        _VERSION: policy.version,
        _DIGEST: policy.digest,
        _PROFILE: policy.profile,
        _SIGNATURE: choice.signature.encode()[:_LONGEST_TEXT].decode(errors="ignore"),
    }
    if choice.seen is not None:
        fields |= {_FILE: choice.seen.digest, _KEY: choice.key_id}
    return Draft(
        BlockKind.CONFIGURATION, "", write_cbor(fields), boot, at_ns, at_ns, timebase, count=1, locked=locked
    )


def seen_in_note(plaintext: bytes) -> tuple[str, SeenVersion] | None:
    """The policy file that a block says came into force, by its name; None where it was a built-in profile.

    Raises:
        WireError: the bytes are no such block.
    """
    fields = Fields(read_cbor(plaintext), "configuration note")
    if fields.text(_WHAT, _LONGEST_NAME) != _POLICY or not fields.has(_FILE):
        return None
    name = fields.text(_NAME, _LONGEST_NAME)
    return name, SeenVersion(fields.integer(_VERSION, 1), fields.octets(_FILE, HASH_BYTES))


class JournalVersions(VersionMemory):
    """Remembers in the journal, twice: in its chain, in blocks that no bound removes, and in its sums.

    Either alone is enough: a version counts as seen if one of them says so.

    Args:
        opened: the journal.
        clock: time.
    """

    def __init__(self, opened: OpenJournal, clock: Clock) -> None:
        self._opened = opened
        self._clock = clock
        self._here = ShortMemory()

    def newest(self, name: str) -> SeenVersion | None:
        """See `VersionMemory.newest`.

        Raises:
            JournalError: the journal cannot be read.
        """
        newest = self._here.newest(name)
        try:
            with self._opened.reader() as reader:
                found = self._opened.journal.run_with_connection(
                    lambda connection: seen_versions(connection, reader).get(name)
                )
        except apsw.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error
        return newest if found is None else newer(newest, found)

    def latest_ns(self) -> int:
        """See `VersionMemory.latest_ns`; as the journal's bounds believe it.

        Raises:
            JournalError: the journal cannot be read.
        """
        try:
            return self._opened.journal.run_with_connection(believed_ns)
        except apsw.Error as error:
            raise JournalError(f"the journal cannot be read: {error}") from error

    def remember(self, choice: PolicyChoice) -> None:
        """See `VersionMemory.remember`; on the disk with the next commit, which a new version hastens."""
        name, seen = choice.policy.name, choice.seen
        new = seen is not None and self._is_new(name, seen)
        self._here.remember(choice)
        at_ns, timebase = self._clock.boot_ns(), self._clock.timebase()
        if seen is not None and new:
            self._opened.journal.edit(_edits(name, seen))
        self._opened.journal.add_note(
            configuration_note(choice, self._opened.boot, at_ns, timebase, locked=new)
        )

    def _is_new(self, name: str, seen: SeenVersion) -> bool:
        try:
            before = self.newest(name)
        except JournalError as error:
            logger.warning("noting version %d of %r once more: %s", seen.version, name, error)
            return True
        return before is None or before.version < seen.version


def seen_versions(connection: apsw.Connection, reader: Reader | None) -> dict[str, SeenVersion]:
    """The newest version of each policy that was ever in force.

    Args:
        connection: to the journal's database.
        reader: reads its chain; None where the data keys are not at hand, for its sums alone.

    Raises:
        apsw.Error: the database cannot be read.
    """
    found: dict[str, SeenVersion] = {}
    blocks = () if reader is None else _in_chain(connection, reader)
    for name, seen in (*_in_sums(connection), *blocks):
        found[name] = newer(found.get(name), seen)
    return found


def believed_ns(connection: apsw.Connection) -> int:
    """The latest wall time that a journal has believed, Unix time in nanoseconds; 0 for none.

    Raises:
        apsw.Error: the database cannot be read.
    """
    query = "SELECT count FROM total WHERE hop = ? AND name = ?"
    return int(connection.execute(query, (TOTALS, BELIEVED)).get or 0)


def _in_sums(connection: apsw.Connection) -> Iterator[tuple[str, SeenVersion]]:
    for text, version in connection.execute("SELECT name, count FROM total WHERE hop = ?", (_TOTALS,)):
        try:
            digest = bytes.fromhex(text[-_HEX_DIGITS:])
        except ValueError:
            # Somebody was here: the version holds all the same, and no content passes for it.
            digest = b""
        yield text[: -_HEX_DIGITS - 1], SeenVersion(version, digest)


def _in_chain(connection: apsw.Connection, reader: Reader) -> Iterator[tuple[str, SeenVersion]]:
    numbers: list[int] = [
        number
        for (number,) in connection.execute(
            "SELECT number FROM block WHERE stream IN (SELECT ordinal FROM stream) AND kind = ?"
            " AND class = '' AND size > 0 AND locked = 1 ORDER BY number",
            (int(BlockKind.CONFIGURATION),),
        )
    ]
    for number in numbers:
        try:
            block = reader.block(number)
            opened = None if block is None else reader.plaintext(block)
            seen = None if opened is None else seen_in_note(opened[1])
        except (JournalError, WireError) as error:
            logger.warning("block %d does not tell which policy came into force: %s", number, error)
            continue
        if seen is not None:
            yield seen


def _edits(name: str, seen: SeenVersion) -> list[Edit]:
    return [
        (
            "DELETE FROM total WHERE hop = ? AND substr(name, 1, max(0, length(name) - ?)) = ?",
            (_TOTALS, _HEX_DIGITS + 1, name),
        ),
        (
            "INSERT INTO total (hop, name, count) VALUES (?, ?, ?)",
            (_TOTALS, f"{name} {seen.digest.hex()}", min(seen.version, INT64_MAX)),
        ),
    ]
