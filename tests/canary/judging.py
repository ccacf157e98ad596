"""Compares what a search finds with what the oracle says: leaks, and what should be there and is not."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.config.configuration import MAIN_DESTINATION
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.records import Missing, Record
from tests.canary.bus import STEPS_A_DEGREE, Fixed
from tests.canary.evidence import RECORDING, Archived, Piece, of_message
from tests.canary.oracle import May, Oracle
from tests.canary.planting import CLASS_OF, Canary, Kind, sent_in
from tests.canary.route import EAST, SOUTH, TWO_DECIMALS, WEST, Route, middle_of
from tests.canary.scanning import Hit, Scanner
from tests.canary.script import Drive
from tests.canary.world import SERVICE, Sent, Told

LON, LAT = "gnss.lon", "gnss.lat"
PURPOSE = {MAIN_DESTINATION: Purpose.REGULATED, SERVICE: Purpose.SERVICE}
FRESH_S = 4
"""A record holds a position that is at most so old."""

ROUNDED = 0.01
"""A decoder's number is so near to steps of 1e-6 degrees, in steps."""

LASTING_S = 4
"""Only what then stays so long is taken for a change that can be measured."""

SEPARATOR = bytes(16)
_AT_ONCE = 1 << 20
_DEGREES = re.compile(rb"(?<![\d.])(\d{2,3})\.(\d{3,})")
_STEPS = re.compile(rb"(?<![\dA-Fa-f.#])\d{8,9}(?![\dA-Fa-f.])")
"""No digits of a frame's data, which are hexadecimal: in those the scanner knows a position by its bits."""

_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Leak:
    """A canary where it must not be.

    Attributes:
        place: where.
        what: canary or position.
        second: in which it was sent.
        at_s: second of the search, or of the sending.
    """

    place: str
    what: str
    second: int
    at_s: float

    def __str__(self) -> str:
        return f"{self.what} of second {self.second} in {self.place} at {self.at_s:g}"


@dataclass(slots=True)
class Found:
    """What came of all searches.

    Attributes:
        leaks: what must not be where it is.
        hits: canaries that were found where they may be, by place.
        expected: canaries that had to be found, by place.
        missing: of those, not found.
        searched: bytes by place.
        positions: positions that were found, by place.
    """

    leaks: list[Leak] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)
    missing: list[Leak] = field(default_factory=list)
    searched: Counter[str] = field(default_factory=Counter)
    positions: Counter[str] = field(default_factory=Counter)

    def leaked(self) -> Counter[str]:
        """Leaks by what and where."""
        return Counter(f"{one.what} in {one.place}" for one in self.leaks)


