"""The best plan that the rules allow, whoever would be served first, beside the plan in the order of the rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from allocator.errors import Problem
from allocator.frames.read import Source
from allocator.model.policy import Policy
from allocator.optimum.answer import answer, comparison, stage_table
from allocator.optimum.arguments import Objectives, Wanted, checked
from allocator.optimum.classes import Classes, Pairs
from allocator.optimum.highs import Solution, Stage, load, solve
from allocator.optimum.legal import is_legal
from allocator.optimum.model import Model, as_columns, build
from allocator.optimum.objectives import Aim, Takes, aimed_at
from allocator.optimum.outcome import Optimum
from allocator.optimum.problem import Stated, state
from allocator.optimum.spread import UnevenError, spread
from allocator.result import checked_day, checked_policy


def optimize(
    stock: Source,
    demand: Source,
    policy: Policy | None = None,
    *,
    as_of: dt.date,
    objectives: Objectives = ("units",),
    current: Source | None = None,
    time_limit: float = 60.0,
    gap: float = 0.0,
    horizon_days: int = 30,
) -> Optimum:
    """The best plan under the rules of a policy, but not in its order: what the order of service costs.

    Every rule holds: which stock may serve which line, safety stock, substitutes and their ratios, fill rules. Only
    who is served first, and from what, is chosen freely, so that the objectives come out best. Among plans that are
    equally good it is one close to that of the rules, with the policy's orders among rows and lines that nothing tells
    apart.

    Args:
        stock: As for `allocate`.
        demand: As for `allocate`.
        policy: As for `allocate`.
        as_of: The day on which is decided.
        objectives: Names of `OBJECTIVES` in order of importance, each of them never at the expense of one before it; or
            a weight for each name, and their weighted sum counts. `units` comes last where it is not named: nothing
            that can be served for nothing is left short.
        current: Allocations that there are, for the objective `changes`: `line_id`, `stock_id`, `qty`, as
            `Result.allocations` has them. `qty_reserved` does not count them.
        time_limit: Seconds for the solver. What it has by then is the plan; at worst it is that of the rules.
        gap: How far from its bound a plan may be to be good enough, as a share: 0.01 stops at one percent.
        horizon_days: Stock left over that expires within so many days is waste.

    Returns:
        The plan in the frames of `allocate`, with the plan of the rules and a comparison of both.

    Raises:
        InputError: The tables or arguments make no sense, with every problem of them: beside those of `allocate`,
            `argument_value`, `argument_missing` (no current allocations), `column_missing` and `value_null` (no
            unit cost for `value`), `value_overflow` (quantities, costs or weights that a solver would round), and those
            of current allocations in `reallocate`.
        PolicyError: The policy does not fit the tables, or `problem_too_large`.
        FileError: A file cannot be read, or `extra_missing`: the solver is not installed.

    Example:
        The rules give the first line what lives longest, which the second line needs.

        >>> import datetime as dt
        >>> best = optimize(
        ...     {
        ...         "stock_id": ["A", "B"],
        ...         "sku": ["X", "X"],
        ...         "qty_on_hand": [5, 5],
        ...         "expires_on": [dt.date(2026, 12, 1), dt.date(2027, 12, 1)],
        ...     },
        ...     {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [5, 5], "min_shelf_life_days": [0, 90]},
        ...     Policy(stock_order=[{"column": "expires_on", "descending": True}]),
        ...     as_of=dt.date(2026, 11, 1),
        ... )
        >>> best.status, best.by_rules.lines["allocated"].to_list(), best.lines["allocated"].to_list()
        ('optimal', [5, 0], [5, 5])
        >>> best.comparison.select("objective", "by_rules", "optimal").row(0)
        ('units', 5.0, 10.0)
    """
    problems: list[Problem] = []
    policy, day = checked_policy(policy), checked_day(as_of)
    wanted = checked(objectives, time_limit=time_limit, gap=gap, horizon_days=horizon_days, problems=problems)
    load()
    stated = state(stock, demand, policy, current, wanted=wanted, as_of=day, problems=problems)
    aims = aimed_at(stated.measure, wanted.names, wanted.weights)
    posed = pose(stated, aims)
    return _outcome(stated, aims, posed, *_solved(stated, aims, posed, wanted))


class Posed(NamedTuple):
    """A problem as it is solved: kinds and their pairs, the program, and allocations of which it counts what stays."""

    classes: Classes
    kinds: Pairs
    model: Model
    held: dict[str, Takes]


def pose(stated: Stated, aims: Sequence[Aim]) -> Posed:
    """The program for some objectives."""
    gains = [aim.steps for aim in aims]
    keeps = any(gain.kept for gain in gains)
    classes, kinds = stated.classes(gains, places=any(gain.away for gain in gains), keeps=keeps)
    held = {"rules": stated.ordered}
    if keeps and stated.measure.current is not None:
        held = {"current": stated.measure.current} | held
    model = build(stated.rows, stated.lines, classes, kinds, pool=stated.pool, held=held)
    return Posed(classes, kinds, model, held)


def _solved(stated: Stated, aims: Sequence[Aim], posed: Posed, wanted: Wanted) -> tuple[Takes | None, Solution]:
    """The plan of the solver, if it is one and was found in time, and what the solver says of it."""
    model, held = posed.model, posed.held
    if not len(posed.kinds.row):  # nobody may have anything
        return stated.ordered, Solution(stages=[Stage("optimal", 0.0, 0.0, 0.0)] * len(aims))
    like = np.zeros(model.program.columns)
    like[model.keep["rules"][1]] = 1.0
    costs = [model.costs(aim.steps, stated.lines) for aim in aims]
    start = as_columns(model, stated.ordered, held) if model.program.is_whole else None
    solution = solve(model.program, costs, like, start, time_limit=wanted.time_limit, gap=wanted.gap)
    if solution.values is None:
        return None, solution
    try:
        takes = spread(model, solution.values, stated.rows, stated.lines, list(held.values()))
    except UnevenError:
        return None, solution
    legal = is_legal(takes, stated.rows, stated.lines, list(stated.tests.values()), stated.pool)
    return (takes if legal else None), solution


def _outcome(stated: Stated, aims: Sequence[Aim], posed: Posed, takes: Takes | None, solution: Solution) -> Optimum:
    measured = stated.measure
    by_rules = [aim.worth(measured, stated.ordered) for aim in aims]
    better = takes is not None and [aim.worth(measured, takes) for aim in aims] >= by_rules
    plan = takes if takes is not None and better else stated.ordered
    stages = stage_table(stated, aims, plan, solution)
    states = set(stages["status"])
    status = "stopped" if states & {"stopped", "not_begun"} else "within_gap" if "within_gap" in states else "optimal"
    return Optimum(
        stated.by_rules.bound,
        answer(stated, plan, posed.classes, posed.kinds) if better else stated.by_rules.answer,
        by_rules=stated.by_rules,
        status=status if better else "by_rules",
        stages=stages,
        comparison=comparison(stated, aims, plan),
        solver_seconds=solution.seconds,
    )
