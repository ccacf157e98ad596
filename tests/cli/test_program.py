"""What scripts rely on: exit codes, JSON alone on standard output, closed pipes, completion."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.vehicle.wiring import DATABASES
from tests.cli.running import Program

SECONDS = 60


def completions(line: str, *, program: str = "bash") -> list[str]:
    """What the shell is told for `line`, whose last word is the unfinished one."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_NEVGATE_COMPLETE": f"{program}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": words[-1] if program == "fish" else str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "edge"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "drive.log"
    subprocess.run(
        [sys.executable, "-m", "edge", "simulate", "--duration", "3", "--out", str(path)],
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    return path


@pytest.fixture
def bench(nevgate: Program, tmp_path: Path) -> Path:
    """A configuration whose platform is not there."""
    path = tmp_path / "bench.toml"
    assert nevgate("config", "init", "--bench", path).code == 0
    assert nevgate("keys", "make", "keys/LNVGATE00XDEM0001.pem").code == 0
    assert nevgate("keys", "make", "platform.pem").code == 0
    path.write_text(path.read_text("utf-8").replace("port = 18830", "port = 1"), "utf-8")
    return path


def test_the_bench_configuration_can_be_run_as_it_is(bench: Path, nevgate: Program) -> None:
    outcome = nevgate("config", "check", bench)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("bench.toml: can be run\n")


def test_codes_of_success_error_usage_and_something_left(
    bench: Path, recording: Path, nevgate: Program
) -> None:
    assert nevgate("--version").code == 0
    assert nevgate("platform", "serve", "--help").code == 0
    assert nevgate("dbc", "lint", "nothing.dbc").code == 1
    assert nevgate("config", "check", recording).code == 2
    assert nevgate("replay").code == 2
    left = nevgate("replay", recording, "--config", bench, "--drain", 0, "--json")
    assert left.code == 3
    assert "not everything was acknowledged" in left.err
    account = json.loads(left.out)
    assert account["balanced"]
    assert account["hops"][0]["entered"] > 1000


@pytest.mark.parametrize(
    "line",
    [
        "simulate --duration 1",
        "decode RECORDING --dbc DBC",
        "decode RECORDING --dbc DBC --out table.csv",
        "config check BENCH",
        "dbc lint DBC",
        "dbc lint nothing.dbc",
        "dbc explain DBC 120#0011223344556677",
        "dbc bind DBC",
        "keys make new.pem",
        "keys show platform.pem",
        "keys public platform.pem",
    ],
)
def test_json_alone_is_on_standard_output(
    line: str, bench: Path, recording: Path, nevgate: Program, powertrain: Path
) -> None:
    stands = {"RECORDING": recording, "DBC": powertrain, "BENCH": bench}
    outcome = nevgate(*(stands.get(word, word) for word in line.split()), "--json")
    assert json.loads(outcome.out)
    assert outcome.code == ("nothing" in line)


def test_json_stays_json_where_the_terminal_has_no_utf_8(tmp_path: Path, powertrain: Path) -> None:
    database = tmp_path / "päth中.dbc"
    database.write_bytes(powertrain.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "edge", "dbc", "lint", str(database), "--json"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=SECONDS,
        check=True,
    )
    assert json.loads(done.stdout)[0]["file"] == str(database)


def test_tables_keep_whole_names_in_a_pipe_and_print_in_any_encoding(
    recording: Path, powertrain: Path
) -> None:
    for words in (["decode", recording], ["dbc", "explain", powertrain, "120#0011"]):
        dbc = ["--dbc", powertrain] if words[0] == "decode" else []
        done = subprocess.run(
            [sys.executable, "-m", "edge", *map(str, [*words, *dbc])],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        assert b"VehicleState_AliveCounter" in done.stdout, "no name is cut short"


@pytest.mark.parametrize("line", ["--help", "dbc bind DBC", "decode RECORDING --dbc DBC", "config schema"])
@pytest.mark.parametrize("reader", ["closed", "full"])
def test_output_that_nobody_takes_is_no_traceback(
    line: str, reader: str, recording: Path, powertrain: Path
) -> None:
    stands = {"RECORDING": str(recording), "DBC": str(powertrain)}
    command = [sys.executable, "-m", "edge", *(stands.get(word, word) for word in line.split())]
    if reader == "closed":
        read, write = os.pipe()
        os.close(read)
    else:
        write = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False
        )
    finally:
        os.close(write)
    if reader == "closed":
        assert (done.returncode, done.stderr) == (141, "")
    else:
        assert (done.returncode, done.stderr) == (1, "nevgate: No space left on device\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_completion_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from edge.cli import main; main()"],
        env={**os.environ, "_NEVGATE_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert f"_NEVGATE_COMPLETE={shell}_complete" in done.stdout


def test_completion_knows_commands_options_values_and_files() -> None:
    assert completions("nevgate pl") == ["plain,platform"]
    assert completions("nevgate platform ") == ["plain,serve", "plain,query", "plain,page"]
    assert completions("nevgate platform serve --with") == ["plain,--with-broker"]
    assert "plain,alarm" in completions("nevgate demo --scenario ")
    assert completions("nevgate decode dr") == ["file,dr"]
    assert completions("nevgate decode x --dbc ca") == ["file,ca"]
    assert completions("nevgate platform serve --keys k") == ["dir,k"]
    assert completions("nevgate keys m", program="zsh") == ["plain", "make", "Make a key pair."]
    assert completions("nevgate keys m", program="fish") == ["plain,make\tMake a key pair."]


def test_completing_a_command_imports_none(monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys, click\n"
        "from edge.cli.program import program\n"
        "program.shell_complete(click.Context(program), '')\n"
        "print([name for name in sys.modules if name in ('numpy', 'pydantic', 'rich', 'edge.cli.run')])"
    )
    monkeypatch.delenv("_NEVGATE_COMPLETE", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stdout == "[]\n"


def test_the_reference_databases_are_found() -> None:
    assert (DATABASES / "nev-powertrain.dbc").is_file()
