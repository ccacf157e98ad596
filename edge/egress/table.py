"""The result of the egress test as a page for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from edge.egress.judge import Judged, Judgement
from edge.egress.protocols import protocol_name, service_name
from edge.egress.result import EgressResult, PhaseResult, Verdict, address_text, direction_text, iso

_STYLES = {Judgement.NOT_ALLOWED: "bold red", Judgement.ALLOWED: "green", Judgement.RESOLVER: "yellow"}
_MOST_ASKED = 20


def headline(result: EgressResult) -> Text:
    """The verdict in one line."""
    words = {
        Verdict.PASS: ("PASS: nothing went where it must not", "bold green"),
        Verdict.NOT_PROVEN: ("NOT PROVEN: nothing was seen to go where it must not, but", "bold yellow"),
        Verdict.FAIL: (f"FAIL: {_places(result)} must not be sent to", "bold red"),
    }
    return Text(*words[result.verdict])


def _places(result: EgressResult) -> str:
    count = len({one.key.address for one in result.not_allowed})
    return "1 address that" if count == 1 else f"{count:,} addresses that"


def sentences(result: EgressResult) -> Iterator[Text]:
    """What is to be known beside the tables."""
    for one in result.reasons:
        yield Text(f"  not proved: {one}")
    for one in result.remarks:
        yield Text(f"  note: {one}")
    asked = sorted(result.asked.items(), key=lambda one: (-one[1], one[0]))
    if asked:
        shown = ", ".join(f"{name} ({times:,})" for name, times in asked[:_MOST_ASKED])
        more = f" and {len(asked) - _MOST_ASKED:,} more" if len(asked) > _MOST_ASKED else ""
        yield Text(f"  names asked for: {shown}{more}")


def phase_table(result: EgressResult) -> Table:
    """How each phase was captured."""
    table = Table(box=None, header_style="bold")
    for heading in ("phase", "seconds", "by", "packets", "lost", "captured on"):
        table.add_column(heading, justify="right" if heading in {"seconds", "packets", "lost"} else "left")
    for one in result.phases:
        table.add_row(
            one.phase.value,
            f"{one.lasted_s:,.0f} of {one.asked_s:,.0f}",
            one.basis.value,
            f"{one.packets:,}",
            "not told" if one.lost is None else f"{one.lost:,}",
            Text(_captured_on(one)),
        )
    return table


def _captured_on(phase: PhaseResult) -> str:
    return ", ".join((*phase.files, *phase.interfaces))


def flow_table(result: EgressResult) -> Table:
    """Every destination, those that are not allowed first."""
    table = Table(box=None, header_style="bold")
    headings = (
        "judgement",
        "address",
        "name",
        "protocol",
        "packets",
        "bytes",
        "way",
        "phase",
        "first",
        "last",
    )
    for heading in (*headings, "interface", "why"):
        table.add_column(heading, justify="right" if heading in {"packets", "bytes"} else "left")
    for one in result.flows:
        table.add_row(*_row(one), style=_STYLES.get(one.finding.judgement, ""))
    return table


def _row(one: Judged) -> Iterator[Text]:
    key, flow, finding = one.key, one.flow, one.finding
    where = " in ".join(filter(None, (finding.destination, finding.jurisdiction)))
    yield Text(finding.judgement.value)
    yield Text(address_text(one))
    yield Text(", ".join((*one.names, *(f"{name} (claimed)" for name in one.claimed))))
    port = "" if key.port is None else f" {key.port}"
    service = service_name(key.protocol, key.port)
    yield Text(f"{protocol_name(key.protocol)}{port}{f' ({service})' if service else ''}")
    yield Text(f"{flow.packets_out:,}/{flow.packets_in:,}")
    yield Text(f"{flow.bytes_out:,}/{flow.bytes_in:,}")
    yield Text(direction_text(one))
    yield Text(key.phase)
    yield Text(iso(flow.first_ns)[11:19])
    yield Text(iso(flow.last_ns)[11:19])
    yield Text(key.interface)
    yield Text(f"{where}: {finding.why}" if where else finding.why)
