"""Sums the accounts of several runs of the gateway over a period: what was counted, and where nothing was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.account import Account
from edge.clock import NS_PER_S
from edge.report.governed import Governed
from edge.report.notes import AccountNote
from edge.report.period import Period

UNCOUNTED_NS = 5 * NS_PER_S
"""So much activity after the last account of a run is that run's end, which is counted."""

_DOOR, _FORWARD, _UPLINK = "door", "forward to ", "uplink"
_Key = tuple[str, str, str, str]
"""Of a count: its hop, the destination that the hop is of, its unit, and its name."""

ENTERED, LEFT = "entered", "left"


@dataclass(slots=True)
class Run:
    """One run of the gateway, as its accounts and blocks show it.

    Attributes:
        boot: 16 bytes.
        since_ns: nanoseconds since that boot at which it began to count.
        until_ns: of its last account in the period; None where it left none.
        active_until_ns: of the last data that it kept.
        from_begin: whether what it counted before the period is left out exactly, or there was nothing.
        balanced: whether its last account balances.
        wall_ns: Unix time of its last account, or None.
    """

    boot: bytes
    since_ns: int
    until_ns: int | None
    active_until_ns: int
    from_begin: bool
    balanced: bool
    wall_ns: int | None

    @property
    def uncounted_s(self) -> float:
        """For how much of its time nothing that it counted is known, in seconds."""
        begin_ns = self.since_ns if self.until_ns is None else self.until_ns
        uncounted_ns = self.active_until_ns - begin_ns
        return uncounted_ns / NS_PER_S if uncounted_ns > UNCOUNTED_NS else 0.0

    @property
    def complete(self) -> bool:
        """Whether its counts are exact, or a lower bound."""
        return self.from_begin and not self.uncounted_s


