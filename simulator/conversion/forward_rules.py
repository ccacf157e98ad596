"""`ForwardRules`: who logs in at another platform, and by which times, retries and limits a session goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import VIN_BYTES

USER_BYTES = 12
PASSWORD_BYTES = 20


class Acknowledge(StrEnum):
    """What shows that the other platform has a report."""

    RESPONSE = "response"
    """It answers each with success."""

    HEARTBEAT = "heartbeat"
    """It answers errors alone: a heartbeat sent later on the same connection was answered, and it works a
    connection off in order. Between platforms the standard reserves the heartbeat; many answer it."""

    WINDOW = "window"
    """It answers errors alone, and none came within the time for an answer. What it never read counts as
    received too."""


@dataclass(frozen=True, slots=True)
class PlatformAccount:
    """Who logs in.

    Attributes:
        identity: 17 characters that stand in the place of the VIN in a platform's own messages.
        user: at most 12 bytes of ASCII.
        password: at most 20 bytes of ASCII.
    """

    identity: str
    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.identity) != VIN_BYTES or not self.identity.isascii():
            raise GbtError(f"a platform's code has {VIN_BYTES} characters, '{self.identity}' is none")
        for what, text, most in (
            ("user", self.user, USER_BYTES),
            ("password", self.password, PASSWORD_BYTES),
        ):
            if len(text) > most or not text.isascii():
                raise GbtError(f"the {what} of a platform has at most {most} characters of ASCII")


@dataclass(frozen=True, slots=True)
class ForwardRules:
    """Times and limits of a session.

    Attributes:
        edition: of all messages.
        acknowledge: what shows that a report has arrived.
        answer_s: seconds to wait for an answer.
        login_retry_s: from a failed login to the next (annex B: 1 min in 2016, 3 min in 2025).
        login_failures: after so many in a row comes the pause.
        login_pause_s: the pause (30 min).
        resend_s: from an error to sending the same again (1 min).
        resends: how often, before the report is refused for good (3).
        reconnect_s: to the first new connection after a cut; doubles up to `login_retry_s`.
        heartbeat_s: between heartbeats while nothing else is sent; 0 for none.
        probe_s: with `Acknowledge.HEARTBEAT`, from a report to the heartbeat that proves it.
        frames_most: messages that are sent and not acknowledged, at most.
        commit_s: between two times that the cursor is kept; after a crash what lies between goes again.
        drain_s: how long to wait for answers when stopped.
        patient: whether to try again what failed; else the first failed connection or login is the end.
    """

    edition: Edition
    acknowledge: Acknowledge = Acknowledge.RESPONSE
    answer_s: float = 60.0
    login_retry_s: float = 60.0
    login_failures: int = 3
    login_pause_s: float = 1800.0
    resend_s: float = 60.0
    resends: int = 3
    reconnect_s: float = 5.0
    heartbeat_s: float = 0.0
    probe_s: float = 1.0
    frames_most: int = 128
    commit_s: float = 0.5
    drain_s: float = 10.0
    patient: bool = True


LOGIN_RETRY_S = {Edition.Y2016: 60.0, Edition.Y2025: 180.0}
REISSUE_DAYS = {Edition.Y2016: 3.0, Edition.Y2025: 7.0}
"""Older records need not be reissued."""


def rules_of(edition: Edition, acknowledge: Acknowledge = Acknowledge.RESPONSE) -> ForwardRules:
    """The rules of an edition."""
    beat = 60.0 if acknowledge is Acknowledge.HEARTBEAT else 0.0
    return ForwardRules(edition, acknowledge, login_retry_s=LOGIN_RETRY_S[edition], heartbeat_s=beat)


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection; then `opened`, or `closed`."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send bytes.

    Attributes:
        data: whole frames.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection; `closed` need not follow."""


Action = Connect | Transmit | HangUp
