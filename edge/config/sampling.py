"""The table of the configuration that says when records are made and sent."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.section import Section


class SamplingSection(Section):
    """When records are made and sent (GB/T 32960.2 and .3)."""

    collect_period_s: Annotated[float, Field(ge=0.01, le=30)] = 1.0
    uplink_period_s: Annotated[float, Field(ge=0.01, le=30)] = 10.0
    reorder_horizon_s: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.2, description="how long a frame may wait for an older one of another bus"
    )

    edition: Literal["2016", "2025"] = Field(
        default="2025", description="of GB/T 32960.3: when an alarm window and the watch after power-off end"
    )
    alarm_before_s: Annotated[float, Field(ge=30, le=600)] = Field(
        default=30.0, description="how far back the records of an alarm of level 3 or 4 reach"
    )
    alarm_after_s: Annotated[float, Field(ge=30, le=600)] = Field(
        default=30.0,
        description="2016: how long its window lasts; 2025: how long an unknown level counts as up",
    )
    report_after_off_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=180.0, description="records go on for so long after high voltage was switched off"
    )
    after_off_s: Annotated[float, Field(ge=30, le=86_400)] | None = Field(
        default=None,
        description="the vehicle is watched for so long after that, the last 30 s are reported, and then no "
        "records are made until it wakes; 3600 for 2025, report_after_off_s for 2016",
    )
    event_ring_bytes: Annotated[int, Field(ge=1_000_000, le=1_000_000_000)] = Field(
        default=16_000_000, description="memory for the raw frames that precede an event"
    )

    @model_validator(mode="after")
    def _uplink_not_faster(self) -> Self:
        if self.uplink_period_s < self.collect_period_s:
            raise ValueError("uplink_period_s must not be shorter than collect_period_s")
        return self
