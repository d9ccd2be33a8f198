"""`bench`: how fast it is on this machine, on a generated world, checked."""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Annotated, Any, Final

import numpy as np
import polars as pl
import typer

from allocator.cli.given import Json
from allocator.cli.show import say, say_json, say_table, working
from allocator.model.policy import Policy
from allocator.result import Result, bind

AS_OF: Final = dt.date(2026, 6, 30)
PLACES: Final = 10
ROUNDS: Final = 3


def bench(
    *,
    rows: Annotated[int, typer.Option(min=1, max=50_000_000, help="Stock rows, and as many lines.")] = 1_000_000,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all by default.")] = None,
    as_json: Json = False,
) -> None:
    """Measures this machine: allocates a generated world three times and shows the medians.

    The world: many SKUs in ten places, popular ones much more than others, lots with expiry, lines with a minimum shelf
    life; the policy is first expiring, first out, at the line's own place. Other runs of the machine slow it down;
    `make bench` and `benches/compare.py` of the source measure more carefully and beside other tools.

    **Examples**

    - `allocator bench`
    - `allocator bench --rows 100000 --threads 1 --json`
    """
    with working(f"making a world of {rows:,} stock rows and {rows:,} lines"):
        stock, demand = world(rows)
    policy = Policy.model_validate({"location": {"scope": "exact"}})
    seconds: dict[str, list[float]] = {"check and compile": [], "allocate": [], "result tables": []}
    for number in range(ROUNDS):
        with working(f"round {number + 1} of {ROUNDS}"):
            bound = _timed(seconds["check and compile"], lambda: bind(stock, demand, policy, as_of=AS_OF))
            result = _timed(seconds["allocate"], partial(bound.run, threads=threads))
            _timed(seconds["result tables"], partial(_tables, result))
    medians = {stage: statistics.median(times) for stage, times in seconds.items()}
    medians["all together"] = sum(medians.values())
    machine = {
        "allocator": version("allocator"),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    correct = adds_up(result)
    stages = [{"stage": k, "seconds": round(s, 4), "lines_per_second": round(rows / s)} for k, s in medians.items()]
    if as_json:
        say_json({**machine, "rows": rows, "rounds": ROUNDS, "stages": stages, "correct": correct})
        return
    say(f"{rows:,} lines from {rows:,} stock rows, median of {ROUNDS} rounds", "bold")
    say_table(pl.DataFrame(stages))
    say(f"{machine['system']}, {machine['processors']} processors, allocator {machine['allocator']}", "dim")
    say("The result adds up." if correct else "The result does not add up: please report this.")


def _tables(result: Result) -> None:
    for frame in (result.lines, result.allocations, result.stock):
        assert frame.width


def _timed(times: list[float], work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work gives
    begun = time.perf_counter()
    answer = work()
    times.append(time.perf_counter() - begun)
    return answer


def adds_up(result: Result) -> bool:
    """Whether every allocated unit comes from one stock row, and none from nowhere."""
    lines, stock = result.lines, result.stock
    taken = result.allocations["qty"].sum()
    return bool(
        lines["allocated"].sum() == taken == stock["qty_allocated"].sum()
        and (stock["qty_available"] >= 0).all()
        and (lines["allocated"] + lines["short"] == lines["requested"]).all()
    )


def world(rows: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Stock and demand of so many rows, the same on every machine, with ids and keys of text as files have them."""
    rng = np.random.default_rng([7, rows])
    skus = max(20, rows // 50)
    popularity = np.cumsum((np.arange(skus) + 10.0) ** -0.9)

    def drawn() -> pl.Series:
        chosen = np.searchsorted(popularity, rng.random(rows) * popularity[-1])
        return _named("SKU", np.minimum(chosen, skus - 1))

    received = rng.integers(0, 700, rows)
    today = pl.lit(AS_OF)
    stock = pl.DataFrame(
        {
            "stock_id": _named("S", np.arange(rows)),
            "sku": drawn(),
            "location": _named("W", rng.integers(0, PLACES, rows)),
            "qty_on_hand": rng.integers(1, 101, rows),
            "received": received,
            "life": rng.integers(180, 1_100, rows),
        }
    ).with_columns(received_on=today - pl.duration(days="received"))
    stock = stock.with_columns(expires_on=pl.col("received_on") + pl.duration(days="life")).drop("received", "life")
    demand = pl.DataFrame(
        {
            "line_id": _named("L", np.arange(rows)),
            "sku": drawn(),
            "location": _named("W", rng.integers(0, PLACES, rows)),
            "qty": rng.integers(1, 21, rows),
            "priority": rng.integers(0, 10, rows),
            "min_shelf_life_days": rng.choice(np.array([0, 30, 90]), rows, p=[0.6, 0.3, 0.1]),
        }
    )
    return stock, demand


def _named(prefix: str, numbers: np.ndarray[tuple[int], np.dtype[Any]]) -> pl.Series:
    """`SKU0000012` for 12."""
    return pl.select(pl.lit(prefix) + pl.lit(pl.Series(numbers)).cast(pl.String).str.zfill(8)).to_series()
