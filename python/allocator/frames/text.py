"""Columns of text, as CSV and JSON hold them, in the types that the contract of their table asks for."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from allocator.frames.findings import Check, Findings
from allocator.model.tables import Column, Kind

INTEGER = r"^[+-]?\d+$"
PLAIN_INTEGER = r"^(0|-?[1-9]\d{0,17})$"
PLAIN_DECIMAL = r"^-?(0|[1-9]\d*)\.\d+$"
DECIMAL = r"^[+-]?\d+(\.\d*)?$"
DAY = r"^\d{4}-\d{2}-\d{2}$"
MOMENT = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$"

EXPECTED: Mapping[Kind, str] = {
    "quantity": "a whole number or a decimal with a point, such as 12 or 33.60",
    "money": "a whole number or a decimal with a point, such as 12 or 33.60",
    "integer": "a whole number",
    "day": "a day such as 2026-06-30",
    "moment": "a time such as 2026-06-30T14:05:00, without a zone",
    "flag": "true or false",
}


def parse(
    frame: pl.DataFrame, table: str, contract: Mapping[str, Column], findings: Findings, *, infer: bool
) -> pl.DataFrame:
    """The frame with its columns of text parsed as the contract says, null where that is not possible.

    Args:
        frame: The frame as read.
        table: For messages.
        contract: The table's columns.
        findings: Gets `value_text` for every value that cannot be parsed, and which values these are.
        infer: Whether columns that the contract does not know become integers, decimals, days or booleans where all
            their values look like such.
    """
    columns: list[pl.Series] = []
    bad: dict[str, pl.Series] = {}
    for series in frame:
        known = contract.get(series.name)
        if series.dtype != pl.String or (known is None and not infer):
            columns.append(series)
        elif known is None:
            columns.append(_inferred(series))
        elif known.kind in EXPECTED:
            parsed = _as_kind(series, known.kind)
            bad |= _told(series, parsed, table, known.kind, findings)
            columns.append(parsed)
        else:
            columns.append(series)
    if bad:
        findings.unread[table] = bad
    return pl.DataFrame(columns)


def _told(text: pl.Series, parsed: pl.Series, table: str, kind: Kind, findings: Findings) -> dict[str, pl.Series]:
    """Which rows could not be parsed, by the name of the column, if any; they are noted."""
    bad = parsed.is_null() & text.is_not_null()
    if bad.any():
        # A number, but one that does not fit.
        beyond = bad & text.str.contains(INTEGER if kind == "integer" else DECIMAL)
        if beyond.any() and kind in ("quantity", "money", "integer"):
            message = "the number is more than 2⁶³ - 1, or has more than 38 digits"
            check = Check("value_overflow", text.name, pl.lit(beyond), message, "Use a larger unit")
            findings.run(table, text.to_frame(), [check])
            bad &= ~beyond
    if bad.any():
        message = f"the text is not {EXPECTED[kind]}"
        # A moment is a day only somewhere.
        moment = kind == "day" and text.filter(bad).str.contains(r"\d:\d").any()
        hint = "A day needs a place: convert it to the zone of the warehouse" if moment else ""
        findings.run(table, text.to_frame(), [Check("value_text", text.name, pl.lit(bad), message, hint)])
    unread = parsed.is_null() & text.is_not_null()
    return {text.name: unread} if unread.any() else {}


def _as_kind(series: pl.Series, kind: Kind) -> pl.Series:
    match kind:
        case "quantity" | "money":
            return _as_number(series)
        case "integer":
            return series.set(~series.str.contains(INTEGER), None).cast(pl.Int64, strict=False)
        case "day":
            return series.set(~series.str.contains(DAY), None).str.to_date("%Y-%m-%d", strict=False)
        case "moment":
            return _as_moment(series)
        case _:
            flags = {"true": True, "false": False}
            return series.str.to_lowercase().replace_strict(flags, default=None, return_dtype=pl.Boolean)


def _as_number(series: pl.Series) -> pl.Series:
    """Int64 if no value has decimals, else Decimal with as many decimals as the value that has most."""
    plain = series.set(~series.str.contains(DECIMAL), None)
    decimals = max(plain.str.splitn(".", 2).struct.field("field_1").str.len_bytes().unique().drop_nulls(), default=0)
    if not decimals:
        return plain.str.strip_suffix(".").cast(pl.Int64, strict=False)
    return plain.cast(pl.Decimal(38, min(decimals, 38)), strict=False)


def _as_moment(series: pl.Series) -> pl.Series:
    plain = series.set(~series.str.contains(MOMENT), None).str.replace(" ", "T", literal=True)
    filled = plain.to_frame("t").select(
        pl.when(pl.col.t.str.len_bytes() == 10)
        .then(pl.col.t + "T00:00:00")
        .when(pl.col.t.str.len_bytes() == 16)
        .then(pl.col.t + ":00")
        .otherwise(pl.col.t)
        .alias(series.name)
    )
    return filled.to_series().str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)


def _inferred(series: pl.Series) -> pl.Series:
    """The type that all values look like; text with leading zeros stays text."""
    values = series.drop_nulls()
    if values.is_empty():
        return series
    if values.str.contains(PLAIN_INTEGER).all():
        return series.cast(pl.Int64)
    if (values.str.contains(PLAIN_DECIMAL) | values.str.contains(PLAIN_INTEGER)).all():
        return _as_number(series)
    looks: tuple[tuple[str, Kind], ...] = ((DAY, "day"), (MOMENT, "moment"), ("^(?i:true|false)$", "flag"))
    for pattern, kind in looks:
        if (
            values.str.contains(pattern).all()
            and (parsed := _as_kind(series, kind)).null_count() == series.null_count()
        ):
            return parsed
    return series
