"""`nevgate journal show`: one block with its content."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table

from edge.archive.block_view import BlockView, view
from edge.archive.opening import Archive
from edge.archive.overview import instant_of
from edge.archive.records import values_of
from edge.archive.selection import moment_text
from edge.catalogue.catalogue import builtin
from edge.cli.console import page
from edge.cli.place import find_place, kind_name, place_options
from edge.cli.program import emit_json
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.journal.block import BlockHeader


@click.command()
@click.argument("number", type=click.IntRange(min=1))
@place_options
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Frames or records.")
@click.option("--no-keys", is_flag=True, help="Do without the keys: header and hashes alone.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; then everything is shown.")
def command(
    number: int,
    folder: Path | None,
    config_path: Path | None,
    limit: int,
    no_keys: bool,
    as_json: bool,
) -> None:
    """Show block NUMBER: its header and hashes, whether they hold, and what is in it.

    Frames are shown like candump shows them, records with names and units, anything else field by field. A
    block of records has the items of one class; 'nevgate journal export' joins them.

    \b
    Examples:
      nevgate journal show 1207 --config /etc/nevgate/nevgate.toml
      nevgate journal show 1207 /var/lib/nevgate --json
      nevgate journal show 1207 copy/ --no-keys

    Exit status: 1 if a hash does not hold.
    """
    with find_place(folder, config_path).open(keys=not no_keys) as archive:
        seen = view(archive, number)
        if as_json:
            emit_json(_as_json(seen))
        else:
            _show(archive, seen, limit)
    if not seen.holds:
        raise SystemExit(1)


def _show(archive: Archive, seen: BlockView, limit: int) -> None:
    header = seen.block.header
    for name, text in _facts(archive, seen).items():
        click.echo(f"{name:<12} {text}")
    if seen.why_closed:
        click.echo(f"no content: {seen.why_closed}")
    elif seen.frames is not None:
        for place in range(min(limit, len(seen.frames))):
            click.echo(candump_line(seen.frames.frame(place), seen.frames, archive, header))
        _more(len(seen.frames), limit, "frames")
    elif seen.records is not None:
        page().print(_records_table(seen, limit))
        _more(len(seen.records), limit, "records")
    elif seen.notes is not None:
        for name, value in seen.notes.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            click.echo(f"{name}: {text}")


def _more(count: int, limit: int, what: str) -> None:
    if count > limit:
        click.echo(f"and {count - limit:,} more {what}; --limit or --json shows them")


def _facts(archive: Archive, seen: BlockView) -> dict[str, str]:
    block, header = seen.block, seen.block.header
    first = instant_of(archive, header, latest=False)
    wall = first.timebase
    facts = {
        "block": f"{header.number}, {kind_name(header.kind)}, class '{header.data_class}'",
        "boot": header.boot.hex(),
        "since boot": f"{header.from_ns / NS_PER_S:.6f} s to {header.to_ns / NS_PER_S:.6f} s",
        "wall time": "not known"
        if wall.quality is TimeQuality.NONE
        else f"{moment_text(wall.wall_ns(header.from_ns))} to {moment_text(wall.wall_ns(header.to_ns))}"
        f" ({wall.quality.name}{', corrected later' if wall != _own(header) else ''})",
        "count": f"{header.count:,}",
        "before": f"block {header.previous} of the same kind and class" if header.previous else "none",
        "key": header.key_id.hex(),
        "leaf": seen.leaf.hex(),
        "commitment": f"{block.commitment.hex()} {_verdict(seen.committed, 'not opened')}",
        "ciphertext": f"{block.ciphertext_hash.hex()} {_verdict(seen.sealed, 'deleted')}",
        "link": f"{block.link.hex()} {_verdict(seen.linked, 'the block before is gone')}",
        "checkpoint": _checkpoint(seen),
    }
    if header.first_number:
        facts["numbers"] = f"{header.first_number} to {header.last_number}"
    if header.mask:
        facts["mask"] = header.mask
    return facts


def _own(header: BlockHeader) -> Timebase:
    return Timebase(header.wall_offset_ns, header.time_quality)


def _verdict(holds: bool | None, unknown: str) -> str:
    return f"({unknown})" if holds is None else "holds" if holds else "DOES NOT HOLD"


def _checkpoint(seen: BlockView) -> str:
    covering = seen.checkpoint
    if covering is None:
        return "none yet"
    countersigned = "not countersigned" if covering.receipt is None else "countersigned"
    return f"of blocks {covering.first} to {covering.last}, {countersigned}"


def candump_line(frame: Frame, batch: FrameBatch, archive: Archive, header: BlockHeader) -> str:
    """A frame as candump writes it; a reassembled message says so."""
    own = archive.wall_times.timebase(header.boot, frame.t_ns, batch.timebase)
    known = own.quality is not TimeQuality.NONE
    micros = (own.wall_ns(frame.t_ns) if known else frame.t_ns) // 1_000
    digits = 8 if FrameFlag.EXTENDED in frame.flags else 3
    mark = "##0" if FrameFlag.FD in frame.flags else "#"
    tail = " reassembled" if FrameFlag.REASSEMBLED in frame.flags else ""
    return (
        f"({micros // 1_000_000}.{micros % 1_000_000:06d}) {frame.bus}"
        f" {frame.arbitration_id:0{digits}X}{mark}{frame.data.hex().upper()}{tail}"
    )


def _records_table(seen: BlockView, limit: int) -> Table:
    catalogue = builtin()
    table = Table(box=None, header_style="bold")
    for heading in ("number", "since boot", "item", "value", "unit", "name"):
        right = heading in {"number", "since boot", "value"}
        table.add_column(heading, justify="right" if right else "left")
    for record in (seen.records or ())[:limit]:
        head = (str(record.number), f"{record.t_ns / NS_PER_S:.3f}")
        for value in values_of(record, catalogue):
            name = value.item_id if value.element is None else f"{value.item_id} {value.element}"
            shown = value.state if value.physical is None else str(value.physical)
            table.add_row(*head, name, shown, value.unit, value.name)
            head = ("", "")
        if head[0]:
            table.add_row(*head, "nothing of this class", "", "", "")
    return table


def _as_json(seen: BlockView) -> dict[str, object]:
    block, header = seen.block, seen.block.header
    content: dict[str, object] = {}
    if seen.frames is not None:
        frames = seen.frames
        content["frames"] = [_frame_json(frames.frame(place)) for place in range(len(frames))]
    elif seen.records is not None:
        catalogue = builtin()
        content["records"] = [
            {
                "number": record.number,
                "t_ns": record.t_ns,
                "alarm": record.alarm,
                "values": [
                    {
                        "item": value.item_id,
                        "element": value.element,
                        "value": None if value.physical is None else float(value.physical),
                        "unit": value.unit,
                        "name": value.name,
                        "state": value.state,
                    }
                    for value in values_of(record, catalogue)
                ],
            }
            for record in seen.records
        ]
    elif seen.notes is not None:
        content = dict(seen.notes)
    return {
        "number": header.number,
        "kind": kind_name(header.kind),
        "class": header.data_class,
        "boot": header.boot.hex(),
        "from_ns": header.from_ns,
        "to_ns": header.to_ns,
        "wall_offset_ns": header.wall_offset_ns,
        "time_quality": header.time_quality.name,
        "previous": header.previous or None,
        "key_id": header.key_id.hex(),
        "count": header.count,
        "first_number": header.first_number or None,
        "last_number": header.last_number or None,
        "mask": header.mask,
        "leaf": seen.leaf.hex(),
        "commitment": {"hash": block.commitment.hex(), "holds": seen.committed},
        "ciphertext": {"hash": block.ciphertext_hash.hex(), "holds": seen.sealed},
        "link": {"hash": block.link.hex(), "holds": seen.linked},
        "checkpoint": seen.checkpoint
        and {
            "first": seen.checkpoint.first,
            "last": seen.checkpoint.last,
            "countersigned": seen.checkpoint.receipt is not None,
        },
        "no_content": seen.why_closed or None,
        "content": content,
    }


def _frame_json(frame: Frame) -> dict[str, object]:
    return {
        "t_ns": frame.t_ns,
        "bus": frame.bus,
        "id": frame.arbitration_id,
        "flags": [flag.name.lower() for flag in frame.flags if flag.name],
        "data": frame.data.hex(),
    }
