"""A part of both tables with its answer: what a scenario is compared in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from allocator.engine import Answer
from allocator.frames.prepare import Prepared, Table
from allocator.model.policy import Policy
from allocator.plan.spec import REASON_NAMES
from allocator.scenario.compete import Numbers, spans
from allocator.scenario.laid import Stretch

FURTHER: Final[Mapping[str, str]] = {
    "rationed": "quotas or protection grant it no more",
    "above_limit": "the maximum stock limit of its partner leaves no more",
    "shared": "its fair share is no more",
    "undealt": "the plan that deals again gives it no more, and did not ask for it",
}
"""Reasons that a scenario has beside those of an allocation, in words that complete 'It is short because …'."""

REASON: Final = pl.Enum((*REASON_NAMES, *FURTHER))
"""Why a line is short under a scenario."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows and lines with their answer.

    Attributes:
        stock: Stock rows as the engine has them, with their row number in the base.
        demand: Lines, likewise.
        lines: One row per line of `demand`, in its order: `allocated` (Int64, units), `reason` (UInt8).
        takes: One row per allocation: `line`, `stock` (rows of the part), `qty`, `served` (Int64, units).
        policy: The policy that decided.
        scale: Decimals of the quantities.
        as_of: The day.
        quantities: The columns of both tables that hold quantities, by table.
        stretches: Where its rows and lines are laid in the base; None for a part that is not one of the base.
    """

    stock: pl.DataFrame
    demand: pl.DataFrame
    lines: pl.DataFrame
    takes: pl.DataFrame
    policy: Policy
    scale: int
    as_of: dt.date
    quantities: Mapping[str, tuple[str, ...]]
    stretches: tuple[Stretch, Stretch] | None = None

    @property
    def tables(self) -> tuple[Table, Table]:
        """Stock and demand."""
        given = {"stock": self.stock, "demand": self.demand}
        stock, demand = (Table(n, frame, self.scale, False, self.quantities[n]) for n, frame in given.items())
        return stock, demand


class Answered:
    """An answer by row of the tables, to be looked up in parts."""

    def __init__(self, answer: Answer, prepared: Prepared) -> None:
        rows, lines = answer.line.to_numpy(), prepared.demand.frame.height
        allocated, reason = np.empty(lines, np.int64), np.empty(lines, np.uint8)
        allocated[rows], reason[rows] = answer.allocated.to_numpy(), answer.reason.to_numpy()
        self._allocated, self._reason = pl.Series(allocated), pl.Series(reason)
        self._answer = answer
        self._place: tuple[pl.Series, pl.Series] | None = None

    def whole(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Lines and takes of everything, as `Part` has them."""
        answer = self._answer
        lines = pl.DataFrame({"allocated": self._allocated, "reason": self._reason})
        takes = {"line": answer.take_line, "stock": answer.take_stock, "qty": answer.take_qty}
        return lines, pl.DataFrame({**takes, "served": answer.take_served})

    def of(self, stock_rows: Numbers, pick: Callable[[pl.Series], pl.Series]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Lines and takes of some lines.

        Args:
            stock_rows: Rows that hold everything that the lines take, ascending.
            pick: Picks the lines, ascending, from a column of all.
        """
        starts, counts = (pick(column).to_numpy() for column in self._places())
        at = spans(starts, counts)
        lines = pl.DataFrame({"allocated": pick(self._allocated), "reason": pick(self._reason)})
        taken = self._answer.take_stock.gather(at).to_numpy()
        takes = {
            "line": np.repeat(np.arange(counts.size, dtype=np.uint32), counts),
            "stock": np.searchsorted(stock_rows, taken).astype(np.uint32),
            "qty": self._answer.take_qty.gather(at),
            "served": self._answer.take_served.gather(at),
        }
        return lines, pl.DataFrame(takes)

    def _places(self) -> tuple[pl.Series, pl.Series]:
        """Where the takes of each line begin, and how many there are. They are in the order of the lines."""
        if self._place is None:
            counts = np.bincount(self._answer.take_line.to_numpy(), minlength=self._allocated.len())
            rows = self._answer.line.to_numpy()
            starts = np.empty(rows.size, np.int64)
            in_order = counts[rows]
            starts[rows] = np.cumsum(in_order) - in_order
            self._place = pl.Series(starts), pl.Series(counts)
        return self._place
