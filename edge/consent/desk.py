"""`ConsentDesk`: where consents are given, refused and withdrawn while the gateway runs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from edge.clock import NS_PER_S, Clock, TimeQuality
from edge.consent.consent_notes import consent_note
from edge.consent.entries import (
    Asked,
    Entry,
    Erased,
    Granted,
    Lapsed,
    Moment,
    Refused,
    Role,
    Stamp,
    Withdrawn,
)
from edge.consent.keeping import Keeping
from edge.consent.ledger import Ledger, Over, UseState
from edge.errors import ConsentError, JournalError
from edge.journal.block import BOOT_BYTES
from edge.journal.upkeep.believed_time import STEP_NS, BelievedTime
from edge.policy.admission import Admission, Use
from edge.policy.classes import DataClass
from edge.policy.rules import Policy

NOT_KEPT = "it could not be kept when it was given"

_LOOK_NS = NS_PER_S
_JUMP_NS = NS_PER_S // 10
_REMEMBER_NS = 60 * NS_PER_S

logger = logging.getLogger(__name__)


class ConsentDesk:
    """Holds the ledger, the policy and the clock; any thread may use it.

    A refusal or withdrawal takes effect at once, before anything is written; a consent only when its block is
    on the disk. What ends something and cannot be written waits for better days and is written before any
    further consent. Without a place to keep them no consent is given.

    A start is that of the gateway: a consent without `keep` ends with the process in which it was given.

    Args:
        policy: in force.
        clock: time.
        boot: 16 bytes by which the machine names the boot.
        start: 16 bytes that name this start of the gateway; empty where none runs.
        ledger: what was said before.
        keeping: where it is kept; None where there is no journal.
        newest: newest wall time known from before, by the quality of the clock that showed it.
        believed_ns: wall time that the journal believed last; 0 for none.

    Attributes:
        policy: in force.
        on_over: told the numbers of consents that were refused or withdrawn, when the admission is already
            without them and before anything is written; on the thread of whoever withdrew.
    """

    def __init__(
        self,
        policy: Policy,
        clock: Clock,
        *,
        boot: bytes,
        start: bytes = b"",
        ledger: Ledger | None = None,
        keeping: Keeping | None = None,
        newest: Mapping[TimeQuality, int] = MappingProxyType({}),
        believed_ns: int = 0,
    ) -> None:
        if len(boot) != BOOT_BYTES:
            raise ValueError(f"a boot is named by {BOOT_BYTES} bytes")
        self.policy = policy
        self.on_over: list[Callable[[frozenset[int]], None]] = []
        self._clock = clock
        self._boot = boot
        self._start = start
        self._ledger = ledger or Ledger()
        self._keeping = keeping
        self._newest = dict(newest)
        self._believed = BelievedTime(clock, last_ns=believed_ns)
        self._lock = threading.RLock()
        self._disk = threading.Lock()
        self._unwritten: deque[Entry] = deque()
        self._failing = False
        self._waiting: dict[int, Granted] = {}
        self._failed: dict[int, JournalError] = {}
        self._consents: Mapping[Use, int] = {}
        self._admissions: dict[frozenset[DataClass], Admission] = {}
        self._seen: tuple[int, int, TimeQuality] | None = None
        self._remembered_ns: int | None = None

    def adopt(self, policy: Policy) -> None:
        """Go by another policy from now on; consents to a rule that it changes do not hold any more."""
        with self._lock:
            self.policy = policy
            self._admissions.clear()
            self._look()

    @property
    def ledger(self) -> Ledger:
        """What was said so far, as it holds in memory."""
        with self._lock:
            return self._ledger

    @property
    def unkept(self) -> int:
        """How many entries are not on the disk yet; a crash now would forget them."""
        with self._lock:
            return len(self._unwritten)

    def now(self) -> Moment:
        """The present, as the ledger judges by it."""
        with self._lock:
            boot_ns, timebase = self._clock.boot_ns(), self._clock.timebase()
            wall_ns = timebase.wall_ns(boot_ns)
            believed_ns = self._believed.now_ns() or 0
            doubted = abs(wall_ns - believed_ns) >= STEP_NS
            quality = TimeQuality.NONE if doubted else timebase.quality
            known_ns = max((ns for q, ns in self._newest.items() if q >= quality), default=0)
            return Moment(Stamp(self._boot, boot_ns, wall_ns, quality), self._start, known_ns, believed_ns)

    def admission(self, withhold: Collection[DataClass] = ()) -> Admission:
        """What may be collected now; cheap enough to be asked for with every batch.

        Args:
            withhold: classes that are not collected for the time being.
        """
        with self._lock:
            if self._stale():
                self._look()
            wanted = frozenset(withhold)
            if wanted not in self._admissions:
                self._admissions[wanted] = Admission.of(self.policy, self._consents, wanted)
            return self._admissions[wanted]

    def state(self, use: Use) -> UseState:
        """Where a use stands now."""
        with self._lock:
            return self._ledger.state(self.policy, use, self.now())

    def doubt(self) -> str:
        """Why the wall clock cannot be trusted; empty where it can."""
        with self._lock:
            return self._ledger.doubt(self.now())

    def over(self) -> Mapping[int, Over]:
        """The consents whose data must go; see `Ledger.over`."""
        with self._lock:
            return self._ledger.over(self.policy, self.now())

    def gone(self, labels: Collection[str]) -> Mapping[str, int]:
        """The labels of data keys whose data must go, with their deadlines; see `Ledger.gone`.

        None where the ledger is kept nowhere: one that could not be read says nothing of what was given.
        """
        if self._keeping is None:
            return {}
        with self._lock:
            return self._ledger.gone(labels, self.policy, self.now())

    def grant(self, use: Use, *, term_s: float, role: Role, keep: bool = False) -> Granted:
        """A person agrees; it holds when this returns.

        Raises:
            ConsentError: it cannot be given as asked (`Ledger.grant`), or cannot be kept.
        """
        with self._lock:
            now = self.now()
            granted = self._ledger.grant(self.policy, use, term_s=term_s, role=role, now=now, keep=keep)
            if self._keeping is None:
                raise ConsentError(
                    "there is no journal that a consent could be kept in, and shown from later",
                    todo="Configure a table [journal], or see in the log why it cannot be read",
                )
            self._ledger = self._ledger.using(granted.number)
            self._waiting[granted.number] = granted
            self._unwritten.append(granted)
        self.settle()
        with self._lock:
            failure = self._failed.pop(granted.number, None)
            if failure is not None:
                raise ConsentError(
                    f"the consent could not be kept, so it does not hold: {failure}",
                    todo="Try again when the journal can be written",
                ) from failure
            if self._ledger.ended(granted.number):
                raise ConsentError("the consent was refused or withdrawn while it was being written")
            return granted

    def ask(self, use: Use, *, role: Role) -> Asked:
        """A person is shown the notice of a use; once more in the same boot is not written again.

        Raises:
            ConsentError: the use rests on no consent.
        """
        with self._lock:
            asked = self._ledger.ask(self.policy, use, role=role, at=self.now().at)
            before = self._ledger.asked(use)
            if before is not None and before == replace(asked, at=before.at) and before.at.boot == self._boot:
                return before
            self._take(asked)
        self.settle()
        return asked

    def refuse(self, use: Use, *, role: Role) -> Refused:
        """A person says no; whatever was given for the use has ended when this returns.

        To refuse what is refused changes nothing and is not written again.

        Raises:
            ConsentError: the use rests on no consent.
        """
        with self._lock:
            refused = self._ledger.refuse(self.policy, use, role=role, at=self.now().at)
            before = self._ledger.refused(use)
            if before is not None and not any(one.use == use for one in self._waiting.values()):
                return before
            ended = self._end(refused)
        self._tell(ended)
        return refused

    def withdraw(self, use: Use, *, role: Role) -> Withdrawn:
        """A person takes their consent back; it has ended when this returns.

        Raises:
            ConsentError: there is none.
        """
        with self._lock:
            waiting = [number for number, one in self._waiting.items() if one.use == use]
            at = self.now().at
            if waiting:
                withdrawn = Withdrawn(at, max(waiting), *use, role)
            else:
                withdrawn = self._ledger.withdraw(use, role=role, at=at)
            ended = self._end(withdrawn)
        self._tell(ended)
        return withdrawn

    def erased(self, label: str) -> Erased:
        """Write down that what was kept under a label of data keys is gone."""
        with self._lock:
            erased = Erased(self.now().at, label)
            self._take(erased)
        self.settle()
        return erased

    def settle(self) -> None:
        """Write what waits; for a thread that may wait for the disk."""
        keeping = self._keeping
        if keeping is None:
            return
        with self._disk:
            while True:
                with self._lock:
                    if not self._unwritten:
                        return
                    entry = self._unwritten[0]
                try:
                    keeping.keep(consent_note(entry))
                except JournalError as error:
                    self._give_up(entry, error)
                    return
                with self._lock:
                    self._failing = False
                    self._unwritten.popleft()
                    if isinstance(entry, Granted):
                        del self._waiting[entry.number]
                        self._ledger = self._ledger.added(entry)
                        self._look()

    def _end(self, entry: Refused | Withdrawn) -> frozenset[int]:
        """Take in what ends consents; tell which ones."""
        ended = self._ledger.ended_by(entry)
        self._take(entry)
        self._look()
        return ended

    def _tell(self, ended: frozenset[int]) -> None:
        try:
            if ended:
                for listener in self.on_over:
                    listener(ended)
        finally:
            self.settle()

    def _take(self, entry: Entry) -> None:
        self._ledger = self._ledger.added(entry)
        if self._keeping is not None:
            self._unwritten.append(entry)

    def _give_up(self, head: Entry, error: JournalError) -> None:
        """No consent that waits holds; what ends consents goes on waiting.

        The one that was tried may be on the disk for all that is known, and is ended there.
        """
        with self._lock:
            if not self._failing:
                logger.error("what was said of consents cannot be written: %s", error)
            self._failing = True
            rest: deque[Entry] = deque()
            for entry in self._unwritten:
                if not isinstance(entry, Granted):
                    rest.append(entry)
                    continue
                del self._waiting[entry.number]
                self._failed[entry.number] = error
                if entry is head:
                    rest.append(Lapsed(self.now().at, entry.number, NOT_KEPT))
            self._unwritten = rest

    def _stale(self) -> bool:
        """Whether something may have changed since the last look."""
        if self._seen is None:
            return True
        until_ns, offset_ns, quality = self._seen
        timebase = self._clock.timebase()
        jumped = abs(timebase.wall_offset_ns - offset_ns) >= _JUMP_NS or timebase.quality != quality
        return jumped or self._clock.boot_ns() >= until_ns

    def _look(self) -> None:
        """See which consents hold now."""
        now, timebase = self.now(), self._clock.timebase()
        for lapsed in self._ledger.lapses(now):
            logger.info("consent %d has lapsed: %s", lapsed.number, lapsed.why)
            self._take(lapsed)
        self._note_time(now)
        consents = self._ledger.in_force(self.policy, now)
        if consents != self._consents or self._seen is None:
            self._consents = consents
            self._admissions.clear()
        change_ns = self._ledger.next_change_ns(now)
        until_ns = now.at.boot_ns + _LOOK_NS
        self._seen = (
            until_ns if change_ns is None else min(until_ns, change_ns),
            timebase.wall_offset_ns,
            timebase.quality,
        )

    def _note_time(self, now: Moment) -> None:
        """Remember how late it is, while a consent could be prolonged by a clock that is set back."""
        at = now.at
        if self._ledger.doubt(now) or not any(self._ledger.standing_grants()):
            return
        self._newest[at.quality] = max(at.wall_ns, self._newest.get(at.quality, 0))
        due = self._remembered_ns is None or at.boot_ns - self._remembered_ns >= _REMEMBER_NS
        if due and self._keeping is not None:
            self._remembered_ns = at.boot_ns
            self._keeping.remember(at.quality, at.wall_ns)
