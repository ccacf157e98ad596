"""`Standing`: what one destination may have, now and of what was collected before."""

from __future__ import annotations

from edge.policy.admission import Admission, coarseness_m
from edge.policy.classes import DataClass
from edge.policy.destinations import ConfiguredDestination, Destinations, DestinationVerdict
from edge.policy.in_force import InForce
from edge.policy.rules import Purpose

_REMEMBERED = 256


class Standing:
    """One destination under the policy in force; for any thread.

    Args:
        destination: as the configuration states it.
        in_force: the policy, and what it admits and admitted.
    """

    def __init__(self, destination: ConfiguredDestination, in_force: InForce) -> None:
        self.destination = destination
        self._in_force = in_force
        self._verdicts: dict[tuple[str, str], DestinationVerdict] = {}

    def verdict(self) -> DestinationVerdict:
        """What it may have now."""
        return self._verdict(self._in_force.now)

    def verdict_of(self, mask: str) -> DestinationVerdict:
        """What it may have of a record: what it could have when that was collected, and may have now.

        What rests on a consent that was revoked since is not in it, whatever was consented to later. Of a
        mask of another run, whose consents are not known, it may have what the policy in force gives it by
        law.

        Args:
            mask: the name of the door's mask under which the record was collected.
        """
        now = self.verdict()
        purposes = (self.destination.purpose,)
        admission = self._in_force.of(mask)
        then = self._verdict(admission)
        classes = now.classes & then.classes
        if admission is not None:
            classes = frozenset(
                one for one in classes if self._in_force.ground(mask, one, purposes) is not None
            )
        precision = max(then.precision, now.precision, key=coarseness_m)
        why = "" if classes else now.why or "what it may have now was not collected for it"
        return DestinationVerdict(bool(classes), classes, precision, why)

    def media_refused(self, data_class: DataClass, purpose: Purpose, mask: str) -> str:
        """Why it may not have a still or clip; empty if it may.

        As with records it counts what could go there when it was taken and what may go there now. To a broker
        of the vehicle itself, unlike records, goes only what may leave: what that one passes on nobody sees.

        Args:
            data_class: of the still or clip.
            purpose: what it was taken for, by whose rule it is judged.
            mask: under which it was taken.
        """
        policy, now, then = self._in_force.policy, self._in_force.now, self._in_force.of(mask)
        why = Destinations(policy, now).why_not(self.destination, data_class, purpose)
        if why:
            return why
        rule = now.rules.get((data_class, purpose))
        if rule is not None and not rule.leaves:
            return f"{data_class} for {purpose} stays in the vehicle"
        before = Admission.of(policy, {}) if then is None else then
        if Destinations(policy, before).why_not(self.destination, data_class, purpose):
            return "it could not go there when it was taken"
        if then is not None and self._in_force.ground(mask, data_class, (purpose,)) is None:
            return "the consent that it rests on was withdrawn"
        return ""

    def may_connect(self) -> str:
        """Why it may not be connected to now; empty if it may."""
        return self.verdict().why

    def address_refused(self, address: str) -> str:
        """See `Destinations.address_refused`, by the policy in force."""
        judged = Destinations(self._in_force.policy, self._in_force.now)
        return judged.address_refused(self.destination, address)

    def _verdict(self, admission: Admission | None) -> DestinationVerdict:
        """What an admission gives it, by the list of the policy in force; None for the law alone."""
        policy = self._in_force.policy
        key = policy.digest, "" if admission is None else admission.name
        found = self._verdicts.get(key)
        if found is None:
            admitted = Admission.of(policy, {}) if admission is None else admission
            found = Destinations(policy, admitted).allowed(self.destination)
            if len(self._verdicts) >= _REMEMBERED:
                self._verdicts.clear()
            self._verdicts[key] = found
        return found
