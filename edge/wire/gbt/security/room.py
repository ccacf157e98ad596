"""Room in a data unit for what encryption and signature add to it."""

from __future__ import annotations

from dataclasses import replace

from edge.wire.gbt.options import Options
from edge.wire.gbt.security.ciphers import UnitCipher
from edge.wire.gbt.security.signatures import ReportSigner

_SIGNATURE_OVERHEAD_BYTES = 6
"""The mark, the algorithm, and the lengths of R and S."""


def with_room(options: Options, cipher: UnitCipher | None, signer: ReportSigner | None) -> Options:
    """Options whose data units still fit a frame when they are signed and encrypted.

    RSA makes units longer by the padding of each piece: from 2,048 bits on fewer than `unit_bytes` of the
    default fit.
    """
    longest = options.unit_bytes if cipher is None else cipher.longest
    added = 0 if signer is None else signer.signature_bytes + _SIGNATURE_OVERHEAD_BYTES
    return replace(options, unit_bytes=min(options.unit_bytes, longest - added))
