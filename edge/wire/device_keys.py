"""Keys that a microcontroller shares with the platform, as values: made, named, written as text and read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from edge.errors import KeyFileError
from edge.wire.keys import KEY_ID_BYTES

SECRET_BYTES = 32
DEVICE_ALGORITHM = "hmac-sha-256"

_BEGIN = "-----BEGIN NEVGATE DEVICE KEY-----"
_END = "-----END NEVGATE DEVICE KEY-----"
_NAMED = b"nevgate device key"


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key for HMAC-SHA-256 that one device and its platform have; never printed.

    Whoever can check its codes can make them. What is authenticated under it convinces the platform, and
    nobody else.

    Attributes:
        secret: 32 bytes.
    """

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise KeyFileError(f"a device key has {SECRET_BYTES} bytes, not {len(self.secret)}")

    def __repr__(self) -> str:
        return f"DeviceKey({self.key_id.hex()})"

    @property
    def key_id(self) -> bytes:
        """The ``kid`` of its messages: first 8 bytes of the SHA-256 of its purpose's name and the key."""
        return hashlib.sha256(_NAMED + self.secret).digest()[:KEY_ID_BYTES]

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Self:
        """Draw a new key."""
        return cls(random_bytes(SECRET_BYTES))

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Read what `to_text` writes.

        Raises:
            KeyFileError: the bytes are no device key.
        """
        match text.decode("ascii", "replace").strip().splitlines():
            case [begin, body, end] if (begin, end) == (_BEGIN, _END):
                try:
                    return cls(base64.b64decode(body, validate=True))
                except binascii.Error as error:
                    raise KeyFileError("no device key: its text is damaged") from error
            case _:
                raise KeyFileError("no device key", todo="Make one with 'nevgate keys make --device'")

    def to_text(self) -> bytes:
        """The key as text in three lines, the middle one base64."""
        return f"{_BEGIN}\n{base64.b64encode(self.secret).decode()}\n{_END}\n".encode()
