"""What the page for analysts does, without a browser."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from allocator.cli.app import BAD_INPUT, program
from allocator.errors import FileError, InputError, PolicyError
from allocator.scenario import Base
from allocator.studio import desk, look, serve
from allocator.studio.sample import sample


@pytest.fixture(scope="module")
def base() -> Base:
    tables = desk.load(desk.SAMPLE)
    return desk.base_of(tables, tables.policy, tables.as_of, ["customer"])


def test_the_sample_is_the_same_everywhere_and_short_of_stock(base: Base) -> None:
    assert all(first.equals(again) for first, again in zip(sample(), sample(), strict=True))
    assert 0.5 < base.kpis["unit_fill"] < 1
    assert base.result.reasons().height >= 1


def test_the_demo_is_offered_where_its_lines_are_installed(monkeypatch) -> None:
    monkeypatch.setattr(desk, "find_spec", lambda name: object())
    assert desk.sources() == [desk.DEMO_PART, desk.DEMO, desk.SAMPLE, desk.FILES]
    monkeypatch.setattr(desk, "find_spec", lambda name: None)
    assert desk.sources() == [desk.SAMPLE, desk.FILES]


def test_controls_as_they_stand_are_no_scenario(base: Base) -> None:
    assert desk.Controls().scenario(base) is None
    assert desk.Controls(column="customer", values=("clinic",)).scenario(base) is None


def test_controls_become_the_levers_that_they_say(base: Base) -> None:
    made = desk.Controls(
        demand_percent=130,
        supply_percent=80,
        days_late=7,
        column="customer",
        values=("clinic",),
        first=True,
        recall_column="supplier",
        recall=("Acme",),
        rule="proportional",
        more=look.MORE_HINT,
    ).scenario(base, "all of it")
    kinds = [lever.lever for lever in made.levers]
    assert kinds[:3] == ["demand_surge", "demand_priority", "supply_short"]
    assert kinds[3:] == ["supply_late", "supply_recalled", "fair_share", "demand_cancel"]
    assert made.levers[0].where == {"customer": ("clinic",)}
    assert type(made).loads(made.dumps()) == made
    assert base.run(made).before.demand.height == 400


@pytest.mark.parametrize(
    ("text", "code"),
    [("[[levers", "document_syntax"), ("x = 1", "setting_missing"), ('[[levers]]\nlever = "rush"', "setting_value")],
)
def test_levers_as_text_that_make_no_sense_are_refused(base: Base, text: str, code: str) -> None:
    with pytest.raises(PolicyError) as caught:
        desk.Controls(more=text).scenario(base)
    assert caught.value.problems[0].code == code


def test_answers_are_in_words(base: Base) -> None:
    found = base.run(desk.Controls(demand_percent=130).scenario(base))
    cards = {card.title: card for card in desk.cards(base, found)}
    assert cards["Units served"].tone == "worse"
    assert cards["Units served"].change.endswith("pts from the base")
    assert {card.tone for card in desk.cards(base, None)} == {"same"}
    assert desk.measures(found).columns == ["Measure", "Base", "Scenario", "Difference"]
    assert set(desk.segments(found)["Segment"]) == {"clinic", "dealer", "web shop"}
    assert "lines gained" in desk.told(found)
    assert "Under the scenario" in desk.explained(base, found, "")
    counted = desk.reasons(found)
    lines = found.kpis.row(by_predicate=pl.col("kpi") == "line_fill")
    assert counted["Lines, base"].sum() == round(400 * (1 - lines[1]))
    assert counted["Lines, scenario"].sum() == round(400 * (1 - lines[2]))
    assert (
        pl.read_csv(desk.as_csv(desk.changes(found))).height == pl.read_parquet(desk.as_parquet(found.changes)).height
    )


def test_what_came_from_outside_is_text_and_never_markup(base: Base) -> None:
    evil = "<script>alert(1)</script>"
    assert "<script>" not in look.table(pl.DataFrame({evil: [evil]}), evil)
    assert "<script>" not in look.words(evil)
    assert "<script>" not in look.pictures({evil: ""})


def test_files_are_read_as_the_program_reads_them_and_every_problem_told() -> None:
    stock, demand = (frame.write_csv().encode() for frame in sample())
    tables = desk.load(desk.FILES, [("stock.csv", stock), ("demand.csv", demand)])
    assert desk.base_of(tables, tables.policy, dt.date(2026, 6, 30), []).result.lines.height == 400
    with pytest.raises(InputError) as caught:
        desk.load(desk.FILES, [("", b""), ("demand.gif", b"x")])
    assert [problem.code for problem in caught.value.problems] == ["argument_missing", "file_format"]
    with pytest.raises(InputError, match="argument_missing"):
        desk.base_of(tables, tables.policy, None, [])


def test_problems_are_a_table_that_people_can_read(base: Base) -> None:
    _, problems = desk.attempt(lambda: desk.base_of(desk.load(desk.SAMPLE), "stock_order = 'fefoo'", dt.date.max, []))
    assert "fefoo" in look.problems(desk.problem_table(problems), "Nothing was allocated")


def test_without_the_extra_the_program_says_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    with pytest.raises(FileError, match=r"extra_missing.*allocator\[studio\]"):
        serve.check_installed()
    assert program(["studio"]) == BAD_INPUT
    assert "allocator[studio]" in capsys.readouterr().err


def test_what_cannot_be_shown_is_told_before_anything_is(capsys, tmp_path: Path) -> None:
    assert program(["studio", str(tmp_path / "none.csv"), str(tmp_path / "none2.csv")]) == BAD_INPUT
    told = capsys.readouterr().err
    assert "file_missing" in told
    assert "--as-of" in told


def test_a_port_that_is_taken_is_told() -> None:
    listening = serve._listening("127.0.0.1", 0)
    with pytest.raises(InputError, match="--port"):
        serve._listening("127.0.0.1", listening.getsockname()[1])
    listening.close()
