"""Whatever comes over the border from a camera's process, the gateway checks it, counts it, and goes on."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.account import Account, Hop
from edge.capturing.rights import Rights
from edge.clock import NS_PER_S, VirtualClock
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.media import Media, MediaFormat
from edge.vision.plan import VisionPlan
from edge.vision.process import supervising
from edge.vision.process.channel import Channel
from edge.vision.process.messages import (
    Counted,
    Done,
    Failed,
    Messages,
    Pictured,
    Ready,
    Request,
    Said,
    encode,
    encode_picture,
    plain_hop,
)
from edge.vision.process.said import failed_of, harmless, line_of
from edge.vision.process.supervising import LINES_MOST, VisionProcess
from edge.vision.reasons import Dropped

PLAN = VisionPlan("front", "test:none:/", DataClass.EXTERIOR, purpose=Purpose.RECORDING, every_s=1.0)
STILL = Media(
    camera="front",
    data_class=DataClass.EXTERIOR,
    purpose=Purpose.RECORDING,
    cause="periodic",
    from_ns=0,
    to_ns=0,
    format=MediaFormat.JPEG,
    width=640,
    height=480,
    frames=1,
    faces=2,
    plates=0,
    detectors=("drawn",),
    content=b"\xff\xd8\xff still",
)
READY = encode(Ready())


class Played:
    """In place of a started process: the test plays its part."""

    pid = 1

    def __init__(self, _rights: Rights, _opening: str) -> None:
        ours, self.theirs = socket.socketpair()
        self.channel = Channel(ours, Messages.to_gateway())
        self.killed = False
        PLAYED.append(self)

    def go_on(self) -> None:
        return

    def words_bytes(self) -> int:
        return 0

    def kill(self) -> None:
        self.killed = True
        self.channel.close()

    def reaped(self) -> str:
        return "was played"


PLAYED: list[Played] = []


class Border:
    """A supervisor, and the process that the test plays."""

    def __init__(self) -> None:
        self.clock = VirtualClock(10 * NS_PER_S)
        self.allowed = True
        self.process = VisionProcess(PLAN, clock=self.clock, allowed=lambda: self.allowed)
        self.process.start()
        self.step()

    def step(self) -> None:
        self.process.step(self.clock.boot_ns())

    def send(self, *messages: bytes) -> None:
        theirs = PLAYED[-1].theirs
        for message in messages:
            view = memoryview(message)
            theirs.setblocking(False)
            while view:
                try:
                    view = view[theirs.send(view) :]
                except BlockingIOError:
                    self.step()
                except OSError:
                    return
        self.step()

    def hop(self) -> Hop:
        return next(hop for hop in self.process.hops() if hop.unit == "media")


@pytest.fixture(name="border")
def playing(monkeypatch: pytest.MonkeyPatch) -> Border:
    PLAYED.clear()
    monkeypatch.setattr(supervising, "StartedVision", Played)
    return Border()


def handed(count: int) -> bytes:
    return encode(Counted(hops=(plain_hop(Hop("vision of front to core", "media", count, count)),), cpu_s=0))


def test_a_still_comes_as_it_was_sent(border: Border) -> None:
    border.send(READY, handed(1), encode_picture(STILL))
    assert border.process.take() == [STILL]
    assert border.hop().left == 1
    assert border.process.request()
    received = PLAYED[-1].theirs.recv(1 << 16)
    assert [message for message, _ in Messages.to_child().feed(received)][-1] == Request()


@pytest.mark.parametrize(
    "changed",
    [
        {"camera": "rear"},
        {"data_class": DataClass.CABIN},
        {"purpose": Purpose.REGULATED},
        {"cause": "two\nlines"},
        {"to_ns": 12 * NS_PER_S},
        {"from_ns": -1},
        {"width": 1 << 20},
        {"faces": 1 << 40},
        {"content": b"\x00" * 64},
        {"format": MediaFormat.AVIF},
    ],
)
def test_a_picture_that_cannot_be_ends_the_process(border: Border, changed: dict[str, object]) -> None:
    border.send(READY, handed(1), encode_picture(replace(STILL, **changed)))  # type: ignore[arg-type]
    assert border.process.take() == []
    assert PLAYED[-1].killed
    assert border.hop().set_aside == {"damaged, could not be decoded": 1}


@pytest.mark.parametrize(
    "message",
    [
        b"\xff" * 64,
        encode(Done()),
        encode_picture(STILL),
        READY + READY,
        encode(Request()),
        encode(Pictured(data_class=DataClass.EXTERIOR, from_ns=0, to_ns=0), b"none"),
        encode(Said(level=20, text="x"), b"more"),
        encode(Said(level=20, text="x")) * 5000,
        READY + encode(Counted(hops=(plain_hop(Hop("camera front", "frames", 1, 1)),) * 2, cpu_s=0)),
        (2).to_bytes(4, "big") + bytes(4) + b"[[",
        (60_000).to_bytes(4, "big") + bytes(4) + b"[" * 60_000,
    ],
)
def test_what_is_no_message_in_its_turn_ends_the_process(border: Border, message: bytes) -> None:
    border.send(message)
    assert PLAYED[-1].killed
    assert border.hop().facts == {"messages that were none": 1, "crashes": 1}
    border.clock.advance_to(border.clock.boot_ns() + 2 * NS_PER_S)
    border.step()
    assert len(PLAYED) == 2


@given(st.lists(st.binary(max_size=64), max_size=4), st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_bytes_bring_the_gateway_down(parts: list[bytes], framed: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervising, "StartedVision", Played)
        border = Border()
        border.send(
            READY,
            *((len(part).to_bytes(4, "big") + bytes(4) + part if framed else part) for part in parts),
        )
        border.process.close(0)
        assert PLAYED[-1].killed
        assert Account.of(border.process.hops()).balanced


@pytest.mark.parametrize(
    "hop",
    [
        Hop("", "frames", 1, 1),
        Hop("door", "frames", 1, 1),
        Hop("camera rear", "frames", 1, 1),
        Hop("camera front", "frames", 1 << 62, 1 << 62),
        Hop("camera front", "frames", 1, 0, {"": 1}),
        Hop("camera front", "frames", 1, 0, {"\x1b[2J": 1}),
        Hop("camera front", "frames", 1, 1, facts={"": 1}),
        Hop("camera front", "frames", 1, 1, facts={"\x1b[2J": 1}),
        Hop("camera front", "frames", 1, 1, facts={"faces": 1 << 62}),
    ],
)
def test_an_account_that_cannot_be_ends_the_process_and_is_not_told_on(border: Border, hop: Hop) -> None:
    for _ in range(2):
        border.send(READY, encode(Counted(hops=(plain_hop(hop),), cpu_s=0)))
        assert PLAYED[-1].killed
        border.clock.advance_to(border.clock.boot_ns() + 60 * NS_PER_S)
        border.step()
    assert [told.name for told in border.process.hops()] == ["vision of front to core"]
    assert border.hop().facts == {"messages that were none": 2, "crashes": 2}


def test_an_account_does_not_grow_with_every_process(border: Border) -> None:
    for life in range(9):
        facts = {f"{life} and {each}": 1 for each in range(20)}
        told = Hop("camera front", "frames", 1, 1, facts=facts)
        border.send(READY, encode(Counted(hops=(plain_hop(told),), cpu_s=0)))
        PLAYED[-1].theirs.close()
        border.step()
        border.clock.advance_to(border.clock.boot_ns() + 60 * NS_PER_S)
        border.step()
    assert max(len(hop.facts) for hop in border.process.hops()) <= 64


def test_what_has_left_and_did_not_arrive_is_counted(border: Border) -> None:
    camera = plain_hop(Hop("camera front", "frames", 5, 5, facts={"waiting": 2}))
    left = plain_hop(Hop("vision of front to core", "media", 3, 3))
    border.send(READY, encode(Counted(hops=(camera, left), cpu_s=1)), encode_picture(STILL))
    assert border.hop().set_aside == {"on the way": 2}
    PLAYED[-1].theirs.close()
    border.step()
    border.step()
    assert border.hop().set_aside == {str(Dropped.CRASH): 2}
    frames = next(hop for hop in border.process.hops() if hop.name == "camera front")
    assert (frames.entered, dict(frames.set_aside)) == (7, {str(Dropped.CRASH): 2})
    assert Account.of(border.process.hops()).balanced


def test_where_it_is_not_allowed_any_more_nothing_is_handed_on(border: Border) -> None:
    border.send(READY, handed(2), encode_picture(STILL))
    border.allowed = False
    border.step()
    assert PLAYED[-1].killed
    assert border.process.take() == []
    assert border.hop().set_aside == {str(Dropped.POLICY): 2}
    assert "crashes" not in border.hop().facts
    border.allowed = True
    border.step()
    border.step()
    assert len(PLAYED) == 2


@pytest.mark.parametrize("stopped", [False, True])
def test_what_it_reported_last_is_counted_where_it_is_not_allowed_any_more(
    border: Border, stopped: bool
) -> None:
    border.send(READY)
    camera = plain_hop(Hop("camera front", "frames", 5, 5, facts={"waiting": 2}))
    left = plain_hop(Hop("vision of front to core", "media", 1, 1))
    PLAYED[-1].theirs.sendall(encode(Counted(hops=(camera, left), cpu_s=1)) + encode_picture(STILL))
    border.allowed = False
    if stopped:
        border.process.stop()
    border.step()
    assert PLAYED[-1].killed
    assert border.process.take() == []
    assert border.hop().set_aside == {str(Dropped.POLICY): 1}
    frames = next(hop for hop in border.process.hops() if hop.name == "camera front")
    assert (frames.entered, dict(frames.set_aside)) == (7, {str(Dropped.POLICY): 2})
    assert Account.of(border.process.hops()).balanced


def test_more_than_is_taken_is_dropped(border: Border, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "WAITING_MOST", 2)
    border.send(READY, handed(3), *[encode_picture(STILL)] * 3)
    assert len(border.process.take()) == 2
    assert border.hop().set_aside == {str(Dropped.QUEUE): 1}


def test_a_log_is_not_filled_by_it(border: Border, caplog: pytest.LogCaptureFixture) -> None:
    border.send(READY, *[encode(Said(level=logging.WARNING, text="again\n\x1b[31m"))] * (LINES_MOST + 5))
    lines = [line for line in caplog.messages if "again" in line]
    assert len(lines) == LINES_MOST
    assert all(line.isprintable() for line in lines)


def test_a_failure_that_would_come_again_is_final(border: Border) -> None:
    border.send(encode(Failed(what="not the pinned one", where="faces.onnx", final=True)))
    border.clock.advance_to(100 * NS_PER_S)
    border.step()
    assert len(PLAYED) == 1
    assert str(border.process.failure).startswith("faces.onnx")


def test_silence_ends_it(border: Border) -> None:
    border.send(READY)
    for _ in range(16):
        border.clock.advance_to(border.clock.boot_ns() + NS_PER_S)
        border.step()
    assert PLAYED[0].killed


def test_texts_that_may_quote_pixels_are_withheld() -> None:
    pixels = list(range(100, 160))
    assert harmless(f"cannot judge {pixels}") == "(withheld)"
    assert harmless("bytes " + bytes(pixels).hex()) == "bytes (withheld)"
    assert (
        harmless("no frame comes from /dev/video0 after 3 s") == "no frame comes from /dev/video0 after 3 s"
    )
    assert failed_of(ValueError(str(pixels)), seen=False).what.startswith("ValueError")
    assert str(pixels[0]) not in failed_of(ValueError(str(pixels)), seen=False).what
    assert line_of("camera %s: %s", ("front", str(pixels)), seen=True) == "camera front: (withheld)"
    assert "\n" not in line_of("two\nlines %d", ("x",), seen=True)
