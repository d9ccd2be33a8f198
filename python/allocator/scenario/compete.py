"""What competes with what: SKUs linked by substitutes or by whole orders, and where their rows and lines are."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import polars as pl

from allocator.engine import CORE
from allocator.frames.prepare import Prepared
from allocator.model.policy import FILLS, Policy
from allocator.plan.rules import linked

Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Row numbers, codes of SKUs or numbers of groups."""


def spans(starts: Numbers, counts: Numbers) -> Numbers:
    """Every number from each start on, so many of them, one after another."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    found: Numbers = np.arange(total) + np.repeat(starts - (ends - counts), counts)
    return found


class Index:
    """The rows that each number has: sorted once, gathered by slices.

    Attributes:
        order: The rows by number, then by row.
    """

    def __init__(self, numbers: Numbers, size: int) -> None:
        self.order = pl.Series(np.argsort(numbers, kind="stable").astype(np.uint32))
        self._ends = np.cumsum(np.bincount(numbers, minlength=size))

    def rows_and_places(self, wanted: Numbers) -> tuple[Numbers, Numbers]:
        """The rows of these numbers, ascending, and the place of each in `order`."""
        starts = np.where(wanted > 0, self._ends[wanted - 1], 0)
        places = spans(starts, self._ends[wanted] - starts)
        rows = self.order.to_numpy()[places].astype(np.int64)
        ascending = np.argsort(rows)
        return rows[ascending], places[ascending]


class Competition:
    """The groups of SKUs that compete. What happens in one group never depends on another.

    Attributes:
        skus: Every SKU of both tables and of the policy's substitutes, ascending; the place of a SKU is its code.
        groups: The group of each code.
        size: How many groups there are.
    """

    def __init__(self, prepared: Prepared, policy: Policy) -> None:
        stock, demand = prepared.stock.frame["sku"], prepared.demand.frame["sku"]
        named = list(dict.fromkeys(sku for entry in policy.substitutes for sku in (entry.sku, entry.substitute)))
        dtype = stock.dtype if stock.dtype.is_integer() else pl.String
        further = pl.Series(named, dtype=pl.String).cast(dtype, strict=False)
        (self._stock, self._demand, _), self.skus = CORE.encode([stock, demand, further])
        groups = np.arange(len(self.skus))
        if policy.substitutes:
            numbers = {sku: code for code, sku in enumerate(self.skus.cast(pl.String))}
            groups = linked(policy, numbers).astype(np.int64)
        whole = _in_whole_orders(prepared.demand.frame, policy)
        if whole.size:
            (orders,), _ = CORE.encode([prepared.demand.frame["order_id"].gather(whole)])
            groups = _joined(groups, self._demand.gather(whole).to_numpy(), orders.to_numpy())
        self.groups = np.unique(groups, return_inverse=True)[1]
        self.size = int(self.groups.max(initial=-1)) + 1
        self.stock = Index(self.groups[self._stock.to_numpy()], self.size)
        self.demand = Index(self.groups[self._demand.to_numpy()], self.size)

    def codes(self, skus: pl.Series) -> tuple[Numbers, pl.Series]:
        """The codes of those that are known, and whether each is."""
        wanted = skus.cast(self.skus.dtype)
        if self.skus.is_empty():
            return np.empty(0, np.int64), pl.Series([False]).new_from_index(0, len(wanted))
        at = self.skus.search_sorted(wanted)
        known = self.skus.gather(at.clip(0, len(self.skus) - 1)) == wanted
        return at.filter(known).to_numpy().astype(np.int64), known

    def groups_of(self, table: str, rows: Numbers) -> Numbers:
        """The groups of some rows of a table, each once."""
        return np.unique(self.group_of(table, rows))

    def group_of(self, table: str, rows: Numbers) -> Numbers:
        """The group of each of some rows of a table."""
        side = self._stock if table == "stock" else self._demand
        found: Numbers = self.groups[side.to_numpy()[rows]]
        return found


def _in_whole_orders(demand: pl.DataFrame, policy: Policy) -> Numbers:
    """The lines that are served with the rest of their order or not at all."""
    if "order_id" not in demand.columns:
        return np.empty(0, np.int64)
    by_default = policy.fill.whole == "order"
    if "fill" not in demand.columns:
        return np.arange(demand.height if by_default else 0)
    names = [name for name, fill in {**FILLS, **policy.fills}.items() if fill.whole == "order"]
    served_whole = pl.col("fill").cast(pl.String).is_in(names).fill_null(by_default)
    rows = demand.select(pl.arg_where(served_whole)).to_series()
    return rows.to_numpy().astype(np.int64)


def _joined(groups: Numbers, skus: Numbers, orders: Numbers) -> Numbers:
    """The groups with those made one whose SKUs share an order: each takes the least number that it can reach."""
    least = np.full(int(orders.max()) + 1, len(groups))
    while True:
        before, own = groups, groups[skus]
        least.fill(len(groups))
        np.minimum.at(least, orders, own)
        groups = before.copy()
        np.minimum.at(groups, own, least[orders])
        while (shorter := groups[groups]).tobytes() != groups.tobytes():
            groups = shorter
        if np.array_equal(groups, before):
            return groups
