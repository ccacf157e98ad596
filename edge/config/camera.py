"""The tables of the configuration that say which cameras there are, and what is taken with them when."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.section import ConfigPath, Section
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose


class CameraSection(Section):
    """One camera. What it sees is redacted before anything is kept; there is no sound."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = Field(
        description="what the account and the journal call it"
    )
    source: Annotated[str, Field(min_length=1, max_length=400)] = Field(
        description="v4l2:/dev/video0, rtsp://ADDRESS/PATH, file:PATH, or simulator:SCENE"
    )
    data_class: Literal[DataClass.EXTERIOR, DataClass.CABIN] = Field(
        alias="class",
        description="exterior or cabin; one in the cabin is opened only while a consent to it holds",
    )
    width: Annotated[int, Field(ge=64, le=3840)] = 1280
    height: Annotated[int, Field(ge=64, le=2160)] = 720
    rate_hz: Annotated[float, Field(gt=0, le=60)] = Field(
        default=5.0, description="frames a second that are taken from the device, at most"
    )
    purpose: Purpose = Field(
        default=Purpose.RECORDING,
        description="of periodic and requested pictures; those around events are for 'event'",
    )
    every_s: Annotated[float, Field(ge=0.2, le=86_400)] | None = Field(
        default=None, description="a picture is kept so often; without it, none periodically"
    )
    requests: bool = Field(default=False, description="whether a picture is taken when somebody asks for it")
    events: tuple[str, ...] = Field(
        default=(), description="names of [[event]] tables, or 'collision': a clip is kept around each"
    )
    before_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=5.0, description="of a clip, before its event"
    )
    after_s: Annotated[float, Field(ge=0, le=300)] = Field(default=5.0, description="of a clip, after it")
    clip_rate_hz: Annotated[float, Field(gt=0, le=30)] = Field(
        default=5.0, description="frames a second in a clip, at most"
    )
    still: Literal["jpeg", "avif"] = "jpeg"
    clip: Literal["av1", "h264"] = Field(
        default="av1", description="h264 needs PyAV, which is not installed with nevgate (docs/vision.md)"
    )
    quality: Annotated[int, Field(ge=10, le=100)] = 85
    latest_s: Annotated[float, Field(ge=0.5, le=60)] = Field(
        default=5.0, description="a frame that is older than this when its turn comes is dropped"
    )
    window_memory_mb: Annotated[int, Field(ge=8, le=4096)] = Field(
        default=256, description="memory for the frames that may precede an event"
    )

    @property
    def purposes(self) -> frozenset[Purpose]:
        """What pictures of it are taken for."""
        taken = {self.purpose} if self.every_s is not None or self.requests else set()
        return frozenset(taken | ({Purpose.EVENT} if self.events else set()))

    @model_validator(mode="after")
    def _takes_something(self) -> Self:
        if not self.purposes:
            raise ValueError(
                f"camera '{self.name}' would never take a picture; add every_s, requests = true or events"
            )
        return self


class VisionSection(Section):
    """What all cameras have in common."""

    cpu_share: Annotated[float, Field(gt=0, le=16)] = Field(
        default=0.5, description="cores that all cameras together may take; the rate is lowered to keep to it"
    )
    models: ConfigPath | None = Field(
        default=None, description="folder of the models' files; without it those of the installed packages"
    )
    swap: Literal["lock", "allow"] = Field(
        default="lock",
        description="lock: where there is swap, no camera is opened unless its memory can be locked",
    )
    memory_mb: Annotated[int, Field(ge=200, le=16_384)] = Field(
        default=1024, description="a camera's process that takes more is ended, and begun again"
    )
    user: str = Field(
        default="", description="whom a camera's process becomes where the gateway was started as root"
    )
