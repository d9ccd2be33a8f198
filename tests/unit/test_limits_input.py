"""What the tables of replenishment may look like, and the one error for what they may not."""

import datetime as dt
from decimal import Decimal

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from allocator.errors import InputError
from allocator.limits import Limits, check_requests, replenish

TODAY = dt.date(2026, 3, 1)
LIMITS = Limits(rules=[{"name": "all", "units_max": 20}])
STOCK = pl.DataFrame({"bu": ["B", "B"], "asp": ["A", "A"], "sku": ["X", "Y"], "qty_on_hand": [3, 4]})
REQUESTS = STOCK.select("bu", "asp", "sku", request_id=pl.Series([1, 2]), qty=pl.Series([5, 6]))


def problems_of(stock=STOCK, limits=LIMITS, as_of=TODAY, **tables):
    call = check_requests if "requests" in tables else replenish
    with pytest.raises(InputError) as caught:
        call(stock=stock, limits=limits, as_of=as_of, **tables)
    return [(p.code, p.table, p.column, p.row) for p in caught.value.problems]


# --- what is taken ---


@pytest.mark.parametrize(
    "give",
    [
        pl.DataFrame.lazy,
        pl.DataFrame.to_arrow,
        pl.DataFrame.to_pandas,
        lambda frame: duckdb.from_arrow(frame.to_arrow()),
        lambda frame: pl.concat([frame[:1], frame[1:]], rechunk=False),
        lambda frame: pl.concat([frame, frame])[1:3].sort("sku"),
        lambda frame: frame.with_columns(pl.col("bu", "asp", "sku").cast(pl.Categorical)),
        lambda frame: frame.with_columns(pl.col("sku").cast(pl.Enum(["X", "Y"])), pl.col("qty_on_hand").cast(pl.UInt8)),
        lambda frame: frame.with_columns(lot=pl.lit("any further column"), expires_on=pl.lit(None)),
    ],
)
def test_any_table_with_the_same_content_gives_the_same_answer(give):
    assert_frame_equal(replenish(give(STOCK), LIMITS, as_of=TODAY), replenish(STOCK, LIMITS, as_of=TODAY))


def test_tables_of_pandas_and_pyarrow_may_be_mixed():
    in_transit = pa.table({"bu": ["B"], "asp": ["A"], "sku": ["X"], "qty": [2]})
    skus = pd.DataFrame({"sku": ["X"], "pack": [5]})
    out = replenish(STOCK, LIMITS, in_transit=in_transit, skus=skus, as_of=TODAY)
    assert out["qty_proposed"].to_list() == [15, 16]


def test_no_rows_give_no_rows():
    out = replenish(STOCK.clear(), LIMITS, as_of=TODAY)
    assert (out.height, out.columns) == (0, replenish(STOCK, LIMITS, as_of=TODAY).columns)
    assert check_requests(REQUESTS.clear(), STOCK, LIMITS, as_of=TODAY).height == 0


def test_dates_may_carry_a_time_and_times_of_requests_a_zone():
    stock = STOCK.with_columns(expires_on=pl.lit(dt.datetime(2026, 2, 28, 23, 59)))
    assert replenish(stock, LIMITS, as_of=TODAY)["not_counted_expired"].to_list() == [3, 4]
    zoned = REQUESTS.with_columns(requested_at=pl.lit(dt.datetime(2026, 3, 29, 2, 30)).dt.replace_time_zone("UTC"))
    assert check_requests(zoned, STOCK, LIMITS, as_of=TODAY).height == 2


# --- what is refused ---


def test_every_problem_of_every_table_is_reported_at_once():
    stock = pl.DataFrame(
        {"bu": ["B", None], "sku": ["X", "Y"], "qty_on_hand": [3, -1], "qty_reserved": [9, 0], "stock_id": ["s", "s"]}
    )
    found = problems_of(
        stock,
        as_of=dt.datetime(2026, 3, 1),
        in_transit=3,
        skus=pl.DataFrame({"sku": ["X"], "pack": [0], "unit_cost": [1.5]}),
        rules=pl.DataFrame({"name": ["all"], "sku": ["X"], "trigger": [3], "rounding": ["upwards"]}),
    )
    assert set(found) == {
        ("argument_type", "", "", None),
        ("table_unreadable", "in_transit", "", None),
        ("value_null", "stock", "bu", 1),
        ("column_missing", "stock", "asp", None),
        ("qty_out_of_range", "stock", "qty_on_hand", 1),
        ("id_duplicate", "stock", "stock_id", 1),
        ("reserved_above_on_hand", "stock", "qty_reserved", 0),
        ("column_type", "skus", "unit_cost", None),
        ("qty_out_of_range", "skus", "pack", 0),
        ("id_duplicate", "rules", "name", 0),
        ("limit_empty", "rules", "units_max", 0),
        ("rounding_unknown", "rules", "rounding", 0),
    }


@pytest.mark.parametrize(
    "qty",
    [
        pl.Series([3.0, 4.0]),
        pl.Series([float("nan"), float("inf")]),
        pl.Series([True, False]),
        pl.Series(["3", "4"]),
        pl.Series([[3], [4]]),
    ],
)
def test_a_quantity_that_is_not_exact_is_refused(qty):
    assert problems_of(STOCK.with_columns(qty_on_hand=qty)) == [("column_type", "stock", "qty_on_hand", None)]


