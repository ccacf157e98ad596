"""`SessionRules`: each retry, interval and window of a terminal's session, one table for both editions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.uplink.gbt.answered import LiveSettings

OWN = "not in the standard"


class Unit(StrEnum):
    """What a rule's number counts."""

    SECONDS = "s"
    DAYS = "d"
    TIMES = "times"
    BYTES = "bytes"


class Keeper(StrEnum):
    """Which room sees to a rule."""

    SESSION = "edge/uplink/gbt/"
    REPORTS = "edge/uplink/gbt/reports.py"
    STORE = "edge/forward/rules.py"
    THINNING = "edge/forward/thinning.py"


@dataclass(frozen=True, slots=True)
class Rule:
    """One number of one edition.

    Attributes:
        name: of the attribute of `SessionRules`, and of the setting.
        value: unless configured or set by a platform.
        unit: of the value.
        clause: where the standard has it, or that it does not.
        meaning: for people.
        least: the least that may be configured; None where nothing else may be than `value`.
        most: the greatest.
        parameter: the id under which a platform may query and set it (0x80, 0x81).
        keeper: who sees to it.
    """

    name: str
    value: float
    unit: Unit
    clause: str
    meaning: str
    least: float | None = None
    most: float | None = None
    parameter: int | None = None
    keeper: Keeper = Keeper.SESSION

    @property
    def step(self) -> int | None:
        """The resolution of what a platform may query: minutes in 0C, seconds in the others; else None."""
        if self.parameter is None:
            return None
        return 60 if self.parameter == _MINUTES else 1

    @property
    def configurable(self) -> bool:
        """Whether something else may be configured."""
        return self.least is not None


_MINUTES = 0x0C
_LOGIN = "annex B, login"
_REISSUE = "annex B, reissue"
_REPORTS = "annex B, real-time reports"
_PARAMETER = "annex B, parameter {:02X}"


def _of_edition(edition: Edition) -> tuple[Rule, ...]:
    new = edition is Edition.Y2025
    return (
        Rule(
            "answer_timeout_s",
            60,
            Unit.SECONDS,
            _PARAMETER.format(0x0A),
            "an answer is waited for so long",
            1,
            600,
            0x0A,
        ),
        Rule(
            "login_retry_s",
            180 if new else 60,
            Unit.SECONDS,
            _LOGIN,
            "pause after a login that was not answered",
        ),
        Rule(
            "login_check_retry_s",
            180,
            Unit.SECONDS,
            _LOGIN,
            "pause after a login that the platform's check has failed",
        ),
        Rule("login_tries", 3, Unit.TIMES, _LOGIN, "logins that fail before the link is dropped"),
        Rule(
            "login_pause_s",
            1800,
            Unit.SECONDS,
            _PARAMETER.format(0x0C),
            "pause after that, then it begins anew",
            60,
            14_400,
            0x0C,
        ),
        Rule(
            "heartbeat_s",
            60,
            Unit.SECONDS,
            _PARAMETER.format(0x09),
            "between two heartbeats",
            1,
            240,
            0x09,
        ),
        Rule(
            "heartbeat_tries",
            3,
            Unit.TIMES,
            OWN,
            "heartbeats in a row that are not answered before the link is dropped",
            1,
            10,
        ),
        Rule(
            "report_retry_s",
            60,
            Unit.SECONDS,
            _REPORTS,
            "a report that was answered with an error goes again after so long",
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "report_retries",
            3,
            Unit.TIMES,
            _REPORTS,
            "how often it goes again before it is given up",
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "report_most_s",
            30,
            Unit.SECONDS,
            _REPORTS,
            "longest period of reports" + ("" if new else " in normal driving"),
            keeper=Keeper.THINNING,
        ),
        Rule(
            "reissue_days",
            7 if new else 3,
            Unit.DAYS,
            _REISSUE,
            "what is older is not reissued, but kept for inspection",
            0,
            3650,
            keeper=Keeper.STORE,
        ),
        Rule("farewell_s", 5, Unit.SECONDS, OWN, "the answer to a logout is waited for so long", 1, 60),
        Rule(
            "reconnect_first_s",
            1,
            Unit.SECONDS,
            OWN,
            "pause after a connection that did not open or broke, doubled each time, with a random part",
            0.1,
            60,
        ),
        Rule("reconnect_cap_s", 60, Unit.SECONDS, OWN, "the longest of these pauses", 1, 3600),
        Rule(
            "settled_s",
            180,
            Unit.SECONDS,
            OWN,
            "a session that lasted so long begins these pauses anew",
            1,
            3600,
        ),
        Rule(
            "drop_link_pause_s",
            60,
            Unit.SECONDS,
            OWN,
            "pause after a platform's order to drop the link",
            1,
            86_400,
        ),
        Rule(
            "probe_s", 1, Unit.SECONDS, OWN, "heartbeats that something waits for are so far apart", 0.1, 60
        ),
        Rule("stall_s", 5, Unit.SECONDS, OWN, "the rest of a frame is waited for so long", 0.1, 60),
        Rule(
            "garbage_bytes",
            65_536,
            Unit.BYTES,
            OWN,
            "bytes without a frame among them before the link is dropped",
            1024,
            1 << 20,
        ),
        Rule(
            "in_flight_bytes",
            262_144,
            Unit.BYTES,
            OWN,
            "reports under way and not known to be received, at most",
            1024,
            1 << 24,
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "ahead_bytes",
            4_096,
            Unit.BYTES,
            OWN,
            "bytes that the link has not passed on, at most, where a reissue may go",
            1,
            1 << 20,
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "backlog_bytes",
            16_384,
            Unit.BYTES,
            OWN,
            "largest payload of backlog",
            1024,
            1 << 20,
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "unanswered_cuts",
            3,
            Unit.TIMES,
            OWN,
            "a report that ends so many connections unanswered, while later ones are answered, is given up; "
            "one during which so many connections were closed goes alone",
            1,
            100,
            keeper=Keeper.REPORTS,
        ),
        Rule(
            "alone_cuts",
            5,
            Unit.TIMES,
            OWN,
            "a report that goes alone is given up after so many further ones",
            1,
            100,
            keeper=Keeper.REPORTS,
        ),
    )


