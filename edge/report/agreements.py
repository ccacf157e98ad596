"""`Agreements`: each consent with its begin and its end, and what became of the data that rested on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from edge.clock import NS_PER_S
from edge.consent.entries import Asked, Erased, Granted, Lapsed, Refused, Withdrawn
from edge.journal.keys.key_store import KeyEntry
from edge.policy.admission import Use, consents_in
from edge.report.governed import Governed
from edge.report.notes import ConsentNote, Moment

SLACK_NS = NS_PER_S
"""A withdrawal stops collection within a second."""

WITHDRAWN, REFUSED, EXPIRED = "withdrawn", "refused", "expired"


@dataclass(frozen=True, slots=True)
class End:
    """How a consent ended.

    Attributes:
        how: `WITHDRAWN`, `REFUSED` or `EXPIRED`.
        at: when that was written down; None where its term ended and nobody wrote.
        wall_ns: Unix time in nanoseconds at which it ended; None where that is not known.
        why: in words, of one that ended by itself.
    """

    how: str
    at: Moment | None
    wall_ns: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One consent.

    Attributes:
        granted: the entry of the ledger.
        at: where that stands.
        end: how it ended; None if it has not.
        asked: whether the notice was shown for the very rule before.
    """

    granted: Granted
    at: Moment
    end: End | None
    asked: bool

    @property
    def number(self) -> int:
        """By which the ledger and the labels of keys call it."""
        return self.granted.number

    def not_yet(self, boot: bytes, from_ns: int, wall_ns: int | None) -> bool | None:
        """Whether data of a time were collected before it was given; None where that cannot be told."""
        if boot == self.at.boot:
            return from_ns + SLACK_NS < self.granted.at.boot_ns
        return None if wall_ns is None else wall_ns + SLACK_NS < self.granted.at.wall_ns

    def too_late(self, boot: bytes, to_ns: int, wall_ns: int | None, governed: Governed) -> bool | None:
        """Whether data of a time were collected after it had ended; None where that cannot be told."""
        granted = self.granted
        if not granted.keep and (
            boot != self.at.boot or governed.begun_between(boot, granted.at.boot_ns, to_ns - SLACK_NS)
        ):
            return True
        if boot == self.at.boot and to_ns > granted.at.boot_ns + granted.term_ns + SLACK_NS:
            return True
        if self.end is not None and self.end.at is not None and self.end.at.boot == boot:
            return to_ns > self.end.at.t_ns + SLACK_NS
        if wall_ns is None:
            return None
        ended_ns = granted.ends_ns if self.end is None or self.end.wall_ns is None else self.end.wall_ns
        return wall_ns > ended_ns + SLACK_NS


@dataclass(frozen=True, slots=True)
class Rest:
    """What became of the data that rested on a set of consents and on nothing else.

    Attributes:
        label: of their data keys.
        ended_ns: Unix time at which the last of these consents ended; None where that is not known.
        deadline_ns: by when the data were to be gone; None where that is not known.
        erased: when the ledger says that they were erased; None if it does not.
        took_ns: from end to erasure; None where one of them is not known.
        kept_keys: data keys of the label that are still there.
    """

    label: str
    ended_ns: int | None
    deadline_ns: int | None
    erased: Moment | None
    took_ns: int | None
    kept_keys: int

    @property
    def consents(self) -> frozenset[int]:
        """The numbers that the label names."""
        return consents_in(self.label)


@dataclass(slots=True)
class Agreements:
    """All consents of a journal.

    Attributes:
        of_number: each one.
        refusals: without a consent before, or that ended one.
        rests: of every label whose consents have all ended.
        unknown: numbers that labels name and no entry that can be read.
    """

    of_number: Mapping[int, Agreement]
    refusals: Sequence[ConsentNote]
    rests: Sequence[Rest]
    unknown: Collection[int] = field(default_factory=frozenset)

    def grants(self) -> Mapping[Use, Sequence[tuple[int, int]]]:
        """Chain number and number of each consent, by use."""
        found: dict[Use, list[tuple[int, int]]] = {}
        for one in self.of_number.values():
            found.setdefault(one.granted.use, []).append((one.at.number, one.number))
        return found


