"""`EgressResult`: what the egress test found, its verdict, and both as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address

from edge.egress.judge import Judged, Judgement
from edge.egress.protocols import protocol_name, service_name

STANDARD = "GB/T 44464-2024, 5.8 and D.8"
STANDARD_S = 3600.0
"""For so long each phase is captured at least (GB/T 44464-2024, D.8)."""

FORMAT = 1
"""Of the JSON, as docs/egress.md describes it."""

_NS_PER_S = 1_000_000_000


class Phase(StrEnum):
    """What the vehicle does while its packets are captured (GB/T 44464-2024, D.8)."""

    POWER_OFF = "power-off"
    POWER_ON = "power-on"
    ALL_FUNCTIONS = "all-functions"


class Basis(StrEnum):
    """Who says how long a phase was captured."""

    MEASURED = "measured"
    """The test itself, by the clock since boot."""

    CAPTURE_FILE = "capture file"
    """The capture file: its statistics, else its first and last packet."""

    STATED = "stated"
    """Whoever ran the test."""


class Verdict(StrEnum):
    """What the test shows."""

    PASS = "pass"  # noqa: S105 - the test's outcome, no password
    NOT_PROVEN = "not proven"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """How a phase was captured.

    Attributes:
        phase: which.
        asked_s: how long it was to be captured.
        lasted_s: how long it was.
        basis: who says so.
        packets: that were captured.
        lost: that were not, as the capture itself counted; None where it does not say.
        still_s: for how much of the time the machine that captured stood still.
        unreadable: packets that may have been sent and whose destination cannot be told, by cause.
        unreadable_in: those that were received.
        beyond: packets that were not told apart, since the table of destinations was full.
        files: the capture files that it is judged by; empty for a live one.
        interfaces: that were captured.
    """

    phase: Phase
    asked_s: float
    lasted_s: float
    basis: Basis
    packets: int
    lost: int | None
    still_s: float = 0.0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    unreadable_in: Mapping[str, int] = field(default_factory=dict)
    beyond: int = 0
    files: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()

    def doubts(self) -> list[str]:
        """Why the phase does not prove that nothing else was sent."""
        name = self.phase.value
        found = []
        if self.lasted_s < self.asked_s:
            found.append(f"{name}: lasted {self.lasted_s:,.1f} s of the {self.asked_s:,.0f} s asked for")
        if min(self.lasted_s, self.asked_s) < STANDARD_S:
            found.append(f"{name}: shorter than the {STANDARD_S:,.0f} s that the standard asks for")
        if self.lost:
            found.append(f"{name}: the capture lost {self.lost:,} packets")
        if self.still_s:
            found.append(f"{name}: the machine that captures stood still for {self.still_s:,.0f} s of it")
        found += [
            f"{name}: the destination of {count:,} packets cannot be told: {cause}"
            for cause, count in sorted(self.unreadable.items())
        ]
        if self.beyond:
            found.append(f"{name}: {self.beyond:,} packets went to more destinations than can be told apart")
        if not self.packets and self.phase is not Phase.POWER_OFF:
            found.append(f"{name}: not a single packet was captured")
        return found


@dataclass(frozen=True, slots=True)
class EgressResult:
    """What the egress test found.

    Attributes:
        started_ns: Unix time at which it began.
        policy: title of the policy in force.
        home: jurisdictions that are not abroad.
        phases: in the order in which they were captured.
        flows: all flows with their judgement.
        asked: names that resolvers were asked for, with how often.
        doubts: why a capture without findings would not be proof, beside what the phases say.
        remarks: what a reader should know besides.
    """

    started_ns: int
    policy: str
    home: tuple[str, ...]
    phases: tuple[PhaseResult, ...]
    flows: tuple[Judged, ...]
    asked: Mapping[str, int]
    doubts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def not_allowed(self) -> tuple[Judged, ...]:
        """The flows that must not be."""
        return tuple(one for one in self.flows if one.finding.judgement is Judgement.NOT_ALLOWED)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not proved that nothing else was sent; empty if it is."""
        missing = [one.value for one in Phase if one not in {phase.phase for phase in self.phases}]
        return (
            *(f"{name}: not captured" for name in missing),
            *(doubt for phase in self.phases for doubt in phase.doubts()),
            *self.doubts,
        )

    @property
    def verdict(self) -> Verdict:
        """A packet where none may go fails it, whatever else; then all that the standard asks has to hold."""
        if self.not_allowed:
            return Verdict.FAIL
        return Verdict.NOT_PROVEN if self.reasons else Verdict.PASS

    def counts(self) -> dict[str, int]:
        """Destinations (addresses) by judgement."""
        seen = {(one.finding.judgement.value, one.key.address) for one in self.flows}
        return dict(Counter(judgement for judgement, _ in seen))

    def as_json(self) -> dict[str, object]:
        """All of it, as docs/egress.md describes it."""
        return {
            "format": FORMAT,
            "test": STANDARD,
            "started": iso(self.started_ns),
            "policy": self.policy,
            "home": list(self.home),
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "remarks": list(self.remarks),
            "standard_s": STANDARD_S,
            "phases": [_phase_json(one) for one in self.phases],
            "counts": self.counts(),
            "flows": [_flow_json(one) for one in self.flows],
            "asked": [
                {"name": name, "times": times}
                for name, times in sorted(self.asked.items(), key=lambda one: (-one[1], one[0]))
            ],
        }


