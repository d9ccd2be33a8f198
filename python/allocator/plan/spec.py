"""The compiled plan: what crosses into Rust, field by field as `rust/core/src/problem.rs` explains.

Every series has one chunk. A `UInt32` series holds dense codes with 2³² - 1 for null; other types are values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from allocator.model.reason import GATES, REASONS

GATE = {name: number for number, name in enumerate(GATES)}
"""The number of each gate; earlier gates stop a row first."""

REASON_NAMES = tuple(REASONS)
"""The name of each reason code; `SERVED` is no reason."""

SERVED = 255

Digits: TypeAlias = list[tuple[pl.Series, int]]
"""Columns of codes, each with a number that all its codes are below: together the digits of one number."""

Bound: TypeAlias = "int | pl.Series | None"
"""The same for all lines, by line, or open."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order."""

    column: pl.Series
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Rank:
    """One key of a stock order: the rank that a test gives; `reverse` puts the greatest rank first."""

    test: int
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Passes where the cell (by line code, then by row code) is not negative; the cell is the rank."""

    gate: int
    stock_digits: Digits
    demand_digits: Digits
    cells: list[int]


@dataclass(frozen=True, slots=True)
class Within:
    """Passes where the row's value lies within (or outside) the line's bounds."""

    gate: int
    stock: pl.Series
    low: Bound
    high: Bound
    null_passes: bool
    outside: bool = False


@dataclass(frozen=True, slots=True)
class Equal:
    """Passes where the row's code is the line's, or the line has none."""

    gate: int
    stock: pl.Series
    demand: pl.Series


@dataclass(frozen=True, slots=True)
class Exchange:
    """Passes for the line's own SKU and its substitutes: (SKU, substitute, rank, give, asked), by SKU and rank."""

    stock: pl.Series
    demand: pl.Series
    substitutes: list[tuple[int, int, int, int, int]]


Test: TypeAlias = "Table | Within | Equal | Exchange"


@dataclass(frozen=True, slots=True)
class FillRule:
    """A fill rule with its quantities in units."""

    whole: str
    qty_min: Bound
    pack: Bound
    rows_max: int | None
    one: str | None
    whole_rows: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what groups rows and lines: codes below `card`."""

    stock: pl.Series
    demand: pl.Series
    card: int


@dataclass(frozen=True, slots=True)
class Safety:
    """Quantities kept back: (SKU code, first and last place code or None, quantity), in this order."""

    sku: pl.Series
    place: pl.Series | None
    counts: pl.Series
    rules: list[tuple[int, tuple[int, int] | None, int]]


@dataclass(frozen=True, slots=True)
class StockSide:
    """Columns of the stock rows."""

    on_hand: pl.Series
    reserved: pl.Series | None
    order: list[Key | Rank]
    ids: pl.Series | None
    lot: pl.Series | None = None
    place: pl.Series | None = None
    sku: pl.Series | None = None


@dataclass(frozen=True, slots=True)
class DemandSide:
    """Columns of the lines."""

    qty: pl.Series
    order: list[Key]
    ids: pl.Series | None
    fill: pl.Series | None = None
    order_code: pl.Series | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole problem."""

    stock: StockSide
    demand: DemandSide
    group: list[Part]
    tests: list[Test]
    fills: list[FillRule]
    safety: Safety | None = None


@dataclass(slots=True)
class Tests:
    """Tests as they are collected, and which of them gives which rank."""

    tests: list[Test] = field(default_factory=list)
    ranks: dict[str, int] = field(default_factory=dict)

    def add(self, test: Test, rank: str = "") -> None:
        """Adds a test; `rank` is the key of a stock order that it answers."""
        if rank:
            self.ranks[rank] = len(self.tests)
        self.tests.append(test)
