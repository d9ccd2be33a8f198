"""What a row held when the line was served: safety stock kept back, and what earlier lines had taken."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from allocator.explain.places import contains
from allocator.explain.rules import attribute_fails, row_failures, text
from allocator.model.order import RANK_KEYS, OrderKey

if TYPE_CHECKING:
    from allocator.model.policy import Policy


def in_order(rows: pl.DataFrame, keys: tuple[OrderKey, ...]) -> pl.Series:
    """The row numbers in the order of the keys, ended by `stock_id`."""
    categories = [column for column, dtype in rows.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    return (
        rows.with_columns(pl.col(categories).cast(pl.String))
        .select(
            [pl.col(key.column).alias(f"key {i}") for i, key in enumerate(keys)]
            + [pl.col("stock_id"), pl.row_index("row")]
        )
        .sort(
            [*(f"key {i}" for i in range(len(keys))), "stock_id"],
            descending=[*(key.descending for key in keys), False],
            nulls_last=[*(key.nulls == "last" for key in keys), True],
        )["row"]
    )


def kept_back(rows: pl.DataFrame, policy: Policy, as_of: dt.date) -> pl.Series:
    """What safety stock keeps back of every row."""
    none = rows["qty_available"] * 0
    skus = set(rows["sku"].cast(pl.String).unique())
    entries = [entry for entry in policy.safety_stock if entry.sku in skus]
    if not entries:
        return none
    fails = pl.Series([False], dtype=pl.Boolean).new_from_index(0, rows.height)
    for failed in row_failures(rows, policy, as_of).values():
        fails |= failed
    for rule in policy.attributes:
        if rule.value is not None:
            fails |= attribute_fails(rows, rule, {})
    places = rows["location"].cast(pl.String)
    closed = [place for place in places.unique() if any(contains(top, place) for top in policy.location.exclude)]
    fails |= places.is_in(closed).fill_null(value=False)
    if policy.owner == "unowned":
        fails |= rows["owner"].is_not_null()

    depends_on_line = {*RANK_KEYS, "distance"}
    keys = tuple(key for key in policy.stock_order if key.column not in depends_on_line)
    last_first = in_order(rows, keys).reverse()
    work = rows.select(
        pl.row_index("row"), text("sku"), text("location"), "qty_available", none.alias("kept"), fails.alias("fails")
    )[last_first]
    for entry in sorted(entries, key=lambda e: (-e.location.count("/") if e.location else 1, e.location or "")):
        inside = pl.col("sku") == entry.sku
        if entry.location is not None:
            below = text("location").str.starts_with(entry.location + "/")
            inside &= ((pl.col("location") == entry.location) | below).fill_null(value=False)
        wanted = entry.qty - Decimal(work.filter(inside)["kept"].sum())
        if wanted <= 0:
            continue
        free = pl.when(inside & ~pl.col("fails")).then(pl.col("qty_available") - pl.col("kept")).otherwise(0)
        work = work.with_columns(free.cast(work.schema["kept"]).alias("free"))
        limit = _like(wanted, work.schema["kept"])
        before = pl.col("free").cum_sum() - pl.col("free")
        more = pl.when(before >= limit).then(0).otherwise(pl.min_horizontal(pl.col("free"), limit - before))
        work = work.with_columns((pl.col("kept") + more).cast(work.schema["kept"]).alias("kept"))
    return work.sort("row")["kept"]


def _like(qty: Decimal, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(qty, dtype=dtype) if dtype.is_decimal() else pl.lit(int(qty), dtype=dtype)


def taken(rows: pl.DataFrame, allocations: pl.DataFrame, lines: pl.DataFrame, line_id: object) -> pl.DataFrame:
    """What this line and those served before it took of every row.

    One row per row of `rows`, in its order: `qty_taken`, `rank` (null where the line took nothing), `qty_before`,
    and `taken_before`, a list of `line_id` and `qty` in order of service.
    """
    here = allocations.filter(pl.col("stock_id").is_in(rows["stock_id"].implode()))
    served = lines.select("line_id", pl.row_index("service")).filter(
        pl.col("line_id").is_in(here["line_id"].unique().implode()) | (pl.col("line_id") == line_id)
    )
    now = served.filter(pl.col("line_id") == line_id)["service"].item()
    own = here.filter(pl.col("line_id") == line_id).select("stock_id", pl.col("qty").alias("qty_taken"), "rank")
    earlier = (
        here.join(served.filter(pl.col("service") < now), on="line_id")
        .sort("service")
        .group_by("stock_id", maintain_order=True)
        .agg(pl.col("qty").sum().alias("qty_before"), pl.struct("line_id", "qty").alias("taken_before"))
    )
    return (
        rows.select("stock_id")
        .join(own, on="stock_id", how="left", maintain_order="left")
        .join(earlier, on="stock_id", how="left", maintain_order="left")
        .with_columns(pl.col("qty_taken", "qty_before").fill_null(0), pl.col("taken_before").fill_null([]))
    )
