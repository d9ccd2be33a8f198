"""What came of an import, and every row that was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.errors import FileError, InputError, Problem
from allocator.frames.findings import VALUE_LENGTH_MAX
from allocator.frames.write import whole

SCHEMA: Final = {
    "row": pl.Int64,
    "column": pl.String,
    "value": pl.String,
    "code": pl.String,
    "message": pl.String,
    "hint": pl.String,
}
SUFFIXES: Final = (".csv", ".parquet")
FORMULA: Final = r"\A([=+\-@\t\r])"
"""How a cell begins that a spreadsheet would calculate."""


class BadRows:
    """Everything that is wrong with rows of a file, kept by the column: there may be a million of them."""

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}
        self._parts: list[pl.DataFrame] = []

    def add(self, code: str, column: str, rows: pl.Series, values: pl.Series, why: tuple[str, str]) -> None:
        """Notes what is wrong with one column of some rows, and what to do; `column` is that of a receipt."""
        if rows.is_empty():
            return
        self._parts.append(
            pl.DataFrame([rows.alias("row"), values.alias("value")]).select(
                row=pl.col("row").cast(pl.Int64),
                column=pl.lit(self.headers.get(column, column)),
                value=pl.col("value").cast(pl.String).str.head(VALUE_LENGTH_MAX),
                code=pl.lit(code),
                message=pl.lit(why[0]),
                hint=pl.lit(why[1]),
            )
        )

    def take(self, told: Sequence[Sequence[Any]]) -> None:
        """Notes problems: the fields of `Problem`, with the row of the file."""
        rows = [(row, self.headers.get(column, column), value, code, message, hint)
                for code, message, _, column, row, value, hint in told]  # fmt: skip
        if rows:
            self._parts.append(pl.DataFrame(rows, schema=SCHEMA, orient="row"))

    def rows(self) -> pl.Series:
        """The rows that are wrong, each once."""
        return self.frame()["row"].drop_nulls().unique()

    def frame(self) -> pl.DataFrame:
        """One row per thing that is wrong, as `ImportReport.bad`."""
        found = pl.concat([pl.DataFrame(schema=SCHEMA), *self._parts])
        self._parts = [found.unique(maintain_order=True).sort("row", "column", "code", maintain_order=True)]
        return self._parts[0]


@dataclass(frozen=True)
class ImportReport:
    """What an import did; a dry run says what it would do.

    Attributes:
        rows: Rows of the file.
        lines: Units and quantities that they stand for; a row with a range of serials stands for several.
        recorded: Lines that were recorded.
        bad: One row per thing that is wrong: `row` (Int64; from 0, beneath the header; null where it is no single row),
            `column` (String; as the file calls it), `value`, `code`, `message`, `hint` (String). By row, column, code.
        seqs: The transactions; none in a dry run.
        dry_run: Whether nothing was recorded because nothing should be.
    """

    rows: int
    lines: int
    recorded: int
    bad: pl.DataFrame
    seqs: tuple[int, ...]
    dry_run: bool

    @property
    def rows_bad(self) -> int:
        """How many rows are wrong."""
        return self.bad["row"].drop_nulls().n_unique()

    def error(self) -> InputError | None:
        """Everything that is wrong, as an error; None where nothing is."""
        if self.bad.is_empty():
            return None
        fields = self.bad.select("code", "message", table=pl.lit("file"), c="column", r="row", v="value", h="hint")
        return InputError(Problem(*row) for row in fields.iter_rows())

    def write(self, path: str | Path) -> None:
        """Writes the rows that are wrong, as CSV or Parquet.

        In CSV, a cell that a spreadsheet would calculate begins with an apostrophe.

        Raises:
            FileError: `file_format`, `file_unwritable`.
        """
        check_suffix(path)
        text = pl.col(pl.String).str.replace(FORMULA, "'$1")
        try:
            if Path(path).suffix.lower() == ".csv":
                whole(Path(path), lambda part: self.bad.with_columns(text).write_csv(part))
            else:
                whole(Path(path), lambda part: self.bad.write_parquet(part, mkdir=False))
        except OSError as error:
            message = f"the report cannot be written: {error.strerror or error}"
            raise FileError(Problem("file_unwritable", message, value=str(path)[:80])) from None


def check_suffix(path: str | Path) -> None:
    """Refuses a report whose format nobody can tell.

    Raises:
        FileError: `file_format`.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        hint = f"Use {' or '.join(SUFFIXES)}"
        message = "a report is not written in this format"
        raise FileError(Problem("file_format", message, value=str(path)[:80], hint=hint))