def _phase_json(phase: PhaseResult) -> dict[str, object]:
    return {
        "phase": phase.phase.value,
        "asked_s": phase.asked_s,
        "lasted_s": round(phase.lasted_s, 3),
        "basis": phase.basis.value,
        "as_long_as_standard": min(phase.lasted_s, phase.asked_s) >= STANDARD_S,
        "packets": phase.packets,
        "lost": phase.lost,
        "still_s": round(phase.still_s, 3),
        "unreadable": dict(phase.unreadable),
        "unreadable_received": dict(phase.unreadable_in),
        "beyond_table": phase.beyond,
        "files": list(phase.files),
        "interfaces": list(phase.interfaces),
    }


def _flow_json(one: Judged) -> dict[str, object]:
    key, flow, finding = one.key, one.flow, one.finding
    return {
        "judgement": finding.judgement.value,
        "why": finding.why,
        "destination": finding.destination,
        "jurisdiction": finding.jurisdiction,
        "phase": key.phase,
        "interface": key.interface,
        "address": address_text(one),
        "names": list(one.names),
        "claimed_names": list(one.claimed),
        "protocol": protocol_name(key.protocol),
        "port": key.port,
        "service": service_name(key.protocol, key.port),
        "direction": direction_text(one),
        "packets_out": flow.packets_out,
        "bytes_out": flow.bytes_out,
        "packets_in": flow.packets_in,
        "bytes_in": flow.bytes_in,
        "first": iso(flow.first_ns),
        "last": iso(flow.last_ns),
    }


def address_text(one: Judged) -> str:
    """The address of a flow; empty for frames that carry no IP."""
    return str(ip_address(one.key.address)) if one.key.address else ""


def direction_text(one: Judged) -> str:
    """Which ways packets of a flow went."""
    if one.flow.packets_out and one.flow.packets_in:
        return "both"
    return "out" if one.flow.packets_out else "in"


def iso(t_ns: int) -> str:
    """A Unix time in nanoseconds as ISO 8601, UTC, in milliseconds; empty for what no calendar has."""
    try:
        return datetime.fromtimestamp(t_ns / _NS_PER_S, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


def fronted(flows: Sequence[Judged]) -> list[str]:
    """Remarks on allowed addresses whose connections ask for a name that they do not have."""
    found = {
        f"{address_text(one)} is allowed, but is also asked for {name}"
        for one in flows
        if one.finding.judgement is Judgement.ALLOWED and one.names
        for name in one.flow.server_names.difference(one.names)
    }
    return sorted(found)
