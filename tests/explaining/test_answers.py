"""What is answered to each kind of question, with the clause, the consent, the area and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.config.configuration import Config
from edge.devices import open_sensors
from edge.errors import PolicyError
from edge.explaining.destinations import DestinationAnswer
from edge.explaining.diagnostics import DiagnosticAnswer
from edge.explaining.items import ItemAnswer
from edge.explaining.media import MediaAnswer
from edge.explaining.payloads import PayloadAnswer
from edge.explaining.question import Answer, ask, known_names
from edge.explaining.signals import SignalAnswer
from edge.explaining.situation import Agreed, Situation, agreed_of, observed_items
from edge.explaining.summary import summarise
from edge.explaining.uses import ClassAnswer
from edge.frames import FrameBatch
from edge.policy.admission import Use
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule, Integrity
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.policy.rules import Area, Basis, Datum, Policy, Precision, Purpose, Rule
from tests.explaining.situations import BUS, configured, situation_of
from tests.policy.test_door import classed, signal
from tests.policy.test_transport import BARE, DESCRIBED, LONG, diagnostics, isotp
from tests.policy.test_transport import DATABASE as J1939
from tests.vehicle.state import bind, made_up

OPERATION, POSITION, CABIN = DataClass.OPERATION, DataClass.POSITION, DataClass.CABIN
SERVICE: Use = (POSITION, Purpose.SERVICE)
CLAUSE = "GB/T 44464-2024, 5.2"
CLASSES = """
[operation]
signals = ["Alarms.*"]
[position]
signals = ["Motion.*"]
[cabin]
signals = ["Battery.*"]
"""
BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
battery_high_temperature = "Alarms.Hot"
[items."alarm.flags".levels]
battery_high_temperature = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
"""
SQUARE = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))


def policy() -> Policy:
    """Operation by law, position to a service by consent; less of it in an area."""
    rules = {
        (OPERATION, one): Rule(OPERATION, one, Basis.LAW, frozenset({"CN"}), clause="a duty")
        for one in Purpose
    }
    rules[SERVICE] = Rule(
        *SERVICE,
        Basis.CONSENT,
        frozenset({"CN"}),
        precision=Precision(1000),
        retention_days=7,
        longest_days=30,
        erase_within_s=86_400,
        clause=CLAUSE,
    )
    areas = (Area("yard", SQUARE, Datum.WGS84, frozenset({POSITION})),)
    return Policy("made up", 1, "", rules, areas=areas)


def agreed(state: str = "given", place: Mapping[str, object] | None = None, why: str = "") -> Agreed:
    """What a gateway's state says of position to a service."""
    consent = {"number": 3, "until": "2026-03-02T00:00:00Z"} if state == "given" else None
    use = {"class": "position", "purpose": "service", "state": state, "why": why, "consent": consent}
    return agreed_of({"uses": [use], "place": place}, "by a gateway")


def vehicle(
    folder: Path,
    consents: Agreed | None = None,
    *,
    by: Policy | None = None,
    classes: str = CLASSES,
    observed: tuple[str, ...] = (),
) -> Situation:
    (folder / "classes.toml").write_text(classes)
    database = load_classes(folder / "classes.toml", made_up())
    fleet = {"name": "fleet", "host": "192.0.2.7", "acknowledge": "puback", "purpose": "service"}
    return situation_of(
        {"pt": [database]},
        policy=by or policy(),
        bindings={"pt": [bind(BINDING, folder)]},
        observed=observed,
        agreed=consents,
        destination=[{**fleet, "jurisdiction": "CN"}, {**fleet, "name": "abroad", "jurisdiction": "DE"}],
        journal={"folder": str(folder / "journal")},
    )


def only(situation: Situation, name: str) -> Answer:
    (found,) = ask(situation, name)
    return found


def signal_of(situation: Situation, name: str) -> SignalAnswer:
    found = only(situation, name)
    assert isinstance(found, SignalAnswer)
    return found


def payload(situation: Situation, name: str) -> PayloadAnswer:
    found = only(situation, name)
    assert isinstance(found, PayloadAnswer)
    return found


