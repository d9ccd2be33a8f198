"""A plan that contradicts itself is a defect of this package: it is reported as one, and no panic gets through."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_series_equal

from allocator import InternalError
from allocator.engine import BoundPlan, exchanges, gather, line_amounts, lists, pair_sums, parts
from allocator.errors import AllocatorError
from allocator.plan.spec import (
    DemandSide,
    Equal,
    Exchange,
    FillRule,
    Key,
    Part,
    Plan,
    Rank,
    Safety,
    StockSide,
    Table,
    Within,
)

TWO = pl.Series([0, 0], dtype=pl.UInt32)
THREE = pl.Series([0, 0, 0], dtype=pl.UInt32)
HIGH = pl.Series([9, 9], dtype=pl.UInt32)
ANY = FillRule("no", None, None, None, None, whole_rows=False)
PLAN = Plan(
    stock=StockSide(on_hand=pl.Series([5, 5]), reserved=None, order=[], ids=None),
    demand=DemandSide(qty=pl.Series([3, 3]), order=[], ids=None),
    group=[Part(TWO, TWO, 1)],
    tests=[],
    fills=[ANY],
)


def of(side: str, **change: Any) -> Plan:
    return dataclasses.replace(PLAN, **{side: dataclasses.replace(getattr(PLAN, side), **change)})


def with_tests(*tests: Any) -> Plan:
    return dataclasses.replace(PLAN, tests=list(tests))


def test_the_plan_itself_runs() -> None:
    assert BoundPlan(PLAN).run().allocated.to_list() == [3, 3]


BAD: dict[str, Callable[[], Plan]] = {
    "no fill rule": lambda: dataclasses.replace(PLAN, fills=[]),
    "no group": lambda: dataclasses.replace(PLAN, group=[]),
    "a group code beyond its card": lambda: dataclasses.replace(PLAN, group=[Part(HIGH, HIGH, 1)]),
    "a column of text": lambda: of("stock", lot=pl.Series(["a", "b"])),
    "a rank of no test": lambda: of("stock", order=[Rank(7)]),
    "too few cells": lambda: with_tests(Table(6, [(TWO, 1)], [(TWO, 1)], [0])),
    "an unknown fill": lambda: of("demand", fill=pl.Series([0, 4])),
    "a whole of another name": lambda: dataclasses.replace(PLAN, fills=[dataclasses.replace(ANY, whole="half")]),
    "a one of another name": lambda: dataclasses.replace(PLAN, fills=[dataclasses.replace(ANY, one="bin")]),
    "an exchange for nothing": lambda: with_tests(Exchange(TWO, pl.Series([1, 1], dtype=pl.UInt32), [(1, 0, 1, 0, 0)])),
}

LENGTHS: dict[str, Callable[[], Plan]] = {
    "reserved": lambda: of("stock", reserved=pl.Series([1])),
    "stock order": lambda: of("stock", order=[Key(THREE, descending=False, nulls_first=False)]),
    "demand order": lambda: of("demand", order=[Key(THREE, descending=False, nulls_first=False)]),
    "order": lambda: of("demand", order_code=THREE),
    "group": lambda: dataclasses.replace(PLAN, group=[Part(THREE, TWO, 1)]),
    "equal": lambda: with_tests(Equal(3, THREE, TWO)),
    "within": lambda: with_tests(Within(8, TWO, THREE, None, null_passes=True)),
    "safety": lambda: dataclasses.replace(PLAN, safety=Safety(THREE, None, THREE, [])),
}


@pytest.mark.parametrize("plan", BAD.values(), ids=BAD)
def test_a_plan_that_contradicts_itself_is_reported_as_a_defect(plan: Callable[[], Plan]) -> None:
    with pytest.raises(InternalError) as caught:
        BoundPlan(plan()).run()
    assert [problem.code for problem in caught.value.problems] == ["internal"]


@pytest.mark.parametrize("plan", LENGTHS.values(), ids=LENGTHS)
def test_columns_of_different_lengths_are_refused(plan: Callable[[], Plan]) -> None:
    with pytest.raises(AllocatorError) as caught:
        BoundPlan(plan()).run()
    assert [problem.code for problem in caught.value.problems] == ["row_count"]


def test_pairs_are_judged_by_themselves_and_pairs_of_what_is_not_there_are_refused() -> None:
    mixed = pl.Series([1, 0], dtype=pl.UInt32)
    lives = Within(8, pl.Series([10, None]), pl.Series([None, 10]), None, null_passes=False)
    plan = BoundPlan(dataclasses.replace(PLAN, group=[Part(mixed, TWO, 2)], tests=[lives]))
    row, line = (pl.Series(rows, dtype=pl.UInt32) for rows in ([1, 1, 1, 0], [0, 1, 0, 0]))
    # No bound is asked; the row has no value; it has fewer units than it should serve; it is of another group.
    assert plan.fit(row, line, pl.Series([9, 9, 2, 9]), pl.Series([9, 9, 3, 9])).to_list() == [
        True,
        False,
        False,
        False,
    ]
    one = pl.Series([1])
    for rows, lines in ((pl.Series([2]), pl.Series([0])), (pl.Series([0]), pl.Series([2])), (row, pl.Series([0]))):
        with pytest.raises(InternalError):
            BoundPlan(PLAN).fit(rows.cast(pl.UInt32), lines.cast(pl.UInt32), one, one)


def test_pairs_and_numbers_that_do_not_go_together_are_refused() -> None:
    numbers, amounts = pl.Series([0, 1], dtype=pl.UInt32), pl.Series([5, 6])
    assert [each.to_list() for each in pair_sums(numbers, TWO, amounts)[:2]] == [[0, 1], [0, 0]]
    with pytest.raises(InternalError):
        pair_sums(numbers, THREE, amounts)
    rank = pl.Series([1, 1], dtype=pl.UInt8)
    with pytest.raises(InternalError):
        parts(amounts, amounts, (numbers, HIGH, amounts), rank, None)
    with pytest.raises(InternalError):
        parts(amounts, amounts, (numbers, numbers, amounts), rank, (HIGH, rank))
    with pytest.raises(InternalError):
        exchanges(numbers.reverse(), numbers, amounts)
    with pytest.raises(InternalError):
        line_amounts(amounts, amounts, amounts, pl.Series([1]))
    with pytest.raises(AllocatorError):
        pair_sums(amounts, TWO, amounts)


def test_rows_that_are_not_there_are_refused_and_others_gathered_as_polars_gathers() -> None:
    rows = pl.Series([1, 0, 1], dtype=pl.UInt32)
    columns = [
        pl.Series(["a string that is longer than a view", None]),
        pl.Series([None, True]),
        pl.Series([1, 2], dtype=pl.Int8),
        pl.Series([dt.date(2026, 3, 1), None]),
        pl.Series([dt.datetime(2026, 3, 1), None]).dt.replace_time_zone("Asia/Kolkata"),
        pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
        pl.Series([Decimal("1.5"), None]),
    ]
    for column in columns:
        assert_series_equal(gather(column, rows), column.gather(rows), check_names=False)
        with pytest.raises((InternalError, pl.exceptions.OutOfBoundsError)):
            gather(column, rows + 1)
    assert_series_equal(gather(columns[0][1:], TWO[:1]), columns[0][1:])


def test_owners_of_lists_ascend_and_there_are_as_many_of_them_as_said() -> None:
    owner, values = pl.Series([1, 1], dtype=pl.UInt32), pl.Series(["a", "b"])
    assert lists(owner, values, 3).to_list() == [[], ["a", "b"], []]
    for wrong in (owner + 2, pl.Series([1, 0], dtype=pl.UInt32)):
        with pytest.raises(InternalError):
            lists(wrong, values, 3)
    with pytest.raises(AllocatorError):
        lists(owner, values[:1], 3)
