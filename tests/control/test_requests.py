"""Requests: what each does at the desk, and that nonsense is named and does nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import SystemClock
from edge.consent.desk import ConsentDesk
from edge.consent.entries import Role
from edge.control.client import ControlClient
from edge.control.requests import Requests
from edge.control.server import ControlServer
from edge.control.uses import plain_clock, plain_uses
from edge.errors import ConsentError, ControlError, NevgateError
from edge.policy.classes import DataClass
from tests.consent.consent_rig import CHANGED, POLICY, TRACK, DeskRig

OF_TRACK: dict[str, object] = {"class": "position", "purpose": "service", "role": "driver"}
GRANT = {"do": "grant", **OF_TRACK, "term_s": 3_600}


class Steered:
    def __init__(self, desk: ConsentDesk) -> None:
        self.desk = desk
        self.erased: list[tuple[DataClass, Role, str]] = []
        self.pictures: list[str] = []

    def state(self) -> Mapping[str, object]:
        return {"uses": plain_uses(self.desk), "clock": plain_clock(self.desk)}

    def erase(self, data_class: DataClass, *, role: Role, reason: str) -> Mapping[str, object]:
        self.erased.append((data_class, role, reason))
        return {"begun": True}

    def picture(self, camera: str) -> None:
        if camera != "front":
            raise ControlError(f"there is no camera '{camera}'")
        self.pictures.append(camera)


class Rig(DeskRig):
    def __init__(self) -> None:
        super().__init__()
        self.steered = Steered(self.desk)
        self.requests = Requests(self.desk, self.steered)

    def ask(self, request: Mapping[str, object]) -> dict[str, object]:
        answer = self.requests.answer(request)
        again: dict[str, object] = json.loads(json.dumps(answer, allow_nan=False))
        return again

    def use(self) -> dict[str, object]:
        uses = self.ask({"do": "state"})["uses"]
        assert isinstance(uses, list)
        (found,) = [one for one in uses if (one["class"], one["purpose"]) == ("position", "service")]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_consent_comes_and_goes(rig: Rig) -> None:
    assert rig.use()["state"] == "not asked"
    rig.ask({"do": "ask", **OF_TRACK})
    assert rig.use()["why"] == "asked, not answered"
    granted = rig.ask(GRANT)
    assert granted["kept"] is True
    assert rig.use() == granted["use"]
    assert rig.use() == {
        "class": "position",
        "purpose": "service",
        "basis": "consent",
        "collected": True,
        "precision": "full",
        "leaves": True,
        "jurisdictions": ["CN"],
        "destinations": [],
        "destinations_listed": False,
        "retention_days": 0.0,
        "longest_days": 30,
        "erase_within_s": 864_000.0,
        "clause": "",
        "state": "given",
        "why": "",
        "consent": {
            "number": 1,
            "role": "driver",
            "granted": "2026-09-21T14:13:20Z",
            "until": "2026-09-21T15:13:20Z",
            "keep": False,
            "term_s": 3_600.0,
        },
    }
    assert rig.ask({"do": "withdraw", **OF_TRACK})["erase_by"] == "2026-10-01T14:13:20Z"
    assert (rig.use()["state"], rig.use()["collected"]) == ("withdrawn", False)
    rig.ask({"do": "refuse", **OF_TRACK})
    assert rig.use()["state"] == "refused"


def test_a_withdrawal_that_is_not_on_the_disk_yet_says_so(rig: Rig) -> None:
    rig.ask(GRANT)
    rig.keeping.broken = True
    assert rig.ask({"do": "withdraw", **OF_TRACK})["kept"] is False
    assert rig.use()["collected"] is False


def test_an_erasure_is_handed_on(rig: Rig) -> None:
    answer = rig.ask({"do": "erase", "class": "position", "role": "owner", "reason": "sold"})
    assert answer == {"ok": True, "begun": True}
    assert rig.steered.erased == [(DataClass.POSITION, Role.OWNER, "sold")]


def test_a_use_that_the_policy_dropped_is_still_shown(rig: Rig) -> None:
    rig.ask(GRANT)
    rig.desk.adopt(CHANGED)
    assert rig.use()["state"] == "changed"
    rules = {use: rule for use, rule in POLICY.rules.items() if use != TRACK}
    rig.desk.adopt(type(POLICY)("without", 3, "strict", rules))
    assert (rig.use()["basis"], rig.use()["state"]) == ("", "changed")
    rig.ask({"do": "withdraw", **OF_TRACK})


def test_what_a_place_withholds_is_not_shown_as_collected(rig: Rig) -> None:
    rig.ask(GRANT)
    shown = {str(one["class"]): one["collected"] for one in plain_uses(rig.desk, [DataClass.POSITION])}
    assert shown == {"cabin": False, "operation": True, "position": False}


def test_the_clock_says_why_it_is_not_trusted(rig: Rig) -> None:
    assert plain_clock(rig.desk) == {"wall": "2026-09-21T14:13:20Z", "trusted": True, "why": ""}
    rig.set_wall(-10_000_000)
    assert plain_clock(rig.desk)["trusted"] is False
    rig.set_wall(-(2**62) / 1e9)
    assert plain_clock(rig.desk)["wall"] == ""


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"do": "grand", **OF_TRACK},
        {"do": ["grant"]},
        {"do": "grant", **OF_TRACK},
        {**GRANT, "term_s": None},
        {**GRANT, "term_s": "3600"},
        {**GRANT, "term_s": float("inf")},
        {**GRANT, "term_s": True},
        {**GRANT, "keep": 1},
        {**GRANT, "class": "speed"},
        {**GRANT, "purpose": "marketing"},
        {**GRANT, "role": "inspector"},
        {**GRANT, "name": "Zhang San"},
        {"do": "state", "secret": True},
        {"do": "erase", "class": "position", "role": "owner", "reason": "x" * 501},
    ],
)
def test_nonsense_is_named_and_does_nothing(rig: Rig, request_: dict[str, object]) -> None:
    with pytest.raises(ControlError, match="makes no sense"):
        rig.ask(request_)
    assert not rig.keeping.entries


@pytest.mark.parametrize("term_s", [0.1, 30 * 86_400 + 1, 1e300])
def test_a_term_that_the_policy_does_not_allow_is_the_desks_to_refuse(rig: Rig, term_s: float) -> None:
    with pytest.raises(ConsentError):
        rig.ask({**GRANT, "term_s": term_s})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["do", "class", "purpose", "role", "term_s", "keep", "reason"]),
        JSON | st.sampled_from(["grant", "refuse", "withdraw", "erase", "position", "service", "driver", 60]),
    )
)
def test_any_object_is_answered_or_refused(request_: dict[str, object]) -> None:
    rig = Rig()
    try:
        assert rig.ask(request_)["ok"] is True
    except NevgateError:
        return


def test_over_the_socket(tmp_path: Path) -> None:
    rig = Rig()
    path = tmp_path / "control.sock"
    with ControlServer(path, rig.requests.answer, SystemClock()):
        client = ControlClient(path)
        client.ask(GRANT)
        assert rig.desk.admission().consents == {TRACK: 1}
        with pytest.raises(ControlError, match="longer than the policy allows"):
            client.ask({**GRANT, "term_s": 1e9})
        client.ask({"do": "refuse", **OF_TRACK})
        assert not rig.desk.admission().consents


def test_a_picture_is_asked_of_a_camera_that_there_is() -> None:
    rig = Rig()
    assert rig.ask({"do": "picture", "camera": "front"}) == {"ok": True}
    assert rig.steered.pictures == ["front"]
    with pytest.raises(ControlError, match="no camera 'rear'"):
        rig.ask({"do": "picture", "camera": "rear"})
