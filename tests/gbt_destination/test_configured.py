"""What a configuration says of a GB/T session holds as it is said, and what cannot be kept is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.uplink.gbt.rules import session_rules
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
