"""Every body and command beside the public peer, where there is one: equal, but for faults that are named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.gbt.oracle.cases import CASES, Case
from tests.gbt.oracle.compare import EXCUSES, Tally, compare_case
from tests.gbt.oracle.names import UNDECODED
from tests.gbt.oracle.peer import VARIABLE, Peer

PYTHON = os.environ.get(VARIABLE, "")
MESSAGES = int(os.environ.get("NEVGATE_GBT_ORACLE", "100"))
"""Of each case; ``make gbt-oracle`` compares a thousand."""

pytestmark = pytest.mark.skipif(
    not PYTHON, reason=f"{VARIABLE} names no Python that has rtm-con; 'make gbt-oracle' makes one"
)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with Peer(PYTHON) as one:
        yield one


@pytest.fixture(scope="module")
def tallies() -> dict[Case, Tally]:
    return {}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_read_the_same(case: Case, peer: Peer, tallies: dict[Case, Tally]) -> None:
    tally = tallies[case] = compare_case(case, peer, MESSAGES, 32960)
    if (case.edition, case.part) in UNDECODED or case.part == "encrypted":
        assert tally.passed_over.total() >= MESSAGES
    else:
        assert tally.compared == MESSAGES
        assert tally.written + tally.excused["reserved bits"] >= MESSAGES


def test_every_excuse_is_needed(tallies: dict[Case, Tally]) -> None:
    met: Counter[str] = Counter()
    for tally in tallies.values():
        met += tally.passed_over + tally.excused
    assert {excuse.name for excuse in EXCUSES} == set(met)
