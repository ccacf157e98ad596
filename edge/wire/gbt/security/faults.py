"""What goes wrong with ciphers and signatures, as the platform's response flags tell it apart."""

from __future__ import annotations

from edge.wire.gbt.faults import GbtError


class DecryptionError(GbtError):
    """A data unit cannot be decrypted: wrong algorithm, wrong length, wrong padding, wrong check value.

    Which of the last two it was is not told: whoever can ask often enough would learn the plain text from it.
    """


class SignatureError(GbtError):
    """A report's signature does not hold."""


class SignatureMissingError(SignatureError):
    """A report has no signature."""
