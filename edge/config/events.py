"""The tables of the configuration that say which events are waited for, and what tells a collision."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from edge.catalogue.condition import parse_condition
from edge.config.section import Section

_SIGNAL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[^\s.]+){2}")
_EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,47}")

COLLISION = "collision"
"""The name of the event that a collision makes."""


def _signal_words(words: str) -> str:
    name, _ = parse_condition(words)
    if not _SIGNAL.fullmatch(name.strip()):
        raise ValueError(f"'{words}' names no signal; write it like 'BUS.MESSAGE.SIGNAL > 5'")
    return words


def _signal_name(name: str) -> str:
    if not _SIGNAL.fullmatch(name):
        raise ValueError("a signal is written BUS.MESSAGE.SIGNAL")
    return name


def _event_name(name: str) -> str:
    if not _EVENT_NAME.fullmatch(name):
        raise ValueError(
            "a name begins with a letter and has up to 48 letters, digits, blanks, '-', '_' and '.'"
        )
    if name == COLLISION:
        raise ValueError(f"'{COLLISION}' is the name of what [collision] waits for")
    return name


Comparisons = tuple[Annotated[str, AfterValidator(_signal_words)], ...]
"""``BUS.MESSAGE.SIGNAL`` alone, for not 0, or compared with a number."""

SignalNames = tuple[Annotated[str, AfterValidator(_signal_name)], ...]


class EventSection(Section):
    """What is kept around a moment that a condition on signals tells."""

    name: Annotated[str, AfterValidator(_event_name)]
    all_of: Comparisons = Field(default=(), description="all of these have to hold")
    any_of: Comparisons = Field(default=(), description="and one of these")
    clear_when: Comparisons = Field(
        default=(), description="the condition is over when all of these hold; without them, at once"
    )
    for_s: Annotated[float, Field(ge=0, le=600)] = Field(
        default=0.0, description="how long it has to hold before it counts"
    )
    pre_s: Annotated[float, Field(ge=0, le=600)] = Field(default=10.0, description="kept of before")
    post_s: Annotated[float, Field(ge=0, le=3600)] = Field(default=10.0, description="kept of after")
    longest_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=300.0, description="the longest that an event goes on after it began, if it comes about again"
    )
    frames: bool = Field(default=True, description="whether the raw frames are kept")
    most_per_hour: Annotated[int, Field(ge=1, le=3600)] = 12

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not self.all_of and not self.any_of:
            raise ValueError(f"event '{self.name}' has no condition; add all_of or any_of")
        return self


class CollisionSection(Section):
    """What tells a collision (UN R160, GB 39732); its frames are locked against later events."""

    acceleration: SignalNames = Field(default=(), description="signals of acceleration, along or across")
    speed: SignalNames = Field(default=(), description="signals of speed")
    airbag: Comparisons = Field(default=(), description="signals that are not 0 once an airbag has deployed")
    delta_v_km_h: Annotated[float, Field(gt=0, le=100)] = 8.0
    within_s: Annotated[float, Field(ge=0.01, le=2)] = 0.15
    before_s: Annotated[float, Field(ge=5, le=60)] = 5.0
    after_s: Annotated[float, Field(ge=5, le=60)] = 5.0
    most_locked: Annotated[int, Field(ge=3, le=100)] = Field(
        default=10, description="so many collisions of a run are locked, later ones kept like other events"
    )

    @model_validator(mode="after")
    def _has_a_signal(self) -> Self:
        if not (self.acceleration or self.speed or self.airbag):
            raise ValueError("[collision] names no signal; add acceleration, speed or airbag")
        return self
