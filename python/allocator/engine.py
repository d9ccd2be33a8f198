"""The crossing into Rust, and the only importer of `allocator._core`: series in, series out, no copies."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from allocator import _core

# --- columns ---


def column(series: pl.Series) -> _core.Column:
    """The series as a column that Rust holds. Only a series of several chunks is copied."""
    return _core.Column(series.rechunk())


def series(name: str, data: _core.Column) -> pl.Series:
    """The column that Rust holds as a polars series, without a copy."""
    return pl.Series(data).alias(name)


# --- transitions ---


def transition_verdicts(
    *,
    from_: tuple[pl.Series, bytes],
    to: tuple[pl.Series, bytes],
    kinds: bytes,
    verdicts: bytes,
    needs: list[tuple[pl.Series, bytes, bytes]],
    back: tuple[pl.Series, bytes, bytes, bytes] | None,
    path: tuple[pl.Series, int, int] | None,
) -> pl.Series:
    """The verdict (UInt8) of each change, by the tables of `allocator.transitions.table`.

    Columns are UInt8 without nulls, each with the 256 bytes that say what its codes mean, and the tables that
    judge them; `path` is the dense unit codes (UInt32), their number, and the verdict of a broken history.
    """
    found = _core.transition_verdicts(
        (from_[0].rechunk(), from_[1]),
        (to[0].rechunk(), to[1]),
        kinds,
        verdicts,
        [(given.rechunk(), meaning, table) for given, meaning, table in needs],
        None if back is None else (back[0].rechunk(), *back[1:]),
        None if path is None else (path[0].rechunk(), *path[1:]),
    )
    return series("verdict", found)


# --- keys ---


def encode(columns: Sequence[pl.Series]) -> tuple[list[pl.Series], pl.Series]:
    """The columns, of strings or of integers, in one set of dense codes (UInt32, 2³² - 1 where null); their values.

    A code is the rank of its value, so codes sort as values do.
    """
    codes, values = _core.encode([each.rechunk() for each in columns])
    return [series(each.name, code) for each, code in zip(columns, codes, strict=True)], series("value", values)


# --- limits ---


def grant_requests(
    key: pl.Series, qty: pl.Series, above: pl.Series, headroom: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """What each request found left for its key, and what it was granted; see `_core.grant_requests`."""
    left, granted = _core.grant_requests(key.rechunk(), qty.rechunk(), above.rechunk(), headroom.rechunk())
    return series("left", left), series("granted", granted)
