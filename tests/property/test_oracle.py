"""The engine decides what the oracle decides: every line with its reason, every allocation in its order."""

from __future__ import annotations

from dataclasses import replace

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_policies import ATTRIBUTES_MEANT
from small_worlds import DEEP, OPTIONAL, QUICK, World, changed, without, world, worlds
from tables import Row


def assert_agreed(made: World) -> None:
    judged, decided = made.judged(), made.decided()
    assert decided.allocations == judged.allocations
    assert decided.lines == judged.lines
    assert decided.stock == judged.stock


@QUICK
@given(worlds())
def test_any_small_world_is_served_as_the_oracle_serves_it(made: World) -> None:
    assert_agreed(made)


@QUICK
@given(worlds(), st.sampled_from(ATTRIBUTES_MEANT))
def test_a_rule_compares_what_an_absent_column_means_and_quantities_as_people_count_them(
    made: World, rule: Row
) -> None:
    """Alone, so that much passes every other gate: the rule decides."""
    kept = {name: made.settings.get(name) for name in ("fill", "fills", "units", "unit_rounding")}
    alone = changed(replace(made, settings={}), **kept, attributes=[rule])
    assert_agreed(alone)
    if rule["column"] in OPTIONAL["stock"]:
        assert_agreed(replace(alone, stock=without(made.stock, rule["column"])))


@pytest.mark.slow
@DEEP
@given(worlds())
def test_many_small_worlds_are_served_as_the_oracle_serves_them(made: World) -> None:
    assert_agreed(made)


# Larger worlds: (rows, lines, SKUs, lines alike). Every way of serving of the kernel is in them.
HOT_AND_MIXED = (500, 400, 1, 4)  # more kinds of lines than a word has bits
HOT_AND_PLAIN = (2_000, 900, 1, 90)
SPREAD = (1_500, 900, 4, 30)


@pytest.mark.parametrize("size", [HOT_AND_MIXED, HOT_AND_PLAIN, SPREAD], ids=["mixed", "plain", "spread"])
@pytest.mark.parametrize("seed", range(6))
def test_larger_worlds_are_served_as_the_oracle_serves_them(seed: int, size: tuple[int, int, int, int]) -> None:
    assert_agreed(world(seed, *size))


@pytest.mark.slow
@given(st.integers(0, 2**64 - 1), st.sampled_from([HOT_AND_MIXED, HOT_AND_PLAIN, SPREAD]))
@hypothesis.settings(DEEP, max_examples=150)
def test_many_larger_worlds_are_served_as_the_oracle_serves_them(seed: int, size: tuple[int, int, int, int]) -> None:
    assert_agreed(world(seed, *size))
