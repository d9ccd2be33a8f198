"""What the base allocates, taken as promised, and dealt again by a plan."""

from __future__ import annotations

import datetime as dt

import polars as pl

from allocator.engine import Answer
from allocator.frames.prepare import Prepared
from allocator.model.dealing import Dealing
from allocator.model.policy import Policy
from allocator.plan.spec import SERVED
from allocator.reallocation import reallocate
from allocator.reallocation.outcome import Outcome
from allocator.result import quantity
from allocator.scenario.given import as_given, in_steps
from allocator.scenario.part import REASON, Part


def promised(before: Part, fresh: Prepared) -> pl.DataFrame:
    """What lines still have of what the base gave them: `line_id`, `stock_id`, `qty`, `qty_served` (steps).

    What is gone, and what is more than there now is or than the line now asks, is cut from the last that were served.
    A take that a substitute serves is kept whole or not at all.
    """
    stock, demand = fresh.stock.frame, fresh.demand.frame
    reserved = pl.col("qty_reserved") if "qty_reserved" in stock.columns else pl.lit(0, pl.Int64)
    free = stock.select("stock_id", free=pl.col("qty_on_hand") - reserved)
    takes = before.takes.select(
        line_id=before.demand["line_id"].gather(before.takes["line"]),
        stock_id=before.stock["stock_id"].gather(before.takes["stock"]),
        qty="qty",
        served="served",
    )
    takes = takes.join(free, on="stock_id", maintain_order="left")
    takes = takes.join(demand.select("line_id", asks="qty"), on="line_id", maintain_order="left")
    for amount, room, group in (("qty", "free", "stock_id"), ("served", "asks", "line_id")):
        left = pl.min_horizontal(amount, (pl.col(room) - pl.col(amount).cum_sum().over(group) + pl.col(amount)).clip(0))
        alike = pl.col("qty") == pl.col("served")
        kept = pl.when(alike | (left == pl.col(amount))).then(left).otherwise(0)
        takes = takes.with_columns(kept=kept, alike=alike).with_columns(
            qty=pl.when("alike").then("kept").otherwise(pl.when(pl.col("kept") > 0).then("qty").otherwise(0)),
            served=pl.when("alike").then("kept").otherwise(pl.when(pl.col("kept") > 0).then("served").otherwise(0)),
        )
    return takes.filter(pl.col("qty") > 0).select("line_id", "stock_id", "qty", qty_served="served")


def dealt(before: Part, fresh: Prepared, lever: Dealing, *, policy: Policy, day: dt.date) -> tuple[Outcome, Answer]:
    """The outcome of the plan, and the same as an answer by row of the tables; reasons are those of `REASON`.

    Raises:
        InputError: As `reallocate`.
        PolicyError: As `reallocate`.
    """
    has = promised(before, fresh)
    has = has.with_columns(
        quantity(has["qty"], fresh.stock).alias("qty"), quantity(has["qty_served"], fresh.demand).alias("qty_served")
    )
    stock, demand = (as_given(table) for table in (fresh.stock, fresh.demand))
    outcome = reallocate(stock, demand, has, lever.plan, policy=policy, as_of=day)
    scale = fresh.demand.scale
    lines = outcome.lines.select(in_steps(pl.col("after"), scale), "short", reason=pl.col("reason").cast(pl.String))
    reason = pl.when(pl.col("short") > 0).then(pl.col("reason").fill_null("undealt")).cast(REASON)
    stock, demand = (
        table.frame.select(name, pl.int_range(pl.len(), dtype=pl.UInt32).alias(row))
        for table, name, row in ((fresh.stock, "stock_id", "stock"), (fresh.demand, "line_id", "line"))
    )
    has = outcome.allocations.join(demand, on="line_id", maintain_order="left").join(
        stock, on="stock_id", maintain_order="left"
    )
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("line")
    takes = has.select(
        "line", "stock", qty=in_steps(pl.col("qty"), scale), served=in_steps(pl.col("qty_served"), scale)
    )
    takes = takes.with_columns(rank=rank)
    return outcome, Answer(
        line=pl.Series(range(lines.height), dtype=pl.UInt32),
        allocated=lines["after"],
        reason=lines.select(reason.to_physical().cast(pl.UInt8).fill_null(SERVED)).to_series(),
        take_line=takes["line"],
        take_stock=takes["stock"],
        take_qty=takes["qty"],
        take_served=takes["served"],
        take_rank=takes["rank"],
    )
