"""PINs are kept as hashes for their owner alone, and guessing them gets slower, restart or not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge.clock import NS_PER_S, VirtualClock
from edge.errors import KeyFileError
from edge.page.attempts import Attempts
from edge.page.door_keeper import DoorKeeper
from edge.page.pins import Pins, Role
from tests.page.browser_like import Visitor
from tests.page.served import CHEAP, Served, make, serving


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "pins.json", os.urandom, CHEAP)


def test_a_pin_fits_its_role_alone(pins: Pins) -> None:
    pins.set(Role.DRIVER, "2580")
    pins.set(Role.OWNER, "739154")
    assert pins.fits(Role.DRIVER, "2580")
    assert not pins.fits(Role.DRIVER, "739154")
    assert not pins.fits(Role.INSPECTOR, "2580")
    assert not pins.fits(Role.INSPECTOR, "")
    assert not pins.fits(Role.DRIVER, "")
    pins.set(Role.DRIVER, "9517")
    assert not pins.fits(Role.DRIVER, "2580")
    assert pins.roles() == {Role.DRIVER, Role.OWNER}


def test_the_file_is_the_owners_alone_and_holds_no_pin(pins: Pins) -> None:
    pins.set(Role.OWNER, "739154")
    assert pins.path.stat().st_mode & 0o777 == 0o600
    assert "739154" not in pins.path.read_text("utf-8")
    assert [path.name for path in pins.path.parent.iterdir()] == ["pins.json"]


def test_equal_pins_have_different_hashes(pins: Pins) -> None:
    pins.set(Role.OWNER, "739154")
    pins.set(Role.INSPECTOR, "739154")
    held = json.loads(pins.path.read_text("utf-8"))["roles"]
    assert held["owner"]["hash"] != held["inspector"]["hash"]


@pytest.mark.parametrize(
    ("role", "pin"),
    [
        (Role.DRIVER, "258"),
        (Role.OWNER, "25801"),
        (Role.DRIVER, "1111"),
        (Role.DRIVER, "1234"),
        (Role.OWNER, "987654"),
        (Role.DRIVER, "2" * 129),
    ],
)
def test_a_pin_that_is_tried_first_is_not_taken(pins: Pins, role: Role, pin: str) -> None:
    with pytest.raises(KeyFileError):
        pins.set(role, pin)
    assert not pins.path.exists()


def test_a_file_that_others_may_change_is_not_believed(pins: Pins) -> None:
    pins.set(Role.OWNER, "739154")
    pins.path.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to others"):
        pins.fits(Role.OWNER, "739154")


def test_a_link_in_place_of_the_file_is_not_followed(pins: Pins, tmp_path: Path) -> None:
    pins.set(Role.OWNER, "739154")
    pins.path.rename(tmp_path / "elsewhere")
    pins.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="cannot be read"):
        pins.roles()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', '{"roles": {"owner": {"n": 1}}}'])
def test_a_file_that_makes_no_sense_lets_nobody_in(pins: Pins, content: str) -> None:
    pins.path.write_text(content, "utf-8")
    pins.path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is no file of PINs"):
        pins.fits(Role.OWNER, "739154")


def attempts(folder: Path, clock: VirtualClock, boot: str = "boot") -> Attempts:
    return Attempts(folder / "attempts.json", clock, boot)


def fail(tries: Attempts, role: Role, clock: VirtualClock) -> float:
    """Try once as soon as it is allowed, wrongly; tell how long the wait was."""
    wait_s = tries.wait_s(role)
    clock.advance_to(clock.boot_ns() + round(wait_s * NS_PER_S))
    assert tries.begin(role) == 0
    return wait_s


def test_guessing_gets_slower_up_to_a_bound(tmp_path: Path) -> None:
    clock = VirtualClock(NS_PER_S)
    tries = attempts(tmp_path, clock)
    waits = [fail(tries, Role.OWNER, clock) for _ in range(16)]
    assert waits[:6] == [0, 0, 0, 1, 2, 4]
    assert waits[-1] == 900
    assert tries.begin(Role.OWNER) == 900


def test_what_is_too_soon_is_not_counted(tmp_path: Path) -> None:
    clock = VirtualClock(NS_PER_S)
    tries = attempts(tmp_path, clock)
    for _ in range(4):
        fail(tries, Role.OWNER, clock)
    assert {tries.begin(Role.OWNER) for _ in range(20)} == {2}


def test_a_right_pin_clears_its_role_alone(tmp_path: Path) -> None:
    clock = VirtualClock(NS_PER_S)
    tries = attempts(tmp_path, clock)
    for _ in range(4):
        fail(tries, Role.OWNER, clock)
    assert tries.begin(Role.DRIVER) == 0
    tries.right(Role.DRIVER)
    assert tries.wait_s(Role.OWNER) == 2
    assert tries.wait_s(Role.DRIVER) == 0


def test_all_roles_together_are_slowed_and_forgiven_with_time(tmp_path: Path) -> None:
    clock = VirtualClock(NS_PER_S)
    tries = attempts(tmp_path, clock)
    for role in [Role.OWNER] * 4 + [Role.INSPECTOR] * 5 + [Role.DRIVER] * 2:
        fail(tries, role, clock)
    assert tries.wait_s(Role.DRIVER) == 2
    assert fail(tries, Role.DRIVER, clock) == 2
    assert tries.wait_s(Role.DRIVER) == 4
    clock.advance_to(clock.boot_ns() + 600 * NS_PER_S)
    assert [fail(tries, Role.INSPECTOR, clock), tries.wait_s(Role.DRIVER)] == [0, 0]


def test_guessers_keep_the_driver_waiting_for_two_minutes_at_most(tmp_path: Path) -> None:
    counts = {"everybody": {"failures": 1_000, "last_ns": 0}}
    (tmp_path / "attempts.json").write_text(json.dumps({"boot": "boot", "counts": counts}), "utf-8")
    assert attempts(tmp_path, VirtualClock(NS_PER_S)).wait_s(Role.DRIVER) == 119


@pytest.mark.parametrize("boot", ["boot", "another", ""])
def test_a_restart_forgives_nothing(tmp_path: Path, boot: str) -> None:
    clock = VirtualClock(1_000 * NS_PER_S)
    tries = attempts(tmp_path, clock)
    for _ in range(7):
        fail(tries, Role.OWNER, clock)
    again = attempts(tmp_path, clock if boot == "boot" else VirtualClock(), boot)
    assert again.wait_s(Role.OWNER) == tries.wait_s(Role.OWNER) == 16


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"counts": {"owner": {"failures": -5}}}', '{"counts": 3}']
)
def test_a_count_that_makes_no_sense_counts_as_used_up(tmp_path: Path, content: str) -> None:
    (tmp_path / "attempts.json").write_text(content, "utf-8")
    assert attempts(tmp_path, VirtualClock(NS_PER_S)).wait_s(Role.OWNER) == 1


def test_a_try_counts_before_it_is_known_to_be_wrong(tmp_path: Path, pins: Pins) -> None:
    clock = VirtualClock(NS_PER_S)
    pins.set(Role.OWNER, "739154")

    class Killed(Pins):
        def fits(self, role: Role, pin: str) -> bool:
            raise KeyboardInterrupt(role, pin)

    keeper = DoorKeeper(Killed(pins.path, os.urandom, CHEAP), attempts(tmp_path, clock))
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            keeper.check(Role.OWNER, "739154")
        clock.advance_to(clock.boot_ns() + NS_PER_S)
    assert attempts(tmp_path, clock).wait_s(Role.OWNER) == 1


def test_a_full_disk_does_not_keep_the_driver_out(tmp_path: Path, pins: Pins) -> None:
    pins.set(Role.DRIVER, "2580")
    keeper = DoorKeeper(
        pins, Attempts(tmp_path / "not there" / "attempts.json", VirtualClock(NS_PER_S), "boot")
    )
    assert not keeper.check(Role.DRIVER, "2581").right
    assert keeper.check(Role.DRIVER, "2580").right


def test_the_page_slows_guessing_down_and_says_how_long(served: Served) -> None:
    visitor = Visitor(served)
    statuses = [visitor.log_in(Role.OWNER, "000001").status for _ in range(12)]
    assert statuses[:2] == [403, 403]
    assert 429 in statuses
    answer = visitor.log_in(Role.OWNER)
    assert answer.status == 429
    assert visitor.post("/erase/position").place.startswith("/login/owner")


def test_another_browser_waits_as_well(tmp_path: Path) -> None:
    clock = VirtualClock(1_000 * NS_PER_S)
    with serving(make(tmp_path, clock=clock)) as served:
        for _ in range(4):
            Visitor(served).log_in(Role.OWNER, "000001")
        assert Visitor(served).log_in(Role.OWNER).status == 429
        clock.advance_to(clock.boot_ns() + 10 * NS_PER_S)
        assert Visitor(served).log_in(Role.OWNER).status == 303


def test_who_has_a_role_keeps_it_while_others_guess(tmp_path: Path) -> None:
    clock = VirtualClock(1_000 * NS_PER_S)
    with serving(make(tmp_path, clock=clock)) as served:
        driver = Visitor(served)
        driver.log_in(Role.DRIVER)
        for _ in range(5):
            Visitor(served).log_in(Role.DRIVER, "0000")
        assert driver.post("/withdraw/position/service").place == "/"


def test_without_a_pin_the_page_says_how_to_set_one(tmp_path: Path) -> None:
    with serving(make(tmp_path, pins={})) as served:
        visitor = Visitor(served)
        assert "nevgate page pin set" in visitor.get("/login/owner").text
        assert visitor.log_in(Role.OWNER, "").status == 403


def test_the_inspectors_key_may_come_as_a_file(served: Served) -> None:
    visitor = Visitor(served)
    visitor.get("/use/cabin/recording")
    parts = {"form_token": visitor.token, "pin": "", "next": "/inspection"}
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in parts.items()
    ]
    lines.append(
        '--b\r\nContent-Disposition: form-data; name="key"; filename="inspector.key"\r\n\r\n860213\n'
    )
    body = "\r\n".join([*lines, "--b--\r\n"])
    answer = visitor.send_body(
        "/login/inspector",
        body.encode(),
        {"Origin": served.url, "Content-Type": "multipart/form-data; boundary=b"},
    )
    assert (answer.status, answer.place) == (303, "/inspection")
