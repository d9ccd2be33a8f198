"""Tables of a base as somebody would give them, for those who take tables."""

from __future__ import annotations

import polars as pl

from allocator.frames.prepare import Table
from allocator.frames.quantity import quantity_columns
from allocator.model.policy import Policy
from allocator.result import quantity
from allocator.scenario.additions import ROW


def as_given(table: Table, policy: Policy) -> pl.DataFrame:
    """A table of the base as somebody would give it: quantities in base units, no units of measure, no row numbers."""
    frame = table.frame
    counted = {*quantity_columns(table.name, policy), "qty_on_hand", "qty_reserved", "qty"} & {*frame.columns}
    units = [quantity(frame[name], table).alias(name) for name in sorted(counted)]
    return frame.with_columns(units).select(pl.exclude("unit", ROW))


def in_steps(value: pl.Expr, scale: int) -> pl.Expr:
    """A quantity as a whole number of its smallest units."""
    return (value.cast(pl.Decimal(38, scale)) * 10**scale).cast(pl.Int64) if scale else value.cast(pl.Int64)
