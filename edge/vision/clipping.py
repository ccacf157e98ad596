"""`Clipping`: pictures around events to clips, as fast as the share of the processor allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.account import Hop, summed
from edge.errors import VisionError
from edge.policy.rules import Purpose
from edge.vision.encoding.clips import FRAMES_MOST, ClipWriter, clip_writer
from edge.vision.line import RedactionLine
from edge.vision.media import Media
from edge.vision.picture import Picture, Redacted
from edge.vision.plan import VisionPlan
from edge.vision.reasons import Dropped
from edge.vision.windows import Event, EventWindows, WindowSettings

_AT_ONCE = 4
"""Pictures that are looked at before the camera and the gateway are heard again."""


@dataclass(slots=True, eq=False)
class _Open:
    """An event whose clip is being made."""

    line: RedactionLine
    writer: ClipWriter | None = None
    from_ns: int = 0
    to_ns: int = 0
    faces: int = 0
    plates: int = 0

    @property
    def frames(self) -> int:
        """How many are in the writer, and in no clip yet."""
        return 0 if self.writer is None else self.writer.frames


class Clipping:
    """Keeps the last seconds in memory, and makes clips of what events take out of them.

    Args:
        plan: of the camera.
        detectors: names of the detectors, for what is kept.
        line: makes a line for the pictures of one event, with a memory of its own.
    """

    def __init__(
        self, plan: VisionPlan, detectors: tuple[str, ...], line: Callable[[], RedactionLine]
    ) -> None:
        self._plan = plan
        self._detectors = detectors
        self._line = line
        self._windows = EventWindows(
            plan.name,
            WindowSettings(before_s=plan.before_s, rate_hz=plan.clip_rate_hz, bytes_most=plan.window_bytes),
        )
        self._open: dict[Event, _Open] = {}
        self._past = Hop(f"clips of {plan.name}", "frames", 0, 0)
        self._lost: Counter[Dropped] = Counter()
        self._clips = 0
        self._failed = 0

    def add(self, picture: Picture) -> None:
        """Take in the next picture; it stays the caller's."""
        self._windows.add(picture)

    def trigger(self, name: str, t_ns: int) -> None:
        """Keep what is around an event of `t_ns`."""
        event = self._windows.trigger(name, t_ns, self._plan.before_s, self._plan.after_s)
        if event is not None:
            self._open[event] = _Open(self._line())

    def work(self, now_ns: int, may: Callable[[], bool]) -> list[Media]:
        """Make clips of what is there.

        Args:
            now_ns: the time of the boot clock.
            may: whether another picture may be looked at; asked before each.

        Raises:
            VisionError: as `RedactionLine.take`.
        """
        out: list[Media] = []
        for _ in range(_AT_ONCE):
            # The share is asked last: where it says yes, that counts as a picture begun.
            if not (self._windows.pending and may()):
                break
            out += self._next()
        for event in self._windows.ended(now_ns):
            if event in self._open:
                out += self._end(event)
        return out

    @property
    def waiting(self) -> bool:
        """Whether an event is not made a clip of yet."""
        return bool(self._open)

    def finish(self) -> list[Media]:
        """Make clips of what there is: no more comes."""
        out: list[Media] = []
        while self._windows.pending:
            out += self._next()
        for event in list(self._open):
            out += self._end(event)
        return out

    def discard(self, reason: Dropped) -> None:
        """Drop everything, such as where nothing may be kept any more."""
        self._windows.discard(reason)
        for event, opened in list(self._open.items()):
            opened.line.discard(reason)
            self._lost[reason] += opened.frames
            if opened.writer is not None:
                opened.writer.close()
            self._past = self._with(opened.line.hop())
            del self._open[event]

    def hops(self) -> tuple[Hop, ...]:
        """The account of the pictures that were kept for events, and of those that went into clips."""
        clips = self._past
        unwritten = waiting = 0
        for opened in self._open.values():
            hop = opened.line.hop()
            clips = self._with(hop, clips)
            unwritten += opened.frames
            waiting += hop.facts.get("waiting", 0)
        aside = Counter(clips.set_aside)
        aside.update({str(cause): count for cause, count in self._lost.items() if count})
        facts = {
            **clips.facts,
            "clips": self._clips,
            "clips that could not be encoded": self._failed,
            "waiting": waiting + unwritten,
        }
        left = clips.left - unwritten - self._lost.total()
        return self._windows.hop(), Hop(
            clips.name, clips.unit, clips.entered - unwritten, left, dict(aside), facts=facts
        )

    def _with(self, hop: Hop, past: Hop | None = None) -> Hop:
        """The account of clips and of one more line's pictures."""
        facts = {fact: count for fact, count in hop.facts.items() if fact != "waiting"}
        clips = past or self._past
        (total,) = summed([clips, replace(hop, name=clips.name, facts=facts)])
        return total

    def _next(self) -> list[Media]:
        """Look at the next picture of an event; the others stay where they are, should this one fail."""
        ((event, picture),) = self._windows.taken(1)
        return self._encoded(event, self._open[event].line.take(picture))

    def _end(self, event: Event) -> list[Media]:
        opened = self._open[event]
        out = self._encoded(event, opened.line.finish())
        out += self._whole(event, opened)
        self._past = self._with(opened.line.hop())
        del self._open[event]
        return out

    def _encoded(self, event: Event, frames: list[Redacted]) -> list[Media]:
        opened = self._open[event]
        out: list[Media] = []
        for frame in frames:
            try:
                if opened.writer is None:
                    opened.writer = clip_writer(self._plan.clip, self._plan.clip_rate_hz, self._plan.quality)
                    opened.from_ns, opened.faces, opened.plates = frame.t_ns, 0, 0
                opened.writer.add(frame)
            except VisionError:
                self._lose(opened.frames + 1)
                if opened.writer is not None:
                    opened.writer.close()
                    opened.writer = None
                continue
            opened.to_ns = frame.t_ns
            opened.faces += frame.faces
            opened.plates += frame.plates
            if opened.writer.frames >= FRAMES_MOST:
                out += self._whole(event, opened)
        return out

    def _whole(self, event: Event, opened: _Open) -> list[Media]:
        writer, opened.writer = opened.writer, None
        if writer is None:
            return []
        with writer:
            try:
                content = writer.finish()
            except VisionError:
                self._lose(writer.frames)
                return []
        self._clips += 1
        return [
            Media(
                camera=self._plan.name,
                data_class=self._plan.data_class,
                purpose=Purpose.EVENT,
                cause=event.name,
                from_ns=opened.from_ns,
                to_ns=opened.to_ns,
                format=writer.format,
                width=writer.size[0],
                height=writer.size[1],
                frames=writer.frames,
                faces=opened.faces,
                plates=opened.plates,
                detectors=self._detectors,
                content=content,
            )
        ]

    def _lose(self, frames: int) -> None:
        """Count a clip that the encoder failed at, and its frames."""
        self._failed += 1
        self._lost[Dropped.ENCODER] += frames
