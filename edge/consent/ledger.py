"""`Ledger`: which consents hold now, by all that people said and by clocks that may lie."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from edge.clock import NS_PER_DAY, TimeQuality
from edge.consent.entries import (
    Asked,
    Entry,
    Granted,
    Lapsed,
    Moment,
    Refused,
    Role,
    Stamp,
    Withdrawn,
)
from edge.consent.terms import rule_by_consent, term_ns, within_ns
from edge.errors import ConsentError
from edge.journal.upkeep.believed_time import STEP_NS
from edge.policy.admission import Use, consents_in
from edge.policy.rules import Basis, Policy, Rule
from edge.wire.strict_cbor import INT64_MAX

_TITLE_CHARACTERS = 200

OVER = "its term is over"
AHEAD = "the clock was ahead when it was given"
UNREADABLE = "a part of the ledger behind it cannot be read"


class Standing(StrEnum):
    """Where a use stands."""

    BY_LAW = "by law"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    NOT_ASKED = "not asked"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class UseState:
    """Where one use stands, as a person is shown it.

    Attributes:
        standing: in one word.
        why: the reason in words; empty where the word says all.
        consent: the consent that was given last, unless it was refused or withdrawn since.
    """

    standing: Standing
    why: str = ""
    consent: Granted | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """A consent whose data must go.

    Attributes:
        number: of the consent.
        why: ``withdrawn``, ``refused`` or ``expired``.
        since_ns: Unix time in nanoseconds at which it ended; 0 where that is not known.
        deadline_ns: by when its data are gone; 0 for at once.
    """

    number: int
    why: Standing
    since_ns: int
    deadline_ns: int


class Ledger:
    """All that was said, in order; it never changes, what is added makes another one.

    For each use the last word counts: the consent given last, unless it or a later one was refused or
    withdrawn. That holds whatever order entries come in, since a refusal and a withdrawal name the number up
    to which they reach.

    Args:
        entries: in order.
        used: numbers up to this were given out, even if no entry names them.

    Attributes:
        entries: in order.
        used: the greatest number given out.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, used: int = 0) -> None:
        self.entries = tuple(entries)
        self.used = used
        self._grants: dict[int, Granted] = {}
        self._last: dict[Use, Granted] = {}
        self._cuts: dict[Use, Refused | Withdrawn] = {}
        self._cut: dict[int, Refused | Withdrawn] = {}
        self._lapsed: dict[int, Lapsed] = {}
        self._asked: dict[Use, Asked] = {}
        self._newest_ns: dict[TimeQuality, int] = {}
        for entry in self.entries:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        at = entry.at
        if at.dated:
            self._newest_ns[at.quality] = max(at.wall_ns, self._newest_ns.get(at.quality, 0))
        match entry:
            case Granted():
                self._take_grant(entry)
            case Refused() | Withdrawn():
                self._take_cut(entry)
            case Lapsed():
                self._lapsed.setdefault(entry.number, entry)
            case Asked():
                self._asked[entry.use] = entry
            case _:
                return

    def _take_grant(self, grant: Granted) -> None:
        if grant.number in self._grants:
            return
        self.used = max(self.used, grant.number)
        self._grants[grant.number] = grant
        if grant.use not in self._last or self._last[grant.use].number < grant.number:
            self._last[grant.use] = grant
        cut = self._cuts.get(grant.use)
        if cut is not None and grant.number <= cut.number:
            self._cut.setdefault(grant.number, cut)

    def _take_cut(self, cut: Refused | Withdrawn) -> None:
        self.used = max(self.used, cut.number)
        if cut.use not in self._cuts or self._cuts[cut.use].number <= cut.number:
            self._cuts[cut.use] = cut
        for number in self.ended_by(cut):
            self._cut[number] = cut

    def added(self, *entries: Entry) -> Ledger:
        """This ledger with further entries."""
        return Ledger((*self.entries, *entries), used=self.used)

    def using(self, number: int) -> Ledger:
        """This ledger, with the numbers up to `number` given out."""
        return Ledger(self.entries, used=max(self.used, number))

    def granted(self, number: int) -> Granted | None:
        """The consent of a number; None if there is none."""
        return self._grants.get(number)

    def ended(self, number: int) -> bool:
        """Whether a consent was refused or withdrawn."""
        return number in self._cut

    def asked(self, use: Use) -> Asked | None:
        """When a person was asked for a use last; None for never."""
        return self._asked.get(use)

    def refused(self, use: Use) -> Refused | None:
        """The refusal by which a use stands; None if it stands otherwise."""
        cut = self._cuts.get(use)
        return cut if isinstance(cut, Refused) and self._standing(use) is None else None

    def standing_grants(self) -> Iterator[Granted]:
        """The last consent of each use that was neither refused, withdrawn nor seen to lapse."""
        for use in self._last:
            grant = self._standing(use)
            if grant is not None and grant.number not in self._lapsed:
                yield grant

    def grant(
        self, policy: Policy, use: Use, *, term_s: float, role: Role, now: Moment, keep: bool = False
    ) -> Granted:
        """What to add when a person agrees.

        Args:
            policy: in force.
            use: class and purpose.
            term_s: how long, seconds.
            role: who agrees.
            now: the present.
            keep: whether it holds beyond this start of the gateway.

        Raises:
            ConsentError: there is no term or none that may be; the use needs no consent, or no rule allows
                it; the clock cannot be trusted to end the consent.
        """
        rule = rule_by_consent(policy, use)
        length_ns = term_ns(term_s, rule)
        doubt = self.doubt(now)
        if doubt:
            raise ConsentError(
                f"a consent needs a clock that can end it: {doubt}", todo="Ask again when the clock is set"
            )
        if not keep and not now.start:
            raise ConsentError(
                "no gateway runs, so a consent for its present start alone would hold for nothing",
                todo="Say that it is to be kept, or give it while the gateway runs",
            )
        if now.at.wall_ns + length_ns > INT64_MAX:
            raise ConsentError("the term ends beyond all time")
        return Granted(
            at=now.at,
            number=self.used + 1,
            data_class=use[0],
            purpose=use[1],
            role=role,
            ends_ns=now.at.wall_ns + length_ns,
            keep=keep,
            start=now.start,
            rule=rule.digest,
            policy=policy.title[:_TITLE_CHARACTERS],
            erase_within_ns=within_ns(rule),
        )

    def ask(self, policy: Policy, use: Use, *, role: Role, at: Stamp) -> Asked:
        """What to add when a person is shown the notice.

        Raises:
            ConsentError: the use needs no consent, or no rule allows it.
        """
        rule = rule_by_consent(policy, use)
        return Asked(at, *use, role, rule.digest, policy.title[:_TITLE_CHARACTERS])

    def refuse(self, policy: Policy, use: Use, *, role: Role, at: Stamp) -> Refused:
        """What to add when a person says no; that ends what was given before.

        Raises:
            ConsentError: the use needs no consent, or no rule allows it and none was ever given.
        """
        if use not in self._last:
            rule_by_consent(policy, use)
        return Refused(at, self.used, *use, role)

    def withdraw(self, use: Use, *, role: Role, at: Stamp) -> Withdrawn:
        """What to add when a person takes their consent back; also one that has ended, for its data.

        Raises:
            ConsentError: there is none, or it was withdrawn or refused before.
        """
        grant = self._standing(use)
        if grant is None:
            cut = self._cuts.get(use)
            before = "it was withdrawn or refused before" if cut is not None else "none was given"
            raise ConsentError(f"there is no consent to {use[0]} for {use[1]} to withdraw: {before}")
        return Withdrawn(at, grant.number, *use, role)

    def ended_by(self, entry: Refused | Withdrawn) -> frozenset[int]:
        """Numbers of the consents that a refusal or withdrawal ends which nothing has ended before it."""
        return frozenset(
            one.number
            for one in self._grants.values()
            if one.use == entry.use and one.number <= entry.number and one.number not in self._cut
        )

    def doubt(self, now: Moment) -> str:
        """Why the wall clock cannot be trusted; empty where it can."""
        if not now.at.dated:
            return "its time is not known for sure"
        newest_ns = max((ns for q, ns in self._newest_ns.items() if q >= now.at.quality), default=0)
        if now.at.wall_ns + STEP_NS < max(newest_ns, now.known_ns):
            return "it was set back"
        return ""

    def in_force(self, policy: Policy, now: Moment) -> Mapping[Use, int]:
        """The number of the consent that each use rests on now; only uses that need one."""
        doubt = self.doubt(now)
        return {
            use: grant.number
            for use, rule in policy.rules.items()
            if rule.basis is Basis.CONSENT
            and (grant := self._standing(use)) is not None
            and self._fault(grant, rule, now, doubt) is None
        }

    def state(self, policy: Policy, use: Use, now: Moment) -> UseState:
        """Where a use stands."""
        rule = policy.rule(*use)
        if rule is not None and rule.basis is Basis.LAW:
            return UseState(Standing.BY_LAW)
        grant = self._standing(use)
        if grant is None:
            return self._unanswered(use, rule)
        if rule is None:
            return UseState(Standing.CHANGED, "the policy does not collect it any more", grant)
        return self._fault(grant, rule, now, self.doubt(now)) or UseState(Standing.GIVEN, "", grant)

    def _unanswered(self, use: Use, rule: Rule | None) -> UseState:
        """Where a use stands for which no consent was given, or none since it was refused or withdrawn."""
        match self._cuts.get(use):
            case Refused():
                return UseState(Standing.REFUSED)
            case Withdrawn():
                return UseState(Standing.WITHDRAWN)
        if rule is None:
            return UseState(Standing.NOT_ASKED, "the policy does not collect it")
        return UseState(Standing.NOT_ASKED, "asked, not answered" if use in self._asked else "")

    def lapses(self, now: Moment) -> tuple[Lapsed, ...]:
        """What is to be added because consents are seen to have ended by themselves."""
        dated = not self.doubt(now)
        found = []
        for grant in self.standing_grants():
            if _run_out(grant, now) or (dated and now.at.wall_ns >= grant.ends_ns):
                found.append(Lapsed(now.at, grant.number, OVER))
            elif dated and now.at.wall_ns + STEP_NS < grant.at.wall_ns:
                found.append(Lapsed(now.at, grant.number, AHEAD))
        return tuple(found)

    def next_change_ns(self, now: Moment) -> int | None:
        """Boot-monotonic time at which some consent begins or ends by itself; None for never.

        It holds as long as the wall clock goes on evenly.
        """
        at = now.at
        times = []
        for grant in self.standing_grants():
            times += [at.boot_ns + wall_ns - at.wall_ns for wall_ns in (grant.at.wall_ns, grant.ends_ns)]
            if grant.at.boot == at.boot:
                times.append(grant.at.boot_ns + grant.term_ns)
        return min((time_ns for time_ns in times if time_ns > at.boot_ns), default=None)

    def over(self, policy: Policy, now: Moment) -> Mapping[int, Over]:
        """The consents whose data must go, by number: those withdrawn or refused, and those that ended.

        A consent that does not hold for another reason, such as a changed policy or a new start of the
        gateway, keeps its data to the end of its term.
        """
        found = ((grant, self._ended(grant, now)) for grant in self._grants.values())
        return {
            grant.number: _over(grant, ended, policy.rule(*grant.use))
            for grant, ended in found
            if ended is not None
        }

    def gone(self, labels: Collection[str], policy: Policy, now: Moment) -> Mapping[str, int]:
        """The labels of data keys that rest on no consent any more, with the deadline of each.

        Args:
            labels: of data keys; those that name no consent are passed over.
            policy: in force.
            now: the present.

        Returns:
            Unix time in nanoseconds by which such data are gone; 0 for at once, as for a consent that the
            ledger does not know: what cannot be shown does not hold.
        """
        over = self.over(policy, now)
        found: dict[str, int] = {}
        for label in labels:
            numbers = consents_in(label)
            if numbers and all(one in over or one not in self._grants for one in numbers):
                known = [over[one].deadline_ns for one in numbers if one in over]
                found[label] = max(known, default=0)
        return found

    def _standing(self, use: Use) -> Granted | None:
        """The consent given last for a use, unless a refusal or withdrawal reaches it."""
        grant = self._last.get(use)
        return None if grant is None or grant.number in self._cut else grant

    def _fault(self, grant: Granted, rule: Rule, now: Moment, doubt: str) -> UseState | None:
        """Why a consent does not hold now; None if it does."""
        lapsed = self._lapsed.get(grant.number)
        if lapsed is not None:
            return UseState(Standing.EXPIRED, lapsed.why, grant)
        if grant.rule != rule.digest:
            return UseState(Standing.CHANGED, "the policy has other rules for it since", grant)
        if grant.term_ns > rule.longest_days * NS_PER_DAY:
            return UseState(Standing.CHANGED, "the policy allows no such long term any more", grant)
        why = doubt and f"the clock cannot be trusted: {doubt}"
        if now.at.wall_ns >= grant.ends_ns or _run_out(grant, now):
            why = OVER
        elif not grant.keep and (not now.start or grant.start != now.start):
            why = "it held for the start of the gateway in which it was given"
        elif not doubt and (now.at.wall_ns < grant.at.wall_ns or _before(grant, now)):
            why = "the clock shows a time before it was given"
        return UseState(Standing.EXPIRED, why, grant) if why else None

    def _ended(self, grant: Granted, now: Moment) -> tuple[Standing, int] | None:
        """How and at which wall time a consent ended so that its data must go; None if it did not."""
        cut = self._cut.get(grant.number)
        if cut is not None:
            standing = Standing.REFUSED if isinstance(cut, Refused) else Standing.WITHDRAWN
            return standing, min(cut.at.wall_ns, grant.ends_ns) if cut.at.dated else 0
        lapsed = self._lapsed.get(grant.number)
        if lapsed is not None:
            seen_ns = lapsed.at.wall_ns if lapsed.at.dated else 0
            return Standing.EXPIRED, min(seen_ns, grant.ends_ns)
        if now.believed_ns >= grant.ends_ns or _run_out(grant, now):
            return Standing.EXPIRED, grant.ends_ns
        return None


def _run_out(grant: Granted, now: Moment) -> bool:
    """Whether, in the boot in which it was given, its term has run by the clock that nobody can set."""
    return grant.at.boot == now.at.boot and now.at.boot_ns - grant.at.boot_ns >= grant.term_ns


def _before(grant: Granted, now: Moment) -> bool:
    """Whether, in the boot in which it was given, that is yet to come: one of the two is not true."""
    return grant.at.boot == now.at.boot and now.at.boot_ns < grant.at.boot_ns


def _over(grant: Granted, ended: tuple[Standing, int], rule: Rule | None) -> Over:
    why, since_ns = ended
    promised_ns = grant.erase_within_ns
    if rule is not None:
        promised_ns = min(promised_ns, within_ns(rule))
    return Over(grant.number, why, since_ns, since_ns + promised_ns if since_ns else 0)
