"""`nevgate page` serves what a configuration asks for, over the real control socket, and sets PINs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.cli.program import program
from edge.clock import SystemClock
from edge.control.server import ControlServer
from edge.errors import ConfigError, ControlError, KeyFileError
from edge.page.pins import Pins, Role
from tests.page.browser_like import Visitor
from tests.page.fake_gateway import FakeGateway
from tests.page.served import CHEAP, free_port, make

CONFIG = """
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "pt"
[uplink]
host = "platform.example"
acknowledge = "puback"
[signing]
key = "vehicle.pem"
[journal]
folder = "journal"
[page]
port = {port}
{more}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    path = tmp_path / "nevgate.toml"
    path.write_text(CONFIG.format(port=free_port(), more=""), "utf-8")
    return path


def run(*words: object, text: str = "") -> str:
    result = CliRunner().invoke(program, [str(word) for word in words], input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_pin_is_set_where_the_page_looks_for_it(config: Path) -> None:
    run("page", "pin", "set", "driver", "-c", config, text="2580\n2580\n")
    kept = Pins(config.parent / "journal" / "page-pins.json", os.urandom)
    assert kept.fits(Role.DRIVER, "2580")
    assert kept.roles() == {Role.DRIVER}


def test_a_pin_that_is_typed_differently_changes_nothing(config: Path) -> None:
    with pytest.raises(ConfigError, match="differ"):
        run("page", "pin", "set", "driver", "-c", config, text="2580\n2581\n")
    with pytest.raises(KeyFileError, match="characters"):
        run("page", "pin", "set", "owner", "-c", config, text="2580\n2580\n")
    assert [*(config.parent / "journal").iterdir()] == []


def test_the_inspectors_key_is_a_file_for_its_owner(config: Path, tmp_path: Path) -> None:
    key = tmp_path / "inspector.key"
    run("page", "pin", "set", "inspector", "-c", config, "--key", key)
    assert key.stat().st_mode & 0o777 == 0o600
    kept = Pins(config.parent / "journal" / "page-pins.json", os.urandom)
    assert kept.fits(Role.INSPECTOR, key.read_text("utf-8").strip())
    with pytest.raises(ConfigError, match="there already"):
        run("page", "pin", "set", "inspector", "-c", config, "--key", key)
    with pytest.raises(ConfigError, match="inspector alone"):
        run("page", "pin", "set", "driver", "-c", config, "--key", tmp_path / "other.key")


def test_the_page_speaks_with_a_gateway_that_comes_and_goes(config: Path) -> None:
    folder = config.parent / "journal"
    clock = SystemClock()
    Pins(folder / "page-pins.json", os.urandom, CHEAP).set(Role.DRIVER, "2580")
    served = make(config.parent)
    config.write_text(CONFIG.format(port=served.port, more=""), "utf-8")
    gateway = FakeGateway()

    def answer(request: Mapping[str, object]) -> Mapping[str, object]:
        if request["do"] == "refuse":
            raise ControlError("the journal is full", todo="Make room")
        return gateway.ask(request)

    command = [sys.executable, "-m", "edge", "page", "-c", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "the driver's page is at http://127.0.0.1:" in process.stderr.readline()
        visitor = Visitor(served)
        first = visitor.get("/", Accept_Language="en")
        assert (first.status, "The gateway is not running" in first.text) == (503, True)
        with ControlServer(folder / "control.sock", answer, clock):
            deadline_s = time.monotonic() + 10
            while visitor.get("/").status != 200:
                assert time.monotonic() < deadline_s
            visitor.get("/?language=en")
            assert visitor.log_in(Role.DRIVER, "2580").status == 303
            assert visitor.post("/grant/cabin/recording", {"term": "7-days"}).place == "/"
            assert visitor.post("/withdraw/position/service").place == "/"
            assert "the journal is full. Make room" in visitor.post("/refuse/exterior/event").text
        assert visitor.post("/withdraw/cabin/recording").status in {409, 503}
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert "Traceback" not in process.stderr.read()
    assert [one["do"] for one in gateway.changes()] == ["grant", "withdraw"]
    assert gateway.changes()[0]["term_s"] == 604_800


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('host = "192.168.7.1"\ndriver_pin = false', "this machine's own screen"),
        ('host = "203.0.113.7"', "cannot listen on"),
    ],
)
def test_what_cannot_be_served_is_said(config: Path, more: str, words: str) -> None:
    config.write_text(CONFIG.format(port=free_port(), more=more), "utf-8")
    with pytest.raises(ConfigError, match=words):
        run("page", "-c", config)
