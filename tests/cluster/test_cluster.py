"""Tables on a cluster: what comes back, in which types and order, and what is said of tables that make no sense."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import allocator
from allocator import InputError, Policy, PolicyError, cluster
from allocator.reallocation import Reallocation, reallocate

DAY = dt.date(2026, 11, 1)
STOCK = {"stock_id": ["A", "B", "C"], "sku": ["X", "Y", "Z"], "qty_on_hand": [10, 15, 2]}
DEMAND = {"line_id": ["1", "2", "3"], "sku": ["X", "Y", "Z"], "qty": [13, 9, 2]}
CURRENT = {"line_id": ["1", "3"], "stock_id": ["A", "B"], "qty": [6, 2]}
PLAN = Reallocation(otherwise="improve")


def one(stock=STOCK, demand=DEMAND, policy=None):
    return allocator.allocate(stock, demand, policy, as_of=DAY)


def many(spark, stock=STOCK, demand=DEMAND, policy=None, rows_max=1):
    return cluster.allocate(stock, demand, policy, as_of=DAY, spark=spark, rows_max=rows_max)


def assert_same(collected, expected):
    for name, frame in collected._asdict().items():
        assert_frame_equal(frame, getattr(expected, name))


def refused(call):
    with pytest.raises((InputError, PolicyError)) as caught:
        call()
    return caught.value


# --- what comes back ---


def test_the_answer_is_that_of_one_process(spark):
    done = many(spark)
    assert done.partitions.height == 3
    assert_same(done.collect(), one())


def test_tables_that_the_engine_has_need_no_session_and_give_the_same(in_engine):
    done = cluster.allocate(in_engine(STOCK), in_engine(DEMAND), as_of=DAY, rows_max=1)
    assert_same(done.collect(), one())


def test_files_are_read_and_sent(spark, tmp_path):
    pl.DataFrame(STOCK).write_parquet(tmp_path / "stock.parquet")
    pl.DataFrame(DEMAND).write_csv(tmp_path / "demand.csv")
    assert_same(many(spark, tmp_path / "stock.parquet", tmp_path / "demand.csv").collect(), one())


def test_allocations_of_a_text_file_are_those_of_one_process(spark, tmp_path):
    files = [tmp_path / f"{name}.csv" for name in ("stock", "demand", "current")]
    files[0].write_text("stock_id,sku,qty_on_hand\n10,X,5\n11,Y,2\n")
    files[1].write_text("line_id,sku,qty\n007,X,5\n2,Y,4\n")
    files[2].write_text("line_id,stock_id,qty\n007,10,4.0\n2,11,1\n")
    done = cluster.reallocate(*files, PLAN, as_of=DAY, spark=spark, rows_max=1).collect()
    assert_same(done, reallocate(*files, PLAN, as_of=DAY))


def test_an_answer_has_no_other_frames(spark):
    assert refused(lambda: many(spark).frame("moves")).code == "argument_value"


def test_frames_stay_in_the_engine_until_they_are_asked_for(spark):
    lines = many(spark).frame("lines")
    assert lines.columns == [*one().lines.columns, "order_major", "order_minor"]
    ordered = pl.DataFrame(lines.orderBy("order_major", "order_minor").toArrow()).drop("order_major", "order_minor")
    assert ordered.rows() == one().lines.rows()


def test_types_come_back_as_they_were_given(spark):
    stock = pl.DataFrame(STOCK).with_columns(
        stock_id=pl.Series([7, 2**63 - 5, 9], dtype=pl.UInt64),
        sku=pl.col("sku").cast(pl.Categorical),
        qty_on_hand=pl.Series([Decimal("1.50"), Decimal("2.25"), Decimal(3)]),
    )
    demand = pl.DataFrame(DEMAND).with_columns(
        line_id=pl.col("line_id").cast(pl.Enum(["3", "2", "1"])),
        qty=pl.col("qty").cast(pl.UInt16),
        requested_at=pl.Series([3, 2, 1]).cast(pl.Datetime("ns")),
        needed_on=pl.Series([None] * 3),
    )
    assert_same(many(spark, stock, demand).collect(), one(stock, demand))


def test_integers_as_skus_come_in_the_order_of_numbers(spark):
    stock, demand = STOCK | {"sku": [10, 9, 2]}, DEMAND | {"sku": [10, 9, 2]}
    assert_same(many(spark, stock, demand).collect(), one(stock, demand))


def test_a_partition_may_have_stock_alone_or_lines_alone(spark):
    stock = {"stock_id": [1, 2, 3], "sku": [10, 9, 2], "qty_on_hand": [3, 3, 3], "lot": [7, None, 8]}
    demand = {"line_id": [5, 4, 3], "sku": [10, 8, 2], "qty": [1, 1, 1], "lot": [None, None, 8]}
    assert_same(many(spark, stock, demand).collect(), one(stock, demand))
    current = {"line_id": [5], "stock_id": [1], "qty": [1]}
    done = cluster.reallocate(stock, demand, current, PLAN, as_of=DAY, spark=spark, rows_max=1)
    assert done.partitions.height == 4
    assert_same(done.collect(), reallocate(stock, demand, current, PLAN, as_of=DAY))


def test_times_are_told_apart_to_the_nanosecond(spark):
    base = 1_790_000_000_000_000_000
    demand = pl.DataFrame(
        {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [10, 10], "requested_at": [base + 1, base]}
    ).with_columns(pl.col("requested_at").cast(pl.Datetime("ns")))
    assert many(spark, demand=demand).collect().lines["line_id"].to_list() == ["2", "1"]


def test_an_order_that_is_served_whole_brings_its_skus_together(spark):
    demand = DEMAND | {"order_id": ["O", "O", "P"]}
    policy = Policy(fill={"whole": "order"})
    done = many(spark, demand=demand, policy=policy)
    assert done.partitions.height == 2
    collected = done.collect()
    assert_same(collected, one(demand=demand, policy=policy))
    assert collected.lines["reason"].to_list()[:2] == ["line_incomplete", "order_incomplete"]


def test_lines_without_a_place_leave_the_order_of_all_as_it_is(spark):
    stock = STOCK | {"sku": ["X", "X", "Y"], "location": ["W2", "W1", "W1"]}
    demand = {"line_id": ["1", "2", "3"], "sku": ["X", "X", "Y"], "qty": [1, 1, 1], "location": ["W2", "W1", None]}
    policy = Policy(location={"scope": "exact"})
    assert_same(many(spark, stock, demand, policy).collect(), one(stock, demand, policy))


def test_a_table_may_be_empty(spark):
    nothing = {"line_id": [], "sku": [], "qty": []}
    for stock, demand in ((STOCK, nothing), ({"stock_id": [], "sku": [], "qty_on_hand": []}, nothing)):
        assert [frame.height for frame in many(spark, stock, demand).collect()] == [0, 0, len(stock["sku"])]


def test_other_columns_neither_travel_nor_matter(spark):
    stock = pl.DataFrame(STOCK).with_columns(SKU=pl.lit("?"), pairs=pl.struct("sku", "qty_on_hand"))
    assert_same(many(spark, stock).collect(), one())


# --- what is said of tables that make no sense ---

BAD = {
    "many things at once": (STOCK | {"stock_id": ["A", "A", None]}, DEMAND | {"qty": [-1, 9, -3]}),
    "an id in two partitions": (STOCK, DEMAND | {"line_id": ["1", "2", "1"]}),
    "no SKU": (STOCK | {"sku": ["X", None, "Z"]}, DEMAND | {"line_id": ["1", "", "3"]}),
    "columns missing and of no use": ({"stock_id": ["A"], "qty_on_hand": [1.5]}, {"line_id": [1], "SKU": ["a"]}),
    "a column that cannot be read is not judged": (STOCK | {"qty_on_hand": [1.5, None, 2.5]}, DEMAND),
    "strings in one table, integers in the other": (STOCK, DEMAND | {"sku": [1, 2, 3]}),
    "more rows than are listed": (
        {"stock_id": range(250), "sku": [f"K{n % 7}" for n in range(250)], "qty_on_hand": [-1] * 250},
        DEMAND,
    ),
    "too much together": (STOCK | {"qty_on_hand": [2**62] * 3}, DEMAND),
}


@pytest.mark.parametrize("case", BAD)
def test_every_problem_of_all_partitions_is_raised_at_once_as_in_one_process(spark, case):
    expected = refused(lambda: one(*BAD[case]))
    found = refused(lambda: many(spark, *BAD[case]).collect())
    assert type(found) is type(expected)
    assert found.problems == expected.problems


def test_a_row_of_the_engine_is_told_by_its_id(spark, in_engine):
    stock, demand = in_engine(STOCK | {"qty_on_hand": [-1, 1, -1]}), in_engine(DEMAND | {"line_id": ["1", "2", "1"]})
    error = refused(lambda: cluster.allocate(stock, demand, as_of=DAY, rows_max=1))
    assert [(p.code, p.row, p.message) for p in error.problems] == [
        ("qty_out_of_range", None, "a quantity is below zero, where stock_id is A"),
        ("qty_out_of_range", None, "a quantity is below zero, where stock_id is C"),
        ("id_duplicate", None, "the id is there 2 times"),
    ]


def test_a_check_finds_what_a_run_would_and_serves_nothing(spark):
    many(spark).check()
    assert refused(many(spark, STOCK | {"blocked": [True, None, False]}).check).code == "value_null"


def test_a_frame_of_mistaken_rows_fails_rather_than_come_without_them(spark):
    lines = many(spark, STOCK | {"blocked": [True, None, False]}).frame("lines")
    with pytest.raises(Exception, match=r"value_null: stock\.blocked\[1\]"):
        lines.toArrow()


def test_a_policy_that_does_not_fit_is_blamed_alone(spark):
    policy = Policy(attributes=[{"column": "grade", "op": "=", "value": 3}])
    error = refused(lambda: many(spark, policy=policy))
    assert (type(error), error.code) == (PolicyError, "policy_column_missing")


@pytest.mark.parametrize("given", [{"rows_max": 0}, {"threads": 0}])
def test_arguments_that_make_no_sense_are_refused(spark, given):
    assert refused(lambda: cluster.allocate(STOCK, DEMAND, as_of=DAY, spark=spark, **given)).code == "argument_value"


def test_without_a_session_it_says_so(spark):
    assert refused(lambda: cluster.allocate(STOCK, DEMAND, as_of=DAY)).code == "argument_missing"


# --- what is promised already ---


def test_a_line_stays_with_the_stock_that_it_has_though_it_be_of_another_sku(spark, in_engine):
    expected = reallocate(STOCK, DEMAND, CURRENT, PLAN, as_of=DAY)
    done = cluster.reallocate(STOCK, DEMAND, CURRENT, PLAN, as_of=DAY, spark=spark, rows_max=1)
    assert sorted(done.partitions["skus"]) == [1, 2]
    assert_same(done.collect(), expected)
    tables = [in_engine(table) for table in (STOCK, DEMAND, CURRENT)]
    assert_same(cluster.reallocate(*tables, PLAN, as_of=DAY, rows_max=1).collect(), expected)


def test_what_is_allocated_of_unknown_things_is_told_as_in_one_process(spark):
    current = {"line_id": ["1", "9", "2", "9"], "stock_id": ["?", "B", "B", "!"], "qty": [1, 1, 99, 1]}
    expected = refused(lambda: reallocate(STOCK, DEMAND, current, PLAN, as_of=DAY))
    done = cluster.reallocate(STOCK, DEMAND, current, PLAN, as_of=DAY, spark=spark, rows_max=1)
    assert refused(done.collect).problems == expected.problems


def test_a_limit_that_would_cross_partitions_is_refused_and_kept_where_all_fit_into_one(spark):
    plan = PLAN.model_copy(update={"lines_max": 1})
    error = refused(lambda: cluster.reallocate(STOCK, DEMAND, CURRENT, plan, as_of=DAY, spark=spark, rows_max=2))
    assert [(p.code, p.column) for p in error.problems] == [("plan_indivisible", "lines_max")]
    done = cluster.reallocate(STOCK, DEMAND, CURRENT, plan, as_of=DAY, spark=spark)
    assert_same(done.collect(), reallocate(STOCK, DEMAND, CURRENT, plan, as_of=DAY))
