"""The road of records from the core to the platforms, and the one that goes through memory alone."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

from edge import up_messages
from edge.account import Account, Hop
from edge.clock import Timebase
from edge.destination import Destination, Sender, make_uplink
from edge.dispatch import CoseDispatch, Dispatch, Identity
from edge.frames import FrameBatch
from edge.gbt_destination.destination import GbtDestination, make_gbt_uplink
from edge.records import Record
from edge.timekeeping import TimeChange
from edge.uplink.link import Link
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.uplink.uplink import Uplink
from edge.vehicle.outcome import EventFrames, EventOutcome
from edge.vision.media import Media
from edge.wire.cose import Signer
from edge.wire.item_keys import ItemKeys

logger = logging.getLogger(__name__)

NO_JOURNAL = "no journal to keep them in"

_FULL_SHARE = 2
_MESSAGE_SHARE = 4


class Road(ABC):
    """Takes what the core made and brings it to the platforms.

    Attributes:
        identity: of the vehicle and its stream.
        uplinks: one for each platform, the configuration's `[uplink]` first.
    """

    identity: Identity
    uplinks: tuple[Uplink, ...]

    @property
    def durable(self) -> bool:
        """Whether what is left at the end is kept for the next start."""
        return False

    def start(self) -> None:
        """Begin to connect."""
        for uplink in self.uplinks:
            uplink.start()

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            UplinkError: if an uplink has failed, so that nothing would be sent any more.
        """
        for uplink in self.uplinks:
            uplink.check()

    def stop(self, drain_s: float) -> None:
        """Send what waits for up to `drain_s` and sign off."""
        for uplink in self.uplinks:
            uplink.ask_to_stop(drain_s)
        for uplink in self.uplinks:
            uplink.stop(drain_s)

    def hurry(self) -> None:
        """Have the uplinks learn soon what has arrived: the end is near."""
        for uplink in self.uplinks:
            uplink.hurry()

    @property
    def failed(self) -> bool:
        """Whether an uplink has failed."""
        return any(uplink.failed for uplink in self.uplinks)

    @abstractmethod
    def take_frames(self, batch: FrameBatch) -> None:
        """Keep masked frames, where frames are kept."""

    @abstractmethod
    def take_event(self, event: EventOutcome) -> None:
        """Keep what became of an event."""

    @abstractmethod
    def take_media(self, media: Media, mask: str = "") -> None:
        """Keep a still or clip and bring it to the platforms that may have it; never waits.

        Args:
            media: in which nobody can be recognised.
            mask: name of the door's mask when it was taken (`edge.policy.door.Door.mask`), which says what
                was admitted; under a policy, what has none is not kept.
        """

    @abstractmethod
    def take_change(self, change: TimeChange) -> None:
        """Keep that the wall clock was set, and tell the platforms what that corrects."""

    @abstractmethod
    def report(self, account: Account, timebase: Timebase, t_ns: int, since_ns: int) -> None:
        """Tell the platforms the account of the whole road.

        Args:
            account: as it is now.
            timebase: of now.
            t_ns: now, boot-monotonic.
            since_ns: since when it counts.
        """

    @abstractmethod
    def take_record(self, record: Record) -> None:
        """Take the next record of the core."""

    @abstractmethod
    def step(self) -> None:
        """Do what is due; called after each batch."""

    @abstractmethod
    def flush(self) -> None:
        """Hand on what waits for company: no more records come."""

    @abstractmethod
    def supply_lost(self) -> None:
        """The supply is going: save and send what matters most first."""

    @abstractmethod
    def room(self) -> bool:
        """Whether a recording may be read on."""

    @abstractmethod
    def settled(self) -> bool:
        """Whether everything was acknowledged and told."""

    @abstractmethod
    def hops(self) -> tuple[Hop, ...]:
        """The account from the records on."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, after `stop`."""


