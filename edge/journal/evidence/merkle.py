"""Merkle trees of RFC 9162, section 2.1: the root over blocks, and proofs that need only some of them."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from edge.errors import JournalError

_NODE = b"\x01"


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`: how many leaves stand on the left."""
    return 1 << (size - 1).bit_length() - 1


class Tree:
    """The root over leaves that come one by one, kept in as many hashes as their number has bits."""

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    def __len__(self) -> int:
        return self._size

    def add(self, leaf: bytes) -> None:
        """Take one leaf more.

        Args:
            leaf: the hash of the entry behind the byte 0 (RFC 9162, section 2.1.1), 32 bytes.
        """
        self._size += 1
        finished = self._size
        while finished % 2 == 0:
            leaf = _node(self._peaks.pop(), leaf)
            finished //= 2
        self._peaks.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far; that over none is the SHA-256 of nothing."""
        if not self._peaks:
            return hashlib.sha256().digest()
        value = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            value = _node(peak, value)
        return value


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over `leaves`, hashes of 32 bytes each."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def prove(leaves: Sequence[bytes], positions: Iterable[int]) -> tuple[bytes, ...]:
    """The hashes from which, with the leaves at `positions`, the root over all follows.

    They are the roots of the largest subtrees without any of these leaves, from left to right. For one
    position they are the inclusion proof of RFC 9162 (section 2.1.3.1) in this order; for positions in a row,
    the hashes left and right of it.

    Args:
        leaves: all leaves of the tree.
        positions: places from 0 of the leaves that a reader will have.

    Raises:
        JournalError: a position is outside the tree, or there is none.
    """
    wanted = sorted(set(positions))
    if not wanted or not 0 <= wanted[0] <= wanted[-1] < len(leaves):
        raise JournalError("a proof is asked for no leaf, or for one outside the tree")

    def nodes(start: int, end: int) -> Iterator[bytes]:
        first = bisect_left(wanted, start)
        if first == len(wanted) or wanted[first] >= end:
            yield root(leaves[start:end])
        elif end - start > 1:
            middle = start + _split(end - start)
            yield from nodes(start, middle)
            yield from nodes(middle, end)

    return tuple(nodes(0, len(leaves)))


def proved_root(size: int, known: Mapping[int, bytes], nodes: Sequence[bytes]) -> bytes:
    """The root that a proof of `prove` leads to: compare it with one that is trusted.

    Args:
        size: number of leaves of the tree, from a trusted place; the time taken grows with its logarithm.
        known: leaves by position, at least one.
        nodes: the proof.

    Raises:
        JournalError: a position is outside the tree, or the proof has too many or too few hashes.
    """
    wanted = sorted(known)
    if not wanted or not 0 <= wanted[0] <= wanted[-1] < size:
        raise JournalError("a proof is of no leaf, or of one outside the tree")
    rest = iter(nodes)

    def value(start: int, end: int) -> bytes:
        first = bisect_left(wanted, start)
        if first == len(wanted) or wanted[first] >= end:
            hash_ = next(rest, None)
            if hash_ is None:
                raise JournalError("a proof has too few hashes")
            return hash_
        if end - start == 1:
            return known[start]
        middle = start + _split(end - start)
        return _node(value(start, middle), value(middle, end))

    found = value(0, size)
    if next(rest, None) is not None:
        raise JournalError("a proof has too many hashes")
    return found
