"""An excerpt is proved whole and unchanged, by our verifier and by the separate one, or is refused."""

from __future__ import annotations

import ast
import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import JournalError
from edge.journal.block import BlockKind, leaf
from edge.journal.evidence import merkle
from edge.journal.evidence.evidence import StoredCheckpoint
from edge.journal.evidence.excerpt import make_excerpt
from edge.journal.evidence.excerpt_file import Entry, Excerpt, Segment, Showing, read_excerpt, write_excerpt
from edge.journal.evidence.excerpt_proof import ExcerptReport, verify_excerpt
from edge.wire.keys import Algorithm, SigningKey
from tests.journal.fake_journal import (
    BOOTS,
    PLATFORM_KEY,
    VEHICLE,
    VEHICLE_KEY,
    FakeJournal,
    S,
    journal,
)

PROGRAM = Path(__file__).parents[2] / "docs" / "verify_excerpt.py"
JOURNAL = journal()


def standalone() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_excerpt", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEPARATE = standalone()


def make(
    evidence: FakeJournal,
    span: tuple[int, int],
    boot: bytes = BOOTS[1],
    kind: BlockKind = BlockKind.RECORDS,
    data_class: str = "position",
) -> bytes:
    return make_excerpt(
        evidence,
        kind=kind,
        data_class=data_class,
        boot=boot,
        from_ns=span[0] * S,
        to_ns=span[1] * S,
        margin_ns=5 * S,
    )


def holds(data: bytes) -> ExcerptReport | None:
    """Ask both verifiers; they must agree, on the claim as well."""
    vehicle, platform = VEHICLE_KEY.public, PLATFORM_KEY.public
    try:
        report = verify_excerpt(data, [vehicle], [platform])
    except JournalError:
        with pytest.raises(SEPARATE.ExcerptError):
            SEPARATE.verify(data, [vehicle.pem], [platform.pem])
        return None
    told = SEPARATE.verify(data, [vehicle.pem], [platform.pem])
    opened = {each.header.number: each.plaintext for each in report.blocks}
    assert told.blocks == opened
    assert (told.from_ns, told.to_ns, told.boot) == (
        report.excerpt.from_ns,
        report.excerpt.to_ns,
        report.excerpt.boot,
    )
    assert told.margin_ns == report.margin_ns
    return report


def proved(data: bytes) -> ExcerptReport:
    report = holds(data)
    assert report is not None
    return report


def truth(evidence: FakeJournal, excerpt: Excerpt) -> dict[int, bytes | None]:
    """What the journal has of an excerpt's series in its range: the contents by number."""
    within = [block for block in evidence.held if excerpt.in_range(block.header)]
    numbers = [block.header.number for block in within]
    return {number: evidence.openings.get(number, (b"", None))[1] for number in numbers}


def shown(report: ExcerptReport) -> dict[int, bytes | None]:
    return {each.header.number: each.plaintext for each in report.blocks}


def changed(data: bytes, change: Callable[[list[Segment]], None]) -> bytes:
    """The excerpt with its segments changed, encoded as well as ever."""
    excerpt = read_excerpt(data)
    segments = list(excerpt.segments)
    change(segments)
    return write_excerpt(replace(excerpt, segments=tuple(segments)))


def resealed(evidence: FakeJournal, segment: Segment, entries: list[Entry]) -> Segment:
    """A segment with other entries, and the honest proof for their places."""
    stored = next(each for each in evidence.sealed if each.signed == segment.signed)
    held = evidence.held[stored.first - 1 : stored.last]
    leaves = [leaf(b.header_bytes, b.ciphertext_hash, b.commitment) for b in held]
    places = [entry.header.number - stored.first for entry in entries]
    return replace(segment, entries=tuple(entries), nodes=merkle.prove(leaves, places) if places else ())


