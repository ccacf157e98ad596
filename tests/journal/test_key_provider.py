"""Providers of wrapping keys: one promise, kept by each in its own place."""

from pathlib import Path
from random import Random

import pytest

from edge.errors import JournalError
from edge.journal.keys.key_provider import (
    CredentialKeyProvider,
    FileKeyProvider,
    KeyProvider,
    MemoryKeyProvider,
    credential_path,
)
from edge.journal.keys.sealing import Draw
from tests.journal.provider_contract import FolderContract, ProviderContract


def seeded(seed: int) -> Draw:
    return Random(seed).randbytes  # noqa: S311 - a test repeats its seed


class TestMemory(ProviderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> KeyProvider:  # noqa: ARG002 - the others need it
        return MemoryKeyProvider(seeded(1))


class TestFile(FolderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> KeyProvider:
        self.at = tmp_path
        return FileKeyProvider(self.folder(tmp_path), seeded(1))

    def again(self, provider: KeyProvider) -> KeyProvider:  # noqa: ARG002 - the folder says it all
        return FileKeyProvider(self.folder(self.at), seeded(2))


class TestCredential(FolderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> KeyProvider:
        self.at = tmp_path
        (tmp_path / "journal").write_bytes(bytes(range(32)))
        return CredentialKeyProvider(tmp_path / "journal", self.folder(tmp_path), seeded(1))

    def again(self, provider: KeyProvider) -> KeyProvider:  # noqa: ARG002 - folder and credential say it all
        return CredentialKeyProvider(self.at / "journal", self.folder(self.at), seeded(2))

    def test_the_files_are_worth_nothing_without_the_credential(
        self, provider: KeyProvider, tmp_path: Path
    ) -> None:
        number = provider.next_generation(0)
        key = provider.make(number)
        assert key not in self.file(tmp_path).read_bytes()
        (tmp_path / "journal").write_bytes(bytes(reversed(range(32))))
        with pytest.raises(JournalError, match="does not open under this credential"):
            self.again(provider).wrapping_key(number)

    def test_one_generations_file_is_not_taken_for_anothers(
        self, provider: KeyProvider, tmp_path: Path
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        self.file(tmp_path).rename(self.folder(tmp_path) / f"wrapping-{number + 1}.key")
        with pytest.raises(JournalError):
            provider.wrapping_key(number + 1)

    @pytest.mark.parametrize("content", [None, b"", b"a short secret"])
    def test_a_missing_or_weak_credential_says_what_to_do(
        self, provider: KeyProvider, tmp_path: Path, content: bytes | None
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        (tmp_path / "journal").unlink()
        if content is not None:
            (tmp_path / "journal").write_bytes(content)
        with pytest.raises(JournalError, match=r"LoadCredentialEncrypted|systemd-creds"):
            provider.wrapping_key(number)


def test_credentials_are_found_where_systemd_puts_them() -> None:
    environ = {"CREDENTIALS_DIRECTORY": "/run/credentials/nevgate.service"}
    assert credential_path("journal", environ) == Path("/run/credentials/nevgate.service/journal")


@pytest.mark.parametrize(("name", "environ"), [("journal", {}), ("../x", {"CREDENTIALS_DIRECTORY": "/run"})])
def test_no_credentials_is_an_error_that_names_the_unit(name: str, environ: dict[str, str]) -> None:
    with pytest.raises(JournalError):
        credential_path(name, environ)
