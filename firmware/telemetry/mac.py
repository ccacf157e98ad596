"""COSE_Mac0 (RFC 9052) with HMAC-SHA-256 under a device's own key, in the form of `edge/wire/mac0.py`.

Stock MicroPython has no signatures. Whoever checks this code has the key and could have made it: records
under it are authenticated for the platform, and prove nothing to anybody else.
"""

import binascii
import hashlib

from .cbor import OCTETS, Writer, head

KEY_BYTES = 32
UP, DOWN, STATUS = "up", "down", "status"

ENVELOPE_BYTES = 64
"""What the envelope takes at most beside the payload."""

_BLOCK_BYTES = 64
_TAG_BYTES = 32
_HMAC_256 = 5
_CBOR_CONTENT_FORMAT = 60
_MAC0 = 17
_NAMED = b"nevgate device key"


def key_from_file(octets: bytes) -> bytes:
    """The key of a file that `nevgate keys make --device` has written, or of one with the 32 bytes alone.

    Raises:
        ValueError: it is neither.
    """
    if len(octets) == KEY_BYTES:
        return bytes(octets)
    lines = bytes(octets).split(b"\n")
    if len(lines) < 3 or lines[0].strip() != b"-----BEGIN NEVGATE DEVICE KEY-----":
        raise ValueError("no device key")
    key = binascii.a2b_base64(lines[1])
    if len(key) != KEY_BYTES:
        raise ValueError("no device key")
    return key


def key_id(key: bytes):
    """The 8 bytes by which the platform finds the key."""
    return hashlib.sha256(_NAMED + key).digest()[:8]


class Authenticator:
    """Wraps and opens messages of one vehicle under one key.

    Args:
        key: 32 bytes.
        vehicle: VIN or pseudonym.
    """

    def __init__(self, key: bytes, vehicle: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a device key has 32 bytes")
        padded = key + bytes(_BLOCK_BYTES - KEY_BYTES)
        self._inner = bytes(octet ^ 0x36 for octet in padded)
        self._outer = bytes(octet ^ 0x5C for octet in padded)
        self._vehicle = vehicle
        self.key_id = key_id(key)
        header = Writer(24)
        header.map(3)
        header.integer(1)
        header.integer(_HMAC_256)
        header.integer(3)
        header.integer(_CBOR_CONTENT_FORMAT)
        header.integer(4)
        header.octets(self.key_id)
        self._protected = bytes(header.written())
        begin = Writer(40)
        begin.head(6, _MAC0)
        begin.array(4)
        begin.octets(self._protected)
        begin.map(0)
        self._begin = bytes(begin.written())
        self._scratch = Writer(64 + 4 * len(vehicle))

    def wrap(self, payload, role: str, out):
        """Write a tagged COSE_Mac0 around `payload` behind what `out` (a `cbor.Writer`) holds."""
        out.raw(self._begin)
        out.octets(payload)
        out.octets(self._code(payload, role))

    def open(self, data, role: str):
        """The payload of a message under this key.

        Raises:
            ValueError: it is under another key, for another vehicle or role, changed, or no such message.
        """
        start = len(self._begin)
        if bytes(data[:start]) != self._begin:
            raise ValueError("not under this key")
        major, length, position = head(data, start)
        end = position + length
        if major != OCTETS or len(data) != end + 2 + _TAG_BYTES or bytes(data[end : end + 2]) != b"\x58\x20":
            raise ValueError("no COSE_Mac0")
        payload = data[position:end]
        wrong = 0
        for one, other in zip(self._code(payload, role), data[end + 2 :]):
            wrong |= one ^ other
        if wrong:
            raise ValueError("the code does not hold")
        return payload

    def _code(self, payload, role: str):
        """HMAC-SHA-256 (RFC 2104) of the MAC_structure (RFC 9052, 6.3)."""
        structure = self._scratch
        structure.reset()
        structure.array(4)
        structure.text("MAC0")
        structure.octets(self._protected)
        structure.octets(("nev/v1/" + self._vehicle + "/" + role).encode())
        structure.head(OCTETS, len(payload))
        inner = hashlib.sha256(self._inner)
        inner.update(structure.written())
        inner.update(payload)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()
