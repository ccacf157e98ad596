"""`Secrecy`: under which key data units go and come on one session, if any."""

from __future__ import annotations

from edge.uplink.gbt.data_keys import DataKeys
from edge.wire.gbt.frame import Command, Encryption, Frame
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encrypted
from edge.wire.gbt.security.faults import DecryptionError

_NEVER = frozenset({Command.ACTIVATE, Command.ACTIVATION_RESULT, Command.DATA_KEY})
"""Commands that come before there is a data key; what they protect they protect themselves."""


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
            GbtError: encrypted it is too long.
        """
        if frame.command in _NEVER or frame.encryption != Encryption.NONE:
            return frame
        cipher = self._agreed if self.keys is None else self.keys.current(now_ns)
        return frame if cipher is None else encrypted(frame, cipher)

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
