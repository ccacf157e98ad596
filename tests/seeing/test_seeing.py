"""Cameras are open for what is allowed here and now, and what is kept was allowed throughout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import pytest

from edge.account import Hop
from edge.clock import NS_PER_S, VirtualClock
from edge.config.camera import CameraSection, VisionSection
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.in_force import InForce
from edge.policy.rules import Area, Basis, Datum, Policy, Purpose, Rule
from edge.seeing import Seeing
from edge.uplink.events import Notice
from edge.vehicle.outcome import EventStarted
from edge.vision.media import Media, MediaFormat
from edge.vision.plan import VisionPlan
from edge.vision.process.child import LEASE_S
from edge.vision.process.surface import LOST_ORDERS, VisionSource

EXTERIOR, CABIN = DataClass.EXTERIOR, DataClass.CABIN
RECORDING, EVENT = Purpose.RECORDING, Purpose.EVENT


def policy(*areas: Area) -> Policy:
    rules = {
        (data_class, purpose): Rule(data_class, purpose, Basis.CONSENT, longest_days=30)
        for data_class in (EXTERIOR, CABIN)
        for purpose in (RECORDING, EVENT)
    }
    return Policy("made up", 1, "", rules, areas=areas)


class Source(VisionSource):
    """Stands for a camera's process, and puts down what is asked of it."""

    def __init__(self, plan: VisionPlan, allowed: Callable[[], bool]) -> None:
        self.plan = plan
        self.allowed = allowed
        self.asked: list[str] = []
        self.media: list[Media] = []
        self.closed: bool | None = None
        self.hangs = False

    def start(self) -> None:
        self.asked.append("start")

    def step(self, now_ns: int) -> None:
        del now_ns

    def take(self) -> list[Media]:
        found, self.media = self.media, []
        return found

    def request(self) -> bool:
        self.asked.append("request")
        return True

    def trigger(self, name: str, t_ns: int) -> bool:
        self.asked.append(f"{name} {t_ns}")
        return True

    def hops(self) -> tuple[Hop, ...]:
        return (Hop("camera front", "frames", 3, 2, {"too dark to judge": 1}),)

    def stop(self) -> None:
        self.closed = self.allowed()

    @property
    def gone(self) -> bool:
        return self.closed is not None and not self.hangs

    def close(self, within_s: float) -> None:
        del within_s
        self.closed = self.allowed()

    def sees(self, t_ns: int, purpose: Purpose = RECORDING, length_ns: int = 0) -> None:
        self.media.append(
            Media(
                self.plan.name, self.plan.data_class, purpose, "periodic", t_ns, t_ns + length_ns,
                MediaFormat.JPEG, 8, 8, 1, 0, 0, (), b"jpeg",
            )
        )  # fmt: skip


@dataclass
class Rig:
    """One or two cameras under a policy whose consents a test sets."""

    policy: Policy = field(default_factory=policy)
    cameras: tuple[CameraSection, ...] = (
        CameraSection.model_validate(
            {
                "name": "front",
                "source": "file:x",
                "class": "exterior",
                "every_s": 1,
                "requests": True,
                "events": ["e"],
            }
        ),
    )

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.in_force = InForce(self.policy, Admission.of(self.policy, {}))
        self.sources: list[Source] = []
        self.told: list[Notice] = []
        self.seeing = Seeing(
            self.cameras,
            VisionSection(),
            self.in_force,
            clock=self.clock,
            tell=self.told.append,
            make=self.make,
        )

    def make(self, plan: VisionPlan, allowed: Callable[[], bool]) -> Source:
        self.sources.append(Source(plan, allowed))
        return self.sources[-1]

    def agree(self, *uses: tuple[DataClass, Purpose], number: int = 1) -> None:
        self.in_force.adopt(Admission.of(self.policy, dict.fromkeys(uses, number)))

    def follow(self, place: str | None = None, after_s: float = 0.1) -> list[tuple[Media, str]]:
        self.clock.advance_to(self.clock.boot_ns() + round(after_s * NS_PER_S))
        return self.seeing.follow(self.mask, place)

    @property
    def mask(self) -> str:
        return f"0/{self.in_force.now.name}"

    @property
    def now_ns(self) -> int:
        return self.clock.boot_ns()


