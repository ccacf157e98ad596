"""A second decoder of the body, written from docs/wire-format.md alone: plain Python, slow, trusting."""

from __future__ import annotations

from collections.abc import Sequence

MASK = 2**64 - 1


def signed(word: int) -> int:
    word &= MASK
    return word - 2**64 if word >> 63 else word


def unzigzag(code: int) -> int:
    return code // 2 if code % 2 == 0 else -(code // 2) - 1


class Bits:
    def __init__(self, data: bytes) -> None:
        self.digits = "".join(f"{byte:08b}" for byte in data)
        self.place = 0

    def bits(self, width: int) -> int:
        taken = self.digits[self.place : self.place + width]
        assert len(taken) == width
        self.place += width
        return int(taken, 2) if width else 0

    def ones(self) -> int:
        count = 0
        while self.bits(1):
            count += 1
        return count

    def golomb(self) -> int:
        zeros = 0
        while not self.bits(1):
            zeros += 1
        return (1 << zeros | self.bits(zeros)) - 1

    def sized(self) -> int:
        length = self.bits(5)
        if length == 31:
            length += self.bits(6)
        return unzigzag(1 << length - 1 | self.bits(length - 1)) if length else 0

    def rice(self, parameters: Sequence[int]) -> list[int]:
        quotients = [self.ones() for _ in parameters]
        numbers = [
            q << k | self.bits(k) if q < 20 else -1 for q, k in zip(quotients, parameters, strict=True)
        ]
        return [self.bits(64) if number < 0 else number for number in numbers]

    def series(self, counts: Sequence[int]) -> list[list[int]]:
        heads = [self.head(count) for count in counts]
        flat = iter(self.rice([k for head in heads for k in head["parameters"]]))  # type: ignore[attr-defined] # a list
        out: list[list[int]] = []
        for count, head in zip(counts, heads, strict=True):
            codes = [next(flat) for _ in head["parameters"]]  # type: ignore[attr-defined] # a list
            out.append(self.undo(count, head, codes, out[-1] if out else []))
        return out

    def head(self, count: int) -> dict[str, object]:
        if count == 0:
            return {"parameters": []}
        base = self.sized()
        coding = self.bits(4) if count > 1 else 15
        if coding == 15:
            return {"base": base, "parameters": [], "coding": coding}
        predictor = self.bits(2)
        residuals = count if predictor in {0, 3} else count - 1
        parameters = [coding] * residuals
        if coding == 13:
            parameters = [self.bits(6)] * residuals
        if coding == 14:
            changes = self.golomb()
            gap_k, value_k = (self.golomb(), self.golomb()) if changes else (0, 0)
            parameters = [gap_k] * changes + [value_k] * changes
        return {
            "base": base,
            "coding": coding,
            "predictor": predictor,
            "residuals": residuals,
            "parameters": parameters,
        }

    @staticmethod
    def undo(count: int, head: dict[str, object], codes: list[int], before: list[int]) -> list[int]:
        if count == 0:
            return []
        base, coding = head["base"], head["coding"]
        assert isinstance(base, int)
        if coding == 15:
            return [base] * count
        if coding == 14:
            half = len(codes) // 2
            spread: list[int] = []
            for gap, value in zip(codes[:half], codes[half:], strict=True):
                spread += [0] * gap + [value + 1]
            residuals = head["residuals"]
            assert isinstance(residuals, int)
            codes = spread + [0] * (residuals - len(spread))
        steps = [unzigzag(code) for code in codes]
        if head["predictor"] == 0:
            return [signed(base + step) for step in steps]
        if head["predictor"] == 3:
            return [signed(base + follow + step) for follow, step in zip(before, steps, strict=True)]
        values, slope = [base], 0
        for step in steps:
            slope = slope + step if head["predictor"] == 2 else step
            values.append(signed(values[-1] + slope))
        return values


def read_body(  # noqa: C901, PLR0912 - one pass in the page's own order
    data: bytes, records: int
) -> tuple[list[list[int]], list[dict[tuple[int, int], object]]]:
    """Read the six series of the records, and each record's values by (key, index); missing ones as words."""
    bits = Bits(data)
    columns: list[tuple[tuple[int, int], bool]] = []
    key, index = 0, -1
    for _ in range(bits.golomb()):
        step, more = bits.golomb(), bits.golomb()
        index = more if step else index + 1 + more
        key += step
        columns.append(((key, index), bool(bits.bits(1))))
    mixed = [name for name, plain in columns if not plain]
    leading = bits.series([records] * (6 + len(mixed)))
    shapes = dict(zip(mixed, leading[6:], strict=True))
    counts = {name: [max(shape - 2, 0) if shape != 1 else 1 for shape in shapes[name]] for name in mixed}
    states = dict(zip(mixed, bits.series([sum(counts[name]) for name in mixed]), strict=True))
    widths: dict[tuple[int, int], int] = {}
    in_rows: dict[tuple[int, int], bool] = {}
    for name in mixed:
        present = [shape for shape in shapes[name] if shape]
        regular = len(present) >= 2 and len(set(present)) == 1 and present[0] >= 4
        widths[name] = present[0] - 2 if regular else 0
        in_rows[name] = bool(bits.bits(1)) if regular else False
    parts: list[int] = []
    for name, plain in columns:
        if plain:
            parts.append(records)
        else:
            if in_rows[name]:
                parts += [widths[name], len(states[name]) // widths[name]]
            parts.append(states[name].count(0))
    series = iter(bits.series(parts))
    values: list[dict[tuple[int, int], object]] = [{} for _ in range(records)]
    for name, plain in columns:
        if plain:
            for record, value in zip(values, next(series), strict=True):
                record[name] = value
            continue
        elements: list[object] = [("", "invalid", "abnormal")[state] for state in states[name]]
        order = list(range(len(elements)))
        if widths[name]:
            order.sort(key=lambda place, width=widths[name]: (place % width, place // width))  # type: ignore[misc] # mypy cannot infer a lambda's default
        bases, movements = (next(series), next(series)) if in_rows[name] else ([], [])
        rest = iter(next(series))
        for place in order:
            if states[name][place] == 0:
                element = next(rest)
                if in_rows[name]:
                    element += bases[place % widths[name]] + movements[place // widths[name]]
                elements[place] = signed(element)
        start = 0
        for record, shape, count in zip(values, shapes[name], counts[name], strict=True):
            if shape:
                chunk = elements[start : start + count]
                record[name] = chunk[0] if shape == 1 else tuple(chunk)
            start += count
    return leading[:6], values
