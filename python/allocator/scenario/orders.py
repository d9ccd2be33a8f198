"""Orders of the base: how many there are, and how many lines of each are short."""

from __future__ import annotations

import numpy as np
import polars as pl

from allocator.engine import CORE
from allocator.scenario.additions import ROW
from allocator.scenario.compete import Numbers
from allocator.scenario.part import Part


class Orders:
    """Counts by order, so that a part of the lines can be counted otherwise without looking at the rest."""

    def __init__(self, part: Part) -> None:
        (codes,), self._names = CORE.encode([part.demand[_column(part)]])
        self._codes = codes.to_numpy().astype(np.int64)
        self._lines = np.bincount(self._codes, minlength=len(self._names))
        self._short = np.bincount(self._codes[_short(part)], minlength=len(self._names))
        orders, full = _counted(self._lines, self._short)
        self.sums = {"orders": orders, "orders_full": full}

    def under(self, before: Part, after: Part) -> dict[str, int]:
        """The sums where one part of the lines is another."""
        codes = [self._codes_of(part) for part in (before, after)]
        shorts = [_short(part) for part in (before, after)]
        touched = np.sort(np.concatenate(codes))  # `unique` would hash them, which takes longer
        touched = touched[np.flatnonzero(np.diff(touched, prepend=-1))]
        known = touched < len(self._lines)
        lines, short_lines = np.zeros(touched.size, np.int64), np.zeros(touched.size, np.int64)
        lines[known], short_lines[known] = self._lines[touched[known]], self._short[touched[known]]
        orders, full = _counted(lines, short_lines)
        for change, code, short in zip((-1, 1), codes, shorts, strict=True):
            at = np.searchsorted(touched, code)
            lines += change * np.bincount(at, minlength=touched.size)
            short_lines += change * np.bincount(at[short], minlength=touched.size)
        orders_then, full_then = _counted(lines, short_lines)
        return {
            "orders": self.sums["orders"] + orders_then - orders,
            "orders_full": self.sums["orders_full"] + full_then - full,
        }

    def _codes_of(self, part: Part) -> Numbers:
        """The code of each line's order; orders that are new have codes of their own above all."""
        rows = part.demand[ROW].to_numpy()
        fresh = rows >= self._codes.size
        codes = np.empty(rows.size, np.int64)
        codes[~fresh] = self._codes[rows[~fresh]]
        if fresh.any():
            given = part.demand[_column(part)].filter(pl.Series(fresh))
            known = {str(name): code for code, name in self._find(given)}
            codes[fresh] = [known.setdefault(str(name), len(self._names) + len(known)) for name in given]
        return codes

    def _find(self, given: pl.Series) -> list[tuple[int, object]]:
        """Code and name of those orders that the base has."""
        if self._names.is_empty():
            return []
        wanted = given.cast(self._names.dtype).unique()
        at = self._names.search_sorted(wanted)
        pairs = zip(at, wanted, strict=True)
        return [(code, name) for code, name in pairs if code < len(self._names) and self._names[code] == name]


def _short(part: Part) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (part.lines["allocated"] < part.demand["qty"]).to_numpy()


def _counted(lines: Numbers, short: Numbers) -> tuple[int, int]:
    """How many orders have lines, and how many of them have no line that is short."""
    return int((lines > 0).sum()), int(((lines > 0) & (short == 0)).sum())


def _column(part: Part) -> str:
    """Without orders, each line is an order by its own id."""
    return "order_id" if "order_id" in part.demand.columns else "line_id"
