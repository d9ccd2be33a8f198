"""What competes stays together, partitions are of about one size, and what is too large is whole and reported."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.cluster.partition import components, packed, partitioned
from allocator.model.policy import Policy
from small_worlds import COMMON

links = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


def counted(**rows):
    """So many stock rows of each SKU, and as many lines."""
    halves = [n // 2 for n in rows.values()]
    return pl.DataFrame({"sku": list(rows), "stock_rows": halves, "lines": halves})


def cut(counts, tied=(), policy=None, rows_max=100, **settings_):
    given_ = {"rows_max": rows_max, "integers": False, "together": False} | settings_
    ties = pl.DataFrame(list(tied), schema={"a": pl.String, "b": pl.String}, orient="row")
    found = partitioned(counts, ties, policy or Policy(), **given_)
    return dict(found.skus.select("sku", "part").iter_rows()), found


@settings(COMMON, max_examples=200, derandomize=True)
@given(links)
def test_a_component_is_all_that_can_be_reached(pairs):
    a, b = (np.array(side, np.int64) for side in (zip(*pairs, strict=True) if pairs else ([], [])))
    reached = {n: {n} for n in range(20)}
    for x, y in pairs:
        both = reached[x] | reached[y]
        for n in both:
            reached[n] = both
    assert components(20, (a, b)).tolist() == [min(reached[n]) for n in range(20)]


@settings(COMMON, max_examples=200, derandomize=True)
@given(st.lists(st.integers(0, 150), min_size=1, max_size=40))
def test_no_partition_is_twice_as_large_as_it_should_be_unless_it_is_one_component(sizes):
    part = packed(np.array(sizes, np.int64), 100)
    for number in set(part.tolist()):
        inside = [size for size, its in zip(sizes, part.tolist(), strict=True) if its == number]
        assert sum(inside) < 200 or len(inside) == 1
    assert len(set(part.tolist())) <= 1 + sum(sizes) // 100 + sum(size >= 100 for size in sizes)


def test_skus_that_nothing_ties_together_are_spread():
    parts, found = cut(counted(A=60, B=60, C=60, D=60))
    assert sorted(parts.values()) == [0, 0, 1, 2] or len(set(parts.values())) == 3
    assert found.partitions["rows"].sum() == 240


def test_substitutes_whole_orders_and_what_lines_have_tie_skus_together():
    policy = Policy(substitutes=[{"sku": "A", "substitute": "X"}, {"sku": "B", "substitute": "X"}])
    parts, _ = cut(counted(A=60, B=60, C=60, D=60, E=60), tied=[("C", "D")], policy=policy)
    assert parts["A"] == parts["B"] == parts["X"]
    assert parts["C"] == parts["D"]
    assert len(set(parts.values())) == 3


def test_a_hot_sku_stays_whole_is_alone_and_is_reported():
    _, found = cut(counted(HOT=1000, A=20, B=20, C=20))
    assert found.partitions.rows(named=True) == [
        {"part": 0, "components": 1, "skus": 1, "stock_rows": 500, "lines": 500, "rows": 1000, "oversized": True},
        {"part": 1, "components": 3, "skus": 3, "stock_rows": 30, "lines": 30, "rows": 60, "oversized": False},
    ]


def test_groups_are_numbered_as_one_process_answers_them():
    skus = pl.DataFrame({"sku": ["10", "9", "2"], "stock_rows": [1, 1, 1], "lines": [1, 1, 1]})
    as_text, as_numbers = (
        cut(skus, integers=integers)[1].skus.sort("group")["sku"].to_list() for integers in (False, True)
    )
    assert (as_text, as_numbers) == (["10", "2", "9"], ["2", "9", "10"])


def test_a_limit_on_all_changes_keeps_everything_together():
    parts, _ = cut(counted(A=60, B=60), together=True)
    assert set(parts.values()) == {0}


def test_no_rows_at_all_are_no_partition():
    _, found = cut(counted())
    assert found.partitions.is_empty()
