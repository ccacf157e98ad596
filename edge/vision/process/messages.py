"""What a camera's process and the gateway say to each other: a head in JSON, and the bytes of a picture."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from edge.account import Hop
from edge.errors import JournalError, VisionError
from edge.journal.media_block import LARGEST_BYTES, encode_media, read_media
from edge.policy.classes import DataClass
from edge.vision.media import Media

HEAD_BYTES = 1 << 16
BODY_BYTES = LARGEST_BYTES + (1 << 16)
_LENGTHS = struct.Struct(">II")
_Count = Annotated[int, Field(ge=0, le=1 << 62)]
_Counts = Annotated[dict[Annotated[str, Field(max_length=120)], _Count], Field(max_length=64)]


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlanOrder(_Head):
    """Be the process of this camera."""

    kind: Literal["plan"] = "plan"
    plan: dict[str, str | int | float | bool | None]


class Request(_Head):
    """Keep the next picture."""

    kind: Literal["request"] = "request"


class Trigger(_Head):
    """Keep a clip around an event."""

    kind: Literal["trigger"] = "trigger"
    name: str
    t_ns: int


class Close(_Head):
    """Hand on what is under way, and end."""

    kind: Literal["close"] = "close"


class Ready(_Head):
    """The camera is open; what of the process's confinement the kernel did not do."""

    kind: Literal["ready"] = "ready"
    lacking: tuple[Annotated[str, Field(max_length=400)], ...] = Field(default=(), max_length=32)


class PlainHop(_Head):
    """One hop of the account."""

    name: Annotated[str, Field(max_length=120)]
    entered: _Count
    left: _Count
    set_aside: _Counts
    facts: _Counts


class Counted(_Head):
    """The account of the camera's pictures so far."""

    kind: Literal["counted"] = "counted"
    hops: tuple[PlainHop, ...] = Field(max_length=16)
    cpu_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Pictured(_Head):
    """A still or clip; its bytes follow."""

    kind: Literal["pictured"] = "pictured"
    data_class: DataClass
    from_ns: int
    to_ns: int


class Said(_Head):
    """A line for the log."""

    kind: Literal["said"] = "said"
    level: Annotated[int, Field(ge=0, le=50)]
    text: Annotated[str, Field(max_length=2000)]


class Failed(_Head):
    """The process ends, and why; final where it would fail again until somebody sees to it."""

    kind: Literal["failed"] = "failed"
    what: Annotated[str, Field(max_length=2000)]
    where: Annotated[str, Field(max_length=400)] = ""
    todo: Annotated[str, Field(max_length=2000)] = ""
    final: bool = False


class Done(_Head):
    """The process ends, since it was told to, or its file has."""

    kind: Literal["done"] = "done"


ToChild = PlanOrder | Request | Trigger | Close
ToGateway = Ready | Counted | Pictured | Said | Failed | Done
_TO_CHILD: TypeAdapter[ToChild] = TypeAdapter(Annotated[ToChild, Field(discriminator="kind")])
_TO_GATEWAY: TypeAdapter[ToGateway] = TypeAdapter(Annotated[ToGateway, Field(discriminator="kind")])


def encode(message: ToChild | ToGateway, body: bytes = b"") -> bytes:
    """Write a message."""
    head = message.model_dump_json().encode()
    return _LENGTHS.pack(len(head), len(body)) + head + body


def encode_picture(media: Media) -> bytes:
    """Write a still or clip.

    Raises:
        VisionError: it is larger than any may be.
    """
    try:
        body = encode_media(media)
    except JournalError as error:
        raise VisionError(error.what, where=f"camera {media.camera}") from error
    return encode(Pictured(data_class=media.data_class, from_ns=media.from_ns, to_ns=media.to_ns), body)


def media_of(head: Pictured, body: bytes) -> Media:
    """Read a still or clip.

    Raises:
        VisionError: the bytes are none.
    """
    try:
        return read_media(body, head.data_class, head.from_ns, head.to_ns)
    except JournalError as error:
        raise VisionError(f"what came is no picture: {error.what}") from error


def plain_hop(hop: Hop) -> PlainHop:
    """A hop for the way to the gateway."""
    return PlainHop(
        name=hop.name,
        entered=hop.entered,
        left=hop.left,
        set_aside=dict(hop.set_aside),
        facts=dict(hop.facts),
    )


class Messages:
    """Puts messages together out of bytes as they come.

    Args:
        adapter: of those that may come.
    """

    def __init__(self, adapter: TypeAdapter[ToChild] | TypeAdapter[ToGateway]) -> None:
        self._adapter = adapter
        self._bytes = bytearray()

    @classmethod
    def to_child(cls) -> Messages:
        """Those that the gateway sends."""
        return cls(_TO_CHILD)

    @classmethod
    def to_gateway(cls) -> Messages:
        """Those that a camera's process sends."""
        return cls(_TO_GATEWAY)

    def feed(self, received: bytes) -> Iterator[tuple[ToChild | ToGateway, bytes]]:
        """Take in bytes, and hand out each message that is whole, with what follows its head.

        Raises:
            VisionError: they are none; nothing more can be read then.
        """
        self._bytes += received
        while len(self._bytes) >= _LENGTHS.size:
            head_bytes, body_bytes = _LENGTHS.unpack_from(self._bytes)
            if head_bytes > HEAD_BYTES or body_bytes > BODY_BYTES:
                raise VisionError("a message between gateway and camera is too long")
            end = _LENGTHS.size + head_bytes + body_bytes
            if len(self._bytes) < end:
                return
            head = bytes(self._bytes[_LENGTHS.size : _LENGTHS.size + head_bytes])
            body = bytes(self._bytes[_LENGTHS.size + head_bytes : end])
            del self._bytes[:end]
            try:
                message = self._adapter.validate_python(json.loads(head))
            except (ValueError, ValidationError, RecursionError) as error:
                raise VisionError("a message between gateway and camera is none") from error
            if body and not isinstance(message, Pictured):
                raise VisionError("a message between gateway and camera has bytes that it should not")
            yield message, body
