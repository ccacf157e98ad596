"""Puts a platform together from a folder of keys and a store's file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge.catalogue.catalogue import builtin
from edge.wire.key_files import read_signing_key, write_signing_key
from edge.wire.keys import SigningKey
from edge.wire.limits import DEFAULT_LIMITS, Limits
from simulator.platform.intake import Alert
from simulator.platform.judge import Judge
from simulator.platform.keyring import Keyring, VehicleKey
from simulator.platform.pace import ReceiptPacer
from simulator.platform.platform import Platform
from simulator.platform.store import Store


def own_key(path: Path) -> tuple[SigningKey, bool]:
    """The platform's own key, made at its first start; and whether it was made just now.

    Raises:
        KeyFileError: if it cannot be read or written, or others can read it.
    """
    if path.exists():
        return read_signing_key(path), False
    key = SigningKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_signing_key(path, key)
    return key, True


@contextmanager
def open_platform(
    *,
    keys: Mapping[str, Iterable[VehicleKey]],
    store: Path,
    key: SigningKey,
    receipt_interval_s: float = 1.0,
    receipt_messages: int = 20,
    limits: Limits = DEFAULT_LIMITS,
    on_alert: Callable[[Alert], None] | None = None,
) -> Iterator[Platform]:
    """A platform over a store, which is closed at the end.

    Args:
        keys: the keys of vehicles and devices; `keyring.load_keys` reads them from a folder.
        store: the SQLite file, made when it is not there.
        key: signs the receipts.
        receipt_interval_s: longest wait of a message for its receipt.
        receipt_messages: most messages of a stream that share a receipt.
        limits: what a message may cost at most.
        on_alert: told what an operator must look at, from the service's thread.

    Raises:
        StoreError: if the store cannot be opened.
    """
    held = Store(store)
    try:
        yield Platform(
            Judge(Keyring(keys, limits), builtin(), limits),
            held,
            key,
            pacer=ReceiptPacer(interval_s=receipt_interval_s, messages=receipt_messages),
            on_alert=on_alert,
        )
    finally:
        held.close()