def agreements_of(notes: Sequence[ConsentNote], keys: Sequence[KeyEntry], now_ns: int) -> Agreements:
    """Put the ledger's entries and the labels of data keys together.

    Args:
        notes: the ledger, in order of the chain.
        keys: that are still there.
        now_ns: Unix time as of which a term counts as over.
    """
    found: dict[int, Agreement] = {}
    for place, note in enumerate(notes):
        granted = note.entry
        if isinstance(granted, Granted) and granted.number not in found:
            end = _end(granted, notes[place + 1 :], now_ns)
            found[granted.number] = Agreement(granted, note.at, end, _asked(granted, notes[:place]))
    labels = {one.purpose for one in keys if consents_in(one.purpose)}
    labels |= {one.entry.label for one in notes if isinstance(one.entry, Erased)}
    named = {number for label in labels for number in consents_in(label)}
    return Agreements(
        found,
        [one for one in notes if isinstance(one.entry, Refused)],
        [rest for label in sorted(labels) if (rest := _rest(label, found, notes, keys)) is not None],
        frozenset(named - found.keys()),
    )


def _asked(granted: Granted, before: Sequence[ConsentNote]) -> bool:
    """Whether the notice for the very rule was shown for this consent, and not only for one before it.

    Within a boot the same notice is not written down again.
    """
    for note in reversed(before):
        entry = note.entry
        if isinstance(entry, Asked) and entry.use == granted.use and entry.rule == granted.rule:
            return True
        answer = isinstance(entry, Granted | Refused | Withdrawn) and entry.use == granted.use
        if answer and entry.at.boot != granted.at.boot:
            return False
    return False


def _end(granted: Granted, later: Sequence[ConsentNote], now_ns: int) -> End | None:
    for note in later:
        entry = note.entry
        if isinstance(entry, Refused | Withdrawn):
            if entry.use == granted.use and granted.number <= entry.number:
                how = REFUSED if isinstance(entry, Refused) else WITHDRAWN
                said_ns = entry.at.wall_ns if entry.at.dated else None
                wall_ns = None if said_ns is None else min(said_ns, granted.ends_ns)
                return End(how, _said(note, entry.at.boot_ns), wall_ns)
        elif isinstance(entry, Lapsed) and entry.number == granted.number:
            seen_ns = entry.at.wall_ns if entry.at.dated else None
            wall_ns = granted.ends_ns if seen_ns is None else min(seen_ns, granted.ends_ns)
            return End(EXPIRED, _said(note, entry.at.boot_ns), wall_ns, entry.why)
    return End(EXPIRED, None, granted.ends_ns) if now_ns >= granted.ends_ns else None


def _said(note: ConsentNote, boot_ns: int) -> Moment:
    at = note.at
    return Moment(at.number, at.boot, boot_ns, at.wall_ns, at.quality)


def _rest(
    label: str, found: Mapping[int, Agreement], notes: Sequence[ConsentNote], keys: Sequence[KeyEntry]
) -> Rest | None:
    """What became of a label's data; None while one of its consents has not ended, or is not known."""
    if not consents_in(label) <= found.keys():
        return None
    rested = [found[number] for number in sorted(consents_in(label))]
    if any(one.end is None for one in rested):
        return None
    ends = [one.end.wall_ns for one in rested if one.end is not None]
    known = [one for one in ends if one is not None]
    ended_ns = max(known) if len(known) == len(rested) else None
    promised_ns = max((one.granted.erase_within_ns for one in rested), default=0)
    erased = next((one for one in notes if isinstance(one.entry, Erased) and one.entry.label == label), None)
    erased_at = None if erased is None else _said(erased, erased.entry.at.boot_ns)
    return Rest(
        label,
        ended_ns,
        None if ended_ns is None else ended_ns + promised_ns,
        erased_at,
        None if erased_at is None else _took(erased_at, rested, ended_ns),
        sum(one.purpose == label for one in keys),
    )


def _took(erased: Moment, rested: Sequence[Agreement], ended_ns: int | None) -> int | None:
    """How long an erasure took, by the clock that nobody sets where one boot saw both."""
    ends = [one.end for one in rested if one.end is not None]
    said = [one.at for one in ends if one.at is not None and one.how != EXPIRED]
    if len(said) == len(rested) and all(one.boot == erased.boot for one in said):
        return max(0, erased.t_ns - max(one.t_ns for one in said))
    if ended_ns is None or erased.wall_ns is None:
        return None
    return max(0, erased.wall_ns - ended_ns)
