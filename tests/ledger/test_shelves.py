"""Shelves decide as the engine does on tables: whatever happens to stock, a ledger with them answers as one without."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from allocator import Policy
from allocator.ledger import Ledger, known, live, reserve, shelves
from allocator.ledger.asking import request_to_reserve
from allocator.ledger.requests import Requests
from allocator.ledger.verify import verify
from allocator.ledger.waiting import Request
from ledger.stock_steps import DAY, PLACES, POLICIES, SKUS, answer, begin, reserved_together, steps


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Few shelves are kept, and of few places."""
    with patch.object(shelves, "SHELVES_MAX", 2), patch.object(shelves, "PLACES_MAX", 2):
        yield


@pytest.mark.parametrize(("large", "little"), [(0, 1), (shelves.LARGE, 4), (shelves.LARGE, shelves.NEAR_MAX)])
@settings(max_examples=40, deadline=None)
@given(policy=st.sampled_from(POLICIES), work=st.lists(steps, min_size=8, max_size=40))
def test_a_ledger_with_shelves_answers_as_one_without(
    large: int, little: int, policy: Policy, work: list[tuple[Any, ...]]
) -> None:
    with (
        patch.object(shelves, "LARGE", large),
        patch.object(shelves, "NEAR", (16, 2, 1)),
        patch.object(shelves, "NEAR_MAX", little),
        patch.object(shelves, "BESIDE_MAX", 3),
        Ledger.open("sqlite://") as one,
        Ledger.open("sqlite://") as other,
    ):
        for ledger in (one, other):
            begin(ledger)
        for number, step in enumerate(work):
            with patch.object(reserve, "shelves_for", lambda *_: None):
                expected = answer(other, policy, step, number)
            assert answer(one, policy, step, number) == expected, step
        assert one.balances().equals(other.balances())
        assert verify(one).clean


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(POLICIES), st.lists(steps, min_size=8, max_size=40))
def test_a_ledger_that_forgets_answers_as_one_that_keeps_all(policy: Policy, work: list[tuple[Any, ...]]) -> None:
    with Ledger.open("sqlite://") as one, Ledger.open("sqlite://") as other:
        for ledger in (one, other):
            begin(ledger)
        for number, step in enumerate(work):
            with patch.object(known, "GOODS_MAX", 0):
                forgetful = answer(one, policy, step, number)
            assert forgetful == answer(other, policy, step, number), step
        assert one.balances().equals(other.balances())
        assert verify(one).clean


