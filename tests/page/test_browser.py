"""The page in real Chromium: every button, both languages, both sizes, fresh by itself, readable by all."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from edge.clock import SystemClock
from edge.page.pins import Role
from edge.page.words import words
from tests.page.browser import Browser, running_browser
from tests.page.fake_gateway import sample_state
from tests.page.kept_journal import keep, taking_from
from tests.page.served import PINS, Served, make, serving

SIZES = ((800, 480), (1280, 720))
PAGES = {
    "now": "/",
    "left": "/left",
    "data": "/data",
    "notice": "/use/cabin/recording",
    "withdraw": "/withdraw/position/service",
    "erase": "/erase/position",
    "login": "/login/driver",
    "login-owner": "/login/owner",
    "inspection": "/inspection",
    "unknown": "/use/no/such",
}
SMALLEST_TARGET = 64
SMALLEST_WORDS = 20


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "journal"
    keep(folder, seconds=1)
    return folder


@pytest.fixture
def served(tmp_path: Path, browser: Browser, journal: Path) -> Iterator[Served]:
    browser.size(800, 480)
    browser.forget()
    with serving(make(tmp_path, clock=SystemClock(), taking=taking_from(journal))) as page:
        yield page
    browser.open("about:blank")


@pytest.fixture(params=["zh", "en"])
def language(request: pytest.FixtureRequest, browser: Browser, served: Served) -> str:
    name = str(request.param)
    browser.open(f"{served.url}/?language={name}")
    return name


def have_role(browser: Browser, served: Served, role: Role) -> None:
    """Have a role as if its PIN had been entered."""
    cookie = served.page.sessions.give(served.page.sessions.visitor(None), role)
    browser.driver.add_cookie({"name": "nevgate", "value": cookie, "path": "/", "httpOnly": True})


def offers(browser: Browser, served: Served, name: str) -> bool:
    """Whether the notice offers a term; the page takes what the gateway said as fresh for half a second."""
    browser.open(f"{served.url}/use/cabin/recording")
    return bool(browser.driver.find_elements(By.ID, name))


def fits(browser: Browser, width: int, name: str, picture: Path) -> None:
    """Fail, with a picture, where something is beside the screen, too small for a finger or for the eye."""
    wide, small, least = browser.script(
        "const targets = [...document.querySelectorAll('a, button, label.tile, .entry input')];"
        "const small = targets.filter((e) => !e.classList.contains('skip'))"
        ".map((e) => [e, e.getBoundingClientRect()])"
        ".filter(([, r]) => r.width < arguments[0] || r.height < arguments[0])"
        ".map(([e, r]) => `${e.outerHTML} ${r.width}x${r.height}`);"
        "const words = [...document.querySelectorAll('main *')].filter((e) => e.innerText);"
        "const least = Math.min(...words.map((e) => parseFloat(getComputedStyle(e).fontSize)));"
        "return [document.documentElement.scrollWidth, small, least];",
        SMALLEST_TARGET,
    )
    found = (wide <= width, small, least >= SMALLEST_WORDS)
    if found != (True, [], True):
        browser.picture(picture)
    assert found == (True, [], True), f"{name}: {picture}"


def show_pin(browser: Browser, role: Role) -> None:
    assert browser.path().startswith(f"/login/{role}")
    browser.press(PINS[role][:2] + "0")
    browser.driver.find_element(By.CSS_SELECTOR, "[data-delete]").click()
    browser.press(PINS[role][2:])
    browser.click("enter")


def asked(served: Served) -> list[tuple[object, ...]]:
    keys = ("do", "class", "purpose", "term_s", "keep", "role")
    found = [tuple(one[key] for key in keys if key in one) for one in served.gateway.changes()]
    served.gateway.asked.clear()
    return found


def test_the_driver_refuses_agrees_and_withdraws(browser: Browser, served: Served, language: str) -> None:
    w = words(language)
    browser.click("refuse-cabin-recording")
    show_pin(browser, Role.DRIVER)
    assert browser.path() == "/use/cabin/recording"
    browser.click("refuse")
    assert asked(served) == [("refuse", "cabin", "recording", "driver")]
    assert w("said.refused") in browser.text()
    assert w("state.refused") in browser.find("card-cabin-recording").text

    browser.click("refuse-exterior-event")
    assert asked(served) == [("refuse", "exterior", "event", "driver")]

    browser.click("agree-cabin-recording")
    assert w("notice.contact") in browser.text()
    assert not browser.find("keep").is_selected()
    assert browser.find("term-drive").is_selected()
    browser.click("agree")
    assert asked(served) == [("grant", "cabin", "recording", 86_400, False, "driver")]
    assert w("state.given") in browser.find("card-cabin-recording").text
    assert w("consent.drive-only") in browser.find("card-cabin-recording").text

    browser.click("withdraw-cabin-recording")
    browser.click("keep")
    assert (browser.path(), asked(served)) == ("/", [])
    browser.click("withdraw-cabin-recording")
    browser.click("withdraw")
    assert asked(served) == [("withdraw", "cabin", "recording", "driver")]
    assert w("said.withdrawn") in browser.text()

    browser.click("details-position-service")
    browser.click("withdraw")
    browser.click("withdraw")
    assert asked(served) == [("withdraw", "position", "service", "driver")]
    browser.click("details-position-regulated")
    assert w("notice.basis-law") in browser.text()
    browser.click("back")
    browser.click("leave")
    assert w("said.locked") in browser.text()
    browser.click("refuse-cabin-recording")
    browser.click("back")
    assert (browser.path(), asked(served)) == ("/", [])


def test_each_term_can_be_chosen(browser: Browser, served: Served) -> None:
    browser.open(f"{served.url}/?language=zh")
    have_role(browser, served, Role.DRIVER)
    for term, term_s in (("1-day", 86_400), ("7-days", 604_800), ("30-days", 2_592_000)):
        served.gateway.told = sample_state()
        browser.until(lambda: offers(browser, served, f"term-{term}"))  # noqa: B023 - called at once
        browser.find(f"term-{term}").click()
        browser.find("keep").click()
        browser.click("agree")
        assert asked(served) == [("grant", "cabin", "recording", term_s, True, "driver")]
        assert words("zh")("consent.keeps") in browser.find("card-cabin-recording").text


def test_the_owner_erases_and_takes_along(browser: Browser, served: Served, language: str) -> None:
    w = words(language)
    for old in browser.downloads.iterdir():
        old.unlink()
    browser.click("nav-data")
    browser.click("erase-position")
    browser.click("keep")
    assert (browser.path(), asked(served)) == ("/data", [])
    browser.click("erase-position")
    browser.click("erase")
    show_pin(browser, Role.OWNER)
    assert browser.path() == "/erase/position"
    assert w("data.erase-law") in browser.text()
    browser.click("erase")
    assert asked(served) == [("erase", "position", "owner")]
    assert w("said.erased") in browser.text()

    browser.find("take").click()
    file = browser.downloads / "vehicle-data.zip"
    browser.until(lambda: zipfile.is_zipfile(file))
    assert "records.csv" in zipfile.ZipFile(file).namelist()
    browser.until(lambda: "MB" in browser.text())
    assert browser.path() == "/data"


def test_the_inspector_sees_all_and_takes_it_as_json(browser: Browser, served: Served, language: str) -> None:
    w = words(language)
    for old in browser.downloads.iterdir():
        old.unlink()
    browser.click("nav-inspection")
    show_pin(browser, Role.INSPECTOR)
    assert browser.path() == "/inspection"
    assert "m-0123/4567" in browser.text()
    assert w("inspect.signature") in browser.text()
    browser.find("download").click()
    file = browser.downloads / "gateway.json"
    browser.until(file.exists)
    assert "fleet" in file.read_text("utf-8")
    assert asked(served) == []


def test_every_other_link_leads_where_it_says(browser: Browser, served: Served, language: str) -> None:
    for name, path in (("left", "/left"), ("data", "/data"), ("now", "/")):
        browser.click(f"nav-{name}")
        assert browser.path() == path
        assert browser.find(f"nav-{name}").get_attribute("aria-current") == "page"
    other = next(one for one in ("zh", "en") if one != language)
    browser.click("nav-left")
    browser.click("switch-language")
    assert (browser.path(), words(other)("left.heading") in browser.text()) == ("/left", True)
    browser.click("switch-theme")
    first = browser.script("return getComputedStyle(document.body).backgroundColor")
    browser.click("switch-theme")
    assert browser.script("return getComputedStyle(document.body).backgroundColor") != first
    assert served.gateway.changes() == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_fits_the_screen_and_the_finger_and_reads_well(
    browser: Browser, served: Served, theme: str, tmp_path: Path
) -> None:
    language = {"dark": "zh", "light": "en"}[theme]
    browser.complaints()
    browser.open(f"{served.url}/login/driver?language={language}")
    browser.open(f"{served.url}/login/driver?theme={theme}")
    have_role(browser, served, Role.INSPECTOR)
    for name, path in PAGES.items():
        browser.open(served.url + path)
        for width, height in SIZES:
            browser.size(width, height)
            fits(browser, width, name, tmp_path / f"page-{name}-{width}x{height}-{language}-{theme}.png")
        assert browser.faults() == [], name
    other = {"dark": "en", "light": "zh"}[theme]
    browser.open(f"{served.url}/login/driver?language={other}")
    for name, path in PAGES.items():
        browser.open(served.url + path)
        for width, height in SIZES:
            browser.size(width, height)
            fits(browser, width, name, tmp_path / f"page-{name}-{width}x{height}-{other}-{theme}.png")
    elsewhere = browser.script(
        "return performance.getEntriesByType('resource').map((e) => e.name)"
        ".filter((name) => !name.startsWith(location.origin))"
    )
    assert elsewhere == []
    assert [one for one in browser.complaints() if "404" not in one] == []
    assert served.gateway.changes() == []


def test_refusing_looks_like_agreeing(browser: Browser, served: Served) -> None:
    look = (
        "const s = getComputedStyle(arguments[0]); const r = arguments[0].getBoundingClientRect();"
        "return [r.width, r.height, s.color, s.backgroundColor, s.borderColor, s.fontSize, s.fontWeight,"
        " s.opacity]"
    )
    for path, pairs in (
        ("/use/cabin/recording", [("agree", "refuse")]),
        ("/withdraw/position/service", [("withdraw", "keep")]),
        ("/erase/position", [("erase", "keep")]),
        ("/", [("agree-cabin-recording", "refuse-cabin-recording")]),
    ):
        browser.open(served.url + path)
        for one, other in pairs:
            assert browser.script(look, browser.find(one)) == browser.script(look, browser.find(other))


def test_it_stays_fresh_and_survives_the_gateway(browser: Browser, served: Served) -> None:
    browser.open(f"{served.url}/?language=en")
    served.gateway.told["clock"].update(trusted=False, why="set back")
    browser.until(lambda: "clock cannot be trusted" in browser.text())
    served.gateway.running = False
    browser.until(lambda: "The gateway is not running" in browser.text())
    served.gateway.running = True
    served.gateway.told = sample_state()
    browser.until(lambda: "Collected now" in browser.text())
    assert "clock cannot be trusted" not in browser.text()


def test_what_has_the_focus_keeps_it_when_the_page_refreshes(browser: Browser, served: Served) -> None:
    browser.open(f"{served.url}/?language=en")
    browser.script("document.getElementById('agree-cabin-recording').focus()")
    served.gateway.told["uses"][0]["why"] = "something new"
    browser.until(lambda: "something new" in browser.text())
    assert browser.script("return document.activeElement.id") == "agree-cabin-recording"


def test_hostile_words_run_nothing(browser: Browser, served: Served) -> None:
    hostile = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    state = sample_state()
    state["uses"][0]["why"] = state["place"] = hostile
    state["place"] = {"name": hostile, "withheld": [hostile]}
    browser.open(f"{served.url}/?language=en")
    served.gateway.told = state
    browser.until(lambda: "<script>" in browser.text())
    assert browser.driver.find_elements(By.CSS_SELECTOR, "main img, main script") == []
    assert browser.driver.title == words("en")("title")


def test_without_script_every_button_still_works(browser: Browser, served: Served) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(f"{served.url}/login/driver?next=/use/cabin/recording")
        browser.find("pin").send_keys(PINS[Role.DRIVER])
        browser.find("enter").click()
        browser.until(lambda: browser.path() == "/use/cabin/recording")
        browser.find("agree").click()
        browser.until(lambda: browser.path() == "/")
        assert asked(served) == [("grant", "cabin", "recording", 86_400, False, "driver")]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_every_button_of_every_page_is_pressed_by_a_test() -> None:
    folder = Path(__file__).parents[2] / "edge" / "page" / "templates"
    ids = {
        re.sub(r"\{\{.*?\}\}", "", found)
        for path in folder.glob("*.html")
        for found in re.findall(r'<(?:a|button)[^>]*? id="([^"]+)"', path.read_text("utf-8"))
    }
    tests = Path(__file__).read_text("utf-8")
    assert [name for name in ids if f'click("{name}' not in tests and f'"{name}' not in tests] == []
