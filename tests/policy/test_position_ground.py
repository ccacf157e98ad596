"""An exact position rests on the consent that asks for it exactly, not on one to a coarser purpose."""

from __future__ import annotations

import pytest

from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.rules import RECORD_PURPOSES, Basis, Policy, Precision, Purpose, Rule

REGULATED, SERVICE = Purpose.REGULATED, Purpose.SERVICE
FULL, COARSE, COARSER = Precision(), Precision(cell_m=1000.0), Precision(geohash=4)


def ground(
    regulated: Precision, service: Precision, basis: Basis = Basis.CONSENT, of: DataClass = DataClass.POSITION
) -> str | None:
    """What records rest on under consents 1 (regulated) and 2 (service)."""
    rules = {
        (of, REGULATED): Rule(of, REGULATED, basis, precision=regulated),
        (of, SERVICE): Rule(of, SERVICE, Basis.CONSENT, precision=service),
    }
    consents = {(of, REGULATED): 1, (of, SERVICE): 2}
    return Admission.of(Policy("made up", 1, "", rules), consents).ground(of, RECORD_PURPOSES)


@pytest.mark.parametrize(
    ("regulated", "service", "label"),
    [
        (FULL, COARSE, "consent 1"),
        (COARSER, COARSE, "consent 2"),
        (COARSE, COARSER, "consent 1"),
        (COARSE, COARSE, "consent 1,2"),
        (FULL, FULL, "consent 1,2"),
    ],
)
def test_the_finest_consent_decides(regulated: Precision, service: Precision, label: str) -> None:
    assert ground(regulated, service) == label


def test_what_the_law_asks_for_rests_on_the_law() -> None:
    assert ground(FULL, COARSE, Basis.LAW) == ""


def test_other_classes_rest_on_all_consents() -> None:
    assert ground(FULL, COARSE, of=DataClass.HEALTH) == "consent 1,2"
