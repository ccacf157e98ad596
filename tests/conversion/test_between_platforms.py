"""An enterprise platform between a vehicle and a platform of GB/T 32960.3 that checks what it takes."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, SystemClock, Timebase, TimeQuality
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.ciphers import UnitCipher
from edge.wire.gbt.security.keys import KeyKind, cipher_of, make_key, public_half, signer_of, verifier_of
from edge.wire.gbt.security.signatures import signed
from simulator.conversion.converter import Converter
from simulator.conversion.forward_rules import Acknowledge, ForwardRules, rules_of
from simulator.conversion.forwarding import ForwardSession
from simulator.conversion.forwarding_link import ForwardLink, PlatformAddress
from simulator.conversion.vin_book import VinBook
from simulator.conversion.waiting import Given, WaitingRecords
from simulator.gbt.accepted import Accepted
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.register import OPEN_REGISTER, PlatformEntry, VehicleEntry
from simulator.gbt.server import LOOPBACK, GbtServer
from simulator.gbt.settings import Answers, PlatformSettings, Signatures
from tests.conversion.scripted import ACCOUNT, VEHICLE, converter, record

COUNT = 150
PATIENCE_S = 30


def forward(
    platform: GbtPlatform,
    records: list[Given],
    made: Converter,
    rules: ForwardRules | None = None,
    cipher: UnitCipher | None = None,
) -> tuple[ForwardSession, WaitingRecords]:
    """Forward records to a platform on loopback until all have gone, or it fails."""
    clock = SystemClock()
    waiting = WaitingRecords(records, made)
    rules = replace(rules or rules_of(made.codec.edition), probe_s=0.05, patient=False)
    session = ForwardSession(ACCOUNT, rules, waiting, lambda _: 1, clock, cipher=cipher)

    async def both() -> None:
        async with GbtServer(platform) as server:
            address = PlatformAddress(LOOPBACK, server.bound_port, None)
            await asyncio.wait_for(
                ForwardLink(session, address, clock, threading.Event().is_set).run(), PATIENCE_S
            )

    asyncio.run(both())
    return session, waiting


def now(given: Given, ago_s: int = COUNT + 60) -> Given:
    """The record with a time that a platform believes: of just now."""
    began_ns = SystemClock().wall_ns() // NS_PER_S * NS_PER_S - ago_s * NS_PER_S
    return given._replace(record=replace(given.record, timebase=Timebase(began_ns, TimeQuality.NTP)))


def both_vehicles() -> list[Given]:
    vehicles = (VEHICLE, "LNVGATE00XDEM0002")
    return [
        now(Given(vehicles[number % 2], record(number), late=number % 5 == 0))
        for number in range(1, COUNT + 1)
    ]


def units(records: list[Given], edition: Edition) -> set[tuple[bytes, int, bytes]]:
    """What a terminal of each vehicle says."""
    codec = RecordCodec(edition)

    def said(one: Given) -> list[tuple[bytes, int, bytes]]:
        made, _ = codec.messages(replace(one.record, reissue=one.late), one.vehicle.encode())
        return [(message.vin, message.command, message.frame().unit) for message in made]

    return {each for one in records for each in said(one)}


def taken(accepted: list[Accepted]) -> set[tuple[bytes, int, bytes]]:
    return {(one.vin, one.command, one.unit) for one in accepted}


@pytest.mark.parametrize("edition", Edition)
@pytest.mark.parametrize(
    ("answers", "acknowledge"),
    [(Answers.ALL, Acknowledge.RESPONSE), (Answers.ERRORS, Acknowledge.HEARTBEAT)],
    ids=["all answered", "errors answered"],
)
def test_what_is_forwarded_is_taken_and_equals_what_the_vehicles_say(
    edition: Edition, answers: Answers, acknowledge: Acknowledge
) -> None:
    accepted: list[Accepted] = []
    platform = GbtPlatform(settings=PlatformSettings(answers=answers), sinks=(accepted.append,))
    records = both_vehicles()
    session, waiting = forward(platform, records, converter(edition), rules_of(edition, acknowledge))
    assert session.failure == ""
    assert (waiting.hop().left, waiting.hop().balanced) == (COUNT, True)
    assert taken(accepted) == units(records, edition)
    assert platform.hops()[0].balanced


def test_a_wrong_password_is_no_session() -> None:
    entry = PlatformEntry(ACCOUNT.user, "another")
    register = replace(OPEN_REGISTER, any_platform=False, platforms={entry.user: entry})
    settings = PlatformSettings(answers=Answers.ALL)
    accepted: list[Accepted] = []
    platform = GbtPlatform(register=register, settings=settings, sinks=(accepted.append,))
    rules = replace(rules_of(Edition.Y2016), answer_s=0.2)
    session, _ = forward(platform, both_vehicles(), converter(), rules)
    assert "login failed" in session.failure
    assert accepted == []


def test_a_vehicle_that_the_other_platform_does_not_know_costs_no_other_its_records() -> None:
    register = replace(
        OPEN_REGISTER, any_vehicle=False, vehicles={VEHICLE.encode(): VehicleEntry(VEHICLE.encode())}
    )
    settings = PlatformSettings(answers=Answers.ALL)
    accepted: list[Accepted] = []
    platform = GbtPlatform(register=register, settings=settings, sinks=(accepted.append,))
    rules = replace(rules_of(Edition.Y2025), resend_s=0.05)
    _, waiting = forward(platform, both_vehicles(), converter(Edition.Y2025), rules)
    assert {one.vin for one in accepted} == {VEHICLE.encode()}
    hop = waiting.hop()
    assert (hop.left, hop.set_aside) == (COUNT // 2, {"refused with vin unknown": COUNT // 2})


def test_reports_go_signed_and_encrypted_and_a_platform_with_the_keys_takes_them() -> None:
    aes, signing = make_key(KeyKind.AES), make_key(KeyKind.ECC)
    cipher = cipher_of(aes)
    verifier = verifier_of(public_half(signing))
    vehicle = VehicleEntry(VEHICLE.encode(), ciphers={cipher.code: cipher}, verifier=verifier)
    entry = PlatformEntry(ACCOUNT.user, ACCOUNT.password, ciphers={cipher.code: cipher})
    register = replace(
        OPEN_REGISTER, vehicles={VEHICLE.encode(): vehicle}, platforms={entry.user: entry}, any_platform=False
    )
    settings = PlatformSettings(answers=Answers.ALL, signatures=Signatures.ALL)
    accepted: list[Accepted] = []
    platform = GbtPlatform(register=register, settings=settings, sinks=(accepted.append,))
    signer = signer_of(signing)
    made = Converter(RecordCodec(Edition.Y2025), VinBook(), sign=lambda message: signed(message, signer))
    records = [now(Given(VEHICLE, record(number), late=False)) for number in range(1, 6)]
    session, waiting = forward(platform, records, made, cipher=cipher)
    assert session.failure == ""
    assert waiting.hop().left == 5
    plain = units(records, Edition.Y2025)
    assert {
        (one.vin, one.command, one.unit[: len(unit)]) for one in accepted for _, _, unit in plain
    } >= plain
    assert all(one.report.signature for one in accepted)
