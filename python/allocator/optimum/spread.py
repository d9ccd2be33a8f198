"""From flows between classes back to rows and lines, by the orders of the policy.

Within a class the rows that come first in stock order are used first, and the lines that the rules serve first are
served first. Allocations that are held stay where the flow allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from allocator.optimum.ground import Flags, Ints, Lines, Rows
from allocator.optimum.model import Model
from allocator.optimum.objectives import Takes
from allocator.optimum.program import Floats


class UnevenError(Exception):
    """A solution that is no whole plan: what flows into a node is not what flows out of it."""


def spread(model: Model, values: Floats, rows: Rows, lines: Lines, held: Sequence[Takes]) -> Takes:
    """The allocations that a solution means.

    Args:
        model: The problem.
        values: A solution of it.
        rows: The rows.
        lines: The lines.
        held: Allocations that stay where they can; those of the first before those of the second.

    Raises:
        UnevenError: The solution is no whole plan.
    """
    whole = np.rint(values).astype(np.int64)
    served = _served(model, whole, lines)
    left = _Left(
        flow=whole[model.flow] * model.taken,
        row_class=whole[model.take],
        row=rows.balance // model.classes.unit * model.classes.unit,
        arc=served.units.copy(),
        line=served.most.copy(),
    )
    stays = [_held(model, left, served, takes) for takes in held]
    # What is left of each row and line beside what stays.
    by_row = _in_order(model.classes.row_class, left.row, left.row_class)
    at = np.flatnonzero(served.arc >= 0)
    still = np.zeros(len(lines.at), np.int64)
    need = np.maximum(served.least - (served.most - left.line), 0)
    spare = left.arc.copy()
    np.subtract.at(spare, served.arc[at], need[at])
    if (spare < 0).any():
        raise UnevenError
    still[at] = need[at] + _in_order(served.arc[at], (left.line - need)[at], spare)
    found = [*stays, _matched(model, by_row, still, served.arc, left.flow)]
    return _added_up(found)


@dataclass
class _Served:
    """Which arc serves each line (-1: none), between how many units, and the units of each arc."""

    arc: Ints
    least: Ints
    most: Ints
    units: Ints
    keeps: Flags


def _served(model: Model, whole: Ints, lines: Lines) -> _Served:
    classes, first = model.classes, model.line_first[model.arc_class]
    counted = model.count >= 0
    order = model.line_order[model.arc_class]
    direct = (order >= 0) & ~counted
    number = np.where(counted, whole[model.count], np.where(direct, _at(whole, model.order, order), len(lines.at)))
    units = np.where(model.serve >= 0, whole[model.serve], number * lines.qty[first])
    # Lines of a class go to its arcs in turn, so many to each.
    by_class = np.argsort(model.arc_class, kind="stable")
    begin = np.cumsum(number[by_class]) - number[by_class]
    sizes = np.bincount(classes.line_class, minlength=len(model.line_first))
    starts = np.searchsorted(model.arc_class[by_class], np.arange(len(sizes)))
    offset = np.append(begin, 0)[np.minimum(starts, len(begin))]
    rank = _rank(classes.line_class)
    arc = np.full(len(lines.at), -1)
    if len(by_class):
        # The arc in which the line's rank falls, among all arcs of its class.
        position = offset[classes.line_class] + rank
        at = np.searchsorted(begin, position, side="right") - 1
        chosen = by_class[np.maximum(at, 0)]
        ends = begin[np.maximum(at, 0)] + number[chosen]
        fits = (at >= 0) & (position < ends) & (model.arc_class[chosen] == classes.line_class)
        arc = np.where(fits, chosen, -1)
    unit = np.maximum(lines.pack, classes.line_unit)
    on = arc >= 0
    most = np.where(on, lines.qty // unit * unit, 0)
    counts = on & (model.count[arc] >= 0)
    least = np.where(counts & (lines.least > 1), -(-lines.least // unit) * unit, 0)
    least = np.where(on & (lines.whole > 0), lines.qty, least)
    keeps = on & ((least == 0) | (least == most) | (sizes[classes.line_class] == 1))
    return _Served(arc, least, most, units, keeps)


def _at(values: Ints, columns: Ints, number: Ints) -> Ints:
    """Values of columns by number, where there is one."""
    return values[columns[np.maximum(number, 0)]] if len(columns) else np.zeros(len(number), np.int64)


def _rank(code: Ints) -> Ints:
    """0, 1, … among the rows of the same code."""
    order = np.argsort(code, kind="stable")
    begin = np.searchsorted(code[order], np.arange(int(code.max(initial=-1)) + 1))
    rank = np.empty(len(code), np.int64)
    rank[order] = np.arange(len(code)) - begin[code[order]]
    return rank


def _in_order(code: Ints, most: Ints, total: Ints) -> Ints:
    """The totals of the codes given out in order, to each row at most what it can take."""
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(most[order])
    before = ends - most[order]
    begin = np.searchsorted(code[order], np.arange(len(total)))
    floor = np.append(before, ends[-1] if len(ends) else 0)[begin]
    given = np.empty(len(code), np.int64)
    given[order] = np.clip(total[code[order]] - (before - floor[code[order]]), 0, most[order])
    return given


# --- what is held ---


@dataclass
class _Left:
    """What is still to be given out: by pair, class of rows, row, arc and line."""

    flow: Ints
    row_class: Ints
    row: Ints
    arc: Ints
    line: Ints


def _held(model: Model, left: _Left, served: _Served, takes: Takes) -> Takes:
    """What of these allocations the solution can leave as it is, taken from what is left."""
    pair = model.find(takes)
    like = (pair >= 0) & served.keeps[takes.line]
    at = np.flatnonzero(like)
    # Where amounts come in steps of their own, rows are kinds of their own: what stays there is known already.
    unit = model.classes.unit[takes.row[at]]
    at = at[(model.step[pair[at]] == unit) & (model.taken[pair[at]] == unit)]
    # In a chain a row passes for weaker ones, and what it can be spared for is known only when all are dealt.
    chain = model.classes.chains.chain
    at = at[np.bincount(chain)[chain[model.pairs.row[pair[at]]]] == 1]
    at = at[model.node[pair[at]] == model.arc_node[served.arc[takes.line[at]]]]
    pair, row, line = pair[at], takes.row[at], takes.line[at]
    amount = takes.qty[at] // model.step[pair] * model.step[pair]
    budgets = (
        (pair, left.flow),
        (model.classes.row_class[row], left.row_class),
        (row, left.row),
        (served.arc[line], left.arc),
        (line, left.line),
    )
    for code, budget in budgets:
        amount = _in_order(code, amount, budget)
    for code, budget in budgets:
        np.subtract.at(budget, code, amount)
    some = amount > 0
    return Takes(row[some], line[some], amount[some], amount[some])


# --- matching ---


def _matched(model: Model, by_row: Ints, by_line: Ints, arc: Ints, flow: Ints) -> Takes:
    """Rows to flows, and flows to lines, in order."""
    classes, pairs, chains = model.classes, model.pairs, model.classes.chains
    row = np.flatnonzero(by_row)
    kind = classes.row_kind[row]
    row = row[np.lexsort((row, chains.depth[kind], chains.chain[kind]))]
    pair = np.flatnonzero(flow)
    kind = pairs.row[pair]
    pair = pair[np.lexsort((pairs.first_line[pair], chains.depth[kind], chains.chain[kind]))]
    # Weak rows to weak pairs, strong ones to strong ones: then every row is strong enough.
    of_rows, of_pairs = chains.chain[classes.row_kind[row]], chains.chain[pairs.row[pair]]
    a, b, qty = _overlap(of_rows, by_row[row], of_pairs, flow[pair])
    row, pair = row[a], pair[b]
    part = qty * pairs.asked[pair] // pairs.given[pair]
    if (part * pairs.given[pair] != qty * pairs.asked[pair]).any():
        raise UnevenError
    order = np.lexsort((row, model.node[pair]))
    row, pair, part = row[order], pair[order], part[order]
    line = np.flatnonzero(by_line)
    line = line[np.argsort(model.arc_node[arc[line]], kind="stable")]
    a, b, served = _overlap(model.node[pair], part, model.arc_node[arc[line]], by_line[line])
    row, pair, line = row[a], pair[a], line[b]
    return Takes(row, line, served * pairs.given[pair] // pairs.asked[pair], served)


def _overlap(code: Ints, amount: Ints, other_code: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """Two sequences of amounts, both by code and with the same total in each, laid beside each other."""
    ends, others = np.cumsum(amount), np.cumsum(other)
    width = int(max(code.max(initial=-1), other_code.max(initial=-1))) + 1
    totals = np.zeros((2, width), np.int64)
    np.add.at(totals[0], code, amount)
    np.add.at(totals[1], other_code, other)
    if (totals[0] != totals[1]).any():
        raise UnevenError
    cuts = np.union1d(ends, others)
    return np.searchsorted(ends, cuts), np.searchsorted(others, cuts), np.diff(cuts, prepend=0)


def _added_up(parts: Sequence[Takes]) -> Takes:
    """One allocation for each row and line."""
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ("line", "row", "qty", "served")
    }
    summed = pl.DataFrame(columns).group_by("line", "row").agg(pl.col("qty", "served").sum()).sort("line", "row")
    return Takes(*(summed[name].to_numpy() for name in ("row", "line", "qty", "served")))
