"""Opens and checks every file that a configuration names, before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import Catalogue, builtin
from edge.config.configuration import AnyPlatform, Config
from edge.config.gbt import GbtSection
from edge.config.platform import PlatformSection
from edge.database.load import load_database
from edge.database.model import Database, Defect
from edge.errors import BindingError, ConfigError
from edge.gbt_destination.files import GbtFiles, open_gbt_files
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import SENSITIVITY
from edge.policy.classfile import load_classes
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.key_files import read_signing_key, read_verifying_key
from edge.wire.keys import SigningKey, VerifyingKey


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with all that its files hold.

    Attributes:
        config: what was asked for.
        catalogue: the regulated items.
        databases: of each bus, with their classes.
        bindings: of each bus.
        key: signs the vehicle's messages.
        platform_key: verifies the platform's receipts; None where a PUBACK is enough.
        destination_keys: those of the further destinations, in their order.
        gbt_files: of the platforms that speak GB/T 32960.3, that of ``[uplink]`` first; None for others.
    """

    config: Config
    catalogue: Catalogue
    databases: Mapping[str, tuple[ClassedDatabase, ...]]
    bindings: Mapping[str, tuple[Binding, ...]]
    key: SigningKey
    platform_key: VerifyingKey | None
    destination_keys: tuple[VerifyingKey | None, ...] = ()
    gbt_files: tuple[GbtFiles | None, ...] = (None,)

    def plain_databases(self) -> dict[str, tuple[Database, ...]]:
        """The databases of each bus without their classes, as decode wants them."""
        return {bus: tuple(one.database for one in each) for bus, each in self.databases.items()}

    def defects(self) -> list[tuple[Database, Defect]]:
        """What was mended in the databases, each file once, so that a person can be told."""
        databases = dict.fromkeys(one.database for each in self.databases.values() for one in each)
        return [(database, defect) for database in databases for defect in database.defects]


def load(config: Config) -> Loaded:
    """Open everything that `config` names.

    Raises:
        NevgateError: of the room that a file belongs to; the first file that cannot be used.
    """
    catalogue = builtin()
    databases, bindings = load_buses(config, catalogue)
    _check_datum([binding for each in bindings.values() for binding in each])
    if not any(bindings.values()):
        raise ConfigError(
            "no binding file was found, so there is nothing to send",
            todo="Put NAME.binding.toml beside a database, or name one with 'binding'",
        )
    platforms: tuple[AnyPlatform, ...] = (config.uplink, *config.destination)
    for one in platforms:
        _check_tls(one)
    platform_key = None
    if config.signing.platform is not None:
        platform_key = read_verifying_key(config.signing.platform)
    return Loaded(
        config,
        catalogue,
        databases,
        bindings,
        read_signing_key(config.signing.key),
        platform_key,
        tuple(
            None
            if isinstance(section, GbtSection) or section.platform is None
            else read_verifying_key(section.platform)
            for section in config.destination
        ),
        tuple(open_gbt_files(one, catalogue) if isinstance(one, GbtSection) else None for one in platforms),
    )


def load_buses(
    config: Config, catalogue: Catalogue
) -> tuple[Mapping[str, tuple[ClassedDatabase, ...]], Mapping[str, tuple[Binding, ...]]]:
    """Open the databases of each bus with their classes, and its bindings; needs no key.

    Raises:
        NevgateError: of the room that a file belongs to; the first file that cannot be used.
    """
    databases: dict[str, tuple[ClassedDatabase, ...]] = {}
    bindings: dict[str, tuple[Binding, ...]] = {}
    files: dict[Path, Database] = {}
    for bus in config.bus:
        classed: list[ClassedDatabase] = []
        bound: list[Binding] = []
        for section in bus.database:
            database = files.get(section.file) or load_database(section.file)
            files[section.file] = database
            classed.append(load_classes(section.class_file, database))
            if section.binding_file is not None:
                bound.append(load_binding(section.binding_file, database, catalogue))
                _check_classes(bound[-1], classed[-1])
        databases[bus.name] = tuple(classed)
        bindings[bus.name] = tuple(bound)
    return MappingProxyType(databases), MappingProxyType(bindings)


def _check_classes(binding: Binding, classed: ClassedDatabase) -> None:
    """See that no signal is kept, sent or erased as something less sensitive than it is.

    Raises:
        BindingError: an item is filled from a signal of a more sensitive class than its own.
    """
    for bound in binding:
        own = bound.item.data_class
        for name in bound.signals:
            data_class = classed.class_of(name.message, name.signal)
            if data_class is not None and SENSITIVITY.index(data_class) < SENSITIVITY.index(own):
                raise BindingError(
                    f"'{bound.id}' of class {own} would be filled from '{name.message}.{name.signal}' "
                    f"of class {data_class}, which is more sensitive",
                    where=bound.where,
                    todo=f"Bind a signal of class {own}; or, if it is one, say so in the class file",
                )


def _check_datum(bindings: Sequence[Binding]) -> None:
    """See that a position never goes into a record without the datum that its degrees are of.

    Raises:
        BindingError: a longitude or latitude is bound, and no datum.
    """
    bound = {one.id: one for binding in bindings for one in binding}
    for item_id in ("gnss.lon", "gnss.lat"):
        if item_id in bound and "gnss.datum" not in bound:
            raise BindingError(
                f"'{item_id}' is bound, and nothing says of which datum it is",
                where=bound[item_id].where,
                todo='Bind \'gnss.datum\' too; where it never changes: constant = "WGS84" or "GCJ02"',
            )


def tls_settings(section: PlatformSection) -> TlsSettings | None:
    """The transport security that a destination asks for; None for none."""
    tls = section.tls
    return TlsSettings(tls.ca_file, tls.certificate, tls.key) if tls.enabled else None


def _check_tls(section: PlatformSection) -> None:
    settings = tls_settings(section)
    if settings is not None:
        tls_context(settings)
