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
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

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


PADDING: Final = 3
"""What stands between two columns of a table."""
WORD_MAX: Final = 12
"""Letters of a word that a narrow column does not break."""


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
    """The first rows of a frame; numbers to the right with thousands apart, columns of `percent` as shares.

    On a narrow screen what stands above a column takes a line for each word of it; where that is not enough, columns of
    nothing but zero are named below instead.
    """
    ids = {"sku", "lot", "serial", "location", "customer"}
    room = console().width
    columns = []
    for name, values in frame.head(rows_max).to_dict(as_series=False).items():
        is_id, dtype = name in ids or name.endswith("_id"), frame.schema[name]
        cells = [cell(value, percent=name in percent, plain=is_id) for value in values]
        is_number = dtype.is_numeric() and not is_id
        columns.append(_Column(name.replace("_", " "), cells, is_number, is_number or dtype.is_temporal(),
                               is_number and bool((frame[name].fill_null(0) == 0).all())))  # fmt: skip
    is_wide = sum(column.widest + PADDING for column in columns) > room
    nothing: list[str] = []
    if is_wide and sum(column.least + PADDING for column in columns) > room:
        nothing = [column.head for column in columns if column.is_nothing]
        columns = [column for column in columns if not column.is_nothing]
    # Where it does not fit even so, words are broken, but nothing is cut off.
    fits = sum(column.least + PADDING for column in columns) <= room
    table = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        head = column.head.replace(" ", "\n") if is_wide else column.head
        justify: Literal["right", "left"] = "right" if column.is_number else "left"
        least = column.least if is_wide and fits else None
        table.add_column(head, justify=justify, overflow="fold", no_wrap=column.is_short and fits, min_width=least)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, row))
    console().print(table)
    if nothing:
        say(f"Nothing but 0: {', '.join(nothing)}", style="dim")
    if frame.height > rows_max:
        say(f"… and {frame.height - rows_max:,} more rows", style="dim")


class _Column(NamedTuple):
    """A column as it is printed: what stands above it, and its cells: numbers, kept on one line, or nothing but 0."""

    head: str
    cells: list[str]
    is_number: bool
    is_short: bool
    is_nothing: bool

    @property
    def widest(self) -> int:
        """Its width where there is room."""
        return max(map(len, (self.head, *self.cells)))

    @property
    def least(self) -> int:
        """The width that breaks no number, and no word but long ones."""
        words = [min(len(word), WORD_MAX) for text in self.cells for word in text.split()]
        numbers = [len(text) for text in self.cells if self.is_number]
        return max([*words, *numbers, *map(len, self.head.split())], default=0)


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
