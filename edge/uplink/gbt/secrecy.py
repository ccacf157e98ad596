"""`Secrecy`: under which key data units go and come on one session, if any."""

from __future__ import annotations

from collections.abc import Callable

from edge.uplink.gbt.data_keys import DataKeys
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encrypted
from edge.wire.gbt.security.faults import DecryptionError

_NEVER = frozenset({Command.ACTIVATE, Command.ACTIVATION_RESULT, Command.DATA_KEY})
"""Commands that come before there is a data key; what they protect they protect themselves."""


class NoDataKeyError(GbtError):
    """What was to be encrypted cannot go: no data key holds."""


class Secrecy:
    """Encrypts what goes and decrypts what comes.

    Args:
        agreed: the cipher that both sides were given beforehand; None where there is none.
        keys: exchanged data keys (2025); None where none are.
    """

    def __init__(self, agreed: UnitCipher | None = None, keys: DataKeys | None = None) -> None:
        self.keys = keys
        self._agreed = agreed

    def ready(self, now_ns: int) -> bool:
        """Whether a data unit may go now: nothing that is to be encrypted ever goes in plain."""
        return self.keys is None or self.keys.current(now_ns) is not None

    def sealed(self, frame: Frame, now_ns: int) -> Frame:
        """The frame as it goes, under the key that holds now.

        Raises:
            NoDataKeyError: none does, and the frame has a data unit.
            GbtError: encrypted it is too long.
        """
        if frame.command in _NEVER or frame.encryption != Encryption.NONE or not frame.unit:
            return frame
        seal = self.sealing(now_ns)
        if seal is None:
            raise NoDataKeyError("no data key holds, and nothing that is to be encrypted goes in plain")
        return seal(frame)

    def sealing(self, now_ns: int) -> Callable[[Frame], Frame] | None:
        """What encrypts under the key that holds now, for several frames; None where none does."""
        cipher = self._agreed if self.keys is None else self.keys.current(now_ns)
        if cipher is not None:
            return lambda frame: encrypted(frame, cipher)
        return None if self.keys is not None else lambda frame: frame

    def opened(self, frame: Frame, now_ns: int) -> Frame:
        """The frame in plain; a data key under a public key stays as it is.

        Raises:
            DecryptionError: it does not decrypt under any key that may be meant.
        """
        asymmetric = frame.encryption in {Encryption.RSA, Encryption.SM2}
        if frame.encryption == Encryption.NONE or (frame.command in _NEVER and asymmetric):
            return frame
        agreed = () if self._agreed is None else (self._agreed,)
        error = DecryptionError("is encrypted, and no key was agreed upon")
        for cipher in agreed if self.keys is None else self.keys.decrypting(now_ns):
            try:
                return decrypted(frame, cipher)
            except DecryptionError as failure:
                error = failure
        raise error
