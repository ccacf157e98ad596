"""An uplink holds on to nothing that its store has given up, and one that has failed says so."""

from __future__ import annotations

import gc
import socket

import pytest

from edge.clock import SystemClock
from edge.errors import UplinkError
from edge.uplink.connection import prepare
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.uplink import Uplink
from tests.uplink.road import Road, message

HELD = 5


def alive() -> int:
    """Messages that something still refers to."""
    gc.collect()
    return sum(isinstance(each, Outgoing) for each in gc.get_objects())


def test_a_platform_that_is_silent_for_hours_does_not_make_the_memory_grow() -> None:
    road = Road(max_messages=HELD)
    road.platform.acknowledges = False
    before = alive()
    for number in range(1, 1000):
        road.uplink.put(message(Kind.LIVE, number))
        road.run_for(10)
        road.outbox.take_losses()
    in_a_timeout = 60 // 10
    assert alive() - before <= HELD + 2 * in_a_timeout
    messages, _ = road.uplink.hops()
    assert messages.balanced
    road.platform.acknowledges = True
    road.uplink.put(message(Kind.LIVE, 1000))
    road.run_until(road.empty)


def test_an_uplink_whose_thread_has_failed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    road = Road()

    def break_down() -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(road.link, "poll", break_down)
    monkeypatch.setattr(road.uplink, "_clock", SystemClock())
    uplink: Uplink = road.uplink
    uplink.check()
    uplink.start()
    assert uplink.stop(0)
    assert uplink.failed
    with pytest.raises(UplinkError, match="RuntimeError: no such thing"):
        uplink.check()


def test_a_connection_that_is_given_up_leaves_little_in_the_kernel() -> None:
    settings = MqttSettings("127.0.0.1", 1883, "gateway", tls=None)
    with socket.socket() as opened:
        prepare(opened, settings)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 16_384
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
