"""Gathers the facts of a period from an open journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.archive.destinations import read_destinations
from edge.archive.opening import Archive
from edge.clock import NS_PER_DAY, NS_PER_S
from edge.config.configuration import MAIN_DESTINATION, Config
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.configuration_notes import believed_ns
from edge.journal.evidence.verify import JournalReport, verify_journal
from edge.journal.record_block import decode_records
from edge.journal.upkeep.limits import Limit
from edge.journal.upkeep.rule_limits import limits_of
from edge.policy.rules import Policy
from edge.records import Record
from edge.report.agreements import agreements_of
from edge.report.blocks import go_through
from edge.report.counting import count
from edge.report.egress_evidence import EgressEvidence
from edge.report.facts import Facts, InForceFor, Unfinished
from edge.report.governed import Governed
from edge.report.judging import Judging
from edge.report.keeping import Keeping
from edge.report.labels import Labels
from edge.report.notes import PolicyNote, read_notes
from edge.report.period import Period
from edge.report.positions import Positions
from edge.report.sending import destinations_of
from edge.wire.keys import VerifyingKey


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about.

    Attributes:
        from_ns: Unix time in nanoseconds; None for the journal's beginning.
        to_ns: Unix time in nanoseconds, not included; None for its end.
        policies: whose content is at hand, beside the built-in profiles.
        vehicle_keys: by which the vehicle's signatures are checked; none to leave them unchecked.
        platform_keys: likewise of its platform.
        egress: result of the egress test; None for none.
        home: jurisdictions that are not abroad.
        now_ns: Unix time of the report.
    """

    from_ns: int | None
    to_ns: int | None
    policies: Sequence[Policy]
    vehicle_keys: Sequence[VerifyingKey]
    platform_keys: Sequence[VerifyingKey]
    egress: EgressEvidence | None
    home: frozenset[str]
    now_ns: int


Progress = Callable[[str, int], None]
"""Told what is being done, and the chain number reached."""


def gather(config: Config, archive: Archive, asked: Asked, progress: Progress) -> Facts:
    """Gather all that a report needs; the journal is read twice, once by its headers alone.

    Raises:
        JournalError: the keys are not at hand, or the journal has no time by which to name a period.
        ConfigError: the period ends before it begins.
        apsw.Error: the journal cannot be read.
    """
    if archive.keys is None:
        raise JournalError("a report needs the journal's keys", where=str(archive.folder))
    keys = archive.keys.listing()
    notes = read_notes(archive)
    newest_ns, oldest_ns = _span(archive)
    period = Period(
        oldest_ns if asked.from_ns is None else asked.from_ns,
        newest_ns + NS_PER_S if asked.to_ns is None else asked.to_ns,
    )
    as_of_ns = _as_of(archive, newest_ns)
    governed = Governed(notes.policies, asked.policies)
    agreements = agreements_of(notes.consents, keys, as_of_ns)
    labels = Labels(keys, notes.erasures)
    judging = Judging(
        governed,
        agreements,
        labels,
        lambda number: _is_bare(archive, number),
        ledger_whole=BlockKind.CONSENT not in notes.unreadable,
    )
    last = governed.policy(notes.policies[-1]) if notes.policies else None
    keeping = Keeping(_limits(config, last), labels, as_of_ns, asked.now_ns)
    positions = Positions(judging.ruled, lambda number: _records(archive, number))
    found = go_through(
        archive,
        period,
        (judging.look, keeping.look, positions.look),
        lambda number: progress("reading", number),
    )
    in_force = _in_force(governed, period)
    counts = count(notes.accounts, governed, found.activity, period, MAIN_DESTINATION)
    at_hand = list({one.policy.digest: one.policy for one in in_force if one.policy is not None}.values())
    return Facts(
        config=config,
        period=period,
        newest_ns=as_of_ns,
        now_ns=max(asked.now_ns, as_of_ns),
        notes=notes,
        governed=governed,
        in_force=in_force,
        agreements=agreements,
        labels=labels,
        found=found,
        judging=judging,
        keeping=keeping,
        positions=positions,
        counts=counts,
        sent=destinations_of(config, at_hand, counts, read_destinations(archive.connection)),
        unfinished=_unfinished(archive, labels),
        verified=_verify(config, archive, asked, progress),
        platform_known=bool(asked.platform_keys),
        egress=asked.egress,
        home=asked.home,
        earlier=_earlier(archive),
    )


