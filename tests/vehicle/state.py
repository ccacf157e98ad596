"""Last values written down by hand, and a binding of the made-up database, for the tests of this room."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import dedent

from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.database.load import load_database
from edge.database.model import Database, SignalRef

MADE_UP = Path(__file__).parents[1] / "catalogue" / "made_up.dbc"
S = 1_000_000_000


@dataclass
class State:
    """The last values of signals, as the decode room would hand them on."""

    values: dict[SignalRef, int | float] = field(default_factory=dict)
    t_ns: dict[SignalRef, int] = field(default_factory=dict)
    latched: Mapping[SignalRef, int] = field(default_factory=dict)
    seen: Mapping[SignalRef, frozenset[int | float]] = field(default_factory=dict)

    def put(self, name: str, value: float, t_s: float, bus: str = "pt") -> "State":
        message, _, signal = name.partition(".")
        ref = SignalRef(bus, message, signal)
        self.values[ref] = value
        self.t_ns[ref] = round(t_s * S)
        return self


@cache
def made_up() -> Database:
    return load_database(MADE_UP)


def bind(text: str, folder: Path, name: str = "made_up") -> Binding:
    path = folder / f"{name}.binding.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return load_binding(path, made_up(), builtin())
