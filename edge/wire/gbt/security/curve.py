"""The curve of SM2 (GB/T 32918.5-2017): points added and multiplied, blinded where the factor is secret.

Integers of Python take longer for larger numbers, so that nothing here takes the same time for every secret.
What is done against it: each multiplication runs through the same additions and doublings whatever the factor
(complete formulas, no case apart), the factor gets a random multiple of the order added, and the point a
random scale; so the numbers that the time depends on are others each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SCALAR_BYTES = 32

_WINDOW_BITS = 4
_MASK = (1 << _WINDOW_BITS) - 1
_BLIND_BYTES = 8
_SECRET_WINDOWS = 8 * (SCALAR_BYTES + _BLIND_BYTES) // _WINDOW_BITS
_OPEN_WINDOWS = 8 * SCALAR_BYTES // _WINDOW_BITS

Point = tuple[int, int]
Scaled = tuple[int, int, int]
"""x, y and z of a point x/z, y/z; z is 0 for the point at infinity."""

RandomBytes = Callable[[int], bytes]

_INFINITY: Scaled = (0, 1, 0)


def is_on_curve(point: Point) -> bool:
    """Whether both coordinates are of the field and satisfy the equation; so it is no point at infinity."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (y * y - x * x * x - A * x - B) % P == 0


def add(one: Scaled, other: Scaled) -> Scaled:
    """Add any two points (Renes, Costello, Batina 2015, algorithm 4: complete for a = -3)."""
    x1, y1, z1 = one
    x2, y2, z2 = other
    xx, yy, zz = x1 * x2 % P, y1 * y2 % P, z1 * z2 % P
    xy = (x1 + y1) * (x2 + y2) - xx - yy
    yz = ((y1 + z1) * (y2 + z2) - yy - zz) % P
    xz = (x1 + z1) * (x2 + z2) - xx - zz
    third = 3 * (xz - B * zz) % P
    low, high = yy - third, yy + third
    mixed = 3 * (B * xz - 3 * zz - xx) % P
    slope = 3 * (xx - zz)
    return (
        (xy * high - yz * mixed) % P,
        (high * low + slope * mixed) % P,
        (yz * low + xy * slope) % P,
    )


def double(point: Scaled) -> Scaled:
    """Add a point to itself (the same paper, algorithm 6)."""
    x, y, z = point
    xx, yy, zz = x * x % P, y * y % P, z * z % P
    xy, xz, yz = 2 * x * y, 2 * x * z % P, 2 * y * z % P
    third = 3 * (B * zz - xz) % P
    low, high = yy - third, yy + third
    mixed = 3 * (B * xz - 3 * zz - xx) % P
    return (
        (low * xy - yz * mixed) % P,
        (low * high + 3 * (xx - zz) * mixed) % P,
        4 * yz * yy % P,
    )


def plain(point: Scaled) -> Point | None:
    """The point without its scale; None for the point at infinity."""
    x, y, z = point
    if z % P == 0:
        return None
    inverse = pow(z, -1, P)
    return x * inverse % P, y * inverse % P


def multiply_secret(factor: int, point: Point | None, random_bytes: RandomBytes) -> Point:
    """Multiply a point by a secret factor.

    Args:
        factor: 1 to N - 1.
        point: a point of the curve; None for G, which is faster.
        random_bytes: where the blinding comes from.
    """
    blind = int.from_bytes(random_bytes(_BLIND_BYTES)) | 1 << 8 * _BLIND_BYTES - 1
    digits = _digits(factor + blind * N, _SECRET_WINDOWS)
    scale = int.from_bytes(random_bytes(SCALAR_BYTES)) % (P - 1) + 1
    total = (0, scale, 0)
    total = _times_base(digits, total) if point is None else _times(digits, _multiples((*point, 1)), total)
    found = plain(total)
    if found is None:
        raise ValueError("the factor is no number from 1 to N - 1")
    return found


def combine_open(base_factor: int, factor: int, point: Point) -> Point | None:
    """`base_factor` times G and `factor` times a point, added; all of it known to everybody."""
    total = _times_base(_digits(base_factor, _OPEN_WINDOWS), _INFINITY)
    return plain(add(total, _times(_digits(factor, _OPEN_WINDOWS), _multiples((*point, 1)), _INFINITY)))


def _digits(factor: int, windows: int) -> list[int]:
    return [factor >> shift & _MASK for shift in range(0, windows * _WINDOW_BITS, _WINDOW_BITS)]


def _multiples(point: Scaled) -> list[Scaled]:
    found = [_INFINITY]
    for _ in range(_MASK):
        found.append(add(found[-1], point))
    return found


@cache
def _base_table() -> tuple[Sequence[Scaled], ...]:
    rows = []
    point: Scaled = (*G, 1)
    for _ in range(_SECRET_WINDOWS):
        row = _multiples(point)
        rows.append(row)
        point = add(row[-1], point)
    return tuple(rows)


def _times_base(digits: Sequence[int], start: Scaled) -> Scaled:
    total = start
    for digit, row in zip(digits, _base_table(), strict=False):
        total = add(total, row[digit])
    return total


def _times(digits: Sequence[int], multiples: Sequence[Scaled], start: Scaled) -> Scaled:
    total = start
    for digit in reversed(digits):
        total = double(double(double(double(total))))
        total = add(total, multiples[digit])
    return total
