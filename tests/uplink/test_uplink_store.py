"""A store that makes its messages when asked, and has more to send than it holds as messages."""

from __future__ import annotations

import random
import threading

from edge.clock import NS_PER_S, SystemClock, VirtualClock
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.session import Phase, Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import decode
from simulator.virtual_link import VirtualLink
from tests.uplink.live import until
from tests.uplink.road import TOPICS, Road, message, status


class LazyStore(MemoryOutbox):
    """Makes a live message when the next is asked for, of what is ready."""

    def __init__(self) -> None:
        super().__init__(max_messages=100, max_bytes=1_000_000)
        self.ready = 0
        self.to_come = 0
        self._made = 0

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        found = super().next(kind, after)
        if found is None and kind is Kind.LIVE and self.ready:
            self.ready -= 1
            self.to_come -= 1
            self._made += 1
            self.put(message(kind, self._made))
            return super().next(kind, after)
        return found

    def empty(self) -> bool:
        return super().empty() and not self.to_come


def make_uplink(store: LazyStore, clock: VirtualClock | SystemClock, delivered: list[bytes]) -> MqttUplink:
    rng = random.Random(1)  # noqa: S311 - a seed must replay the run
    settings = SessionSettings(acknowledge="puback")
    return MqttUplink(
        session=Session(settings, TOPICS, store, rng=rng, make_status=status),
        link=VirtualLink(clock, rng, lambda _topic, payload: delivered.append(payload)),
        store=store,
        clock=clock,
        read_receipt=decode,
        notify=lambda _notice: None,
    )


def test_a_memory_outbox_is_empty_when_nothing_is_held() -> None:
    outbox = MemoryOutbox(max_messages=1, max_bytes=100)
    assert outbox.empty()
    outbox.put(message(Kind.LIVE, 1))
    assert not outbox.empty()


def test_what_is_not_yet_a_message_is_still_sent_before_the_farewell() -> None:
    clock = VirtualClock()
    store = LazyStore()
    delivered: list[bytes] = []
    uplink = make_uplink(store, clock, delivered)
    store.to_come = 3
    uplink.ask_to_stop(100)
    while not uplink.done:
        wake_ns = uplink.step()
        if uplink.online and clock.boot_ns() >= 10 * NS_PER_S and store.to_come:
            store.ready = store.to_come
            continue
        if not uplink.done:
            assert wake_ns is not None
            pause_ns = clock.boot_ns() + NS_PER_S if store.to_come else wake_ns
            clock.advance_to(min(wake_ns, pause_ns))
    assert len(delivered) == 3
    assert 10 <= clock.boot_ns() / NS_PER_S < 20


def test_a_store_wakes_its_uplink_from_another_thread() -> None:
    store = LazyStore()
    delivered: list[bytes] = []
    uplink = make_uplink(store, SystemClock(), delivered)
    uplink.start()
    until(lambda: uplink.online, "the connection")

    def have_one() -> None:
        store.to_come = store.ready = 1
        uplink.wake()

    other = threading.Thread(target=have_one)
    other.start()
    other.join()
    until(lambda: bool(delivered), "the message")
    assert uplink.stop(10)


def test_an_uplink_says_whether_messages_can_go() -> None:
    road = Road()
    assert not road.uplink.online
    road.run_for(5)
    assert road.uplink.online
    assert road.uplink.state().phase is Phase.ONLINE
    road.link.cut()
    road.uplink.step()
    assert not road.uplink.online
