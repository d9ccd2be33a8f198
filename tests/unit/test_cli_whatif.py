"""`allocator whatif` as people and programs meet it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from allocator.cli.app import BAD_INPUT, program
from planner import DEMAND, STOCK

TABLES = ("stock.parquet", "demand.parquet", "--as-of", "2026-06-30")
RUSH = 'name = "rush"\n[[levers]]\nlever = "demand_surge"\nwhere = { customer = "CLINIC" }\nfactor = 2\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(STOCK).write_parquet("stock.parquet")
    pl.DataFrame(DEMAND).write_parquet("demand.parquet")
    Path("rush.toml").write_text(RUSH, "utf-8")
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    def run(*args: str) -> tuple[int, str, str]:
        code = program(["whatif", *args])
        return code, *capsys.readouterr()

    return run


def problems(told, *args: str) -> list[tuple[str, str, str]]:
    code, out, err = told(*args, "--json")
    assert (code, err) == (BAD_INPUT, "")
    return [(p["code"], p["table"], p["column"]) for p in json.loads(out)["problems"]]


def test_scenarios_stand_beside_the_base(told) -> None:
    code, out, err = told(*TABLES, "-s", "rush.toml", "-s", "short", "--changes", "lines.csv", "--save", "kpis.parquet")
    assert (code, err) == (0, "")
    assert "Units served" in out
    assert "rush: 1 gained, 1 lost" in out
    assert pl.read_parquet("kpis.parquet").columns == ["kpi", "base", "rush", "short"]
    assert set(pl.read_csv("lines.csv")["scenario"]) == {"rush", "short"}


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (("--grid", "demand_and_supply", "--kpi", "line_fill"), "Efficient in fill, inventory and changes"),
        (("--monte-carlo", "demand"), "uncertain demand: 200 runs"),
        (("--tornado", "demand_and_supply"), "swing"),
        (("--supply", "BOLT"), "unit fill"),
        (("--shadow-prices",), "units gained"),
        (("-s", "rush.toml"), "Lines that are served otherwise"),
    ],
)
def test_every_question_is_answered_in_words_and_as_json(told, question: tuple[str, ...], says: str) -> None:
    code, out, _ = told(*TABLES, *question)
    assert code == 0
    assert says in out
    code, out, _ = told(*TABLES, *question, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["answer"]
    assert answer["as_of"] == "2026-06-30"


def test_pictures_are_saved(told) -> None:
    code, out, _ = told(*TABLES, "-s", "surge", "--save", "it.html", "--save", "it.png")
    assert code == 0
    assert "Wrote it.html." in out
    assert Path("it.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("question", [("--grid", "demand_and_supply"), ("--monte-carlo", "demand")])
def test_the_picture_is_of_the_measure_that_was_asked_for(told, question: tuple[str, ...]) -> None:
    assert told(*TABLES, *question, "--kpi", "line_fill", "--save", "it.svg")[0] == 0
    assert "Lines served whole" in Path("it.svg").read_text("utf-8")


def test_the_same_seed_prints_the_same(told) -> None:
    assert told(*TABLES, "--monte-carlo", "demand") == told(*TABLES, "--monte-carlo", "demand")


def test_everything_that_is_wrong_is_in_one_table(told) -> None:
    Path("rush.toml").write_text(RUSH.replace("factor", "factr"), "utf-8")
    found = problems(told, "stock.parquet", "-s", "nix", "--grid", "rush.toml", "--kpi", "fil", "--save", "it.gif")
    assert found == [
        ("argument_value", "", "--grid"),
        ("argument_value", "", "kpi"),
        ("file_format", "", "--save"),
        ("setting_missing", "rush.toml", "levers.0.demand_surge.factor"),
        ("setting_unknown", "rush.toml", "levers.0.demand_surge.factr"),
        ("setting_missing", "rush.toml", "axes"),
        ("preset_unknown", "nix", ""),
        ("argument_missing", "", "DEMAND"),
    ]


def test_asking_nothing_is_refused(told) -> None:
    assert problems(told, *TABLES) == [("argument_missing", "", "--scenario")]


def test_a_lever_on_a_column_that_does_not_exist_is_told_with_its_scenario(told) -> None:
    Path("wrong.toml").write_text(RUSH.replace("customer", "colour"), "utf-8")
    assert problems(told, *TABLES, "-s", "wrong.toml") == [("column_missing", "scenario", "levers.0.where.colour")]
    code, _, err = told(*TABLES, "-s", "wrong.toml")
    assert code == BAD_INPUT
    assert "colour" in err


def test_what_was_read_is_never_written_over(told) -> None:
    code, _, err = told(*TABLES, "-s", "surge", "--save", "stock.parquet")
    assert code == BAD_INPUT
    assert "replace a file that is read" in err
    assert pl.read_parquet("stock.parquet").height == len(STOCK["sku"])


def test_lines_that_change_are_only_there_for_scenarios(told) -> None:
    assert problems(told, *TABLES, "--grid", "demand_and_supply", "--changes", "x.csv") == [
        ("argument_value", "", "--changes")
    ]


@pytest.mark.parametrize("kind", ["scenario", "grid", "monte_carlo"])
def test_documents_are_listed_described_and_checked(capsys, kind: str) -> None:
    assert program(["policy", "list", "--json"]) == 0
    names = [row["preset"] for row in json.loads(capsys.readouterr().out) if row["kind"] == kind]
    assert names
    for name in names:
        assert program(["policy", "describe", name, "--kind", kind]) == 0
        assert capsys.readouterr().out.count("\n") >= 2
    assert program(["policy", "check", *names, "--kind", kind]) == 0
