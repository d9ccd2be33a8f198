"""Columns on their way: as types that every engine has, and back as what they were."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

PHYSICAL = (pl.Datetime, pl.Duration, pl.Time, pl.UInt8, pl.UInt16, pl.UInt32)
"""Travel as Int64: times of any unit stay exact, whatever time zone a session has."""

TEXT = (pl.UInt64, pl.Int128, pl.UInt128, pl.Enum, pl.Categorical, pl.Null)
"""Travel as String: integers that may be beyond Int64, and texts with a dictionary."""


def carried(dtype: pl.DataType) -> pl.DataType:
    """The type as which a column of this type travels."""
    if isinstance(dtype, pl.List):
        return pl.List(carried(_inner(dtype)))
    if isinstance(dtype, PHYSICAL):
        return pl.Int64()
    return pl.String() if isinstance(dtype, TEXT) else dtype


def sent(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types that travel."""
    return frame.select(_sent(series) for series in frame)


def _sent(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, PHYSICAL):
        return series.to_physical().cast(pl.Int64)
    return series.cast(carried(series.dtype))


def arrived(frame: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The frame in the types that it had."""
    return frame.select(_arrived(frame[name], dtype) for name, dtype in types.items())


def _arrived(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Null):
        return pl.Series(series.name, [None] * series.len(), dtype=dtype)
    return series if series.dtype == dtype else series.cast(dtype)


def _inner(dtype: pl.List) -> pl.DataType:
    inner = dtype.inner
    return inner if isinstance(inner, pl.DataType) else inner()