@pytest.mark.parametrize("boot", BOOTS[:2])
@pytest.mark.parametrize("span", [(25, 33), (0, 12), (10, 61), (40, 41), (58, 100)])
@pytest.mark.parametrize("series", [("position", BlockKind.RECORDS), ("speed", BlockKind.RECORDS)])
def test_an_excerpt_shows_exactly_the_blocks_of_its_series_in_its_range(
    boot: bytes, span: tuple[int, int], series: tuple[str, BlockKind]
) -> None:
    report = proved(make(JOURNAL, span, boot, series[1], series[0]))
    assert shown(report) == truth(JOURNAL, report.excerpt)
    assert report.blocks
    assert report.closed == ()
    assert report.margin_ns is None or report.margin_ns >= 5 * S


def test_that_nothing_was_recorded_is_proved_as_well() -> None:
    quiet = proved(make(JOURNAL, (25, 33), kind=BlockKind.SECURITY, data_class=""))
    assert quiet.blocks == ()
    loud = proved(make(JOURNAL, (15, 33), kind=BlockKind.SECURITY, data_class=""))
    assert [each.plaintext for each in loud.blocks] == [b"door opened"]
    never = proved(make(JOURNAL, (15, 33), kind=BlockKind.MEDIA, data_class="cabin"))
    assert never.blocks == ()


def test_no_content_and_no_header_of_other_series_is_told_where_the_series_goes_on() -> None:
    data = make(JOURNAL, (25, 33))
    entries = [entry for segment in read_excerpt(data).segments for entry in segment.entries]
    assert {entry.header.data_class for entry in entries} == {"position"}
    for number in range(1, len(JOURNAL.held) + 1):
        block, (salt, plaintext) = JOURNAL.held[number - 1], JOURNAL.openings[number]
        inside = number in shown(proved(data))
        assert (salt in data) == inside
        assert inside or (plaintext not in data or block.header.data_class == "position")


def test_the_beginning_of_a_stream_and_the_newest_checkpoint_bound_an_excerpt() -> None:
    assert proved(make(JOURNAL, (0, 15), BOOTS[0])).checkpoints[0].first == 1
    report = proved(make(JOURNAL, (55, 60), BOOTS[2]))
    assert report.margin_ns == S
    with pytest.raises(JournalError, match="not sealed yet"):
        make(JOURNAL, (55, 62), BOOTS[2])


def test_the_end_of_a_boot_is_proved_by_the_next_boot_s_checkpoint() -> None:
    report = proved(make(JOURNAL, (50, 10_000)))
    assert report.margin_ns is None
    assert len(report.blocks) == 15
    assert "started anew" in " ".join(report.sentences())


def test_a_boot_too_short_for_a_checkpoint_is_proved_by_those_around_it() -> None:
    made = journal()
    short, following = b"D" * 16, b"E" * 16
    made.add(BlockKind.RECORDS, "speed", short, (3 * S, 4 * S))
    made.add(BlockKind.RECORDS, "position", short, (3 * S, 4 * S), b"short")
    made.add(BlockKind.RECORDS, "position", following, (1 * S, 2 * S))
    made.seal(following, 3 * S)
    assert list(shown(proved(make(made, (0, 10), short))).values()) == [b"short"]
    nothing = proved(make(made, (0, 10), short, BlockKind.MEDIA, ""))
    assert nothing.blocks == ()
    with pytest.raises(JournalError, match="no sealed block is of boot"):
        make(made, (0, 10), b"F" * 16)


def test_erased_blocks_stand_in_the_excerpt_as_such() -> None:
    made = journal()
    victim = next(iter(truth(made, read_excerpt(make(made, (25, 33))))))
    made.erase(victim)
    report = proved(make(made, (25, 33)))
    assert report.closed == (victim,)
    assert shown(report)[victim] is None
    assert f"blocks {victim}" in " ".join(report.sentences())


def test_rows_that_are_gone_make_no_excerpt() -> None:
    made = journal()
    victim = next(iter(truth(made, read_excerpt(make(made, (25, 33))))))
    made.held = [block for block in made.held if block.header.number != victim - 1]
    with pytest.raises(JournalError, match="no longer in the journal"):
        make(made, (25, 33))


