"""`nevgate gbt convert` and `encode` as people call them: journals, stores, brokers; files and platforms."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.bus.memory import MemorySource
from edge.catalogue.item import Edition
from edge.cli.gbt_convert import command
from edge.clock import NS_PER_S, SystemClock
from edge.frames import FrameBatch
from edge.wire.gbt.frame import Encryption, Frame
from edge.wire.gbt.message import message_of
from edge.wire.gbt.recording import RecordCodec, reports_of
from edge.wire.gbt.security.keys import SymmetricKey, write_gbt_key
from edge.wire.gbt.stream import StreamDecoder
from edge.wire.key_files import write_signing_key
from simulator.broker import LOOPBACK, EmbeddedBroker
from simulator.gbt.accepted import Accepted
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.server import GbtServer
from simulator.gbt.settings import Answers, PlatformSettings
from tests.cli.journals import Kept
from tests.cli.running import Program
from tests.conversion.scripted import WALL
from tests.gateway.rig import MS, Rig, motion
from tests.gateway.rig import VIN as KEPT_VIN
from tests.simulator.platform_rig import NOW_NS, PLATFORM_KEY, VEHICLE, VEHICLE_KEY, record
from tests.simulator.platform_rig import Rig as PlatformRig
from tests.simulator.test_platform_serve import Gateway

PATIENCE_S = 20.0
WHOLE = PlatformSettings(answers=Answers.ALL)


@pytest.fixture
def nevgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(monkeypatch, capsys)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What a gateway has kept that knew the time: a record a second, its speed the second's number."""
    folder = tmp_path_factory.mktemp("gateway") / "etc"
    rig = Rig(folder, uplink='[journal]\nfolder = "journal"\n', sampling="uplink_period_s = 1\n")
    frames = [motion(tenth * 100 * MS, tenth // 10) for tenth in range(121)]
    batches = [
        FrameBatch.from_frames(frames[begin : begin + 10], timebase=WALL)
        for begin in range(0, len(frames), 10)
    ]
    rig.gateway.run(MemorySource(batches, buses=["pt"], timebase=WALL), stop=rig.stop)
    assert rig.gateway.finish(60)
    return Kept(folder)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A platform's store with five records, one of them late."""
    rig = PlatformRig(tmp_path / "platform.db")
    rig.send(rig.vehicle.numbers(1, 4))
    rig.send(rig.vehicle.message(record(5)), rig.vehicle.topic().replace("live", "backlog"))
    rig.platform.commit(NOW_NS)
    rig.store.close()
    return rig.path


def frames_of(data: bytes) -> list[Frame]:
    decoder = StreamDecoder()
    found = [*decoder.feed(data), *decoder.flush()]
    frames = [one for one in found if isinstance(one, Frame)]
    assert len(frames) == len(found)
    return frames


@contextmanager
def listening(platform: GbtPlatform) -> Iterator[str]:
    """Serve a platform of GB/T 32960.3 from a thread; hands out where."""
    ready = threading.Event()
    ends: list[Callable[[], object]] = []
    ports: list[int] = []

    async def serve() -> None:
        async with GbtServer(platform) as server:
            ports.append(server.bound_port)
            end = asyncio.Event()
            ends.append(partial(asyncio.get_running_loop().call_soon_threadsafe, end.set))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield f"{LOOPBACK}:{ports[0]}"
    finally:
        ends[0]()
        thread.join(PATIENCE_S)


@pytest.fixture
def account(tmp_path: Path) -> Path:
    path = tmp_path / "government.toml"
    path.write_text(
        'identity = "GOVPLATFORM000001"\nuser = "enterprise"\npassword = "secret"\n[tls]\nenabled = false\n'
    )
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("edition", Edition)
def test_a_journals_records_become_frames_that_decode_to_what_it_shows(
    nevgate: Program, journal: Kept, tmp_path: Path, edition: Edition
) -> None:
    out = tmp_path / "day.gbt"
    done = nevgate(
        "gbt", "convert", "--config", journal.config, "--edition", edition.value, "--out", out, "--json"
    )
    assert done.code == 0, done.err
    said = json.loads(done.out)
    (hop,) = said["account"]["hops"]
    frames = frames_of(out.read_bytes())
    assert (hop["left"], said["bytes"], said["messages"]) == (
        hop["entered"],
        out.stat().st_size,
        len(frames),
    )
    assert {frame.vin for frame in frames} == {KEPT_VIN.encode()}
    codec = RecordCodec(edition)
    heard = [codec.hear(reports_of([message_of(frame)])).record for frame in frames]
    assert [one.values["vehicle.speed"] for one in heard] == [10 * second for second in range(12)]
    assert [one.t_ns - heard[0].t_ns for one in heard] == [second * NS_PER_S for second in range(12)]
    decoded = nevgate("gbt", "decode", out, "--json")
    assert (decoded.code, len(json.loads(decoded.out))) == (0, len(frames))


@pytest.mark.parametrize("edition", Edition)
def test_one_stored_record_encodes_to_the_line_that_the_whole_journal_has_for_it(
    nevgate: Program, journal: Kept, edition: Edition
) -> None:
    whole = nevgate(
        "gbt", "convert", "--journal", journal.journal, "--vin", KEPT_VIN, "--edition", edition.value
    )
    assert whole.code == 0, whole.err
    lines = whole.out.splitlines()
    assert len(lines) > 1
    for number in (1, len(lines)):
        for place in (("--config", journal.config), ("--journal", journal.journal)):
            words = ("--number", number, "--vin", KEPT_VIN, "--edition", edition.value)
            one = nevgate("gbt", "encode", *place, *words)
            assert (one.code, one.out.splitlines()) == (0, [lines[number - 1]])
    absent = nevgate("gbt", "encode", "--config", journal.config, "--number", 10_000, "--vin", KEPT_VIN)
    assert absent.code == 2
    assert "the journal has no record 10000" in absent.err
    late = nevgate(
        "gbt",
        "encode",
        "--config",
        journal.config,
        "--number",
        1,
        "--vin",
        KEPT_VIN,
        "--reissue",
        "--edition",
        edition.value,
    )
    assert late.out[4:6] == "03"
    assert late.out[48:-3] == lines[0][48:-2]


def test_a_stores_records_become_lines_of_hex_and_what_is_said_otherwise_is_told(
    nevgate: Program, store: Path
) -> None:
    done = nevgate("gbt", "convert", "--store", store, "--edition", "2016")
    assert done.code == 0, done.err
    frames = [frames_of(bytes.fromhex(line))[0] for line in done.out.splitlines()]
    assert [frame.command for frame in frames] == [2, 2, 2, 2, 3]
    assert "5 of 5 records became" in done.err
    assert "said otherwise: the record has no entry, the body has a field" in done.err
    again = nevgate("gbt", "convert", "--store", store, "--edition", "2016", "--reissue")
    assert [line[4:6] for line in again.out.splitlines()] == ["03"] * 5
    later = nevgate("gbt", "convert", "--store", store, "--from", "2025-06-15T15:06:44")
    assert len(later.out.splitlines()) == 2


def test_a_pseudonym_needs_its_vin(nevgate: Program, tmp_path: Path) -> None:
    rig = PlatformRig(tmp_path / "platform.db")
    rig.send(rig.vehicle.numbers(1, 2))
    rig.platform.commit(NOW_NS)
    rig.store._connection.execute("UPDATE stream SET vehicle = 'car-7'")
    rig.store.close()
    unknown = nevgate("gbt", "convert", "--store", rig.path)
    assert (unknown.code, unknown.out) == (1, "")
    assert "not gone: 2 no VIN is known of the vehicle" in unknown.err
    (tmp_path / "vins.toml").write_text('[vehicles]\ncar-7 = "LNVGATE00XDEM0007"\n')
    known = nevgate("gbt", "convert", "--store", rig.path, "--vins", "vins.toml")
    assert known.code == 0
    assert [bytes.fromhex(line)[4:21] for line in known.out.splitlines()] == [b"LNVGATE00XDEM0007"] * 2
    (tmp_path / "vins.toml").write_text('[vehicles]\ncar-7 = "short"\n')
    assert "is no VIN" in nevgate("gbt", "convert", "--store", rig.path, "--vins", "vins.toml").err


def test_a_store_goes_to_a_platform_once(nevgate: Program, store: Path, account: Path) -> None:
    taken: list[Accepted] = []
    platform = GbtPlatform(settings=WHOLE, sinks=(taken.append,))
    with listening(platform) as where:
        words = ("gbt", "convert", "--store", store, "--platform", where, "--account", account, "--json")
        first = nevgate(*words, "--reissue-days", 0)
        again = nevgate(*words, "--reissue-days", 0)
    assert first.code == 0, first.err
    said = json.loads(first.out)
    assert (said["account"]["hops"][0]["left"], said["complete"], said["bytes"]) == (5, True, None)
    assert [(one.vin, one.command) for one in taken] == [(VEHICLE.encode(), 3)] * 5
    assert json.loads(again.out)["account"]["hops"][0]["entered"] == 0


def test_a_journal_goes_to_a_platform_as_reissue(nevgate: Program, journal: Kept, account: Path) -> None:
    taken: list[Accepted] = []
    platform = GbtPlatform(settings=WHOLE, sinks=(taken.append,))
    with listening(platform) as where:
        done = nevgate(
            "gbt", "convert", "--config", journal.config, "--platform", where, "--account", account, "--json"
        )
    said = json.loads(done.out)
    assert said["account"]["hops"][0]["left"] == len(taken) > 0, done.err
    assert {one.command for one in taken} == {3}


def test_a_platform_that_cannot_be_reached_is_a_line_and_the_records_wait(
    nevgate: Program, store: Path, account: Path
) -> None:
    with listening(GbtPlatform()) as where:
        pass
    done = nevgate("gbt", "convert", "--store", store, "--platform", where, "--account", account)
    assert done.code != 0
    assert "nothing listens there" in done.err
    assert "5 waiting" in done.err


def live(
    words: list[object], stop: threading.Event, patch: pytest.MonkeyPatch
) -> tuple[threading.Thread, list[Result]]:
    """Run the command in a thread, to be stopped by an event instead of a signal."""

    @contextmanager
    def stopping() -> Iterator[threading.Event]:
        yield stop

    patch.setattr("edge.cli.gbt_convert.stop_on_signal", stopping)
    results: list[Result] = []
    thread = threading.Thread(
        target=lambda: results.append(CliRunner().invoke(command, [*map(str, words)], catch_exceptions=True))
    )
    thread.start()
    return thread, results


def until(holds: Callable[[], bool]) -> None:
    waiting = threading.Event()
    deadline = SystemClock().boot_ns() + PATIENCE_S * NS_PER_S
    while not holds():
        assert SystemClock().boot_ns() < deadline
        waiting.wait(0.02)


def test_records_go_live_from_a_broker_to_a_platform(
    tmp_path: Path, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / f"{VEHICLE}.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
    write_signing_key(tmp_path / "platform.pem", PLATFORM_KEY)
    taken: list[Accepted] = []
    platform = GbtPlatform(settings=WHOLE, sinks=(taken.append,))
    stop = threading.Event()
    with EmbeddedBroker(tmp_path) as broker, listening(platform) as where:
        words = ["--broker", f"{LOOPBACK}:{broker.port()}", "--keys", tmp_path / "keys"]
        words += ["--store", tmp_path / "platform.db", "--reissue-days", 0, "--json"]
        words += ["--platform", where, "--account", account]
        thread, results = live(words, stop, monkeypatch)
        until(lambda: bool(platform.platforms))
        gateway = Gateway(broker.port(), PLATFORM_KEY)
        gateway.publish(1, 3)
        until(lambda: len(taken) == 3)
        stop.set()
        thread.join(PATIENCE_S)
        gateway.close()
    (result,) = results
    assert result.exit_code == 0, result.output
    assert [one.command for one in taken] == [2, 2, 2]
    said = json.loads(result.stdout[result.stdout.index("{") :])
    messages, records, forwarded = said["account"]["hops"]
    assert (messages["left"], records["left"], forwarded["left"]) == (3, 3, 3)
    assert said["account"]["balanced"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "names no records"),
        (("--store", "a.db", "--journal", "j"), "names records twice"),
        (("--journal", "j", "--follow"), "a journal is not live"),
        (("--store", "a.db", "--platform", "h:1"), "--account"),
        (("--store", "a.db", "--account", "a"), "--platform"),
        (("--store", "absent.db"), "no such store"),
        (("--store", "absent.db", "--follow"), "no such store"),
        (("--store", "a.db", "--platform", "h:1", "--account", "a", "--out", "x"), "one place"),
        (("--store", "a.db", "--sign", "k", "--edition", "2016"), "only reports of 2025"),
        (("--store", "a.db", "--encrypt", "absent.pem"), "absent.pem"),
        (("--store", "a.db", "--vins", "absent.toml"), "absent.toml"),
        (("--store", "a.db", "--follow", "--from", "2026-01-01"), "all that waits goes"),
    ],
)
def test_what_does_not_go_together_is_a_line(
    nevgate: Program, words: tuple[str, ...], complaint: str
) -> None:
    done = nevgate("gbt", "convert", *words)
    assert done.code != 0
    assert complaint in done.err
    assert "Traceback" not in done.err


def test_an_account_that_others_can_read_is_refused(nevgate: Program, store: Path, account: Path) -> None:
    words = ("gbt", "convert", "--store", store, "--platform", "127.0.0.1:1", "--account", account)
    account.chmod(0o644)
    assert "chmod" in nevgate(*words).err
    account.chmod(0o600)
    account.write_text('identity = "short"\nuser = "a"\npassword = "b"\n')
    assert "17 characters" in nevgate(*words).err
    account.write_text('user = "a"\npassword = "b"\n')
    assert "identity" in nevgate(*words).err


def test_a_file_that_is_there_is_not_replaced_unless_that_is_asked_for(
    nevgate: Program, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "day.hex"
    assert nevgate("gbt", "convert", "--store", store, "--out", out).code == 0
    first = out.read_bytes()
    assert "is there already" in nevgate("gbt", "convert", "--store", store, "--out", out).err
    assert (
        nevgate("gbt", "convert", "--store", store, "--out", out, "--force", "--format", "frames").code == 0
    )
    assert out.read_bytes() == b"".join(map(bytes.fromhex, first.decode().splitlines()))


def test_a_cipher_that_the_edition_has_no_mark_for_is_refused_before_anything_goes(
    nevgate: Program, store: Path, account: Path, tmp_path: Path
) -> None:
    key = tmp_path / "session.key"
    write_gbt_key(key, SymmetricKey(Encryption.SM4, bytes(range(16))))
    words = ("--platform", "127.0.0.1:1", "--account", account, "--encrypt", key, "--edition", "2016")
    done = nevgate("gbt", "convert", "--store", store, *words)
    assert done.code != 0
    assert "the edition of 2016 has no mark for SM4" in done.err
