"""One line at a time on prepared stock: what it answers, that nothing changes, and what it refuses."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import polars as pl
import pytest

import allocator
from allocator import InputError, Policy, PolicyError

AS_OF = dt.date(2026, 3, 1)
STOCK = {
    "stock_id": ["B", "A", "C"],
    "sku": ["X", "X", "Y"],
    "qty_on_hand": [5, 10, 3],
    "location": ["W1/A", "W1", "W2"],
    "expires_on": [dt.date(2026, 4, 1), dt.date(2026, 5, 1), None],
}


def prepared(stock: object = None, **settings: object) -> allocator.PreparedStock:
    return allocator.prepare(STOCK if stock is None else stock, Policy(**settings), as_of=AS_OF)


def line(**values: object) -> dict[str, object]:
    return {"line_id": "1", "sku": "X", "qty": 7, **values}


def codes(error: pytest.ExceptionInfo[allocator.AllocatorError]) -> list[tuple[str, str]]:
    return sorted((problem.code, problem.column) for problem in error.value.problems)


def test_a_line_takes_rows_in_stock_order() -> None:
    decision = prepared().allocate(line())
    assert decision == ("1", 7, 7, 0, None, (("B", 5, 5, 1), ("A", 2, 2, 2)))


def test_a_shortage_has_a_reason() -> None:
    stock = prepared()
    assert stock.allocate(line(qty=20))[2:5] == (15, 5, "insufficient")
    assert stock.allocate(line(sku="Z")).reason == "unknown_sku"
    assert stock.allocate(line(location="W3")).reason == "place"
    assert stock.allocate(line(lot="L1")).reason == "lot"
    assert stock.allocate(line(sku="X", min_shelf_life_days=90)).reason == "shelf_life"


def test_deciding_changes_nothing() -> None:
    stock = prepared()
    first = stock.allocate(line(qty=15))
    assert stock.allocate(line(qty=15)) == first
    assert first.short == 0


def test_lines_of_one_call_share_the_balance_by_priority() -> None:
    late, early = line(line_id="late", qty=10, priority=2), line(line_id="early", qty=10, priority=1)
    decisions = prepared().allocate([late, early])
    assert [(d.line_id, d.allocated, d.reason) for d in decisions] == [("late", 5, "taken"), ("early", 10, None)]


def test_an_order_that_cannot_be_complete_gets_nothing() -> None:
    lines = [line(line_id="1", order_id="O"), line(line_id="2", order_id="O", sku="Y", qty=4)]
    decisions = prepared(fill={"whole": "order"}).allocate(lines)
    assert [(d.allocated, d.reason) for d in decisions] == [(0, "order_incomplete"), (0, "line_incomplete")]


def test_a_line_looks_past_rows_that_hold_no_pack() -> None:
    stock = {"stock_id": list("ABCD"), "sku": ["X"] * 4, "qty_on_hand": [3, 3, 3, 40]}
    decision = prepared(stock, fill={"pack": 4}).allocate(line(qty=8))
    assert decision.allocations == (("D", 8, 8, 1),)


def test_no_lines_get_no_decisions() -> None:
    assert prepared().allocate([]) == []


def test_stock_without_rows_serves_nobody() -> None:
    assert prepared(pl.DataFrame(STOCK).clear()).allocate(line()).reason == "unknown_sku"


def test_quantities_with_decimals_stay_exact() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [Decimal("1.50")]}
    decision = prepared(stock).allocate(line(qty=Decimal("0.7")))
    assert decision[1:4] == (Decimal("0.7"), Decimal("0.7"), 0)
    finer = prepared(stock).allocate(line(qty=Decimal("0.001")))
    assert finer.allocated == Decimal("0.001")


def test_a_unit_of_measure_is_converted() -> None:
    decision = prepared(units=[{"unit": "box", "ratio": 4}]).allocate(line(qty=2, unit="box"))
    assert (decision.requested, decision.allocated) == (8, 8)


def test_a_place_that_is_new_to_the_stock_has_the_sources_of_the_place_above() -> None:
    stock = prepared(location={"sources": [{"location": "W3", "source": "W2"}]})
    decision = stock.allocate(line(sku="Y", qty=1, location="W3/NEW"))
    assert decision.allocations == (("C", 1, 1, 1),)


def test_an_owner_without_a_deposit_takes_what_is_unowned() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["X", "X"], "qty_on_hand": [5, 5], "owner": ["ACME", None]}
    decision = prepared(stock, owner="deposit_first").allocate(line(owner="ZETA"))
    assert [a.stock_id for a in decision.allocations] == ["B"]


@pytest.mark.parametrize(("usable", "days", "allocated"), [("through", 31, 15), ("until", 31, 10), ("until", 30, 15)])
def test_shelf_life_counts_to_the_last_usable_day(usable: str, days: int, allocated: int) -> None:
    stock = prepared(shelf_life={"usable": usable})
    assert stock.allocate(line(qty=15, min_shelf_life_days=days)).allocated == allocated


def test_threads_may_ask_at_once() -> None:
    stock = prepared()
    expected = stock.allocate(line())
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: stock.allocate(line()), range(400))) == {expected}


# --- what is refused ---


def test_every_problem_of_a_line_is_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        prepared().allocate(line(qty=-1, location="W1//A", min_shelf_life_days=-1, fill="half"))
    expected = [
        ("days_range", "min_shelf_life_days"),
        ("fill_unknown", "fill"),
        ("place_malformed", "location"),
        ("qty_out_of_range", "qty"),
    ]
    assert codes(error) == expected


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"qty": 1.5}, "column_type"),
        ({"qty": None}, "value_null"),
        ({"qty": True}, "column_type"),
        ({"qty": 2**63}, "value_overflow"),
        ({"qty": Decimal("NaN")}, "column_type"),
        ({"sku": ""}, "value_empty"),
        ({"sku": "X\0"}, "text_nul"),
        ({"line_id": ""}, "value_empty"),
        ({"needed_on": "2026-03-01"}, "column_type"),
        ({"needed_on": dt.datetime(2026, 3, 1, 8)}, "date_with_time"),
        ({"priority": "high"}, "column_type"),
        ({"unit": "box"}, "unit_unknown"),
        ({"location": " W1"}, "place_malformed"),
    ],
)
def test_a_bad_value_is_refused_by_its_code(bad: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as error:
        prepared().allocate(line(**bad))
    assert code in {problem.code for problem in error.value.problems}


@pytest.mark.parametrize("missing", ["line_id", "sku", "qty"])
def test_a_line_must_say_who_asks_how_much_of_what(missing: str) -> None:
    given = line()
    del given[missing]
    with pytest.raises(InputError) as error:
        prepared().allocate(given)
    assert ("column_missing", missing) in codes(error)


def test_two_lines_of_one_id_are_refused() -> None:
    with pytest.raises(InputError) as error:
        prepared().allocate([line(), line()])
    assert codes(error) == [("id_duplicate", "line_id")]


@pytest.mark.parametrize("given", [None, 3, "1", {1, 2}, [line(), 3], [[("sku", "X")]]])
def test_what_is_no_line_is_refused(given: object) -> None:
    with pytest.raises(InputError) as error:
        prepared().allocate(given)
    assert codes(error) == [("argument_type", "line")]


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError):
        prepared().allocate({**line(), 3: "x", "priority": "high"})


def test_bad_stock_is_refused_when_it_is_prepared() -> None:
    with pytest.raises(InputError) as error:
        prepared({"stock_id": ["A", "A"], "sku": ["X", "X"], "qty_on_hand": [1, -1]})
    assert codes(error) == [("id_duplicate", "stock_id"), ("qty_out_of_range", "qty_on_hand")]


def test_a_policy_that_cannot_compare_is_refused_when_stock_is_prepared() -> None:
    rule = {"column": "expires_on", "op": ">=", "demand_column": "priority"}
    with pytest.raises(PolicyError) as error:
        prepared(attributes=[rule])
    assert codes(error) == [("policy_column_type", "attributes.0")]


def test_a_day_must_be_a_day() -> None:
    with pytest.raises(InputError) as error:
        allocator.prepare(STOCK, as_of="2026-03-01")
    assert codes(error) == [("argument_type", "as_of")]


def test_what_was_asked_of_a_sku_before_says_nothing_of_the_next_line() -> None:
    stock = {"stock_id": [1, 2], "sku": ["X", "X"], "qty_on_hand": [5, 5], "lot": ["A", "B"]}
    named = Policy(attributes=[{"column": "lot", "op": "=", "demand_column": "order_id"}])
    for policy, rows in ((named, [0, 1, 0]), (Policy(), [0, 0, 0])):
        ready = allocator.prepare(stock, policy, as_of=dt.date(2026, 11, 22))
        found = [ready.serve_plain({"line_id": "L", "sku": "X", "qty": 3, "order_id": order}) for order in "ABA"]
        assert [(served[0], [take[0] for take in served[2]]) for served in found if served] == [(3, [r]) for r in rows]


@pytest.mark.parametrize("missing", ["line_id", "sku", "qty"])
def test_a_line_that_lacks_something_is_left_to_the_tables_however_often_its_sku_was_asked_for(missing: str) -> None:
    ready = allocator.prepare({"stock_id": [1], "sku": ["X"], "qty_on_hand": [5]}, as_of=dt.date(2026, 11, 22))
    line = {"line_id": "L", "sku": "X", "qty": 3}
    for _ in range(2):
        assert ready.serve_plain(line) is not None
        assert ready.serve_plain({name: value for name, value in line.items() if name != missing}) is None
        assert ready.serve_plain({**line, missing: True}) is None
