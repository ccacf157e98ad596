"""Puts an uplink together: one platform with its session, link and store."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from edge.clock import Clock
from edge.config.configuration import AnyPlatform
from edge.config.uplink import UplinkSection
from edge.errors import UplinkError
from edge.forward.media.allowance import MediaAllowance, nothing_leaves
from edge.forward.view import View, whole
from edge.loading import tls_settings
from edge.policy.destinations import ConfiguredDestination
from edge.policy.standing import Standing
from edge.uplink.events import Notice
from edge.uplink.gated_link import GatedLink
from edge.uplink.link import Link
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings, Will
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import Store
from edge.uplink.outgoing import VehicleTopics
from edge.uplink.permit import OPEN, Permit, not_allowed
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.wire import receipt, status
from edge.wire.cose import Role, Signer, Verifier
from edge.wire.keys import SigningKey, VerifyingKey


@dataclass(frozen=True, slots=True)
class Destination:
    """A platform that the configuration names.

    Attributes:
        section: how it is reached.
        platform_key: verifies its receipts; None where a PUBACK is enough.
        permit: asked before each connection.
        view: what it may have of a record.
        media: which stills and clips it may have.
    """

    section: UplinkSection
    platform_key: VerifyingKey | None
    permit: Permit = OPEN
    view: View = whole
    media: MediaAllowance = nothing_leaves


@dataclass(frozen=True, slots=True)
class Sender:
    """What is the same for all destinations.

    Attributes:
        vehicle: the VIN or pseudonym in topics.
        stream: 16 bytes that statuses name.
        key: signs for the vehicle.
        clock: time.
        rng: jitter.
        last_number: the greatest record number that statuses name.
        notify: told what happens; None for the log.
    """

    vehicle: str
    stream: bytes
    key: SigningKey
    clock: Clock
    rng: random.Random
    last_number: Callable[[], int]
    notify: Callable[[Notice], None] | None


def make_uplink(
    destination: Destination,
    sender: Sender,
    store: Store,
    *,
    link: Link | None = None,
    on_receipt: Callable[[receipt.Receipt, bytes], None] | None = None,
) -> MqttUplink:
    """Put session, link and store of one destination together.

    Args:
        destination: the platform.
        sender: this vehicle.
        store: what is to be sent there.
        link: the connection; without one, MQTT as configured.
        on_receipt: told each receipt that holds, with its signed bytes.
    """
    section = destination.section
    topics = VehicleTopics(sender.vehicle)
    last_will, own_status = _StatusMaker(sender), _StatusMaker(sender)
    link_settings = MqttSettings(
        host=section.host,
        port=section.port,
        client_id=f"nevgate-{sender.vehicle}",
        protocol=section.protocol,
        tls=tls_settings(section),
        username=section.username,
        password_file=section.password_file,
        will=Will(topics.status, lambda: last_will.make(False)),
        keep_alive_s=section.keep_alive_s,
        address_refused=destination.permit.address_refused,
    )
    settings = SessionSettings(
        where=link_settings.where, acknowledge=section.acknowledge, in_flight=section.in_flight
    )
    keys = [destination.platform_key] if destination.platform_key else []
    verifier = Verifier({sender.vehicle: keys})

    def read_receipt(payload: bytes) -> receipt.Receipt:
        read = receipt.decode(verifier.verify(payload, vehicle=sender.vehicle, role=Role.DOWN).payload)
        if on_receipt is not None:
            on_receipt(read, payload)
        return read

    return MqttUplink(
        session=Session(settings, topics, store, rng=sender.rng, make_status=own_status.make),
        link=GatedLink(link or MqttLink(link_settings), destination.permit.may_connect),
        store=store,
        clock=sender.clock,
        read_receipt=read_receipt,
        notify=sender.notify,
    )


def configured_destination(name: str, section: AnyPlatform) -> ConfiguredDestination:
    """What the configuration says of a destination, as the policy judges it.

    Args:
        name: `edge.config.MAIN_DESTINATION` for the table `[uplink]`.
        section: of the configuration.
    """
    return ConfiguredDestination(name, section.host, section.port, section.purpose, section.jurisdiction)


def permit_of(standing: Standing) -> Permit:
    """The permit by which a destination is connected to while it may have anything."""
    return Permit(standing.may_connect, standing.address_refused)


def refusal_notice(standing: Standing) -> Notice | None:
    """What a person reads of a destination that may not be connected to; None if it may."""
    verdict, destination = standing.verdict(), standing.destination
    if verdict.allowed:
        return None
    reason = not_allowed(verdict.why)
    where = f"{destination.name} ({destination.host})"
    return Notice(str(UplinkError(reason.what, where=where, todo=reason.todo)), trouble=True)


class _StatusMaker:
    """Makes signed statuses; one for each thread that needs them."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._signer = Signer(sender.key, vehicle=sender.vehicle, role=Role.STATUS)
        self._software = f"nevgate {version('nevgate')}"

    def make(self, online: bool) -> bytes:
        """The status as it is now, signed."""
        sender = self._sender
        said = status.Status(
            online, sender.stream, self._software, sender.last_number(), sender.clock.wall_ns()
        )
        return self._signer.sign(status.encode(said))
