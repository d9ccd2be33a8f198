"""What becomes of promises: holds that are confirmed once, blocks under them, units that are swapped at the shelf."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import polars as pl
import pytest

from allocator.errors import AllocatorError, InputError
from allocator.ledger import Ledger
from allocator.ledger.asking import PLANNED_MIN, request_to_reserve
from allocator.ledger.blocking import block
from allocator.ledger.book import Book
from allocator.ledger.holds import release_expired
from allocator.ledger.swap import pick_scanned
from allocator.ledger.verify import verify
from allocator.ledger.waiting import Request
from allocator.model.policy import Policy
from ledger_stores import TODAY


@pytest.fixture
def store(empty_ledger: Ledger) -> Ledger:
    """Three gauges, which may be swapped for each other whoever was promised them, and ten filters."""
    empty_ledger.define([{"sku": "filter"}, {"sku": "gauge", "tracking": "serial", "swap": "held"}], actor="ana")
    units = [
        {"sku": "gauge", "serial": f"G-{n}", "location": f"shelf {n}", "expires_on": TODAY + dt.timedelta(days=30 * n)}
        for n in (1, 2, 3)
    ]
    lines = [*units, {"sku": "filter", "qty": 10, "location": "store"}]
    empty_ledger.post("receive", lines, origin="supplier", document="GRN-1", day=TODAY, actor="ana")
    return empty_ledger


def reserve(ledger: Ledger, line_id: str, sku: str = "gauge", qty: int = 1, **said: Any) -> list[int]:
    hold = said.pop("hold_s", None)
    line = {"line_id": line_id, "order_id": f"order {line_id}", "sku": sku, "qty": qty, **said}
    (answer,) = ledger.reserve([line], actor="bob", as_of=TODAY, hold_s=hold)["lines"]
    return [each["allocation_id"] for each in answer["allocations"]]


def promised(ledger: Ledger) -> dict[str, list[str]]:
    found = ledger.allocations().sort("serial")
    return {line: found.filter(line_id=line)["serial"].to_list() for line in found["line_id"].unique().sort()}


def refused(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def assert_sound(ledger: Ledger) -> None:
    assert verify(ledger).clean, verify(ledger)


# --- holds ---


def test_an_order_has_its_lines_whether_one_of_them_has_its_number_or_none(store: Ledger) -> None:
    asked = [("A", "A"), ("A-2", "A"), ("B-1", "B"), ("B", "C"), ("D", None)]
    store.reserve([{"line_id": line, "order_id": order, "sku": "filter", "qty": 1} for line, order in asked], actor="b")
    of = {order: sorted({*store.history(order_id=order)["line_id"]}) for order in ("A", "B", "C", "D")}
    assert of == {"A": ["A", "A-2"], "B": ["B-1"], "C": ["B"], "D": ["D"]}
    for order in of:
        store.release(order_id=order, actor="bob", reason="changed their mind")
    assert store.allocations().is_empty()


def test_a_hold_is_confirmed_once_and_only_then_its_goods_can_go(store: Ledger) -> None:
    (hold,) = reserve(store, "L1", "filter", 4, hold_s=3600)
    with pytest.raises(InputError) as caught:
        store.post("ship", {"allocation_id": hold}, document="DC-1", actor="pip")
    assert refused(caught) == ["hold_open"]
    seq = store.confirm(order_id="order L1", actor="till", key="payment 7")
    assert store.confirm(order_id="order L1", actor="till", key="payment 7") == seq
    assert store.allocations()["stage"].to_list() == ["reserved"]
    assert store.allocations()["expires_at"].to_list() == [None]
    for again in ({"order_id": "order L1"}, {"allocation_ids": [hold]}):
        with pytest.raises(InputError) as caught:
            store.confirm(**again, actor="till")
        assert refused(caught) == ["hold_over"]
        assert "confirmed already" in str(caught.value)
    store.post("ship", {"allocation_id": hold}, document="DC-1", actor="pip")
    assert_sound(store)


def test_a_hold_that_is_over_or_was_released_cannot_be_confirmed(store: Ledger) -> None:
    (over,) = reserve(store, "L1", "filter", 4, hold_s=0.0)
    time.sleep(0.01)
    with pytest.raises(InputError) as caught:
        store.confirm(allocation_ids=[over], actor="till")
    assert refused(caught) == ["hold_over"]
    assert release_expired(store, actor="clock") == 1
    assert release_expired(store, actor="clock") == 0
    (hold,) = reserve(store, "L2", "filter", 10, hold_s=3600)
    store.release(order_id="order L2", actor="bob", reason="changed their mind")
    for given in ({"order_id": "order L2"}, {"allocation_ids": [hold]}, {"order_id": "none"}, {}):
        with pytest.raises(InputError) as caught:
            store.confirm(**given, actor="till")
        expected = {"order L2": "hold_over", "none": "line_unknown", None: "allocation_unknown"}
        assert refused(caught) == [expected[given.get("order_id")] if given else "argument_value"]
    assert store.balances()["available"].to_list() == [10, 3]


def test_an_order_is_released_whole_unless_some_of_it_is_picked(store: Ledger) -> None:
    first, _ = reserve(store, "L1", qty=2)
    store.post("pick", {"allocation_id": first}, actor="pip")
    with pytest.raises(InputError) as caught:
        store.release(order_id="order L1", actor="bob")
    assert refused(caught) == ["transition_unlisted"]
    store.post("put_back", {"allocation_id": first}, actor="pip")
    store.release(order_id="order L1", actor="bob")
    assert store.allocations().is_empty()
    assert_sound(store)


# --- blocks ---


def test_a_block_keeps_what_is_promised_and_flags_it(store: Ledger) -> None:
    (number,) = reserve(store, "L1")
    answer = block(store, {"serial": "G-1"}, reason="quality", actor="ana")
    assert [each["allocation_id"] for each in answer["flagged"]] == [number]
    with pytest.raises(InputError) as caught:
        store.post("pick", {"allocation_id": number}, actor="pip")
    assert refused(caught) == ["blocks_held"]
    store.post("unblock", {"serial": "G-1"}, reason="quality", actor="ana")
    store.post("pick", {"allocation_id": number}, actor="pip")


@pytest.mark.parametrize("outcome", ["keep", "replan"])
def test_a_block_of_a_quantity_is_of_what_is_free_and_leaves_promises_alone(store: Ledger, outcome: Any) -> None:
    reserve(store, "L1", "filter", 4)
    before = store.allocations()
    (here,) = store.stock(skus="filter")["stock_id"]
    answer = block(store, {"stock_id": here, "qty": 6}, reason="quality", outcome=outcome, actor="ana")
    assert (answer["flagged"], answer["lines"]) == ([], [])
    assert store.allocations().equals(before)
    assert store.balances().select("on_hand", "reserved", "blocked").row(0) == (10, 4, 6)
    # All of what lies there is what is promised, too.
    if outcome == "keep":
        whole = block(store, {"stock_id": here}, reason="quality", outcome=outcome, actor="ana")
        assert [each["qty"] for each in whole["flagged"]] == [4]


def test_a_block_replans_what_was_promised_even_what_was_picked(store: Ledger) -> None:
    reserve(store, "L1")
    (number,) = reserve(store, "L2")
    store.post("pick", {"allocation_id": number}, actor="pip")
    answer = block(store, [{"serial": "G-1"}, {"serial": "G-2"}], reason="recall", outcome="replan", actor="ana")
    assert [(line["line_id"], line["short"], line["reason"]) for line in answer["lines"]] == [
        ("L1", 0, None),
        ("L2", 1, "taken"),
    ]
    assert promised(store) == {"L1": ["G-3"]}
    for serial in ("G-1", "G-2"):
        assert (store.state(serial)["status"], store.state(serial)["blocks"]) == ("Available", "recall")
    assert_sound(store)


def test_a_hold_that_is_replanned_stays_a_hold_until_the_same_moment(store: Ledger) -> None:
    reserve(store, "L1", hold_s=3600)
    ends = store.allocations()["expires_at"].to_list()
    block(store, {"serial": "G-1"}, reason="quality", outcome="replan", actor="ana")
    assert (promised(store), store.allocations()["expires_at"].to_list()) == ({"L1": ["G-2"]}, ends)


def test_a_block_under_a_policy_that_makes_no_sense_blocks_nothing(store: Ledger) -> None:
    reserve(store, "L1")
    policy = Policy(attributes=[{"column": "colour", "op": "=", "value": "red"}])
    with pytest.raises(Exception, match="policy_column_missing"):
        block(store, {"serial": "G-1"}, reason="quality", outcome="replan", policy=policy, actor="ana")
    assert (store.state("G-1")["blocks"], promised(store)) == (None, {"L1": ["G-1"]})
    with pytest.raises(InputError) as caught:
        block(store, {"serial": "G-1"}, reason="quality", outcome="drop", actor="ana")  # type: ignore[arg-type]
    assert refused(caught) == ["argument_value"]


# --- swaps ---


def test_the_unit_in_hand_is_swapped_with_the_order_that_has_it(store: Ledger) -> None:
    (first,) = reserve(store, "L1")
    reserve(store, "L2")
    answer = pick_scanned(store, first, "G-2", location="shelf 2", actor="pip", as_of=TODAY)
    assert answer["swapped"]
    assert promised(store) == {"L1": ["G-2"], "L2": ["G-1"]}
    assert store.state("G-2")["status"] == "Picked"
    assert pick_scanned(store, answer["allocation_id"] + 1, "G-1", actor="pip", as_of=TODAY)["swapped"] is False
    assert_sound(store)


def test_a_free_unit_takes_the_place_of_the_promised_one_which_is_free_then(store: Ledger) -> None:
    (first,) = reserve(store, "L1")
    pick_scanned(store, first, "G-3", actor="pip", as_of=TODAY, key="scan 1")
    assert pick_scanned(store, first, "G-3", actor="pip", as_of=TODAY, key="scan 1")["swapped"]
    assert promised(store) == {"L1": ["G-3"]}
    assert store.state("G-1")["status"] == "Available"


def test_units_of_one_line_are_picked_in_any_order(store: Ledger) -> None:
    first, second = reserve(store, "L1", qty=2)
    assert pick_scanned(store, first, "G-2", actor="pip", as_of=TODAY)["allocation_id"] == second


def test_no_swap_leaves_the_other_order_short(store: Ledger) -> None:
    strict = Policy(shelf_life={"days_min": 60})
    (first,) = reserve(store, "L1")
    line = {"line_id": "L2", "sku": "gauge", "qty": 1}
    store.reserve([line], strict, actor="bob", as_of=TODAY)
    assert promised(store) == {"L1": ["G-1"], "L2": ["G-2"]}
    # Another unit serves the other order first: it need not go short.
    pick_scanned(store, first, "G-2", policy=Policy(), other_policy=strict, actor="pip", as_of=TODAY)
    assert promised(store) == {"L1": ["G-2"], "L2": ["G-3"]}
    number = store.allocations().filter(line_id="L1")["allocation_id"].item()
    store.post("put_back", {"allocation_id": number}, actor="pip")
    before = promised(store)
    store.post("block", {"serial": "G-1"}, reason="quality", actor="ana")
    store.post("renumber", {"serial": "G-2", "new_serial": "G-20"}, reason="label lost", actor="ana")
    with pytest.raises(InputError) as caught:
        pick_scanned(store, number, "G-3", other_policy=Policy(shelf_life={"days_min": 99}), actor="pip", as_of=TODAY)
    assert refused(caught) == ["scan_mismatch"]
    assert "line L2 would be left short" in str(caught.value)
    assert promised(store) == {
        line: ["G-20" if unit == "G-2" else unit for unit in units] for line, units in before.items()
    }
    assert_sound(store)


def test_a_scan_that_cannot_be_swapped_is_refused_with_every_reason_and_who_has_the_unit(store: Ledger) -> None:
    store.define([{"sku": "gauge", "tracking": "serial", "swap": "free"}], actor="ana")
    (first,) = reserve(store, "L1", serial="G-1")
    (second,) = reserve(store, "L2")
    store.post("pick", {"allocation_id": second}, actor="pip")
    with pytest.raises(InputError) as caught:
        pick_scanned(store, first, "G-2", actor="pip", as_of=TODAY)
    text = str(caught.value)
    for reason in ("unit G-1 was promised, in stock at shelf 1", "for free units only", "asks for unit G-1",
                   "line L2 has it picked", "promised to line L2"):  # fmt: skip
        assert reason in text
    for unknown in ("G-9", "G-2"):
        with pytest.raises(InputError) as caught:
            pick_scanned(store, 99, unknown, actor="pip", as_of=TODAY)
        assert refused(caught) == ["goods_unknown" if unknown == "G-9" else "allocation_unknown"]


def test_promises_of_many_units_are_read_together_and_go_along(store: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit was asked about by a statement of its own, and all that were known looked through for each."""
    units = [{"sku": "gauge", "serial": f"M-{n:02}", "location": "hall"} for n in range(40)]
    store.post("receive", units, origin="supplier", document="GRN-9", actor="ana")
    for n in range(0, 40, 2):
        reserve(store, f"K{n}", serial=f"M-{n:02}")
    asked: list[int] = []
    load = Book.load_allocations

    def counted(book: Book, where: str, **params: Any) -> list[int]:
        asked.append(len(params["ids"]))
        return load(book, where, **params)

    monkeypatch.setattr(Book, "load_allocations", counted)
    serials = [{"serial": each["serial"]} for each in units]
    store.post("move", [{**each, "to_location": "annex"} for each in serials], actor="ana")
    store.post("block", serials, reason="check", actor="quinn")
    assert asked == [20, 20], "of those that are promised, once for each transaction"
    monkeypatch.undo()
    promised_ = store.allocations().filter(location="annex").sort("line_id")
    assert promised_["line_id"].to_list() == sorted(f"K{n}" for n in range(0, 40, 2))
    assert_sound(store)


