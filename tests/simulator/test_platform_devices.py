"""Devices that share a key with the platform: taken in, marked, answered, and kept to what is theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.catalogue.catalogue import builtin
from edge.cli.program import program
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.wire.cose import Role, Verifier
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import write_device_key
from edge.wire.mac0 import Authenticator, DeviceVerifier
from edge.wire.receipt import decode as decode_receipt
from edge.wire.status import Status
from edge.wire.status import encode as encode_status
from edge.wire.time_corrections import TimeCorrection, TimeCorrections
from edge.wire.time_corrections import encode as encode_corrections
from simulator.platform.judge import Judge
from simulator.platform.keyring import Keyring, load_keys
from simulator.platform.platform import Platform
from simulator.platform.view import vehicle_rows
from tests.simulator.platform_rig import (
    BOOT,
    NOW_NS,
    PLATFORM_KEY,
    STREAM,
    VEHICLE,
    VEHICLE_KEY,
    Rig,
    Vehicle,
    record,
)

KEY = DeviceKey(b"d" * 32)
OTHER = DeviceKey(b"o" * 32)
NODE_STREAM = b"n" * 16
NODE_BOOT = b"B" * 16


class Node(Vehicle):
    """A device of the vehicle: authenticates where the gateway signs."""

    def __init__(self, key: DeviceKey = KEY) -> None:
        super().__init__()
        self._code = Authenticator(key, vehicle=VEHICLE)

    def sign(self, content: bytes) -> bytes:
        return self._code.authenticate(content)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "platform.db")
    keys = Keyring({VEHICLE: [VEHICLE_KEY.public, KEY, OTHER]})
    made.platform = Platform(Judge(keys, builtin()), made.store, PLATFORM_KEY, on_alert=made.alerts.append)
    yield made
    made.store.close()


def listed(path: Path, what: str) -> list[dict[str, object]]:
    ran = CliRunner().invoke(program, ["platform", "query", str(path), what, "--json"])
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.output.splitlines()]


def test_records_of_a_device_are_marked_wherever_they_show(rig: Rig) -> None:
    node = Node()
    rig.send(node.message(record(1), record(2), stream=NODE_STREAM, boot=NODE_BOOT))
    rig.send(rig.vehicle.numbers(1, 3))
    rig.platform.commit(NOW_NS)
    assert rig.records == {"stored": 5}
    assert rig.platform.hops()[1].facts["authenticated, not provable to third parties"] == 2
    (row,) = vehicle_rows(rig.platform.watch)
    assert (row.records, row.authenticated) == (5, 2)
    proofs = {(line["stream"], line["proof"], line["provable"]) for line in listed(rig.path, "records")}
    assert proofs == {(NODE_STREAM.hex(), "authenticated", False), (STREAM.hex(), "signed", True)}
    streams = {(line["stream"], line["proof"]) for line in listed(rig.path, "streams")}
    assert streams == {(NODE_STREAM.hex(), "authenticated"), (STREAM.hex(), "signed")}
    (vehicle,) = listed(rig.path, "vehicles")
    assert (vehicle["records"], vehicle["authenticated"]) == (5, 2)
    table = CliRunner().invoke(program, ["platform", "query", str(rig.path), "records"]).output
    assert "authenticated" in table


def test_its_receipts_are_under_its_own_key(rig: Rig) -> None:
    rig.send(Node().message(record(1), stream=NODE_STREAM, boot=NODE_BOOT))
    rig.send(rig.vehicle.numbers(1, 3))
    answers = {
        publication.payload[0]: publication.payload
        for publication in rig.platform.commit(NOW_NS, all_receipts=True)
    }
    opened = DeviceVerifier({VEHICLE: [KEY]}).verify(answers[0xD1], vehicle=VEHICLE, role=Role.DOWN)
    receipt = decode_receipt(opened.payload)
    assert (receipt.stream, receipt.watermark) == (NODE_STREAM, 1)
    assert set(answers) == {0xD1, 0xD2}


@pytest.mark.parametrize("first", ["gateway", "device"])
def test_a_device_that_uses_the_gateways_stream_takes_nothing_from_it(rig: Rig, first: str) -> None:
    said = [
        rig.vehicle.numbers(1, 3),
        Node().message(record(2, speed=7), record(9), boot=BOOT),
        Node(OTHER).message(record(4), boot=NODE_BOOT),
    ]
    for payload in said if first == "gateway" else reversed(said):
        rig.send(payload)
    answers = [publication.payload for publication in rig.platform.commit(NOW_NS, all_receipts=True)]
    assert rig.messages == {"stored": 3}
    (signed,) = [payload for payload in answers if payload[0] == 0xD2]
    (code,) = [payload for payload in answers if KEY.key_id in payload]
    opened = Verifier({VEHICLE: [PLATFORM_KEY.public]}).verify(signed, vehicle=VEHICLE, role=Role.DOWN)
    receipt = decode_receipt(opened.payload)
    assert (receipt.stream, receipt.watermark, receipt.highest) == (STREAM, 3, 3)
    opened = DeviceVerifier({VEHICLE: [KEY]}).verify(code, vehicle=VEHICLE, role=Role.DOWN)
    assert decode_receipt(opened.payload).highest == 9
    shown = {(line["proof"], line["number"]) for line in listed(rig.path, "records")}
    assert shown == {("signed", 1), ("signed", 2), ("signed", 3)} | {
        ("authenticated", number) for number in (2, 4, 9)
    }
    found = [(line["finding"], str(line["detail"])[11:27]) for line in listed(rig.path, "findings")]
    assert set(found) == {("one stream's name under several keys", key.key_id.hex()) for key in (KEY, OTHER)}
    again = Rig(rig.path)
    assert list(again.store.stream(VEHICLE, STREAM, NOW_NS).sequence.received) == [(1, 3)]
    of_device = again.store.stream(VEHICLE, STREAM, NOW_NS, device_key=KEY.key_id)
    assert list(of_device.sequence.received) == [(2, 2), (9, 9)]
    again.store.close()


def test_a_device_that_is_first_neither_dates_nor_forks_the_gateway(rig: Rig) -> None:
    node = Node()
    before = b"p" * 16
    late = Timebase(NOW_NS + 3600 * NS_PER_S, TimeQuality.GNSS)
    rig.send(node.corrections(TimeCorrection(BOOT, 0, 100 * NS_PER_S, late)), f"nev/v1/{VEHICLE}/up/event")
    rig.send(node.message(record(1), stream=NODE_STREAM, boot=NODE_BOOT, predecessor=before))
    rig.send(rig.vehicle.message(record(1), stream=before))
    rig.send(rig.vehicle.message(record(1), record(2), predecessor=before))
    rig.platform.commit(NOW_NS)
    assert rig.messages == {"stored": 4}
    assert {line["corrected_quality"] for line in listed(rig.path, "records")} == {""}
    found = {(line["finding"], line["stream"]) for line in listed(rig.path, "findings")}
    assert found == {
        ("the stream before is not here", NODE_STREAM.hex()),
        ("one stream's name under several keys", STREAM.hex()),
    }


def test_a_device_says_nothing_of_the_gateways_chain_or_time(rig: Rig) -> None:
    node = Node()
    better = Timebase(NOW_NS + NS_PER_S, TimeQuality.GNSS)
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(node.checkpoint(1, 2, last_number=3), "nev/v1/LNEVGATE000000001/up/event")
    rig.send(node.account(3, None), "nev/v1/LNEVGATE000000001/up/event")
    rig.send(node.corrections(TimeCorrection(BOOT, 0, 10, better)), "nev/v1/LNEVGATE000000001/up/event")
    assert rig.messages == {"stored": 1, "not for a device to say": 3}


def test_a_device_corrects_the_time_of_its_own_boot(rig: Rig) -> None:
    node = Node()
    rig.send(node.message(record(1), stream=NODE_STREAM, boot=NODE_BOOT))
    better = Timebase(NOW_NS + NS_PER_S, TimeQuality.GNSS)
    correction = TimeCorrection(NODE_BOOT, 0, 10 * NS_PER_S, better)
    content = encode_corrections(TimeCorrections(VEHICLE, NODE_STREAM, (correction,)))
    rig.send(node.sign(content), f"nev/v1/{VEHICLE}/up/event")
    rig.platform.commit(NOW_NS)
    assert rig.messages == {"stored": 2}
    assert {line["corrected_quality"] for line in listed(rig.path, "records")} == {"gnss"}


def test_a_device_says_nothing_of_another_device_or_the_gateways_stream(rig: Rig) -> None:
    rig.send(rig.vehicle.numbers(1, 3))
    rig.send(Node().message(record(1), stream=NODE_STREAM, boot=NODE_BOOT))
    other = Node(OTHER)
    better = Timebase(NOW_NS + NS_PER_S, TimeQuality.GNSS)
    rig.send(other.corrections(TimeCorrection(NODE_BOOT, 0, 10, better)), f"nev/v1/{VEHICLE}/up/event")
    rig.send(other.message(record(1), stream=b"o" * 16, boot=b"O" * 16, predecessor=STREAM))
    assert rig.messages == {"stored": 2, "not for a device to say": 2}
    rig.send(other.message(record(1), stream=b"o" * 16, boot=b"O" * 16, predecessor=NODE_STREAM))
    assert rig.messages["stored"] == 3


def test_a_device_does_not_say_whether_a_gateway_is_online(rig: Rig) -> None:
    status = encode_status(Status(False, NODE_STREAM, "node", 1))
    payload = Authenticator(KEY, vehicle=VEHICLE, role=Role.STATUS).authenticate(status)
    topic = f"nev/v1/{VEHICLE}/status"
    rig.send(rig.vehicle.status(online=True), topic)
    rig.send(payload, topic)
    assert rig.messages == {"stored": 0, "status word": 1, "not for a device to say": 1}
    shown = rig.platform.watch[VEHICLE].status
    assert shown is not None
    assert shown.online
    Judge(Keyring({VEHICLE: [KEY]}), builtin()).judge_status(VEHICLE, payload)


def test_wrong_keys_and_codes_are_counted_by_their_cause(rig: Rig) -> None:
    message = Node().message(record(1), stream=NODE_STREAM, boot=NODE_BOOT)
    rig.send(message[:-1] + bytes([message[-1] ^ 1]))
    rig.send(Node(DeviceKey(b"x" * 32)).message(record(1), stream=NODE_STREAM, boot=NODE_BOOT))
    rig.send(b"\xd1nonsense")
    rig.send(b"\xd2" + message[1:])
    rig.send(message, f"nev/v1/{VEHICLE}/down/live")
    assert rig.messages == {
        "stored": 0,
        "signature does not fit": 2,
        "unknown key": 1,
        "malformed": 1,
        "unknown topic": 1,
    }


def test_a_folder_of_keys_holds_devices_too(tmp_path: Path) -> None:
    (tmp_path / "B").mkdir()
    write_device_key(tmp_path / "A.device.pem", KEY)
    write_device_key(tmp_path / "B" / "node.device.pem", OTHER)
    (tmp_path / "B" / "gateway.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
    assert load_keys(tmp_path) == {"A": [KEY], "B": [VEHICLE_KEY.public, OTHER]}


def test_a_device_key_is_made_and_shown_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "A.device.pem"
    made = CliRunner().invoke(program, ["keys", "make", str(path), "--device", "--json"])
    assert made.exit_code == 0, made.output
    shown = CliRunner().invoke(program, ["keys", "show", str(path), "--json"])
    (key,) = load_keys(path.parent)["A"]
    assert json.loads(made.output)["key_id"] == json.loads(shown.output)["key_id"] == key.key_id.hex()
    assert isinstance(key, DeviceKey)
    assert key.secret.hex() not in made.output + shown.output


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("A.pem", True),
        ("A.device", True),
        (".device.pem", True),
        ("A.devicepem", True),
        ("A.device.pem", False),
    ],
)
def test_a_key_that_the_platform_would_not_find_is_not_made(
    tmp_path: Path, name: str, *, device: bool
) -> None:
    made = CliRunner().invoke(
        program, ["keys", "make", str(tmp_path / "keys" / name), *(["--device"] if device else [])]
    )
    assert made.exit_code != 0
    assert "device's key" in str(made.exception or made.output)
    assert not (tmp_path / "keys").exists()