def test_the_skus_used_longest_ago_are_forgotten_but_not_the_largest(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": sku} for sku in SKUS], actor="ana")
    said = {"origin": "supplier", "document": "GRN", "actor": "ana"}
    for sku, lots in (("belt", 9), ("cap", 2), ("disc", 2)):
        empty_ledger.post("receive", [{"sku": sku, "qty": 5, "location": "north"}] * lots, **said)

    def kept_after(sku: str) -> dict[str, int]:
        empty_ledger.reserve({"line_id": sku, "sku": sku, "qty": 1}, actor="bob", as_of=DAY)
        kept = empty_ledger.requests._known
        assert kept is not None
        names = {sku.sku_id: sku.sku for sku in empty_ledger.requests.catalog.skus()}
        return {name: n for number, name in names.items() if (n := len(kept.goods_of(number)))}

    with patch.object(known, "GOODS_MAX", 3):
        assert [kept_after(sku) for sku in ("belt", "cap", "disc")][-1] == {"belt": 9, "disc": 2}
        assert kept_after("cap") == {"belt": 9, "cap": 2}
    assert kept_after("disc") == {"belt": 9, "cap": 2, "disc": 2}


@pytest.mark.parametrize(("rows", "from_tables", "laid_out"), [(2, 0, 1), (9, 1, 1)])
def test_what_there_is_little_of_is_decided_from_a_shelf_at_once_and_all_else_when_it_is_asked_for_again(
    empty_ledger: Ledger, rows: int, from_tables: int, laid_out: int
) -> None:
    done = Counter[str]()

    def counted(name: str, act: Any) -> Any:
        def counting(*given: Any) -> Any:
            done[name] += 1
            return act(*given)

        return counting

    empty_ledger.define([{"sku": "belt"}, {"sku": "cap"}], actor="ana")
    stock = [{"sku": sku, "qty": 100, "location": "north"} for sku in ("belt", "cap") for _ in range(rows)]
    empty_ledger.post("receive", stock, origin="supplier", document="GRN", actor="ana")
    with (
        patch.object(shelves, "NEAR_MAX", 5),
        patch.object(reserve, "decide", counted("tables", live.decide)),
        patch.object(shelves.Shelves, "_put_up", counted("shelf", shelves.Shelves._put_up)),
    ):
        for number in range(6):
            empty_ledger.reserve([{"line_id": f"L{number}", "sku": "belt", "qty": 1}], actor="bob", as_of=DAY)
        assert (done["tables"], done["shelf"]) == (from_tables, laid_out)
        for number in range(6, 9):
            empty_ledger.reserve([{"line_id": f"L{number}", "sku": "cap", "qty": 1}], actor="bob", as_of=DAY)
    # The other SKU has little, too, and lies there already.
    assert (done["tables"], done["shelf"]) == (2 * from_tables, laid_out + from_tables)


def test_skus_whose_numbers_are_near_are_laid_out_as_far_as_they_have_little(empty_ledger: Ledger) -> None:
    names = [f"S{n}" for n in range(8)]
    empty_ledger.define([{"sku": name} for name in names], actor="ana")
    lots = [{"sku": name, "qty": 9, "location": "north"} for name in names for _ in range(30 if name == "S4" else 2)]
    empty_ledger.post("receive", lots, origin="supplier", document="GRN", actor="ana")

    def laid_out() -> set[str]:
        kept = empty_ledger.requests._known
        assert kept is not None
        (stands,) = kept.shelves.values()
        return {empty_ledger.requests.catalog.sku(number).sku for number in stands._of_sku}

    def order(name: str) -> None:
        answer = empty_ledger.reserve({"line_id": f"of {name}", "sku": name, "qty": 3}, actor="bob", as_of=DAY)
        assert answer["lines"][0]["allocated"] == 3

    with patch.object(shelves, "NEAR_MAX", 20), patch.object(shelves, "NEAR", (8, 4, 2, 1)):
        order("S1")
        assert laid_out() == {"S0", "S1", "S2"}
        order("S4")
        assert laid_out() == {"S0", "S1", "S2"}
        order("S6")
        # What was asked for before lies along.
        assert laid_out() == {"S0", "S1", "S2", "S4", "S5", "S6"}
    assert verify(empty_ledger).clean


def test_what_a_shelf_gave_beside_a_wish_that_makes_no_sense_lies_there_again(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "belt"}, {"sku": "cap"}], actor="ana")
    stock = [
        {"sku": sku, "qty": 10, "location": "north", "received_on": DAY - dt.timedelta(days=days)}
        for sku in ("belt", "cap")
        for days in (9, 0)
    ]
    empty_ledger.post("receive", stock, origin="supplier", document="GRN", actor="ana")
    policy = Policy(stock_order="fifo")

    def asked(number: int, sku: str, qty: int, **more: str) -> Request:
        heading = empty_ledger.heading("reserve", actor="bob", day=DAY)
        line = {"line_id": f"L{number}", "sku": sku, "qty": qty, **more}
        return request_to_reserve(empty_ledger.requests, heading, [line], policy, None)

    for number in range(3):
        empty_ledger.reserve({"line_id": f"B{number}", "sku": "belt", "qty": 1}, policy, actor="bob", as_of=DAY)
    together = [asked(1, "cap", 1), asked(2, "belt", 6), asked(3, "cap", 1, fill="nonesuch")]
    empty_ledger.requests._do_all(together)
    assert [request.error is None for request in together] == [True, True, False]
    # The oldest alone has seven of them.
    (allocation,) = together[1].answer["lines"][0]["allocations"]
    assert allocation["qty"] == 6


