"""The columns of a frame of changes: checked, and as the codes that Rust looks up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Final

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.model.lifecycle import Lifecycle
from allocator.transitions.table import COLUMNS_GIVEN, NOTHING, UNKNOWN, Bytes

TABLE: Final = "changes"
FLAGS: Final = ("approval", "photo")
RESULTS: Final = ("allowed", "verdict", "targets")

IDENTITY: Final = bytes(range(256))


def check_arguments(
    lifecycle: object,
    texts: Mapping[str, object] | None = None,
    flags: Mapping[str, object] | None = None,
    roles: object = (),
) -> None:
    """Raises one error that names every argument of a type that makes no sense."""
    expected: list[tuple[str, object, type | UnionType, str]] = [("lifecycle", lifecycle, Lifecycle, "a Lifecycle")]
    expected += [(name, value, str | None, "text or None") for name, value in (texts or {}).items()]
    expected += [(name, value, bool, "True or False") for name, value in (flags or {}).items()]
    problems = [
        Problem("argument_type", f"{wanted} is expected", column=name, value=type(value).__name__)
        for name, value, kind, wanted in expected
        if not isinstance(value, kind)
    ]
    if not isinstance(roles, list | tuple | set | frozenset) or not all(isinstance(role, str | None) for role in roles):
        wanted = "a role, or a list or set of roles, is expected"
        problems.append(Problem("argument_type", wanted, column="role", value=type(roles).__name__))
    if problems:
        raise InputError(problems)


def check(frame: pl.DataFrame, *, path: bool) -> None:
    """Raises one error that names everything about the columns that makes no sense."""
    problems = list(_problems(frame, path))
    if problems:
        raise InputError(problems)


def _problems(frame: pl.DataFrame, path: bool) -> Iterator[Problem]:
    for column in ("from", "to", *(["unit"] if path else [])):
        if column not in frame.columns:
            yield Problem("column_missing", "this column is required", TABLE, column)
    for column in RESULTS:
        if column in frame.columns:
            hint = "Rename or drop it"
            yield Problem("column_reserved", "a column of this name is part of the answer", TABLE, column, hint=hint)
    for column in ("from", "to", *COLUMNS_GIVEN):
        dtype = frame.schema.get(column)
        if dtype is None or frame[column].null_count() == frame.height:
            continue
        if column in FLAGS:
            if dtype != pl.Boolean:
                yield _wrong_type(column, dtype, "Boolean")
        elif dtype not in (pl.String, pl.Enum, pl.Categorical, pl.UInt8):
            yield _wrong_type(column, dtype, "String, Enum, Categorical, or UInt8 (codes)")
    unit = frame.schema.get("unit") if path else None
    if unit is not None and not (unit.is_integer() or unit in (pl.String, pl.Enum, pl.Categorical)):
        yield _wrong_type("unit", unit, "String, Enum, Categorical, or an integer type")
    elif unit is not None:
        for row in frame["unit"].is_null().arg_true().head(20):
            yield Problem("value_null", "a change needs its unit", TABLE, "unit", row)


def _wrong_type(column: str, dtype: pl.DataType, wanted: str) -> Problem:
    return Problem("column_type", f"the column is {dtype}, expected is {wanted}", TABLE, column, hint="Cast the column")


def encoded(column: pl.Series, names: Sequence[str]) -> tuple[pl.Series, bytes]:
    """The column as UInt8 without nulls, and the 256 bytes that say what each of its codes means."""
    if column.null_count() == len(column):
        return pl.repeat(NOTHING, len(column), dtype=pl.UInt8, eager=True), IDENTITY
    if column.dtype == pl.Boolean:
        return column.cast(pl.UInt8).fill_null(NOTHING), IDENTITY
    if column.dtype == pl.UInt8:
        meaning = np.full(256, UNKNOWN, np.uint8)
        meaning[: len(names)] = range(len(names))
        return _without_nulls(column, meaning)
    if column.dtype == pl.Enum:
        categories = column.dtype.categories.to_list()  # type: ignore[attr-defined]
        place = {name: code for code, name in enumerate(names)}
        meaning = np.full(max(256, len(categories)), UNKNOWN, np.uint8)
        meaning[: len(categories)] = [place.get(category, UNKNOWN) for category in categories]
        if len(categories) < 256:
            return _without_nulls(column.to_physical(), meaning)
        codes = pl.Series(column.name, meaning[column.to_physical().fill_null(0).to_numpy()])
    else:
        known = column.cast(pl.Enum(names), strict=False)
        codes = known.to_physical().cast(pl.UInt8).fill_null(UNKNOWN)
    if column.null_count():
        codes = codes.zip_with(column.is_not_null(), pl.Series([NOTHING], dtype=pl.UInt8))
    return codes, IDENTITY


def _without_nulls(codes: pl.Series, meaning: Bytes) -> tuple[pl.Series, bytes]:
    """Null becomes its code. A code of the caller that is as high stands for nothing known."""
    codes = codes.cast(pl.UInt8)
    if codes.null_count() == 0:
        return codes, meaning.tobytes()
    meaning[NOTHING] = NOTHING
    return codes.clip(upper_bound=UNKNOWN).fill_null(NOTHING), meaning.tobytes()


def dense(unit: pl.Series) -> tuple[pl.Series, int]:
    """The units as codes without gaps, and how many there are."""
    codes = unit.rank("dense").cast(pl.UInt32) - 1
    return codes, int(codes.max() or 0) + 1  # type: ignore[arg-type]
