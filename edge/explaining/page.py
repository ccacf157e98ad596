"""Answers as a page for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edge.explaining.destinations import DestinationAnswer
from edge.explaining.diagnostics import DiagnosticAnswer
from edge.explaining.items import ItemAnswer
from edge.explaining.media import WORDS, MediaAnswer
from edge.explaining.payloads import PayloadAnswer, RuleLine
from edge.explaining.picture import picture
from edge.explaining.question import Answer
from edge.explaining.signals import SignalAnswer
from edge.explaining.situation import Situation
from edge.explaining.summary import Summary
from edge.explaining.uses import ClassAnswer, UseAnswer

_YES, _NO, _MAYBE = "bold green", "bold red", "bold yellow"
_MARGIN = 13
_MOST = 4
"""Signals named in a row; --json names all."""


def heading(situation: Situation) -> Iterator[RenderableType]:
    """What all answers rest on."""
    choice = situation.choice
    yield Text.assemble("by policy ", (choice.policy.title, "bold"), f", {situation.agreed.source}")
    if choice.complaint is not None:
        yield Text(f"  the policy that the configuration names is refused: {choice.complaint}", _NO)
    if situation.agreed.withheld:
        classes = ", ".join(sorted(situation.agreed.withheld))
        yield Text(f"  the vehicle is in '{situation.agreed.place}', where {classes} is withheld", _MAYBE)


def page_of(answer: Answer) -> Iterator[RenderableType]:
    """One answer."""
    yield Text("")
    match answer:
        case SignalAnswer():
            yield from _signal(answer)
        case PayloadAnswer():
            yield from _payload(answer)
        case DiagnosticAnswer():
            yield from _diagnostic(answer)
        case ItemAnswer():
            yield from _item(answer)
        case ClassAnswer():
            yield _title(f"class {answer.data_class}", collected=answer.collected)
            yield from _class(answer)
        case DestinationAnswer():
            yield from _destination(answer)
        case MediaAnswer():
            yield _title(answer.device, collected=answer.collected)
            yield _line("why", answer.why)
            for policy in answer.policies:
                named = answer.device not in WORDS
                yield _line("class", f"{'it is' if named else 'one would be'} of class {policy.data_class}")
                yield from _class(policy)


def summary_page(summary: Summary, *, every: bool) -> Iterator[RenderableType]:
    """The summary of all signals.

    Args:
        summary: what it says.
        every: list each signal too.
    """
    table = Table(box=None, header_style="bold")
    for title in ("class", "signals", "collected", "more by consent"):
        table.add_column(title, justify="left" if title == "class" else "right")
    table.add_column("not collected, since")
    for line in summary.classes:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(line.withheld.items()))
        table.add_row(
            line.data_class or "none",
            str(line.signals),
            Text(str(line.collected), _YES if line.collected else ""),
            str(line.by_consent or ""),
            reasons,
        )
    yield table
    more = f", and {summary.items_by_consent} more by consent" if summary.items_by_consent else ""
    yield Text(f"{summary.items} items go into each record{more}")
    if every:
        signals = Table(box=None, header_style="bold")
        for title in ("signal", "class", "", "since"):
            signals.add_column(title)
        for one in summary.signals:
            state = Text("collected", _YES) if one.collected else Text("not collected", _NO)
            since = one.reason + (", collected by consent" if one.by_consent else "")
            signals.add_row(Text(one.name), one.data_class or "none", state, since)
        yield signals


def _title(name: str, *, collected: bool, yes: str = "collected", no: str = "not collected") -> Text:
    return Text.assemble((name, "bold"), "  ", (yes, _YES) if collected else (no, _NO))


def _line(title: str, words: str, style: str = "") -> RenderableType:
    return _lines(title, [Text(words, style)])


def _lines(title: str, several: Iterable[Text]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_MARGIN, style="dim")
    grid.add_column(overflow="fold")
    for place, one in enumerate(several):
        grid.add_row("" if place else f"  {title}", one)
    return grid


def _signal(answer: SignalAnswer) -> Iterator[RenderableType]:
    yield _title(answer.name, collected=answer.collected)
    if answer.whys:
        yield _lines("why", [Text(one.words) for one in answer.whys])
    named = {cause.signal for one in answer.whys for cause in one.causes}
    if {one.signal for one in answer.roots} != named and answer.roots:
        roots = [f"{one.signal} ({one.data_class or 'no class'})" for one in answer.roots]
        more = f" and {len(roots) - _MOST} more" if len(roots) > _MOST else ""
        yield _line("in the end", f"because of {', '.join(roots[:_MOST])}{more}")
    if answer.collected:
        yield _line("for", ", ".join(answer.purposes))
    if answer.by_consent:
        yield _line("by consent", "it would be collected if everybody agreed to everything", _MAYBE)
    if answer.not_in:
        yield _line("but not in", ", ".join(answer.not_in), _MAYBE)
    given = (
        f"{answer.data_class}, by {answer.class_file}"
        if answer.data_class
        else f"none, by {answer.class_file}"
    )
    yield _line("class", given)
    yield _line("where", f"0x{answer.arbitration_id:X}{'x' if answer.extended else ''}, bits {answer.bits}")
    if answer.items:
        yield _lines(
            "fills",
            [
                Text(f"{one.item}, {'in records' if one.in_records else 'in no record'}")
                for one in answer.items
            ],
        )
    if answer.policy is not None and answer.policy.collected and not answer.collected:
        yield _line("policy", f"class {answer.data_class} itself is collected")
    elif answer.policy is not None:
        yield from _class(answer.policy)


def _class(answer: ClassAnswer) -> Iterator[RenderableType]:
    bare = [use.purpose for use in answer.uses if not use.rule]
    parts = [part for use in answer.uses if use.rule for part in _use(use)]
    if bare:
        words = (
            f": no rule of the policy collects {answer.data_class} for {'it' if len(bare) == 1 else 'them'}"
        )
        parts.append(Text.assemble(f"{', '.join(bare):9}  ", ("not collected", _NO), words))
    yield _lines(str(answer.data_class), parts)
    if answer.here:
        yield _line("here", f"the vehicle is in the area '{answer.here}', where it is withheld", _MAYBE)
    if answer.areas:
        yield _line("areas", f"withheld in {', '.join(answer.areas)}")


def _use(use: UseAnswer) -> Iterator[Text]:
    state = ("collected", _YES) if use.collected else ("not collected", _NO)
    words = f": {use.why}" if use.why else f" by {use.ground}" + (f" until {use.until}" if use.until else "")
    yield Text.assemble(f"{use.purpose:9}  ", state, words)
    yield Text(f"{'':11}rule: {use.rule}", "dim")
    if use.collected:
        yield Text(f"{'':11}kept {use.kept}")
    for way in use.ways:
        exactly = f", precision {way.precision}" if way.precision else ""
        yield Text(
            f"{'':11}{'may go' if way.allowed else 'may not go'} to {way.destination}"
            + (exactly if way.allowed else f": {way.why}")
        )
    if use.remark:
        yield Text(f"{'':11}note: {use.remark}", "dim")


def _payload(answer: PayloadAnswer) -> Iterator[RenderableType]:
    shown = f"0x{answer.arbitration_id:X}{'x' if answer.extended else ''}"
    group = "" if answer.pgn is None else f" PGN {answer.pgn} (0x{answer.pgn:X})"
    name = f"{answer.bus} {shown}{group} {', '.join(answer.messages)}".rstrip()
    yield _title(name, collected=answer.keeps, yes="collected in part or whole", no="nothing passes")
    if answer.transport == "J1939":
        yield _line("transport", "segments are never kept; what they carry is judged as its own PGN")
    elif answer.transport:
        yield _line("transport", "ISO-TP: segments are never kept; whole messages are judged by these rules")
        yield _lines("rules", [_rule(one) for one in answer.rules] or [Text("none: no message passes")])
    elif not answer.messages:
        words = "no database describes it: such a frame is dropped whole, only its id and number are counted"
        yield _line("why", words)
    if answer.keeps and answer.shortest:
        yield _line("length", f"frames of fewer than {answer.shortest} bytes are set aside, for a checksum")
    if answer.longest is not None:
        yield _line("length", f"frames of more than {answer.longest} bytes are set aside, for a checksum")
    if answer.signals:
        for part in picture(answer):
            yield Padding(part, (0, 0, 0, 2), expand=False)
    passage = answer.passage
    if passage is not None:
        yield _line("frame", passage.before or "without data")
        if passage.cause:
            yield _line("is", f"set aside: {passage.cause}", _NO)
        else:
            yield _line("leaves as", passage.after or "a frame without data", _YES)


def _rule(rule: RuleLine) -> Text:
    width = 2 if any(last > 0xFF for _, last in rule.identifiers) else 1  # noqa: PLR2004 - one byte's greatest
    spans = [
        f"0x{low:0{2 * width}X}" + (f"-0x{high:0{2 * width}X}" if high > low else "")
        for low, high in rule.identifiers
    ]
    count = "any number of bytes" if rule.data_bytes is None else f"{rule.data_bytes} bytes"
    state = ("collected", _YES) if rule.collected else ("not collected", _NO)
    identifiers = ", ".join(spans) or "all identifiers"
    return Text.assemble(f"service 0x{rule.service:02X} {identifiers}, {count}: {rule.data_class} ", state)


def _diagnostic(answer: DiagnosticAnswer) -> Iterator[RenderableType]:
    shown = f"0x{answer.arbitration_id:X}{'x' if answer.extended else ''}"
    yield _title(f"{answer.bus} {shown} message 0x{answer.message.upper()}", collected=answer.collected)
    yield _line("why", answer.why)
    if answer.described:
        words = f"judged as {answer.described} in a single frame, by the rules where it comes in segments"
        yield _line("transport", words)
    for one in answer.single:
        state = ("collected", _YES) if one.collected else (f"not collected: {one.why}", _NO)
        yield _lines("single", [Text.assemble(f"{one.name} at {one.bits}  ", state)])
    if answer.rules:
        yield _lines("rules", [_rule(one) for one in answer.rules])
    if answer.withheld:
        yield _line("without", f"the bits of {', '.join(answer.withheld)}")
    if answer.policy is not None:
        yield from _class(answer.policy)


def _item(answer: ItemAnswer) -> Iterator[RenderableType]:
    yield _title(
        f"{answer.item}  {answer.title}", collected=answer.in_records, yes="in records", no="in no record"
    )
    if answer.whys:
        yield _lines("why", [Text(one) for one in answer.whys])
    if answer.by_consent:
        yield _line("by consent", "it would be in records if everybody agreed to everything", _MAYBE)
    yield _line("from", answer.source)
    if answer.signals:
        parts = [
            Text.assemble(one.name, "  ", ("collected", _YES) if one.collected else ("not collected", _NO))
            for one in answer.signals
        ]
        yield _lines("signals", parts)
    if answer.precision:
        yield _line("precision", answer.precision)
    yield from _class(answer.policy)


def _destination(answer: DestinationAnswer) -> Iterator[RenderableType]:
    yield _title(
        f"destination {answer.destination}", collected=answer.allowed, yes="may be connected to", no="may not"
    )
    if answer.why:
        yield _line("why", answer.why)
    stands = answer.jurisdiction or ("in the vehicle" if answer.in_vehicle else "nowhere that is stated")
    listed = {None: "the policy has no list", True: "listed by the policy", False: "not listed by the policy"}
    words = f"{answer.host}, for {answer.purpose}; stands {stands}; {listed[answer.listed]}"
    yield _line("where", words)
    parts = []
    for share in answer.shares:
        exactly = (
            f", precision {answer.precision}" if answer.precision and share.data_class == "position" else ""
        )
        state = (f"may have{exactly}", _YES) if share.allowed else ("may not have", _NO)
        parts.append(Text.assemble(f"{share.data_class:9}  ", state, f": {share.why}" if share.why else ""))
    yield _lines("classes", parts)
