"""References to one signal are one object, whoever made them and wherever they have been."""

import copy
import pickle

from edge.database.model import SignalRef


def test_equal_names_are_one_object() -> None:
    ref = SignalRef("pt", "Motor", "Speed")
    assert SignalRef("pt", "Motor", "Speed") is ref
    assert pickle.loads(pickle.dumps(ref)) is ref  # noqa: S301 - our own bytes
    assert copy.deepcopy(ref) is ref
    assert SignalRef("pt", "Motor", "Torque") != ref


def test_references_sort_by_bus_message_and_signal() -> None:
    names = [("b", "M", "S"), ("a", "N", "S"), ("a", "M", "T"), ("a", "M", "S")]
    assert [str(ref) for ref in sorted(SignalRef(*name) for name in names)] == [
        "a:M.S",
        "a:M.T",
        "a:N.S",
        "b:M.S",
    ]
