"""`Facts`: everything about a period that the checks judge and the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.config.configuration import Config
from edge.journal.evidence.verify import JournalReport
from edge.policy.rules import Policy
from edge.report.agreements import Agreements
from edge.report.blocks import Found
from edge.report.counting import Counts
from edge.report.egress_evidence import EgressEvidence
from edge.report.governed import Governed
from edge.report.judging import Judging
from edge.report.keeping import Keeping
from edge.report.labels import Labels
from edge.report.notes import Notes, PolicyNote
from edge.report.period import Period
from edge.report.positions import Positions
from edge.report.sending import Sent


@dataclass(frozen=True, slots=True)
class InForceFor:
    """A policy in force over a stretch of the period.

    Attributes:
        note: of its first coming into force there.
        from_ns: Unix time from which on; None where that is not known.
        to_ns: until when; None for as long as the journal tells.
        starts: how often it came into force in that stretch, within the period.
        policy: what it says; None where that is not at hand.
    """

    note: PolicyNote
    from_ns: int | None
    to_ns: int | None
    starts: int
    policy: Policy | None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What is left of erasures that are not at their end.

    Attributes:
        keys: data keys that an erasure says are destroyed, and that are there.
        condemned: data keys that are still to be destroyed.
        wrapping: generations of wrapping keys that are still to be destroyed.
    """

    keys: int
    condemned: int
    wrapping: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a period.

    Attributes:
        config: of today.
        period: that is meant.
        newest_ns: Unix time of the newest datum in the journal, as of which it is judged.
        now_ns: Unix time of the report.
        notes: of the whole journal.
        governed: policies by place.
        in_force: policies of the period, in order.
        agreements: consents.
        labels: of data keys.
        found: what there is.
        judging: of each block.
        keeping: of what is kept.
        positions: how exact kept positions are.
        counts: of the period.
        sent: of each destination.
        unfinished: of erasures.
        verified: the journal's chain; None where the vehicle's key is not at hand.
        platform_known: whether the platform's key is.
        egress: of the test, if one was given.
        home: jurisdictions that are not abroad.
        earlier: whether there was more before the journal's first row: a stream before it, or rows that
            retention has removed.
    """

    config: Config
    period: Period
    newest_ns: int
    now_ns: int
    notes: Notes
    governed: Governed
    in_force: Sequence[InForceFor]
    agreements: Agreements
    labels: Labels
    found: Found
    judging: Judging
    keeping: Keeping
    positions: Positions
    counts: Counts
    sent: Sequence[Sent]
    unfinished: Unfinished
    verified: JournalReport | None
    platform_known: bool
    egress: EgressEvidence | None
    home: frozenset[str]
    earlier: bool

    @property
    def policies(self) -> list[Policy]:
        """The policies of the period that are at hand."""
        return list(
            {one.policy.digest: one.policy for one in self.in_force if one.policy is not None}.values()
        )

    @property
    def policies_missing(self) -> int:
        """How many policies of the period are not at hand."""
        return len({one.note.digest for one in self.in_force if one.policy is None})

    @property
    def begins_unseen(self) -> bool:
        """Whether the period begins before what the journal still tells of."""
        return self.earlier and self.period.from_ns < self.found.oldest_ns
