"""What was given on the command line, read and checked so that every problem is told at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.engine import CORE
from allocator.errors import AllocatorError, InputError, Problem
from allocator.frames.findings import Findings, gathered
from allocator.frames.prepare import prepare
from allocator.frames.read import read
from allocator.model.policy import Policy
from allocator.result import bind, further_problems, problems_told

TABLES_HELP: Final = "Parquet, CSV, Arrow IPC or NDJSON"
LEGIBLE: Final = "legible"
"""Makes nothing, and raises what the tables hold that could not be read."""

TEXT_FORMATS: Final = (".csv", ".ndjson", ".jsonl")

ANY_DAY: Final = dt.date(2000, 1, 1)
"""Tables that fit a policy fit it on every day; only which rules of a contract matrix hold depends on it."""

Stock = Annotated[Path, typer.Argument(metavar="STOCK", help=f"Stock, one row per unit or lot balance: {TABLES_HELP}.")]
Demand = Annotated[Path, typer.Argument(metavar="DEMAND", help=f"Demand, one row per line: {TABLES_HELP}.")]
PolicyName = Annotated[
    str, typer.Option("--policy", "-p", metavar="NAME|FILE", help="A preset (`allocator policy list`) or a file.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="Required: the day that decides what is expired and received, as 2026-06-30."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer, and say what is wrong, as JSON on stdout.")]


@dataclass(frozen=True)
class Given:
    """Tables as read, the policy, and the day."""

    stock: pl.DataFrame
    demand: pl.DataFrame
    policy: Policy
    as_of: dt.date


def given(stock: Path, demand: Path, policy: str, as_of: str | None) -> Given:
    """Reads all four, or says everything that is wrong with any of them.

    Raises:
        AllocatorError: With the problems of the day, the policy and the tables together.
    """
    findings = Findings()
    makers: dict[str, Callable[[], Any]] = {
        "as_of": partial(day, as_of),
        "policy": partial(Policy.load, policy),
        "stock": partial(read, stock, "stock", findings),
        "demand": partial(read, demand, "demand", findings),
    }
    found = gathered(makers | {LEGIBLE: findings.raise_any}, then=partial(table_problems, findings=findings))
    return Given(**{name: found[name] for name in makers})


def read_keys(path: Path, table: str, keys: Sequence[str]) -> pl.DataFrame:
    """The table of a file. In text, keys are text also where all of them look like numbers."""
    frame = read(path, table)
    if path.suffix.lower() not in TEXT_FORMATS:
        return frame
    return frame.with_columns(pl.col(key).cast(pl.String) for key in keys if key in frame.columns)


def table_problems(found: dict[str, Any], findings: Findings) -> list[Problem]:
    """What is wrong with what could be read of the tables, under the policy if there is one; beside the findings."""
    stock, demand, policy = found.get("stock"), found.get("demand"), found.get("policy", Policy())
    further = findings.onward()
    if stock is None or demand is None:
        return further_problems(found, further)
    try:
        if further.unread:
            prepare(stock, demand, policy, CORE, further)
            stock = stock.filter(further.legible("stock", stock.height))
            demand = demand.filter(further.legible("demand", demand.height))
        bind(stock, demand, policy, as_of=ANY_DAY)
    except AllocatorError as error:
        return problems_told(error, found)
    return []


def day(as_of: str | None) -> dt.date:
    """The day that was given.

    Raises:
        InputError: `argument_missing`, `argument_value`.
    """
    if as_of is None:
        message = "the day as of which is decided is not given"
        hint = "Give --as-of 2026-06-30. It is never taken from the clock, so that a run can be repeated"
        raise InputError(Problem("argument_missing", message, column="--as-of", hint=hint))
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        message, hint = "this is no day", "Write year, month and day, as 2026-06-30"
        raise InputError(Problem("argument_value", message, column="--as-of", value=as_of[:80], hint=hint)) from None
