"""Data keys: agreed both ways, never in plain, renewed before they end, and over when they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from secrets import token_bytes

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, VirtualClock
from edge.errors import ConfigError
from edge.uplink.gbt.answered import Answered
from edge.uplink.gbt.data_keys import DataKeyRules, DataKeys, KeyProtection
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import Message, Opaque, Values, message_of, read_message
from edge.wire.gbt.security.ciphers import BlockUnitCipher, RsaUnitCipher, UnitCipher, encrypted
from tests.gbt_terminal.terminal import NOW_S, VIN, clock_at, flag_of

TERMINAL = rsa.generate_private_key(65537, 2048)
PLATFORM = rsa.generate_private_key(65537, 2048)
TO_TERMINAL = RsaUnitCipher(TERMINAL.public_key())
SECRET = bytes(range(16))
HOUR_S = 3600
PROTECTIONS = pytest.mark.parametrize("protection", list(KeyProtection))


def sm4(secret: bytes) -> UnitCipher:
    return BlockUnitCipher(Encryption.SM4, secret)


@dataclass
class Terminal:
    """One terminal's keys."""

    rules: DataKeyRules = field(default_factory=DataKeyRules)
    clock: VirtualClock = field(default_factory=clock_at)

    def __post_init__(self) -> None:
        self.keys = DataKeys(
            VIN,
            self.rules,
            sm4,
            self.clock,
            token_bytes,
            own=RsaUnitCipher(TERMINAL),
            peer=RsaUnitCipher(PLATFORM.public_key()),
        )

    @property
    def now_ns(self) -> int:
        return self.clock.boot_ns()

    def later(self, seconds: int) -> None:
        self.clock.advance_to(self.now_ns + seconds * NS_PER_S)

    def reads(self, secret: bytes) -> bool:
        """Whether what the terminal sends now can be read under `secret`."""
        cipher = self.keys.current(self.now_ns)
        return cipher is not None and sm4(secret).decrypt(cipher.encrypt(b"unit")) == b"unit"

    def take(self, message: Message) -> Answered:
        answered = self.keys.take(read_message(message.write()), self.now_ns)
        assert answered is not None
        return answered

    def agree(self) -> None:
        offer = self.keys.offer(self.now_ns)
        self.take(replace(offer, response=Response.SUCCESS, content=Opaque(b"", "empty"), encryption=1))


def key_message(
    secret: bytes = SECRET,
    from_s: int = NOW_S,
    to_s: int = NOW_S + HOUR_S,
    protection: KeyProtection = KeyProtection.FIELD,
    kind: int = Encryption.SM4,
) -> Message:
    in_field = protection is KeyProtection.FIELD
    key = TO_TERMINAL.encrypt(secret) if in_field else secret
    raws = (kind, len(key), key, time_bytes(from_s), time_bytes(to_s))
    message = Message(Edition.Y2025, Command.DATA_KEY, Response.COMMAND, VIN, Values("command 0B", raws))
    return message if in_field else message_of(encrypted(message.frame(), TO_TERMINAL))


def secret_of(offer: Message, protection: KeyProtection) -> bytes:
    own = RsaUnitCipher(PLATFORM)
    if protection is KeyProtection.UNIT:
        assert offer.encryption == Encryption.RSA
        offer = message_of(Frame(Edition.Y2025, 0x0B, 0xFE, VIN, 1, own.decrypt(offer.frame().unit)))
    assert isinstance(offer.content, Values)
    kind, length, key, start, end = offer.content.raws
    assert (kind, length) == (Encryption.SM4, len(key))
    assert (start, end) == (time_bytes(NOW_S), time_bytes(NOW_S + 86_400))
    return key if protection is KeyProtection.UNIT else own.decrypt(key)


@PROTECTIONS
def test_a_key_that_the_terminal_makes_holds_once_the_platform_took_it(protection: KeyProtection) -> None:
    terminal = Terminal(DataKeyRules(protection=protection))
    assert terminal.keys.due(0)
    assert terminal.keys.current(0) is None
    offer = terminal.keys.offer(0)
    assert not terminal.keys.due(0)
    assert terminal.keys.current(0) is None
    secret = secret_of(offer, protection)
    assert secret not in offer.write()
    answered = terminal.take(replace(offer, response=1, content=Opaque(b"", "empty"), encryption=1))
    assert (answered.message, [event.kind for event in answered.events]) == (None, ["data key agreed"])
    assert terminal.reads(secret)
    assert not any(secret.hex() in event.detail for event in answered.events)


