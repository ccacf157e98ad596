"""Names of addresses as the traffic itself tells them: DNS messages and the TLS ClientHello; without I/O."""

from __future__ import annotations

import struct
from typing import NamedTuple

DNS_PORT = 53
MULTICAST_DNS_PORT = 5353

_HEADER = 12
_POINTER = 0xC0
_MOST_LABELS = 128
_LONGEST_NAME = 253
_MOST_RECORDS = 256
_A, _CNAME, _AAAA = 1, 5, 28
_RESPONSE = 0x8000
_RCODE = 0x000F
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0

_two = struct.Struct("!H").unpack_from
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_*")


class DnsMessage(NamedTuple):
    """What a DNS message asks and answers.

    Attributes:
        asked: names in its questions, in lower case, without the dot at the end.
        answers: addresses with every name that leads to them, the aliases on the way included; only of an
            answer without an error.
        response: whether it is an answer.
    """

    asked: tuple[str, ...]
    answers: tuple[tuple[str, bytes], ...]
    response: bool


def read_dns(data: memoryview) -> DnsMessage | None:
    """Read a DNS message (RFC 1035); what is cut short gives what was read until there.

    Returns:
        None for bytes that are none; never raises.
    """
    if len(data) < _HEADER:
        return None
    _, flags, questions, records = struct.unpack_from("!4H", data)
    if questions > _MOST_RECORDS:
        return None
    asked: list[str] = []
    found: list[tuple[str, bytes]] = []
    aliases: dict[str, list[str]] = {}
    response = bool(flags & _RESPONSE)
    try:
        at = _HEADER
        for _ in range(questions):
            name, at = _name(data, at)
            asked.append(name)
            at += 4
        if response and not flags & _RCODE:
            for _ in range(min(records, _MOST_RECORDS)):
                at = _record(data, at, found, aliases)
    except (struct.error, IndexError, _NoNameError):
        if not asked and not found:
            return None
    answers = tuple((name, address) for owner, address in found for name in _leading_to(owner, aliases))
    return DnsMessage(tuple(asked), tuple(dict.fromkeys(answers)), response)


def _record(data: memoryview, at: int, found: list[tuple[str, bytes]], aliases: dict[str, list[str]]) -> int:
    owner, at = _name(data, at)
    kind: int
    length: int
    kind, _, _, length = struct.unpack_from("!HHIH", data, at)
    at += 10
    value = data[at : at + length]
    if len(value) < length:
        raise IndexError
    if (kind, length) in {(_A, 4), (_AAAA, 16)}:
        found.append((owner, bytes(value)))
    elif kind == _CNAME:
        aliases.setdefault(_name(data, at)[0], []).append(owner)
    return at + length


def _leading_to(owner: str, aliases: dict[str, list[str]]) -> list[str]:
    """The owner of an address, and the names that are aliases of it."""
    names = [owner]
    for name in names:
        names.extend(one for one in aliases.get(name, ()) if one not in names)
    return names


class _NoNameError(Exception):
    """The bytes hold no name."""


def _name(data: memoryview, at: int) -> tuple[str, int]:
    """The name at `at`, and where it ends; what is neither letter, digit nor hyphen is escaped."""
    labels: list[str] = []
    end = 0
    length = 0
    for _ in range(_MOST_LABELS):
        size = data[at]
        if size >= _POINTER:
            end = end or at + 2
            target = _two(data, at)[0] & 0x3FFF
            if target >= at:
                raise _NoNameError
            at = target
            continue
        if size > 63:  # noqa: PLR2004 - the longest label, RFC 1035 2.3.4
            raise _NoNameError
        if size == 0:
            return ".".join(labels), end or at + 1
        label = bytes(data[at + 1 : at + 1 + size])
        length += size + 1
        if len(label) < size or length > _LONGEST_NAME + 1:
            raise _NoNameError
        labels.append(printable(label))
        at += 1 + size
    raise _NoNameError


def printable(label: bytes) -> str:
    """A label as text that neither a terminal nor a reader can take for anything else."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\{byte:03d}" for byte in label.lower())


def read_server_name(data: memoryview) -> str | None:
    """The name that the beginning of a TLS connection asks for (RFC 6066 3), where it is in clear.

    Args:
        data: the first bytes of a TCP segment's payload; may be cut short.

    Returns:
        None for bytes that are no ClientHello or hold no name; never raises.
    """
    try:
        if data[0] != _HANDSHAKE or data[5] != _CLIENT_HELLO:
            return None
        # Record header 5, handshake header 4, version 2, random 32.
        at = 43
        at += 1 + data[at]
        at += 2 + _two(data, at)[0]
        at += 1 + data[at]
        end = at + 2 + _two(data, at)[0]
        at += 2
        while at < end:
            kind, size = struct.unpack_from("!HH", data, at)
            if kind == _SERVER_NAME:
                return _host_name(data[at + 4 : at + 4 + size])
            at += 4 + size
    except (struct.error, IndexError):
        return None
    return None


def _host_name(data: memoryview) -> str | None:
    size = _two(data, 3)[0]
    name = bytes(data[5 : 5 + size])
    if data[2] != _HOST_NAME or not name or len(name) < size or size > _LONGEST_NAME:
        return None
    return ".".join(printable(label) for label in name.split(b"."))
