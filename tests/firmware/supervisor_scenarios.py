"""Scenarios for the power supervisor; what it has to do in each is in supervisor_expected.txt."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.supervisor import machine as m

Segment = tuple[int, bool, int, bool, tuple[str, int] | None]

GOOD, CHARGING = 12_500, 13_800


@dataclass(frozen=True)
class Scenario:
    """Segments of (length in ms, ignition, supply in mV, bus active, command at its start).

    Attributes:
        answer_ms: so long after a request the gateway answers; -1 for never.
        state: the one it ends in.
    """

    name: str
    segments: list[Segment]
    state: int
    answer_ms: int = 3_000
    start_ms: int = 0
    step_ms: int = 50
    powered: bool = False
    parameters: dict[str, int] = field(default_factory=dict)

    def table(self) -> dict[str, object]:
        """As the player reads it, which knows no dataclass."""
        return {
            "segments": self.segments,
            "answer_ms": self.answer_ms,
            "start_ms": self.start_ms,
            "step_ms": self.step_ms,
            "powered": self.powered,
            "parameters": self.parameters,
        }


def _at(
    length_ms: int, ignition: bool, mv: int, can: bool = False, command: tuple[str, int] | None = None
) -> Segment:
    return (length_ms, ignition, mv, can, command)


def starting_profile(bottom_mv: int, plateau_mv: int, plateau_ms: int, rise_ms: int) -> list[Segment]:
    """The starting profile of ISO 16750-2, 12 V: fall 5 ms, bottom 15 ms, 50 ms up to the plateau, and back.

    On the plateau the supply swings by a volt at 2 Hz. Below a third of the nominal supply the ignition line
    cannot be told from an open one.
    """
    wave = [(250, plateau_mv), (250, max(bottom_mv, plateau_mv - 500))] * (plateau_ms // 500)
    steps = [(5, (GOOD + bottom_mv) // 2), (15, bottom_mv), (50, (bottom_mv + plateau_mv) // 2), *wave]
    steps.append((rise_ms, (plateau_mv + GOOD) // 2))
    return [_at(length, mv >= 6_000, mv) for length, mv in steps]


LEVELS = {
    "I": (8_000, 9_500, 1_000, 40),
    "II": (4_500, 6_500, 10_000, 100),
    "III": (3_000, 5_000, 1_000, 100),
    "IV": (6_000, 6_500, 10_000, 100),
}
"""Bottom, plateau, its length, rise; as commonly given, the text of the standard was not at hand."""

_START: list[Segment] = [_at(10_000, True, GOOD)]
_DRIVEN: list[Segment] = [*_START, _at(90_000, True, CHARGING)]
_BOUNCE: list[Segment] = [_at(10, place % 2 == 0, GOOD) for place in range(500)]

SCENARIOS = [
    Scenario("ignition on, drive", [_at(60_000, True, GOOD)], m.ON),
    Scenario(
        "drive, off, answered",
        [*_START, _at(90_000, True, CHARGING), _at(60_000, False, GOOD)],
        m.OFF,
    ),
    Scenario(
        "a gateway that never answers",
        [*_START, _at(90_000, True, CHARGING), _at(120_000, False, GOOD)],
        m.OFF,
        answer_ms=-1,
    ),
    *(
        Scenario(
            f"start, level {level}, while on",
            [*_START, *starting_profile(*values), _at(5_000, True, CHARGING)],
            m.ON,
            step_ms=5,
        )
        for level, values in LEVELS.items()
    ),
    Scenario(
        "start before power was given",
        [_at(2_000, True, GOOD), *starting_profile(*LEVELS["II"]), _at(5_000, True, CHARGING)],
        m.ON,
        step_ms=5,
    ),
    Scenario("start that takes too long", [*_DRIVEN, _at(60_000, True, 8_000)], m.PROTECTED),
    Scenario(
        "supply fails and comes back",
        [*_DRIVEN, _at(20_000, True, 5_000), _at(20_000, True, 11_500), _at(20_000, True, GOOD)],
        m.ON,
    ),
    Scenario(
        "supply fails again and again",
        [
            *_START,
            *[_at(length, True, mv) for _ in range(4) for length, mv in ((3_000, 4_000), (60_000, GOOD))],
        ],
        m.ON,
    ),
    Scenario(
        "supply gone between two samples of the gateway's request",
        [*_DRIVEN, _at(32_000, False, GOOD), _at(5_000, False, 3_000)],
        m.PROTECTED,
        answer_ms=-1,
    ),
    Scenario(
        "charger fails while driving",
        [*_DRIVEN, _at(120_000, True, 10_500), _at(60_000, True, 11_700)],
        m.PROTECTED,
    ),
    Scenario(
        "short dips while driving",
        [
            *_DRIVEN,
            *[_at(length, True, mv) for _ in range(5) for length, mv in ((50_000, 10_500), (100, GOOD))],
        ],
        m.ON,
    ),
    Scenario(
        "answer lost, said again at the next request",
        [*_DRIVEN, _at(60_000, False, GOOD)],
        m.OFF,
        answer_ms=12_000,
    ),
    Scenario(
        "answer that nobody asked for",
        [*_DRIVEN, _at(29_000, False, GOOD, command=("done", 0)), _at(35_000, False, GOOD)],
        m.OFF,
        answer_ms=-1,
    ),
    Scenario(
        "journal takes longer than the hold-up, and says so",
        [
            *_DRIVEN,
            _at(50_000, False, GOOD),
            _at(40_000, False, GOOD, command=("keep", 60)),
            _at(30_000, False, GOOD, command=("done", 0)),
        ],
        m.OFF,
        answer_ms=-1,
    ),
    Scenario(
        "gateway asks for time for ever",
        [
            *_DRIVEN,
            *[_at(20_000, False, GOOD, command=("keep", 60)) for _ in range(2)],
            _at(5_000, False, GOOD, command=("keep", 0)),
            *[_at(20_000, False, GOOD, command=("keep", 60)) for _ in range(8)],
        ],
        m.OFF,
        answer_ms=-1,
    ),
    Scenario(
        "ten minutes of watching, then let go",
        [
            *_DRIVEN,
            _at(5_000, False, GOOD),
            _at(600_000, False, GOOD, command=("keep", 3_600)),
            _at(60_000, False, GOOD, command=("keep", 0)),
        ],
        m.OFF,
    ),
    Scenario(
        "watching down to the battery's limit",
        [
            *_DRIVEN,
            _at(100_000, False, GOOD, command=("keep", 3_600)),
            _at(120_000, False, 11_900),
            _at(60_000, False, GOOD, True),
        ],
        m.OFF,
    ),
    Scenario(
        "watching until the budget is spent",
        [*_DRIVEN, *[_at(100_000, False, GOOD, command=("keep", 3_600)) for _ in range(6)]],
        m.OFF,
        parameters={"watch_budget_ms": 500_000},
    ),
    Scenario(
        "bus wakes, falls silent",
        [_at(5_000, False, GOOD), _at(20_000, False, GOOD, True), _at(120_000, False, GOOD)],
        m.OFF,
    ),
    Scenario(
        "bus noise, bus at a low battery",
        [
            _at(5_000, False, GOOD),
            _at(50, False, GOOD, True),
            _at(5_000, False, GOOD),
            _at(60_000, False, 11_900, True),
        ],
        m.OFF,
    ),
    Scenario("wake timer", [_at(60_000, False, GOOD, command=("wake", 30)), _at(90_000, False, GOOD)], m.OFF),
    Scenario("wake timer at a low battery", [_at(60_000, False, 11_900, command=("wake", 30))], m.OFF),
    Scenario("ignition bounces", _BOUNCE, m.OFF, step_ms=5),
    Scenario("ignition bounces while driving", [*_DRIVEN, *_BOUNCE, _at(1_000, True, GOOD)], m.ON, step_ms=5),
    Scenario(
        "ignition off and on at once", [*_DRIVEN, _at(10_000, False, GOOD), _at(10_000, True, GOOD)], m.ON
    ),
    Scenario(
        "ignition on in the middle of the end",
        [*_DRIVEN, _at(32_000, False, GOOD), _at(60_000, True, GOOD)],
        m.ON,
    ),
    Scenario(
        "ignition off in the middle of a wake", [_at(1_000, True, GOOD), _at(10_000, False, GOOD)], m.OFF
    ),
    Scenario("ignition on at an empty battery", [_at(60_000, True, 11_500), _at(30_000, True, GOOD)], m.ON),
    Scenario("supervisor reset while driving", [_at(120_000, True, CHARGING)], m.ON, powered=True),
    Scenario("supervisor reset while parked", [_at(120_000, False, GOOD)], m.OFF, powered=True),
    Scenario(
        "a bus that never sleeps, then a charger",
        [_at(600_000, False, GOOD, True), _at(60_000, False, CHARGING, True)],
        m.WATCHING,
        parameters={"watch_budget_ms": 500_000},
    ),
]
