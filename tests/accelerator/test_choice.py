"""The accelerator is taken up where it is installed and fits, and never needed."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from edge import accelerated


def test_it_is_left_alone_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(accelerated.VARIABLE, "off")
    assert accelerated.load("json") == (None, "off (NEVGATE_ACCELERATOR)")


def test_without_it_all_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(accelerated.VARIABLE, raising=False)
    assert accelerated.load("a_module_that_is_nowhere") == (None, "not installed")


@pytest.mark.parametrize("interface", [accelerated.INTERFACE, accelerated.INTERFACE + 1, None])
def test_one_for_another_nevgate_is_refused(monkeypatch: pytest.MonkeyPatch, interface: int | None) -> None:
    monkeypatch.delenv(accelerated.VARIABLE, raising=False)
    made = ModuleType("made_up")
    if interface is not None:
        monkeypatch.setattr(made, "INTERFACE", interface, raising=False)
    monkeypatch.setitem(sys.modules, "made_up", made)
    found, state = accelerated.load("made_up")
    if interface == accelerated.INTERFACE:
        assert (found, state) == (made, "in use")
    else:
        assert found is None
        assert state.startswith("not usable: made for another nevgate")
