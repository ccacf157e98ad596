"""How each kind of row is checked: what is wrong with a value, in words, and how it is shown."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeGuard

from edge.catalogue.item import Edition
from edge.errors import KeyFileError
from edge.static_data.numbers import iccid_fault, pack_code_fault, vin_fault
from edge.static_data.table import StaticRow, battery_types
from edge.wire.gbt.security.keys import KeyKind, public_key_from_bytes

ALGORITHMS = MappingProxyType({"SM2": KeyKind.SM2, "RSA": KeyKind.RSA, "ECC": KeyKind.ECC})
"""Signature algorithms of 2025 by the name that a maker writes."""

_BIT = re.compile(r"[0-9]{1,2}")

Check = Callable[[object, StaticRow, Edition], str]
"""Says what is wrong with a value; nothing if it is right."""


def _text(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    if not isinstance(value, str):
        return "is a text in quotes"
    most = int(row.most or 0)
    if not value.strip() or len(value) > most:
        return f"is a text of 1 to {most} characters"
    return "" if value.isprintable() else "holds characters that cannot be printed"


def _number(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    if not is_number(value):
        return "is a number"
    if row.least is not None and row.most is not None and not row.least <= Decimal(str(value)) <= row.most:
        return f"is from {row.least} to {row.most} {row.item.unit}".rstrip()
    return ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value of TOML is a number that can be reckoned with: no truth value, infinity or NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object, row: StaticRow, edition: Edition) -> str:
    return _number(value, row, edition) if isinstance(value, int) else "is a whole number"


def _vin(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    return vin_fault(value) if isinstance(value, str) else "is a text in quotes"


def _iccid(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    return iccid_fault(value) if isinstance(value, str) else "is a text in quotes"


def _date(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    plain = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
    return "" if plain else "is a date such as 2026-03-01, without quotes"


def _ratios(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    most = int(row.most or 0)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        return f"is a list of 1 to {most} ratios, one a gear"
    good = all(is_number(one) and one > 0 for one in value)
    return "" if good else "every ratio is a number above 0"


def _thresholds(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    if not isinstance(value, Mapping) or not value:
        return 'is a table of alarm bits with their thresholds, such as 1 = "65 °C"'
    most = int(row.most or 0)
    for bit, threshold in value.items():
        if not _BIT.fullmatch(bit) or int(bit) > most:
            return f"'{bit}' is no bit of the general alarms, 0 to {most}"
        if not isinstance(threshold, str) or not threshold.strip():
            return f"the threshold of bit {bit} is a text in quotes"
    return ""


def _flags(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    good = isinstance(value, Mapping) and {"swap", "range_extender"} == set(value)
    if good and isinstance(value, Mapping) and all(isinstance(one, bool) for one in value.values()):
        return ""
    return "is a table such as { swap = false, range_extender = false }"


def _battery_type(value: object, row: StaticRow, edition: Edition) -> str:
    del row
    known = battery_types(edition)
    if isinstance(value, int) and not isinstance(value, bool) and value in known:
        return ""
    return "is one of " + ", ".join(f"0x{one.code:02X} {one.en}" for one in known.values())


def _code_2016(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    most = int(row.most or 0)
    if not isinstance(value, str) or len(value) > most or not value.isascii() or not value.isprintable():
        return f"is a text of at most {most} ASCII characters, empty where none is sent"
    return ""


def _codes_2025(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    most = int(row.most or 0)
    if not isinstance(value, list) or len(value) > most or not all(isinstance(one, str) for one in value):
        return f"is a list of at most {most} pack codes"
    for place, code in enumerate(value, 1):
        if fault := pack_code_fault(code):
            return f"pack {place}, {code}: {fault}"
    return ""


def _chip_id(value: object, row: StaticRow, edition: Edition) -> str:
    del edition
    most = int(row.most or 0)
    good = isinstance(value, str) and value.isascii() and value.isprintable() and value.strip()
    if not good or not isinstance(value, str) or len(value) > most:
        return f"is a text of 1 to {most} ASCII characters; messages fill it with blanks"
    return ""


def _algorithm(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    return "" if isinstance(value, str) and value in ALGORITHMS else f"is one of {', '.join(ALGORITHMS)}"


def _public_key(value: object, row: StaticRow, edition: Edition) -> str:
    del row, edition
    try:
        good = isinstance(value, str) and bool(bytes.fromhex(value))
    except ValueError:
        good = False
    return "" if good else "is hex digits, as messages carry the key"


def key_fault(algorithm: object, key: object) -> str:
    """What is wrong with a public key of an algorithm; empty also where one of them is wrong by itself."""
    kind = ALGORITHMS.get(str(algorithm))
    if kind is None or not isinstance(key, str):
        return ""
    try:
        public_key_from_bytes(kind, bytes.fromhex(key))
    except KeyFileError as error:
        return error.what
    except ValueError:
        return ""
    return ""


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "text": _text,
        "number": _number,
        "count": _whole,
        "index": _whole,
        "vin": _vin,
        "iccid": _iccid,
        "date": _date,
        "ratios": _ratios,
        "thresholds": _thresholds,
        "flags": _flags,
        "battery_type": _battery_type,
        "codes_2016": _code_2016,
        "codes_2025": _codes_2025,
        "chip_id": _chip_id,
        "algorithm": _algorithm,
        "public_key": _public_key,
    }
)
"""By the kind of the tables' rows."""


def shown(value: object, row: StaticRow, edition: Edition) -> str:
    """A value for people."""
    if row.kind == "battery_type" and isinstance(value, int):
        known = battery_types(edition).get(value)
        return f"0x{value:02X}" + (f" {known.en} {known.cn}" if known else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{_plain(value)} {row.item.unit}".rstrip()


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
