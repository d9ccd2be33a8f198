"""Whether allocations keep every rule: computed from rows and lines, without classes and without the solver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from allocator.optimum.eligible import Asked, AskedExchange
from allocator.optimum.ground import WHOLE, Ints, Lines, Rows
from allocator.optimum.objectives import Takes


def is_legal(takes: Takes, rows: Rows, lines: Lines, tests: Sequence[Asked], pool: Mapping[int, Ints]) -> bool:
    """Whether every row, line and order has what it may have.

    Args:
        takes: Allocations, one for each row and line.
        rows: The rows.
        lines: The lines.
        tests: Tests that look at both sides.
        pool: Lot or place of each row, by number of `ONE`.
    """
    in_reach = (takes.qty > 0).all() and (lines.group[takes.line] == rows.group[takes.row]).all()
    if not in_reach or not all(test.judge(takes.row, takes.line)[0].all() for test in tests):
        return False
    given, asked = np.ones((2, len(takes.row)), np.int64)
    for test in tests:
        if isinstance(test, AskedExchange):
            given, asked = test.ratio(takes.row, takes.line)
    steps = takes.served % np.lcm(lines.pack[takes.line], asked)
    if (takes.qty * asked != takes.served * given).any() or steps.any():
        return False
    taken, served, used = np.zeros(len(rows.at), np.int64), *np.zeros((2, len(lines.at)), np.int64)
    np.add.at(taken, takes.row, takes.qty)
    np.add.at(served, takes.line, takes.served)
    np.add.at(used, takes.line, 1)
    some, full, of_order = served > 0, served == lines.qty, lines.whole == WHOLE["order"]
    wrong = some & ((served > lines.qty) | (served < lines.least) | ((lines.whole > 0) & ~full))
    wrong |= (lines.rows_max > 0) & (used > lines.rows_max)
    wrong |= some & of_order & np.isin(lines.order, np.unique(lines.order[of_order & ~full]))
    if (taken > rows.balance).any() or wrong.any():
        return False
    return _from_one(takes, lines, pool) and _emptied(takes, lines, taken == rows.balance)


def _from_one(takes: Takes, lines: Lines, pool: Mapping[int, Ints]) -> bool:
    for one, code in pool.items():
        asks = lines.one[takes.line] == one
        pairs = pl.DataFrame({"line": takes.line[asks], "pool": code[takes.row[asks]]})
        if pairs.n_unique() != pairs["line"].n_unique():
            return False
    return True


def _emptied(takes: Takes, lines: Lines, empty: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """A row that is taken whole is empty afterwards, and taken whole by one line only."""
    row = takes.row[lines.whole_rows[takes.line]]
    return bool(empty[row].all()) and len(np.unique(row)) == len(row)
