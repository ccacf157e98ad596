"""Geohash: names of cells of the earth, each character one of 32 parts of the cell before."""

from __future__ import annotations

from collections.abc import Iterator

STEPS_A_DEGREE = 1_000_000
"""Positions are in whole steps of 1e-6 degrees, as the items gnss.lon and gnss.lat are."""

MOST_CHARACTERS = 12
"""A cell of twelve characters is smaller than a step."""

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
_BITS_A_CHARACTER = 5
_AROUND, _UPWARD = 360 * STEPS_A_DEGREE, 180 * STEPS_A_DEGREE


def geohash_of(lon: int, lat: int, characters: int) -> str:
    """The name of the cell that a position lies in (Niemeyer's geohash, longitude first).

    Args:
        lon: -180 to 180 degrees in steps of 1e-6.
        lat: -90 to 90 degrees in steps.
        characters: of the name, 1 to `MOST_CHARACTERS`.
    """
    across, upward = _bits(characters)
    bits = interleaved(
        _part(lon + _AROUND // 2, _AROUND, across), across, _part(lat + _UPWARD // 2, _UPWARD, upward), upward
    )
    return "".join(
        _ALPHABET[bits >> _BITS_A_CHARACTER * place & (1 << _BITS_A_CHARACTER) - 1]
        for place in reversed(range(characters))
    )


def geohash_centre(name: str) -> tuple[int, int]:
    """The middle of a cell: longitude and latitude in steps of 1e-6 degrees.

    Raises:
        ValueError: if it is no geohash of 1 to `MOST_CHARACTERS` characters.
    """
    across, upward = _bits(len(name))
    east = north = 0
    for place, bit in enumerate(_bits_of(name)):
        if place % 2:
            north = north << 1 | bit
        else:
            east = east << 1 | bit
    return _middle(east, _AROUND, across) - _AROUND // 2, _middle(north, _UPWARD, upward) - _UPWARD // 2


def interleaved(east: int, across: int, north: int, upward: int) -> int:
    """The bits of both parts in turn, longitude first, the most significant first."""
    found = 0
    for place in range(across + upward):
        number, width = (north, upward) if place % 2 else (east, across)
        found = found << 1 | number >> width - 1 - place // 2 & 1
    return found


def _bits(characters: int) -> tuple[int, int]:
    if not 1 <= characters <= MOST_CHARACTERS:
        raise ValueError(f"a geohash has 1 to {MOST_CHARACTERS} characters, not {characters}")
    bits = _BITS_A_CHARACTER * characters
    return (bits + 1) // 2, bits // 2


def _part(offset: int, whole: int, bits: int) -> int:
    """Which of 2**bits parts of `whole` holds `offset`; its end belongs to the last."""
    return min((offset << bits) // whole, (1 << bits) - 1)


def _middle(part: int, whole: int, bits: int) -> int:
    """The middle step of those in a part, or the nearest one where the part holds none."""
    first = -(-part * whole >> bits)
    end = -(-(part + 1) * whole >> bits)
    return (first + max(end - 1, first)) // 2


def _bits_of(name: str) -> Iterator[int]:
    for character in name.lower():
        number = _ALPHABET.find(character)
        if number < 0:
            raise ValueError("a geohash has no such character")
        for place in reversed(range(_BITS_A_CHARACTER)):
            yield number >> place & 1
