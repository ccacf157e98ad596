"""The table of the configuration that says how buses and sensors are read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.config.section import Section


class CaptureSection(Section):
    """How buses and sensors are read."""

    own_process: bool = Field(
        default=True,
        description="in a process that nobody can look into and that hands on masked frames only; "
        "if false, in the gateway's own, for a bench where the interface is of that process",
    )
    latency: Literal["normal", "low"] = Field(
        default="normal",
        description="how often live buses are read while a condition waits for frames: every 70 ms, or every "
        "4 ms, which takes most of a core on a busy vehicle",
    )
    user: str = Field(
        default="",
        description="whom that process becomes where the gateway was started as root; has to be able to read "
        "this file and those named in it, and to open the devices",
    )
