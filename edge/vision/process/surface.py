"""`VisionSource`: what the gateway sees of one camera, whether in a process of its own or in this one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from edge.account import Hop
from edge.uplink.events import Notice
from edge.vision.media import Media

Tell = Callable[[Notice], None]

LOST_ORDERS = "requests and triggers that no camera took"
"""A fact of the account."""


class VisionSource(ABC):
    """One camera as a source of stills and clips; for one thread."""

    @abstractmethod
    def start(self) -> None:
        """Want pictures; the camera is opened with a later `step`, where that is allowed."""

    @abstractmethod
    def step(self, now_ns: int) -> None:
        """Do what is due at `now_ns` of the boot clock; to be called several times a second."""

    @abstractmethod
    def take(self) -> list[Media]:
        """Hand on the stills and clips that have come, in their order."""

    @abstractmethod
    def request(self) -> bool:
        """Have the next picture kept; whether there is a camera that was asked."""

    @abstractmethod
    def trigger(self, name: str, t_ns: int) -> bool:
        """Have a clip kept around an event of `t_ns`; whether there is a camera that was asked."""

    @abstractmethod
    def hops(self) -> tuple[Hop, ...]:
        """The account."""

    @abstractmethod
    def close(self, within_s: float) -> None:
        """Close the camera, and wait for what is under way, at most so long."""

    @abstractmethod
    def stop(self) -> None:
        """End at once, with what is under way, and wait for nothing; `step` goes on until it is `gone`."""

    @property
    @abstractmethod
    def gone(self) -> bool:
        """Whether nothing of it has the camera any more."""
