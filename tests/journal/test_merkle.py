"""Roots are those of RFC 9162, and a proof leads to the root for its own leaves at their own places only."""

from __future__ import annotations

import contextlib
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import JournalError
from edge.journal.evidence import merkle

# The entries and roots with which Certificate Transparency's own implementations are tested (RFC 6962, whose
# tree RFC 9162 keeps).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(count: int) -> list[bytes]:
    return [sha256(b"\0" + n.to_bytes(4, "big")).digest() for n in range(count)]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word; the leaves are hashed already."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**power for power in range(len(leaves).bit_length()) if 2**power < len(leaves))
    return sha256(b"\1" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def defined_path(place: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = max(2**power for power in range(len(leaves).bit_length()) if 2**power < len(leaves))
    if place < k:
        return [*defined_path(place, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(place - k, leaves[k:]), defined_root(leaves[:k])]


@pytest.mark.parametrize("count", range(9))
def test_roots_are_the_published_ones(count: int) -> None:
    assert merkle.root(sha256(b"\0" + entry).digest() for entry in ENTRIES[:count]).hex() == ROOTS[count]


@given(st.integers(0, 300))
@settings(max_examples=30, deadline=None)
def test_the_root_is_the_defined_one_at_every_size(count: int) -> None:
    leaves = leaves_of(count)
    assert merkle.root(leaves) == defined_root(leaves)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_proof_of_any_leaves_leads_to_the_root(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 80))
    leaves = leaves_of(count)
    places = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    nodes = merkle.prove(leaves, places)
    known = {place: leaves[place] for place in places}
    assert merkle.proved_root(count, known, nodes) == defined_root(leaves)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_proof_of_one_leaf_is_the_rfc_s_path(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 80))
    place = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    nodes = merkle.prove(leaves, [place])
    assert sorted(nodes) == sorted(defined_path(place, leaves))


def test_a_proof_of_a_range_names_nothing_within_it() -> None:
    leaves = leaves_of(16)
    left, right = merkle.root(leaves[:4]), merkle.root(leaves[8:])
    assert merkle.prove(leaves, range(4, 8)) == (left, right)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_leaf_changed_moved_or_left_out_leads_elsewhere_or_nowhere(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 40))
    leaves = leaves_of(count)
    places = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    nodes = list(merkle.prove(leaves, places))
    known = {place: leaves[place] for place in places}
    victim = data.draw(st.sampled_from(sorted(places)))
    other = data.draw(st.integers(0, count - 1).filter(lambda place: place not in places))
    size = count
    match data.draw(st.sampled_from(["change", "move", "drop", "node", "more", "fewer"])):
        case "change":
            known[victim] = sha256(known[victim]).digest()
        case "move":
            known[other] = known.pop(victim)
        case "drop":
            del known[victim]
        case "node":
            place = data.draw(st.integers(0, len(nodes) - 1))
            nodes[place] = sha256(nodes[place]).digest()
        case "more":
            nodes.insert(data.draw(st.integers(0, len(nodes))), leaves[other])
        case _:
            del nodes[data.draw(st.integers(0, len(nodes) - 1))]
    with contextlib.suppress(JournalError):
        assert merkle.proved_root(size, known, nodes) != defined_root(leaves)


def test_positions_outside_the_tree_and_proofs_of_nothing_are_refused() -> None:
    leaves = leaves_of(4)
    for places in ([], [4], [-1], [0, 9]):
        with pytest.raises(JournalError):
            merkle.prove(leaves, places)
        with pytest.raises(JournalError):
            merkle.proved_root(4, dict.fromkeys(places, leaves[0]), [])


def test_a_claimed_size_costs_no_more_than_its_logarithm() -> None:
    nodes = [bytes(32)] * 62
    assert len(merkle.proved_root(2**62, {0: bytes(32)}, nodes)) == 32
