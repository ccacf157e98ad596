"""`Permit`: what the policy is asked before a connection to one destination is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.uplink.reasons import Pace, Reason


@dataclass(frozen=True, slots=True)
class Permit:
    """Asked at each connection; both from any thread.

    Attributes:
        may_connect: says why no connection may be open now; empty if one may.
        address_refused: says why an address may not be connected to, as the end of a sentence that names it;
            empty if it may.
    """

    may_connect: Callable[[], str]
    address_refused: Callable[[str], str]


OPEN = Permit(lambda: "", lambda _: "")
"""For a link that no policy judges, such as the simulator's own."""


def not_allowed(why: str) -> Reason:
    """Why there is no connection that the policy does not allow."""
    return Reason(
        "not-allowed",
        f"there is no connection, for the policy gives this destination nothing: {why}",
        "Have the policy or a consent allow it, or take the destination out of the configuration",
        Pace.SOON,
        fact="connections that the policy does not allow",
    )


def refused_address(what: str) -> Reason:
    """Why a connection was not opened though the host has addresses."""
    return Reason(
        "address-refused",
        what,
        "Have the name server corrected, or the policy list the network if it is the destination's",
        Pace.SOON,
        fact="connections to addresses that the policy does not list",
    )
