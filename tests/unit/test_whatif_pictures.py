"""Pictures and tables: drawn for every kind of answer, in words that planners know, and refused in one sentence."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import polars as pl
import pytest

from allocator.errors import FileError, InputError
from allocator.scenario import compare, difference, explore, sensitivity, show, simulate, supply_curve
from allocator.scenario.explore import KPI_NAMES
from allocator.scenario.show import svg_of
from allocator.scenario.words import WORDS, number
from planner import GRID, LATE, RISK, SURGE, base, scenario

pytest.importorskip("altair", reason="the extra plots is not installed")

ANSWERS = {
    "side by side": lambda: compare(
        base(), [scenario("rush", SURGE | {"factor": 2}), scenario("late", LATE | {"days": 9})]
    ),
    "grid": lambda: explore(base(), GRID),
    "line": lambda: explore(base(), GRID.model_copy(update={"axes": GRID.axes[:1]})),
    "frontier": lambda: explore(base(), GRID).frontier(),
    "chance": lambda: simulate(base(), RISK.model_copy(update={"runs": 9})),
    "tornado": lambda: sensitivity(base(), GRID),
    "supply": lambda: supply_curve(base(), "BOLT"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_is_drawn_and_tabled(kind: str, tmp_path: Path) -> None:
    answer = ANSWERS[kind]()
    for suffix in ("html", "png", "svg"):
        answer.save(tmp_path / f"it.{suffix}")
    page = (tmp_path / "it.html").read_text("utf-8")
    assert "<svg" in page
    assert "<table" in page
    assert not re.search(r'(?:src|href)="https?:', page)
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")
    words = re.sub(r"<[^>]+>", " ", (tmp_path / "it.svg").read_text("utf-8"))
    assert not re.search("_fill|null|NaN|undefined", words), "people read words, not names of columns"
    assert "<table" in answer._repr_mimebundle_()["text/html"]


def test_the_picture_says_what_it_shows_and_names_the_base() -> None:
    words = svg_of(ANSWERS["grid"]().plot("unit_fill"))
    for said in ("Units served by days and clinic", "Base: 86.5%", "56.1%"):
        assert said in words


def test_two_scenarios_have_a_table() -> None:
    made = base()
    first, second = (made.run(scenario(name, SURGE | {"factor": f})) for name, f in (("a", 2), ("b", 3)))
    assert "b beside a" in difference(first, second).table().as_raw_html()


def test_scenarios_that_change_nothing_say_so() -> None:
    nothing = compare(base(), [scenario("same", SURGE | {"factor": 1})])
    assert "No measure differs from the base" in svg_of(nothing.plot())
    assert nothing.table() is not None


def test_every_measure_has_words_and_none_is_without_a_measure() -> None:
    assert list(WORDS) == list(KPI_NAMES)


@pytest.mark.parametrize(
    ("value", "unit", "signed", "said"),
    [
        (0.8131, "share", False, "81.3%"),
        (-0.116, "share", True, "\N{MINUS SIGN}11.6 pts"),
        (1234567.0, "units", False, "1,234,567"),
        (0.5, "units", True, "+0.50"),
        (None, "value", False, "n/a"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, unit, signed, said) -> None:
    assert number(value, unit, signed=signed) == said


def test_a_measure_that_does_not_exist_and_a_file_that_cannot_be_are_refused(tmp_path: Path) -> None:
    answer = ANSWERS["supply"]()
    with pytest.raises(FileError, match="file_format"):
        answer.save(tmp_path / "it.gif")
    with pytest.raises(FileError, match="file_unwritable"):
        answer.save(tmp_path / "nowhere" / "it.html")
    with pytest.raises(InputError, match="unit_fill"):
        ANSWERS["grid"]().plot("unitfill")


def test_without_the_extra_there_is_one_sentence_and_a_notebook_still_shows_words(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(show, "find_spec", lambda name: None)
    answer = ANSWERS["supply"]()
    with pytest.raises(FileError, match=r"extra_missing.*allocator\[plots\]"):
        answer.save(tmp_path / "it.png")
    with pytest.raises(FileError, match="extra_missing"):
        answer.plot()
    assert "SupplyCurve" in answer._repr_mimebundle_()["text/plain"]
    assert importlib.util.find_spec("altair") is not None


def test_an_empty_frame_of_runs_draws_too() -> None:
    empty = ANSWERS["chance"]()
    frame = empty.frame.with_columns(jain=pl.lit(None, pl.Float64))
    assert "nothing to measure" in svg_of(type(empty)(empty.document, empty.base, frame).plot("jain"))