def test_an_opening_that_does_not_fit_is_not_handed_out() -> None:
    made = journal()
    victim = next(iter(truth(made, read_excerpt(make(made, (25, 33))))))
    made.openings[victim] = made.openings[victim][0], b"another"
    with pytest.raises(JournalError, match="not what was committed to"):
        make(made, (25, 33))


def small() -> tuple[FakeJournal, bytes]:
    """A journal of which an excerpt has little more than a kilobyte."""
    made = FakeJournal()
    for second in (1, 2, 3, 4):
        made.add(BlockKind.RECORDS, "a", BOOTS[0], (second * S, second * S + 9), b"%d" % second)
        made.add(BlockKind.RECORDS, "b", BOOTS[0], (second * S, second * S + 9))
    made.seal(BOOTS[0], 5 * S)
    return made, make(made, (2, 3), BOOTS[0], data_class="a")


def test_each_changed_byte_is_refused_or_still_says_nothing_but_the_truth() -> None:
    made, data = small()
    original = read_excerpt(data)
    assert len(shown(proved(data))) == 2
    true_still = 0
    for place in range(len(data)):
        flip = (1 << place % 8, 1 << (place + 3) % 8, 0xFF)[place % 3]
        mutant = data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :]
        report = holds(mutant)
        if report is None:
            continue
        true_still += 1
        assert shown(report) == truth(made, report.excerpt)
        assert replace(report.excerpt, from_ns=original.from_ns, to_ns=original.to_ns) == original
    assert 0 < true_still < 40


def test_another_way_to_write_the_same_is_refused() -> None:
    _, data = small()
    fields = cbor2.loads(data)
    others: list[object] = [
        {**fields, 1: True},
        {**fields, 1: 1.0},
        {(9.0 if key == 9 else key): value for key, value in fields.items()},
        {**fields, 7: float(fields[7])},
        {**fields, 7: 2**64},
        {**fields, 10: 0},
        list(fields.values()),
        cbor2.CBORTag(55799, fields),
    ]
    for other in others:
        assert holds(cbor2.dumps(other)) is None, other
        assert holds(cbor2.dumps(other, canonical=True)) is None, other
    assert holds(b"\xbf" + data[1:] + b"\xff") is None


def test_each_truncation_is_refused() -> None:
    _, data = small()
    assert not any(holds(data[:end]) for end in range(len(data)))
    assert holds(data + b"\0") is None


def test_a_block_left_out_is_refused() -> None:
    data = make(JOURNAL, (25, 43))
    excerpt = read_excerpt(data)
    tried = 0
    for place, segment in enumerate(excerpt.segments):
        for victim in segment.entries:
            kept = [entry for entry in segment.entries if entry is not victim]
            for honest in (False, True):
                other = replace(segment, entries=tuple(kept))
                if honest:
                    other = resealed(JOURNAL, segment, kept)
                segments = (*excerpt.segments[:place], other, *excerpt.segments[place + 1 :])
                report = holds(write_excerpt(replace(excerpt, segments=segments)))
                assert report is None or shown(report) == truth(JOURNAL, excerpt)
                assert report is None or victim.showing is Showing.NEIGHBOUR
            tried += victim.showing is Showing.OPEN
    assert tried == 19


def test_two_blocks_swapped_are_refused() -> None:
    data = make(JOURNAL, (25, 33))
    excerpt = read_excerpt(data)
    place = next(n for n, each in enumerate(excerpt.segments) if len(each.entries) > 2)
    count = len(excerpt.segments[place].entries)
    for first, second in ((0, 1), (0, count - 1), (count - 2, count - 1)):

        def swap(segments: list[Segment], first: int = first, second: int = second) -> None:
            entries = list(segments[place].entries)
            entries[first], entries[second] = entries[second], entries[first]
            segments[place] = replace(segments[place], entries=tuple(entries))

        assert holds(changed(data, swap)) is None


