"""`Activation`: a terminal makes itself known to the platform, once (2025, 0x09 and 0x0A)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Clock
from edge.errors import ConfigError, UplinkError
from edge.uplink.events import Notice
from edge.uplink.gbt.answered import SecurityEvent
from edge.uplink.gbt.durable_file import DurableFile
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.field import table
from edge.wire.gbt.frame import VIN_BYTES, Command, Response
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.meaning import names_of
from edge.wire.gbt.message import Message, Values
from edge.wire.gbt.options import DEFAULT_OPTIONS, Options
from edge.wire.gbt.security.signatures import ReportSigner, write_signature

CHIP_BYTES = 16
_PART = "command 09"
_OK, _FAILED = 1, 2
_ACTIVATED, _CHIP_ACTIVE, _DUPLICATE = "activated", "chip already active", "VIN duplicate"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a terminal makes known of itself.

    Attributes:
        chip: id of the security chip, at most 16 ASCII characters; the rest is spaces.
        vin: of the vehicle.
        public_key: as the platform wants it; the standard does not say in which form.

    Raises:
        ConfigError: one cannot be sent.
    """

    chip: str
    vin: bytes
    public_key: bytes

    def __post_init__(self) -> None:
        if not self.chip.isascii() or not self.chip.isprintable() or not 0 < len(self.chip) <= CHIP_BYTES:
            raise ConfigError(f"'{self.chip}' is no id of a security chip of 1 to {CHIP_BYTES} characters")
        if len(self.vin) != VIN_BYTES:
            raise ConfigError(f"a VIN has {VIN_BYTES} characters")
        if not self.public_key:
            raise ConfigError("an activation needs a public key")

    @property
    def known_as(self) -> Mapping[str, object]:
        """How the file of an activation names it."""
        key = hashlib.sha256(self.public_key).hexdigest()
        return {"chip": self.chip, "vin": self.vin.decode("latin-1"), "key": key}


@dataclass(frozen=True, slots=True)
class ActivationResult:
    """What came of a request.

    Attributes:
        active: whether the terminal may log in now.
        why: in words.
        again: whether to ask again may help; where not, a person has to do something.
        notices: for people.
        events: for the log of security events.
    """

    active: bool
    why: str
    again: bool
    notices: tuple[Notice, ...]
    events: tuple[SecurityEvent, ...]


class Activation:
    """The activation of one terminal, which is kept over a restart.

    With another chip, VIN or public key than it was made with it is none any more.

    Args:
        identity: of the terminal.
        signer: signs with the chip's private key.
        file: keeps that it is active.
        clock: gives wall time.
        options: says how the codes of the result are read.
        already_active_counts: whether a terminal whose chip the platform calls active already may log in:
            it has forgotten, the platform has not. The standard does not say.
    """

    def __init__(
        self,
        identity: Identity,
        signer: ReportSigner,
        file: DurableFile,
        clock: Clock,
        options: Options = DEFAULT_OPTIONS,
        *,
        already_active_counts: bool = True,
    ) -> None:
        self._identity = identity
        self._signer = signer
        self._file = file
        self._clock = clock
        self._already_active_counts = already_active_counts
        self._names = names_of(table(Edition.Y2025).fields("command 0A")[1], options)
        self._asked = False
        self.said: tuple[Notice, ...] = ()
        self.active = False
        try:
            self.active = file.read() == identity.known_as
        except UplinkError as error:
            self.said = (Notice(f"{error}; the terminal activates itself again", trouble=True),)

    def request(self) -> Message:
        """The request; the signature covers what stands before it, from the time to the VIN.

        Raises:
            GbtError: the wall time cannot be said.
        """
        identity = self._identity
        key = identity.public_key
        chip = identity.chip.encode("ascii").ljust(CHIP_BYTES)
        time = time_bytes(self._clock.wall_ns() // NS_PER_S)
        plain = (time, chip, len(key), key, identity.vin)
        covered = layouts(Edition.Y2025)[_PART].write((*plain, b""))
        signature = write_signature(self._signer.sign(covered))
        self._asked = True
        content = Values(_PART, (*plain, signature))
        return Message(Edition.Y2025, Command.ACTIVATE, Response.COMMAND, identity.vin, content)

    def take(self, message: Message) -> ActivationResult | None:
        """Take what may answer the request.

        Args:
            message: any; a result (0x0A) is taken with whatever response flag.

        Returns:
            What came of it; None where it answers nothing that was asked. It is never answered itself.
        """
        if not self._asked or message.vin != self._identity.vin or message.edition is not Edition.Y2025:
            return None
        if message.command == Command.ACTIVATE and message.response not in {
            Response.COMMAND,
            Response.SUCCESS,
        }:
            flag = message.response
            name = Response(flag).name.lower().replace("_", " ") if flag in set(Response) else f"{flag:02X}"
            return self._failed(name, again=flag not in {Response.VIN_DUPLICATE, Response.SIGNATURE_ERROR})
        return self._result(message) if message.command == Command.ACTIVATION_RESULT else None

    def _result(self, message: Message) -> ActivationResult:
        if not isinstance(message.content, Values) or message.content.part != "command 0A":
            return self._failed("the result cannot be read", again=True)
        status, info = message.content.raws
        why = self._names.get(info, f"code {info:02X}, which has no meaning")
        if status == _OK or (status == _FAILED and why == _CHIP_ACTIVE and self._already_active_counts):
            return self._succeeded(why)
        if status == _FAILED and why != _ACTIVATED:
            return self._failed(why, again=why not in {_CHIP_ACTIVE, _DUPLICATE})
        return self._failed(f"result {status:02X} with '{why}', which contradict each other", again=True)

    def _succeeded(self, why: str) -> ActivationResult:
        self._asked = False
        self.active = True
        notices = [Notice("the platform has activated the terminal", trouble=False)]
        if why != _ACTIVATED:
            text = f"the platform calls the terminal active, and says '{why}'"
            notices = [Notice(f"{text}. Does it count the codes of 0x0A otherwise (activation_codes)?", True)]
            if why == _CHIP_ACTIVE:
                notices = [Notice(text, trouble=False)]
        try:
            self._file.write(self._identity.known_as)
        except UplinkError as error:
            notices.append(Notice(f"that the terminal is active cannot be kept: {error}", trouble=True))
        return ActivationResult(True, why, False, tuple(notices), (self._event("terminal activated", why),))

    def _failed(self, why: str, *, again: bool) -> ActivationResult:
        self._asked = False
        todo = "" if again else ". See to it with the platform: it knows chip and VIN otherwise"
        notice = Notice(f"the platform has not activated the terminal: {why}{todo}", trouble=True)
        return ActivationResult(False, why, again, (notice,), (self._event("activation failed", why),))

    def _event(self, kind: str, detail: str) -> SecurityEvent:
        return SecurityEvent(self._clock.wall_ns() // NS_PER_S, self._identity.vin, kind, detail)


def covered_bytes(message: Message) -> bytes:
    """What the signature of a request covers, for who checks it.

    Raises:
        GbtError: it is no such request.
    """
    content = message.content
    raws = content.raws if isinstance(content, Values) else ()
    return layouts(Edition.Y2025)[_PART].write((*raws[:-1], b""))
