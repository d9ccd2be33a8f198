"""Cuts tables: every row gets the partition of what it competes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
from pyspark.sql import functions as F  # noqa: N812 - its usual name

from allocator.cluster.facts import Facts, facts
from allocator.cluster.given import ROW, Table, created
from allocator.cluster.partition import Partitioning, partitioned
from allocator.cluster.worker import GROUP
from allocator.errors import PolicyError, Problem
from allocator.model.policy import Policy
from allocator.model.reallocation import Reallocation

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SPREAD = 64
"""Over how many partitions at least rows of no known SKU are spread."""


def cut(
    tables: dict[str, Table], policy: Policy, plan: Reallocation | None, rows_max: int
) -> tuple[tuple[DataFrame, DataFrame], Partitioning, Facts]:
    """Stock, and what asks for it, by partition.

    Raises:
        PolicyError: `plan_indivisible`: a limit of the plan concerns more rows than one partition may have.
    """
    stock, demand, current = tables["stock"], tables["demand"], tables.get("current")
    known = facts(stock, demand, current, policy)
    limits = [] if plan is None else [n for n in ("lines_max", "units_max") if getattr(plan, n) is not None]
    rows = int(known.counts.select(pl.sum_horizontal(pl.col("stock_rows", "lines").sum())).item())
    if limits and rows > rows_max:
        raise PolicyError(list(_indivisible(limits, rows, rows_max)))
    integers = all(t.shape.types["sku"].is_integer() for t in (stock, demand) if "sku" in t.shape.types)
    found = partitioned(known.counts, known.links, policy, rows_max=rows_max, integers=integers, together=bool(limits))
    numbers = created(stock.frame.sparkSession, found.skus.rename({"sku": "known"}))
    count = max(found.partitions.height, SPREAD)
    placed = {name: _placed(tables[name], numbers, count) for name in ("stock", "demand")}
    left = placed["stock"].select("part", _packed(stock).alias("stock"))
    right = placed["demand"].select("part", _packed(demand).alias("demand"))
    if current is not None:
        held = _following(tables, placed, known.repeated)
        right = right.withColumn("current", _absent(current)).unionAll(
            held.select("part", _absent(demand).alias("demand"), _packed(current).alias("current"))
        )
    return (left, right), found, known


def _indivisible(limits: list[str], rows: int, rows_max: int) -> Iterator[Problem]:
    for name in limits:
        message = f"the limit concerns all {rows} rows together, and a partition may have {rows_max}"
        hint = "Raise rows_max, run it in one process, or leave the limit out"
        yield Problem("plan_indivisible", message, "reallocation", name, hint=hint)


def _placed(table: Table, numbers: DataFrame, count: int) -> DataFrame:
    """The table with `part` and `group`. Rows of no known SKU, which are all mistaken, are spread by their ids."""
    key, sku = table.text(table.shape.key), table.text("sku")
    spread = F.pmod(F.hash(F.lit(0) if key is None else key), F.lit(count)).cast("bigint")
    if sku is None:
        return table.frame.withColumns({"part": spread, GROUP: F.lit(None).cast("bigint")})
    joined = table.frame.join(numbers, sku == F.col("known"), "left").drop("known")
    return joined.withColumn("part", F.coalesce("part", spread))


def _following(tables: dict[str, Table], placed: dict[str, DataFrame], repeated: frozenset[str]) -> DataFrame:
    """The allocations that there are, each in the partition of its line, or else of its stock row."""
    current = tables["current"]
    frame = current.frame.withColumn(GROUP, F.lit(None).cast("bigint"))
    parts = []
    for name in ("demand", "stock"):
        key = tables[name].shape.key
        asked, there = current.text(key), tables[name].text(key)
        if asked is None or there is None:
            continue
        part = placed[name].select(there.alias(f"{name}_key"), F.col("part").alias(f"{name}_part"))
        if name in repeated:
            part = part.groupBy(f"{name}_key").agg(F.min(f"{name}_part").alias(f"{name}_part"))
        frame = frame.join(part, asked == F.col(f"{name}_key"), "left").drop(f"{name}_key")
        parts.append(F.col(f"{name}_part"))
    return frame.withColumn("part", F.coalesce(*parts, F.lit(0).cast("bigint")))


def _packed(table: Table) -> Column:
    """The row as a structure. Sail 0.7 takes no nulls in a table to be grouped but those within one."""
    return F.struct(F.lit(True).alias("there"), ROW, GROUP, *_columns(table))


def _absent(table: Table) -> Column:
    """A structure that stands for no row."""
    types = {field.name: field.dataType for field in table.frame.schema.fields}
    none = [F.lit(None).cast(types[name]).alias(name) for name in (ROW, *_columns(table))]
    return F.struct(F.lit(False).alias("there"), none[0], F.lit(None).cast("bigint").alias(GROUP), *none[1:])


def _columns(table: Table) -> list[str]:
    return [f"c{n}" for n in range(len(table.shape.types))]
