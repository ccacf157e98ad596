"""What the process of a camera does all the time: works, obeys, reports, hands on what nobody is known in."""

from __future__ import annotations

import time
from collections.abc import Iterable

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import VisionError
from edge.vision.media import Media
from edge.vision.process.channel import Channel
from edge.vision.process.lives import hand_over_of
from edge.vision.process.messages import (
    Close,
    Counted,
    Done,
    Request,
    Trigger,
    encode,
    encode_picture,
    plain_hop,
)
from edge.vision.reasons import Dropped
from edge.vision.work import CameraWork

REPORT_S = 0.2
STEP_S = 0.1
UNSENT_MOST = 16 << 20
"""Bytes that may wait until the gateway takes them; beyond that, stills and clips are dropped."""

_LAST_WORDS_S = 3.0


class Serving:
    """Serves the gateway until the camera ends, or the gateway does.

    Args:
        channel: to the gateway.
        work: of the camera.
        name: of the camera.
        clock: time.
    """

    def __init__(self, channel: Channel, work: CameraWork, name: str, clock: Clock) -> None:
        self._channel = channel
        self._work = work
        self._name = name
        self._clock = clock
        self._handed = 0
        self._unhanded = 0
        self._too_large = 0
        self._reported_ns: int | None = None

    def run(self) -> None:
        """Serve until the end.

        Raises:
            VisionError: the camera is gone, detectors fail again and again, or the gateway says what is none.
        """
        while self._obey() and not self._work.ended:
            self._hand_on(self._work.step(STEP_S))
            self._report_if_due()
        if not self._channel.ended:
            self._hand_on(self._work.finish())
            self._report()
            self._channel.send(encode(Done()))
            self.say_out()

    def say_out(self) -> None:
        """Wait until what was said has gone, or the gateway takes nothing any more."""
        end_ns = self._clock.boot_ns() + _LAST_WORDS_S * NS_PER_S
        while self._channel.unsent_bytes and not self._channel.ended and self._clock.boot_ns() < end_ns:
            self._channel.receive(STEP_S)

    def fail(self) -> None:
        """Drop everything, and say what that comes to."""
        self._work.discard(Dropped.CRASH)
        self._report()

    def _obey(self) -> bool:
        """Take up what the gateway says; whether it wants more."""
        wanted = True
        for message, _ in self._channel.receive(0):
            match message:
                case Request():
                    self._work.request()
                case Trigger(name=name, t_ns=t_ns):
                    self._work.trigger(name, t_ns)
                case Close():
                    wanted = False
        return wanted and not self._channel.ended

    def _hand_on(self, found: Iterable[Media]) -> None:
        for media in found:
            if self._channel.unsent_bytes + len(media.content) > UNSENT_MOST:
                self._unhanded += 1
                continue
            try:
                message = encode_picture(media)
            except VisionError:
                self._too_large += 1
                continue
            # Its leaving is said first, so that it is known to be missing if it does not arrive.
            self._handed += 1
            self._report()
            self._channel.send(message)

    def _report_if_due(self) -> None:
        due_ns = self._clock.boot_ns() - round(REPORT_S * NS_PER_S)
        if self._reported_ns is None or self._reported_ns <= due_ns:
            self._report()

    def _report(self) -> None:
        self._reported_ns = self._clock.boot_ns()
        aside = {str(Dropped.QUEUE): self._unhanded, str(Dropped.TOO_LARGE): self._too_large}
        hand_over = Hop(
            hand_over_of(self._name),
            "media",
            self._handed + self._unhanded + self._too_large,
            self._handed,
            {cause: count for cause, count in aside.items() if count},
        )
        hops = tuple(map(plain_hop, (*self._work.hops(), hand_over)))
        self._channel.send(encode(Counted(hops=hops, cpu_s=time.process_time())))
