"""The countries and territories of ISO 3166-1, and the one region that stands for many of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from edge.policy.rules import ANYWHERE

CODES = frozenset(
    (  # noqa: SIM905 - a list of so many codes reads better as words
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT "
        "BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH "
        "ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT "
        "HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS "
        "LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI "
        "NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG "
        "SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG "
        "UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
    ).split()
)
"""Alpha-2 codes."""

REGIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "EEA": frozenset(
            (  # noqa: SIM905 - as above
                "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK"
            ).split()
        )
    }
)
"""What a policy may write in place of many codes: the European Economic Area."""

_MEANT = {"UK": "GB", "EU": "EEA", "EL": "GR"}


def jurisdiction_fault(word: str) -> str | None:
    """What is wrong with a word for a jurisdiction; None if nothing is."""
    if word in CODES or word in REGIONS or word == ANYWHERE:
        return None
    upper = word.upper()
    meant = _MEANT.get(upper, upper if upper in CODES | REGIONS.keys() else "")
    advice = f"did you mean '{meant}'?" if meant else "write it as ISO 3166-1 does, such as 'CN' or 'DE'"
    return f"'{word}' is no country; {advice}"


def spelled_out(words: Iterable[str]) -> frozenset[str]:
    """Codes, with those of each region in its place."""
    return frozenset(code for word in words for code in REGIONS.get(word, frozenset({word})))
