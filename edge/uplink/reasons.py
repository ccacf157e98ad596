"""Why a session was refused, ended, or a message not taken, and how nevgate reacts to each.

Codes and their meaning: OASIS MQTT 5.0, 2.4 (all), 3.2.2.2 (CONNACK), 3.4.2.1 (PUBACK), 3.14.2.1
(DISCONNECT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

FIRST_FAILURE_CODE = 0x80


class Pace(Enum):
    """How soon a connection is tried again."""

    SOON = "soon"
    """The network or the broker may be back at any moment."""

    LATE = "late"
    """A person has to do something, or the broker asks for quiet."""


class Culprit(Enum):
    """What a broken connection says about what was in flight."""

    NOTHING = "nothing"
    WINDOW = "window"
    """Too much at once: the next connection begins with one message in flight."""

    MESSAGE = "message"
    """A message is such that the broker will never take it: it is set aside once it is known which."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a session did not come about, or has ended.

    Attributes:
        key: short fixed name; a notice is given when it changes.
        what: what happened, without a full stop.
        todo: what the reader can do.
        pace: how soon to try again.
        culprit: what it says about what was in flight.
        fact: what the account counts it as, beside the connection itself; empty for nothing.
    """

    key: str
    what: str
    todo: str = ""
    pace: Pace = Pace.SOON
    culprit: Culprit = Culprit.NOTHING
    fact: str = ""


class Reaction(Enum):
    """What happens to a message that the broker has answered."""

    ACCEPT = "accept"
    """It counts as taken by the broker."""

    REPEAT = "repeat"
    """It is sent again at once."""

    PAUSE_TOPIC = "pause topic"
    """It is kept, and its topic rests for 5 s, doubled each time up to a minute."""

    PAUSE_ALL = "pause all"
    """It is kept, and every topic rests likewise."""

    SET_ASIDE = "set aside"
    """It is given up and counted: the same bytes would be refused again."""


@dataclass(frozen=True, slots=True)
class PubackRule:
    """How one PUBACK code is obeyed; `what` and `todo` as in `Reason`, and the cause if it is set aside."""

    reaction: Reaction
    what: str = ""
    todo: str = ""


_PUBACK_RULES: Mapping[int, PubackRule] = MappingProxyType(
    {
        0x00: PubackRule(Reaction.ACCEPT),
        0x10: PubackRule(
            Reaction.PAUSE_TOPIC,
            "nobody is subscribed to {topic}, so the broker threw the message away",
            "Start the platform, or have it subscribe; messages wait here meanwhile",
        ),
        0x80: PubackRule(
            Reaction.PAUSE_TOPIC,
            "the broker did not take a message on {topic} and does not say why",
            "See the broker's log",
        ),
        0x83: PubackRule(
            Reaction.PAUSE_TOPIC,
            "the broker did not take a message on {topic} for a reason of its own",
            "See the broker's log",
        ),
        0x87: PubackRule(
            Reaction.PAUSE_TOPIC,
            "this gateway may not publish on {topic}",
            "Have the broker's access list allow it; messages wait here meanwhile",
        ),
        0x90: PubackRule(
            Reaction.PAUSE_TOPIC,
            "the broker does not accept the topic name {topic}",
            "Have the broker's rules allow it, or change vehicle.pseudonym; messages wait here meanwhile",
        ),
        0x91: PubackRule(Reaction.REPEAT),
        0x95: PubackRule(
            Reaction.SET_ASIDE,
            "the broker found a message on {topic} too large",
            "Shorten sampling.uplink_period_s, or have the broker's limit raised",
        ),
        0x97: PubackRule(
            Reaction.PAUSE_ALL,
            "the broker's quota for this gateway is used up",
            "Have the quota raised; messages wait here meanwhile",
        ),
        0x99: PubackRule(
            Reaction.SET_ASIDE,
            "the broker found the payload of a message on {topic} invalid",
            "Have the broker's payload check accept CBOR",
        ),
    }
)

SET_ASIDE_CAUSES: Mapping[int, str] = MappingProxyType(
    {0x95: "refused by the broker: packet too large", 0x99: "refused by the broker: payload format invalid"}
)
"""The account's words for messages given up because of a PUBACK code."""


def puback_rule(code: int) -> PubackRule:
    """How a PUBACK with `code` is obeyed; one that MQTT does not name is treated as unspecified."""
    known = _PUBACK_RULES.get(code)
    if known is not None:
        return known
    return PubackRule(Reaction.ACCEPT) if code < FIRST_FAILURE_CODE else _PUBACK_RULES[0x80]


_REDIRECT = "redirects refused"

