"""A connection stands as long as the policy allows it, and not a message longer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.uplink.events import Connected, Disconnected, LinkEvent, Refused
from edge.uplink.gated_link import GatedLink
from edge.uplink.link import Link
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, Pace
from tests.uplink.live import mosquitto, until


class Inner(Link):
    """Does as it is told, and keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.happens: list[LinkEvent] = []

    def attach(self, wake: threading.Event) -> None:
        self.calls.append(f"attach {wake.is_set()}")

    def poll(self) -> Sequence[LinkEvent]:
        happens, self.happens = self.happens, []
        return happens

    def connect(self) -> None:
        self.calls.append("connect")

    def subscribe(self, topic: str) -> None:
        self.calls.append(f"subscribe {topic}")

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        self.calls.append(f"publish {token} {topic} {payload!r} {retain}")

    def disconnect(self, *, with_will: bool) -> None:
        self.calls.append(f"disconnect {with_will}")

    def due_ns(self) -> int | None:
        return 7


class Gate:
    """A gated link, and what stands in its way."""

    def __init__(self) -> None:
        self.why = ""
        self.inner = Inner()
        self.wake = threading.Event()
        self.link = GatedLink(self.inner, lambda: self.why)
        self.link.attach(self.wake)
        self.inner.calls.clear()

    def up(self) -> None:
        self.link.connect()
        self.inner.happens.append(Connected(session_present=False))
        assert self.link.poll() == [Connected(session_present=False)]
        self.inner.calls.clear()


def ends(events: Sequence[LinkEvent]) -> list[tuple[type[LinkEvent], str, str]]:
    return [
        (type(one), one.reason.key, one.reason.what)
        for one in events
        if isinstance(one, Refused | Disconnected)
    ]


NOTHING = (
    "not-allowed",
    "there is no connection, for the policy gives this destination nothing: withdrawn",
)


def test_what_is_allowed_goes_through() -> None:
    gate = Gate()
    gate.link.connect()
    gate.link.subscribe("down")
    gate.link.publish(3, "up", b"x", retain=True)
    gate.link.disconnect(with_will=False)
    assert gate.inner.calls == ["connect", "subscribe down", "publish 3 up b'x' True", "disconnect False"]
    gate.inner.happens.append(Disconnected(CONNECTION_LOST))
    assert gate.link.poll() == [Disconnected(CONNECTION_LOST)]
    assert gate.link.due_ns() == 7
    assert not gate.wake.is_set()


def test_the_links_own_wake_is_the_sessions() -> None:
    inner, wake = Inner(), threading.Event()
    wake.set()
    GatedLink(inner, lambda: "").attach(wake)
    assert inner.calls == ["attach True"]


def test_a_connection_that_is_not_allowed_is_not_begun() -> None:
    gate = Gate()
    gate.why = "withdrawn"
    gate.link.connect()
    assert gate.wake.is_set()
    assert gate.link.due_ns() == 0
    (refused,) = gate.link.poll()
    assert ends([refused]) == [(Refused, *NOTHING)]
    assert isinstance(refused, Refused)
    assert (refused.reason.pace, refused.reason.fact) == (
        Pace.SOON,
        "connections that the policy does not allow",
    )
    assert gate.link.poll() == []
    assert gate.link.due_ns() == 7
    assert gate.inner.calls == []


@pytest.mark.parametrize("why", ["", "withdrawn"])
def test_a_refused_connection_that_is_given_up_ends_once(why: str) -> None:
    gate = Gate()
    gate.why = "withdrawn"
    gate.link.connect()
    gate.why = why
    gate.link.disconnect(with_will=True)
    assert ends(gate.link.poll()) == [(Refused, *NOTHING)]
    assert gate.inner.calls == []


def test_it_is_allowed_again_later() -> None:
    gate = Gate()
    gate.up()
    gate.why = "withdrawn"
    gate.link.poll()
    gate.inner.happens.append(Disconnected(STOPPED))
    gate.link.poll()
    gate.why = ""
    gate.inner.calls.clear()
    gate.up()
    gate.link.publish(4, "up", b"y", retain=False)
    assert gate.inner.calls == ["publish 4 up b'y' False"]


def test_one_that_is_up_ends_when_it_is_allowed_no_more() -> None:
    gate = Gate()
    gate.up()
    gate.why = "withdrawn"
    assert gate.link.poll() == []
    assert gate.inner.calls == ["disconnect True"]
    assert gate.wake.is_set()
    gate.link.disconnect(with_will=False)
    gate.inner.happens.append(Disconnected(STOPPED))
    assert ends(gate.link.poll()) == [(Disconnected, *NOTHING)]
    assert gate.inner.calls == ["disconnect True"]


def test_one_that_is_being_opened_ends_too() -> None:
    gate = Gate()
    gate.link.connect()
    gate.why = "withdrawn"
    gate.inner.happens.append(Refused(STOPPED))
    assert ends(gate.link.poll()) == [(Refused, *NOTHING)]
    assert gate.inner.calls == ["connect", "disconnect True"]


def test_no_message_goes_from_that_moment_on_though_it_be_allowed_again_at_once() -> None:
    gate = Gate()
    gate.up()
    gate.why = "withdrawn"
    gate.link.publish(3, "up", b"x", retain=False)
    gate.link.subscribe("down")
    gate.why = ""
    gate.link.publish(4, "up", b"y", retain=False)
    gate.inner.happens.append(Disconnected(STOPPED))
    assert ends(gate.link.poll()) == [(Disconnected, *NOTHING)]
    assert gate.inner.calls == ["disconnect True"]


def test_what_came_before_the_end_is_handed_on() -> None:
    gate = Gate()
    gate.link.connect()
    gate.why = "withdrawn"
    gate.inner.happens += [Connected(session_present=True), Disconnected(STOPPED)]
    assert [type(one) for one in gate.link.poll()] == [Connected, Disconnected]


def test_a_session_that_ends_by_itself_is_not_ended_twice() -> None:
    gate = Gate()
    gate.up()
    gate.link.disconnect(with_will=False)
    gate.why = "withdrawn"
    gate.link.poll()
    assert gate.inner.calls == ["disconnect False"]


@pytest.mark.parametrize("end", [Disconnected(CONNECTION_LOST), Refused(CONNECTION_LOST)])
def test_between_connections_there_is_none_to_end(end: LinkEvent) -> None:
    gate = Gate()
    gate.link.connect()
    gate.inner.happens.append(end)
    assert gate.link.poll() == [end]
    gate.why = "withdrawn"
    assert gate.link.poll() == []
    gate.link.disconnect(with_will=True)
    assert gate.inner.calls == ["connect"]


def test_a_real_connection_is_closed(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        why: list[str] = []
        link = GatedLink(
            MqttLink(MqttSettings("127.0.0.1", broker.port(), "gw", tls=None)), lambda: "".join(why)
        )
        link.attach(threading.Event())
        events: list[LinkEvent] = []

        def happened(kind: type[LinkEvent]) -> bool:
            events.extend(link.poll())
            return any(isinstance(one, kind) for one in events)

        link.connect()
        until(lambda: happened(Connected), "the connection")
        why.append("withdrawn")
        until(lambda: happened(Disconnected), "its end")
        assert ends(events) == [(Disconnected, *NOTHING)]
        link.connect()
        assert ends(link.poll()) == [(Refused, *NOTHING)]
