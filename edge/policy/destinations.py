"""`Destinations`: which machines data may go to, and which classes each of them may have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import PurePosixPath

from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.rules import (
    ANYWHERE,
    FULL,
    RECORD_PURPOSES,
    AllowedDestination,
    Policy,
    Precision,
    Purpose,
    Rule,
)

Address = IPv4Address | IPv6Address
Host = str | Address | PurePosixPath
"""A host name as it is looked up, an address, or a Unix domain socket."""

NOT_LISTED = "which the policy does not list"

_LABEL = re.compile(r"[a-z0-9_-]+")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class ConfiguredDestination:
    """What the configuration says of a destination.

    Attributes:
        name: what the journal, the account and the policy call it.
        host: a name or an address; a path is a Unix domain socket.
        port: TCP port.
        purpose: regulated or service.
        jurisdiction: where its machines stand, ISO 3166-1 alpha-2; empty where that is not stated.
    """

    name: str
    host: str
    port: int
    purpose: Purpose
    jurisdiction: str = ""

    @property
    def in_vehicle(self) -> bool:
        """Whether it is on this machine, by its name alone: `address_refused` holds it to that."""
        host = host_of(self.host)
        if isinstance(host, Address):
            return host.is_loopback
        return host == "localhost" or isinstance(host, PurePosixPath)


@dataclass(frozen=True, slots=True)
class DestinationVerdict:
    """What one destination may have.

    Attributes:
        allowed: whether it may be connected to at all.
        classes: the classes whose items it may have; none if it is not allowed.
        precision: of the positions that it may have.
        why: why it may not be connected to; empty if it may.
    """

    allowed: bool
    classes: frozenset[DataClass]
    precision: Precision = FULL
    why: str = ""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Judges destinations by a policy and by what it admits.

    Attributes:
        policy: whose list of destinations holds; where it has none, those of the configuration are taken.
        admission: the uses that it admits at the time in question.
    """

    policy: Policy
    admission: Admission

    def allowed(self, destination: ConfiguredDestination) -> DestinationVerdict:
        """What a destination may have; it may be connected to if that is anything at all."""
        purpose = destination.purpose
        refusals = {one: self.why_not(destination, one) for one in DataClass}
        classes = frozenset(one for one, why in refusals.items() if not why)
        if not classes:
            admitted = [why for one, why in refusals.items() if (one, purpose) in self.admission.rules]
            words = "; ".join(dict.fromkeys(admitted)) or f"nothing is collected for {purpose} at present"
            return DestinationVerdict(allowed=False, classes=classes, why=words)
        position = self.admission.rules.get((DataClass.POSITION, purpose))
        precision = position.precision if position is not None else FULL
        return DestinationVerdict(allowed=True, classes=classes, precision=precision)

    def why_not(
        self, destination: ConfiguredDestination, data_class: DataClass, purpose: Purpose | None = None
    ) -> str:
        """Why a destination may not have a class; empty if it may.

        Args:
            destination: which.
            data_class: the class.
            purpose: what the data were collected for; None for the purpose that the destination serves.
        """
        return next(self._hindrances(destination, data_class, purpose or destination.purpose), "")

    def address_refused(self, destination: ConfiguredDestination, address: str) -> str:
        """Why an address may not be connected to for a destination; empty if it may.

        Args:
            destination: whose host's address it is.
            address: as a name server answered, or the host itself.

        Returns:
            The end of a sentence that names the address, such as ``which the policy does not list``.
        """
        found = address_of(address)
        if found is None:
            return "which is no address"
        if found.is_multicast or found.is_unspecified:
            return "which is no machine's address"
        if destination.in_vehicle and not found.is_loopback:
            return "which is not this machine's"
        return "" if self._in_networks(destination.name, found) else NOT_LISTED

    def _hindrances(
        self, destination: ConfiguredDestination, data_class: DataClass, purpose: Purpose
    ) -> Iterator[str]:
        """What stands in the way of a class, the greatest hindrance first."""
        yield from self._unlisted(destination)
        rule = self.admission.rules.get((data_class, purpose))
        if rule is None:
            yield f"{data_class} is not collected for {purpose}"
            return
        if purpose in RECORD_PURPOSES and destination.purpose is not purpose:
            yield f"'{destination.name}' is for {destination.purpose}, and not for {purpose}"
        if rule.destinations and destination.name not in rule.destinations:
            yield f"{data_class} for {purpose} goes only to {', '.join(sorted(rule.destinations))}"
        if destination.in_vehicle:
            return
        jurisdiction = self._jurisdiction(destination)
        if not rule.leaves:
            yield f"{data_class} for {purpose} stays in the vehicle"
        elif not jurisdiction:
            yield f"it is not stated in which jurisdiction the machines of '{destination.name}' stand"
        elif rule.jurisdictions.isdisjoint({jurisdiction, ANYWHERE}):
            yield f"{data_class} for {purpose} may not go to {jurisdiction}"

    def _unlisted(self, destination: ConfiguredDestination) -> Iterator[str]:
        """Why the list of destinations does not hold one; where there is none, any host will do."""
        name, shown = destination.name, f"the host of '{destination.name}' is {destination.host}"
        host = host_of(destination.host)
        if host is None:
            yield f"{destination.host!r} is neither a host name nor an address"
            return
        if isinstance(host, Address):
            refused = self.address_refused(destination, destination.host)
            if refused:
                yield f"{shown}, {refused}"
        if not self.policy.destinations:
            return
        listed = self.policy.destinations.get(name)
        if listed is None:
            yield f"the policy lists no destination '{name}'"
            return
        for says, configured in (
            (listed.purpose, destination.purpose),
            (listed.jurisdiction, destination.jurisdiction),
        ):
            if configured not in {"", says}:
                yield f"the policy lists '{name}' for {says}, and the configuration for {configured}"
        if not any(host_matches(pattern, host) for pattern in listed.hosts):
            yield f"{shown}, {NOT_LISTED}"

    def _in_networks(self, name: str, address: Address) -> bool:
        """Whether the list lets a destination have an address."""
        listed = self.policy.destinations.get(name)
        if listed is None:
            return not self.policy.destinations
        return not listed.networks or any(address in network for network in listed.networks)

    def _jurisdiction(self, destination: ConfiguredDestination) -> str:
        listed = self.policy.destinations.get(destination.name)
        return destination.jurisdiction if listed is None else listed.jurisdiction


