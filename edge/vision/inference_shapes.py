"""An ONNX model without the shapes of its ends, so that it takes pictures of any size; all else stays."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

_GRAPH = 7
_GRAPH_INPUT = 11
_GRAPH_OUTPUT = 12
_GRAPH_VALUE_INFO = 13
_NAME = 1
_TYPE = 2
_TENSOR = 1
_ELEMENTS = bytes([0x08, 0x01])  # TypeProto.Tensor.elem_type = FLOAT
_SHAPE = 2
_DIMENSION = 1
_DIMENSION_NAME = 2
_PICTURE_DIMENSIONS = 4
_FREE = {0: b"count", 2: b"height", 3: b"width"}

_VARINT = 0
_FIXED64 = 1
_LENGTH_DELIMITED = 2
_FIXED32 = 5
_MORE = 0x80


class _Field(NamedTuple):
    number: int
    payload: bytes
    whole: bytes


def with_free_shapes(model: bytes, outputs: Collection[str]) -> bytes:
    """Let an ONNX model take tensors of any shape, and compute no more than the outputs asked for.

    The weights and the nodes stay as they are: of what is declared about inputs, outputs and what is between
    them (`GraphProto`, fields 11 to 13 of onnx.proto3) only the channels of the inputs stay, and the outputs
    that nobody asked for go.

    Args:
        model: a serialised ``ModelProto`` whose inputs are pictures of float32, (count, channels, height,
            width).
        outputs: names of the outputs to keep.

    Raises:
        ValueError: it is no such model, or lacks one of the outputs.
    """
    kept: set[str] = set()
    parts = []
    for field in _fields(model):
        if field.number != _GRAPH:
            parts.append(field.whole)
            continue
        parts.append(_delimited(_GRAPH, b"".join(_freed(field.payload, outputs, kept))))
    if missing := sorted(set(outputs) - kept):
        raise ValueError(f"no output is called {', '.join(missing)}")
    return b"".join(parts)


def _freed(graph: bytes, outputs: Collection[str], kept: set[str]) -> Iterator[bytes]:
    for field in _fields(graph):
        if field.number == _GRAPH_VALUE_INFO:
            continue
        if field.number not in {_GRAPH_INPUT, _GRAPH_OUTPUT}:
            yield field.whole
            continue
        name = next(inner.payload for inner in _fields(field.payload) if inner.number == _NAME)
        if field.number == _GRAPH_OUTPUT:
            if name.decode() not in outputs:
                continue
            kept.add(name.decode())
        tensor = _ELEMENTS
        if field.number == _GRAPH_INPUT:
            tensor += _delimited(_SHAPE, _free_picture(field.payload))
        yield _delimited(
            field.number, _delimited(_NAME, name) + _delimited(_TYPE, _delimited(_TENSOR, tensor))
        )


def _free_picture(value: bytes) -> bytes:
    """The dimensions of an input with names in place of count, height and width; channels stay.

    ONNX Runtime has to know that there are four, and how many channels, to lay tensors out for its fast
    kernels.
    """
    dimensions = [
        field.payload for field in _within(value, _TYPE, _TENSOR, _SHAPE) if field.number == _DIMENSION
    ]
    if len(dimensions) != _PICTURE_DIMENSIONS:
        raise ValueError(f"an input of {len(dimensions)} dimensions, not {_PICTURE_DIMENSIONS}")
    return b"".join(
        _delimited(_DIMENSION, _delimited(_DIMENSION_NAME, _FREE[at]) if at in _FREE else dimension)
        for at, dimension in enumerate(dimensions)
    )


def _within(message: bytes, *path: int) -> Iterator[_Field]:
    """The fields of the message that lies in others, found by their numbers from the outermost on."""
    for number in path:
        message = b"".join(field.payload for field in _fields(message) if field.number == number)
    return _fields(message)


def _fields(message: bytes) -> Iterator[_Field]:
    """The fields of a protobuf message in their order; `payload` is empty where none has a length."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        wire_type = key & 7
        payload = b""
        if wire_type == _VARINT:
            _, at = _varint(message, at)
        elif wire_type == _LENGTH_DELIMITED:
            length, at = _varint(message, at)
            payload = message[at : at + length]
            at += length
        elif wire_type in {_FIXED32, _FIXED64}:
            at += 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire_type} at byte {start}")
        if at > len(message):
            raise ValueError(f"cut off in the field at byte {start}")
        yield _Field(key >> 3, payload, message[start:at])


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(message):
            raise ValueError("cut off in a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _MORE:
            return value, at
    raise ValueError(f"a number of more than 64 bits before byte {at}")


def _delimited(number: int, payload: bytes) -> bytes:
    return _as_varint(number << 3 | _LENGTH_DELIMITED) + _as_varint(len(payload)) + payload


def _as_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & 0x7F | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
