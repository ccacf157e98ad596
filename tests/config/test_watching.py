"""Events and windows as a person configures them: what they become, and what is refused with a remedy."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config.configuration import load_config
from edge.database.load import load_database
from edge.database.model import SignalRef
from edge.errors import ConfigError
from edge.frames import Frame, FrameBatch
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.outcome import EventStarted
from edge.vehicle.rules import Edition, SamplingRules
from edge.watching import event_watch, sampling_rules
from tests.config.test_config import GOOD
from tests.vehicle.state import S, made_up

ROOT = Path(__file__).parents[2]
EVENT = """
[[event]]
name = "fast and hot"
all_of = ["powertrain.Motion.Speed > 100"]
any_of = ["powertrain.Alarms.Hot", "powertrain.Alarms.Insulation >= 2"]
clear_when = ["powertrain.Motion.Speed < 90"]
for_s = 0.5
pre_s = 5
post_s = 7
"""
COLLISION = """
[collision]
acceleration = []
speed = ["powertrain.Motion.RearLeft"]
airbag = ["powertrain.Alarms.Thermal"]
"""


def watch(folder: Path, text: str, withheld: Collection[SignalRef] = ()) -> EventWatch | None:
    path = folder / "nevgate.toml"
    path.write_text(GOOD + text)
    return event_watch(load_config(path), {"powertrain": [made_up()]}, withheld)


def motion(at_s: float, *, speed: float = 0, rear: float = 0) -> Frame:
    bits = round(speed * 100) | round(rear * 10) << 17
    return Frame(round(at_s * S), 256, bits.to_bytes(8, "little"), "powertrain")


def flags(at_s: float, raw: int) -> Frame:
    return Frame(round(at_s * S), 260, bytes([raw, *bytes(7)]), "powertrain")


def started(made: EventWatch | None, *frames: Frame) -> list[EventStarted]:
    assert made is not None
    made.take(FrameBatch.from_frames(frames))
    return [each for each in made.take_outcomes() if isinstance(each, EventStarted)]


def rules(folder: Path, text: str = "") -> SamplingRules:
    path = folder / "nevgate.toml"
    path.write_text(f"{GOOD}[sampling]\n{text}\n")
    return sampling_rules(load_config(path).sampling)


def test_what_is_not_said_is_the_edition_of_2025(tmp_path: Path) -> None:
    plain = rules(tmp_path)
    assert plain == SamplingRules(S)
    assert plain.edition is Edition.OF_2025
    assert rules(tmp_path, "after_off_s = 600") == replace(plain, watch_after_off_ns=600 * S)


def test_the_edition_of_2016_reports_three_minutes_after_off_and_no_more(tmp_path: Path) -> None:
    old = rules(tmp_path, 'edition = "2016"\ncollect_period_s = 10')
    assert old.edition is Edition.OF_2016
    assert (old.report_after_off_ns, old.watch_after_off_ns, old.period_ns) == (180 * S, 180 * S, 10 * S)


def test_without_events_nothing_is_watched(tmp_path: Path) -> None:
    assert watch(tmp_path, "") is None


def test_an_event_is_told_as_it_is_configured(tmp_path: Path) -> None:
    frames = (motion(1, speed=101), flags(2, 0b100), motion(3), motion(10, speed=101), motion(10.2))
    (event,) = started(watch(tmp_path, EVENT), *frames)
    assert (event.trigger, event.at_ns, event.from_ns, event.to_ns) == (
        "fast and hot",
        2 * S,
        -3 * S,
        round(9.5 * S),
    )
    assert event.cause == ("powertrain.Motion.Speed > 100 (101) and powertrain.Alarms.Insulation >= 2 (2)")
    assert event.frames
    assert not event.locked


def test_a_collision_is_seen_by_speed_in_the_signal_s_own_unit_and_by_the_airbag(tmp_path: Path) -> None:
    # 2.2 m/s are 7.92 km/h, 2.3 are 8.28.
    frames = [motion(0, rear=20), motion(1.0, rear=20), motion(1.1, rear=17.8), flags(1.2, 0)]
    assert started(watch(tmp_path, COLLISION), *frames) == []
    crash, airbag = started(
        watch(tmp_path, COLLISION),
        *frames[:2],
        motion(1.1, rear=17.7),
        motion(2, rear=17.7),
        flags(20, 0),
        flags(21, 0b1000),
    )
    assert crash.trigger == airbag.trigger == "collision"
    assert (crash.from_ns, crash.to_ns) == (round(-3.9 * S), round(6.1 * S))
    assert crash.locked
    assert crash.cause.startswith("powertrain.Motion.RearLeft changed the speed within 0.15 s by > 8 km/h")
    assert airbag.locked


def test_the_examples_of_the_page_can_be_watched(tmp_path: Path) -> None:
    buses = ("powertrain", "battery", "body", "chassis")
    examples = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "events.md").read_text("utf-8"), re.DOTALL)
    assert len(examples) == 3
    path = tmp_path / "nevgate.toml"
    path.write_text(GOOD + "\n".join(examples))
    config = load_config(path)
    databases = {
        bus: [
            load_classes(
                ROOT / "dbc" / f"nev-{bus}.classes.toml", load_database(ROOT / "dbc" / f"nev-{bus}.dbc")
            )
        ]
        for bus in buses
    }
    door = Door(databases, frozenset({DataClass.OPERATION, DataClass.POSITION}))
    plain = {bus: [one.database for one in several] for bus, several in databases.items()}
    assert event_watch(config, plain, door.withheld()) is not None
    assert sampling_rules(config.sampling).period_ns == 10 * S
    assert {event.name for event in config.event} == {"hard braking", "pack gets hot while it charges"}


REFUSED = {
    "no condition": ('[[event]]\nname = "x"\n', "event 'x' has no condition; add all_of or any_of"),
    "no such signal": (
        EVENT.replace("Motion.Speed >", "Motion.Sped >"),
        "no database has a signal 'powertrain.Motion.Sped'. Did you mean 'powertrain.Motion.Speed'?",
    ),
    "no bus": (EVENT.replace("powertrain.Alarms.Hot", "Alarms.Hot"), "names no signal; write it like"),
    "no number": (
        EVENT.replace("> 100", "> fast"),
        "'fast' in 'powertrain.Motion.Speed > fast' is no number",
    ),
    "two of a name": (EVENT + EVENT, "two events are called 'fast and hot'"),
    "name of the collision": (EVENT.replace("fast and hot", "collision"), "what [collision] waits for"),
    "nothing to see a collision by": ("[collision]\n", "[collision] names no signal"),
    "unit that is no speed": (
        COLLISION.replace("RearLeft", "Pressure"),
        "[collision] speed: 'powertrain.Motion.Pressure' has the unit 'bar', which is none of speed",
    ),
    "misspelt key": (EVENT + "post = 3\n", "unknown key 'event[0].post'"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_watched_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        watch(tmp_path, text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", [EVENT, COLLISION])
def test_a_condition_on_what_is_not_collected_is_refused(tmp_path: Path, text: str) -> None:
    name = "Insulation" if text is EVENT else "Thermal"
    with pytest.raises(ConfigError, match=rf"'powertrain\.Alarms\.{name}' is not collected"):
        watch(tmp_path, text, withheld={SignalRef("powertrain", "Alarms", name)})
