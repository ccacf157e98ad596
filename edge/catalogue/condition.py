"""Conditions on signals as bindings write them: ``MESSAGE.SIGNAL``, alone or compared with a number."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        ">=": operator.ge,
        "<=": operator.le,
        ">": operator.gt,
        "<": operator.lt,
    }
)
_WORDS = re.compile(r"^(?P<name>[^=!<>]*?)\s*(?:(?P<sign>==|!=|>=|<=|>|<)\s*(?P<number>\S+))?$")


@dataclass(frozen=True, slots=True, order=True)
class SignalName:
    """A signal of a database, not yet on a bus."""

    message: str
    signal: str

    def __str__(self) -> str:
        return f"{self.message}.{self.signal}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison with a number.

    Attributes:
        sign: one of ``== != > >= < <=``.
        number: the right side, in the signal's own unit.
    """

    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Whether `value` stands in this relation to the number."""
        return bool(_OPERATORS[self.sign](value, self.number))

    def holds_each(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Whether each of `values` does (bool array of N)."""
        return np.asarray(_OPERATORS[self.sign](values, self.number), np.bool_)  # type: ignore[arg-type] # an operator takes arrays too


NOT_ZERO = Comparison("!=", 0)


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a signal's value."""

    signal: SignalName
    comparison: Comparison


def parse_comparison(words: str) -> Comparison:
    """Parse ``> 0.5`` and the like.

    Raises:
        ValueError: if it is none; says what would be.
    """
    name, comparison = parse_condition(words)
    if name or comparison is None:
        raise ValueError(f"'{words}' is no comparison; write it like '> 0.5' or '== 2'")
    return comparison


def parse_condition(words: str) -> tuple[str, Comparison | None]:
    """Split ``MESSAGE.SIGNAL == 2`` into the name and the comparison, None where there is none.

    Raises:
        ValueError: if it has another form; says what would be right.
    """
    found = _WORDS.match(words.strip())
    form = "write it like 'MESSAGE.SIGNAL' or 'MESSAGE.SIGNAL >= 2'"
    if found is None:
        raise ValueError(f"'{words}' is no condition; {form}")
    if found["sign"] is None:
        return found["name"], None
    try:
        number = float(found["number"])
    except ValueError:
        raise ValueError(f"'{found['number']}' in '{words}' is no number; {form}") from None
    if not math.isfinite(number):
        raise ValueError(f"'{found['number']}' in '{words}' is no finite number; {form}")
    return found["name"], Comparison(found["sign"], number)
