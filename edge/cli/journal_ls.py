"""`nevgate journal ls`: what a journal holds, and what each destination has of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import click
from rich.table import Table

from edge.archive.destinations import DestinationState
from edge.archive.opening import Archive, Entry
from edge.archive.overview import Instant, Overview, SeriesSummary, instant_of, sum_up
from edge.archive.selection import Selection, moment_text
from edge.cli.console import counted, page
from edge.cli.place import find_place, kind_name, make_selection, place_options, selection_options
from edge.cli.program import emit_json
from edge.clock import NS_PER_S, TimeQuality


@click.command()
@place_options
@click.option("--blocks", is_flag=True, help="List single blocks.")
@selection_options
@click.option("--limit", type=click.IntRange(min=1), help="With --blocks: at most so many.")
@click.option("--no-keys", is_flag=True, help="Do without the keys: what is clear of each block.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    folder: Path | None,
    config_path: Path | None,
    blocks: bool,
    kinds: tuple[str, ...],
    classes: tuple[str, ...],
    since: str | None,
    until: str | None,
    boot: str,
    limit: int | None,
    no_keys: bool,
    as_json: bool,
) -> None:
    """Sum up the journal in FOLDER, or that of a configuration; works while the gateway runs.

    Shows blocks by kind and class, checkpoints, and what each destination has been given. With --blocks, or
    any filter, lists single blocks. Times are corrected where a later fix knows better; one marked NONE is
    counted from the start of the machine.

    \b
    Examples:
      nevgate journal ls /var/lib/nevgate
      nevgate journal ls --config /etc/nevgate/nevgate.toml --json
      nevgate journal ls --blocks --kind records --from 2026-03-01T08:00 --limit 20
      nevgate journal ls copy/ --no-keys
    """
    selection = make_selection(kinds, classes, since, until, boot)
    with find_place(folder, config_path).open(keys=not no_keys) as archive:
        if blocks or selection != Selection() or limit is not None:
            _list_blocks(archive, islice(archive.entries(selection), limit), as_json=as_json)
            return
        overview = sum_up(archive)
    if as_json:
        emit_json(_as_json(overview))
    else:
        _show(overview)


def _list_blocks(archive: Archive, entries: Iterable[Entry], *, as_json: bool) -> None:
    if as_json:
        emit_json([_block_json(archive, entry) for entry in entries])
        return
    table = Table(box=None, header_style="bold")
    for heading in ("block", "kind", "class", "first", "last", "quality", "count", "bytes", "numbers", ""):
        right = heading in {"block", "count", "bytes"}
        table.add_column(heading, justify="right" if right else "left")
    for entry in entries:
        header = entry.header
        first = instant_of(archive, header, latest=False)
        table.add_row(
            str(header.number),
            kind_name(header.kind),
            header.data_class,
            _when(first),
            _when(instant_of(archive, header, latest=True)),
            first.timebase.quality.name,
            f"{header.count:,}",
            f"{entry.size:,}" if entry.size else "deleted",
            _numbers(header.first_number, header.last_number),
            "locked" if entry.locked else "",
        )
    page().print(table)


def _show(overview: Overview) -> None:
    click.echo(f"stream {overview.stream.hex()}, {overview.file_bytes:,} bytes on the disk")
    if overview.predecessor is not None:
        click.echo(f"  follows stream {overview.predecessor.hex()}")
    console = page()
    table = Table(box=None, header_style="bold")
    for heading in (
        "kind",
        "class",
        "blocks",
        "bytes",
        "first",
        "last",
        "quality",
        "numbers",
        "gone",
        "locked",
    ):
        right = heading in {"blocks", "bytes", "gone", "locked"}
        table.add_column(heading, justify="right" if right else "left")
    for one in overview.series:
        table.add_row(
            kind_name(one.kind),
            one.data_class,
            f"{one.blocks:,}",
            f"{one.bytes:,}",
            "damaged" if one.first is None else _when(one.first),
            "damaged" if one.last is None else _when(one.last),
            "" if one.last is None else one.last.timebase.quality.name,
            _numbers(one.first_number, one.last_number),
            _gone(one),
            f"{one.locked:,}" if one.locked else "",
        )
    console.print(table)
    click.echo(
        f"{counted(overview.last_block, 'block')} made; of {overview.removed:,} only the place is left"
    )
    click.echo(
        f"{counted(overview.checkpoints, 'checkpoint')} up to block {overview.covered:,};"
        f" {overview.countersigned:,} countersigned, up to block {overview.countersigned_to:,}"
    )
    if overview.destinations:
        console.print(destination_table(overview.destinations))
    for path in overview.beside:
        click.echo(f"a damaged journal stands beside it: {path}")


def destination_table(destinations: Sequence[DestinationState]) -> Table:
    """What each destination has of each stream."""
    table = Table(box=None, header_style="bold")
    table.add_column("destination")
    table.add_column("stream")
    headings = ("last number", "acknowledged", "held", "unsent", "given up", "messages held", "gaps")
    for heading in headings:
        table.add_column(heading, justify="right")
    for one in destinations:
        for place, share in enumerate(one.shares):
            counts = (share.last_number, share.acknowledged, share.held, share.unsent, share.given_up)
            own = (f"{one.messages:,}", f"{one.gaps:,}") if place == 0 else ("", "")
            table.add_row(one.name, share.stream.hex()[:8], *(f"{count:,}" for count in counts), *own)
    return table


def destination_json(one: DestinationState) -> dict[str, object]:
    """The same as plain values."""
    return {
        "destination": one.name,
        "messages_held": one.messages,
        "message_bytes": one.message_bytes,
        "gaps": one.gaps,
        "streams": [
            {
                "stream": share.stream.hex(),
                "last_number": share.last_number,
                "acknowledged": share.acknowledged,
                "held": share.held,
                "unsent": share.unsent,
                "given_up": share.given_up,
                "first_unsent": share.first_unsent or None,
            }
            for share in one.shares
        ],
    }


def _as_json(overview: Overview) -> dict[str, object]:
    return {
        "stream": overview.stream.hex(),
        "predecessor": None if overview.predecessor is None else overview.predecessor.hex(),
        "file_bytes": overview.file_bytes,
        "last_block": overview.last_block,
        "removed_blocks": overview.removed,
        "last_number": overview.last_number,
        "series": [
            {
                "kind": kind_name(one.kind),
                "class": one.data_class,
                "blocks": one.blocks,
                "bytes": one.bytes,
                "deleted": one.deleted,
                "erased": one.erased,
                "locked": one.locked,
                "first": None if one.first is None else _instant_json(one.first),
                "last": None if one.last is None else _instant_json(one.last),
                "first_number": one.first_number or None,
                "last_number": one.last_number or None,
            }
            for one in overview.series
        ],
        "checkpoints": {
            "count": overview.checkpoints,
            "covered": overview.covered,
            "countersigned": overview.countersigned,
            "countersigned_to": overview.countersigned_to,
        },
        "destinations": [destination_json(one) for one in overview.destinations],
        "damaged_beside": [str(path) for path in overview.beside],
    }


def _block_json(archive: Archive, entry: Entry) -> dict[str, object]:
    header = entry.header
    return {
        "number": header.number,
        "kind": kind_name(header.kind),
        "class": header.data_class,
        "first": _instant_json(instant_of(archive, header, latest=False)),
        "last": _instant_json(instant_of(archive, header, latest=True)),
        "count": header.count,
        "bytes": entry.size,
        "deleted": entry.size == 0,
        "locked": entry.locked,
        "first_number": header.first_number or None,
        "last_number": header.last_number or None,
        "mask": header.mask,
    }


def _instant_json(one: Instant) -> dict[str, object]:
    known = one.timebase.quality is not TimeQuality.NONE
    return {
        "boot": one.boot.hex(),
        "t_ns": one.t_ns,
        "wall_ns": one.timebase.wall_ns(one.t_ns) if known else None,
        "quality": one.timebase.quality.name,
    }


def _when(one: Instant) -> str:
    if one.timebase.quality is TimeQuality.NONE:
        return f"{one.boot.hex()[:8]} + {one.t_ns / NS_PER_S:.3f} s"
    return moment_text(one.timebase.wall_ns(one.t_ns))


def _numbers(first: int, last: int) -> str:
    return f"{first} to {last}" if first else ""


def _gone(one: SeriesSummary) -> str:
    if not one.deleted:
        return ""
    if one.erased:
        return f"{one.deleted:,} ({one.erased:,} erased)"
    return f"{one.deleted:,}"