class TestASignal:
    def test_is_found_by_each_way_to_spell_it(self, tmp_path: Path) -> None:
        situation = vehicle(tmp_path)
        for name in ("pt.Motion.Speed", "pt:Motion.Speed", "Motion.Speed", "Speed"):
            assert signal_of(situation, name).name == "pt.Motion.Speed"
        assert [one.name for one in ask(situation, "Motion.Rear*") if isinstance(one, SignalAnswer)] == [
            "pt.Motion.RearLeft",
            "pt.Motion.RearRight",
        ]

    def test_that_nobody_agreed_to_needs_a_consent(self, tmp_path: Path) -> None:
        answer = signal_of(vehicle(tmp_path), "Motion.Speed")
        assert (answer.collected, answer.by_consent, answer.purposes) == (False, True, ())
        assert [(one.reason, one.words) for one in answer.whys] == [
            ("class", "its class, position, is not collected")
        ]
        assert answer.policy is not None
        uses = {use.purpose: use for use in answer.policy.uses}
        assert uses[Purpose.SERVICE].why == "it needs the consent of a person in the vehicle"
        assert uses[Purpose.REGULATED].why == "no rule of the policy collects position for regulated"

    def test_that_somebody_agreed_to_names_consent_rule_and_way(self, tmp_path: Path) -> None:
        answer = signal_of(vehicle(tmp_path, agreed()), "Motion.Speed")
        assert (answer.collected, answer.purposes, answer.not_in) == (True, (Purpose.SERVICE,), ("yard",))
        assert (answer.whys, answer.roots) == ((), ())
        assert answer.policy is not None
        use = next(one for one in answer.policy.uses if one.purpose is Purpose.SERVICE)
        assert (use.collected, use.ground, use.until) == (True, "consent 3", "2026-03-02T00:00:00Z")
        assert (use.clause, use.precision, use.kept) == (CLAUSE, "1000 m", "at most 7 days")
        assert [(way.destination, way.allowed, way.why, way.precision) for way in use.ways] == [
            ("fleet", True, "", "1000 m"),
            ("abroad", False, "position for service may not go to DE", ""),
        ]

    @pytest.mark.parametrize("state", ["refused", "withdrawn", "expired", "changed"])
    def test_whose_consent_is_over_says_how(self, tmp_path: Path, state: str) -> None:
        answer = signal_of(vehicle(tmp_path, agreed(state, why="the clock")), "Motion.Speed")
        assert not answer.collected
        assert answer.policy is not None
        whys = {use.purpose: use.why for use in answer.policy.uses}
        words = f"it needs the consent of a person in the vehicle, which is {state}: the clock"
        assert whys[Purpose.SERVICE] == words

    def test_is_withheld_where_the_vehicle_is(self, tmp_path: Path) -> None:
        place = {"name": "yard", "withheld": ["position"]}
        answer = signal_of(vehicle(tmp_path, agreed(place=place)), "Motion.Speed")
        assert not answer.collected
        assert answer.policy is not None
        assert answer.policy.here == "yard"
        whys = {use.purpose: use.why for use in answer.policy.uses}
        assert whys[Purpose.SERVICE] == "the vehicle is in the area 'yard', where it is withheld"

    def test_without_a_class_says_so(self, tmp_path: Path) -> None:
        answer = signal_of(vehicle(tmp_path), "Cells.Page")
        assert (answer.data_class, answer.policy, answer.whys[0].reason) == (None, None, "unclassified")

    def test_names_the_items_that_it_fills(self, tmp_path: Path) -> None:
        answer = signal_of(vehicle(tmp_path), "Alarms.Hot")
        assert [(one.item, one.in_records) for one in answer.items] == [("alarm.flags", True)]

    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("Motion.Sped", "Did you mean 'Motion.Speed'?"),
            ("pt.Motoin.Speed", "Did you mean 'pt.Motion.Speed'?"),
            ("postion", "Did you mean 'position'?"),
            ("vehicle.sped", "Did you mean 'vehicle.speed'?"),
            ("flet", "Did you mean 'fleet'?"),
            ("pd:0x100", "Did you mean 'pt'?"),
            ("0x20000000", "more than 29 bits"),
            ("pgn:0x40000", "more than 18 bits"),
            ("0x100#123", "two digits a byte"),
            ("0x100:0x6", "two digits a byte"),
            ("%", "--help"),
            ("", "--help"),
        ],
    )
    def test_that_is_none_is_told_with_the_nearest(self, tmp_path: Path, name: str, near: str) -> None:
        with pytest.raises(PolicyError) as refused:
            ask(vehicle(tmp_path), name)
        assert near in str(refused.value)

    def test_of_a_name_that_several_have_is_asked_for_again(self) -> None:
        databases = {bus: [classed(signal("A", 0, 8), {"A": OPERATION})] for bus in ("one", "two")}
        situation = situation_of(databases, {OPERATION})
        with pytest.raises(PolicyError, match=r"means 2 signals. Name one: one.M.A, two.M.A"):
            ask(situation, "M.A")
        assert signal_of(situation, "two.M.A").collected

    def test_every_known_name_is_answered(self, tmp_path: Path) -> None:
        situation = vehicle(tmp_path)
        for name in known_names(situation):
            assert ask(situation, name)