@PROTECTIONS
def test_a_key_that_the_platform_makes_holds_from_its_time_to_its_end(protection: KeyProtection) -> None:
    terminal = Terminal(DataKeyRules(protection=protection))
    answered = terminal.take(key_message(from_s=NOW_S + 10, protection=protection))
    assert flag_of(answered) == Response.SUCCESS
    assert terminal.keys.current(0) is None
    terminal.later(10)
    assert terminal.reads(SECRET)
    terminal.later(HOUR_S - 11)
    assert terminal.reads(SECRET)
    terminal.later(1)
    assert terminal.keys.current(terminal.now_ns) is None
    assert len(terminal.keys.decrypting(terminal.now_ns)) == 1
    terminal.later(60)
    assert terminal.keys.decrypting(terminal.now_ns) == ()


REFUSED: dict[str, tuple[Message, Response]] = {
    "over": (key_message(from_s=NOW_S - 100, to_s=NOW_S), Response.ERROR),
    "never": (key_message(from_s=NOW_S, to_s=NOW_S), Response.ERROR),
    "too long": (key_message(to_s=NOW_S + 31 * 86_400), Response.ERROR),
    "far ahead": (key_message(from_s=NOW_S + 40 * 86_400, to_s=NOW_S + 41 * 86_400), Response.ERROR),
    "another cipher": (key_message(kind=Encryption.AES), Response.ERROR),
    "no kind": (key_message(kind=0x77), Response.ERROR),
    "too short": (key_message(secret=b"short"), Response.ERROR),
    "another vehicle": (replace(key_message(), vin=b"LNVGATE00XDEM0002"), Response.VIN_UNKNOWN),
}


@pytest.mark.parametrize(("message", "flag"), REFUSED.values(), ids=REFUSED)
def test_a_key_that_cannot_be_is_refused_and_told(message: Message, flag: Response) -> None:
    terminal = Terminal()
    answered = terminal.take(message)
    assert flag_of(answered) == flag
    assert answered.notices[0].trouble
    assert terminal.keys.decrypting(0) == ()


def test_a_key_in_plain_is_refused_under_either_protection() -> None:
    raws = (int(Encryption.SM4), 16, SECRET, time_bytes(NOW_S), time_bytes(NOW_S + HOUR_S))
    plain = Message(Edition.Y2025, Command.DATA_KEY, Response.COMMAND, VIN, Values("command 0B", raws))
    assert flag_of(Terminal().take(plain)) == Response.DECRYPTION_ERROR
    terminal = Terminal(DataKeyRules(protection=KeyProtection.UNIT))
    assert flag_of(terminal.take(plain)) == Response.ERROR
    assert terminal.keys.decrypting(0) == ()


def test_an_older_key_never_takes_the_place_of_the_one_that_holds() -> None:
    terminal = Terminal()
    older = key_message(secret=bytes(16), from_s=NOW_S - 50)
    terminal.take(older)
    terminal.take(key_message())
    assert terminal.reads(SECRET)
    assert flag_of(terminal.take(older)) == Response.ERROR
    assert terminal.reads(SECRET)
    assert len(terminal.keys.decrypting(0)) == 2


def test_a_key_for_later_leaves_the_one_that_holds_until_then() -> None:
    terminal = Terminal()
    terminal.take(key_message())
    terminal.take(key_message(secret=bytes(16), from_s=NOW_S + 1800, to_s=NOW_S + 7200))
    terminal.take(key_message(secret=b"\1" * 16, from_s=NOW_S + 1, to_s=NOW_S + HOUR_S))
    terminal.later(1799)
    assert terminal.reads(b"\1" * 16)
    terminal.later(1)
    assert terminal.reads(bytes(16))


def test_a_key_is_renewed_before_its_end_and_the_old_one_holds_until_then() -> None:
    terminal = Terminal()
    terminal.agree()
    first = terminal.keys.current(0)
    assert terminal.keys.wake_ns(0) == (86_400 - 600) * NS_PER_S
    terminal.later(86_400 - 601)
    assert not terminal.keys.due(terminal.now_ns)
    terminal.later(1)
    assert terminal.keys.due(terminal.now_ns)
    offer = terminal.keys.offer(terminal.now_ns)
    assert terminal.keys.current(terminal.now_ns) is first
    terminal.take(replace(offer, response=1, content=Opaque(b"", "empty")))
    assert terminal.keys.current(terminal.now_ns) is not first
    assert len(terminal.keys.decrypting(terminal.now_ns)) == 2


