"""The owner's file holds what the journal holds, is described, streams, and never becomes a file here."""

from __future__ import annotations

import csv
import http.client
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from edge.archive.opening import Archive
from edge.errors import JournalError
from edge.page.pins import Role
from edge.page.taking import BusyError, Taking
from tests.journal.journal_rig import CATALOGUE
from tests.page.browser_like import Visitor
from tests.page.fake_gateway import sample_state
from tests.page.kept_journal import keep, taking_from
from tests.page.served import make, serving


def taken(taking: Taking) -> zipfile.ZipFile:
    file = zipfile.ZipFile(io.BytesIO(b"".join(taking.begin(sample_state()))))
    assert file.testzip() is None
    return file


def rows(file: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read(name).decode())))


def test_it_holds_what_the_journal_holds(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    file = taken(taking_from(tmp_path / "journal"))
    records = rows(file, "records.csv")
    assert {(one["number"], one["item"], one["value"], one["state"]) for one in records} == {
        ("1", "vehicle.speed", "12.3", "valid"),
        ("1", "hv.soc", "", "invalid"),
        ("1", "gnss.valid", "5", "valid"),
        ("2", "vehicle.speed", "12.4", "valid"),
        ("2", "hv.soc", "", "invalid"),
        ("2", "gnss.valid", "5", "valid"),
    }
    frames = rows(file, "frames.csv")
    assert len(frames) == 180
    assert {one["bus"] for one in frames} == {"pt", "body"}
    assert all(len(one["data"]) <= 128 and int(one["time_ns"]) > 0 for one in frames)
    assert rows(file, "event-frames.csv") == []


def test_it_describes_every_column_and_counts_what_is_in_it(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    file = taken(taking_from(tmp_path / "journal"))
    schema = json.loads(file.read("schema.json"))
    about = json.loads(file.read("about.json"))
    for name in ("records.csv", "frames.csv", "event-frames.csv"):
        heading = file.read(name).decode().splitlines()[0].split(",")
        assert heading == [*schema[name]["properties"]]
        readme = file.read("README.txt").decode()
        assert name in readme
    assert (about["records.csv"]["written"], about["frames.csv"]["written"]) == (2, 180)
    assert about["frames.csv"]["masks"] == {"mask": 180}
    gateway = json.loads(file.read("gateway.json"))
    assert gateway["uses"][2]["consent"]["number"] == 3


def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    taking = taking_from(tmp_path / "journal")
    pieces = taking.begin({})
    assert taking.progress is not None
    assert not taking.progress.done
    assert taking.progress.of_blocks > 0
    size = sum(map(len, pieces))
    assert (taking.progress.done, taking.progress.percent, taking.progress.sent_bytes) == (True, 100, size)


def test_it_is_for_one_at_a_time_and_the_next_may_follow_however_it_ended(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    taking = taking_from(tmp_path / "journal")
    pieces = taking.begin({})
    with pytest.raises(BusyError):
        taking.begin({})
    pieces.close()
    assert taking.progress is not None
    assert taking.progress.failed
    assert taken(taking).namelist()[0] == "README.txt"


def test_a_journal_that_cannot_be_opened_frees_the_place() -> None:
    @contextmanager
    def broken() -> Iterator[Archive]:
        raise JournalError("there is no journal here")
        yield

    taking = Taking(broken, CATALOGUE)
    for _ in range(2):
        with pytest.raises(JournalError, match="no journal"):
            taking.begin({})


def test_memory_stays_the_same_however_much_there_is(tmp_path: Path) -> None:
    peaks = []
    for seconds in (5, 60):
        folder = tmp_path / str(seconds)
        keep(folder, seconds=seconds)
        taking = taking_from(folder)
        tracemalloc.start()
        for _ in taking.begin({}):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000


def test_the_page_sends_it_to_the_owner_and_leaves_nothing_behind(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    with serving(make(tmp_path / "..", taking=taking_from(tmp_path / "journal"))) as served:
        owner = Visitor(served)
        owner.log_in(Role.OWNER)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
        headers = {
            "Cookie": cookies,
            "Origin": served.url,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request("POST", "/take", urlencode({"form_token": owner.token}), headers)
        answer = connection.getresponse()
        assert answer.headers["Content-Disposition"] == 'attachment; filename="vehicle-data.zip"'
        assert answer.headers["Transfer-Encoding"] == "chunked"
        file = zipfile.ZipFile(io.BytesIO(answer.read()))
        connection.close()
        assert len(rows(file, "frames.csv")) == 180
        owner.get("/?language=en")
        assert "The last one is complete" in owner.get("/data").text
        assert "The last one is complete" not in Visitor(served).get("/data").text
    after = {
        path: path.stat().st_size for path in tmp_path.rglob("*") if not path.name.endswith(("-shm", "-wal"))
    }
    assert after.keys() <= before.keys()


def test_a_second_one_is_told_to_wait(tmp_path: Path) -> None:
    keep(tmp_path / "journal")
    taking = taking_from(tmp_path / "journal")
    with serving(make(tmp_path, taking=taking)) as served:
        owner = Visitor(served)
        owner.get("/?language=en")
        owner.log_in(Role.OWNER)
        pieces = taking.begin({})
        answer = owner.post("/take")
        assert answer.status == 409
        assert "One is being made already" in answer.text
        pieces.close()


def test_a_broken_journal_is_said(tmp_path: Path) -> None:
    with serving(make(tmp_path, taking=taking_from(tmp_path / "nothing"))) as served:
        owner = Visitor(served)
        owner.log_in(Role.OWNER)
        answer = owner.post("/take")
        assert answer.status == 409
        assert "there is no journal here" in answer.text
