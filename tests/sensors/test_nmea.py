"""NMEA 0183 sentences become observations; whatever else comes is counted and breaks nothing.

The forms of RMC, GGA and DTM are those of NMEA 0183 version 4.10, as the interface description of u-blox M8
receivers restates them; the position is made up.
"""

from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.records import Missing
from edge.sensors.nmea import LONGEST_SENTENCE, NmeaReader
from edge.sensors.observation import Observation

RMC = "GNRMC,083559.00,A,3958.12345,N,11620.54321,E,0.004,77.52,091202,,,A,V"
GGA = "GNGGA,083559.00,3958.12345,N,11620.54321,E,1,08,1.01,499.6,M,48.0,M,,"


def sentence(content: str) -> bytes:
    return f"${content}*{reduce(xor, content.encode(), 0):02X}\r\n".encode()


def read(*contents: str) -> dict[str, float | Missing]:
    reader = NmeaReader()
    return {o.item_id: o.value for content in contents for o in reader.feed(sentence(content), 5)}


def test_a_fix_gives_position_validity_datum_and_quality() -> None:
    shown = read(RMC, GGA)
    assert shown == {
        "gnss.valid": 1,
        "gnss.datum": 1,
        "gnss.lat": pytest.approx(39 + 58.12345 / 60, abs=1e-12),
        "gnss.lon": pytest.approx(116 + 20.54321 / 60, abs=1e-12),
        "gnss.quality": 1,
        "gnss.satellites": 8,
    }


def test_observations_carry_the_time_of_reception() -> None:
    assert {o.t_ns for o in NmeaReader().feed(sentence(RMC), 77)} == {77}


@pytest.mark.parametrize("talker", ["GN", "GP", "BD", "GB", "GA"])
def test_any_talker_is_understood(talker: str) -> None:
    assert read(talker + RMC[2:])["gnss.valid"] == 1


@pytest.mark.parametrize(
    "content",
    [
        RMC.replace(",A,3958", ",V,3958"),
        RMC.replace(",,,A,V", ",,,N,V"),
        "GNRMC,083559.00,V,,,,,,,091202,,,N,V",
    ],
)
def test_without_a_fix_there_is_no_position(content: str) -> None:
    shown = read(content)
    assert shown["gnss.valid"] == 0
    assert shown["gnss.lat"] is shown["gnss.lon"] is Missing.INVALID


def test_a_fix_by_gga_alone_gives_no_position() -> None:
    assert set(read(GGA)) == {"gnss.quality", "gnss.satellites"}


def test_south_and_west_are_negative() -> None:
    shown = read(RMC.replace(",N,", ",S,").replace(",E,0.004", ",W,0.004"))
    assert shown["gnss.lat"] == pytest.approx(-39.968724166666664)
    assert shown["gnss.lon"] == pytest.approx(-116.3423868333333)


def test_the_datum_is_what_the_receiver_said_last() -> None:
    assert read("GNDTM,999,,0.08,N,0.07,E,-47.7,W84", RMC)["gnss.datum"] == 3
    assert (
        read("GNDTM,999,,0.08,N,0.07,E,-47.7,W84", "GNDTM,W84,,0.0,N,0.0,E,0.0,W84", RMC)["gnss.datum"] == 1
    )


SET_ASIDE = {
    "wrong checksum": sentence(RMC).replace(b"3958", b"3959"),
    "no checksum": b"$" + RMC.encode() + b"\r\n",
    "no sentence": b"\x00\xff garbage\r\n",
    "other sentence": sentence("GNGSV,1,1,00"),
    "too long": b"$" + b"A" * 300 + b"\n",
    "malformed field": sentence(RMC.replace("3958.12345", "3998.12345")),
}


@pytest.mark.parametrize("cause", SET_ASIDE)
def test_what_is_no_use_is_counted_by_its_cause(cause: str) -> None:
    reader = NmeaReader()
    assert reader.feed(SET_ASIDE[cause], 0) == []
    assert reader.counts == {"entered": 1, cause: 1}
    assert len(reader.feed(sentence(RMC), 0)) == 4


@pytest.mark.parametrize(
    "content",
    [
        RMC.replace("3958.12345,N", "9058.12345,N"),
        RMC.replace("3958.12345,N", "3958.12345,X"),
        RMC.replace("11620.54321", "18120.54321"),
        RMC.replace("11620.54321", ""),
        RMC.replace(",A,3958", ",Q,3958"),
        "GNRMC,083559.00,A",
        GGA.replace(",1,08,", ",x,08,"),
        GGA.replace(",1,08,", ",1,-8,"),
        "GNDTM,W84",
    ],
)
def test_fields_that_cannot_be_are_set_aside(content: str) -> None:
    reader = NmeaReader()
    assert reader.feed(sentence(content), 0) == []
    assert reader.counts["malformed field"] == 1


def test_a_sentence_that_begins_anew_keeps_its_second_beginning() -> None:
    reader = NmeaReader()
    assert len(reader.feed(sentence(RMC)[:20] + sentence(RMC), 0)) == 4
    assert reader.counts == {"entered": 2, "left": 1, "fragment": 1}


def test_noise_without_an_end_is_bounded_and_the_next_sentence_is_heard() -> None:
    reader = NmeaReader()
    for _ in range(1000):
        assert reader.feed(b"x" * 100, 0) == []
    assert reader.counts == {"entered": 1, "too long": 1}
    assert len(reader.feed(sentence(RMC), 0)) == 4


@given(st.lists(st.sampled_from([sentence(RMC), sentence(GGA)]), max_size=8), st.data())
def test_pieces_give_what_the_whole_gives(sentences: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(sentences)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    reader = NmeaReader()
    found: list[Observation] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[start:end], 0)
    assert found == NmeaReader().feed(whole, 0)


@given(
    st.lists(st.binary(max_size=300) | st.sampled_from([sentence(RMC), b"$", b"\r\n", b"$GNRMC,", b"*00\n"]))
)
def test_no_bytes_raise_and_every_line_is_accounted_for(pieces: list[bytes]) -> None:
    reader = NmeaReader()
    for piece in pieces:
        for observation in reader.feed(piece, 0):
            value = observation.value
            assert isinstance(value, Missing) or -180 <= value <= 999
    assert reader.counts["entered"] == sum(n for cause, n in reader.counts.items() if cause != "entered")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=LONGEST_SENTENCE))
def test_no_fields_raise(fields: str) -> None:
    for kind in ("RMC", "GGA", "DTM"):
        NmeaReader().feed(sentence(f"GN{kind},{fields}"), 0)
