"""Maximum stock limits in a scenario: what they leave lines to ask for, and how full partners then are."""

from __future__ import annotations

import datetime as dt

import polars as pl

from allocator.frames.quantity import total
from allocator.limits import check_requests, replenish
from allocator.model.dealing import StockLimits
from allocator.result import quantity
from allocator.scenario.given import as_given
from allocator.scenario.part import Part

KEY = ("bu", "asp", "sku")


def granted(lines: pl.DataFrame, stock: pl.DataFrame, lever: StockLimits, day: dt.date) -> pl.DataFrame:
    """What the limits leave lines that name a BU and an ASP: `at` (the row of the line), `limit`.

    Raises:
        InputError: As `check_requests`.
    """
    asked = _of_partners(lines).filter(pl.col("qty") > 0)
    names = ["at", *KEY, "qty", *(name for name in ("priority", "requested_at") if name in asked.columns)]
    requests = asked.select(names).rename({"at": "request_id"})
    if "priority" in requests.columns:
        requests = requests.with_columns(pl.col("priority").cast(pl.Int64).fill_null(2**63 - 1))  # last, as elsewhere
    found = check_requests(requests, _of_partners(stock), lever.limits, as_of=day, skus=_skus(lines, stock))
    return found.select(at=pl.col("request_id").cast(pl.UInt32), limit="qty_granted")


def fullness(part: Part, lever: StockLimits) -> dict[str, float]:
    """How many (BU, ASP, SKU) are above their limit with what lines get, and how full all are that have one."""
    stock, lines = map(as_given, part.tables)
    gets = lines.with_columns(quantity(part.lines["allocated"], part.tables[1]).alias("qty"))
    coming = _of_partners(gets).filter(pl.col("qty") > 0).select(*KEY, "qty")
    found = replenish(
        _of_partners(stock), lever.limits, as_of=part.as_of, open_requests=coming, skus=_skus(lines, stock)
    )
    ruled = found.filter(pl.col("units_max").is_not_null())
    most = float(total(ruled["units_max"]))
    breaches = {"msl_breaches": float((found["headroom"] < 0).sum())}
    return breaches | ({"msl_cover": float(total(ruled["position"])) / most} if most else {})


def _of_partners(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that are at a partner, or for one; none where no column says so."""
    absent = [pl.lit(None, pl.String).alias(name) for name in ("bu", "asp") if name not in frame.columns]
    return frame.with_columns(absent).filter(pl.col("bu").is_not_null() & pl.col("asp").is_not_null())


def _skus(lines: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    """What limits by group and by value have to know of each SKU: the group of its lines, its highest cost."""
    grouped = lines.select("sku", sku_group="sku_group" if "sku_group" in lines.columns else pl.lit(None, pl.String))
    cost = pl.col("unit_cost").max() if "unit_cost" in stock.columns else pl.lit(None, pl.Int64)
    costs = stock.group_by("sku").agg(unit_cost=cost)
    groups = grouped.group_by("sku").agg(pl.col("sku_group").drop_nulls().min())
    return groups.join(costs, on="sku", how="full", coalesce=True).sort("sku")
