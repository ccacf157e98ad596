"""The table [page] is refused where it would open what should be closed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge.config.page import PageSection


def test_it_is_closed_by_itself() -> None:
    section = PageSection()
    assert section.loopback
    assert section.driver_pin
    assert section.authorities == {"127.0.0.1:8480", "localhost:8480"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"host": "192.168.7.1", "driver_pin": False}, "this machine's own screen"),
        ({"host": "0.0.0.0", "driver_pin": False, "names": ["car.local"]}, "this machine's own screen"),  # noqa: S104 - is what is refused
        ({"host": "0.0.0.0"}, "give in 'names'"),  # noqa: S104 - the same
        ({"host": "car.local"}, "names go into 'names'"),
        ({"names": ["http://car"]}, "without scheme"),
        ({"names": ["car:80"]}, "without scheme"),
        ({"names": ["*.local"]}, "without scheme"),
        ({"port": 0}, "greater than or equal"),
        ({"idle_s": 1}, "greater than or equal"),
        ({"driver": 1}, "not permitted"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PageSection.model_validate(table)


@pytest.mark.parametrize(
    ("table", "authorities"),
    [
        ({"host": "::1", "port": 80}, {"[::1]:80", "localhost:80", "[::1]", "localhost"}),
        ({"host": "192.168.7.1", "names": ["Car.Local"]}, {"192.168.7.1:8480", "car.local:8480"}),
        ({"host": "0.0.0.0", "names": ["car.local"]}, {"car.local:8480"}),  # noqa: S104 - listens on all
    ],
)
def test_the_names_are_those_that_are_configured(table: dict[str, object], authorities: set[str]) -> None:
    assert PageSection.model_validate(table).authorities == authorities
