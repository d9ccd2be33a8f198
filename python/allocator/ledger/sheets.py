"""Tables as files for other tools, and back: Parquet, CSV and Excel; exact, without cells that a sheet would run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl

from allocator.errors import AllocatorError, FileError, InputError, Problem
from allocator.frames.read import shown_error

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

ERRORS: Final = {"Div0": "#DIV/0!", "NA": "#N/A", "Name": "#NAME?", "Null": "#NULL!", "Num": "#NUM!", "Ref": "#REF!",
                 "Value": "#VALUE!", "GettingData": "#GETTING_DATA"}  # fmt: skip
"""What a sheet shows for each error that a cell can hold."""

CELL_ERROR: Final = ("the cell holds an error of the sheet, and no value", "Mend the formula, or type the value")
"""What is wrong with such a cell, and what to do."""


class CellError(NamedTuple):
    """A cell that holds an error: where, and what the sheet shows."""

    row: int
    column: str
    shown: str


class Sheet(NamedTuple):
    """A sheet of a workbook.

    Attributes:
        frame: Every cell as text; a day as `2026-06-30 00:00:00`, null where nothing or an error is.
        numbers: By column, the cells that are numbers and no text of digits; null elsewhere.
        errors: The cells that hold an error.
    """

    frame: pl.DataFrame
    numbers: Mapping[str, pl.Series]
    errors: Sequence[CellError]


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
        FileError: `file_unreadable`, `cell_error`: it is not what was written.
    """
    try:
        if path.suffix == ".parquet":
            found = pl.read_parquet(path)
        elif path.suffix == ".csv":
            found = undefused(pl.read_csv(path, infer_schema=False))
        else:
            found = undefused(_whole_sheet(path))
        bytes_ = [name for name, dtype in schema.items() if dtype == pl.Binary and found.schema.get(name) == pl.String]
        found = found.with_columns(pl.col(bytes_).str.decode("hex"))
        return found.select(list(schema)).cast(pl.Schema(schema)).with_columns(pl.selectors.string().fill_null(""))
    except AllocatorError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"this is not what was exported: {str(error).strip().splitlines()[0][:200]}"
        raise FileError(Problem("file_unreadable", message, value=str(path))) from None


def _whole_sheet(path: Path) -> pl.DataFrame:
    sheet = read_sheet(path)
    if sheet.errors:
        message, hint = CELL_ERROR
        found = (Problem("cell_error", message, path.stem, name, row, shown, hint) for row, name, shown in sheet.errors)
        raise FileError(found)
    return sheet.frame


def read_sheet(path: Path, name: str | None = None, header_row: int = 0) -> Sheet:
    """Reads a sheet of a workbook, the first if none is named; each cell is what it is, whatever else is in its column.

    Raises:
        FileError: `file_format`, `file_unreadable`.
        InputError: `setting_value`: there is no such sheet.
    """
    try:
        import fastexcel  # noqa: PLC0415 - an extra
        import pyarrow as pa  # noqa: F401, PLC0415 - with which fastexcel tells what is in cells that it cannot read
    except ImportError:
        hint = "Install allocator[excel], or save the sheet as CSV"
        message = "workbooks are read by fastexcel with pyarrow, which is not installed"
        raise FileError(Problem("file_format", message, "file", value=str(path)[:80], hint=hint)) from None
    try:
        book = fastexcel.read_excel(str(path))
        if name is not None and name not in book.sheet_names:
            hint = f"There are {', '.join(book.sheet_names)}"
            problem = Problem("setting_value", "the workbook has no such sheet", "mapping", "sheet", None, name, hint)
            raise InputError(problem)
        load = partial(book.load_sheet, name or 0, header_row=header_row)
        batch, told = load(dtypes="string").to_arrow_with_errors()
        # Of all cells only numbers and flags can be flags.
        flags, floats = load(dtypes="boolean").to_polars(), load(dtypes="float").to_polars()
    except fastexcel.FastExcelError as error:
        hint = "Is it a workbook, and the headers in the row that the mapping says?"
        problem = Problem("file_unreadable", shown_error(error), "file", value=str(path)[:80], hint=hint)
        raise FileError(problem) from None
    frame = pl.DataFrame(batch)
    numbers = {}
    for column in floats:
        is_number = flags[column.name].is_not_null() & ~frame[column.name].is_in(["true", "false"]).fill_null(False)
        if is_number.any():
            numbers[column.name] = column.set(~is_number, None)
    errors = [_cell_error(frame, *each.offset_position, each.detail) for each in (told.errors if told else ())]
    return Sheet(frame, numbers, errors)


def _cell_error(frame: pl.DataFrame, row: int, column: int, detail: str) -> CellError:
    kind = re.search(r"Error\((\w+)\)", detail)
    return CellError(row, frame.columns[column], ERRORS.get(kind[1], "#") if kind else "#")
