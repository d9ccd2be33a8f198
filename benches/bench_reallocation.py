"""Reallocation of every line of a world that is allocated already, in seven segments, beside a fresh run of it.

`ALLOCATOR_BENCH_ROWS` sets lots and lines (a million by default). Half of the lines were asked and allocated
before, then the other half comes; every strategy has its part of both.
"""

import os

import numpy as np
import polars as pl
import pytest

import product
import worlds
from allocator import allocate
from allocator.reallocation import Reallocation, reallocate

ROWS = int(float(os.environ.get("ALLOCATOR_BENCH_ROWS", "1e6")))
STRATEGIES = ["win", "gain", "improve", "redistribute", "fill", "lose", "skip"]
SHARES = [0.05, 0.25, 0.25, 0.15, 0.1, 0.1, 0.1]


@pytest.fixture(scope="module")
def given():
    """Stock, demand with a segment each, and what an earlier run gave the even lines."""
    stock, demand = product.tables("w2", *worlds.frames(worlds.spread(ROWS)))
    kinds = np.random.default_rng(20260630).choice(len(STRATEGIES), ROWS, p=SHARES)
    demand = demand.with_columns(kind=pl.Series(kinds.astype(np.int8)))
    earlier = allocate(stock, demand.gather_every(2), product.policy("w2"), as_of=worlds.AS_OF)
    return stock, demand, earlier.allocations


def test_fresh_run(benchmark, given) -> None:
    stock, demand, _ = given

    def run():
        result = allocate(stock, demand, product.policy("w2"), as_of=worlds.AS_OF)
        return result.lines, result.allocations

    lines, allocations = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    correct = bool(lines["allocated"].sum() == allocations["qty"].sum())
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct}


def test_reallocation(benchmark, given) -> None:
    stock, demand, current = given
    segments = [
        {"name": name, "strategy": name, "filter": [{"column": "kind", "op": "=", "value": number}]}
        for number, name in enumerate(STRATEGIES)
    ]
    plan = Reallocation(segments=segments)

    def run():
        done = reallocate(stock, demand, current, plan, policy=product.policy("w2"), as_of=worlds.AS_OF)
        return done, done.lines, done.allocations

    done, lines, allocations = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    held = allocations.group_by("stock_id").agg(pl.col("qty").sum()).join(stock, on="stock_id")
    never = lines.filter(pl.col("strategy").is_in(["fill", "lose", "skip"]))["gained"].sum()
    correct = bool((held["qty"] <= held["qty_on_hand"]).all()) and never == 0
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct} | done.summary
