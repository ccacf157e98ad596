"""What a configuration says of a GB/T session holds as it is said, and what cannot be kept is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.clock import VirtualClock
from edge.errors import ConfigError
from edge.gbt_destination.security_log import SecurityLog
from edge.uplink.gbt.answered import SecurityEvent
from edge.uplink.gbt.rules import session_rules
from tests.gateway.rig import VIN, S
from tests.gbt_destination.stand import CITY, Far, Stand, journal


@pytest.mark.parametrize(
    "asked", [{"heartbeat_s": 1.5}, {"login_pause_s": 90.0}, {"answer_timeout_s": 2.5}], ids=str
)
def test_what_a_platform_could_not_query_as_it_is_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="in steps of"):
        session_rules(Edition.Y2016, **asked)
    assert session_rules(Edition.Y2016, login_pause_s=120).login_pause_s == 120


def test_a_file_of_the_session_that_cannot_be_read_is_told_and_reports_go_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = Far()
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "gbt-city-sessions.json").write_text("torn", "utf-8")
    stand = Stand(tmp_path / "run", monkeypatch, {"city": city}, journal(tmp_path) + CITY)
    stand.run(stand.source(12))
    assert any("numbered by the time of day" in text for text in stand.rig.told)
    assert city.reports


def test_a_peer_that_goes_on_cannot_fill_the_log() -> None:
    clock, lines = VirtualClock(), list[str]()
    log = SecurityLog(clock, lines.append)
    for second in range(150):
        log(SecurityEvent(second, VIN.encode(), "set refused", f"is {second} s old"))
        if not second:
            log(SecurityEvent(second, VIN.encode(), "control order refused", "is not allowed"))
        clock.advance_to(clock.boot_ns() + S)
    assert len(lines) == 4
    assert lines[0].endswith("set refused: is 0 s old")
    assert lines[2].endswith("set refused: is 60 s old; 59 more of this kind since the last")
