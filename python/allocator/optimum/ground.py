"""What an optimum is made of: rows with a balance, lines that ask, what they compete in, and how lines are filled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import polars as pl

from allocator.engine import Answer, BoundPlan
from allocator.frames.coded import NULL_CODE
from allocator.plan.spec import Bound, DemandSide, FillRule, Key, Part, Plan

Ints: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Whole numbers, one per row, line, class or pair."""

Flags: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""Yes or no, one per row, line, class or pair."""

WHOLE = {"no": 0, "line": 1, "order": 2}
"""How much of a line must be served, as numbers."""

ONE = {None: 0, "lot": 1, "source": 2}
"""What a line may take from only one of, as numbers."""

ANY_FILL = FillRule("no", None, None, None, None, whole_rows=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """Stock rows of which something is left after safety stock was kept back, in the policy's stock order.

    Attributes:
        at: Row numbers in the stock table.
        balance: What there is of each, in units; above zero.
        group: What they compete in, as dense codes of their own.
    """

    at: Ints
    balance: Ints
    group: Ints

    def kept(self, passed: Flags) -> Rows:
        """Those that passed."""
        return Rows(self.at[passed], self.balance[passed], self.group[passed])


@dataclass(frozen=True, slots=True)
class Lines:
    """Demand lines in the order in which the rules serve them.

    Attributes:
        at: Row numbers in the demand table.
        qty: Units asked.
        group: The code of `Rows.group` in which they compete; -1 where there is no such row.
        whole: A number of `WHOLE`. A whole order of one line is a whole line.
        least: The least that may be served, in units; 0 without a minimum.
        pack: What each row gives a multiple of, in units; 1 without packs.
        rows_max: From how many rows at most; 0 without a limit.
        one: A number of `ONE`.
        whole_rows: Whether rows are taken whole.
        order: Code of the order.
    """

    at: Ints
    qty: Ints
    group: Ints
    whole: Ints
    least: Ints
    pack: Ints
    rows_max: Ints
    one: Ints
    whole_rows: Flags
    order: Ints

    @property
    def plain(self) -> Flags:
        """Lines that take whatever they can get, packs aside."""
        counted = (self.whole > 0) | (self.least > 1) | (self.rows_max > 0) | (self.one > 0)
        return ~(counted | self.whole_rows)


def gather(plan: Plan, answer: Answer) -> tuple[Rows, Lines]:
    """Rows and lines of a plan, and the answer of the rules to it."""
    keys, asked = _keys(plan.group, "stock"), _keys(plan.group, "demand")
    known, group = np.unique(keys, return_inverse=True)
    at, balance = _balances(plan, keys, known)
    rows = Rows(at, balance, group[at])
    lines = answer.line.to_numpy().astype(np.int64)
    place = np.searchsorted(known, asked[lines])
    found = np.isin(asked[lines], known)
    return rows, _lines(plan, lines, np.where(found, place, -1))


def _keys(parts: list[Part], side: str) -> Ints:
    """One number for all parts of a group; -1 where a part is null, in which case nothing competes."""
    key = np.zeros(len(getattr(parts[0], side)), np.int64)
    absent = np.zeros(len(key), np.bool_)
    for part in parts:
        code = getattr(part, side).to_numpy()
        absent |= code == NULL_CODE
        key = key * part.card + code
    return np.where(absent, -1, key)


def _balances(plan: Plan, keys: Ints, known: Ints) -> tuple[Ints, Ints]:
    """Rows in stock order and what is left of them after safety stock.

    The kernel is asked itself: in each group one line takes everything there is, under no rule, in the stock order
    without the ranks that lines give.
    """
    stock = plan.stock
    free = stock.on_hand.cast(pl.Int64).to_numpy()
    if stock.reserved is not None:
        free = free - stock.reserved.cast(pl.Int64).to_numpy()
    first = np.searchsorted(keys, known, sorter=(order := np.argsort(keys, kind="stable")))
    total = np.zeros(len(known), np.int64)
    np.add.at(total, np.searchsorted(known, keys), free)
    wanted = (known >= 0) & (total > 0)
    asks = pl.Series(order[first][wanted])
    everything = replace(
        plan,
        stock=replace(stock, order=[k for k in stock.order if isinstance(k, Key)], lot=None, place=None, sku=None),
        demand=DemandSide(qty=pl.Series(total[wanted]), order=[], ids=None),
        group=[replace(part, demand=part.stock.gather(asks)) for part in plan.group],
        tests=[],
        fills=[ANY_FILL],
    )
    answer = BoundPlan(everything).run()
    return answer.take_stock.to_numpy().astype(np.int64), answer.take_qty.to_numpy()


def _lines(plan: Plan, at: Ints, group: Ints) -> Lines:
    demand = plan.demand
    qty = demand.qty.cast(pl.Int64).to_numpy()[at]
    rule = np.zeros(len(at), np.int64) if demand.fill is None else demand.fill.cast(pl.Int64).to_numpy()[at]

    def of_rule(values: list[int]) -> Ints:
        return np.take(np.array(values, np.int64), rule)

    def amount(bounds: list[Bound]) -> Ints:
        found = np.zeros_like(at)
        for number, bound in enumerate(bounds):
            given = bound.cast(pl.Int64).fill_null(0).gather(pl.Series(at)) if isinstance(bound, pl.Series) else bound
            mine = rule == number
            found[mine] = given.to_numpy()[mine] if isinstance(given, pl.Series) else given or 0
        return found

    whole = of_rule([WHOLE[fill.whole] for fill in plan.fills])
    order = np.arange(len(at)) if demand.order_code is None else demand.order_code.to_numpy()[at].astype(np.int64)
    _, order, size = np.unique(np.where(whole == WHOLE["order"], order, -1), return_inverse=True, return_counts=True)
    alone = (whole == WHOLE["order"]) & (size[order] == 1)
    return Lines(
        at=at,
        qty=qty,
        group=group,
        whole=np.where(alone, WHOLE["line"], whole),
        least=np.minimum(amount([fill.qty_min for fill in plan.fills]), qty),
        pack=np.maximum(amount([fill.pack for fill in plan.fills]), 1),
        rows_max=of_rule([fill.rows_max or 0 for fill in plan.fills]),
        one=of_rule([ONE[fill.one] for fill in plan.fills]),
        whole_rows=of_rule([fill.whole_rows for fill in plan.fills]) > 0,
        order=order,
    )
