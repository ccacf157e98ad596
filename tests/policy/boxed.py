"""Container databases for tests: PDUs written as DBC messages, put into an AUTOSAR container."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cantools.database.can

from edge.database.layout import lay_out
from edge.database.load import parse_database
from edge.database.model import Database
from edge.frames import Frame, FrameFlag
from tests.policy.drawn import PREAMBLE

BOX = 0x155
BYTES = 64


def boxed(
    pdus: Mapping[int, str],
    *,
    multiplexing: str = "",
    identifier: int = BOX,
    name: str = "Box",
    little_endian: bool = False,
    j1939: bool = False,
    file: str = "boxed",
) -> Database:
    """A database of one container.

    Args:
        pdus: each as ``BO_`` and its ``SG_`` lines, by header id.
        multiplexing: ``SG_MUL_VAL_`` lines.
        identifier: the id of the container's frames.
        name: the container's name.
        little_endian: the byte order of header ids.
        j1939: whether the container is matched by its parameter group.
        file: the database's name.
    """
    text = f"{PREAMBLE}{''.join(pdus.values())}{multiplexing}"
    codecs = [message.codec for message in parse_database(text.encode(), Path(f"{file}.dbc")).messages]
    for header_id, codec in zip(pdus, codecs, strict=True):
        codec.header_id = header_id
    container = cantools.database.can.Message(
        identifier,
        name,
        BYTES,
        [],
        contained_messages=codecs,
        header_byte_order="little_endian" if little_endian else "big_endian",
        is_fd=not j1939,
        is_extended_frame=j1939,
        protocol="j1939" if j1939 else None,
    )
    messages, _ = lay_out([container], lines={}, assume_j1939=False, where=file)
    digest = hashlib.sha256(f"{text}{[*pdus]}{identifier}{little_endian}".encode()).hexdigest()
    return Database(Path(f"{file}.arxml"), digest, messages)


def pdu(header_id: int, payload: bytes, *, little_endian: bool = False) -> bytes:
    """A PDU as it stands in a container."""
    return header_id.to_bytes(3, "little" if little_endian else "big") + bytes([len(payload)]) + payload


def box(
    pdus: Sequence[tuple[int, bytes]], *, padding: bytes = b"", little_endian: bool = False, t_ns: int = 0
) -> Frame:
    """A container frame of some PDUs."""
    content = b"".join(pdu(*each, little_endian=little_endian) for each in pdus) + padding
    return Frame(t_ns, BOX, content, "bus", FrameFlag.FD)
