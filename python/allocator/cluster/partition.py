"""What competes, as components of SKUs; and components packed into partitions of about the same size."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from allocator.model.policy import Policy

Codes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Numbers of SKUs, in the order of their keys."""


@dataclass(frozen=True)
class Partitioning:
    """Which partition each SKU belongs to.

    Attributes:
        skus: One row per SKU: `sku` (String), `part` (Int64, from 0), `group` (Int64: the place of what competes with
            it under the policy alone, in the order in which one process answers).
        partitions: One row per partition: `part`, `components`, `skus`, `stock_rows`, `lines`, `rows` (both),
            `oversized` (Boolean: one component has more rows than a partition should have, and stays whole).
    """

    skus: pl.DataFrame
    partitions: pl.DataFrame


def components(count: int, links: tuple[Codes, Codes]) -> Codes:
    """The least number that each of so many can reach along links."""
    a, b = links
    least = np.arange(count, dtype=np.int64)
    while a.size:
        before = least.copy()
        low = np.minimum(before[a], before[b])
        np.minimum.at(least, before[a], low)
        np.minimum.at(least, before[b], low)
        while not np.array_equal(shorter := least[least], least):
            least = shorter
        if np.array_equal(least, before):
            break
    return least


def packed(sizes: Codes, rows_max: int) -> Codes:
    """The partition of each component: the largest first, each into what is emptiest; one beyond the limit is alone."""
    part = np.empty(sizes.size, np.int64)
    order = np.argsort(-sizes, kind="stable")
    alone = int((sizes >= rows_max).sum())
    part[order[:alone]] = np.arange(alone)
    rest = order[alone:]
    count = -(-int(sizes[rest].sum()) // rows_max)
    heap = [(0, number) for number in range(alone, alone + max(count, 1))]
    for component in rest.tolist():
        filled, number = heap[0]
        part[component] = number
        heapq.heapreplace(heap, (filled + int(sizes[component]), number))
    return part


def partitioned(
    counts: pl.DataFrame, links: pl.DataFrame, policy: Policy, *, rows_max: int, integers: bool, together: bool
) -> Partitioning:
    """Finds what competes and packs it.

    Cost: seconds and some hundred bytes for each million SKUs; it does not depend on the number of rows.

    Args:
        counts: `sku` (String), `stock_rows`, `lines`: one row per SKU of both tables.
        links: `a`, `b`: SKUs that whole orders or earlier allocations tie together.
        policy: Its substitutes tie SKUs together, too.
        rows_max: How many rows and lines a partition should have at most.
        integers: Whether SKUs are integers, which order as numbers.
        together: Whether everything is one component.
    """
    kind = pl.Int64 if integers else pl.String
    swaps = pl.DataFrame(
        [(entry.sku, entry.substitute) for entry in policy.substitutes], schema=["a", "b"], orient="row"
    ).cast(pl.String)
    named = pl.concat([swaps["a"], swaps["b"], links["a"], links["b"], counts["sku"]])
    skus = named.cast(kind, strict=False).drop_nulls().unique().sort()
    numbers = pl.DataFrame({"sku": skus, "code": np.arange(skus.len(), dtype=np.int64)})
    by_policy = _codes(swaps, numbers)
    group = components(skus.len(), by_policy)
    tied = _codes(links, numbers)
    component = components(skus.len(), (np.r_[by_policy[0], tied[0]], np.r_[by_policy[1], tied[1]]))
    if together:
        component = np.zeros_like(component)
    sized = numbers.join(counts.with_columns(pl.col("sku").cast(kind)), on="sku", how="left", maintain_order="left")
    rows = sized.select(pl.col("stock_rows").fill_null(0) + pl.col("lines").fill_null(0)).to_series().to_numpy()
    dense = np.unique(component, return_inverse=True)[1]
    part = packed(np.bincount(dense, rows, minlength=1).astype(np.int64), rows_max)[dense]
    sized = sized.with_columns(part=part, group=group, component=component)
    partitions = sized.group_by("part").agg(
        components=pl.col("component").n_unique(),
        skus=pl.len(),
        stock_rows=pl.col("stock_rows").sum(),
        lines=pl.col("lines").sum(),
    )
    rows_of = pl.col("stock_rows") + pl.col("lines")
    partitions = partitions.with_columns(rows=rows_of, oversized=(rows_of > rows_max) & (pl.col("components") == 1))
    return Partitioning(sized.select(pl.col("sku").cast(pl.String), "part", "group"), partitions.sort("part"))


def _codes(links: pl.DataFrame, numbers: pl.DataFrame) -> tuple[Codes, Codes]:
    """The links between numbers of SKUs."""
    sides = []
    for name in ("a", "b"):
        ends = links.select(sku=pl.col(name).cast(numbers.schema["sku"], strict=False))
        sides.append(ends.join(numbers, on="sku", how="left", maintain_order="left")["code"])
    both = pl.DataFrame({"a": sides[0], "b": sides[1]}).drop_nulls()
    return both["a"].to_numpy(), both["b"].to_numpy()
