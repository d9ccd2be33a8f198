"""A mixed integer program as columns, rows and a matrix, put together from arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from allocator.optimum.ground import Flags, Ints

Floats: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
INF = float("inf")


@dataclass
class Program:
    """Columns and rows of a mixed integer program, as they are added.

    Attributes:
        upper: The greatest value of each column; the least is 0.
        integral: Whether a column must be whole.
        low: The least value of each row.
        high: The greatest value of each row.
        entries: Rows, columns and values of the matrix.
    """

    upper: list[Floats] = field(default_factory=list)
    integral: list[Flags] = field(default_factory=list)
    low: list[Floats] = field(default_factory=list)
    high: list[Floats] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    columns: int = 0
    rows: int = 0

    def add_columns(self, upper: Ints | Floats, *, integral: Flags | bool = False) -> Ints:
        """New columns, by their numbers."""
        self.upper.append(upper.astype(np.float64))
        self.integral.append(np.broadcast_to(np.asarray(integral, np.bool_), upper.shape))
        self.columns += len(upper)
        return np.arange(self.columns - len(upper), self.columns)

    def add_rows(self, count: int, low: Ints | float, high: Ints | float) -> Ints:
        """New rows, by their numbers."""
        for side, bound in ((self.low, low), (self.high, high)):
            side.append(np.broadcast_to(np.asarray(bound, np.float64), (count,)))
        self.rows += count
        return np.arange(self.rows - count, self.rows)

    def put(self, row: Ints, column: Ints, value: Ints | int) -> None:
        """Values of the matrix."""
        self.entries.append((row, column, np.broadcast_to(np.asarray(value, np.float64), row.shape)))

    @property
    def is_whole(self) -> bool:
        """Whether any column must be whole."""
        return any(part.any() for part in self.integral)

    def matrix(self) -> tuple[Ints, Ints, Floats]:
        """Rows, columns and values, by row and column; values for the same place are added up."""
        row, column, value = (np.concatenate(parts) for parts in zip(*self.entries, strict=True))
        place = row * self.columns + column
        order = np.argsort(place, kind="stable")
        first = np.flatnonzero(np.diff(place[order], prepend=-1))
        return row[order][first], column[order][first], np.add.reduceat(value[order], first)
