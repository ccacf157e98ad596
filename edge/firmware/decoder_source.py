"""Writes the module by which a board decodes: straight lines of MicroPython that take no memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from edge.database.model import MultiplexCondition, Signal
from edge.firmware.decoder_cut import Cut, byte_text, bytes_of, cuts_of
from edge.firmware.decoder_plan import (
    EXTENDED,
    NAMED_SOURCE,
    SHOWN_VALUES,
    Conditions,
    DecoderPlan,
    Keys,
    PlannedField,
    PlannedGroup,
    PlannedMessage,
    needed_bytes,
)

GENERATOR = 1
"""Counts changes of what is generated from the same files; it goes into the header."""

INTEGER = 0
UNSIGNED_CELLS = 1
SIGNED_CELLS = 2
FLOAT = 3
"""How a field's cells are read; the board's sampler knows the same numbers."""

_STEP = "    "
_FEW_BRANCHES = 4

Ranges = tuple[tuple[int, int], ...]


def source_of(plan: DecoderPlan, *, machine_code: bool = False, tables: Iterable[str] = ()) -> str:
    """The text of the module.

    Args:
        plan: what is decoded.
        machine_code: functions for viper, MicroPython's compiler to machine code; the module then runs on
            MicroPython alone, and only where mpy-cross is told the processor.
        tables: further lines, which use what stands above them.
    """
    lines = [*_header(plan, machine_code=machine_code), *_arrays(plan)]
    for message in plan.messages:
        lines += ["", "", *_Function(message, machine_code=machine_code).lines()]
    lines += ["", "", *_several(plan)]
    lines += _keys("IDS", plan.ids, _id_text)
    lines += ["", *_keys("PARAMETER_GROUPS", plan.parameter_groups, _group_text)]
    lines += ["", *_fields(plan)]
    more = list(tables)
    lines += ["", *more] if more else []
    return "\n".join(lines) + "\n"


def _header(plan: DecoderPlan, *, machine_code: bool) -> Iterator[str]:
    yield '"""Decodes frames on a board. Generated: to change it, change what it is made from.'
    yield ""
    yield from (_plain(line) for line in plan.about)
    code = "machine code (viper)" if machine_code else "bytecode"
    yield f"Generator {GENERATOR}, {code}; {len(plan.fields)} signals of {len(plan.messages)} messages."
    yield '"""'
    yield ""
    yield "from array import array"
    yield ""
    if machine_code:
        yield "import micropython"
        yield ""


def _arrays(plan: DecoderPlan) -> Iterator[str]:
    yield f"BUSES = {_tuple(repr(_plain(bus)) for bus in plan.buses)}"
    yield f"EXTENDED = {EXTENDED:#x}"
    yield f"NAMED_SOURCE = {NAMED_SOURCE:#x}"
    yield f'VALUES = array("i", bytes({4 * plan.cells}))'
    yield f'TIMES = array("i", {_repeated("-1", plan.groups)})'
    yield f"LENGTHS = bytearray({plan.groups})"
    yield f"LATCHES = bytearray({plan.latches})"
    yield f'SHOWN = array("i", bytes({4 * plan.shown}))'


def _repeated(item: str, count: int) -> str:
    return f"[{item}] * {count}"


