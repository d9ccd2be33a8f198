"""What a run over the demo's world comes to: figures, the worst served, the oldest left, a line worth explaining."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from allocator.demo.derive import demand_of, first_day, stock_of
from allocator.result import Result

RANKED_LINES_MIN: Final = 1_000
"""Departments and stores with fewer lines are not ranked: their fill says little."""

ROWS_EXPLAINED: Final = 10
"""The line that is explained has about so many stock rows: enough to see the rules, few enough to read."""


@dataclass(frozen=True)
class World:
    """The tables of the demo.

    Attributes:
        stock: Derived: one row per delivery.
        demand: Real: one row per order line.
        as_of: The first day; later deliveries are inbound, and serve the lines from their day on.
        last_day: The day of the last line.
    """

    stock: pl.DataFrame
    demand: pl.DataFrame
    as_of: dt.date
    last_day: dt.date

    @classmethod
    def of(cls, lines: pl.DataFrame) -> World:
        """The world of some order lines."""
        demand = demand_of(lines)
        last_day = demand["needed_on"].max()
        assert isinstance(last_day, dt.date), "the lines are not empty"
        return cls(stock_of(lines), demand, first_day(lines), last_day)


@dataclass(frozen=True)
class Outcome:
    """A run over the world, in the rows of its tables.

    Attributes:
        name: Of its policy, for people.
        world: The tables.
        result: What the run decided.
        lines: Demand with `allocated`, `short` (units) and `reason`, in the order of the demand table.
        left: Stock with `qty_left` (units neither reserved nor allocated), in the order of the stock table.
    """

    name: str
    world: World
    result: Result
    lines: pl.DataFrame
    left: pl.DataFrame

    @classmethod
    def of(cls, world: World, result: Result, name: str | None = None) -> Outcome:
        """The outcome of a result; row numbers lead from one to the other, no join."""
        back = result.answer.line.arg_sort()
        lines = world.demand.hstack(result.lines.select("allocated", "short", "reason")[back])
        taken = np.zeros(world.stock.height, np.int64)
        np.add.at(taken, result.answer.take_stock.to_numpy(), result.answer.take_qty.to_numpy())
        left = world.stock.with_columns(qty_left=pl.col("qty_on_hand") - pl.col("qty_reserved") - pl.Series(taken))
        return cls(name or result.policy.name, world, result, lines, left)

    def figures(self) -> dict[str, float | int]:
        """The key figures: fill rates are shares of 1, `sales_short` is USD of sales not served, in proportion."""
        summary = self.result.summary
        missed = pl.col("sales_value").cast(pl.Float64) * pl.col("short") / pl.col("qty")
        served = int((self.lines["allocated"] > 0).sum())
        wasted = self.left.filter(pl.col("expires_on") < self.world.last_day)["qty_left"].sum()
        return {
            "line_fill": summary["line_fill"],
            "unit_fill": summary["unit_fill"],
            "lines_full": summary["lines_full"],
            "lines_short": summary["lines"] - summary["lines_full"],
            "units_short": int(summary["units_short"]),
            "sales_short": round(float(self.lines.select(missed.sum()).item()), 2),
            "units_expired_unsold": int(wasted),
            "lots_per_served_line": summary["allocations"] / served if served else 0.0,
        }

    def departments(self) -> pl.DataFrame:
        """One row per department, lowest fill first.

        Columns: `department`, `lines`, `line_fill`, `unit_fill` (shares of 1), `units_short`, `reason` (the most
        frequent one; null if nothing is short).
        """
        return _fill_by(self.lines.rename({"sku_group": "department"}), "department")

    def stores(self) -> pl.DataFrame:
        """The same per store (`location`)."""
        return _fill_by(self.lines, "location")

    def oldest(self) -> pl.DataFrame:
        """Stock that is left, received first and still good on the last day."""
        good = pl.col("expires_on").is_null() | (pl.col("expires_on") >= self.world.last_day)
        return self._leftover(good).sort("received_on", "stock_id")

    def expiring(self) -> pl.DataFrame:
        """Stock that is left and expires soonest, from the last day on."""
        return self._leftover(pl.col("expires_on") >= self.world.last_day).sort("expires_on", "stock_id")

    def weeks(self) -> pl.DataFrame:
        """Units short by week and reason: `week` (its first day), `reason`, `units_short`."""
        short = self.lines.lazy().filter(pl.col("short") > 0)
        week = pl.col("needed_on").dt.truncate("1w").alias("week")
        found = short.group_by(week, "reason").agg(units_short=pl.col("short").sum())
        return found.sort("week", "reason").collect()

    def line_to_explain(self) -> str:
        """A line that was served in part because others took the rest, of a product with a handful of stock rows."""
        rows = self.world.stock.group_by("sku").agg(rows=pl.len())
        part = self.lines.filter(pl.col("reason") == "taken", pl.col("allocated") > 0)
        pool = (part if part.height else self.lines).join(rows, on="sku", how="left", maintain_order="left")
        distance = (pl.col("rows").cast(pl.Int64).fill_null(0) - ROWS_EXPLAINED).abs()
        return str(pool.sort(distance, pl.col("short"), "line_id")["line_id"][0])

    def _leftover(self, kept: pl.Expr) -> pl.DataFrame:
        columns = ("stock_id", "location", "sku", "department", "qty_left", "received_on", "expires_on")
        return self.left.filter(pl.col("qty_left") > 0, kept).select(columns)


def compared(before: Outcome, after: Outcome) -> pl.DataFrame:
    """One row per line that gained or lost units between two outcomes of one world.

    Columns: `line_id`, `department`, `location`, `sku`, `qty`, `allocated_before`, `allocated_after`, `reason_before`,
    `reason_after`; in the order of demand.
    """
    ours = before.lines.select(
        "line_id",
        "location",
        "sku",
        "qty",
        department="sku_group",
        allocated_before="allocated",
        reason_before="reason",
    )
    both = ours.hstack(after.lines.select(allocated_after="allocated", reason_after="reason"))
    return both.filter(pl.col("allocated_before") != pl.col("allocated_after"))


def _fill_by(lines: pl.DataFrame, column: str) -> pl.DataFrame:
    found = (
        lines.lazy()
        .group_by(column)
        .agg(
            lines=pl.len(),
            line_fill=(pl.col("short") == 0).mean(),
            unit_fill=pl.col("allocated").sum() / pl.col("qty").sum(),
            units_short=pl.col("short").sum(),
            reason=pl.col("reason").drop_nulls().mode().sort().first(),
        )
    )
    return found.sort("line_fill", column).collect()
