"""`--on sail`: the commands answer as they do in one process, and say what is missing."""

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from allocator.cli import engines
from allocator.cli.app import program

DAY = ["--as-of", "2026-03-01"]
PLAN = """
name = "vip first"
otherwise = "improve"

[[segments]]
name = "vip"
strategy = "win"
filter = [{ column = "customer", op = "=", value = "VIP" }]
"""


@pytest.fixture
def files(tmp_path):
    """Stock, demand, current allocations and a plan, as files."""
    tables = {
        "stock": {"stock_id": ["A", "B", "C"], "sku": ["X", "X", "Y"], "qty_on_hand": [10, 5, 4]},
        "demand": {
            "line_id": ["1", "2", "3"],
            "sku": ["X", "X", "Y"],
            "qty": [12, 6, 9],
            "customer": ["usual", "VIP", "usual"],
        },
        "current": {"line_id": ["1", "1"], "stock_id": ["A", "B"], "qty": [10, 2]},
    }
    for name, table in tables.items():
        pl.DataFrame(table).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "plan.toml").write_text(PLAN, "utf-8")
    return lambda *names: [str(tmp_path / name) for name in names]


def told(capsys, *arguments):
    """What a command says as JSON."""
    assert program([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "given", "tables"),
    [
        ("run", ("stock.parquet", "demand.parquet"), ("lines", "allocations", "stock")),
        (
            "reallocate",
            ("stock.parquet", "demand.parquet", "current.parquet", "plan.toml"),
            ("lines", "moves", "totals", "allocations"),
        ),
    ],
)
def test_sail_answers_and_writes_what_one_process_does(files, capsys, command, given, tables):
    here, there = files("here", "there")
    own = told(capsys, command, *files(*given), *DAY, "--out", here)
    sails = told(capsys, command, *files(*given), *DAY, "--on", "sail", "--out", there)
    assert sails == own | {"out": there}
    for table in tables:
        ours, others = (pl.read_parquet(f"{folder}/{table}.parquet") for folder in (here, there))
        assert_frame_equal(others, ours, categorical_as_str=True, check_column_order=table != "lines")


def test_every_problem_of_the_tables_is_told_as_in_one_process(files, capsys):
    (demand,) = files("demand.parquet")
    pl.read_parquet(demand).with_columns(qty=-1).write_parquet(demand)
    answers = []
    for on in ("here", "sail"):
        assert program(["run", *files("stock.parquet", "demand.parquet"), *DAY, "--on", on, "--json"]) == 2
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_without_the_extra_the_command_says_what_to_install(files, capsys, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "pysail" else object())
    code = program(["run", *files("stock.parquet", "demand.parquet"), *DAY, "--on", "sail", "--json"])
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (code, problem["code"], problem["column"], problem["value"]) == (2, "extra_missing", "--on", "pysail")
    assert "allocator[spark]" in problem["hint"]