def recipients(rule: Rule, listed: Mapping[str, AllowedDestination]) -> tuple[str, ...]:
    """The destinations of a policy's list that a rule lets have its data, by name in order.

    None where nothing leaves, and where the policy lists none: then it is whoever the configuration names of
    the rule's purpose in its jurisdictions. One without a jurisdiction is on this machine, and is named: what
    it does with the data is not known.
    """
    return tuple(
        sorted(
            name
            for name, one in listed.items()
            if rule.leaves
            and (not rule.destinations or name in rule.destinations)
            and one.purpose is rule.purpose
            and (not one.jurisdiction or not rule.jurisdictions.isdisjoint({one.jurisdiction, ANYWHERE}))
        )
    )


def address_of(text: str) -> Address | None:
    """The address that a text spells, an IPv4 one taken out of an IPv6 one; None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def host_of(text: str) -> Host | None:
    """A host in the one form in which hosts are compared; None for what is none.

    Names are in lower case, in their ASCII form (RFC 3490, as the resolver takes them), without the dot at
    the end. What ends in a number and is no address in full, such as ``127.1`` or ``0x7f.1``, is none: a
    resolver would take it for an address.
    """
    if text.startswith("/"):
        return PurePosixPath(text)
    address = address_of(text)
    if address is not None:
        return address
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    labels = name.split(".")
    if not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1]):
        return None
    return name


def host_matches(pattern: str, host: Host) -> bool:
    """Whether a host is what an allow-list names.

    Args:
        pattern: a name, an address or a path; ``*.example.cn`` for all names below ``example.cn``, at any
            depth, and not that name itself.
        host: as `host_of` gives it.
    """
    if pattern.startswith("*."):
        above = host_of(pattern.removeprefix("*."))
        return isinstance(above, str) and isinstance(host, str) and host.endswith(f".{above}")
    return host_of(pattern) == host
