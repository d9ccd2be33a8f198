"""Codes and values of columns: what the tables hold, as the kernel reads it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Self, TypeAlias

import numpy as np
import polars as pl

from allocator.frames.coded import NULL_CODE, Coded, Core, code_column
from allocator.frames.location import Tree, tree_codes
from allocator.frames.prepare import Prepared, Table

CodeTable: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint32]]
"""A code for each code."""


class Columns:
    """Both tables, and what was encoded of them so far."""

    def __init__(self, stock: Table, demand: Table, core: Core) -> None:
        self.stock, self.demand, self.core = stock.frame, demand.frame, core
        self._tables = {"stock": stock, "demand": demand}
        self._coded: dict[tuple[str, tuple[str, ...]], Coded] = {}
        self._one: dict[tuple[str, str], tuple[pl.Series, list[str]]] = {}
        self._tree: Tree | None = None

    @classmethod
    def of(cls, prepared: Prepared, core: Core) -> Self:
        """Those of prepared tables; places were coded when they were checked."""
        columns = cls(prepared.stock, prepared.demand, core)
        if prepared.places is not None:
            columns._coded["location", ()] = prepared.places
        return columns

    def has(self, table: str, column: str) -> bool:
        """Whether the table has the column."""
        return column in getattr(self, table).columns

    def coded(self, column: str, further: Sequence[str] = ()) -> Coded:
        """A column that both tables may have, and values that a policy names, in one set of codes."""
        key = (column, tuple(further))
        if key not in self._coded:
            self._coded[key] = code_column(self.stock, self.demand, column, self.core, further)
        return self._coded[key]

    def one(self, table: str, column: str) -> tuple[pl.Series, list[str]]:
        """Codes of a column of one table, and the value of each code as text."""
        if (table, column) not in self._one:
            (codes,), values = self.core.encode([getattr(self, table)[column]])
            self._one[table, column] = codes, values.cast(pl.String).to_list()
        return self._one[table, column]

    def known(self, column: str, further: tuple[str, ...]) -> Coded | None:
        """The codes of a column that both tables may have; None if its values with these are not coded yet."""
        return self._coded.get((column, further)) if further else self.coded(column)

    def tree(self) -> Tree:
        """The tree of all places."""
        if self._tree is None:
            self._tree = tree_codes(self.coded("location").values)
        return self._tree

    def compared(self, table: str, column: str) -> pl.Series:
        """A column as rules compare it: quantities in base units, as people count them; Null where no row has one."""
        series = self._tables[table].in_base_units(column)
        if series.null_count() == len(series):
            return series.clear().cast(pl.Null).extend_constant(None, len(series))
        return series

    def ordered(self, table: str, column: str) -> pl.Series:
        """A column as values or codes that order as it does."""
        series = getattr(self, table)[column]
        if series.dtype in (pl.String, pl.Enum, pl.Categorical):
            return self.one(table, column)[0]
        return plain(series)


Picks: TypeAlias = Mapping[str, Callable[[pl.Series], pl.Series]]
"""For each table, how a column of the whole becomes one of the part."""


class PartColumns(Columns):
    """Columns of some rows of tables that are coded already: their codes are picked, not worked out again.

    The tables may differ from those rows in columns of numbers, days and flags, and in columns of text that are named.
    """

    def __init__(self, stock: Table, demand: Table, whole: Columns, picks: Picks, changed: Container[str] = ()) -> None:
        super().__init__(stock, demand, whole.core)
        self._whole, self._picks, self._changed = whole, picks, changed

    def coded(self, column: str, further: Sequence[str] = ()) -> Coded:
        """As of all columns, where the whole has them."""
        key = (column, tuple(further))
        if key in self._coded or column in self._changed:
            return super().coded(column, further)
        if (known := self._whole.known(*key)) is not None:
            stock, demand = self._picks["stock"](known.stock), self._picks["demand"](known.demand)
            self._coded[key] = Coded(stock, demand, known.values)
        return super().coded(column, further)

    def one(self, table: str, column: str) -> tuple[pl.Series, list[str]]:
        """Likewise."""
        if (table, column) not in self._one and column not in self._changed and self._whole.has(table, column):
            codes, values = self._whole.one(table, column)
            self._one[table, column] = self._picks[table](codes), values
        return super().one(table, column)

    def tree(self) -> Tree:
        """The tree of all places of the whole, as the codes are those of the whole."""
        return self._whole.tree()


def plain(series: pl.Series) -> pl.Series:
    """Numbers, dates, times and flags as the kernel orders them; ranks of numbers that do not fit what it reads."""
    if isinstance(series.dtype, pl.Decimal):
        series = series.to_physical()
    if series.dtype in (pl.UInt32, pl.UInt64, pl.Int128, pl.UInt128, pl.Null):
        fitting = series.cast(pl.Int64, strict=False)
        return fitting if fitting.null_count() == series.null_count() else series.rank("dense").cast(pl.Int64)
    return series


def mapped(codes: pl.Series, table: Sequence[int] | CodeTable) -> pl.Series:
    """Codes sent through a table; null stays null."""
    if np.array_equal(table, np.arange(len(table))):
        return codes
    lookup = np.append(np.asarray(table, dtype=np.uint32), np.uint32(NULL_CODE))
    numbers = codes.to_numpy()
    return pl.Series(lookup[np.minimum(numbers, len(lookup) - 1)])
