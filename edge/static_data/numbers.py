"""Numbers with a check of their own: VIN (GB 16735), ICCID (ITU-T E.118), pack code (GB/T 34014)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LETTERS = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)
)
VALUES = {**_LETTERS, **{str(digit): digit for digit in range(10)}}
"""What each character of a VIN counts (GB 16735, table of character values); I, O and Q are none."""

WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
"""What each place of a VIN counts; the ninth is the check digit itself."""

_VIN_CHARACTERS = 17
_CHECK_PLACE = 8
_YEAR_PLACE = 9
_NO_YEARS = frozenset("UZ0")
_ICCID_DIGITS = 20
_PACK_CHARACTERS = 24
_PACK_ALPHABET = frozenset("0123456789ABCDEFGHJKLMNPRSTUVWXYZ")
_MONTHS = "123456789ABC"
_PRODUCTS = {"P": "pack", "M": "module", "C": "cell"}
_TYPES = frozenset("ABCDEFGZ")


def check_digit(vin: str) -> str:
    """The check digit that the other 16 characters of a VIN give: the weighted sum modulo 11, X for 10."""
    rest = sum(VALUES[character] * weight for character, weight in zip(vin, WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)  # noqa: PLR2004 - the rest that has no digit


def vin_fault(vin: str) -> str:
    """What is wrong with a VIN by GB 16735; empty if nothing is."""
    if len(vin) != _VIN_CHARACTERS:
        return f"has {len(vin)} characters, a VIN {_VIN_CHARACTERS}"
    foreign = next((one for one in vin if one not in VALUES), None)
    if foreign is not None:
        return f"'{foreign}' is in no VIN: capital letters without I, O and Q, and digits"
    wanted = check_digit(vin)
    if vin[_CHECK_PLACE] != wanted:
        return f"the check digit (9th) is {vin[_CHECK_PLACE]}, the others give {wanted}"
    if vin[_YEAR_PLACE] in _NO_YEARS:
        return f"'{vin[_YEAR_PLACE]}' is no model year (10th)"
    return "" if re.fullmatch(r"[0-9]{4}", vin[-4:]) else "its last four characters are not digits"


def luhn(digits: str) -> bool:
    """Whether the last of `digits` is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)  # noqa: PLR2004 - the sum of both digits
    return total % 10 == 0


def iccid_fault(iccid: str) -> str:
    """What is wrong with the ICCID of a SIM card; empty if nothing is."""
    if not re.fullmatch(rf"[0-9]{{{_ICCID_DIGITS}}}", iccid):
        return f"is not of {_ICCID_DIGITS} digits"
    if not iccid.startswith("89"):
        return "does not begin with 89, telecommunication (ITU-T E.118)"
    return "" if luhn(iccid) else "its last digit is not the check digit of the others (Luhn)"


@dataclass(frozen=True, slots=True)
class PackCode:
    """The 24 characters of a traction battery's code (GB/T 34014-2017, 4.3).

    Attributes:
        maker: three characters, given out by the ministry.
        product: P pack, M module, C cell.
        battery_type: one letter.
        specification: two characters, of the maker's own.
        trace: seven characters, of the maker's own.
        made: year, month and day, a character each.
        serial: seven characters.
    """

    maker: str
    product: str
    battery_type: str
    specification: str
    trace: str
    made: str
    serial: str


def pack_code(code: str) -> PackCode:
    """Take a code of 24 characters apart; see `pack_code_fault`."""
    return PackCode(code[:3], code[3], code[4], code[5:7], code[7:14], code[14:17], code[17:])


def pack_code_fault(code: str) -> str:
    """What is wrong with the code of a battery pack; empty if nothing is.

    Checked is what public sources agree on: 24 digits and capital letters without I, O and Q; the 4th says
    pack; the 5th is a battery type, A to G or Z; the 16th is a month. Not checked: whether the ministry gave
    out the maker's code, what the maker's own characters mean, and year and day, whose tables are not public.
    """
    if len(code) != _PACK_CHARACTERS:
        return f"has {len(code)} characters, a pack code {_PACK_CHARACTERS}"
    foreign = next((one for one in code if one not in _PACK_ALPHABET), None)
    if foreign is not None:
        return f"'{foreign}' is in no pack code: digits and capital letters without I, O and Q"
    taken = pack_code(code)
    if taken.product != "P":
        said = _PRODUCTS.get(taken.product, "nothing")
        return f"the 4th character is {taken.product} ({said}), of a pack P"
    if taken.battery_type not in _TYPES:
        return f"the 5th character is {taken.battery_type}, of a battery type A to G or Z"
    if taken.made[1] not in _MONTHS:
        return f"the 16th character is {taken.made[1]}, of a month 1 to 9 or A to C"
    return ""
