"""`VisionPlan`: what one camera is to do, as its process is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edge.errors import VisionError
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.cameras.camera import CameraSettings
from edge.vision.media import MediaFormat


@dataclass(frozen=True, slots=True)
class VisionPlan:
    """One camera.

    Attributes:
        name: as the account calls it.
        source: see `CameraSettings`.
        data_class: exterior or cabin.
        width: of a frame, as asked of the device.
        height: the same.
        rate_hz: frames a second that are taken from it, at most.
        purpose: of stills; None where none may be taken now.
        every_s: a still so often; 0 for none periodically.
        requests: whether stills are taken on request.
        events: whether clips are kept around events.
        before_s: of a clip, before its event.
        after_s: of a clip, after it.
        clip_rate_hz: frames a second in a clip, at most.
        still: format of stills.
        clip: codec of clips, ``av1`` or ``h264``.
        quality: of both, 1 to 100.
        latest_s: a frame that is older when its turn comes is dropped.
        window_bytes: memory for frames that may precede an event.
        models: folder of the models; empty for the installed ones.
        cpu_share: cores that this camera may take.
        memory_bytes: of its process; one that takes more dies.
        lock_memory: whether it ends rather than have memory that may be swapped to disk.
    """

    name: str
    source: str
    data_class: DataClass
    width: int = 1280
    height: int = 720
    rate_hz: float = 5.0
    purpose: Purpose | None = None
    every_s: float = 0.0
    requests: bool = False
    events: bool = False
    before_s: float = 5.0
    after_s: float = 5.0
    clip_rate_hz: float = 5.0
    still: MediaFormat = MediaFormat.JPEG
    clip: str = "av1"
    quality: int = 85
    latest_s: float = 5.0
    window_bytes: int = 256 << 20
    models: str = ""
    cpu_share: float = 0.5
    memory_bytes: int = 1 << 30
    lock_memory: bool = True

    @property
    def camera(self) -> CameraSettings:
        """What is asked of the device."""
        return CameraSettings(self.name, self.source, self.width, self.height, self.rate_hz)

    @property
    def models_folder(self) -> Path | None:
        """Where the models lie; None for the installed ones."""
        return Path(self.models) if self.models else None

    def as_json(self) -> dict[str, object]:
        """The same as plain values, for the way to its process."""
        return asdict(self)

    @classmethod
    def of_json(cls, plain: dict[str, object]) -> VisionPlan:
        """Read what `as_json` made.

        Raises:
            VisionError: it is none.
        """
        try:
            return _PLAN.validate_python(plain)
        except ValidationError as error:
            raise VisionError(f"is no plan of a camera: {error}") from error


_PLAN = TypeAdapter(VisionPlan)
