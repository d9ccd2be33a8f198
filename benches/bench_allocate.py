"""Allocation stage by stage, and end to end: `pytest benches/bench_allocate.py --benchmark-only`.

`ALLOCATOR_BENCH_ROWS` sets the lots and lines of each world (a million by default). Rows and whether the answer holds
together are recorded beside the times; `benches/compare.py` races the peers and checks digests.
"""

import os

import polars as pl
import pytest

import product
import worlds
from allocator import allocate, bind
from allocator.engine import CORE, BoundPlan
from allocator.frames.prepare import prepare
from allocator.plan.compile import compile_plan

ROWS = int(float(os.environ.get("ALLOCATOR_BENCH_ROWS", "1e6")))
CASES = [
    ("spread", "w1"),
    ("spread", "w2"),
    ("spread", "w3"),
    ("hot_sku", "w2"),
    ("hot_sku_barred", "w2"),
    ("orders", "w3"),
]
TABLES: dict[str, tuple[pl.DataFrame, pl.DataFrame]] = {}


def tables(world: str, work: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    if world not in TABLES:
        TABLES.clear()
        TABLES[world] = worlds.frames(worlds.WORLDS[world](ROWS))
    return product.tables(work, *TABLES[world])


def holds_together(result) -> bool:
    """Nothing is taken twice, and lines say what allocations say."""
    taken = result.allocations["qty"].sum()
    return bool((result.stock["qty_available"] >= 0).all()) and taken == result.lines["allocated"].sum()


@pytest.mark.parametrize(("world", "work"), CASES)
def test_kernel(benchmark, world: str, work: str) -> None:
    bound = bind(*tables(world, work), product.policy(work), as_of=worlds.AS_OF)
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": holds_together(bound.run())}
    benchmark.pedantic(bound.plan.run, rounds=5, warmup_rounds=1)


def test_checks(benchmark) -> None:
    stock, demand = tables("spread", "w2")
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS}
    benchmark.pedantic(prepare, args=(stock, demand, product.policy("w2"), CORE), rounds=5, warmup_rounds=1)


def test_compiling(benchmark) -> None:
    policy = product.policy("w2")
    prepared = prepare(*tables("spread", "w2"), policy, CORE)
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS}
    benchmark.pedantic(lambda: BoundPlan(compile_plan(prepared, policy, worlds.AS_OF, CORE)), rounds=5, warmup_rounds=1)


def test_frames_to_frames(benchmark) -> None:
    stock, demand = tables("spread", "w2")

    def run():
        result = allocate(stock, demand, product.policy("w2"), as_of=worlds.AS_OF)
        return result, result.lines, result.allocations

    result, *_ = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": holds_together(result)}