class _Function:
    """The function of one message."""

    def __init__(self, planned: PlannedMessage, *, machine_code: bool) -> None:
        self._planned = planned
        self._machine_code = machine_code
        self._by_conditions = {group.conditions: group for group in planned.groups}
        self._signals = {signal.name: signal for signal in planned.message.signals}
        self._numbers: dict[str, int] = {}

    def lines(self) -> Iterator[str]:
        message = self._planned.message
        width = 8 if message.extended else 3
        fields = [field for group in self._planned.groups for field in group.fields]
        arrays = [("v", "VALUES", "ptr32"), ("a", "TIMES", "ptr32"), ("l", "LENGTHS", "ptr8")]
        if any(field.latch is not None for field in fields):
            arrays.append(("o", "LATCHES", "ptr8"))
        if any(field.shown is not None for field in fields):
            arrays.append(("s", "SHOWN", "ptr32"))
        name = self._planned.function
        if self._machine_code:
            yield "@micropython.viper"
            yield f"def {name}(d: ptr8, n: int, t: int):"
        else:
            handed = ", ".join(f"{short}={array}" for short, array, _ in arrays)
            yield f"def {name}(d, n, t, {handed}):"
        yield f"{_STEP}# {_plain(message.name)} 0x{message.arbitration_id:0{width}X}"
        if self._machine_code:
            yield from (f"{_STEP}{short} = {pointer}({array})" for short, array, pointer in arrays)
        yield from self._branch((), 1)

    def _branch(self, conditions: Conditions, depth: int) -> Iterator[str]:
        """What is present under `conditions`, and what further conditions bring."""
        group = self._by_conditions.get(conditions)
        if group is not None:
            yield from _group_lines(group, depth)
        children: dict[str, list[MultiplexCondition]] = defaultdict(list)
        for other in self._by_conditions:
            if len(other) > len(conditions) and other[: len(conditions)] == conditions:
                following = other[len(conditions)]
                if following not in children[following.multiplexer]:
                    children[following.multiplexer].append(following)
        for name, following_each in children.items():
            yield from self._multiplexer(self._signals[name], conditions, following_each, depth)

    def _multiplexer(
        self,
        signal: Signal,
        conditions: Conditions,
        children: Sequence[MultiplexCondition],
        depth: int,
    ) -> Iterator[str]:
        number = self._numbers.setdefault(signal.name, len(self._numbers))
        cuts = cuts_of(signal, signed=False)
        names = [f"m{number}" if len(cuts) == 1 else f"m{number}_{place}" for place in range(len(cuts))]
        yield f"{_STEP * depth}if n >= {needed_bytes(signal)}:  # multiplexer {_plain(signal.name)}"
        for name, cut in zip(names, cuts, strict=True):
            yield f"{_STEP * (depth + 1)}{name} = {cut.text()}"
        mask = (1 << len(signal.bits)) - 1
        ranges = {one: _ranges(value & mask for value in one.values) for one in children}
        ordered = sorted(children, key=lambda one: ranges[one])
        if _apart(ranges.values()):
            yield from self._choice(names, ordered, ranges, conditions, depth + 1)
        else:
            for one in ordered:
                yield f"{_STEP * (depth + 1)}if {_test(names, ranges[one])}:"
                yield from self._branch((*conditions, one), depth + 2)

    def _choice(
        self,
        names: Sequence[str],
        children: Sequence[MultiplexCondition],
        ranges: Mapping[MultiplexCondition, Ranges],
        conditions: Conditions,
        depth: int,
    ) -> Iterator[str]:
        """One of several branches, of which a frame takes one at most: by halves where there are many."""
        halves = len(names) == 1 and all(len(ranges[one]) == 1 for one in children)
        if halves and len(children) > _FEW_BRANCHES:
            middle = len(children) // 2
            yield f"{_STEP * depth}if {names[0]} < {ranges[children[middle]][0][0]}:"
            yield from self._choice(names, children[:middle], ranges, conditions, depth + 1)
            yield f"{_STEP * depth}else:"
            yield from self._choice(names, children[middle:], ranges, conditions, depth + 1)
            return
        word = "if"
        for one in children:
            yield f"{_STEP * depth}{word} {_test(names, ranges[one])}:"
            yield from self._branch((*conditions, one), depth + 1)
            word = "elif"


def _group_lines(group: PlannedGroup, depth: int) -> Iterator[str]:
    """Cut out the signals of a group, those first that the shortest frames hold."""
    indent = _STEP * depth
    yield f"{indent}a[{group.number}] = t"
    yield f"{indent}l[{group.number}] = n"
    cuts = {field.ref: cuts_of(field.signal) for field in group.fields}
    read: Counter[int] = Counter()
    for each in cuts.values():
        read += bytes_of(each)
    shared = {byte for byte, count in read.items() if count > 1}
    named: set[int] = set()
    reached = 0
    for field in group.fields:
        if field.needed_bytes != reached:
            reached = field.needed_bytes
            yield f"{indent}if n >= {reached}:"
        for byte in sorted(shared & bytes_of(cuts[field.ref]).keys() - named):
            named.add(byte)
            yield f"{indent}{_STEP}b{byte} = {byte_text(byte, ())}"
        yield from _field_lines(field, cuts[field.ref], named, indent + _STEP)


def _field_lines(
    field: PlannedField, cuts: Sequence[Cut], named: Iterable[int], indent: str
) -> Iterator[str]:
    texts = [cut.text(named) for cut in cuts]
    comment = f"  # {_plain(field.signal.name)}"
    if field.latch is None and field.shown is None:
        for place, text in enumerate(texts):
            yield f"{indent}v[{field.cell + place}] = {text}{comment}"
            comment = ""
        return
    for place, text in enumerate(texts):
        yield f"{indent}x = {text}{comment}"
        yield f"{indent}v[{field.cell + place}] = x"
        if field.latch is not None:
            yield f"{indent}if x:"
            yield f"{indent}{_STEP}o[{field.latch}] = 1"
        comment = ""
    if field.shown is not None:
        yield from _shown_lines(field, indent)


