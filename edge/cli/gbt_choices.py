"""Options of `nevgate gbt` for what the standard leaves open, and for profiles."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from edge.wire.gbt.options import ActivationCodes, MissingList, Options, Overflow
from edge.wire.gbt.profile import BUILT_IN, load_profile
from edge.wire.gbt.told import Told


def gbt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options; the command gets `options` and `profile`."""

    @click.option("--profile", "profile_name", metavar="NAME|FILE", help=f"{', '.join(BUILT_IN)}, or a file.")
    @click.option(
        "--overflow",
        type=click.Choice([one.value for one in Overflow]),
        default=Overflow.ABNORMAL.value,
        show_default=True,
        help="What a value beyond the edition's range becomes.",
    )
    @click.option(
        "--missing-lists",
        type=click.Choice([one.value for one in MissingList]),
        default=MissingList.CODED.value,
        show_default=True,
        help="How a list is written that is missing as a whole.",
    )
    @click.option(
        "--unstated-codes/--no-unstated-codes",
        default=True,
        show_default=True,
        help="All ones mean invalid also where a field's own row does not say so.",
    )
    @click.option(
        "--pedals/--no-pedals",
        default=True,
        show_default=True,
        help="2016: the pedals of annex B, or reserved bytes.",
    )
    @click.option(
        "--discharge-positive/--charge-positive",
        default=True,
        show_default=True,
        help="The sign of currents.",
    )
    @click.option(
        "--activation-codes",
        type=click.Choice([one.value for one in ActivationCodes]),
        default=ActivationCodes.FROM_ZERO.value,
        show_default=True,
        help="2025: the codes of the activation's result.",
    )
    @click.option(
        "--signature-covers-mark/--no-signature-covers-mark",
        default=False,
        show_default=True,
        help="2025: whether the mark FF before a signature is among the signed bytes.",
    )
    @functools.wraps(command)
    def wrapped(
        *,
        profile_name: str | None,
        overflow: str,
        missing_lists: str,
        unstated_codes: bool,
        pedals: bool,
        discharge_positive: bool,
        activation_codes: str,
        signature_covers_mark: bool,
        **rest: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        options = Options(
            overflow=Overflow(overflow),
            missing_lists=MissingList(missing_lists),
            unstated_codes=unstated_codes,
            pedals=pedals,
            discharge_positive=discharge_positive,
            activation_codes=ActivationCodes(activation_codes),
            signature_covers_mark=signature_covers_mark,
        )
        profile = None if profile_name is None else load_profile(profile_name)
        command(options=options, profile=profile, **rest)

    return wrapped


def told_lines(told: Iterable[Told]) -> Iterator[str]:
    """What a message says otherwise than its record, a line each."""
    for one in told:
        detail = f" ({one.detail})" if one.detail else ""
        said = "" if one.said is None else f"; said as {_words(one.said)}"
        yield f"{one.item_id}: {one.why.value}{detail}{said}"


def _words(said: object) -> str:
    if isinstance(said, tuple):
        return f"{len(said)} elements"
    return str(getattr(said, "value", said))