class Judge:
    """Searches and judges.

    Args:
        drives: the script.
        route: of the vehicle.
        scanner: knows all canaries.
        oracle: says what may be where.
        told: what the gateway told; its boots.
    """

    def __init__(self, drives: Sequence[Drive], route: Route, scanner: Scanner, oracle: Oracle) -> None:
        self._drives = drives
        self._route = route
        self._scanner = scanner
        self._oracle = oracle
        self._archived = Archived()
        self._middles_at: tuple[int, frozenset[int]] = (-1, frozenset())
        self._seen_at: dict[str, set[int]] = {}
        self._blocks: dict[int, tuple[Piece, tuple[Canary, ...]]] = {}
        self.found = Found()

    def journal(self, now_s: int, folder: Path, told: Told) -> None:
        """Search a journal with its keys, as it is at a moment."""
        alive, fresh, messages = self._archived.read(folder)
        for (number, piece), hits in zip(fresh, self._scan([one for _, one in fresh]), strict=True):
            located = tuple(one for one in piece.records if LON in one.values or LAT in one.values)
            self._blocks[number] = replace(piece, content=b"", records=located), tuple(dict.fromkeys(hits))
        seen: dict[tuple[Purpose, ...], set[Canary]] = {}
        for number in alive:
            piece, canaries = self._blocks[number]
            seen.setdefault(piece.purposes, set()).update(canaries)
            for canary in canaries:
                self._judge(canary, piece, now_s)
            self._records(piece, now_s, told)
        for piece, found in zip(messages, self._scan(messages), strict=True):
            for canary in dict.fromkeys(found):
                self._judge(canary, piece, now_s)
            self._message(piece, now_s, told)
        self._expect(seen.get(RECORDING, set()), now_s)

    def door(self, told: Told) -> dict[str, Counter[int]]:
        """Search what left the door; give how many seconds late each kind of change was.

        Returns:
            By ``begun`` or ``ended``: how many seconds after the change the first was let pass, or the last.
        """
        place = "behind the door"
        every = tuple(Purpose)
        pieces = [Piece(place, every, content) for _, content in told.admitted.frames]
        passed: dict[DataClass | None, set[int]] = {}
        for (second, _), hits in zip(told.admitted.frames, self._scan(pieces), strict=True):
            for canary in dict.fromkeys(hits):
                passed.setdefault(canary.data_class, set()).add(canary.second)
                if self._oracle.collected(canary.data_class, canary.second, every) is May.NOT:
                    self._leak(place, canary, second)
                else:
                    self.found.hits[place] += 1
        for second, one in told.admitted.observations:
            if one.item_id == LON and not isinstance(one.value, Missing):
                at = self._route.by_lon.get(round(float(one.value) * STEPS_A_DEGREE), -1)
                passed.setdefault(DataClass.POSITION, set()).add(at)
                if self._oracle.collected(DataClass.POSITION, at, every) is May.NOT:
                    self.found.leaks.append(Leak(place, "position of a sensor", at, second))
        return self._edges(passed)

    def sent(self, messages: Iterable[Sent], told: Told) -> None:
        """Search what was sent."""
        listed = list(messages)
        pieces = [
            of_message(one.payload, f"sent to {one.destination}", one.destination, one.topic)
            for one in listed
        ]
        for one, piece, hits in zip(listed, pieces, self._scan(pieces), strict=True):
            for canary in dict.fromkeys(hits):
                self._leak(piece.place, canary, one.at_s)
            self._message(piece, one.at_s, told)

    def words(self, words: Iterable[tuple[str, str]], at_s: int) -> None:
        """Search what is said of no value: no canary may be in it at all."""
        by_place: dict[str, list[str]] = {}
        for place, text in words:
            by_place.setdefault(place, []).append(text)
        for place, texts in by_place.items():
            self.nothing(place, "\n".join(texts).encode(), at_s)

    def nothing(self, place: str, content: bytes, at_s: int, *, digits: bool = True) -> None:
        """Search bytes in which nothing may be found."""
        self.found.searched[place] += len(content)
        for hit in self._scanner.text(content) if digits else self._scanner.bits(content):
            self._leak(place, hit.canary, at_s)
        if digits:
            for text in set(_near(content)):
                self.found.leaks.append(Leak(place, f"position {text}", 0, at_s))

    def export(self, place: str, content: bytes, purposes: tuple[Purpose, ...], at_s: int) -> None:
        """Search an export: what is in it may be what is in the journal."""
        self.found.searched[place] += len(content)
        piece = Piece(place, purposes, b"")
        for canary in {hit.canary for hit in self._scanner.text(content)}:
            self._judge(canary, piece, at_s)
        for text in set(_near(content)):
            self._position_word(place, text, at_s)

    def expect_positions(self, now_s: int) -> None:
        """See that positions that must have been sent were, and that those that must be kept are."""
        for drive in self._drives:
            for second in range(drive.begin_s + 3, drive.end_s - 10):
                if second not in self._route.fixes:
                    continue
                near = range(second - 1, second + 3)
                if all(
                    self._oracle.left(DataClass.POSITION, one, (Purpose.REGULATED,), now_s) is May.MUST
                    for one in near
                ):
                    self._expect_position("journal, records position", second, now_s)
                lost = any(act.do == "erase" and 0 <= act.second - second <= 10 for act in drive.acts)
                if drive.away or drive.killed or lost:
                    continue
                for name, purpose in PURPOSE.items():
                    spans = (second - FRESH_S, second - 1, second, second + 1, second + 2, second + 10)
                    if all(
                        self._oracle.collected(DataClass.POSITION, one, (purpose,)) is May.MUST
                        for one in spans
                    ):
                        self._expect_position(f"sent to {name}", second, now_s)

    def _expect_position(self, place: str, second: int, now_s: int) -> None:
        self.found.expected[f"position {place}"] += 1
        if second not in self._seen_at.get(place, ()):
            self.found.missing.append(Leak(place, "position", second, now_s))

    def _scan(self, pieces: Sequence[Piece]) -> list[list[Canary]]:
        """The canaries of each piece; small ones are searched together."""
        found: list[list[Canary]] = [[] for _ in pieces]
        begin = 0
        while begin < len(pieces):
            places, whole = [], bytearray()
            end = begin
            while end < len(pieces) and len(whole) < _AT_ONCE:
                places.append(len(whole))
                whole += pieces[end].content + SEPARATOR
                self.found.searched[pieces[end].place] += len(pieces[end].content)
                end += 1
            for hit in self._scanner.bits(bytes(whole)):
                found[begin + _row(places, hit)].append(hit.canary)
            begin = end
        return found

    def _judge(self, canary: Canary, piece: Piece, now_s: float) -> None:
        if self._oracle.left(canary.data_class, canary.second, piece.purposes, int(now_s)) is May.NOT:
            self._leak(piece.place, canary, now_s)
        else:
            self.found.hits[piece.place] += 1

    def _leak(self, place: str, canary: Canary, at_s: float) -> None:
        self.found.leaks.append(Leak(place, canary.kind.name, canary.second, at_s))

    def _expect(self, seen: set[Canary], now_s: int) -> None:
        """See that all that must be there is."""
        for drive in self._drives:
            if drive.begin_s >= now_s:
                break
            for second in range(drive.begin_s + 3, min(drive.end_s, now_s) - 3):
                must = {
                    one for one in DataClass if self._oracle.left(one, second, RECORDING, now_s) is May.MUST
                }
                for kind in Kind:
                    if CLASS_OF[kind] not in must or not sent_in(kind, second):
                        continue
                    self.found.expected[kind.name] += 1
                    if Canary(kind, second) not in seen:
                        self.found.missing.append(Leak("journal", kind.name, second, now_s))

    def _edges(self, passed: dict[DataClass | None, set[int]]) -> dict[str, Counter[int]]:
        """How soon what was agreed to passed, and what was not did not any more."""
        late: dict[str, Counter[int]] = {"begun": Counter(), "ended": Counter()}
        for data_class, seconds in passed.items():
            if data_class is None:
                continue
            for drive in self._drives:
                held = [self._holds(data_class, one) for one in range(drive.begin_s, drive.end_s)]
                for place in range(1, len(held) - LASTING_S):
                    now, before = held[place], held[place - 1]
                    lasts = held[place : place + LASTING_S].count(now) == LASTING_S
                    if now is None or before is None or now == before or not lasts:
                        continue
                    second = drive.begin_s + place
                    follows = [(second + one in seconds) == now for one in range(LASTING_S)]
                    after = follows.index(True) if True in follows else LASTING_S
                    late["begun" if now else "ended"][after] += 1
        return late

    def _holds(self, data_class: DataClass, second: int) -> bool | None:
        """Whether a class is collected for anything in a second, by the script; None where nobody can say."""
        inside, unsure = self._oracle.withheld(second)
        if data_class in unsure:
            return None
        grounds = (self._oracle.ground((data_class, one), second) for one in Purpose)
        return any(grounds) and data_class not in inside

    def _records(self, piece: Piece, now_s: int, told: Told) -> None:
        """Judge the positions in the records of a block."""
        for record in piece.records:
            for name, known in ((LON, self._route.by_lon), (LAT, self._route.by_lat)):
                value = record.values.get(name)
                if not isinstance(value, int):
                    continue
                self.found.positions[piece.place] += 1
                second = known.get(value)
                if second is None:
                    self._coarse(record, piece, now_s, told, sending=False)
                    continue
                self._seen_at.setdefault(piece.place, set()).add(second)
                if self._oracle.left(DataClass.POSITION, second, (Purpose.REGULATED,), now_s) is May.NOT:
                    self.found.leaks.append(Leak(piece.place, "exact position", second, now_s))

    def _message(self, piece: Piece, at_s: float, told: Told) -> None:
        """Judge the positions in a message, sent or about to be."""
        purpose = PURPOSE[piece.destination]
        for record in piece.records:
            for name, known in ((LON, self._route.by_lon), (LAT, self._route.by_lat)):
                value = record.values.get(name)
                if not isinstance(value, int):
                    continue
                self.found.positions[piece.place] += 1
                second = known.get(value)
                if second is None:
                    self._coarse(record, piece, at_s, told, sending=True)
                    continue
                self._seen_at.setdefault(piece.place, set()).add(second)
                if (
                    purpose is Purpose.SERVICE
                    or self._oracle.sent(DataClass.POSITION, second, purpose, at_s) is May.NOT
                ):
                    self.found.leaks.append(Leak(piece.place, "exact position", second, at_s))

    def _coarse(self, record: Record, piece: Piece, at_s: float, told: Told, *, sending: bool) -> None:
        """Judge a position that is none of those that were told: it must be the middle of an allowed cell."""
        lon, lat = record.values.get(LON), record.values.get(LAT)
        told_s = int(record.t_ns / 1e9 + told.boots.get(piece.boot, math.nan))
        use = (DataClass.POSITION, Purpose.SERVICE)
        for second in range(told_s, told_s - FRESH_S, -1):
            fix = self._route.fixes.get(second)
            if fix is None or not isinstance(lon, int) or not isinstance(lat, int):
                continue
            if sending and piece.destination == SERVICE:
                may = self._oracle.sent(use[0], second, use[1], at_s)
            elif sending:
                may = May.NOT
            else:
                may = self._oracle.left(use[0], second, (use[1],), int(at_s))
            if may is not May.NOT and _in_cell(fix, lon, lat, self._oracle.cell_m(use, second)):
                # Of the last few seconds nobody can tell which one it was.
                self._seen_at.setdefault(piece.place, set()).add(told_s)
                return
        self.found.leaks.append(Leak(piece.place, f"unexplained position {lon} {lat}", told_s, at_s))

    def _position_word(self, place: str, text: str, at_s: int) -> None:
        """Judge a number in a text that may be a position."""
        exact = float(text) * (STEPS_A_DEGREE if "." in text else 1)
        steps = round(exact)
        second = self._route.by_lon.get(steps, self._route.by_lat.get(steps))
        if abs(exact - steps) > ROUNDED or (second is None and steps not in self._middles(at_s)):
            self.found.leaks.append(Leak(place, f"unexplained position {text}", 0, at_s))
        if second is None:
            return
        purposes = (*RECORDING, Purpose.REGULATED)
        if self._oracle.left(DataClass.POSITION, second, purposes, at_s) is May.NOT:
            self.found.leaks.append(Leak(place, f"position {text}", second, at_s))
        else:
            self.found.positions[place] += 1

    def _middles(self, now_s: int) -> frozenset[int]:
        """Longitudes and latitudes of the middles of all cells that may still be there."""
        if self._middles_at[0] != now_s:
            use = (DataClass.POSITION, Purpose.SERVICE)
            middles = {
                coordinate + by
                for second, fix in self._route.fixes.items()
                if self._oracle.left(use[0], second, (use[1],), now_s) is not May.NOT
                for coordinate in middle_of(fix, self._oracle.cell_m(use, second))
                for by in (-1, 0, 1)
            }
            self._middles_at = now_s, frozenset(middles)
        return self._middles_at[1]