_CLOSE_REASONS: Mapping[int, Reason] = MappingProxyType(
    {
        0x00: Reason("closed-by-broker", "the broker ended the session without a fault"),
        0x80: Reason(
            "unspecified",
            "the broker ended the session and does not say why",
            "See the broker's log",
            culprit=Culprit.WINDOW,
        ),
        0x81: Reason(
            "malformed-packet",
            "the broker could not read a packet",
            "See the broker's log",
            culprit=Culprit.MESSAGE,
        ),
        0x82: Reason(
            "protocol-error",
            "the broker found a fault in the protocol",
            "See the broker's log",
            pace=Pace.LATE,
            culprit=Culprit.WINDOW,
        ),
        0x83: Reason(
            "implementation-specific",
            "the broker ended the session for a reason of its own",
            "See the broker's log",
            culprit=Culprit.WINDOW,
        ),
        0x84: Reason(
            "protocol-version",
            "the broker does not speak this version of MQTT",
            'Set uplink.protocol = "3.1.1" or "5", whichever it speaks',
            pace=Pace.LATE,
        ),
        0x85: Reason(
            "client-identifier",
            "the broker does not accept this client identifier",
            "Have it registered at the broker",
            pace=Pace.LATE,
        ),
        0x86: Reason(
            "bad-user-name-or-password",
            "the broker does not accept this user name or password",
            "Check uplink.username and the file uplink.password_file",
            pace=Pace.LATE,
        ),
        0x87: Reason(
            "not-authorised",
            "the broker does not let this gateway in",
            (
                "Check uplink.username, the file uplink.password_file and the client certificate, "
                "and the broker's access list"
            ),
            pace=Pace.LATE,
        ),
        0x88: Reason("server-unavailable", "the broker is there, but not in service"),
        0x89: Reason("server-busy", "the broker is busy", pace=Pace.LATE),
        0x8A: Reason("banned", "the broker has banned this gateway", "Have the ban lifted", pace=Pace.LATE),
        0x8B: Reason("server-shutting-down", "the broker is shutting down"),
        0x8C: Reason(
            "authentication-method", "the broker wants another way of authentication", pace=Pace.LATE
        ),
        0x8D: Reason("keep-alive-timeout", "the broker heard nothing within the keep-alive time"),
        0x8E: Reason(
            "session-taken-over",
            "another client has connected with this gateway's client identifier",
            "Stop the other one: two gateways run for one vehicle, or somebody has its credentials",
            pace=Pace.LATE,
        ),
        0x90: Reason(
            "topic-name-invalid",
            "the broker does not accept a topic name of this gateway",
            "Have the broker's rules allow it, or change vehicle.pseudonym",
            pace=Pace.LATE,
        ),
        0x93: Reason(
            "receive-maximum-exceeded",
            "the broker found more messages in flight than it takes",
            "Lower uplink.in_flight",
            culprit=Culprit.WINDOW,
        ),
        0x95: Reason(
            "packet-too-large",
            "the broker found a packet too large",
            "Shorten sampling.uplink_period_s, or have the broker's limit raised",
            culprit=Culprit.MESSAGE,
        ),
        0x96: Reason(
            "message-rate-too-high",
            "the broker finds the message rate too high",
            "Have the rate limit raised",
            pace=Pace.LATE,
            culprit=Culprit.WINDOW,
        ),
        0x97: Reason(
            "quota-exceeded",
            "the broker's quota for this gateway is used up",
            "Have the quota raised",
            pace=Pace.LATE,
        ),
        0x98: Reason(
            "administrative-action", "the broker's administrator has ended the session", pace=Pace.LATE
        ),
        0x99: Reason(
            "payload-format-invalid",
            "the broker found a payload invalid",
            "Have the broker's payload check accept CBOR",
            culprit=Culprit.MESSAGE,
        ),
        0x9A: Reason(
            "retain-not-supported",
            "the broker keeps no retained messages, which the last will needs",
            "Have the broker allow retained messages on the status topic",
            pace=Pace.LATE,
        ),
        0x9B: Reason(
            "qos-not-supported",
            "the broker does not take quality of service 1, without which nothing is acknowledged",
            "Use another broker, or have it allow QoS 1",
            pace=Pace.LATE,
        ),
        0x9C: Reason(
            "use-another-server",
            (
                "the broker asks to use another server for now; nevgate connects only to the host "
                "that is configured"
            ),
            "If you trust that server, set uplink.host to it",
            pace=Pace.LATE,
            fact=_REDIRECT,
        ),
        0x9D: Reason(
            "server-moved",
            ("the broker has moved to another server; nevgate connects only to the host that is configured"),
            "If you trust that server, set uplink.host to it",
            pace=Pace.LATE,
            fact=_REDIRECT,
        ),
        0x9F: Reason(
            "connection-rate-exceeded",
            "the broker finds that this gateway connects too often",
            pace=Pace.LATE,
        ),
        0xA0: Reason("maximum-connect-time", "the broker ends every session after a time of its own"),
    }
)


def close_reason(code: int) -> Reason:
    """What a CONNACK or DISCONNECT with `code` (0 to 255) means; an unknown code is named by its number."""
    known = _CLOSE_REASONS.get(code)
    if known is not None:
        return known
    return Reason(
        f"code-{code:#04x}",
        f"the broker ended the session with reason code {code:#04x}",
        "See the broker's log",
        Pace.LATE,
    )


CONNECTION_LOST = Reason(
    "connection-lost",
    "the connection was lost",
    "Nothing is to be done while the vehicle is out of reach: it will connect again by itself",
)
NO_PUBACK = Reason(
    "no-puback",
    "the broker has acknowledged nothing for too long, though the connection stands",
    "",
    Pace.SOON,
    Culprit.WINDOW,
)
NO_SUBACK = Reason("no-suback", "the broker has not answered the subscription for receipts", "", Pace.SOON)
SUBSCRIPTION_REFUSED = Reason(
    "subscription-refused",
    "this gateway may not subscribe to {topic}, so no receipt can reach it",
    'Have the broker\'s access list allow it, or set uplink.acknowledge = "puback"',
    Pace.LATE,
)
STOPPED = Reason("stopped", "the session was ended on purpose")
