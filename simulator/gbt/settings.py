"""`PlatformSettings`: how a platform behaves where the standard leaves it open, and what bounds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from edge.catalogue.item import Edition
from edge.wire.gbt.options import DEFAULT_OPTIONS, Options
from simulator.gbt.checks import LoginFaults


class SecondLogin(StrEnum):
    """What a second login with an identity that has a session on another connection does."""

    DROP_OLD = "drop-old"
    """The old connection is dropped: annex B, a new login of the same identity ends its session."""

    REFUSE_NEW = "refuse-new"
    """The new one is answered with flag 3, VIN duplicate."""


class Answers(StrEnum):
    """Which reports are answered."""

    ERRORS = "errors"
    """Only those with a fault: annex B, a report that is right is not acknowledged."""

    ALL = "all"
    """Right ones too, with success."""


class SessionNumbers(StrEnum):
    """What a session number does that does not rise; the standard says how terminals count, not what then."""

    TOLD = "told"
    """The login is taken, the number told."""

    REFUSED = "refused"
    """The login fails the check."""


class Signatures(StrEnum):
    """Which reports of 2025 need a signature that is right."""

    REGISTERED = "registered"
    """Those of vehicles whose key the register has; of the others none is looked at."""

    ALL = "all"
    """All: without a registered or activated key every report is refused."""

    NONE = "none"
    """None is looked at."""


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """Behaviour of a platform.

    Attributes:
        editions: which it speaks; a message of another is refused.
        second_login: of one identity on two connections.
        answers: to reports.
        login_faults: what answers a vehicle's login that fails a check, in 2016.
        session_numbers: what one does that does not rise.
        signatures: which reports of 2025 need one.
        answers_whole: a response keeps the whole data unit (2016, annex B.3.3.2), not only its time (6.3.2).
        forwarded_logins: whether a vehicle has to be logged in over a platform's connection before its
            reports are taken.
        plain_data_keys: whether a data key (2025) is taken that came without any encryption.
        data_key_s: seconds that a data key holds which the platform makes.
        options: of the messages themselves.
        login_s: seconds that a connection has for its login.
        silence_s: seconds without any message after which a session is dropped; heartbeats come at the
            latest every 240 s.
        frame_s: seconds that a frame which has begun may take to come; then it is searched for others.
        answer_s: seconds that a terminal has for its answer to a command of the platform.
        unit_bytes: the longest data unit that is taken.
        vehicles_most: how many vehicles are remembered; a login beyond is refused.
        asks_most: commands to one terminal that may wait for an answer.
    """

    editions: frozenset[Edition] = frozenset(Edition)
    second_login: SecondLogin = SecondLogin.DROP_OLD
    answers: Answers = Answers.ERRORS
    login_faults: LoginFaults = LoginFaults.SILENCE
    session_numbers: SessionNumbers = SessionNumbers.TOLD
    signatures: Signatures = Signatures.REGISTERED
    answers_whole: bool = False
    forwarded_logins: bool = False
    plain_data_keys: bool = False
    data_key_s: int = 86_400
    options: Options = field(default=DEFAULT_OPTIONS)
    login_s: float = 60.0
    silence_s: float = 300.0
    frame_s: float = 10.0
    answer_s: float = 60.0
    unit_bytes: int = 65_531
    vehicles_most: int = 65_536
    asks_most: int = 16
