"""`allocate` and `reallocate` on a cluster: what is given is read, checked as a whole, and cut."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from allocator.cluster.cut import cut
from allocator.cluster.distributed import ROWS_MAX, Allocated, Collected, Distributed, Reallocated, answered
from allocator.cluster.facts import note_repeats
from allocator.cluster.given import Given, Table, is_spark, table_of
from allocator.cluster.worker import Outputs, Task
from allocator.errors import AllocatorError, InputError, Problem
from allocator.frames.findings import Findings
from allocator.frames.named import uses
from allocator.frames.prepare import check_kinds, scale_of
from allocator.frames.quantity import quantity_columns
from allocator.model.policy import Policy
from allocator.model.reallocation import STRATEGIES, Reallocation
from allocator.model.tables import CURRENT, DEMAND, STOCK
from allocator.reallocation.outcome import AMOUNTS, STAGE, WHY
from allocator.reallocation.reallocate import checked_plan
from allocator.result import REASON, checked_day, checked_policy, checked_threads

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def allocate(
    stock: Given,
    demand: Given,
    policy: Policy | None = None,
    *,
    as_of: dt.date,
    spark: SparkSession | None = None,
    rows_max: int = ROWS_MAX,
    threads: int | None = 1,
) -> Distributed[Allocated]:
    """Decides which stock serves which demand, partition by partition: the answer of `allocator.allocate`.

    The engine is asked how many rows each SKU has and which SKUs whole orders tie together; that is worked on here, and
    costs memory by SKUs, not by rows. Then the tables are cut by joins, and nothing else happens until something is
    asked for. `docs/cluster.md` says when one process is the better choice.

    Args:
        stock: A Spark DataFrame with the columns of `docs/tables.md`, or what `allocator.allocate` takes, which is then
            sent to the engine (large tables are better read by it). It is read several times: cache what is costly.
        demand: Likewise.
        policy: As for `allocator.allocate`; workers need this package, too.
        as_of: The day on which is decided.
        spark: The session; that of a Spark DataFrame if left out.
        rows_max: How many rows and lines a partition should have at most. What competes is never parted.
        threads: How many threads work on a partition; engines run as many partitions at a time as they have processors.

    Raises:
        InputError: What can be seen before the tables are cut, as missing columns or repeated ids, makes no sense; then
            all partitions were looked through, and every problem of both tables is in it. Other problems are raised by
            `Distributed.collect` and `Distributed.check`.
        PolicyError: The policy does not fit the tables.

    Example:
        >>> import datetime as dt
        >>> from allocator.cluster import allocate, sail
        >>> stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [10, 15]}
        >>> demand = {"line_id": ["1", "2"], "sku": ["X", "Y"], "qty": [13, 9]}
        >>> with sail() as spark:  # doctest: +SKIP
        ...     done = allocate(stock, demand, as_of=dt.date(2026, 11, 1), spark=spark, rows_max=2)
        ...     done.partitions.height, done.collect().lines.rows()
        (2, [('1', 13, 10, 3, 'insufficient'), ('2', 9, 9, 0, None)])
    """
    policy, day = checked_policy(policy), checked_day(as_of)
    tables = {"stock": stock, "demand": demand}
    task = Task((), policy, day, None, {}, places_apart=True, threads=checked_threads(threads))
    return _distributed(tables, task, Allocated, spark=spark, rows_max=rows_max)


def reallocate(
    stock: Given,
    demand: Given,
    current: Given,
    plan: Reallocation,
    *,
    policy: Policy | None = None,
    as_of: dt.date,
    spark: SparkSession | None = None,
    rows_max: int = ROWS_MAX,
    threads: int | None = 1,
) -> Distributed[Reallocated]:
    """Deals again what is promised already, partition by partition: the answer of `allocator.reallocation.reallocate`.

    A line and the stock that it has are one component, too. A limit on changed lines or moved units concerns
    everything, so that everything must fit into one partition.

    Args:
        stock: As for `allocate`; likewise `demand`, `policy`, `as_of`, `spark`, `rows_max` and `threads`.
        demand: The lines.
        current: What lines have, as for `allocator.reallocation.reallocate`.
        plan: Segments, strategies, fences and limits.
        policy: Which stock may serve which line.
        as_of: The day on which is decided.
        spark: The session.
        rows_max: How many rows and lines a partition should have at most.
        threads: How many threads work on a partition.

    Raises:
        InputError: As `allocate`.
        PolicyError: `plan_indivisible`: the plan has a limit, and there are more rows than one partition may have.
    """
    policy, day, plan = checked_policy(policy), checked_day(as_of), checked_plan(plan)
    tables = {"stock": stock, "demand": demand, "current": current}
    task = Task((), policy, day, plan, {}, places_apart=True, threads=checked_threads(threads))
    return _distributed(tables, task, Reallocated, spark=spark, rows_max=rows_max)


def _distributed(
    given: dict[str, Given], task: Task, made: type[Collected], *, spark: SparkSession | None, rows_max: int
) -> Distributed[Collected]:
    policy, plan, early = task.policy, task.plan, Findings()
    session = _session(given, spark)
    _check_rows_max(rows_max)
    tables = {
        name: table_of(
            source, name, key=KEYS[name], wanted=_looked_at(name, policy, plan), spark=session, findings=early
        )
        for name, source in given.items()
    }
    shapes = tuple(table.shape for table in tables.values())
    empty = {shape.name: shape.empty() for shape in shapes}
    task = replace(task, shapes=shapes)
    _note(lambda: task.understood(empty, Findings()), early)
    sides, found, known = cut(tables, policy, plan, rows_max)
    if found.partitions.select(pl.col("stock_rows", "lines").sum() > 0).row(0) == (True, True):
        # Texts and integers would never meet in one partition.
        check_kinds("sku", {name: empty[name]["sku"] for name in ("stock", "demand")}, early)
    for name in sorted(known.repeated):
        note_repeats(tables[name], early)
    if early.problems:
        answered(sides, replace(task, wanted="problems"), early)
    scale = max(scale_of(name, empty[name], policy) for name in ("stock", "demand"))
    outputs = _outputs(tables, pl.Decimal(38, scale) if scale else pl.Int64(), plan)
    task = replace(task, outputs=outputs, places_apart=not known.unplaced)
    return Distributed(found.partitions, task, sides, made, _sorting(tables, plan))


def _note(check: Callable[[], object], findings: Findings) -> None:
    """Notes what is wrong before the tables are cut."""
    try:
        check()
    except AllocatorError as error:
        findings.problems += error.problems


KEYS = {"stock": "stock_id", "demand": "line_id", "current": "line_id"}
"""The column that names the rows of each table."""


def _session(given: dict[str, Given], spark: SparkSession | None) -> SparkSession:
    """The session that is meant."""
    own = next((source.sparkSession for source in given.values() if is_spark(source)), None)
    found = spark or own
    if found is None:
        hint = "Give spark=, or tables that are Spark DataFrames; `allocator.cluster.sail()` makes one on this machine"
        raise InputError(Problem("argument_missing", "there is no session of Spark", column="spark", hint=hint))
    return found


def _check_rows_max(rows_max: object) -> None:
    if not isinstance(rows_max, int) or isinstance(rows_max, bool) or rows_max < 1:
        message = "rows_max is no number of rows above zero"
        raise InputError(Problem("argument_value", message, column="rows_max", value=str(rows_max)[:80]))


def _looked_at(table: str, policy: Policy, plan: Reallocation | None) -> set[str]:
    """The columns of a table that decide anything: no others travel."""
    if table == "current":
        return set(CURRENT)
    named = {use.column for use in uses(policy) if use.table == table}
    if table == "stock":
        return {*STOCK, *named}
    rules = () if plan is None else (*plan.filter, *(rule for segment in plan.segments for rule in segment.filter))
    keys = () if plan is None else tuple(key for segment in plan.segments for key in segment.order or ())
    return {*DEMAND, *named, *quantity_columns(table, policy), *(r.column for r in rules), *(k.column for k in keys)}


def _outputs(tables: dict[str, Table], qty: pl.DataType, plan: Reallocation | None) -> Outputs:
    """The frames of the answer with their columns."""
    line, row = (tables[name].shape.types.get(KEYS[name], pl.String()) for name in ("demand", "stock"))
    if plan is None:
        return {
            "lines": {"line_id": line, **dict.fromkeys(("requested", "allocated", "short"), qty), "reason": REASON},
            "allocations": {"line_id": line, "stock_id": row, "qty": qty, "qty_served": qty, "rank": pl.UInt32()},
            "stock": {
                "stock_id": row,
                **dict.fromkeys(("qty_on_hand", "qty_reserved", "qty_allocated", "qty_available"), qty),
            },
        }
    return {
        "lines": {
            "line_id": line,
            "segment": pl.String(),
            "strategy": pl.Enum(list(STRATEGIES)),
            **dict.fromkeys(AMOUNTS, qty),
            "exception": pl.Boolean(),
            "why": pl.Enum(list(WHY)),
            "reason": REASON,
            "to_lines": pl.List(line),
        },
        "allocations": {"line_id": line, "stock_id": row, "qty": qty, "qty_served": qty, "stage": STAGE},
        "moves": {"stock_id": row, "from_line": line, "to_line": line, "qty": qty},
    }


def _sorting(tables: dict[str, Table], plan: Reallocation | None) -> dict[str, tuple[str, ...]]:
    """By which columns the rows of each frame are put in order."""
    if plan is None:
        by_place = ("order_major", "order_minor")
        return {"lines": by_place, "allocations": by_place, "stock": ("stock_id",)}
    sides = {"lines": "demand", "allocations": "demand", "moves": "stock"}
    return {
        name: ("order_major" if tables[side].shape.numbered else KEYS[side], "order_minor")
        for name, side in sides.items()
    }
