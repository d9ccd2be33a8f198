"""A plan in the columns of a result, and in figures beside the plan of the rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from allocator.engine import Answer
from allocator.optimum.classes import Classes, Pairs
from allocator.optimum.highs import Solution
from allocator.optimum.objectives import OBJECTIVES, Aim, Takes
from allocator.optimum.problem import Stated
from allocator.optimum.ranks import in_order
from allocator.optimum.reasons import reasons

STAGES = {
    "objective": pl.String,
    "status": pl.String,
    "value": pl.Float64,
    "bound": pl.Float64,
    "gap": pl.Float64,
    "seconds": pl.Float64,
}
COMPARISON = {
    "objective": pl.String,
    "asked": pl.UInt32,
    "by_rules": pl.Float64,
    "optimal": pl.Float64,
    "difference": pl.Float64,
    "gap": pl.Float64,
    "unit": pl.String,
    "better": pl.String,
}


def answer(stated: Stated, takes: Takes, classes: Classes, kinds: Pairs) -> Answer:
    """The plan as a run of the kernel answers: lines in the order of the rules, their rows in stock order."""
    rows, lines, ruled = stated.rows, stated.lines, stated.by_rules.answer
    ordered = in_order(stated.plan, stated.tests, takes, rows)
    served = np.zeros(len(lines.at), np.int64)
    np.add.at(served, takes.line, takes.served)
    first = np.searchsorted(ordered.line, ordered.line)
    why = reasons(takes, rows, lines, ruled.reason.to_numpy().astype(np.int64), classes=classes, pairs=kinds)
    return Answer(
        line=ruled.line,
        allocated=pl.Series("allocated", served),
        reason=pl.Series("reason", why.astype(np.uint8)),
        take_line=pl.Series("take_line", lines.at[ordered.line].astype(np.uint32)),
        take_stock=pl.Series("take_stock", rows.at[ordered.row].astype(np.uint32)),
        take_qty=pl.Series("take_qty", ordered.qty),
        take_served=pl.Series("take_served", ordered.served),
        take_rank=pl.Series("take_rank", (np.arange(len(first)) - first + 1).astype(np.uint32)),
    )


def stage_table(stated: Stated, aims: Sequence[Aim], plan: Takes, solution: Solution) -> pl.DataFrame:
    """What the solver says of each objective; columns as `Optimum.stages`."""
    unit, table = 10**stated.scale, []
    for aim, stage in zip(aims, solution.stages, strict=True):
        worth = float(aim.worth(stated.measure, plan))
        bound = None if stage.bound is None else max(aim.worth_of(stated.measure, stage.bound), worth)
        if stage.status == "optimal":
            bound = worth
        gap = None if bound is None else 0.0 if bound == worth else (bound - worth) / abs(bound) if bound else None
        sign = 1 if aim.more else -1
        value = None if stage.status == "not_begun" else sign * worth / unit + 0.0
        table.append(
            (aim.name, stage.status, value, None if bound is None else sign * bound / unit + 0.0, gap, stage.seconds)
        )
    return pl.DataFrame(table, schema=STAGES, orient="row")


def comparison(stated: Stated, aims: Sequence[Aim], plan: Takes) -> pl.DataFrame:
    """Both plans by every objective that can be counted; columns as `Optimum.comparison`."""
    asked = [name for aim in aims for name in aim.weights]
    table = []
    for name in [*asked, *(name for name in stated.measure.gains if name not in asked)]:
        ruled, best = (stated.measure.value(name, takes) / 10**stated.scale for takes in (stated.ordered, plan))
        gap = abs(float((best - ruled) / best)) if best else None
        place = asked.index(name) + 1 if name in asked else None
        told = OBJECTIVES[name]
        better = "more" if told.more else "less"
        table.append((name, place, float(ruled), float(best), float(best - ruled), gap, told.unit, better))
    return pl.DataFrame(table, schema=COMPARISON, orient="row")
