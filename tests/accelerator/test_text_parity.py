"""The accelerator reads lines of text, well-formed or not, exactly as the NumPy path does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.formats import candump, compiled, gvret
from edge.bus.formats.fields import Columns, Lines
from tests.accelerator.with_and_without import native, needs_accelerator

pytestmark = needs_accelerator

Reader = Callable[[bytes], tuple[Columns, Columns]]
ODD_BYTES = b"0123456789abcdefABCDEFgGzZ ,.#()_-RTrtxX\t\x00\xff\r\n"


def candump_both(block: bytes) -> tuple[Columns, Columns]:
    return compiled.candump(native(), block), candump.read_lines(Lines.of(block, candump.SPACE))


def gvret_both(block: bytes) -> tuple[Columns, Columns]:
    lines = Lines.of(block, gvret.COMMA)
    return compiled.gvret(native(), block, directed=False), gvret.read_lines(lines, directed=False)


def directed_both(block: bytes) -> tuple[Columns, Columns]:
    lines = Lines.of(block, gvret.COMMA)
    return compiled.gvret(native(), block, directed=True), gvret.read_lines(lines, directed=True)


CANDUMP_LINES = (
    b"(1700000000.123456) can0 123#0011223344556677",
    b"(1700000000.123456789) can1 1ABCDEF0#00 T",
    b"(0.000000) a 7FF# R",
    b"(1.000001) vcan12 20000080#0000000000000000",
    b"(1.5) can0 123#00",
    b"(4600000001.000000) can0 123#00",
    b"(1.000000) can0 800#00",
    b"(1.000000) can0 123##1" + b"5A" * 12,
    b"(1.000000) can0 12345678##3" + b"ff" * 64,
    b"(1.000000) can0 12345678##3" + b"fg" * 64,
    b"(1.000000) can0 123##",
    b"(1.000000) can0 123##2",
    b"(1.000000) can0 123#R4",
    b"(1.000000) can0 123#00112233445566778",
    b"(1.000000) can0 123#001122334455667788",
    b"(1.000000)  123#00",
    b"(1.000000) a_name_that_is_too_long 123#00",
    b"( 1.000000) can0 123#00",
    b"(.000000) can0 123#00",
    b"",
    b" ",
    b"  ",
    b"   ",
    b"#",
    b"(",
)
GVRET_LINES = (
    b"1000,123,false,0,8,00,11,22,33,44,55,66,77,",
    b"1000,1ABCDEF0,TRUE,1,2,0a,FF",
    b"999999999999999,7FF,False,255,0",
    b"1000,800,false,0,0,",
    b"1000,123,1,0,1,00",
    b"1000,123,false,0,3,00,11",
    b"1000,123,false,0,9,00,11,22,33,44,55,66,77,88",
    b"1000,123,false,0,1,0,",
    b"1000,123,false,0,1;00",
    b"Time Stamp,ID,Extended,Bus,LEN,D1",
    b"",
    b",,,,,,",
)
DIRECTED_LINES = (
    b"1000,123,false,Rx,0,8,00,11,22,33,44,55,66,77,",
    b"1000,123,true,tX,0,2,00,11,00,00,00,00,00,00",
    b"1000,123,true,xx,0,0",
    *GVRET_LINES,
)
FORMS = {
    "candump": (candump_both, CANDUMP_LINES),
    "gvret": (gvret_both, GVRET_LINES),
    "gvret with direction": (directed_both, DIRECTED_LINES),
}
every_form = pytest.mark.parametrize("form", FORMS)


def assert_equal(one: Columns, other: Columns) -> None:
    assert np.array_equal(one.good, other.good)
    assert list(one.labels.items()) == list(other.labels.items())
    assert one.data.shape == other.data.shape
    for name in ("t_ns", "channel", "arbitration_id", "flags", "length", "data"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine[one.good], theirs[one.good]), name


@every_form
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lines_that_were_changed(form: str, data: st.DataObject) -> None:
    read, forms = FORMS[form]
    block = bytearray(b"\n".join(data.draw(st.lists(st.sampled_from(forms), max_size=6))) + b"\n")
    for _ in range(data.draw(st.integers(0, 5))):
        place = data.draw(st.integers(0, len(block) - 1))
        block[place : place + data.draw(st.integers(0, 1))] = bytes([data.draw(st.sampled_from(ODD_BYTES))])
    assert_equal(*read(bytes(block) + b"\n"))


@every_form
@settings(max_examples=30, deadline=None)
@given(noise=st.binary(max_size=200))
def test_any_bytes(form: str, noise: bytes) -> None:
    assert_equal(*FORMS[form][0](noise + b"\n"))


def test_every_sample_and_more_channels_than_are_numbered_at_once() -> None:
    for read, lines in FORMS.values():
        assert_equal(*read(b"\r\n".join(lines) + b"\r\n"))
    many = [b"(1.000000) c%d 123#00" % number for number in (*range(20), 3, 18, 3)]
    mine, numpys = candump_both(b"\n".join(many) + b"\n")
    assert_equal(mine, numpys)
    assert np.count_nonzero(mine.good) == 18


def test_columns_that_do_not_fit_the_text_are_refused() -> None:
    block = b"(1.000000) can0 123#00\n" * 3
    whole = compiled._empty(3, 8)
    for wrong in (compiled._empty(2, 8), compiled._empty(4, 8), compiled._empty(3, 9)):
        with pytest.raises(ValueError, match=r"columns|wide"):
            native().candump(block, *compiled._arrays(wrong))
    with pytest.raises(ValueError, match="columns"):
        native().candump(block[:-1], *compiled._arrays(whole))
    with pytest.raises(ValueError, match="unequal"):
        native().candump(
            block, *compiled._arrays(whole)[:2], np.empty(2, np.int64), *compiled._arrays(whole)[3:]
        )
    with pytest.raises(ValueError, match="aligned"):
        native().gvret(True, block, whole.good, whole.flags, *compiled._arrays(whole)[2:])
    with pytest.raises((ValueError, BufferError)):
        native().candump(block, b"123", *compiled._arrays(whole)[1:])  # type: ignore[arg-type]
