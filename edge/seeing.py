"""`Seeing`: which cameras are open now and for what, and which of their pictures may be kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from edge.account import Hop, summed
from edge.clock import NS_PER_S, Clock
from edge.config.camera import CameraSection, VisionSection
from edge.config.configuration import Config
from edge.policy.in_force import InForce
from edge.policy.rules import Purpose
from edge.uplink.events import Notice
from edge.vehicle.outcome import EventStarted
from edge.vision.media import Media, MediaFormat
from edge.vision.plan import VisionPlan
from edge.vision.process.surface import LOST_ORDERS, VisionSource
from edge.vision.reasons import Dropped

SETTLE_NS = NS_PER_S
"""A picture is kept when it has been seen for so long after it that it might be taken.

Where the vehicle is comes from the buses, a little later than a picture.
"""

CLOSE_S = 0.3
"""So long a camera has to hand on what is under way, before it is made to end."""

HANGS_NS = 10 * NS_PER_S
"""What was killed and still has a camera after so long waits for a driver, and a person is told."""

FOLLOWED_S = 0.2
"""So often at least an open camera is followed: one in the cabin ends soon where it hears nothing."""

SETTLING_MOST, SETTLING_BYTES_MOST = 256, 64 << 20
"""Of one camera; its process may hand on more than it can have seen, and the gateway's memory is for all."""

_REMEMBERED = 64
_MB = 1 << 20

Make = Callable[[VisionPlan, Callable[[], bool]], VisionSource]
"""Makes the source of a camera's pictures out of its plan, and what says whether they may be taken now."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What held from a time on.

    Attributes:
        from_ns: of the boot clock.
        mask: in force at the door.
        purposes: what pictures might be taken for.
    """

    from_ns: int
    mask: str
    purposes: frozenset[Purpose]


@dataclass(slots=True, eq=False)
class _Eye:
    """One camera, open or not; what had it before may still be on its way out."""

    section: CameraSection
    source: VisionSource | None = None
    leaving: VisionSource | None = None
    hangs_ns: float = inf
    stretches: deque[_Stretch] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    settling: deque[Media] = field(default_factory=deque)
    arrived: int = 0
    kept: int = 0
    aside: Counter[Dropped] = field(default_factory=Counter)
    opened: int = 0
    asked: bool = False
    unasked: int = 0
    past: list[Hop] = field(default_factory=list)


