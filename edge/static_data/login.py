"""`login_codes`: what the login message tells of a vehicle's static data: its SIM card and its batteries."""

from __future__ import annotations

from dataclasses import dataclass

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.static_data.sheet import StaticData


@dataclass(frozen=True, slots=True)
class LoginCodes:
    """What a login tells.

    Attributes:
        edition: of the login.
        iccid: of the SIM card.
        systems: the codes of the packs under each battery management system (2025), or of the one storage
            subsystem (2016), in order of the file.
    """

    edition: Edition
    iccid: str
    systems: tuple[tuple[str, ...], ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes, in order."""
        return tuple(code for system in self.systems for code in system)

    def raws(self) -> tuple[object, ...]:
        """The raw values of the login's fields from the ICCID on.

        ``Values("command 01", (time, session, *raws))`` is the login's content.
        """
        codes = tuple(code.encode("ascii") for code in self.codes)
        iccid = self.iccid.encode("ascii")
        if self.edition is Edition.Y2016:
            length = len(codes[0]) if codes else 0
            return (iccid, len(codes), length, codes)
        return (iccid, len(self.systems), tuple(map(len, self.systems)), codes)


def login_codes(static: StaticData, edition: Edition | None = None) -> LoginCodes:
    """What a login of `edition` tells of static data of either edition.

    Between the editions the codes are taken over: each pack of 2025 is a subsystem of 2016, each subsystem of
    2016 a battery management system with one pack.

    Args:
        static: checked data.
        edition: of the login; that of the data if none is given.

    Raises:
        ConfigError: the data have faults, or codes that a login of that edition cannot tell.
    """
    if static.faults:
        raise ConfigError(static.faults[0], todo="See 'nevgate gbt static'")
    edition = edition or static.edition
    if static.edition is Edition.Y2016:
        iccid = str(static.value("vehicle", "iccid"))
        told = [str(code) for code in static.values("storage", "code")]
        systems: tuple[tuple[str, ...], ...] = tuple((code,) if code else () for code in told)
    else:
        iccid = str(static.value("terminal", "iccid"))
        lists = static.values("storage", "codes")
        systems = tuple(tuple(map(str, one)) for one in lists if isinstance(one, list))
    if edition is Edition.Y2025 and any(len(code) != 24 for system in systems for code in system):  # noqa: PLR2004 - GB/T 34014
        raise ConfigError("a login of 2025 tells codes of 24 characters", todo="See GB/T 34014")
    return LoginCodes(edition, iccid, systems)
