"""A seeded mutation fuzzer of every decoder in the wire room: `python -m tests.wire.fuzz_message 100000`.

Each mutant must be refused with `WireError`, or give a message that stays equal when written and read again.
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.account import Account, Hop
from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.records import Missing, Record, Value
from edge.wire import account_message, checkpoint, message, receipt, status, time_corrections
from edge.wire.account_message import AccountMessage, StreamLedger
from edge.wire.checkpoint import Checkpoint
from edge.wire.cose import Signer, Verifier
from edge.wire.keys import SigningKey
from edge.wire.loss import Exactness, Interval, LossCause, LossRange
from edge.wire.message import MessageKind, RecordMessage
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.record_columns import Field
from edge.wire.status import Status
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor
from edge.wire.time_corrections import TimeCorrection, TimeCorrections
from tests.wire.drive import drive, drive_keys, message_of, records

VEHICLE = "LNEVGATE000000001"
KEYS = drive_keys()
KEY = SigningKey.seeded(b"fuzz")
VERIFIER = Verifier({VEHICLE: [KEY.public]})

Round = Callable[[bytes], None]


@dataclass(slots=True)
class Findings:
    """What a run saw.

    Attributes:
        refused: mutants refused with `WireError`, by target.
        accepted: mutants that were messages, by target.
        peak_bytes: most memory that Python and NumPy held at once for one mutant, when it was traced.
        slowest_s: longest time for one mutant, including its second round when it was accepted.
        failures: mutants that did anything else: target, mutant in hex, what happened.
    """

    refused: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    peak_bytes: int = 0
    slowest_s: float = 0.0
    failures: list[tuple[str, str, str]] = field(default_factory=list)


def message_round(data: bytes) -> None:
    read = message.decode(data, KEYS)
    again = message.encode(read, KEYS)
    if message.decode(again, KEYS) != read:
        raise AssertionError("an accepted message changed on its second way")


def body_round(data: bytes) -> None:
    """Read `data` as the body of an otherwise good message; its first byte says how many records it has."""
    fields = dict(BODILESS)
    fields[Field.RECORDS] = 1 + data[0] % 64 if data else 1
    fields[Field.BODY] = data[1:]
    message_round(write_cbor(fields))


def receipt_round(data: bytes) -> None:
    if receipt.encode(receipt.decode(data)) != data:
        raise AssertionError("an accepted receipt has two encodings")


def status_round(data: bytes) -> None:
    if status.encode(status.decode(data)) != data:
        raise AssertionError("an accepted status has two encodings")


def checkpoint_round(data: bytes) -> None:
    if checkpoint.encode(checkpoint.decode(data)) != data:
        raise AssertionError("an accepted checkpoint has two encodings")


def account_round(data: bytes) -> None:
    if account_message.encode(account_message.decode(data)) != data:
        raise AssertionError("an accepted account has two encodings")


def corrections_round(data: bytes) -> None:
    if time_corrections.encode(time_corrections.decode(data)) != data:
        raise AssertionError("accepted time corrections have two encodings")


def signed_round(data: bytes) -> None:
    VERIFIER.verify(data, vehicle=VEHICLE)
    if data not in SIGNED:
        raise AssertionError("a changed message kept its signature")


def mixed_message() -> RecordMessage:
    """A message with every state, shape and coding in it."""
    missing = (Missing.INVALID, Missing.ABNORMAL)
    made = []
    for n in range(1, 13):
        values: dict[str, Value] = {
            "vehicle.speed": n * n,
            "hv.current": missing[n % 2] if n % 5 == 0 else -n,
            "hv.soc": 70 if n < 9 else 69,
            "pack[1].cells": tuple(3700 + (n * k) % 7 for k in range(n % 3 + 4)),
            "pack[1].probes": (20, missing[n % 2] if n > 8 else 21, 2**62 * (n % 3 - 1)),
        }
        if n % 4 == 0:
            del values["hv.current"]
        if n % 6 == 0:
            values["pack[1].cells"] = Missing.INVALID
        timebase = Timebase(n // 5 * 10**15, TimeQuality(n // 4))
        made.append(Record(n if n < 6 else n * 3, n * 10**9 + n % 2, timebase, values, f"m{n // 7}", n == 3))
    losses = (
        LossRange(6, 17, LossCause.WITHHELD),
        LossRange(19, 20, LossCause.LOST, Exactness.INTERVAL, Interval(bytes(16), 1, 2)),
    )
    return RecordMessage(MessageKind.BACKLOG, VEHICLE, bytes(16), bytes(16), tuple(made), losses, bytes(16))


def repetitive_message() -> RecordMessage:
    """A message whose body compresses."""
    codes = [tuple((n % 2 * 7919 + k * k * 104_729) % 2**31 for k in range(30 + n % 2)) for n in range(20)]
    made = [Record(n + 1, n, Timebase(), {"pack[1].cells": each}) for n, each in enumerate(codes)]
    return RecordMessage(MessageKind.EVENT, VEHICLE, bytes(16), bytes(16), tuple(made))


def body_of(data: bytes) -> bytes:
    """Body of an encoded message, after its number of records less 1, as `body_round` takes it."""
    fields = read_cbor(data)
    assert isinstance(fields, dict)
    count, body = fields[Field.RECORDS], fields[Field.BODY]
    assert isinstance(count, int)
    assert isinstance(body, bytes)
    return bytes([count - 1]) + body


MESSAGES = [
    message.encode(message_of(records(drive(10, 1), arrays=True)), KEYS, compress=False),
    message.encode(message_of(records(drive(4, 1), arrays=False)), KEYS, compress=False),
    message.encode(mixed_message(), KEYS, compress=False),
]
BODILESS: dict[int, CborValue] = {
    1: 1,
    2: 0,
    3: VEHICLE,
    4: bytes(16),
    6: bytes(16),
    8: 1,
    9: 1,
    10: 0,
    11: 0,
    12: 0,
    13: 0,
    14: ["a", "b"],
    15: b"",
}
HASH = bytes(range(32))
CHECKPOINT = Checkpoint(VEHICLE, bytes(16), 2, 90, HASH, HASH, HASH, bytes(16), 5, 10**18, TimeQuality.NTP, 7)
HOPS = (
    Hop("door", "frames", 900, 890, {"nothing allowed": 9, "unknown id": 1}, {"overflow": 2}),
    Hop("uplink", "records", 30, 30, facts={"messages": 3}),
)
GNSS = Timebase(10**18, TimeQuality.GNSS)
LEDGER = StreamLedger(20, 6, 4)
ACCOUNT = AccountMessage(VEHICLE, bytes(16), bytes(16), 9, GNSS, 30, Account(HOPS), 1, LEDGER)
CORRECTIONS = TimeCorrections(VEHICLE, bytes(16), (TimeCorrection(bytes(16), -1, 2**40, GNSS),) * 2)
GAPS = (NumberRange(10, 12), NumberRange(400, 90_000))
SEEDS: dict[str, tuple[list[bytes], Round]] = {
    "message": (
        [*MESSAGES, message.encode(repetitive_message(), KEYS)],
        message_round,
    ),
    "body": ([body_of(each) for each in MESSAGES], body_round),
    "receipt": ([receipt.encode(Receipt(bytes(16), 9, GAPS, 1, bytes(32)))], receipt_round),
    "status": ([status.encode(Status(True, bytes(16), "nevgate 0.1.0", 7, -5))], status_round),
    "checkpoint": ([checkpoint.encode(CHECKPOINT)], checkpoint_round),
    "account": ([account_message.encode(ACCOUNT)], account_round),
    "time corrections": ([time_corrections.encode(CORRECTIONS)], corrections_round),
    "signed": ([Signer(KEY, vehicle=VEHICLE).sign(b"payload" * 9)], signed_round),
}
SIGNED = frozenset(SEEDS["signed"][0])
_INTERESTING = bytes(
    [0x00, 0x01, 0x17, 0x18, 0x1B, 0x3B, 0x5B, 0x5F, 0x7F, 0x80, 0x9B, 0x9F, 0xBB, 0xC2, 0xD8, 0xF9, 0xFF]
)


def mutant(seeds: list[bytes], dice: random.Random) -> bytes:
    """One mutant: a few byte, bit, length, splice and copy changes to one of the seeds."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(7):
            case 0 if place < len(data):
                data[place] ^= 1 << dice.randrange(8)
            case 1 if place < len(data):
                data[place] = dice.randrange(256)
            case 2 if place < len(data):
                data[place] = dice.choice(_INTERESTING)
            case 3:
                del data[place : place + dice.randrange(1, 9)]
            case 4:
                data[place:place] = dice.randbytes(dice.randrange(1, 9))
            case 5:
                other = dice.choice(seeds)
                start = dice.randrange(len(other))
                data[place : place + dice.randrange(40)] = other[start : start + dice.randrange(40)]
            case _:
                data[place:] = data[place:][: dice.randrange(len(data) + 1)]
    return bytes(data)


