"""`DataKeys`: the keys of data units, agreed with the platform for a time (2025, 0x0B), and renewed ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Clock
from edge.errors import ConfigError
from edge.uplink.events import Notice
from edge.uplink.gbt.answered import Answered, CommandRefusedError, SecurityEvent
from edge.wire.gbt.beijing import time_bytes, time_text, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.message import Message, Values, answer, message_of
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encrypted, encryption_name
from edge.wire.gbt.security.faults import DecryptionError

KEY_BYTES = 16
_PART = "command 0B"
_KEYS_KEPT = 4


class KeyProtection(StrEnum):
    """Where a data key is encrypted under the receiver's public key; it never goes in plain."""

    FIELD = "field"
    """The key in its field; the data unit around it is as the frame says."""

    UNIT = "unit"
    """The whole data unit, as the frame's encryption says (RSA or SM2); the key stands in it as it is."""


@dataclass(frozen=True, slots=True)
class DataKeyRules:
    """How data keys are agreed upon; the standard leaves all of it open but the fields of the message.

    Attributes:
        encryption: what the keys are for, AES or SM4; the kind of key in the message is its code.
        offers: whether the terminal makes keys.
        accepts: whether it takes keys that the platform makes.
        protection: where a key is encrypted.
        validity_s: of a key that the terminal makes.
        ahead_s: how long before its end a key is renewed.
        retry_s: pause after an offer that the platform has refused.
        longest_s: a platform's key that is to hold longer is refused.
        grace_s: how long after its end a key still decrypts what was under way.
    """

    encryption: Encryption = Encryption.SM4
    offers: bool = True
    accepts: bool = True
    protection: KeyProtection = KeyProtection.FIELD
    validity_s: int = 86_400
    ahead_s: int = 600
    retry_s: float = 60.0
    longest_s: int = 30 * 86_400
    grace_s: int = 60

    def __post_init__(self) -> None:
        if self.encryption not in {Encryption.AES, Encryption.SM4}:
            raise ConfigError(
                f"data keys are for AES and SM4, not {encryption_name(self.encryption)}",
                todo="The key pairs of RSA and SM2 are agreed upon beforehand",
            )
        if not 0 < self.ahead_s < self.validity_s <= self.longest_s:
            raise ConfigError("a data key is renewed before its end, and holds no longer than the longest")


@dataclass(frozen=True, slots=True)
class _Key:
    secret: bytes = field(repr=False)
    cipher: UnitCipher
    from_s: int
    to_s: int

    def holds(self, wall_s: int) -> bool:
        return self.from_s <= wall_s < self.to_s


