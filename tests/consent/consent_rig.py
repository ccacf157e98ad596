"""A policy with rules of every kind, a clock that lies on demand, and a ledger kept in a list."""

from __future__ import annotations

from dataclasses import replace

from edge.clock import NS_PER_DAY, NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.consent.consent_notes import decode_entry
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Entry, Moment, Stamp
from edge.consent.keeping import Keeping
from edge.consent.ledger import Ledger
from edge.errors import JournalError
from edge.journal.chain import Draft
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.policy.rules import Basis, Policy, Purpose, Rule

BOOT = b"this boot_______"
START = b"this start______"
NOW_NS = 1_790_000_000 * NS_PER_S
DAY_S = 86_400.0

TRACK: Use = (DataClass.POSITION, Purpose.SERVICE)
CABIN: Use = (DataClass.CABIN, Purpose.RECORDING)
LAWFUL: Use = (DataClass.OPERATION, Purpose.REGULATED)
UNRULED: Use = (DataClass.IDENTITY, Purpose.SERVICE)

RULES = (
    Rule(*LAWFUL, Basis.LAW, clause="GB/T 32960.3"),
    Rule(*TRACK, Basis.CONSENT, frozenset({"CN"}), longest_days=30, erase_within_s=10 * DAY_S),
    Rule(*CABIN, Basis.CONSENT, longest_days=1, erase_within_s=600),
)


def policy(*rules: Rule, version: int = 1) -> Policy:
    return Policy("a test", version, "strict", {(one.data_class, one.purpose): one for one in rules or RULES})


POLICY = policy()
CHANGED = policy(RULES[0], replace(RULES[1], jurisdictions=frozenset({"CN", "DE"})), RULES[2], version=2)


def moment(
    after_s: float = 0,
    *,
    wall_s: float | None = None,
    quality: TimeQuality = TimeQuality.NTP,
    boot: bytes = BOOT,
    start: bytes = START,
    known_ns: int = 0,
    believed: bool = True,
) -> Moment:
    """So many seconds after the first moment; the wall clock goes along unless `wall_s` says otherwise."""
    wall_ns = NOW_NS + round((after_s if wall_s is None else wall_s) * NS_PER_S)
    boot_ns = round((1_000 + after_s) * NS_PER_S)
    return Moment(Stamp(boot, boot_ns, wall_ns, quality), start, known_ns, wall_ns if believed else 0)


class ListKeeping(Keeping):
    """Keeps the blocks in memory; refuses while `broken`."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.remembered: list[tuple[TimeQuality, int]] = []
        self.broken = False

    @property
    def entries(self) -> list[Entry]:
        return [decode_entry(one.plaintext) for one in self.drafts]

    def keep(self, draft: Draft) -> None:
        if self.broken:
            raise JournalError("disk full")
        self.drafts.append(draft)

    def remember(self, quality: TimeQuality, wall_ns: int) -> None:
        self.remembered.append((quality, wall_ns))


class DeskRig:
    """A desk, its clock, and what a further start finds."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_000 * NS_PER_S, Timebase(NOW_NS - 1_000 * NS_PER_S, TimeQuality.NTP))
        self.keeping = ListKeeping()
        self.told: list[frozenset[int]] = []
        self.boot = BOOT
        self.desk = self.begin()

    def begin(self, start: bytes = START, *, in_force: Policy = POLICY) -> ConsentDesk:
        newest: dict[TimeQuality, int] = {}
        for quality, wall_ns in self.keeping.remembered:
            newest[quality] = max(wall_ns, newest.get(quality, 0))
        self.desk = ConsentDesk(
            in_force,
            self.clock,
            boot=self.boot,
            start=start,
            ledger=Ledger(self.keeping.entries),
            keeping=self.keeping,
            newest=newest,
            believed_ns=max(newest.values(), default=0),
        )
        self.desk.on_over.append(self.told.append)
        return self.desk

    def reboot(self, name: bytes = b"another boot____", *, wall_ns: int) -> ConsentDesk:
        """A new boot whose wall clock shows `wall_ns`."""
        self.boot = name
        self.clock = VirtualClock(5 * NS_PER_S, Timebase(wall_ns - 5 * NS_PER_S, TimeQuality.NTP))
        return self.begin(name)

    def after(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.boot_ns() + round(seconds * NS_PER_S))

    def set_wall(self, seconds: float, quality: TimeQuality = TimeQuality.NTP) -> None:
        """Set the wall clock by so many seconds."""
        self.clock.set_timebase(
            Timebase(self.clock.timebase().wall_offset_ns + round(seconds * NS_PER_S), quality)
        )

    def collects(self, data_class: DataClass) -> bool:
        return data_class in self.desk.admission().collect


def days(count: float) -> int:
    return round(count * NS_PER_DAY)
