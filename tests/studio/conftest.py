"""The page, served by the program as people start it, and a browser that opens it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import browser as browsers
from allocator.studio.sample import AS_OF, sample

expect.set_options(timeout=browsers.PATIENCE_MS)
MAIN = "from allocator.cli import main; main()"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a file. Without one on the machine they skip, but not in CI: there they fail."""
    try:
        with browsers.chromium() as running:
            yield running
    except browsers.ChromiumMissingError as missing:
        if os.environ.get("ALLOCATOR_TEST_CHROMIUM") == "required":
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is: on a free port of this machine, with the tables of the sample, until the tests are done."""
    folder = tmp_path_factory.mktemp("tables")
    for name, frame in zip(("stock", "demand"), sample(), strict=True):
        frame.write_parquet(folder / f"{name}.parquet")
    (folder / "mine.toml").write_text('stock_order = "fefo"\ninbound = "when_needed"\n', "utf-8")
    tables = [str(folder / "stock.parquet"), str(folder / "demand.parquet"), "--policy", str(folder / "mine.toml")]
    command = [sys.executable, "-c", MAIN, "studio", *tables, "--as-of", AS_OF.isoformat(), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        told = server.stdout.readline()
        yield re.search(r"http://\S+", told)[0]
        assert server.poll() is None, f"the page ended by itself: {server.returncode}"
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            raise


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[browsers.Visit]:
    """The page on a laptop, loaded, with its measures. Whatever the test does, the console stays free of errors."""
    opened = browsers.Visit(chromium, 1280, 900)
    opened.page.goto(address)
    opened.page.wait_for_selector("[data-kpi]")
    yield opened
    opened.page.close()
    assert not opened.complaints


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    """A demand table with two things wrong."""
    path = tmp_path / "wrong.csv"
    path.write_text("line_id,sku,qty\n1,filter-S,-1\n1,filter-S,3\n", "utf-8")
    return path
