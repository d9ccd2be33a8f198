"""Cut into as many partitions as can be, the tables give the answer that one process gives, whatever the policy."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import allocator
import small_worlds
from allocator import cluster, reallocation
from allocator.reallocation import Reallocation
from drawing import AS_OF
from small_worlds import COMMON

usual = settings(COMMON, max_examples=20, derandomize=True)
STRATEGIES = ["win", "gain", "improve", "redistribute", "fill", "lose", "skip"]


@pytest.fixture(scope="module")
def cut():
    """How many partitions each example was cut into."""
    found = []
    yield found
    assert max(found) > 3, "nothing was cut: the tests say nothing"


def world(seed):
    """A small world of more SKUs than its policy speaks of, so that there is something to cut."""
    made = small_worlds.world(seed, rows=24, lines=20)
    for rows in (made.stock, made.demand):
        for number, row in enumerate(rows):
            row["sku"] += ("", "", "2", "3", "4")[number % 5]
    return made


@usual
@given(st.integers(0, 2**64 - 1))
def test_allocation(spark, cut, seed):
    made = world(seed)
    stock, demand = made.frames()
    expected = allocator.allocate(stock, demand, made.policy, as_of=AS_OF)
    done = cluster.allocate(stock, demand, made.policy, as_of=AS_OF, spark=spark, rows_max=4)
    cut.append(done.partitions.height)
    for name, found in done.collect()._asdict().items():
        assert_frame_equal(found, getattr(expected, name))


@usual
@given(st.integers(0, 2**64 - 1), st.permutations(STRATEGIES))
def test_reallocation(spark, cut, seed, strategies):
    made = world(seed)
    stock, demand = made.frames()
    demand = demand.with_columns(kind=pl.int_range(pl.len()) % 7)
    # Every second line was allocated before, under rules of which not all hold any more.
    earlier = allocator.allocate(stock, demand[::2], made.policy, as_of=AS_OF).allocations
    filters = [[{"column": "kind", "op": "=", "value": n}] for n in range(7)]
    plan = Reallocation(
        segments=[{"name": s, "strategy": s, "filter": f} for s, f in zip(strategies, filters, strict=True)]
    )
    policy = made.policy.model_copy(update={"substitutes": ()})
    expected = reallocation.reallocate(stock, demand, earlier, plan, policy=policy, as_of=AS_OF)
    done = cluster.reallocate(stock, demand, earlier, plan, policy=policy, as_of=AS_OF, spark=spark, rows_max=4)
    cut.append(done.partitions.height)
    for name, found in done.collect()._asdict().items():
        assert_frame_equal(found, getattr(expected, name))
