"""Options of `nevgate gbt` for keys, and messages opened and judged with them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from edge.errors import KeyFileError
from edge.wire.gbt.explain import Explained, explain
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import HEADER_BYTES, Encryption, read_frame
from edge.wire.gbt.message import Message, Report
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.security.choices import (
    DEFAULT_SECURITY,
    BlockMode,
    RsaPadding,
    SecurityOptions,
    Sm2Format,
)
from edge.wire.gbt.security.ciphers import UnitCipher, decrypted, encryption_name
from edge.wire.gbt.security.faults import DecryptionError, SignatureError, SignatureMissingError
from edge.wire.gbt.security.keys import cipher_of, read_gbt_key, verifier_of
from edge.wire.gbt.security.signatures import ReportVerifier, algorithm_name, check_signature, is_signable


def security_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options; the command gets `security`."""

    @click.option(
        "--block-mode",
        type=click.Choice([one.value for one in BlockMode]),
        default=BlockMode.CBC.value,
        show_default=True,
        help="How AES-128 and SM4 go from block to block; cbc has its first bytes before each unit.",
    )
    @click.option("--iv", metavar="HEX", default="", help="The agreed 16 bytes of cbc-fixed-iv.")
    @click.option(
        "--rsa-padding",
        type=click.Choice([one.value for one in RsaPadding]),
        default=RsaPadding.PKCS1_V15.value,
        show_default=True,
        help="Of data units that RSA encrypts.",
    )
    @click.option(
        "--sm2-format",
        type=click.Choice([one.value for one in Sm2Format]),
        default=Sm2Format.C1C3C2.value,
        show_default=True,
        help="Of data units that SM2 encrypts.",
    )
    @click.option(
        "--sm2-id",
        default=DEFAULT_SECURITY.sm2_id.decode(),
        show_default=True,
        help="The signer's id in signatures of SM2.",
    )
    @functools.wraps(command)
    def wrapped(
        *,
        block_mode: str,
        iv: str,
        rsa_padding: str,
        sm2_format: str,
        sm2_id: str,
        **rest: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        try:
            first = bytes.fromhex(iv)
        except ValueError as error:
            raise GbtError(f"'{iv}' is no IV", todo="It has 32 hex digits") from error
        security = SecurityOptions(
            block_mode=BlockMode(block_mode),
            fixed_iv=first,
            rsa_padding=RsaPadding(rsa_padding),
            sm2_format=Sm2Format(sm2_format),
            sm2_id=os.fsencode(sm2_id),
        )
        command(security=security, **rest)

    return wrapped


class SignatureState(StrEnum):
    """What can be said of a message's signature."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNCHECKED = "unchecked"
    NOT_ASKED = "not asked for"
    """Only real-time and reissue messages of 2025 are signed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A message, explained behind its encryption.

    Attributes:
        explained: as far as it could be opened.
        encryption: as the frame marks it.
        wire_bytes: of the data unit before it was decrypted.
        unit_bytes: of the data unit behind it; None if it was not decrypted.
        why_closed: why it could not be decrypted; empty if it could, or was not encrypted.
    """

    explained: Explained
    encryption: int
    wire_bytes: int
    unit_bytes: int | None
    why_closed: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What was given to open and to judge messages with.

    Attributes:
        ciphers: by encryption mark.
        verifiers: by algorithm.
    """

    ciphers: Mapping[int, UnitCipher]
    verifiers: Mapping[int, ReportVerifier]

    @classmethod
    def read(cls, opening: Iterable[Path], verifying: Iterable[Path], security: SecurityOptions) -> Keys:
        """Read key files.

        Raises:
            KeyFileError: one cannot be used, or two are for the same algorithm.
        """
        ciphers: dict[int, UnitCipher] = {}
        for path in opening:
            cipher = cipher_of(read_gbt_key(path), security)
            if ciphers.setdefault(cipher.code, cipher) is not cipher:
                raise KeyFileError(f"is a second key of {encryption_name(cipher.code)}", where=str(path))
        verifiers: dict[int, ReportVerifier] = {}
        for path in verifying:
            verifier = verifier_of(read_gbt_key(path), security)
            if verifiers.setdefault(verifier.algorithm, verifier) is not verifier:
                raise KeyFileError(f"is a second key of {verifier.algorithm.name}", where=str(path))
        return cls(ciphers, verifiers)

    def open(self, piece: bytes, options: Options, profile: Profile | None) -> Opened:
        """Explain a message; where it is encrypted and the key is here, what stands behind that.

        The header and the check code are explained as on the wire, the data unit as decrypted: offsets in it
        count in the decrypted message.
        """
        shut = explain(piece, options, profile)
        message = shut.message
        mark = Encryption.NONE if message is None else message.encryption
        if message is None or shut.fault is not None or mark == Encryption.NONE:
            return Opened(shut, mark, 0, None, "")
        frame = read_frame(piece)
        if not self.ciphers or not frame.unit:
            return Opened(shut, mark, len(frame.unit), None, "")
        cipher = self.ciphers.get(mark)
        if cipher is None:
            why = f"is encrypted by {encryption_name(mark)}, and no key given is of that"
            return Opened(shut, mark, len(frame.unit), None, why)
        try:
            plain = decrypted(frame, cipher)
        except DecryptionError as error:
            return Opened(shut, mark, len(frame.unit), None, error.what)
        inner = explain(plain.write(), options, profile)
        end = HEADER_BYTES + len(plain.unit)
        lines = (
            *(line for line in shut.lines if line.offset < HEADER_BYTES),
            *(line for line in inner.lines if HEADER_BYTES <= line.offset < end),
            *(line for line in shut.lines if line.field.part == "frame" and line.field.name == "check"),
        )
        explained = Explained(lines, inner.message, inner.fault)
        return Opened(explained, mark, len(frame.unit), len(plain.unit), "")

    def judge(self, explained: Explained, options: Options) -> tuple[SignatureState, str]:
        """What can be said of a message's signature, and why."""
        message = explained.message
        if message is None or explained.fault is not None:
            return SignatureState.UNCHECKED, "the message cannot be read"
        if message.encryption != Encryption.NONE:
            return SignatureState.UNCHECKED, "the data unit is encrypted"
        if not is_signable(message):
            return SignatureState.NOT_ASKED, "only real-time and reissue messages of 2025 are signed"
        return self._judge_report(message, options)

    def _judge_report(self, message: Message, options: Options) -> tuple[SignatureState, str]:
        verifier = next(iter(self.verifiers.values()))
        signature = message.content.signature if isinstance(message.content, Report) else None
        if signature is not None:
            if signature[0] not in self.verifiers:
                name = algorithm_name(signature[0])
                return SignatureState.UNCHECKED, f"is signed by {name}, and no key given is of that"
            verifier = self.verifiers[signature[0]]
        try:
            check_signature(message, verifier, options)
        except SignatureMissingError as error:
            return SignatureState.MISSING, error.what
        except SignatureError as error:
            return SignatureState.INVALID, error.what
        return SignatureState.VALID, f"by {verifier.algorithm.name}"
