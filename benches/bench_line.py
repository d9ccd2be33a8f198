"""One line at a time against prepared stock: how long a caller waits for an answer, in process.

The stock is `spread` of `worlds.py` under the rules of W2: first expired first, contracts, blocks, shelf life, the
line's place. Lines are drawn as that world's demand is, and each is one call with a dict. `correct`: a sample of
them is decided alike by `allocate` on the rows of their SKU, which are all that a line can see. `p99_us` is what a
caller waits on this machine as it is; `least_p99_us`, of the least time of each line over all rounds, leaves out
what others did meanwhile.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import pytest

import allocator
import worlds

CALLS = 40_000
SAMPLE = 200
POLICY = allocator.Policy(
    stock_order="fefo",
    location={"scope": "exact"},
    contracts={
        "rules": [
            {"contract_type": contract, "stock_class": worlds.stock_class(mask)}
            for mask in worlds.MASKS.tolist()
            for bit, contract in enumerate(worlds.CONTRACTS)
            if mask >> bit & 1
        ]
    },
)


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_one_line_against_prepared_stock(benchmark, rows: int) -> None:
    stock, demand = worlds.frames(worlds.spread(rows))
    picked = np.random.default_rng(5).integers(0, rows, CALLS)
    drawn = demand[picked]
    del demand
    lines = drawn.to_dicts()
    prepared = allocator.prepare(stock, POLICY, as_of=worlds.AS_OF)
    least = np.full(CALLS, np.inf)

    def serve() -> tuple[np.ndarray, list[allocator.Decision]]:
        seconds, decisions = np.empty(CALLS), []
        for number, line in enumerate(lines):
            start = time.perf_counter()
            decision = prepared.allocate(line)
            seconds[number] = time.perf_counter() - start
            decisions.append(decision)
        np.minimum(least, seconds, out=least)
        return seconds, decisions

    seconds, decisions = benchmark.pedantic(serve, rounds=3, warmup_rounds=1)
    correct = same_as_batch(stock, drawn[:SAMPLE], decisions[:SAMPLE])
    p50, p99, most = (float(at * 1e6) for at in np.quantile(seconds, [0.5, 0.99, 1]))
    benchmark.extra_info |= {"rows": rows, "calls": CALLS, "p50_us": p50, "p99_us": p99, "max_us": most}
    benchmark.extra_info |= {
        "least_p99_us": float(np.quantile(least, 0.99) * 1e6),
        "least_max_us": float(least.max() * 1e6),
    }
    benchmark.extra_info |= {"served": sum(d.reason is None for d in decisions) / CALLS, "correct": correct}
    assert correct


def same_as_batch(stock: pl.DataFrame, drawn: pl.DataFrame, decisions: list[allocator.Decision]) -> bool:
    """Whether the batch decides each of these lines alone as it was decided."""
    asked = stock.filter(pl.col("sku").is_in(drawn["sku"].unique().implode()))
    return all(
        answer(asked.filter(sku=line["sku"][0]), line) == tuple(decision)
        for line, decision in zip(drawn.iter_slices(1), decisions, strict=True)
    )


def answer(stock: pl.DataFrame, line: pl.DataFrame) -> tuple[Any, ...]:
    result = allocator.allocate(stock, line, POLICY, as_of=worlds.AS_OF)
    taken = tuple(tuple(allocation[1:]) for allocation in result.allocations.rows())
    return (*result.lines.row(0), taken)
