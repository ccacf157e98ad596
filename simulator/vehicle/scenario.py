"""Scenarios: what the driver does and what goes wrong, over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from types import MappingProxyType

from edge.errors import ConfigError


class Phase(StrEnum):
    """What the driver is about."""

    OFF = "off"
    ON = "on"
    READY = "ready"
    DRIVE = "drive"
    PARKED = "parked"
    AC_CHARGE = "ac charge"
    DC_CHARGE = "dc charge"


@dataclass(frozen=True, slots=True)
class HotProbe:
    """One temperature probe of the battery reads a place that gets hot.

    Attributes:
        probe: its number, from 1.
        peak_c: where the temperature goes.
        start_s: when it begins to rise.
        rise_s: how long it takes up, and down again.
        end_s: when it begins to fall.
    """

    probe: int
    peak_c: float
    start_s: float
    rise_s: float = 5.0
    end_s: float = inf

    def share(self, time_s: float) -> float:
        """How far from the ordinary temperature (0) to the peak (1) it is."""
        up = (time_s - self.start_s) / self.rise_s
        down = 1.0 - (time_s - self.end_s) / self.rise_s
        return max(0.0, min(1.0, up, down))


@dataclass(frozen=True, slots=True)
class ForcedAlarm:
    """An alarm that is up whatever the vehicle measures.

    Attributes:
        bit: its number among the general alarm flags of GB/T 32960.3.
        level: 1 to 4.
        start_s: when it comes.
        end_s: when it goes.
    """

    bit: int
    level: int
    start_s: float
    end_s: float = inf


@dataclass(frozen=True, slots=True)
class FixLoss:
    """The receiver sees no satellites, as in a tunnel."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of the vehicle.

    Attributes:
        name: what `named` finds it by.
        about: one line for help.
        phases: beginning in seconds and phase, ascending; the first begins at 0.
        soc_percent: charge at the beginning.
        ambient_c: air outside.
        odometer_km: mileage at the beginning.
        start: wall time at the beginning.
        vin: the vehicle identification number.
        hot_probes: overheating.
        forced_alarms: alarms without a cause.
        fix_losses: times without satellites.
    """

    name: str
    about: str
    phases: tuple[tuple[float, Phase], ...]
    soc_percent: float = 78.0
    ambient_c: float = 22.0
    odometer_km: float = 18_342.6
    start: datetime = datetime(2026, 5, 4, 0, 30, tzinfo=UTC)
    vin: str = "LNVGATE00XDEM0001"
    hot_probes: tuple[HotProbe, ...] = ()
    forced_alarms: tuple[ForcedAlarm, ...] = ()
    fix_losses: tuple[FixLoss, ...] = ()
    _begins: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_begins", tuple(begin for begin, _ in self.phases))

    def phase(self, time_s: float) -> tuple[Phase, float]:
        """The phase at `time_s`, and how many seconds it has lasted."""
        place = max(0, bisect_right(self._begins, time_s) - 1)
        begin, phase = self.phases[place]
        return phase, time_s - begin


_GET_IN = ((0.0, Phase.OFF), (1.0, Phase.ON), (2.5, Phase.READY), (4.0, Phase.DRIVE))

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario("drive", "Get in, then drive through town, suburb and motorway.", _GET_IN),
            Scenario(
                "charge",
                "Parked; plugged into a DC charger after 2 s.",
                ((0.0, Phase.OFF), (2.0, Phase.DC_CHARGE)),
                soc_percent=31.0,
            ),
            Scenario(
                "ac-charge",
                "Parked; plugged into a wall box after 2 s.",
                ((0.0, Phase.OFF), (2.0, Phase.AC_CHARGE)),
                soc_percent=54.0,
            ),
            Scenario(
                "alarm",
                "Drive while a cell overheats: level 1 to 3 after 15 s, gone after about 45 s.",
                _GET_IN,
                hot_probes=(HotProbe(probe=17, peak_c=66.0, start_s=14.0, rise_s=6.0, end_s=40.0),),
            ),
            Scenario(
                "thermal-event",
                "Drive until the battery goes into a thermal event, level 4.",
                _GET_IN,
                hot_probes=(HotProbe(probe=9, peak_c=115.0, start_s=14.0, rise_s=8.0),),
            ),
            Scenario(
                "tunnel",
                "Drive, without satellites from 15 s to 35 s.",
                _GET_IN,
                fix_losses=(FixLoss(15.0, 35.0),),
            ),
            Scenario(
                "day",
                "Get in, drive for five minutes, park, charge for ten minutes, leave.",
                (
                    *_GET_IN,
                    (304.0, Phase.PARKED),
                    (330.0, Phase.OFF),
                    (340.0, Phase.DC_CHARGE),
                    (940.0, Phase.OFF),
                ),
                soc_percent=42.0,
            ),
        )
    }
)


def named(name: str) -> Scenario:
    """The scenario called `name`.

    Raises:
        ConfigError: if there is none.
    """
    if name not in SCENARIOS:
        raise ConfigError(f"there is no scenario {name!r}", todo=f"Choose one of: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
