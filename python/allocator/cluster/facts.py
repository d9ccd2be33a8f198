"""What is asked of the engine before anything is cut: rows by SKU, what ties SKUs together, ids that are repeated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import polars as pl
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from allocator.cluster.given import Table
from allocator.engine import CORE
from allocator.frames.findings import ROWS_MAX, Findings
from allocator.frames.ids import check_ids
from allocator.model.policy import FILLS, Policy

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Facts:
    """What is known of the tables as a whole.

    Attributes:
        counts: `sku` (String), `stock_rows`, `lines`.
        links: `a`, `b`: SKUs that whole orders or earlier allocations tie together.
        unplaced: Lines without a place.
        repeated: The tables with an id that is there twice.
    """

    counts: pl.DataFrame
    links: pl.DataFrame
    unplaced: int
    repeated: frozenset[str]


def facts(stock: Table, demand: Table, current: Table | None, policy: Policy) -> Facts:
    """Asks the engine, in one query. Cost: sums by SKU and by id; what comes here is small beside the tables."""
    nothing, zero = F.lit(None), F.lit(0)
    parts = []
    for table in (stock, demand):
        name = table.shape.name
        if (sku := table.text("sku")) is not None:
            counted = table.frame.groupBy(sku.alias("sku")).agg(F.count(F.lit(1)).alias("n"))
            parts.append(_told(name, counted, F.col("sku"), nothing, F.col("n")))
        if (key := table.text(table.shape.key)) is not None:
            repeats = _repeats(table.frame, key).limit(1)
            parts.append(_told("repeated", repeats, F.lit(name), nothing, zero))
    for links in (_whole_orders(demand, policy), None if current is None else _held(stock, demand, current)):
        if links is not None:
            parts.append(_told("link", links.distinct(), F.col("a"), F.col("b"), zero))
    if policy.location.scope == "exact" and "location" in demand.shape.types:
        nowhere = demand.frame.filter(F.col(demand.shape.at("location")).isNull()).limit(1)
        parts.append(_told("unplaced", nowhere, nothing, nothing, zero))
    schema = {"kind": pl.String, "a": pl.String, "b": pl.String, "n": pl.Int64}
    found = pl.DataFrame(schema=schema)
    if parts:
        found = pl.DataFrame(reduce(lambda x, y: x.unionAll(y), parts).toArrow()).cast(schema)  # type: ignore[arg-type]
    stocked = found.filter(kind="stock").select(sku="a", stock_rows="n")
    asked = found.filter(kind="demand").select(sku="a", lines="n")
    counts = stocked.join(asked, on="sku", how="full", coalesce=True).drop_nulls("sku")
    return Facts(
        counts.with_columns(pl.col("stock_rows", "lines").fill_null(0)),
        found.filter(kind="link").select("a", "b"),
        found.filter(kind="unplaced").height,
        frozenset(found.filter(kind="repeated")["a"]),
    )


def _told(kind: str, frame: DataFrame, a: Column, b: Column, n: Column) -> DataFrame:
    """Rows of one kind of fact."""
    texts = (F.lit(kind).alias("kind"), a.cast("string").alias("a"), b.cast("string").alias("b"))
    return frame.select(*texts, n.cast("bigint").alias("n"))


def note_repeats(table: Table, findings: Findings) -> None:
    """Notes every id that is in the table twice, wherever its rows are."""
    name, key = table.shape.name, table.shape.key
    if table.local is not None:
        check_ids(table.local, name, key, CORE, findings)
        return
    text = table.text(key)
    assert text is not None, "ids that were counted are keys"
    repeats = _repeats(table.frame, text)
    total = repeats.agg(F.sum("n") - F.count(F.lit(1))).toArrow()[0][0].as_py()
    first = repeats.orderBy("id").limit(ROWS_MAX).toArrow()
    for value, count in zip(first["id"].to_pylist(), first["n"].to_pylist(), strict=True):
        message = f"the id is there {count} times"
        if total > ROWS_MAX:
            message += f" ({total} rows repeat an id; the first {ROWS_MAX} ids are listed)"
        findings.add("id_duplicate", message, name, key, value=value, hint="An id is unique in its table")


def _repeats(frame: DataFrame, key: Column) -> DataFrame:
    counted = frame.filter(key.isNotNull()).groupBy(key.alias("id")).agg(F.count(F.lit(1)).alias("n"))
    return counted.filter(F.col("n") > 1)


def _whole_orders(demand: Table, policy: Policy) -> DataFrame | None:
    """The SKUs of orders that are served whole or not at all, each with the least of its order."""
    order, sku = demand.text("order_id"), demand.text("sku")
    names = [name for name, fill in {**FILLS, **policy.fills}.items() if fill.whole == "order"]
    by_default = policy.fill.whole == "order"
    if order is None or sku is None:
        return None
    lines = demand.frame
    if (fill := demand.text("fill")) is not None:
        lines = lines.filter(F.coalesce(fill.isin(names), F.lit(by_default)))
    elif not by_default:
        return None
    lines = lines.select(order.alias("o"), sku.alias("b")).filter(F.col("o").isNotNull() & F.col("b").isNotNull())
    least = lines.groupBy("o").agg(F.min("b").alias("a"), F.max("b").alias("z")).filter(F.col("a") != F.col("z"))
    return lines.join(least, "o").filter(F.col("a") != F.col("b")).select("a", "b")


def _held(stock: Table, demand: Table, current: Table) -> DataFrame | None:
    """The SKUs of lines with the SKUs of what they have, where these differ."""
    keys = [
        table.text(column)
        for table, column in ((current, "line_id"), (current, "stock_id"), (demand, "line_id"), (demand, "sku"),
                              (stock, "stock_id"), (stock, "sku"))
    ]  # fmt: skip
    named = [key.alias(name) for key, name in zip(keys, "lslasb", strict=True) if key is not None]
    if len(named) < len(keys):
        return None
    pairs, lines, rows = (table.frame.select(*named[n : n + 2]) for table, n in ((current, 0), (demand, 2), (stock, 4)))
    return pairs.join(lines, "l").join(rows, "s").filter(F.col("a") != F.col("b")).select("a", "b")
