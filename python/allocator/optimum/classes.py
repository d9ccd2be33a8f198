"""Classes: rows that are as good as each other for every line, and lines that are as good as each other for every row.

A *kind* is what no test of the policy tells apart; a *class* is what no objective does either. An optimum over classes
is one over rows and lines, so that a group is as large as its differences, not as its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocator.errors import PolicyError, Problem
from allocator.optimum.chains import CHAINED_MIN, Chains, in_chains, ordering
from allocator.optimum.eligible import Asked, AskedExchange, AskedSpan
from allocator.optimum.ground import ONE, Flags, Ints, Lines, Rows
from allocator.optimum.objectives import Gains, Takes
from allocator.plan.spec import Plan

CANDIDATES_MAX = 100_000_000
"""Pairs of kinds that are judged, at the most."""

PAIRS_MAX = 5_000_000
"""Pairs of kinds that may serve each other, at the most: beyond it the solver alone takes gigabytes and hours."""

BLOCK = 1 << 21
"""Pairs that are judged at once."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Which kind and class each row and line has; codes are dense, and by content alone.

    Attributes:
        row_kind: Kind of each row.
        row_class: Class of each row.
        line_kind: Kind of each line.
        line_class: Class of each line.
        unit: Of each row, the units in which everything in its group comes: the pack, where all lines have the same.
        line_unit: The same of each line.
        chains: Kinds of rows in their chains.
    """

    row_kind: Ints
    row_class: Ints
    line_kind: Ints
    line_class: Ints
    unit: Ints
    line_unit: Ints
    chains: Chains


@dataclass(frozen=True, slots=True)
class Pairs:
    """Kinds of rows that may serve kinds of lines: of each chain the weakest that may, by kind of the lines and chain.

    Attributes:
        row: Kind of the rows.
        line: Kind of the lines.
        first_row: A row of the kind.
        first_line: A line of the kind.
        given: Units of a row for so many units of a line, as `asked`.
        asked: Units of a line that are exchanged at once.
        away: Whether the rows are outside the place of the lines.
    """

    row: Ints
    line: Ints
    first_row: Ints
    first_line: Ints
    given: Ints
    asked: Ints
    away: Flags


def dense(keys: Sequence[Ints]) -> Ints:
    """Rows that agree in all keys get the same code; codes are dense, in the order of the keys."""
    code = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        if len(key) == 0 or key.min() == key.max():
            continue
        _, part = np.unique(key, return_inverse=True)
        _, code = np.unique(code * (int(part.max()) + 1) + part, return_inverse=True)
    return code


def classify(
    plan: Plan,
    rows: Rows,
    lines: Lines,
    tests: Sequence[Asked],
    *,
    away: AskedSpan | None,
    gains: Sequence[Gains],
    held: Takes | None,
) -> Classes:
    """Kinds and classes of all rows and lines.

    Args:
        plan: Names lots and places, where lines take from one only.
        rows: The rows.
        lines: The lines.
        tests: Tests that look at both sides.
        away: Tells places apart, if an objective counts them.
        gains: What the objectives count.
        held: What lines have already, if an objective counts what of it is kept.
    """
    grain = _grain(plan, rows, lines, tests, held)
    asked = [*tests, *([] if away is None else [away])]
    row_gains = [gain.row for gain in gains if gain.row is not None]
    line_gains = [gain.line for gain in gains if gain.line is not None]
    order = None if held else ordering(tests)
    rest = [*(key for test in asked if test is not order for key in test.row_keys), *_pools(plan, rows, lines)]
    by_row = [rows.group, *rest, *(order.row_keys if order else [])]
    row_kind = dense([*by_row, np.where(grain.rows, np.arange(len(rows.at)), -1), *(row_gains if held else [])])
    several = (lines.whole > 0) | (lines.least > 1) | (lines.one > 0)
    filled = [np.where(several, part, -1) for part in (lines.whole, lines.qty, lines.least)]
    numbers = np.arange(len(lines.at))
    filled.append(np.where(lines.whole == 2, numbers, -1))
    one = [np.where(lines.one > 0, part, -1) for part in (lines.one, *filled, *line_gains)]
    by_line = [lines.group, lines.pack, *(key for test in asked for key in test.line_keys), *one]
    line_kind = dense([*by_line, np.where(grain.lines, numbers, -1), *([*line_gains, *filled] if held else [])])
    return Classes(
        row_kind,
        dense([row_kind, *row_gains]),
        line_kind,
        dense([line_kind, *line_gains, *filled]),
        grain.unit[rows.group],
        np.where(lines.group < 0, 1, grain.unit[lines.group]),
        in_chains(
            *(rows, lines, row_kind), rest=rest, test=order, large=_large(rows, lines, row_kind, line_kind, grain)
        ),
    )


def _large(rows: Rows, lines: Lines, row_kind: Ints, line_kind: Ints, grain: _Grain) -> Flags:
    """Groups that have more pairs of kinds than are looked at one by one."""
    groups = len(grain.unit)
    of_rows = rows.group[np.unique(row_kind, return_index=True)[1]]
    of_lines = lines.group[np.unique(line_kind, return_index=True)[1]]
    many = np.bincount(of_rows, minlength=groups) * np.bincount(of_lines[of_lines >= 0], minlength=groups)
    single = np.zeros(groups, np.bool_)
    single[rows.group[grain.rows]] = True
    return (many > CHAINED_MIN) & ~single


@dataclass(frozen=True, slots=True)
class _Grain:
    """How finely groups must be looked at: units by group, rows and lines that are a kind of their own."""

    unit: Ints
    rows: Flags
    lines: Flags


def _grain(plan: Plan, rows: Rows, lines: Lines, tests: Sequence[Asked], held: Takes | None) -> _Grain:
    """Where amounts come in steps that differ, single rows and lines matter, and not only their sums."""
    groups = int(max(rows.group.max(initial=-1), lines.group.max(initial=-1))) + 2  # -1 is the last

    def anywhere(flags: Flags, group: Ints) -> Flags:
        found = np.zeros(groups, np.bool_)
        found[group[flags]] = True
        return found

    least, most = np.full(groups, np.iinfo(np.int64).max), np.ones(groups, np.int64)
    np.minimum.at(least, lines.group, lines.pack)
    np.maximum.at(most, lines.group, lines.pack)
    uneven, parted = np.zeros((2, groups), np.bool_)
    for test in tests:
        if isinstance(test, AskedExchange):
            odd = np.unique(np.concatenate([test.pairs[test.given != test.asked] & (2**32 - 1)]))
            uneven |= anywhere(np.isin(test.row_sku, odd), rows.group)
            torn = np.unique(test.pairs[test.asked > 1] & (2**32 - 1))
            parted |= anywhere(np.isin(test.row_sku, torn), rows.group)
    owns = (lines.rows_max > 0) | lines.whole_rows
    has, kept, over = np.zeros(groups, np.bool_), np.zeros(len(lines.at), np.bool_), np.zeros(len(rows.at), np.bool_)
    if held is not None:
        kept[held.line] = True
        has = anywhere(kept, lines.group)
        # Of a row of which less is left than lines have, it matters which row it is.
        had = np.zeros(len(rows.at), np.int64)
        np.add.at(had, held.row, held.qty)
        over = had > rows.balance
    same = (least == most) & ~uneven & ~has
    by_row = ((most > 1) & ~same) | uneven | anywhere(owns, lines.group)
    stepped = (lines.pack > 1) | ~lines.plain | uneven[lines.group]
    own_lines = owns | parted[lines.group] | (stepped & kept)
    return _Grain(np.where(same, most, 1), by_row[rows.group] | over, own_lines)


def _pools(plan: Plan, rows: Rows, lines: Lines) -> list[Ints]:
    """Lots and places, in the groups where lines take from one only."""
    found = []
    for one, pool in pools(plan, rows).items():
        groups = np.unique(lines.group[lines.one == one])
        found.append(np.where(np.isin(rows.group, groups), pool, -1))
    return found


def pools(plan: Plan, rows: Rows) -> dict[int, Ints]:
    """By number of `ONE`, the code of each row's lot (a row without a number is its own) or place."""
    stock, found = plan.stock, {}
    if stock.lot is not None and stock.sku is not None:
        lot = stock.lot.to_numpy()[rows.at].astype(np.int64)
        nameless = lot == 2**32 - 1
        lots = dense([np.where(nameless, -1, lot), stock.sku.to_numpy()[rows.at].astype(np.int64)])
        found[ONE["lot"]] = np.where(nameless, len(lots) + np.arange(len(lots)), lots)
    if stock.place is not None:
        found[ONE["source"]] = stock.place.to_numpy()[rows.at].astype(np.int64)
    return found


