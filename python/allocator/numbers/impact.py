"""Which units a recall hits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from allocator.frames.columns import is_text
from allocator.frames.findings import ROWS_MAX, Check, Findings
from allocator.frames.read import Source, read

PRODUCTS: Final = ("sku", "gtin")
DATED: Final[Mapping[str, str]] = {"expiry": "expires_on", "made": "made_on"}
NUMBERED: Final = ("lot", "serial")
HIT: Final = {"unit": pl.UInt32(), "recall_row": pl.UInt32(), "uncertain": pl.Boolean()}
ANSWERED: Final = ("recall_row", "recall_kind", "certain", "unit")
SPANS: Final = (pl.col("first") != pl.col("last")).fill_null(False)
RECALLED: Final = ("row", "kind", "first", "last", "first_on", "last_on", "confidence")


def match_recall(units: Source, recall: Source) -> pl.DataFrame:
    """The units that a recall names.

    Args:
        units: One row per unit or lot balance. Columns read, others kept; all may be absent, and null is unknown:
            `lot`, `serial` (text), `expires_on`, `made_on` (Date), `sku`, `gtin` (text).
        recall: Rows as of `parse_recall`, perhaps corrected by hand. Columns `sku` or `gtin`, if they are added, say
            what the row is about; null is any product.

    Returns:
        The units hit, in their order, each once, with

        - `recall_row` (UInt32): the row of `recall` that names it; of several a certain one before others.
        - `recall_kind` (as `kind` of `recall`): what the unit was found by.
        - `certain` (Boolean): whether the text says so. It does not if the row's confidence is low, or if the unit was
          found by a date although the same text names lots or serials of the product: it may be none of these.

        A lot or serial is the same if letters and digits are, whatever their case and what is between them. A range has
        every number with the same characters before its digits and as many digits. A date names units whose date lies
        within it. Kinds `traded`, `product`, `none` and `not_understood` name no unit: read them.

    Raises:
        InputError: `column_missing`, `column_type`, `column_reserved`, `range_ends_differ` (in rows changed by
            hand), and everything of reading a table.

    Cost: a join for each kind of row and combination of `sku` and `gtin`; O((units + rows) log rows), however wide
    or many the ranges are.

    Example:
        >>> from allocator.numbers import parse_recall
        >>> units = pl.DataFrame({"lot": ["A-106", "A111", "B7"], "holder": ["W1", "C9", "W1"]})
        >>> match_recall(units, parse_recall(["Lots A105 through A110"]))["holder"].to_list()
        ['W1']
    """
    units, recall = read(units, "units"), read(recall, "recall")
    _check(units, recall)
    named = recall.with_row_index("recall_row").with_columns(
        uncertain=(pl.col("confidence") == "low").fill_null(True),
        numbered=pl.col("kind").is_in(NUMBERED).any().over("row"),
    )
    found = [hits for part, keys in _by_product(named) for hits in _hits(units.with_row_index("unit"), part, keys)]
    every = pl.concat([pl.DataFrame(schema=HIT), *found])
    first = every.sort("unit", "uncertain", "recall_row").unique("unit", keep="first", maintain_order=True)
    kinds = named.select("recall_row", recall_kind="kind")
    answer = first.join(kinds, on="recall_row", how="left", maintain_order="left")
    return pl.concat(
        [units[answer["unit"]], answer.select("recall_row", "recall_kind", certain=~pl.col("uncertain"))],
        how="horizontal",
    )


def _check(units: pl.DataFrame, recall: pl.DataFrame) -> None:
    findings = Findings()
    texts = {"units": (*NUMBERED, *PRODUCTS), "recall": ("kind", "first", "last", "confidence", *PRODUCTS)}
    dates = {"units": DATED.values(), "recall": ("first_on", "last_on")}
    for table, frame in (("units", units), ("recall", recall)):
        for name, dtype in frame.schema.items():
            if name in texts[table] and not (is_text(dtype) or dtype == pl.Null):
                findings.add("column_type", f"the column is {dtype}, text is expected", table, name)
            if name in dates[table] and dtype not in (pl.Date, pl.Null):
                findings.add("column_type", f"the column is {dtype}, Date is expected", table, name)
    for name in RECALLED:
        if name not in recall.columns:
            findings.add("column_missing", f"the column {name} is missing", "recall", name, hint="Use parse_recall")
    for table, frame, names in (("units", units, ANSWERED), ("recall", recall, ("recall_row",))):
        for name in set(names) & set(frame.columns):
            findings.add("column_reserved", "the answer has a column of this name", table, name, hint="Rename it")
    for name in PRODUCTS:
        if name in recall.columns and recall[name].null_count() < len(recall) and name not in units.columns:
            findings.add("column_missing", f"the recall is about a {name}, and the units have none", "units", name)
    if not findings.problems:
        _check_ranges(recall, findings)
    findings.raise_any()


def _check_ranges(recall: pl.DataFrame, findings: Findings) -> None:
    """A range that cannot be counted would hit nothing, and nobody would know."""
    first, last = _tail(recall["first"]), _tail(recall["last"])
    counts = (first["head"] == last["head"]) & (first["width"] == last["width"]) & (first["number"] <= last["number"])
    spans = recall.select(SPANS & pl.col("kind").cast(pl.String).is_in(NUMBERED)).to_series()
    wrong = (spans & ~counts.fill_null(False)).arg_true()
    rows = [(row, f"{recall['first'][row]} to {recall['last'][row]}") for row in wrong.head(ROWS_MAX)]
    message = "the ends of a range differ in more than the digits at their end, or go down"
    findings.rows(Check("range_ends_differ", "first", pl.lit(True), message), "recall", rows, len(wrong))


def _by_product(named: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, list[str]]]:
    """The recall's rows by which of `sku` and `gtin` they name."""
    given = [name for name in PRODUCTS if name in named.columns]
    for known in ([], ["sku"], ["gtin"], ["sku", "gtin"]):
        if set(known) <= set(given):
            part = named.filter(*(pl.col(name).is_not_null() == (name in known) for name in given))
            if len(part):
                yield part, known