def test_a_quantity_that_does_not_fit_is_refused_alone_and_in_sum():
    wide = STOCK.with_columns(qty_on_hand=pl.Series([2**63, 1], dtype=pl.UInt64))
    assert problems_of(wide) == [("value_overflow", "stock", "qty_on_hand", 0)]
    many = STOCK.with_columns(qty_on_hand=pl.Series([2**60, 1]))
    assert problems_of(many) == [("value_overflow", "stock", "qty_on_hand", None)]


def test_the_largest_quantities_and_amounts_that_are_supported_are_exact():
    stock = STOCK[:1].with_columns(qty_on_hand=pl.lit(2**60))
    tables = {"in_transit": stock.rename({"qty_on_hand": "qty"}), "open_requests": stock.rename({"qty_on_hand": "qty"})}
    skus = pl.DataFrame({"sku": ["X"], "unit_cost": [Decimal(10) ** 12]})
    limits = Limits(rules=[{"name": "all", "units_max": 0, "value_max": 10**12}])
    row = replenish(stock, limits, skus=skus, as_of=TODAY, **tables).row(0, named=True)
    assert row["headroom_units"] == -3 * 2**60
    assert row["headroom_value"] == 10**12 - 3 * 2**60 * 10**12
    most = Limits(rules=[{"name": "all", "units_max": 2**60, "pack": 2**60, "rounding": "always_reach"}])
    assert replenish(STOCK, most, as_of=TODAY)["qty_proposed"].to_list() == [2**60, 2**60]


@pytest.mark.parametrize(
    ("cost", "code"),
    [
        (Decimal("-0.01"), "money_out_of_range"),
        (Decimal(10) ** 12 + 1, "money_out_of_range"),
        (Decimal(10) ** 37, "value_overflow"),
        (Decimal("0.0000001"), "money_too_fine"),
    ],
)
def test_money_out_of_range_or_too_fine_is_refused(cost, code):
    skus = pl.DataFrame({"sku": ["X", "Y"], "unit_cost": [cost, Decimal(1)]})
    assert problems_of(skus=skus) == [(code, "skus", "unit_cost", 0)]


@pytest.mark.parametrize("cost", [None, Decimal(0)])
def test_a_limit_in_value_needs_a_unit_cost(cost):
    skus = pl.DataFrame(
        {"sku": ["X", "Y"], "unit_cost": [Decimal(2), cost]}, schema={"sku": pl.String, "unit_cost": pl.Decimal(10, 2)}
    )
    limits = Limits(rules=[{"name": "all", "value_max": 20}])
    assert problems_of(limits=limits, skus=skus) == [("unit_cost_missing", "skus", "unit_cost", None)]
    assert len(problems_of(limits=limits)) == 2


def test_keys_are_text_in_all_tables_or_integers_in_all():
    skus = pl.DataFrame({"sku": [1]})
    assert problems_of(skus=skus) == [("mixed_keys", "", "sku", None)]


def test_two_equally_specific_rules_are_refused_by_name_wherever_they_stand():
    rules = pl.DataFrame({"name": ["first", "second"], "sku": ["X", "X"], "units_max": [1, 2]})
    with pytest.raises(InputError, match="rules 'first' and 'second' are equally specific for sku=X") as caught:
        replenish(STOCK, LIMITS, rules=rules, as_of=TODAY)
    assert caught.value.code == "limit_conflict"
    everywhere = pl.DataFrame({"units_max": [7]})
    with pytest.raises(InputError, match=r"rules 'all' and 'rules\[0\]' are equally specific for everything"):
        replenish(STOCK, LIMITS, rules=everywhere, as_of=TODAY)


def test_a_request_that_is_open_already_is_not_counted_against_itself():
    found = problems_of(requests=REQUESTS, open_requests=REQUESTS[1:])
    assert found == [("request_already_open", "requests", "request_id", 1)]


def test_requests_have_ids_and_ask_for_something():
    asked = REQUESTS.with_columns(request_id=pl.lit(1), qty=pl.lit(0))
    assert problems_of(requests=asked) == [
        ("id_duplicate", "requests", "request_id", 1),
        ("qty_out_of_range", "requests", "qty", 0),
        ("qty_out_of_range", "requests", "qty", 1),
    ]


@pytest.mark.parametrize("stock", [None, 3, [1, 2], {"sku": ["X"]}, pl.DataFrame(), pl.DataFrame({"x": [1]})])
def test_what_is_no_stock_table_is_refused(stock):
    assert {code for code, *_ in problems_of(stock)} <= {"table_unreadable", "column_missing"}


def test_limits_are_a_limits_document():
    assert problems_of(limits={"rules": []}) == [("argument_type", "", "", None)]


def test_a_million_bad_rows_make_a_readable_error():
    stock = pl.select(bu=pl.lit("B"), asp=pl.lit("A"), sku=pl.int_range(100_000), qty_on_hand=pl.lit(-1))
    with pytest.raises(InputError) as caught:
        replenish(stock, LIMITS, as_of=TODAY)
    assert len(caught.value.problems) == 100
    assert "one of 100000 rows" in caught.value.problems[-1].message


def test_stock_may_be_the_path_of_a_file(tmp_path):
    STOCK.write_parquet(tmp_path / "stock.parquet")
    by_path = replenish(tmp_path / "stock.parquet", LIMITS, as_of=TODAY)
    assert_frame_equal(by_path, replenish(STOCK, LIMITS, as_of=TODAY))
    assert problems_of(tmp_path / "none.parquet") == [("file_missing", "stock", "", None)]
