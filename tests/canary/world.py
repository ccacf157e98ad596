"""The gateway through all drives, and everything around it: buses, receiver, clock, links and a person."""

from __future__ import annotations

import json
import logging
import random
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

from edge.account import Hop
from edge.bus.memory import MemorySource
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.config.configuration import MAIN_DESTINATION, load_config
from edge.control.client import ControlClient
from edge.control.requests import Requests
from edge.errors import NevgateError
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.journal.damage.integrity import Scrub
from edge.loading import load
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource
from edge.uplink.mqtt_settings import MqttSettings
from edge.wire.key_files import write_signing_key
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.canary.bus import BUS, STEPS_A_DEGREE, Fixed, second_of_frames, write
from tests.canary.policies import policy_text
from tests.canary.route import Route
from tests.canary.script import CLEAR, UNSET, Act, Drive
from tests.canary.tap import Admitted, Tap
from tests.gateway.rig import PLATFORM_KEY, VEHICLE_KEY, VIN, Platform, SteppedClock
from tests.policy.signed import signed_policy

EPOCH_NS = 1_790_035_200 * NS_PER_S
"""Second 0 of the run, Unix time."""

SERVICE = "fleet"
HOSTS = {MAIN_DESTINATION: "127.0.0.1", SERVICE: "127.0.0.2"}
SET_BACK_NS = 2 * 3600 * NS_PER_S
READY_NS = 700_000_000
"""After the begin of a second, its frames have been sent and are read."""

ASKED_EVERY_S = 20
OBSERVED = ("gnss.lon", "gnss.lat", "gnss.valid", "gnss.datum")
REFUSING = LinkFaults(refuse=1.0, delay_ms=(20, 60))
CALM = LinkFaults(delay_ms=(20, 60))
SLOW = LinkFaults(delay_ms=(60_000, 60_000))
SLOW_S = 8
"""So long before it goes away the link takes messages and loses them, so that signed ones wait."""

_EVENT = """
[[event]]
name = "alert"
pre_s = 5
post_s = 5
all_of = ["car.State.Alert > 0"]
"""


class KilledError(Exception):
    """The gateway is killed, in the middle of what it does."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a gateway handed to a link.

    Attributes:
        destination: its name.
        at_s: when, in seconds of the run.
        topic: as published.
        payload: as published.
    """

    destination: str
    at_s: float
    topic: str
    payload: bytes


@dataclass(slots=True)
class Told:
    """What was seen of the gateway from outside.

    Attributes:
        sent: all messages, in order of sending.
        words: account, answers of the control socket, notices and log lines, with where they come from.
        refusals: what a person was told who could not have what they wanted, by second.
        admitted: what left the door.
        boots: second of the run at which each boot's monotonic time is 0.
        frames: that the buses sent.
        vain: acts that were to be refused and were not, and those that were not to be and were.
    """

    sent: list[Sent] = field(default_factory=list)
    words: list[tuple[str, str]] = field(default_factory=list)
    refusals: dict[int, str] = field(default_factory=dict)
    admitted: Admitted = field(default_factory=Admitted)
    boots: dict[bytes, float] = field(default_factory=dict)
    frames: int = 0
    vain: list[str] = field(default_factory=list)


class WatchedLink(VirtualLink):
    """A link that keeps what is published on it, delivered or not."""

    def watch(self, note: Callable[[str, bytes], None]) -> None:
        """Have `note` told topic and payload of each message."""
        self._note = note

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """See `Link.publish`."""
        self._note(topic, payload)
        super().publish(token, topic, payload, retain=retain)


class Receiver(ItemSource):
    """A satellite receiver that plays a track."""

    def __init__(self) -> None:
        self._waiting: list[Observation] = []
        self._count = 0

    @property
    def name(self) -> str:
        """See `ItemSource.name`."""
        return "receiver"

    @property
    def items(self) -> tuple[str, ...]:
        """See `ItemSource.items`."""
        return OBSERVED

    def see(self, fix: Fixed, t_ns: int, *, gcj02: bool) -> None:
        """Receive a position."""
        values = (fix.lon / STEPS_A_DEGREE, fix.lat / STEPS_A_DEGREE, 1.0, 2.0 if gcj02 else 1.0)
        self._waiting += [
            Observation(name, t_ns, value) for name, value in zip(OBSERVED, values, strict=True)
        ]

    def read(self, timeout_s: float) -> tuple[Observation, ...]:
        """See `ItemSource.read`."""
        del timeout_s
        found, self._waiting = tuple(self._waiting), []
        self._count += len(found)
        return found

    def close(self) -> None:
        """See `ItemSource.close`."""

    def hop(self) -> Hop:
        """See `ItemSource.hop`."""
        return Hop(self.name, "observations", self._count, self._count, {})


class Ears(logging.Handler):
    """Keeps every line of the log."""

    def __init__(self, told: Told) -> None:
        super().__init__(logging.DEBUG)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self._told.words.append(("log", f"{record.name} {self.format(record)}"))


Prepare = Callable[[Gateway], None]


