"""A week of a vehicle: policies that come and are refused, consents that come and go, erasures, a crash."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self
from unittest.mock import patch

from edge.bus.memory import MemorySource
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.config.configuration import Config, load_config
from edge.consent.entries import Role
from edge.frames import Frame, FrameBatch
from edge.gateway import Gateway
from edge.journal.damage.integrity import Scrub
from edge.journal_road import JournalRoad
from edge.loading import load
from edge.policy.admission import Use
from edge.policy.classes import DataClass
from edge.policy.policy_signature import sign_policy
from edge.policy.rules import Purpose
from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey
from simulator.platform.assembly import open_platform
from simulator.platform.platform import Platform
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.gateway.rig import SteppedClock

VIN = "LNVTEST0000000001"
MONDAY_NS = 1_803_859_200 * NS_PER_S
"""2027-03-01, midnight UTC."""

HOUR_S, DAY_S = 3_600, 86_400
DRIVE_S = 18
MOTION, PLACE = 256, 257
TRACK: Use = (DataClass.POSITION, Purpose.RECORDING)
BELT: Use = (DataClass.CABIN, Purpose.RECORDING)
ISSUER, VEHICLE, PLATFORM = (SigningKey.seeded(name) for name in (b"issuer", b"vehicle", b"platform"))

POLICY = """
format = 1
name = "fleet north"
version = {version}
profile = "gbt44464"
contact = "privacy@fleet.example.cn"
[[rule]]
class = "position"
purposes = ["recording"]
basis = "consent"
retention_days = {days}
longest_days = 30
erase_within_s = 86400
clause = "GB/T 44464-2024, 5.2"
[[destination]]
name = "platform"
purpose = "regulated"
jurisdiction = "CN"
hosts = ["platform.example.cn"]
"""
CLASSES = (
    '[operation]\nsignals = ["Motion.Speed"]\n[position]\nsignals = ["Place.*"]\n'
    '[cabin]\nsignals = ["Motion.DriverBelt", "Motion.Passengers"]\n'
)
BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."gnss.datum"]
constant = "GCJ02"
[items."gnss.lon"]
signal = "Place.Longitude"
[items."gnss.lat"]
signal = "Place.Latitude"
"""


@dataclass(frozen=True)
class Drive:
    """One run of the gateway.

    Attributes:
        at_s: seconds since Monday, midnight.
        doing: what is done at which of its seconds.
        crash: whether it ends without a last account.
    """

    at_s: int
    doing: Mapping[int, Callable[[Gateway], object]] = field(default_factory=dict)
    crash: bool = False


def agree(use: Use, term_s: float, *, keep: bool) -> Callable[[Gateway], object]:
    """Show the notice, and have the driver agree."""

    def do(gateway: Gateway) -> None:
        desk = gateway.consenting.desk
        desk.ask(use, role=Role.DRIVER)
        desk.grant(use, term_s=term_s, role=Role.DRIVER, keep=keep)

    return do


def withdraw(use: Use) -> Callable[[Gateway], object]:
    return lambda gateway: gateway.consenting.desk.withdraw(use, role=Role.DRIVER)


def refuse(use: Use) -> Callable[[Gateway], object]:
    return lambda gateway: gateway.consenting.desk.refuse(use, role=Role.DRIVER)


def erase(data_class: DataClass) -> Callable[[Gateway], object]:
    return lambda gateway: gateway.cabin.erase(data_class, role=Role.OWNER, reason="the vehicle is sold")


