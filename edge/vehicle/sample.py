"""`Sample`: what the vehicle said at one instant, before it is known whether it becomes a record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.clock import Timebase
from edge.database.model import SignalRef
from edge.records import Value


class SignalState(Protocol):
    """The last value of each signal, as the decode room hands it on."""

    @property
    def values(self) -> Mapping[SignalRef, int | float]:
        """The last physical value."""

    @property
    def t_ns(self) -> Mapping[SignalRef, int]:
        """When it was received, in boot-monotonic nanoseconds."""

    @property
    def latched(self) -> Mapping[SignalRef, int]:
        """For latched signals, all raw values since the last snapshot, ORed."""

    @property
    def seen(self) -> Mapping[SignalRef, frozenset[int | float]]:
        """For followed signals, the different values since the last snapshot."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A record without a number.

    Attributes:
        t_ns: the instant, in boot-monotonic nanoseconds.
        timebase: how `t_ns` relates to wall time.
        values: by concrete item id.
        mask: the name of the door's mask.
        alarm: whether an alarm of level 3 or more is up.
    """

    t_ns: int
    timebase: Timebase
    values: Mapping[str, Value]
    mask: str
    alarm: bool


@dataclass(frozen=True, slots=True)
class _Joined:
    values: Mapping[SignalRef, int | float]
    t_ns: Mapping[SignalRef, int]
    latched: Mapping[SignalRef, int]
    seen: Mapping[SignalRef, frozenset[int | float]]


class KeptBack:
    """What signals of which every value counts showed at instants that made no record yet."""

    def __init__(self) -> None:
        self._latched: dict[SignalRef, int] = {}
        self._seen: dict[SignalRef, frozenset[int | float]] = {}

    def keep(self, state: SignalState) -> None:
        """Keep what `state` shows for the next record."""
        self._latched = _with_latched(self._latched, state)
        self._seen = _with_seen(self._seen, state)

    def forget(self, refs: Collection[SignalRef]) -> None:
        """Let go of what some signals showed."""
        for ref in refs:
            self._latched.pop(ref, None)
            self._seen.pop(ref, None)

    def join(self, state: SignalState) -> SignalState:
        """`state` with all that was kept, which is thereby told and forgotten."""
        if not self._latched and not self._seen:
            return state
        joined = _Joined(
            state.values, state.t_ns, _with_latched(self._latched, state), _with_seen(self._seen, state)
        )
        self._latched, self._seen = {}, {}
        return joined


def _with_latched(kept: Mapping[SignalRef, int], state: SignalState) -> dict[SignalRef, int]:
    return {**kept, **{ref: kept.get(ref, 0) | raw for ref, raw in state.latched.items()}}


def _with_seen(
    kept: Mapping[SignalRef, frozenset[int | float]], state: SignalState
) -> dict[SignalRef, frozenset[int | float]]:
    return {**kept, **{ref: kept.get(ref, frozenset()) | values for ref, values in state.seen.items()}}
