"""A gateway as the control socket shows it: it keeps consents, and remembers what it was asked."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from edge.errors import NevgateError

WALL = "2026-03-01T08:00:00+00:00"
UNTIL = "2026-03-02T10:00:00+00:00"


class GoneError(NevgateError):
    """What a client raises while no gateway runs."""


def use(data_class: str, purpose: str, **values: object) -> dict[str, Any]:
    """A use by consent that nobody has been asked for, with some things changed."""
    return {
        "class": data_class,
        "purpose": purpose,
        "basis": "consent",
        "collected": False,
        "precision": "",
        "leaves": False,
        "jurisdictions": [],
        "destinations": [],
        "retention_days": 14.0,
        "longest_days": 30.0,
        "erase_within_s": 864_000.0,
        "state": "not asked",
        "why": "",
        "consent": None,
        **values,
    }


def by_law(data_class: str, purpose: str, **values: object) -> dict[str, Any]:
    return use(
        data_class,
        purpose,
        **{"basis": "law", "collected": True, "state": "by law", "longest_days": 0.0, **values},
    )


def given(data_class: str, purpose: str, **values: object) -> dict[str, Any]:
    consent = {"number": 3, "role": "driver", "granted": WALL, "until": UNTIL, "keep": False}
    return use(data_class, purpose, **{"collected": True, "state": "given", "consent": consent, **values})


def sample_state() -> dict[str, Any]:
    """A gateway in the middle of its life."""
    return {
        "ok": True,
        "policy": {
            "name": "fleet",
            "version": 4,
            "profile": "gbt44464",
            "title": "fleet version 4 (0123456789abcdef)",
            "signature": "good",
        },
        "clock": {"wall": WALL, "trusted": True, "why": ""},
        "place": None,
        "mask": "m-0123/4567",
        "uses": [
            by_law("operation", "regulated", leaves=True, jurisdictions=["CN"], destinations=["platform"]),
            by_law("position", "regulated", leaves=True, jurisdictions=["CN"], precision="full"),
            given("position", "service", leaves=True, jurisdictions=["CN"], precision="geohash 6"),
            use("cabin", "recording"),
            use("identity", "service", state="refused"),
            use("exterior", "event", state="expired"),
        ],
        "kept": [
            {"class": "operation", "frames": 0, "records": 120_345, "last": WALL},
            {"class": "position", "frames": 0, "records": 3_600, "last": WALL},
        ],
        "removed": [{"class": "cabin", "frames": 88_000}],
        "left": [
            {
                "destination": "platform",
                "purpose": "regulated",
                "jurisdiction": "CN",
                "classes": ["operation", "position"],
                "records": 120_000,
                "messages": 12_000,
                "last": WALL,
                "allowed": True,
                "why": "",
            },
            {
                "destination": "abroad",
                "purpose": "service",
                "jurisdiction": "US",
                "classes": [],
                "records": 0,
                "messages": 0,
                "last": None,
                "allowed": False,
                "why": "the policy does not know it",
            },
        ],
        "erasures": [
            {
                "when": WALL,
                "class": "position",
                "purpose": "consent 2",
                "reason": "withdrawn",
                "blocks": 17,
                "done": False,
            }
        ],
        "contact": "privacy@maker.example, +86 10 1234 5678",
    }


class FakeGateway:
    """Answers as the running gateway does."""

    def __init__(self) -> None:
        self.told = sample_state()
        self.asked: list[dict[str, object]] = []
        self.running = True
        self.refusal: dict[str, object] | None = None

    def changes(self) -> list[dict[str, object]]:
        """What it was asked but for its state."""
        return [one for one in self.asked if one["do"] != "state"]

    def ask(self, request: Mapping[str, object]) -> Mapping[str, object]:
        if not self.running:
            raise GoneError("no gateway answers", where="control.sock", todo="Start it with 'nevgate run'")
        self.asked.append(dict(request))
        if request["do"] == "state":
            return copy.deepcopy(self.told)
        if self.refusal is not None:
            return self.refusal
        for one in self.told["uses"]:
            if (one["class"], one["purpose"]) == (request.get("class"), request.get("purpose")):
                self._change(one, request)
        if request["do"] == "erase":
            self.told["kept"] = [one for one in self.told["kept"] if one["class"] != request["class"]]
        return {"ok": True}

    def _change(self, one: dict[str, Any], request: Mapping[str, object]) -> None:
        if request["do"] == "grant":
            consent = {
                "number": 4,
                "role": request["role"],
                "granted": WALL,
                "until": UNTIL,
                "keep": request["keep"],
            }
            one.update(state="given", collected=True, consent=consent)
        elif request["do"] == "refuse":
            one.update(state="refused", collected=False, consent=None)
        elif request["do"] == "withdraw":
            one.update(state="withdrawn", collected=False, consent=None)
