"""Turns what a caller gives into the tables of `tables.py`, or into the list of everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from allocator.errors import AllocatorError
from allocator.frames import read as frames
from allocator.frames.columns import missing_hint
from allocator.frames.findings import Check, Findings
from allocator.frames.quantity import scale_of
from allocator.limits.tables import FORMS, REQUIRED, TABLES, Column
from allocator.model.limits import MONEY_MAX, MONEY_SCALE, QTY_MAX


def read(given: dict[str, Any], findings: Findings) -> tuple[dict[str, pl.DataFrame], int]:
    """Reads tables: all columns of `TABLES` are there, in their canonical dtypes; what is wrong goes to `findings`.

    Quantities are whole numbers of steps of 10^-scale base units; the scale, the most decimals that any has, comes with
    the tables. A key column (`bu`, `asp`, `sku`, …) is Int64 in all tables if it is an integer in all that were given,
    else String.

    Args:
        given: Frames by the name of their table; None is a table without rows.
        findings: Every problem of every table is noted here. If there is none, every value makes sense.
    """
    raw = {table: _frame(table, frame, findings) for table, frame in given.items()}
    dtypes = _key_dtypes(raw, findings)
    scale = max((_decimals(table, frame) for table, frame in raw.items() if frame is not None), default=0)
    return {table: _read(table, frame, dtypes, scale, findings) for table, frame in raw.items()}, scale


def _decimals(table: str, frame: pl.DataFrame) -> int:
    return scale_of(frame, [name for name, column in TABLES[table].items() if column.kind in ("qty", "count")])


def _frame(table: str, given: Any, findings: Findings) -> pl.DataFrame | None:  # noqa: ANN401 - anything tabular
    """The frame with the columns that it has; None when there is none."""
    if given is None and table not in REQUIRED:
        return None
    try:
        return frames.read(given, table)
    except AllocatorError as error:
        findings.problems += error.problems
    return None


def _key_dtypes(raw: dict[str, pl.DataFrame | None], findings: Findings) -> dict[str, pl.DataType]:
    """Int64 or String for each key, the same in all tables; limit rules adapt to it."""
    dtypes: dict[str, pl.DataType] = {}
    for name in ("bu", "asp", "sku", "request_id", "stock_id"):
        integer = {
            table: frame.schema[name].is_integer()
            for table, frame in raw.items()
            if frame is not None and table != "rules" and name in frame.columns and frame.schema[name] != pl.Null
        }
        if len(set(integer.values())) > 1:
            of = {True: "an integer", False: "text"}
            where = ", ".join(f"{of[is_integer]} in {table}" for table, is_integer in integer.items())
            hint = f"Cast {name} to one dtype in all tables"
            findings.add("mixed_keys", f"{name} is {where}", "", name, hint=hint)
        dtypes[name] = pl.Int64() if integer and all(integer.values()) else pl.String()
    return dtypes


def _read(
    table: str, frame: pl.DataFrame | None, dtypes: dict[str, pl.DataType], scale: int, findings: Findings
) -> pl.DataFrame:
    columns: list[pl.Series] = []
    for name, column in TABLES[table].items():
        dtype = FORMS[column.kind].dtype if table == "rules" else dtypes.get(name, FORMS[column.kind].dtype)
        if frame is not None and name in frame.columns:
            columns.append(_column(table, frame[name], column, dtype, findings, scale=scale))
            continue
        if column.required and frame is not None:
            hint = missing_hint(name, frame.columns)
            findings.add("column_missing", "the column is missing", table, name, hint=hint)
        default = pl.Series(name, [column.default], dtype=dtype)
        columns.append(default.clear() if frame is None else default.new_from_index(0, frame.height))
    return pl.DataFrame(columns)


def _column(
    table: str, given: pl.Series, column: Column, dtype: pl.DataType, findings: Findings, *, scale: int
) -> pl.Series:
    """The column in its canonical dtype; nulls take the place of values that make no sense."""
    form = FORMS[column.kind]
    if given.dtype != pl.Null and not form.fits(given.dtype):
        hint = "Floats are not exact: cast to an integer or Decimal" if given.dtype.is_float() else "Cast the column"
        message = f"the dtype is {given.dtype}, {form.wanted} is expected"
        findings.add("column_type", message, table, given.name, hint=hint)
        return pl.Series(given.name, [None], dtype=dtype).new_from_index(0, len(given))
    counts = column.kind in ("qty", "count")
    values = _steps(given, scale) if counts and scale else given if given.dtype == dtype else _cast(given, dtype)
    if values.is_empty():
        return values
    for code, message, bad in _checks(given, values, column, scale):
        findings.run(table, given.to_frame(), [Check(code, given.name, pl.lit(bad), message)])
    if counts and (total := values.cast(pl.Int128).sum()) > QTY_MAX:
        step = f" steps of {Decimal(1).scaleb(-scale)}" if scale else ""
        message = f"the quantities add up to {total}{step}, more than the {QTY_MAX} that are supported"
        findings.add("value_overflow", message, table, given.name)
    return values


def _cast(given: pl.Series, dtype: pl.DataType) -> pl.Series:
    """In the canonical dtype; null where a value has no place in it."""
    if isinstance(given.dtype, pl.Datetime) and given.dtype.time_zone is not None:
        given = given.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return given.cast(dtype, strict=False)


def _steps(given: pl.Series, scale: int) -> pl.Series:
    """Quantities in steps of 10^-scale; null where they do not fit."""
    own = given.dtype.scale if isinstance(given.dtype, pl.Decimal) else 0
    step, values = 10 ** (scale - own), given.to_physical().cast(pl.Int128)
    fits = pl.select(pl.when(values.is_between(-(2**63) // step, (2**63 - 1) // step)).then(values)).to_series()
    return (fits * pl.Series([step], dtype=pl.Int128)).cast(pl.Int64).alias(given.name)


def _checks(given: pl.Series, values: pl.Series, column: Column, scale: int) -> Iterator[tuple[str, str, pl.Series]]:
    """Everything that may be wrong with single values: code, message, and the rows where it is."""
    # What is the case for no row is found by a look at the whole column: most calls are of a few rows that make sense.
    nulls, lost = given.null_count(), values.null_count()
    if nulls and not column.nullable:
        yield "value_null", "the value is null", given.is_null()
    if lost > nulls:
        yield "value_overflow", f"the value does not fit in {values.dtype}", values.is_null() & given.is_not_null()
    if column.unique and (present := values.drop_nulls()).n_unique() < len(present):
        repeated = ~values.is_first_distinct() & values.is_not_null()
        yield "id_duplicate", "the value comes more than once", repeated
    if lost == len(values):
        return
    if column.kind in ("qty", "count"):
        least = 1 if column.kind == "count" else 0
        if values.min() < least:  # type: ignore[operator]
            yield (
                "qty_out_of_range",
                f"the quantity is below {Decimal(least).scaleb(-scale) if least else 0}",
                values < least,
            )
    if column.kind == "money":
        if values.min() < 0 or values.max() > MONEY_MAX:  # type: ignore[operator]
            yield "money_out_of_range", f"the amount is not between 0 and {MONEY_MAX}", ~values.is_between(0, MONEY_MAX)
        if isinstance(given.dtype, pl.Decimal) and given.dtype.scale > MONEY_SCALE:
            finer = values.cast(given.dtype, strict=False) != given
            yield "money_too_fine", f"the amount has more than {MONEY_SCALE} decimal places", finer
