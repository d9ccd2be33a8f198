"""Shelves decide as the engine does on tables: whatever happens to stock, a ledger with them answers as one without."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator import Policy
from allocator.errors import AllocatorError
from allocator.ledger import Ledger, reserve, shelves
from allocator.ledger.requests import Request
from allocator.ledger.verify import verify

DAY = dt.date(2026, 11, 22)
SKUS = ("belt", "cap", "disc")
PLACES = ("north", "south")
STOCK = [
    {"sku": sku, "qty": 9 - lot, "location": PLACES[lot % 2], "received_on": DAY - dt.timedelta(days=(lot * 5) % 7)}
    for sku in SKUS
    for lot in range(6)
]
POLICIES = (
    Policy(stock_order="fefo"),
    Policy(stock_order="fifo", fill={"whole": "order"}),
    Policy(stock_order="lifo", fill={"whole": "line"}, shelf_life={"days_min": 2}),
    Policy(stock_order="fifo", fill={"pack": 2}),
    Policy(stock_order="fifo", fill={"one": "lot"}),
    Policy(stock_order="largest_first"),
)

skus, places, quantities = st.sampled_from(SKUS), st.sampled_from(PLACES), st.integers(1, 6)
days = st.integers(-3, 3).map(lambda n: DAY + dt.timedelta(days=n))
lines = st.lists(st.tuples(skus, quantities, st.none() | places), min_size=1, max_size=2)
steps = st.one_of(
    st.tuples(st.just("receive"), skus, st.integers(1, 20), places, days, st.none() | days),
    *[st.tuples(st.just("reserve"), lines)] * 6,
    st.tuples(st.just("release"), st.integers(0, 20)),
    st.tuples(st.just("ship"), st.integers(0, 20)),
    st.tuples(st.just("move"), skus, quantities, places, places),
    st.tuples(st.just("block"), skus, places),
    st.tuples(st.just("unblock"), skus, places),
    st.tuples(st.just("define"), skus),
    st.tuples(st.just("together"), st.lists(st.tuples(skus, quantities), min_size=2, max_size=4)),
)


def act(ledger: Ledger, policy: Policy, step: tuple[Any, ...], number: int) -> object:
    """What a ledger answers to one step."""
    kind, *said = step
    if kind == "receive":
        sku, qty, place, received, expires = said
        line = {"sku": sku, "qty": qty, "location": place, "received_on": received, "expires_on": expires}
        return ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    if kind == "reserve":
        (wanted,) = said
        rows = [
            {"line_id": f"{number}.{n}", "order_id": f"O{number}", "sku": sku, "qty": qty, "location": place}
            for n, (sku, qty, place) in enumerate(wanted)
        ]
        return ledger.reserve(rows, policy, actor="bob", as_of=DAY)["lines"]
    if kind == "together":
        return reserved_together(ledger, policy, said[0], number)
    if kind == "release":
        return ledger.release(order_id=f"O{said[0]}", actor="bob")
    if kind == "ship":
        mine = ledger.allocations().filter(pl.col("line_id").str.starts_with(f"{said[0]}."))
        shipped = [{"allocation_id": number} for number in mine["allocation_id"]]
        return ledger.post("ship", shipped, document="DC", actor="bob")
    if kind == "move":
        sku, qty, place, other = said
        return ledger.post("move", {"sku": sku, "qty": qty, "location": place, "to_location": other}, actor="ana")
    if kind == "define":
        return ledger.define([{"sku": said[0], "colour": number}], actor="ana")
    return ledger.post(kind, {"sku": said[0], "location": said[1]}, reason="quality", actor="ana")


def reserved_together(ledger: Ledger, policy: Policy, wanted: list[tuple[str, int]], number: int) -> list[object]:
    """What callers are told whose wishes share a commit."""
    heading = ledger.heading("reserve", actor="bob", day=DAY)
    requests = []
    for n, (sku, qty) in enumerate(wanted):
        rows = [{"line_id": f"{number}.{n}", "sku": sku, "qty": qty}]
        wish = reserve.Wish(rows, policy, heading.day)
        work = partial(reserve.reserve, heading=heading, wish=wish)
        requests.append(Request(work, "", b"", "same", reserve.reserve_together, (heading, wish)))
    ledger.requests._try(requests)
    assert all(request.error is None for request in requests)
    for request in requests:
        for line in request.answer["lines"]:
            # Taken by a wish of the same decision, or gone before it began: which one is a matter of chance.
            assert (line.pop("reason") is None) == (line["short"] == 0)
    return [request.answer for request in requests]


def answer(ledger: Ledger, policy: Policy, step: tuple[Any, ...], number: int) -> object:
    try:
        return act(ledger, policy, step, number)
    except AllocatorError as error:
        return [str(problem) for problem in error.problems]


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Stock is laid out as soon as it was asked for, and few shelves are kept."""
    with patch.object(shelves, "TWICE", 0), patch.object(shelves, "SHELVES_MAX", 2):
        yield


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(POLICIES), st.lists(steps, min_size=8, max_size=40))
def test_a_ledger_with_shelves_answers_as_one_without(policy: Policy, work: list[tuple[Any, ...]]) -> None:
    with Ledger.open("sqlite://") as one, Ledger.open("sqlite://") as other:
        for ledger in (one, other):
            ledger.define([{"sku": sku} for sku in SKUS], actor="ana")
            ledger.post("receive", STOCK, origin="supplier", document="GRN-0", actor="ana")
        for number, step in enumerate(work):
            with patch.object(reserve, "shelves_for", lambda *_: None):
                expected = answer(other, policy, step, number)
            assert answer(one, policy, step, number) == expected, step
        assert one.balances().equals(other.balances())
        assert verify(one).clean


def test_what_is_asked_for_again_is_decided_from_a_shelf(empty_ledger: Ledger) -> None:
    served = []
    taken = shelves.Shelves.taken

    def seen(self: shelves.Shelves, sku_id: int, row: Any) -> Any:
        found = taken(self, sku_id, row)
        served.append(found is not None)
        return found

    empty_ledger.define([{"sku": "belt"}], actor="ana")
    line = {"sku": "belt", "qty": 100, "location": "north"}
    empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    with patch.object(shelves.Shelves, "taken", seen):
        for number in range(6):
            empty_ledger.reserve([{"line_id": f"L{number}", "sku": "belt", "qty": 1}], actor="bob", as_of=DAY)
    assert served == [False, *[True] * 5]


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
