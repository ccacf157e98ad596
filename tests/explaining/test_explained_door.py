"""What is explained is what the door does: on random databases, with random payloads."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from edge.database.model import SignalRef
from edge.explaining.causes import hindrances, roots
from edge.explaining.payloads import AT_TIMES, KEPT, REMOVED, explain_payload
from edge.explaining.signals import explain_signal, judged_of
from edge.explaining.situation import Situation
from edge.explaining.summary import all_signals, summarise
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.door import Door
from edge.policy.judgement import BusJudgement, Judged, Reason
from tests.explaining.situations import BUS, situation_of
from tests.policy.drawn import COLLECT, classed_databases, present, raw

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
IDS = (0x100, 0x101)
FRAMES = 30
LENGTH = 8
INTRINSIC = ("cannot read its multiplexer", "which no signal describes", "may be the container")

Databases = list[ClassedDatabase]


@st.composite
def drawn(draw: st.DrawFn) -> Databases:
    """One or two databases of a bus; two may share ids, and sometimes even names."""
    same = draw(st.booleans())
    return [
        draw(classed_databases(IDS, file="same" if same else f"file{number}"))
        for number in range(draw(st.integers(1, 2)))
    ]


def situation(databases: Databases) -> Situation:
    return situation_of({BUS: databases}, COLLECT)


@MANY
@given(databases=drawn(), seed=st.integers(0, 1 << 32))
def test_each_bit_meets_the_fate_that_is_explained(databases: Databases, seed: int) -> None:
    explained = situation(databases)
    door = Door({BUS: databases}, COLLECT)
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    for arbitration_id in IDS:
        answer = explain_payload(explained, BUS, arbitration_id, extended=False)
        fates = {bit.bit: bit.fate for bit in answer.bits}
        kept = {bit for bit, fate in fates.items() if fate == KEPT}
        removed = {bit for bit, fate in fates.items() if fate == REMOVED}
        seen: set[int] = set()
        for _ in range(FRAMES):
            data = chance.randbytes(LENGTH)
            left = door.admit(FrameBatch.from_frames([Frame(0, arbitration_id, data, BUS)]))
            assert not len(left) or answer.keeps
            if len(left):
                before = int.from_bytes(data, "little")
                after = int.from_bytes(left.frame(0).data, "little")
                assert all(after >> bit & 1 == before >> bit & 1 for bit in kept)
                assert not any(
                    after >> bit & 1 for bit in range(8 * LENGTH) if fates.get(bit, REMOVED) == REMOVED
                )
                seen.update(bit for bit in range(8 * LENGTH) if after >> bit & 1)
            elif answer.keeps:
                longest = LENGTH if answer.longest is None else answer.longest
                assert not answer.shortest <= LENGTH <= longest
        assert seen.isdisjoint(removed)
        event(f"bits at times: {AT_TIMES in fates.values()}, kept: {bool(kept)}")


@MANY
@given(databases=drawn(), seed=st.integers(0, 1 << 32))
def test_a_signal_passes_whole_if_it_is_explained_as_collected_and_else_it_has_a_cause(
    databases: Databases, seed: int
) -> None:
    explained = situation(databases)
    door = Door({BUS: databases}, COLLECT)
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    short = {line.name: line for line in summarise(explained).signals}
    for ref in all_signals(explained):
        answer = explain_signal(explained, ref)
        assert answer.collected == door.collected(ref) == short[answer.name].collected
        reason = door.reason(ref)
        if reason is None:
            assert not answer.whys
            continue
        assert answer.whys[0].reason == reason.name.lower() == short[answer.name].reason
    for _ in range(FRAMES):
        arbitration_id, data = chance.choice(IDS), chance.randbytes(LENGTH)
        left = door.admit(FrameBatch.from_frames([Frame(0, arbitration_id, data, BUS)]))
        if not len(left):
            continue
        before = int.from_bytes(data, "little")
        after = int.from_bytes(left.frame(0).data, "little")
        for message in (one for each in databases for one in each.database.messages):
            for signal in message.signals if message.arbitration_id == arbitration_id else ():
                answer = explain_signal(explained, SignalRef(BUS, message.name, signal.name))
                if answer.collected and present(before, LENGTH, message, signal):
                    assert raw(after, signal) == raw(before, signal)


@MANY
@given(databases=drawn())
def test_who_is_named_as_the_cause_is_the_cause(databases: Databases) -> None:
    """Were all that are named collected, the signal would be too; unless what no class changes is named."""
    judgement = BusJudgement(BUS, databases, COLLECT)
    allowed = next(iter(COLLECT))
    for judged in (one for signals in judgement.signals.values() for one in signals):
        named = roots(judgement, judged)
        assert bool(judged.reason is None) == (not hindrances(judgement, judged))
        if judged.reason is None:
            assert not named
            continue
        assert hindrances(judgement, judged)[0].reason is judged.reason
        if intrinsic(judgement, judged):
            event("intrinsic")
            continue
        assert named
        again = [
            ClassedDatabase(
                each.database,
                {**each.classes}
                | {
                    (one.described.message.name, one.signal.name): allowed
                    for one in named
                    if one.described.classed is each
                },
                each.integrity,
            )
            for each in databases
        ]
        freed = BusJudgement(BUS, again, COLLECT)
        twins = [
            other
            for described, signals in freed.signals.items()
            if described.message is judged.described.message
            for other in signals
            if other.signal is judged.signal
        ]
        assert [other.reason for other in twins] == [None]
        event(f"freed from {judged.reason.name}")


def intrinsic(judgement: BusJudgement, judged: Judged) -> bool:
    """Whether something on the way to a signal's causes is no matter of classes."""
    seen = {id(judged)}
    waiting = [judged]
    while waiting:
        for one in hindrances(judgement, waiting.pop()):
            if not one.causes and one.reason not in {Reason.CLASS, Reason.UNCLASSIFIED}:
                assert any(words in one.words for words in INTRINSIC)
                return True
            for cause in one.causes:
                if id(cause) not in seen:
                    seen.add(id(cause))
                    waiting.append(cause)
    return False


@MANY
@given(databases=drawn(), data=st.binary(max_size=LENGTH))
def test_a_frame_that_is_asked_about_leaves_as_the_door_lets_it(databases: Databases, data: bytes) -> None:
    explained = situation(databases)
    door = Door({BUS: databases}, COLLECT)
    left = door.admit(FrameBatch.from_frames([Frame(0, IDS[0], data, BUS, FrameFlag(0))]))
    passage = explain_payload(explained, BUS, IDS[0], extended=False, data=data).passage
    assert passage is not None
    assert passage.before == data.hex()
    if len(left):
        assert (passage.after, passage.cause) == (left.frame(0).data.hex(), "")
    else:
        assert (passage.after, bool(passage.cause)) == ("", True)
    assert judged_of(BusJudgement(BUS, databases, COLLECT), SignalRef(BUS, "none", "none")) == ()
