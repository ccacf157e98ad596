"""The journal's table in the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.section import ConfigPath, Section
from edge.journal.settings import JournalSettings
from edge.journal.upkeep.limits import BoundsSettings, usual_limits

_MB = 1_000_000


class WrappingSection(Section):
    """What wraps the data keys."""

    kind: Literal["file", "credential", "tpm"] = "file"
    folder: ConfigPath | None = Field(
        default=None, description="where wrapping keys are kept; without one, in the journal's folder"
    )
    credential: str = Field(default="", description="name of the systemd credential")

    @model_validator(mode="after")
    def _credential_has_a_name(self) -> Self:
        if (self.kind == "credential") != bool(self.credential):
            raise ValueError("'credential' names the systemd credential, and goes with kind = \"credential\"")
        return self


class BoundsSection(Section):
    """How much is kept, and how long; 0 stands for no limit."""

    records_days: Annotated[float, Field(ge=7)] = 30.0
    records_mb: Annotated[int, Field(ge=0)] = 2_000
    frames_days: Annotated[float, Field(ge=0)] = 7.0
    frames_mb: Annotated[int, Field(ge=0)] = 2_000
    events_mb: Annotated[int, Field(ge=0)] = 1_000
    media_mb: Annotated[int, Field(ge=0)] = 2_000
    private_days: Annotated[float, Field(gt=0, le=14)] = Field(
        default=14.0, description="whatever is of class position or exterior, sent or not (at most 14)"
    )
    total_mb: Annotated[int, Field(ge=64)] = 8_000
    free_mb: Annotated[int, Field(ge=0)] = Field(
        default=200, description="of the file system left free, or a twentieth of it if that is less"
    )

    def settings(self) -> BoundsSettings:
        """The bounds in bytes."""
        return BoundsSettings(
            limits=usual_limits(
                records_days=self.records_days,
                records_bytes=self.records_mb * _MB,
                frames_days=self.frames_days,
                frames_bytes=self.frames_mb * _MB,
                events_bytes=self.events_mb * _MB,
                media_bytes=self.media_mb * _MB,
                private_days=self.private_days,
            ),
            total_bytes=self.total_mb * _MB,
            free_bytes=self.free_mb * _MB,
        )


class JournalSection(Section):
    """The durable store: what is committed here is never lost or sent under another number."""

    folder: ConfigPath = Field(description="made if it is not there; on a disk that keeps its word")
    frames: bool = Field(default=False, description="whether raw frames are kept beside the records")
    block_period_s: Annotated[float, Field(ge=0.05, le=60)] = Field(
        default=1.0, description="data of so long makes a block; a power cut costs what is younger"
    )
    frame_resolution_us: Annotated[int, Field(ge=1, le=1000)] = 1
    checkpoint_period_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    reissue_days: Annotated[float, Field(ge=0, le=365)] | None = Field(
        default=None,
        description="older records are kept, not sent; without it 3 or 7, as the edition says; 0: no limit",
    )
    media_sent: Literal["keep", "remove"] = Field(
        default="keep",
        description="stills and clips that every destination has which may have them: kept until their time "
        "is over, or removed",
    )
    on_supply_loss: Literal["send", "keep"] = "send"
    bounds: BoundsSection = BoundsSection()
    wrapping: WrappingSection = WrappingSection()

    def settings(self, vehicle: str) -> JournalSettings:
        """The journal's rules in numbers."""
        return JournalSettings(
            vehicle=vehicle,
            block_period_s=self.block_period_s,
            frames=self.frames,
            resolution_ns=self.frame_resolution_us * 1_000,
            checkpoint_period_s=self.checkpoint_period_s,
        )