def test_a_stock_row_takes_its_own_promises_along_and_not_those_of_the_same_goods_elsewhere(store: Ledger) -> None:
    store.post("move", {"sku": "filter", "qty": 4, "location": "store", "to_location": "annex"}, actor="ana")
    line = {"line_id": "L1", "sku": "filter", "qty": 10}
    (answer,) = store.reserve([line], actor="bob", as_of=TODAY)["lines"]
    (row,) = (each for each in answer["allocations"] if each["qty"] == 6)
    store.post("move", {"stock_id": row["stock_id"], "to_location": "hall"}, actor="ana")
    where_ = store.allocations().select("location", "qty").sort("location").rows()
    assert where_ == [("annex", 4), ("hall", 6)]
    assert_sound(store)


def test_a_unit_that_is_blocked_takes_nobodys_place_and_the_refusal_says_why(store: Ledger) -> None:
    store.define([{"sku": "gauge", "tracking": "serial", "swap": "free"}], actor="ana")
    (first,) = reserve(store, "L1")
    store.post("block", {"serial": "G-2"}, reason="quality", actor="quinn")
    with pytest.raises(InputError, match="it is blocked: quality"):
        pick_scanned(store, first, "G-2", actor="pip", as_of=TODAY)


def test_a_pick_that_names_other_goods_than_were_promised_is_refused(store: Ledger) -> None:
    (first,) = reserve(store, "L1")
    line = {"allocation_id": first, "serial": "G-2", "sku": "filter", "location": "shelf 9"}
    with pytest.raises(InputError) as caught:
        store.post("pick", line, actor="pip")
    assert sorted(refused(caught)) == ["scan_mismatch"] * 3
    store.post("pick", {"allocation_id": first, "serial": "G-1", "sku": "gauge", "location": "shelf 1"}, actor="pip")


