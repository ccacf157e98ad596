"""Opens a journal to change it by hand, while no gateway runs: to repair it, to erase from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from edge.archive.opening import Archive
from edge.catalogue.catalogue import builtin
from edge.clock import SystemClock, kernel_boot_id
from edge.config.configuration import Config
from edge.errors import JournalError
from edge.journal.block import BOOT_BYTES, BlockKind, read_header
from edge.journal.database import lock_folder, open_to_read
from edge.journal.keys.key_store import KeyEntry
from edge.journal.opening import JOURNAL_FILE, Inside
from edge.journal.upkeep.erasure import ErasureRequest
from edge.wire.cose import Signer
from edge.wire.key_files import read_signing_key


@dataclass(frozen=True, slots=True)
class ErasurePreview:
    """What an erasure would destroy.

    Attributes:
        keys: the data keys.
        blocks: blocks whose content would go, by kind.
        bytes: of their content.
        messages: signed messages that wait; those that hold such data are made anew without it.
    """

    keys: tuple[KeyEntry, ...]
    blocks: dict[BlockKind, int]
    bytes: int
    messages: int


def preview(archive: Archive, request: ErasureRequest) -> ErasurePreview:
    """Look at what an erasure would destroy.

    Raises:
        JournalError: the keys cannot be read.
        apsw.Error: the journal cannot be read.
    """
    listing: Sequence[KeyEntry] = () if archive.keys is None else archive.keys.listing()
    doomed = {entry.key_id: entry for entry in listing if request.concerns(entry)}
    blocks: dict[BlockKind, int] = {}
    size = 0
    for header_bytes, content in archive.connection.execute(
        "SELECT header, size FROM block WHERE class = ? AND size > 0", (str(request.data_class),)
    ):
        try:
            header = read_header(header_bytes)
        except JournalError:
            continue
        if header.key_id in doomed:
            blocks[header.kind] = blocks.get(header.kind, 0) + 1
            size += content
    messages = int(archive.connection.execute("SELECT count(*) FROM message").get or 0)
    return ErasurePreview(tuple(doomed.values()), blocks, size, messages)


def check_idle(folder: Path) -> None:
    """Make sure that no gateway has the journal open.

    Raises:
        JournalError: one has, or there is no journal.
    """
    if not folder.is_dir():
        raise JournalError(
            "there is no journal here", where=str(folder), todo="Give the folder that holds journal.db"
        )
    os.close(lock_folder(folder))


def inside_of(config: Config, folder: Path) -> Inside:
    """What a journal needs to know of the gateway around it, for a change by hand.

    Args:
        config: of the gateway, whose key signs the checkpoints.
        folder: of the journal.

    Raises:
        NevgateError: the signing key cannot be read.
    """
    catalogue = builtin()
    key = read_signing_key(config.signing.key)
    return Inside(
        boot=_boot(folder),
        split=lambda _: {},
        class_of=lambda item_id: catalogue.item(item_id).data_class,
        items=catalogue,
        sign=Signer(key, vehicle=config.vehicle.topic_name).sign,
        clock=SystemClock(),
        draw=os.urandom,
    )


def _boot(folder: Path) -> bytes:
    """A name for this boot that does not come back after another: each has one run in the chain."""
    kernel = kernel_boot_id()
    try:
        connection = open_to_read(str(folder / JOURNAL_FILE))
    except (JournalError, apsw.Error):
        return kernel or os.urandom(BOOT_BYTES)
    try:
        for (header,) in connection.execute("SELECT header FROM block ORDER BY number DESC LIMIT 1"):
            if kernel is not None and read_header(header).boot == kernel:
                return kernel
    except (JournalError, apsw.Error):
        return os.urandom(BOOT_BYTES)
    finally:
        connection.close()
    return os.urandom(BOOT_BYTES)
