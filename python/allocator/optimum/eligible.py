"""The tests of a plan asked of pairs of rows and lines, and what of a row or a line each of them can tell apart.

A *key* of rows is a code such that rows of one group with the same code pass a test for the same lines of the group,
at the same rank; a key of lines likewise. Keys are as coarse as the values in the group let them be, so that what no
test tells apart falls into one class.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import polars as pl

from allocator.frames.coded import NULL_CODE
from allocator.optimum.ground import Flags, Ints, Lines, Rows
from allocator.plan.spec import Bound, Digits, Equal, Exchange, Plan, Table, Test, Within

CELLS_MAX = 1 << 22
"""Tables up to this size are searched for values that they do not tell apart."""

Judged: TypeAlias = tuple[Flags, Ints | None]
"""Which pairs pass, and at which rank if the test ranks."""

LEAST, GREATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Asked(Protocol):
    """A test with the values of rows and lines."""

    row_keys: list[Ints]
    line_keys: list[Ints]

    def judge(self, row: Ints, line: Ints) -> Judged:
        """What it says of pairs, given as positions in `Rows` and `Lines`."""


@dataclass(slots=True)
class AskedTable:
    """A table: codes of rows and lines, and the cells between them."""

    cells: np.ndarray[tuple[int, int], np.dtype[np.int32]]
    row_code: Ints
    line_code: Ints
    row_keys: list[Ints] = field(default_factory=list)
    line_keys: list[Ints] = field(default_factory=list)

    def judge(self, row: Ints, line: Ints) -> Judged:
        """See `Asked`."""
        rank = self.cells[self.line_code[line], self.row_code[row]].astype(np.int64)
        return rank >= 0, rank


@dataclass(slots=True)
class AskedSpan:
    """Bounds: a value of each row (`LEAST` where null), and the bounds of each line, open where least or greatest."""

    value: Ints
    null: Flags
    low: Ints
    high: Ints
    null_passes: bool
    outside: bool
    row_keys: list[Ints] = field(default_factory=list)
    line_keys: list[Ints] = field(default_factory=list)

    def judge(self, row: Ints, line: Ints) -> Judged:
        """See `Asked`."""
        value, low, high = self.value[row], self.low[line], self.high[line]
        inside = (value >= low) & (value <= high)
        passed = np.where(self.null[row], self.null_passes, inside != self.outside)
        return passed | ((low == LEAST) & (high == GREATEST)), None


@dataclass(slots=True)
class AskedExchange:
    """SKUs and their substitutes, as (SKU, substitute) in one number, with rank, units given and units asked."""

    row_sku: Ints
    line_sku: Ints
    pairs: Ints
    rank: Ints
    given: Ints
    asked: Ints
    row_keys: list[Ints] = field(default_factory=list)
    line_keys: list[Ints] = field(default_factory=list)

    def _find(self, row: Ints, line: Ints) -> tuple[Flags, Flags, Ints]:
        same = self.row_sku[row] == self.line_sku[line]
        pair = self.line_sku[line] * 2**32 + self.row_sku[row]
        at = np.minimum(np.searchsorted(self.pairs, pair), max(len(self.pairs) - 1, 0))
        listed = self.pairs[at] == pair if len(self.pairs) else np.zeros(len(pair), np.bool_)
        return same, listed & ~same, at

    def judge(self, row: Ints, line: Ints) -> Judged:
        """See `Asked`."""
        same, listed, at = self._find(row, line)
        rank = np.zeros(len(row), np.int64)
        rank[listed] = self.rank[at[listed]]
        return same | listed, rank

    def ratio(self, row: Ints, line: Ints) -> tuple[Ints, Ints]:
        """Units of the row given for so many units of the line."""
        _, listed, at = self._find(row, line)
        given, asked = np.ones((2, len(row)), np.int64)
        given[listed], asked[listed] = self.given[at[listed]], self.asked[at[listed]]
        return given, asked


def passing(plan: Plan, rows: Rows) -> Flags:
    """Rows that pass every test which looks at the row alone."""
    passed = np.ones(len(rows.at), np.bool_)
    for test in plan.tests:
        if isinstance(test, Table) and not test.demand_digits:
            passed &= np.asarray(test.cells)[_codes(test.stock_digits, rows.at)] >= 0
        elif isinstance(test, Within) and not isinstance(test.low, pl.Series) and not isinstance(test.high, pl.Series):
            nobody = np.zeros(len(rows.at), np.int64)
            span = _span(test, rows.at, np.zeros(1, np.int64))
            passed &= span.judge(np.arange(len(rows.at)), nobody)[0]
    return passed


def asked(plan: Plan, rows: Rows, lines: Lines) -> dict[int, Asked]:
    """The tests that look at both sides, by their number in the plan, with keys."""
    found: dict[int, Asked] = {}
    for number, test in enumerate(plan.tests):
        if (made := _asked(test, rows, lines)) is not None:
            found[number] = made
    return found


def _asked(test: Test, rows: Rows, lines: Lines) -> Asked | None:
    match test:
        case Table(demand_digits=digits) if digits:
            return _table(test, rows, lines)
        case Within(low=least, high=most) if isinstance(least, pl.Series) or isinstance(most, pl.Series):
            return with_keys(_span(test, rows.at, lines.at), rows, lines)
        case Equal():
            named = test.demand.to_numpy()[lines.at].astype(np.int64)
            value = test.stock.to_numpy()[rows.at].astype(np.int64)
            nameless = named == NULL_CODE
            low, high = np.where(nameless, LEAST, named), np.where(nameless, GREATEST, named)
            return with_keys(
                AskedSpan(value, value == NULL_CODE, low, high, null_passes=False, outside=False), rows, lines
            )
        case Exchange():
            sides = test.stock.to_numpy()[rows.at].astype(np.int64), test.demand.to_numpy()[lines.at].astype(np.int64)
            listed = np.array(test.substitutes, np.int64).reshape(-1, 5).T
            made = AskedExchange(*sides, listed[0] * 2**32 + listed[1], listed[2], listed[3], listed[4])
            made.row_keys, made.line_keys = [sides[0]], [sides[1]]
            return made
    return None


# --- tables ---


def _codes(digits: Digits, at: Ints) -> Ints:
    """Digits as one number; null is digit 0."""
    code = np.zeros(len(at), np.int64)
    for column, card in digits:
        if column.dtype == pl.UInt32:
            values = column.to_numpy()[at]
            digit = np.where(values == NULL_CODE, 0, values.astype(np.int64) + 1)
        else:
            digit = column.cast(pl.Int64).fill_null(-1).to_numpy()[at] + 1
        code = code * (card + 1) + digit
    return code


def _table(test: Table, rows: Rows, lines: Lines) -> AskedTable:
    width = int(np.prod([card + 1 for _, card in test.stock_digits], dtype=np.int64))
    row_code, line_code = _codes(test.stock_digits, rows.at), _codes(test.demand_digits, lines.at)
    made = AskedTable(np.asarray(test.cells, np.int32).reshape(-1, width), row_code, line_code)
    made.row_keys, made.line_keys = [row_code], [line_code]
    row_values, line_values = np.unique(row_code), np.unique(line_code)
    if 0 < len(row_values) * len(line_values) <= CELLS_MAX:
        # Codes that no cell tells apart are one.
        part = made.cells[np.ix_(line_values, row_values)]
        _, by_row = np.unique(part, axis=1, return_inverse=True)
        _, by_line = np.unique(part, axis=0, return_inverse=True)
        made.row_keys = [by_row.reshape(-1)[np.searchsorted(row_values, row_code)]]
        made.line_keys = [by_line.reshape(-1)[np.searchsorted(line_values, line_code)]]
    return made


# --- bounds ---


def _span(test: Within, rows: Ints, lines: Ints) -> AskedSpan:
    values = test.stock.to_physical().cast(pl.Int64)

    def bound(given: Bound, opened: int) -> Ints:
        if isinstance(given, pl.Series):
            return given.to_physical().cast(pl.Int64).fill_null(opened).to_numpy()[lines]
        return np.full(len(lines), opened if given is None else given, np.int64)

    coded = test.stock.dtype == pl.UInt32
    null = (values == NULL_CODE) | values.is_null() if coded else values.is_null()
    value = values.fill_null(LEAST).to_numpy()[rows]
    low, high = bound(test.low, LEAST), bound(test.high, GREATEST)
    return AskedSpan(value, null.to_numpy()[rows], low, high, test.null_passes, test.outside)


def with_keys(span: AskedSpan, rows: Rows, lines: Lines) -> AskedSpan:
    """The bounds with keys: rows by the bounds of their group that they lie beyond, lines by the values they let in."""
    values, line_groups = np.where(span.null, LEAST, span.value), lines.group
    known = np.unique(np.concatenate([values, span.low, span.high]))
    span.row_keys = [span.null.astype(np.int64)]
    span.line_keys = [(span.low == LEAST).astype(np.int64) + 2 * (span.high == GREATEST)]
    for bounds, side in ((span.low, "right"), (span.high, "left")):
        if ((bounds == LEAST) | (bounds == GREATEST)).all():
            continue
        there = _in_group(rows.group, values, known)
        cuts = _in_group(line_groups, bounds, known)
        span.row_keys.append(_steps(np.unique(cuts), there, side))
        span.line_keys.append(_steps(np.unique(there), cuts, "left" if side == "right" else "right"))
    return span


def _in_group(group: Ints, values: Ints, known: Ints) -> Ints:
    """Group and value as one number that orders as they do."""
    return (group + 1) * len(known) + np.searchsorted(known, values)


def _steps(cuts: Ints, at: Ints, side: str) -> Ints:
    """How many of the cuts lie before each value; on which side of an equal one is told."""
    return np.searchsorted(cuts, at, side="right" if side == "right" else "left").astype(np.int64)