def test_contents_exchanged_between_blocks_are_refused() -> None:
    def exchange(segments: list[Segment]) -> None:
        for place, segment in enumerate(segments):
            entries = list(segment.entries)
            opened = [n for n, each in enumerate(entries) if each.showing is Showing.OPEN]
            if len(opened) > 1:
                one, two = entries[opened[0]], entries[opened[1]]
                entries[opened[0]] = replace(one, salt=two.salt, plaintext=two.plaintext)
                entries[opened[1]] = replace(two, salt=one.salt, plaintext=one.plaintext)
            segments[place] = replace(segment, entries=tuple(entries))

    assert holds(changed(make(JOURNAL, (25, 33)), exchange)) is None


def test_a_block_of_another_class_slipped_in_is_refused_or_no_part_of_the_series() -> None:
    data = make(JOURNAL, (25, 33))
    excerpt = read_excerpt(data)
    place, segment = next((n, s) for n, s in enumerate(excerpt.segments) if len(s.entries) > 2)
    shown_numbers = {entry.header.number for entry in segment.entries}
    stranger = next(
        block
        for block in JOURNAL.held[min(shown_numbers) : max(shown_numbers)]
        if block.header.data_class == "speed"
    )
    for showing in Showing:
        entry = replace(Entry.within(stranger, JOURNAL.plaintext(stranger)), showing=showing)
        if showing is not Showing.OPEN:
            entry = replace(entry, salt=None, plaintext=None)
        entries = sorted((*segment.entries, entry), key=lambda each: each.header.number)
        other = resealed(JOURNAL, segment, entries)
        segments = (*excerpt.segments[:place], other, *excerpt.segments[place + 1 :])
        report = holds(write_excerpt(replace(excerpt, segments=segments)))
        assert (report is None) == (showing is not Showing.NEIGHBOUR)
        assert report is None or shown(report) == truth(JOURNAL, excerpt)


def test_a_block_closed_that_is_open_changes_only_what_is_shown() -> None:
    data = make(JOURNAL, (25, 33))

    def close(segments: list[Segment]) -> None:
        for place, segment in enumerate(segments):
            segments[place] = replace(
                segment,
                entries=tuple(
                    replace(each, showing=Showing.CLOSED, salt=None, plaintext=None)
                    if each.showing is Showing.OPEN
                    else each
                    for each in segment.entries
                ),
            )

    report = proved(changed(data, close))
    assert list(report.closed) == list(truth(JOURNAL, report.excerpt))


def test_a_checkpoint_left_out_doubled_or_swapped_is_refused() -> None:
    data = make(JOURNAL, (25, 55))
    count = len(read_excerpt(data).segments)
    assert count >= 4
    for place in range(count):

        def drop(segments: list[Segment], place: int = place) -> None:
            del segments[place]

        report = holds(changed(data, drop))
        # The last one only shows that the series goes on.
        assert report is None or shown(report) == truth(JOURNAL, report.excerpt)
        assert report is None or place == count - 1

        def double(segments: list[Segment], place: int = place) -> None:
            segments.insert(place, segments[place])

        def swap(segments: list[Segment], place: int = place) -> None:
            segments[place - 1], segments[place] = segments[place], segments[place - 1]

        assert holds(changed(data, double)) is None
        assert holds(changed(data, swap)) is None
    assert holds(changed(data, lambda segments: segments.clear())) is None


def test_a_range_widened_over_what_is_not_shown_is_refused() -> None:
    excerpt = read_excerpt(make(JOURNAL, (25, 33)))
    wider = (
        {"from_ns": 10 * S},
        {"to_ns": 50 * S},
        {"to_ns": 10_000 * S},
        {"boot": BOOTS[0]},
        {"boot": BOOTS[2]},
        {"boot": b"F" * 16},
        {"data_class": "speed"},
        {"kind": BlockKind.MEDIA},
        {"stream": bytes(16)},
        {"vehicle": "LNEVGATE000000002"},
        {"vehicle": ""},
    )
    for fields in wider:
        assert holds(write_excerpt(replace(excerpt, **fields))) is None, fields


