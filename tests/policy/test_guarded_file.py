"""Files that decide over privacy: read only if nobody else could have put them there, written whole."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import PolicyError
from edge.policy.guarded_file import read_guarded, replace_file

ROOT, GATEWAY, STRANGER = 0, 1234, 4321


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "policy.toml"
    made.write_bytes(b"12345")
    made.chmod(0o644)
    return made


def state_of(path: Path, owner: int) -> os.stat_result:
    """What the system says of a file, had it another owner."""
    found = list(path.stat())
    found[4] = owner
    return os.stat_result(found)


def refusal(path: Path, most_bytes: int = 100) -> str:
    with pytest.raises(PolicyError) as caught:
        read_guarded(path, most_bytes)
    assert str(path) in (caught.value.where or "")
    return caught.value.what


def test_a_file_is_read_whole_up_to_its_bound(path: Path) -> None:
    assert read_guarded(path, 5) == b"12345"
    assert refusal(path, 4) == "has more than 4 bytes"


def test_a_file_without_end_does_not_fill_the_memory(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(path) == "has more than 100 bytes"


def linked(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def bound(path: Path) -> None:
    place = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{place}/{path.name}")
    os.close(place)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (linked, "a symbolic link"),
        (Path.mkdir, "a folder"),
        (os.mkfifo, "a pipe"),
        (bound, "a socket"),
    ],
)
def test_what_is_no_plain_file_is_refused_and_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    make(tmp_path / "policy")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    assert refusal(tmp_path / "policy") == f"is {kind}, not a file"


def test_a_device_is_refused() -> None:
    assert refusal(Path("/dev/null")) == "is a device, not a file"


def test_a_file_that_was_swapped_for_a_link_after_it_was_looked_at_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = path.lstat()
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    monkeypatch.setattr(Path, "lstat", lambda _: state)
    assert refusal(path).startswith("cannot be read: ")


@pytest.mark.parametrize(("mode", "read"), [(0o600, True), (0o664, True), (0o646, False), (0o602, False)])
def test_a_file_that_everybody_may_write_is_refused(path: Path, mode: int, read: bool) -> None:
    path.chmod(mode)
    if read:
        assert read_guarded(path, 100) == b"12345"
    else:
        assert refusal(path) == f"may be written by everybody (mode {mode:04o})"


@pytest.mark.parametrize(("owner", "read"), [(ROOT, True), (GATEWAY, True), (STRANGER, False), (1, False)])
def test_a_file_belongs_to_root_or_to_whom_the_gateway_runs_as(
    path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, read: bool
) -> None:
    state = state_of(path, owner)
    monkeypatch.setattr(os, "geteuid", lambda: GATEWAY)
    monkeypatch.setattr(Path, "lstat", lambda _: state)
    monkeypatch.setattr(os, "fstat", lambda _: state)
    if read:
        assert read_guarded(path, 100) == b"12345"
    else:
        assert refusal(path).startswith(f"belongs to user {owner}, ")


def test_other_owners_may_be_named(path: Path) -> None:
    mine = path.stat().st_uid
    assert read_guarded(path, 100, owners={mine}) == b"12345"
    with pytest.raises(PolicyError, match=f"belongs to user {mine}"):
        read_guarded(path, 100, owners={mine + 1})


def test_why_there_is_nothing_to_read_is_said(path: Path) -> None:
    assert refusal(path.with_name("none")) == "there is no such file"
    assert refusal(path / "below") == "cannot be read: Not a directory"
    with pytest.raises(PolicyError, match="is no path"):
        read_guarded(Path("a\0b"), 100)


def test_a_file_is_replaced_by_one_that_everybody_may_read(path: Path) -> None:
    before = os.umask(0)
    try:
        replace_file(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == 0o644
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_is_written_is_on_the_disk_before_it_takes_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[int, bytes]] = []
    monkeypatch.setattr(os, "fsync", lambda file: found.append((os.fstat(file).st_size, path.read_bytes())))
    replace_file(path, b"new")
    assert found == [(3, b"12345")]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(PolicyError, match="cannot be written: Is a directory"):
        replace_file(path, b"new")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_through_what_stands_beside_its_place(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"old")
    path.with_name(f".{path.name}.{os.getpid()}").symlink_to(victim)
    with pytest.raises(PolicyError, match="cannot be written: File exists"):
        replace_file(path, b"new")
    assert (victim.read_bytes(), path.read_bytes()) == (b"old", b"12345")
