"""Every scenario of the files beside this one: what a planner wrote down must be what comes out, row by row.

A file holds `[[scenario]]` entries: `title`, `pain` (numbers of docs/requirements.md that it answers, may be left out),
`why` in words, `as_of`, `stock` and `demand` as text tables (tests/tables.py), `[scenario.policy]` as a user writes it,
and what is expected: `allocations` (line_id, stock_id, qty, in the order of the result) and `lines`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import oracle
import tables
from allocator.model.policy import Policy

FILES = sorted(Path(__file__).parent.glob("*.toml"))
KEYS = {"title", "pain", "why", "as_of", "stock", "demand", "policy", "allocations", "lines"}
SCENARIOS = [
    pytest.param(scenario, id=f"{file.stem}: {scenario['title']}")
    for file in FILES
    for scenario in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]
]


def only(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The columns that the scenario speaks of."""
    columns = expected[0] if expected else ("line_id",)
    return [{column: row[column] for column in columns} for row in found]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_oracle_decides_as_the_planner_expects(scenario: dict[str, Any]) -> None:
    stock, demand = tables.rows(scenario["stock"]), tables.rows(scenario["demand"])
    answer = oracle.allocate(stock, demand, Policy.model_validate(scenario.get("policy", {})), scenario["as_of"])
    allocations, lines = tables.rows(scenario["allocations"]), tables.rows(scenario["lines"])
    assert only(answer.allocations, allocations) == allocations
    assert only(answer.lines, lines) == lines


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_says_everything_and_nothing_else(scenario: dict[str, Any]) -> None:
    assert KEYS - {"pain", "why", "policy"} <= set(scenario) <= KEYS
    assert {row["line_id"] for row in tables.rows(scenario["lines"])} == {
        row["line_id"] for row in tables.rows(scenario["demand"])
    }


def test_no_two_scenarios_have_the_same_title() -> None:
    titles = [scenario.values[0]["title"] for scenario in SCENARIOS]
    assert sorted(titles) == sorted(set(titles))