def test_a_checkpoint_of_another_vehicle_key_or_journal_is_refused() -> None:
    data = make(JOURNAL, (25, 33))
    strangers = (
        FakeJournal(vehicle="LNEVGATE000000002"),
        FakeJournal(key=SigningKey.seeded(b"another")),
        FakeJournal(stream=bytes(16)),
    )
    for stranger in strangers:
        for block in JOURNAL.held:
            header = block.header
            stranger.add(header.kind, header.data_class, header.boot, (header.from_ns, header.to_ns))
            stored = next((each for each in JOURNAL.sealed if each.last == header.number), None)
            if stored is not None:
                stranger.seal(header.boot, header.to_ns + 1)
        by_first = {each.first: each for each in stranger.sealed}

        def exchange(segments: list[Segment], by_first: dict[int, StoredCheckpoint] = by_first) -> None:
            firsts = [each.first for each in verify_excerpt(data, [VEHICLE_KEY.public]).checkpoints]
            stored = by_first[firsts[1]]
            segments[1] = replace(segments[1], signed=stored.signed, receipt=stored.receipt)

        assert holds(changed(data, exchange)) is None
        if stranger.key is not VEHICLE_KEY:
            assert holds(make(stranger, (25, 33))) is None


def test_a_receipt_for_another_checkpoint_or_by_another_key_is_refused() -> None:
    data = make(JOURNAL, (25, 33))

    def other_receipt(segments: list[Segment]) -> None:
        segments[1] = replace(segments[1], receipt=segments[0].receipt)

    assert holds(changed(data, other_receipt)) is None
    with pytest.raises(JournalError, match="receipt"):
        verify_excerpt(data, [VEHICLE_KEY.public], [SigningKey.seeded(b"nobody").public])
    unchecked = verify_excerpt(data, [VEHICLE_KEY.public])
    assert unchecked.countersignature is None
    assert unchecked.unchecked_receipts > 0
    assert "not checked" in " ".join(unchecked.sentences())
    assert proved(data).countersignature is not None
    assert "confirms" in " ".join(proved(data).sentences())
    alone = proved(make(journal(countersign=False), (25, 33)))
    assert alone.countersignature is None
    assert "does not confirm" in " ".join(alone.sentences())


def test_a_journal_that_skips_a_block_of_its_own_series_has_no_excerpt_there() -> None:
    made = FakeJournal()
    for second in range(1, 5):
        span = second * S, second * S + 9
        made.add(BlockKind.FRAMES, "", BOOTS[0], span, skip_previous=second == 4)
    made.seal(BOOTS[0], 5 * S)
    assert holds(make(made, (2, 3), BOOTS[0], BlockKind.FRAMES, "")) is None


def test_hashes_that_prove_nothing_are_refused() -> None:
    def add(segments: list[Segment]) -> None:
        assert not segments[0].entries
        segments[0] = replace(segments[0], nodes=(bytes(32),))

    assert holds(changed(make(JOURNAL, (25, 33)), add)) is None


def test_a_series_that_ends_is_proved_by_every_block_after_it_in_order() -> None:
    data = make(JOURNAL, (25, 33), kind=BlockKind.MEDIA, data_class="cabin")
    excerpt = read_excerpt(data)
    place, segment = next((n, each) for n, each in enumerate(excerpt.segments) if each.entries)
    entries = list(segment.entries)
    others = [entries[:n] + entries[n + 1 :] for n in range(len(entries))]
    others += [[entries[1], entries[0], *entries[2:]], [entries[0], *entries]]
    for other in others:
        segments = (
            *excerpt.segments[:place],
            resealed(JOURNAL, segment, other),
            *excerpt.segments[place + 1 :],
        )
        assert holds(write_excerpt(replace(excerpt, segments=segments))) is None


def test_a_checkpoint_within_the_range_is_no_fence() -> None:
    def cut(segments: list[Segment]) -> None:
        segments[:] = [replace(segments[1], entries=(), nodes=()), *segments[2:]]

    assert holds(changed(make(JOURNAL, (25, 45)), cut)) is None


