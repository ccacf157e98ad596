"""`Camera`: what hands out one camera's pictures; nothing else ever touches the device."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from edge.closing import Closing
from edge.vision.picture import Picture
from edge.vision.reasons import Dropped


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What is asked of a camera.

    Attributes:
        name: as the account calls it.
        source: ``v4l2:/dev/video0``, ``rtsp://192.0.2.7/front``, ``file:PATH``, ``simulator:street``.
        width: of a frame in pixels, as asked of a device; it may answer with another size.
        height: the same.
        rate_hz: frames a second that are handed out, at most.
    """

    name: str
    source: str
    width: int = 1280
    height: int = 720
    rate_hz: float = 5.0


class Camera(Closing):
    """One camera, opened when it is made; for one thread.

    Attributes:
        ended: whether nothing will come any more, as at the end of a file.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self.settings = settings
        self.ended = False
        self._losses: Counter[Dropped] = Counter()

    @abstractmethod
    def read(self, timeout_s: float) -> Picture | None:
        """Wait for the next picture, the newest where several came.

        Args:
            timeout_s: how long; a driver may hold on for some seconds longer.

        Returns:
            A picture whose pixels are the caller's alone, or None where none came.

        Raises:
            VisionError: the device or stream is gone. Whoever wants more opens it again.
        """

    def take_losses(self) -> Mapping[Dropped, int]:
        """What was lost or could not be decoded since this was asked last."""
        losses, self._losses = self._losses, Counter()
        return losses
