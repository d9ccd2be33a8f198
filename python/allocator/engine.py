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


# --- limits ---


def grant_requests(
    key: pl.Series, qty: pl.Series, above: pl.Series, headroom: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """What each request found left for its key, and what it was granted; see `_core.grant_requests`."""
    left, granted = _core.grant_requests(key.rechunk(), qty.rechunk(), above.rechunk(), headroom.rechunk())
    return series("left", left), series("granted", granted)
