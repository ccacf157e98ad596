"""Opens a journal whatever its state: what is damaged is kept beside a fresh one, what waits is rescued."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw

from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.damage.damaged import DamagedJournal
from edge.journal.damage.integrity import DamageError, check_at_opening
from edge.journal.damage.rescue import Rescued, rescue
from edge.journal.database import lock_folder, open_database
from edge.journal.keys.key_database import DamagedKeysError, open_key_database
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.media_files import MEDIA_FOLDER
from edge.journal.opening import JOURNAL_FILE, KEYS_FILE, Inside, OpenJournal, open_journal
from edge.journal.settings import JournalSettings
from edge.journal.syncing import sync_folder
from edge.wire.strict_cbor import CborValue, write_cbor

STATE_FILE = "state"
_MOVING, _TO_RESCUE, _DONE = "moving", "to be rescued", "kept"
_SIDE_FILES = ("", "-wal", "-shm", "-journal")
_PRIVATE = 0o700

_WRAPPING = "wrapping key"
_DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.IOError, DamageError, UnicodeDecodeError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was found damaged at opening, and what became of it.

    Attributes:
        what: what is damaged: the journal, its key store, or the wrapping key.
        cause: what was found.
        kept_in: the folder in which the damaged files are kept, beside the journal; empty for none.
        stream: the stream of the damaged journal; None where it cannot be read, or goes on.
        rescued: what was taken over from it.
    """

    what: str
    cause: str
    kept_in: str
    stream: bytes | None = None
    rescued: Rescued = field(default_factory=Rescued)

    def __str__(self) -> str:
        parts = [f"{self.what} damaged ({self.cause})"]
        if self.kept_in:
            parts.append(f"kept in {self.kept_in}")
        if self.stream is not None:
            parts.append(f"its stream was {self.stream.hex()}")
            parts.append(str(self.rescued))
        return ", ".join(parts)


def open_or_salvage(
    folder: Path,
    provider: KeyProvider,
    settings: JournalSettings,
    inside: Inside,
    *,
    found: str = "",
) -> tuple[OpenJournal, tuple[Salvage, ...]]:
    """Open the journal in `folder`; a damaged one is put aside and a fresh one made.

    A damaged database goes into a folder ``damaged-<stream>-<n>`` and is never written again; the fresh one
    names its stream as predecessor, and carries on what its destinations have not acknowledged: signed
    messages byte for byte, and records under their own stream and numbers. Numbers that cannot be read are
    found missing when they are to be sent, and told as lost. A damaged key store is put aside alone: the
    journal goes on under new keys, what the lost keys sealed is unreadable. Without its wrapping key the
    journal is put aside together with its keys, since both may be whole.

    Args:
        folder: made if it is not there.
        provider: keeps the wrapping keys.
        settings: the rules in numbers.
        inside: what the journal needs to know of the gateway.
        found: damage that showed while the journal was in use (`Journal.corrupt`, `Journal.failure`); the
            database is put aside whatever a check says now.

    Returns:
        The journal, and what was damaged; each is in the log and in the chain as a SECURITY block.

    Raises:
        JournalError: another process has it open, it is not a journal, it is of a newer version, or no fresh
            one can be made.
        apsw.Error: the disk refuses.
    """
    folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    lock = lock_folder(folder)
    try:
        _finish_moving(folder)
        salvages = _put_aside_keys(folder, provider, inside)
        aside = bool(salvages) and salvages[-1].what == _WRAPPING
        cause = "" if aside else found or _trouble(folder / JOURNAL_FILE)
        predecessor = salvages[-1].stream if aside else None
        if cause:
            salvages.append(_put_aside_journal(folder, cause))
            predecessor = salvages[-1].stream
    finally:
        os.close(lock)
    opened = open_journal(folder, provider, settings, inside, predecessor=predecessor)
    try:
        return opened, _report(opened, folder, salvages, replace(inside, boot=opened.boot))
    except BaseException:
        opened.close()
        raise


def _report(
    opened: OpenJournal, folder: Path, salvages: Sequence[Salvage], inside: Inside
) -> tuple[Salvage, ...]:
    """Rescue what is to be rescued, also from an opening that was interrupted, and write all down."""
    known = {one.kept_in: one for one in salvages}
    for kept in sorted(folder.glob("damaged-*")):
        state, cause = _state(kept)
        if state == _TO_RESCUE:
            with DamagedJournal(kept / JOURNAL_FILE) as damaged:
                found = known.get(kept.name, Salvage("journal", cause, kept.name, damaged.stream_id()))
                known[kept.name] = replace(found, rescued=rescue(damaged, opened, inside))
            _write_state(kept, _DONE, cause)
    for one in known.values():
        logger.error("%s", one)
        opened.journal.add_note(_note(one, inside))
    if known:
        opened.journal.commit()
    return tuple(known.values())


