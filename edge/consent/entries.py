"""The entries of the consent ledger, and the moment at which one is made or looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.clock import TimeQuality
from edge.journal.upkeep.believed_time import EARLIEST_NS
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose


class Role(StrEnum):
    """In which role a person speaks; the ledger holds no names."""

    DRIVER = "driver"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Stamp:
    """When an entry was made.

    Attributes:
        boot: 16 bytes by which the machine names the boot; empty where nothing is known of the time.
        boot_ns: boot-monotonic time, nanoseconds.
        wall_ns: Unix time in nanoseconds, as the clock showed it.
        quality: how far that was trusted; NONE where the clock was being doubted.
    """

    boot: bytes
    boot_ns: int
    wall_ns: int
    quality: TimeQuality

    @property
    def dated(self) -> bool:
        """Whether its wall time can be trusted by itself."""
        return self.quality is not TimeQuality.NONE and self.wall_ns >= EARLIEST_NS


NEVER = Stamp(b"", 0, 0, TimeQuality.NONE)
"""The stamp of what was found out and not made."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The present, as far as it is known.

    Attributes:
        at: the clocks.
        start: 16 bytes that name the gateway's start; empty where no gateway runs.
        known_ns: the newest wall time that was ever trusted under a clock as good or better, Unix
            nanoseconds; 0 for none.
        believed_ns: wall time by which data are old enough to go; 0 for none. A clock that jumps may end
            a consent at once, it must not delete anything.
    """

    at: Stamp
    start: bytes = b""
    known_ns: int = 0
    believed_ns: int = 0


@dataclass(frozen=True, slots=True)
class Granted:
    """A person agreed.

    Attributes:
        at: when.
        number: of the consent, from 1; data that rest on it are sealed under keys labelled with it.
        data_class: what may be collected,
        purpose: and for what.
        role: who agreed.
        ends_ns: Unix time in nanoseconds at which it ends.
        keep: whether it holds beyond the gateway's start in which it was given.
        start: 16 bytes that name that start; empty where it was given while no gateway ran.
        rule: digest of the rule that was agreed to.
        policy: title of the policy.
        erase_within_ns: what was promised: data are gone so soon after the end.
    """

    at: Stamp
    number: int
    data_class: DataClass
    purpose: Purpose
    role: Role
    ends_ns: int
    keep: bool
    start: bytes
    rule: str
    policy: str
    erase_within_ns: int

    @property
    def use(self) -> Use:
        """Class and purpose."""
        return self.data_class, self.purpose

    @property
    def term_ns(self) -> int:
        """How long it was given for, nanoseconds."""
        return self.ends_ns - self.at.wall_ns


@dataclass(frozen=True, slots=True)
class Asked:
    """A person was asked, with the notice before their eyes.

    Attributes:
        at: when.
        data_class: what they were asked for,
        purpose: and for what.
        role: who was asked.
        rule: digest of the rule that was shown.
        policy: title of the policy.
    """

    at: Stamp
    data_class: DataClass
    purpose: Purpose
    role: Role
    rule: str
    policy: str

    @property
    def use(self) -> Use:
        """Class and purpose."""
        return self.data_class, self.purpose


@dataclass(frozen=True, slots=True)
class Refused:
    """A person said no; whatever was given for the use before ends.

    Attributes:
        at: when.
        number: the greatest number of any consent given out by then: those of the use up to it have ended.
        data_class: what was refused,
        purpose: and for what.
        role: who refused.
    """

    at: Stamp
    number: int
    data_class: DataClass
    purpose: Purpose
    role: Role

    @property
    def use(self) -> Use:
        """Class and purpose."""
        return self.data_class, self.purpose


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person took a consent back, and with it all that were given for the same use before.

    Attributes:
        at: when.
        number: of the consent.
        data_class: what it was for,
        purpose: and for what purpose.
        role: who withdrew.
    """

    at: Stamp
    number: int
    data_class: DataClass
    purpose: Purpose
    role: Role

    @property
    def use(self) -> Use:
        """Class and purpose."""
        return self.data_class, self.purpose


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A consent ended by itself, for good: no clock that is set back revives it.

    Attributes:
        at: when that was seen.
        number: of the consent.
        why: in words.
    """

    at: Stamp
    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Erased:
    """What rested on consents that had ended was erased.

    Attributes:
        at: when.
        label: of the data keys that were destroyed, such as ``consent 3``.
    """

    at: Stamp
    label: str


Entry = Granted | Asked | Refused | Withdrawn | Lapsed | Erased