class VolatileRoad(Road):
    """Records become messages at once, which wait in memory to be acknowledged.

    Args:
        identity: of the vehicle and its stream.
        keys: the catalogue's wire keys.
        destination: the one platform.
        sender: this vehicle.
        live_records: how many records make a live message.
        link: the connection; without one, MQTT as configured.
    """

    def __init__(
        self,
        identity: Identity,
        keys: ItemKeys,
        destination: Destination | GbtDestination,
        sender: Sender,
        *,
        live_records: int,
        link: Link | None,
    ) -> None:
        section = destination.section
        self._media_lost = 0
        self.identity = identity
        self._queue_messages = section.queue_messages
        self._queue_bytes = section.queue_bytes
        self._outbox = MemoryOutbox(max_messages=section.queue_messages, max_bytes=section.queue_bytes)
        self._signer = Signer(sender.key, vehicle=identity.vehicle)
        self._told = isinstance(destination, Destination)
        self.dispatch: Dispatch
        uplink: Uplink
        if isinstance(destination, GbtDestination):
            dispatch = destination.dispatch(identity, self._put, self._outbox.take_losses)
            self.dispatch = dispatch
            self.uplinks = (
                make_gbt_uplink(destination, sender, self._outbox, report_every=dispatch.report_every),
            )
            return
        uplink = make_uplink(destination, sender, self._outbox, link=link)
        self.uplinks = (uplink,)
        self.dispatch = CoseDispatch(
            identity=identity,
            keys=keys,
            signer=self._signer,
            put=uplink.put,
            take_losses=uplink.take_losses,
            live_records=live_records,
            largest_payload=self._largest_payload,
            view=destination.view,
        )

    def _put(self, item: Outgoing) -> None:
        self.uplinks[0].put(item)

    def take_frames(self, batch: FrameBatch) -> None:
        """See `Road.take_frames`: they are not."""

    def take_event(self, event: EventOutcome) -> None:
        """See `Road.take_event`: it is only logged."""
        if not isinstance(event, EventFrames):
            logger.info("event %s: %s", event.event_id, event.cause)

    def take_media(self, media: Media, mask: str = "") -> None:
        """See `Road.take_media`: without a journal it is kept nowhere, and counted."""
        del mask
        if not self._media_lost:
            logger.warning("pictures of camera %s are not kept: there is no journal", media.camera)
        self._media_lost += 1

    def take_change(self, change: TimeChange) -> None:
        """See `Road.take_change`."""
        if change.correction is not None:
            self._tell(up_messages.correction(self.identity, change.correction))

    def report(self, account: Account, timebase: Timebase, t_ns: int, since_ns: int) -> None:
        """See `Road.report`."""
        self._tell(
            up_messages.account(
                self.identity,
                account,
                None,
                last_number=self.dispatch.last_number,
                timebase=timebase,
                t_ns=t_ns,
                since_ns=since_ns,
            )
        )

    def _tell(self, payload: bytes) -> None:
        if not self._told:
            return
        topic = VehicleTopics(self.identity.vehicle).up(Kind.EVENT)
        self.uplinks[0].put(Outgoing(Kind.EVENT, topic, self._signer.sign(payload)))

    def close(self) -> None:
        """See `Road.close`: nothing is held."""

    def take_record(self, record: Record) -> None:
        """See `Road.take_record`."""
        self.dispatch.add(record)

    def step(self) -> None:
        """See `Road.step`."""
        self.dispatch.report_losses(self.room)

    def flush(self) -> None:
        """See `Road.flush`."""
        self.dispatch.flush()

    def supply_lost(self) -> None:
        """See `Road.supply_lost`: there is nothing to save to."""
        self.dispatch.flush()

    def room(self) -> bool:
        """See `Road.room`: whether less than half of the outbox is full."""
        state = self.uplinks[0].state()
        return (
            state.waiting_messages * _FULL_SHARE < self._queue_messages
            and state.waiting_bytes * _FULL_SHARE < self._queue_bytes
        )

    def settled(self) -> bool:
        """See `Road.settled`."""
        return not (self.uplinks[0].state().waiting_messages or self.dispatch.gather_losses())

    def hops(self) -> tuple[Hop, ...]:
        """See `Road.hops`."""
        lost = self._media_lost
        media = (Hop("media", "media", lost, 0, {NO_JOURNAL: lost}),) if lost else ()
        return (self.dispatch.hop(), *media, *self.uplinks[0].hops())

    def _largest_payload(self, kind: Kind) -> int:
        share = self._queue_bytes // _MESSAGE_SHARE
        broker = self.uplinks[0].largest_payload(kind)
        return share if broker is None else min(broker, share)
