"""What a platform finds wrong with a message, and what each edition answers to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Response


class Fault(StrEnum):
    """Why a message is refused."""

    VIN_UNKNOWN = "VIN unknown"
    VIN_DUPLICATE = "VIN duplicate"
    VIN_OTHER = "another VIN than the connection's"
    NOT_LOGGED_IN = "before login"
    SESSION_NUMBER = "session number"
    ACCESS = "user or password"
    EDITION = "another edition than agreed"
    COMMAND = "no command for this platform"
    SIGNATURE = "signature"
    STRUCTURE = "structure"
    DECRYPTION = "decryption"
    FULL = "too many vehicles"


PARSE_FAULTS = frozenset({Fault.STRUCTURE, Fault.DECRYPTION})
"""Those that make a frame one of parse errors."""


class LoginFaults(StrEnum):
    """What answers a vehicle's login that fails a check, in the edition of 2016."""

    SILENCE = "silence"
    """Nothing: annex B has the platform ignore it. A VIN that is there twice gets the flag that it has."""

    ERROR = "error"
    """The flag of an error."""


_OWN_FLAGS: Mapping[Edition, Mapping[Fault, Response]] = MappingProxyType(
    {
        Edition.Y2016: MappingProxyType({Fault.VIN_DUPLICATE: Response.VIN_DUPLICATE}),
        Edition.Y2025: MappingProxyType(
            {
                Fault.VIN_DUPLICATE: Response.VIN_DUPLICATE,
                Fault.VIN_UNKNOWN: Response.VIN_UNKNOWN,
                Fault.SIGNATURE: Response.SIGNATURE_ERROR,
                Fault.STRUCTURE: Response.STRUCTURE_ERROR,
                Fault.DECRYPTION: Response.DECRYPTION_ERROR,
            }
        ),
    }
)


def flag_of(
    fault: Fault,
    edition: Edition,
    *,
    vehicle_login: bool = False,
    login_faults: LoginFaults = LoginFaults.SILENCE,
) -> Response | None:
    """The response flag that answers a fault; None where the platform stays silent.

    Args:
        fault: what was found.
        edition: of the message.
        vehicle_login: whether the message is a vehicle's login, which 2016 treats apart.
        login_faults: how.
    """
    own = _OWN_FLAGS[edition].get(fault)
    if own is not None:
        return own
    if vehicle_login and edition is Edition.Y2016 and login_faults is LoginFaults.SILENCE:
        return None
    return Response.ERROR


class RefusedError(GbtError):
    """A message is refused; it never leaves the platform.

    Attributes:
        fault: which check it fails.
    """

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault.value}: {detail}" if detail else fault.value)
        self.fault = fault
        self.detail = detail


@dataclass(frozen=True, slots=True)
class NumberJudged:
    """What a login's session number says beside the one before it.

    Attributes:
        rises: whether it may follow.
        missed: logins in between that never came here.
    """

    rises: bool
    missed: int = 0


NUMBER_MOST = 65_531


def judge_number(number: int, day: int, before: tuple[int, int] | None) -> NumberJudged:
    """Judge a session number: from 1, one more each login, 1 again behind 65,531 and on each Beijing day.

    Args:
        number: of this login.
        day: Beijing day of its time.
        before: number and day of the login before; None where there was none.
    """
    if not 1 <= number <= NUMBER_MOST:
        return NumberJudged(rises=False)
    if before is None or day > before[1]:
        return NumberJudged(rises=True, missed=number - 1 if before is not None else 0)
    if day < before[1]:
        return NumberJudged(rises=False)
    if number > before[0]:
        return NumberJudged(rises=True, missed=number - before[0] - 1)
    wrapped = number + NUMBER_MOST - before[0] - 1
    return NumberJudged(rises=wrapped < _WRAP_MOST, missed=wrapped if wrapped < _WRAP_MOST else 0)


_WRAP_MOST = 16
"""Logins that may be missing where the number begins again within a day; a greater step is one back."""
