"""Wrapping keys that only the board's TPM 2.0 opens, and that it opens no more once its counter is past."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import JournalError, WireError
from edge.journal.keys.generation_files import GenerationFiles
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.sealing import KEY_BYTES, Draw, drawn
from edge.wire.strict_cbor import read_cbor, write_cbor

COUNTER_INDEX = 0x018E6B76
"""Where the counter lies in the TPM's memory: in the range that TCG's registry leaves to the owner."""

_FORM = 1
_COUNTER_BYTES = 8
_PARTS = 3
_COUNTER = "nt=counter|ownerread|ownerwrite|authread|no_da"
_SEALED = "fixedtpm|fixedparent|noda"
_DEADLINE_S = 60.0


class TpmKeyProvider(KeyProvider):
    """Wrapping keys sealed by the board's TPM 2.0, through the programs of tpm2-tools (version 5).

    A generation's file holds a sealed object (TPM 2.0 Library, part 1, "Sealed Data Objects") under the
    owner's primary key. Its policy (``TPM2_PolicyNV``) lets the TPM open generation N only while a counter
    in the TPM's own memory is at most N. To destroy N is to remove its file and to raise the counter above
    it, up to the oldest generation that is left. The counter never goes back; one that is defined anew
    begins above the old, and another kind of index under its number has another name, which the policy does
    not accept.

    What it protects: a copy of the medium opens nothing without this very TPM. The keys are not bound to the
    state of boot (PCRs), since every update would lock them away: who boots the board with a system of their
    own opens what was not erased. Key and answer travel encrypted between processor and TPM.

    What erasure is worth: the TPM itself forgets. Neither removed pages of the flash nor a copy of the whole
    medium from before help, on this board or another; only who had the running machine, or had opened the
    key by then, has it. As long as an older generation is left in the folder (that of a key store that was
    put aside), the counter stays below it, and erasure is worth what `FileKeyProvider` says, with this TPM
    needed.

    The owner's authorisation has to be empty, as it is where nobody set it. Each change of the wrapping key
    writes the TPM's memory once or twice, which is made for 100,000 times or so.
    """

    def __init__(
        self, folder: Path, draw: Draw, *, tcti: str | None = None, counter_index: int = COUNTER_INDEX
    ) -> None:
        """Use the TPM at `tcti`; nothing is asked of it yet.

        Args:
            folder: for the sealed objects.
            draw: where the keys come from.
            tcti: how to reach the TPM, in the words of tpm2-tools, such as ``device:/dev/tpmrm0``; None for
                the first that they find.
            counter_index: of the counter in the TPM's memory.
        """
        self._files = GenerationFiles(folder)
        self._draw = draw
        self._index = f"{counter_index:#010x}"
        self._environ = os.environ | ({"TPM2TOOLS_TCTI": tcti} if tcti else {})

    def generations(self) -> tuple[int, ...]:
        """See `KeyProvider.generations`."""
        return self._files.generations()

    def next_generation(self, above: int) -> int:
        """See `KeyProvider.next_generation`; defines the counter where there is none."""
        return max(super().next_generation(above), self._defined_counter())

    def wrapping_key(self, generation: int) -> bytes:
        """See `KeyProvider.wrapping_key`."""
        public, private = self._sealed(generation)
        with self._primary() as (folder, primary):
            (folder / "public").write_bytes(public)
            (folder / "private").write_bytes(private)
            sealed, session = folder / "sealed", folder / "session"
            self._run(
                "tpm2_load",
                "-Q",
                "-C",
                primary,
                "-u",
                folder / "public",
                "-r",
                folder / "private",
                "-c",
                sealed,
            )
            self._run("tpm2_flushcontext", "--transient-object")
            self._run("tpm2_startauthsession", "--policy-session", "-S", session, "-c", primary)
            try:
                self._run("tpm2_sessionconfig", session, "--enable-encrypt")
                self._policy(folder, session, generation)
                key = self._run("tpm2_unseal", "-Q", "-c", sealed, "-p", f"session:{session}")
            finally:
                self._run("tpm2_flushcontext", session)
        if len(key) != KEY_BYTES:
            raise JournalError(f"is no wrapping key of {KEY_BYTES} bytes", where=self._place(generation))
        return key

    def make(self, generation: int) -> bytes:
        """See `KeyProvider.make`."""
        if generation in self.generations():
            raise JournalError("the wrapping key exists already", where=self._place(generation))
        if generation < self._defined_counter():
            raise JournalError(f"the TPM's counter has passed generation {generation}", where=self._index)
        key = drawn(self._draw, KEY_BYTES)
        with self._primary() as (folder, primary):
            trial, policy = folder / "trial", folder / "policy"
            self._run("tpm2_startauthsession", "-S", trial)
            try:
                self._policy(folder, trial, generation, "-L", policy)
            finally:
                self._run("tpm2_flushcontext", trial)
            public, private = folder / "public", folder / "private"
            self._run(
                *("tpm2_create", "-Q", "-C", primary, "-i", "-", "-L", policy),
                *("-a", _SEALED, "-u", public, "-r", private),
                content=key,
            )
            sealed = write_cbor([_FORM, public.read_bytes(), private.read_bytes()])
        self._files.write(generation, sealed)
        return key

    def destroy(self, generation: int) -> None:
        """See `KeyProvider.destroy`."""
        self._files.destroy(generation)
        left = self.generations()
        wanted = min(left) if left else generation + 1
        for _ in range(self._defined_counter(), wanted):
            self._run("tpm2_nvincrement", self._index, "-C", "o")

    def _sealed(self, generation: int) -> tuple[bytes, bytes]:
        """The public and private part of a generation's sealed object."""
        content = self._files.read(generation)
        try:
            value = read_cbor(content)
        except WireError as error:
            raise JournalError(f"cannot be unsealed: {error}", where=self._place(generation)) from error
        if isinstance(value, list) and len(value) == _PARTS and value[0] == _FORM:
            _, public, private = value
            if isinstance(public, bytes) and isinstance(private, bytes):
                return public, private
        raise JournalError("is no sealed wrapping key", where=self._place(generation))

    def _place(self, generation: int) -> str:
        return str(self._files.path(generation))

    def _defined_counter(self) -> int:
        """The counter's value; defined at the first use, as it has none before its first increment."""
        defined = self._run("tpm2_getcap", "handles-nv-index").decode(errors="replace").lower()
        known = {int(word, 16) for word in defined.split() if word.startswith("0x")}
        if int(self._index, 16) not in known:
            self._run("tpm2_nvdefine", self._index, "-C", "o", "-s", str(_COUNTER_BYTES), "-a", _COUNTER)
        try:
            value = self._run("tpm2_nvread", self._index, "-C", "o", "-s", str(_COUNTER_BYTES))
        except JournalError:
            self._run("tpm2_nvincrement", self._index, "-C", "o")
            value = self._run("tpm2_nvread", self._index, "-C", "o", "-s", str(_COUNTER_BYTES))
        return int.from_bytes(value, "big")

    def _policy(self, folder: Path, session: Path, generation: int, *more: str | Path) -> None:
        """Say in a session that the counter is at most `generation`."""
        limit = folder / "limit"
        limit.write_bytes(generation.to_bytes(_COUNTER_BYTES, "big"))
        try:
            self._run(
                "tpm2_policynv",
                "-Q",
                "-S",
                session,
                "-C",
                self._index,
                "-i",
                limit,
                *more,
                self._index,
                "ule",
            )
        except JournalError as error:
            raise JournalError(
                f"the TPM's counter does not allow generation {generation}: destroyed, or another TPM's",
                where=self._place(generation),
            ) from error

    @contextmanager
    def _primary(self) -> Iterator[tuple[Path, Path]]:
        """A folder for one use with the primary key's context; no file there holds a key in the clear."""
        with tempfile.TemporaryDirectory(prefix="nevgate-tpm-") as name:
            folder = Path(name)
            primary = folder / "primary"
            self._run("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-c", primary)
            try:
                self._run("tpm2_flushcontext", "--transient-object")
                yield folder, primary
            finally:
                self._run("tpm2_flushcontext", "--transient-object")

    def _run(self, program: str, *arguments: str | Path, content: bytes = b"") -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - the program is named here, its arguments are no shell's
                [program, *map(str, arguments)],
                input=content,
                capture_output=True,
                check=False,
                timeout=_DEADLINE_S,
                env=self._environ,
            )
        except FileNotFoundError as error:
            raise JournalError(
                f"{program} is not installed", todo="Install tpm2-tools, or keep the wrapping keys elsewhere"
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise JournalError(f"{program} did not come to an end: {error}") from error
        if done.returncode:
            said = [line for line in done.stderr.decode(errors="replace").splitlines() if "ERROR" in line]
            raise JournalError(
                f"{program} failed: {said[0].strip() if said else done.returncode}",
                todo="See that the TPM is there, and that this user may use it (group tss)",
            )
        return done.stdout
