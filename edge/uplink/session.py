"""`Session`: the rules of one MQTT uplink without I/O; events and the time go in, actions come out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from edge.uplink.backoff import Backoff
from edge.uplink.events import (
    Action,
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Event,
    Puback,
    Publish,
    ReceiptArrived,
    Refused,
    Stop,
    Subscribe,
    Subscribed,
    Tick,
    WakeAt,
)
from edge.uplink.flight import Flight
from edge.uplink.notices import Notices
from edge.uplink.outbox import Store
from edge.uplink.outgoing import Kind, VehicleTopics
from edge.uplink.pacing import Pacing
from edge.uplink.reasons import (
    FIRST_FAILURE_CODE,
    NO_PUBACK,
    NO_SUBACK,
    SET_ASIDE_CAUSES,
    STOPPED,
    SUBSCRIPTION_REFUSED,
    Culprit,
    Pace,
    Reaction,
    Reason,
    close_reason,
    puback_rule,
)
from edge.uplink.settings import SessionSettings, ns
from edge.uplink.unanswered import Publication, Unanswered

BREAKS_CONNECTION = "the connection broke each time it was sent"

_RETAIN_UNAVAILABLE = 0x9A
_QOS_UNSUPPORTED = 0x9B


class Phase(Enum):
    """Where a session stands."""

    WAITING = "waiting to connect"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    ONLINE = "online"
    CLOSING = "closing"
    DONE = "done"


class Session:
    """One uplink's session logic.

    Order: alarm, live, event, backlog; within a kind by position, a repeat before anything new. Order holds
    within a topic only, and there only while the broker takes messages in order: what it refuses or loses
    comes later.

    Every connection begins anew with regard to what was in flight: the session is the one owner of repeats,
    and the link forgets them. They are published again under new packet identifiers, even into a session that
    the broker kept: for QoS 1 the broker holds no state about a message that it has not acknowledged, so the
    effect is that of a repeat under the old identifier (MQTT 5.0, 4.4).

    Args:
        settings: the rules in numbers.
        topics: of the vehicle.
        store: what is to be sent.
        rng: source of all jitter.
        make_status: makes the payload of the retained status: True at each connect, False at the farewell.
    """

    def __init__(
        self,
        settings: SessionSettings,
        topics: VehicleTopics,
        store: Store,
        *,
        rng: random.Random,
        make_status: Callable[[bool], bytes],
    ) -> None:
        self._make_status = make_status
        self._settings = settings
        self._topics = topics
        self._store = store
        self._flight = Flight(store, settings)
        self._pacing = Pacing(settings, topics, self._flight, rng)
        self._notices = Notices(settings.where)
        self._retry = {
            Pace.SOON: Backoff(ns(settings.retry_first_s), ns(settings.retry_cap_s), rng),
            Pace.LATE: Backoff(ns(settings.late_first_s), ns(settings.late_cap_s), rng),
        }
        self._phase = Phase.WAITING
        self._phase_since_ns = 0
        self._connect_at_ns = 0
        self._connection = Connected(session_present=False)
        self._settled = True
        self._unanswered = Unanswered()
        self._closing_reason: Reason | None = None
        self._stop_at_ns: int | None = None
        self._farewell_token: int | None = None
        self._farewell_until_ns = 0
        self._actions: list[Action] = []
        self._facts: Counter[str] = Counter()

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._phase

    @property
    def done(self) -> bool:
        """Whether it has ended after a `Stop`."""
        return self._phase is Phase.DONE

    @property
    def online(self) -> bool:
        """Whether messages can go now: connected, subscribed, and not closing."""
        return self._phase is Phase.ONLINE

    @property
    def trouble(self) -> str:
        """The key of the trouble last told and not yet over; empty if there is none."""
        return self._notices.trouble

    def facts(self) -> Mapping[str, int]:
        """Exact counts that explain the hop and are no part of its balance."""
        return {
            **self._facts,
            "messages repeated": self._flight.repeats,
            "acknowledged after being given up": self._flight.late_acknowledgements,
        }

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that may be sent as `kind` now; None if nothing limits it."""
        return self._pacing.largest_payload(kind)

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take one event in and say what is to be done.

        Args:
            event: what happened.
            now_ns: boot-monotonic time, never less than at the call before.

        Returns:
            The actions, to be carried out in this order; at most one `WakeAt`, at the end.
        """
        self._actions = []
        match event:
            case Connected():
                self._connected(event, now_ns)
            case Subscribed():
                self._subscribed(event, now_ns)
            case Puback():
                self._puback(event, now_ns)
            case ReceiptArrived():
                self._facts["receipts"] += 1
                self._flight.receipt(event.receipt, now_ns)
            case Refused():
                self._facts["connections refused"] += 1
                self._ended(event.reason, now_ns)
            case Disconnected():
                self._facts["connections ended"] += 1
                self._disconnected(event.reason, now_ns)
            case Stop():
                self._stop_at_ns = event.deadline_ns
            case Tick():
                pass
        self._advance(now_ns)
        wake_ns = self._wake_ns(now_ns)
        if wake_ns is not None:
            self._actions.append(WakeAt(wake_ns))
        return self._actions

    def _connected(self, event: Connected, now_ns: int) -> None:
        if self._phase is not Phase.CONNECTING:
            return
        self._facts["connections"] += 1
        self._connection = event
        self._settled = False
        self._pacing.begin(event)
        if not event.session_present:
            self._flight.session_lost()
        if event.maximum_qos < 1:
            self._close(close_reason(_QOS_UNSUPPORTED), now_ns)
        elif self._settings.acknowledge == "receipt":
            self._enter(Phase.SUBSCRIBING, now_ns)
            self._actions.append(Subscribe(self._topics.receipt))
        else:
            self._go_online(now_ns)

    def _subscribed(self, event: Subscribed, now_ns: int) -> None:
        if self._phase is not Phase.SUBSCRIBING or event.topic != self._topics.receipt:
            return
        if event.reason_code >= FIRST_FAILURE_CODE:
            words = SUBSCRIPTION_REFUSED.what.format(topic=event.topic)
            self._close(replace(SUBSCRIPTION_REFUSED, what=words), now_ns)
        else:
            self._go_online(now_ns)

    def _go_online(self, now_ns: int) -> None:
        self._enter(Phase.ONLINE, now_ns)
        self._actions.extend(self._notices.greet(f"MQTT {self._connection.protocol}"))
        if self._connection.retain_available:
            self._publish_status(True, now_ns)
        else:
            self._actions.extend(self._notices.tell(close_reason(_RETAIN_UNAVAILABLE)))

    def _puback(self, event: Puback, now_ns: int) -> None:
        publication = self._unanswered.take(event.token)
        self._pacing.answered(event.token, now_ns)
        if publication is None:
            self._facts["stray PUBACK"] += 1
            return
        self._facts["PUBACK"] += 1
        rule = puback_rule(event.reason_code)
        words = rule.what.format(topic=publication.topic)
        if publication.position == 0:
            if event.reason_code >= FIRST_FAILURE_CODE:
                key = f"status-{event.reason_code:#04x}"
                self._actions.extend(self._notices.tell(Reason(key, words, rule.todo)))
            return
        if rule.reaction is Reaction.ACCEPT:
            self._flight.handed_over(publication.position, now_ns)
            self._pacing.accepted(publication.topic)
            self._settle()
            return
        self._facts[f"PUBACK with reason code {event.reason_code:#04x}"] += 1
        key = f"puback-{event.reason_code:#04x}"
        if rule.reaction is Reaction.SET_ASIDE:
            self._flight.give_up(publication.position, SET_ASIDE_CAUSES[event.reason_code])
            self._actions.extend(self._notices.remark(key, words, rule.todo))
            return
        self._flight.again(publication.position)
        if rule.reaction is Reaction.PAUSE_TOPIC:
            self._pacing.pause_topic(publication.topic, now_ns)
            self._actions.extend(self._notices.tell(Reason(key, words, rule.todo)))
        elif rule.reaction is Reaction.PAUSE_ALL:
            self._pacing.pause_all(now_ns)
            self._actions.extend(self._notices.tell(Reason(key, words, rule.todo)))

    def _disconnected(self, reason: Reason, now_ns: int) -> None:
        reason = self._closing_reason or reason
        in_flight = [position for position in self._unanswered.positions() if position]
        self._unanswered.clear()
        if reason.culprit is Culprit.WINDOW:
            self._pacing.narrow()
        at_fault = reason.culprit is Culprit.MESSAGE
        self._flight.broken(in_flight, message_at_fault=at_fault)
        if len(in_flight) == 1:
            self._try_poison(in_flight[0], 1 if at_fault else self._settings.give_up_after)
        self._ended(reason, now_ns)

    def _try_poison(self, position: int, limit: int) -> None:
        times = self._flight.broken_alone(position)
        item = self._store.get(position)
        if item is None or not limit or times < limit:
            return
        self._flight.give_up(position, BREAKS_CONNECTION)
        self._actions.extend(
            self._notices.remark(
                f"poison-{position}",
                f"gave a message up ({item}): {times} times in a row the connection broke while it was sent",
                "See the broker's log and its limits",
            )
        )

    def _ended(self, reason: Reason, now_ns: int) -> None:
        if self._phase in {Phase.WAITING, Phase.DONE}:
            return
        if reason.fact:
            self._facts[reason.fact] += 1
        stopped = self._closing_reason is STOPPED
        self._closing_reason = None
        self._farewell_token = None
        if stopped:
            self._enter(Phase.DONE, now_ns)
            return
        self._actions.extend(self._notices.tell(reason))
        self._enter(Phase.WAITING, now_ns)
        self._connect_at_ns = now_ns + self._retry[reason.pace].next_ns()

    def _advance(self, now_ns: int) -> None:
        if self._phase is Phase.ONLINE:
            self._flight.expire(now_ns)
        if self._stop_at_ns is not None and self._may_stop(self._stop_at_ns, now_ns):
            self._stop(now_ns)
        if self._phase is Phase.WAITING and now_ns >= self._connect_at_ns:
            self._enter(Phase.CONNECTING, now_ns)
            self._actions.append(Connect())
        elif self._phase is Phase.SUBSCRIBING and now_ns >= self._answer_due_ns(self._phase_since_ns):
            self._close(NO_SUBACK, now_ns)
        elif self._phase is Phase.ONLINE:
            if not self._settled and now_ns - self._phase_since_ns >= ns(self._settings.settled_after_s):
                self._settle()
            oldest_ns = self._unanswered.oldest_ns()
            if oldest_ns is not None and now_ns >= self._answer_due_ns(oldest_ns):
                self._close(NO_PUBACK, now_ns)
            elif self._farewell_token is None:
                self._send(now_ns)

    def _may_stop(self, stop_at_ns: int, now_ns: int) -> bool:
        return now_ns >= stop_at_ns or self._store.empty()

    def _stop(self, now_ns: int) -> None:
        match self._phase:
            case Phase.WAITING:
                self._enter(Phase.DONE, now_ns)
            case Phase.CONNECTING | Phase.SUBSCRIBING:
                self._close(STOPPED, now_ns)
            case Phase.ONLINE if self._farewell_token is not None:
                said = self._farewell_token not in self._unanswered
                if said or now_ns >= self._farewell_until_ns:
                    self._close(STOPPED, now_ns, with_will=not said)
            case Phase.ONLINE:
                if self._connection.retain_available and len(self._unanswered) < self._pacing.window():
                    self._farewell_until_ns = now_ns + ns(self._settings.farewell_s)
                    self._farewell_token = self._publish_status(False, now_ns)
                else:
                    self._close(STOPPED, now_ns)
            case Phase.CLOSING | Phase.DONE:
                pass

    def _send(self, now_ns: int) -> None:
        while True:
            found = self._pacing.choose(self._unanswered.positions(), now_ns)
            if found is None:
                return
            position, item = found
            unfit = self._pacing.unfit(item)
            if unfit is not None:
                self._flight.skip(position, item, unfit.cause)
                self._actions.extend(self._notices.remark(unfit.cause, unfit.what, unfit.todo))
                continue
            self._flight.begin(position, item, now_ns)
            self._pacing.sent(self._publish(position, item.topic, item.payload, now_ns), item, now_ns)

    def _publish(
        self, position: int, topic: str, payload: bytes, now_ns: int, *, retain: bool = False
    ) -> int:
        token = self._unanswered.add(Publication(position, now_ns, topic))
        self._actions.append(Publish(token, topic, payload, retain))
        return token

    def _publish_status(self, online: bool, now_ns: int) -> int:
        payload = self._make_status(online)
        token = self._publish(0, self._topics.status, payload, now_ns, retain=True)
        self._pacing.status_sent(token, len(payload), now_ns)
        return token

    def _close(self, reason: Reason, now_ns: int, *, with_will: bool = True) -> None:
        self._closing_reason = reason
        self._enter(Phase.CLOSING, now_ns)
        self._actions.append(Disconnect(with_will))

    def _enter(self, phase: Phase, now_ns: int) -> None:
        self._phase = phase
        self._phase_since_ns = now_ns

    def _settle(self) -> None:
        """The connection has proved useful: pauses begin anew, and trouble is over."""
        if not self._settled:
            self._settled = True
            self._pacing.widen()
            for backoff in self._retry.values():
                backoff.reset()
        if not self._pacing.pauses_end_ns():
            self._actions.extend(self._notices.relieve(f"MQTT {self._connection.protocol}"))

    def _answer_due_ns(self, since_ns: int) -> int:
        return since_ns + ns(self._settings.puback_timeout_s)

    def _wake_ns(self, now_ns: int) -> int | None:
        times: list[int] = []
        if self._phase is Phase.WAITING:
            times.append(self._connect_at_ns)
        if self._phase is Phase.SUBSCRIBING:
            times.append(self._answer_due_ns(self._phase_since_ns))
        if self._phase is Phase.ONLINE:
            times.extend(self._pacing.pauses_end_ns())
            times.extend(self._flight.deadlines_ns())
            times.extend(self._pacing.resumes_ns())
            oldest_ns = self._unanswered.oldest_ns()
            if oldest_ns is not None:
                times.append(self._answer_due_ns(oldest_ns))
            if not self._settled:
                times.append(self._phase_since_ns + ns(self._settings.settled_after_s))
            if self._farewell_token is not None:
                times.append(self._farewell_until_ns)
        if self._stop_at_ns is not None and self._phase is not Phase.DONE:
            times.append(self._stop_at_ns)
        return min((at_ns for at_ns in times if at_ns > now_ns), default=None)
