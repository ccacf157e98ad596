"""Measures the wire: bytes a record against JSON, CBOR rows and protobuf-like rows, and the time it takes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.records import Missing, Record
from edge.wire.cose import Signer, Verifier
from edge.wire.item_keys import ItemKeys, wire_key
from edge.wire.keys import SigningKey
from edge.wire.message import decode, encode
from tests.bench.comparison import Comparison, alternate
from tests.wire.drive import drive, drive_keys, message_of, records, walking_records

SEEDS = range(5)
VEHICLE = "LNEVGATE000000001"
KEY = SigningKey.seeded(b"bench")
BARE_KEY = Ed25519PrivateKey.generate()
ASKED_BYTES = {60: "at most 45", 10: "at most 80"}


def json_rows(made: Sequence[Record]) -> bytes:
    """Each record as JSON with its items' names."""
    rows = [{"number": each.number, "t_ns": each.t_ns, "values": _plain(each)} for each in made]
    return json.dumps(rows, separators=(",", ":")).encode()


def cbor_rows(made: Sequence[Record], keys: ItemKeys) -> bytes:
    """Each record as a CBOR map of wire keys, with the same ids before them as the message carries."""
    head = message_of([])
    rows: list[object] = []
    for each in made:
        values: dict[object, object] = {}
        for item_id, value in _plain(each).items():
            key, index = wire_key(item_id, keys)
            values[(key, index) if index else key] = value
        rows.append([each.number, each.t_ns, values])
    return cbor2.dumps(
        [head.vehicle, head.stream, head.boot, made[0].timebase.wall_offset_ns, made[0].mask, rows]
    )


def protobuf_rows(made: Sequence[Record], keys: ItemKeys) -> bytes:
    """Each record as protobuf would write it: a tag and a zigzag varint for each value, arrays packed."""
    out = bytearray(40 + len(made[0].mask))
    for each in made:
        row = bytearray()
        for field, number in ((1, each.number), (2, each.t_ns)):
            row += _varint(field << 3) + _varint(number)
        for item_id, value in _plain(each).items():
            key, index = wire_key(item_id, keys)
            tag = key * 256 + index
            if isinstance(value, list):
                packed = b"".join(_varint(_zigzag(element)) for element in value)
                row += _varint(tag << 3 | 2) + _varint(len(packed)) + packed
            else:
                row += _varint(tag << 3) + _varint(_zigzag(value))
        out += b"\x0a" + _varint(len(row)) + row
    return bytes(out)


def _plain(record: Record) -> dict[str, int | list[int]]:
    """The values of a record that has no missing ones."""
    plain: dict[str, int | list[int]] = {}
    for item_id, value in record.values.items():
        if isinstance(value, tuple):
            plain[item_id] = [element for element in value if not isinstance(element, Missing)]
        elif not isinstance(value, Missing):
            plain[item_id] = value
    return plain


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _drive_arrays(count: int, seed: int) -> list[Record]:
    return records(drive(300, seed), arrays=True)[120 : 120 + count]


def _drive_scalars(count: int, seed: int) -> list[Record]:
    return records(drive(300, seed), arrays=False)[120 : 120 + count]


WORKLOADS: dict[str, Callable[[int, int], list[Record]]] = {
    "80 moving values of a drive (41 cells, 12 probes as arrays)": _drive_arrays,
    "80 moving values of a drive (each an item)": _drive_scalars,
    "80 random walks, 2 steps/s": walking_records,
}


def measure() -> list[Comparison]:
    """Sizes of signed messages over several seeds, then times of one message of each size."""
    keys = drive_keys()
    signer = Signer(KEY, vehicle=VEHICLE)
    verifier = Verifier({VEHICLE: [KEY.public]})
    peers: dict[str, Callable[[Sequence[Record]], bytes]] = {
        "JSON rows": json_rows,
        "CBOR rows": lambda made: cbor_rows(made, keys),
        "protobuf-like rows": lambda made: protobuf_rows(made, keys),
    }
    lines: list[Comparison] = []
    for count, asked in ASKED_BYTES.items():
        for workload, make in WORKLOADS.items():
            made = [make(count, seed) for seed in SEEDS]
            ours = statistics.median(
                len(signer.sign(encode(message_of(each), keys))) / count for each in made
            )
            for peer_name, peer in peers.items():
                theirs = statistics.median(len(peer(each)) / count for each in made)
                lines.append(
                    Comparison(
                        f"signed message of {count} records, {workload}",
                        ours,
                        theirs,
                        "bytes/record",
                        f"{peer_name}, unsigned",
                        theirs / ours,
                        asked,
                    )
                )
    for count in ASKED_BYTES:
        message = message_of(_drive_arrays(count, 0))
        payload = encode(message, keys)
        signed = signer.sign(payload)
        text = json_rows(message.records)
        works: dict[str, tuple[Callable[[], object], Callable[[], object], str]] = {
            "encode": (partial(encode, message, keys), partial(json_rows, message.records), "json.dumps"),
            "decode": (partial(decode, payload, keys), partial(json.loads, text), "json.loads"),
            "sign": (partial(signer.sign, payload), partial(BARE_KEY.sign, payload), "bare Ed25519"),
            "verify": (
                partial(verifier.verify, signed, vehicle=VEHICLE),
                partial(BARE_KEY.public_key().verify, BARE_KEY.sign(payload), payload),
                "bare Ed25519",
            ),
        }
        for what, (ours_work, peer_work, peer_name) in works.items():
            ours_s, peer_s = alternate(ours_work, peer_work, rounds=15)
            lines.append(
                Comparison(
                    f"{what} a message of {count} records",
                    ours_s * 1e3,
                    peer_s * 1e3,
                    "ms",
                    peer_name,
                    peer_s / ours_s,
                    "",
                )
            )
    return lines
