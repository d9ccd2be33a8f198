"""A problem stated: tables read and checked, rows and lines, classes, and the program over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from allocator.engine import CORE, BoundPlan
from allocator.errors import InputError, Problem
from allocator.frames.findings import Check, Findings
from allocator.frames.prepare import Prepared, prepare
from allocator.frames.read import Source, read
from allocator.model.policy import Policy
from allocator.optimum.arguments import Wanted
from allocator.optimum.classes import Classes, Pairs, classify, pairs, pools
from allocator.optimum.eligible import Asked, asked, passing, with_keys
from allocator.optimum.ground import Ints, Lines, Rows, gather
from allocator.optimum.objectives import Gains, Measure, Takes, measure, with_current
from allocator.plan.compile import compile_columns
from allocator.plan.keys import Columns
from allocator.plan.spec import Plan
from allocator.reallocation.inputs import check_current, current_pairs
from allocator.result import Bound, Result

EXACT_MAX = 2**53
"""The solver counts in floats, in which whole numbers beyond this are not exact."""


@dataclass(frozen=True)
class Stated:
    """Everything that is known before anything is solved.

    Attributes:
        by_rules: What the rules decide in their order.
        plan: What the kernel was told.
        rows: Stock rows that anyone may take from.
        lines: Demand lines, all of them.
        tests: Tests that look at both sides, by their number in the plan.
        pool: Lot or place of each row, where lines take from one only.
        measure: What objectives count.
        ordered: The allocations of the rules.
    """

    by_rules: Result
    plan: Plan
    rows: Rows
    lines: Lines
    tests: Mapping[int, Asked]
    pool: Mapping[int, Ints]
    measure: Measure
    ordered: Takes

    @property
    def scale(self) -> int:
        """Decimals of the quantities."""
        return self.by_rules.bound.prepared.stock.scale

    def classes(self, gains: list[Gains], *, places: bool, keeps: bool) -> tuple[Classes, Pairs]:
        """Kinds and classes for objectives, and the pairs of kinds that may serve each other."""
        away = self.measure.away
        away = with_keys(away, self.rows, self.lines) if places and away is not None else None
        held = self.measure.current if keeps else None
        tests = list(self.tests.values())
        found = classify(self.plan, self.rows, self.lines, tests, away=away, gains=gains, held=held)
        return found, pairs(self.rows, self.lines, found, tests, away)


def state(
    stock: Source,
    demand: Source,
    policy: Policy,
    current: Source | None,
    *,
    wanted: Wanted,
    as_of: dt.date,
    problems: list[Problem],
) -> Stated:
    """Reads and checks everything, and lets the rules decide; every problem of all of it is raised at once.

    Args:
        stock: As for `allocate`.
        demand: As for `allocate`.
        policy: The policy.
        current: Allocations that there are.
        wanted: The objectives.
        as_of: The day.
        problems: What was wrong with the arguments.
    """
    findings = Findings(list(problems))
    tables = read(stock, "stock", findings), read(demand, "demand", findings)
    held = None if current is None else check_current(read(current, "current", findings).rechunk(), findings)
    _check_wanted(wanted, tables[0], held, findings)
    prepared = prepare(*tables, policy, CORE, findings)
    given = None if held is None else current_pairs(held, prepared, findings).pairs
    findings.raise_any()
    _check_exact(prepared)
    columns = Columns.of(prepared, CORE)
    plan = compile_columns(columns, prepared, policy, as_of)
    bound = Bound(prepared, policy, as_of, BoundPlan(plan))
    by_rules = bound.run()
    rows, lines = gather(plan, by_rules.answer)
    rows = rows.kept(passing(plan, rows) & np.isin(rows.group, lines.group))
    lines = _simplified(lines, rows)
    tests = asked(plan, rows, lines)
    found = measure(prepared, columns, rows, lines, as_of=as_of, horizon_days=wanted.horizon_days)
    if given is not None:
        takes = _takes((given["s"], given["l"], given["qty"], given["served"]), rows, lines)
        found = with_current(found, takes, int(given["qty"].sum()))
    answer = by_rules.answer
    taken = (answer.take_stock, answer.take_line, answer.take_qty, answer.take_served)
    return Stated(by_rules, plan, rows, lines, tests, pools(plan, rows), found, _takes(taken, rows, lines))


def _check_wanted(wanted: Wanted, stock: pl.DataFrame, held: pl.DataFrame | None, findings: Findings) -> None:
    if "value" in wanted.names:
        if "unit_cost" not in stock.columns:
            message, hint = (
                "the objective `value` needs the cost of a unit",
                "Add the column, or leave the objective out",
            )
            findings.add("column_missing", message, "stock", "unit_cost", hint=hint)
        else:
            unknown = Check("value_null", "unit_cost", pl.col("unit_cost").is_null(), "the cost of a unit is not known")
            findings.run("stock", stock, [unknown])
    if "changes" in wanted.names and held is None:
        hint = "Give current=…, a table of line_id, stock_id and qty, as Result.allocations"
        problem = Problem("argument_missing", "the objective `changes` needs allocations", column="current", hint=hint)
        findings.problems.append(problem)
    if held is not None and "stage" in held.columns:
        fixed = ~pl.col("stage").cast(pl.String).is_in(["open"])
        message, hint = "an optimum may move every allocation", "Count it in qty_reserved, and ask only for the rest"
        findings.run("current", held, [Check("argument_value", "stage", fixed, message, hint)])


def _check_exact(prepared: Prepared) -> None:
    """Refuses quantities that a solver would round."""
    for table, column in ((prepared.stock, "qty_on_hand"), (prepared.demand, "qty")):
        total = table.frame[column].cast(pl.Int128).sum()
        if total > EXACT_MAX:
            message = f"an optimum counts to {EXACT_MAX:,} of the finest units, and these come to {total:,}"
            hint = "Use a larger base unit, or fewer decimals"
            raise InputError(Problem("value_overflow", message, table.name, column, hint=hint))


def _simplified(lines: Lines, rows: Rows) -> Lines:
    """Fill rules that cannot make a difference left out: whole lines of one unit, more rows than there are."""
    groups = int(max(rows.group.max(initial=-1), lines.group.max(initial=-1))) + 2
    there = np.bincount(rows.group, minlength=groups)[lines.group]
    limit = np.where(lines.rows_max >= there, 0, lines.rows_max)
    single = (lines.whole == 1) & (lines.qty == 1)
    return replace(lines, rows_max=limit, whole=np.where(single, 0, lines.whole))


def _takes(columns: tuple[pl.Series, pl.Series, pl.Series, pl.Series], rows: Rows, lines: Lines) -> Takes:
    """Allocations in positions, of row, line, quantity and quantity served; of rows that can serve somebody."""
    row, line, qty, served = columns
    there = _positions(rows.at, row.to_numpy().astype(np.int64))
    asks = _positions(lines.at, line.to_numpy().astype(np.int64))
    known = (there >= 0) & (asks >= 0)
    return Takes(there[known], asks[known], qty.to_numpy()[known], served.to_numpy()[known])


def _positions(at: Ints, wanted: Ints) -> Ints:
    """Where in `at` each row number is; -1 where it is not."""
    place = np.full(int(max(at.max(initial=-1), wanted.max(initial=-1))) + 1, -1)
    place[at] = np.arange(len(at))
    return place[wanted]
