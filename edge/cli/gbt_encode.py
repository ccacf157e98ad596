"""`nevgate gbt encode`: a record as messages of GB/T 32960.3, in hex."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import click

from edge.archive.records import RecordReader, corrected
from edge.archive.selection import Selection
from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.cli.gbt_choices import gbt_options, told_lines
from edge.cli.gbt_secured import security_options
from edge.cli.place import find_place
from edge.cli.program import emit_json
from edge.errors import ConfigError
from edge.journal.block import BlockKind
from edge.records import Record
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import VIN_BYTES
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.record_json import record_from_json
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.choices import SecurityOptions
from edge.wire.gbt.security.ciphers import encrypted
from edge.wire.gbt.security.keys import cipher_of, read_gbt_key, signer_of
from edge.wire.gbt.security.room import with_room
from edge.wire.gbt.security.signatures import signed


@click.command()
@click.argument("source", metavar="[FILE|-]", required=False)
@click.option("--edition", type=click.Choice(["2016", "2025"]), default="2025", show_default=True)
@click.option("--vin", required=True, help="Of the vehicle: 17 characters.")
@click.option("--reissue", is_flag=True, help="As reissue (command 03) in any case.")
@click.option("--journal", type=click.Path(path_type=Path), help="Take a stored record of this journal.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Names the journal and its keys."
)
@click.option("--number", type=click.IntRange(min=1), help="Which of its records.")
@click.option(
    "--sign",
    "sign_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Sign the messages (2025) with this private key.",
)
@click.option(
    "--encrypt",
    "encrypt_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Encrypt the data units with this key.",
)
@gbt_options
@security_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    *,
    source: str | None,
    edition: str,
    vin: str,
    reissue: bool,
    journal: Path | None,
    config_path: Path | None,
    number: int | None,
    sign_path: Path | None,
    encrypt_path: Path | None,
    security: SecurityOptions,
    as_json: bool,
    options: Options,
    profile: Profile | None,
) -> None:
    """Write a record as messages of either edition: one line of hex each.

    The record is JSON in FILE or on standard input, with values in their units, as "record" of
    'nevgate gbt decode --json'; or a stored one, by --journal or --config and --number. What the messages say
    otherwise than the record goes to standard error.

    \b
    Examples:
      nevgate gbt encode record.json --vin LNVGATE00XDEM0001
      nevgate gbt encode --config nevgate.toml --number 1207 --edition 2016 --vin LNVGATE00XDEM0001
      nevgate gbt encode - --vin LNVGATE00XDEM0001 --overflow limit --json
      nevgate gbt encode record.json --vin LNVGATE00XDEM0001 --sign vehicle.pem --encrypt session.key
    """
    if not vin.isascii() or len(vin) != VIN_BYTES:
        raise GbtError(f"'{vin}' is no VIN", todo=f"It has {VIN_BYTES} characters")
    if number is not None and source is None:
        record = _stored(journal, config_path, number)
    elif number is None and source is not None and journal is None and config_path is None:
        record = _given(source)
    else:
        raise ConfigError("names no record", todo="Give a FILE, or --journal or --config with --number")
    if reissue:
        record = replace(record, reissue=True)
    signer = None if sign_path is None else signer_of(read_gbt_key(sign_path), security)
    cipher = None if encrypt_path is None else cipher_of(read_gbt_key(encrypt_path), security)
    options = with_room(options, cipher, signer)
    messages, told = RecordCodec(Edition(int(edition)), options, profile).messages(record, vin.encode())
    if signer is not None:
        messages = tuple(signed(message, signer, options) for message in messages)
    frames = [message.frame() for message in messages]
    if cipher is not None:
        frames = [encrypted(frame, cipher) for frame in frames]
    lines = [frame.write().hex() for frame in frames]
    if as_json:
        emit_json({"edition": int(edition), "messages": lines, "told": [*told_lines(told)]})
        return
    for line in lines:
        click.echo(line)
    for line in told_lines(told):
        click.echo(line, err=True)


def _given(source: str) -> Record:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=source) from error
    except UnicodeDecodeError as error:
        raise GbtError(f"{source} is no text in UTF-8") from error
    try:
        asked = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise GbtError(f"{source} is no JSON: {error}") from error
    return record_from_json(asked, builtin())


def _stored(journal: Path | None, config_path: Path | None, number: int) -> Record:
    with find_place(journal, config_path).open() as archive:
        blocks = archive.entries(Selection(kinds=frozenset({BlockKind.RECORDS})))
        headers = [
            one.header for one in blocks if one.header.first_number <= number <= one.header.last_number
        ]
        for header in headers[:1]:
            period = Selection(boot=header.boot.hex(), span=(header.from_ns, header.to_ns))
            for joined in RecordReader(archive, period):
                for record in joined.records:
                    if record.number == number:
                        return replace(record, timebase=corrected(record, joined.boot, archive))
    raise ConfigError(f"the journal has no record {number}", todo="See 'nevgate journal ls'")
