"""The page for analysts, in a real browser, as people use it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect  # noqa: A004

from allocator.model.scenario import Scenario
from allocator.studio.sample import sample
from browser import PATIENCE_MS, PICTURES, Visit

CARD = "[data-kpi='Units served'] b"


FOCUSED = """() => {
    let at = document.activeElement;
    while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
    return at ? at.getAttribute("role") || at.tagName : "";
}"""
"""The role of what has the focus, wherever it is."""


WIDTH = "document.documentElement.scrollWidth"


def served(page: Page) -> str:
    return page.locator(CARD).inner_text()


def seen(page: Page, text: str) -> Locator:
    """What is seen of a text: a tab keeps what it shows beside it, hidden."""
    return page.get_by_text(text).locator("visible=true").first


def sees(page: Page, text: str, act: Callable[[], object]) -> None:
    """Acts and sees a text then. An answer that arrives in that moment lays the tabs out anew: acts again."""
    for patience in (3_000, 10_000, 30_000, PATIENCE_MS):
        act()
        try:
            return expect(seen(page, text)).to_be_visible(timeout=patience)
        except AssertionError:
            continue
    raise AssertionError(f"{text!r} is not seen")


def look_at(page: Page, tab: str, text: str) -> None:
    """Opens a tab and sees a text there."""
    sees(page, text, page.get_by_role("tab", name=tab).click)


def ask_for(page: Page, line: str) -> None:
    """Names a line to be explained; in vain where the tabs are laid out anew just then."""
    page.get_by_role("tab", name="Explain").click()
    with suppress(TimeoutError):
        page.get_by_label("Line", exact=True).locator("visible=true").fill(line, timeout=5_000)
        page.keyboard.press("Tab")


def by_keyboard(page: Page, key: str, times: int = 1) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def test_it_loads_with_the_measures_of_the_base(visit: Visit) -> None:
    expect(visit.page.get_by_role("heading", name="What if?")).to_be_visible()
    expect(visit.page.get_by_text("400 lines, 240 stock rows")).to_be_visible()
    assert re.fullmatch(r"\d\d\.\d%", served(visit.page))
    assert visit.page.evaluate(WIDTH) <= 1280
    visit.keep("laptop-base")


def test_a_lever_moved_by_keyboard_changes_the_measures_and_back(visit: Visit) -> None:
    page, before = visit.page, served(visit.page)
    page.get_by_role("slider").first.focus()
    by_keyboard(page, "ArrowRight", 2)
    expect(page.locator(CARD)).not_to_have_text(before)
    expect(page.locator("[data-kpi='Units served'] i")).to_contain_text("worse")
    expect(page.get_by_text("400 of 400 lines were worked out again.")).to_be_visible()
    visit.keep("laptop-scenario")
    by_keyboard(page, "ArrowLeft", 2)
    expect(page.locator(CARD)).to_have_text(before)


def test_all_can_be_reached_by_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    roles: set[str] = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        roles.add(page.evaluate(FOCUSED))
    assert {"slider", "SELECT", "tab"} <= roles


def test_who_gained_and_lost_why_and_one_line(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Whose demand").select_option("customer")
    page.get_by_role("slider").first.focus()
    by_keyboard(page, "ArrowRight", 2)
    look_at(page, "Lines", "lines gained")
    expect(page.get_by_role("cell", name="web shop").locator("visible=true").first).to_be_visible()
    visit.keep("laptop-lines")
    before = served(page)
    page.get_by_role("slider").first.focus()
    by_keyboard(page, "ArrowRight", 2)
    expect(page.locator(CARD)).not_to_have_text(before)
    expect(page.get_by_role("tab", name="Lines")).to_have_attribute("aria-selected", "true")
    expect(seen(page, "lines gained")).to_be_visible()
    look_at(page, "Reasons", "lines served before it took what it could have had")
    look_at(page, "Explain", "Under the scenario")
    sees(page, "there is no such line", lambda: ask_for(page, "nobody"))


def test_the_scenario_and_the_result_can_be_taken_along(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.get_by_role("slider").first.focus()
    by_keyboard(page, "ArrowRight", 2)
    look_at(page, "Export", 'factor = "11/10"')
    with page.expect_download() as taken:
        seen(page, "Scenario (TOML)").click()
    taken.value.save_as(tmp_path / "scenario.toml")
    (lever,) = Scenario.load(tmp_path / "scenario.toml").levers
    assert (lever.lever, lever.factor) == ("demand_surge", Fraction(11, 10))
    with page.expect_download() as taken:
        seen(page, "Lines (CSV)").click()
    assert taken.value.suggested_filename == "lines.csv"


def test_a_bad_file_is_told_with_every_problem_and_a_good_one_mends_it(
    visit: Visit, bad_file: Path, tmp_path: Path
) -> None:
    page = visit.page
    page.get_by_label("Tables").select_option("My own files")
    expect(page.get_by_role("alert")).to_contain_text("choose the file of the stock")
    stock, demand = sample()
    stock.write_csv(tmp_path / "stock.csv")
    demand.write_csv(tmp_path / "demand.csv")
    files = page.locator("input[type=file]")
    files.nth(0).set_input_files(tmp_path / "stock.csv")
    files.nth(1).set_input_files(bad_file)
    expect(page.get_by_role("alert")).to_contain_text("2 problems")
    expect(page.get_by_role("alert")).to_contain_text("demand.qty, row 0")
    visit.keep("laptop-bad-file")
    files.nth(1).set_input_files(tmp_path / "demand.csv")
    expect(page.locator(CARD)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_policy_that_makes_no_sense_is_told(visit: Visit) -> None:
    page = visit.page
    page.get_by_text("Policy as text").click()
    page.locator(".cm-content").first.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type('stock_order = "fefoo"')
    expect(page.get_by_role("alert")).to_contain_text("fefoo")


def test_it_is_readable_on_a_phone_without_scrolling_sideways(chromium: Browser, address: str) -> None:
    opened = Visit(chromium, 390, 1700)
    opened.page.goto(address)
    opened.page.wait_for_selector("[data-kpi]")
    opened.page.get_by_role("slider").first.focus()
    by_keyboard(opened.page, "ArrowRight", 2)
    expect(seen(opened.page, "400 of 400 lines were worked out again.")).to_be_visible()
    assert opened.page.evaluate(WIDTH) <= 390
    opened.keep("phone-scenario")
    opened.page.close()
    assert not opened.complaints
    assert (PICTURES / "phone-scenario.png").stat().st_size > 10_000


def test_it_goes_on_for_others_when_one_closes_it_while_it_loads(chromium: Browser, address: str) -> None:
    host, port = address.removeprefix("http://").strip("/").split(":")
    for _ in range(300):
        with socket.create_connection((host, int(port))) as leaves:
            leaves.sendall(b"GET / HTTP/1.1\r\nHost: me\r\n\r\n")
    opened = Visit(chromium, 1280, 900)
    opened.page.goto(address)
    opened.page.wait_for_selector("[data-kpi]")
    opened.page.close()
    assert not opened.complaints