RULES: Mapping[Edition, tuple[Rule, ...]] = {edition: _of_edition(edition) for edition in Edition}
"""The table."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """The numbers of one session; see `RULES` for what each means."""

    edition: Edition
    answer_timeout_s: float
    login_retry_s: float
    login_check_retry_s: float
    login_tries: float
    login_pause_s: float
    heartbeat_s: float
    heartbeat_tries: float
    report_retry_s: float
    report_retries: float
    report_most_s: float
    reissue_days: float
    farewell_s: float
    reconnect_first_s: float
    reconnect_cap_s: float
    settled_s: float
    drop_link_pause_s: float
    probe_s: float
    stall_s: float
    garbage_bytes: float
    in_flight_bytes: float
    ahead_bytes: float
    backlog_bytes: float
    unanswered_cuts: float
    alone_cuts: float

    def with_settings(self, live: LiveSettings) -> SessionRules:
        """The rules once a platform has set parameters."""
        return replace(
            self,
            heartbeat_s=live.heartbeat_s,
            answer_timeout_s=live.terminal_timeout_s,
            login_pause_s=live.login_pause_s,
        )


def session_rules(edition: Edition, **configured: float) -> SessionRules:
    """The rules of an edition.

    Args:
        edition: of the standard.
        configured: what is to be otherwise, by name.

    Raises:
        ConfigError: a rule is not there, cannot be changed, or not to that value.
    """
    by_name = {rule.name: rule for rule in RULES[edition]}
    values = {name: rule.value for name, rule in by_name.items()}
    for name, value in configured.items():
        rule = by_name.get(name)
        if rule is None:
            raise ConfigError(f"there is no rule '{name}' of a session")
        if rule.least is None or rule.most is None:
            raise ConfigError(f"{name} is {rule.value:g} {rule.unit} ({rule.clause}), and nothing else")
        if not rule.least <= value <= rule.most:
            raise ConfigError(f"{name} is {rule.least:g} to {rule.most:g} {rule.unit}, not {value:g}")
        if rule.step is not None and value % rule.step:
            raise ConfigError(
                f"{name} is counted in steps of {rule.step} {rule.unit}, which {value:g} is none of"
            )
        values[name] = value
    return SessionRules(edition, **values)


def rule_names() -> tuple[str, ...]:
    """The names of all rules, as `SessionRules` has them."""
    return tuple(field.name for field in fields(SessionRules) if field.name != "edition")


def table_lines() -> list[str]:
    """The table as docs/gbt32960.md shows it."""
    lines = ["| rule | 2016 | 2025 | | clause | configurable |", "|---|---|---|---|---|---|"]
    for old, new in zip(RULES[Edition.Y2016], RULES[Edition.Y2025], strict=True):
        bounds = f"{old.least:g} to {old.most:g}" if old.least is not None and old.most is not None else "no"
        values = f"{old.value:g} | {new.value:g} {new.unit}"
        lines.append(f"| `{old.name}` | {values} | {old.meaning} | {old.clause} | {bounds} |")
    return lines
