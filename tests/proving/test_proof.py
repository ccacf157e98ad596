"""The experiment finds nothing on a door that holds, and each of many doors that were broken on purpose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from edge import accelerated
from edge.account import Hop
from edge.bus.memory import MemorySource
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.collecting import Described
from edge.core import Core
from edge.frames import Frame, FrameBatch, FrameFlag, Int64s, UInt8s, UInt32s
from edge.policy import door as door_module
from edge.policy import judgement, masks
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule, Integrity
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.policy.judgement import BusJudgement, Judged, Reason
from edge.policy.layers import bits_of
from edge.policy.rules import Area, Basis, Datum, Policy, Purpose, Rule
from edge.proving.finding import Counterexample, Finding, Tally
from edge.proving.occasions import occasions_of
from edge.proving.proof import Proof
from edge.proving.recorded import Redrawn
from edge.proving.twins import Difference, Twins
from edge.records import Record
from tests.policy.boxed import BOX
from tests.policy.drawn import COLLECT, classed_databases
from tests.policy.lawful import lawful
from tests.policy.test_containers import classed as boxed
from tests.policy.test_door import classed, signal
from tests.policy.test_transport import DATABASE as J1939
from tests.policy.test_transport import diagnostics
from tests.vehicle.state import bind, made_up

OPERATION, CABIN, POSITION = DataClass.OPERATION, DataClass.CABIN, DataClass.POSITION
SQUARE = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
BUS = "bus"
IDS = (0x100, 0x101)
Databases = Mapping[str, Sequence[ClassedDatabase]]


def proved(
    databases: Databases,
    collect: Collection[DataClass] = (OPERATION,),
    *,
    frames: int = 6,
    seed: int = 1,
    policy: Policy | None = None,
    bindings: Mapping[str, Sequence[Binding]] | None = None,
    recording: Sequence[FrameBatch] | None = None,
) -> Finding:
    described = Described(databases, bindings or {}, builtin())
    opening = None if recording is None else lambda: MemorySource(recording, buses=[*databases])
    proof = Proof(
        policy or lawful(*collect).policy,
        described,
        frames=frames,
        chance=Random(seed),  # noqa: S311 - a test repeats its seed
        recording=opening,
    )
    told: list[int] = []
    finding = proof.run(told.append)
    assert told == list(range(1, len(told) + 1))
    assert (told[-1] == proof.steps) or finding.counterexample is not None
    return finding


def broken(databases: Databases, collect: Collection[DataClass] = (OPERATION,)) -> Counterexample:
    found = proved(databases, collect).counterexample
    assert found is not None
    return found


def plain() -> Databases:
    """A collected signal, a cabin one, one without a class, and bits that nobody describes."""
    text = signal("Speed", 0, 8) + signal("Belt", 10, 2) + signal("Odd", 16, 4)
    return {BUS: [classed(text, {"Speed": OPERATION, "Belt": CABIN})]}


def multiplexed() -> Databases:
    text = signal("Page", 0, 4, "M ") + signal("Cell", 8, 8, "m1 ") + signal("Seat", 8, 8, "m2 ")
    return {BUS: [classed(text, {"Page": OPERATION, "Cell": OPERATION, "Seat": CABIN})]}


def checked(covers: frozenset[tuple[str, str]] | None = None) -> Databases:
    text = signal("Speed", 0, 8) + signal("Belt", 8, 8) + signal("Crc", 24, 8)
    classes = {"Speed": OPERATION, "Belt": CABIN, "Crc": OPERATION}
    return {BUS: [classed(text, classes, Integrity(("M", "Crc"), covers))]}


def overlapping() -> Databases:
    text = signal("Wide", 0, 16) + signal("Belt", 12, 8)
    return {BUS: [classed(text, {"Wide": OPERATION, "Belt": CABIN})]}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 1 << 32))
def test_nothing_is_found_on_random_databases(data: st.DataObject, seed: int) -> None:
    j1939 = data.draw(st.booleans())
    ids = (0x98FF0027,) if j1939 else IDS
    databases = [
        data.draw(classed_databases(ids, j1939=j1939, file=f"file{number}"))
        for number in range(data.draw(st.integers(1, 2)))
    ]
    finding = proved({BUS: databases}, COLLECT, frames=4, seed=seed)
    assert finding.counterexample is None, finding
    event(f"something left: {finding.tally.left > 0}")


@pytest.mark.parametrize(
    "databases",
    [
        plain(),
        multiplexed(),
        checked(),
        checked(frozenset()),
        overlapping(),
        {BUS: [J1939]},
        {BUS: [diagnostics()]},
        {BUS: [boxed()]},
        {BUS: [boxed(little_endian=True)]},
    ],
)
def test_nothing_is_found_on_a_door_that_holds(databases: Databases) -> None:
    for collect in ((), (OPERATION,), (CABIN,), (OPERATION, CABIN)):
        finding = proved(databases, collect)
        assert finding.counterexample is None, finding
        assert finding.tally.flips > 0


def test_it_says_what_was_tried() -> None:
    tally = proved(plain(), frames=10).tally
    assert (tally.ids, tally.unknown_ids, tally.payloads) == (1, 64, 14)
    # Of four bytes all bits but those of Speed are forbidden; some payloads are shorter or longer.
    assert 14 * 24 * 0.5 < tally.flips < 14 * 60
    assert tally.together == 14 * 4
    assert tally.frames == tally.flips + tally.together + 64
    assert 0 < tally.left <= tally.frames - 64
    assert tally.values >= tally.left * 0.9


def test_a_forbidden_bit_that_leaves_is_found_though_it_was_not_flipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = Described(plain(), {}, builtin())
    twins = Twins(lawful(OPERATION).policy, described, Tally())
    ((occasion, admission),) = occasions_of(lawful(OPERATION).policy)
    twins.turn_to(occasion, admission)
    forbidden = np.array([[0, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]], np.uint8)
    frames = [FrameBatch.from_frames([Frame(t_ns, 0x100, b"\xff" * 4, BUS)]) for t_ns in (1, 2)]
    assert twins.compare(frames[0], frames[0], forbidden) is None
    admit = Door.admit

    def whole(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
        return replace(admit(door, batch, withhold), data=batch.data)

    monkeypatch.setattr(Door, "admit", whole)
    assert twins.compare(frames[1], frames[1], forbidden) == Difference(0, "the frame itself")


def test_a_seed_repeats_it() -> None:
    assert proved(multiplexed(), seed=5).tally == proved(multiplexed(), seed=5).tally


class TestABrokenDoor:
    """Each fault is one that the door could have, put into the code that the accelerator stands in for."""

    @pytest.fixture(autouse=True)
    def without_the_accelerator(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(accelerated, "native", None)

    def test_that_lets_one_bit_too_many_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def leaking(signals: Iterable[Judged], width: int) -> UInt8s:
            mask = bits_of(signals, max(width, 2))
            mask[1] |= 1 << 3
            return mask

        monkeypatch.setattr(masks, "bits_of", leaking)
        found = broken(plain())
        assert (found.bus, found.arbitration_id, found.bit) == (BUS, 0x100, 11)
        assert found.signals == ("M.Belt (cabin)",)
        assert found.depends == "the frame itself"
        assert found.left_before != found.left_after
        assert (
            int.from_bytes(bytes.fromhex(found.before), "little")
            ^ int.from_bytes(bytes.fromhex(found.after), "little")
            == 1 << 11
        )

    def test_that_lets_a_bit_pass_that_no_signal_describes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def leaking(signals: Iterable[Judged], width: int) -> UInt8s:
            mask = bits_of(signals, max(width, 4))
            mask[3] |= 1 << 7
            return mask

        monkeypatch.setattr(masks, "bits_of", leaking)
        found = broken(plain())
        assert (found.bit, found.signals) == (31, ())

    def test_that_sets_a_bit_by_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mask that turns what it removes into ones would be as bad, if it looked at it."""
        admit = Door.admit

        def telling(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            left = admit(door, batch, withhold)
            if len(left) != len(batch) or not len(left):
                return left
            data = left.data.copy()
            data[:, 0] ^= batch.data[:, 1] >> 2 & 1
            return replace(left, data=data)

        monkeypatch.setattr(Door, "admit", telling)
        assert broken(plain()).bit == 10

    def test_that_drops_a_frame_for_what_is_forbidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        admit = Door.admit

        def dropping(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            left = admit(door, batch, withhold)
            if len(left) != len(batch) or not len(left):
                return left
            return left.take(batch.data[:, 1] & 4 == 0)

        monkeypatch.setattr(Door, "admit", dropping)
        found = broken(plain())
        assert (found.bit, found.depends) == (10, "whether the frame passes")
        assert (found.left_before is None) != (found.left_after is None)

    def test_that_counts_what_is_forbidden(self, monkeypatch: pytest.MonkeyPatch) -> None:
        admit, hop = Door.admit, Door.hop
        seen: dict[int, int] = {}

        def counting(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            seen[id(door)] = seen.get(id(door), 0) + int((batch.data[:, 1] & 4).astype(np.int64).sum())
            return admit(door, batch, withhold)

        def told(door: Door) -> Hop:
            counted = hop(door)
            return replace(counted, facts={**counted.facts, "belts fastened": seen.get(id(door), 0)})

        monkeypatch.setattr(Door, "admit", counting)
        monkeypatch.setattr(Door, "hop", told)
        found = broken(plain())
        assert found.depends == "the account"
        assert found.arbitration_id == 0x100

    def test_that_forgets_the_multiplexer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def everything(row: masks.Row, data: UInt8s, length: object, width: int) -> UInt8s:
            del row, length
            return np.full((len(data), width), 0xFF, np.uint8)

        monkeypatch.setattr(masks.Row, "by_multiplexers", everything)
        assert broken(multiplexed()).depends == "the frame itself"

    def test_that_keeps_what_shares_bits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(judgement, "together", lambda *_: False)
        found = broken(overlapping())
        assert "M.Belt (cabin)" in found.signals

    def test_that_keeps_a_checksum_over_what_is_removed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BusJudgement, "_judge_integrity", lambda _: False)
        found = broken(checked())
        assert found.depends == "the frame itself"
        # The flipped bit is the belt's or nobody's; what shows is the checksum that follows it.
        assert found.bit is not None
        assert found.bit >= 8

    def test_that_keeps_the_checksum_of_an_empty_list_is_right(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BusJudgement, "_judge_integrity", lambda _: False)
        assert proved(checked(frozenset())).counterexample is None

    def test_that_takes_the_wrong_class(self, monkeypatch: pytest.MonkeyPatch) -> None:
        judge = BusJudgement._judge_classes

        def generous(one: BusJudgement, collect: frozenset[DataClass]) -> None:
            judge(one, collect | {CABIN})

        monkeypatch.setattr(BusJudgement, "_judge_classes", generous)
        assert broken(plain()).signals == ("M.Belt (cabin)",)

    def test_that_passes_an_id_that_nobody_describes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        find = masks.MaskSet.find

        def generous(one: masks.MaskSet, bus: Int64s, ids: UInt32s, wide: object) -> masks.Int32s:
            rows = find(one, bus, ids, wide)  # type: ignore[arg-type]  # handed on as it came
            rows[rows == masks.UNKNOWN_ROW] = 1
            return rows

        monkeypatch.setattr(masks.MaskSet, "find", generous)
        found = broken(plain())
        assert (found.signals, found.depends) == ((), "the frame itself")
        assert found.arbitration_id != 0x100

    def test_that_keeps_segments_unmasked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        masked = Door._masked

        def unmasked(door: Door, batch: FrameBatch, passing: object, places: object) -> FrameBatch:
            left = masked(door, batch, passing, places)  # type: ignore[arg-type]  # handed on as it came
            data = left.data.copy()
            for row, payload in enumerate(getattr(passing, "whole", {}).values()):
                if row < len(data):
                    data[row, : len(payload)] = np.frombuffer(payload, np.uint8)
            return replace(left, data=data)

        monkeypatch.setattr(Door, "_masked", unmasked)
        found = broken({BUS: [J1939]})
        assert found.kind == "J1939 message"

    def test_that_lets_segments_through_as_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def none(door: Door, batch: FrameBatch, *_: object) -> FrameBatch:
            del door
            return batch

        monkeypatch.setattr(Door, "_reassemble", none)
        monkeypatch.setattr(masks, "UNKNOWN_ROW", 0)
        found = proved({BUS: [diagnostics()]}).counterexample
        assert found is not None
        assert found.kind == "diagnostic message"

    def test_that_keeps_withheld_signals_of_diagnostics(self, monkeypatch: pytest.MonkeyPatch) -> None:
        databases = {BUS: [with_secret()]}
        assert proved(databases).counterexample is None
        monkeypatch.setattr(door_module, "without_withheld", lambda _, payload: payload)
        found = broken(databases)
        assert found.kind == "diagnostic message"
        assert found.before[:2] == "62"
        assert found.before != found.after

    def test_that_keeps_pdus_of_containers_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def leaking(signals: Iterable[Judged], width: int) -> UInt8s:
            mask = bits_of(signals, width)
            if mask.any():
                mask[:] = 0xFF
            return mask

        monkeypatch.setattr(masks, "bits_of", leaking)
        found = broken({BUS: [boxed()]})
        assert (found.kind, found.arbitration_id) == ("container", BOX)

    def test_that_lets_containers_through_as_they_are(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def as_they_are(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            del withhold
            return replace(batch, mask=door.mask)

        monkeypatch.setattr(Door, "admit", as_they_are)
        assert broken({BUS: [boxed()]}).kind == "container"

    def test_that_takes_every_rule_of_a_collected_class_for_a_match(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(DiagnosticRule, "matches", lambda rule, _: rule.data_class is OPERATION)
        assert broken({BUS: [diagnostics()]}).kind == "diagnostic message"

    def test_that_spoils_a_collected_signal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        admit = Door.admit

        def spoiling(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            left = admit(door, batch, withhold)
            data = left.data.copy()
            data[:, 0] &= 0x7F
            return replace(left, data=data)

        monkeypatch.setattr(Door, "admit", spoiling)
        assert broken(plain()).depends == "decoded signals"

    def test_behind_which_records_look_at_what_was_removed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "classes.toml").write_text('[operation]\nsignals = ["Motion.Speed"]\n')
        database = load_classes(tmp_path / "classes.toml", made_up())
        binding = bind('[items."vehicle.speed"]\nsignal = "Motion.Speed"\n', tmp_path)
        databases, bindings = {"pt": [database]}, {"pt": [binding]}
        held = proved(databases, bindings=bindings)
        assert held.counterexample is None
        assert held.tally.records > 0
        settle = Core.settle
        turns = iter(range(1 << 30))

        def guessing(core: Core, up_to_ns: int, timebase: Timebase) -> Iterable[Record]:
            for record in settle(core, up_to_ns, timebase):
                yield replace(record, values={**record.values, "vehicle.speed": next(turns)})

        monkeypatch.setattr(Core, "settle", guessing)
        found = proved(databases, bindings=bindings).counterexample
        assert found is not None
        assert found.depends == "records"


def with_secret() -> ClassedDatabase:
    """Diagnostics that a rule lets pass, whose fourth byte is the cabin's."""
    text = signal("Size", 0, 8) + signal("Service", 8, 8) + signal("Belt", 32, 8)
    described = classed(text, {"Size": OPERATION, "Service": OPERATION, "Belt": CABIN}, length=8)
    rule = DiagnosticRule(OPERATION, 0x62, ((0x100, 0x1FF),), 2, 12)
    return replace(described, channels=(DiagnosticChannel(0x100, False, "M", (rule,)),))


class TestOccasions:
    @staticmethod
    def policy(*areas: Area) -> Policy:
        law = [(OPERATION, Purpose.REGULATED)]
        asked = [(CABIN, Purpose.RECORDING), (POSITION, Purpose.SERVICE), (POSITION, Purpose.RECORDING)]
        rules = {use: Rule(*use, Basis.LAW) for use in law}
        rules |= {use: Rule(*use, Basis.CONSENT, longest_days=1) for use in asked}
        return Policy("made up", 1, "", rules, areas=areas)

    def test_are_the_sets_of_classes_that_people_can_bring_about(self) -> None:
        found = [occasion.classes for occasion, _ in occasions_of(self.policy())]
        assert found == [
            {OPERATION},
            {OPERATION, CABIN},
            {OPERATION, POSITION},
            {OPERATION, CABIN, POSITION},
        ]

    def test_and_places(self) -> None:
        area = Area("yard", SQUARE, Datum.WGS84, frozenset({POSITION, OPERATION}))
        found = {occasion.classes for occasion, _ in occasions_of(self.policy(area))}
        assert found >= {frozenset(), frozenset({CABIN})}
        assert len(found) == 6

    def test_a_door_that_heeds_no_place_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        area = Area("yard", SQUARE, Datum.WGS84, frozenset({CABIN}))
        assert proved(plain(), policy=self.policy(area)).counterexample is None
        admit = Door.admit

        def heedless(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            del withhold
            return admit(door, batch)

        monkeypatch.setattr(Door, "admit", heedless)
        every = Area("yard", SQUARE, Datum.WGS84, frozenset({OPERATION}))
        found = proved(plain(), policy=self.policy(every)).counterexample
        assert found is not None
        assert found.occasion == "by law alone, in the area 'yard'"


class TestARecording:
    @staticmethod
    def batch(count: int = 50) -> FrameBatch:
        chance = Random(3)  # noqa: S311 - a test repeats its seed
        flags = [FrameFlag(0), FrameFlag.ERROR, FrameFlag.REMOTE]
        frames = [
            Frame(place // 2, chance.choice((0x100, 0x7FF)), chance.randbytes(4), BUS, chance.choice(flags))
            for place in range(count)
        ]
        return FrameBatch.from_frames(frames, buses=[BUS])

    def test_is_tried_in_whole(self) -> None:
        finding = proved(plain(), recording=[self.batch(), self.batch(7)])
        assert finding.counterexample is None
        assert finding.tally.recorded == 57

    def test_finds_a_broken_door_and_shows_no_payload(self, monkeypatch: pytest.MonkeyPatch) -> None:
        admit = Door.admit

        def leaking(door: Door, batch: FrameBatch, withhold: Collection[DataClass] = ()) -> FrameBatch:
            left = admit(door, batch, withhold)
            if 0x7FF not in batch.arbitration_id:
                return left
            own = batch.data[np.searchsorted(batch.t_ns, left.t_ns)]
            return replace(left, data=left.data | (own & np.array([0, 4, 0, 0, 0, 0, 0, 0], np.uint8)))

        monkeypatch.setattr(Door, "admit", leaking)
        monkeypatch.setattr(Proof, "_unknown", lambda *_: None)
        found = proved(plain(), recording=[self.batch()]).counterexample
        assert found is not None
        assert (found.arbitration_id, found.depends) == (0x100, "the frame itself")
        assert (found.before, found.after, found.left_before, found.left_after) == ("", "", None, None)

    def test_redraws_only_what_is_forbidden_and_much_of_it(self) -> None:
        databases = plain()
        (occasion, _), *_ = occasions_of(lawful(OPERATION).policy)
        redrawn = Redrawn(databases, occasion, np.random.default_rng(1))
        whole = self.batch(200)
        other, moved, forbidden = redrawn.redraw(whole)
        assert not (moved & ~forbidden).any()
        assert 0.4 < moved.sum() / forbidden.sum() < 0.6
        described = (whole.arbitration_id == 0x100) & (whole.flags == 0)
        assert (other.data[described, 0] == whole.data[described, 0]).all()
        assert (other.data[whole.flags != 0] == whole.data[whole.flags != 0]).all()
        assert (other.data[:, 4:] == 0).all()


def test_every_reason_to_withhold_is_among_the_databases_that_are_tried() -> None:
    """Otherwise a door without that rule would be found by nothing here."""
    reasons = {
        reason
        for databases in (plain(), multiplexed(), checked(), overlapping())
        for collect in ((OPERATION,), (CABIN,))
        for door in [Door(databases, collect)]
        for ref in door.withheld()
        for reason in [door.reason(ref)]
    }
    assert reasons == {*Reason} - {Reason.CONTAINER, Reason.NAMESAKE}
