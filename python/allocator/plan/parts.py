"""Some rows and some lines of a compiled plan: codes and numbers are gathered, and no text is looked at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import polars as pl

from allocator.plan.spec import (
    Bound,
    DemandSide,
    Digits,
    Equal,
    Exchange,
    FillRule,
    Key,
    Part,
    Plan,
    Rank,
    Safety,
    StockSide,
    Table,
    Test,
    Within,
)


class Core(Protocol):
    """What picking needs of the compiled core; `allocator.engine` hands it in."""

    def gather(self, column: pl.Series, rows: pl.Series) -> pl.Series:
        """The column at rows (UInt32)."""


class Picked:
    """Columns of one table at some rows, each gathered once however often it is asked for."""

    def __init__(self, rows: pl.Series | None, core: Core) -> None:
        """Of these rows (UInt32); of all if None."""
        self._rows, self._core = rows, core
        self._found: dict[int, tuple[pl.Series, pl.Series]] = {}

    def of(self, column: pl.Series) -> pl.Series:
        """The column at these rows."""
        if self._rows is None:
            return column
        if id(column) not in self._found:
            self._found[id(column)] = column, self._core.gather(column, self._rows)
        return self._found[id(column)][1]

    def maybe(self, column: pl.Series | None) -> pl.Series | None:
        """The same for a column that may be absent."""
        return None if column is None else self.of(column)

    def bound(self, bound: Bound) -> Bound:
        """The same for a bound, which may be one for all."""
        return self.of(bound) if isinstance(bound, pl.Series) else bound

    def digits(self, digits: Digits) -> Digits:
        """The same for digits."""
        return [(self.of(column), card) for column, card in digits]

    def key(self, key: Key) -> Key:
        """The same for a key of an order."""
        return replace(key, column=self.of(key.column))


def part_of(
    plan: Plan,
    rows: pl.Series | None,
    lines: pl.Series | None,
    core: Core,
    *,
    on_hand: pl.Series | None = None,
    qty: pl.Series | None = None,
) -> Plan:
    """The plan of some rows and lines, which serves them as the whole would if there were no others.

    Args:
        plan: The whole.
        rows: Stock rows (UInt32), ascending where the plan's ids do; a row may be there several times. None: all.
        lines: Demand lines, likewise.
        core: The compiled core.
        on_hand: What these rows have, and none of it reserved; None: what they have in the plan.
        qty: What these lines ask; None: as in the plan.
    """
    stock, demand = Picked(rows, core), Picked(lines, core)
    return Plan(
        stock=StockSide(
            on_hand=stock.of(plan.stock.on_hand) if on_hand is None else on_hand,
            reserved=stock.maybe(plan.stock.reserved) if on_hand is None else None,
            order=[key if isinstance(key, Rank) else stock.key(key) for key in plan.stock.order],
            ids=stock.maybe(plan.stock.ids),
            lot=stock.maybe(plan.stock.lot),
            place=stock.maybe(plan.stock.place),
            sku=stock.maybe(plan.stock.sku),
        ),
        demand=DemandSide(
            qty=demand.of(plan.demand.qty) if qty is None else qty,
            order=[demand.key(key) for key in plan.demand.order],
            ids=demand.maybe(plan.demand.ids),
            fill=demand.maybe(plan.demand.fill),
            order_code=demand.maybe(plan.demand.order_code),
        ),
        group=[Part(stock.of(part.stock), demand.of(part.demand), part.card) for part in plan.group],
        tests=[_test(test, stock, demand) for test in plan.tests],
        fills=[_fill(fill, demand) for fill in plan.fills],
        safety=None if plan.safety is None else _safety(plan.safety, stock),
    )


def _test(test: Test, stock: Picked, demand: Picked) -> Test:
    match test:
        case Table():
            return replace(
                test, stock_digits=stock.digits(test.stock_digits), demand_digits=demand.digits(test.demand_digits)
            )
        case Within():
            return replace(test, stock=stock.of(test.stock), low=demand.bound(test.low), high=demand.bound(test.high))
        case Equal() | Exchange():
            return replace(test, stock=stock.of(test.stock), demand=demand.of(test.demand))


def _fill(fill: FillRule, demand: Picked) -> FillRule:
    return replace(fill, qty_min=demand.bound(fill.qty_min), pack=demand.bound(fill.pack))


def _safety(safety: Safety, stock: Picked) -> Safety:
    return replace(safety, sku=stock.of(safety.sku), place=stock.maybe(safety.place), counts=stock.of(safety.counts))
