"""Verify an excerpt of a nevgate journal with public keys alone, by `docs/journal-format.md`.

It shares no code with nevgate and needs Python 3.11 with the packages cbor2 and cryptography. It prints
what is proved and ends with 0, or says what does not hold and ends with 1:

    python verify_excerpt.py excerpt.cbor --vehicle vehicle.pem [--platform platform.pem]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

NEIGHBOUR, CLOSED, OPEN = 0, 1, 2
SALT_BYTES, HASH_BYTES, SIGNATURE_BYTES, CBOR_CONTENT = 16, 32, 64, 60
NS_PER_S = 1_000_000_000
HEADER = (int, int, int, str, bytes, int, int, int, int, int, bytes, int, int, int, str)


class ExcerptError(Exception):
    """Something in the excerpt is not what it claims to be; the message says what."""


def need(condition: object, what: str) -> None:
    """Go on only if `condition` holds."""
    if not condition:
        raise ExcerptError(what)


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the parts, one behind the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def typed(value: object, *types: type) -> bool:
    """Whether `value` is an array of exactly these types."""
    return type(value) is list and [type(each) for each in value] == list(types)


def plain(value: object) -> bool:
    """Whether a value is of integers of 64 bits, texts, bytes, arrays, and maps by integers, and no more."""
    if type(value) is dict:
        return all(type(key) is int and plain(each) for key, each in value.items())
    if type(value) is list:
        return all(plain(each) for each in value)
    return type(value) in (str, bytes) or (type(value) is int and -(2**63) <= value < 2**63)


def read_cbor(data: bytes, what: str) -> Any:  # noqa: ANN401 - whatever stands there; callers look
    """Read one CBOR item; it must be in deterministic encoding, so that it has no second form."""
    try:
        value = cbor2.loads(data)
        same = plain(value) and cbor2.dumps(value, canonical=True) == data
    except Exception as error:  # whatever the library raises, it is no excerpt
        raise ExcerptError(f"{what} is no CBOR: {error}") from error
    need(same, f"{what} is not in the one encoding it may have")
    return value


class Keys:
    """Public keys by the 8 bytes that signatures name them with."""

    def __init__(self, pems: Iterable[bytes]) -> None:
        self.keys: dict[bytes, Any] = {}
        for pem in pems:
            key = load_pem_public_key(pem)
            der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self.keys[hashlib.sha256(der).digest()[:8]] = key

    def open(self, signed: bytes, topic: str) -> tuple[bytes, bytes]:
        """Check a COSE_Sign1 (RFC 9052) and return its payload and the id of the key that signed it."""
        need(signed[:1] == b"\xd2", "a signed message is no COSE_Sign1")
        parts = read_cbor(signed[1:], "a signed message")
        need(typed(parts, bytes, dict, bytes, bytes) and parts[1] == {}, "a signed message is misshapen")
        protected, _, payload, signature = parts
        header = read_cbor(protected, "a protected header")
        need(type(header) is dict and list(header) == [1, 3, 4], "a protected header has other fields")
        key: Any = self.keys.get(header[4]) if type(header[4]) is bytes else None
        need(key, "a message is signed by a key that was not given")
        edwards = isinstance(key, Ed25519PublicKey)
        fits = (header[1], header[3]) == (-8 if edwards else -7, CBOR_CONTENT)
        need(fits, "a protected header does not fit its key")
        need(len(signature) == SIGNATURE_BYTES, "a signature has not 64 bytes")
        message = cbor2.dumps(["Signature1", protected, topic.encode(), payload])
        try:
            if edwards:
                key.verify(signature, message)
            else:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise ExcerptError(f"the signature of key {header[4].hex()} is wrong") from error
        return payload, header[4]


class Block:
    """A block as the excerpt shows it: header, place as a leaf, and content where it is open."""

    def __init__(self, entry: Any) -> None:  # noqa: ANN401 - looked at first
        open_ = typed(entry, int, bytes, bytes, bytes, bytes) and entry[0] == OPEN
        shut = typed(entry, int, bytes, bytes, bytes) and entry[0] in (NEIGHBOUR, CLOSED)
        need(open_ or shut, "a block is misshapen")
        self.showing, header_bytes, ciphertext_hash = entry[:3]
        header = read_cbor(header_bytes, "a block's header")
        need(typed(header, *HEADER) and header[0] == 1, "a block's header is misshapen or of another version")
        self.number, self.kind, self.data_class, self.boot, self.from_ns, self.to_ns = header[1:7]
        self.previous, self.plaintext = header[9], entry[4] if open_ else None
        sizes = (HASH_BYTES, SALT_BYTES if open_ else HASH_BYTES)
        need((len(ciphertext_hash), len(entry[3])) == sizes, f"block {self.number}: misshapen hashes")
        commitment = sha256(entry[3], entry[4]) if open_ else entry[3]
        self.leaf = sha256(b"\x00", header_bytes, ciphertext_hash, commitment)


def merkle_root(size: int, leaves: dict[int, bytes], nodes: Iterator[bytes]) -> bytes:
    """Root of the tree of RFC 9162 from some leaves by position, and the roots of subtrees without any."""
    if not leaves:
        node = next(nodes, b"")
        need(node, "a proof has too few hashes")
        return node
    if size == 1:
        return leaves[0]
    left_size = 1
    while left_size * 2 < size:
        left_size *= 2
    left = {place: leaf for place, leaf in leaves.items() if place < left_size}
    right = {place - left_size: leaf for place, leaf in leaves.items() if place >= left_size}
    left_root = merkle_root(left_size, left, nodes)
    return sha256(b"\x01", left_root, merkle_root(size - left_size, right, nodes))


class Checkpoint:
    """A signed checkpoint with the blocks that are shown under it, all of which it proves."""

    def __init__(self, segment: list[Any], of: tuple[str, bytes], keys: tuple[Keys, Keys]) -> None:
        need(typed(segment, bytes, bytes, list, list), "a checkpoint is not laid out as one")
        (vehicle, stream), (self.signed, receipt, nodes, entries) = of, segment
        payload, self.key_id = keys[0].open(self.signed, f"nev/v1/{vehicle}/up")
        fields = read_cbor(payload, "a checkpoint")
        need(type(fields) is dict and {*fields} - {9} == {*range(1, 9), *range(10, 15)}, "no checkpoint")
        need((fields[1], fields[2]) == (1, 4), "a signed message is no checkpoint of version 1")
        need((fields[3], fields[4]) == (vehicle, stream), "a checkpoint is of another vehicle or journal")
        self.first, self.last, self.previous = fields[5], fields[6], fields.get(9)
        self.boot, self.t_ns, self.wall_offset_ns, self.time_quality = (fields[key] for key in range(10, 14))
        need((self.previous is None) == (self.first == 1), "a checkpoint's beginning contradicts itself")
        self.name = f"checkpoint of blocks {self.first} to {self.last}"
        self.blocks = [Block(entry) for entry in entries]
        self.prove(fields[7], nodes)
        self.receipt_ns = None
        if receipt and keys[1].keys:
            told, _ = keys[1].open(receipt, f"nev/v1/{vehicle}/down")
            told = read_cbor(told, "a receipt")
            need(type(told) is dict and (told.get(1), type(told.get(5))) == (1, int), "no receipt")
            right = (told.get(2), told.get(6)) == (stream, sha256(self.signed))
            need(right, f"{self.name}: the receipt beside it is for another")
            self.receipt_ns = told[5]

    def prove(self, root: bytes, nodes: list[bytes]) -> None:
        """The blocks shown are leaves of the signed tree, each at the place of its chain number."""
        need(all(type(node) is bytes and len(node) == HASH_BYTES for node in nodes), "a proof is misshapen")
        if not self.blocks:
            need(not nodes, f"{self.name}: hashes that prove nothing")
            return
        numbers = [block.number for block in self.blocks]
        need(numbers == sorted(set(numbers)), f"{self.name}: blocks out of order")
        need(self.first <= numbers[0] and numbers[-1] <= self.last, f"{self.name}: a block is not its own")
        late = [block.number for block in self.blocks if block.boot == self.boot and block.to_ns > self.t_ns]
        need(not late, f"blocks {late} are from after their checkpoint")
        leaves, rest = {block.number - self.first: block.leaf for block in self.blocks}, iter(nodes)
        found = merkle_root(self.last - self.first + 1, leaves, rest)
        need(next(rest, None) is None, "a proof has too many hashes")
        need(found == root, f"{self.name}: a block shown is not the one that was signed")


class Claim:
    """What a verified excerpt proves."""

    def __init__(self, fields: list[Any], checkpoints: list[Checkpoint]) -> None:
        self.vehicle, self.stream, self.kind, self.data_class, self.boot, self.from_ns, self.to_ns = fields
        self.checkpoints = checkpoints
        self.shown = [block for checkpoint in checkpoints for block in checkpoint.blocks]
        self.blocks = {block.number: block.plaintext for block in self.shown if self.within(block)}
        wrong = [each.number for each in self.shown if self.within(each) == (each.showing == NEIGHBOUR)]
        need(not wrong, f"blocks {wrong} are shown as within the range but are not, or the other way")
        self.one_run()
        self.margin_ns = self.complete()

    def of_series(self, block: Block) -> bool:
        """Whether a block is of the kind and class that the excerpt speaks of."""
        return (block.kind, block.data_class) == (self.kind, self.data_class)

    def within(self, block: Block) -> bool:
        """Whether a block is of the series and touches the range."""
        touches = block.from_ns <= self.to_ns and block.to_ns >= self.from_ns
        return self.of_series(block) and block.boot == self.boot and touches

    def one_run(self) -> None:
        """What is of the boot stands together in the chain, so that all else is before it or after it."""
        boots: list[bytes] = []
        for checkpoint in self.checkpoints:
            boots += [*(block.boot for block in checkpoint.blocks), checkpoint.boot]
        order = "".join("B" if boot == self.boot else "-" for boot in boots)
        need("B" in order, "nothing here is of the boot that the excerpt speaks of")
        need("-" not in order.strip("-"), "blocks or checkpoints of two boots are mixed")

    def complete(self) -> int | None:
        """No block of the series in the range is left out: return how late after it one would be seen."""
        first = self.checkpoints[0]
        fenced = not first.blocks and (first.boot != self.boot or first.t_ns < self.from_ns)
        accounted = first.last if fenced else 0
        linked = False
        for block in filter(self.of_series, self.shown):
            follows = block.previous == accounted or (not linked and block.previous < accounted)
            need(follows, f"block {block.previous}, which block {block.number} follows, is left out")
            accounted, linked = block.number, True
        for block in self.shown:
            accounted += block.number == accounted + 1
        begun, margins = False, list[int | None]()
        for checkpoint in self.checkpoints:
            begun = begun or any(block.boot == self.boot for block in checkpoint.blocks)
            if checkpoint.last <= accounted:
                if checkpoint.boot == self.boot and checkpoint.t_ns >= self.to_ns:
                    margins.append(checkpoint.t_ns - self.to_ns)
                elif checkpoint.boot != self.boot and begun:
                    margins.append(None)
            begun = begun or checkpoint.boot == self.boot
        need(margins, "the excerpt ends before its range does")
        return margins[-1]

    def confirmed_ns(self) -> int | None:
        """When the platform had a checkpoint over all blocks of the range; None if it does not say."""
        last = max(self.blocks, default=self.checkpoints[-1].last)
        return next((c.receipt_ns for c in self.checkpoints if c.receipt_ns and c.last >= last), None)


def verify(data: bytes, vehicle_pems: Iterable[bytes], platform_pems: Iterable[bytes]) -> Claim:
    """Verify an excerpt and return what it proves, or raise ExcerptError."""
    fields = read_cbor(data, "the excerpt")
    need(type(fields) is dict and list(fields) == list(range(10)), "this file is no excerpt")
    need((fields[0], fields[1]) == ("nevgate excerpt", 1), "this file is no excerpt of version 1")
    types = (str, int, str, bytes, int, str, bytes, int, int, list)
    need(typed(list(fields.values()), *types), "a field of the excerpt has another type")
    need(fields[4] in range(1, 12), "the kind of block is unknown")
    need(fields[7] <= fields[8], "the range runs backwards")
    keys = Keys(vehicle_pems), Keys(platform_pems)
    checkpoints = [Checkpoint(segment, (fields[2], fields[3]), keys) for segment in fields[9]]
    need(checkpoints, "the excerpt rests on no checkpoint")
    for before, after in pairwise(checkpoints):
        need(after.first == before.last + 1, f"{after.name}: the one before it is left out")
        need(after.previous == sha256(before.signed), f"{after.name}: it follows another one than shown")
        onwards = after.boot != before.boot or after.t_ns >= before.t_ns
        need(onwards, f"{after.name}: it was made before the one before it")
    return Claim([fields[key] for key in range(2, 9)], checkpoints)


def main() -> int:
    """Read the files, verify, and say what is proved."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("excerpt", type=argparse.FileType("rb"))
    parser.add_argument("--vehicle", type=argparse.FileType("rb"), action="append", required=True)
    parser.add_argument("--platform", type=argparse.FileType("rb"), action="append", default=[])
    given = parser.parse_args()
    pems = ([file.read() for file in files] for files in (given.vehicle, given.platform))
    try:
        claim = verify(given.excerpt.read(), *pems)
    except (ExcerptError, ValueError) as error:
        print(f"DOES NOT HOLD: {error}")
        return 1
    print(f"PROVED: vehicle {claim.vehicle}, journal {claim.stream.hex()}, boot {claim.boot.hex()},")
    print(f"  kind {claim.kind}, class {claim.data_class!r}, from {claim.from_ns} to {claim.to_ns} ns:")
    print(f"  these {len(claim.blocks)} blocks are all there are, in order and unchanged.")
    for number, plaintext in claim.blocks.items():
        told = "content not shown" if plaintext is None else f"{len(plaintext)} bytes, as recorded"
        print(f"  block {number}: {told}")
    late = "ever" if claim.margin_ns is None else f"until {claim.margin_ns / NS_PER_S} s after the range"
    print(f"  No block of this series in the range that was written {late} is left out.")
    for c in claim.checkpoints:
        print(f"  {c.name}: made {c.t_ns} ns after boot {c.boot.hex()}, signed by key {c.key_id.hex()};")
        print(f"    Unix time {(c.t_ns + c.wall_offset_ns) // NS_PER_S} s, time quality {c.time_quality}")
    if (confirmed_ns := claim.confirmed_ns()) is None:
        print("  No receipt of the platform that was checked covers all of it.")
    else:
        print(f"  The platform had all of it, signed, at Unix time {confirmed_ns // NS_PER_S} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
