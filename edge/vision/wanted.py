"""`Stills`: which pictures of a stream are kept one by one, and which are looked at for their sake."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from edge.account import Hop
from edge.clock import NS_PER_S
from edge.vision.picture import Picture
from edge.vision.reasons import Dropped
from edge.vision.redaction import destroy

PERIODIC = "periodic"
REQUEST = "request"


@dataclass(frozen=True, slots=True)
class StillSettings:
    """When single pictures are kept.

    Attributes:
        every_s: so often; None keeps none periodically.
        around: how many pictures before and after each are looked at too, so that memory helps.
        around_s: how far those may be away; further ones say nothing about it.
        requests_most: how many requests may wait for a picture; more are refused.
    """

    every_s: float | None = None
    around: int = 1
    around_s: float = 0.5
    requests_most: int = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """A picture for the line, to be handed to `RedactionLine.take` with `wanted`.

    Attributes:
        picture: from now on the line's.
        causes: what it is kept for, `PERIODIC`, `REQUEST` or both; none where it is looked at only.
    """

    picture: Picture
    causes: tuple[str, ...]

    @property
    def wanted(self) -> bool:
        """Whether it is to be kept."""
        return bool(self.causes)


class Stills:
    """Chooses out of a camera's stream; pictures handed in belong to it, and go on or are overwritten.

    The first picture is kept when the camera opens, and then one in each period from then on: the first that
    was taken in it. A request takes the next picture that comes.

    Args:
        camera: its name, for the account.
        settings: when pictures are kept.
    """

    def __init__(self, camera: str, settings: StillSettings) -> None:
        self._camera = camera
        self._settings = settings
        self._before: deque[Picture] = deque()
        self._after = 0
        self._kept_ns: int | None = None
        self._due_ns: int | None = None
        self._requests = 0
        self._entered = 0
        self._left = 0
        self._set_aside: Counter[Dropped] = Counter()

    def request(self) -> bool:
        """Ask for the next picture; tells whether it will be taken for that."""
        if self._requests >= self._settings.requests_most:
            return False
        self._requests += 1
        return True

    def add(self, picture: Picture) -> list[Chosen]:
        """Take in the next picture, later than all before; hands out what the line is to look at now."""
        self._entered += 1
        causes = self._causes(picture.t_ns)
        if causes:
            chosen = [Chosen(before, ()) for before in self._before if self._is_near(before, picture.t_ns)]
            far = [before for before in self._before if not self._is_near(before, picture.t_ns)]
            self._set_aside_all(far)
            self._before.clear()
            self._after = self._settings.around
            self._kept_ns = picture.t_ns
            chosen.append(Chosen(picture, causes))
        elif self._after and self._kept_ns is not None and self._is_near(picture, self._kept_ns):
            self._after -= 1
            chosen = [Chosen(picture, ())]
        else:
            self._after = 0
            chosen = []
            self._before.append(picture)
            while len(self._before) > self._settings.around:
                self._set_aside_all([self._before.popleft()])
        self._left += len(chosen)
        return chosen

    def discard(self, reason: Dropped) -> None:
        """Drop what is kept for a picture to come: at the end, or where it may not be kept any more."""
        self._set_aside_all(list(self._before), reason)
        self._before.clear()
        self._after = 0

    def hop(self) -> Hop:
        """The account; what waits for a picture to come has not entered yet."""
        set_aside = {str(reason): self._set_aside[reason] for reason in Dropped if self._set_aside[reason]}
        return Hop(
            name=f"stills of {self._camera}",
            unit="frames",
            entered=self._entered - len(self._before),
            left=self._left,
            set_aside=set_aside,
            facts={"waiting": len(self._before)},
        )

    def _causes(self, t_ns: int) -> tuple[str, ...]:
        causes = []
        if self._settings.every_s is not None and (self._due_ns is None or t_ns >= self._due_ns):
            period_ns = max(1, round(self._settings.every_s * NS_PER_S))
            due_ns = t_ns if self._due_ns is None else self._due_ns
            self._due_ns = due_ns + ((t_ns - due_ns) // period_ns + 1) * period_ns
            causes.append(PERIODIC)
        if self._requests:
            self._requests = 0
            causes.append(REQUEST)
        return tuple(causes)

    def _is_near(self, picture: Picture, t_ns: int) -> bool:
        return abs(picture.t_ns - t_ns) <= self._settings.around_s * NS_PER_S

    def _set_aside_all(self, pictures: list[Picture], reason: Dropped = Dropped.NOT_WANTED) -> None:
        for picture in pictures:
            destroy(picture.pixels)
            self._set_aside[reason] += 1