class World:
    """Drives through a script.

    Args:
        folder: an empty one.
        drives: the script.
        look: told the second and the folder of a journal whenever one is to be searched.
        broken: what is done to each gateway before its drive, to see that the search finds it.
        guarded: whether places are watched.
        route: filled with the positions of the drives.
    """

    def __init__(
        self,
        folder: Path,
        drives: Sequence[Drive],
        look: Callable[[int, Path], None],
        *,
        broken: Prepare | None = None,
        guarded: bool = True,
        route: Route | None = None,
    ) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.told = Told()
        self.route = route or Route()
        self._drives = drives
        self._look = look
        self._broken = broken
        self._guarded = guarded
        self._platforms = {name: Platform() for name in HOSTS}
        self._links: dict[str, WatchedLink] = {}
        self._etc = folder / "etc"
        self._etc.mkdir()
        write(self._etc)
        write_signing_key(self._etc / "vehicle.pem", VEHICLE_KEY)
        write_signing_key(self._etc / "platform.pem", PLATFORM_KEY)
        self._clock = SteppedClock()
        self._zero_s = 0.0

    def run(self) -> Told:
        """Live through the whole script."""
        ears, root = Ears(self.told), logging.getLogger()
        level = root.level
        root.addHandler(ears)
        root.setLevel(logging.DEBUG)
        try:
            with (
                patch("edge.destination.MqttLink", self._link_to),
                patch("edge.making.Scrub", partial(Scrub, period_s=86_400.0)),
            ):
                for drive in self._drives:
                    self._live(drive)
        finally:
            root.removeHandler(ears)
            root.setLevel(level)
        return self.told

    def configuration(self, drive: Drive) -> Path:
        """Write the configuration of a drive."""
        policy = signed_policy(self._etc, policy_text(drive.policy), name=f"policy{drive.policy}.toml")
        binding = "sensor" if drive.sensor else "bus-gcj02" if drive.gcj02 else "bus"
        path = self._etc / f"{binding}{drive.policy}.toml"
        path.write_text(
            f'[vehicle]\nvin = "{VIN}"\n[[bus]]\nname = "{BUS}"\n[[bus.database]]\nfile = "car.dbc"\n'
            f'classes = "car.classes.toml"\nbinding = "{binding}.binding.toml"\n{policy}'
            f"[sampling]\nuplink_period_s = 5\n{_EVENT if drive.policy == 1 else ''}"
            f'[uplink]\nhost = "{HOSTS[MAIN_DESTINATION]}"\n'
            'jurisdiction = "CN"\naccount_period_s = 60\ntls.enabled = false\n'
            f'[[destination]]\nname = "{SERVICE}"\npurpose = "service"\nhost = "{HOSTS[SERVICE]}"\n'
            'jurisdiction = "CN"\ntls.enabled = false\nplatform = "platform.pub.pem"\n'
            '[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n'
            f'[journal]\nfolder = "{self.journal}"\nframes = true\ncheckpoint_period_s = 60\n'
        )
        return path

    def _link_to(self, settings: MqttSettings) -> WatchedLink:
        (name,) = (name for name, host in HOSTS.items() if host == settings.host)
        platform = self._platforms[name]
        link = WatchedLink(self._clock, random.Random(name), platform.take, faults=CALM)  # noqa: S311 - a seed must replay the run
        link.watch(lambda topic, payload: self.told.sent.append(Sent(name, self._now_s(), topic, payload)))
        platform.answer = link.send_down
        self._links[name] = link
        return link

    def _now_s(self) -> float:
        return self._zero_s + self._clock.boot_ns() / NS_PER_S

    def _live(self, drive: Drive) -> None:
        """One start of the gateway, to its end."""
        if not drive.same_boot:
            self._clock = SteppedClock()
            self._zero_s = drive.begin_s - self._clock.boot_ns() / NS_PER_S
        clock = self._clock
        clock.uplinks = []
        clock.pass_until(self._boot_ns(drive.begin_s))
        self._set_clock(drive, drive.begin_s)
        boot_of = next(one.number for one in reversed(self._drives[: drive.number + 1]) if not one.same_boot)
        gateway = Gateway(
            load(load_config(self.configuration(drive))),
            clock=clock,
            rng=random.Random(drive.number),  # noqa: S311 - a seed must replay the run
            draw=random.Random(1000 + drive.number).randbytes,  # noqa: S311 - a seed must replay the run
            notify=lambda notice: self.told.words.append(("notice", notice.text)),
            boot=boot_of.to_bytes(16, "big"),
            observed=OBSERVED if drive.sensor else (),
        )
        if gateway.choice.complaint is not None:
            raise RuntimeError(f"the policy is refused: {gateway.choice.why}")
        self.told.boots[gateway.identity.boot] = self._zero_s
        clock.uplinks = list(gateway.road.uplinks)
        if self._broken is not None:
            self._broken(gateway)
        receiver = Receiver()
        source = MemorySource(
            self._batches(drive, gateway, receiver),
            name=BUS,
            buses=[BUS],
            timebase=clock.timebase(),
            live=True,
        )
        tap = Tap(
            source,
            gateway.door,
            sensors=[receiver] if drive.sensor else [],
            guard=gateway.guard if self._guarded else None,
            admitted=self.told.admitted,
            now_s=self._now_s,
        )
        if not drive.killed:
            gateway.listen()
        try:
            gateway.run(tap, stop=threading.Event())
        except KilledError:
            self._kill(gateway)
        else:
            gateway.finish(30 if drive.is_away(drive.end_s) else 120)
        self._hear(gateway, drive)
        self._look(drive.end_s, self.journal)

    def _kill(self, gateway: Gateway) -> None:
        """Leave on the disk what is there now, and nothing of what was still to be written."""
        snapshot = self.folder / "killed"
        self._copy(snapshot)
        gateway.road.close()
        shutil.rmtree(self.journal)
        snapshot.rename(self.journal)

    def _copy(self, to: Path) -> None:
        shutil.copytree(self.journal, to, ignore=shutil.ignore_patterns("*.sock", "*.lock", "*-shm"))

    def _batches(self, drive: Drive, gateway: Gateway, receiver: Receiver) -> Iterator[FrameBatch]:
        clock = self._clock
        acts = list(drive.acts)
        for second in range(drive.begin_s, drive.end_s):
            t_ns = self._boot_ns(second)
            clock.pass_until(t_ns)
            self._set_clock(drive, second)
            self._set_links(drive, second)
            while acts and acts[0].second <= second:
                self._do(acts.pop(0), gateway, drive)
            if second in drive.looked_s:
                self._look_amid(second)
            if second % ASKED_EVERY_S == 0:
                self._ask(gateway, drive)
            fix = None
            if not drive.is_blind(second):
                share = (second - drive.begin_s) / drive.span_s
                fix = self.route.at(second, drive.number, share, gcj02=drive.gcj02)
                if drive.sensor:
                    receiver.see(fix, t_ns, gcj02=drive.gcj02)
            frames = second_of_frames(
                second, t_ns, None if drive.sensor else fix, alert=second in drive.alerts
            )
            self.told.frames += len(frames)
            clock.pass_until(t_ns + READY_NS)
            yield FrameBatch.from_frames(frames, buses=[BUS], timebase=clock.timebase())
        if drive.killed:
            raise KilledError

    def _set_links(self, drive: Drive, second: int) -> None:
        for link in self._links.values():
            link.faults = SLOW if drive.is_away(second + SLOW_S) else CALM
            if drive.is_away(second):
                link.faults = REFUSING
                link.cut()

    def _boot_ns(self, second: int) -> int:
        return round((second - self._zero_s) * NS_PER_S)

    def _set_clock(self, drive: Drive, second: int) -> None:
        offset_ns = EPOCH_NS + round(self._zero_s * NS_PER_S)
        match drive.clock_at(second):
            case what if what == CLEAR:
                timebase = Timebase(offset_ns, TimeQuality.NTP)
            case what if what == UNSET:
                timebase = Timebase()
            case _:
                timebase = Timebase(offset_ns - SET_BACK_NS, TimeQuality.NTP)
        if timebase != self._clock.timebase():
            self._clock.set_timebase(timebase)

    def _do(self, act: Act, gateway: Gateway, drive: Drive) -> None:
        """What a person does, by the control socket where there is one."""
        request: dict[str, object] = {"do": act.do, "class": str(act.use[0]), "role": "driver"}
        if act.do != "erase":
            request["purpose"] = str(act.use[1])
        if act.do == "grant":
            request |= {"term_s": float(act.term_s), "keep": act.keep}
        try:
            answer = self._answer(request, gateway, drive)
        except NevgateError as error:
            self.told.refusals[act.second] = str(error)
            self.told.words.append(("answer", str(error)))
            if not act.vain:
                self.told.vain.append(f"{act} was refused: {error}")
        else:
            self.told.words.append(("answer", json.dumps(answer)))
            if act.vain:
                self.told.vain.append(f"{act} was not refused: {answer}")

    def _answer(self, request: dict[str, object], gateway: Gateway, drive: Drive) -> object:
        if drive.killed:
            return Requests(gateway.consenting.desk, gateway.cabin).answer(request)
        return ControlClient(self.journal / "control.sock").ask(request)

    def _ask(self, gateway: Gateway, drive: Drive) -> None:
        try:
            self.told.words.append(("state", json.dumps(self._answer({"do": "state"}, gateway, drive))))
        except NevgateError as error:
            self.told.words.append(("answer", str(error)))
        self._hear(gateway, drive)

    def _hear(self, gateway: Gateway, drive: Drive) -> None:
        self.told.words.append(("account", json.dumps(gateway.account().as_json())))
        self.told.words.append(("refused ids", repr(gateway.door.refused_ids())))
        for name, link in self._links.items():
            for topic, payload in link.retained.items():
                self.told.sent.append(Sent(name, float(drive.end_s), topic, payload))

    def _look_amid(self, second: int) -> None:
        """Search what is on the disk while the gateway runs, as one who takes it away now would."""
        snapshot = self.folder / "amid"
        self._copy(snapshot)
        self._look(second, snapshot)
        shutil.rmtree(snapshot)
