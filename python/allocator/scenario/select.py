"""Which rows a lever means, and whether what it names is there at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from allocator.frames.findings import Findings
from allocator.frames.named import family
from allocator.frames.prepare import Table
from allocator.model.document import did_you_mean
from allocator.model.exact import Constant
from allocator.model.tables import TABLES
from allocator.scenario.compete import Competition


def values_of(constants: object) -> tuple[Constant, ...]:
    """One value or several, as several."""
    return constants if isinstance(constants, tuple) else (constants,)


def check_where(
    where: Mapping[str, object],
    table: str,
    frame: pl.DataFrame,
    competition: Competition,
    *,
    path: str,
    findings: Findings,
) -> None:
    """Notes columns that the table does not have, values of the wrong kind, and SKUs that nobody knows."""
    for column, constants in where.items():
        at = f"{path}.where.{column}"
        if column not in frame.columns:
            known = TABLES[table].get(column)
            if known is None or known.absent is None:
                names = [name for name in frame.columns if " " not in name]
                hint = did_you_mean(column, names) or f"It has {', '.join(names)}"
                message = f"the {table} has no such column, or it holds no value"
                findings.add("column_missing", message, "scenario", at, value=column, hint=hint)
            continue
        kind = family(frame.schema[column])
        wrong = [value for value in values_of(constants) if not _fits(value, kind)]
        if wrong or kind is None:
            message = f"the column {column} of the {table} is {frame.schema[column]}"
            findings.add("column_type", message, "scenario", at, value=wrong[0] if wrong else None)
        elif column == "sku":
            skus = pl.Series([_said(value, kind) for value in values_of(constants)])
            for sku in skus.filter(~competition.codes(skus)[1]):
                hint = did_you_mean(str(sku), competition.skus.head(10_000).cast(pl.String).to_list())
                findings.add(
                    "sku_unknown", "neither stock nor demand has this SKU", "scenario", at, value=sku, hint=hint
                )


def _fits(value: object, kind: str | None) -> bool:
    if kind == "text":
        return isinstance(value, str | dt.date)
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "time":
        return isinstance(value, dt.date)
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _said(value: object, kind: str | None) -> object:
    """Text that spells a day was read as that day; in a column of text it is text again."""
    return value.isoformat() if kind == "text" and isinstance(value, dt.date) else value


def matches(where: Mapping[str, object], table: Table) -> pl.Expr:
    """Whether a row is meant. Columns and values were checked."""
    frame = table.frame
    found = pl.lit(value=True)
    for column, constants in where.items():
        values = values_of(constants)
        known = TABLES[table.name].get(column)
        if column not in frame.columns and known is not None:
            if isinstance(known.absent, str) and known.absent.startswith("="):
                found &= _is_one_of(known.absent[1:], values, table)
            else:
                found &= pl.lit(known.absent in values)
        elif known is not None and known.kind == "path":
            path = pl.col(column).cast(pl.String)
            found &= pl.any_horizontal((path == place) | path.str.starts_with(f"{place}/") for place in values)
        else:
            found &= _is_one_of(column, values, table)
    return found.fill_null(value=False)


def _is_one_of(column: str, values: tuple[object, ...], table: Table) -> pl.Expr:
    kind = family(table.frame.schema[column])
    if kind == "text":
        return pl.col(column).cast(pl.String).is_in([_said(value, kind) for value in values])
    if column in table.quantities:
        units = [value * 10**table.scale for value in values]
        values = tuple(int(each) for each in units if each == int(each))
    return pl.any_horizontal([pl.lit(value=False), *(pl.col(column) == value for value in values)])