def test_without_a_consent_there_is_no_source_at_all() -> None:
    rig = Rig()
    for _ in range(20):
        assert rig.follow() == []
    assert rig.sources == []
    assert rig.seeing.request("front") == (
        "camera 'front' is closed: nothing allows pictures of it here and now"
    )


def test_it_is_followed_several_times_within_a_cabin_cameras_lease_while_one_is_open() -> None:
    rig = Rig()
    rig.follow()
    assert rig.seeing.longest_wait_s == inf
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    assert rig.seeing.longest_wait_s <= LEASE_S[CABIN] / 3
    rig.agree()
    rig.follow()
    assert rig.seeing.longest_wait_s == inf


def test_a_source_is_made_for_what_is_agreed_to_alone() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, EVENT))
    rig.follow()
    (events,) = rig.sources
    assert (events.plan.purpose, events.plan.every_s, events.plan.events) == (None, 0.0, True)
    rig.agree((EXTERIOR, EVENT), (EXTERIOR, RECORDING))
    rig.follow()
    _, both = rig.sources
    assert events.closed is not None
    assert (both.plan.purpose, both.plan.every_s, both.plan.events) == (RECORDING, 1.0, True)


def test_a_withdrawal_closes_it_with_the_next_look_and_its_pictures_are_not_kept() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    rig.follow()
    assert source.allowed()
    rig.agree()
    assert rig.follow() == []
    assert source.closed is False
    assert not source.allowed()
    assert [kept for _ in range(20) for kept in rig.follow()] == []
    assert rig.seeing.hops()[-1].set_aside == {"not allowed when it was taken": 1}
    assert all(hop.balanced for hop in rig.seeing.hops())


def test_a_camera_whose_driver_hangs_is_not_waited_for_and_not_opened_twice() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.hangs = True
    rig.agree()
    rig.follow()
    rig.agree((EXTERIOR, RECORDING))
    for _ in range(3):
        rig.follow()
    assert (len(rig.sources), source.closed) == (1, False)
    assert rig.seeing.hops()[0].entered == 3
    assert not any(notice.trouble for notice in rig.told)
    for _ in range(2):
        rig.follow(after_s=10)
    (trouble,) = (notice for notice in rig.told if notice.trouble)
    assert "camera front does not end" in trouble.text
    source.hangs = False
    rig.follow()
    assert len(rig.sources) == 2
    assert rig.seeing.hops()[0].entered == 6


def test_what_is_asked_for_while_a_camera_turns_is_asked_of_the_next_or_counted() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.hangs = True
    rig.agree((EXTERIOR, RECORDING), (EXTERIOR, EVENT))
    rig.follow()
    assert rig.seeing.request("front") == ""
    rig.follow()
    rig.seeing.event(EventStarted("e@5", "e", 5, 0, 10, "", frames=False, locked=False, complete_from_ns=0))
    source.hangs = False
    rig.follow()
    assert [each.asked for each in rig.sources] == [["start"], ["start", "request"]]
    assert rig.seeing.hops()[-1].facts[LOST_ORDERS] == 1


def test_what_was_asked_for_just_before_a_withdrawal_is_counted_and_never_taken() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    assert rig.seeing.request("front") == ""
    rig.agree()
    rig.follow()
    assert rig.seeing.hops()[-1].facts[LOST_ORDERS] == 1
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    assert [each.asked for each in rig.sources] == [["start"], ["start"]]


@pytest.mark.parametrize(("most", "bytes_most"), [(5, 1 << 20), (256, 5 * len(b"jpeg"))])
def test_what_settles_is_bounded_whatever_a_camera_hands_on(
    monkeypatch: pytest.MonkeyPatch, most: int, bytes_most: int
) -> None:
    monkeypatch.setattr("edge.seeing.SETTLING_MOST", most)
    monkeypatch.setattr("edge.seeing.SETTLING_BYTES_MOST", bytes_most)
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    for _ in range(8):
        source.sees(rig.now_ns)
    rig.follow()
    hop = rig.seeing.hops()[-1]
    assert (hop.facts["settling"], dict(hop.set_aside)) == (5, {"queue full": 3})
    assert len([kept for _ in range(20) for kept in rig.follow()]) == 5
    assert rig.seeing.hops()[-1].balanced


