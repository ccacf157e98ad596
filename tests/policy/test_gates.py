"""Gates: one for each set of classes, found again by the name of its mask, of an earlier run too."""

from __future__ import annotations

import pytest

from edge.database.model import SignalRef
from edge.policy.classes import DataClass
from edge.policy.gates import Gates
from edge.policy.judgement import Reason
from tests.policy.test_containers import classed
from tests.policy.test_transport import DATABASE

OPERATION, CABIN = DataClass.OPERATION, DataClass.CABIN


def test_a_set_of_classes_has_one_gate() -> None:
    gates = Gates({"bus": [DATABASE]})
    gate = gates.of([OPERATION])
    assert gates.of({OPERATION}) is gate
    assert gate.collect == {OPERATION}
    assert gates.of([OPERATION, CABIN]) is not gate


def test_a_gate_tells_what_passes_and_why_the_rest_does_not() -> None:
    gate = Gates({"bus": [DATABASE]}).of([OPERATION])
    passing, withheld = SignalRef("bus", "Long", "Byte0"), SignalRef("bus", "Long", "Byte2")
    assert passing in gate.collected
    assert passing not in gate.reasons
    assert withheld not in gate.collected
    assert gate.reasons[withheld] is Reason.CLASS
    assert len(gate.collected) + len(gate.reasons) == 80


@pytest.mark.parametrize(
    "collect",
    [frozenset(), frozenset({OPERATION}), frozenset(DataClass) - {OPERATION}, frozenset(DataClass)],
    ids=["nothing", "one", "all but one", "all"],
)
def test_the_gate_of_an_earlier_run_is_found_by_its_mask(collect: frozenset[DataClass]) -> None:
    mask = f"{Gates({'bus': [DATABASE]}).of(collect).name}/0123abcd"
    later = Gates({"bus": [DATABASE]})
    gate = later.of_mask(mask)
    assert gate is not None
    assert gate.collect == collect
    assert later.of(collect) is gate
    assert later.of_mask(mask) is gate


def test_the_mask_of_other_databases_has_no_gate() -> None:
    gates = Gates({"bus": [DATABASE]})
    for other in (Gates({"bus": [classed()]}), Gates({"other": [DATABASE]})):
        assert gates.of_mask(other.of([OPERATION]).name) is None
    assert gates.of_mask("") is None