@pytest.mark.parametrize("places", [("north", "north/a"), ("north/a", "north"), ("north", None), (None, "north")])
def test_what_is_asked_for_by_a_place_and_one_within_it_is_not_promised_twice(
    empty_ledger: Ledger, places: tuple[str | None, str | None]
) -> None:
    empty_ledger.define([{"sku": "belt"}], actor="ana")
    line = {"sku": "belt", "qty": 20, "location": "north/a"}
    empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")

    def asked(number: int, qty: int) -> Request:
        heading = empty_ledger.heading("reserve", actor="bob", day=DAY)
        row = {"line_id": f"L{number}", "sku": "belt", "qty": qty, "location": places[number % 2]}
        return request_to_reserve(empty_ledger.requests, heading, [row], None, None)

    for number in range(8):
        empty_ledger.requests.do(asked(number, 1))
    together = [asked(8, 8), asked(9, 8), asked(10, 1)]
    # Never refused by the database, which would have all of it read and done anew.
    ahead = empty_ledger.requests._decided_ahead(together)
    assert ahead is not None and ahead.requests == together[:1]
    empty_ledger.requests._write_ahead(ahead)
    empty_ledger.requests._do_all(together[1:])
    assert [request.answer["lines"][0]["allocated"] for request in together] == [8, 4, 0]


def test_a_line_that_has_all_it_wants_gets_nothing_again_from_a_shelf(
    empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Decided under the lock: what is decided ahead is refused by the key of the line.
    monkeypatch.setattr(Requests, "_decided_ahead", lambda *_: None)
    empty_ledger.define([{"sku": "belt"}], actor="ana")
    line = {"sku": "belt", "qty": 100, "location": "north"}
    empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    for number in (0, 1, 2, 1):
        answer = empty_ledger.reserve([{"line_id": f"L{number}", "sku": "belt", "qty": 3}], actor="bob", as_of=DAY)
    assert answer["seq"] is None
    assert empty_ledger.lines()["allocated"].to_list() == [3, 3, 3]


def test_stock_that_comes_in_is_seen_by_those_who_were_decided_from_a_shelf(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "belt"}], actor="ana")

    def receive(qty: int, received: dt.date) -> None:
        line = {"sku": "belt", "qty": qty, "location": "north", "received_on": received}
        empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")

    receive(100, DAY)
    for number in range(6):
        empty_ledger.reserve([{"line_id": f"L{number}", "sku": "belt", "qty": 1}], actor="bob", as_of=DAY)
    receive(3, DAY - dt.timedelta(days=9))
    answer = empty_ledger.reserve([{"line_id": "L9", "sku": "belt", "qty": 4}], actor="bob", as_of=DAY)
    assert [each["qty"] for each in answer["lines"][0]["allocations"]] == [3, 1]


def test_stock_that_comes_to_a_large_sku_is_decided_on_beside_what_its_shelf_gives(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "belt"}], actor="ana")

    def receive(qty: int, received: dt.date) -> None:
        line = {"sku": "belt", "qty": qty, "location": "north", "received_on": received}
        empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")

    def taken(number: int, qty: int) -> list[int]:
        line = {"line_id": f"L{number}", "sku": "belt", "qty": qty}
        answer = empty_ledger.reserve(line, actor="bob", as_of=DAY)
        return [each["qty"] for each in answer["lines"][0]["allocations"]]

    looked_at = []

    def decide(*given: Any, only: Any = None) -> Any:
        looked_at.append(only and len(only))
        return live.decide(*given, only=only)

    for age in (9, 8, 7, 6, 5, 4):
        receive(10, DAY - dt.timedelta(days=age))
    with (
        patch.object(shelves, "LARGE", 5),
        patch.object(shelves, "NEAR_MAX", 5),
        patch.object(shelves, "decide", decide),
        patch.object(reserve, "decide", decide),
    ):
        assert [taken(number, 1) for number in range(4)] == [[1]] * 4
        receive(3, DAY - dt.timedelta(days=8))
        assert taken(4, 8) == [6, 2]  # of the oldest, and of those of eight days those that came first
        receive(5, DAY - dt.timedelta(days=20))
        assert taken(5, 7) == [5, 2]
        assert taken(6, 10) == [6, 3, 1]
        assert taken(7, 1) == [1]
    # All of it once; then what waits beside the shelf and what the shelf gives, until nothing waits any more.
    assert looked_at == [None, 3, 3, 3]
    assert verify(empty_ledger).clean


