"""Compares what is on a board with a bundle, by hashes that the board computes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.firmware.bundle import TRAMPOLINE, Bundle
from edge.firmware.flash import differences
from edge.firmware.repl import Repl, hashes_of, state_of


@dataclass(frozen=True, slots=True)
class Verified:
    """What a comparison has found.

    Attributes:
        slot: that is chosen; empty for none.
        good: whether what is in it has said that it is well.
        differing: what is not as in the bundle; empty where all is.
        fallen: why another bundle runs than the one that was flashed last; empty where none does.
        errors: why programs have ended, by slot.
    """

    slot: str
    good: bool
    differing: tuple[str, ...]
    fallen: str
    errors: Mapping[str, str]


def verify(repl: Repl, bundle: Bundle) -> Verified:
    """Compare the chosen slot of a board, and its ``/main.py``, with a bundle.

    Raises:
        FirmwareError: the board does not answer.
    """
    state = state_of(repl)
    slot = str(state["chosen"])
    slots: Mapping[str, Mapping[str, Any]] = state["slots"]
    differing = differences(bundle, hashes_of(repl, slot)) if slot else ["nothing is chosen on the board"]
    if state["main"] != hashlib.sha256(bundle.contents[TRAMPOLINE]).hexdigest():
        differing.append(f"/{TRAMPOLINE} {'differs' if state['main'] else 'is missing'}")
    return Verified(
        slot=slot,
        good=bool(slots.get(slot, {}).get("good")),
        differing=tuple(differing),
        fallen=str(state["fallen"]),
        errors={name: str(one["error"]) for name, one in slots.items() if one["error"]},
    )
