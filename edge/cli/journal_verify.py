"""`nevgate journal verify`: prove a journal or an excerpt by public keys alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from edge.archive.opening import Archive
from edge.cli.console import counted
from edge.cli.place import Place, find_place, kind_name, progress_bar
from edge.cli.program import emit_json
from edge.errors import JournalError, WireError
from edge.journal.evidence.excerpt_file import MAX_BYTES
from edge.journal.evidence.excerpt_proof import ExcerptReport, verify_excerpt
from edge.journal.evidence.verify import JournalReport, verify_journal
from edge.journal.section import JournalSection
from edge.wire import checkpoint
from edge.wire.cose import unverified_payload
from edge.wire.key_files import read_public_half
from edge.wire.keys import VerifyingKey


@click.command()
@click.argument("what", type=click.Path(path_type=Path), metavar="FOLDER|EXCERPT")
@click.option(
    "--vehicle-key",
    "vehicle_paths",
    multiple=True,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The vehicle's public key, from a place that you trust; may be given again.",
)
@click.option(
    "--platform-key",
    "platform_paths",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The platform's public key; without one its receipts are not checked.",
)
@click.option("--vehicle", help="VIN or pseudonym that it must be of; else the one that it says.")
@click.option("--contents", is_flag=True, help="Also open what can be opened; needs the journal's keys.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="With --contents: whose keys.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    what: Path,
    vehicle_paths: tuple[Path, ...],
    platform_paths: tuple[Path, ...],
    vehicle: str | None,
    contents: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Prove that nothing in a journal's FOLDER, or in an EXCERPT, was changed, left out or put elsewhere.

    Needs the public keys alone. Says up to where a signed checkpoint vouches, and up to where the platform
    has confirmed it; what comes after the last checkpoint is chained, but whoever can write to the journal
    could have made it.

    \b
    Examples:
      nevgate journal verify /var/lib/nevgate --vehicle-key vehicle.pub.pem
      nevgate journal verify trip.excerpt --vehicle-key vehicle.pub.pem --platform-key platform.pub.pem
      nevgate journal verify copy/ --vehicle-key vehicle.pub.pem --json

    Exit status: 0 if all holds, 1 if anything does not.
    """
    vehicle_keys = [read_public_half(path) for path in vehicle_paths]
    platform_keys = [read_public_half(path) for path in platform_paths]
    if not what.exists():
        raise JournalError("is not there", where=str(what), todo="Give a journal's folder, or an excerpt")
    if what.is_file():
        _verify_excerpt(what, vehicle, vehicle_keys, platform_keys, as_json=as_json)
        return
    place = find_place(what, config_path) if contents else Place(what, JournalSection(folder=what), None)
    with place.open(keys=contents) as archive:
        named = vehicle or _vehicle(archive)
        with progress_bar("verifying", archive.reader.last_block()) as progress:
            report = verify_journal(
                archive.reader,
                vehicle=named,
                stream=archive.stream,
                vehicle_keys=vehicle_keys,
                platform_keys=platform_keys,
                contents=contents,
                progress=progress,
            )
    if as_json:
        emit_json(_report_json(report, named))
    else:
        for line in _sentences(report, named):
            click.echo(line)
    if not report.holds:
        raise SystemExit(1)


def _verify_excerpt(
    path: Path,
    vehicle: str | None,
    vehicle_keys: Sequence[VerifyingKey],
    platform_keys: Sequence[VerifyingKey],
    *,
    as_json: bool,
) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise JournalError("is larger than any excerpt", where=str(path))
    try:
        report = verify_excerpt(path.read_bytes(), vehicle_keys, platform_keys)
        _check_vehicle(report, vehicle)
    except JournalError as error:
        if not as_json:
            raise JournalError(
                f"does not hold: {error.what}", where=": ".join(filter(None, (str(path), error.where)))
            ) from error
        emit_json({"holds": False, "fault": {"what": error.what, "where": error.where}})
        raise SystemExit(1) from error
    if as_json:
        emit_json(_excerpt_json(report))
        return
    click.echo("The excerpt holds.")
    for line in report.sentences():
        click.echo(line)


