"""A line that is decided on prepared stock gets what a run over the same stock and that line alone gives it."""

from __future__ import annotations

import hypothesis
import pytest

import allocator
from drawing import AS_OF
from small_worlds import DEEP, DEMAND_KINDS, QUICK, World, frame, world, worlds
from tables import Row


def batch(made: World, demand: list[Row]) -> dict[str, tuple]:
    """What a run decides, by line: its result row, and its allocations."""
    result = allocator.allocate(made.frames()[0], frame(demand, DEMAND_KINDS), made.policy, as_of=AS_OF)
    taken: dict[str, list[tuple]] = {}
    for line_id, *allocation in result.allocations.rows():
        taken.setdefault(line_id, []).append(tuple(allocation))
    return {row[0]: (*row, tuple(taken.get(row[0], ()))) for row in result.lines.rows()}


def prepare(made: World) -> allocator.PreparedStock:
    return allocator.prepare(made.frames()[0], made.policy, as_of=AS_OF)


def same_line_by_line(made: World) -> None:
    prepared = prepare(made)
    for line in made.demand:
        assert tuple(prepared.allocate(line)) == batch(made, [line])[line["line_id"]]


def same_together(made: World) -> None:
    expected = batch(made, made.demand)
    decisions = prepare(made).allocate(made.demand)
    assert [tuple(decision) for decision in decisions] == [expected[line["line_id"]] for line in made.demand]


@QUICK
@hypothesis.given(worlds())
def test_a_line_alone_gets_what_a_run_gives_it(made: World) -> None:
    same_line_by_line(made)


@QUICK
@hypothesis.given(worlds())
def test_lines_together_share_one_balance_in_demand_order(made: World) -> None:
    same_together(made)


@pytest.mark.parametrize("seed", range(12))
def test_a_line_that_needs_more_than_the_first_rows_gets_them(seed: int) -> None:
    same_line_by_line(world(seed, rows=1500, lines=12, skus=1))


@pytest.mark.slow
@DEEP
@hypothesis.given(worlds())
def test_deep(made: World) -> None:
    same_line_by_line(made)
    same_together(made)


@QUICK
@hypothesis.given(worlds())
def test_most_lines_are_decided_without_tables(made: World) -> None:
    """Only units, finer quantities and unknown places may need them."""
    prepared = prepare(made)
    places = set(made.frames()[0].get_column("location").drop_nulls())
    for line in made.demand:
        rare = line.get("unit") is not None or (line.get("location") is not None and line["location"] not in places)
        if not rare and prepared._stock.scale >= scale_of(line):
            prepared._decide([line])


def scale_of(line: Row) -> int:
    given = (line[name] for name in ("qty", "pack", "least") if line[name] is not None)
    return max(-value.as_tuple().exponent if not isinstance(value, int) else 0 for value in given)