def test_units_that_are_named_are_decided_on_alone_and_the_answer_is_that_of_all_stock() -> None:
    units = [{"sku": "pump", "serial": f"P{n}", "location": PLACES[n % 2]} for n in range(6)]
    wanted = [("P0", None), ("P0", None), ("P1", "north"), ("P5", None), ("P9", None), ("P2", "north")]
    decide, looked_at = reserve.decide, []

    def seen(*given: Any, only: Any = None) -> Any:
        looked_at.append(only)
        return decide(*given, only=only)

    def answers() -> list[Any]:
        with Ledger.open("sqlite://") as ledger:
            ledger.define([{"sku": "pump", "tracking": "serial"}], actor="ana")
            ledger.post("receive", units, origin="supplier", document="GRN", actor="ana")
            ledger.post("renumber", {"serial": "P5", "new_serial": "P50"}, reason="label", actor="ana")
            lines = [
                {"line_id": f"L{n}", "sku": "pump", "qty": 1, "serial": serial, "location": place}
                for n, (serial, place) in enumerate(wanted)
            ]
            return [ledger.reserve([line], actor="bob")["lines"][0] for line in lines]

    with patch.object(reserve, "decide", seen):
        alone = answers()
    with patch.object(reserve, "_of_named_units", lambda *_: None):
        assert alone == answers()
    assert [line["reason"] for line in alone] == [None, "no_balance", "serial", None, "serial", None]
    assert [len(only) for only in looked_at if only is not None] == [1, 1, 1, 1, 0, 1]


def test_an_order_of_skus_with_two_lifecycles_is_served_from_shelves_in_the_end() -> None:
    with Ledger.open("sqlite://") as ledger:
        ledger.define([{"sku": "phone", "tracking": "serial"}, {"sku": "charger"}], actor="ana")
        units = [{"sku": "phone", "serial": f"P-{n}", "location": "north"} for n in range(20)]
        stock = [*units, {"sku": "charger", "qty": 50, "location": "north"}]
        ledger.post("receive", stock, origin="supplier", document="GRN", actor="ana")
        found: list[object] = []
        serve = shelves.Shelves.serve
        with patch.object(shelves.Shelves, "serve", lambda *asked: found.append(serve(*asked)) or found[-1]):
            for number in range(6):
                rows = [{"line_id": f"{number}.{sku}", "sku": sku, "qty": 1} for sku in ("phone", "charger")]
                ledger.reserve(rows, actor="bob", as_of=DAY)
        assert found[0] is None and found[-1] is not None


RANKED = (
    Policy(fill={"one": "lot"}),
    Policy(stock_order="lifo", fill={"one": "source", "whole": "line"}),
    Policy(stock_order="fewest_rows"),
    Policy(attributes=[{"column": "qty_reserved", "op": "<", "value": 1}]),
)
receipts = st.tuples(st.sampled_from("PQR"), st.sampled_from(PLACES), st.integers(1, 4), st.integers(0, 5))


@settings(max_examples=40, deadline=None)
@given(
    policy=st.sampled_from(RANKED),
    received=st.lists(receipts, min_size=3, max_size=9),
    wanted=st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=4), min_size=1, max_size=3),
)
@example(policy=RANKED[0], received=[("P", "north", 1, 3), ("Q", "north", 2, 2), ("P", "north", 2, 1)], wanted=[[1, 2]])
@example(policy=RANKED[2], received=[("P", "north", 3, 2), ("Q", "north", 2, 1)], wanted=[[2, 2]])
def test_wishes_that_share_a_commit_get_what_they_would_get_one_by_one(
    policy: Policy, received: list[tuple[str, str, int, int]], wanted: list[list[int]]
) -> None:
    with Ledger.open("sqlite://") as together, Ledger.open("sqlite://") as one_by_one:
        for ledger in (together, one_by_one):
            ledger.define([{"sku": "paint", "tracking": "lot"}], actor="ana")
            rows = [
                {"sku": "paint", "lot": lot, "qty": qty, "location": place, "received_on": DAY - dt.timedelta(days=age)}
                for lot, place, qty, age in received
            ]
            ledger.post("receive", rows, origin="supplier", document="GRN", actor="ana")
        for number, quantities in enumerate(wanted):
            reserved_together(together, policy, [("paint", qty) for qty in quantities], number)
            with patch.object(reserve, "shelves_for", lambda *_: None):
                for n, qty in enumerate(quantities):
                    line = {"line_id": f"{number}.{n}", "sku": "paint", "qty": qty}
                    one_by_one.reserve(line, policy, actor="bob", as_of=DAY)
        columns = ("line_id", "lot", "location", "qty")
        assert together.allocations().select(columns).rows() == one_by_one.allocations().select(columns).rows()
