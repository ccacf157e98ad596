"""`InForce`: what may be collected now, and what might be when data that are still on their way were."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from edge.policy.admission import Admission, consents_in
from edge.policy.classes import DataClass
from edge.policy.gates import Gate
from edge.policy.masks import admission_of
from edge.policy.rules import Basis, Policy, Purpose

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Collected:
    """What was collected under one mask.

    Attributes:
        admission: by which it was.
        gate: through which frames went.
        records: the classes whose items go into records.
    """

    admission: Admission
    gate: Gate
    records: frozenset[DataClass]


class InForce:
    """The policy, what it admits now, and what it admitted before in this run; for any thread.

    Args:
        policy: the policy in force.
        admission: what it admits at first.
    """

    def __init__(self, policy: Policy, admission: Admission) -> None:
        self.policy = policy
        self._lock = threading.Lock()
        self._admissions = {admission.name: admission}
        self._now = admission
        self._revoked: set[int] = set()

    @property
    def now(self) -> Admission:
        """What may be collected at this moment, anywhere but in an area where less is."""
        return self._now

    @property
    def kept_by_law(self) -> frozenset[DataClass]:
        """The classes that the regulated record needs whatever anybody says; nobody has them erased."""
        return frozenset(
            rule.data_class
            for rule in self.policy.rules.values()
            if rule.purpose is Purpose.REGULATED and rule.basis is Basis.LAW
        )

    def adopt(self, admission: Admission) -> None:
        """Take another admission into force."""
        with self._lock:
            self._admissions.pop(admission.name, None)
            self._admissions[admission.name] = admission
            self._now = admission
            while len(self._admissions) > _REMEMBERED:
                del self._admissions[next(iter(self._admissions))]

    def revoke(self, consents: Collection[int]) -> None:
        """From now on nothing is kept any more that rests on these consents alone."""
        with self._lock:
            self._revoked.update(consents)

    def of(self, mask: str) -> Admission | None:
        """The admission under which a mask was in force; None for one of another run."""
        return self._admissions.get(admission_of(mask))

    def ground(self, mask: str, data_class: DataClass, purposes: Iterable[Purpose]) -> str | None:
        """What data rest on that were collected under `mask` and are to be kept for `purposes`.

        Returns:
            See `Admission.ground`; None too where the consents have been revoked since, or the mask is of no
            admission that is known.
        """
        admission = self.of(mask)
        if admission is None:
            return None
        label = admission.ground(data_class, purposes)
        consents = consents_in(label or "")
        if consents and consents <= self._revoked:
            return None
        return label
