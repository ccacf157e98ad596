"""The platform's page shows what is whole, says of the rest how far it came, and believes nobody."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from selenium.webdriver.common.by import By
from werkzeug.test import Client, TestResponse

from edge.cli.program import program
from edge.clock import NS_PER_S
from edge.errors import ConfigError
from edge.page.server import PageServer
from edge.vision.encoding.clips import clip_writer
from edge.vision.encoding.stills import encode_still
from edge.vision.media import MediaFormat
from edge.wire.loss import LossCause
from edge.wire.media_message import MediaAbout
from simulator.platform.media_page import CARDS
from simulator.platform.media_site import MediaSite
from tests.media.test_media_platform import CONTENT, WHOLE, Site
from tests.page.browser import running_browser
from tests.vision_encoding.painted import redacted, street

BASE = "http://127.0.0.1:8481"
HOSTILE = '"><script src=//x></script>../../etc/passwd'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "platform.db")


def get(site: Site, path: str, base: str = BASE) -> TestResponse:
    site.rig.receipts()
    return Client(MediaSite(site.rig.path)).get(path, base_url=base)


def about_of(content: bytes, **changes: object) -> MediaAbout:
    sized = replace(WHOLE, size=len(content), digest=hashlib.sha256(content).digest())
    return replace(sized, **changes)  # type: ignore[arg-type] # fields by name


def send(site: Site, content: bytes, **changes: object) -> None:
    site.send(1, len(content), about_of(content, **changes), content)


def test_a_card_says_what_it_is_and_its_picture_is_served_as_what_it_is(site: Site) -> None:
    send(site, CONTENT)
    page = get(site, "/").text
    for words in (
        "front",
        "exterior",
        "event",
        "crash@81",
        "complete",
        "fits what the store holds",
        WHOLE.digest.hex(),
    ):
        assert words in page
    assert '<img src="/media/1"' in page
    picture = get(site, "/media/1")
    assert (picture.status_code, picture.data, picture.content_type) == (200, CONTENT, "image/jpeg")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src" not in picture.headers["Content-Security-Policy"]


def test_what_is_incomplete_or_was_let_go_of_is_said_and_not_shown(site: Site) -> None:
    site.send(2_001, 3_000)
    page = get(site, "/").text
    assert "incomplete: 1,000 of 10,000 bytes here; missing 1 to 2,000, 3,001 to 10,000" in page
    site.end(LossCause.ERASED)
    page = get(site, "/").text
    assert "let go of: erased in the vehicle" in page
    assert "<img" not in page
    assert get(site, "/media/1").status_code == 404


@pytest.mark.parametrize("stored", [b"changed in the store", None])
def test_what_does_not_fit_its_hash_is_not_shown(site: Site, stored: bytes | None) -> None:
    send(site, CONTENT)
    site.rig.receipts()
    with sqlite3.connect(site.rig.path) as connection:
        connection.execute("UPDATE media SET content = ?", (stored,))
    connection.close()
    assert "does not fit what the store holds" in get(site, "/").text
    assert get(site, "/media/1").status_code == 404


def test_a_row_that_makes_no_sense_is_an_error_with_words(site: Site) -> None:
    send(site, CONTENT)
    site.rig.receipts()
    with sqlite3.connect(site.rig.path) as connection:
        connection.execute("UPDATE media SET state = 'neither'")
    connection.close()
    answer = get(site, "/")
    assert answer.status_code == 503
    assert "the store cannot be read" in answer.text


def test_words_of_a_vehicle_are_words_and_no_other_format_is_served(site: Site) -> None:
    send(site, CONTENT, camera=HOSTILE, cause=HOSTILE, purpose=HOSTILE, data_class=HOSTILE)
    send(site, CONTENT, block=8, format="text/html")
    send(site, CONTENT, block=9, format="image/svg+xml", detectors=(HOSTILE,))
    page = get(site, "/").text
    assert "<script" not in page
    assert "&lt;script" in page
    assert page.count("<img") == 1
    assert [get(site, f"/media/{row}").status_code for row in (1, 2, 3)] == [200, 404, 404]


@pytest.mark.parametrize(
    "path", ["/media/2", "/media/-1", "/media/../platform.db", "/media/%2e%2e/platform.db", "/etc/passwd"]
)
def test_nothing_but_rows_of_the_store_is_served(site: Site, path: str) -> None:
    send(site, CONTENT)
    assert get(site, path).status_code == 404


def test_another_name_that_points_here_gets_nothing(site: Site) -> None:
    send(site, CONTENT)
    assert get(site, "/", "http://evil.example:8481").status_code == 400
    assert get(site, "/?before=x").status_code == 400


def test_it_is_called_by_its_name_alone_where_its_port_is_that_of_http(site: Site) -> None:
    send(site, CONTENT)
    assert get(site, "/", "http://127.0.0.1:80").status_code == 200
    assert get(site, "/", "http://localhost").status_code == 200
    assert get(site, "/", "http://evil.example").status_code == 400


def test_a_part_of_a_clip_is_served_where_a_browser_asks_for_it(site: Site) -> None:
    send(site, CONTENT)
    site.rig.receipts()
    client = Client(MediaSite(site.rig.path))
    part = client.get("/media/1", base_url=BASE, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, CONTENT[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(CONTENT)}"
    beyond = client.get("/media/1", base_url=BASE, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert beyond.status_code == 416
    assert get(site, "/media/1").headers["Accept-Ranges"] == "bytes"


def test_a_port_that_is_taken_is_told_by_the_option_that_would_change_it(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(program, ["platform", "page", str(site.rig.path), "--port", port])
    assert isinstance(result.exception, ConfigError)
    assert f"port {port}" in result.exception.what
    assert "--port 0" in result.exception.todo


def test_older_ones_are_on_the_next_page_and_a_vehicle_has_its_own(site: Site) -> None:
    for block in range(1, CARDS + 3):
        send(site, CONTENT, block=block, camera=f"camera {block}")
    first = get(site, "/").text
    assert first.count("<article") == CARDS
    assert 'href="/?before=3"' in first
    assert get(site, "/?before=3").text.count("<article") == 2
    assert "There are none here" in get(site, "/?vehicle=%22%3Eother").text


@contextmanager
def serving(path: Path) -> Iterator[str]:
    stop = threading.Event()
    server = PageServer(MediaSite(path), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bound_port}"
    finally:
        stop.set()
        with suppress(OSError):
            server.pull_trigger()
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_a_browser_shows_stills_and_plays_clips(site: Site, tmp_path: Path) -> None:
    still = redacted(street(height=180, width=320))
    send(site, encode_still(still, MediaFormat.JPEG, 80), width=320, height=180)
    avif = encode_still(still, MediaFormat.AVIF, 80)
    send(site, avif, block=8, format=str(MediaFormat.AVIF), width=320, height=180)
    with clip_writer("av1", 1.0, 70) as writer:
        for number in range(3):
            frame = street(height=180, width=320, seed=number)
            writer.add(redacted(frame, number, number * NS_PER_S))
        clip = writer.finish()
    send(site, clip, block=9, format=str(MediaFormat.AVIF_SEQUENCE), frames=3, width=320, height=180)
    send(site, CONTENT, block=10, camera=HOSTILE)
    site.send(1, 2_000, replace(WHOLE, block=11, camera="rear"))
    site.rig.receipts()
    with serving(site.rig.path) as url, running_browser(tmp_path) as browser:
        browser.size(1280, 900)
        browser.open(url)
        browser.until(lambda: browser.script("return [...document.images].every((i) => i.complete)"))
        sizes = browser.script("return [...document.images].map((i) => [i.naturalWidth, i.naturalHeight])")
        assert sizes == [[0, 0], [320, 180], [320, 180], [320, 180]]
        clip_shown = browser.driver.find_element(By.CSS_SELECTOR, "img[src='/media/3']")
        first = clip_shown.screenshot_as_png
        browser.until(lambda: clip_shown.screenshot_as_png != first)
        assert len(browser.driver.find_elements(By.TAG_NAME, "article")) == 5
        assert browser.faults() == []
        assert browser.complaints() == []
        browser.picture(tmp_path / "page.png")
