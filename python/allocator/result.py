"""Allocation as Python sees it: tables and a policy in, a result out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, TypedDict

import numpy as np
import polars as pl

from allocator.engine import CORE, Answer, BoundPlan, release_memory
from allocator.errors import AllocatorError, InputError, Problem
from allocator.explain import Explanation, explain
from allocator.frames.findings import Findings, gathered
from allocator.frames.prepare import Prepared, Table, prepare, prepare_demand, prepare_stock, scale_of
from allocator.frames.quantity import in_base_units, total
from allocator.frames.read import Source, read
from allocator.model.policy import Policy
from allocator.plan.compile import compile_columns
from allocator.plan.keys import Columns
from allocator.plan.spec import REASON_NAMES, SERVED

REASON = pl.Enum(REASON_NAMES)
"""Why a line is short, in the sequence of `docs/allocation.md`."""

THREADS_MAX = 1024
"""More would be a mistake rather than a machine."""


@dataclass(frozen=True)
class Bound:
    """Tables and a policy, checked and compiled: bound once, run many times.

    Attributes:
        prepared: The tables as they were understood.
        policy: The policy.
        as_of: The day on which is decided.
    """

    prepared: Prepared
    policy: Policy
    as_of: dt.date
    plan: BoundPlan

    def run(self, *, threads: int | None = None) -> Result:
        """Serves all lines.

        Args:
            threads: How many threads work on it; all there are by default. The result is the same.

        Raises:
            InputError: `argument_type`, `argument_value`: `threads` is no number, or below one.
        """
        return Result(self, self.plan.run(checked_threads(threads)))


def bind(stock: Source, demand: Source, policy: Policy | None = None, *, as_of: dt.date) -> Bound:
    """Checks and compiles tables and a policy, for many runs. Arguments and errors as `allocate`."""
    return bound_with_columns(stock, demand, policy, as_of=as_of)[0]


def bound_with_columns(
    stock: Source, demand: Source, policy: Policy | None, *, as_of: dt.date
) -> tuple[Bound, Columns]:
    """The same, and the columns with all that was encoded of them."""
    findings = Findings()
    makers: dict[str, Callable[[], Any]] = {
        "policy": partial(checked_policy, policy),
        "as_of": partial(checked_day, as_of),
        "stock": partial(read, stock, "stock", findings),
        "demand": partial(read, demand, "demand", findings),
    }
    found = gathered(makers, then=partial(further_problems, findings=findings))
    policy, day = found["policy"], found["as_of"]
    prepared = prepare(found["stock"], found["demand"], policy, CORE, findings)
    columns = Columns.of(prepared, CORE)
    return Bound(prepared, policy, day, BoundPlan(compile_columns(columns, prepared, policy, day))), columns


def further_problems(found: dict[str, Any], findings: Findings) -> list[Problem]:
    """What is wrong with the tables that are there, where an argument or the other table is not."""
    policy, stock, demand = found.get("policy", Policy()), found.get("stock"), found.get("demand")
    try:
        if stock is not None and demand is not None:
            prepare(stock, demand, policy, CORE, findings)
        elif stock is not None:
            prepare_stock(stock, policy, CORE, findings)
        elif demand is not None:
            prepare_demand(demand, policy, CORE, scale_of("demand", demand, policy), findings)
    except AllocatorError as error:
        return problems_told(error, found)
    return []


def problems_told(error: AllocatorError, found: Container[str]) -> list[Problem]:
    """Those of the tables: what an empty policy lacks, which stood in for one that is not there, says nothing."""
    return [p for p in error.problems if "policy" in found or p.code not in ("fill_unknown", "unit_unknown")]


def allocate(
    stock: Source, demand: Source, policy: Policy | None = None, *, as_of: dt.date, threads: int | None = None
) -> Result:
    """Decides which stock serves which demand.

    A pure function: the result depends on the content of the tables, the policy and `as_of` only, not on the
    order of rows, on threads, locale, time zone or clock. Nothing is changed; a shortage is a result, not an error.

    Args:
        stock: One row per serialized unit, or per balance of a lot at a place. A polars frame (eager or lazy),
            anything that exports an Arrow stream (pandas, pyarrow, DuckDB), a dict of lists, or the path of a Parquet,
            CSV, Arrow IPC or NDJSON file. `docs/tables.md` has the columns.
        demand: One row per line of an order, likewise.
        policy: Which stock may serve which demand, in which order; `Policy()` if left out.
        as_of: The day on which is decided: what is expired, what is received.
        threads: How many threads work on it; all there are by default.

    Raises:
        InputError: A table makes no sense, and every problem of both tables is in it; or an argument is none.
        PolicyError: The policy does not fit the tables.
        FileError: A file cannot be read.

    Example:
        >>> import datetime as dt
        >>> result = allocate(
        ...     {"stock_id": ["A", "B"], "sku": ["X", "X"], "qty_on_hand": [10, 15]},
        ...     {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [13, 20]},
        ...     as_of=dt.date(2026, 11, 1),
        ... )
        >>> result.lines.rows()
        [('1', 13, 13, 0, None), ('2', 20, 12, 8, 'taken')]
        >>> result.allocations.rows()
        [('1', 'A', 10, 10, 1), ('1', 'B', 3, 3, 2), ('2', 'B', 12, 12, 1)]
    """
    result = bind(stock, demand, policy, as_of=as_of).run(threads=threads)
    # Whoever binds runs often; here no run follows, and the frames of the result need the memory.
    release_memory()
    return result


def checked_day(as_of: object) -> dt.date:
    """The day, if it is one."""
    if isinstance(as_of, dt.date) and not isinstance(as_of, dt.datetime):
        return as_of
    raise _mistaken("as_of", as_of, "a date", "Give a datetime.date: the day at the place whose stock it is")


def checked_policy(policy: object) -> Policy:
    """The policy, if it is one; the default one for None."""
    if policy is None:
        return Policy()
    if isinstance(policy, Policy):
        return policy
    raise _mistaken(
        "policy", policy, "a Policy", "Make it with Policy.load(): a preset by its name, or a file by its path"
    )


def checked_threads(threads: object) -> int | None:
    """The number of threads, if it is one; None for as many as there are."""
    expected, hint = f"a number from 1 to {THREADS_MAX}", "Leave it out for as many as there are processors"
    if threads is None:
        return None
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise _mistaken("threads", threads, expected, hint)
    if not 1 <= threads <= THREADS_MAX:
        message = f"threads is {expected}"
        raise InputError(Problem("argument_value", message, column="threads", value=str(threads)[:80], hint=hint))
    return threads


def _mistaken(name: str, value: object, expected: str, hint: str) -> InputError:
    message = f"{name} is {type(value).__name__}, {expected} is expected"
    return InputError(Problem("argument_type", message, column=name, value=str(value)[:80], hint=hint))


class Summary(TypedDict):
    """Totals of a result: units are Decimal if the tables have decimals, fill rates are shares of 1."""

    lines: int
    lines_full: int
    line_fill: float
    units_requested: int | Decimal
    units_allocated: int | Decimal
    units_short: int | Decimal
    unit_fill: float
    allocations: int


class Result:
    """What was decided. Frames are made when they are first looked at."""

    def __init__(self, bound: Bound, answer: Answer) -> None:
        self.bound, self.answer = bound, answer

    @property
    def policy(self) -> Policy:
        """The policy that decided."""
        return self.bound.policy

    @cached_property
    def lines(self) -> pl.DataFrame:
        """One row per demand line, in the order of `docs/allocation.md`.

        Columns: `line_id` (as given); `requested`, `allocated`, `short` (Int64, or Decimal if the tables have decimals;
        base units of the line's SKU); `reason` (Enum; null if nothing is short).
        """
        demand, answer = self.bound.prepared.demand, self.answer
        gathered = _gathered(
            line_id=(demand.frame["line_id"], answer.line), requested=(demand.frame["qty"], answer.line)
        )
        requested = gathered["requested"]
        reason = pl.select(pl.when(answer.reason != SERVED).then(answer.reason)).to_series()
        return pl.DataFrame(
            {
                "line_id": gathered["line_id"],
                "requested": quantity(requested, demand),
                "allocated": quantity(answer.allocated, demand),
                "short": quantity(requested - answer.allocated, demand),
                "reason": reason.cat.to(REASON),
            }
        )

    @cached_property
    def allocations(self) -> pl.DataFrame:
        """One row per stock row that a line takes from, in the order of `lines`, then of `rank`.

        Columns: `line_id`, `stock_id` (as given); `qty` (base units of the stock row's SKU), `qty_served` (base units
        of the line's SKU; differs from `qty` only for substitutes), both Int64 or Decimal; `rank` (UInt32: 1, 2, …).
        """
        prepared, answer = self.bound.prepared, self.answer
        gathered = _gathered(
            line_id=(prepared.demand.frame["line_id"], answer.take_line),
            stock_id=(prepared.stock.frame["stock_id"], answer.take_stock),
        )
        return pl.DataFrame(
            {
                "line_id": gathered["line_id"],
                "stock_id": gathered["stock_id"],
                "qty": quantity(answer.take_qty, prepared.stock),
                "qty_served": quantity(answer.take_served, prepared.demand),
                "rank": answer.take_rank,
            }
        )

    @cached_property
    def stock(self) -> pl.DataFrame:
        """One row per stock row, in ascending order of `stock_id`.

        Columns: `stock_id` (as given); `qty_on_hand`, `qty_reserved` (as given, in base units), `qty_allocated` (by
        this run), `qty_available` (what is left), all Int64 or Decimal.
        """
        table, answer = self.bound.prepared.stock, self.answer
        frame = table.frame
        taken = np.zeros(frame.height, np.int64)
        np.add.at(taken, answer.take_stock.to_numpy(), answer.take_qty.to_numpy())
        on_hand = frame["qty_on_hand"].cast(pl.Int64)
        nothing = pl.Series(np.zeros(frame.height, np.int64))
        reserved = frame["qty_reserved"].cast(pl.Int64) if "qty_reserved" in frame.columns else nothing
        allocated = pl.Series(taken)
        after = pl.DataFrame(
            {
                "stock_id": frame["stock_id"],
                "qty_on_hand": quantity(on_hand, table),
                "qty_reserved": quantity(reserved, table),
                "qty_allocated": quantity(allocated, table),
                "qty_available": quantity(on_hand - reserved - allocated, table),
            }
        )
        return after if table.ascending else after[CORE.argsort_ids(frame["stock_id"])]

    @cached_property
    def summary(self) -> Summary:
        """Totals: lines, units and fill rates."""
        return summed_up(self.lines, self.answer.take_line.len())

    def reasons(self) -> pl.DataFrame:
        """One row per reason: `reason`, `lines` (how many are short for it), `short` (units), most lines first."""
        return counted_reasons(self.lines)

    def explain(self, line_id: str | int) -> Explanation:
        """Every stock row that a line could have looked at, all rules that it failed, and who took it before.

        Raises:
            InputError: `line_unknown`: there is no such line.
        """
        prepared = self.bound.prepared
        return explain(
            prepared.stock.as_told(),
            prepared.demand.as_told(),
            self.policy,
            as_of=self.bound.as_of,
            lines=self.lines,
            allocations=self.allocations,
            line_id=line_id,
        )


def summed_up(lines: pl.DataFrame, allocations: int) -> Summary:
    """Totals of lines as `Result.summary` has them."""
    requested, allocated, short = (total(lines[name]) for name in ("requested", "allocated", "short"))
    full = int((lines["short"] == 0).sum())
    return {
        "lines": lines.height,
        "lines_full": full,
        "line_fill": full / lines.height if lines.height else 1.0,
        "units_requested": requested,
        "units_allocated": allocated,
        "units_short": short,
        "unit_fill": float(Fraction(allocated) / Fraction(requested)) if requested else 1.0,
        "allocations": allocations,
    }


def counted_reasons(lines: pl.DataFrame) -> pl.DataFrame:
    """Reasons of lines as `Result.reasons` has them."""
    short = lines.filter(pl.col("reason").is_not_null())
    counted = short.group_by("reason").agg(lines=pl.len(), short=pl.col("short").sum())
    return counted.sort("lines", "reason", descending=[True, False])


def _gathered(**columns: tuple[pl.Series, pl.Series]) -> pl.DataFrame:
    """Columns by rows of their tables, each on a thread of its own: most of the time is waiting for memory."""
    return pl.select(pl.lit(column).gather(rows).alias(name) for name, (column, rows) in columns.items())


def quantity(units: pl.Series, table: Table) -> pl.Series:
    """Units as base units: Int64, or Decimal where the tables have decimals."""
    return in_base_units(units, table.scale)
