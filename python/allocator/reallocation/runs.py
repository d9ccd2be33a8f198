"""Runs of the engine over some lines and some of the stock: eligibility and order are decided there, and only there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from allocator.engine import CORE, BoundPlan, gather
from allocator.plan.parts import part_of
from allocator.plan.spec import DemandSide, FillRule, Key, Plan, Rank, StockSide
from allocator.reallocation.inputs import World
from allocator.reallocation.sequence import Sequence

ANY = FillRule("no", None, None, None, None, whole_rows=False)

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
        parts: `s`, `held` (0 nobody has it, the higher the stronger is who has it) and `qty`, in order of `s`: a row
            may be there in parts, of which those that fewer would miss are taken first.
        fills: How lines are filled.
        sequence: The order of service.
    """
    whole, held = world.plan, parts["held"] if parts["held"].max() else None
    every_row = held is None and parts.height == whole.stock.on_hand.len()
    every_line = sequence.engine_order is not None and asks.height == whole.demand.qty.len()
    rows, lines = None if every_row else parts["s"], None if every_line else asks["l"]
    plan = part_of(whole, rows, lines, CORE, on_hand=parts["qty"], qty=asks["qty"])
    plan = replace(plan, stock=_stock(plan.stock, held), demand=_demand(plan.demand, asks["l"], sequence))
    if plan.safety is not None and held is not None:
        # What others have was promised beside the safety stock: it is kept out of the free part alone.
        plan = replace(plan, safety=replace(plan.safety, counts=plan.safety.counts & (held == 0)))
    answer = BoundPlan(_filled(plan, fills)).run()
    takes = pl.DataFrame(
        {
            "l": gather(asks["l"], answer.take_line),
            "s": gather(parts["s"], answer.take_stock),
            "qty": answer.take_qty,
            "served": answer.take_served,
        },
        schema=TAKES,
    )
    if held is not None:
        takes = takes.group_by("l", "s", maintain_order=True).agg(pl.col("qty", "served").sum())
    return Run(takes, gather(asks["l"], answer.line), answer.reason)


def eligible(world: World, pairs: pl.DataFrame) -> pl.Series:
    """Whether each stock row may, as of today, still serve the line that has it: every pair judged by itself."""
    return BoundPlan(world.plan).fit(pairs["s"], pairs["l"], pairs["qty"], pairs["served"])


def competing(world: World, lines: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """The group of each stock row, and whether some lines compete for it (UInt8); None if that left few out."""
    if lines.len() * 4 >= world.plan.demand.qty.len():
        return None
    rows, asked, groups = world.groups
    wanted = np.zeros(groups, np.uint8)
    wanted[asked[lines.to_numpy()]] = 1
    return pl.Series(rows), pl.Series(wanted)


def _stock(side: StockSide, held: pl.Series | None) -> StockSide:
    """The stock side of parts of rows in their order, those that nobody has first."""
    # An order by what is on hand or free is one by what the part holds.
    order: list[Key | Rank] = [
        replace(key, column=side.on_hand) if isinstance(key, Key) and key.column.name == "qty_on_hand" else key
        for key in side.order
    ]
    first = [] if held is None else [Key(held, descending=False, nulls_first=False)]
    return replace(side, order=[*first, *order])


def _demand(side: DemandSide, lines: pl.Series, sequence: Sequence) -> DemandSide:
    if sequence.engine_order is None:
        return replace(side, order=[], ids=None)
    first = Key(sequence.segments(lines), descending=False, nulls_first=False)
    return replace(side, order=[first, *side.order])


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
