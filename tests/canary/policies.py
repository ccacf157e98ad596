"""The two policies of the drives, as files, and what they say in plain words for whoever judges."""

from __future__ import annotations

from dataclasses import dataclass

from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from tests.canary.route import ZONES
from tests.canary.script import Use

LAW, CONSENT = "law", "consent"
ERASE_WITHIN_S = 60

_CONSENTED = """
[[rule]]
class = "position"
purposes = ["recording", "event"]
basis = "consent"
longest_days = 1
erase_within_s = 60

[[rule]]
class = "exterior"
purposes = ["recording"]
basis = "consent"
longest_days = 1
erase_within_s = 60

[[rule]]
class = "cabin"
purposes = ["event"]
basis = "consent"
longest_days = 1
erase_within_s = 60
"""

_FIRST = """
[[rule]]
class = "position"
purposes = ["service"]
basis = "consent"
jurisdictions = ["CN"]
precision = "1000 m"
longest_days = 1
erase_within_s = 60

[[rule]]
class = "cabin"
purposes = ["recording"]
basis = "consent"
longest_days = 1
erase_within_s = 60
"""

_SECOND = """
[[rule]]
class = "position"
purposes = ["regulated"]
basis = "consent"
jurisdictions = ["CN"]
longest_days = 1
erase_within_s = 60

[[rule]]
class = "position"
purposes = ["service"]
basis = "consent"
jurisdictions = ["CN"]
precision = "2000 m"
longest_days = 1
erase_within_s = 60

[[rule]]
class = "cabin"
purposes = ["recording"]
basis = "consent"
retention_days = 3
longest_days = 1
erase_within_s = 60
"""


def policy_text(version: int) -> str:
    """The policy file of a version."""
    return (
        f'format = 1\nname = "canaries"\nversion = {version}\nprofile = "gbt44464"\ncontact = "the bench"\n'
        + _CONSENTED
        + (_FIRST if version == 1 else _SECOND)
        + "".join(zone.toml() for zone in ZONES[version])
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a policy says of a use, in plain words.

    Attributes:
        basis: `LAW` or `CONSENT`.
        wording: changes whenever a person has to be asked again.
        cell_m: how exactly positions may be known; 0 for as they are.
    """

    basis: str
    wording: str = "the same"
    cell_m: float = 0.0


_ALWAYS: dict[Use, Said] = {
    **{(one, purpose): Said(LAW) for one in (DataClass.OPERATION, DataClass.HEALTH) for purpose in Purpose},
    (DataClass.IDENTITY, Purpose.REGULATED): Said(LAW),
    (DataClass.IDENTITY, Purpose.SERVICE): Said(CONSENT),
    (DataClass.POSITION, Purpose.RECORDING): Said(CONSENT),
    (DataClass.POSITION, Purpose.EVENT): Said(CONSENT),
    (DataClass.CABIN, Purpose.EVENT): Said(CONSENT),
    (DataClass.EXTERIOR, Purpose.RECORDING): Said(CONSENT),
    (DataClass.EXTERIOR, Purpose.EVENT): Said(CONSENT),
}

SAID: dict[int, dict[Use, Said]] = {
    1: {
        **_ALWAYS,
        (DataClass.POSITION, Purpose.REGULATED): Said(LAW),
        (DataClass.POSITION, Purpose.SERVICE): Said(CONSENT, "1000 m", cell_m=1000.0),
        (DataClass.CABIN, Purpose.RECORDING): Said(CONSENT, "no retention"),
    },
    2: {
        **_ALWAYS,
        (DataClass.POSITION, Purpose.REGULATED): Said(CONSENT, "new"),
        (DataClass.POSITION, Purpose.SERVICE): Said(CONSENT, "2000 m", cell_m=2000.0),
        (DataClass.CABIN, Purpose.RECORDING): Said(CONSENT, "three days"),
    },
}
"""By version of the policy; what is not in it is not collected."""
