"""Why a terminal's session did not come about, or has ended, in words."""

from __future__ import annotations

from collections.abc import Mapping

from edge.uplink.reasons import Reason
from edge.wire.gbt.frame import Command, Response

_NAMES = {
    Command.VEHICLE_LOGIN: "login",
    Command.VEHICLE_LOGOUT: "logout",
    Command.TIME_SYNC: "request for the time",
    Command.ACTIVATE: "request for activation",
    Command.DATA_KEY: "data key",
}
_FLAG_TODO: Mapping[int, str] = {
    Response.VIN_DUPLICATE: "See whether another terminal is logged in with this VIN",
    Response.VIN_UNKNOWN: "Have the vehicle registered with the platform",
    Response.SIGNATURE_ERROR: "Have the platform check the public key that it has of this terminal",
    Response.DECRYPTION_ERROR: "Compare cipher and key with the platform",
}

NO_BEAT = Reason("no-heartbeat-answer", "the platform answers no heartbeat, though the connection stands")
BEAT_REFUSED = Reason(
    "heartbeat-refused",
    "the platform answers a heartbeat with an error: the session is none of its own any more",
)
NO_REPORT_ANSWER = Reason(
    "no-report-answer",
    "the platform answers reports no longer, though the connection stands",
    'If it answers only what is wrong, as the standard has it, set acknowledge = "silence"',
)
GARBAGE = Reason("garbage", "what comes from there is no GB/T 32960.3", "Check host and port")
THROWN_OUT = Reason(
    "thrown-out",
    "the platform ends one session after the other soon after the login",
    "See whether another terminal logs in with this VIN",
)
NO_TIME = Reason("no-time", "the platform's answer bears no time")
DROPPED = Reason("dropped", "the platform has ordered to drop the link")
CHANGING = Reason("server-change", "the platform sends this terminal to another server")
CHANGE_FAILED = Reason("server-change-failed", "the other server has not accepted a login in time")
SWAPPED = Reason("log-in-again", "the vehicle logs in again")


def unanswered(command: int) -> Reason:
    """A request before the login, or the login, was not answered."""
    name = _NAMES.get(Command(command), f"command {command:02X}")
    return Reason(
        f"unanswered-{command:02X}",
        f"the platform has not answered the {name}",
        "See whether it knows the VIN: a platform leaves unanswered what its check does not let pass",
    )


def refused(command: int, flag: int) -> Reason:
    """It was answered with an error."""
    name = _NAMES.get(Command(command), f"command {command:02X}")
    known = Response(flag) if flag in set(Response) else None
    said = f"flag {flag:02X}, which has no meaning" if known is None else known.name.lower().replace("_", " ")
    todo = _FLAG_TODO.get(flag, "See the platform's log")
    return Reason(f"refused-{command:02X}-{flag:02X}", f"the platform answers the {name} with '{said}'", todo)


def not_active(why: str) -> Reason:
    """The platform has not activated the terminal."""
    return Reason("not-activated", f"the platform has not activated the terminal: {why}")
