"""A gateway with its journal, a narrow link and a platform, through days under a virtual clock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.config.configuration import load_config
from edge.forward.forwarder import Forwarder
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.journal.damage.integrity import Scrub
from edge.journal_road import JournalRoad
from edge.loading import load
from edge.uplink.pacing import packet_bytes
from edge.wire.cose import unverified_payload
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from edge.wire.message import decode
from edge.wire.up_kinds import peek_kind
from simulator.platform.assembly import open_platform
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.gateway.rig import MADE_UP, VIN, SteppedClock
from tests.soak.days import DAY_S, WAIT_NS, Awake, Buses, Days

MIDNIGHT_NS = 1_790_035_200 * NS_PER_S
"""The first midnight of the run, Unix time."""

DELAY_MS = (20, 60)
REFUSING, CLEAR = LinkFaults(refuse=1.0, delay_ms=DELAY_MS), LinkFaults(delay_ms=DELAY_MS)
SUSPENDED_S = 5.0
LIVE_RECORDS = 5
"""Of a live message, at 1 Hz."""

_CLASSES = '[operation]\nsignals = ["Motion.*", "Battery.*", "Cells.*", "Temperatures.*", "Alarms.*"]\n'
_BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."hv.voltage"]
signal = "Battery.Voltage"
[items."hv.current"]
signal = "Battery.Current"
[items."hv.insulation"]
signal = "Battery.Resistance"
unit = "kohm"
range = [0, 60000]
[items."pack[1].cells"]
signals = "Cells.Cell_{n}"
[items."pack[1].probes"]
signals = ["Temperatures.Probe_01", "Temperatures.Probe_02", "Temperatures.Probe_04"]
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in a run.

    Attributes:
        days: of the vehicle.
        outage_s: from when to when the link refuses, in seconds since the first midnight.
        restarts_s: when the gateway is started anew, the machine with it, while it is awake.
        unset_s: after which of these the wall clock is unknown, and how long, in seconds; None for never.
        bits_per_s: of the link.
        reissue_days: older records are kept back.
        records_days: older records are removed, at least 7.
    """

    days: Days
    outage_s: tuple[int, int]
    restarts_s: tuple[int, ...] = ()
    unset_s: tuple[int, int] | None = None
    bits_per_s: float = 64_000
    reissue_days: float = 7.0
    records_days: float = 30.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of records at the platform.

    Attributes:
        kind: last part of its topic.
        first: number of its first record; 0 for a range entry alone.
        last: of its last record.
        newest_s: instant of the last record, seconds since the first midnight.
        at_s: when it arrived, likewise.
        size: bytes of its packet.
    """

    kind: str
    first: int
    last: int
    newest_s: float
    at_s: float
    size: int


@dataclass(slots=True)
class Seen:
    """What a run showed.

    Attributes:
        arrived: all messages of records, in order.
        made: records that were made, by all boots.
        waiting: at the end of each awake time: seconds since the first midnight, records that wait.
        drained_s: when nothing waited any more after the outage; None for never.
    """

    arrived: list[Arrived] = field(default_factory=list)
    made: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)
    drained_s: float | None = None


class World:
    """Everything around one gateway, and the gateway itself, over all its boots.

    Args:
        folder: an empty one.
        plan: what happens.
        look: called after each awake time with its end and this world; may measure.
    """

    def __init__(
        self, folder: Path, plan: Plan, look: Callable[[int, World], object] = lambda *_: None
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.seen = Seen()
        self.journal = folder / "journal"
        self.store = folder / "platform.db"
        self._look = look
        self._boots: dict[bytes, int] = {}
        self._buses = Buses(plan.days)
        self._stack = ExitStack()
        write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
        write_signing_key(folder / "platform.pem", SigningKey.seeded(b"platform"))
        self._loaded = load(load_config(self._configure()))

    @property
    def back_s(self) -> float:
        """When the first message arrived after the outage, in seconds since the first midnight."""
        end_s = self.plan.outage_s[1]
        return next((one.at_s for one in self.seen.arrived if one.at_s >= end_s), float(end_s))

    def run(self) -> Seen:
        """Live through the whole plan.

        The journal's own reading of all blocks is bounded by time, which stands still while it reads: once a
        day is enough here.
        """
        with self._stack, patch("edge.making.Scrub", partial(Scrub, period_s=float(DAY_S))):
            self._platform = self._stack.enter_context(
                open_platform(
                    keys={VIN: [SigningKey.seeded(b"vehicle").public]},
                    store=self.store,
                    key=SigningKey.seeded(b"platform"),
                )
            )
            boots = self._boot_times()
            for place, times in enumerate(boots):
                self._live(times, seed=place, final=place == len(boots) - 1)
        return self.seen

    def _boot_times(self) -> list[list[Awake]]:
        """The awake times of each boot; one in which the gateway is started anew is cut in two."""
        boots: list[list[Awake]] = [[]]
        restarts = list(self.plan.restarts_s)
        for awake in self.plan.days.awake():
            if restarts and awake.begin_s < restarts[0] < awake.end_s:
                cut_s = restarts.pop(0)
                boots[-1].append(Awake(awake.begin_s, cut_s, awake.driving))
                boots.append([Awake(cut_s + 30, awake.end_s, awake.driving)])
            else:
                boots[-1].append(awake)
        if restarts:
            raise ValueError(f"the gateway sleeps at {restarts} s, and cannot be started anew then")
        return boots

    def _live(self, times: Sequence[Awake], *, seed: int, final: bool) -> None:
        """One boot from its start to its end."""
        clock = SteppedClock()
        begin_s = times[0].begin_s
        offset_ns = MIDNIGHT_NS + begin_s * NS_PER_S - clock.boot_ns()
        unset = (
            self.plan.unset_s is not None and seed and self.plan.restarts_s[seed - 1] == self.plan.unset_s[0]
        )
        clock.set_timebase(Timebase() if unset else Timebase(offset_ns, TimeQuality.NTP))
        link = VirtualLink(
            clock,
            random.Random(seed),  # noqa: S311 - a seed must replay the run
            lambda topic, payload: self._deliver(topic, payload, clock.boot_ns() + offset_ns, link),
            faults=CLEAR,
            bits_per_s=self.plan.bits_per_s,
        )
        drawn = random.Random(100 + seed)  # noqa: S311 - a seed must replay the run
        gateway = Gateway(
            self._loaded,
            clock=clock,
            rng=random.Random(200 + seed),  # noqa: S311 - a seed must replay the run
            draw=drawn.randbytes,
            link=link,
            notify=lambda _: None,
        )
        self._boots[gateway.identity.boot] = offset_ns
        clock.uplinks = [gateway.uplink]

        def batches() -> Iterator[FrameBatch]:
            for awake in times:
                clock.advance_to(MIDNIGHT_NS + awake.begin_s * NS_PER_S - offset_ns)
                for second in range(awake.begin_s, awake.end_s):
                    t_ns = MIDNIGHT_NS + second * NS_PER_S - offset_ns
                    link.faults = REFUSING if self._out(second) else CLEAR
                    if self._out(second):
                        link.cut()
                    if unset and self.plan.unset_s is not None and second - begin_s >= self.plan.unset_s[1]:
                        clock.set_timebase(Timebase(offset_ns, TimeQuality.NTP))
                    clock.pass_until(t_ns + WAIT_NS)
                    self._receipts(clock.boot_ns() + offset_ns, link)
                    frames = self._buses.second(awake, second, t_ns)
                    batch = FrameBatch.from_frames(frames, buses=["pt"], timebase=clock.timebase())
                    yield batch
                    self._note(second, gateway)
                # The machine is suspended: the connection does not outlast that.
                clock.pass_until(clock.boot_ns() + round(SUSPENDED_S * NS_PER_S))
                link.cut()
                self.seen.waiting.append((awake.end_s, forwarder_of(gateway).waiting))
                self._look(awake.end_s, self)

        source = MemorySource(batches(), name="pt", buses=["pt"], timebase=clock.timebase(), live=True)
        gateway.run(source, stop=threading.Event())
        finished = gateway.finish(600 if final else 5)
        self.seen.made += next(hop.entered for hop in gateway.account().hops if hop.name == "records")
        if final and not finished:
            raise RuntimeError("not everything was acknowledged at the end")
        self._receipts(clock.boot_ns() + offset_ns, link)

    def _out(self, second: int) -> bool:
        begin_s, end_s = self.plan.outage_s
        return begin_s <= second < end_s

    def _note(self, second: int, gateway: Gateway) -> None:
        if self.seen.drained_s is None and second >= self.plan.outage_s[1]:
            forwarder = forwarder_of(gateway)
            if forwarder.waiting <= 2 * LIVE_RECORDS:
                self.seen.drained_s = second

    def _deliver(self, topic: str, payload: bytes, wall_ns: int, link: VirtualLink) -> None:
        self._platform.receive(topic, payload, wall_ns)
        body = unverified_payload(payload)
        if peek_kind(body).holds_records:
            message = decode(body, builtin())
            offset_ns = self._boots.get(message.boot, 0)
            newest_ns = max((one.t_ns for one in message.records), default=0) + offset_ns
            self.seen.arrived.append(
                Arrived(
                    topic.rsplit("/", 1)[1],
                    message.records[0].number if message.records else 0,
                    message.records[-1].number if message.records else 0,
                    (newest_ns - MIDNIGHT_NS) / NS_PER_S,
                    (wall_ns - MIDNIGHT_NS) / NS_PER_S,
                    packet_bytes(topic, len(payload), "5"),
                )
            )
        self._receipts(wall_ns, link)

    def _receipts(self, wall_ns: int, link: VirtualLink) -> None:
        for publication in self._platform.commit(wall_ns):
            link.send_down(publication.topic, publication.payload)

    def _configure(self) -> Path:
        folder = self.folder
        (folder / "classes.toml").write_text(_CLASSES)
        (folder / "binding.toml").write_text(_BINDING)
        path = folder / "nevgate.toml"
        path.write_text(
            f'[vehicle]\nvin = "{VIN}"\n'
            f'[[bus]]\nname = "pt"\n[[bus.database]]\nfile = "{MADE_UP}"\n'
            'classes = "classes.toml"\nbinding = "binding.toml"\n'
            "[sampling]\nuplink_period_s = 5.0\n"
            '[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n'
            '[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n'
            f'[journal]\nfolder = "{self.journal}"\nreissue_days = {self.plan.reissue_days}\n'
            f"[journal.bounds]\nrecords_days = {self.plan.records_days}\n"
        )
        return path


def forwarder_of(gateway: Gateway) -> Forwarder:
    """What sends to the platform."""
    road = gateway.road
    if not isinstance(road, JournalRoad):
        raise TypeError("the gateway has no journal")
    return road.forwarders[0]


def second_of(day: int, hour: float) -> int:
    """Seconds since the first midnight, days counted from 0."""
    return round(day * DAY_S + hour * 3600)
