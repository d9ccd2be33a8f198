"""Stock for lines that come without: deliveries by the rules of `rules`, in columns, without randomness."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from allocator.demo.rules import ARRIVES, COVER_DAYS_MAX, LATE, SHELF_LIFE_DAYS, SHORT_DATED, STATES, UNLISTED


def first_day(lines: pl.DataFrame) -> dt.date:
    """The day of the first line."""
    day = lines["requested_at"].dt.date().min()
    assert isinstance(day, dt.date), "the lines are not empty"
    return day


def demand_of(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines as a demand table: an id of basket and position, the day of sale as the day of need."""
    position = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("order_id")
    return lines.select(
        line_id=pl.format("{}-{}", "order_id", position),
        order_id="order_id",
        sku="sku",
        qty="qty",
        location=pl.col("store").cast(pl.String),
        requested_at="requested_at",
        needed_on=pl.col("requested_at").dt.date(),
        customer="customer",
        sku_group="department",
        sales_value="sales_value",
    )


def stock_of(lines: pl.DataFrame) -> pl.DataFrame:
    """A stock table: one row per delivery of a product to a store, by the rules."""
    as_of = first_day(lines)
    life = pl.col("department").replace_strict(SHELF_LIFE_DAYS, default=None, return_dtype=pl.Int32)
    days = (pl.col("requested_at").dt.date() - pl.lit(as_of)).dt.total_days().cast(pl.Int32)
    cover = (life // 2).clip(1, COVER_DAYS_MAX).fill_null(COVER_DAYS_MAX)
    sold = (
        lines.lazy()
        .select("store", "sku", "department", "qty", life=life, cover=cover, stretch=days // cover)
        .group_by("store", "sku", "stretch")
        .agg(pl.col("department", "life", "cover").first(), sold=pl.col("qty").sum())
        .sort("store", "sku", "stretch")
        .collect()
    )
    fate = hashed(sold["store"], sold["sku"], sold["stretch"])
    draws = pl.DataFrame({name: drawn(fate, place) for place, name in enumerate(("much", "late", "dated", "state"))})
    unlisted = drawn(hashed(sold["store"], sold["sku"]), 0) < UNLISTED
    starts = pl.lit(as_of) + pl.duration(days=pl.col("stretch") * pl.col("cover"))
    received = starts + pl.duration(days=pl.when(pl.col("late") < LATE).then(2).otherwise(-1))
    life_left = pl.when(pl.col("dated") < SHORT_DATED).then(pl.col("life") - pl.col("life") // 2).otherwise("life")
    return (
        sold.with_columns(draws)
        .with_columns(qty_on_hand=_arriving(pl.col("sold"), pl.col("much")), received_on=received)
        .filter(~unlisted, pl.col("qty_on_hand") > 0)
        .with_columns(expires_on=pl.col("received_on") + pl.duration(days=life_left))
        .select(
            pl.format("{}-{}-{}", "store", "sku", "stretch").alias("stock_id"),
            "sku",
            pl.col("store").cast(pl.String).alias("location"),
            "qty_on_hand",
            pl.when(_is("reserved")).then("qty_on_hand").otherwise(0).alias("qty_reserved"),
            "received_on",
            "expires_on",
            pl.when(_is("supplier")).then(pl.lit("supplier")).alias("owner"),
            pl.when(_is("defective")).then(pl.lit("defective")).otherwise(pl.lit("new")).alias("condition"),
            pl.when(_is("quarantine")).then(pl.lit("quarantine")).otherwise(pl.lit("available")).alias("status"),
            _is("blocked").alias("blocked"),
            "department",
        )
    )


def hashed(*keys: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """SplitMix64 of integer keys, one after the other: the same number everywhere and always."""
    mixed = np.zeros(len(keys[0]), np.uint64)
    for key in keys:
        mixed = mixed + key.cast(pl.UInt64).to_numpy() + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed


def drawn(fate: np.ndarray[tuple[int], np.dtype[np.uint64]], place: int) -> pl.Series:
    """One of 100 (0 to 99) for each row, from two decimal digits of its hash; places are independent draws."""
    return pl.Series((fate // np.uint64(100**place)) % np.uint64(100)).cast(pl.Int32)


def _arriving(sold: pl.Expr, draw: pl.Expr) -> pl.Expr:
    """What a delivery brings: less is rounded down, more is rounded up."""
    brings = {0.0: pl.lit(0, pl.Int64), 0.5: sold // 2, 1.0: sold, 1.5: sold + (sold + 1) // 2}
    return _staircase(draw, [(below, brings[share]) for below, share in ARRIVES])


def _staircase(draw: pl.Expr, steps: Sequence[tuple[int, pl.Expr]]) -> pl.Expr:
    chosen = steps[-1][1]
    for below, value in reversed(steps[:-1]):
        chosen = pl.when(draw < below).then(value).otherwise(chosen)
    return chosen


def _is(state: str) -> pl.Expr:
    """Whether the draw of a row gives this state."""
    return pl.col("state") == STATES.index(state)
