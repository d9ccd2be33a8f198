"""Real invoices of a wholesaler (UCI Online Retail II) as transactions of a ledger, by a rule that is said here.

The record has no stock and no receipts, so these are derived, and labelled so: before the first day every SKU is
received once (`DERIVED-OPENING`), with the least that lets no line of the record fall short. Then, day by day:

1. sales are delivered to the country of the customer (a quarter of the lines name no customer), under their day;
2. cancellations come back from there; what was never delivered there since the record begins comes in as found goods;
3. adjustments without a price that add are found goods, those that take away are adjusted to lost.

Lines that are no goods (postage, fees), bad debts, and the nine days that both sheets of the source hold are left out.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.ledger import Ledger

PLACE: Final = "warehouse"
STEPS: Final = {"sale": 1, "cancellation": 2, "stock_adjustment_in": 3, "stock_adjustment": 4}
OPENING: Final = "DERIVED-OPENING"


def read(folder: Path, lines_max: int | None = None) -> pl.DataFrame:
    """One row per line, in the order in which it is replayed: `day`, `step`, `sku`, `qty`, `country`, `known`."""
    lines = pl.read_parquet(folder / "order_lines.parquet").sort("line_no")
    lines = lines.filter(~pl.col("overlap_dup"), ~pl.col("non_product_code"), pl.col("quantity") != 0)
    lines = lines.filter(pl.col("kind").cast(pl.String).is_in(list(STEPS))).head(lines_max or lines.height)
    lines = lines.select(
        pl.col("invoice_date").dt.date().alias("day"),
        pl.col("kind").cast(pl.String).replace_strict(STEPS, return_dtype=pl.Int64).alias("step"),
        pl.col("stock_code").alias("sku"),
        pl.col("quantity").cast(pl.Int64).abs().alias("qty"),
        pl.col("country").cast(pl.String),
    ).sort("day", "step", maintain_order=True)
    return lines.with_columns(known=pl.Series(_known(lines)))


def _known(lines: pl.DataFrame) -> list[bool]:
    """Whether what a cancellation brings back was delivered there before."""
    there: dict[tuple[str, str], int] = defaultdict(int)
    known = []
    for step, sku, qty, country in lines.select("step", "sku", "qty", "country").iter_rows():
        if step == STEPS["sale"]:
            there[sku, country] += qty
        enough = step != STEPS["cancellation"] or there[sku, country] >= qty
        if step == STEPS["cancellation"] and enough:
            there[sku, country] -= qty
        known.append(enough)
    return known


def changes(lines: pl.DataFrame) -> pl.Expr:
    """What each line does to the stock of its SKU."""
    return pl.when(pl.col("step").is_in([2, 3])).then("qty").otherwise(-pl.col("qty"))


def opening(lines: pl.DataFrame) -> pl.DataFrame:
    """The least of every SKU that lets no line fall short: `sku`, `qty`."""
    running = lines.select("sku", change=changes(lines)).with_columns(pl.col("change").cum_sum().over("sku"))
    least = running.group_by("sku", maintain_order=True).agg(qty=-pl.col("change").min())
    return least.with_columns(pl.col("qty").clip(0))


def replay(ledger: Ledger, lines: pl.DataFrame) -> None:
    """Records every line."""
    least = opening(lines)
    ledger.define([{"sku": sku} for sku in least["sku"]], actor="replay")
    first = lines["day"][0] - dt.timedelta(days=1)
    receipts = least.filter(pl.col("qty") > 0).with_columns(location=pl.lit(PLACE))
    ledger.post("receive", receipts, origin="supplier", document=OPENING, actor="replay", day=first)
    for (day,), part in lines.group_by("day", maintain_order=True):
        _replay_day(ledger, day, part)  # type: ignore[arg-type]


def _replay_day(ledger: Ledger, day: dt.date, lines: pl.DataFrame) -> None:
    said: dict[str, Any] = {"actor": "replay", "day": day}
    here = pl.lit(PLACE)
    sold = lines.filter(pl.col("step") == 1).select("sku", "qty", location=here, to_holder="country")
    back = lines.filter(pl.col("step") == 2, "known").select("sku", "qty", holder="country", to_location=here)
    lost = lines.filter(pl.col("step") == 4).select("sku", "qty", location=here)
    found = lines.filter((pl.col("step") == 3) | ~pl.col("known")).select("sku", "qty", location=here)
    if not sold.is_empty():
        ledger.post("deliver", sold, document=f"SALES-{day}", **said)
    if not back.is_empty():
        ledger.post("return", back, document=f"CANCELLED-{day}", **said)
    if not found.is_empty():
        ledger.post("receive", found, origin="found", reason="count", note="more than was on record", **said)
    if not lost.is_empty():
        ledger.post("adjust", lost, reason="damaged or missing", **said)
