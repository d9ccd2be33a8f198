"""The public calls: what goes into `allocate` and `bind`, and the frames that come out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from allocator import AllocatorError, InputError, Policy, Result, allocate, bind

TODAY = dt.date(2026, 11, 1)
STOCK = {
    "stock_id": ["S10", "S9", "S2", "S1"],
    "sku": ["BOLT", "BOLT", "NUT", "BOLT"],
    "location": ["W1/A", "W1/B", "W1/A", "W2"],
    "qty_on_hand": [5, 20, 7, 4],
    "qty_reserved": [0, 2, 0, 0],
    "received_on": [dt.date(2026, 10, day) for day in (1, 2, 3, 4)],
}
DEMAND = {
    "line_id": ["L2", "L1", "L3", "L4"],
    "sku": ["BOLT", "BOLT", "NUT", "WASHER"],
    "qty": [22, 6, 2, 1],
}

LINES = {"line_id": pl.String, "requested": pl.Int64, "allocated": pl.Int64, "short": pl.Int64}
ALLOCATIONS = {"line_id": pl.String, "stock_id": pl.String, "qty": pl.Int64, "qty_served": pl.Int64, "rank": pl.UInt32}
STOCK_AFTER = {
    "stock_id": pl.String,
    **dict.fromkeys(("qty_on_hand", "qty_reserved", "qty_allocated", "qty_available"), pl.Int64),
}


def same(a: Result, b: Result) -> None:
    for name in ("lines", "allocations", "stock"):
        assert_frame_equal(getattr(a, name), getattr(b, name))


@pytest.fixture(scope="module")
def result() -> Result:
    return allocate(STOCK, DEMAND, Policy(stock_order="fifo"), as_of=TODAY)


def test_lines_say_what_was_asked_what_was_served_and_why_the_rest_was_not(result: Result) -> None:
    assert {name: result.lines.schema[name] for name in LINES} == LINES
    assert result.lines.rows() == [
        ("L1", 6, 6, 0, None),
        ("L2", 22, 21, 1, "taken"),
        ("L3", 2, 2, 0, None),
        ("L4", 1, 0, 1, "unknown_sku"),
    ]


def test_allocations_say_who_took_what_in_which_sequence(result: Result) -> None:
    assert dict(result.allocations.schema) == ALLOCATIONS
    assert result.allocations.rows() == [
        ("L1", "S10", 5, 5, 1),
        ("L1", "S9", 1, 1, 2),
        ("L2", "S9", 17, 17, 1),
        ("L2", "S1", 4, 4, 2),
        ("L3", "S2", 2, 2, 1),
    ]


def test_stock_after_the_run_is_in_order_of_ids_as_text(result: Result) -> None:
    assert dict(result.stock.schema) == STOCK_AFTER
    assert result.stock.rows() == [("S1", 4, 0, 4, 0), ("S10", 5, 0, 5, 0), ("S2", 7, 0, 2, 5), ("S9", 20, 2, 18, 0)]


def test_ids_that_are_numbers_stay_numbers_and_are_ordered_as_numbers() -> None:
    stock = {**STOCK, "stock_id": [10, 9, 2, 1]}
    result = allocate(stock, {**DEMAND, "line_id": [12, 3, 4, 5]}, as_of=TODAY)
    assert result.stock["stock_id"].to_list() == [1, 2, 9, 10]
    assert result.lines["line_id"].to_list() == [3, 12, 4, 5]
    assert result.lines.schema["line_id"] == result.allocations.schema["line_id"] == pl.Int64


def test_quantities_with_decimals_come_back_exact() -> None:
    stock = pl.DataFrame({"stock_id": ["A"], "sku": ["OIL"], "qty_on_hand": [Decimal("1.25")]})
    demand = pl.DataFrame({"line_id": ["1"], "sku": ["OIL"], "qty": [Decimal("0.5")]})
    result = allocate(stock, demand, as_of=TODAY)
    assert result.lines.rows() == [("1", Decimal("0.5"), Decimal("0.5"), 0, None)]
    assert result.stock["qty_available"].to_list() == [Decimal("0.75")]
    quantities = [*list(LINES)[1:], "qty", "qty_served", *list(STOCK_AFTER)[1:]]
    schema = {**result.lines.schema, **result.allocations.schema, **result.stock.schema}
    assert {name: schema[name].is_decimal() for name in quantities} == dict.fromkeys(quantities, True)


def test_the_summary_counts_lines_and_units(result: Result) -> None:
    assert result.summary == {
        "lines": 4,
        "lines_full": 2,
        "line_fill": 0.5,
        "units_requested": 31,
        "units_allocated": 29,
        "units_short": 2,
        "unit_fill": 29 / 31,
        "allocations": 5,
    }
    assert {name: type(value) for name, value in result.summary.items() if name.startswith("units")} == {
        "units_requested": int,
        "units_allocated": int,
        "units_short": int,
    }


def test_the_summary_is_exact_where_a_float_would_not_be() -> None:
    stock = pl.DataFrame({"stock_id": ["A"], "sku": ["OIL"], "qty_on_hand": [Decimal("90071992547409.93")]})
    asked = [Decimal("90071992547409.92"), Decimal(1)]
    demand = pl.DataFrame({"line_id": ["1", "2"], "sku": ["OIL", "OIL"], "qty": asked})
    summary = allocate(stock, demand, as_of=TODAY).summary
    totals = [summary["units_requested"], summary["units_allocated"], summary["units_short"]]
    assert totals == [Decimal("90071992547410.92"), Decimal("90071992547409.93"), Decimal("0.99")]
    assert isinstance(summary["unit_fill"], float)


def test_reasons_are_counted_over_the_lines_that_are_short(result: Result) -> None:
    assert sorted(result.reasons().rows()) == [("taken", 1, 1), ("unknown_sku", 1, 1)]


def test_a_result_explains_its_lines(result: Result) -> None:
    explained = result.explain("L2")
    assert explained.line["line_id"] == "L2"
    assert explained.candidates.filter(pl.col("eligible"))["stock_id"].to_list() == ["S10", "S9", "S1"]
    with pytest.raises(InputError) as caught:
        result.explain("L9")
    assert [problem.code for problem in caught.value.problems] == ["line_unknown"]


def test_integers_as_skus_match_a_table_without_rows() -> None:
    nothing = {"line_id": [], "sku": [], "qty": []}
    found = allocate({"stock_id": [1], "sku": [7], "qty_on_hand": [3]}, nothing, as_of=TODAY)
    assert (found.lines.height, found.stock.height) == (0, 1)


@pytest.mark.parametrize("empty", [("stock",), ("demand",), ("stock", "demand")], ids=" and ".join)
def test_tables_without_rows_give_frames_of_the_same_columns(empty: tuple[str, ...], result: Result) -> None:
    tables = {"stock": pl.DataFrame(STOCK), "demand": pl.DataFrame(DEMAND)}
    found = allocate(*(t.clear() if name in empty else t for name, t in tables.items()), as_of=TODAY)
    for name in ("lines", "allocations", "stock"):
        assert getattr(found, name).schema == getattr(result, name).schema
    assert found.allocations.height == 0
    assert found.stock.height == (0 if "stock" in empty else 4)
    assert found.summary["line_fill"] == (1.0 if "demand" in empty else 0.0)
    assert found.reasons()["reason"].to_list() == ([] if "demand" in empty else ["unknown_sku"])


def written(write: Callable[[pl.DataFrame, Path], Any], suffix: str) -> Callable[[dict[str, Any], Path], Any]:
    def file(table: dict[str, Any], folder: Path) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.{suffix}"
        write(pl.DataFrame(table), path)
        return path

    return file


WAYS: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "polars": lambda table, _: pl.DataFrame(table),
    "polars, lazy": lambda table, _: pl.LazyFrame(table),
    "polars, in pieces": lambda table, _: pl.concat([pl.DataFrame(table)[:1], pl.DataFrame(table)[1:]], rechunk=False),
    "pandas": lambda table, _: pd.DataFrame(table),
    "pyarrow": lambda table, _: pa.table(table),
    "duckdb": lambda table, _: duckdb.from_arrow(pa.table(table)),
    "parquet": written(pl.DataFrame.write_parquet, "parquet"),
    "csv": written(pl.DataFrame.write_csv, "csv"),
    "arrow": written(pl.DataFrame.write_ipc, "arrow"),
    "ndjson": written(pl.DataFrame.write_ndjson, "ndjson"),
}


@pytest.mark.parametrize("way", WAYS)
def test_however_tables_are_given_the_answer_is_the_same(way: str, result: Result, tmp_path: Path) -> None:
    stock, demand = (WAYS[way](table, tmp_path) for table in (STOCK, DEMAND))
    same(allocate(stock, demand, Policy(stock_order="fifo"), as_of=TODAY), result)


def test_a_bound_problem_runs_many_times_alike_on_any_number_of_threads(result: Result) -> None:
    bound = bind(STOCK, DEMAND, Policy(stock_order="fifo"), as_of=TODAY)
    for threads in (None, 1, 2, 8):
        same(bound.run(threads=threads), result)
    assert (bound.policy.fingerprint(), bound.as_of) == (result.policy.fingerprint(), TODAY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("as_of", value) for value in ("2026-11-01", dt.datetime(2026, 11, 1), 20261101, None)),
        *(("policy", value) for value in ("fifo", {"name": "fifo"}, Policy)),
        *(("threads", value) for value in (True, 2.0, "4")),
    ],
)
def test_an_argument_of_another_type_is_refused_by_its_name(name: str, value: object) -> None:
    arguments = {"policy": Policy(), "as_of": TODAY, "threads": 1, name: value}
    with pytest.raises(InputError) as caught:
        allocate(STOCK, DEMAND, **arguments)
    (problem,) = caught.value.problems
    assert (problem.code, problem.column, problem.value) == ("argument_type", name, str(value)[:80])
    assert problem.hint


@pytest.mark.parametrize("threads", [0, -1, 10**9])
def test_a_number_of_threads_that_no_machine_has_is_a_wrong_value_not_a_wrong_type(threads: int) -> None:
    with pytest.raises(InputError) as caught:
        allocate(STOCK, DEMAND, as_of=TODAY, threads=threads)
    (problem,) = caught.value.problems
    assert (problem.code, problem.column, problem.value) == ("argument_value", "threads", str(threads))


def test_problems_of_both_tables_are_told_at_once() -> None:
    stock = {**STOCK, "stock_id": ["S1", "S2", None, "S4"]}
    demand = {**DEMAND, "line_id": ["L1", "L1", "L3", "L4"]}
    with pytest.raises(InputError) as caught:
        allocate(stock, demand, as_of=TODAY)
    assert {(problem.table, problem.code) for problem in caught.value.problems} == {
        ("stock", "value_null"),
        ("demand", "id_duplicate"),
    }


def test_what_is_given_is_not_changed() -> None:
    stock, demand = pl.DataFrame(STOCK), pl.DataFrame(DEMAND)
    result = allocate(stock, demand, as_of=TODAY)
    assert result.stock.height
    assert_frame_equal(stock, pl.DataFrame(STOCK))
    assert_frame_equal(demand, pl.DataFrame(DEMAND))


def test_unsigned_ids_beyond_two_to_the_63_break_ties_by_their_value_in_any_order_of_rows() -> None:
    stock = {
        "stock_id": pl.Series([2**63 + 5, 3, 2**64 - 1], dtype=pl.UInt64),
        "sku": ["X"] * 3,
        "qty_on_hand": [4, 4, 4],
    }
    demand = {"line_id": pl.Series([2**63, 2], dtype=pl.UInt64), "sku": ["X"] * 2, "qty": [5, 5]}
    result = allocate(pl.DataFrame(stock), pl.DataFrame(demand), as_of=TODAY)
    assert result.allocations.select("line_id", "stock_id", "qty").rows() == [
        (2, 3, 4),
        (2, 2**63 + 5, 1),
        (2**63, 2**63 + 5, 3),
        (2**63, 2**64 - 1, 2),
    ]


# --- columns that a policy names ---


def served_from(policy: dict[str, Any], line: dict[str, Any] | None = None, **columns: Any) -> list[str]:
    """The stock rows of three that serve a line, in the order in which they do."""
    stock = {"stock_id": ["A", "B", "C"], "sku": "filter", "qty_on_hand": [1, 1, 1]} | columns
    demand = {"line_id": ["L1"], "sku": "filter", "qty": [9]} | (line or {})
    result = allocate(pl.DataFrame(stock), pl.DataFrame(demand), Policy(**policy), as_of=TODAY)
    explained = result.explain("L1").candidates.filter("eligible")["stock_id"].to_list()
    assert explained == result.allocations["stock_id"].to_list()
    return explained


@pytest.mark.parametrize(
    "grades",
    [
        pl.Series([2**64 - 1, None, 5], dtype=pl.UInt64),
        pl.Series([2**100, None, -(2**100)], dtype=pl.Int128),
        pl.Series([Decimal(9) * 10**30, None, Decimal("1.5")], dtype=pl.Decimal(38, 2)),
    ],
    ids=str,
)
def test_stock_is_ordered_by_numbers_of_any_size(grades: pl.Series) -> None:
    assert served_from({"stock_order": ["grade"]}, grade=grades) == ["C", "A", "B"]


def test_lines_are_served_by_priorities_of_any_size() -> None:
    demand = {"line_id": ["L1", "L2"], "sku": "filter", "qty": [1, 1], "priority": pl.Series([2**64 - 1, 7])}
    stock = {"stock_id": ["A"], "sku": ["filter"], "qty_on_hand": [1]}
    result = allocate(stock, pl.DataFrame(demand), as_of=TODAY)
    assert result.lines["line_id"].to_list() == ["L2", "L1"]


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Int64, pl.Date], ids=str)
def test_a_column_without_values_orders_nothing_and_passes_no_rule(dtype: Any) -> None:
    empty = pl.Series([None] * 3, dtype=dtype)
    assert served_from({"stock_order": ["grade"]}, grade=empty) == ["A", "B", "C"]
    for value in (1, "x", TODAY):
        assert served_from({"attributes": [{"column": "grade", "op": ">", "value": value}]}, grade=empty) == []
        rule = {"column": "grade", "op": ">", "demand_column": "least"}
        assert served_from({"attributes": [rule]}, {"least": [value]}, grade=empty) == []
        assert served_from({"attributes": [rule]}, {"least": empty[:1]}, grade=[value] * 3) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"column": "condition", "op": "=", "value": "new"}, ["A", "B", "C"]),
        ({"column": "condition", "op": "=", "value": "used"}, []),
        ({"column": "status", "op": "in", "value": ["available"]}, ["A", "B", "C"]),
        ({"column": "blocked", "op": "!=", "value": False}, []),
        ({"column": "qty_reserved", "op": "<", "value": 1}, ["A", "B", "C"]),
        ({"column": "grade_of_stock", "op": "=", "demand_column": "owner", "nulls": "pass"}, ["A", "B", "C"]),
    ],
)
def test_a_rule_reads_an_absent_column_as_what_its_absence_means(rule: dict[str, Any], expected: list[str]) -> None:
    assert served_from({"attributes": [rule]}, grade_of_stock="x") == expected


def test_a_rule_compares_quantities_in_base_units() -> None:
    halves = [Decimal("0.5"), Decimal("1.5"), Decimal("12.0")]
    for rule in ({"value": 1}, {"demand_column": "least"}):
        policy = {"attributes": [{"column": "qty_on_hand", "op": ">", **rule}]}
        assert served_from(policy, {"least": [1], "qty": [99]}, qty_on_hand=halves) == ["B", "C"]


def test_a_rule_compares_packs_and_minimums_in_base_units() -> None:
    """As a fill rule names the column, it holds quantities like `qty`, and is read and explained as they are."""
    halves = [Decimal("0.5"), Decimal("1.5"), Decimal("12.0")]
    for setting in ("pack", "qty_min"):
        for rule in ({"op": "<=", "demand_column": "box"}, {"op": "between", "demand_columns": ["none", "box"]}):
            policy = {"fill": {setting: "box"}, "attributes": [{"column": "drum", **rule}]}
            line = {"box": [Decimal("1.5")], "none": pl.Series([None], dtype=pl.Int64), "qty": [12]}
            assert served_from(policy, line, drum=halves, qty_on_hand=[3, 3, 3]) == ["A", "B"]


def test_numbers_beside_quantities_that_are_too_many_of_their_steps_are_refused() -> None:
    rule = {"column": "drum", "op": "<=", "demand_column": "qty"}
    with pytest.raises(InputError) as caught:
        served_from({"attributes": [rule]}, {"qty": [12]}, drum=[2**62, 1, 2], qty_on_hand=[Decimal("0.5")] * 3)
    assert [(p.code, p.table, p.column, p.row) for p in caught.value.problems] == [
        ("value_overflow", "stock", "drum", 0)
    ]


def test_a_day_is_compared_with_a_moment_as_its_first() -> None:
    rule = {"column": "checked_on", "op": ">", "demand_column": "since"}
    days = [TODAY, TODAY + dt.timedelta(days=1), None]
    for zone in (None, "UTC"):
        since = pl.Series([dt.datetime.combine(TODAY, dt.time(12))], dtype=pl.Datetime("us", zone))
        assert served_from({"attributes": [rule]}, {"since": since}, checked_on=days) == ["B"]


def test_numbers_of_two_tables_that_do_not_fit_the_same_integers_are_refused() -> None:
    rule = {"column": "grade", "op": ">", "demand_column": "least"}
    with pytest.raises(InputError) as caught:
        served_from(
            {"attributes": [rule]},
            {"least": pl.Series([Decimal("0.5")], dtype=pl.Decimal(38, 10))},
            grade=pl.Series([2**40, 1, 2]),
        )
    assert [(p.code, p.table, p.column, p.row) for p in caught.value.problems] == [
        ("value_overflow", "stock", "grade", 0)
    ]


# --- named orders, worked out by hand ---


def days_ago(days: int | None) -> dt.date | None:
    return None if days is None else TODAY - dt.timedelta(days=days)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("fifo", "D B A E C"),  # C has no receipt
        ("lifo", "E A B D C"),
        ("fefo", "E D B C A"),  # of B, C and D, which expire on one day, by receipt; A never expires
        ("nearest", "B E D A C"),  # D and A are three steps away; C is nowhere
        ("smallest_first", "D B A E C"),  # B has five left, as A and E have
        ("largest_first", "C B A E D"),
        ("fewest_rows", "C A B E D"),  # ties by id alone
    ],
)
def test_a_named_order_takes_rows_with_ties_and_gaps_as_a_planner_would(order: str, expected: str) -> None:
    stock = {
        "stock_id": ["E", "D", "C", "B", "A"],
        "sku": "filter",
        "qty_on_hand": [5, 2, 7, 8, 5],
        "qty_reserved": [0, 0, 0, 3, 0],
        "received_on": [days_ago(days) for days in (1, 5, None, 3, 2)],
        "expires_on": [days_ago(days) for days in (-2, -9, -9, -9, None)],
        "location": ["W1/A", "W1/B/X", None, "W1/A", "W2"],
    }
    line = {"line_id": ["L1"], "sku": ["filter"], "qty": [99], "location": ["W1/A"]}
    policy = Policy(stock_order=order, location={"scope": "any"})
    result = allocate(pl.DataFrame(stock), line, policy, as_of=TODAY)
    assert " ".join(result.allocations["stock_id"]) == expected


def test_strict_lines_of_a_priority_are_served_before_lax_ones_and_then_by_when_they_were_asked() -> None:
    asked = [dt.datetime(2026, 10, day) if day else None for day in (1, 1, 9, None, 5)]
    lines = {"line_id": ["L1", "L2", "L3", "L4", "L5"], "sku": "filter", "qty": [1] * 5, "priority": [1, 0, 0, 0, 0]}
    lines |= {"requested_at": asked, "min_shelf_life_days": [90, None, 30, 30, 30]}
    stock = {"stock_id": ["A"], "sku": ["filter"], "qty_on_hand": [3]}
    policy = Policy(demand_order="strictest_shelf_life")
    result = allocate(stock, pl.DataFrame(lines), policy, as_of=TODAY)
    assert result.lines["line_id"].to_list() == ["L5", "L3", "L4", "L2", "L1"]
    assert result.lines["allocated"].to_list() == [1, 1, 1, 0, 0]


# --- everything that is wrong, at once ---


def told(stock: Any, demand: Any, policy: Any = None, *, as_of: Any = TODAY) -> list[tuple[str, str]]:
    """The problems of a call, as codes and places."""
    with pytest.raises(AllocatorError) as caught:
        allocate(stock, demand, policy, as_of=as_of)
    return [(p.code, ".".join(filter(None, (p.table, p.column)))) for p in caught.value.problems]


def test_what_is_wrong_with_arguments_and_tables_is_told_together() -> None:
    assert told(None, {"line_id": ["L1"], "qty": [-1], "fill": ["boxes"]}, "fefo", as_of="today") == [
        ("argument_type", "policy"),
        ("argument_type", "as_of"),
        ("table_unreadable", "stock"),
        ("qty_out_of_range", "demand.qty"),
        ("column_missing", "demand.sku"),
    ]
    assert told("no-stock.csv", "no-demand.csv") == [("file_missing", "stock"), ("file_missing", "demand")]


def test_keys_that_could_never_match_are_told_by_their_names() -> None:
    stock = {"stock_id": ["A"], "sku": ["7"], "qty_on_hand": [1], "lot": ["1"], "owner": ["ACME"]}
    demand = {"line_id": ["L1"], "sku": [7], "qty": [-1], "lot": [1], "owner": [9]}
    wrong = [("qty_out_of_range", "demand.qty"), ("mixed_keys", "lot"), ("mixed_keys", "sku")]
    assert told(stock, demand) == wrong
    assert told(stock, demand, Policy(owner="exact")) == [*wrong[:2], ("mixed_keys", "owner"), wrong[2]]
    numbers = stock | {"sku": pl.Series([2**64 - 1])}
    assert told(numbers, {"line_id": ["L1"], "sku": [-7], "qty": [1]}) == [("key_range", "sku")]


def test_quantities_that_overflow_only_together_are_refused_on_either_side() -> None:
    most = [2**62, 2**62]
    stock, demand = {"stock_id": ["A", "B"], "sku": ["X"] * 2}, {"line_id": ["L1", "L2"], "sku": ["X"] * 2}
    assert told(stock | {"qty_on_hand": most}, demand | {"qty": most}) == [
        ("value_overflow", "stock.qty_on_hand"),
        ("value_overflow", "demand.qty"),
    ]