def test_wishes_come_as_one_line_as_several_and_as_a_table(store: Ledger) -> None:
    line = {"line_id": "L1", "sku": "filter", "qty": 1}
    for number, wish in enumerate(
        (line, [line], pl.DataFrame([line]), {"line_id": ["L1"], "sku": ["filter"], "qty": [1]})
    ):
        told = store.reserve(wish, actor="bob", as_of=TODAY)["lines"]
        assert [(each["line_id"], each["requested"]) for each in told] == [("L1", 1)], number
    assert store.allocations()["qty"].to_list() == [1]


@pytest.mark.parametrize(
    "policy",
    [
        Policy(fill={"pack": "per_box"}),
        Policy(fill={"qty_min": "per_box"}),
        Policy(fills={"boxes": {"pack": "per_box"}}),
        Policy(demand_order=[{"column": "per_box"}]),
        Policy(attributes=[{"column": "qty_on_hand", "op": ">=", "demand_column": "per_box"}]),
        Policy(attributes=[{"column": "lot", "op": "=", "demand_column": "per_box"}]),
    ],
)
def test_a_line_that_does_not_say_what_a_policy_names_is_served_alone_as_beside_one_that_does(
    store: Ledger, policy: Policy
) -> None:
    def got(*ids: str) -> list[Any]:
        lines = [{"line_id": id_, "sku": "filter", "qty": 1} for id_ in ids]
        return [each["allocated"] for each in store.reserve(lines, policy, actor="bob", as_of=TODAY)["lines"]]

    says = {"line_id": "says", "sku": "gauge", "qty": 1, "per_box": 1 if not policy.attributes else None}
    beside = store.reserve([says, {"line_id": "not", "sku": "filter", "qty": 1}], policy, actor="bob", as_of=TODAY)
    assert [each["allocated"] for each in beside["lines"]] == [1, 1]
    # The first is decided from tables, later ones from a shelf, and many in columns.
    assert [got(f"L{n}") for n in range(4)] == [[1]] * 4
    assert got(*[f"M{n}" for n in range(PLANNED_MIN)]).count(1) == 5


def test_a_column_of_a_wish_is_read_under_its_name_beside_others_whatever_that_is(store: Ledger) -> None:
    policy = Policy(fill={"pack": "turn"})

    def asked(number: int) -> Request:
        heading = store.heading("reserve", actor="bob", day=TODAY)
        line = {"line_id": f"L{number}", "sku": "filter", "qty": 3, "turn": 2}
        return request_to_reserve(store.requests, heading, [line], policy, None)

    together = [asked(1), asked(2)]
    store.requests._do_all(together)
    assert [request.answer["lines"][0]["allocated"] for request in together] == [2, 2]


@pytest.mark.parametrize("wish", ["L1", ["L1"], 7, [], {}])
def test_wishes_that_are_no_lines_are_refused(store: Ledger, wish: Any) -> None:
    with pytest.raises(AllocatorError) as caught:
        store.reserve(wish, actor="bob", as_of=TODAY)
    assert caught.value.problems
