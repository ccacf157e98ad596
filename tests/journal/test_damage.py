"""A share of all damages: no gateway stops, nothing wrong goes out, what is gone is told (`make damage`)."""

from __future__ import annotations

import pytest

from tests.journal.damage import RECORDS, SIGNED, Outcome, run

SHARE = 5


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    return run(tmp_path_factory.mktemp("damage"), share=SHARE)


def every(found: dict[str, list[Outcome]]) -> list[Outcome]:
    return [one for outcomes in found.values() for one in outcomes]


def test_the_gateway_goes_on_after_every_damage(found: dict[str, list[Outcome]]) -> None:
    assert all(one.goes_on for one in every(found))


def test_nothing_goes_out_with_other_content(found: dict[str, list[Outcome]]) -> None:
    assert not [one.wrong for one in every(found) if one.wrong]


def test_of_every_number_something_is_said_while_the_first_page_can_be_read(
    found: dict[str, list[Outcome]],
) -> None:
    pages = found["page zeroed"]
    flips = [one for name, outcomes in found.items() if name.startswith("byte") for one in outcomes]
    assert [one.silent for one in (*pages[1:], *flips) if one.silent] == []
    assert pages[0].found == "at opening"


def test_signed_messages_outlast_the_loss_of_the_log(found: dict[str, list[Outcome]]) -> None:
    """SQLite keeps every transaction that is whole before the cut, in order."""
    kept = [one.kept for one in found["log cut"]]
    assert all(one == set(range(1, len(one) + 1)) for one in kept)
    assert min(map(len, kept)) >= SIGNED
    assert [len(one) for one in kept] == sorted(len(one) for one in kept)


def test_one_byte_costs_at_most_the_records_of_its_block(found: dict[str, list[Outcome]]) -> None:
    flips = [one for name, outcomes in found.items() if name.startswith("byte") for one in outcomes]
    assert min(len(one.kept) for one in flips) >= RECORDS - 6
