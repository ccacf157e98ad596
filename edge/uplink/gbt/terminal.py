"""`Terminal`: what a terminal says of itself at login and logout."""

from __future__ import annotations

from dataclasses import dataclass

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.wire.gbt.frame import VIN_BYTES, Command, Response
from edge.wire.gbt.message import Content, Message, Opaque, Values

ICCID_CHARACTERS = 20
_CODES_MOST = {Edition.Y2016: 250, Edition.Y2025: 20 * 50}
_SYSTEMS_MOST, _PACKS_MOST, _PACK_CHARACTERS, _CODE_MOST = 20, 50, 24, 50


@dataclass(frozen=True, slots=True)
class Terminal:
    """A vehicle's terminal.

    Attributes:
        edition: that it speaks.
        vin: 17 characters.
        iccid: of the SIM card, 20 characters; to be read from the card, not typed in. A shorter one is filled
            with spaces.
        packs: codes of the battery packs, by battery management system. 2016 has one code a rechargeable
            subsystem, all of one length up to 50; 2025 codes of 24 characters (GB/T 34014).

    Raises:
        ConfigError: the edition cannot say it.
    """

    edition: Edition
    vin: str
    iccid: str = ""
    packs: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(self.vin) != VIN_BYTES or not self.vin.isascii():
            raise ConfigError(f"'{self.vin}' is no VIN of {VIN_BYTES} characters")
        if len(self.iccid) > ICCID_CHARACTERS or not self.iccid.isascii():
            raise ConfigError(f"'{self.iccid}' is no ICCID of {ICCID_CHARACTERS} characters")
        codes = self.codes
        lengths = {len(code) for code in codes}
        if not all(code.isascii() for code in codes):
            raise ConfigError("the codes of battery packs are ASCII")
        if self.edition is Edition.Y2025:
            if len(self.packs) > _SYSTEMS_MOST or any(len(one) > _PACKS_MOST for one in self.packs):
                raise ConfigError(f"a login names at most {_SYSTEMS_MOST} systems of {_PACKS_MOST} packs")
            if lengths - {_PACK_CHARACTERS}:
                raise ConfigError(f"the code of a battery pack has {_PACK_CHARACTERS} characters")
        elif (
            len(codes) > _CODES_MOST[self.edition] or len(lengths) > 1 or max(lengths, default=0) > _CODE_MOST
        ):
            raise ConfigError(f"a login of 2016 names codes of one length up to {_CODE_MOST}")

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all packs."""
        return tuple(code for packs in self.packs for code in packs)

    def login(self, time: bytes, session: int) -> Message:
        """The login.

        Args:
            time: of it, as on the wire.
            session: its number.
        """
        codes = tuple(code.encode("ascii") for code in self.codes)
        iccid = self.iccid.ljust(ICCID_CHARACTERS).encode("ascii")
        counts: tuple[int, int | tuple[int, ...]] = (len(codes), len(codes[0]) if codes else 0)
        if self.edition is Edition.Y2025:
            counts = (len(self.packs), tuple(len(one) for one in self.packs))
        return self._command(
            Command.VEHICLE_LOGIN, Values("command 01", (time, session, iccid, *counts, codes))
        )

    def logout(self, time: bytes, session: int) -> Message:
        """The logout from the session of that number."""
        return self._command(Command.VEHICLE_LOGOUT, Values("command 04", (time, session)))

    def plain(self, command: Command) -> Message:
        """A command with an empty data unit: heartbeat, time sync."""
        return self._command(command, Opaque(b"", "empty"))

    def _command(self, command: Command, content: Content) -> Message:
        return Message(self.edition, command, Response.COMMAND, self.vin.encode("ascii"), content)
