"""What `nevgate gbt convert` tells at its end: records in, messages out, and what could not be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from edge.account import Account, Hop
from edge.cli.program import emit_json
from simulator.conversion.converter import Converter
from simulator.conversion.waiting import Waiting

_ITEMS_SHOWN = 20


@dataclass(slots=True)
class ConvertReport:
    """What became of everything.

    Attributes:
        converter: what it counted.
        waiting: what waited.
        bytes: written; None where all went to a platform.
        facts: of the session with a platform.
        unreadable: blocks of a journal whose content could not be had, by why.
        failure: why it ended before its end; empty otherwise.
        hops: of the platform that took the records in.
        live: whether records may wait at the end, which go with the next start.
    """

    converter: Converter
    waiting: Waiting
    bytes: int | None = None
    facts: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    hops: tuple[Hop, ...] = ()
    live: bool = False

    @property
    def complete(self) -> bool:
        """Whether every record that should have gone has."""
        good = self.waiting.gone(all_of_them=not self.live) and self.waiting.hop().balanced
        return good and not (self.failure or self.unreadable)

    def emit(self) -> None:
        """As JSON."""
        told = [
            {"item": item, "why": why, "count": count} for (item, why), count in self.converter.told().items()
        ]
        emit_json(
            {
                "edition": self.converter.codec.edition.value,
                "account": Account.of((*self.hops, self.waiting.hop())).as_json(),
                "messages": self.converter.hop().facts["messages"],
                "bytes": self.bytes,
                "told": self.converter.reasons(),
                "told_items": told,
                "session": dict(sorted(self.facts.items())),
                "unreadable_blocks": dict(self.unreadable),
                "failure": self.failure or None,
                "complete": self.complete,
            }
        )

    def show(self) -> None:
        """For people, to standard error: standard output may hold the messages."""
        hop, made = self.waiting.hop(), self.converter.hop()
        where = "were acknowledged" if self.bytes is None else f"became {self.bytes:,} bytes"
        _say(f"{hop.left:,} of {hop.entered:,} records {where}, in {made.facts['messages']:,} messages")
        for cause, count in hop.set_aside.items():
            _say(f"  not gone: {count:,} {cause}")
        for cause, count in self.unreadable.items():
            _say(f"  not read: {count:,} blocks, {cause}")
        for fact, count in sorted(self.facts.items()):
            _say(f"  {fact}: {count:,}")
        self._show_told()

    def _show_told(self) -> None:
        by_item = Counter(self.converter.told())
        for why, count in self.converter.reasons().items():
            items = [item for (item, reason), _ in by_item.most_common() if reason == why]
            names = ", ".join(items[:_ITEMS_SHOWN]) + (" …" if len(items) > _ITEMS_SHOWN else "")
            _say(f"  said otherwise: {why}, {count:,} times: {names}")


def _say(line: str) -> None:
    click.echo(line, err=True)
