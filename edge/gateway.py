"""The gateway: the one place where the rooms are put together, started and stopped."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version

from edge.account import Account, Hop
from edge.bus.source import FrameSource
from edge.capture import Capture
from edge.clock import NS_PER_S, Clock
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.dispatch import Dispatch, Identity
from edge.frames import FrameBatch
from edge.loading import Loaded, tls_settings
from edge.policy.door import Door
from edge.records import Record
from edge.sensors.source import ItemSource
from edge.uplink.events import Notice
from edge.uplink.link import Link
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings, Will
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, VehicleTopics
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.uplink.uplink import Uplink, UplinkState
from edge.vehicle.sampler import Sampler
from edge.wire import receipt, status
from edge.wire.cose import Role, Signer, Verifier

STREAM_BYTES = 16
_READ_S = 0.1
_FULL_SHARE = 2
_MESSAGE_SHARE = 4
_FULL_WAIT_S = 0.02
_DRAIN_WAIT_S = 0.005


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

    Attributes:
        identity: of the vehicle and its stream.
        door: what may pass.
        sampler: makes and numbers the records.
        dispatch: makes the messages.
        uplink: sends them.
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
    ) -> None:
        config = loaded.config
        self._clock = clock
        self._horizon_ns = round(config.sampling.reorder_horizon_s * NS_PER_S)
        self._queue_messages = config.uplink.queue_messages
        self._queue_bytes = config.uplink.queue_bytes
        self.identity = Identity(config.vehicle.topic_name, draw(STREAM_BYTES), boot or draw(STREAM_BYTES))
        self.door = Door(loaded.databases, frozenset(config.door.collect))
        self.sampler = Sampler(
            loaded.bindings,
            loaded.catalogue,
            withheld=self.door.withheld(),
            admits=self.door.admits,
            observed=observed,
        )
        plan = DecodePlan(loaded.plain_databases(), wanted=self.sampler.wanted, withheld=self.door.withheld())
        self._core = Core(
            LatestValues(plan, latched=self.sampler.latched),
            self.sampler,
            period_ns=round(config.sampling.collect_period_s * NS_PER_S),
        )
        self._outbox = MemoryOutbox(
            max_messages=config.uplink.queue_messages, max_bytes=config.uplink.queue_bytes
        )
        self.uplink = _uplink(
            loaded,
            self.identity,
            self._outbox,
            clock,
            rng,
            notify,
            lambda: self.sampler.next_number - 1,
            link,
        )
        self.dispatch = Dispatch(
            identity=self.identity,
            keys=loaded.catalogue,
            signer=Signer(loaded.key, vehicle=self.identity.vehicle),
            put=self.uplink.put,
            take_losses=self.uplink.take_losses,
            live_records=max(1, round(config.sampling.uplink_period_s / config.sampling.collect_period_s)),
            largest_payload=self._largest_payload,
        )
        self._capture: Capture | None = None
        self._sensors: Sequence[ItemSource] = ()
        self._record: Record | None = None

    def start(self) -> None:
        """Begin to connect; frames may be taken before the platform is reached."""
        self.uplink.start()

    def run(
        self,
        source: FrameSource,
        *,
        sensors: Sequence[ItemSource] = (),
        stop: threading.Event,
        watch: Callable[[Gateway], None] | None = None,
    ) -> None:
        """Take frames until the source ends or `stop` is set; once in a gateway's life.

        A live source is never waited for: records fall due by the clock, and what was received before the
        stop is still taken. A recording waits while the outbox is half full, so that reading faster than the
        platform takes loses nothing.

        Args:
            source: frames in time order.
            sensors: item sources beside CAN; closed with the source.
            stop: ends the run. A signal handler may set it: this thread only looks at it and never waits on
                it, for an event that is set by a handler while its own thread is about to wait on it hangs.
            watch: called after each batch.

        Raises:
            SourceError: if the source cannot be read on.
            UplinkError: if the uplink has failed, so that nothing would ever be sent.
            ValueError: if it has run before: numbers, times and accounts are those of one run.
        """
        if self._capture is not None:
            raise ValueError("a gateway runs once; make another one")
        self._sensors = sensors
        self._capture = capture = Capture(source, self.door)
        with ExitStack() as stack:
            stack.enter_context(capture)
            for sensor in sensors:
                stack.callback(sensor.close)
            while not stop.is_set():
                # What comes in after this time may still wait in the source when it has been read.
                expected_ns = self._clock.boot_ns() - self._horizon_ns
                batch = capture.read(_READ_S)
                if batch is None:
                    break
                self._take(batch, stop=None if source.live else stop)
                if source.live:
                    for record in self._core.settle(expected_ns, self._clock.timebase()):
                        self._add(record)
                self.dispatch.report_losses(self._room)
                self.uplink.check()
                if watch is not None:
                    watch(self)
            if source.live:
                capture.close()
                while (batch := capture.read(0)) is not None:
                    self._take(batch)

    def finish(self, drain_s: float, stop: threading.Event | None = None) -> bool:
        """Hand on what waits, send it for up to `drain_s`, sign off; tell whether nothing is left.

        Args:
            drain_s: how long the platform is waited for; 0 for not at all.
            stop: ends the waiting if it is set meanwhile; one that is set already changes nothing.
        """
        self.dispatch.flush()
        hurry = threading.Event() if stop is None or stop.is_set() else stop
        never = threading.Event()
        end_ns = self._clock.boot_ns() + round(drain_s * NS_PER_S)
        self.dispatch.report_losses(self._room)
        while self._unsent() and self._clock.boot_ns() < end_ns and not hurry.is_set():
            if self.uplink.failed:
                break
            self._clock.wait(never, _DRAIN_WAIT_S)
            self.dispatch.report_losses(self._room)
        left_s = 0.0 if hurry.is_set() else max(0.0, (end_ns - self._clock.boot_ns()) / NS_PER_S)
        self.uplink.stop(left_s)
        return not self._unsent()

    def account(self) -> Account:
        """The account so far, hop by hop along the road."""
        hops: list[Hop] = [*(self._capture.hops() if self._capture is not None else ())]
        hops += [sensor.hop() for sensor in self._sensors]
        return Account.of([*hops, *self._core.hops(), self.dispatch.hop(), *self.uplink.hops()])

    def view(self) -> View:
        """What a person watching is shown."""
        return View(self.account(), self._record, self.uplink.state())

    def _take(self, batch: FrameBatch, *, stop: threading.Event | None = None) -> None:
        """Make the records of a batch; with `stop`, wait for room after each until that is set."""
        for sensor in self._sensors:
            for observation in sensor.read(0) or ():
                self._core.observe(observation)
        for record in self._core.take(batch):
            self._add(record)
            if stop is not None:
                self._wait_for_room(stop)

    def _add(self, record: Record) -> None:
        self._record = record
        self.dispatch.add(record)

    def _room(self) -> bool:
        state = self.uplink.state()
        return (
            state.waiting_messages * _FULL_SHARE < self._queue_messages
            and state.waiting_bytes * _FULL_SHARE < self._queue_bytes
        )

    def _unsent(self) -> bool:
        return bool(self.uplink.state().waiting_messages or self.dispatch.gather_losses())

    def _largest_payload(self, kind: Kind) -> int:
        share = self._queue_bytes // _MESSAGE_SHARE
        broker = self.uplink.largest_payload(kind)
        return share if broker is None else min(broker, share)

    def _wait_for_room(self, stop: threading.Event) -> None:
        never = threading.Event()
        while not self._room() and not stop.is_set():
            self.uplink.check()
            self._clock.wait(never, _FULL_WAIT_S)


class _StatusMaker:
    """Makes signed statuses; one for each thread that needs them."""

    def __init__(
        self, loaded: Loaded, identity: Identity, clock: Clock, last_number: Callable[[], int]
    ) -> None:
        self._signer = Signer(loaded.key, vehicle=identity.vehicle, role=Role.STATUS)
        self._stream = identity.stream
        self._clock = clock
        self._last_number = last_number
        self._software = f"nevgate {version('nevgate')}"

    def make(self, online: bool) -> bytes:
        """The status as it is now, signed."""
        said = status.Status(online, self._stream, self._software, self._last_number(), self._clock.wall_ns())
        return self._signer.sign(status.encode(said))


def _uplink(
    loaded: Loaded,
    identity: Identity,
    outbox: MemoryOutbox,
    clock: Clock,
    rng: random.Random,
    notify: Callable[[Notice], None] | None,
    last_number: Callable[[], int],
    link: Link | None,
) -> Uplink:
    """Put session, link and outbox together."""
    section = loaded.config.uplink
    topics = VehicleTopics(identity.vehicle)
    last_will = _StatusMaker(loaded, identity, clock, last_number)
    own_status = _StatusMaker(loaded, identity, clock, last_number)

    link_settings = MqttSettings(
        host=section.host,
        port=section.port,
        client_id=f"nevgate-{identity.vehicle}",
        protocol=section.protocol,
        tls=tls_settings(loaded.config),
        username=section.username,
        password_file=section.password_file,
        will=Will(topics.status, lambda: last_will.make(False)),
        keep_alive_s=section.keep_alive_s,
    )
    settings = SessionSettings(
        where=link_settings.where,
        acknowledge=section.acknowledge,
        in_flight=section.in_flight,
    )
    verifier = Verifier({identity.vehicle: [loaded.platform_key] if loaded.platform_key else []})

    def read_receipt(payload: bytes) -> receipt.Receipt:
        return receipt.decode(verifier.verify(payload, vehicle=identity.vehicle, role=Role.DOWN).payload)

    return Uplink(
        session=Session(settings, topics, outbox, rng=rng, make_status=own_status.make),
        link=link or MqttLink(link_settings),
        store=outbox,
        clock=clock,
        read_receipt=read_receipt,
        notify=notify,
    )
