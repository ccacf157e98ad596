"""What every provider of wrapping keys promises, wherever it keeps them."""

import os
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from edge.errors import JournalError
from edge.journal.keys.key_provider import KeyProvider


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
