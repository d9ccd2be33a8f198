"""Files as others write them, as columns of text by the names of a receipt."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import polars as pl

from allocator.errors import AllocatorError, FileError, InputError, Problem
from allocator.frames.read import Source, read, shown_error
from allocator.ledger.sheets import CellError, Sheet, read_sheet
from allocator.model.importing import ImportMapping

TABLE: Final = "file"
WORKBOOKS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
SEPARATORS: Final[tuple[str, ...]] = (",", ";", "\t", "|")
TEXTS: Final = (".csv", ".tsv", ".txt")
EXACT_MAX: Final = 2.0**53
"""Beyond this a float does not tell one whole number from the next."""

MIDNIGHT: Final = " 00:00:00"
"""What a day that is typed as one ends with, so that it is not mistaken for text in the file's own way of writing."""


class File(NamedTuple):
    """A file as read.

    Attributes:
        frame: Columns of text by the file's own headers, without blanks around; null where nothing is said. A cell that
            holds an error says `#N/A` or the like.
        numbers: By header, which of its cells are numbers, not text in the file's own way of writing.
        mapping: What the headers mean; guessed where that was not said.
        surplus: The first cell beyond the last header, by the row that has one.
    """

    frame: pl.DataFrame
    numbers: Mapping[str, pl.Series]
    mapping: ImportMapping
    surplus: Mapping[int, str]


def read_file(source: Source, mapping: ImportMapping | None) -> File:
    """Reads a CSV file, a workbook, or any other table.

    Days that are typed as such come as `2026-06-30 00:00:00`.

    Raises:
        InputError: `table_unreadable`, `column_type`, `column_duplicate`.
        FileError: `file_missing`, `file_format`, `file_unreadable`.
    """
    suffix = Path(source).suffix.lower() if isinstance(source, str | os.PathLike) else ""
    said = mapping or ImportMapping()
    surplus: dict[int, str] = {}
    numbers: Mapping[str, pl.Series] = {}
    if suffix in TEXTS:
        frame, surplus = _read_csv(Path(source), said)  # type: ignore[arg-type]
    elif suffix in WORKBOOKS:
        sheet = _read_workbook(Path(source), said)  # type: ignore[arg-type]
        frame, numbers = _cells(sheet), sheet.numbers
    else:
        frame = read(source, TABLE)
        numbers = {series.name: series for series in frame if series.dtype.is_numeric()}
    _refuse_twice(frame.columns)
    frame.columns = [name.strip() for name in frame.columns]
    are_numbers = {name.strip(): column.is_not_null() for name, column in numbers.items()}
    return File(_texts(frame, said), are_numbers, mapping or ImportMapping.guess(frame.columns), surplus)


def _texts(frame: pl.DataFrame, mapping: ImportMapping) -> pl.DataFrame:
    """Every column as text without blanks around it; what says nothing is null."""
    problems: list[Problem] = []
    columns = []
    for series in frame:
        try:
            text = _text(series)
        except InputError as error:
            problems += error.problems
            continue
        columns.append(text.str.strip_chars().replace(dict.fromkeys(("", *mapping.empty))))
    if problems:
        raise InputError(problems)
    return pl.DataFrame(columns)


def _text(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if dtype.is_float():
        whole = series.is_finite() & (series == series.round()) & (series.abs() < EXACT_MAX)
        as_integer = series.set(~whole, None).cast(pl.Int64, strict=False).cast(pl.String)
        return as_integer.fill_null(series.cast(pl.String))
    if dtype == pl.Date:
        return series.dt.strftime(f"%Y-%m-%d{MIDNIGHT}")
    if isinstance(dtype, pl.Datetime):
        return series.dt.strftime("%Y-%m-%d %H:%M:%S")
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration):
        message = f"a column of {dtype} cannot be read as the cells of a file"
        raise InputError(Problem("column_type", message, TABLE, series.name))
    return series.cast(pl.String)


def _read_csv(path: Path, mapping: ImportMapping) -> tuple[pl.DataFrame, dict[int, str]]:
    """The table, and the rows that have more cells than it has headers."""
    try:
        if not path.exists():
            raise FileError(Problem("file_missing", "there is no such file", TABLE, value=str(path)[:80]))
        with _opened(path, mapping) as file:
            head = file.readline()
        separator: str = mapping.separator or max((head.count(sign), sign) for sign in SEPARATORS)[1]
        header = next(csv.reader([head], delimiter=separator), [])
        _refuse_twice(header)
        if not header:
            return pl.DataFrame(), {}
        whole: Path | bytes = path
        if mapping.encoding != "utf-8":
            whole = path.read_text(mapping.encoding).encode()
        table = partial(pl.read_csv, whole, separator=separator, skip_lines=mapping.header_row, infer_schema=False,
                        glob=False)  # fmt: skip
        try:
            return table(), {}
        except pl.exceptions.ComputeError:
            if not (surplus := _surplus(path, mapping, separator, len(header))):
                raise
            return table(truncate_ragged_lines=True), surplus
    except AllocatorError:
        raise
    except (UnicodeError, OSError, csv.Error, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        hint = "Is it written in another encoding (as windows-1252), or with another separator? The mapping can say so"
        problem = Problem("file_unreadable", shown_error(error), TABLE, value=str(path)[:80], hint=hint)
        raise FileError(problem) from None


def _opened(path: Path, mapping: ImportMapping) -> TextIO:
    """The file as text, from its headers on."""
    file = path.open(encoding="utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding, newline="")
    for _ in range(mapping.header_row):
        file.readline()
    return file


def _surplus(path: Path, mapping: ImportMapping, separator: str, width: int) -> dict[int, str]:
    with _opened(path, mapping) as file:
        rows = csv.reader(file, delimiter=separator)
        next(rows)
        return {number: cells[width] for number, cells in enumerate(rows) if len(cells) > width}


def _refuse_twice(headers: Sequence[str]) -> None:
    names = [name.strip() for name in headers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(Problem("column_duplicate", "two columns have this header", TABLE, name) for name in twice)


def _read_workbook(path: Path, mapping: ImportMapping) -> Sheet:
    if not os.path.isfile(path):  # noqa: PTH113 - as Path says it, but of names that are too long, too
        raise FileError(Problem("file_missing", "there is no such file", TABLE, value=str(path)[:80]))
    return read_sheet(path, mapping.sheet, mapping.header_row)


def _cells(sheet: Sheet) -> pl.DataFrame:
    """The cells as text: numbers as those of a column that has nothing else, errors as the sheet shows them."""
    frame = sheet.frame.with_columns(
        _text(numbers).fill_null(sheet.frame[name]) for name, numbers in sheet.numbers.items()
    )
    found = pl.DataFrame(sheet.errors, schema=CellError._fields, orient="row")
    return frame.with_columns(
        frame[name].scatter(here["row"], here["shown"]) for (name,), here in found.group_by("column")
    )
