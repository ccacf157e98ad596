"""`nevgate keys make`: a key pair in two files."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.errors import KeyFileError
from edge.wire.device_keys import DEVICE_ALGORITHM, DeviceKey
from edge.wire.key_files import write_device_key, write_signing_key
from edge.wire.keys import Algorithm, SigningKey

DEVICE_ENDING = ".device.pem"


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--algorithm",
    type=click.Choice([each.value for each in Algorithm]),
    default=Algorithm.ED25519.value,
    show_default=True,
    help="How the key signs.",
)
@click.option("--device", is_flag=True, help="A key that a microcontroller shares with the platform.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(path: Path, *, algorithm: str, device: bool, force: bool, as_json: bool) -> None:
    """Make a key pair: PATH for the gateway alone, PATH with .pub for the platform.

    The private key is readable by its owner only (mode 0600) and is not encrypted, as the gateway starts
    without a person. The platform finds a vehicle's key by the name VIN.pub.pem: call PATH VIN.pem.

    With --device it is one secret key for HMAC-SHA-256, for a telemetry node that cannot sign. Node and
    platform both keep PATH secret; the platform finds it by the name VIN.device.pem, or VIN/NAME.device.pem
    for several, so PATH has to end in .device.pem. Records under it are authenticated for the platform, and
    not provable to third parties.

    \b
    Examples:
      nevgate keys make vehicle.pem
      nevgate keys make keys/LNVGATE00XDEM0001.pem
      nevgate keys make /etc/nevgate/vehicle.pem --algorithm es256
      nevgate keys make keys/LNVGATE00XDEM0001.device.pem --device
      nevgate keys make vehicle.pem --json | jq -r .key_id
    """
    if not path.name or path.name.endswith(".pub.pem"):
        raise KeyFileError(
            "is no name for a private key; the public half is written beside it as NAME.pub.pem",
            where=f"'{path}'",
            todo="Name it after the vehicle, such as keys/LNVGATE00XDEM0001.pem",
        )
    _check_name(path, device=device)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise KeyFileError(f"cannot be made: {fault.strerror}", where=str(path.parent)) from fault
    if device:
        _make_device_key(path, force=force, as_json=as_json)
        return
    key = SigningKey.generate(Algorithm(algorithm))
    public_file = write_signing_key(path, key, force=force)
    if as_json:
        emit_json(
            {
                "private": str(path),
                "public": str(public_file),
                "algorithm": key.public.algorithm.value,
                "key_id": key.public.key_id.hex(),
            }
        )
        return
    click.echo(f"private key  {path}  (keep it on the vehicle)")
    click.echo(f"public key   {public_file}  (give it to the platform)")
    click.echo(f"algorithm    {key.public.algorithm.value}")
    click.echo(f"key id       {key.public.key_id.hex()}")


def _check_name(path: Path, *, device: bool) -> None:
    """Refuse a name under which the platform would not find the key, or would take it for another kind."""
    named_device = path.name.endswith(DEVICE_ENDING)
    if device and (not named_device or path.name == DEVICE_ENDING):
        raise KeyFileError(
            "is no name for a device's key: the platform would not find it",
            where=f"'{path}'",
            todo=f"Name it after the vehicle, VIN{DEVICE_ENDING}, or VIN/NAME{DEVICE_ENDING} for several",
        )
    if named_device and not device:
        raise KeyFileError(
            "is a name for a device's key, and without --device a gateway's key pair is made",
            where=f"'{path}'",
            todo="Add --device, or name it VIN.pem",
        )


def _make_device_key(path: Path, *, force: bool, as_json: bool) -> None:
    key = DeviceKey.generate()
    write_device_key(path, key, force=force)
    if as_json:
        emit_json({"device": str(path), "algorithm": DEVICE_ALGORITHM, "key_id": key.key_id.hex()})
        return
    click.echo(f"device key   {path}  (keep one copy on the node, one at the platform, both secret)")
    click.echo(f"algorithm    {DEVICE_ALGORITHM}")
    click.echo(f"key id       {key.key_id.hex()}")
