"""`SessionOptions`: what the standard leaves open of a terminal's session, each with its default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class LoginSilence(StrEnum):
    """What an unanswered login means: a platform is to ignore one that its check has failed."""

    NO_ANSWER = "no answer"
    """It did not arrive, or the answer did not: 2016 tries again after 1 min."""

    CHECK_FAILURE = "check failure"
    """The platform's check has failed: 3 min. An answer with an error always means this."""


class AnswerTime(StrEnum):
    """Which time the answer to a login or logout bears."""

    SAME = "same"
    """That of the message answered (6.3.2); an answer of another time is none."""

    ANY = "any"
    """Any, for platforms that put in their own."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How one session goes.

    Attributes:
        where: the platform as a person knows it; stands before every notice.
        acknowledge: what lets go of a report: see `edge.uplink.gbt.acknowledging`.
        login_silence: what an unanswered login means.
        answer_time: which answers are taken.
    """

    where: str = "platform"
    acknowledge: Literal["silence", "response"] = "silence"
    login_silence: LoginSilence = LoginSilence.NO_ANSWER
    answer_time: AnswerTime = AnswerTime.SAME
