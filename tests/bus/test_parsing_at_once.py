"""Reading many lines at once gives exactly what reading them one at a time gives, well-formed or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.formats import candump, gvret
from edge.bus.formats.fields import Columns, Lines
from edge.bus.formats.rows import MalformedError, Row
from edge.frames import Frame, FrameFlag
from tests.bus.reading import frames

EXT, FD, TX = FrameFlag.EXTENDED, FrameFlag.FD, FrameFlag.TRANSMITTED
ODD_BYTES = b"0123456789abcdefABCDEFgGzZ ,.#()_-RTrtxX\t\x00\xff"


def row_at(columns: Columns, place: int) -> Row:
    labels = {index: label for label, index in columns.labels.items()}
    length = int(columns.length[place])
    return (
        int(columns.t_ns[place]),
        labels[int(columns.channel[place])],
        int(columns.arbitration_id[place]),
        int(columns.flags[place]),
        columns.data[place, :length].tobytes(),
        length,
    )


@st.composite
def mutated(draw: st.DrawFn, line: bytes) -> bytes:
    """`line` with up to three bytes replaced, removed or added."""
    changed = bytearray(line)
    for _ in range(draw(st.integers(0, 3))):
        if not changed:
            break
        place = draw(st.integers(0, len(changed) - 1))
        byte = draw(st.sampled_from(ODD_BYTES))
        how = draw(st.sampled_from(("replace", "remove", "add")))
        if how == "replace":
            changed[place] = byte
        elif how == "remove":
            del changed[place]
        else:
            changed.insert(place, byte)
    return bytes(changed)


class Form(ABC):
    """How a frame is written, and the two readers that have to agree."""

    separator: ClassVar[int]
    kinds: ClassVar[st.SearchStrategy[Frame]] = frames()
    fills: ClassVar[tuple[bytes, ...]] = (b"",)

    @abstractmethod
    def write(self, frame: Frame) -> bytes: ...

    @abstractmethod
    def at_once(self, lines: Lines) -> Columns: ...

    @abstractmethod
    def one(self, line: bytes) -> Row: ...


class CandumpForm(Form):
    separator = ord(" ")

    def write(self, frame: Frame) -> bytes:
        number = f"{frame.arbitration_id:08X}" if frame.flags & EXT else f"{frame.arbitration_id:03x}"
        fd_flags = (frame.flags & (FrameFlag.BITRATE_SWITCH | FrameFlag.ERROR_STATE)) >> 4
        mark = f"#{fd_flags:X}" if frame.flags & FD else ""
        end = " T" if frame.flags & TX else " R"
        seconds, rest_ns = divmod(frame.t_ns, 10**9)
        stamp = f"({seconds}.{rest_ns // 1000:06d})"
        return f"{stamp} {frame.bus} {number}#{mark}{frame.data.hex()}{end}".encode()

    def at_once(self, lines: Lines) -> Columns:
        return candump.read_lines(lines)

    def one(self, line: bytes) -> Row:
        return candump.read_line(line)


class GvretForm(Form):
    separator = ord(",")
    directed = False
    kinds = frames(fd=False, transmitted=False)
    fills = (b"", b",", b",00", b",00,00,")

    def write(self, frame: Frame) -> bytes:
        columns = [
            str(frame.t_ns // 1000),
            f"{frame.arbitration_id:08X}",
            "true" if frame.flags & EXT else "False",
            *(["Tx" if frame.flags & TX else "Rx"] if self.directed else []),
            frame.bus,
            str(len(frame.data)),
            *(f"{byte:02X}" for byte in frame.data),
        ]
        return ",".join(columns).encode()

    def at_once(self, lines: Lines) -> Columns:
        return gvret.read_lines(lines, directed=self.directed)

    def one(self, line: bytes) -> Row:
        return gvret.read_line(line, directed=self.directed)


class GvretFormWithDirection(GvretForm):
    directed = True
    kinds = frames(fd=False)


every_form = pytest.mark.parametrize("form", [CandumpForm(), GvretForm(), GvretFormWithDirection()])


@every_form
@settings(max_examples=40, deadline=None)
@given(data=st.data(), end=st.sampled_from((b"\n", b"\r\n")))
def test_well_formed_lines_are_all_read_at_once(form: Form, data: st.DataObject, end: bytes) -> None:
    made = data.draw(st.lists(form.kinds, min_size=1, max_size=12))
    fill = data.draw(st.sampled_from(form.fills))
    columns = form.at_once(
        Lines.of(b"".join(form.write(frame) + fill + end for frame in made), form.separator)
    )
    assert columns.good.all()
    for place, frame in enumerate(made):
        assert row_at(columns, place) == (
            frame.t_ns,
            frame.bus,
            frame.arbitration_id,
            int(frame.flags),
            frame.data,
            len(frame.data),
        )


@every_form
@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_what_is_read_at_once_equals_what_is_read_alone(form: Form, data: st.DataObject) -> None:
    made = data.draw(st.lists(form.kinds, min_size=1, max_size=4))
    texts = [data.draw(mutated(form.write(frame))) for frame in made]
    columns = form.at_once(Lines.of(b"".join(text + b"\n" for text in texts), form.separator))
    for place in np.flatnonzero(columns.good).tolist():
        assert row_at(columns, place) == form.one(texts[place].strip())


@every_form
@settings(max_examples=40, deadline=None)
@given(noise=st.binary(max_size=200))
def test_any_bytes_are_survived(form: Form, noise: bytes) -> None:
    lines = Lines.of(noise + b"\n", form.separator)
    columns = form.at_once(lines)
    for place in range(len(lines.starts)):
        try:
            row = form.one(lines.line(place).strip())
        except MalformedError:
            assert not columns.good[place]
        else:
            assert not columns.good[place] or row_at(columns, place) == row
