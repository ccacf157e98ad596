"""Which stills and clips a destination may have."""

from __future__ import annotations

from collections.abc import Callable

from edge.policy.classes import DataClass
from edge.policy.rules import Purpose

MediaAllowance = Callable[[DataClass, Purpose, str], str]
"""Asked before each chunk, of the class and purpose of a still or clip and the mask under which it was taken:
says why the destination may not have it, empty if it may. From any thread."""


def nothing_leaves(data_class: DataClass, purpose: Purpose, mask: str) -> str:
    """The allowance of a destination of which nobody has said that it may have any."""
    del mask
    return f"{data_class} for {purpose} is for no destination"


def everything_leaves(data_class: DataClass, purpose: Purpose, mask: str) -> str:
    """The allowance of a destination that no policy judges, such as the simulator's own."""
    del data_class, purpose, mask
    return ""
