"""Makes the road that a configuration asks for: through a journal, or through memory."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import apsw

from edge.clock import Clock
from edge.config.configuration import MAIN_DESTINATION
from edge.config.gbt import GbtSection
from edge.config.sampling import SamplingSection
from edge.destination import Destination, Sender, permit_of, refusal_notice
from edge.dispatch import Identity
from edge.errors import ConfigError, JournalError
from edge.forward.rules import ForwardRules, SupplyLoss
from edge.forward.view import RecordView
from edge.gbt_destination.destination import GbtDestination
from edge.journal.damage.doubt import clear_doubt, noted_doubt
from edge.journal.damage.integrity import Scrub
from edge.journal.damage.salvage import Salvage, open_or_salvage
from edge.journal.grounds import Ground
from edge.journal.keys.key_provider import (
    CredentialKeyProvider,
    FileKeyProvider,
    KeyProvider,
    credential_path,
)
from edge.journal.keys.tpm_key_provider import TpmKeyProvider
from edge.journal.opening import Inside, OpenJournal
from edge.journal.pending import Split
from edge.journal.section import JournalSection
from edge.journal.upkeep.bounds import RESERVE_FILE, Bounds, space_at
from edge.journal.upkeep.rule_limits import limits_of
from edge.journal_road import JournalRoad
from edge.loading import Loaded
from edge.policy.rules import Policy
from edge.policy.standing import Standing
from edge.road import Road, VolatileRoad
from edge.uplink.events import Notice
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.link import Link
from edge.watching import sampling_rules
from edge.wire.cose import Signer

logger = logging.getLogger(__name__)

STREAM_BYTES = 16
BOOT_BYTES = 16
_REISSUE_DAYS = {"2016": 3.0, "2025": 7.0}


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal that could be opened.

    Attributes:
        opened: the journal.
        salvaged: what was found damaged in it.
    """

    opened: OpenJournal
    salvaged: tuple[Salvage, ...]


def open_kept(
    loaded: Loaded,
    *,
    split: Split,
    ground: Ground,
    clock: Clock,
    draw: Callable[[int], bytes],
    boot: bytes,
    notify: Callable[[Notice], None] | None,
) -> Kept | None:
    """Open the journal that the configuration asks for, whatever its state.

    Args:
        loaded: the configuration with its files.
        split: divides masked frames by class.
        ground: what data of a mask, class and purpose rest on.
        clock: time.
        draw: draws random bytes.
        boot: 16 bytes that name the boot.
        notify: told if it cannot be opened.

    Returns:
        None where none is asked for, or none can be had: then the gateway goes on without.

    Raises:
        JournalError: the journal cannot be opened, nor another be made in its place.
    """
    section = loaded.config.journal
    if section is None:
        return None
    vehicle = loaded.config.vehicle.topic_name
    inside = Inside(
        boot=boot,
        split=split,
        class_of=lambda item_id: loaded.catalogue.item(item_id).data_class,
        items=loaded.catalogue,
        sign=Signer(loaded.key, vehicle=vehicle).sign,
        clock=clock,
        draw=draw,
        ground=ground,
    )
    try:
        opened, salvaged = _open(section, vehicle, inside)
        clear_doubt(section.folder)
    except (apsw.Error, OSError) as error:
        text = f"the journal cannot be opened ({error}): going on without one until the next start"
        logger.warning("%s", text)
        if notify is not None:
            notify(Notice(text, trouble=True))
        return None
    return Kept(opened, salvaged)


def make_road(
    loaded: Loaded,
    kept: Kept | None,
    policy: Policy,
    standings: Mapping[str, Standing],
    *,
    clock: Clock,
    rng: random.Random,
    draw: Callable[[int], bytes],
    boot: bytes,
    notify: Callable[[Notice], None] | None,
    link: Link | None,
) -> Road:
    """Make the road of `loaded` through the journal that is `kept`, or through memory.

    What the journal keeps is bounded by the retention of the policy's rules too.

    See `edge.gateway.Gateway` for the other arguments.
    """
    vehicle = loaded.config.vehicle.topic_name

    def sender(stream: bytes, last_number: Callable[[], int]) -> Sender:
        return Sender(vehicle, stream, loaded.key, clock, rng, last_number, notify)

    if kept is not None and loaded.config.journal is not None:
        return _through_journal(
            loaded,
            loaded.config.journal,
            kept,
            policy,
            standings,
            sender,
            clock=clock,
            draw=draw,
            link=link,
            notify=notify,
        )
    identity = Identity(vehicle, draw(STREAM_BYTES), boot)
    road = VolatileRoad(
        identity,
        loaded.catalogue,
        _destinations(loaded, standings, clock, notify)[0],
        sender(identity.stream, lambda: road.dispatch.last_number),
        live_records=_live_records(loaded),
        link=link,
    )
    return road