class TestTheCause:
    def test_is_the_signal_that_shares_bits(self) -> None:
        text = signal("Wide", 0, 16) + signal("Secret", 12, 8)
        situation = situation_of({BUS: [classed(text, {"Wide": OPERATION, "Secret": CABIN})]}, {OPERATION})
        answer = signal_of(situation, "M.Wide")
        assert [(one.reason, one.words) for one in answer.whys] == [
            ("overlap", "it shares bits 1.4-1.7 with M.Secret (cabin), which is withheld")
        ]
        assert [(one.signal, one.data_class) for one in answer.whys[0].causes] == [("M.Secret", CABIN)]
        assert [one.signal for one in answer.roots] == ["M.Secret"]

    def test_is_followed_to_its_root(self) -> None:
        """A cabin multiplexer withholds what it selects, and that the checksum over it."""
        text = signal("Page", 0, 4, "M ") + signal("Value", 8, 8, "m1 ") + signal("Crc", 24, 8)
        classes = {"Page": CABIN, "Value": OPERATION, "Crc": OPERATION}
        checksum = Integrity(("M", "Crc"), frozenset({("M", "Value")}))
        situation = situation_of({BUS: [classed(text, classes, checksum)]}, {OPERATION})
        answer = signal_of(situation, "M.Crc")
        assert answer.whys[0].reason == "integrity"
        assert [one.signal for one in answer.whys[0].causes] == ["M.Value"]
        assert [one.signal for one in answer.roots] == ["M.Page"]
        value = signal_of(situation, "M.Value")
        assert [one.words for one in value.whys] == ["its multiplexer M.Page (cabin) is withheld"]

    def test_is_none_that_is_never_there_together_with_it(self) -> None:
        text = signal("Page", 0, 4, "M ") + signal("Cell", 8, 8, "m1 ") + signal("Seat", 8, 8, "m2 ")
        text += signal("Belt", 12, 8)
        classes = {"Page": OPERATION, "Cell": OPERATION, "Seat": CABIN, "Belt": CABIN}
        answer = signal_of(situation_of({BUS: [classed(text, classes)]}, {OPERATION}), "M.Cell")
        assert [one.signal for one in answer.whys[0].causes] == ["M.Belt"]
        assert [one.signal for one in answer.roots] == ["M.Belt"]

    def test_may_be_bits_that_nobody_describes(self) -> None:
        text = signal("Value", 0, 8) + signal("Crc", 24, 8)
        situation = situation_of(
            {BUS: [classed(text, dict.fromkeys(("Value", "Crc"), OPERATION), Integrity(("M", "Crc"), None))]},
            {OPERATION},
        )
        answer = signal_of(situation, "M.Crc")
        words = "it is a checksum or counter over bits 1.0-2.7, which no signal describes"
        assert [one.words for one in answer.whys] == [words]
        assert not answer.by_consent

    def test_may_be_a_namesake_in_another_database(self) -> None:
        twins = [
            classed(signal("A", 0, 8), {"A": OPERATION}),
            classed(signal("A", 0, 8), {"A": CABIN}, identifier=257),
        ]
        answer = signal_of(situation_of({BUS: twins}, {OPERATION}), "M.A")
        assert {one.reason for one in answer.whys} == {"namesake", "class"}


