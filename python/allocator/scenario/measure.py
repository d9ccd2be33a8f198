"""What is measured of an answer: sums that add up over parts, and the figures that are made of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from allocator.fairness.measures import fairness
from allocator.frames.columns import is_text
from allocator.scenario.part import Part
from allocator.scenario.rows import MICRO, micro_cost

KPIS: Final[Mapping[str, str]] = {
    "lines": "lines",
    "line_fill": "share of the lines that are served whole",
    "units_requested": "units asked for",
    "unit_fill": "share of the units that are served",
    "orders": "orders; a line without an order is one of its own",
    "order_fill": "share of the orders of which every line is served whole",
    "on_time": "share of the lines with a `needed_on` that are served whole, and are not overdue at `as_of`",
    "worst_fill": "unit fill of the segment that is filled least",
    "jain": "evenness of the unit fill of segments: 1 where all are filled alike",
    "gini": "unevenness of the unit fill of segments: 0 where all are filled alike",
    "value_served": "allocated units at the unit cost of their stock rows",
    "value_at_risk": "short units at the highest unit cost among the stock rows of their SKU",
    "units_wasted": "units left over that expire by the horizon, or have expired",
    "value_wasted": "the same at their unit cost",
    "remaining_life_days": "mean remaining life of allocated units with an expiry day",
    "rows_per_line": "stock rows per line that gets something",
    "lots_per_line": "lots per line that gets something; a row without a lot number is one of its own",
    "sources_per_line": "places per line that gets something",
}
"""What each measure of an answer is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is measured.

    Attributes:
        by: Demand columns whose values are the segments.
        horizon_days: Stock left over that expires within so many days counts as wasted.
    """

    by: tuple[str, ...]
    horizon_days: int


@dataclass(frozen=True, slots=True)
class Measures:
    """Sums of an answer or of a part of it.

    Attributes:
        sums: Whole numbers by name; units in steps of the scale, values in millionths of a step.
        segments: One row per segment: the columns of `by`, `lines`, `lines_full`, `qty`, `share` (units in steps).
        terms: What was measured.
        scale: Decimals of the quantities.
    """

    sums: Mapping[str, int]
    segments: pl.DataFrame
    terms: Terms
    scale: int

    @classmethod
    def of(cls, part: Part, terms: Terms) -> Measures:
        """The sums of a part."""
        found = _of_lines(part) | _of_takes(part) | _of_value(part, terms)
        return cls(found, _segments(part, terms), terms, part.scale)

    def replaced(self, before: Measures, after: Measures) -> Measures:
        """The sums where one part of them is another."""
        sums = {name: total - before.sums[name] + after.sums[name] for name, total in self.sums.items()}
        segments = self.segments
        if self.terms.by:
            counted = pl.all().exclude(self.terms.by)
            parts = [self.segments, before.segments.with_columns(-counted), after.segments]
            summed = pl.concat(parts, how="vertical_relaxed").group_by(self.terms.by).agg(counted.sum())
            segments = summed.filter(pl.col("lines") > 0).sort(self.terms.by)
        return Measures(sums, segments, self.terms, self.scale)

    def kpis(self) -> dict[str, float | None]:
        """The measures by name, as in `KPIS`; None where there is nothing to measure."""
        sums, unit = self.sums, float(10**self.scale)
        money, served = unit * 10**MICRO, sums["lines_served"]
        even = fairness(self.segments, by=self.terms.by).row(0, named=True) if self.terms.by else {}
        return {
            "lines": float(sums["lines"]),
            "line_fill": _share(sums["lines_full"], sums["lines"]),
            "units_requested": sums["requested"] / unit,
            "unit_fill": _share(sums["allocated"], sums["requested"]),
            "orders": float(sums["orders"]),
            "order_fill": _share(sums["orders_full"], sums["orders"]),
            "on_time": _share(sums["lines_on_time"], sums["lines_due"]),
            "worst_fill": even.get("worst_fill"),
            "jain": even.get("jain"),
            "gini": even.get("gini"),
            "value_served": sums["value_served"] / money if sums["rows_with_cost"] else None,
            "value_at_risk": sums["value_at_risk"] / money if sums["rows_with_cost"] else None,
            "units_wasted": sums["wasted"] / unit,
            "value_wasted": sums["value_wasted"] / money if sums["rows_with_cost"] else None,
            "remaining_life_days": _share(sums["life"], sums["lived"]),
            "rows_per_line": _share(sums["takes"], served),
            "lots_per_line": _share(sums["lots"], served),
            "sources_per_line": _share(sums["sources"], served),
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _of_lines(part: Part) -> dict[str, int]:
    lines = pl.DataFrame({"qty": part.demand["qty"], "got": part.lines["allocated"]})
    due: list[pl.Series] = [part.demand["needed_on"]] if "needed_on" in part.demand.columns else []
    full, got = pl.col("got") >= pl.col("qty"), pl.col("got")
    on = pl.col("needed_on") if due else pl.lit(None, pl.Date)
    return (
        lines.with_columns(due)
        .select(
            lines=pl.len(),
            lines_full=full.sum(),
            lines_served=(got > 0).sum(),
            requested=pl.col("qty").cast(pl.Int128).sum(),
            allocated=got.sum(),
            lines_due=on.is_not_null().sum(),
            lines_on_time=(full & (on >= part.as_of)).sum(),
        )
        .row(0, named=True)
    )


def _of_takes(part: Part) -> dict[str, int]:
    """Rows, lots and places per line. A line with one row has one of each."""
    takes, stock = part.takes, part.stock
    several = takes.filter(pl.col("line").is_duplicated())
    found = {"takes": takes.height, "lots": takes.height, "sources": takes.height}
    alone = takes.height - several.height
    if "lot" in stock.columns:
        named = stock.select("sku", "lot", row=pl.int_range(pl.len())).select(pl.all().gather(several["stock"]))
        lot = pl.struct("line", "sku", "lot", pl.when(pl.col("lot").is_null()).then("row"))
        found["lots"] = alone + named.with_columns(several["line"]).select(lot.n_unique()).item()
    if "location" in stock.columns:
        places = pl.DataFrame({"line": several["line"], "place": stock["location"].gather(several["stock"])})
        found["sources"] = alone + places.n_unique()
    else:
        found["sources"] = takes["line"].n_unique()
    return found


def _of_value(part: Part, terms: Terms) -> dict[str, int]:
    """Value, waste and remaining life."""
    stock, takes = part.stock, part.takes
    nothing = pl.lit(0, pl.Int64)
    expiry = pl.col("expires_on") if "expires_on" in stock.columns else pl.lit(None, pl.Date)
    reserved = pl.col("qty_reserved") if "qty_reserved" in stock.columns else nothing
    rows = stock.select(
        "sku",
        cost=micro_cost(stock),
        days=(expiry.cast(pl.Int64) - (part.as_of - dt.date(1970, 1, 1)).days),
        free=pl.col("qty_on_hand") - reserved,
    ).with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    taken = rows.select("cost", "days").select(pl.all().gather(takes["stock"])).with_columns(takes["qty"])
    qty = pl.col("qty").cast(pl.Int128)
    of_takes = taken.select(
        value_served=(qty * pl.col("cost")).sum(),
        life=(qty * pl.col("days")).sum(),
        lived=qty.filter(pl.col("days").is_not_null()).sum(),
    )
    used = takes.group_by("stock").agg(used=pl.col("qty").sum())
    doomed = rows.filter(pl.col("days") <= terms.horizon_days).join(used, left_on="row", right_on="stock", how="left")
    left = (pl.col("free") - pl.col("used").fill_null(0)).cast(pl.Int128)
    of_rows = doomed.select(wasted=left.sum(), value_wasted=(left * pl.col("cost")).sum())
    counted = {
        name: int(value or 0) for name, value in (of_takes.row(0, named=True) | of_rows.row(0, named=True)).items()
    }
    with_cost = rows.height - rows["cost"].null_count()
    return counted | {"rows_with_cost": with_cost, "value_at_risk": _at_risk(part, rows) if with_cost else 0}


def _at_risk(part: Part, rows: pl.DataFrame) -> int:
    short = pl.DataFrame({"sku": part.demand["sku"], "short": part.demand["qty"] - part.lines["allocated"]})
    short = short.filter(pl.col("short") > 0)
    most = rows.join(short.select("sku").unique(), on="sku", how="semi").group_by("sku").agg(pl.col("cost").max())
    worth = short.join(most, on="sku").select((pl.col("short").cast(pl.Int128) * pl.col("cost")).sum())
    return int(worth.item() or 0)


def _segments(part: Part, terms: Terms) -> pl.DataFrame:
    names = list(terms.by)
    lines = part.demand.select(
        *(pl.col(name).cast(pl.String) if is_text(part.demand.schema[name]) else name for name in names), "qty"
    ).with_columns(share=part.lines["allocated"])
    counted = {
        "lines": pl.len().cast(pl.Int64),
        "lines_full": (pl.col("share") >= pl.col("qty")).sum().cast(pl.Int64),
        "qty": pl.col("qty").sum(),
        "share": pl.col("share").sum(),
    }
    return lines.group_by(names).agg(**counted).sort(names) if names else lines.select(**counted)
