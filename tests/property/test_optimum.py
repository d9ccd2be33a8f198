"""The optimum is what trying every plan finds, legal by the oracle, and never worse than the plan of the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from unittest.mock import patch

import hypothesis
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import allocator
import oracle_optimum as oracle
from allocator import Policy
from allocator.optimum import OBJECTIVES, Optimum, Prices, classes, optimize, shadow_prices
from allocator.optimum.arguments import checked
from allocator.optimum.best import Posed, pose
from allocator.optimum.model import as_columns
from allocator.optimum.objectives import aimed_at
from allocator.optimum.problem import Stated, state
from drawing import AS_OF
from oracle import Row
from small_worlds import DEEP, QUICK, World, exact, world

HORIZON_DAYS = 3


@dataclass(frozen=True)
class Case:
    """A world so small that every plan of it can be tried, what it is to be good at, and what lines have already."""

    made: World
    names: list[str]
    current: list[Row]

    @property
    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame, Policy]:
        stock, demand = self.made.frames()
        costs = pl.Series("unit_cost", [row["unit_cost"] for row in self.made.stock])
        return stock.with_columns(costs), demand, self.made.policy

    @property
    def held(self) -> pl.DataFrame | None:
        return pl.DataFrame(self.current) if "changes" in self.names else None

    def optimum(self) -> Optimum:
        settings = {"objectives": self.names, "current": self.held, "horizon_days": HORIZON_DAYS}
        return optimize(*self.tables, as_of=AS_OF, **settings)

    def prices(self, name: str) -> Prices:
        return shadow_prices(*self.tables, as_of=AS_OF, objective=name, horizon_days=HORIZON_DAYS)

    def posed(self) -> tuple[Stated, Posed]:
        wanted = checked(self.names, time_limit=60, gap=0, horizon_days=HORIZON_DAYS, problems=[])
        stated = state(*self.tables, self.held, wanted=wanted, as_of=AS_OF, problems=[])
        return stated, pose(stated, aimed_at(stated.measure, wanted.names, None))

    def tried(self) -> oracle.World:
        return oracle.World(self.made.stock, self.made.demand, self.made.policy, AS_OF, self.current)


def case_of(seed: int) -> Case:
    """A case from a seed."""
    rng = Random(seed)
    made = world(seed, rng.randint(1, 4), rng.randint(1, 4), rng.choice([1, 1, 2]))
    if "units" in made.settings:
        made = World(made.stock, made.demand, {k: v for k, v in made.settings.items() if not k.startswith("unit")})
        made = replace(made, stock=_without_unit(made.stock), demand=_without_unit(made.demand))
    stock = [
        _smaller(row, "qty_on_hand", 0, 1 if row.get("serial") else 4) | {"unit_cost": rng.randint(0, 4)}
        for row in made.stock
    ]
    stock = [row | ({"qty_reserved": row["qty_on_hand"] * 0} if "qty_reserved" in row else {}) for row in stock]
    demand = [_smaller(line, "qty", 1, 5) for line in made.demand]
    made = replace(made, stock=stock, demand=demand)
    names = rng.sample(list(OBJECTIVES), rng.randint(1, len(OBJECTIVES)))
    current = _held(made, rng)
    return Case(made, [name for name in names if name != "changes" or current] or ["units"], current)


cases = st.integers(0, 2**64 - 1).map(case_of)


def _without_unit(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "unit"} for row in rows]


def _smaller(row: Row, column: str, least: int, most: int) -> Row:
    """The row with a quantity between so many of the finest unit."""
    qty = Decimal(row[column])
    exponent = int(qty.as_tuple().exponent)
    number = Decimal(least + int(qty.scaleb(-exponent)) % (most - least + 1)).scaleb(exponent)
    return row | {column: number if isinstance(row[column], Decimal) else int(number)}


def _held(made: World, rng: Random) -> list[Row]:
    """What lines got when they were served in another order."""
    keys = [{"column": "line_id", "descending": rng.random() < 0.5}]
    settings = made.settings | {"demand_order": keys, "stock_order": rng.choice(["fifo", "lifo", "largest_first"])}
    stock, demand = made.frames()
    found = allocator.allocate(stock, demand, replace(made, settings=settings).policy, as_of=AS_OF)
    rows = found.allocations.select("line_id", "stock_id", "qty", "qty_served").to_dicts()
    return [row for row in rows if rng.random() < 0.8]


def assert_best(case: Case) -> None:
    found, tried = case.optimum(), case.tried()
    assert found.status == "optimal"
    names = case.names if "units" in case.names else [*case.names, "units"]
    plan = oracle.plan_of(exact(found.allocations, "line_id", "stock_id", "qty", "qty_served"), tried)
    ruled = oracle.plan_of(exact(found.by_rules.allocations, "line_id", "stock_id", "qty", "qty_served"), tried)
    assert tried.is_legal(plan)
    assert tried.is_legal(ruled)
    assert tried.worth(plan, names, HORIZON_DAYS) == tried.best(names, HORIZON_DAYS)
    assert tried.worth(plan, names, HORIZON_DAYS) >= tried.worth(ruled, names, HORIZON_DAYS)


@QUICK
@given(cases)
def test_no_plan_of_any_small_world_is_better(case: Case) -> None:
    assert_best(case)


@hypothesis.settings(QUICK, max_examples=80)
@given(cases)
def test_no_plan_is_better_where_rows_pass_for_weaker_ones(case: Case) -> None:
    with patch.object(classes, "CHAINED_MIN", 0):  # chains are for large groups otherwise
        assert_best(case)


@pytest.mark.slow
@hypothesis.settings(DEEP, max_examples=3_000)
@given(cases)
def test_no_plan_of_many_small_worlds_is_better(case: Case) -> None:
    assert_best(case)


@hypothesis.settings(QUICK, max_examples=60)
@given(cases)
def test_the_plan_of_the_rules_is_always_a_solution_of_the_problem(case: Case) -> None:
    stated, posed = case.posed()
    program, columns = posed.model.program, as_columns(posed.model, stated.ordered, posed.held)
    row, column, value = program.matrix()
    activity = np.bincount(row, value * columns[column], minlength=program.rows)
    assert (columns <= np.concatenate(program.upper)).all()
    assert (activity >= np.concatenate(program.low)).all()
    assert (activity <= np.concatenate(program.high)).all()


@hypothesis.settings(QUICK, max_examples=60)
@given(cases)
def test_a_price_is_what_the_next_unit_gains(case: Case) -> None:
    tried, name = case.tried(), next(name for name in [*case.names, "units"] if name != "changes")
    prices = case.prices(name)
    hypothesis.assume(prices.exact)
    before = tried.best([name], HORIZON_DAYS)[0]
    for number, row in enumerate(tried.rows):
        price = prices.stock.row(by_predicate=pl.col("stock_id") == row["stock_id"], named=True)["price"]
        assert price is not None or not any(row["stock_id"] in may for may in tried.may)
        if price is not None:
            assert price == tried.one_more(number).best([name], HORIZON_DAYS)[0] - before


@hypothesis.settings(QUICK, max_examples=60)
@given(cases)
def test_the_order_of_rows_changes_nothing(case: Case) -> None:
    turned = replace(case.made, stock=case.made.stock[::-1], demand=case.made.demand[::-1])
    there, back = case.optimum(), replace(case, made=turned, current=case.current[::-1]).optimum()
    assert there.lines.equals(back.lines)
    assert there.allocations.equals(back.allocations)
    assert there.comparison.equals(back.comparison)