class TestAnId:
    def test_is_drawn_bit_by_bit(self) -> None:
        text = signal("Page", 0, 4, "M ") + signal("One", 8, 8, "m1 ") + signal("Secret", 16, 8)
        classes = {"Page": OPERATION, "One": OPERATION, "Secret": CABIN}
        answer = payload(situation_of({BUS: [classed(text, classes)]}, {OPERATION}), "0x100")
        assert answer.keeps
        assert (
            "".join(bit.fate[0] for bit in answer.bits) == "kkkkrrrr" + "aaaaaaaa" + "rrrrrrrr" + "rrrrrrrr"
        )
        assert [bit.signals for bit in answer.bits[::8]] == [("M.Page",), ("M.One",), ("M.Secret",), ()]
        assert {one.name: one.when for one in answer.signals} == {
            "M.Page": "",
            "M.One": "Page is 1",
            "M.Secret": "",
        }

    def test_with_data_shows_what_leaves(self, tmp_path: Path) -> None:
        passage = payload(vehicle(tmp_path), "0x104#ffffffffffffffff").passage
        assert passage is not None
        assert int(passage.after, 16)
        assert passage.after != passage.before
        refused = payload(vehicle(tmp_path), "0x100#ffffffffffffffff").passage
        assert refused is not None
        assert (refused.after, refused.cause) == ("", "nothing allowed")

    def test_that_no_database_knows_is_said_to_be_dropped(self, tmp_path: Path) -> None:
        answer = payload(vehicle(tmp_path), "0x7FF")
        assert (answer.keeps, answer.messages, answer.bits) == (False, (), ())
        assert payload(vehicle(tmp_path), "0x123x").extended
        assert payload(vehicle(tmp_path), "0x00000123").extended

    def test_of_a_group_is_found_whatever_its_addresses(self) -> None:
        situation = situation_of({BUS: [J1939]}, {OPERATION})
        for name in ("pgn:65251", "pgn:0xFEE3", "bus:PGN:65251", "0x18FEE30Ax", "0x18FEE3FE", "Long"):
            answer = payload(situation, name)
            assert (answer.messages, answer.pgn, answer.keeps) == (("Long",), 0xFEE3, True), name
        assert payload(situation, f"0x{LONG:X}").length == 40

    def test_of_transport_is_judged_as_what_it_carries(self) -> None:
        answer = payload(situation_of({BUS: [J1939]}, {OPERATION}), "0x18EBFF01")
        assert (answer.transport, answer.keeps) == ("J1939", False)

    def test_is_found_by_its_messages_name(self, tmp_path: Path) -> None:
        assert payload(vehicle(tmp_path), "pt.Motion").arbitration_id == 0x100
        assert payload(vehicle(tmp_path), "Motion").messages == ("Motion",)


class TestADiagnosticMessage:
    @staticmethod
    def ask(name: str, *collect: DataClass) -> DiagnosticAnswer:
        found = only(situation_of({BUS: [diagnostics()]}, collect or {OPERATION}), name)
        assert isinstance(found, DiagnosticAnswer)
        return found

    def test_that_a_rule_means_is_collected_with_its_class(self) -> None:
        answer = self.ask(f"0x{BARE:X}:0x410C")
        assert answer.collected
        assert answer.policy is not None
        assert answer.policy.data_class is OPERATION
        assert "exactly 2 bytes follow" in answer.why
        assert not self.ask(f"0x{BARE:X}:410C", CABIN).collected

    def test_in_a_single_frame_is_judged_as_its_message(self) -> None:
        answer = self.ask(f"0x{DESCRIBED:X}:0x410C")
        assert answer.described == "Answers"
        assert [(one.name, one.collected) for one in answer.single] == [("Answers.Value", True)]
        assert answer.collected
        other = self.ask(f"0x{DESCRIBED:X}:0x410C", CABIN)
        assert [one.collected for one in other.single] == [False]
        assert not other.collected
        assert not self.ask(f"0x{BARE:X}:0x410C").described

    @pytest.mark.parametrize("identifier", [DESCRIBED, BARE])
    @pytest.mark.parametrize("service", [0x410C, 0x4902, 0x62F190, 0x7F0102])
    def test_is_collected_as_the_door_does(self, identifier: int, service: int) -> None:
        """With as many bytes behind as a rule asks for, or with one more or less."""
        head = service.to_bytes(3, "big").lstrip(b"\0")
        for data_class in (OPERATION, CABIN, DataClass.IDENTITY):
            answer = self.ask(f"0x{identifier:X}:{head.hex()}", data_class)
            values = 0
            for size in range(20):
                door = Door({BUS: [diagnostics()]}, {data_class})
                batch = FrameBatch.from_frames(isotp(head + b"\xff" * size, identifier))
                left = door.admit(batch)
                values += sum(int(left.data[:, 1 + len(head) :].any()) for _ in range(len(left)))
            assert bool(values) == answer.collected, (answer, data_class)

    @pytest.mark.parametrize(("lax", "strict"), [(None, None), (None, 4), (4, 4), (4, None), (3, 4)])
    def test_that_several_rules_mean_is_collected_as_the_door_does(
        self, lax: int | None, strict: int | None
    ) -> None:
        rules = (
            DiagnosticRule(OPERATION, 0x62, (), 0, None if lax is None else 2 + lax),
            DiagnosticRule(DataClass.IDENTITY, 0x62, ((0xF190, 0xF190),), 2, strict),
        )
        channels = (DiagnosticChannel(BARE, extended=False, message="", rules=rules),)
        database = replace(diagnostics(), channels=channels)
        for collect in ({OPERATION}, {OPERATION, DataClass.IDENTITY}):
            answer = only(situation_of({BUS: [database]}, collect), f"0x{BARE:X}:0x62F190")
            assert isinstance(answer, DiagnosticAnswer)
            frames = [frame for size in range(8) for frame in isotp(b"\x62\xf1\x90" + bytes(size), BARE)]
            left = Door({BUS: [database]}, collect).admit(FrameBatch.from_frames(frames))
            assert answer.collected == (len(left) > 0)
            assert answer.collected or "class identity, which is not collected" in answer.why

    def test_that_no_rule_means_never_passes(self) -> None:
        answer = self.ask(f"0x{DESCRIBED:X}:0x7F0102")
        assert (answer.collected, answer.rules, answer.policy) == (False, (), None)
        assert "no rule of the class file means it" in answer.why

    def test_that_is_a_request_names_its_answer(self) -> None:
        assert "its answer is 0x410C" in self.ask(f"0x{BARE:X}:0x010C").why

    def test_on_an_id_without_diagnostics_is_an_error_that_names_the_channels(self) -> None:
        with pytest.raises(PolicyError, match=f"0x{BARE:X}"):
            self.ask("0x123:0x410C")