def test_a_picture_is_kept_a_second_after_it_under_the_mask_of_its_time() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    taken_ns = rig.now_ns
    kept: list[tuple[Media, str]] = []
    while not kept:
        assert rig.now_ns < taken_ns + 2 * NS_PER_S
        kept = rig.follow()
    assert rig.now_ns >= taken_ns + NS_PER_S
    assert [(media.from_ns, mask) for media, mask in kept] == [(taken_ns, rig.mask)]
    assert rig.seeing.hops()[-1].left == 1


@pytest.mark.parametrize("place", ["yard", "unknown"])
def test_in_an_area_that_withholds_it_a_camera_is_closed(place: str) -> None:
    corners = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
    rig = Rig(policy(Area("yard", corners, Datum.WGS84, frozenset({EXTERIOR}))))
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    # The buses tell where the vehicle is only after the picture was taken.
    rig.follow(place)
    assert source.closed is False
    assert [kept for _ in range(20) for kept in rig.follow(place)] == []
    rig.follow(None)
    assert len(rig.sources) == 2


def test_an_area_that_withholds_something_else_changes_nothing() -> None:
    corners = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
    rig = Rig(policy(Area("yard", corners, Datum.WGS84, frozenset({DataClass.POSITION}))))
    rig.agree((EXTERIOR, RECORDING))
    rig.follow("yard")
    (source,) = rig.sources
    assert source.closed is None


def test_a_clip_that_began_before_it_was_allowed_is_not_kept() -> None:
    rig = Rig()
    rig.follow()
    rig.agree((EXTERIOR, EVENT))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns - 2 * NS_PER_S, EVENT, 3 * NS_PER_S)
    assert [kept for _ in range(40) for kept in rig.follow()] == []


def test_pictures_under_two_consents_are_kept_under_neither() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, EVENT), number=1)
    rig.follow()
    (source,) = rig.sources
    begun_ns = rig.now_ns
    rig.agree((EXTERIOR, EVENT), number=2)
    rig.follow()
    source.sees(begun_ns, EVENT, rig.now_ns - begun_ns)
    assert [kept for _ in range(20) for kept in rig.follow()] == []


def test_a_picture_whose_consent_was_revoked_meanwhile_is_not_kept() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING), number=4)
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    rig.follow()
    rig.in_force.revoke({4})
    assert [kept for _ in range(20) for kept in rig.follow()] == []


def test_another_consent_for_another_class_changes_nothing() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    rig.in_force.adopt(Admission.of(rig.policy, {(EXTERIOR, RECORDING): 1, (CABIN, RECORDING): 2}))
    kept = [kept for _ in range(20) for kept in rig.follow()]
    assert len(kept) == 1
    assert source.closed is None


def test_an_event_goes_to_the_cameras_that_wait_for_it() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, EVENT))
    rig.follow()
    (source,) = rig.sources
    for name in ("e", "other"):
        rig.seeing.event(
            EventStarted(f"{name}@5", name, 5, 0, 9, "", frames=False, locked=False, complete_from_ns=0)
        )
    assert source.asked == ["start", "e@5 5"]


def test_a_request_is_made_on_the_thread_that_follows() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    assert rig.seeing.request("front") == ""
    assert source.asked == ["start"]
    rig.follow()
    assert source.asked == ["start", "request"]
    assert "no camera 'rear'; configured: front" in rig.seeing.request("rear")


def test_at_the_end_the_last_second_is_dropped_where_an_area_might_have_forbidden_it() -> None:
    corners = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
    rig = Rig(policy(Area("yard", corners, Datum.WGS84, frozenset({EXTERIOR}))))
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    assert rig.seeing.close() == []
    assert rig.seeing.hops()[-1].set_aside == {"the camera was closed before it could be judged": 1}
    assert all(hop.balanced for hop in rig.seeing.hops())


def test_at_the_end_what_may_be_kept_is_handed_on() -> None:
    rig = Rig()
    rig.agree((EXTERIOR, RECORDING))
    rig.follow()
    (source,) = rig.sources
    source.sees(rig.now_ns)
    assert len(rig.seeing.close()) == 1
    assert all(hop.balanced for hop in rig.seeing.hops())
