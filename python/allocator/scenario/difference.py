"""The difference between any two scenarios of one base."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.plan.spec import SERVED
from allocator.result import quantity
from allocator.scenario.additions import ROW
from allocator.scenario.compare import CHANGE, Comparison
from allocator.scenario.given import expect
from allocator.scenario.part import REASON
from allocator.scenario.show import Table, Tabled

AMOUNTS: Final = ("requested_first", "requested_second", "allocated_first", "allocated_second", "gained")


@dataclass(frozen=True)
class Difference(Tabled):
    """What the second of two scenarios does otherwise than the first.

    Attributes:
        first: A scenario beside its base.
        second: Another one, beside the same base.
    """

    first: Comparison
    second: Comparison

    @cached_property
    def kpis(self) -> pl.DataFrame:
        """One row per measure: `kpi`, `first`, `second`, `difference` (second less first; Float64)."""
        frame = self.first.kpis.select("kpi", first="scenario")
        both = frame.with_columns(second=self.second.kpis["scenario"])
        return both.with_columns(difference=pl.col("second") - pl.col("first"))

    @cached_property
    def changes(self) -> pl.DataFrame:
        """One row per line that the two serve otherwise, as `Comparison.changes`, in the order of demand.

        Columns: `line_id`, `sku`, `change` (Enum, of the second against the first), `requested_first`,
        `requested_second`, `allocated_first`, `allocated_second`, `gained` (Int64 or Decimal), `reason_first`,
        `reason_second` (Enum; null if nothing is short).
        """
        sides = [_lines(found, other) for found, other in ((self.first, self.second), (self.second, self.first))]
        both = sides[0].join(sides[1], on="line_id", how="full", coalesce=True, suffix="_second")
        both = both.rename({name: f"{name}_first" for name in ("requested", "allocated", "reason")})
        had, got = pl.col("allocated_first"), pl.col("allocated_second")
        change = (
            pl.when(had.is_null()).then(pl.lit("new"))
            .when(got.is_null()).then(pl.lit("cancelled"))
            .when(got > had).then(pl.lit("gained"))
            .when(got < had).then(pl.lit("lost"))
            .when(pl.col("takes").ne_missing(pl.col("takes_second"))).then(pl.lit("moved"))
            .when(pl.col("requested_first") != pl.col("requested_second")).then(pl.lit("asked"))
            .when(pl.col("reason_first").ne_missing(pl.col("reason_second"))).then(pl.lit("reason"))
        )  # fmt: skip
        found = both.with_columns(change=change.cast(CHANGE), gained=got - had, sku=pl.coalesce("sku", "sku_second"))
        found = found.filter(pl.col("change").is_not_null()).sort(pl.min_horizontal("row", "row_second"), "line_id")
        table = self.first.base.bound.prepared.demand
        found = found.with_columns(quantity(found[name], table).alias(name) for name in AMOUNTS)
        given = [pl.col(name).cast(table.frame.schema[name]) for name in ("line_id", "sku")]
        return found.with_columns(given).select("line_id", "sku", "change", *AMOUNTS, "reason_first", "reason_second")

    def table(self) -> Table:
        """Every measure of both."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        names = {"first": self.first.scenario.name, "second": self.second.scenario.name}
        return report.difference(self.kpis, names)


def difference(first: Comparison, second: Comparison) -> Difference:
    """Compares two scenarios that were run against one base.

    Raises:
        InputError: `argument_value`: they were run against different bases; `argument_type`.
    """
    expect("first", first, Comparison)
    expect("second", second, Comparison)
    if first.base is not second.base:
        message, hint = "the two scenarios have different bases", "Run both with the same Base"
        raise InputError(Problem("argument_value", message, column="second", value=second.scenario.name, hint=hint))
    return Difference(first, second)


def _lines(found: Comparison, other: Comparison) -> pl.DataFrame:
    """Every line that either of the two worked out, as it is under the one; a line keeps its id, not its row."""
    ours, theirs = (each.before.demand[ROW].to_numpy() for each in (found, other))
    rest = found.base.part_of_lines(np.setdiff1d(theirs, ours))
    frames = []
    for part in (found.after, rest):
        ids = part.stock["stock_id"].cast(pl.String).gather(part.takes["stock"])
        takes = pl.DataFrame({"at": part.takes["line"], "takes": pl.struct(ids, part.takes["qty"], eager=True)})
        lists = takes.sort("at", "takes").group_by("at", maintain_order=True).agg("takes")
        reason = part.lines["reason"]
        lines = pl.DataFrame(
            {
                "row": part.demand[ROW].cast(pl.Int64),
                "line_id": part.demand["line_id"].cast(pl.String),
                "sku": part.demand["sku"].cast(pl.String),
                "requested": part.demand["qty"].cast(pl.Int64),
                "allocated": part.lines["allocated"],
                "reason": pl.select(pl.when(reason != SERVED).then(reason).cast(pl.UInt8)).to_series().cat.to(REASON),
            }
        ).with_row_index("at")
        frames.append(lines.join(lists, on="at", how="left", maintain_order="left").drop("at"))
    return pl.concat(frames)
