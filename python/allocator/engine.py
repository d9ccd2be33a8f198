"""The crossing into Rust, and the only importer of `allocator._core`: series in, series out, no copies."""

from __future__ import annotations

import polars as pl

from allocator import _core

# --- columns ---


def column(series: pl.Series) -> _core.Column:
    """The series as a column that Rust holds. Only a series of several chunks is copied."""
    return _core.Column(series.rechunk())


def series(name: str, data: _core.Column) -> pl.Series:
    """The column that Rust holds as a polars series, without a copy."""
    return pl.Series(data).alias(name)
