"""What is measured of an answer: sums that add up over parts, and the figures that are made of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from allocator.errors import InputError, Problem
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
    "sla_breaches": "lines with a `needed_on` that are short, or overdue at `as_of`",
    "worst_fill": "unit fill of the segment that is filled least",
    "jain": "evenness of the unit fill of segments: 1 where all are filled alike",
    "gini": "unevenness of the unit fill of segments: 0 where all are filled alike",
    "value_served": "allocated units at the unit cost of their stock rows",
    "value_at_risk": "short units at the highest unit cost among the stock rows of their SKU",
    "units_supplied": "units on hand and not reserved, those still to be received with them, whatever their state",
    "units_left": "what of them is left over: inventory",
    "value_left": "the same at their unit cost",
    "units_wasted": "units left over that expire by the horizon, or have expired",
    "value_wasted": "the same at their unit cost",
    "remaining_life_days": "mean remaining life of allocated units with an expiry day",
    "rows_per_line": "stock rows per line that gets something",
    "lots_per_line": "lots per line that gets something; a row without a lot number is one of its own",
    "sources_per_line": "places per line that gets something",
}
"""What each measure of an answer is."""

CHURN: Final[Mapping[str, str]] = {
    "lines_changed": "lines of the base that get another quantity or other stock",
    "units_moved": "what lines no longer take from the stock row where they took it; cancelled lines do not count",
}
"""What is measured of a comparison."""

BY_LEVER: Final[Mapping[str, str]] = {
    "quota_use": "share of the quotas of a lever `rations` that is granted",
    "msl_breaches": "BUs, ASPs and SKUs above their limit under a lever `stock_limits`, with what lines get",
    "msl_cover": "share of the limits in units that partners have then",
}
"""What is measured only where a lever says of what."""


FIGURES: Final = tuple(
    f"{figure}_{of}" for figure in ("lines", "line_fill", "unit_fill") for of in ("base", "scenario", "difference")
)
"""What is said of each segment beside its name."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is measured.

    Attributes:
        by: Demand columns whose values are the segments. Among figures they go by their `keys`, as a column may be
            called as a figure is.
        horizon_days: Stock left over that expires within so many days counts as wasted.
    """

    by: tuple[str, ...]
    horizon_days: int

    @property
    def keys(self) -> tuple[str, ...]:
        """What the columns of segments are called among figures."""
        return tuple(f"${number}" for number in range(len(self.by)))


def terms_of(by: str | Sequence[str], horizon_days: object, demand: pl.DataFrame) -> Terms:
    """The terms, if they make sense."""
    names = [by] if isinstance(by, str) else by
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        message, hint = "segments go by columns of demand", "Give the name of a column, or a list of names"
        raise InputError(Problem("argument_type", message, column="by", value=str(by)[:80], hint=hint))
    problems = []
    for name, count in Counter(names).items():
        if name not in demand.columns:
            message = "demand has no such column, or it holds no value"
            problems.append(Problem("column_missing", message, "demand", name, hint="Correct `by`"))
        elif name in FIGURES:
            message, hint = "a figure of each segment has this name", "Rename the column"
            problems.append(Problem("argument_value", message, column="by", value=name, hint=hint))
        if count > 1:
            problems.append(Problem("argument_value", "the column is named twice", column="by", value=name))
    if not isinstance(horizon_days, int) or isinstance(horizon_days, bool) or not 0 <= horizon_days <= 100_000:
        message = "a horizon is a number of days from 0 to 100,000"
        problems.append(Problem("argument_value", message, column="horizon_days", value=str(horizon_days)[:80]))
    if problems:
        raise InputError(problems)
    return Terms(tuple(names), int(horizon_days))  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Measures:
    """Sums of an answer or of a part of it.

    Attributes:
        sums: Whole numbers by name; units in steps of the scale, values in millionths of a step.
        segments: One row per segment: the columns of `by` as `Terms.keys`, `lines`, `lines_full`, `qty`, `share` (units
            in steps).
        terms: What was measured.
        scale: Decimals of the quantities.
    """

    sums: Mapping[str, int]
    segments: pl.DataFrame
    terms: Terms
    scale: int

    @classmethod
    def of(cls, *parts: Part, terms: Terms) -> list[Measures]:
        """The sums of each part. All queries go out together, as they are: of small parts, planning is the cost."""
        queries = [_queries(part, terms) for part in parts]
        together = [query for some in queries for query in some]
        found = iter(pl.collect_all(together, engine="in-memory", optimizations=pl.QueryOptFlags.none()))
        measures = []
        for part, some in zip(parts, queries, strict=True):
            *counted, segments = (next(found) for _ in some)
            sums = {name: int(value or 0) for frame in counted for name, value in frame.row(0, named=True).items()}
            measures.append(cls(sums, segments, terms, part.scale))
        return measures

    def replaced(self, before: Measures, after: Measures) -> Measures:
        """The sums where one part of them is another."""
        sums = {name: total - before.sums[name] + after.sums[name] for name, total in self.sums.items()}
        segments = self.segments
        if self.terms.by:
            counted = pl.all().exclude(self.terms.keys)
            parts = [self.segments, before.segments.with_columns(-counted), after.segments]
            summed = pl.concat(parts, how="vertical_relaxed").group_by(self.terms.keys).agg(counted.sum())
            segments = summed.filter(pl.col("lines") > 0).sort(self.terms.keys)
        return Measures(sums, segments, self.terms, self.scale)

    def kpis(self) -> dict[str, float | None]:
        """The measures by name, as in `KPIS`; None where there is nothing to measure."""
        sums, unit = self.sums, float(10**self.scale)
        money, served = unit * 10**MICRO, sums["lines_served"]
        even = fairness(self.segments, by=self.terms.keys).row(0, named=True) if self.terms.by else {}
        return {
            "lines": float(sums["lines"]),
            "line_fill": _share(sums["lines_full"], sums["lines"]),
            "units_requested": sums["requested"] / unit,
            "unit_fill": _share(sums["allocated"], sums["requested"]),
            "orders": float(sums["orders"]),
            "order_fill": _share(sums["orders_full"], sums["orders"]),
            "on_time": _share(sums["lines_on_time"], sums["lines_due"]),
            "sla_breaches": float(sums["lines_due"] - sums["lines_on_time"]) if sums["lines_due"] else None,
            "worst_fill": even.get("worst_fill"),
            "jain": even.get("jain"),
            "gini": even.get("gini"),
            "value_served": sums["value_served"] / money if sums["rows_with_cost"] else None,
            "value_at_risk": sums["value_at_risk"] / money if sums["rows_with_cost"] else None,
            "units_supplied": sums["supplied"] / unit,
            "units_left": sums["left"] / unit,
            "value_left": sums["value_left"] / money if sums["rows_with_cost"] else None,
            "units_wasted": sums["wasted"] / unit,
            "value_wasted": sums["value_wasted"] / money if sums["rows_with_cost"] else None,
            "remaining_life_days": _share(sums["life"], sums["lived"]),
            "rows_per_line": _share(sums["takes"], served),
            "lots_per_line": _share(sums["lots"], served),
            "sources_per_line": _share(sums["sources"], served),
        }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _queries(part: Part, terms: Terms) -> list[pl.LazyFrame]:
    """Queries of one row of sums each, then that of the segments."""
    lines = part.demand.lazy().with_columns(got=part.lines["allocated"])
    expiry = pl.col("expires_on") if "expires_on" in part.stock.columns else pl.lit(None, pl.Date)
    reserved = pl.col("qty_reserved") if "qty_reserved" in part.stock.columns else pl.lit(0, pl.Int64)
    rows = part.stock.lazy().select(
        *(name for name in ("sku", "lot", "location") if name in part.stock.columns),
        cost=micro_cost(part.stock),
        days=expiry.cast(pl.Int64) - (part.as_of - dt.date(1970, 1, 1)).days,
        free=pl.col("qty_on_hand") - reserved,
    )
    takes = part.takes.lazy().select("line", "stock", "qty")
    taken = pl.concat([takes, rows.select(pl.all().gather(part.takes["stock"]))], how="horizontal")
    return [
        _lines(lines, part),
        _takes(taken, part),
        _waste(rows, takes, terms),
        _at_risk(lines, rows),
        _segments(lines, part, terms),
    ]


def _lines(lines: pl.LazyFrame, part: Part) -> pl.LazyFrame:
    full, got = pl.col("got") >= pl.col("qty"), pl.col("got")
    on = pl.col("needed_on") if "needed_on" in part.demand.columns else pl.lit(None, pl.Date)
    return lines.select(
        lines=pl.len(),
        lines_full=full.sum(),
        lines_served=(got > 0).sum(),
        requested=pl.col("qty").cast(pl.Int128).sum(),
        allocated=got.sum(),
        lines_due=on.is_not_null().sum(),
        lines_on_time=(full & (on >= part.as_of)).sum(),
    )


def _takes(taken: pl.LazyFrame, part: Part) -> pl.LazyFrame:
    """Rows, lots and places per line, value and remaining life. A line with one row has one lot and one place."""
    several, qty = pl.col("line").is_duplicated(), pl.col("qty").cast(pl.Int128)
    alone = several.not_().sum()
    lots, sources = pl.len(), pl.col("line").n_unique()
    if "lot" in part.stock.columns:
        lot = pl.struct("line", "sku", "lot", pl.when(pl.col("lot").is_null()).then("stock"))
        lots = alone + lot.filter(several).n_unique()
    if "location" in part.stock.columns:
        sources = alone + pl.struct("line", "location").filter(several).n_unique()
    return taken.select(
        takes=pl.len(),
        lots=lots,
        sources=sources,
        value_served=(qty * pl.col("cost")).sum(),
        life=(qty * pl.col("days")).sum(),
        lived=qty.filter(pl.col("days").is_not_null()).sum(),
    )


def _waste(rows: pl.LazyFrame, takes: pl.LazyFrame, terms: Terms) -> pl.LazyFrame:
    """What is left over and expires by the horizon; and how many rows have a cost at all."""
    used = takes.group_by("stock").agg(used=pl.col("qty").sum())
    left = (pl.col("free") - pl.col("used").fill_null(0)).cast(pl.Int128)
    doomed = (pl.col("days") <= terms.horizon_days).fill_null(value=False)
    return (
        rows.with_row_index("stock")
        .join(used, on="stock", how="left")
        .select(
            supplied=pl.col("free").cast(pl.Int128).sum(),
            left=left.sum(),
            value_left=(left * pl.col("cost")).sum(),
            wasted=left.filter(doomed).sum(),
            value_wasted=(left * pl.col("cost")).filter(doomed).sum(),
            rows_with_cost=pl.col("cost").count(),
        )
    )


def _at_risk(lines: pl.LazyFrame, rows: pl.LazyFrame) -> pl.LazyFrame:
    """What is short at the highest cost of its SKU; nothing where no stock row says what it costs."""
    short = lines.select("sku", short=(pl.col("qty") - pl.col("got")).cast(pl.Int128)).filter(pl.col("short") > 0)
    dearest = rows.drop_nulls("cost").group_by("sku").agg(pl.col("cost").max())
    return short.join(dearest, on="sku").select(value_at_risk=(pl.col("short") * pl.col("cost")).sum())


def _segments(lines: pl.LazyFrame, part: Part, terms: Terms) -> pl.LazyFrame:
    keys = [
        (pl.col(name).cast(pl.String) if is_text(part.demand.schema[name]) else pl.col(name)).alias(key)
        for key, name in zip(terms.keys, terms.by, strict=True)
    ]
    counted = {
        "lines": pl.len().cast(pl.Int64),
        "lines_full": (pl.col("got") >= pl.col("qty")).sum().cast(pl.Int64),
        "qty": pl.col("qty").sum(),
        "share": pl.col("got").sum(),
    }
    return lines.group_by(keys).agg(**counted).sort(terms.keys) if keys else lines.select(**counted)
