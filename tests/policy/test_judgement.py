"""What is collected of a bus, decided before any frame is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from edge.database.model import Message, SignalRef
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, Integrity
from edge.policy.door import Door
from edge.policy.judgement import BusJudgement, Field, Judged, Presence, Reason, always, together
from tests.policy.boxed import BOX, boxed
from tests.policy.drawn import COLLECT
from tests.policy.test_containers import CLASSES, PDUS
from tests.policy.test_door import CABIN, ONES, OPERATION, classed, left, signal
from tests.policy.test_transport import LONG

VALUES: Mapping[Field, frozenset[int]] = {
    ((0, 1), False): frozenset(range(4)),
    ((2,), False): frozenset(range(2)),
    ((3, 4), True): frozenset(range(-2, 2)),
}
IN_A_FILE = 0x80000000


def drawn(chance: Random, most: int) -> dict[Field, frozenset[int]]:
    """Some values of up to so many multiplexers."""
    fields = chance.sample(sorted(VALUES), chance.randint(0, most))
    return {
        field: frozenset(chance.sample(sorted(VALUES[field]), chance.randint(1, len(VALUES[field]))))
        for field in fields
    }


def presence(chance: Random) -> Presence:
    return frozenset(drawn(chance, 2).items())


def holds(presence: Presence, values: Mapping[Field, int]) -> bool:
    return all(values[field] in wanted for field, wanted in presence)


def every(known: Mapping[Field, frozenset[int]]) -> list[dict[Field, int]]:
    """All values that the multiplexers can have together."""
    return [
        dict(zip(VALUES, chosen, strict=True))
        for chosen in product(*(sorted(known.get(field, VALUES[field])) for field in VALUES))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_one_of_some_alternatives_always_holds_if_it_does_for_all_values(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    found = []
    for _ in range(500):
        known = drawn(chance, 2)
        alternatives = [one for one in (presence(chance) for _ in range(chance.randint(0, 7))) if one]
        expected = all(any(holds(one, values) for one in alternatives) for values in every(known))
        assert always(alternatives, known) == expected
        found.append(expected)
    assert 100 < sum(found) < 400
    assert always([frozenset()], {})


@pytest.mark.parametrize("seed", range(2))
def test_two_signals_are_there_together_if_they_are_for_some_values(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    for _ in range(200):
        one, other = presence(chance), presence(chance)
        expected = any(holds(one, values) and holds(other, values) for values in every({}))
        assert together(one, other) == expected


def judged(bus: BusJudgement, message: str, name: str) -> Judged:
    (found,) = (
        one
        for described, signals in bus.signals.items()
        for one in signals
        if (described.message.name, one.signal.name) == (message, name)
    )
    return found


def why(name: str, *databases: ClassedDatabase) -> Reason | None:
    return Door({"bus": databases}, COLLECT).reason(SignalRef("bus", *name.split(".")))


def test_signals_of_one_name_are_collected_together_or_not_at_all() -> None:
    one = classed(signal("A", 0, 8) + signal("B", 8, 8), {"A": OPERATION, "B": OPERATION})
    other = classed(signal("A", 0, 8) + signal("B", 8, 8), {"A": CABIN, "B": OPERATION}, identifier=257)
    assert why("M.A", other, one) is Reason.NAMESAKE
    door = Door({"bus": [one, other]}, COLLECT)
    assert not door.collected(SignalRef("bus", "M", "A"))
    assert door.collected(SignalRef("bus", "M", "B"))
    assert left(ONES, one, other) == b"\x00\xff\x00\x00"
    assert left(ONES, one, other, identifier=257) == b"\x00\xff\x00\x00"
    apart = Door({"bus": [one], "next": [other]}, COLLECT)
    assert apart.collected(SignalRef("bus", "M", "A"))
    assert not apart.collected(SignalRef("next", "M", "A"))


CHECKED = (
    signal("A", 0, 8, "m0 ") + signal("B", 0, 8, "m1 ") + signal("Crc", 8, 8) + signal("Mux", 160, 9, "M ")
)
PAGES = "SG_MUL_VAL_ 256 A Mux 0-0;\nSG_MUL_VAL_ 256 B Mux 1-511;\n"
NAMES = dict.fromkeys(("A", "B", "Crc", "Mux"), OPERATION)
OVER_A = Integrity(("M", "Crc"), frozenset({("M", "A")}))


@pytest.mark.parametrize("size", range(18, 26))
def test_a_frame_under_a_checksum_has_the_multiplexers_of_what_it_covers(size: int) -> None:
    database = classed(CHECKED, NAMES, OVER_A, length=24, multiplexing=PAGES)
    assert why("M.Crc", database) is None
    assert (left(b"\x01" * size, database) is not None) == (size >= 22)


@pytest.mark.parametrize(("size", "passes"), [(23, False), (24, True)])
def test_a_frame_under_a_checksum_has_the_last_of_its_multiplexers(size: int, passes: bool) -> None:
    layout = CHECKED + signal("Other", 184, 1, "M ") + signal("C", 16, 8, "m1 ")
    pages = PAGES + "SG_MUL_VAL_ 256 C Other 1-1;\n"
    classes = NAMES | {"Other": OPERATION, "C": OPERATION}
    database = classed(layout, classes, OVER_A, length=24, multiplexing=pages)
    assert why("M.Crc", database) is None
    assert (left(b"\x01" * size, database) is not None) == passes


def test_a_frame_without_a_checksum_may_be_of_any_length() -> None:
    paged = classed(CHECKED, NAMES, length=24, multiplexing=PAGES)
    withheld = classed(
        CHECKED, NAMES | {"Crc": CABIN}, OVER_A, Integrity(("M", "Crc"), None), length=24, multiplexing=PAGES
    )
    checked = classed(
        signal("Load", 0, 8) + signal("Sum", 8, 8),
        {"Load": OPERATION, "Sum": OPERATION},
        Integrity(("N", "Sum"), None),
        name="N",
        identifier=257,
        length=2,
    )
    for database in (paged, withheld):
        for size in (1, 21, 22, 40):
            assert left(b"\x01" * size, database, checked) is not None
    assert left(ONES, paged, checked, identifier=257) is None


def test_a_checksum_over_some_signals_says_nothing_of_the_length() -> None:
    layout = signal("A", 0, 8) + signal("Crc", 8, 8)
    part = Integrity(("M", "Crc"), frozenset({("M", "A")}))
    database = classed(layout, {"A": OPERATION, "Crc": OPERATION}, part, length=2)
    assert left(ONES, database) == b"\xff\xff\x00\x00"


@pytest.mark.parametrize(
    ("length", "longest"),
    [(7, 7), (8, 8), (9, 12), (12, 12), (13, 16), (17, 20), (21, 24), (25, 32), (33, 48), (49, 64), (64, 64)],
)
def test_a_checksum_covers_the_padding_that_can_fd_adds(length: int, longest: int) -> None:
    layout = signal("A", 0, 8 * length - 8) + signal("Crc", 8 * length - 8, 8)
    plain = classed(layout, {"A": OPERATION, "Crc": OPERATION}, Integrity(("M", "Crc"), None), length=length)
    padded = ClassedDatabase(
        replace(plain.database, messages=tuple(replace(one, is_fd=True) for one in plain.database.messages)),
        plain.classes,
        plain.integrity,
    )
    assert left(bytes(longest), padded) is not None
    assert left(bytes(longest + 1), padded) is None
    assert (left(bytes(longest), plain) is not None) == (length == longest)


@pytest.mark.parametrize(("size", "collected"), [(62, True), (63, False)])
def test_a_multiplexer_that_fits_no_machine_word_selects_nothing(size: int, collected: bool) -> None:
    layout = signal("Mux", 0, size, "M ") + signal("A", 64, 8, "m1 ")
    database = classed(layout, {"Mux": OPERATION, "A": OPERATION}, length=9)
    assert why("M.A", database) is (None if collected else Reason.MULTIPLEXER)
    assert left(b"\x01" + bytes(7) + b"\xaa", database) == b"\x01" + bytes(7) + b"\xaa" * collected + bytes(
        not collected
    )


def changed(database: ClassedDatabase, message: Message) -> ClassedDatabase:
    return ClassedDatabase(replace(database.database, messages=(message,)), database.classes)


def test_a_multiplexer_that_is_not_there_or_is_no_whole_number_selects_nothing() -> None:
    database = classed(
        signal("Mux", 0, 8, "M ") + signal("A", 8, 8, "m1 "), {"Mux": OPERATION, "A": OPERATION}
    )
    (message,) = database.database.messages
    mux, selected = message.signals
    for signals in ((selected,), (replace(mux, is_float=True), selected)):
        assert why("M.A", changed(database, replace(message, signals=signals))) is Reason.MULTIPLEXER


def boxes(identifier: int) -> ClassedDatabase:
    return ClassedDatabase(boxed(PDUS, identifier=identifier, j1939=identifier > 0x7FF), CLASSES)


@pytest.mark.parametrize(
    ("identifier", "channel", "reason"),
    [
        (LONG, DiagnosticChannel(LONG, True, "", ()), Reason.CONTAINER),
        (LONG, DiagnosticChannel(LONG ^ 0xFF, True, "", ()), Reason.CONTAINER),
        (LONG, DiagnosticChannel(0x18FEE4FE, True, "", ()), None),
        (LONG, DiagnosticChannel(LONG ^ 0xFF, True, "", (), pgn=0xFEE3), Reason.CONTAINER),
        (LONG, DiagnosticChannel(LONG, True, "", (), pgn=0xFEE4), None),
        (BOX, DiagnosticChannel(BOX, True, "", ()), None),
        (BOX, DiagnosticChannel(BOX + 1, False, "", ()), None),
        (BOX, DiagnosticChannel(BOX, False, "", ()), Reason.CONTAINER),
    ],
)
def test_a_container_on_an_id_of_diagnostics_is_withheld(
    identifier: int, channel: DiagnosticChannel, reason: Reason | None
) -> None:
    database = replace(boxes(identifier), channels=(channel,))
    assert why("Drive.Speed", database) is reason


def test_a_container_on_one_id_of_a_group_of_diagnostics_is_withheld() -> None:
    whole = boxes(LONG)
    named = changed(whole, replace(whole.database.messages[0], pgn=None))
    assert why("Drive.Speed", named) is None
    channel = DiagnosticChannel(LONG ^ 0xFF, True, "", (), pgn=0xFEE3)
    assert why("Drive.Speed", replace(named, channels=(channel,))) is Reason.CONTAINER


def test_a_message_on_the_id_of_a_container_is_withheld_though_it_holds_nothing() -> None:
    full = boxed(PDUS)
    empty = ClassedDatabase(replace(full, messages=(replace(full.messages[0], contained=()),)), {})
    message = classed(signal("A", 0, 8) + signal("B", 8, 8), {"A": OPERATION, "B": CABIN}, identifier=BOX)
    assert why("M.A", empty, message) is Reason.CONTAINER
    assert why("M.B", empty, message) is Reason.CLASS


@pytest.mark.parametrize(
    ("layout", "integrity"),
    [
        pytest.param(signal("Seat", 0, 8, "M ") + signal("A", 8, 8, "m1 "), (), id="its multiplexer"),
        pytest.param(signal("A", 8, 8) + signal("Seat", 12, 8), (), id="an overlap"),
        pytest.param(
            signal("Seat", 0, 8) + signal("A", 8, 8),
            (Integrity(("M", "A"), None),),
            id="what it is taken over",
        ),
    ],
)
def test_what_a_signal_loses_its_namesake_loses_too(layout: str, integrity: tuple[Integrity, ...]) -> None:
    one = classed(layout, {"A": OPERATION, "Seat": CABIN}, *integrity)
    two = classed(signal("A", 0, 8) + signal("B", 8, 8), {"A": OPERATION, "B": OPERATION}, identifier=257)
    assert left(ONES, one, identifier=256) is None
    assert left(ONES, two, identifier=257) == b"\xff\xff\x00\x00"
    assert left(ONES, one, two, identifier=257) == b"\x00\xff\x00\x00"


def test_what_a_multiplexer_selects_goes_where_the_multiplexer_loses_an_overlap() -> None:
    layout = signal("Mux", 0, 8, "M ") + signal("A", 8, 8, "m1 ") + signal("Seat", 4, 4) + signal("B", 16, 8)
    classes = {"Mux": OPERATION, "A": OPERATION, "Seat": CABIN, "B": OPERATION}
    other = classed(signal("C", 0, 8), {"C": OPERATION}, name="N", identifier=257)
    assert left(b"\x01\xaa\xbb", classed(layout, classes), other) == b"\x00\x00\xbb"
    assert why("M.A", classed(layout, classes), other) is Reason.MULTIPLEXER


def test_a_container_is_withheld_wherever_its_database_names_it() -> None:
    plain = classed(signal("A", 0, 8), {"A": OPERATION}, identifier=BOX + 1)
    second = classed(signal("A", 0, 8), {"A": OPERATION}, name="N", identifier=BOX)
    assert why("Drive.Speed", plain, boxes(BOX)) is None
    assert why("Drive.Speed", plain, boxes(BOX), second) is Reason.CONTAINER


def test_a_checksum_that_lost_an_overlap_still_gives_no_bit_away() -> None:
    layout = signal("Crc", 8, 8) + signal("Seat", 12, 8) + signal("Low", 8, 4) + signal("A", 0, 8)
    classes = {"Crc": OPERATION, "Seat": CABIN, "Low": OPERATION, "A": OPERATION}
    assert left(ONES, classed(layout, classes)) == b"\xff\x0f\x00\x00"
    database = classed(layout, classes, Integrity(("M", "Crc"), None))
    assert left(ONES, database) == b"\xff\x00\x00\x00"
    assert why("M.Crc", database) is Reason.INTEGRITY


def test_a_signal_beside_bits_that_another_lost_stays() -> None:
    layout = signal("Wide", 0, 16) + signal("Seat", 12, 8) + signal("Low", 0, 8)
    database = classed(layout, {"Wide": OPERATION, "Seat": CABIN, "Low": OPERATION})
    assert why("M.Wide", database) is Reason.OVERLAP
    assert left(ONES, database) == b"\xff\x00\x00\x00"


def test_a_checksum_under_a_multiplexer_value_needs_what_is_there_under_it() -> None:
    layout = signal("Mux", 0, 8, "M ") + signal("A", 8, 8, "m1 ") + signal("Crc", 16, 8, "m1 ")
    classes = dict.fromkeys(("Mux", "A", "Crc"), OPERATION)
    assert why("M.Crc", classed(layout, classes, OVER_A)) is None
    assert why("M.Crc", classed(layout, classes | {"A": CABIN}, OVER_A)) is Reason.INTEGRITY


def test_a_checksum_over_signals_that_its_message_lacks_in_part_covers_all() -> None:
    layout = signal("A", 0, 8) + signal("Seat", 8, 8) + signal("Crc", 16, 8)
    classes = {"A": OPERATION, "Seat": CABIN, "Crc": OPERATION}
    assert why("M.Crc", classed(layout, classes, OVER_A)) is None
    more = Integrity(("M", "Crc"), frozenset({("M", "A"), ("M", "Elsewhere")}))
    assert why("M.Crc", classed(layout, classes, more)) is Reason.INTEGRITY


def test_a_checksum_is_one_in_its_message_alone() -> None:
    layout = signal("A", 0, 8) + signal("Crc", 8, 8)
    one = classed(layout, {"A": OPERATION, "Crc": OPERATION}, Integrity(("M", "Crc"), None), length=2)
    other = classed(layout, {"A": CABIN, "Crc": OPERATION}, name="N", identifier=257)
    both = ClassedDatabase(
        replace(one.database, messages=(*one.database.messages, *other.database.messages)),
        {**one.classes, **other.classes},
        one.integrity,
    )
    assert why("M.Crc", both) is None
    assert why("N.Crc", both) is None
    assert left(ONES, both, identifier=257) == b"\x00\xff\x00\x00"


@pytest.mark.parametrize("first", [0, 1, 3])
def test_a_checksum_over_the_first_bits_goes_where_nothing_describes_them(first: int) -> None:
    layout = signal("A", first, 8 - first) + signal("Crc", 8, 8)
    database = classed(layout, {"A": OPERATION, "Crc": OPERATION}, Integrity(("M", "Crc"), None), length=2)
    pdu = ClassedDatabase(boxed({1: f"BO_ 1 M: 2 Ecu\n{layout}\n"}), database.classes, database.integrity)
    for one in (database, pdu):
        assert why("M.Crc", one) is (None if first == 0 else Reason.INTEGRITY)


def test_messages_share_frames_by_id_or_group() -> None:
    def message(identifier: int, name: str, pgn: int | None = None) -> ClassedDatabase:
        extended = IN_A_FILE if identifier > 0x7FF else 0
        database = classed(
            signal(name, 0, 8),
            {name: CABIN if name == "B" else OPERATION},
            name=name,
            identifier=identifier | extended,
        )
        (only,) = database.database.messages
        return changed(database, replace(only, pgn=pgn))

    for other, pgn, shares in (
        (LONG, None, True),
        (LONG ^ 0xFF, None, False),
        (LONG ^ 0xFF, 0xFEE3, True),
        (0x18FEE4FE, 0xFEE4, False),
        (0x6E3, None, False),
    ):
        assert (why("A.A", message(LONG, "A"), message(other, "B", pgn)) is Reason.OVERLAP) == shares
    assert why("A.A", message(LONG, "A", 0xFEE3), message(LONG ^ 0xFF, "B")) is Reason.OVERLAP
    assert why("A.A", message(LONG, "A", 0xFEE3), message(0x18FEE4FE, "B")) is None
    assert why("A.A", message(0x100, "A"), message(0x100, "B")) is Reason.OVERLAP
    assert why("A.A", message(0x100, "A"), message(0x101, "B")) is None


def test_what_a_checksum_lacks_is_told_bit_by_bit() -> None:
    layout = signal("A", 0, 8) + signal("B", 8, 8) + signal("Crc", 16, 8) + signal("Low", 24, 4)
    classes = {"A": OPERATION, "B": CABIN, "Crc": OPERATION, "Low": OPERATION}
    whole = classed(layout, classes, Integrity(("M", "Crc"), None))
    bus = BusJudgement("bus", [whole], COLLECT)
    crc = judged(bus, "M", "Crc")
    assert crc.reason is Reason.INTEGRITY
    assert bus.uncovered(crc) == frozenset(range(8, 16)) | frozenset(range(28, 32))
    assert bus.uncovered(crc, at_best=True) == frozenset(range(28, 32))
    assert bus.uncovered(judged(bus, "M", "A")) == frozenset()
    assert bus.sharing(crc.described) == (crc.described,)