def _hits(units: pl.DataFrame, named: pl.DataFrame, keys: list[str]) -> Iterator[pl.DataFrame]:
    """Units hit (`unit`, `recall_row`, `uncertain`), by each kind of row."""
    every = named.filter(pl.col("kind").cast(pl.String) == "all")
    if len(every):
        yield from _same(units, every, keys or None)
    for kind in NUMBERED:
        rows = named.filter((pl.col("kind").cast(pl.String) == kind) & pl.col("first").is_not_null())
        if kind in units.columns and units[kind].dtype != pl.Null and len(rows):
            known = units.filter(pl.col(kind).is_not_null())
            single, ranges = rows.filter(~SPANS), rows.filter(SPANS)
            one = single.with_columns(code=_plain(single["first"]))
            yield from _same(known.with_columns(code=_plain(known[kind])), one, [*keys, "code"])
            if len(ranges):
                ends = _tail(ranges["first"]).rename({"number": "low"})
                ranges = pl.concat([ranges, ends], how="horizontal")
                ranges = ranges.with_columns(high=_tail(ranges["last"])["number"])
                told = pl.concat([known, _tail(known[kind])], how="horizontal")
                yield from _within(told, ranges, [*keys, "head", "width"], "number")
    for kind, column in DATED.items():
        rows = named.filter(
            (pl.col("kind").cast(pl.String) == kind) & pl.any_horizontal(pl.col("first_on", "last_on").is_not_null())
        )
        if column in units.columns and units[column].dtype != pl.Null and len(rows):
            low, high = pl.col("first_on").fill_null(dt.date.min), pl.col("last_on").fill_null(dt.date.max)
            rows = rows.with_columns(low=low, high=high, uncertain=pl.col("uncertain") | pl.col("numbered"))
            yield from _within(units.filter(pl.col(column).is_not_null()), rows, keys, column)


def _plain(codes: pl.Series) -> pl.Series:
    """Letters and digits, in capitals: what is between them is a matter of print."""
    text = codes.cast(pl.String).str.to_uppercase()
    between = text.str.contains(r"[^0-9A-Z]").fill_null(False)
    return text.scatter(between.arg_true(), text.filter(between).str.replace_all(r"[^\p{L}\p{N}]", ""))


def _tail(codes: pl.Series) -> pl.DataFrame:
    """Numbers in three: `head`, what is before the last digits; `width`, how many these are; `number`, their value."""
    plain = _plain(codes).to_frame("code")
    head = pl.col("code").str.strip_chars_end("0123456789")
    width = pl.col("code").str.len_chars() - head.str.len_chars()
    digits = pl.when(width.is_between(1, 18)).then(pl.col("code").str.tail(width))
    return plain.select(head=head, width=width, number=digits.cast(pl.Int64))


def _same(units: pl.DataFrame, rows: pl.DataFrame, keys: list[str] | None) -> Iterator[pl.DataFrame]:
    """Units whose keys are those of a row; without keys, every unit."""
    best = rows.sort("uncertain", "recall_row")
    if keys is None:
        yield units.select(
            "unit", recall_row=pl.lit(best["recall_row"][0], pl.UInt32), uncertain=pl.lit(best["uncertain"][0])
        )
    elif len(best):
        best = best.unique(keys, keep="first", maintain_order=True).select(*keys, "recall_row", "uncertain")
        yield _cast_keys(units, keys).join(_cast_keys(best, keys), on=keys).select("unit", "recall_row", "uncertain")


def _within(units: pl.DataFrame, rows: pl.DataFrame, keys: list[str], value: str) -> Iterator[pl.DataFrame]:
    """Units whose value lies within `low` to `high` of a row with the same keys.

    Of the rows that begin at or before a value, that with the greatest end holds it if any does. So each unit looks up
    one row, however many overlap; certain rows are looked up before uncertain ones.
    """
    for uncertain in (False, True):
        some = _cast_keys(rows.filter(pl.col("uncertain") == uncertain), keys).sort("low", "recall_row")
        if not len(some):
            continue
        over = [pl.col(key) for key in keys] or [pl.lit(0)]
        furthest = pl.col("high").cum_max().over(over)
        holder = pl.when(pl.col("high") == furthest).then(pl.col("recall_row")).forward_fill().over(over)
        spans = some.with_columns(high=furthest, holder=holder).select(*keys, "low", "high", recall_row="holder")
        asked = _cast_keys(units.select("unit", *keys, value).drop_nulls(), keys).sort(value)
        found = asked.join_asof(
            spans, left_on=value, right_on="low", by=keys or None, strategy="backward", check_sortedness=False
        )
        yield found.filter(pl.col(value) <= pl.col("high")).select("unit", "recall_row", uncertain=pl.lit(uncertain))


def _cast_keys(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Keys of text as plain strings: categories of two frames cannot be compared."""
    return frame.with_columns(pl.col(key).cast(pl.String) for key in keys if is_text(frame.schema[key]))
