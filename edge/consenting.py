"""`Consenting`: follows consents while the gateway runs, and erases what they leave behind."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import apsw

from edge import process_memory
from edge.capture import MaskedSource
from edge.clock import NS_PER_S, Clock, TimeQuality
from edge.collecting import Collecting
from edge.consent.desk import ConsentDesk
from edge.consent.plain import iso_time
from edge.errors import JournalError, PolicyError
from edge.journal.keys.key_store import KeyStore
from edge.journal.upkeep.erasure import Erasure, ErasureRequest
from edge.journal_road import JournalRoad
from edge.policy.admission import consents_in
from edge.policy.classes import DataClass
from edge.policy.policy_choice import PolicyChoice, in_place_of_refused
from edge.policy.standing import Standing

_LOOK_NS = NS_PER_S
_RETRY_NS = 10 * NS_PER_S
_TOLD = 50

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """An erasure that was carried out, for the person in the vehicle.

    Attributes:
        wall_ns: Unix time in nanoseconds at its end.
        data_class: of the data.
        label: of the data keys; empty for all of the class.
        reason: as it stands in the chain.
        blocks: of the journal whose content is gone.
    """

    wall_ns: int
    data_class: str
    label: str
    reason: str
    blocks: int

    def as_json(self) -> Mapping[str, object]:
        """The same as plain values."""
        return {
            "when": iso_time(self.wall_ns),
            "class": self.data_class,
            "purpose": self.label,
            "reason": self.reason,
            "blocks": self.blocks,
            "done": True,
        }


@dataclass(frozen=True, slots=True)
class _Order:
    """An erasure that somebody asked for."""

    data_class: DataClass
    label: str | None
    reason: str


class Consenting:
    """What the consents of the desk mean for door, journal and destinations.

    A withdrawal stops what rests on it at once, from whichever thread it comes: what is still on its way is
    not kept any more. The door and the core follow with their next batch, and on the gateway's own thread
    what was kept is erased as soon as that thread comes to it, again and again until it has worked.

    Args:
        desk: holds the consents.
        collecting: what is collected.
        road: with the journal; None where nothing is kept.
        keys: of the journal; likewise.
        standings: of each destination, by its name.
        clock: time.
        wake: has connections judged anew, since what their destinations may have has changed.

    Attributes:
        desk: as above.
        choice: the policy in force, and why.
        waiting: how many erasures are due and not yet done.
    """

    def __init__(
        self,
        desk: ConsentDesk,
        collecting: Collecting,
        *,
        road: JournalRoad | None,
        keys: KeyStore | None,
        standings: Mapping[str, Standing],
        clock: Clock,
        choice: PolicyChoice,
        wake: Callable[[], None],
    ) -> None:
        self.desk = desk
        self.choice = choice
        self.waiting = 0
        self._collecting = collecting
        self._road = road
        self._keys = keys
        self._standings = standings
        self._clock = clock
        self._wake = wake
        self._lock = threading.Lock()
        self._orders: list[_Order] = []
        self._look_ns = 0
        self._looked_again = False
        self._told: deque[Erased] = deque(maxlen=_TOLD)
        self._recompose: set[tuple[str, DataClass]] = set()
        # Whatever an earlier run signed may still wait: of that too, only what may go now goes.
        self._may_have = dict.fromkeys(standings, frozenset(DataClass))
        desk.on_over.append(self._over)
        admission = desk.admission()
        if admission.name != collecting.in_force.now.name:
            collecting.adopt(admission)
        self._see_who_lost()
        self._erase_what_is_due()

    def follow(self, capture: MaskedSource | None) -> None:
        """Bring into force what has changed, and erase what is due; for the thread that hands data on."""
        self._end_policy()
        admission = self.desk.admission()
        if admission.name != self._collecting.in_force.now.name:
            self._collecting.adopt(admission)
            if capture is not None:
                capture.adopt(self._collecting.collect(admission), admission.name)
            logger.info("collecting under another admission: %s", admission.name)
            self._see_who_lost()
            self._wake()
        now_ns = self._clock.boot_ns()
        if self._looked_again or now_ns >= self._look_ns:
            self._looked_again, self._look_ns = False, now_ns + _LOOK_NS
            if self.desk.unkept:
                self.desk.settle()
            self._erase_what_is_due()

    def ask_to_erase(self, data_class: DataClass, reason: str) -> bool:
        """Have a class erased, from any thread; tell whether all of it, or only what no law keeps."""
        by_law = data_class in self._collecting.in_force.kept_by_law
        labels: Sequence[str | None] = [None]
        if by_law:
            labels = sorted({label for one, label in self._labels() if one is data_class and label})
        with self._lock:
            self._orders += [_Order(data_class, label, reason) for label in labels]
            self._looked_again = True
        return not by_law

    def erasures(self) -> list[Mapping[str, object]]:
        """The last erasures, and those under way, for the person in the vehicle."""
        with self._lock:
            under_way = [
                {
                    "when": "",
                    "class": str(one.data_class),
                    "purpose": one.label or "",
                    "reason": one.reason,
                    "blocks": 0,
                    "done": False,
                }
                for one in self._orders
            ]
            return [*(one.as_json() for one in self._told), *under_way]

    def _end_policy(self) -> None:
        """Have the strictest policy in force where the term of the one in force is over, or in doubt."""
        ends_ns = self.choice.expires_ns
        if ends_ns is None:
            return
        timebase = self._clock.timebase()
        if timebase.quality is not TimeQuality.NONE and self._clock.wall_ns() < ends_ns:
            return
        over = PolicyError(
            "its term is over, or the clock cannot tell",
            where=self.choice.policy.title,
            todo="Issue its next version, which comes into force with the next start",
        )
        self.choice = in_place_of_refused(over)
        self._collecting.in_force.policy = self.choice.policy
        self.desk.adopt(self.choice.policy)
        logger.warning("%s", self.choice.why)

    def _over(self, consents: frozenset[int]) -> None:
        """Keep nothing any more that rests on these; told on the thread of whoever withdrew."""
        self._collecting.in_force.revoke(consents)
        self._looked_again = True

    def _see_who_lost(self) -> None:
        """Note which destinations may have less than before: what waits for them goes anew, without it."""
        for name, standing in self._standings.items():
            now = standing.verdict().classes
            self._recompose |= {(name, one) for one in self._may_have[name] - now}
            self._may_have[name] = now

    def _labels(self) -> set[tuple[DataClass, str]]:
        """Class and label of all data keys that are for data of a class."""
        if self._keys is None:
            return set()
        known = {str(one) for one in DataClass}
        return {
            (DataClass(one.data_class), one.purpose)
            for one in self._keys.listing()
            if one.data_class in known
        }

    def _erase_what_is_due(self) -> None:
        if self._road is None:
            return
        with self._lock:
            orders = tuple(self._orders)
        labels = self._labels()
        over = self.desk.gone({label for _, label in labels})
        self.waiting = len(orders) + len(over) + len(self._recompose)
        if not self.waiting:
            return
        steps: list[Callable[[], None]] = [
            *(partial(self._take_back, name, one) for name, one in sorted(self._recompose)),
            *(
                partial(self._erase_label, label, [one for one, of in labels if of == label])
                for label in sorted(over)
            ),
            *(partial(self._carry_out, order) for order in orders),
        ]
        troubles = [error for step in steps if (error := _tried(step)) is not None]
        process_memory.give_back()
        self.waiting = len(troubles)
        if troubles:
            self._look_ns = self._clock.boot_ns() + _RETRY_NS
            logger.warning("what was withdrawn cannot be erased yet, which is tried again: %s", troubles[0])

    def _take_back(self, destination: str, data_class: DataClass) -> None:
        if self._road is None:
            return
        self._road.recompose(destination, data_class)
        self._recompose.discard((destination, data_class))

    def _erase_label(self, label: str, classes: Sequence[DataClass]) -> None:
        """Erase what rests on consents that are over."""
        if self._road is None:
            return
        reason = f"{label} is over"
        consents = consents_in(label)
        for data_class in sorted(classes):
            done = self._road.erase(ErasureRequest(data_class, consents=consents, reason=reason))
            self._tell(data_class, label, reason, done)
        self.desk.erased(label)

    def _carry_out(self, order: _Order) -> None:
        if self._road is None:
            return
        done = self._road.erase(ErasureRequest(order.data_class, purpose=order.label, reason=order.reason))
        self._tell(order.data_class, order.label or "", order.reason, done)
        with self._lock:
            self._orders.remove(order)

    def _tell(self, data_class: DataClass, label: str, reason: str, done: Erasure) -> None:
        erased = Erased(self._clock.wall_ns(), str(data_class), label, reason, done.blocks)
        with self._lock:
            self._told.append(erased)
        logger.info("erased: class %s, %s (%d blocks)", data_class, reason, done.blocks)


def _tried(step: Callable[[], None]) -> Exception | None:
    """What went wrong with a step; each is tried, for each first lets go of what waits in memory."""
    try:
        step()
    except (JournalError, apsw.Error, OSError) as error:
        return error
    return None
