"""Anything tabular as a polars frame: frames, Arrow streams, files, lists by column."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

import polars as pl

from allocator.errors import AllocatorError, FileError, InputError, Problem
from allocator.frames import text
from allocator.frames.findings import Findings, shown
from allocator.model.tables import CURRENT, TABLES


class ArrowStream(Protocol):
    """A pandas frame, a pyarrow table, a DuckDB relation: anything that exports a stream of Arrow records."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The stream, as a capsule."""


DEPTH_MAX: Final = 32
"""Levels of lists within lists that a value of a table has at most."""

Source = pl.DataFrame | pl.LazyFrame | ArrowStream | Mapping[str, Any] | str | os.PathLike[str]
"""What a table may be given as."""


def read(source: Source, table: str, findings: Findings | None = None) -> pl.DataFrame:
    """The table as a polars frame; columns and rows as given.

    Args:
        source: A polars DataFrame or LazyFrame; anything that exports an Arrow stream (pandas, pyarrow, DuckDB); a
            dict of lists; or the path of a Parquet, CSV, Arrow IPC or NDJSON file, told by its suffix. Text of CSV and
            NDJSON is read as the table's contract says: ids keep their leading zeros, decimals are exact, days are
            `2026-06-30`, an empty cell is null.
        table: `stock` or `demand`, or a name of your own, for messages.
        findings: Where text that cannot be parsed is noted (`value_text`) instead of being raised, for a caller who
            goes on to check the rows without such text and raises then.

    Raises:
        InputError: `table_unreadable`, `column_duplicate`, `column_type`, `value_text`, `row_count`.
        FileError: `file_missing`, `file_format`, `file_unreadable`.

    Example:
        >>> read({"line_id": ["L1"], "sku": ["A"], "qty": [3]}, "demand").shape
        (1, 3)
    """
    if isinstance(source, str | os.PathLike):
        own = Findings() if findings is None else findings
        frame = _read_file(Path(source), table, own)
        if findings is None:
            own.raise_any()
        return frame
    if isinstance(source, Mapping):
        return _from_lists(source, table)
    try:
        if isinstance(source, pl.DataFrame):
            return source
        if isinstance(source, pl.LazyFrame):
            return source.collect()
        if hasattr(source, "__arrow_c_stream__"):
            return _from_stream(source, table)
    except AllocatorError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        # Producers raise what they like: pandas on mixed columns, DuckDB on its queries, polars on what it cannot hold.
        hint = "Give each column one type, and one that Arrow has"
        raise InputError(Problem("table_unreadable", shown_error(error), table, hint=hint)) from error
    message = f"{type(source).__name__} is no table"
    hint = "Give a polars, pandas or pyarrow frame, a DuckDB relation, a dict of lists, or the path of a file"
    raise InputError(Problem("table_unreadable", message, table, hint=hint))


def shown_error(error: BaseException) -> str:
    """The first line of an error of another library."""
    lines = str(error).strip().splitlines()
    return shown(lines[0] if lines else type(error).__name__).rstrip(".")


def _from_stream(source: ArrowStream, table: str) -> pl.DataFrame:
    # pyarrow has `column_names`, pandas and DuckDB have `columns`; a bare stream has neither, and polars refuses.
    names = getattr(source, "column_names", getattr(source, "columns", ()))
    refuse_duplicates([str(name) for name in names], table)
    from_duckdb = type(source).__module__.lstrip("_").startswith("duckdb")
    return pl.DataFrame(_StreamAlone(source) if from_duckdb else source)


class _StreamAlone:
    """A stream without its type: polars remembers every type it is given, which DuckDB reports as a leak at exit."""

    def __init__(self, source: ArrowStream) -> None:
        self.source = source

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.source.__arrow_c_stream__(requested_schema)


def refuse_duplicates(names: list[str], table: str) -> None:
    """Raises if two columns have one name: nobody could say which is meant."""
    findings = Findings()
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add("column_duplicate", f"there are {names.count(name)} columns {name}", table, name)
    findings.raise_any()


def _from_lists(source: Mapping[str, Any], table: str) -> pl.DataFrame:
    findings = Findings()
    columns = []
    for name, values in source.items():
        hint = "Give a list, an array or a series of one type"
        # Looked for before: of such a value, polars panics, and says so on stderr.
        if isinstance(values, list | tuple) and any(_is_boundless(value) for value in values):
            findings.add("column_type", "a Decimal is NaN or infinite", table, str(name), hint=hint)
            continue
        # Of such a one, the time that polars takes grows with the cube of its depth.
        if _is_deep(values):
            message = f"a value is nested more than {DEPTH_MAX} deep"
            findings.add("column_type", message, table, str(name), hint=hint)
            continue
        try:
            columns.append(pl.Series(str(name), values, strict=True))
        except (Exception, pl.exceptions.PanicException) as error:
            findings.add("column_type", shown_error(error), table, str(name), hint=hint)
    heights = {column.name: len(column) for column in columns}
    if len(set(heights.values())) > 1:
        counts = ", ".join(f"{name} {height}" for name, height in heights.items())
        findings.add("row_count", f"the columns differ in length: {counts}", table)
    findings.raise_any()
    return pl.DataFrame(columns)


def _is_deep(value: object) -> bool:
    for _ in range(DEPTH_MAX):
        if not isinstance(value, list | tuple) or not value:
            return False
        value = value[0]
    return True


def _is_boundless(value: object) -> bool:
    return isinstance(value, Decimal) and not value.is_finite()


def _read_file(path: Path, table: str, findings: Findings) -> pl.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        message = f"{suffix or 'a name without suffix'} is no format of tables"
        raise FileError(_file_problem("file_format", message, path, table, f"Use {', '.join(READERS)}"))
    if not path.exists():
        raise FileError(_file_problem("file_missing", "there is no such file", path, table))
    try:
        return READERS[suffix](path, table, findings)
    except AllocatorError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        raise FileError(_file_problem("file_unreadable", shown_error(error), path, table)) from error


def _file_problem(code: str, message: str, path: Path, table: str, hint: str = "") -> Problem:
    return Problem(code, message, table, value=shown(path), hint=hint)


def _read_csv(path: Path, table: str, findings: Findings) -> pl.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    refuse_duplicates(header, table)
    frame = pl.read_csv(path, infer_schema=False, glob=False) if header else pl.DataFrame()
    return text.parse(frame, table, CONTRACTS.get(table, {}), findings, infer=True)


def _read_ndjson(path: Path, table: str, findings: Findings) -> pl.DataFrame:
    frame = pl.read_ndjson(path.read_bytes(), infer_schema_length=None)
    return text.parse(frame, table, CONTRACTS.get(table, {}), findings, infer=False)


def _read_parquet(path: Path, *_: object) -> pl.DataFrame:
    return pl.read_parquet(path, glob=False)


def _read_ipc(path: Path, *_: object) -> pl.DataFrame:
    """The file format, or the stream format, which other tools write under the same suffixes."""
    with path.open("rb") as file:
        is_file = file.read(len(IPC_FILE)) == IPC_FILE
    return pl.read_ipc(path) if is_file else pl.read_ipc_stream(path)


IPC_FILE = b"ARROW1"
"""Begins a file of Arrow IPC that is no stream."""


READERS: Mapping[str, Callable[[Path, str, Findings], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
    ".arrow": _read_ipc,
    ".ipc": _read_ipc,
    ".feather": _read_ipc,
}
"""By suffix."""

CONTRACTS: Final = {**TABLES, "current": CURRENT}
"""What the columns of text files are read as, by table."""
