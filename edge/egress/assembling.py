"""Puts what was counted, how it was captured and what the policy says together into an `EgressResult`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from edge.egress.flows import FlowTable, Network
from edge.egress.judge import Judge, unseen_hosts
from edge.egress.judged_file import FileFacts, count_file, union_s
from edge.egress.result import Basis, EgressResult, Phase, PhaseResult, fronted
from edge.egress.trial import phase_result
from edge.errors import SourceError
from edge.policy.jurisdictions import spelled_out
from edge.policy.rules import AllowedDestination, Policy

_TOLERATED_S = 5.0


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What packets are judged by.

    Attributes:
        policy: the policy in force.
        destinations: those that it knows, see `edge.egress.judge.destinations_of`.
        home: jurisdictions that are not abroad, regions among them.
        resolvers: addresses of resolvers that whoever runs the test answers for.
        vehicle: addresses of the vehicle itself.
    """

    policy: Policy
    destinations: tuple[AllowedDestination, ...]
    home: tuple[str, ...]
    resolvers: tuple[Network, ...] = ()
    vehicle: tuple[Network, ...] = ()


def count_phase(
    table: FlowTable, phase: Phase, paths: Sequence[Path], *, asked_s: float, stated_s: float = 0.0
) -> tuple[PhaseResult, list[FileFacts]]:
    """Count the capture files of one phase.

    Args:
        table: counts them.
        phase: which.
        paths: the files, such as those of several taps, or one after the other.
        asked_s: how long the phase was to be captured.
        stated_s: how long it was, as whoever captured it says; taken where the files span less.

    Raises:
        SourceError: a file cannot be read.
    """
    facts = []
    for path in paths:
        try:
            with path.open("rb") as stream:
                facts.append(count_file(table, phase, stream, str(path)))
        except OSError as fault:
            raise SourceError(
                f"the capture cannot be read ({fault.strerror or fault})", where=str(path)
            ) from fault
    spanned_s = union_s([one.span_ns for one in facts if one.span_ns is not None])
    lost = [one.lost for one in facts]
    known = [one for one in lost if one is not None]
    result = phase_result(
        phase,
        table,
        asked_s=asked_s,
        lasted_s=max(spanned_s, stated_s),
        basis=Basis.STATED if stated_s > spanned_s else Basis.CAPTURE_FILE,
        lost=sum(known) if any(known) or len(known) == len(lost) else None,
        files=[one.name for one in facts],
        interfaces={name for one in facts for name in one.interfaces},
    )
    return result, facts


def assemble(
    table: FlowTable,
    phases: Sequence[PhaseResult],
    by: Yardstick,
    *,
    started_ns: int,
    doubts: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> EgressResult:
    """Judge all that was counted.

    Args:
        table: what was counted.
        phases: how it was captured.
        by: what it is judged by.
        started_ns: Unix time at which the test began.
        doubts: see `EgressResult`; the phases' own are added to them.
        remarks: to which those are added that the packets give rise to.
    """
    judge = Judge(
        by.policy,
        by.destinations,
        home=spelled_out(by.home),
        resolvers=by.resolvers,
        vehicle=by.vehicle,
    )
    flows = judge.judge(table)
    return EgressResult(
        started_ns=started_ns,
        policy=by.policy.title,
        home=by.home,
        phases=tuple(phases),
        flows=flows,
        asked=table.asked,
        doubts=tuple(doubts),
        remarks=(*remarks, *_remarks(table, by, phases), *fronted(flows)),
    )


def _remarks(table: FlowTable, by: Yardstick, phases: Sequence[PhaseResult]) -> list[str]:
    found = [
        f"no answer of a resolver was seen that gives {host} an address; begin the capture before the "
        "gateway starts, or list networks in the policy"
        for host in unseen_hosts(by.destinations, table.names)
    ]
    if table.undirected:
        found.append(
            f"{table.undirected:,} packets between two addresses, neither of them known as the vehicle's, "
            "were taken as sent; --vehicle says which are"
        )
    silent = [name for phase in phases if phase.lost is None for name in phase.files]
    if silent:
        found.append(f"does not say whether the capture lost packets: {', '.join(silent)}")
    if table.asked_beyond:
        found.append(f"{table.asked_beyond:,} more questions to resolvers were not told apart by name")
    return found


def shared_time(facts: Mapping[Phase, Sequence[FileFacts]]) -> list[str]:
    """Doubts about captures of the same time that are given for several phases."""
    spans = {
        phase: [one.span_ns for one in files if one.span_ns is not None] for phase, files in facts.items()
    }
    found = []
    for one, other in combinations(spans, 2):
        shared_s = union_s(spans[one]) + union_s(spans[other]) - union_s([*spans[one], *spans[other]])
        if shared_s > _TOLERATED_S:
            found.append(f"{one.value} and {other.value}: {shared_s:,.0f} s of them are of the same time")
    return found


def missing_interfaces(wanted: Collection[str], phases: Sequence[PhaseResult]) -> list[str]:
    """Doubts about interfaces that were named and never there."""
    seen = {name for phase in phases for name in phase.interfaces}
    return [f"there was no interface '{name}'" for name in sorted(set(wanted) - seen)]
