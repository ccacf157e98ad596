"""What a policy and consents admit, what data rest on, and what no longer holds for data on their way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edge.policy.admission import Admission, Use, coarseness_m, consents_in
from edge.policy.classes import DataClass
from edge.policy.in_force import InForce
from edge.policy.rules import FULL, Basis, Policy, Precision, Purpose, Rule

OPERATION, POSITION, CABIN = DataClass.OPERATION, DataClass.POSITION, DataClass.CABIN
REGULATED, SERVICE, RECORDING, EVENT = (
    Purpose.REGULATED,
    Purpose.SERVICE,
    Purpose.RECORDING,
    Purpose.EVENT,
)
LAWFUL: Use = (OPERATION, REGULATED)
TO_SERVICE: Use = (CABIN, SERVICE)
TO_RECORDING: Use = (CABIN, RECORDING)


def policy(*more: Rule) -> Policy:
    rules = [
        Rule(*LAWFUL, Basis.LAW),
        Rule(*TO_SERVICE, Basis.CONSENT, longest_days=1.0),
        Rule(*TO_RECORDING, Basis.CONSENT, longest_days=1.0),
        *more,
    ]
    return Policy("made up", 1, "", {(rule.data_class, rule.purpose): rule for rule in rules})


def admitted(
    consents: Mapping[Use, int] | None = None, *more: Rule, withhold: tuple[DataClass, ...] = ()
) -> Admission:
    return Admission.of(policy(*more), consents or {}, withhold)


class TestWhatIsAdmitted:
    def test_what_rests_on_law_needs_nobody_and_the_rest_somebody(self) -> None:
        assert admitted().collect == {OPERATION}
        assert admitted({TO_SERVICE: 3}).collect == {OPERATION, CABIN}

    def test_a_consent_to_one_purpose_is_none_to_another(self) -> None:
        admission = admitted({TO_RECORDING: 3})
        assert admission.admits(CABIN, [RECORDING])
        assert not admission.admits(CABIN, [SERVICE])
        assert admission.admits(CABIN, [SERVICE, RECORDING])
        assert not admission.admits(CABIN, [])
        assert not admission.admits(OPERATION, [RECORDING])

    def test_only_what_is_for_records_goes_into_them(self) -> None:
        assert admitted({TO_RECORDING: 3}).records == {OPERATION}
        assert admitted({TO_SERVICE: 3}).records == {OPERATION, CABIN}

    def test_a_consent_that_no_rule_asks_for_admits_nothing(self) -> None:
        use = (POSITION, SERVICE)
        assert admitted({use: 1}).collect == {OPERATION}
        assert admitted({LAWFUL: 1}).consents == {}

    def test_what_is_withheld_is_out_whatever_holds(self) -> None:
        admission = admitted({TO_SERVICE: 3}, withhold=(CABIN, OPERATION))
        assert admission.collect == frozenset()
        assert admission.consents == {}

    def test_each_difference_gives_another_name(self) -> None:
        names = [
            admitted().name,
            admitted({TO_SERVICE: 3}).name,
            admitted({TO_SERVICE: 4}).name,
            admitted({TO_RECORDING: 3}).name,
            admitted({TO_SERVICE: 3, TO_RECORDING: 3}).name,
            admitted(None, Rule(POSITION, REGULATED, Basis.LAW)).name,
            admitted({TO_SERVICE: 3}, withhold=(OPERATION,)).name,
        ]
        assert len(set(names)) == len(names)
        assert admitted({TO_SERVICE: 3}).name == admitted({TO_SERVICE: 3}).name


class TestWhatDataRestOn:
    def test_nothing_where_no_purpose_holds(self) -> None:
        assert admitted().ground(CABIN, [SERVICE, RECORDING]) is None
        assert admitted({TO_SERVICE: 3}).ground(CABIN, [RECORDING]) is None
        assert admitted().ground(OPERATION, []) is None

    def test_the_law_where_one_purpose_rests_on_it(self) -> None:
        more = Rule(CABIN, REGULATED, Basis.LAW)
        assert admitted({TO_SERVICE: 3}, more).ground(CABIN, [SERVICE, REGULATED]) == ""
        assert admitted({TO_SERVICE: 3}, more).ground(CABIN, [SERVICE]) == "consent 3"

    def test_all_consents_of_the_purposes_in_order(self) -> None:
        both = admitted({TO_SERVICE: 11, TO_RECORDING: 7})
        assert both.ground(CABIN, [SERVICE, RECORDING]) == "consent 7,11"
        assert both.ground(CABIN, [RECORDING]) == "consent 7"

    def test_labels_are_read_as_they_are_written(self) -> None:
        assert consents_in("consent 3") == {3}
        assert consents_in("consent 7,11") == {7, 11}
        assert consents_in("") == frozenset()
        assert consents_in("3,7") == frozenset()

    @pytest.mark.parametrize(
        "label", ["consent ", "consent x", "consent \u00b2", "consent 3,\u0663", "consent -1"]
    )
    def test_a_label_that_nobody_wrote_names_what_it_can_and_never_raises(self, label: str) -> None:
        assert consents_in(label) <= {3}


class TestPrecision:
    def exact(self, precision: Precision, purpose: Purpose, basis: Basis = Basis.LAW) -> Rule:
        longest_days = 1.0 if basis is Basis.CONSENT else 0.0
        return Rule(POSITION, purpose, basis, precision=precision, longest_days=longest_days)

    def test_the_purpose_that_needs_it_most_exactly_decides(self) -> None:
        coarse, fine = Precision(cell_m=5000.0), Precision(geohash=7)
        admission = admitted(None, self.exact(coarse, SERVICE), self.exact(fine, EVENT))
        assert admission.precision([SERVICE, EVENT]) == fine
        assert admission.precision(iter([SERVICE, EVENT])) == fine
        assert admission.precision([SERVICE]) == coarse
        assert admission.precision([RECORDING]) == FULL

    def test_a_rule_of_another_class_does_not_count(self) -> None:
        admission = admitted(None, self.exact(Precision(cell_m=5000.0), REGULATED))
        assert admission.precision([REGULATED]) == Precision(cell_m=5000.0)

    @pytest.mark.parametrize(
        ("characters", "side_m"),
        # Square roots of the areas at the equator: 5,000 by 5,000 km, 1,250 by 625 km, ... 153 by 153 m.
        [(1, 5e6), (2, 8.8e5), (3, 1.56e5), (5, 4.9e3), (7, 153.0)],
    )
    def test_a_geohash_is_compared_by_the_size_of_its_cell(self, characters: int, side_m: float) -> None:
        assert coarseness_m(Precision(geohash=characters)) == pytest.approx(side_m, rel=0.5)

    def test_a_cell_is_as_coarse_as_its_side(self) -> None:
        assert coarseness_m(FULL) == 0
        assert coarseness_m(Precision(cell_m=250.0)) == 250.0


class TestInForce:
    def make(self, *more: Rule) -> InForce:
        made = policy(*more)
        return InForce(made, Admission.of(made, {}))

    def agree(self, in_force: InForce, consents: Mapping[Use, int]) -> str:
        admission = Admission.of(in_force.policy, consents)
        in_force.adopt(admission)
        assert in_force.now is admission
        return f"m-0123456789abcdef/{admission.name}"

    def test_data_on_their_way_rest_on_what_they_were_collected_under(self) -> None:
        in_force = self.make()
        mask = self.agree(in_force, {TO_SERVICE: 3})
        self.agree(in_force, {})
        assert in_force.ground(mask, CABIN, [SERVICE]) == "consent 3"
        assert in_force.ground(mask, OPERATION, [REGULATED]) == ""
        assert in_force.ground(mask, CABIN, [RECORDING]) is None

    def test_a_mask_of_another_run_is_ground_for_nothing(self) -> None:
        in_force = self.make()
        for mask in ("", "m-0123456789abcdef", "m-0123456789abcdef/00000000"):
            assert in_force.of(mask) is None
            assert in_force.ground(mask, OPERATION, [REGULATED]) is None

    def test_what_rests_on_a_withdrawn_consent_alone_is_not_kept(self) -> None:
        in_force = self.make(Rule(CABIN, REGULATED, Basis.LAW))
        mask = self.agree(in_force, {TO_SERVICE: 3, TO_RECORDING: 7})
        in_force.revoke({3})
        assert in_force.ground(mask, CABIN, [SERVICE]) is None
        assert in_force.ground(mask, CABIN, [RECORDING]) == "consent 7"
        assert in_force.ground(mask, CABIN, [SERVICE, RECORDING]) == "consent 3,7"
        assert in_force.ground(mask, CABIN, [SERVICE, REGULATED]) == ""
        in_force.revoke({7, 9})
        assert in_force.ground(mask, CABIN, [SERVICE, RECORDING]) is None
        assert in_force.ground(mask, CABIN, [SERVICE, REGULATED]) == ""

    def test_a_later_consent_does_not_bring_back_what_the_withdrawn_one_gave(self) -> None:
        in_force = self.make()
        mask = self.agree(in_force, {TO_SERVICE: 3})
        in_force.revoke({3})
        later = self.agree(in_force, {TO_SERVICE: 4})
        assert in_force.ground(mask, CABIN, [SERVICE]) is None
        assert in_force.ground(later, CABIN, [SERVICE]) == "consent 4"

    def test_the_oldest_of_thousands_of_admissions_is_ground_for_nothing(self) -> None:
        in_force = self.make()
        first = self.agree(in_force, {TO_SERVICE: 1})
        second = self.agree(in_force, {TO_SERVICE: 2})
        self.agree(in_force, {TO_SERVICE: 1})
        for number in range(3, 4098):
            self.agree(in_force, {TO_SERVICE: number})
        assert in_force.ground(first, CABIN, [SERVICE]) == "consent 1"
        assert in_force.ground(second, CABIN, [SERVICE]) is None

    def test_nobody_has_erased_what_the_regulated_record_needs(self) -> None:
        in_force = self.make(
            Rule(POSITION, REGULATED, Basis.CONSENT, longest_days=1.0), Rule(CABIN, EVENT, Basis.LAW)
        )
        assert in_force.kept_by_law == {OPERATION}
