"""Measures what signing and encrypting 600 bytes of GB/T 32960.3-2025 costs, with keys of usual lengths."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from edge.catalogue.item import Edition
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.keys import KeyKind, cipher_of, make_key, signer_of, verifier_of
from tests.bench.bench_gbt import full_vehicle
from tests.bench.comparison import Comparison
from tests.gbt.grammar import VIN, record_of

UNIT_BYTES = 600
ROUND_S = 0.1
ROUNDS = 5


def a_second(work: Callable[[], object]) -> float:
    """How often a second of CPU, of this process alone, `work` runs: the median of some rounds."""
    work()
    rates = []
    for _ in range(ROUNDS):
        turns, start = 0, time.process_time()
        while (spent := time.process_time() - start) < ROUND_S:
            work()
            turns += 1
        rates.append(turns / spent)
    return statistics.median(rates)


def measure() -> list[Comparison]:
    """Each algorithm: signature made and checked, data unit encrypted and decrypted."""
    (message,), _ = RecordCodec(Edition.Y2025).messages(record_of(full_vehicle(Edition.Y2025)), VIN)
    unit = (2 * message.frame().unit)[:UNIT_BYTES]
    works: list[tuple[str, Callable[[], object]]] = []
    for kind in (KeyKind.SM2, KeyKind.RSA, KeyKind.ECC):
        key = make_key(kind)
        signer, verifier = signer_of(key), verifier_of(key)
        works += [
            (f"{kind.upper()}, sign", partial(signer.sign, unit)),
            (f"{kind.upper()}, check", partial(verifier.check, unit, signer.sign(unit))),
        ]
    for kind in (KeyKind.AES, KeyKind.SM4, KeyKind.SM2, KeyKind.RSA):
        cipher = cipher_of(make_key(kind))
        works += [
            (f"{kind.upper()}, encrypt", partial(cipher.encrypt, unit)),
            (f"{kind.upper()}, decrypt", partial(cipher.decrypt, cipher.encrypt(unit))),
        ]
    return [
        Comparison(
            f"GB/T 32960.3, unit of {len(unit)} bytes: {name}",
            a_second(work),
            None,
            "units/s of CPU",
            "",
            None,
            "",
        )
        for name, work in works
    ]
