"""When live sources are read: seldom where nothing depends on it, soon where a condition or a sensor does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.capturing.pace import AFTER_INSTANT_S, IDLE_MOST_S, Pace, pace_of
from edge.clock import NS_PER_S
from edge.config.configuration import Config, load_config

HEAD = '[vehicle]\nvin = "LNVGATE00XDEM0001"\n'
TAIL = '[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n[signing]\nkey = "k.pem"\nplatform = "p.pem"\n'
KERNEL = '[[bus]]\nname = "pt"\ninterface = "socketcan"\nchannel = "can0"\n'
EVENT = '[[event]]\nname = "e"\nall_of = ["pt.M.S > 1"]\n'


def configured(folder: Path, middle: str) -> Config:
    (folder / "nevgate.toml").write_text(f"{HEAD}{middle}{TAIL}")
    return load_config(folder / "nevgate.toml")


def test_reads_once_a_second_right_after_the_instant_where_nothing_needs_more(tmp_path: Path) -> None:
    pace = pace_of(configured(tmp_path, KERNEL + "[sampling]\ncollect_period_s = 10\nuplink_period_s = 10\n"))
    assert pace.next_ns(5 * NS_PER_S + 1) == 5 * NS_PER_S + round(AFTER_INSTANT_S * NS_PER_S)
    assert pace.next_ns(5 * NS_PER_S + NS_PER_S // 2) == 6 * NS_PER_S + round(AFTER_INSTANT_S * NS_PER_S)


def test_reads_for_each_sample_where_those_are_closer(tmp_path: Path) -> None:
    assert pace_of(configured(tmp_path, KERNEL + "[sampling]\ncollect_period_s = 0.2\n")).period_s == 0.2


def test_reads_for_each_block_of_the_journal_so_that_a_power_cut_costs_little(tmp_path: Path) -> None:
    journal = '[journal]\nfolder = "journal"\nblock_period_s = 0.25\n'
    assert pace_of(configured(tmp_path, KERNEL + journal)).period_s == 0.25


@pytest.mark.parametrize(
    "middle",
    [
        KERNEL + EVENT,
        KERNEL + '[collision]\nairbag = ["pt.M.S"]\n',
        KERNEL + '[[sensor]]\nkind = "nmea"\ndevice = "/dev/ttyAMA0"\n',
        KERNEL.replace("socketcan", "slcan"),
        KERNEL + 'options = { way = "python-can" }\n',
        KERNEL + '[[bus]]\nname = "x"\ninterface = "virtual"\nchannel = "x"\n',
    ],
    ids=["event", "collision", "sensor", "slcan", "python-can", "one of two"],
)
def test_reads_soon_where_a_condition_sensor_or_queue_is_waiting(tmp_path: Path, middle: str) -> None:
    pace = pace_of(configured(tmp_path, middle))
    assert pace.period_s <= 0.07
    # An instant of the samples is met by a reading.
    assert round(1 / pace.period_s, 6) % 1 == 0


def test_low_latency_reads_every_few_milliseconds(tmp_path: Path) -> None:
    pace = pace_of(configured(tmp_path, KERNEL + '[capture]\nlatency = "low"\n'))
    assert pace.next_ns(NS_PER_S) <= NS_PER_S + 4_000_000


@pytest.mark.parametrize("after_s", [None, 0.0, 0.025])
def test_a_reading_is_never_put_off_for_longer_than_the_period(after_s: float | None) -> None:
    pace = Pace(0.3, after_s)
    now_ns = 0
    for _ in range(100):
        next_ns = pace.next_ns(now_ns)
        assert now_ns < next_ns <= now_ns + 300_000_000
        now_ns = next_ns
    assert IDLE_MOST_S <= 1