def test_a_checkpoint_of_an_earlier_boot_closes_nothing() -> None:
    data = make(JOURNAL, (5, 55))
    assert verify_excerpt(data, [VEHICLE_KEY.public]).checkpoints[0].boot == BOOTS[0]

    def cut(segments: list[Segment]) -> None:
        del segments[2:]

    assert holds(changed(data, cut)) is None


def test_a_later_boot_s_checkpoint_is_no_fence_for_blocks_under_it() -> None:
    made = journal()
    short, following = b"D" * 16, b"E" * 16
    for second in (3, 4):
        made.add(BlockKind.RECORDS, "position", short, (second * S, second * S), b"short")
    made.add(BlockKind.RECORDS, "position", following, (1 * S, 2 * S))
    made.seal(following, 3 * S)
    data = make(made, (0, 10), short)
    assert len(proved(data).blocks) == 2

    def cut(segments: list[Segment]) -> None:
        kept = [entry for entry in segments[1].entries if entry.header.boot != BOOTS[2]]
        segments[:] = [resealed(made, segments[1], kept[1:]), *segments[2:]]

    assert holds(changed(data, cut)) is None


def test_blocks_from_after_their_checkpoint_and_boots_that_come_again_are_refused() -> None:
    made = FakeJournal()
    made.add(BlockKind.FRAMES, "", BOOTS[0], (S, 6 * S))
    made.seal(BOOTS[0], 5 * S)
    assert holds(make(made, (1, 3), BOOTS[0], BlockKind.FRAMES, "")) is None
    made = FakeJournal()
    for boot, second in ((BOOTS[0], 1), (BOOTS[1], 2), (BOOTS[0], 3), (BOOTS[0], 9)):
        made.add(BlockKind.FRAMES, "", boot, (second * S, second * S))
        made.seal(boot, second * S + 1)
    assert holds(make(made, (0, 8), BOOTS[0], BlockKind.FRAMES, "")) is None


@pytest.mark.parametrize("wrong", ["", "previous", "first", "time", "vehicle"])
def test_checkpoints_that_do_not_follow_each_other_are_refused(wrong: str) -> None:
    made = FakeJournal()
    for second in range(1, 6):
        made.add(BlockKind.FRAMES, "", BOOTS[0], (second * S, second * S))
        if second == 3 and wrong == "first":
            made.add(BlockKind.EVENT, "", BOOTS[0], (second * S, second * S))
            made.sealed[-1] = replace(made.sealed[-1], last=made.sealed[-1].last + 1)
        late = 2 * S if second == 3 and wrong == "time" else 0
        vehicle = "LNEVGATE000000002" if second == 3 and wrong == "vehicle" else ""
        made.seal(BOOTS[0], second * S + 1 + late, vehicle=vehicle)
    if wrong == "previous":
        other = FakeJournal(held=made.held[:3], sealed=made.sealed[:2])
        other.seal(BOOTS[0], 3 * S + 2)
        made.sealed[2] = other.sealed[2]
    if wrong == "vehicle":
        made.add(BlockKind.FRAMES, "", BOOTS[0], (6 * S, 6 * S))
        made.seal(BOOTS[0], 6 * S + 1)
    excerpt = Excerpt(VEHICLE, made.stream, BlockKind.FRAMES, "", BOOTS[0], S, 4 * S, ())
    segments = []
    for stored in made.sealed:
        shown_blocks = [b for b in made.held[stored.first - 1 : stored.last] if excerpt.of_series(b.header)]
        entries = [
            Entry.within(b, made.openings[b.header.number])
            if excerpt.in_range(b.header)
            else Entry.neighbour(b)
            for b in shown_blocks
        ]
        segments.append(
            resealed(made, Segment(stored.signed, None, (), ()), entries)
            if wrong != "first" or stored.first != 2
            else Segment(stored.signed, None, (), tuple(entries))
        )
    assert (holds(write_excerpt(replace(excerpt, segments=tuple(segments)))) is None) == (wrong != "")


