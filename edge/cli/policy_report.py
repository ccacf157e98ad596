"""`nevgate policy report`: what the journal proves of a period, as HTML and JSON, signed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from edge.archive.export_file import whole_file
from edge.cli.moment import moment_ns
from edge.cli.place import Place, find_place, progress_bar
from edge.clock import Clock, SystemClock, TimeQuality
from edge.config.configuration import Config
from edge.errors import ConfigError, KeyFileError, PolicyError, ReportError
from edge.policy.jurisdictions import jurisdiction_fault, spelled_out
from edge.policy.policyfile import load_policy
from edge.policy.rules import Policy
from edge.report.check import Outcome
from edge.report.egress_evidence import read_egress
from edge.report.gathering import Asked, gather
from edge.report.page import Seal, page_of
from edge.report.period import end_of
from edge.report.report import report_of
from edge.report.seal import LARGEST_BYTES, check_report, digest_of, sign_report
from edge.report.tables import BOTH
from edge.report.words import LANGUAGES
from edge.wire.key_files import public_path, read_public_half, read_signing_key, read_verifying_key
from edge.wire.keys import SigningKey, VerifyingKey

EXITS = {Outcome.PASSED: 0, Outcome.NOT_PROVEN: 3, Outcome.FAILED: 4}
COLOURS = {Outcome.PASSED: "green", Outcome.NOT_PROVEN: "yellow", Outcome.FAILED: "red"}
LARGEST_REPORT = 256_000_000

_clock: Callable[[], Clock] = SystemClock


def _home(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Check jurisdictions."""
    for word in value:
        fault = jurisdiction_fault(word)
        if fault:
            raise click.BadParameter(fault, ctx, param)
    return value


