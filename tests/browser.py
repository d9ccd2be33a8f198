"""A real Chromium for the tests of the page, without a screen, and what it noticed that it should not have."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PICTURES = Path(__file__).parents[1] / "build" / "studio"
"""Where the run keeps what it saw."""

PATIENCE_MS = 120_000
"""How long a page may take on a machine that is busy with other tests."""


class ChromiumMissingError(Exception):
    """There is no Chromium on this machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    if binary is None:
        raise ChromiumMissingError("no chromium on the path: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield browser
        browser.close()


class Visit:
    """One look at a page.

    Attributes:
        page: The page.
        complaints: Errors of the console and of scripts, and requests that left this machine.
    """

    def __init__(self, browser: Browser, width: int, height: int) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self._note(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("request", lambda asked: self._note_abroad(asked.url))

    def _note(self, text: str) -> None:
        self.complaints.append(text)

    def _note_abroad(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.complaints.append(f"asked for {url}")

    def keep(self, name: str) -> None:
        """Keeps a picture of what is seen."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")