def _row(places: list[int], hit: Hit) -> int:
    low, high = 0, len(places)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if places[middle] <= hit.place else (low, middle)
    return low


def _near(content: bytes) -> Iterator[str]:
    """Numbers with three digits or more behind the point, or in steps, that are where the vehicle was."""
    for found in _DEGREES.finditer(content):
        if _around(degrees := float(found[0])) and not _has_two_decimals(degrees):
            yield found[0].decode()
    for found in _STEPS.finditer(content):
        if _around(int(found[0]) / STEPS_A_DEGREE):
            yield found[0].decode()


def _has_two_decimals(degrees: float) -> bool:
    """Whether a number is one of two decimals with the trace of a computation: the route has no such one."""
    return abs(degrees * 100 - round(degrees * 100)) * TWO_DECIMALS < ROUNDED


def _around(degrees: float) -> bool:
    return WEST - _MARGIN < degrees < EAST + _MARGIN or SOUTH - _MARGIN < degrees < SOUTH + 6 * _MARGIN


def _in_cell(fix: Fixed, lon: int, lat: int, cell_m: float) -> bool:
    """Whether a position is the middle of the cell that another lies in."""
    middle = middle_of(fix, cell_m)
    return abs(middle[0] - lon) <= 1 and abs(middle[1] - lat) <= 1