@dataclass(slots=True)
class Counts:
    """What was counted in a period.

    Attributes:
        runs: of the gateway, in order.
        door: of the door: frames entered, left, set aside by cause, facts.
        sent: of each destination: messages and records that it acknowledged, and what was set aside by cause.
    """

    runs: list[Run] = field(default_factory=list)
    door: Counter[str] = field(default_factory=Counter)
    sent: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether all counts are exact; if not they are lower bounds."""
        return all(run.complete for run in self.runs)

    def of_class(self, name: str, what: str) -> int:
        """Frames of which the door kept or removed bits of a class."""
        return self.door[f"frames with {name} {what}"]


def count(
    accounts: Sequence[AccountNote],
    governed: Governed,
    activity: Mapping[bytes, Sequence[tuple[int, int]]],
    period: Period,
    main: str,
) -> Counts:
    """Sum up what all runs of a period counted.

    An account counts since its run began: of each run the last one in the period counts, less the last one
    before the period.

    Args:
        accounts: in order of the chain.
        governed: whose notes mark the starts of the gateway.
        activity: of each boot the times of which there are data.
        period: that is meant.
        main: name of the first destination, for accounts without one.
    """
    counts = Counts()
    runs = _runs(accounts, governed)
    for place, (boot, since_ns, of_run) in enumerate(runs):
        end_ns = next((at for other, at, _ in runs[place + 1 :] if other == boot and at > since_ns), None)
        active = _last_active(activity.get(boot, ()), since_ns, end_ns)
        inside = [one for one in of_run if one.at.wall_ns is None or period.holds(one.at.wall_ns)]
        before = [one for one in of_run if one.at.wall_ns is not None and one.at.wall_ns < period.from_ns]
        later = [one for one in of_run if one not in inside and one not in before]
        if not inside and (before or later or not _unreported_here(boot, governed, period, since_ns)):
            continue
        started_before = _started_before(inside, since_ns, period)
        base = before[-1] if before else None
        exact = base is not None or not started_before
        if not exact:
            base = inside[0]
        last = inside[-1] if inside else None
        until_ns = None if last is None else last.message.t_ns
        if last is not None and last.at.wall_ns is not None:
            # What it did after the period is not missing from it.
            active = min(active, last.message.t_ns + max(0, period.to_ns - last.at.wall_ns))
        counts.runs.append(
            Run(
                boot,
                since_ns,
                until_ns,
                active,
                exact,
                last is None or last.message.account.balanced,
                None if last is None else last.at.wall_ns,
            )
        )
        if last is not None:
            gained = _flat(last.message.account, main)
            gained.subtract(Counter() if base is None else _flat(base.message.account, main))
            _add(counts, gained)
    return counts


_Run = tuple[bytes, int, list[AccountNote]]


def _runs(accounts: Iterable[AccountNote], governed: Governed) -> list[_Run]:
    """Boot, begin and accounts of each run; of those that left no account too, by their starts."""
    found: dict[tuple[bytes, int], list[AccountNote]] = {}
    order: dict[tuple[bytes, int], int] = {}
    for one in accounts:
        key = (one.message.boot, one.message.since_ns)
        found.setdefault(key, []).append(one)
        order.setdefault(key, one.at.number)
    starts = governed.notes
    for place, note in enumerate(starts):
        boot, begin_ns = note.at.boot, note.at.t_ns
        next_ns = next((one.at.t_ns for one in starts[place + 1 :] if one.at.boot == boot), None)
        if not any(
            of == boot and begin_ns <= since_ns and (next_ns is None or since_ns < next_ns)
            for of, since_ns in found
        ) and not _within_run(found, boot, begin_ns):
            found[boot, begin_ns] = []
            order[boot, begin_ns] = note.at.number
    return [(*key, found[key]) for key in sorted(found, key=lambda one: order[one])]


def _within_run(found: Mapping[tuple[bytes, int], Sequence[AccountNote]], boot: bytes, at_ns: int) -> bool:
    """Whether a policy came into force amid a run that left accounts, and not with a start."""
    return any(
        of == boot and since_ns < at_ns and notes and at_ns <= notes[-1].message.t_ns
        for (of, since_ns), notes in found.items()
    )


def _last_active(times: Sequence[tuple[int, int]], since_ns: int, end_ns: int | None) -> int:
    reached = [
        min(last, last if end_ns is None else end_ns)
        for first, last in times
        if last >= since_ns and (end_ns is None or first < end_ns)
    ]
    return max(reached, default=since_ns)


def _unreported_here(boot: bytes, governed: Governed, period: Period, since_ns: int) -> bool:
    """Whether a run without any account began in the period."""
    return any(
        one.at.boot == boot
        and one.at.t_ns == since_ns
        and (one.at.wall_ns is None or period.holds(one.at.wall_ns))
        for one in governed.notes
    )


def _started_before(inside: Sequence[AccountNote], since_ns: int, period: Period) -> bool:
    if not inside or inside[0].at.wall_ns is None:
        return False
    first = inside[0]
    began_ns = inside[0].at.wall_ns - (first.message.t_ns - since_ns)
    return began_ns < period.from_ns


def _flat(account: Account, main: str) -> Counter[_Key]:
    """All counts of an account that the report shows."""
    found: Counter[_Key] = Counter()
    destination = main
    for hop in account.hops:
        if hop.name.startswith(_FORWARD):
            destination = hop.name.removeprefix(_FORWARD)
        if hop.name not in {_DOOR, _UPLINK}:
            continue
        of = destination if hop.name == _UPLINK else ""
        found[hop.name, of, hop.unit, ENTERED] += hop.entered
        found[hop.name, of, hop.unit, LEFT] += hop.left
        for name, number in (*hop.set_aside.items(), *hop.facts.items()):
            found[hop.name, of, hop.unit, name] += number
    return found


def _add(counts: Counts, gained: Mapping[_Key, int]) -> None:
    for (hop, destination, unit, name), number in gained.items():
        if hop == _DOOR:
            counts.door[name] += number
        else:
            counts.sent.setdefault(destination, Counter())[f"{unit} {name}"] += number
