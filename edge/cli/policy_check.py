"""`nevgate policy check`: what would be in force, in words, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edge.cli.chosen_policy import chosen_policy, policy_lines, policy_record
from edge.cli.program import emit_json
from edge.clock import Clock, SystemClock, TimeQuality
from edge.config.configuration import load_config
from edge.config.policy import PolicySection
from edge.errors import PolicyError
from edge.policy.policy_choice import REFUSED, PolicyChoice, ShortMemory, choose_policy, shown
from edge.policy.policyfile import STRICTEST, load_policy, profile

DEFAULT_CONFIG = Path("nevgate.toml")
_UNCHECKED = "not checked, since no --key was given"


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration whose policy is meant, nevgate.toml where no FILE is named.",
)
@click.option(
    "--key", type=click.Path(path_type=Path), help="Public key of the issuer, to check FILE's signature with."
)
@click.option("--signature", type=click.Path(path_type=Path), help="Its signature, FILE.sig unless named.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    path: Path | None, config_path: Path | None, key: Path | None, signature: Path | None, as_json: bool
) -> None:
    """Say in words what a policy collects, why, and where it may go; or what is wrong with it.

    With a configuration, everything is judged as the gateway would now: signature, version, begin and end.
    With a FILE, its content, and with --key its signature, begin and end.

    \b
    Examples:
      nevgate policy check
      nevgate policy check -c /etc/nevgate/nevgate.toml --json
      nevgate policy check policy.toml
      nevgate policy check policy.toml --key issuer.pub.pem

    Exit status: 0 the policy named would be in force, 1 it is refused and 'strict' would be in force in its
    place, 2 the configuration cannot be used.
    """
    if path is not None and config_path is not None:
        raise click.UsageError("Give a FILE or --config, not both.")
    if path is None and (key or signature):
        raise click.UsageError("--key and --signature go with a FILE; a configuration names its own.")
    if signature and not key:
        raise click.UsageError("--signature goes with --key.")
    clock = SystemClock()
    if path is None:
        choice = chosen_policy(load_config(config_path or DEFAULT_CONFIG), clock)
    elif key is not None:
        choice = _signed(PolicySection(file=path, key=key, signature=signature), clock)
    else:
        choice = _unsigned(path)
    _show(choice, as_json=as_json)
    if choice.complaint is not None:
        click.echo(f"nevgate: {choice.complaint}", err=True)
        click.echo(f"nevgate: the policy is refused; '{STRICTEST}' would be in force in its place", err=True)
        sys.exit(1)


def _signed(section: PolicySection, clock: Clock) -> PolicyChoice:
    return choose_policy(
        section,
        ShortMemory(),
        wall_ns=clock.wall_ns(),
        clock_trusted=clock.timebase().quality >= TimeQuality.RTC,
    )


def _unsigned(path: Path) -> PolicyChoice:
    try:
        return PolicyChoice(load_policy(path), _UNCHECKED, f"{path} holds together")
    except PolicyError as error:
        return PolicyChoice(profile(STRICTEST), f"{REFUSED}: {error}", str(error), complaint=error)


def _show(choice: PolicyChoice, *, as_json: bool) -> None:
    policy = choice.policy
    if as_json:
        emit_json(
            {
                **policy_record(policy),
                "expires": None if choice.expires_ns is None else shown(choice.expires_ns),
                "refused": choice.complaint is not None,
                "signature": choice.signature,
                "why": choice.why,
            }
        )
        return
    click.echo(f"{click.style(policy.title, bold=True)}, from profile {policy.profile}")
    if choice.complaint is None:
        click.echo(f"  signature: {choice.signature}; {choice.why}")
    if choice.expires_ns is not None:
        click.echo(f"  expires: {shown(choice.expires_ns)}")
    if policy.contact:
        click.echo(f"  contact: {policy.contact}")
    for line in policy_lines(policy):
        click.echo(line)
