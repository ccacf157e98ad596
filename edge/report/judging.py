"""`Judging`: holds every block with data against the policy, the consents and the clock of its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.policy.admission import Admission, consents_in
from edge.policy.classes import DataClass
from edge.policy.masks import admission_of
from edge.policy.rules import Basis, Policy, Rule
from edge.report.agreements import Agreement, Agreements
from edge.report.blocks import PURPOSES, Seen
from edge.report.governed import Admissions, Governed
from edge.report.labels import Label, Labels, Source, label_by
from edge.report.notes import PolicyNote

KEPT_FAULTS = 50

NO_RULE = "no-rule"
NEEDS_CONSENT = "needs-consent"
OTHER_USE = "other-use"
OTHER_RULE = "other-rule"
UNKNOWN_CONSENT = "unknown-consent"
NOT_YET = "not-yet"
TOO_LATE = "too-late"
MASK_FORBIDS = "mask-forbids"
UNKNOWN_CLASS = "unknown-class"
"""What is wrong with a block."""

NO_POLICY_NOTE = "no-policy-note"
POLICY_NOT_AT_HAND = "policy-not-at-hand"
NO_LABEL = "no-label"
NO_SUCH_MASK = "no-such-mask"
NO_TIME = "no-time"
UNREADABLE_LEDGER = "unreadable-ledger"
"""Why a block cannot be judged."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A block that must not be.

    Attributes:
        number: of the block.
        what: one of the reasons above.
        kind: of the block.
        data_class: of its data.
        wall_ns: Unix time of its last datum; None where that is not known.
        label: what it rests on; None where that is not known.
    """

    number: int
    what: str
    kind: str
    data_class: str
    wall_ns: int | None
    label: str | None


@dataclass(slots=True)
class Verdicts:
    """What came of judging by one question.

    Attributes:
        right: blocks that are as they should be.
        wrong: how many are not, by reason.
        undecided: how many cannot be judged, by reason.
        faults: the first of the wrong ones.
    """

    right: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def add_fault(self, seen: Seen, what: str, label: Label | None) -> None:
        """Note a block that must not be."""
        self.wrong[what] += 1
        if len(self.faults) < KEPT_FAULTS:
            header = seen.header
            kind = header.kind.name.lower().replace("_", " ")
            text = None if label is None else label.text
            self.faults.append(Fault(header.number, what, kind, header.data_class, seen.last_ns, text))


@dataclass(frozen=True, slots=True)
class _Ground:
    """What holds of all blocks of one sort.

    Attributes:
        label: what they rest on; None where that is not known.
        wrong: why they must not be; empty if they may.
        undecided: why that cannot be judged; empty if it can.
    """

    label: Label | None
    wrong: str = ""
    undecided: str = ""


@dataclass(frozen=True, slots=True)
class MaskShown:
    """What a mask stands for.

    Attributes:
        consents: in force under it; None where its name is of no admission that policy and consents give.
        policy: title of the policy; empty where that is not known.
    """

    consents: tuple[int, ...] | None
    policy: str


class Judging:
    """Asks two questions of each block: did rule and consent allow it, and was the consent still in force.

    Args:
        governed: policies.
        agreements: consents.
        labels: of data keys.
        is_bare: tells of a block of the class that carries records' numbers whether it has no items.
        ledger_whole: whether every entry of the ledger could be read.

    Attributes:
        allowed: answers to the first.
        in_time: to the second.
        masks: what each mask stands for.
    """

    def __init__(
        self,
        governed: Governed,
        agreements: Agreements,
        labels: Labels,
        is_bare: Callable[[int], bool],
        *,
        ledger_whole: bool,
    ) -> None:
        self.allowed = Verdicts()
        self.in_time = Verdicts()
        self.masks: dict[str, MaskShown] = {}
        self._governed = governed
        self._agreements = agreements
        self._labels = labels
        self._admissions = Admissions(agreements.grants())
        self._is_bare = is_bare
        self._ledger_whole = ledger_whole
        self._grounds: dict[tuple[object, ...], _Ground] = {}

    def look(self, seen: Seen, meant: bool) -> None:
        """Judge a block, if it holds data and is of the period."""
        if not meant or not seen.holds_data:
            return
        ground = self._ground(seen)
        label = ground.label
        if label is not None and label.consents:
            self._judge_time(seen, label)
        if ground.wrong == NO_RULE and seen.header.kind.name == "RECORDS" and self._is_bare_block(seen):
            self.allowed.right += 1
        elif ground.wrong:
            self.allowed.add_fault(seen, ground.wrong, label)
        elif ground.undecided:
            self.allowed.undecided[ground.undecided] += 1
        elif label is not None and label.consents:
            self._judge_begin(seen, label)
        else:
            self.allowed.right += 1

    def ruled(self, seen: Seen) -> tuple[Policy | None, Admission | None]:
        """The policy of a block's time and the admission of its mask; None where they are not known."""
        note = self._governed.note_at(seen.header.boot, seen.header.to_ns)
        policy = None if note is None else self._governed.policy(note)
        if policy is None:
            return None, None
        return policy, self._admissions.find(admission_of(seen.header.mask), policy, seen.header.number)

    def _is_bare_block(self, seen: Seen) -> bool:
        return seen.header.data_class == DataClass.OPERATION and self._is_bare(seen.header.number)

    def _judge_begin(self, seen: Seen, label: Label) -> None:
        """Hold what rests on consents against the time from which they were given."""
        header = seen.header
        answers = {one.not_yet(header.boot, header.from_ns, seen.first_ns) for one in self._consents(label)}
        if True in answers:
            self.allowed.add_fault(seen, NOT_YET, label)
        elif None in answers:
            self.allowed.undecided[NO_TIME] += 1
        else:
            self.allowed.right += 1

    def _judge_time(self, seen: Seen, label: Label) -> None:
        """Hold what rests on consents against the time at which the last of them ended."""
        header = seen.header
        answers = {
            one.too_late(header.boot, header.to_ns, seen.last_ns, self._governed)
            for one in self._consents(label)
        }
        # Which of the consents that an erasure names a block had is not known: one in force is enough.
        if not answers:
            return
        late = answers == {True} if label.source is Source.ERASURE else True in answers
        if late:
            self.in_time.add_fault(seen, TOO_LATE, label)
        elif None in answers:
            self.in_time.undecided[NO_TIME] += 1
        else:
            self.in_time.right += 1

    def _consents(self, label: Label) -> list[Agreement]:
        of_number = self._agreements.of_number
        return [of_number[number] for number in label.consents if number in of_number]

    def _ground(self, seen: Seen) -> _Ground:
        header = seen.header
        note = self._governed.note_at(header.boot, header.to_ns)
        number = 0 if note is None else note.at.number
        sort = (header.kind, header.data_class, header.mask, header.key_id, number)
        if sort not in self._grounds:
            self._grounds[sort] = self._found(seen, note)
        return self._grounds[sort]

    def _found(self, seen: Seen, note: PolicyNote | None) -> _Ground:
        header = seen.header
        purposes = PURPOSES[header.kind]
        policy, admission = self.ruled(seen)
        self._show_mask(header.mask, note, admission)
        by_mask = label_by(admission, header.data_class, purposes)
        label = self._labels.label(header.key_id, by_mask)
        if header.data_class not in set(DataClass):
            return _Ground(label, wrong=UNKNOWN_CLASS)
        if policy is None:
            return _Ground(label, undecided=NO_POLICY_NOTE if note is None else POLICY_NOT_AT_HAND)
        rules = [
            rule
            for purpose in purposes
            if (rule := policy.rule(DataClass(header.data_class), purpose)) is not None
        ]
        if not rules:
            return _Ground(label, wrong=NO_RULE)
        return self._by_rules(rules, label, admission, by_mask)

    def _by_rules(
        self, rules: list[Rule], label: Label | None, admission: Admission | None, by_mask: str | None
    ) -> _Ground:
        if label is None:
            return _Ground(label, undecided=NO_LABEL)
        wrong = self._wrong(label, rules, admission, by_mask)
        if wrong == UNKNOWN_CONSENT and not self._ledger_whole:
            return _Ground(label, undecided=UNREADABLE_LEDGER)
        if not wrong and admission is None and label.consents:
            # What the law allows needs no consent; of the rest, the mask says which ones were in force.
            return _Ground(label, undecided=NO_SUCH_MASK)
        return _Ground(label, wrong)

    def _wrong(
        self, label: Label, rules: list[Rule], admission: Admission | None, by_mask: str | None
    ) -> str:
        """Why what rests on a label must not be, by the rules for it; empty if it may."""
        if not label.consents:
            return "" if any(rule.basis is Basis.LAW for rule in rules) else NEEDS_CONSENT
        of_number = self._agreements.of_number
        for number in label.consents if label.source is not Source.ERASURE else ():
            agreement = of_number.get(number)
            if agreement is None:
                return UNKNOWN_CONSENT
            granted = agreement.granted
            rule = next((one for one in rules if (one.data_class, one.purpose) == granted.use), None)
            if rule is None or rule.basis is not Basis.CONSENT:
                return OTHER_USE
            if rule.digest != granted.rule:
                return OTHER_RULE
        if admission is not None and (by_mask is None or not consents_in(by_mask)):
            return MASK_FORBIDS
        return ""

    def _show_mask(self, mask: str, note: PolicyNote | None, admission: Admission | None) -> None:
        shown = self.masks.get(mask)
        if shown is None or shown.consents is None:
            consents = None if admission is None else tuple(sorted(set(admission.consents.values())))
            title = "" if note is None else f"{note.name} ({note.digest})"
            self.masks[mask] = MaskShown(consents, title)
