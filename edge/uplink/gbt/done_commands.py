"""`DoneCommands`: which commands were carried out, so that none is carried out again when it is replayed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import UplinkError
from edge.uplink.gbt.durable_file import DurableFile

_DIGEST_CHARACTERS = 32
_MOST_A_SECOND = 16


@dataclass(frozen=True, slots=True)
class Last:
    """The last commands of one kind that were carried out.

    Attributes:
        wall_s: the time that they bear.
        digests: of their data units; more than one only where they bear the same second.
    """

    wall_s: int
    digests: tuple[str, ...]


class DoneCommands:
    """Remembers, for each command mark, the time of the last command carried out, over a restart too.

    Args:
        file: where it is kept.

    Attributes:
        trouble: why what was kept could not be read; None where it could.
    """

    def __init__(self, file: DurableFile) -> None:
        self._file = file
        self._last: dict[int, Last] = {}
        self.trouble: UplinkError | None = None
        try:
            self._last = _read(file.read())
        except UplinkError as error:
            self.trouble = error
        except ValueError:
            self.trouble = UplinkError("does not hold commands", where=str(file.path))

    def is_repeated(self, command: int, wall_s: int, unit: bytes) -> bool:
        """Whether this very command was carried out already."""
        last = self._last.get(command)
        return last is not None and last.wall_s == wall_s and _digest(unit) in last.digests

    def is_older(self, command: int, wall_s: int) -> bool:
        """Whether a later one of its kind was carried out already."""
        last = self._last.get(command)
        return last is not None and wall_s < last.wall_s

    def is_full(self, command: int, wall_s: int) -> bool:
        """Whether so many commands of one second were carried out that no more are remembered."""
        last = self._last.get(command)
        return last is not None and wall_s == last.wall_s and len(last.digests) >= _MOST_A_SECOND

    def note(self, command: int, wall_s: int, unit: bytes, *, durably: bool = True) -> None:
        """Remember a command as carried out.

        Args:
            command: mark.
            wall_s: the time that it bears.
            unit: its data unit.
            durably: whether on the disk before this returns.

        Raises:
            UplinkError: the disk refuses; it is remembered until the process ends all the same.
        """
        last = self._last.get(command)
        before = last.digests if last is not None and last.wall_s == wall_s else ()
        self._last[command] = Last(wall_s, (*before, _digest(unit)))
        if durably:
            self._file.write(
                {f"{mark:02X}": [last.wall_s, *last.digests] for mark, last in self._last.items()}
            )

    def forget(self, command: int, wall_s: int, unit: bytes) -> None:
        """Take back what `note` could not put on the disk, since the command is not carried out after all."""
        last = self._last.get(command)
        if last is not None and last.wall_s == wall_s:
            left = tuple(one for one in last.digests if one != _digest(unit))
            self._last[command] = Last(wall_s, left)


def _digest(unit: bytes) -> str:
    return hashlib.sha256(unit).hexdigest()[:_DIGEST_CHARACTERS]


def _read(said: Mapping[str, object] | None) -> dict[int, Last]:
    found: dict[int, Last] = {}
    for mark, entry in (said or {}).items():
        match entry:
            case [int(wall_s), *digests] if all(isinstance(one, str) for one in digests):
                found[int(mark, 16)] = Last(wall_s, tuple(map(str, digests)))
            case _:
                raise UplinkError("holds a command that is none")
    return found