def run(count: int, seed: int, *, trace_memory: bool = False) -> Findings:
    """Feed `count` mutants to the decoders, most of them to that of record messages."""
    dice = random.Random(seed)  # noqa: S311 - a fuzzer must be repeatable
    findings = Findings()
    if trace_memory:
        tracemalloc.start()
    try:
        for _ in range(count):
            target = dice.choices(list(SEEDS), (4, 4, 1, 1, 1, 1, 1, 1))[0]
            seeds, round_of = SEEDS[target]
            data = mutant(seeds, dice)
            if trace_memory:
                tracemalloc.reset_peak()
            start = time.perf_counter()
            try:
                round_of(data)
            except WireError:
                findings.refused[target] += 1
            except Exception as error:  # noqa: BLE001 - whatever else a decoder raises is the find
                findings.failures.append((target, data.hex(), repr(error)))
            else:
                findings.accepted[target] += 1
            findings.slowest_s = max(findings.slowest_s, time.perf_counter() - start)
            if trace_memory:
                findings.peak_bytes = max(findings.peak_bytes, tracemalloc.get_traced_memory()[1])
    finally:
        if trace_memory:
            tracemalloc.stop()
    return findings


def main() -> int:
    """Run from the command line; the exit code is 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--memory", action="store_true", help="measure the peak of each mutant (slower)")
    chosen = parser.parse_args()
    start = time.perf_counter()
    findings = run(chosen.count, chosen.seed, trace_memory=chosen.memory)
    print(f"{chosen.count} mutants in {time.perf_counter() - start:.1f} s, seed {chosen.seed}")  # noqa: T201
    print(f"refused {dict(findings.refused)}, accepted {dict(findings.accepted)}")  # noqa: T201
    print(f"slowest {findings.slowest_s * 1e3:.1f} ms, peak {findings.peak_bytes / 1e6:.1f} MB")  # noqa: T201
    for target, data, what in findings.failures[:10]:
        print(f"FAILURE {target} {what}\n  {data}")  # noqa: T201
    return 1 if findings.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
