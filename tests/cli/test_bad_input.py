"""Whatever a person hands in, the answer is one line and an exit code, never a traceback."""

import os
import stat
from pathlib import Path

import pytest

from tests.cli.running import Program

GARBAGE = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    for ending in ("dbc", "kcd", "arxml", "sym", "toml", "pem", "log", "csv", "blf", "asc", "trc", "db"):
        (tmp_path / f"empty.{ending}").touch()
        (tmp_path / f"garbage.{ending}").write_bytes(GARBAGE)
    (tmp_path / "words.toml").write_text("[vehicle\n", "utf-8")
    (tmp_path / "frames.log").write_text("(1.0) can0 123#0011\n", "utf-8")
    return tmp_path


REFUSED = [
    "bogus",
    "dbc lnit x.dbc",
    "--bogus",
    "dbc lint",
    "dbc bind nothing.dbc",
    "dbc bind folder",
    "dbc bind empty.dbc",
    "dbc bind garbage.dbc",
    "dbc bind garbage.kcd",
    "dbc bind garbage.arxml",
    "dbc bind garbage.sym",
    "dbc bind frames.log",
    "dbc bind DBC --least-score nan",
    "dbc bind DBC --least-score 2",
    "dbc lint nothing.dbc",
    "dbc explain DBC",
    "dbc explain DBC 123",
    "dbc explain DBC 123#0",
    "dbc explain DBC 123456789ABCDEF#00",
    "dbc explain DBC é#00",
    "dbc explain DBC 7FF#00",
    "dbc explain DBC --message Nothing 00",
    "decode nothing.log --dbc DBC",
    "decode folder --dbc DBC",
    "decode garbage.blf --dbc DBC",
    "decode frames.log",
    "decode frames.log --dbc nothing.dbc",
    "decode frames.log --dbc DBC --out table.xlsx",
    "decode frames.log --dbc DBC --out folder",
    "decode frames.log --dbc DBC --out nowhere/table.csv",
    "decode frames.log --dbc DBC --signals Nothing.*",
    "decode frames.log --dbc DBC --bus-map can0",
    "decode frames.log --dbc DBC --policy nothing.toml",
    "decode frames.log --dbc DBC --policy folder",
    "decode frames.log --dbc DBC --policy garbage.toml",
    "decode frames.log --dbc DBC --collect everything",
    "simulate --duration -1",
    "simulate --duration nan",
    "simulate --duration inf",
    "simulate --duration 1e308",
    "simulate --seed x",
    "simulate --scenario nothing",
    "simulate --bus nothing",
    "simulate --out folder",
    "simulate --out nowhere/drive.log",
    "simulate --out drive.xyz",
    "simulate --out drive.log --interface virtual",
    "simulate --channel powertrain=x",
    "simulate --interface nothing --channel powertrain=x",
    "simulate --interface virtual",
    "simulate --interface virtual --channel nothing=x",
    "simulate --interface virtual --channel powertrain=x --speed nan",
    "simulate --interface kvaser --channel powertrain=0",
    "simulate --interface udp_multicast --channel powertrain=239.74.163.2:x",
    "demo --duration nan",
    "demo --speed 0",
    "demo --scenario nothing",
    "keys make",
    "keys make folder",
    "keys make empty.pem",
    "keys make new.pub.pem",
    "keys make empty.pem/new.pem",
    "keys show nothing.pem",
    "keys show folder",
    "keys show empty.pem",
    "keys show garbage.pem",
    "keys public empty.pem",
    "config init folder",
    "config init empty.toml",
    "config init nowhere/nevgate.toml",
    "config check",
    "config check nothing.toml",
    "config check folder",
    "config check empty.toml",
    "config check garbage.toml",
    "config check words.toml",
    "run --config empty.toml",
    "run --config empty.toml --drain nan",
    "run --drain -1",
    "replay frames.log",
    "replay frames.log --config garbage.toml",
    "replay frames.log --config empty.toml --speed 0",
    "platform serve",
    "platform serve --with-broker --keys nothing --store platform.db",
    "platform serve --with-broker --keys folder --store platform.db",
    "platform serve --keys folder --store platform.db",
    "platform serve --broker x --keys folder --store platform.db",
    "platform serve --broker h:99999 --keys folder --store platform.db",
    "platform serve --broker h:1 --port 2 --keys folder --store platform.db",
    "platform serve --with-broker --port 70000 --keys folder --store platform.db",
    "platform query nothing.db",
    "platform query folder",
    "platform query empty.db",
    "platform query garbage.db",
    "platform query garbage.db records --since yesterday",
    "platform query garbage.db records --item nothing",
    "platform query garbage.db --csv --json",
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", REFUSED)
def test_bad_input_is_refused_in_words(line: str, nevgate: Program, powertrain: Path) -> None:
    outcome = nevgate(*(powertrain if word == "DBC" else word for word in line.split()))
    assert outcome.code in {1, 2}
    said = outcome.err or outcome.out
    assert said.strip()
    assert "Traceback" not in outcome.err
    assert "Errno" not in said.replace("[Errno -2] Name or service", "")


def test_a_taken_port_is_named(nevgate: Program) -> None:
    import socket  # noqa: PLC0415

    nevgate("keys", "make", "keys/V.pem")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        words = f"platform serve --with-broker --port {port} --keys keys --store platform.db"
        outcome = nevgate(*words.split())
    assert outcome.code == 1
    assert f"127.0.0.1:{port}: no broker can listen there (Address already in use)" in outcome.err


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_full_disk_is_named(ending: str, folder: Path, nevgate: Program, powertrain: Path) -> None:
    table = folder / f"full.{ending}"
    table.symlink_to("/dev/full")
    (folder / "long.log").write_text("".join(f"({n}.0) can0 120#0011223344556677\n" for n in range(9000)))
    outcome = nevgate("decode", "long.log", "--dbc", powertrain, "--out", table)
    assert outcome.code == 1
    assert outcome.err == f"nevgate: {table}: cannot be written (No space left on device)\n"


def test_an_open_private_key_is_refused(nevgate: Program, tmp_path: Path) -> None:
    assert nevgate("keys", "make", "keys/V.pem").code == 0
    path = tmp_path / "keys" / "V.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    outcome = nevgate("keys", "show", path)
    assert outcome.code == 1
    assert "chmod 600" in outcome.err


def test_a_recording_without_frames_or_of_other_buses_says_so(
    folder: Path, nevgate: Program, powertrain: Path
) -> None:
    assert "there is no frame in it" in nevgate("decode", folder / "empty.log", "--dbc", powertrain).err
    assert "is it a recording?" in nevgate("decode", folder / "garbage.log", "--dbc", powertrain).err
    elsewhere = nevgate("decode", folder / "frames.log", "--dbc", f"pt={powertrain}")
    assert "no frame is of bus 'pt'; the buses in it are can0" in elsewhere.err


def test_names_of_any_kind_are_taken(nevgate: Program, powertrain: Path, tmp_path: Path) -> None:
    recording = tmp_path / os.fsdecode("fährt [bold]中文\udcff.log".encode("utf-8", "surrogateescape"))
    recording.write_text("(1.0) can0 120#0011223344556677\n", "utf-8")
    database = tmp_path / "päth 中 [red].dbc"
    database.write_bytes(powertrain.read_bytes())
    outcome = nevgate("decode", recording, "--dbc", database, "--json")
    assert outcome.code == 0
    assert "päth 中 [red].dbc" in outcome.out
