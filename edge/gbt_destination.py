"""Puts together what brings records to a platform that speaks GB/T 32960.3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.catalogue.catalogue import Catalogue
from edge.clock import NS_PER_S
from edge.config import VehicleSection
from edge.config_gbt import GbtSection
from edge.destination import Sender
from edge.dispatch import Identity
from edge.errors import ConfigError
from edge.forward.gbt_composer import GbtComposer, TimeOf
from edge.forward.thinning import Thinning, ThinningRules
from edge.forward.view import View, whole
from edge.gbt_dispatch import GbtDispatch
from edge.gbt_files import GbtFiles
from edge.uplink.outbox import Loss, Store
from edge.uplink.outgoing import Outgoing
from edge.uplink.permit import OPEN, Permit
from edge.uplink.uplink import Uplink
from edge.vehicle.rules import Edition, SamplingRules


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
        return None if rules.needless else rules

    def composer(self, time_of: TimeOf) -> GbtComposer:
        """Makes its reports."""
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
        time_of: TimeOf,
        put: Callable[[Outgoing], None],
        take_losses: Callable[[], Iterable[Loss]],
    ) -> GbtDispatch:
        """Brings records there that no journal holds."""
        return GbtDispatch(
            identity=identity,
            composer=self.composer(time_of),
            put=put,
            take_losses=take_losses,
            thinning=None if self.thinning is None else Thinning(self.thinning),
        )


def make_gbt_uplink(destination: GbtDestination, sender: Sender, store: Store) -> Uplink:
    """Put session, link and store of one destination together."""
    del sender, store
    raise ConfigError(
        f"there is no session of {destination.section.protocol} in this build",
        where=f"destination '{destination.name}'",
        todo="Take the destination out of the configuration",
    )
