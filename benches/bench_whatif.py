"""Scenarios that touch one SKU in a hundred, beside a full run of the same world.

`ALLOCATOR_BENCH_ROWS` sets lots and lines (a million by default). A full run is what the scenario saves: tables as a
user holds them, checked and allocated, without measures and with them. The kernel alone on tables that are bound
already is the strictest measure; all three are here.
"""

import os

import numpy as np
import pytest

import product
import worlds
from allocator import Base, Scenario, allocate, bind
from allocator.model.levers import DemandSurge

ROWS = int(float(os.environ.get("ALLOCATOR_BENCH_ROWS", "1e6")))
TOUCHED = 0.01
SCENARIOS = 100


@pytest.fixture(scope="module")
def tables():
    return product.tables("w2", *worlds.frames(worlds.spread(ROWS)))


@pytest.fixture(scope="module")
def base(tables) -> Base:
    made = Base(*tables, product.policy("w2"), as_of=worlds.AS_OF)
    assert made.kpis
    made.run(surge(made, 0))
    return made


def surge(base: Base, seed: int) -> Scenario:
    """Half as much again of one SKU in a hundred, drawn by a seed."""
    skus = base.competition.skus
    drawn = np.random.default_rng([20260630, seed]).choice(len(skus), max(1, int(len(skus) * TOUCHED)), replace=False)
    return Scenario(
        name=f"surge {seed}", levers=[DemandSurge(where={"sku": skus.gather(drawn).to_list()}, factor="3/2")]
    )


def test_full_run_from_tables_to_tables(benchmark, tables) -> None:
    def run():
        result = allocate(*tables, product.policy("w2"), as_of=worlds.AS_OF)
        return result.lines, result.allocations

    lines, allocations = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    correct = lines["allocated"].sum() == allocations["qty"].sum()
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct}


def test_full_run_from_tables_to_measures(benchmark, tables) -> None:
    def run():
        return Base(*tables, product.policy("w2"), as_of=worlds.AS_OF).kpis

    kpis = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": kpis["lines"] == ROWS}


def test_full_run_of_the_kernel_alone(benchmark, tables) -> None:
    bound = bind(*tables, product.policy("w2"), as_of=worlds.AS_OF)
    result = benchmark.pedantic(bound.run, rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": result.answer.line.len() == ROWS}


@pytest.mark.parametrize("asked", ["answer", "measures"])
def test_one_scenario(benchmark, base: Base, asked: str) -> None:
    scenario = surge(base, 1)

    def run():
        found = base.run(scenario)
        return found.kpis if asked == "measures" else found

    benchmark.pedantic(run, rounds=9, warmup_rounds=1)
    benchmark.extra_info |= {"rows": ROWS, "lines": base.run(scenario).lines_run, "correct": adds_up(base, scenario)}


def test_a_hundred_scenarios(benchmark, base: Base) -> None:
    scenarios = [surge(base, seed) for seed in range(SCENARIOS)]

    def run():
        return [base.run(scenario).kpis for scenario in scenarios]

    found = benchmark.pedantic(run, rounds=1, warmup_rounds=0)
    benchmark.extra_info |= {"rows": ROWS, "scenarios": len(found), "correct": adds_up(base, scenarios[-1])}


def adds_up(base: Base, scenario: Scenario) -> bool:
    """Whether the part adds up, and the lines outside it are as they were."""
    found = base.run(scenario)
    units = found.result.allocations["qty"].sum() == found.after.lines["allocated"].sum()
    rest = base.result.lines.height - found.before.demand.height
    return bool(units) and rest + found.lines_run == found.kpis["scenario"][0]
