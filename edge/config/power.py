"""Table [power]: how the gateway acts on the supervisor of its power (docs/supervisor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from edge.config.section import Section
from edge.power.keeper import KeeperRules
from edge.power.line import WAKE_MAX_S

WAKE_LEAST_S = 300
"""A wake timer runs from the request on, and an end with all its delays takes less than this."""


def _wake(seconds: int) -> int:
    if seconds and not WAKE_LEAST_S <= seconds <= WAKE_MAX_S:
        raise ValueError(f"wake_after_s is 0 for never, or {WAKE_LEAST_S} to {WAKE_MAX_S}")
    return seconds


class PowerSection(Section):
    """The supervisor of the gateway's power, on a board that a bus is read through."""

    bus: str = Field(
        default="",
        description='a bus with interface = "vlink" whose board is the supervisor; without it, that of the '
        "one board that there is",
    )
    close_s: Annotated[float, Field(ge=1, le=60)] = Field(
        default=5.0,
        description="kept of the time until power is cut for closing the journal; receipts get the rest",
    )
    after_watch_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=60.0, description="power is wanted for so long after the vehicle was watched"
    )
    longest_end_s: Annotated[float, Field(ge=5, le=600)] = Field(
        default=120.0,
        description="an end asks for more time for so long at most; the supervisor has a limit of its own",
    )
    wake_after_s: Annotated[int, AfterValidator(_wake)] = Field(
        default=0,
        description="when the supervisor switches the gateway off, it wakes it so long after its request; "
        "0 for never",
    )

    @property
    def rules(self) -> KeeperRules:
        """How the gateway ends."""
        return KeeperRules(
            close_s=self.close_s,
            after_watch_s=self.after_watch_s,
            longest_end_s=self.longest_end_s,
            wake_after_s=self.wake_after_s,
        )

    def bus_of(self, boards: Mapping[str, tuple[str, int]]) -> str:
        """The bus whose board is the supervisor.

        Args:
            boards: of each bus behind a board, by its name, something that tells the board.

        Raises:
            ValueError: there is none, or which one is not said.
        """
        if self.bus:
            if self.bus not in boards:
                raise ValueError(f"power.bus is '{self.bus}', but {_there_are(tuple(boards))}")
            return self.bus
        if not boards:
            raise ValueError(f"[power] needs a board that a bus is read through, but {_there_are(())}")
        if len(set(boards.values())) > 1:
            raise ValueError(
                f"several boards are there, and one is the supervisor of power; say which by power.bus: "
                f"{_there_are(tuple(boards))}"
            )
        return next(iter(boards))


def _there_are(names: tuple[str, ...]) -> str:
    if not names:
        return 'no bus has interface = "vlink"'
    return f'the buses with interface = "vlink" are {", ".join(names)}'
