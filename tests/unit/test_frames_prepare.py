"""Tables against their contract: what is accepted, how it is normalised, and every problem at once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from allocator.engine import CORE
from allocator.errors import InputError, PolicyError
from allocator.frames.prepare import Prepared, prepare, prepare_demand, prepare_stock
from allocator.model.policy import Policy

STOCK = {"stock_id": ["S1", "S2"], "sku": ["A", "B"], "location": ["W1", "W1/A"], "qty_on_hand": [5, 7]}
DEMAND = {"line_id": ["L1", "L2"], "sku": ["A", "B"], "qty": [3, 4]}


def stock(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({**STOCK, **columns}, strict=False)


def demand(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({**DEMAND, **columns}, strict=False)


def prepared(
    stock: pl.DataFrame | None = None, demand: pl.DataFrame | None = None, policy: Policy | None = None
) -> Prepared:
    frames = [pl.DataFrame(STOCK) if stock is None else stock, pl.DataFrame(DEMAND) if demand is None else demand]
    return prepare(*frames, policy or Policy(), CORE)


def problems(*args: Any, **kwargs: Any) -> list[tuple[str, str, int | None]]:
    """Code, column and row of every problem."""
    with pytest.raises((InputError, PolicyError)) as caught:
        prepared(*args, **kwargs)
    return [(problem.code, f"{problem.table}.{problem.column}", problem.row) for problem in caught.value.problems]


def test_tables_that_make_sense_come_out_as_they_went_in() -> None:
    both = prepared()
    assert both.stock.frame.equals(pl.DataFrame(STOCK))
    assert both.demand.frame.equals(pl.DataFrame(DEMAND))
    assert both.stock.scale == both.demand.scale == 0
    assert both.stock.ascending


def test_every_problem_of_both_tables_is_told_at_once() -> None:
    bad_stock = stock(stock_id=["S1", "S1"], qty_on_hand=[5, -1], location=["/W1", "W1"])
    bad_demand = demand(qty=[3, None], fill=["whole", "any"])
    assert problems(bad_stock, bad_demand) == [
        ("place_malformed", "stock.location", 0),
        ("qty_out_of_range", "stock.qty_on_hand", 1),
        ("id_duplicate", "stock.stock_id", 1),
        ("fill_unknown", "demand.fill", 0),
        ("value_null", "demand.qty", 1),
    ]


def test_decimal_quantities_of_one_table_set_the_scale_of_both() -> None:
    both = prepared(stock(qty_on_hand=pl.Series([Decimal("33.60"), Decimal("0.1")], dtype=pl.Decimal(10, 2))))
    assert both.stock.frame["qty_on_hand"].to_list() == [3360, 10]
    assert both.demand.frame["qty"].to_list() == [300, 400]
    assert both.demand.scale == 2


def test_units_of_measure_become_base_units_by_the_entry_of_the_sku_or_else_the_general_one() -> None:
    policy = Policy(units=[{"unit": "box", "ratio": 16}, {"unit": "box", "ratio": 10, "sku": "B"}])
    both = prepared(stock(unit=["box", "box"]), demand(unit=[None, "box"]), policy)
    assert both.stock.frame["qty_on_hand"].to_list() == [80, 70]
    assert both.demand.frame["qty"].to_list() == [3, 40]


def test_demand_is_prepared_alone_in_the_units_of_stock_that_was_prepared_before() -> None:
    ready = prepare_stock(stock(qty_on_hand=[Decimal("1.5"), Decimal(2)]), Policy(), CORE)
    assert prepare_demand(demand(), Policy(), CORE, ready.scale).frame["qty"].to_list() == [30, 40]
    with pytest.raises(InputError, match="qty_step"):
        prepare_demand(demand(qty=[Decimal("0.25"), Decimal(1)]), Policy(), CORE, ready.scale)


def test_days_may_be_given_as_midnights() -> None:
    both = prepared(stock(received_on=[dt.datetime(2026, 3, 1), None]))
    assert both.stock.frame["received_on"].to_list() == [dt.date(2026, 3, 1), None]


def test_nothing_is_asked_of_columns_that_a_table_need_not_have() -> None:
    assert problems(pl.DataFrame({"STOCK_ID ": ["S1"]}), pl.DataFrame()) == [
        ("column_missing", "stock.qty_on_hand", None),
        ("column_missing", "stock.sku", None),
        ("column_missing", "stock.stock_id", None),
        ("column_missing", "demand.line_id", None),
        ("column_missing", "demand.qty", None),
        ("column_missing", "demand.sku", None),
    ]


def test_a_column_that_differs_in_case_is_pointed_at() -> None:
    with pytest.raises(InputError, match="'STOCK_ID ' looks like it"):
        prepared(pl.DataFrame({"STOCK_ID ": ["S1"], "sku": ["A"], "qty_on_hand": [1]}))


@pytest.mark.parametrize(
    ("column", "values", "hint"),
    [
        ("qty_on_hand", [1.0, 2.0], "not exact"),
        ("qty_on_hand", [float("nan"), float("inf")], "not exact"),
        ("qty_on_hand", [True, False], "any integer"),
        ("qty_on_hand", ["1", "2"], "Parse it"),
        ("stock_id", [1.0, 2.0], "Cast to Int64"),
        ("blocked", [0, 1], "Boolean"),
        ("blocked", ["yes", "no"], "Boolean"),
        ("received_on", ["2026-01-01", None], "str.to_date"),
        ("received_on", [20_000, None], "from_epoch"),
        ("received_on", [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None], "needs a place"),
        ("status", [1, 2], "String"),
        ("location", [["W1"], ["W2"]], "String"),
        ("unit_cost", [1.5, 2.5], "not exact"),
    ],
)
def test_a_column_of_a_wrong_type_is_refused_with_what_to_do(column: str, values: list[Any], hint: str) -> None:
    with pytest.raises(InputError, match=hint) as caught:
        prepared(stock(**{column: pl.Series(values)}))
    assert [(problem.code, problem.column) for problem in caught.value.problems] == [("column_type", column)]


def test_python_objects_are_no_column() -> None:
    assert problems(stock(sku=pl.Series([1, "A"], dtype=pl.Object))) == [("column_type", "stock.sku", None)]


@pytest.mark.parametrize("column", ["qty_reserved", "blocked", "stock_id", "sku", "qty_on_hand"])
def test_a_gap_where_every_row_needs_a_value_is_refused(column: str) -> None:
    value = {"qty_reserved": 0, "blocked": False}.get(column, STOCK.get(column, [None])[0])
    assert problems(stock(**{column: [value, None]})) == [("value_null", f"stock.{column}", 1)]


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Float64, pl.Date])
def test_an_optional_column_without_any_value_is_as_if_it_were_not_there(dtype: Any) -> None:
    empty = pl.Series([None, None], dtype=dtype)
    both = prepared(stock(expires_on=empty, lot=empty), demand(priority=empty, fill=empty))
    assert both.stock.frame.columns == list(STOCK)
    assert both.demand.frame.columns == list(DEMAND)


def test_tables_without_rows_are_tables() -> None:
    both = prepared(pl.DataFrame(STOCK).clear(), pl.DataFrame({"line_id": [], "sku": [], "qty": []}))
    assert both.stock.frame.height == both.demand.frame.height == 0
    assert both.demand.frame["qty"].dtype == pl.Int64


def test_quantities_are_exact_up_to_the_largest_integer() -> None:
    largest = 2**63 - 1
    assert prepared(stock(qty_on_hand=[2**53 + 1, 2**53 - 1])).stock.frame["qty_on_hand"][0] == 2**53 + 1
    assert prepared(stock(qty_on_hand=[largest, 0])).stock.frame["qty_on_hand"][0] == largest
    assert problems(stock(qty_on_hand=[largest, 1])) == [("value_overflow", "stock.qty_on_hand", None)]
    above = pl.Series([2**63, 1], dtype=pl.UInt64)
    assert problems(stock(qty_on_hand=above)) == [("value_overflow", "stock.qty_on_hand", 0)]
    assert problems(stock(qty_on_hand=[largest, 0]), demand(qty=[Decimal("0.5"), Decimal(1)])) == [
        ("value_overflow", "stock.qty_on_hand", 0)
    ]
    wide = pl.Series([Decimal(10) ** 36, Decimal(1)], dtype=pl.Decimal(38, 1))
    assert problems(stock(qty_on_hand=wide)) == [("value_overflow", "stock.qty_on_hand", 0)]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt32, pl.UInt64, pl.Int128])
def test_integers_of_any_width_are_quantities(dtype: Any) -> None:
    both = prepared(stock(qty_on_hand=pl.Series([5, 7], dtype=dtype)))
    assert both.stock.frame["qty_on_hand"].equals(pl.Series("qty_on_hand", [5, 7]), check_dtypes=True)


def test_more_reserved_than_on_hand_is_refused() -> None:
    assert problems(stock(qty_reserved=[5, 8])) == [("reserved_above_on_hand", "stock.qty_reserved", 1)]


def test_less_than_nothing_on_hand_is_one_problem_whatever_is_reserved() -> None:
    negative = stock(qty_on_hand=[5, -1], qty_reserved=[0, 0])
    assert problems(negative) == [("qty_out_of_range", "stock.qty_on_hand", 1)]


def test_a_table_without_columns_is_told_what_it_lacks_and_that_it_has_none() -> None:
    with pytest.raises(InputError) as caught:
        prepared(pl.DataFrame())
    assert {problem.hint for problem in caught.value.problems} == {"The table has no columns"}


def test_a_serial_is_one_unit_in_one_place() -> None:
    assert problems(stock(serial=["N1", "N2"])) == [
        ("serial_quantity", "stock.serial", 0),
        ("serial_quantity", "stock.serial", 1),
    ]
    twice = {"serial": ["N1", "N1"], "qty_on_hand": [1, 0]}
    assert problems(stock(**twice, sku=["A", "A"])) == [("serial_duplicate", "stock.serial", 1)]
    assert prepared(stock(**twice)).stock.frame.height == 2, "two SKUs may use the same number"


@pytest.mark.parametrize("path", ["", "/W1", "W1/", "W1//A", "W1 /A", " W1"])
def test_a_place_with_an_empty_level_or_spaces_around_one_is_refused(path: str) -> None:
    assert problems(demand=demand(location=["W1", path])) == [("place_malformed", "demand.location", 1)]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_a_nul_in_a_text_is_refused(dtype: Any) -> None:
    texts = pl.Series(["A\0", "a text of more than twelve bytes\0"], dtype=dtype)
    assert problems(stock(sku=texts)) == [("text_nul", "stock.sku", 0), ("text_nul", "stock.sku", 1)]


@pytest.mark.parametrize(
    "ids",
    [["A", "A "], ["É", "E\u0301"], ["a", "A"], ["1", "01"], ["שלום", "שלומ"], ["x" * 10_000_000, "x" * 10_000_001]],
    ids=["trailing space", "composed and decomposed", "case", "leading zero", "right to left", "ten megabytes"],
)
def test_texts_that_differ_in_any_byte_are_different_ids(ids: list[str]) -> None:
    assert prepared(stock(stock_id=ids)).stock.frame["stock_id"].to_list() == ids


@pytest.mark.parametrize(
    "ids", [["S1", "S1"], [7, 7], pl.Series(["S1", "S1"], dtype=pl.Categorical), ["x" * 1_000_000] * 2]
)
def test_an_id_that_is_there_twice_is_refused_with_the_row_that_had_it_first(ids: Any) -> None:
    with pytest.raises(InputError, match="id_duplicate: stock") as caught:
        prepared(stock(stock_id=ids))
    assert caught.value.problems[0].row == 1
    assert len(str(caught.value.problems[0].value)) <= 80


def test_dates_that_no_calendar_has_are_refused() -> None:
    days = pl.Series([-800_000, 3_000_000], dtype=pl.Int32).cast(pl.Date)
    assert problems(stock(expires_on=days)) == [
        ("date_range", "stock.expires_on", 0),
        ("date_range", "stock.expires_on", 1),
    ]


def test_milliseconds_that_were_read_as_seconds_are_suspected() -> None:
    moments = pl.Series([1_780_000_000_000 * 1_000_000, None]).cast(pl.Datetime("us"))
    with pytest.raises(InputError, match="milliseconds that were read as seconds"):
        prepared(demand=demand(requested_at=moments))


def test_a_time_of_day_is_no_day() -> None:
    assert problems(stock(received_on=[dt.datetime(2026, 3, 1, 0, 0, 1), None])) == [
        ("date_with_time", "stock.received_on", 0)
    ]


def test_of_many_wrong_rows_a_hundred_are_listed_and_all_are_counted() -> None:
    rows = 1_000
    many = pl.DataFrame({"line_id": range(rows), "sku": ["A"] * rows, "qty": [-1] * rows})
    with pytest.raises(InputError, match="one of 1000 rows; the first 100 are listed") as caught:
        prepared(demand=many)
    assert len(caught.value.problems) == 100


def test_a_frame_in_chunks_or_a_slice_is_told_by_the_rows_of_the_frame_that_was_given() -> None:
    frame = pl.concat([stock(), stock(stock_id=["S3", "S4"], qty_on_hand=[1, -1])], rechunk=False)
    assert problems(frame) == [("qty_out_of_range", "stock.qty_on_hand", 3)]
    assert problems(frame[2:]) == [("qty_out_of_range", "stock.qty_on_hand", 1)]


def test_units_and_fills_that_the_policy_does_not_have_are_refused() -> None:
    policy = Policy(units=[{"unit": "box", "ratio": 10, "sku": "B"}])
    bad = demand(unit=["crate", "box"], fill=["all", None])
    assert problems(stock(unit=["box", None]), bad, policy) == [
        ("unit_unknown", "stock.unit", 0),
        ("fill_unknown", "demand.fill", 0),
        ("unit_unknown", "demand.unit", 0),
    ]


@pytest.mark.parametrize(("rounding", "expected"), [("up", 1), ("down", 0), ("nearest", 1), ("refuse", None)])
def test_half_a_unit_is_refused_or_rounded_as_the_policy_says(rounding: Any, expected: int | None) -> None:
    policy = Policy(units=[{"unit": "half", "ratio": "1/2"}], unit_rounding=rounding)
    asked = demand(qty=[1, 2], unit=["half", "half"])
    if expected is None:
        assert problems(demand=asked, policy=policy) == [("qty_step", "demand.qty", 0)]
    else:
        assert prepared(demand=asked, policy=policy).demand.frame["qty"].to_list() == [expected, 1]


@pytest.mark.parametrize("path", ["fill", "fills.bulk"])
@pytest.mark.parametrize("rounding", ["refuse", "down", "nearest", "up"])
def test_a_pack_that_is_rounded_to_nothing_is_refused(rounding: str, path: str) -> None:
    pack = {"pack": Decimal("0.3")}
    said = {"fill": pack} if path == "fill" else {"fills": {"bulk": pack}}
    policy = Policy.model_validate({**said, "unit_rounding": rounding})
    if rounding == "up":
        assert prepared(policy=policy).demand.frame.height
    else:
        assert problems(policy=policy) == [("qty_step", f"policy.{path}.pack", None)]


def test_columns_that_only_the_policy_names_are_looked_for_all_at_once() -> None:
    policy = Policy(
        demand_order=["tier", "priority"],
        attributes=[
            {"column": "grade", "op": ">=", "demand_column": "grade_from"},
            {"column": "firmware", "op": "=", "value": "2.1"},
        ],
        fill={"pack": "pack_of"},
    )
    with pytest.raises(PolicyError) as caught:
        prepared(policy=policy)
    assert [(problem.code, problem.column, problem.value) for problem in caught.value.problems] == [
        ("policy_column_missing", "attributes.0", "grade_from"),
        ("policy_column_missing", "attributes.0.column", "grade"),
        ("policy_column_missing", "attributes.1.column", "firmware"),
        ("policy_column_missing", "demand_order.0", "tier"),
        ("policy_column_missing", "fill.pack", "pack_of"),
    ]


def test_a_rule_that_compares_a_number_with_text_is_refused() -> None:
    policy = Policy(attributes=[{"column": "grade", "op": "=", "value": "A"}])
    assert problems(stock(grade=[1, 2]), policy=policy) == [("policy_column_type", "policy.attributes.0", None)]
    assert problems(stock(grade=[1.5, 2.5]), policy=policy) == [("column_type", "stock.grade", None)]


def test_a_pack_from_a_column_is_a_quantity_in_the_unit_of_the_line() -> None:
    policy = Policy(units=[{"unit": "box", "ratio": 16}], fill={"pack": "pack_of"})
    both = prepared(demand=demand(unit=["box", None], pack_of=[1, None]), policy=policy)
    assert both.demand.frame["pack_of"].to_list() == [16, None]
    assert problems(demand=demand(pack_of=[-1, 2]), policy=policy) == [("qty_out_of_range", "demand.pack_of", 0)]


def test_a_quantity_of_the_policy_that_the_tables_cannot_count_is_refused() -> None:
    policy = Policy(safety_stock=[{"sku": "A", "qty": "0.5"}])
    assert problems(policy=policy) == [("qty_step", "policy.safety_stock.0.qty", None)]
    halves = stock(qty_on_hand=[Decimal("5.0"), Decimal("7.5")])
    assert prepared(halves, policy=policy).stock.scale == 1