# --- pairs ---


def pairs(rows: Rows, lines: Lines, classes: Classes, tests: Sequence[Asked], away: AskedSpan | None) -> Pairs:
    """Every pair of kinds that passes every test, by kind of the lines, then of the rows.

    Raises:
        PolicyError: `problem_too_large`.
    """
    _, first_row = np.unique(classes.row_kind, return_index=True)
    _, first_line = np.unique(classes.line_kind, return_index=True)
    chains = classes.chains
    strongest = chains.kinds[chains.ends[1:] - 1]
    # Chains are numbered by group first, so that those of a group stand together.
    of_chain, of_line = rows.group[first_row[strongest]], lines.group[first_line]
    begin, end = (np.searchsorted(of_chain, of_line, side=side) for side in ("left", "right"))
    width = end - begin
    total = np.cumsum(width)
    _refuse(int(total[-1]) if len(total) else 0, CANDIDATES_MAX)
    blocks: list[list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = []
    count, at = 0, 0
    while at < len(width):
        stop = max(int(np.searchsorted(total, (total[at - 1] if at else 0) + BLOCK, side="right")), at + 1)
        line = np.repeat(np.arange(at, stop), width[at:stop])
        row = np.arange(len(line)) - np.repeat(np.cumsum(width[at:stop]) - width[at:stop], width[at:stop])
        row += begin[line]
        passed = np.ones(len(row), np.bool_)
        for test in tests:
            passed[passed] = test.judge(first_row[strongest[row[passed]]], first_line[line[passed]])[0]
        weakest = chains.weakest(row[passed], first_line[line[passed]])
        blocks.append([weakest, line[passed]])
        count += int(passed.sum())
        _refuse(count, PAIRS_MAX)
        at = stop
    row, line = (np.concatenate([b[side] for b in blocks]) if blocks else np.zeros(0, np.int64) for side in (0, 1))
    ends = first_row[row], first_line[line]
    given, asked = np.ones((2, len(row)), np.int64)
    for test in tests:
        if isinstance(test, AskedExchange):
            given, asked = test.ratio(*ends)
    outside = np.zeros(len(row), np.bool_) if away is None else ~away.judge(*ends)[0]
    return Pairs(row, line, *ends, given, asked, outside)


def _refuse(count: int, most: int) -> None:
    if count > most:
        message = f"the policy tells apart {count:,} pairs of rows and lines at least, at most {most:,} are solved"
        hint = "Optimise fewer SKUs at once, or use fewer distinct values in what the policy compares"
        raise PolicyError(Problem("problem_too_large", message, "policy", hint=hint))
