"""A part of both tables with its answer: what a scenario is compared in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from allocator.engine import Answer
from allocator.frames.prepare import Prepared
from allocator.model.policy import Policy
from allocator.plan.spec import REASON_NAMES
from allocator.scenario.compete import Numbers, spans

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
    """

    stock: pl.DataFrame
    demand: pl.DataFrame
    lines: pl.DataFrame
    takes: pl.DataFrame
    policy: Policy
    scale: int
    as_of: dt.date


class Answered:
    """An answer by row of the tables, to be looked up in parts."""

    def __init__(self, answer: Answer, prepared: Prepared) -> None:
        rows = answer.line.to_numpy()
        self._allocated = np.empty(prepared.demand.frame.height, np.int64)
        self._allocated[rows] = answer.allocated.to_numpy()
        self._reason = np.empty(prepared.demand.frame.height, np.uint8)
        self._reason[rows] = answer.reason.to_numpy()
        self._answer, self._stock_height = answer, prepared.stock.frame.height
        self._place: tuple[Numbers, Numbers] | None = None

    def whole(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Lines and takes of everything, as `Part` has them."""
        answer = self._answer
        lines = pl.DataFrame({"allocated": self._allocated, "reason": self._reason})
        takes = {"line": answer.take_line, "stock": answer.take_stock, "qty": answer.take_qty}
        return lines, pl.DataFrame({**takes, "served": answer.take_served})

    def of(self, stock_rows: Numbers, demand_rows: Numbers) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Lines and takes of these rows, which hold everything that their lines take; both ascend."""
        if demand_rows.size == self._allocated.size and stock_rows.size == self._stock_height:
            return self.whole()
        starts, counts = self._places()
        at = spans(starts[demand_rows], counts[demand_rows])
        lines = pl.DataFrame({"allocated": self._allocated[demand_rows], "reason": self._reason[demand_rows]})
        taken = self._answer.take_stock.gather(at).to_numpy()
        takes = {
            "line": np.repeat(np.arange(demand_rows.size, dtype=np.uint32), counts[demand_rows]),
            "stock": np.searchsorted(stock_rows, taken).astype(np.uint32),
            "qty": self._answer.take_qty.gather(at),
            "served": self._answer.take_served.gather(at),
        }
        return lines, pl.DataFrame(takes)

    def _places(self) -> tuple[Numbers, Numbers]:
        """Where the takes of each line begin, and how many there are. They are in the order of the lines."""
        if self._place is None:
            counts = np.bincount(self._answer.take_line.to_numpy(), minlength=self._allocated.size)
            rows = self._answer.line.to_numpy()
            starts = np.empty(rows.size, np.int64)
            in_order = counts[rows]
            starts[rows] = np.cumsum(in_order) - in_order
            self._place = starts, counts
        return self._place