def _destinations(
    loaded: Loaded,
    standings: Mapping[str, Standing],
    clock: Clock,
    notify: Callable[[Notice], None] | None,
) -> list[Destination | GbtDestination]:
    """All destinations, that of ``[uplink]`` first; a person is told of each that may have nothing."""
    config = loaded.config
    sections = [config.uplink, *config.destination]
    keys = [loaded.platform_key, *loaded.destination_keys]
    found: list[Destination | GbtDestination] = []
    for section, key, files, (name, standing) in zip(
        sections, keys, loaded.gbt_files, standings.items(), strict=True
    ):
        notice = refusal_notice(standing)
        if notice is not None:
            logger.warning("%s", notice.text)
            if notify is not None:
                notify(notice)
        view = RecordView(loaded.catalogue, standing.verdict_of)
        if not isinstance(section, GbtSection):
            found.append(Destination(section, key, permit_of(standing), view, standing.media_refused))
        elif files is not None and config.journal is not None:
            found.append(
                GbtDestination(
                    name,
                    section,
                    files,
                    config.vehicle,
                    sampling_rules(config.sampling),
                    loaded.catalogue,
                    config.journal.folder,
                    PlatformClock(clock),
                    permit_of(standing),
                    view,
                )
            )
    return found


def _live_records(loaded: Loaded) -> int:
    sampling = loaded.config.sampling
    return max(1, round(sampling.uplink_period_s / sampling.collect_period_s))


def _through_journal(
    loaded: Loaded,
    section: JournalSection,
    kept: Kept,
    policy: Policy,
    standings: Mapping[str, Standing],
    make_sender: Callable[[bytes, Callable[[], int]], Sender],
    *,
    clock: Clock,
    draw: Callable[[int], bytes],
    link: Link | None,
    notify: Callable[[Notice], None] | None,
) -> JournalRoad:
    """Make the road that goes through a journal."""
    config, opened = loaded.config, kept.opened
    vehicle = config.vehicle.topic_name
    sampling = config.sampling
    names = [MAIN_DESTINATION, *(one.name for one in config.destination)]
    settings = section.bounds.settings()
    bounds = Bounds(
        replace(settings, limits=(*settings.limits, *limits_of(policy.rules.values()))),
        destinations=names,
        clock=clock,
        boot=opened.boot,
        space=space_at(section.folder),
        folder=section.folder,
    )
    destinations = _destinations(loaded, standings, clock, notify)
    return JournalRoad(
        opened,
        vehicle=vehicle,
        keys=loaded.catalogue,
        destinations=destinations,
        rules=[
            _rules(name, section, sampling, destination, vehicle=vehicle, live_records=_live_records(loaded))
            for name, destination in zip(names, destinations, strict=True)
        ],
        make_sender=make_sender,
        folder=section.folder,
        bounds=bounds,
        scrub=Scrub(clock, files=opened.files),
        keep_media=section.media_sent == "keep",
        salvaged=kept.salvaged,
        clock=clock,
        draw=draw,
        link=link,
    )


def _rules(
    name: str,
    section: JournalSection,
    sampling: SamplingSection,
    destination: Destination | GbtDestination,
    *,
    vehicle: str,
    live_records: int,
) -> ForwardRules:
    """What goes to a destination when; a report of GB/T 32960.3 goes as soon as its record is committed."""
    gbt = destination if isinstance(destination, GbtDestination) else None
    window_days = _REISSUE_DAYS[sampling.edition] if gbt is None else gbt.section.rules.reissue_days
    days = section.reissue_days
    return ForwardRules(
        destination=name,
        vehicle=vehicle,
        live_records=live_records if gbt is None else 1,
        live_wait_s=sampling.uplink_period_s if gbt is None else 0.0,
        live_horizon_s=max(60.0, 3 * sampling.uplink_period_s),
        reissue_days=window_days if days is None else days,
        supply_loss=SupplyLoss(section.on_supply_loss),
        thinning=None if gbt is None else gbt.thinning,
    )


def _open(section: JournalSection, vehicle: str, inside: Inside) -> tuple[OpenJournal, tuple[Salvage, ...]]:
    """Open the journal whatever its state; on a disk that is full, by giving up what is reserved for that."""
    provider = wrapping_keys(section, inside.draw)
    settings, found = section.settings(vehicle), noted_doubt(section.folder)
    try:
        return open_or_salvage(section.folder, provider, settings, inside, found=found)
    except apsw.FullError:
        reserve = section.folder / RESERVE_FILE
        if not reserve.exists():
            raise
        reserve.unlink()
        return open_or_salvage(section.folder, provider, settings, inside, found=found)


def wrapping_keys(section: JournalSection, draw: Callable[[int], bytes]) -> KeyProvider:
    """The provider of wrapping keys that the configuration names.

    Raises:
        ConfigError: a systemd credential is named and this is no service that has any.
    """
    wrapping = section.wrapping
    folder = wrapping.folder or section.folder
    match wrapping.kind:
        case "file":
            return FileKeyProvider(folder, draw)
        case "tpm":
            return TpmKeyProvider(folder, draw)
        case "credential":
            try:
                credential = credential_path(wrapping.credential)
            except JournalError as error:
                raise ConfigError(error.what, where="journal.wrapping", todo=error.todo) from error
            return CredentialKeyProvider(credential, folder, draw)
