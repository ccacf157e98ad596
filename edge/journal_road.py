"""`JournalRoad`: records go through the journal, and past it while it cannot be written."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import apsw

from edge import up_messages
from edge.account import Account, Hop
from edge.clock import Clock, Timebase
from edge.destination import Destination, Sender, make_uplink
from edge.dispatch import CoseDispatch, Dispatch, Identity
from edge.errors import JournalError
from edge.forward.composer import Composer
from edge.forward.cose_composer import CoseComposer
from edge.forward.erasing import Erasing
from edge.forward.forwarder import Forwarder
from edge.forward.media.purging import MediaPurge
from edge.forward.media.sending import MediaSending
from edge.forward.past_labels import PastLabels
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.frames import FrameBatch
from edge.gbt_destination.destination import GbtDestination, make_gbt_uplink
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.damage.doubt import note_doubt
from edge.journal.damage.integrity import Scrub
from edge.journal.damage.salvage import Salvage
from edge.journal.event_notes import EventNotes
from edge.journal.journal import Committed
from edge.journal.opening import OpenJournal
from edge.journal.time_notes import time_note
from edge.journal.upkeep.bounds import Bounds
from edge.journal.upkeep.condemned import Condemned
from edge.journal.upkeep.erase import overdue
from edge.journal.upkeep.erasure import Erasure, ErasureRequest
from edge.journal.writer import WriterThread
from edge.policy.classes import DataClass
from edge.records import Record
from edge.road import Road
from edge.timekeeping import TimeChange
from edge.uplink.events import Notice
from edge.uplink.link import Link
from edge.uplink.outgoing import Outgoing
from edge.uplink.uplink import Uplink
from edge.vehicle.outcome import EventFrames, EventOutcome
from edge.vision.media import Media
from edge.wire.cose import Signer
from edge.wire.item_keys import ItemKeys
from edge.wire.receipt import Receipt

STREAM_BYTES = 16

logger = logging.getLogger(__name__)


class JournalRoad(Road):
    """Records are committed, then sent; what is not acknowledged at the end is sent at the next start.

    While the journal cannot be written, records take a stream of their own that lives in memory, so that no
    number is ever given to two records; it names the journal's stream as its predecessor.

    Args:
        opened: the journal.
        vehicle: the VIN or pseudonym in topics.
        keys: the catalogue's wire keys.
        destinations: the platforms, the configuration's `[uplink]` first.
        rules: of each destination.
        make_sender: what is the same for all destinations, given what statuses are to say of the last number.
        folder: of the journal.
        bounds: keep the journal within what it may hold.
        scrub: looks for damage while the gateway runs.
        salvaged: what was found damaged when the journal was opened.
        clock: time.
        draw: draws random bytes.
        link: the connection to the first destination; without one, MQTT as configured.
        keep_media: whether stills and clips that have arrived stay until their time is over.
    """

    def __init__(
        self,
        opened: OpenJournal,
        *,
        vehicle: str,
        keys: ItemKeys,
        destinations: Sequence[Destination | GbtDestination],
        rules: Sequence[ForwardRules],
        make_sender: Callable[[bytes, Callable[[], int]], Sender],
        folder: Path,
        bounds: Bounds,
        scrub: Scrub,
        salvaged: Sequence[Salvage],
        clock: Clock,
        draw: Callable[[int], bytes],
        link: Link | None,
        keep_media: bool = True,
    ) -> None:
        self.identity = Identity(vehicle, opened.stream, opened.boot, opened.predecessor)
        self._opened = opened
        self._journal = opened.journal
        self._keys = keys
        self._clock = clock
        self._draw = draw
        self._writer: WriterThread | None = None
        self._recent = Recent()
        self._journal.on_commit.append(self._committed)
        self._journal.on_failure = self._handed_back
        self._journal.make_room = bounds.make_room
        condemned = Condemned(opened.keys, clock)
        self._journal.chores += [condemned.step, bounds.step, scrub.step]
        self._purge: MediaPurge | None = None
        self._folder = folder
        self._doubted = False
        self._outlived = False
        self._bounds = bounds
        self._scrub = scrub
        self._events = EventNotes(opened.boot, locked_before=opened.locked_events())
        self._back: deque[Record] = deque()
        self._past: tuple[Dispatch, ...] = ()
        self._past_number = 0
        self._past_labels = PastLabels(opened.boot)
        self._flushed = False
        self._destinations = destinations
        self._live_records = rules[0].live_records
        self._sender = make_sender(opened.stream, lambda: self._journal.committed_number)
        self._signer = Signer(self._sender.key, vehicle=vehicle)
        self.forwarders = tuple(map(self._forwarder, rules, destinations))
        self._names = tuple(one.destination for one in rules)
        self._erasing = Erasing(
            opened, tuple(zip(self._names, self.forwarders, strict=True)), self._recent, condemned
        )
        if not keep_media:
            pairs = zip(self._names, destinations, strict=True)
            takers = [name for name, one in pairs if isinstance(one, Destination)]
            self._purge = MediaPurge(takers, clock)
            self._journal.chores.append(self._purge.step)
        self._told = tuple(
            forwarder
            for forwarder, destination in zip(self.forwarders, destinations, strict=True)
            if isinstance(destination, Destination)
        )
        self._journal.on_checkpoint += [forwarder.keep_checkpoint for forwarder in self._told]
        self.uplinks = tuple(
            self._uplink(destination, forwarder, link if place == 0 else None)
            for place, (destination, forwarder) in enumerate(zip(destinations, self.forwarders, strict=True))
        )
        self._finish_erasures()
        for one in salvaged:
            if self._sender.notify is not None:
                self._sender.notify(Notice(str(one), trouble=True))

    @property
    def durable(self) -> bool:
        """See `Road.durable`."""
        return not self._journal.failure

    def start(self) -> None:
        """See `Road.start`; from now on the journal has a thread of its own."""
        self._writer = WriterThread(self._journal, self._clock)
        for forwarder in self.forwarders:
            forwarder.own_thread = True
        self._writer.start()
        super().start()

    def take_frames(self, batch: FrameBatch) -> None:
        """See `Road.take_frames`."""
        self._journal.add_frames(batch)

    def take_event(self, event: EventOutcome) -> None:
        """See `Road.take_event`."""
        if isinstance(event, EventFrames):
            self._journal.add_event_frames(event.batch, locked=self._events.locked(event.event_id))
        else:
            self._journal.add_note(self._events.note(event, self._clock.timebase()))

    def take_media(self, media: Media, mask: str = "") -> None:
        """See `Road.take_media`; while the journal cannot be written, it is counted as lost."""
        self._journal.add_media(media, mask)

    def take_change(self, change: TimeChange) -> None:
        """See `Road.take_change`; a step that corrects nothing is kept in the journal alone."""
        self._journal.add_note(time_note(change, self.identity.boot))
        if change.correction is not None:
            payload = self._signer.sign(up_messages.correction(self.identity, change.correction))
            for forwarder in self._told:
                forwarder.send(payload)

    def report(self, account: Account, timebase: Timebase, t_ns: int, since_ns: int) -> None:
        """See `Road.report`; the journal keeps the account as it goes to the first platform."""
        ledgers = [forwarder.ledger() for forwarder in self.forwarders]
        payloads = [
            up_messages.account(
                self.identity,
                account,
                ledger if _has_receipts(destination) else None,
                last_number=ledger.total,
                timebase=timebase,
                t_ns=t_ns,
                since_ns=since_ns,
            )
            for destination, ledger in zip(self._destinations, ledgers, strict=True)
        ]
        for forwarder, payload in zip(self.forwarders, payloads, strict=True):
            if forwarder in self._told:
                forwarder.send(self._signer.sign(payload))
        boot = self.identity.boot
        self._journal.add_note(Draft(BlockKind.ACCOUNT, "", payloads[0], boot, t_ns, t_ns, timebase, count=1))

    def take_record(self, record: Record) -> None:
        """See `Road.take_record`."""
        if self._journal.add_record(record) is None:
            self._drain_back()
            self._pass_by(record)
        else:
            self._drain_back()
            self._flush_past()

    def step(self) -> None:
        """See `Road.step`."""
        self._drain_back()
        if self._journal.corrupt:
            self._doubt(f"damage showed while it was in use: {self._journal.failure}")
        if self._writer is None:
            self._journal.pump()
        if self._flushed:
            self._flush_past()
        for dispatch, forwarder in zip(self._past, self.forwarders, strict=False):
            dispatch.report_losses(forwarder.room)
        self._renew()

    def erase(self, *requests: ErasureRequest) -> Erasure:
        """Erase while everything runs; when this returns, nothing on the medium opens to what was meant.

        To be called on the thread that hands records in. The policy should say by then that what rests on
        consents that have ended is not kept any more; if it does not, the journal does not keep it either.
        To be asked again for the same is harmless.

        Raises:
            JournalError: nothing can be written: consents that are named have ended all the same, and the
                rest is to be asked for again; or a key could not be destroyed, which is tried again without
                being asked for.
            apsw.Error: the journal cannot be read.
        """
        self._drain_back()
        self._flush_past()
        ended = self._opened.keys.ended
        for request in requests:
            self._erase_past(request.and_ended(ended))
        return self._erasing.erase(requests)

    def recompose(self, destination: str, data_class: DataClass) -> int:
        """Take back signed messages that wait and hold a class that their destination may no longer have.

        The composer has to know that by then. What went past the journal and waits is told as lost.

        Args:
            destination: its name, as the journal calls it.
            data_class: the class.

        Returns:
            How many messages were taken back; their records go again, without the class.

        Raises:
            JournalError: nothing can be written; to be asked for again.
            apsw.Error: the journal cannot be read.
        """
        self._drain_back()
        self._flush_past()
        forwarder = self.forwarders[self._names.index(destination)]
        forwarder.drop_past(lambda item: self._erasing.holds(item, data_class, destination))
        return self._erasing.recompose(destination, data_class)

    def flush(self) -> None:
        """See `Road.flush`."""
        self._journal.seal()
        if self._writer is None:
            self._journal.commit()
        self._drain_back()
        self._flushed = True
        self._flush_past()
        for forwarder in self.forwarders:
            forwarder.flush()

    def supply_lost(self) -> None:
        """See `Road.supply_lost`: all is committed, and sent or kept as configured."""
        self._journal.edit([], urgent=True)
        for forwarder in self.forwarders:
            forwarder.supply_lost()

    def room(self) -> bool:
        """See `Road.room`."""
        return self._journal.room() or bool(self._journal.failure)

    def settled(self) -> bool:
        """See `Road.settled`."""
        idle = self._journal.idle() and not self._back
        return idle and all(forwarder.empty() for forwarder in self.forwarders)

    def hops(self) -> tuple[Hop, ...]:
        """See `Road.hops`."""
        hops = [*self._journal.hops(), *self._bounds.hops(), self._scrub.hop()]
        hops += () if self._purge is None else self._purge.hops()
        hops += [dispatch.hop() for dispatch in self._past[:1]]
        for forwarder, uplink in zip(self.forwarders, self.uplinks, strict=True):
            media = forwarder.media_hop()
            hops += [forwarder.hop(), *([] if media is None else [media]), *uplink.hops()]
        return tuple(hops)

    def close(self) -> None:
        """See `Road.close`."""
        if self._writer is not None:
            self._writer.stop()
        for forwarder in self.forwarders:
            forwarder.close()
        self._opened.close()

    def _committed(self, committed: Committed) -> None:
        self._recent.add(committed.records, self._clock.boot_ns())

    def _handed_back(self, records: Sequence[Record], cause: str) -> None:
        del cause
        self._back.extend(records)

    def _drain_back(self) -> None:
        """Send on what the journal handed back, before anything newer."""
        while self._back:
            self._pass_by(self._back.popleft())

    def _erase_past(self, request: ErasureRequest) -> None:
        """Give up messages of records that went past the journal and hold what is meant."""
        numbers = self._past_labels.meant(request)

        def meant(item: Outgoing) -> bool:
            return next(numbers.between(item.first_number, item.last_number), None) is not None

        if numbers:
            for forwarder in self.forwarders:
                forwarder.drop_past(meant)

    def _renew(self) -> None:
        """Have no message outlast what may be kept of its records."""
        self._outlived = self._bounds.take_outlived() or self._outlived
        if not self._outlived or self._journal.failure:
            return
        try:
            self._erasing.renew(self._bounds.strict_classes)
        except (JournalError, apsw.Error):
            logger.exception("messages whose records are kept no longer cannot be taken back yet")
        else:
            self._outlived = False

    def _finish_erasures(self) -> None:
        """Erase what rests on consents that ended in an earlier run, before anything of it is sent."""
        try:
            requests = overdue(self._opened.keys)
            if requests:
                self._erasing.erase(requests)
                logger.warning("an erasure that was interrupted has been carried out")
        except (JournalError, apsw.Error):
            logger.exception("what rests on consents that have ended cannot be erased yet")

    def _flush_past(self) -> None:
        """Hand on what went past the journal: no more is coming to keep it company."""
        for dispatch in self._past:
            dispatch.flush()

    def _pass_by(self, record: Record) -> None:
        """Send a record without the journal, in a stream that ends with this process."""
        if not self._past:
            stream = self._draw(STREAM_BYTES)
            identity = Identity(self.identity.vehicle, stream, self.identity.boot, self._opened.stream)
            logger.warning("records go past the journal, as stream %s", stream.hex())
            self._past = tuple(
                self._dispatch(identity, destination, forwarder)
                for destination, forwarder in zip(self._destinations, self.forwarders, strict=True)
            )
        self._past_number += 1
        grounds = self._opened.grounds()
        record = grounds.admitted(replace(record, number=self._past_number))
        self._past_labels.add(record, grounds)
        for dispatch in self._past:
            dispatch.add(record)

    def _dispatch(
        self, identity: Identity, destination: Destination | GbtDestination, forwarder: Forwarder
    ) -> Dispatch:
        if isinstance(destination, GbtDestination):
            return destination.dispatch(identity, forwarder.put, forwarder.take_losses)
        return CoseDispatch(
            identity=identity,
            keys=self._keys,
            signer=self._signer,
            put=forwarder.put,
            take_losses=forwarder.take_losses,
            live_records=self._live_records,
            largest_payload=forwarder.largest_payload,
            view=destination.view,
        )

    def _composer(self, rules: ForwardRules, destination: Destination | GbtDestination) -> Composer:
        if isinstance(destination, GbtDestination):
            return destination.composer(self._opened.boot)
        signer = Signer(self._sender.key, vehicle=rules.vehicle)
        return CoseComposer(rules.vehicle, self._keys, signer, destination.view)

    def _forwarder(self, rules: ForwardRules, destination: Destination | GbtDestination) -> Forwarder:
        return Forwarder(
            self._opened,
            rules,
            self._composer(rules, destination),
            self._recent,
            clock=self._clock,
            boot=self.identity.boot,
            draw=self._draw,
            own_thread=False,
            media=self._media(rules, destination),
        )

    def _media(self, rules: ForwardRules, destination: Destination | GbtDestination) -> MediaSending | None:
        """What sends stills and clips; GB/T 32960.3 has no message for any."""
        if isinstance(destination, GbtDestination):
            return None
        signer = Signer(self._sender.key, vehicle=rules.vehicle)
        return MediaSending(self._opened, rules.destination, rules.vehicle, signer.sign, destination.media)

    def _uplink(
        self, destination: Destination | GbtDestination, forwarder: Forwarder, link: Link | None
    ) -> Uplink:
        uplink: Uplink
        if isinstance(destination, GbtDestination):
            uplink = make_gbt_uplink(
                destination, self._sender, forwarder, report_every=forwarder.report_every
            )
        else:
            uplink = make_uplink(destination, self._sender, forwarder, link=link, on_receipt=self._receipt)
        forwarder.largest_payload = uplink.largest_payload
        forwarder.wake = uplink.wake
        return uplink

    def _receipt(self, receipt: Receipt, signed: bytes) -> None:
        """Keep a countersignature; a receipt beyond the last number shows that the journal lost its end."""
        if receipt.stream != self._opened.stream:
            return
        if receipt.highest > self._journal.committed_number:
            self._doubt(
                f"a platform has record {receipt.highest} of its stream, and it ends with record "
                f"{self._journal.committed_number}"
            )
        elif receipt.hash is not None:
            self._journal.countersign(receipt.hash, signed)

    def _doubt(self, why: str) -> None:
        """Go on past a journal that is not whole, and have it put aside at the next start."""
        if self._doubted:
            return
        self._doubted = True
        self._journal.abandon(JournalError(why))
        try:
            note_doubt(self._folder, why)
        except OSError:
            logger.exception("that the journal is not whole could not be noted in %s", self._folder)
        if self._sender.notify is not None:
            self._sender.notify(
                Notice(
                    f"the journal is not whole ({why}): going on past it until the next start", trouble=True
                )
            )


def _has_receipts(destination: Destination | GbtDestination) -> bool:
    return isinstance(destination, Destination) and destination.section.acknowledge == "receipt"
