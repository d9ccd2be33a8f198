"""The explanation of every line agrees with what the kernel decided, which it does not know how to decide."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given

import allocator
from allocator.model.policy import FILLS, Fill
from allocator.model.reason import GATES

Row = dict[str, Any]
small_worlds = pytest.importorskip("small_worlds", reason="tests/small_worlds.py draws the worlds")


class Explained:
    """One line of a world, explained; quantities in whole steps of the tables."""

    def __init__(self, made: Any, result: allocator.Result, line_id: str) -> None:
        self.told = result.explain(line_id)
        demand = result.bound.prepared.demand
        self.line = demand.frame.filter(pl.col("line_id") == line_id).row(0, named=True)
        self.steps = 10**demand.scale
        self.policy = made.policy
        self.ratios = {s.substitute: s.ratio for s in self.policy.substitutes if s.sku == self.line["sku"]}
        self.rows = self.told.candidates.to_dicts()
        self.eligible = [row for row in self.rows if row["eligible"]]
        name = self.line.get("fill")
        self.fill: Fill = self.policy.fill if name is None else (FILLS | self.policy.fills)[name]
        self.asked, self.got, self.short = (self.whole(self.told.line[c]) for c in ("requested", "allocated", "short"))

    def whole(self, qty: Any) -> int:
        """A quantity in whole steps."""
        exact = Fraction(qty) * self.steps
        assert exact.denominator == 1
        return int(exact)

    def amount(self, setting: Any) -> Any:
        """A quantity of the fill rule; None if the line is not bound."""
        return self.line.get(setting) if isinstance(setting, str) else setting

    def served(self, row: Row, qty: int) -> int:
        """What a quantity of the row serves in whole exchanges, in units of the line's SKU."""
        ratio = self.ratios.get(row["sku"], Fraction(1)) if row["sku"] != self.line["sku"] else Fraction(1)
        return qty // ratio.numerator * ratio.denominator

    def at_hand(self) -> int:
        """The balance of the candidates when the line was served, exchanges counted whole."""
        return sum(self.served(row, self.whole(row["qty_balance"])) for row in self.eligible)


def explained(made: Any) -> list[Explained]:
    result = allocator.allocate(*made.frames(), made.policy, as_of=small_worlds.AS_OF)
    return [Explained(made, result, line_id) for line_id in result.lines["line_id"]]


def assert_takes_agree(one: Explained) -> None:
    """What the explanation says was taken is what was allocated, from eligible rows, in their order."""
    takers = sorted((row for row in one.rows if row["rank"] is not None), key=lambda row: row["rank"])
    assert [row["rank"] for row in takers] == list(range(1, len(takers) + 1))
    assert all(row["eligible"] and row["gates"] == [] for row in takers)
    assert [row["position"] for row in takers] == sorted(row["position"] for row in takers)
    assert sum(one.served(row, one.whole(row["qty_taken"])) for row in takers) == one.got
    for row in one.eligible:
        assert 0 <= row["qty_taken"] <= row["qty_balance"]
        before = sum(taken["qty"] for taken in row["taken_before"])
        assert row["qty_balance"] == row["qty_available"] - row["qty_kept_back"] - before


def assert_nothing_was_passed_over(one: Explained) -> None:
    """A line that may take any quantity takes from each row, in order, all that it can."""
    if one.fill != Fill():
        return
    left = one.asked
    for row in one.eligible:
        ratio = one.ratios.get(row["sku"], Fraction(1)) if row["sku"] != one.line["sku"] else Fraction(1)
        most = min(left, one.served(row, one.whole(row["qty_balance"])))
        takes = most // ratio.denominator * ratio.denominator
        assert one.served(row, one.whole(row["qty_taken"])) == takes
        left -= takes
    assert left == one.short


def assert_reason_follows(one: Explained) -> None:
    """The reason is the one that the rules of docs/allocation.md give on what the explanation shows."""
    reason, fill = one.told.line["reason"], one.fill
    assert (reason is None) == (one.short == 0)
    if reason is None:
        return
    if not one.eligible:
        order = list(GATES)
        furthest = [row["gates"][0] for row in one.rows]
        assert reason == max(furthest, key=order.index, default="unknown_sku")
        return
    if fill.whole == "order":
        return  # what its own order held, and gave back, the line found gone
    if one.at_hand() >= one.asked:
        rules = {f"one_{fill.one}": fill.one, "whole_rows": fill.whole_rows, "rows_max": fill.rows_max}
        rules["pack"] = one.amount(fill.pack) is not None
        assert reason == next((name for name, is_set in rules.items() if is_set), "exchange")
        return
    moved = "taken" if any(row["taken_before"] for row in one.eligible) else "insufficient"
    given_back = {"below_minimum"} if one.amount(fill.qty_min) is not None else set()
    given_back |= {"line_incomplete"} if fill.whole == "line" else set()
    assert reason in ({moved} if one.got else {moved, *given_back})


def assert_explained(made: Any) -> None:
    for one in explained(made):
        assert_takes_agree(one)
        assert_nothing_was_passed_over(one)
        assert_reason_follows(one)
        assert one.told.frame().height == len(one.rows)
        assert str(one.line["line_id"]) in one.told.text()


@small_worlds.QUICK
@given(small_worlds.worlds())
def test_every_line_of_any_small_world_is_explained_as_it_was_served(made: Any) -> None:
    assert_explained(made)


@pytest.mark.slow
@small_worlds.DEEP
@given(small_worlds.worlds())
def test_every_line_of_many_small_worlds_is_explained_as_it_was_served(made: Any) -> None:
    assert_explained(made)
