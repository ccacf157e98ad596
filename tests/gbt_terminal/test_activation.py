"""Activation: a signed request, its result under both readings of the codes, kept over a restart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from edge.catalogue.item import Edition
from edge.clock import VirtualClock
from edge.errors import ConfigError
from edge.uplink.gbt.activation import Activation, ActivationResult, Identity, covered_bytes
from edge.uplink.gbt.durable_file import DurableFile
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Opaque, Values, read_message
from edge.wire.gbt.options import ActivationCodes, Options
from edge.wire.gbt.security.faults import SignatureError
from edge.wire.gbt.security.signatures import EcdsaSigner, EcdsaVerifier, read_signature
from tests.gbt_terminal.terminal import VIN, clock_at
from tests.gbt_terminal.torn_files import TornFiles

KEY = ec.generate_private_key(ec.SECP256R1())
IDENTITY = Identity("CHIP0001", VIN, b"\x04" + bytes(range(64)))
READINGS = {ActivationCodes.FROM_ZERO: 0, ActivationCodes.FROM_ONE: 1}


@dataclass
class Desk:
    """One activation over one file system, made anew by `replace`."""

    identity: Identity = IDENTITY
    codes: ActivationCodes = ActivationCodes.FROM_ZERO
    already_active_counts: bool = True
    files: TornFiles = field(default_factory=TornFiles)
    clock: VirtualClock = field(default_factory=clock_at)

    def __post_init__(self) -> None:
        self.activation = Activation(
            self.identity,
            EcdsaSigner(KEY),
            DurableFile(Path("/terminal/activation"), self.files),
            self.clock,
            Options(activation_codes=self.codes),
            already_active_counts=self.already_active_counts,
        )

    def result(self, status: int, info: int) -> ActivationResult:
        self.activation.request()
        content = Values("command 0A", (status, info))
        message = Message(Edition.Y2025, Command.ACTIVATION_RESULT, Response.COMMAND, VIN, content)
        taken = self.activation.take(read_message(message.write()))
        assert taken is not None
        return taken


def test_a_request_says_chip_key_and_vin_and_is_signed_over_all_of_them() -> None:
    message = read_message(Desk().activation.request().write())
    unit = message.frame().unit
    covered = bytes.fromhex("1a0301080000") + b"CHIP0001        " + b"\x00\x41" + IDENTITY.public_key + VIN
    assert unit.startswith(covered)
    assert covered_bytes(message) == covered
    signature = read_signature(unit[len(covered) :])
    verifier = EcdsaVerifier(KEY.public_key())
    verifier.check(covered, signature)
    with pytest.raises(SignatureError):
        verifier.check(covered.replace(b"CHIP0001", b"CHIP0002"), signature)


@pytest.mark.parametrize(("codes", "first"), READINGS.items())
def test_each_reading_of_the_result_tells_success_from_both_failures(
    codes: ActivationCodes, first: int
) -> None:
    activated = Desk(codes=codes).result(1, first)
    assert (activated.active, activated.why) == (True, "activated")
    assert not activated.notices[0].trouble
    again = Desk(codes=codes).result(2, first + 1)
    assert (again.active, again.why) == (True, "chip already active")
    strict = Desk(codes=codes, already_active_counts=False).result(2, first + 1)
    assert (strict.active, strict.again) == (False, False)
    duplicate = Desk(codes=codes).result(2, first + 2)
    assert (duplicate.active, duplicate.why, duplicate.again) == (False, "VIN duplicate", False)
    assert [event.kind for event in duplicate.events] == ["activation failed"]


def test_a_result_that_fits_the_other_reading_is_told_and_its_status_believed() -> None:
    told = Desk(codes=ActivationCodes.FROM_ONE).result(1, 0)
    assert told.active
    assert "activation_codes" in told.notices[0].text
    unknown = Desk().result(2, 3)
    assert (unknown.active, unknown.again) == (False, True)
    assert "03" in unknown.why
    assert not Desk().result(2, 0).active
    assert not Desk().result(7, 0).active


def test_it_is_kept_over_a_restart_and_ends_with_another_chip_vin_or_key() -> None:
    desk = Desk()
    desk.result(1, 0)
    assert replace(desk).activation.active
    for other in (
        Identity("CHIP0002", VIN, IDENTITY.public_key),
        Identity("CHIP0001", b"LNVGATE00XDEM0002", IDENTITY.public_key),
        Identity("CHIP0001", VIN, b"\x04" + bytes(64)),
    ):
        assert not replace(desk, identity=other).activation.active


def test_a_disk_that_refuses_does_not_keep_the_terminal_from_its_login() -> None:
    desk = Desk()
    desk.files.steps_left, desk.files.refuses = 0, True
    result = desk.result(1, 0)
    assert result.active
    assert desk.activation.active
    assert "cannot be kept" in result.notices[-1].text
    assert not replace(desk).activation.active


def test_a_damaged_file_is_told_and_the_terminal_activates_itself_again() -> None:
    desk = Desk()
    desk.result(1, 0)
    (path,) = desk.files.seen
    desk.files.seen[path] = b"garbage"
    again = replace(desk).activation
    assert not again.active
    assert again.said[0].trouble


@pytest.mark.parametrize(
    ("flag", "again"),
    [
        (Response.ERROR, True),
        (Response.SIGNATURE_ERROR, False),
        (Response.VIN_DUPLICATE, False),
        (0x55, True),
    ],
)
def test_a_response_with_an_error_ends_the_request(flag: int, again: bool) -> None:
    activation = Desk().activation
    request = activation.request()
    assert activation.take(request) is None
    assert activation.take(replace(request, response=Response.SUCCESS, content=Opaque(b"", "empty"))) is None
    result = activation.take(replace(request, response=flag, content=Opaque(b"", "empty")))
    assert result is not None
    assert (result.active, result.again) == (False, again)


def test_what_was_not_asked_for_or_is_for_another_vehicle_activates_nothing() -> None:
    activation = Desk().activation
    result = Message(Edition.Y2025, Command.ACTIVATION_RESULT, 0x01, VIN, Values("command 0A", (1, 0)))
    assert activation.take(result) is None
    activation.request()
    assert activation.take(replace(result, vin=b"LNVGATE00XDEM0002")) is None
    assert not activation.active
    assert activation.take(result) is not None


def test_an_identity_that_cannot_be_sent_is_refused() -> None:
    for chip in ("", "SEVENTEEN_LETTERS", "ä"):
        with pytest.raises(ConfigError):
            Identity(chip, VIN, b"key")
    with pytest.raises(ConfigError):
        Identity("CHIP", VIN, b"")