def _check_vehicle(report: ExcerptReport, vehicle: str | None) -> None:
    if vehicle is not None and report.excerpt.vehicle != vehicle:
        raise JournalError(f"the excerpt is of vehicle {report.excerpt.vehicle}, not {vehicle}")


def _vehicle(archive: Archive) -> str:
    """The vehicle that the journal's checkpoints speak of; empty where there is none to read."""
    for (signed,) in archive.connection.execute("SELECT signed FROM checkpoint ORDER BY last"):
        try:
            return checkpoint.decode(unverified_payload(signed)).vehicle
        except WireError:
            continue
    return ""


def _sentences(report: JournalReport, vehicle: str) -> Iterable[str]:
    """What is proved of a journal, and what is not."""
    if report.holds:
        yield f"The journal holds: {report.blocks:,} blocks, each where the chain says."
    else:
        yield f"THE JOURNAL DOES NOT HOLD: {report.fault_count:,} faults in {report.blocks:,} blocks."
        for fault in report.faults:
            yield f"  {fault}"
        if report.fault_count > len(report.faults):
            yield f"  and {report.fault_count - len(report.faults):,} more"
    if report.covered:
        yield (
            f"Vehicle {vehicle} signed {counted(report.checkpoints, 'checkpoint')}: they vouch for all up to"
            f" block {report.covered:,}."
        )
    else:
        yield "No checkpoint vouches for any of it: nobody has signed it yet."
    if report.last > report.covered:
        yield (
            f"Blocks {report.covered + 1:,} to {report.last:,} are chained, but not signed yet:"
            " whoever can write to the journal could have changed them."
        )
    yield from _confirmed(report)
    yield from _content_gone(report)


def _confirmed(report: JournalReport) -> Iterable[str]:
    if report.countersigned:
        yield f"The platform confirms all up to block {report.countersigned:,}."
    elif report.unchecked_receipts:
        yield (
            f"{report.unchecked_receipts:,} receipts of the platform were not checked:"
            " its public key was not given."
        )
    else:
        yield "The platform confirms none of it here."


def _content_gone(report: JournalReport) -> Iterable[str]:
    for (kind, data_class), count in sorted(report.erased.items()):
        yield (
            f"Of {count:,} {kind_name(kind)} blocks of class '{data_class}' the content is gone;"
            " their place and size are proved."
        )
    if report.gone:
        count = sum(last - first + 1 for first, last in report.gone)
        yield f"Of {count:,} blocks nothing is left; checkpoints vouch for their place."
    if report.opened:
        yield f"{report.opened:,} contents were opened and compared with what was committed to."


def _report_json(report: JournalReport, vehicle: str) -> dict[str, object]:
    return {
        "holds": report.holds,
        "vehicle": vehicle,
        "blocks": report.blocks,
        "last": report.last,
        "checkpoints": report.checkpoints,
        "covered": report.covered,
        "countersigned": report.countersigned,
        "unchecked_receipts": report.unchecked_receipts,
        "opened": report.opened,
        "content_gone": [
            {"kind": kind_name(kind), "class": data_class, "blocks": count}
            for (kind, data_class), count in sorted(report.erased.items())
        ],
        "rows_gone": [list(one) for one in report.gone],
        "fault_count": report.fault_count,
        "faults": [{"what": fault.what, "where": fault.where} for fault in report.faults],
    }


def _excerpt_json(report: ExcerptReport) -> dict[str, object]:
    excerpt = report.excerpt
    countersignature = report.countersignature
    return {
        "holds": True,
        "vehicle": excerpt.vehicle,
        "stream": excerpt.stream.hex(),
        "kind": kind_name(excerpt.kind),
        "class": excerpt.data_class,
        "boot": excerpt.boot.hex(),
        "from_ns": excerpt.from_ns,
        "to_ns": excerpt.to_ns,
        "blocks": [entry.header.number for entry in report.blocks],
        "closed": list(report.closed),
        "checkpoints": len(report.checkpoints),
        "margin_ns": report.margin_ns,
        "countersigned": countersignature
        and {"last": countersignature.last, "server_time_ns": countersignature.server_time_ns},
        "unchecked_receipts": report.unchecked_receipts,
        "sentences": list(report.sentences()),
    }