def _trouble(path: Path) -> str:
    """What is wrong with a journal's database; empty for nothing, or where there is none yet."""
    if not path.exists() or not path.stat().st_size:
        log = path.with_name(path.name + "-wal")
        return "the file is empty" if log.exists() and log.stat().st_size else ""
    try:
        connection = open_database(str(path))
    except _DAMAGE as error:
        return _told(error)
    try:
        check_at_opening(connection)
    except _DAMAGE as error:
        return _told(error)
    finally:
        connection.close()
    return ""


def _told(error: Exception) -> str:
    if isinstance(error, DamageError):
        return str(error)
    return f"{type(error).__name__.removesuffix('Error')}: {error}"


def _put_aside_keys(folder: Path, provider: KeyProvider, inside: Inside) -> list[Salvage]:
    """Put a damaged key store aside, or all where the wrapping key is missing."""
    path = folder / KEYS_FILE
    if not path.exists() or not path.stat().st_size:
        return []
    try:
        open_key_database(str(path), vfs=None, read_only=False).close()
        KeyStore(str(path), provider, inside.draw).close()
    except DamagedKeysError as error:
        kept = _new_folder(folder, "keys")
        _move(folder, kept, [KEYS_FILE], error.what, then=_DONE)
        return [Salvage("key store", error.what, kept.name)]
    except JournalError as error:
        if not _whole_database(path):
            raise
        with DamagedJournal(folder / JOURNAL_FILE) as unreadable:
            stream = unreadable.stream_id()
        kept = _new_folder(folder, _named(stream))
        _move(folder, kept, [JOURNAL_FILE, KEYS_FILE, MEDIA_FOLDER], error.what, then=_DONE)
        return [Salvage(_WRAPPING, error.what, kept.name, stream)]
    return []


def _whole_database(path: Path) -> bool:
    """Whether the key store's file itself is sound, so that only its wrapping key is missing.

    Raises:
        JournalError: it is no key store, or one of a newer version.
    """
    open_key_database(str(path), vfs=None, read_only=False).close()
    return True


def _put_aside_journal(folder: Path, cause: str) -> Salvage:
    with DamagedJournal(folder / JOURNAL_FILE) as damaged:
        stream = damaged.stream_id()
    kept = _new_folder(folder, _named(stream))
    _move(folder, kept, [JOURNAL_FILE, MEDIA_FOLDER], cause, then=_TO_RESCUE)
    return Salvage("journal", cause, kept.name, stream)


def _named(stream: bytes | None) -> str:
    return "unknown" if stream is None else stream.hex()[:8]


def _new_folder(folder: Path, name: str) -> Path:
    number = 1
    while (kept := folder / f"damaged-{name}-{number}").exists():
        number += 1
    return kept


def _move(folder: Path, kept: Path, names: Sequence[str], cause: str, *, then: str) -> None:
    """Move files and what belongs to them, so that a crash amid it is seen and finished.

    A database without its write-ahead log would open as an older state of itself, and a log without its
    database be deleted: so the state file, on the disk before the first move, says what belongs together.
    """
    kept.mkdir(mode=_PRIVATE)
    _write_state(kept, _MOVING, "\n".join([cause.replace("\n", " "), then, *names]))
    sync_folder(folder)
    _finish_moving(folder)


def _finish_moving(folder: Path) -> None:
    for kept in folder.glob("damaged-*"):
        state, details = _state(kept)
        if state != _MOVING:
            continue
        cause, then, *names = details.split("\n")
        for name in names:
            for side in _SIDE_FILES:
                moved = folder / f"{name}{side}"
                if moved.exists():
                    moved.rename(kept / moved.name)
        sync_folder(kept)
        sync_folder(folder)
        _write_state(kept, then, cause)


def _state(kept: Path) -> tuple[str, str]:
    try:
        state, _, details = (kept / STATE_FILE).read_text().partition("\n")
    except OSError:
        return "", ""
    return state, details


def _write_state(kept: Path, state: str, details: str) -> None:
    fresh = kept / f"{STATE_FILE}.new"
    with fresh.open("w") as file:
        file.write(f"{state}\n{details}")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(kept / STATE_FILE)
    sync_folder(kept)


def _note(salvage: Salvage, inside: Inside) -> Draft:
    """The block that says what happened (docs/journal-format.md)."""
    now_ns = inside.clock.boot_ns()
    rescued = salvage.rescued
    content: dict[int, CborValue] = {
        1: "journal damaged",
        2: f"{salvage.what}: {salvage.cause}",
        3: salvage.kept_in,
        4: salvage.stream or b"",
        5: [rescued.records, rescued.lost, rescued.messages],
    }
    return Draft(
        BlockKind.SECURITY,
        "",
        write_cbor(content),
        inside.boot,
        now_ns,
        now_ns,
        inside.clock.timebase(),
        count=1,
    )
