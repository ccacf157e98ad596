"""The gateway: the one place where the rooms are put together, started and stopped."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.account import Account, Hop
from edge.alarming import AlarmWatch
from edge.bus.condition import Conditions
from edge.bus.source import FrameSource
from edge.cabin import Cabin, Seen
from edge.capture import Capture, Captured, MaskedSource
from edge.clock import NS_PER_S, Clock
from edge.collecting import Collecting, Described
from edge.consenting import Consenting
from edge.control.requests import Requests
from edge.control.server import ControlServer
from edge.control.socket_path import socket_path
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.errors import ControlError
from edge.frames import FrameBatch
from edge.governing import Start, choose, guarded, open_desk, served_purposes, standings_of
from edge.journal_road import JournalRoad
from edge.loading import Loaded
from edge.making import make_road, open_kept
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.policy_choice import PolicyChoice
from edge.policy.rules import Purpose
from edge.policy.split import ClassPart
from edge.records import Record
from edge.seeing import Make, Seeing, camera_maker
from edge.sensors.source import ItemSource
from edge.timekeeping import TimeWatch
from edge.uplink.events import Notice
from edge.uplink.link import Link
from edge.uplink.uplink import UplinkState
from edge.vehicle.outcome import EventStarted
from edge.vision.media import Media
from edge.watching import event_watch, sampling_rules

BOOT_BYTES = 16
_ALARM_REPORT_S = 10.0
"""An alarm has the account told at once, but not more often than this."""
_FULL_WAIT_S = 0.02
_DRAIN_WAIT_S = 0.005
_NEVER = threading.Event()
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """What a person watching a running gateway is shown.

    Attributes:
        account: the hops so far.
        record: the newest record, or None.
        uplink: where the uplink stands.
    """

    account: Account
    record: Record | None
    uplink: UplinkState


class Gateway:
    """One vehicle's gateway, from a source of frames to the platform.

    Args:
        loaded: the configuration with its files.
        clock: time.
        rng: jitter.
        draw: draws random bytes, for the ids of stream and boot.
        boot: 16 bytes that name the boot; drawn without one.
        observed: ids of the items that sensors beside CAN provide.
        notify: told what happens to the uplink; without one it goes to the log.
        link: the connection to the broker; without one, MQTT as configured.
        choice: the policy in force; without one, chosen as configured.
        make_camera: makes the sources of cameras; without one, each is a process of its own.

    Attributes:
        identity: of the vehicle and its stream.
        choice: the policy in force, and why it is.
        collecting: what may be collected.
        consenting: follows the consents that are given and withdrawn.
        seeing: opens and closes the cameras.
        cabin: answers a person in the vehicle.
        guard: knows the places in which less is collected.
        sampler: makes the records.
        road: brings the records to the platforms.
        uplink: of the configuration's table [uplink].
        beside: gives further hops for the account.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        clock: Clock,
        rng: random.Random,
        draw: Callable[[int], bytes],
        boot: bytes | None = None,
        observed: Sequence[str] = (),
        notify: Callable[[Notice], None] | None = None,
        link: Link | None = None,
        choice: PolicyChoice | None = None,
        make_camera: Make | None = None,
    ) -> None:
        config = loaded.config
        tell = notify or _log
        self._clock = clock
        self._horizon_ns = round(config.sampling.reorder_horizon_s * NS_PER_S)
        boot = boot or draw(BOOT_BYTES)
        kept = open_kept(
            loaded,
            split=self._split,
            ground=self._ground,
            clock=clock,
            draw=draw,
            boot=boot,
            notify=notify,
        )
        described = Described(
            loaded.databases, loaded.bindings, loaded.catalogue, observed, served_purposes(config)
        )
        opened = None if kept is None else kept.opened
        self.choice, self.guard = choose(loaded, clock, opened) if choice is None else guarded(choice, loaded)
        if self.choice.complaint is not None:
            tell(Notice(f"the policy is refused: {self.choice.why}", trouble=True))
        self.collecting = Collecting(self.choice.policy, described)
        self.sampler = self.collecting.sampler()
        databases = loaded.plain_databases()
        never = self.collecting.widest.withheld()
        plan = DecodePlan(databases, wanted=self.sampler.wanted, withheld=never)
        self._core = Core(
            LatestValues(plan, latched=self.sampler.latched, followed=self.sampler.followed),
            self.sampler,
            period_ns=round(config.sampling.collect_period_s * NS_PER_S),
            rules=sampling_rules(config.sampling),
            events=event_watch(config, databases, self.collecting.withheld_at_times()),
            limits=self.collecting.limits,
        )
        standings = standings_of(config, self.collecting.in_force)
        self.road = make_road(
            loaded,
            kept,
            self.choice.policy,
            standings,
            clock=clock,
            rng=rng,
            draw=draw,
            boot=boot,
            notify=notify,
            link=link,
        )
        self.identity = self.road.identity
        self.uplink = self.road.uplinks[0]
        desk = open_desk(self.choice, clock, Start(boot, draw(BOOT_BYTES), opened))
        self.consenting = Consenting(
            desk,
            self.collecting,
            road=self.road if isinstance(self.road, JournalRoad) else None,
            keys=None if opened is None else opened.keys,
            standings=standings,
            clock=clock,
            choice=self.choice,
            wake=self._heed_admission,
        )
        self.seeing = Seeing(
            config.camera,
            config.vision,
            self.collecting.in_force,
            clock=clock,
            tell=tell,
            make=make_camera or camera_maker(config, clock, tell),
        )
        self.cabin = Cabin(self.consenting, standings=standings, see=self._see, clock=clock)
        self.cabin.take_picture = self.seeing.request
        self._control_path = socket_path(config.control, None if opened is None else config.journal_folder)
        self._control_mode = int(config.control.mode, 8)
        self._control: ControlServer | None = None
        self._tell = tell
        self._standings = tuple(standings)
        self._capture: MaskedSource | None = None
        self._record: Record | None = None
        self.beside: Callable[[], Sequence[Hop]] = tuple
        self._time = TimeWatch(self.identity.boot)
        self._alarms = AlarmWatch()
        self._report_ns = round(config.uplink.account_period_s * NS_PER_S)
        self._since_ns = self._reported_ns = clock.boot_ns()
        self._alarm_unreported = False

    @property
    def door(self) -> Door:
        """What may pass now."""
        return self.collecting.door

    def start(self) -> None:
        """Begin to connect; frames may be taken before the platform is reached."""
        self.road.start()
        self.listen()

    def listen(self) -> None:
        """Answer on the control socket, where one is configured, until the end."""
        if self._control_path is not None:
            requests = Requests(self.consenting.desk, self.cabin)

            def answer(request: Mapping[str, object]) -> Mapping[str, object]:
                try:
                    return requests.answer(request)
                finally:
                    self.wake()

            try:
                self._control = ControlServer(
                    self._control_path, answer, self._clock, mode=self._control_mode
                )
            except ControlError as error:
                self._tell(Notice(f"going on without a control socket: {error}", trouble=True))

    def run(
        self,
        source: FrameSource | MaskedSource,
        *,
        sensors: Sequence[ItemSource] = (),
        stop: threading.Event,
        watch: Callable[[Gateway], None] | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        """Take frames until the source ends or `stop` is set; once in a gateway's life.

        A live source is never waited for: records fall due by the clock, and what was received before the
        stop is still taken. A recording waits while the outbox is half full, so that reading faster than the
        platform takes loses nothing.

        Args:
            source: frames in time order; or a capture that has a door of its own.
            sensors: item sources beside CAN, of frames that have not been through a door; closed with them.
            stop: ends the run. A signal handler may set it: this thread only looks at it and never waits on
                it, for an event that is set by a handler while its own thread is about to wait on it hangs.
            watch: called after each batch.
            conditions: where a source without a door of its own puts down how its buses stand.

        Raises:
            SourceError: if the source cannot be read on.
            UplinkError: if the uplink has failed, so that nothing would ever be sent.
            ValueError: if it has run before: numbers, times and accounts are those of one run.
        """
        if self._capture is not None:
            raise ValueError("a gateway runs once; make another one")
        guard = self.guard if self.choice.policy.areas else None
        capture = (
            source
            if isinstance(source, MaskedSource)
            else Capture(source, self.door, sensors=sensors, guard=guard, conditions=conditions)
        )
        self._capture = capture
        self.consenting.follow(capture)
        with capture:
            while not stop.is_set():
                # What comes in after this time may still wait in the source when it has been read.
                expected_ns = self._clock.boot_ns() - self._horizon_ns
                captured = capture.read(min(capture.longest_wait_s, self.seeing.longest_wait_s))
                if captured is None:
                    break
                self._take(captured, stop=None if capture.live else stop)
                if capture.live:
                    for record in self._core.settle(expected_ns, self._clock.timebase()):
                        self._add(record)
                    self._hand_on_events()
                self._keep_time()
                self._look_at_buses(capture)
                self._follow_cameras()
                self.consenting.follow(capture)
                self.cabin.look()
                self.road.step()
                self.road.check()
                if watch is not None:
                    watch(self)
            if capture.live:
                capture.close()
                while (captured := capture.read(0)) is not None:
                    self._take(captured)

    def wake(self) -> None:
        """Have the thread that takes frames look soon at what it was told; any thread may call it."""
        if self._capture is not None:
            self._capture.wake()

    def finish(self, drain_s: float, stop: threading.Event | None = None) -> bool:
        """Hand on what waits, send it for up to `drain_s`, sign off; tell whether nothing is left.

        Args:
            drain_s: how long the platform is waited for; 0 for not at all.
            stop: ends the waiting if it is set meanwhile; one that is set already changes nothing.
        """
        self._core.end_events()
        self._hand_on_events()
        self._keep_pictures(self.seeing.close())
        self.road.flush()
        self.road.hurry()
        hurry = threading.Event() if stop is None or stop.is_set() else stop
        end_ns = self._clock.boot_ns() + round(drain_s * NS_PER_S)
        self._drain(end_ns, hurry)
        self._report()
        self._drain(end_ns, hurry)
        left_s = 0.0 if hurry.is_set() else max(0.0, (end_ns - self._clock.boot_ns()) / NS_PER_S)
        self.road.stop(left_s)
        finished = self.road.settled()
        if self._control is not None:
            self._control.close()
        self.consenting.desk.settle()
        self.road.close()
        return finished

    def _drain(self, end_ns: int, hurry: threading.Event) -> None:
        """Wait until everything is acknowledged, but no longer than told."""
        self.road.step()
        while not (self.road.settled() or self.road.failed or hurry.is_set()):
            if self._clock.boot_ns() >= end_ns:
                break
            self._clock.wait(_NEVER, _DRAIN_WAIT_S)
            self.road.step()

    def supply_lost(self) -> None:
        """The supply is going: commit, and send what matters most first."""
        self.road.supply_lost()
        self.road.hurry()

    @property
    def watched_until_ns(self) -> int | None:
        """Until when the rules ask for the vehicle to be watched, boot-monotonic; None where for no watch."""
        return self._core.watched_until_ns

    def account(self) -> Account:
        """The account so far, hop by hop along the road."""
        captured = () if self._capture is None else self._capture.hops()
        beside = *self._alarms.hops(), *self.beside(), *self.seeing.hops()
        return Account.of((*captured, *self._core.hops(), *self.road.hops(), *beside))

    def view(self) -> View:
        """What a person watching is shown."""
        return View(self.account(), self._record, self.uplink.state())

    def _see(self) -> Seen:
        """What a person in the vehicle is told; on the thread that hands data on."""
        collecting = self.collecting
        gate = collecting.door.gate_of(self._core.mask or collecting.door.mask)
        collected = collecting.collect(collecting.in_force.now)
        return Seen(
            mask=self._core.mask or collecting.door.mask,
            withheld=frozenset() if gate is None else collected - gate.collect,
            place=(None if self._capture is None else self._capture.place) or "",
            captured=() if self._capture is None else self._capture.hops(),
            records=collecting.records(),
            sent={
                name: uplink.hops() for name, uplink in zip(self._standings, self.road.uplinks, strict=True)
            },
            buses=() if self._capture is None else self._capture.buses,
            alarms=self._alarms.standing,
        )

    def _heed_admission(self) -> None:
        """Have cameras closed and connections judged anew before anything is erased, which takes time."""
        self._follow_cameras()
        for uplink in self.road.uplinks:
            uplink.wake()

    def _split(self, batch: FrameBatch) -> Mapping[DataClass, ClassPart]:
        return self.collecting.door.split(batch)

    def _ground(self, mask: str, data_class: DataClass, purposes: Iterable[Purpose]) -> str | None:
        return self.collecting.in_force.ground(mask, data_class, purposes)

    def _take(self, captured: Captured, *, stop: threading.Event | None = None) -> None:
        """Make the records of what came in; with `stop`, wait for room after each until that is set."""
        for observation in captured.observations:
            self._core.observe(observation)
        for batch in captured.batches:
            records = self._core.take(batch)
            self._hand_on_events()
            self.road.take_frames(batch)
            for record in records:
                self._add(record)
                if stop is not None:
                    self._wait_for_room(stop)
        self._hand_on_events()

    def _hand_on_events(self) -> None:
        for event in self._core.take_events():
            if isinstance(event, EventStarted):
                self.seeing.event(event)
            self.road.take_event(event)

    def _follow_cameras(self) -> None:
        place = None if self._capture is None else self._capture.place
        self._keep_pictures(self.seeing.follow(self.door.mask, place))

    def _keep_pictures(self, found: Iterable[tuple[Media, str]]) -> None:
        for media, mask in found:
            self.road.take_media(media, mask)

    def _add(self, record: Record) -> None:
        self._record = record = self.collecting.told(record)
        self.road.take_record(record)

    def _keep_time(self) -> None:
        """Look at the clock, and tell the account when that is due."""
        t_ns, timebase = self._clock.boot_ns(), self._clock.timebase()
        change = self._time.see(t_ns, timebase)
        if change is not None:
            self.road.take_change(change)
        if t_ns - self._reported_ns >= self._report_ns:
            self._report()

    def _look_at_buses(self, capture: MaskedSource) -> None:
        """Tell of alarms here, and have the platforms hear of them soon."""
        changed = False
        for notice in self._alarms.see(capture.buses, self._clock.boot_ns()):
            self._tell(notice)
            changed = True
        self._alarm_unreported |= changed
        if self._alarm_unreported and self._clock.boot_ns() - self._reported_ns >= _ALARM_REPORT_S * NS_PER_S:
            self._report()

    def _report(self) -> None:
        """Tell the platforms the account as it is now."""
        self._reported_ns = self._clock.boot_ns()
        self._alarm_unreported = False
        self.road.report(self.account(), self._clock.timebase(), self._reported_ns, self._since_ns)

    def _wait_for_room(self, stop: threading.Event) -> None:
        while not self.road.room() and not stop.is_set():
            self.road.check()
            self._clock.wait(_NEVER, _FULL_WAIT_S)
            self.road.step()


def _log(notice: Notice) -> None:
    logger.log(logging.WARNING if notice.trouble else logging.INFO, "%s", notice.text)
