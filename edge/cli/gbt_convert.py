"""`nevgate gbt convert`: records of platforms and journals as GB/T 32960.3, into files or to a platform."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event

import click
from rich.console import Console

from edge.archive.records import RecordReader, corrected
from edge.archive.selection import Selection
from edge.catalogue.item import Edition
from edge.cli.broker_choices import BrokerChoice, broker_options, host_and_port, serving
from edge.cli.ending import stop_on_signal
from edge.cli.gbt_choices import gbt_options
from edge.cli.gbt_convert_report import ConvertReport
from edge.cli.gbt_secured import security_options
from edge.cli.moment import moment_ns
from edge.cli.place import find_place, progress_bar
from edge.cli.program import Finite
from edge.clock import SystemClock
from edge.errors import ConfigError, UplinkError
from edge.journal.block import BlockKind
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.choices import SecurityOptions
from edge.wire.gbt.security.ciphers import UnitCipher, require_mark
from edge.wire.gbt.security.keys import cipher_of, read_gbt_key, signer_of
from edge.wire.gbt.security.signatures import signed
from simulator.conversion.account_file import read_account
from simulator.conversion.converter import Converter, Sign
from simulator.conversion.converting import forward_waiting, given, write_waiting
from simulator.conversion.forward_ledger import ForwardLedger
from simulator.conversion.forward_rules import REISSUE_DAYS, Acknowledge, rules_of
from simulator.conversion.forwarding import ForwardSession
from simulator.conversion.forwarding_link import PlatformAddress
from simulator.conversion.frame_output import FrameOutput, OutputFormat
from simulator.conversion.vin_book import VinBook, is_vin, load_vin_book
from simulator.conversion.waiting import Given, Waiting, WaitingRecords
from simulator.conversion.waiting_store import WaitingStore
from simulator.platform.reader import StoreReader

HEX_ENDINGS = frozenset({".hex", ".txt"})


@dataclass(slots=True)
class _Asked:
    """What the options say, but for broker and messages."""

    journal: Path | None
    config: Path | None
    store: Path | None
    follow: bool
    choice: BrokerChoice
    period: Selection
    vin: str | None
    reissue: bool
    out: Path | None
    form: OutputFormat
    force: bool
    platform: str | None
    account: Path | None
    acknowledge: Acknowledge
    reissue_days: float | None
    again: bool
    cipher: UnitCipher | None
    stop: Event
    clock: SystemClock = field(default_factory=SystemClock)
    errors: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    @property
    def live(self) -> bool:
        """Whether records go on coming."""
        return self.choice.asked or self.follow


@click.command()
@click.option("--journal", type=click.Path(path_type=Path), help="Records of this journal.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Names the journal, its keys and the vehicle's VIN."
)
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Records that a platform has stored, from its SQLite file.",
)
@click.option("--follow", is_flag=True, help="With --store: go on with what 'nevgate platform serve' adds.")
@broker_options(required=False)
@click.option(
    "--from", "since", metavar="TIME", help="Records from this time on: ISO 8601, UTC without a zone."
)
@click.option("--to", "until", metavar="TIME", help="Records before this time.")
@click.option("--edition", type=click.Choice(["2016", "2025"]), default="2025", show_default=True)
@click.option("--vin", help="Of the journal's vehicle: 17 characters.")
@click.option(
    "--vins",
    type=click.Path(dir_okay=False, path_type=Path),
    help='TOML file with [vehicles]: pseudonym = "VIN"; a name that looks like a VIN is its own.',
)
@click.option(
    "--reissue", is_flag=True, help="All as reissue (command 03), as a journal's are for a platform."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, instead of standard output.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in OutputFormat]),
    help="Lines of hex, or bare frames; by default frames in a file that does not end in .hex or .txt.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it is there; what is live goes on behind it.")
@click.option("--platform", metavar="HOST:PORT", help="Send to this platform, as platforms do (command 05).")
@click.option(
    "--account",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file with identity, user, password and [tls], which others cannot read.",
)
@click.option(
    "--acknowledge",
    type=click.Choice([one.value for one in Acknowledge]),
    default=Acknowledge.RESPONSE.value,
    show_default=True,
    help="What shows that the platform has a report.",
)
@click.option(
    "--reissue-days",
    type=Finite(min=0, max=3650),
    help="Older backlog of a store does not go; 0 for no limit.  [default: 3 in 2016, 7 in 2025]",
)
@click.option("--again", is_flag=True, help="With --store: try again what the platform has refused.")
@click.option(
    "--sign",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Key that signs reports (2025).",
)
@click.option(
    "--encrypt",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Key that encrypts what goes to the platform.",
)
@security_options
@gbt_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *,
    journal: Path | None,
    config: Path | None,
    store: Path | None,
    follow: bool,
    choice: BrokerChoice,
    since: str | None,
    until: str | None,
    edition: str,
    vin: str | None,
    vins: Path | None,
    reissue: bool,
    out: Path | None,
    form: str | None,
    force: bool,
    platform: str | None,
    account: Path | None,
    acknowledge: str,
    reissue_days: float | None,
    again: bool,
    sign: Path | None,
    encrypt: Path | None,
    security: SecurityOptions,
    options: Options,
    profile: Profile | None,
    as_json: bool,
) -> None:
    """Convert records to GB/T 32960.3: an enterprise platform between vehicles and a government's.

    Records come out of a journal, the store of 'nevgate platform serve', or live from a broker, checked and
    stored as that command does it. They go to standard output or a file, or to another platform; of a store,
    what was not acknowledged there goes again after a restart. What the messages say otherwise than the
    records is told at the end, by reason.

    \b
    Examples:
      nevgate gbt convert --config nevgate.toml --from 2026-03-01 --to 2026-03-02 --out day.gbt
      nevgate gbt convert --store platform.db --edition 2016 --vins vins.toml > day.hex
      nevgate gbt convert --store platform.db --follow --platform gov.example:32960 --account gov.toml
      nevgate gbt convert --broker 127.0.0.1:1883 --keys keys/ --store platform.db --out live.gbt

    Exit status: 1 if a record that should have gone has not.
    """
    with stop_on_signal() as stop:
        asked = _Asked(
            journal,
            config,
            store,
            follow,
            choice,
            Selection(from_ns=moment_ns(since, "--from"), to_ns=moment_ns(until, "--to")),
            vin,
            reissue,
            out,
            _form(form, out),
            force,
            platform,
            account,
            Acknowledge(acknowledge),
            reissue_days,
            again,
            None if encrypt is None else cipher_of(read_gbt_key(encrypt), security),
            stop,
        )
        _check(asked)
        codec = RecordCodec(Edition(int(edition)), options, profile)
        if asked.cipher is not None:
            require_mark(codec.edition, asked.cipher)
        book = VinBook() if vins is None else load_vin_book(vins)
        report = _convert(asked, Converter(codec, book, sign=_signing(sign, codec, security)))
    if as_json:
        report.emit()
    else:
        report.show()
    if report.failure:
        raise UplinkError(report.failure, where=platform or str(out or ""))
    if not report.complete:
        raise SystemExit(1)


def _form(form: str | None, out: Path | None) -> OutputFormat:
    if form is not None:
        return OutputFormat(form)
    plain = out is not None and out.suffix.lower() not in HEX_ENDINGS
    return OutputFormat.FRAMES if plain else OutputFormat.HEX


def _check(asked: _Asked) -> None:
    """Refuse what does not go together."""
    from_journal = asked.journal is not None or asked.config is not None
    if from_journal == (asked.store is not None):
        raise ConfigError(
            "names no records" if not from_journal else "names records twice",
            todo="Give --journal or --config, or --store with or without --broker",
        )
    if from_journal and (asked.live or asked.again):
        raise ConfigError("a journal is not live", todo="--broker, --follow and --again go with --store")
    if (asked.platform is None) != (asked.account is None):
        raise ConfigError("a platform asks who logs in", todo="Give --platform and --account both")
    if asked.platform is not None and asked.out is not None:
        raise ConfigError("records go to one place", todo="Give one of --out and --platform")
    kept = asked.live or asked.platform is not None
    if asked.period.by_wall_time and not from_journal and kept:
        raise ConfigError(
            "all that waits goes", todo="--from and --to are for a journal, or --store into a file"
        )
    if asked.cipher is not None and asked.platform is None:
        raise ConfigError(
            "only what goes to a platform is encrypted", todo="Leave --encrypt, or give --platform"
        )


def _signing(key: Path | None, codec: RecordCodec, security: SecurityOptions) -> Sign | None:
    if key is None:
        return None
    if codec.edition is not Edition.Y2025:
        raise ConfigError("only reports of 2025 are signed", where="--sign")
    signer = signer_of(read_gbt_key(key), security)
    return lambda message: signed(message, signer, codec.options)


def _convert(asked: _Asked, converter: Converter) -> ConvertReport:
    if asked.store is None:
        return _from_journal(asked, converter)
    if asked.live or asked.platform is not None:
        return _from_store(asked, asked.store, converter)
    with StoreReader(asked.store) as reader, _output(asked) as output:
        records = reader.records(since_ns=asked.period.from_ns, until_ns=asked.period.to_ns)
        waiting = WaitingRecords(_marked(given(records), asked), converter)
        write_waiting(waiting, output, asked.clock, asked.stop)
        return _reported(asked, ConvertReport(converter, waiting, output.bytes))


def _from_journal(asked: _Asked, converter: Converter) -> ConvertReport:
    place = find_place(asked.journal, asked.config)
    vin = asked.vin or ("" if place.config is None else place.config.vehicle.vin)
    if not is_vin(vin):
        raise ConfigError(f"'{vin}' is no VIN" if vin else "the vehicle is not named", todo="Give --vin")
    with ExitStack() as stack:
        archive = stack.enter_context(place.open())
        reader = RecordReader(archive, asked.period)
        blocks = archive.count(replace(asked.period, kinds=frozenset({BlockKind.RECORDS})))
        progress = stack.enter_context(progress_bar("converting", blocks))

        def read() -> Iterator[Given]:
            for joined in reader:
                progress(reader.blocks)
                for record in joined.records:
                    better = replace(record, timebase=corrected(record, joined.boot, archive))
                    yield Given(vin, better, record.reissue or asked.platform is not None)

        waiting = WaitingRecords(_marked(read(), asked), converter)
        report = _let_go(asked, converter, waiting, lambda _: 1)
        report.unreadable = dict(reader.unreadable)
        return report


def _from_store(asked: _Asked, store: Path, converter: Converter) -> ConvertReport:
    with ExitStack() as stack:
        service = None
        if asked.choice.asked:
            service = stack.enter_context(serving(asked.choice, store, asked.errors))
        destination = asked.platform or ("" if asked.out is None else str(asked.out.resolve()))
        ledger = stack.enter_context(ForwardLedger(store, destination))
        days = REISSUE_DAYS[converter.codec.edition] if asked.reissue_days is None else asked.reissue_days
        waiting = WaitingStore(
            ledger,
            converter,
            asked.clock,
            reissue_days=days if asked.platform is not None else 0.0,
            refused_again=asked.again,
            from_now=not destination,
            warn=asked.errors.print,
        )
        waiting.following = asked.live
        failed = (lambda: False) if service is None else (lambda: service.failed)
        report = _let_go(asked, converter, waiting, ledger.next_login, failed)
        if service is not None:
            service.stop()
            service.raise_failure()
            report.hops = service.hops()
        return report


def _let_go(
    asked: _Asked,
    converter: Converter,
    waiting: Waiting,
    number: Callable[[int], int],
    failed: Callable[[], bool] = lambda: False,
) -> ConvertReport:
    """Let everything go that waits, to where it is to go.

    Args:
        asked: where to.
        converter: what it counts.
        waiting: the records.
        number: of each login.
        failed: whether what brings the records has ended.
    """
    if asked.platform is None or asked.account is None:
        with _output(asked) as output:
            write_waiting(waiting, output, asked.clock, asked.stop, failed)
        return _reported(asked, ConvertReport(converter, waiting, output.bytes))
    host, port = host_and_port(asked.platform, "--platform")
    access = read_account(asked.account)
    session = ForwardSession(
        access.account,
        replace(rules_of(converter.codec.edition, asked.acknowledge), patient=asked.live),
        waiting,
        number,
        asked.clock,
        cipher=asked.cipher,
        tell=partial(asked.errors.print, f"{asked.platform}:"),
    )
    address = PlatformAddress(host, port, access.tls)
    forward_waiting(session, address, asked.clock, lambda: asked.stop.is_set() or failed())
    return _reported(asked, ConvertReport(converter, waiting, facts=session.facts, failure=session.failure))


def _reported(asked: _Asked, report: ConvertReport) -> ConvertReport:
    report.live = asked.live
    if not (asked.live or report.failure or report.waiting.exhausted):
        report.failure = "stopped before all records went"
    return report


def _output(asked: _Asked) -> FrameOutput:
    return FrameOutput(asked.out, asked.form, append=asked.live, force=asked.force)


def _marked(records: Iterator[Given], asked: _Asked) -> Iterator[Given]:
    return (one._replace(late=True) for one in records) if asked.reissue else records