def test_es256_signs_as_well() -> None:
    key = SigningKey.seeded(b"es256", Algorithm.ES256)
    made = FakeJournal(key=key)
    made.add(BlockKind.RECORDS, "a", BOOTS[0], (S, 2 * S), b"content")
    made.seal(BOOTS[0], 5 * S, countersign=False)
    data = make(made, (1, 3), BOOTS[0], data_class="a")
    assert list(shown(verify_excerpt(data, [key.public])).values()) == [b"content"]
    assert SEPARATE.verify(data, [key.public.pem], []).blocks == {1: b"content"}


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_journal_gives_excerpts_that_hold_and_tell_the_truth(data: st.DataObject) -> None:
    made = FakeJournal()
    classes = st.sampled_from(["a", "b", "c"])
    for boot in BOOTS[: data.draw(st.integers(1, 3))]:
        now = 0
        for _ in range(data.draw(st.integers(0, 12))):
            now += data.draw(st.integers(1, 30)) * S
            begin = now - data.draw(st.integers(0, 20)) * S
            made.add(BlockKind.RECORDS, data.draw(classes), boot, (begin, now))
            if data.draw(st.integers(0, 4)) == 0:
                made.seal(boot, now + 1)
    span = sorted((data.draw(st.integers(-30, 150)), data.draw(st.integers(0, 150))))
    boot = data.draw(st.sampled_from(BOOTS))
    try:
        excerpt = make(made, (span[0], span[1]), boot, data_class=data.draw(classes))
    except JournalError:
        return
    report = proved(excerpt)
    expected = truth(made, report.excerpt)
    if report.margin_ns is not None:
        closing = next(
            n
            for n, each in enumerate(report.checkpoints)
            if each.boot == boot and each.t_ns - report.excerpt.to_ns == report.margin_ns
        )
        last = report.checkpoints[closing].last
        expected = {number: content for number, content in expected.items() if number <= last}
    found = {n: content for n, content in shown(report).items() if n <= max(expected, default=0)}
    assert found == expected


def test_random_damage_is_refused_or_changes_no_claim() -> None:
    dice = random.Random(5)  # noqa: S311 - a fuzzer must be repeatable
    seeds = [make(JOURNAL, (25, 33)), make(JOURNAL, (15, 33), kind=BlockKind.SECURITY, data_class="")]
    refused = 0
    for _ in range(250):
        mutant = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 2, 4))):
            place = dice.randrange(len(mutant))
            match dice.randrange(4):
                case 0:
                    mutant[place] = dice.randrange(256)
                case 1:
                    del mutant[place : place + dice.randrange(1, 40)]
                case 2:
                    mutant[place:place] = dice.randbytes(dice.randrange(1, 9))
                case _:
                    other = dice.choice(seeds)
                    start = dice.randrange(len(other))
                    mutant[place : place + 33] = other[start : start + 33]
        report = holds(bytes(mutant))
        refused += report is None
        assert report is None or shown(report) == truth(JOURNAL, report.excerpt)
    assert refused > 200


def test_a_vehicle_s_excerpt_says_whose_it_is_in_words() -> None:
    words = " ".join(proved(make(JOURNAL, (25, 33))).sentences())
    assert VEHICLE in words
    assert "all records blocks of class 'position'" in words
    assert "2025-11-24 16:00:25.000 UTC" in words
    assert "Not proved" in words


def test_the_separate_program_imports_nothing_of_nevgate() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in modules} == {
        *("__future__", "argparse", "collections", "hashlib", "itertools", "sys", "typing"),
        *("cbor2", "cryptography"),
    }


@pytest.mark.parametrize("broken", [False, True])
def test_the_separate_program_ends_with_its_verdict(tmp_path: Path, broken: bool) -> None:
    data = make(JOURNAL, (25, 33))
    files = {
        "excerpt": data[:-1] + b"\0" if broken else data,
        "vehicle": VEHICLE_KEY.public.pem,
        "platform": PLATFORM_KEY.public.pem,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, str(PROGRAM), "excerpt", "--vehicle", "vehicle", "--platform", "platform"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == int(broken), done.stderr
    assert ("DOES NOT HOLD" if broken else "these 9 blocks are all there are") in done.stdout