class Seeing:
    """Opens a camera while the policy, the consents and the place allow it, and closes it when they do not.

    A camera that may not be used is not there at all: no process, no open device. Its pictures are kept only
    where they might be taken from their first frame until a second after their last.

    Args:
        cameras: as configured.
        vision: what they have in common.
        in_force: what may be collected.
        clock: time.
        tell: told of troubles.
        make: makes the source of a camera's pictures, which opens nothing before it is started.
    """

    def __init__(
        self,
        cameras: Sequence[CameraSection],
        vision: VisionSection,
        in_force: InForce,
        *,
        clock: Clock,
        tell: Callable[[Notice], None],
        make: Make,
    ) -> None:
        self._eyes = {one.name: _Eye(one) for one in cameras}
        self._vision = vision
        self._in_force = in_force
        self._clock = clock
        self._tell = tell
        self._make = make

    def follow(self, mask: str, place: str | None) -> list[tuple[Media, str]]:
        """Open and close what is to be, and hand on what may be kept; called many times a second.

        Args:
            mask: name of the mask in force at the door.
            place: the forbidden area that the vehicle is in, ``unknown``, or None outside of all.

        Returns:
            Stills and clips, each with the mask that it was taken under.
        """
        now_ns = self._clock.boot_ns()
        out: list[tuple[Media, str]] = []
        for eye in self._eyes.values():
            purposes = self._purposes(eye.section, place)
            before = eye.stretches[-1] if eye.stretches else None
            if before is None or (before.mask, before.purposes) != (mask, purposes):
                eye.stretches.append(_Stretch(now_ns, mask, purposes))
            if (before.purposes if before else frozenset()) != purposes:
                self._turn(eye, purposes, now_ns)
            if eye.leaving is not None:
                eye.leaving.step(now_ns)
                if eye.leaving.gone:
                    eye.past, eye.leaving = summed([*eye.past, *eye.leaving.hops()]), None
                elif now_ns >= eye.hangs_ns:
                    eye.hangs_ns = inf
                    words = f"what has camera {eye.section.name} does not end; until it does, it stays closed"
                    self._tell(Notice(words, trouble=True))
            if eye.source is None and eye.leaving is None and purposes:
                self._open(eye, purposes)
            if eye.source is not None:
                eye.source.step(now_ns)
            self._ask(eye, turning=eye.source is None and bool(purposes))
            if eye.source is not None:
                self._receive(eye, eye.source.take())
            out += self._settled(eye, now_ns)
        return out

    @property
    def longest_wait_s(self) -> float:
        """How long `follow` may stay away: an open camera is told again and again that it may go on."""
        return FOLLOWED_S if any(eye.source or eye.leaving for eye in self._eyes.values()) else inf

    def event(self, started: EventStarted) -> None:
        """Have clips kept around an event, by the cameras that wait for it."""
        for eye in self._eyes.values():
            if started.trigger not in eye.section.events:
                continue
            if eye.source is not None:
                eye.source.trigger(started.event_id, started.at_ns)
            elif eye.leaving is not None:
                eye.unasked += 1

    def request(self, name: str) -> str:
        """Have a camera's next picture kept, from any thread; tell why not, empty if it is asked for."""
        eye = self._eyes.get(name)
        if eye is None:
            known = ", ".join(self._eyes) or "none"
            return f"there is no camera '{name}'; configured: {known}"
        if not eye.section.requests:
            return f"camera '{name}' takes none on request; set requests = true"
        if not (eye.stretches and eye.stretches[-1].purposes):
            return f"camera '{name}' is closed: nothing allows pictures of it here and now"
        eye.asked = True
        return ""

    def close(self) -> list[tuple[Media, str]]:
        """Close all cameras, and hand on what may be kept.

        Pictures of the last second are dropped where an area might have forbidden them: nobody will tell any
        more where the vehicle was.
        """
        out: list[tuple[Media, str]] = []
        for eye in self._eyes.values():
            self._shut(eye)
            wait_ns = 0 if self._withheld_somewhere(eye.section) else SETTLE_NS
            out += self._settled(eye, self._clock.boot_ns() + wait_ns)
            eye.aside[Dropped.STOPPED] += len(eye.settling)
            eye.settling.clear()
        return out

    def hops(self) -> tuple[Hop, ...]:
        """The account of all cameras, each from its device to the journal."""
        found: list[Hop] = []
        for eye in self._eyes.values():
            present = [source for source in (eye.leaving, eye.source) if source is not None]
            found += summed([*eye.past, *(hop for source in present for hop in source.hops())])
            aside = {str(cause): count for cause, count in eye.aside.items() if count}
            entered = eye.arrived - len(eye.settling)
            facts = {"times opened": eye.opened, "settling": len(eye.settling)}
            if eye.unasked:
                facts[LOST_ORDERS] = eye.unasked
            found.append(Hop(f"seen by {eye.section.name}", "media", entered, eye.kept, aside, facts=facts))
        return tuple(found)

    def _purposes(self, section: CameraSection, place: str | None) -> frozenset[Purpose]:
        """What pictures of a camera may be taken for here and now.

        Inside of any area, and where the place is not known, a class is withheld that any area withholds:
        which of several areas the vehicle is in is not told apart.
        """
        if place is not None and self._withheld_somewhere(section):
            return frozenset()
        admitted = self._in_force.now
        return frozenset(one for one in section.purposes if admitted.admits(section.data_class, (one,)))

    def _withheld_somewhere(self, section: CameraSection) -> bool:
        return any(section.data_class in area.withhold for area in self._in_force.policy.areas)

    def _turn(self, eye: _Eye, purposes: frozenset[Purpose], now_ns: int) -> None:
        """Close a camera; it is opened for other purposes, if for any, when nothing has it any more.

        What ends it is not waited for: a driver that hangs would hold up the whole gateway.
        """
        if eye.source is None:
            return
        eye.leaving, eye.source = eye.source, None
        eye.hangs_ns = now_ns + HANGS_NS
        eye.leaving.stop()
        self._receive(eye, eye.leaving.take())
        if not purposes:
            self._tell(Notice(f"camera {eye.section.name} is closed", trouble=False))

    def _shut(self, eye: _Eye) -> None:
        """Close a camera for good, and wait for it a little: the gateway ends."""
        for source in (eye.leaving, eye.source):
            if source is not None:
                source.close(CLOSE_S)
                self._receive(eye, source.take())
                eye.past = summed([*eye.past, *source.hops()])
        if eye.source is not None:
            self._tell(Notice(f"camera {eye.section.name} is closed", trouble=False))
        eye.leaving = eye.source = None

    def _open(self, eye: _Eye, purposes: frozenset[Purpose]) -> None:
        eye.opened += 1
        eye.source = self._make(
            self._plan(eye.section, purposes), lambda: eye.stretches[-1].purposes == purposes
        )
        eye.source.start()
        words = f"camera {eye.section.name} is opened for {', '.join(sorted(purposes))}"
        self._tell(Notice(words, trouble=False))

    def _ask(self, eye: _Eye, *, turning: bool) -> None:
        """Hand on that a picture was asked for; while a camera turns, that waits until it is open again."""
        if eye.asked and not turning:
            eye.asked = False
            if eye.source is None:
                eye.unasked += 1
            else:
                eye.source.request()

    def _receive(self, eye: _Eye, found: Iterable[Media]) -> None:
        for media in found:
            eye.arrived += 1
            held_bytes = sum(len(one.content) for one in eye.settling)
            if len(eye.settling) < SETTLING_MOST and held_bytes + len(media.content) <= SETTLING_BYTES_MOST:
                eye.settling.append(media)
            else:
                eye.aside[Dropped.QUEUE] += 1

    def _settled(self, eye: _Eye, now_ns: int) -> list[tuple[Media, str]]:
        out: list[tuple[Media, str]] = []
        while eye.settling and eye.settling[0].to_ns + SETTLE_NS <= now_ns:
            media = eye.settling.popleft()
            mask = self._mask_of(eye, media)
            if mask is None:
                eye.aside[Dropped.POLICY] += 1
                continue
            eye.kept += 1
            out.append((media, mask))
        return out

    def _mask_of(self, eye: _Eye, media: Media) -> str | None:
        """The mask that a picture was taken under; None if it may not be kept."""
        spans = [*eye.stretches]
        ends = [*(one.from_ns for one in spans[1:]), media.to_ns + SETTLE_NS + 1]
        held = [
            one
            for one, end_ns in zip(spans, ends, strict=True)
            if one.from_ns <= media.to_ns + SETTLE_NS and end_ns > media.from_ns
        ]
        if not held or held[0].from_ns > media.from_ns:
            return None
        if any(media.purpose not in one.purposes for one in held):
            return None
        grounds = {self._in_force.ground(one.mask, media.data_class, (media.purpose,)) for one in held}
        return held[0].mask if len(grounds) == 1 and None not in grounds else None

    def _plan(self, section: CameraSection, purposes: frozenset[Purpose]) -> VisionPlan:
        vision = self._vision
        stills = section.purpose in purposes
        return VisionPlan(
            name=section.name,
            source=section.source,
            data_class=section.data_class,
            width=section.width,
            height=section.height,
            rate_hz=section.rate_hz,
            purpose=section.purpose if stills else None,
            every_s=section.every_s or 0.0 if stills else 0.0,
            requests=section.requests and stills,
            events=bool(section.events) and Purpose.EVENT in purposes,
            before_s=section.before_s,
            after_s=section.after_s,
            clip_rate_hz=section.clip_rate_hz,
            still=MediaFormat.AVIF if section.still == "avif" else MediaFormat.JPEG,
            clip=section.clip,
            quality=section.quality,
            latest_s=section.latest_s,
            window_bytes=section.window_memory_mb * _MB,
            models=str(vision.models or ""),
            cpu_share=vision.cpu_share / len(self._eyes),
            memory_bytes=(vision.memory_mb + (section.window_memory_mb if section.events else 0)) * _MB,
            lock_memory=vision.swap == "lock",
        )


def camera_maker(config: Config, clock: Clock, tell: Callable[[Notice], None]) -> Make:
    """Makes each camera a process of its own.

    Raises:
        ConfigError: nobody is called what ``vision.user`` says.
    """
    if not config.camera:
        return _no_camera
    # Loaded where there is a camera alone: all vehicles start with this file.
    from edge.vision.process.making import in_processes  # noqa: PLC0415 - see above

    return in_processes(config.vision, clock=clock, tell=tell)


def _no_camera(plan: VisionPlan, allowed: Callable[[], bool]) -> VisionSource:
    del allowed
    raise AssertionError(f"camera {plan.name} is not configured")
