"""Each column against the contract of its table: is it there, of the right type, and are its values possible."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from allocator.frames.findings import Check, Findings
from allocator.model.tables import KINDS, Column, Kind

DAYS_MAX = 3_652_058
"""From the first to the last day that a date can be."""

STEPS_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}

EMPTY: dict[Kind, pl.DataType] = {
    "quantity": pl.Int64(),
    "integer": pl.Int64(),
    "money": pl.Int64(),
    "day": pl.Date(),
    "moment": pl.Datetime("us"),
    "flag": pl.Boolean(),
}
"""The type of a column without any value; text for all other kinds."""


def is_text(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds strings."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def is_time(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds days or times."""
    return isinstance(dtype, pl.Date | pl.Datetime)


def is_exact(dtype: pl.DataType) -> bool:
    """Whether a column of this type holds exact numbers."""
    return dtype.is_integer() or dtype.is_decimal()


def fits(dtype: pl.DataType, kind: Kind) -> bool:
    """Whether a column of this type can hold what the kind says."""
    narrow = dtype.is_integer() and dtype not in {pl.Int128(), pl.UInt128()}
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    return {
        "id": is_text(dtype) or narrow,
        "key": is_text(dtype) or narrow,
        "text": is_text(dtype),
        "path": is_text(dtype),
        "quantity": is_exact(dtype),
        "money": is_exact(dtype),
        "integer": narrow,
        "day": is_time(dtype) and not zoned,
        "moment": is_time(dtype),
        "flag": dtype == pl.Boolean,
    }[kind]


def type_hint(dtype: pl.DataType, kind: Kind) -> str:
    """How a column of a wrong type is put right."""
    number, time = kind in ("quantity", "integer", "money"), kind in ("day", "moment")
    hints = (
        (number and dtype.is_float(), "Floats are not exact: cast to Int64, or to Decimal with the decimals you mean"),
        (number and is_text(dtype), "Parse it, as with str.to_integer() or str.to_decimal(scale=2)"),
        (
            time and is_time(dtype),
            "A day needs a place: dt.convert_time_zone() to that of the stock, then dt.date()",
        ),
        (time and is_text(dtype), "Parse it, as with str.to_date() or str.to_datetime()"),
        (time and dtype.is_numeric(), "Say what it counts: pl.from_epoch(column, time_unit='d'), 's' or 'ms'"),
        (not number and dtype.is_float(), "Cast to Int64, then to String if it is text elsewhere"),
        (dtype == pl.Object, "The column mixes types of Python objects: make it one type"),
    )
    return next((hint for applies, hint in hints if applies), f"Give {KINDS[kind]}")


def missing_hint(name: str, given: Sequence[str]) -> str:
    """Where a column that is missing may be."""
    near = next((column for column in given if column.strip().lower() == name), None)
    return (
        f"The column {near!r} looks like it: rename it" if near else f"The table has {', '.join(given) or 'no columns'}"
    )


def conform(frame: pl.DataFrame, table: str, contract: Mapping[str, Column], findings: Findings) -> pl.DataFrame:
    """The frame without optional columns that hold nothing; notes columns that are missing or of a wrong type.

    Columns of a wrong type are left out of what is returned, so that later checks need not think of them.
    """
    for column in contract.values():
        if column.required and column.name not in frame.columns:
            hint = missing_hint(column.name, frame.columns)
            findings.add("column_missing", f"the column {column.name} is missing", table, column.name, hint=hint)
    kept = []
    for series in frame:
        known = contract.get(series.name)
        if known is None:
            kept.append(series)
        elif series.null_count() == len(series):
            # Of these a null means something else than an absent column; all priorities null order as all 0 do.
            defaulted = known.kind == "text" and known.absent is not None
            if known.required or (len(series) and (defaulted or not known.nullable)):
                kept.append(pl.Series(series.name, [None] * len(series), EMPTY.get(known.kind, pl.String())))
        elif fits(series.dtype, known.kind):
            kept.append(series)
        else:
            message = f"the column is {series.dtype}, {KINDS[known.kind]} is expected"
            findings.add("column_type", message, table, series.name, hint=type_hint(series.dtype, known.kind))
    return pl.DataFrame(kept) if kept else frame.clear()


def checks(
    frame: pl.DataFrame, contract: Mapping[str, Column], unread: Mapping[str, pl.Series] | None = None
) -> Iterator[Check]:
    """What can be wrong with single values of the columns of the contract; that some could not be read was told."""
    for series in frame:
        if (column := contract.get(series.name)) is None:
            continue
        cell = pl.col(series.name)
        if not column.nullable and series.null_count():
            hint = f"Leave the column out, or fill it with {column.absent}" if column.absent is not None else ""
            known = pl.lit((unread or {}).get(series.name, False))
            yield Check("value_null", series.name, cell.is_null() & ~known, "a value is missing", hint)
        yield from _value_checks(series.dtype, column, cell)


def _value_checks(dtype: pl.DataType, column: Column, cell: pl.Expr) -> Iterator[Check]:
    match column.kind:
        case "quantity":
            if not dtype.is_unsigned_integer():
                yield Check("qty_out_of_range", column.name, cell < 0, "a quantity is below zero", "Zero is the least")
        case "integer" if column.unit == "days":
            yield Check(
                "days_range",
                column.name,
                (cell < 0) | (cell > DAYS_MAX),
                f"a number of days is not between 0 and {DAYS_MAX}",
            )
        case "day" | "moment":
            yield from _date_checks(dtype, column, cell)
        case "id" | "key" | "text" if is_text(dtype) and (column.required or column.kind == "id"):
            yield Check("value_empty", column.name, cell.cast(pl.String).str.len_bytes() == 0, "an empty string")
        case _:
            return


def _date_checks(dtype: pl.DataType, column: Column, cell: pl.Expr) -> Iterator[Check]:
    steps = STEPS_PER_DAY[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 1
    low, high = ((day - dt.date(1970, 1, 1)).days for day in (dt.date.min, dt.date.max))
    count = cell.to_physical()
    if dtype != pl.Datetime("ns"):  # which cannot leave the years 1677 to 2262
        yield Check(
            "date_range",
            column.name,
            (count < low * steps) | (count >= (high + 1) * steps),
            "a date is not between the years 1 and 9999",
            "It looks like milliseconds that were read as seconds, or seconds as days",
            since_1970=dtype.time_unit if isinstance(dtype, pl.Datetime) else "days",
        )
    if column.kind == "day" and steps > 1:
        yield Check("date_with_time", column.name, count % steps != 0, "a day has a time of day", "Use dt.date()")


def named_quantity(name: str) -> Column:
    """The contract of a demand column in which a fill rule finds a minimum or a pack."""
    return Column(name, "quantity", "A minimum or a pack of a fill rule.", "base units, or `unit`", nullable=True)
