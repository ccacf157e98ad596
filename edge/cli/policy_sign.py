"""`nevgate policy sign`: makes a policy file one that gateways take."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.errors import PolicyError
from edge.policy.guarded_file import read_guarded, replace_file
from edge.policy.policy_signature import sign_policy
from edge.policy.policyfile import LARGEST_BYTES, read_policy
from edge.wire.key_files import read_signing_key


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    help="The issuer's private key; it stays at home.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The signature's file, FILE.sig unless named.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(path: Path, key: Path, out: Path | None, as_json: bool) -> None:
    """Sign the policy FILE, if it is one that a gateway would take.

    The key is the issuer's own, not a vehicle's: 'nevgate keys make issuer.pem' makes one, and its public
    half is what [policy] key of each vehicle names. A changed policy is signed anew, as one version more.

    \b
    Examples:
      nevgate policy sign --key issuer.pem policy.toml
      nevgate policy sign --key issuer.pem policy.toml --out /media/usb/policy.toml.sig
    """
    content = read_guarded(path, LARGEST_BYTES)
    policy = read_policy(content, path).policy
    issuer = read_signing_key(key)
    signature_file = out or path.with_name(f"{path.name}.sig")
    if signature_file.absolute() == path.absolute():
        raise PolicyError("would be replaced by its signature", where=str(path), todo="Name another --out")
    replace_file(signature_file, sign_policy(content, issuer))
    if as_json:
        emit_json(
            {
                "policy": policy.title,
                "signature": str(signature_file),
                "key_id": issuer.public.key_id.hex(),
            }
        )
        return
    click.echo(f"policy     {policy.title}")
    click.echo(f"signature  {signature_file}  (goes with the policy to each vehicle)")
    click.echo(f"key id     {issuer.public.key_id.hex()}")
