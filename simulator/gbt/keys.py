"""`VehicleKeys`: the keys of one vehicle at a platform: registered, activated, exchanged for a term."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge.errors import KeyFileError
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Frame
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encryption_name
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.security.keys import KeyKind, PublicKey, public_key_from_bytes
from edge.wire.gbt.security.signatures import ReportVerifier, SignatureAlgorithm

_DATA_KEYS_KEPT = 4
"""The one in force, the one to come, and older ones whose terms may still overlap."""

_GRACE_S = 60
"""How long after its end a data key decrypts what was under way."""

_KINDS = {
    SignatureAlgorithm.SM2: KeyKind.SM2,
    SignatureAlgorithm.RSA: KeyKind.RSA,
    SignatureAlgorithm.ECC: KeyKind.ECC,
}


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key that was exchanged (2025, command 0x0B).

    Attributes:
        cipher: made of it.
        from_s: Unix time from which it holds.
        to_s: Unix time at which it ends.
    """

    cipher: UnitCipher
    from_s: int
    to_s: int

    def holds(self, unix_s: int) -> bool:
        """Whether what comes then may be under it: while it is in force, and shortly after."""
        return self.from_s <= unix_s < self.to_s + _GRACE_S


class VehicleKeys:
    """What decrypts and checks one vehicle's messages.

    Args:
        ciphers: agreed beforehand, by how frames mark them.
        verifier: of its registered public key.

    Attributes:
        verifier: of its public key; one that was activated takes the place of one that was registered.
        public: the activated public key.
    """

    def __init__(
        self, ciphers: Mapping[int, UnitCipher] | None = None, verifier: ReportVerifier | None = None
    ) -> None:
        self._ciphers = dict(ciphers or {})
        self._data_keys: deque[DataKey] = deque(maxlen=_DATA_KEYS_KEPT)
        self.verifier = verifier
        self.public: PublicKey | None = None

    def take(self, key: DataKey) -> None:
        """Add a data key; the latest is tried first."""
        self._data_keys.appendleft(key)

    def opened(self, frame: Frame, own: Mapping[int, UnitCipher], unix_s: int) -> Frame:
        """Decrypt a frame's data unit.

        Args:
            frame: which.
            own: ciphers of the platform's own private keys.
            unix_s: now; data keys hold for their terms.

        Raises:
            DecryptionError: there is no key that does.
        """
        failed: DecryptionError | None = None
        for cipher in self._candidates(frame.encryption, own, unix_s):
            try:
                return decrypted(frame, cipher)
            except DecryptionError as error:
                failed = error
        if failed is not None:
            raise failed
        raise DecryptionError(f"there is no key of {encryption_name(frame.encryption)} in force")

    def _candidates(self, code: int, own: Mapping[int, UnitCipher], unix_s: int) -> Iterator[UnitCipher]:
        for key in self._data_keys:
            if key.cipher.code == code and key.holds(unix_s):
                yield key.cipher
        for ciphers in (self._ciphers, own):
            if code in ciphers:
                yield ciphers[code]


def activated_key(algorithm: int, key: bytes) -> PublicKey:
    """The public key of an activation, of the algorithm that signed it.

    Raises:
        GbtError: it is none.
    """
    try:
        kind = _KINDS[SignatureAlgorithm(algorithm)]
    except ValueError as error:
        raise GbtError(f"no signature algorithm is coded {algorithm:02X}") from error
    try:
        return public_key_from_bytes(kind, key)
    except KeyFileError as error:
        raise GbtError(error.what) from error