def _shown_lines(field: PlannedField, indent: str) -> Iterator[str]:
    """Note the value among those that were seen; one that does not fit there is never wanted."""
    if field.signal.signed:
        yield f"{indent}if x >= 0:"
        indent += _STEP
    if len(field.signal.bits) > (SHOWN_VALUES + 1).bit_length() - 1:
        yield f"{indent}if x < {SHOWN_VALUES}:"
        indent += _STEP
    yield f"{indent}s[{field.shown}] |= 1 << x"


def _ranges(values: Iterable[int]) -> Ranges:
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return tuple(found)


def _apart(several: Iterable[Ranges]) -> bool:
    """Whether no value is in two of them."""
    ordered = sorted(one for ranges in several for one in ranges)
    return all(one[1] < other[0] for one, other in pairwise(ordered))


def _test(names: Sequence[str], ranges: Ranges) -> str:
    """Whether a multiplexer has one of some values."""
    if len(names) > 1:
        values = [value for low, high in ranges for value in range(low, high + 1)]
        tests = [
            " and ".join(f"{name} == {value >> 24 * place & 0xFFFFFF}" for place, name in enumerate(names))
            for value in values
        ]
    else:
        tests = [
            f"{names[0]} == {low}" if low == high else f"{names[0]} >= {low} and {names[0]} <= {high}"
            for low, high in ranges
        ]
    if len(tests) == 1:
        return tests[0]
    return " or ".join(f"({test})" if " and " in test else test for test in tests)


def _several(plan: DecoderPlan) -> Iterator[str]:
    """Functions for frames that are several messages at once."""
    for members in _sets(plan):
        if len(members) > 1:
            yield f"def {_function(members)}(d, n, t):"
            yield from (f"{_STEP}{one.function}(d, n, t)" for one in members)
            yield ""
            yield ""


def _sets(plan: DecoderPlan) -> dict[tuple[PlannedMessage, ...], None]:
    return {
        members: None
        for each in (plan.ids, plan.parameter_groups)
        for keys in each
        for members in keys.values()
    }


def _function(members: Sequence[PlannedMessage]) -> str:
    return "_and_".join(one.function for one in members)


def _keys(name: str, buses: Sequence[Keys], text: Callable[[int], str]) -> Iterator[str]:
    yield f"{name} = ("
    for keys in buses:
        yield f"{_STEP}{{"
        for key, members in sorted(keys.items()):
            yield f"{_STEP * 2}{text(key)}: {_function(members)},"
        yield f"{_STEP}}},"
    yield ")"


def _id_text(key: int) -> str:
    return f"EXTENDED | 0x{key ^ EXTENDED:08X}" if key & EXTENDED else f"0x{key:03X}"


def _group_text(key: int) -> str:
    source = f" | NAMED_SOURCE | 0x{key & 0xFF:02X}" if key & NAMED_SOURCE else ""
    return f"0x{key >> 9:05X} << 9{source}"


def _fields(plan: DecoderPlan) -> Iterator[str]:
    yield "# Of each signal: first cell, cells, kind, group, needed bytes, latch, shown."
    yield "FIELDS = ("
    for field in plan.fields:
        latch = -1 if field.latch is None else field.latch
        shown = -1 if field.shown is None else field.shown
        numbers = (field.cell, field.cells, kind_of(field), field.group, field.needed_bytes, latch, shown)
        yield f"{_STEP}{', '.join(map(str, numbers))},  # {_plain(f'{field.ref.message}.{field.ref.signal}')}"
    yield ")"


def kind_of(field: PlannedField) -> int:
    """How a field's cells are read."""
    if field.signal.is_float:
        return FLOAT
    if field.cells == 1:
        return INTEGER
    return SIGNED_CELLS if field.signal.signed else UNSIGNED_CELLS


def _tuple(items: Iterable[str]) -> str:
    each = list(items)
    return f"({', '.join(each)}{',' if len(each) == 1 else ''})"


def _plain(text: str) -> str:
    """A name in printable ASCII, that ends neither a comment nor a string."""
    return ascii(text)[1:-1].replace('"', "'").replace("\\", "/")
