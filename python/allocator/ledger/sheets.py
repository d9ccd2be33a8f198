"""Tables as files for other tools, and back: Parquet, CSV and Excel; exact, without cells that a sheet would run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.errors import FileError, InputError, Problem

ROWS_MAX: Final = 1_048_575
"""Rows of a sheet of Excel, without its head."""

_EPOCH: Final = dt.datetime(1970, 1, 1)

AUTOFIT_MAX: Final = 10_000
"""Rows up to which columns are as wide as what they hold: it costs a look at every cell."""

TEXT_MAX: Final = 32_767
"""Characters of a cell of Excel."""

EXACT_MAX: Final = 2**53
"""Integers that Excel holds exactly are below this."""

RISKY: Final = r"^['=+\-@\t\r\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""Texts that a sheet takes for a formula, and those that begin with the sign that defuses them."""


def defused(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that would start a formula begin with `'`; what begins with it gets one more, so that it can be undone.

    Source: OWASP, 'CSV Injection'.

    Example:
        >>> defused(pl.DataFrame({"note": ["=1+1", "fine", "'tis"]}))["note"].to_list()
        ["'=1+1", 'fine', "''tis"]
    """
    texts = pl.selectors.string()
    return frame.with_columns(pl.when(texts.str.contains(RISKY)).then(pl.lit("'") + texts).otherwise(texts).name.keep())


def undefused(frame: pl.DataFrame) -> pl.DataFrame:
    """Undoes `defused`."""
    texts = pl.selectors.string()
    marked = texts.str.contains("^'") & texts.str.slice(1).str.contains(RISKY)
    return frame.with_columns(pl.when(marked).then(texts.str.slice(1)).otherwise(texts).name.keep())


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Without what neither CSV nor Excel has: bytes become hexadecimal, lists and structs JSON."""
    return frame.with_columns(
        pl.selectors.binary().bin.encode("hex"),
        pl.selectors.by_dtype(pl.Enum, pl.Categorical).cast(pl.String),
    )


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    defused(_plain(frame)).write_csv(path)


def _write_excel(frame: pl.DataFrame, path: Path) -> None:
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError:
        hint = "Install the extra: pip install 'allocator[excel]'"
        raise FileError(Problem("file_format", "Excel needs xlsxwriter", value=str(path), hint=hint)) from None
    if frame.height > ROWS_MAX:
        hint = "Write Parquet or CSV, or fewer rows"
        message = f"a sheet of Excel has at most {ROWS_MAX:,} rows"
        raise InputError(Problem("too_many_rows", message, value=str(frame.height), hint=hint))
    shown = defused(_plain(frame))
    large = [n for n, d in shown.schema.items() if d.is_integer() and _greatest(shown[n]) >= EXACT_MAX]
    shown = shown.with_columns(
        pl.col(large).cast(pl.String),
        pl.selectors.decimal().cast(pl.String),
        pl.selectors.datetime().dt.strftime("%Y-%m-%d %H:%M:%S%.6f"),
    )
    long = [name for name, d in shown.schema.items() if d == pl.String and _longest(shown[name]) > TEXT_MAX]
    if long:
        hint = "Write Parquet or CSV"
        message = f"a cell of Excel has at most {TEXT_MAX:,} characters"
        raise InputError(Problem("value_overflow", message, column=long[0], hint=hint))
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        # The clock would make two exports of the same rows differ.
        book.set_properties({"created": _EPOCH})
        shown.write_excel(
            book, worksheet=path.stem[:31], autofit=frame.height < 1000, dtype_formats={pl.Date: "yyyy-mm-dd"}
        )


def _greatest(column: pl.Series) -> int:
    found = column.cast(pl.Int64).abs().max() if column.len() else None
    return int(found) if isinstance(found, int) else 0


def _longest(column: pl.Series) -> int:
    return _greatest(column.str.len_chars().fill_null(0))


WRITERS: Final[Mapping[str, Callable[[pl.DataFrame, Path], object]]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": _write_csv,
    ".xlsx": _write_excel,
}
"""By suffix."""


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Writes a table in the format of the suffix, whole or not at all.

    In CSV and Excel, texts that would start a formula are defused, and bytes are hexadecimal; in Excel, decimals and
    moments are texts, so that they stay exact.

    Raises:
        FileError: `file_format`, `file_unwritable`.
        InputError: `too_many_rows`, `value_overflow`: more than Excel holds.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        hint = f"Use {', '.join(WRITERS)}"
        raise FileError(Problem("file_format", "no such format is written", value=str(path), hint=hint))
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        str(path).encode()  # half a character is no name
        write(frame, part)
        part.replace(path)
    except (OSError, UnicodeError) as error:
        if isinstance(error, FileError):
            raise
        message = f"the file cannot be written: {getattr(error, 'strerror', None) or error}"
        raise FileError(Problem("file_unwritable", message, value=str(path))) from None
    finally:
        part.unlink(missing_ok=True)


def read_table(path: Path, schema: dict[str, Any]) -> pl.DataFrame:
    """Reads what `write_table` wrote, with the columns and types of `schema`; texts are never null.

    Raises:
        FileError: `file_unreadable`: it is not what was written.
    """
    try:
        if path.suffix == ".parquet":
            found = pl.read_parquet(path)
        elif path.suffix == ".csv":
            found = undefused(pl.read_csv(path, infer_schema=False))
        else:
            found = undefused(pl.read_excel(path, infer_schema_length=0))
        bytes_ = [name for name, dtype in schema.items() if dtype == pl.Binary and found.schema.get(name) == pl.String]
        found = found.with_columns(pl.col(bytes_).str.decode("hex"))
        return found.select(list(schema)).cast(pl.Schema(schema)).with_columns(pl.selectors.string().fill_null(""))
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"this is not what was exported: {str(error).strip().splitlines()[0][:200]}"
        raise FileError(Problem("file_unreadable", message, value=str(path))) from None
