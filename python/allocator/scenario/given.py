"""Arguments as expected, and tables of a base as somebody would give them, for those who take tables."""

from __future__ import annotations

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.prepare import Table
from allocator.model.document import Document
from allocator.scenario.additions import ROW


def as_given(table: Table) -> pl.DataFrame:
    """A table of the base as somebody would give it: quantities in base units, no units of measure, no row numbers."""
    return table.as_told().select(pl.exclude("unit", ROW))


def in_steps(value: pl.Expr, scale: int) -> pl.Expr:
    """A quantity as a whole number of its smallest units."""
    return (value.cast(pl.Decimal(38, scale)) * 10**scale).cast(pl.Int64) if scale else value.cast(pl.Int64)


def steps_within(quantities: pl.Series, scale: int) -> pl.Series:
    """How many of the smallest units fit into quantities, which may have more decimals."""
    own = quantities.dtype.scale if isinstance(quantities.dtype, pl.Decimal) else 0
    units = quantities.to_physical().cast(pl.Int128)
    step = pl.Series([10 ** abs(scale - own)], dtype=pl.Int128)
    return (units * step if scale >= own else units // step).cast(pl.Int64)


def expect(name: str, given: object, kind: type) -> None:
    """Refuses an argument of another type.

    Raises:
        InputError: `argument_type`.
    """
    if not isinstance(given, kind):
        message = f"{name} is {type(given).__name__}, a {kind.__name__} is expected"
        hint = f"Make it with {kind.__name__}.load()" if issubclass(kind, Document) else ""
        raise InputError(Problem("argument_type", message, column=name, hint=hint))
