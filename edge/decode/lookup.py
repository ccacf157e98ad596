"""From a frame's bus and id to the messages that describe it, for whole batches at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.layout import pgn_of
from edge.database.model import Message
from edge.frames import FrameBatch, FrameFlag

UNKNOWN = 0
NOT_DATA = 1
"""Codes of frames that no database describes, and of error and remote frames; real ones follow."""

FIRST_CODE = 2
_STANDARD_IDS = 0x800
_EXTENDED_BITS = 29
_MOST_CACHED_IDS = 1 << 16
_MOST_CODES = 60_000
_NOT_DATA_FLAGS = np.uint16(FrameFlag.ERROR | FrameFlag.REMOTE)
_UNUSUAL_FLAGS = np.uint16(FrameFlag.EXTENDED | FrameFlag.ERROR | FrameFlag.REMOTE)

Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Described:
    """What one code stands for.

    Attributes:
        bus: the bus's name.
        messages: the messages that describe the frame, each wholly.
        source: the J1939 source address, if sources are kept apart and a message is matched by PGN; else -1.
    """

    bus: str
    messages: tuple[Message, ...]
    source: int = -1


class Lookup:
    """Gives each frame of a batch a code: 0 unknown, 1 no data frame, from 2 on an entry of `described`.

    A standard id is found in a dense table, an extended one by binary search among the ids seen so far. A
    J1939 message matches by its PGN, priority and addresses left out; where several messages of one file
    share a PGN, those whose source address equals the frame's are taken, or all of them if there is none.

    Attributes:
        described: what the codes from `FIRST_CODE` on stand for; it grows as new ids are met.
        buses: the names of the buses that have databases.
    """

    def __init__(
        self, messages: Mapping[str, Sequence[Sequence[Message]]], *, by_source: bool = False
    ) -> None:
        """Take the messages of each bus, one sequence a database."""
        self.described: list[Described] = []
        self.buses = tuple(messages)
        self._by_source = by_source
        self._code_of: dict[tuple[str, tuple[int, ...], int], int] = {}
        self._exact: list[dict[int, list[Message]]] = []
        self._groups: list[dict[int, list[list[Message]]]] = []
        self._table = np.zeros((len(self.buses) + 1, _STANDARD_IDS + 1), np.uint16)
        self._bus_numbers: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}
        self._keys = np.empty(0, np.uint64)
        self._codes = np.empty(0, np.uint16)
        known: dict[int, int] = {}
        for number, bus in enumerate(self.buses):
            standard: dict[int, list[Message]] = {}
            exact: dict[int, list[Message]] = {}
            groups: dict[int, list[list[Message]]] = {}
            for database in messages[bus]:
                by_group: dict[int, list[Message]] = {}
                for message in database:
                    if message.pgn is not None:
                        by_group.setdefault(message.pgn, []).append(message)
                    else:
                        (exact if message.extended else standard).setdefault(
                            message.arbitration_id, []
                        ).append(message)
                for group, members in by_group.items():
                    groups.setdefault(group, []).append(members)
            self._exact.append(exact)
            self._groups.append(groups)
            for arbitration_id, members in standard.items():
                self._table[number, arbitration_id] = self._code(bus, members, -1)
            for arbitration_id in exact:
                known[number << _EXTENDED_BITS | arbitration_id] = self._resolve(number, arbitration_id)
        self._learn(known)

    def codes(self, batch: FrameBatch) -> Codes:
        """The code of each frame (uint16 of N)."""
        numbers = self._numbers(batch.buses)
        identifiers = batch.arbitration_id
        if not len(identifiers):
            return np.empty(0, np.uint16)
        if identifiers.max() >= _STANDARD_IDS:
            identifiers = np.minimum(identifiers, _STANDARD_IDS)
        if len(numbers) == 1:
            codes: Codes = self._table[numbers[0]].take(identifiers)
        else:
            offsets = (numbers * (_STANDARD_IDS + 1)).astype(np.uint32)
            codes = self._table.reshape(-1).take(identifiers + offsets.take(batch.bus))
        unusual = batch.flags & _UNUSUAL_FLAGS
        if unusual.any():
            extended = np.flatnonzero(unusual & np.uint16(FrameFlag.EXTENDED))
            if len(extended):
                bus = numbers.take(batch.bus[extended])
                codes[extended] = self._extended(bus, batch.arbitration_id[extended])
            codes[(unusual & _NOT_DATA_FLAGS) != 0] = NOT_DATA
        return codes

    def _extended(self, bus: npt.NDArray[np.intp] | np.intp, identifiers: npt.NDArray[np.uint32]) -> Codes:
        keys = (np.asarray(bus, np.uint64) << np.uint64(_EXTENDED_BITS)) | identifiers
        place = np.searchsorted(self._keys, keys)
        unseen = self._keys.take(place, mode="clip") != keys
        if unseen.any():
            fresh = [int(key) for key in np.unique(keys[unseen])]
            known = {key: self._resolve_key(key) for key in fresh}
            if len(self._keys) + len(known) <= _MOST_CACHED_IDS:
                self._learn(known)
                return self._extended(bus, identifiers)
            codes = self._codes.take(place, mode="clip")
            codes[unseen] = [known[int(key)] for key in keys[unseen]]
            return codes
        return self._codes.take(place)

    def _learn(self, known: Mapping[int, int]) -> None:
        present = dict(zip(self._keys.tolist(), self._codes.tolist(), strict=True))
        present.update(known)
        # A key that no frame has keeps the search from running off an empty array.
        present.setdefault(1 << 63, UNKNOWN)
        keys = sorted(present)
        self._keys = np.array(keys, np.uint64)
        self._codes = np.array([present[key] for key in keys], np.uint16)

    def _numbers(self, buses: tuple[str, ...]) -> npt.NDArray[np.intp]:
        numbers = self._bus_numbers.get(buses)
        if numbers is None:
            places = {bus: number for number, bus in enumerate(self.buses)}
            numbers = np.array(
                [places.get(bus, len(self.buses)) for bus in buses] or [len(self.buses)], np.intp
            )
            self._bus_numbers[buses] = numbers
        return numbers

    def _resolve_key(self, key: int) -> int:
        return self._resolve(key >> _EXTENDED_BITS, key & (1 << _EXTENDED_BITS) - 1)

    def _resolve(self, number: int, arbitration_id: int) -> int:
        if number >= len(self.buses):
            return UNKNOWN
        source = arbitration_id & 0xFF
        members = list(self._exact[number].get(arbitration_id, ()))
        groups = self._groups[number].get(pgn_of(arbitration_id), ())
        for group in groups:
            named = [message for message in group if message.arbitration_id & 0xFF == source]
            members += named or group
        if not members:
            return UNKNOWN
        return self._code(self.buses[number], members, source if groups and self._by_source else -1)

    def _code(self, bus: str, members: Sequence[Message], source: int) -> int:
        key = (bus, tuple(id(message) for message in members), source)
        code = self._code_of.get(key)
        if code is None and source >= 0 and len(self.described) >= _MOST_CODES:
            return self._code(bus, members, -1)
        if code is None:
            code = self._code_of[key] = len(self.described) + FIRST_CODE
            self.described.append(Described(bus, tuple(members), source))
        return code
