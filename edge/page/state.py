"""What the running gateway says of itself over its control socket, read with care."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from edge.errors import NevgateError

_LONGEST_TEXT = 400
_LONGEST_LIST = 500


class StateError(NevgateError):
    """What the gateway answered cannot be understood."""


def _text(value: object) -> object:
    if value is None:
        return ""
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _items(value: object) -> object:
    if value is None:
        return ()
    return value[:_LONGEST_LIST] if isinstance(value, list) else value


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_items)]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class PolicyTold(_Part):
    """The policy in force; `signature` is ``built in``, ``good`` or ``refused: …``."""

    name: Text = ""
    version: int = 0
    profile: Text = ""
    title: Text = ""
    signature: Text = ""


class ClockTold(_Part):
    """The wall clock: consents hold only while it is trusted."""

    wall: Text = ""
    trusted: bool = True
    why: Text = ""


class AlarmTold(_Part):
    """Something on a bus that a person has to see to."""

    bus: Text = ""
    kind: Text = ""
    words: Text = ""


class BusTold(_Part):
    """How a bus stands."""

    bus: Text = ""
    interface: Text = ""
    way: Text = ""
    link: Text = ""
    listening: Text = ""
    away: Text = ""


class PlaceTold(_Part):
    """The area in which less is collected just now."""

    name: Text = ""
    withheld: Texts = ()


class ConsentTold(_Part):
    """A consent that was given."""

    number: int = 0
    role: Text = ""
    granted: Text = ""
    until: Text = ""
    keep: bool = False


class UseTold(_Part):
    """A class, what it is for, and whether it is collected."""

    data_class: Text = Field(alias="class")
    purpose: Text
    basis: Text = ""
    collected: bool = False
    precision: Text = ""
    leaves: bool = False
    jurisdictions: Texts = ()
    destinations: Texts = ()
    retention_days: Number = 0.0
    longest_days: Number = 0.0
    erase_within_s: Number = 0.0
    state: Text = ""
    why: Text = ""
    consent: ConsentTold | None = None

    @property
    def by_consent(self) -> bool:
        """Whether somebody in the vehicle decides about it."""
        return self.basis != "law"

    @property
    def given(self) -> bool:
        """Whether a consent holds."""
        return self.state == "given"


class KeptTold(_Part):
    """What the journal holds of a class."""

    data_class: Text = Field(alias="class")
    frames: Count = 0
    records: Count = 0
    last: Text = ""


class RemovedTold(_Part):
    """How many frames lost bits of a class at the door."""

    data_class: Text = Field(alias="class")
    frames: Count = 0


class LeftTold(_Part):
    """What a destination has been given."""

    destination: Text = ""
    purpose: Text = ""
    jurisdiction: Text = ""
    classes: Texts = ()
    records: Count = 0
    messages: Count = 0
    last: Text = ""
    allowed: bool = True
    why: Text = ""


class ErasureTold(_Part):
    """An erasure, done or under way."""

    when: Text = ""
    data_class: Text = Field(alias="class")
    purpose: Text = ""
    reason: Text = ""
    blocks: Count = 0
    done: bool = False


class State(_Part):
    """The whole answer to ``{"do": "state"}``: classes, counts, times, never a value that was collected."""

    alarms: Annotated[tuple[AlarmTold, ...], BeforeValidator(_items)] = ()
    buses: Annotated[tuple[BusTold, ...], BeforeValidator(_items)] = ()
    policy: PolicyTold = PolicyTold()
    clock: ClockTold = ClockTold()
    place: PlaceTold | None = None
    mask: Text = ""
    uses: Annotated[tuple[UseTold, ...], BeforeValidator(_items)] = ()
    kept: Annotated[tuple[KeptTold, ...], BeforeValidator(_items)] = ()
    removed: Annotated[tuple[RemovedTold, ...], BeforeValidator(_items)] = ()
    left: Annotated[tuple[LeftTold, ...], BeforeValidator(_items)] = ()
    erasures: Annotated[tuple[ErasureTold, ...], BeforeValidator(_items)] = ()
    contact: Text = ""

    def use(self, data_class: str, purpose: str) -> UseTold | None:
        """The use of a class for a purpose; None if the policy has no rule for it."""
        return next(
            (one for one in self.uses if (one.data_class, one.purpose) == (data_class, purpose)), None
        )

    def classes(self) -> tuple[str, ...]:
        """The classes that the journal holds something of."""
        return tuple(one.data_class for one in self.kept)


def read_state(answer: Mapping[str, object]) -> State:
    """Read the gateway's answer.

    Raises:
        StateError: it is none that this page understands.
    """
    try:
        return State.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise StateError(
            f"the gateway's answer is not understood: {first['msg']}",
            where=place,
            todo="Are gateway and page of one version?",
        ) from error