def test_a_refused_offer_is_made_again_after_a_pause() -> None:
    terminal = Terminal()
    offer = terminal.keys.offer(0)
    assert terminal.keys.wake_ns(0) is None
    answered = terminal.take(replace(offer, response=Response.ERROR, content=Opaque(b"", "empty")))
    assert answered.notices[0].trouble
    assert terminal.keys.wake_ns(0) == 60 * NS_PER_S
    assert not terminal.keys.due(60 * NS_PER_S - 1)
    assert terminal.keys.due(60 * NS_PER_S)


def test_an_offer_that_a_cut_has_left_unanswered_is_made_again_on_the_next_connection() -> None:
    terminal = Terminal()
    terminal.keys.offer(0)
    terminal.keys.unanswered(NS_PER_S)
    assert terminal.keys.due(NS_PER_S)
    assert terminal.keys.wake_ns(NS_PER_S) == NS_PER_S


def test_a_key_is_offered_wherever_a_moment_will_have_none() -> None:
    terminal = Terminal()
    terminal.take(key_message(from_s=NOW_S + 100, to_s=NOW_S + 2 * HOUR_S))
    assert terminal.keys.current(0) is None
    assert terminal.keys.due(0)
    terminal.take(key_message(secret=bytes(16), to_s=NOW_S + 99))
    assert terminal.keys.due(0)
    terminal.take(key_message(secret=b"\1" * 16, to_s=NOW_S + 100))
    assert not terminal.keys.due(0)
    assert terminal.keys.wake_ns(0) == (2 * HOUR_S - 600) * NS_PER_S


def test_a_clock_that_is_set_back_behind_a_key_has_another_one_offered() -> None:
    terminal = Terminal()
    terminal.agree()
    terminal.clock.set_timebase(clock_at(NOW_S - 5).timebase())
    assert terminal.keys.current(0) is None
    assert terminal.keys.due(0)


def test_keys_for_later_on_leave_the_one_that_holds_however_many_they_are() -> None:
    terminal = Terminal()
    terminal.take(key_message())
    for hour in range(1, 9):
        start_s = NOW_S + hour * HOUR_S
        message = key_message(secret=bytes((hour,)) * 16, from_s=start_s, to_s=start_s + HOUR_S)
        assert flag_of(terminal.take(message)) == Response.SUCCESS
        assert terminal.reads(SECRET)
    assert repr(SECRET)[2:-1] not in repr(vars(terminal.keys))


def test_an_answer_to_nothing_and_other_messages_are_not_taken() -> None:
    terminal = Terminal()
    message = replace(key_message(), response=1)
    assert terminal.keys.take(message, 0) is None
    assert terminal.keys.take(replace(message, command=Command.HEARTBEAT), 0) is None
    terminal.keys.offer(0)
    assert terminal.keys.take(replace(message, vin=b"LNVGATE00XDEM0002"), 0) is None
    assert terminal.keys.current(0) is None


def test_what_would_go_in_plain_cannot_be_configured() -> None:
    def keys(rules: DataKeyRules) -> DataKeys:
        return DataKeys(VIN, rules, sm4, clock_at(), token_bytes)

    with pytest.raises(ConfigError, match="platform's public key"):
        keys(DataKeyRules(accepts=False))
    with pytest.raises(ConfigError, match="private key"):
        keys(DataKeyRules(offers=False))
    with pytest.raises(ConfigError, match="AES and SM4"):
        DataKeyRules(encryption=Encryption.RSA)
    with pytest.raises(ConfigError, match="before its end"):
        DataKeyRules(validity_s=600)


@given(st.binary(max_size=40), st.sampled_from([1, 2, 3, 5]))
def test_any_unit_is_answered_without_a_key(unit: bytes, encryption: int) -> None:
    terminal = Terminal()
    content = Opaque(unit, "encrypted")
    message = Message(Edition.Y2025, Command.DATA_KEY, Response.COMMAND, VIN, content, encryption)
    answered = terminal.keys.take(message, 0)
    assert answered is not None
    assert flag_of(answered) != Response.SUCCESS
    assert terminal.keys.decrypting(0) == ()
