"""What an operator sees of a running platform: a table, lines, JSON; and the figures at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from edge.clock import NS_PER_S
from edge.wire.gbt.frame import Command, Response
from simulator.gbt.asks import parameter_text
from simulator.gbt.events import (
    Answered,
    Closed,
    Doubled,
    Event,
    Garbage,
    KeyAnswered,
    LoggedIn,
    LoggedOut,
    Refused,
    Unanswered,
)
from simulator.gbt.kpis import Figure, KpiReport
from simulator.gbt.platform import GbtPlatform

_SHOWN_VEHICLES = 40
_COLOURS = {True: "green", False: "bold red", None: "dim"}
_VERDICTS = {True: "met", False: "missed", None: "-"}


def event_text(event: Event) -> str:  # noqa: PLR0911 - a case a kind of event
    """One event as a line."""
    match event:
        case LoggedIn():
            by = f" by {event.by}" if event.by else ""
            kind = "platform " if event.platform else ""
            note = "" if event.number_rose else "; its session number does not rise"
            note += f"; {event.missed} sessions never came here" if event.missed else ""
            return f"{kind}{event.who} has logged in{by}: {event.edition.value}, session {event.number}{note}"
        case LoggedOut():
            return f"{event.who} has logged out: session {event.number}"
        case Refused():
            said = "no answer" if event.flag is None else f"answered {event.flag.value} {_flag(event.flag)}"
            detail = f" ({event.detail})" if event.detail else ""
            return f"{event.who}: {_command(event.command)} refused: {event.fault.value}{detail}; {said}"
        case Doubled():
            moment = f"{datetime.fromtimestamp(event.time_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
            return f"{event.who}: the report of {moment} came again"
        case Garbage():
            who = event.who or "nobody yet"
            return f"{who}: {event.skipped.length} bytes of garbage: {event.skipped.why}"
        case Answered():
            told = " ".join(f"{key:02X}={parameter_text(value)}" for key, value in event.parameters)
            answer = f"{event.flag} {_flag(event.flag)}"
            return f"{event.who}: '{event.ask}' answered {answer} after {event.after_s:.1f} s {told}".rstrip()
        case Unanswered():
            return f"{event.who}: '{event.ask}' not answered: {event.why}"
        case KeyAnswered():
            return f"{event.who}: the data key was answered {event.flag} {_flag(event.flag)}"
        case Closed():
            return f"{event.who or 'a connection'} closed: {event.why}"


def event_json(event: Event) -> dict[str, object]:
    """One event as plain values."""
    plain: dict[str, object] = {"event": type(event).__name__.lower(), **asdict(event)}
    match event:
        case LoggedIn():
            plain["edition"] = event.edition.value
        case Refused():
            plain["flag"] = None if event.flag is None else event.flag.value
            plain["fault"] = event.fault.value
        case Garbage():
            plain["skipped"] = {**asdict(event.skipped), "sample": event.skipped.sample.hex()}
        case Answered():
            plain["ask"] = str(event.ask)
            plain["parameters"] = {f"{key:02X}": _plain(value) for key, value in event.parameters}
        case Unanswered():
            plain["ask"] = str(event.ask)
    return plain


def look_table(platform: GbtPlatform, now_ns: int, place: str, lines: Iterable[str]) -> Table:
    """One look: a row a vehicle, the latest lines below."""
    hop = platform.hops()[0]
    aside = ", ".join(f"{count:,} {cause}" for cause, count in hop.set_aside.items() if count)
    figures = f"{hop.entered:,} messages, {hop.left:,} reports kept{f', {aside}' if aside else ''}"
    garbage = f", {platform.garbage:,} stretches of garbage" if platform.garbage else ""
    table = Table(
        title=f"GB/T 32960.3 platform at {place}",
        caption="\n".join((figures + garbage, *lines)),
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    for heading in ("vehicle", "edition", "live", "reissued", "doubles", "parse errors", "mean s", "newest"):
        justify = "left" if heading in {"vehicle", "edition", "newest"} else "right"
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type] # one of both
    states = sorted(platform.vehicles.values(), key=lambda one: one.name)
    for state in states[:_SHOWN_VEHICLES]:
        one = state.figures
        link = state.connection
        mean_s = one.mean_latency_s
        ago = now_ns // NS_PER_S - state.shelf.newest_s
        table.add_row(
            ("● " if link is not None else "○ ") + state.name,
            str(link.edition.value) if link is not None and link.edition is not None else "",
            f"{one.real_time:,}",
            f"{one.reissued:,}",
            f"{one.doubles:,}",
            f"{one.parse_errors:,}",
            "-" if mean_s is None else f"{mean_s:.1f}",
            "-" if state.shelf.newest_s < 0 else f"{ago:,} s ago",
            style="red" if one.parse_errors else None,
        )
    if len(states) > _SHOWN_VEHICLES:
        table.add_row(f"and {len(states) - _SHOWN_VEHICLES:,} more")
    return table


def look_json(platform: GbtPlatform) -> dict[str, object]:
    """The account as plain values."""
    hop = platform.hops()[0]
    return {
        "messages": hop.entered,
        "stored": hop.left,
        "set_aside": dict(hop.set_aside),
        "facts": dict(hop.facts),
        "balanced": hop.balanced,
        "vehicles": {
            state.name: {
                "type": state.figures.type,
                "online": state.connection is not None,
                "frames": state.figures.frames,
                "parse_errors": state.figures.parse_errors,
                "real_time": state.figures.real_time,
                "reissued": state.figures.reissued,
                "doubles": state.figures.doubles,
            }
            for state in sorted(platform.vehicles.values(), key=lambda one: one.name)
        },
    }


def kpi_json(report: KpiReport) -> dict[str, object]:
    """The figures as plain values."""
    return {
        "met": report.met,
        "figures": [asdict(one) for one in (*report.types, *report.vehicles)],
    }


def kpi_table(report: KpiReport) -> Table:
    """The figures with their limits, verdicts and rules: types first, then vehicles."""
    table = Table(title="figures by which a platform judges", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("of", "figure", "value", "limit", "verdict", "made of", "rule"):
        table.add_column(heading, justify="right" if heading in {"value", "limit"} else "left")
    for one in (*report.types, *report.vehicles):
        table.add_row(
            one.subject,
            one.name,
            _value(one, one.value),
            _value(one, one.limit),
            Text(_VERDICTS[one.met], _COLOURS[one.met]),
            one.basis,
            Text(one.rule, "dim"),
        )
    return table


def _value(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-"
    seconds = figure.name == "latency" and figure.scope == "vehicle"
    return f"{value:.1f} s" if seconds else f"{value:.2%}"


def _command(mark: int) -> str:
    named = {int(one): one.name.lower().replace("_", " ") for one in Command}
    return named.get(mark, f"command {mark:02X}")


def _flag(flag: int) -> str:
    named = {int(one): one.name.lower().replace("_", " ") for one in Response}
    return named.get(flag, "")


def _plain(value: int | bytes) -> int | str:
    return value if isinstance(value, int) else parameter_text(value)
