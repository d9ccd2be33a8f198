"""Lines that are served together get what they would get one after another, each on what the ones before it left.

Under any policy that does not look at quantities of stock: its order is that of what was there when a run began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import Answer
from small_worlds import COUNTED, QUICK, World, changed, evaluator, uncounted, without, world, worlds
from tables import Row

ONE = ("lot", "source")
DECIDED = pytest.mark.parametrize("decided", [World.decided, World.judged], ids=["engine", "oracle"])


def confined(made: World, one: str) -> World:
    """The world in base units with every line confined to one lot or place, where nothing looks at quantities."""
    order = [key.model_dump() for key in made.policy.stock_order if key.column not in {*COUNTED, "qty_available"}]
    fill, fills = made.settings.get("fill", {}), made.settings.get("fills", {})
    named = {name: rule | {"one": one} for name, rule in fills.items()}
    plain = replace(made, stock=without(made.stock, "unit"), demand=without(made.demand, "unit"))
    settings = {"units": None, "unit_rounding": None, "stock_order": order, "fill": fill | {"one": one}, "fills": named}
    return changed(uncounted(plain), **settings)


def one_by_one(made: World, decided: Callable[[World], Answer]) -> Iterator[Row]:
    """The allocations of one unit of service after the other; what was used up is gone by the next."""
    for unit in evaluator(made).units_of_service():
        wanted = {line["line_id"] for line in unit}
        answer = decided(replace(made, demand=[line for line in made.demand if line["line_id"] in wanted]))
        yield from answer.allocations
        left = {row["stock_id"]: row["qty_available"] for row in answer.stock}
        rest = [row for row in made.stock if left[row["stock_id"]] > 0]
        if not rest:
            return
        made = replace(made, stock=[reserved(row, left[row["stock_id"]]) for row in rest])


def reserved(row: Row, left: Fraction) -> Row:
    """The row with all but so much of it reserved."""
    taken = Fraction(row["qty_on_hand"]) - left
    exact = taken.numerator if isinstance(row["qty_on_hand"], int) else Decimal(taken.numerator) / taken.denominator
    return row | {"qty_reserved": exact}


def assert_together_as_one_by_one(made: World, decided: Callable[[World], Answer]) -> None:
    together = decided(made)
    place = {row["line_id"]: number for number, row in enumerate(together.lines)}
    alone = sorted(one_by_one(made, decided), key=lambda row: (place[row["line_id"]], row["rank"]))
    assert together.allocations == alone


@DECIDED
@hypothesis.settings(QUICK, max_examples=60)
@given(worlds(rows=24, lines=8, skus=1, alike=4), st.sampled_from(ONE))
def test_lines_from_one_lot_or_place_get_together_what_they_get_one_by_one(
    decided: Callable[[World], Answer], made: World, one: str
) -> None:
    assert_together_as_one_by_one(confined(made, one), decided)


@DECIDED
@pytest.mark.parametrize("one", ONE)
@pytest.mark.parametrize("seed", range(4))
def test_lines_that_share_many_lots_or_places_get_together_what_they_get_one_by_one(
    decided: Callable[[World], Answer], seed: int, one: str
) -> None:
    assert_together_as_one_by_one(confined(world(seed, rows=120, lines=40, skus=1 + seed % 2), one), decided)
