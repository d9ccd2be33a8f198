"""The optimum beside the plan of the rules: how long the whole takes, how long the solver, and what the rules cost.

`ALLOCATOR_BENCH_ROWS` sets lots and lines (a hundred thousand by default; a tenth for W3, where whole orders are
chosen). `whole_over_solver` is asked to be at most 1.2 where the solver has something to do: its own time and a fifth
more. `gap` is what the order of service costs, as a share of the optimum; of W2 at 100,000 it is 0.26 % of the units.
"""

import os

import pytest

import product
import worlds
from allocator.optimum import Optimum, optimize, shadow_prices

KNOWN = {("w2", "spread", 100_000): (935_249, 937_708)}
"""Units of the plan of the rules and of the optimum, by work, world and rows."""

ROWS = int(float(os.environ.get("ALLOCATOR_BENCH_ROWS", "1e5")))


def tables(work: str, world: worlds.World):
    return product.tables(work, *worlds.frames(world)), product.policy(work)


def record(benchmark, work: str, name: str, rows: int, found: Optimum) -> None:
    """Notes the solver's part, the gap, and whether the plan is one: nothing oversold, and never worse."""
    whole = benchmark.stats.stats.median if benchmark.stats else found.solver_seconds
    row = found.comparison.row(0, named=True)
    oversold = (found.stock["qty_available"] < 0).any()
    known = KNOWN.get((work, name, rows), (row["by_rules"], row["optimal"]))
    served = found.lines["allocated"].sum() == found.allocations["qty_served"].sum()
    benchmark.extra_info |= {
        "rows": rows,
        "lines": rows,
        "status": found.status,
        "whole_over_solver": round(whole / max(found.solver_seconds, 1e-9), 3),
        "by_rules": row["by_rules"],
        "optimal": row["optimal"],
        "gap": row["gap"],
        "correct": bool(not oversold and served and known == (row["by_rules"], row["optimal"])),
    }


@pytest.mark.parametrize(
    ("work", "name"), [("w2", "spread"), ("w2", "hot_sku"), ("w2", "hot_sku_lives"), ("w3", "spread")]
)
def test_optimum(benchmark, work: str, name: str) -> None:
    rows = ROWS // 10 if work == "w3" else ROWS
    (stock, demand), policy = tables(work, worlds.WORLDS[name](rows))

    def run() -> Optimum:
        found = optimize(stock, demand, policy, as_of=worlds.AS_OF)
        assert found.lines.height == rows
        return found

    record(benchmark, work, name, rows, benchmark.pedantic(run, rounds=3, warmup_rounds=1))


def test_shadow_prices(benchmark) -> None:
    (stock, demand), policy = tables("w2", worlds.spread(ROWS))

    def run():
        return shadow_prices(stock, demand, policy, as_of=worlds.AS_OF)

    prices = benchmark.pedantic(run, rounds=1, warmup_rounds=0)
    correct = prices.exact and prices.skus["price"].is_between(0, 1).all()
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": bool(correct)}