def _span(archive: Archive) -> tuple[int, int]:
    """Newest and oldest wall time of any block, so that a period can be named before all is read."""
    newest_ns, oldest_ns = next(
        archive.connection.execute("SELECT max(wall_ns), min(wall_ns) FROM block WHERE wall_ns > 0")
    )
    if archive.wall_times.known:
        everything = Period(-(1 << 62), 1 << 62)
        found = go_through(archive, everything, (), lambda _: None)
        newest_ns, oldest_ns = found.newest_ns, found.oldest_ns
    if not newest_ns:
        raise JournalError(
            "the journal has no data whose wall time is known",
            where=str(archive.folder),
            todo="A report is of days; wait until the gateway's clock is set",
        )
    return int(newest_ns), int(oldest_ns)


def _as_of(archive: Archive, newest_ns: int) -> int:
    """The time as of which ages are judged: a clock that once showed a far future makes nothing old."""
    believed = believed_ns(archive.connection)
    return newest_ns if not believed or newest_ns <= believed + NS_PER_DAY else believed


def _is_bare(archive: Archive, number: int) -> bool:
    """Whether a block of records has numbers and times alone."""
    records = _records(archive, number)
    return records is not None and not any(one.values for one in records)


def _records(archive: Archive, number: int) -> tuple[Record, ...] | None:
    try:
        opened = archive.content(number)
        return None if opened is None else decode_records(opened[1], archive.items)
    except JournalError:
        return None


def _limits(config: Config, policy: Policy | None) -> tuple[Limit, ...]:
    section = config.journal
    own = () if section is None else section.bounds.settings().limits
    return (*own, *(() if policy is None else limits_of(policy.rules.values())))


def _in_force(governed: Governed, period: Period) -> list[InForceFor]:
    """The policies of the period in order; one that comes into force again and again stands once."""
    found: list[InForceFor] = []
    notes = governed.notes
    for place, note in enumerate(notes):
        begin_ns = note.at.wall_ns
        until_ns = notes[place + 1].at.wall_ns if place + 1 < len(notes) else None
        if begin_ns is not None and begin_ns >= period.to_ns:
            continue
        if until_ns is not None and until_ns < period.from_ns:
            continue
        starts = int(begin_ns is None or begin_ns >= period.from_ns)
        last = found[-1] if found else None
        if last is not None and _same(last.note, note):
            found[-1] = InForceFor(last.note, last.from_ns, until_ns, last.starts + starts, last.policy)
        else:
            found.append(InForceFor(note, begin_ns, until_ns, starts, governed.policy(note)))
    return found


def _same(one: PolicyNote, other: PolicyNote) -> bool:
    return (one.digest, one.signature, one.file) == (other.digest, other.signature, other.file)


def _unfinished(archive: Archive, labels: Labels) -> Unfinished:
    condemned = archive.connection.execute("SELECT count(*) FROM erasing").get
    wrapping = () if archive.keys is None else archive.keys.unfinished
    return Unfinished(len(labels.still_there()), int(condemned or 0), len(wrapping))


def _verify(config: Config, archive: Archive, asked: Asked, progress: Progress) -> JournalReport | None:
    if not asked.vehicle_keys:
        return None
    return verify_journal(
        archive.reader,
        vehicle=config.vehicle.topic_name,
        stream=archive.stream,
        vehicle_keys=asked.vehicle_keys,
        platform_keys=asked.platform_keys,
        contents=True,
        progress=lambda number: progress("verifying", number),
    )


def _earlier(archive: Archive) -> bool:
    """Whether there was more before the first row."""
    first = archive.connection.execute("SELECT min(number) FROM block").get
    predecessor = archive.connection.execute("SELECT predecessor FROM stream WHERE ordinal = 1").get
    return predecessor is not None or (first is not None and int(first) > 1)