class DataKeys:
    """The data keys of one session's terminal. They are in memory only: after a restart there are new ones.

    Nothing in the message says who made a key, and anybody can encrypt under a public key: that it is the
    platform's rests on the connection (TLS).

    Args:
        vin: of the vehicle.
        rules: how.
        make_cipher: makes the cipher of a key.
        clock: gives wall time.
        draw: gives so many random bytes.
        own: decrypts under the terminal's private key.
        peer: encrypts under the platform's public key.

    Raises:
        ConfigError: a key would have to go in plain.
    """

    def __init__(
        self,
        vin: bytes,
        rules: DataKeyRules,
        make_cipher: Callable[[bytes], UnitCipher],
        clock: Clock,
        draw: Callable[[int], bytes],
        *,
        own: UnitCipher | None = None,
        peer: UnitCipher | None = None,
    ) -> None:
        if rules.offers and peer is None:
            raise ConfigError("a terminal that makes data keys needs the platform's public key")
        if rules.accepts and own is None:
            raise ConfigError("a terminal that takes data keys needs a private key of its own")
        self._vin = vin
        self._rules = rules
        self._make_cipher = make_cipher
        self._clock = clock
        self._draw = draw
        self._own = own
        self._peer = peer
        self._keys: tuple[_Key, ...] = ()
        self._offered: _Key | None = None
        self._not_before_ns = 0

    def current(self, now_ns: int) -> UnitCipher | None:
        """The cipher that holds now; None where there is none: then nothing that is to be encrypted goes."""
        wall_s = self._wall_s(now_ns)
        return next((key.cipher for key in reversed(self._keys) if key.holds(wall_s)), None)

    def decrypting(self, now_ns: int) -> tuple[UnitCipher, ...]:
        """What may decrypt a unit that comes now, the likeliest first: what holds, what is just over."""
        wall_s = self._wall_s(now_ns)
        near = (key for key in reversed(self._keys) if key.from_s - self._rules.grace_s <= wall_s)
        return tuple(key.cipher for key in near if wall_s < key.to_s + self._rules.grace_s)

    def due(self, now_ns: int) -> bool:
        """Whether a key is to be offered now: there will be a moment within `ahead_s` at which none holds."""
        wall_s = self._wall_s(now_ns)
        waits = not self._rules.offers or self._offered is not None or now_ns < self._not_before_ns
        return not waits and self._covered_to_s(wall_s) <= wall_s + self._rules.ahead_s

    def wake_ns(self, now_ns: int) -> int | None:
        """When `due` will hold, if nothing else happens; None where only a message can make it hold."""
        if not self._rules.offers or self._offered is not None:
            return None
        if self.due(now_ns):
            return now_ns
        wall_s = self._wall_s(now_ns)
        wait_s = self._covered_to_s(wall_s) - self._rules.ahead_s - wall_s
        return max(self._not_before_ns, now_ns + max(0, wait_s) * NS_PER_S)

    def offer(self, now_ns: int) -> Message:
        """Make a key and offer it; it holds once the platform has answered with success.

        The message goes as it is: where it says that it is encrypted, it is.

        Raises:
            GbtError: the wall time cannot be said.
        """
        peer = self._peer
        if peer is None:
            raise GbtError("no platform's public key is there to encrypt a data key")
        secret = self._draw(KEY_BYTES)
        from_s = self._wall_s(now_ns)
        to_s = from_s + self._rules.validity_s
        in_field = self._rules.protection is KeyProtection.FIELD
        field = peer.encrypt(secret) if in_field else secret
        raws = (int(self._rules.encryption), len(field), field, time_bytes(from_s), time_bytes(to_s))
        message = Message(Edition.Y2025, Command.DATA_KEY, Response.COMMAND, self._vin, Values(_PART, raws))
        self._offered = _Key(secret, self._make_cipher(secret), from_s, to_s)
        return message if in_field else message_of(encrypted(message.frame(), peer))

    def unanswered(self, now_ns: int) -> None:
        """The offer was not answered in time, or the connection is gone: another one may follow at once.

        What came before it, the wait for the answer or for another connection, was pause enough. One more
        would have the next session wait for a key that nobody makes, and count that as a failed login.
        """
        del now_ns
        self._offered = None

    def take(self, message: Message, now_ns: int) -> Answered | None:
        """Take a key that the platform makes, or its answer to an offer.

        Args:
            message: any. One of 0x0B that is encrypted by RSA or SM2 is to come as it is; one under a data
                key decrypted.
            now_ns: boot time.

        Returns:
            What becomes of it; None where it is neither.
        """
        mine = message.vin == self._vin and message.edition is Edition.Y2025
        if message.command != Command.DATA_KEY:
            return None
        if message.response != Response.COMMAND:
            return self._answered(message.response, now_ns) if mine and self._offered is not None else None
        try:
            key = self._judge(message, self._wall_s(now_ns))
        except CommandRefusedError as refused:
            text = f"data key from the platform refused: {refused.what}"
            events = (self._event(now_ns, "data key refused", refused.what),)
            return Answered(answer(message, refused.flag), (), (Notice(text, trouble=True),), events)
        self._install(key, now_ns)
        event = self._event(now_ns, "data key accepted", _valid(key))
        return Answered(answer(message, Response.SUCCESS), events=(event,))

    def _answered(self, flag: int, now_ns: int) -> Answered:
        offered, self._offered = self._offered, None
        if flag == Response.SUCCESS and offered is not None:
            self._install(offered, now_ns)
            return Answered(None, events=(self._event(now_ns, "data key agreed", _valid(offered)),))
        self._not_before_ns = now_ns + round(self._rules.retry_s * NS_PER_S)
        text = f"the platform does not take the data key (response flag {flag:02X})"
        events = (self._event(now_ns, "data key refused by the platform", f"flag {flag:02X}"),)
        return Answered(None, (), (Notice(text, trouble=True),), events)

    def _judge(self, message: Message, wall_s: int) -> _Key:
        """The key that a message brings.

        Raises:
            CommandRefusedError: it brings none that can be taken.
        """
        rules = self._rules
        if message.vin != self._vin or message.edition is not Edition.Y2025:
            raise CommandRefusedError("is for another vehicle", Response.VIN_UNKNOWN)
        if not rules.accepts or self._own is None:
            raise CommandRefusedError("the configuration does not let the platform make data keys")
        kind, _, field, start, end = self._raws(message, self._own)
        if kind != rules.encryption:
            raise CommandRefusedError(
                f"it is for {encryption_name(kind)}, not {encryption_name(rules.encryption)}"
            )
        if rules.protection is KeyProtection.FIELD:
            try:
                field = self._own.decrypt(field)
            except DecryptionError as error:
                raise CommandRefusedError(
                    "it is not encrypted under the terminal's public key", Response.DECRYPTION_ERROR
                ) from error
        from_s, to_s = self._judge_times(start, end, wall_s)
        try:
            return _Key(field, self._make_cipher(field), from_s, to_s)
        except GbtError as error:
            raise CommandRefusedError(error.what) from error

    def _judge_times(self, start: bytes, end: bytes, wall_s: int) -> tuple[int, int]:
        from_s, to_s = unix_seconds(start), unix_seconds(end)
        longest_s = self._rules.longest_s
        if from_s is None or to_s is None or not from_s < to_s:
            raise CommandRefusedError(f"its time is none: {time_text(start)} to {time_text(end)}")
        if to_s <= wall_s:
            raise CommandRefusedError(f"it is over since {time_text(end)}")
        if to_s - from_s > longest_s or from_s - wall_s > longest_s:
            raise CommandRefusedError(f"it holds to {time_text(end)}, too long")
        if any(key.holds(wall_s) and from_s < key.from_s for key in self._keys):
            raise CommandRefusedError("it is older than the one that holds")
        return from_s, to_s

    def _raws(self, message: Message, own: UnitCipher) -> tuple[int, int, bytes, bytes, bytes]:
        came_encrypted = message.encryption != Encryption.NONE
        if came_encrypted:
            try:
                message = message_of(decrypted(message.frame(), own))
            except DecryptionError as error:
                raise CommandRefusedError(
                    f"cannot be decrypted: {error.what}", Response.DECRYPTION_ERROR
                ) from error
            except GbtError as error:
                raise CommandRefusedError(
                    f"cannot be read: {error.what}", Response.STRUCTURE_ERROR
                ) from error
        elif self._rules.protection is KeyProtection.UNIT:
            raise CommandRefusedError("it came in plain")
        if not isinstance(message.content, Values) or message.content.part != _PART:
            raise CommandRefusedError("it is none", Response.STRUCTURE_ERROR)
        kind, length, field, start, end = message.content.raws
        return kind, length, field, start, end

    def _install(self, key: _Key, now_ns: int) -> None:
        wall_s = self._wall_s(now_ns)
        kept = [
            one
            for one in self._keys
            if wall_s < one.to_s + self._rules.grace_s
            and (one.secret, one.from_s, one.to_s) != (key.secret, key.from_s, key.to_s)
        ]
        # Keys for later on, however many, leave the one that holds.
        holding = [one for one in kept if one.holds(wall_s)][-1:]
        others = [one for one in kept if one not in holding][1 + len(holding) - _KEYS_KEPT :]
        # What holds from later on counts; of two of the same second the one that was agreed upon last.
        self._keys = tuple(sorted((*holding, *others, key), key=lambda one: one.from_s))

    def _covered_to_s(self, wall_s: int) -> int:
        """Until when there is a key at every moment; now where none holds."""
        end_s = wall_s
        for key in self._keys:
            if key.from_s <= end_s:
                end_s = max(end_s, key.to_s)
        return end_s

    def _event(self, now_ns: int, kind: str, detail: str) -> SecurityEvent:
        return SecurityEvent(self._wall_s(now_ns), self._vin, kind, detail)

    def _wall_s(self, now_ns: int) -> int:
        return self._clock.timebase().wall_ns(now_ns) // NS_PER_S


def _valid(key: _Key) -> str:
    return f"from {time_text(time_bytes(key.from_s))} to {time_text(time_bytes(key.to_s))}"