@click.command()
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration that names journal, keys and policy; nevgate.toml unless named.",
)
@click.option(
    "--from", "since", metavar="DAY", help="From this day or time on, UTC; else the journal's first."
)
@click.option("--to", "until", metavar="DAY", help="Up to the end of this day, or this time; else the last.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    help="The page.",
)
@click.option(
    "--json-out", type=click.Path(dir_okay=False, path_type=Path), help="Its JSON twin; else beside the page."
)
@click.option(
    "--egress", type=click.Path(dir_okay=False, path_type=Path), help="What 'policy egress --json' printed."
)
@click.option(
    "--policy",
    "policy_paths",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A policy file that was in force before; may be given again.",
)
@click.option(
    "--home",
    multiple=True,
    default=("CN",),
    show_default=True,
    callback=_home,
    help="A jurisdiction that is not abroad.",
)
@click.option(
    "--language", type=click.Choice([BOTH, *LANGUAGES]), default=BOTH, show_default=True, help="Of the page."
)
@click.option(
    "--sign/--no-sign", "sign", default=None, help="Sign it; if neither is given, where the key can be read."
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option(
    "--check",
    "checked",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Make none, but check this JSON, its signature, and the page beside it or of --out.",
)
@click.option(
    "--vehicle-key",
    "vehicle_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The vehicle's public key, from a place that you trust; else the configuration's.",
)
def command(
    config_path: Path | None,
    since: str | None,
    until: str | None,
    out: Path,
    json_out: Path | None,
    egress: Path | None,
    policy_paths: tuple[Path, ...],
    home: tuple[str, ...],
    language: str,
    sign: bool | None,
    force: bool,
    checked: Path | None,
    vehicle_path: Path | None,
) -> None:
    """Report for an inspector what the journal proves of a period: one page to print, and the same as JSON.

    Every block is held against the policy, the consents and the clock of its time. Each check passes, fails,
    or is not proven, and says why, and which clauses of GB/T 44464-2024, GB/T 41871-2022 and the trial
    provisions it answers. Nothing is changed in the journal, and the gateway may run meanwhile.

    \b
    Examples:
      nevgate policy report -c nevgate.toml --from 2026-03-02 --to 2026-03-08
      nevgate policy report -c nevgate.toml --egress egress.json --out march.html --json-out march.json
      nevgate policy report -c nevgate.toml --policy fleet-north-3.toml --language zh --force
      nevgate policy report --check march.json --out march.html --vehicle-key vehicle.pub.pem

    Exit status: 0 all checks passed, 3 something is not proven, 4 a check failed, 1 or 2 for an error.
    """
    if checked is not None:
        _check(checked, out if _given("out") else None, config_path, vehicle_path)
        return
    place = find_place(None, config_path)
    config = _config(place)
    json_out = json_out or out.with_suffix(".json")
    _check_names(out, json_out, force=force)
    key = _signing_key(config, sign=sign)
    asked = Asked(
        from_ns=moment_ns(since, "--from"),
        to_ns=_until(until),
        policies=[*_own_policy(config), *map(load_policy, policy_paths)],
        vehicle_keys=_vehicle_keys(config, vehicle_path),
        platform_keys=[read_public_half(config.signing.platform)] if config.signing.platform else [],
        egress=None if egress is None else read_egress(egress),
        home=spelled_out(home),
        now_ns=_now_ns(),
    )
    report = _made(place, config, asked)
    _write(report, out, json_out, key, config.vehicle.topic_name, language=language, force=force)
    _tell(report, out, json_out, key)
    sys.exit(EXITS[Outcome(_verdict(report)["outcome"])])


def _given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not None and source is not click.core.ParameterSource.DEFAULT


def _config(place: Place) -> Config:
    if place.config is None:
        raise ConfigError("a report needs the configuration", todo="Give it by --config")
    return place.config


def _check_names(out: Path, json_out: Path, *, force: bool) -> None:
    """Refuse what could not be written before the journal is read."""
    if out.resolve() == json_out.resolve():
        raise ConfigError("page and JSON have one name", where=str(out), todo="Give --json-out another")
    for path in (out, json_out):
        if path.exists() and not force:
            raise ReportError("is there already", where=str(path), todo="Give another name, or --force")


def _until(text: str | None) -> int | None:
    moment = moment_ns(text, "--to")
    return None if moment is None or text is None else end_of(text, moment)


def _now_ns() -> int:
    """Now, as far as the clock knows; 0 where it does not."""
    clock = _clock()
    return clock.wall_ns() if clock.timebase().quality is not TimeQuality.NONE else 0


def _own_policy(config: Config) -> list[Policy]:
    """What the configuration's policy file says today; none where it cannot be read."""
    if config.policy.file is None:
        return []
    try:
        return [load_policy(config.policy.file)]
    except PolicyError as error:
        click.echo(f"nevgate: the policy file of today is not taken into account: {error}", err=True)
        return []


def _signing_key(config: Config, *, sign: bool | None) -> SigningKey | None:
    if sign is False:
        return None
    try:
        return read_signing_key(config.signing.key)
    except KeyFileError as error:
        if sign:
            raise
        click.echo(f"nevgate: the report is not signed: {error}", err=True)
        return None


def _vehicle_keys(config: Config, path: Path | None) -> list[VerifyingKey]:
    if path is not None:
        return [read_public_half(path)]
    for one in (config.signing.key, public_path(config.signing.key)):
        try:
            return [read_public_half(one)]
        except KeyFileError:
            continue
    return []


def _made(place: Place, config: Config, asked: Asked) -> dict[str, object]:
    with place.open() as archive, ExitStack() as stack:
        last = archive.reader.last_block()
        bars: dict[str, Callable[[int], None]] = {}

        def progress(what: str, number: int) -> None:
            if what not in bars:
                stack.pop_all().close()
                bars[what] = stack.enter_context(progress_bar(what, last))
            bars[what](number)

        return report_of(gather(config, archive, asked, progress), archive)


def _verdict(report: Mapping[str, Any]) -> Mapping[str, Any]:
    verdict: Mapping[str, Any] = report["verdict"]
    return verdict


def signature_file(json_out: Path) -> Path:
    """Where the signature of a report's JSON stands."""
    return json_out.with_name(json_out.name + ".sig")


def _write(
    report: dict[str, object],
    out: Path,
    json_out: Path,
    key: SigningKey | None,
    vehicle: str,
    *,
    language: str,
    force: bool,
) -> None:
    """Write page, JSON and signature; all are there, or what could not be written is said."""
    content = _bytes_of(report)
    sealed = Seal(digest_of(content).hex(), "" if key is None else key.public.key_id.hex())
    signature = signature_file(json_out)
    with ExitStack() as stack:
        page = stack.enter_context(whole_file(out, force=force))
        plain = stack.enter_context(whole_file(json_out, force=force))
        if key is not None:
            signed = stack.enter_context(whole_file(signature, force=force))
            signed.write_bytes(sign_report(content, key, vehicle))
        plain.write_bytes(content)
        # From the very bytes that were written: what the page shows is what was signed.
        page.write_text(page_of(json.loads(content), sealed, language), "utf-8")
    if key is None and force:
        signature.unlink(missing_ok=True)


def _bytes_of(report: dict[str, object]) -> bytes:
    return (json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode()


def _tell(report: Mapping[str, Any], out: Path, json_out: Path, key: SigningKey | None) -> None:
    period = report["period"]
    click.echo(f"vehicle {report['vehicle']}, {period['from']} to {period['to']}")
    for one in report["checks"]:
        outcome = Outcome(one["outcome"])
        click.echo(f"  {click.style(f'{outcome:10}', fg=COLOURS[outcome])} {one['title_en']}")
        if outcome is not Outcome.PASSED:
            click.echo(f"             {one['evidence'][0]['en']}")
    signed = "" if key is None else f", {signature_file(json_out)}"
    click.echo(f"written: {out}, {json_out}{signed}")


def _check(path: Path, page: Path | None, config_path: Path | None, vehicle_path: Path | None) -> None:
    """Check a report that somebody hands in."""
    if vehicle_path is not None:
        key = read_verifying_key(vehicle_path)
    else:
        keys = _vehicle_keys(_config(find_place(None, config_path)), None)
        if not keys:
            raise ConfigError("the vehicle's public key is not at hand", todo="Give it by --vehicle-key")
        key = keys[0]
    content = _read(path, LARGEST_REPORT)
    try:
        report = json.loads(content)
        vehicle = str(report["vehicle"])
        verdict, period = str(report["verdict"]["outcome"]), report["period"]
        told = f"vehicle {vehicle}, {period['from']} to {period['to']}: {verdict}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ReportError("is no report", where=str(path)) from error
    signature = signature_file(path)
    check_report(content, _read(signature, LARGEST_BYTES), key, vehicle, where=str(signature))
    click.echo(f"The signature holds, by key {key.key_id.hex()}: {told}")
    if page is None and path.with_suffix(".html").exists():
        page = path.with_suffix(".html")
    if page is not None:
        _check_page(page, report, Seal(digest_of(content).hex(), key.key_id.hex()))
        click.echo(f"{page} shows what the JSON says, and nothing else.")


def _check_page(page: Path, report: Mapping[str, Any], seal: Seal) -> None:
    content = _read(page, LARGEST_REPORT)
    for language in (BOTH, *LANGUAGES):
        try:
            made = page_of(report, seal, language)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ReportError("is a report of another nevgate; its page cannot be made anew") from error
        if made.encode() == content:
            return
    raise ReportError(
        "is not the page of this JSON as this nevgate makes it", where=str(page), todo="Read the JSON"
    )


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ReportError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) > most:
        raise ReportError("is larger than any report", where=str(path))
    return content
