"""`GbtFiles`: what the files that a platform of GB/T 32960.3 names hold: its profile and its keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.catalogue.catalogue import Catalogue
from edge.config.gbt import GbtSection
from edge.errors import ConfigError, NevgateError
from edge.wire.gbt.message import Message
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile, load_profile
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.ciphers import UnitCipher, require_mark
from edge.wire.gbt.security.keys import GbtKey, cipher_of, read_gbt_key, signer_of
from edge.wire.gbt.security.signatures import ReportSigner, signed


@dataclass(frozen=True, slots=True)
class GbtFiles:
    """What reports to one platform are made with.

    Attributes:
        profile: describes custom blocks; None for none.
        signer: signs reports (2025); None for none.
        cipher: encrypts data units under an agreed key; None for none, or where keys are exchanged.
        chip: private key of the security chip (2025); None where the terminal is not activated.
        own: decrypts the data keys that the platform makes; None where none is taken.
        peer: encrypts those that the terminal makes; None where it makes none.
    """

    profile: Profile | None
    signer: ReportSigner | None
    cipher: UnitCipher | None
    chip: GbtKey | None
    own: UnitCipher | None
    peer: UnitCipher | None

    def codec(self, section: GbtSection, catalogue: Catalogue) -> RecordCodec:
        """The codec of the platform's edition and options."""
        return RecordCodec(section.edition, section.options.options, self.profile, catalogue)

    def sign(self, section: GbtSection) -> Callable[[Message], Message] | None:
        """What gives a report its signature; None where none is asked for."""
        return None if self.signer is None else partial(_signed, self.signer, section.options.options)


def open_gbt_files(section: GbtSection, catalogue: Catalogue) -> GbtFiles:
    """Read and check all that a platform's table names.

    Raises:
        NevgateError: a file is not there, or holds what cannot be used for this.
    """
    signature, cipher, activation = section.signature, section.cipher, section.activation
    try:
        files = GbtFiles(
            load_profile(section.profile) if section.profile else None,
            None if signature is None else signer_of(read_gbt_key(signature.key), signature.security),
            None if cipher is None else cipher_of(read_gbt_key(cipher.key), cipher.security),
            None if activation is None else read_gbt_key(activation.key),
            _cipher(None if section.data_keys is None else section.data_keys.key),
            _cipher(None if section.data_keys is None else section.data_keys.platform),
        )
        if files.chip is not None:
            signer_of(files.chip)
        if files.cipher is not None:
            require_mark(section.edition, files.cipher)
        files.codec(section, catalogue)
    except NevgateError as error:
        if error.where:
            raise
        raise ConfigError(error.what, where=f"the platform {section.host}", todo=error.todo) from error
    return files


def _cipher(path: Path | None) -> UnitCipher | None:
    return None if path is None else cipher_of(read_gbt_key(path))


def _signed(signer: ReportSigner, options: Options, message: Message) -> Message:
    return signed(message, signer, options)