class TestAnItem:
    @staticmethod
    def ask(situation: Situation, name: str) -> ItemAnswer:
        found = only(situation, name)
        assert isinstance(found, ItemAnswer)
        return found

    def test_in_records_names_its_signals(self, tmp_path: Path) -> None:
        answer = self.ask(vehicle(tmp_path), "alarm.flags")
        assert (answer.in_records, answer.whys) == (True, ())
        assert [(one.name, one.collected) for one in answer.signals] == [("pt.Alarms.Hot", True)]

    def test_whose_signal_is_withheld_says_which_and_why(self, tmp_path: Path) -> None:
        answer = self.ask(vehicle(tmp_path), "vehicle.speed")
        assert (answer.in_records, answer.by_consent) == (False, True)
        assert answer.whys == ("pt.Motion.Speed is withheld: its class, position, is not collected",)
        assert self.ask(vehicle(tmp_path, agreed()), "vehicle.speed").in_records

    def test_that_is_derived_goes_with_what_it_is_derived_from(self, tmp_path: Path) -> None:
        assert self.ask(vehicle(tmp_path), "alarm.max_level").in_records
        none = vehicle(
            tmp_path, classes='[cabin]\nsignals = ["Alarms.*"]\n[operation]\nsignals = ["Motion.*"]\n'
        )
        answer = self.ask(none, "alarm.max_level")
        assert answer.whys == ("it is derived from alarm.flags, which is in no record",)

    def test_that_nothing_fills_says_so(self, tmp_path: Path) -> None:
        answer = self.ask(vehicle(tmp_path), "motor[1].speed")
        assert answer.whys == ("no binding and no sensor fills it",)
        assert self.ask(vehicle(tmp_path), "motor[*].speed").item == "motor[i].speed"

    def test_of_a_sensor_is_as_exact_as_the_policy_has_it(self, tmp_path: Path) -> None:
        answer = self.ask(vehicle(tmp_path, agreed(), observed=("gnss.lon",)), "gnss.lon")
        assert (answer.in_records, answer.precision) == (True, "1000 m")
        without = self.ask(vehicle(tmp_path, observed=("gnss.lon",)), "gnss.lon")
        assert without.whys == (
            "no rule of the policy collects position for regulated",
            "it needs the consent of a person in the vehicle",
        )

    def test_is_explained_as_the_gateway_samples(self, tmp_path: Path) -> None:
        for consents in (None, agreed()):
            situation = vehicle(tmp_path, consents)
            held = situation.items()
            for item in ("vehicle.speed", "alarm.flags", "alarm.max_level"):
                assert self.ask(situation, item).in_records == (item in held)


