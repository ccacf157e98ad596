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
from edge.loading import Loaded, tls_settings
from edge.policy.door import Door
from edge.records import Record
from edge.sensors.source import ItemSource
from edge.uplink.events import Notice
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings, Will
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import VehicleTopics
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.uplink.uplink import Uplink, UplinkState
from edge.vehicle.sampler import Sampler
from edge.wire import receipt, status
from edge.wire.cose import Role, Signer, Verifier

STREAM_BYTES = 16
_READ_S = 0.1
_FULL_SHARE = 2
_FULL_WAIT_S = 0.02


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
        self._uplink = _uplink(
            loaded, self.identity, self._outbox, clock, rng, notify, lambda: self.sampler.next_number - 1
        )
        self.dispatch = Dispatch(
            identity=self.identity,
            keys=loaded.catalogue,
            signer=Signer(loaded.key, vehicle=self.identity.vehicle),
            put=self._uplink.put,
            take_losses=self._uplink.take_losses,
            live_records=max(1, round(config.sampling.uplink_period_s / config.sampling.collect_period_s)),
        )
        self._captures: list[Capture] = []
        self._sensors: Sequence[ItemSource] = ()
        self._record: Record | None = None

    def start(self) -> None:
        """Begin to connect; frames may be taken before the platform is reached."""
        self._uplink.start()

    def run(
        self,
        source: FrameSource,
        *,
        sensors: Sequence[ItemSource] = (),
        stop: threading.Event,
        watch: Callable[[Gateway], None] | None = None,
    ) -> None:
        """Take frames until the source ends or `stop` is set.

        A live source is never waited for: records fall due by the clock. A recording waits while the outbox
        is half full, so that reading faster than the platform takes loses nothing.

        Args:
            source: frames in time order.
            sensors: item sources beside CAN; closed with the source.
            stop: ends the run.
            watch: called after each batch.

        Raises:
            SourceError: if the source cannot be read on.
        """
        self._sensors = sensors
        capture = Capture(source, self.door)
        self._captures.append(capture)
        with ExitStack() as stack:
            stack.enter_context(capture)
            for sensor in sensors:
                stack.callback(sensor.close)
            while not stop.is_set():
                batch = capture.read(_READ_S)
                if batch is None:
                    break
                self._observe(sensors)
                for record in self._core.take(batch):
                    self._add(record)
                if source.live:
                    settled_ns = self._clock.boot_ns() - self._horizon_ns
                    for record in self._core.settle(settled_ns, self._clock.timebase()):
                        self._add(record)
                else:
                    self._wait_for_room(stop)
                if self._room():
                    self.dispatch.report_losses()
                if watch is not None:
                    watch(self)

    def finish(self, drain_s: float) -> bool:
        """Hand on what waits, send it for up to `drain_s`, sign off; tell whether nothing is left."""
        self.dispatch.flush()
        end_ns = self._clock.boot_ns() + round(drain_s * NS_PER_S)
        never = threading.Event()
        while not self._room() and self._clock.boot_ns() < end_ns:
            self._clock.wait(never, _FULL_WAIT_S)
        self.dispatch.report_losses()
        return self._uplink.stop(max(0.0, (end_ns - self._clock.boot_ns()) / NS_PER_S))

    def account(self) -> Account:
        """The account so far, hop by hop along the road."""
        hops: list[Hop] = [hop for capture in self._captures for hop in capture.hops()]
        hops += [sensor.hop() for sensor in self._sensors]
        return Account.of([*hops, *self._core.hops(), self.dispatch.hop(), *self._uplink.hops()])

    def view(self) -> View:
        """What a person watching is shown."""
        return View(self.account(), self._record, self._uplink.state())

    def _observe(self, sensors: Sequence[ItemSource]) -> None:
        for sensor in sensors:
            for observation in sensor.read(0) or ():
                self._core.observe(observation)

    def _add(self, record: Record) -> None:
        self._record = record
        self.dispatch.add(record)

    def _room(self) -> bool:
        state = self._uplink.state()
        return (
            state.waiting_messages * _FULL_SHARE < self._queue_messages
            and state.waiting_bytes * _FULL_SHARE < self._queue_bytes
        )

    def _wait_for_room(self, stop: threading.Event) -> None:
        while not self._room() and not self._clock.wait(stop, _FULL_WAIT_S):
            pass


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
        link=MqttLink(link_settings),
        store=outbox,
        clock=clock,
        read_receipt=read_receipt,
        notify=notify,
    )
