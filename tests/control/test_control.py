"""The control socket: whatever comes in is answered or cut off, and nothing ends the server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.control.client import ControlClient, NotRunningError
from edge.control.lines import REQUEST_BYTES
from edge.control.server import MOST_CONNECTIONS, ControlServer
from edge.errors import ConsentError, ControlError

CLOCK = SystemClock()
Start = Callable[..., ControlServer]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def echo(request: Mapping[str, object]) -> Mapping[str, object]:
    match request.get("do"):
        case "refuse":
            raise ConsentError("there is nothing to refuse", where="a test", todo="Ask for something else")
        case "break":
            raise ZeroDivisionError
    return {"ok": True, "asked": dict(request)}


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    servers: list[ControlServer] = []

    def begin(**options: float) -> ControlServer:
        servers.append(ControlServer(path, echo, CLOCK, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield begin
    for one in servers:
        one.close()


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def answer_to(path: Path, *parts: bytes) -> dict[str, object]:
    with connect(path) as connection:
        for part in parts:
            connection.sendall(part)
        line = connection.makefile("rb").readline()
    answer: dict[str, object] = json.loads(line)
    return answer


def test_a_request_is_answered(path: Path, start: Start) -> None:
    start()
    assert ControlClient(path).ask({"do": "state", "name": "车"}) == {
        "ok": True,
        "asked": {"do": "state", "name": "车"},
    }


def test_several_requests_go_over_one_connection(path: Path, start: Start) -> None:
    start()
    with connect(path) as connection, connection.makefile("rb") as answers:
        connection.sendall(b'{"do": 1}\n{"do"')
        assert json.loads(answers.readline())["asked"] == {"do": 1}
        connection.sendall(b": 2}\n")
        assert json.loads(answers.readline())["asked"] == {"do": 2}


def test_a_refusal_comes_with_its_words(path: Path, start: Start) -> None:
    start()
    with pytest.raises(ControlError) as refused:
        ControlClient(path).ask({"do": "refuse"})
    assert refused.value.what == "a test: there is nothing to refuse"
    assert refused.value.todo == "Ask for something else"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", "no JSON"),
        (b"hello", "no JSON"),
        (b"[1, 2]", "no JSON object"),
        (b'{"do": NaN}', "NaN is no number"),
        (b'{"do": "\\ud800"}', "no JSON"),
        (b'{"do": "\xff"}', "no JSON"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"do": ' + b"9" * 5_000 + b"}", "no JSON"),
        (b'{"do": "break"}', "could not answer"),
    ],
)
def test_a_bad_line_is_answered_and_the_connection_goes_on(
    path: Path, start: Start, line: bytes, words: str
) -> None:
    start()
    with connect(path) as connection, connection.makefile("rb") as answers:
        connection.sendall(line + b"\n")
        answer = json.loads(answers.readline())
        assert answer["ok"] is False
        assert words in answer["what"]
        connection.sendall(b'{"do": "again"}\n')
        assert json.loads(answers.readline())["ok"] is True


def test_a_line_that_is_too_long_is_answered_and_cut_off(path: Path, start: Start) -> None:
    start()
    assert "more than" in str(answer_to(path, b"x" * (REQUEST_BYTES + 1))["what"])
    assert "more than" in str(answer_to(path, b"x" * REQUEST_BYTES, b"x")["what"])
    with_its_end = json.dumps({"do": "x" * (REQUEST_BYTES + 100)}).encode() + b"\n"
    assert "more than" in str(answer_to(path, with_its_end)["what"])
    whole = json.dumps({"do": "x" * (REQUEST_BYTES - 10)}).encode()
    assert len(whole) == REQUEST_BYTES
    assert answer_to(path, whole, b"\n")["ok"] is True


def test_who_is_silent_or_slow_is_cut_off(path: Path, start: Start) -> None:
    start(idle_s=0.2)
    with connect(path) as silent, connect(path) as slow:
        begun = time.monotonic()
        ended = threading.Event()

        def dribble() -> None:
            try:
                while not ended.wait(0.02):
                    slow.send(b" ")
            except OSError:
                return

        dribbling = threading.Thread(target=dribble)
        dribbling.start()
        assert silent.recv(1) == b""
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""
        assert time.monotonic() - begun < 5
        ended.set()
        dribbling.join()
    assert answer_to(path, b'{"do": 1}\n')["ok"] is True


def test_a_seventeenth_connection_is_turned_away_until_one_goes(path: Path, start: Start) -> None:
    start()
    held = [connect(path) for _ in range(MOST_CONNECTIONS)]
    try:
        for one in held:
            one.sendall(b'{"do": 1}\n')
            assert one.recv(100)
        assert "too many" in str(answer_to(path)["what"])
    finally:
        for one in held:
            one.close()
    end_s = time.monotonic() + 10
    while time.monotonic() < end_s:
        if answer_to(path, b'{"do": 1}\n')["ok"] is True:
            return
    pytest.fail("the server takes no connection any more")


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_socket_has_the_rights_that_were_asked_for(path: Path, start: Start, mode: int) -> None:
    before = os.umask(0)
    try:
        start(mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.lstat().st_mode) == mode


def test_a_socket_that_was_left_behind_is_replaced(path: Path, start: Start) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(NotRunningError):
        ControlClient(path).ask({"do": "state"})
    start()
    assert ControlClient(path).ask({"do": "state"})["ok"] is True


def test_a_socket_that_somebody_listens_on_is_left_alone(path: Path, start: Start) -> None:
    start()
    with pytest.raises(ControlError, match="another process listens"):
        start()
    assert ControlClient(path).ask({"do": "state"})["ok"] is True


def test_a_file_in_its_place_is_left_alone(path: Path, start: Start, tmp_path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ControlError, match="something else"):
        start()
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ControlError, match="something else"):
        start()


def test_a_path_that_the_kernel_does_not_take_is_named(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "control.sock"
    for attempt in (lambda: ControlServer(path, echo, CLOCK), lambda: ControlClient(path).ask({"do": 1})):
        with pytest.raises(ControlError, match="at most 107"):
            attempt()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="No such file"):
        ControlServer(tmp_path / "none" / "control.sock", echo, CLOCK)


def test_closing_deletes_the_socket_and_ends_connections(path: Path, start: Start) -> None:
    server = start()
    with connect(path) as open_one:
        open_one.sendall(b'{"do": 1}\n')
        assert open_one.recv(100)
        server.close()
        assert open_one.recv(1) == b""
    assert not path.exists()
    server.close()
    with pytest.raises(NotRunningError):
        ControlClient(path).ask({"do": "state"})


def test_closing_leaves_the_socket_of_a_later_server_alone(path: Path, start: Start) -> None:
    first = start()
    path.unlink()
    start()
    first.close()
    assert ControlClient(path).ask({"do": "state"})["ok"] is True


def test_closing_waits_for_an_answer_under_way_but_not_for_who_does_not_read(path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(request: Mapping[str, object]) -> Mapping[str, object]:
        if request["do"] == "much":
            return {"ok": True, "much": "x" * 4_000_000}
        begun.set()
        assert go.wait(10)
        return {"ok": True}

    server = ControlServer(path, slow, CLOCK)
    with connect(path) as waiting, connect(path) as deaf:
        deaf.sendall(b'{"do": "much"}\n')
        waiting.sendall(b'{"do": "slow"}\n')
        assert begun.wait(10)
        closing = threading.Thread(target=server.close)
        closing.start()
        go.set()
        assert json.loads(waiting.makefile("rb").readline()) == {"ok": True}
        closing.join(10)
        assert not closing.is_alive()


def test_the_peer_is_in_the_log(path: Path, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    start()
    ControlClient(path).ask({"do": "grant"})
    ControlClient(path).ask({"do": "state"})
    assert f"process {os.getpid()} of user {os.getuid()} asks for 'grant'" in caplog.text
    assert "'state'" not in caplog.text


def test_a_server_that_answers_nonsense_is_named(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer(with_bytes: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(with_bytes)

        for sent in (b"", b"no", b"[]\n", b'{"ok": 1}\n', b"{}\n"):
            thread = threading.Thread(target=answer, args=(sent,))
            thread.start()
            with pytest.raises(ControlError):
                ControlClient(path).ask({"do": "state"})
            thread.join()
        with pytest.raises(ControlError, match="does not answer"):
            ControlClient(path, timeout_s=0.1).ask({"do": "state"})
