"""Why the platform does not take a message in."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a message was not taken in."""

    TOPIC = "unknown topic"
    OVERSIZED = "oversized"
    UNSIGNED = "unsigned"
    UNKNOWN_VEHICLE = "unknown vehicle"
    UNKNOWN_KEY = "unknown key"
    TAMPERED = "signature does not fit"
    MALFORMED = "malformed"
    WRONG_VEHICLE = "wrong vehicle"
    WRONG_KIND = "wrong kind for its topic"
    IMPOSSIBLE = "impossible content"
    FRAGMENTED = "too many gaps"
    NOT_A_DEVICES = "not for a device to say"


class RejectedError(Exception):
    """One message is not taken in.

    Attributes:
        cause: under which it is counted.
        detail: what was wrong with this one.
    """

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail
