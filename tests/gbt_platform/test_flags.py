"""The table of flags: each check's fault, and what each edition answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.message import Values
from simulator.gbt.checks import Fault, LoginFaults, flag_of
from simulator.gbt.register import PlatformEntry, Register, VehicleEntry
from simulator.gbt.settings import PlatformSettings, Signatures
from tests.gbt.grammar import VIN
from tests.gbt_platform.rig import (
    OTHER,
    Rig,
    command,
    damaged,
    login,
    platform_login,
    report,
    report_message,
    unit_of,
)

Make = Callable[[Edition], bytes]

KNOWN = Register(
    vehicles={VIN: VehicleEntry(VIN)},
    platforms={"city": PlatformEntry("city", "secret", vehicles=frozenset({VIN}))},
)

# Fault, what provokes it, whether a vehicle has logged in before, the flags of 2016 (None: silence) and 2025.
TABLE: list[tuple[str, Fault, Make, bool, int | None, int]] = [
    ("login of an unknown VIN", Fault.VIN_UNKNOWN, lambda e: login(e, vin=OTHER), False, None, 4),
    ("login cut short", Fault.STRUCTURE, lambda e: damaged(login(e), b"\x1a\x03"), False, None, 6),
    ("login at no time", Fault.STRUCTURE, lambda e: damaged(login(e), bytes(30)), False, None, 6),
    (
        "login under an unknown key",
        Fault.DECRYPTION,
        lambda e: damaged(login(e), bytes(32), encryption=Encryption.AES),
        False,
        None,
        7,
    ),
    ("report before login", Fault.NOT_LOGGED_IN, report, False, 2, 2),
    ("report of another VIN", Fault.VIN_OTHER, lambda e: report(e, vin=OTHER), True, 2, 2),
    (
        "report cut short",
        Fault.STRUCTURE,
        lambda e: damaged(report(e), unit_of(report_message(e))[:-1]),
        True,
        2,
        6,
    ),
    (
        "report with an undescribed type",
        Fault.STRUCTURE,
        lambda e: damaged(report(e), unit_of(report_message(e)) + b"\x0a\x01"),
        True,
        2,
        6,
    ),
    ("report at no time", Fault.STRUCTURE, lambda e: damaged(report(e), bytes(6)), True, 2, 6),
    (
        "report under an unknown key",
        Fault.DECRYPTION,
        lambda e: damaged(report(e), bytes(64), encryption=Encryption.AES),
        True,
        2,
        7,
    ),
    (
        "heartbeat with content",
        Fault.STRUCTURE,
        lambda e: damaged(command(e, Command.HEARTBEAT), b"\1"),
        True,
        2,
        6,
    ),
    ("unknown command", Fault.COMMAND, lambda e: command(e, 0x0C), True, 2, 2),
    (
        "command of the platform's side",
        Fault.COMMAND,
        lambda e: command(e, Command.CONTROL, Values("control", (bytes(6), 3, b""))),
        True,
        2,
        2,
    ),
    ("wrong password", Fault.ACCESS, lambda e: platform_login(e, password=b"guess"), False, 2, 2),
    ("unknown user", Fault.ACCESS, lambda e: platform_login(e, user=b"who"), False, 2, 2),
    ("platform's login on a vehicle's connection", Fault.COMMAND, platform_login, True, 2, 2),
]


@pytest.mark.parametrize("edition", list(Edition))
@pytest.mark.parametrize(
    ("fault", "make", "logged_in", "flag_2016", "flag_2025"),
    [one[1:] for one in TABLE],
    ids=[one[0] for one in TABLE],
)
def test_each_fault_has_its_flag(
    edition: Edition, fault: Fault, make: Make, logged_in: bool, flag_2016: int | None, flag_2025: int
) -> None:
    rig = Rig(KNOWN)
    peer = rig.terminal(edition) if logged_in else rig.connect()
    expected = flag_2016 if edition is Edition.Y2016 else flag_2025
    assert peer.flags(make(edition)) == ([] if expected is None else [expected])
    assert peer.refused.fault is fault
    assert peer.refused.flag == expected
    assert rig.times() == []
    assert rig.platform.hops()[0].balanced


@pytest.mark.parametrize(("choice", "flags"), [(LoginFaults.SILENCE, []), (LoginFaults.ERROR, [2])])
def test_2016_answers_a_faulty_login_where_so_chosen(choice: LoginFaults, flags: list[int]) -> None:
    rig = Rig(KNOWN, PlatformSettings(login_faults=choice))
    assert rig.connect().flags(login(Edition.Y2016, vin=OTHER)) == flags


def test_an_unsigned_report_of_2025_where_all_are_to_be_signed() -> None:
    rig = Rig(KNOWN, PlatformSettings(signatures=Signatures.ALL))
    assert rig.terminal(Edition.Y2025).flags(report(Edition.Y2025)) == [Response.SIGNATURE_ERROR]
    assert rig.terminal(Edition.Y2016, number=2).flags(report(Edition.Y2016)) == []


def test_2016_answers_with_no_flag_that_it_does_not_have() -> None:
    flags = {flag_of(fault, Edition.Y2016) for fault in Fault}
    assert flags == {Response.ERROR, Response.VIN_DUPLICATE}


def test_a_platform_forwards_its_own_vehicles_only() -> None:
    register = Register({VIN: VehicleEntry(VIN), OTHER: VehicleEntry(OTHER)}, KNOWN.platforms)
    rig = Rig(register)
    peer = rig.connect()
    assert peer.flags(platform_login(Edition.Y2025)) == [Response.SUCCESS]
    assert peer.flags(report(Edition.Y2025, vin=OTHER)) == [Response.VIN_UNKNOWN]
    assert peer.flags(report(Edition.Y2025)) == []


def test_a_vehicle_speaks_the_edition_that_it_is_registered_for() -> None:
    rig = Rig(Register({VIN: VehicleEntry(VIN, edition=Edition.Y2025)}))
    assert rig.connect().flags(login(Edition.Y2016)) == []
    assert rig.connect().flags(login(Edition.Y2025)) == [Response.SUCCESS]