class Week:
    """A vehicle's gateway with its journal and platform, over many runs.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0
        for name, key in (("vehicle", VEHICLE), ("platform", PLATFORM), ("issuer", ISSUER)):
            write_signing_key(folder / f"{name}.pem", key)
        (folder / "classes.toml").write_text(CLASSES)
        (folder / "binding.toml").write_text(BINDING)
        self.issue(1)
        self.config_path.write_text(
            f'[vehicle]\nvin = "{VIN}"\n'
            f'[[bus]]\nname = "pt"\n[[bus.database]]\nfile = "{Path(__file__).with_name("week.dbc")}"\n'
            'classes = "classes.toml"\nbinding = "binding.toml"\n'
            '[policy]\nfile = "policy.toml"\nkey = "issuer.pub.pem"\n'
            "[sampling]\nuplink_period_s = 5.0\n"
            '[uplink]\nhost = "platform.example.cn"\njurisdiction = "CN"\n'
            '[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n'
            '[journal]\nfolder = "journal"\nframes = true\ncheckpoint_period_s = 10\n'
        )

    @classmethod
    def of(cls, folder: Path, *, runs: int) -> Self:
        """A vehicle that was left by another week, after so many runs."""
        week = cls.__new__(cls)
        week.folder, week.runs = folder, runs
        return week

    @property
    def config_path(self) -> Path:
        return self.folder / "nevgate.toml"

    @property
    def config(self) -> Config:
        return load_config(self.config_path)

    def issue(self, version: int, *, days: int = 7, signed: bool = True) -> Path:
        """Put a version of the policy into the vehicle; a copy stays with its issuer."""
        content = POLICY.format(version=version, days=days).encode()
        (self.folder / "policy.toml").write_bytes(content)
        kept = self.folder / f"policy-{version}.toml"
        kept.write_bytes(content)
        if signed:
            (self.folder / "policy.toml.sig").write_bytes(sign_policy(content, ISSUER))
        assert public_path(self.folder / "issuer.pem").exists()
        return kept

    def drive(self, drive: Drive, platform: Platform) -> None:
        """One run of the gateway."""
        self.runs += 1
        seed = self.runs
        clock = SteppedClock()
        offset_ns = MONDAY_NS + drive.at_s * NS_PER_S - clock.boot_ns()
        clock.set_timebase(Timebase(offset_ns, TimeQuality.NTP))

        def receipts() -> None:
            for one in platform.commit(clock.boot_ns() + offset_ns):
                link.send_down(one.topic, one.payload)

        def deliver(topic: str, payload: bytes) -> None:
            platform.receive(topic, payload, clock.boot_ns() + offset_ns)
            receipts()

        link = VirtualLink(
            clock,
            random.Random(seed),  # noqa: S311 - a seed must replay the run
            deliver,
            faults=LinkFaults(delay_ms=(20, 60)),
        )
        gateway = Gateway(
            load(self.config),
            clock=clock,
            rng=random.Random(200 + seed),  # noqa: S311 - a seed must replay the run
            draw=random.Random(100 + seed).randbytes,  # noqa: S311 - a seed must replay the run
            link=link,
            notify=lambda _: None,
        )
        clock.uplinks = [gateway.uplink]

        def batches() -> Iterator[FrameBatch]:
            for second in range(DRIVE_S):
                t_ns = (second + 1) * NS_PER_S
                clock.pass_until(t_ns)
                if (do := drive.doing.get(second)) is not None:
                    do(gateway)
                frames = [one for tenth in range(0, 10, 2) for one in _frames(t_ns + tenth * 10**8, second)]
                clock.pass_until(frames[-1].t_ns)
                yield FrameBatch.from_frames(frames, buses=["pt"], timebase=clock.timebase())

        source = MemorySource(batches(), name="pt", buses=["pt"], timebase=clock.timebase(), live=True)
        gateway.run(source, stop=threading.Event())
        if drive.crash:
            road = gateway.road
            assert isinstance(road, JournalRoad)
            road.flush()
            road.close()
        else:
            assert gateway.finish(120)
            receipts()


def _frames(t_ns: int, second: int) -> tuple[Frame, Frame]:
    place = (116_391_000 + 400 * second).to_bytes(4, "little") + (39_907_000 + 300 * second).to_bytes(
        4, "little"
    )
    motion = (100 * (30 + second % 40)).to_bytes(2, "little") + bytes([second % 2, 2, 0, 0, 0, 0])
    return Frame(t_ns, MOTION, motion, "pt"), Frame(t_ns + 1, PLACE, place, "pt")


def day(number: int, hour: float) -> int:
    """Seconds since Monday, midnight."""
    return round(number * DAY_S + hour * HOUR_S)


def live_a_week(folder: Path) -> Week:
    """Seven days in which everything happens once."""
    week = Week(folder)
    with (
        # The journal's own reading of all blocks is bounded by time, which stands still while it reads.
        patch("edge.making.Scrub", partial(Scrub, period_s=float(DAY_S))),
        open_platform(keys={VIN: [VEHICLE.public]}, store=folder / "platform.db", key=PLATFORM) as platform,
    ):
        for one in (
            Drive(day(0, 7.5)),
            Drive(day(0, 18)),
            Drive(day(1, 7.5), {5: agree(TRACK, 7 * DAY_S, keep=True), 8: agree(BELT, HOUR_S, keep=False)}),
            Drive(day(1, 18)),
            Drive(day(2, 7.5), {12: withdraw(TRACK), 15: refuse((DataClass.POSITION, Purpose.SERVICE))}),
            Drive(day(3, 7.5), {4: agree(BELT, 10, keep=False)}),
        ):
            week.drive(one, platform)
        week.issue(2, days=5, signed=False)
        week.drive(Drive(day(4, 7.5)), platform)
        week.issue(2, days=5)
        for one in (
            Drive(day(4, 18), {3: agree(TRACK, 20 * DAY_S, keep=True)}),
            Drive(day(5, 12), {10: erase(DataClass.POSITION)}),
            Drive(day(6, 7.5), crash=True),
            Drive(day(6, 18)),
        ):
            week.drive(one, platform)
    return week