class TestTheRest:
    def test_a_class(self, tmp_path: Path) -> None:
        answer = only(vehicle(tmp_path), "operation")
        assert isinstance(answer, ClassAnswer)
        assert answer.collected
        assert {(use.ground, use.clause) for use in answer.uses} == {("law", "a duty")}
        recording = next(use for use in answer.uses if use.purpose is Purpose.RECORDING)
        assert "journal.frames is false" in recording.remark

    @pytest.mark.parametrize("word", ["camera", "microphones"])
    def test_a_camera_or_microphone_is_none(self, tmp_path: Path, word: str) -> None:
        answer = only(vehicle(tmp_path), word)
        assert isinstance(answer, MediaAnswer)
        assert not answer.collected
        assert CABIN in {one.data_class for one in answer.policies}

    def test_a_camera_is_opened_only_for_what_is_agreed_to(self) -> None:
        tables: dict[str, Any] = {
            "journal": {"folder": "journal"},
            "event": [{"name": "stop", "all_of": ["pt.M.S"]}],
            "camera": [
                {
                    "name": "front",
                    "source": "v4l2:/dev/video0",
                    "class": "exterior",
                    "every_s": 10,
                    "events": ["stop"],
                },
                {"name": "inside", "source": "v4l2:/dev/video1", "class": "cabin", "requests": True},
            ],
        }
        uses = {Purpose.RECORDING: Basis.CONSENT, Purpose.EVENT: Basis.LAW}
        rules = {
            (DataClass.EXTERIOR, one): Rule(
                DataClass.EXTERIOR, one, basis, longest_days=30.0 * (basis is Basis.CONSENT)
            )
            for one, basis in uses.items()
        }
        situation = situation_of({BUS: []}, policy=Policy("made up", 1, "", rules), **tables)
        front, inside = ask(situation, "cameras")
        assert isinstance(front, MediaAnswer)
        assert isinstance(inside, MediaAnswer)
        assert (front.device, front.collected) == ("camera front", True)
        assert "for event; recording: it needs the consent of a person in the vehicle" in front.why
        assert (inside.collected, inside.why) == (
            False,
            "it is not opened; recording: no rule of the policy collects cabin for recording",
        )
        assert ask(situation, "front") == (front,)

    def test_a_destination(self, tmp_path: Path) -> None:
        answer = only(vehicle(tmp_path), "abroad")
        assert isinstance(answer, DestinationAnswer)
        assert not answer.allowed
        shares = {share.data_class: share.why for share in answer.shares}
        assert shares[OPERATION] == "operation for service may not go to DE"
        assert shares[POSITION] == "it needs the consent of a person in the vehicle"
        allowed = only(vehicle(tmp_path, agreed()), "fleet")
        assert isinstance(allowed, DestinationAnswer)
        assert (allowed.allowed, allowed.precision) == (True, "1000 m")

    def test_a_summary_counts_every_signal_once(self, tmp_path: Path) -> None:
        summary = summarise(vehicle(tmp_path))
        total = sum(len(message.signals) for message in made_up().messages)
        assert sum(line.signals for line in summary.classes) == len(summary.signals) == total
        for line in summary.classes:
            assert line.collected + sum(line.withheld.values()) == line.signals
        by_class = {line.data_class: line for line in summary.classes}
        assert by_class[POSITION].by_consent == by_class[POSITION].signals == 6
        assert (summary.items, summary.items_by_consent) == (2, 1)

    def test_sensors_are_known_without_opening_them(self, tmp_path: Path) -> None:
        folder = tmp_path / "iio"
        folder.mkdir()
        for axis in "xyz":
            (folder / f"in_accel_{axis}_raw").write_text("0")
        (folder / "in_accel_scale").write_text("1")
        sections = [
            {"kind": "nmea", "device": "/dev/null"},
            {"kind": "gpsd"},
            {"kind": "iio", "folder": str(folder)},
        ]
        for section in sections:
            config: Config = configured(BUS, sensor=[section])
            with ExitStack() as stack:
                opened = open_sensors(config, SystemClock(), stack)
                assert set(observed_items(config)) == {item for sensor in opened for item in sensor.items}

    def test_a_database_on_two_buses_is_one_of_each(self) -> None:
        database: ClassedDatabase = classed(signal("A", 0, 8), {"A": OPERATION})
        answers = ask(situation_of({"one": [database], "two": [database]}, {OPERATION}), "0x100")
        assert [one.bus for one in answers if isinstance(one, PayloadAnswer)] == ["one", "two"]
