"""Wrapping keys in a TPM: the promise of all providers, and that the TPM itself forgets; against swtpm."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from edge.errors import JournalError
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.keys.sealing import Draw
from edge.journal.keys.tpm_key_provider import TpmKeyProvider
from tests.journal.provider_contract import ProviderContract

DEADLINE_S = 20.0


def seeded(seed: int) -> Draw:
    return Random(seed).randbytes  # noqa: S311 - a test repeats its seed


@contextmanager
def software_tpm() -> Iterator[str]:
    """A TPM of our own on Unix sockets; how to reach it."""
    if not shutil.which("swtpm") or not shutil.which("tpm2_create"):
        pytest.skip("swtpm and tpm2-tools are not installed")
    with tempfile.TemporaryDirectory(prefix="tpm") as name:
        socket, control = Path(name, "tpm"), Path(name, "tpm.ctrl")
        process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={name}", "--flags", "startup-clear"),
                *("--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={control}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not (socket.exists() and control.exists()):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield f"swtpm:path={socket}"
        finally:
            process.terminate()
            process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def tpm() -> Iterator[str]:
    with software_tpm() as tcti:
        yield tcti


class TestTpm(ProviderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path, tpm: str) -> KeyProvider:
        self.at, self.tcti = tmp_path, tpm
        return TpmKeyProvider(self.folder(tmp_path), seeded(1), tcti=tpm)

    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "wrapping"

    def file(self, tmp_path: Path) -> Path:
        (path,) = self.folder(tmp_path).iterdir()
        return path

    def again(self, provider: KeyProvider) -> KeyProvider:  # noqa: ARG002 - folder and TPM say it all
        return TpmKeyProvider(self.folder(self.at), seeded(2), tcti=self.tcti)

    def test_a_copy_from_before_the_destruction_opens_no_more(
        self, provider: KeyProvider, tmp_path: Path
    ) -> None:
        first = provider.next_generation(0)
        first_key = provider.make(first)
        second = provider.next_generation(first)
        second_key = provider.make(second)
        copy = tmp_path / "copy"
        shutil.copytree(self.folder(tmp_path), copy)
        kept = TpmKeyProvider(copy, seeded(3), tcti=self.tcti)
        assert kept.wrapping_key(first) == first_key
        provider.destroy(first)
        with pytest.raises(JournalError, match="counter does not allow"):
            kept.wrapping_key(first)
        assert kept.wrapping_key(second) == second_key

    def test_a_file_that_is_open_to_others_or_no_sealed_object_is_refused(
        self, provider: KeyProvider, tmp_path: Path
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        path = self.file(tmp_path)
        sound = path.read_bytes()
        path.chmod(0o640)
        with pytest.raises(JournalError, match="chmod 600"):
            provider.wrapping_key(number)
        path.chmod(0o600)
        for content in (b"", bytes(32), b"\x80", b"\x83\x01\x40\x40", sound[:-1], sound[:-40] + bytes(40)):
            path.write_bytes(content)
            with pytest.raises(JournalError):
                provider.wrapping_key(number)

    def test_another_tpm_opens_nothing(self, provider: KeyProvider, tmp_path: Path) -> None:
        number = provider.next_generation(0)
        key = provider.make(number)
        assert key not in self.file(tmp_path).read_bytes()
        with software_tpm() as other:
            elsewhere = TpmKeyProvider(self.folder(tmp_path), seeded(3), tcti=other)
            with pytest.raises(JournalError):
                elsewhere.wrapping_key(number)
        assert provider.wrapping_key(number) == key

    def test_a_whole_medium_copied_before_an_erasure_opens_no_more(self, tmp_path: Path, tpm: str) -> None:
        def store(folder: Path) -> KeyStore:
            provider = TpmKeyProvider(folder / "wrapping", seeded(4), tcti=tpm)
            return KeyStore(str(folder / "keys.db"), provider, seeded(5))

        medium, copy = tmp_path / "medium", tmp_path / "copy"
        medium.mkdir()
        open_store = store(medium)
        doomed, kept = open_store.key_for("position", "day 1"), open_store.key_for("vehicle", "day 1")
        open_store.close()
        shutil.copytree(medium, copy)
        open_store = store(medium)
        assert open_store.destroy("position") == (doomed.key_id,)
        open_store.close()
        assert store(medium).key(kept.key_id) == kept.key
        assert store(medium).key(doomed.key_id) is None
        with pytest.raises(JournalError, match="counter does not allow"):
            store(copy)


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JournalError, match="Install tpm2-tools"):
        TpmKeyProvider(tmp_path, seeded(1)).next_generation(0)


def test_a_missing_tpm_is_named(tmp_path: Path) -> None:
    if not shutil.which("tpm2_create"):
        pytest.skip("tpm2-tools are not installed")
    provider = TpmKeyProvider(tmp_path, seeded(1), tcti=f"device:{tmp_path / 'none'}")
    with pytest.raises(JournalError, match="group tss"):
        provider.next_generation(0)
