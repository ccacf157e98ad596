"""Puts together what brings records to a platform that speaks GB/T 32960.3."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.catalogue.catalogue import Catalogue
from edge.clock import NS_PER_S, Timebase
from edge.config.gbt import GbtSection
from edge.config.vehicle import VehicleSection
from edge.destination import Sender
from edge.dispatch import Identity
from edge.forward.gbt_composer import GbtComposer
from edge.forward.thinning import Thinning, ThinningRules
from edge.forward.view import View, whole
from edge.gbt_destination.dispatch import GbtDispatch
from edge.gbt_destination.files import GbtFiles
from edge.gbt_destination.security_log import SecurityLog
from edge.gbt_destination.session_parts import activation_of, durable_file, secrecy_of
from edge.loading import tls_settings
from edge.uplink.events import Notice
from edge.uplink.gbt.answered import Given, LiveSettings, Order
from edge.uplink.gbt.commands import PlatformCommands
from edge.uplink.gbt.done_commands import DoneCommands
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.link import GatedTerminalLink, TcpLink, TerminalLink
from edge.uplink.gbt.orders import OrderDesk
from edge.uplink.gbt.parameter_values import ConfiguredParameters
from edge.uplink.gbt.parameters import TerminalParameters
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.server_change import Server
from edge.uplink.gbt.session import TerminalSession
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.gbt.uplink import GbtUplink
from edge.uplink.outbox import Loss, Store
from edge.uplink.outgoing import Outgoing
from edge.uplink.permit import OPEN, Permit
from edge.vehicle.rules import Edition, SamplingRules

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GbtDestination:
    """A platform of GB/T 32960.3 that the configuration names.

    Attributes:
        name: what the journal and the account call it.
        section: how it is reached and what it asks for.
        files: its profile and keys.
        vehicle: who is speaking: the standard has the VIN alone, no pseudonym.
        sampling: when records are made.
        catalogue: the items.
        folder: where the session keeps its numbers and what platforms have set.
        clock: goes by the platform's time where the vehicle's own has failed.
        permit: asked before each connection.
        view: what it may have of a record.
    """

    name: str
    section: GbtSection
    files: GbtFiles
    vehicle: VehicleSection
    sampling: SamplingRules
    catalogue: Catalogue
    folder: Path
    clock: PlatformClock
    permit: Permit = OPEN
    view: View = whole

    @property
    def thinning(self) -> ThinningRules | None:
        """Which records it is told; None for all."""
        sampling = SamplingRules(
            period_ns=self.sampling.period_ns,
            edition=Edition(str(self.section.edition.value)),
            before_ns=self.sampling.before_ns,
            after_ns=self.sampling.after_ns,
        )
        rules = ThinningRules(round(self.section.report_period_s * NS_PER_S), sampling)
        return None if rules.needless and not self.section.commands.set else rules

    def durable_file(self, what: str) -> DurableFile:
        """A small file that is the session's own."""
        return durable_file(self.folder, self.name, what)

    def composer(self, boot: bytes) -> GbtComposer:
        """Makes its reports.

        Args:
            boot: names the present boot, whose times are known as soon as the wall clock is.
        """

        def time_of(other: bytes) -> Timebase | None:
            return self.clock.timebase() if other == boot else None

        return GbtComposer(
            self.files.codec(self.section, self.catalogue),
            self.vehicle.vin,
            self.view,
            time_of=time_of,
            sign=self.files.sign(self.section),
        )

    def dispatch(
        self,
        identity: Identity,
        put: Callable[[Outgoing], None],
        take_losses: Callable[[], Iterable[Loss]],
    ) -> GbtDispatch:
        """Brings records there that no journal holds."""
        return GbtDispatch(
            identity=identity,
            composer=self.composer(identity.boot),
            put=put,
            take_losses=take_losses,
            thinning=None if self.thinning is None else Thinning(self.thinning),
        )


def make_gbt_uplink(
    destination: GbtDestination,
    sender: Sender,
    store: Store,
    *,
    report_every: Callable[[int], None],
    link: TerminalLink | None = None,
) -> GbtUplink:
    """Put session, link and store of one destination together.

    Args:
        destination: the platform.
        sender: this vehicle.
        store: what is to be sent there.
        report_every: told how many nanoseconds may pass between two reports, as the platform has set it.
        link: the connection; without one, TCP as configured.
    """
    section, vehicle = destination.section, destination.vehicle
    clock = destination.clock
    commands, parameters = commands_of(destination, sender.notify)
    tcp = TcpSettings(
        tls=tls_settings(section),
        section=f"destination '{destination.name}'",
        address_refused=destination.permit.address_refused,
    )

    def settings_changed(live: LiveSettings) -> None:
        report_every(round(live.report_period_s * NS_PER_S))

    settings_changed(parameters.live)
    numbers = SessionNumbers(destination.durable_file("sessions"))
    activation = activation_of(
        section, destination.files, vehicle.vin, clock, destination.durable_file("activation")
    )
    said = [*parameters.said, *(() if activation is None else activation.said)]
    if numbers.trouble is not None:
        said.append(Notice(f"{numbers.trouble}; logins are numbered by the time of day", trouble=True))
    for notice in said:
        _tell(notice, sender.notify)
    session = TerminalSession(
        section.rules.with_settings(parameters.live),
        section.session_options,
        section.terminal(vehicle.vin, vehicle.iccid, vehicle.packs),
        parameters.live.server,
        store,
        numbers,
        clock,
        rng=sender.rng,
        secrecy=secrecy_of(section, destination.files, vehicle.vin, clock, secrets.token_bytes),
        activation=activation,
        commands=commands,
    )
    return GbtUplink(
        session=session,
        link=GatedTerminalLink(link or TcpLink(tcp), destination.permit.may_connect),
        store=store,
        clock=sender.clock,
        notify=sender.notify,
        on_settings=settings_changed,
        on_security_event=SecurityLog(sender.clock),
    )


def commands_of(
    destination: GbtDestination, notify: Callable[[Notice], None] | None
) -> tuple[PlatformCommands, TerminalParameters]:
    """What takes the platform's commands, and the parameters that it may query and set."""
    section, vin = destination.section, destination.vehicle.vin.encode("ascii")
    configured = ConfiguredParameters(
        Server(section.host, section.port),
        report_period_s=section.report_period_s,
        storage_period_ms=min(60_000, destination.sampling.period_ns // 1_000_000),
        heartbeat_s=round(section.rules.heartbeat_s),
        terminal_timeout_s=round(section.rules.answer_timeout_s),
        login_pause_min=round(section.rules.login_pause_s / 60),
    )
    parameters = TerminalParameters(
        section.edition, configured, destination.durable_file("parameters"), section.commands.parameters
    )

    def alarm(given: Given) -> None:
        level = given.argument[0] if given.argument else 0
        text = f"the platform {section.host} tells the driver of an alarm of level {level}"
        _tell(Notice(text, trouble=level > 0), notify)

    commands = PlatformCommands(
        section.edition,
        vin,
        parameters,
        OrderDesk(section.commands.order_rules, {Order.ALARM: alarm}),
        DoneCommands(destination.durable_file("commands")),
        destination.clock,
        section.commands.rules,
    )
    return commands, parameters


def _tell(notice: Notice, notify: Callable[[Notice], None] | None) -> None:
    if notify is None:
        logger.log(logging.WARNING if notice.trouble else logging.INFO, "%s", notice.text)
    else:
        notify(notice)
