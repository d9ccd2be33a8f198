"""Shadow prices: what one more unit of stock would be worth to the best plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.read import Source
from allocator.model.policy import Policy
from allocator.optimum.arguments import Wanted, Weight, checked
from allocator.optimum.chains import Chains
from allocator.optimum.classes import Classes, Pairs
from allocator.optimum.ground import Rows
from allocator.optimum.highs import Solver, load
from allocator.optimum.model import Model, build
from allocator.optimum.objectives import Gains, aimed_at
from allocator.optimum.problem import Stated, state
from allocator.optimum.program import Floats
from allocator.result import checked_day, checked_policy

GOLDEN = (5**0.5 - 1) / 2
"""Its multiples fall evenly between whole numbers, and never together."""


@dataclass(frozen=True)
class Prices:
    """What one more unit is worth, in the unit of the objective.

    Attributes:
        objective: What was counted: its name, or `weighted`.
        exact: Whether the prices are those of the next whole unit. Where lines may not take any quantity, or in packs,
            or ratios are not one for one, they are prices of the problem without fill rules and in parts of packs.
        skus: One row per SKU that is asked for, by SKU: `sku`, `lines` (UInt32), `price` (Float64: one more unit that
            any line of the SKU may take; its cost is the highest among the rows of the SKU), `price_best` and
            `price_least` (one more like the rows of the SKU that are worth most and least; null without such a row).
        stock: One row per stock row, by `stock_id`: `stock_id`, `price` (Float64: one more unit like it; 0 where no
            line may have it; null for a row of which nothing is free).
    """

    objective: str
    exact: bool
    skus: pl.DataFrame
    stock: pl.DataFrame


def shadow_prices(
    stock: Source,
    demand: Source,
    policy: Policy | None = None,
    *,
    as_of: dt.date,
    objective: str | Mapping[str, Weight] = "units",
    horizon_days: int = 30,
    time_limit: float = 60.0,
) -> Prices:
    """What one more unit of each SKU, and of each stock row, would gain for an objective.

    Args:
        stock: As for `allocate`.
        demand: As for `allocate`.
        policy: As for `allocate`.
        as_of: The day on which is decided.
        objective: A name of `OBJECTIVES` but `changes`, or a weight for each of several. `lateness` and `transfers`
            are counted as what is saved.
        horizon_days: As for `optimize`.
        time_limit: Seconds for the solver.

    Raises:
        InputError: As `optimize`; `argument_value` also if the time was over before there were prices.
        PolicyError: As `optimize`.
        FileError: As `optimize`.

    Example:
        >>> import datetime as dt
        >>> prices = shadow_prices(
        ...     {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [5, 5]},
        ...     {"line_id": ["1", "2"], "sku": ["X", "Y"], "qty": [8, 5]},
        ...     as_of=dt.date(2026, 11, 1),
        ... )
        >>> prices.skus.select("sku", "price").rows()
        [('X', 1.0), ('Y', 0.0)]
    """
    problems: list[Problem] = []
    policy, day = checked_policy(policy), checked_day(as_of)
    named = objective if isinstance(objective, Mapping) else [objective]
    wanted = checked(named, time_limit=time_limit, gap=0.0, horizon_days=horizon_days, problems=problems)
    if "changes" in wanted.names:
        message, hint = "an objective that counts stock is expected", "What is kept has no price of one more unit"
        problems.append(Problem("argument_value", message, column="objective", value="changes", hint=hint))
        wanted = replace(wanted, names=("units",), weights=None)
    load()
    given = state(stock, demand, policy, None, wanted=wanted, as_of=day, problems=problems)
    lines, nothing = given.lines, np.zeros(len(given.lines.at), np.int64)
    free = replace(lines, whole=nothing, least=nothing, rows_max=nothing, one=nothing, whole_rows=nothing > 0)
    stated = replace(given, lines=free)
    aim = aimed_at(stated.measure, wanted.names, wanted.weights)[0]
    steps = aim.steps
    classes, kinds = stated.classes([steps], places=bool(steps.away), keeps=False)
    more = _one_more(stated, classes, kinds, steps)
    model = build(more.rows, stated.lines, more.classes, more.kinds, pool={}, held={})
    found = _priced(model, more, stated, wanted) * float(steps.factor)
    single = lines.plain & (lines.pack == 1)
    exact = bool(single.all()) and not model.program.is_whole
    by_row = np.maximum(found[more.classes.row_class], 0.0) + 0.0
    return Prices(aim.name, exact, _skus(stated, more, by_row, steps), _stock(stated, by_row))


class _More(NamedTuple):
    """The problem with a row of nothing for each SKU, which any line of the SKU may take."""

    rows: Rows
    classes: Classes
    kinds: Pairs
    gains: Gains
    skus: pl.Series


def _one_more(stated: Stated, classes: Classes, kinds: Pairs, steps: Gains) -> _More:
    rows, lines = stated.rows, stated.lines
    prepared = stated.by_rules.bound.prepared
    reached = lines.group >= 0
    of_line = prepared.demand.frame["sku"].gather(pl.Series(lines.at)).cast(pl.String)
    of_row = prepared.stock.frame["sku"].gather(pl.Series(rows.at)).cast(pl.String)
    skus = of_line.filter(pl.Series(reached)).unique().sort()
    code = {sku: number for number, sku in enumerate(skus)}
    line_sku = of_line.replace_strict(code, default=-1, return_dtype=pl.Int64).to_numpy()
    first = np.full(len(skus), -1)
    first[line_sku[reached][::-1]] = np.flatnonzero(reached)[::-1]
    kind, at = np.unique(classes.line_kind[reached], return_index=True)
    of_kind = line_sku[np.flatnonzero(reached)[at]]
    next_kind, next_class = (int(codes.max(initial=-1)) + 1 for codes in (classes.row_kind, classes.row_class))
    number, none = np.arange(len(skus)), np.zeros(len(skus), np.int64)
    added = Classes(
        np.append(classes.row_kind, next_kind + number),
        np.append(classes.row_class, next_class + number),
        classes.line_kind,
        classes.line_class,
        np.append(classes.unit, classes.line_unit[first]),
        classes.line_unit,
        _lengthened(classes.chains, len(skus)),
    )
    one = np.ones(len(kind), np.int64)
    pairs = Pairs(
        np.append(kinds.row, next_kind + of_kind),
        np.append(kinds.line, kind),
        np.append(kinds.first_row, len(rows.at) + of_kind),
        np.append(kinds.first_line, np.flatnonzero(reached)[at]),
        np.append(kinds.given, one),
        np.append(kinds.asked, one),
        np.append(kinds.away, np.zeros(len(kind), np.bool_)),
    )
    gains = steps
    if steps.row is not None:
        row_sku = of_row.replace_strict(code, default=-1, return_dtype=pl.Int64).to_numpy()
        most = np.zeros(len(skus) + 1, np.int64)
        np.maximum.at(most, row_sku, steps.row)
        gains = replace(steps, row=np.append(steps.row, most[:-1]))
    more = Rows(np.append(rows.at, none - 1), np.append(rows.balance, none), np.append(rows.group, lines.group[first]))
    return _More(more, added, pairs, gains, skus)


def _lengthened(chains: Chains, count: int) -> Chains:
    """With so many more kinds, each a chain of its own."""
    kinds = len(chains.kinds) + np.arange(count)
    chain = int(chains.chain.max(initial=-1)) + 1 + np.arange(count)
    return replace(
        chains,
        chain=np.append(chains.chain, chain),
        depth=np.append(chains.depth, np.zeros(count, np.int64)),
        kinds=np.append(chains.kinds, kinds),
        strength=np.append(chains.strength, chain * chains.width),
    )


def _priced(model: Model, more: _More, stated: Stated, wanted: Wanted) -> Floats:
    """What one more of each class of rows gains.

    At the best plan itself a price may be that of the last unit or of the next. A little more of everything, less than
    one unit in each group and never the same of two classes, leaves only that of the next.
    """
    solver = Solver(model.program, relaxed=True)
    group = more.rows.group[model.row_first]
    crowd = np.bincount(group)[group]
    part = 0.4 / (crowd + 1) * (0.5 + 0.5 * np.modf(np.arange(len(group)) * GOLDEN)[0])
    solver.raise_upper(model.take, part)
    solver.raise_upper(model.flow, np.full(len(model.flow), np.inf))
    stage = solver.solve(model.costs(more.gains, stated.lines), wanted.time_limit)
    if stage.status != "optimal":
        message, hint = "the time was over before there were prices", "Allow more time, or ask for fewer SKUs"
        problem = Problem("argument_value", message, column="time_limit", value=str(wanted.time_limit), hint=hint)
        raise InputError(problem)
    return solver.prices()[model.take]


# --- frames ---


def _skus(stated: Stated, more: _More, by_row: Floats, steps: Gains) -> pl.DataFrame:
    prepared, lines = stated.by_rules.bound.prepared, stated.lines
    of_line = prepared.demand.frame["sku"].gather(pl.Series(lines.at))
    # Where there is no row at all, nothing competes: one more unit goes to the line that gains most.
    alone = np.zeros(len(lines.at)) if steps.line is None else steps.line * float(steps.factor)
    asked = pl.DataFrame({"sku": of_line, "alone": np.where(lines.group < 0, alone, 0.0)})
    asked = asked.group_by("sku").agg(lines=pl.len(), alone=pl.col("alone").max())
    there = pl.DataFrame({"sku": prepared.stock.frame["sku"], "price": _of_stock(stated, by_row)})
    like = there.group_by("sku").agg(price_best=pl.col("price").max(), price_least=pl.col("price").min())
    ideal = pl.DataFrame({"key": more.skus, "ideal": by_row[len(stated.rows.at) :]})
    names = pl.col("sku").cast(pl.String)
    found = asked.with_columns(key=names).join(ideal, on="key", how="left")
    found = found.join(like.with_columns(key=names).drop("sku"), on="key", how="left")
    price = pl.coalesce("ideal", "alone").alias("price")
    return found.select("sku", "lines", price, "price_best", "price_least").sort("sku")


def _of_stock(stated: Stated, by_row: Floats) -> pl.Series:
    price = np.full(stated.by_rules.bound.prepared.stock.frame.height, np.nan)
    price[stated.rows.at] = by_row[: len(stated.rows.at)]
    return pl.Series(price).fill_nan(None)


def _stock(stated: Stated, by_row: Floats) -> pl.DataFrame:
    ids = stated.by_rules.bound.prepared.stock.frame["stock_id"]
    return pl.DataFrame({"stock_id": ids, "price": _of_stock(stated, by_row)}).sort("stock_id")
