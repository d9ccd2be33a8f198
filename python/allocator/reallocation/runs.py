"""Runs of the engine over some lines and some of the stock: eligibility and order are decided there, and only there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import CORE, BoundPlan
from allocator.frames.prepare import Prepared, Table
from allocator.model.order import OrderKey
from allocator.plan.compile import compile_plan
from allocator.plan.spec import FillRule, Part, Plan
from allocator.reallocation.inputs import World
from allocator.reallocation.sequence import Sequence

ANY = FillRule("no", None, None, None, None, whole_rows=False)
HELD = "$held"
"""The stock column that says who has a part of a row: 0 nobody, the higher the stronger."""

Fills = Literal["full", "floor", "own"]
"""How lines are filled in a run: full or not at all; in packs at most; by their own fill rules."""

TAKES = {"l": pl.UInt32, "s": pl.UInt32, "qty": pl.Int64, "served": pl.Int64}


@dataclass(frozen=True)
class Run:
    """What a run gave.

    Attributes:
        takes: `l`, `s` (UInt32 row numbers), `qty`, `served` (Int64 units).
        lines: Row of each line that asked (UInt32).
        reasons: Number of the reason of each (UInt8), 255 if nothing is short.
    """

    takes: pl.DataFrame
    lines: pl.Series
    reasons: pl.Series


def serve(world: World, asks: pl.DataFrame, parts: pl.DataFrame, fills: Fills, sequence: Sequence) -> Run:
    """Serves lines out of parts of stock rows.

    Args:
        world: Tables, policy and day.
        asks: `l` and `qty` (what each asks): by row, or in order of service where the engine cannot order them.
        parts: `s`, `held` and `qty`, in order of `s`: a row may be there in parts, of which those that fewer would
            miss are taken first.
        fills: How lines are filled.
        sequence: The order of service.
    """
    parts, order = parts.rechunk(), sequence.engine_order
    policy = world.policy.model_copy(update={"demand_order": order or ()})
    stock, demand = _stock(world, parts), _demand(world, asks)
    if order is None:
        demand = replace(demand, ascending=True)
    else:
        demand = replace(demand, frame=demand.frame.with_columns(sequence.segments(asks["l"])))
    if (parts["held"] > 0).any():
        policy = policy.model_copy(update={"stock_order": (OrderKey(column=HELD), *policy.full_stock_order())})
        stock = replace(stock, frame=stock.frame.with_columns(parts["held"].alias(HELD)))
    plan = compile_plan(Prepared(stock, demand), policy, world.as_of, CORE)
    if plan.safety is not None:
        # What others have was promised beside the safety stock: it is kept out of the free part alone.
        plan = replace(plan, safety=replace(plan.safety, counts=plan.safety.counts & (parts["held"] == 0)))
    answer = BoundPlan(_filled(plan, fills)).run()
    takes = pl.DataFrame(
        {
            "l": asks["l"].gather(answer.take_line),
            "s": parts["s"].gather(answer.take_stock),
            "qty": answer.take_qty,
            "served": answer.take_served,
        },
        schema=TAKES,
    )
    if stock.frame.height > parts["s"].n_unique():
        takes = takes.group_by("l", "s", maintain_order=True).agg(pl.col("qty", "served").sum())
    return Run(takes, asks["l"].gather(answer.line), answer.reason)


def eligible(world: World, pairs: pl.DataFrame) -> pl.Series:
    """Whether each stock row may, as of today, still serve the line that has it: every pair judged by itself."""
    if pairs.is_empty():
        return pl.Series([], dtype=pl.Boolean)
    stock = _stock(world, pairs.select("s", "qty"))
    demand = _demand(world, pairs.select("l", qty="served"))
    policy = world.policy.model_copy(update={"safety_stock": (), "stock_order": (), "demand_order": ()})
    stock, demand = replace(stock, ascending=True), replace(demand, ascending=True)
    plan = compile_plan(Prepared(stock, demand), policy, world.as_of, CORE)
    alone = pl.Series(np.arange(pairs.height, dtype=np.uint32))
    one = Part(alone, alone, pairs.height)
    plan = replace(_bare(plan, [ANY]), group=[*plan.group, one])
    answer = BoundPlan(plan).run()
    served = np.zeros(pairs.height, np.int64)
    served[answer.take_line.to_numpy()] = answer.take_served.to_numpy()
    return pl.Series(served == pairs["served"].to_numpy())


def competing(world: World, lines: pl.Series) -> npt.NDArray[np.bool_] | None:
    """Which stock rows are of the SKUs of some lines; None where that would leave few out, or they are not all."""
    if lines.len() * 4 >= world.prepared.demand.frame.height or world.policy.substitutes:
        return None
    rows, asked = world.skus
    wanted = np.zeros(max(rows.max(initial=0), asked.max(initial=0)) + 1, bool)
    wanted[asked[lines.to_numpy()]] = True
    return wanted[rows]


def _stock(world: World, parts: pl.DataFrame) -> Table:
    table = world.prepared.stock
    frame = table.frame if _all(parts["s"], table) else table.frame[parts["s"]]
    return replace(table, frame=frame.drop("qty_reserved", strict=False).with_columns(qty_on_hand=parts["qty"]))


def _demand(world: World, asks: pl.DataFrame) -> Table:
    table = world.prepared.demand
    frame = table.frame if _all(asks["l"], table) else table.frame[asks["l"]]
    return replace(table, frame=frame.with_columns(qty=asks["qty"]))


def _all(rows: pl.Series, table: Table) -> bool:
    return rows.len() == table.frame.height and bool((rows.to_numpy() == np.arange(rows.len())).all())


def _filled(plan: Plan, fills: Fills) -> Plan:
    if fills == "own":
        return plan
    if fills == "full":
        return replace(
            plan, fills=[replace(rule, whole="line" if rule.whole == "no" else rule.whole) for rule in plan.fills]
        )
    return _bare(plan, [replace(ANY, pack=rule.pack) for rule in plan.fills])


def _bare(plan: Plan, fills: list[FillRule]) -> Plan:
    """The plan with fill rules that look at no more than the line and its packs."""
    demand, stock = replace(plan.demand, order_code=None), replace(plan.stock, lot=None, place=None, sku=None)
    if len(fills) == 1:
        demand = replace(demand, fill=None)
    return replace(plan, fills=fills, demand=demand, stock=stock)
