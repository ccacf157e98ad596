"""The four databases: valid, large enough, every signal classed and fed on purpose."""

from pathlib import Path

import cantools
import pytest

from edge.database.load import load_database
from edge.policy.classfile import load_classes
from simulator.vehicle.physics import Physics
from simulator.vehicle.scenario import named
from simulator.vehicle.wiring import BUSES, DATABASES, load_databases, load_wiring

PATHS = [DATABASES / f"nev-{bus}.dbc" for bus in BUSES]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_cantools_takes_it_strictly(path: Path) -> None:
    cantools.database.load_file(path, strict=True)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_it_loads_without_a_defect(path: Path) -> None:
    assert load_database(path).defects == ()


def test_they_are_as_large_as_a_real_matrix() -> None:
    databases = load_databases().values()
    assert sum(len(database.messages) for database in databases) >= 90
    assert sum(len(message.signals) for database in databases for message in database.messages) >= 600


def test_every_kind_of_signal_occurs() -> None:
    messages = [message for database in load_databases().values() for message in database.messages]
    signals = [signal for message in messages for signal in message.signals]
    assert any(message.is_fd and message.length == 64 for message in messages)
    assert any(message.extended for message in messages)
    assert any(message.pgn is not None for message in messages)
    assert any(not signal.little_endian for signal in signals)
    assert {len(signal.bits) for signal in signals if signal.is_float} == {32, 64}
    assert any(len(signal.conditions) == 2 for signal in signals)
    assert any(len(condition.values) > 1 for signal in signals for condition in signal.conditions)


def test_every_message_says_what_it_is_and_who_sends_it() -> None:
    for database in load_databases().values():
        for message in database.messages:
            assert message.codec.comment, message.name
            assert message.codec.senders, message.name
            assert message.cycle_time_ms, message.name


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_signal_has_a_class(path: Path) -> None:
    classed = load_classes(path.with_suffix(".classes.toml"), load_database(path))
    assert all(
        classed.class_of(message.name, signal.name) is not None
        for message in classed.database.messages
        for signal in message.signals
    )


@pytest.mark.parametrize("bus", BUSES)
def test_the_wiring_names_signals_and_channels_that_exist(bus: str) -> None:
    rows = Physics(1, named("drive")).rows
    database = load_databases()[bus]
    wiring = load_wiring(bus)
    signals = {
        (message.name, signal.name): wiring.channel(message.name, signal.name)
        for message in database.messages
        for signal in message.signals
    }
    fed = {channel.replace("[*]", "[1]") for channel in signals.values() if channel is not None}
    assert fed <= set(rows)
    exact = {feed for feed in wiring.feeds if "{n}" not in feed[1]}
    assert exact <= set(signals)
    assert set(wiring.sent_while) <= {message.name for message in database.messages}
