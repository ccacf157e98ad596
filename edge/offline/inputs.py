"""Which recordings are meant by what a person names: files, folders, patterns, URLs of all of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge.bus.recording import HEAD_BYTES, recognised
from edge.errors import SourceError
from edge.offline.storage import Stat, Storage, fixed_folder, has_wildcard, storage_of


@dataclass(frozen=True, slots=True)
class RecordingInput:
    """One recording to decode.

    Attributes:
        location: path or URL.
        name: by which it is kept apart from all others of the run: its path below the folder that was named.
        stat: of the file.
        divisible: whether it can be read in pieces.
    """

    location: str
    name: str
    stat: Stat
    divisible: bool


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found.

    Attributes:
        recordings: in order of what was named, and of names within a folder; each once.
        passed_over: files of folders and patterns that are no recordings.
    """

    recordings: tuple[RecordingInput, ...]
    passed_over: tuple[str, ...]


def find_inputs(named: Sequence[str]) -> Inputs:
    """Find the recordings.

    Args:
        named: files, folders, patterns, and URLs of them.

    Raises:
        SourceError: if there is nothing under a name, or a file named by itself is no recording.
    """
    found: dict[str, RecordingInput] = {}
    passed_over: list[str] = []
    for one in named:
        storage = storage_of(one)
        several, root = _files(storage, one)
        for location in several:
            if location in found:
                continue
            recording = _recording(storage, location, location.removeprefix(root).lstrip("/"))
            if recording is not None:
                found[location] = recording
            elif several == [one]:
                raise SourceError("is no recording of a known format", where=one)
            else:
                passed_over.append(location)
    if not found:
        raise SourceError("there is no recording", where=", ".join(named))
    return Inputs(_kept_apart(tuple(found.values())), tuple(passed_over))


def _files(storage: Storage, named: str) -> tuple[list[str], str]:
    """The files under a name, and what their own names begin behind."""
    if storage.stat(named) is not None:
        return [named], named.rpartition("/")[0]
    if storage.is_folder(named):
        return storage.files(named), named.rstrip("/")
    if has_wildcard(named):
        several = storage.matching(named)
        if several:
            return several, fixed_folder(named)
    raise SourceError("there is no such file or folder", where=named)


def _recording(storage: Storage, location: str, name: str) -> RecordingInput | None:
    stat = storage.stat(location)
    if stat is None:
        raise SourceError("is gone", where=location)
    try:
        with storage.reading(location) as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=location) from error
    known = recognised(head, location)
    return None if known is None else RecordingInput(location, name, stat, known.divisible(head))


def _kept_apart(recordings: Sequence[RecordingInput]) -> tuple[RecordingInput, ...]:
    count = Counter(one.name for one in recordings)
    return tuple(
        one
        if count[one.name] == 1
        else RecordingInput(
            one.location,
            f"{hashlib.sha256(one.location.encode()).hexdigest()[:12]}-{one.name.rpartition('/')[2]}",
            one.stat,
            one.divisible,
        )
        for one in recordings
    )
