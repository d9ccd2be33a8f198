"""Every scenario of the files in `allocation`: what a planner wrote down must be what comes out, row by row.

A file holds `[[scenario]]` entries: `title`, `pain` (numbers of docs/requirements.md that it answers, may be left out),
`why` in words, `as_of`, `stock` and `demand` as text tables (tests/tables.py), `[scenario.policy]` as a user writes it,
and what is expected: `allocations` (line_id, stock_id, qty, in the order of the result) and `lines`.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oracle
import tables
from allocator.model.policy import Policy
from small_worlds import decide
from tables import Row

FILES = sorted((Path(__file__).parent / "allocation").glob("*.toml"))
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


def decided(scenario: dict[str, Any], decide: Callable[..., Any]) -> tuple[list[Row], list[Row]]:
    """What the engine or the oracle decides in a scenario, and what was expected."""
    answer = decide(scenario["stock"], scenario["demand"], Policy(**scenario.get("policy", {})), scenario["as_of"])
    allocations, lines = tables.rows(scenario["allocations"]), tables.rows(scenario["lines"])
    return only(answer.allocations, allocations) + only(answer.lines, lines), allocations + lines


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_engine_decides_as_the_planner_expects(scenario: dict[str, Any]) -> None:
    def engine(stock: str, demand: str, policy: Policy, as_of: dt.date) -> oracle.Answer:
        frames = (tables.frame(tables.rows(text), tables.schema(text)) for text in (stock, demand))
        return decide(*frames, policy, as_of)

    found, expected = decided(scenario, engine)
    assert found == expected


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_oracle_decides_as_the_planner_expects(scenario: dict[str, Any]) -> None:
    def slowly(stock: str, demand: str, policy: Policy, as_of: dt.date) -> oracle.Answer:
        return oracle.allocate(tables.rows(stock), tables.rows(demand), policy, as_of)

    found, expected = decided(scenario, slowly)
    assert found == expected


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_says_everything_and_nothing_else(scenario: dict[str, Any]) -> None:
    assert KEYS - {"pain", "why", "policy"} <= set(scenario) <= KEYS
    assert {row["line_id"] for row in tables.rows(scenario["lines"])} == {
        row["line_id"] for row in tables.rows(scenario["demand"])
    }


def test_no_two_scenarios_have_the_same_title() -> None:
    titles = [scenario.values[0]["title"] for scenario in SCENARIOS]
    assert sorted(titles) == sorted(set(titles))
