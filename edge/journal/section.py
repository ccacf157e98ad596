"""The journal's table in the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config_section import ConfigPath, Section
from edge.journal.settings import JournalSettings


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
    on_supply_loss: Literal["send", "keep"] = "send"
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
