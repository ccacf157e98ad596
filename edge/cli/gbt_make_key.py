"""`nevgate gbt make-key`: a key for messages of GB/T 32960.3."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.errors import KeyFileError
from edge.wire.gbt.security.keys import KeyKind, make_key, write_gbt_key


@click.command()
@click.argument("kind", type=click.Choice([one.value for one in KeyKind]))
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, kind: str, path: Path, force: bool, as_json: bool) -> None:
    """Make a key that encrypts data units or signs reports.

    aes and sm4 are 16 bytes that both sides keep secret: a line with the name and 32 hex digits. sm2, rsa
    (2,048 bits) and ecc (P-256) are a private key in PATH, for its owner alone, and the public half beside it
    with .pub, for the other side. sm2 and rsa sign and encrypt, ecc signs. 'nevgate gbt encode' and 'nevgate
    gbt decode' take them.

    \b
    Examples:
      nevgate gbt make-key sm2 vehicle.pem
      nevgate gbt make-key sm4 session.key
    """
    if not path.name or path.name.endswith(".pub.pem"):
        raise KeyFileError(
            "is no name for a secret key", where=f"'{path}'", todo="Name it such as vehicle.pem"
        )
    beside = write_gbt_key(path, make_key(KeyKind(kind)), force=force)
    if as_json:
        emit_json({"kind": kind, "private": str(path), "public": None if beside is None else str(beside)})
        return
    click.echo(f"{kind} key  {path}  (for {'both sides' if beside is None else 'its owner'} alone)")
    if beside is not None:
        click.echo(f"public key  {beside}  (give it to the other side)")
