"""Units as databases spell them, and the exact decimal conversion from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Conversion:
    """A linear conversion: `converted = value * scale + offset`."""

    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Unit:
    dimension: str
    factor: Decimal
    zero: Decimal


_TABLE: Mapping[str, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        "speed": (
            ("km/h", "1", "kph kmh kmph km/hour"),
            ("m/s", "3.6", "mps meter/s metre/s"),
            ("mph", "1.609344", "mi/h mile/h"),
            ("kn", "1.852", "knot knots kt kts"),
        ),
        "distance": (
            ("km", "1", "kilometer kilometre kilometers kilometres"),
            ("m", "0.001", "meter metre meters metres"),
            ("mi", "1.609344", "mile miles"),
        ),
        "voltage": (("V", "1", "volt volts VDC"), ("mV", "0.001", "millivolt"), ("kV", "1000", "kilovolt")),
        "current": (
            ("A", "1", "amp amps ampere amperes ADC"),
            ("mA", "0.001", "milliamp"),
            ("kA", "1000", ""),
        ),
        "share": (("%", "1", "percent pct %SOC"), ("‰", "0.1", "permille")),
        "volume share": (("%vol", "1", "vol% Vol.-%"), ("ppmv", "0.0001", "")),
        "mass share": (("mg/kg", "1", ""), ("g/kg", "1000", "")),
        "rotation": (("rpm", "1", "1/min r/min rev/min min-1 U/min /min RPM"), ("1/s", "60", "r/s rev/s Hz")),
        "torque": (("N.m", "1", "Nm N·m N*m N-m newtonmeter"), ("kN.m", "1000", "kNm")),
        "resistance": (
            ("kohm", "1", "kΩ kOhm kilo-ohm"),
            ("ohm", "0.001", "Ω"),
            ("Mohm", "1000", "MΩ MOhm megaohm"),
        ),
        "fuel by distance": (("L/100km", "1", "l/100km liter/100km"),),
        "mass by distance": (("kg/100km", "1", ""), ("g/km", "0.1", "")),
        "pressure": (
            ("kPa", "1", ""),
            ("MPa", "1000", ""),
            ("Pa", "0.001", ""),
            ("bar", "100", ""),
            ("mbar", "0.1", "hPa"),
        ),
        "angle": (("deg", "1", "° degree degrees"), ("mdeg", "0.001", "")),
        "acceleration": (("m/s^2", "1", "m/s2 m/s² m/s/s"), ("g", "9.80665", "g0"), ("mg", "0.00980665", "")),
        "energy": (("kWh", "1", ""), ("Wh", "0.001", "")),
        "power": (("kW", "1", ""), ("W", "0.001", "")),
        "time": (("s", "1", "sec"), ("ms", "0.001", ""), ("min", "60", "")),
    }
)
_TEMPERATURES: Mapping[str, tuple[str, Decimal, Decimal]] = MappingProxyType(
    {
        "degC": ("°C C Celsius celsius ℃ °c degC deg_C grdC", Decimal(1), Decimal(0)),
        "K": ("kelvin °K degK", Decimal(1), Decimal("-273.15")),
        "degF": ("°F F Fahrenheit fahrenheit ℉", Decimal(5) / 9, Decimal(-32) * 5 / 9),
    }
)


def _spellings() -> dict[str, _Unit]:
    known: dict[str, _Unit] = {}
    for dimension, units in _TABLE.items():
        for name, factor, others in units:
            unit = _Unit(dimension, Decimal(factor), Decimal(0))
            known.update(dict.fromkeys((name, *others.split()), unit))
    for name, (others, scale, zero) in _TEMPERATURES.items():
        known.update(dict.fromkeys((name, *others.split()), _Unit("temperature", scale, zero)))
    return known


_EXACT = MappingProxyType(_spellings())


def _folded() -> dict[str, _Unit | None]:
    """Spellings without regard to case; None where case tells two units apart (mV and MV)."""
    folded: dict[str, _Unit | None] = {}
    for spelling, unit in _EXACT.items():
        key = spelling.casefold()
        folded[key] = unit if folded.get(key, unit) == unit else None
    return folded


_FOLDED = MappingProxyType(_folded())


def _find(unit: str) -> _Unit | None:
    spelling = unit.strip().replace(" ", "")
    return _EXACT.get(spelling) or _FOLDED.get(spelling.casefold())


def known(unit: str) -> bool:
    """Whether `unit` is a spelling of a unit that can be converted."""
    return _find(unit) is not None


def same(one: str, other: str) -> bool:
    """Whether both spell the same unit."""
    first, second = _find(one), _find(other)
    return one.strip() == other.strip() if first is None or second is None else first == second


def conversion(source: str, target: str) -> Conversion | None:
    """The conversion of a value in `source` to `target`; None where there is none.

    Factors are exact decimals, but for degrees Fahrenheit, whose 5/9 has 28 digits.
    """
    first, second = _find(source), _find(target)
    if first is None or second is None:
        return Conversion() if source.strip() == target.strip() else None
    if first.dimension != second.dimension:
        return None
    return Conversion(first.factor / second.factor, (first.zero - second.zero) / second.factor)


def spellings() -> tuple[str, ...]:
    """All spellings, to name the nearest right one."""
    return tuple(_EXACT)
