"""Providers of wrapping keys: one promise, kept by each in its own place."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random

import pytest

from edge.errors import JournalError
from edge.journal.key_provider import (
    CredentialKeyProvider,
    FileKeyProvider,
    KeyProvider,
    MemoryKeyProvider,
    credential_path,
)
from edge.journal.sealing import Draw


def seeded(seed: int) -> Draw:
    return Random(seed).randbytes  # noqa: S311 - a test repeats its seed


class ProviderContract(ABC):
    """What every provider promises."""

    @pytest.fixture
    @abstractmethod
    def provider(self, tmp_path: Path) -> KeyProvider: ...

    def again(self, provider: KeyProvider) -> KeyProvider:
        """The same provider as the next process would have it."""
        return provider

    def test_a_made_key_is_had_again_by_the_next_process(self, provider: KeyProvider) -> None:
        number = provider.next_generation(0)
        key = provider.make(number)
        assert len(key) == 32
        assert provider.wrapping_key(number) == key
        assert self.again(provider).wrapping_key(number) == key
        assert self.again(provider).generations() == (number,)

    def test_generations_have_keys_and_numbers_of_their_own(self, provider: KeyProvider) -> None:
        first = provider.next_generation(0)
        first_key = provider.make(first)
        second = provider.next_generation(first)
        second_key = provider.make(second)
        assert second > first
        assert first_key != second_key
        assert self.again(provider).wrapping_key(first) == first_key
        assert self.again(provider).wrapping_key(second) == second_key
        assert self.again(provider).next_generation(0) > second

    def test_a_number_once_used_does_not_come_back(self, provider: KeyProvider) -> None:
        assert provider.next_generation(41) > 41

    def test_a_generation_is_not_made_twice(self, provider: KeyProvider) -> None:
        number = provider.next_generation(0)
        key = provider.make(number)
        with pytest.raises(JournalError, match="exists already"):
            provider.make(number)
        assert provider.wrapping_key(number) == key

    def test_a_destroyed_key_is_gone_and_the_others_stay(self, provider: KeyProvider) -> None:
        first = provider.next_generation(0)
        provider.make(first)
        second = provider.next_generation(first)
        key = provider.make(second)
        provider.destroy(first)
        for each in (provider, self.again(provider)):
            assert each.generations() == (second,)
            assert each.wrapping_key(second) == key
            with pytest.raises(JournalError):
                each.wrapping_key(first)

    def test_the_newer_of_two_can_go_as_well(self, provider: KeyProvider) -> None:
        first = provider.next_generation(0)
        key = provider.make(first)
        second = provider.next_generation(first)
        provider.make(second)
        provider.destroy(second)
        assert self.again(provider).wrapping_key(first) == key
        with pytest.raises(JournalError):
            self.again(provider).wrapping_key(second)

    def test_destroying_twice_is_no_error(self, provider: KeyProvider) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        provider.destroy(number)
        provider.destroy(number)
        self.again(provider).destroy(number)
        assert provider.generations() == ()

    def test_an_unknown_generation_is_refused(self, provider: KeyProvider) -> None:
        with pytest.raises(JournalError):
            provider.wrapping_key(7)


class TestMemory(ProviderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> KeyProvider:  # noqa: ARG002 - the others need it
        return MemoryKeyProvider(seeded(1))


class FolderContract(ProviderContract):
    """What every provider with a folder of its own promises besides."""

    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "wrapping"

    def file(self, tmp_path: Path) -> Path:
        (path,) = self.folder(tmp_path).iterdir()
        return path

    def test_file_and_folder_are_the_owners_alone(self, provider: KeyProvider, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            provider.make(provider.next_generation(0))
        finally:
            os.umask(before)
        assert self.folder(tmp_path).stat().st_mode & 0o777 == 0o700
        assert self.file(tmp_path).stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
    def test_a_file_open_to_others_is_refused(self, provider: KeyProvider, tmp_path: Path, mode: int) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        path = self.file(tmp_path)
        path.chmod(mode)
        with pytest.raises(JournalError, match=f"chmod 600 {path}"):
            self.again(provider).wrapping_key(number)

    def test_a_folder_that_others_can_write_is_refused(self, provider: KeyProvider, tmp_path: Path) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        self.folder(tmp_path).chmod(0o770)
        with pytest.raises(JournalError, match="chmod 700"):
            self.again(provider).wrapping_key(number)

    def test_a_file_of_another_user_is_refused(
        self, provider: KeyProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)
        with pytest.raises(JournalError, match="chown 54321"):
            self.again(provider).wrapping_key(number)

    def test_a_link_in_the_files_place_is_not_followed(self, provider: KeyProvider, tmp_path: Path) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        path = self.file(tmp_path)
        path.symlink_to(path.rename(tmp_path / "elsewhere"))
        with pytest.raises(JournalError):
            self.again(provider).wrapping_key(number)

    @pytest.mark.parametrize("length", [0, 31, 33, 20_000])
    def test_a_file_of_another_length_is_refused(
        self, provider: KeyProvider, tmp_path: Path, length: int
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        self.file(tmp_path).write_bytes(bytes(length))
        with pytest.raises(JournalError):
            self.again(provider).wrapping_key(number)

    def test_what_an_interrupted_making_left_goes_at_the_next(
        self, provider: KeyProvider, tmp_path: Path
    ) -> None:
        first = provider.next_generation(0)
        provider.make(first)
        unfinished = self.folder(tmp_path) / f".wrapping-{first + 1}.key.new"
        unfinished.write_bytes(b"half a key")
        assert provider.generations() == (first,)
        provider.make(provider.next_generation(first))
        assert not unfinished.exists()

    def test_the_file_is_overwritten_before_it_goes(
        self, provider: KeyProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = provider.next_generation(0)
        provider.make(number)
        second_name = tmp_path / "another name of the same file"
        second_name.hardlink_to(self.file(tmp_path))
        size = second_name.stat().st_size
        synced: list[int] = []
        monkeypatch.setattr(os, "fsync", synced.append)
        provider.destroy(number)
        assert second_name.read_bytes() == bytes(size)
        assert len(synced) == 2  # the file, then the folder


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
