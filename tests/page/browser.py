"""Chromium without a screen, as the page's tests use it."""

from __future__ import annotations

import importlib.resources
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WAIT_S = 20
PROGRAMS = ("chromium", "chromedriver")


class Browser:
    """A browser that is told what to click by the ids of the page."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, url: str) -> None:
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def forget(self) -> None:
        """Be a browser that was never here."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def find(self, name: str) -> WebElement:
        return self.driver.find_element(By.ID, name)

    def click(self, name: str) -> None:
        """Click, and wait until another page is there."""
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", self.find(name))
        self.find(name).click()
        self.until(lambda: self.driver.find_element(By.TAG_NAME, "html") != before)
        self.until(lambda: self.script("return document.readyState") == "complete")

    def press(self, digits: str) -> None:
        """Enter a PIN on the page's own keypad."""
        for digit in digits:
            self.driver.find_element(By.CSS_SELECTOR, f"[data-digit='{digit}']").click()

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "main").text

    def path(self) -> str:
        return "/" + self.driver.current_url.split("/", 3)[3]

    def script(self, text: str, *values: object) -> Any:  # noqa: ANN401 - whatever the script returns
        return self.driver.execute_script(text, *values)

    def until(self, holds: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, poll_frequency=0.05).until(lambda _: holds())

    def picture(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def faults(self) -> list[str]:
        """What axe-core finds to be serious or critical."""
        source = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
        self.driver.execute_script(source)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(done, (e) => done(String(e)));"
        )
        assert isinstance(found, dict), found
        return [
            f"{one['id']}: {node['html']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    def complaints(self) -> list[str]:
        """What the browser itself complained of since the last time."""
        return [json.dumps(one) for one in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextmanager
def running_browser(folder: Path) -> Iterator[Browser]:
    """Run Chromium with a profile of its own."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed (Debian: chromium, chromium-driver)")
    downloads = folder / "downloads"
    downloads.mkdir()
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        yield Browser(driver, downloads)
    finally:
        driver.quit()
