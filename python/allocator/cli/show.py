"""What people and machines see: tables on stdout, JSON on stdout, progress and problems on stderr."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl

    from allocator.errors import AllocatorError, Problem

PROBLEMS_SHOWN: Final = 50
PIPED_WIDTH: Final = 160
"""Columns of a table that goes into a file or a pipe, unless COLUMNS says else."""


def console(*, stderr: bool = False) -> Console:
    """A console of the stream as it is now. Without a terminal: no colours, and a width that does not cut tables."""
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(file=stream, width=wide, highlight=False, soft_wrap=False)


def say(text: str = "", style: str | None = None) -> None:
    """One paragraph on stdout, as it is: no markup is read in it, and lines are not broken."""
    console().print(Text(text, style=style or ""), soft_wrap=True)


def say_json(answer: object) -> None:
    """The answer for a machine: one JSON document on stdout; days as text, decimals as text so that they stay exact."""
    sys.stdout.write(json.dumps(plain(answer), ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """The value as JSON can hold it. What is no number (NaN, infinities) is null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def say_table(frame: pl.DataFrame, title: str = "", *, percent: Sequence[str] = (), rows_max: int = 20) -> None:
    """The first rows of a frame; numbers to the right with thousands apart, columns of `percent` as shares."""
    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    ids = {"sku", "lot", "serial", "location", "customer"}
    for name, dtype in frame.schema.items():
        number = dtype.is_numeric() and name not in ids and not name.endswith("_id")
        justify: Literal["right", "left"] = "right" if number else "left"
        short = number or dtype.is_temporal()
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold", no_wrap=short)
    for row in frame.head(rows_max).iter_rows(named=True):
        plain = (name in ids or name.endswith("_id") for name in row)
        cells = (cell(v, percent=n in percent, plain=p) for (n, v), p in zip(row.items(), plain, strict=True))
        table.add_row(*map(Text, cells))
    console().print(table)
    if frame.height > rows_max:
        say(f"… and {frame.height - rows_max:,} more rows", style="dim")


def cell(value: Any, *, percent: bool = False, plain: bool = False) -> str:  # noqa: ANN401 - whatever a column holds
    """A value for people; null is empty."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        # 33.60 litres and 10 pieces stand in one column.
        return f"{value:,f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:,f}"
    if isinstance(value, bool) or plain or not isinstance(value, int | float):
        return str(value)
    if percent:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"


@contextmanager
def working(what: str) -> Iterator[None]:
    """Says on stderr what is being done, while it is done and only to a person who looks."""
    screen = console(stderr=True)
    if screen.is_terminal and not screen.is_dumb_terminal:
        with screen.status(what):
            yield
    else:
        yield


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, for a person who looks: is told how many are done, of how many."""
    screen = console(stderr=True)
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_problems(error: AllocatorError, *, as_json: bool) -> None:
    """Every problem: as a table on stderr, or as JSON on stdout."""
    if as_json:
        say_json({"error": type(error).__name__, "problems": error.frame().to_dicts()})
        return
    screen = console(stderr=True)
    count = len(error.problems)
    screen.print(Text(f"{count} problem{'s' * (count != 1)}, nothing was done", style="bold red"))
    shown = error.problems[:PROBLEMS_SHOWN]
    columns = {
        "code": [problem.code for problem in shown],
        "place": [place_of(problem) for problem in shown],
        "value": [problem.value or "" for problem in shown],
        "what is wrong": [problem.message for problem in shown],
        "hint": [problem.hint for problem in shown],
    }
    told = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in told:
        table.add_column(name, overflow="fold", style="bold" if name == "code" else "")
    for row in zip(*told.values(), strict=True):
        table.add_row(*map(Text, row))
    screen.print(table)
    if count > PROBLEMS_SHOWN:
        screen.print(Text(f"… and {count - PROBLEMS_SHOWN:,} more; --json lists all", style="dim"))


def place_of(problem: Problem) -> str:
    """Where it is: table, column and row, as `demand.qty[7]`."""
    place = ".".join(part for part in (problem.table, problem.column) if part)
    return place if problem.row is None else f"{place}[{problem.row}]"
