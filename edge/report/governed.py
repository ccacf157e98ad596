"""`Governed`: which policy was in force where in the chain, and what it said, as far as that is at hand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, product

from edge.policy.admission import Admission, Use
from edge.policy.policyfile import PROFILES, profile
from edge.policy.rules import Basis, Policy
from edge.report.notes import PolicyNote

_COMBINATIONS = 16_384
_RECENT = 3


class Governed:
    """The policies of a journal's time.

    A note holds from its moment to the next of its boot. Frames of the first second stand before the note in
    the chain, since one transaction has both; so times decide within a boot, and the chain only where times
    cannot, as in a replay of a recording.

    Args:
        notes: of policies that came into force, in order of the chain.
        known: policies whose content is at hand, beside the built-in profiles.

    Attributes:
        notes: as above.
    """

    def __init__(self, notes: Sequence[PolicyNote], known: Iterable[Policy] = ()) -> None:
        self.notes = tuple(notes)
        self._known = {one.digest: one for one in (*map(profile, PROFILES), *known)}
        self._boots: dict[bytes, list[PolicyNote]] = {}
        for note in notes:
            self._boots.setdefault(note.at.boot, []).append(note)
        for of_boot in self._boots.values():
            of_boot.sort(key=lambda one: (one.at.t_ns, one.at.number))

    def note_at(self, boot: bytes, t_ns: int) -> PolicyNote | None:
        """The note in force at a time of a boot; None where none tells."""
        of_boot = self._boots.get(boot)
        if not of_boot:
            return None
        place = bisect_right([one.at.t_ns for one in of_boot], t_ns)
        return of_boot[max(0, place - 1)]

    def begun_between(self, boot: bytes, from_ns: int, to_ns: int) -> bool:
        """Whether the gateway was started, after one time of a boot and up to another."""
        return any(from_ns < one.at.t_ns <= to_ns for one in self._boots.get(boot, ()))

    def policy(self, note: PolicyNote) -> Policy | None:
        """What a note's policy says; None where that is not at hand."""
        return self._known.get(note.digest)


class Admissions:
    """Finds the admission that the name of a mask stands for, by trying what policy and consents give.

    The name is a hash over the policy and the consents in force: one that is found is proof of both.

    Args:
        grants: chain number of its block and number of each consent, by use, rising.
    """

    def __init__(self, grants: Mapping[Use, Sequence[tuple[int, int]]]) -> None:
        self._grants = grants
        self._names: dict[tuple[str, str], Admission | None] = {}
        self._tried: dict[tuple[str, tuple[tuple[int, ...], ...]], Mapping[str, Admission]] = {}

    def find(self, name: str, policy: Policy, number: int) -> Admission | None:
        """The admission of that name under a policy; None where nothing that was consented to gives it.

        Args:
            name: as masks have it.
            policy: that was in force.
            number: of a block that names it: what was consented to after that is not tried.
        """
        asked = (policy.digest, name)
        if self._names.get(asked) is None:
            self._names[asked] = self._around(policy, number).get(name)
        return self._names[asked]

    def _around(self, policy: Policy, number: int) -> Mapping[str, Admission]:
        """All admissions that the last few consents of each use allow, by name."""
        uses = [use for use, rule in policy.rules.items() if rule.basis is Basis.CONSENT]
        recent = tuple(
            tuple(consent for block, consent in self._grants.get(use, ()) if block < number)[-_RECENT:]
            for use in uses
        )
        key = (policy.digest, recent)
        if key not in self._tried:
            found: dict[str, Admission] = {}
            for numbers in islice(product(*((0, *each) for each in recent)), _COMBINATIONS):
                given = {use: one for use, one in zip(uses, numbers, strict=True) if one}
                admission = Admission.of(policy, given)
                found[admission.name] = admission
            self._tried[key] = found
        return self._tried[key]
