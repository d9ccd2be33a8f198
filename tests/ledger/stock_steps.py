"""What may happen to stock, one step after the other, and what a ledger answers to each."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import polars as pl
from hypothesis import strategies as st

from allocator import Policy
from allocator.errors import AllocatorError
from allocator.ledger import Ledger, reserve
from allocator.ledger.waiting import Request
from ledger_stores import TODAY

DAY = TODAY
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


def begin(ledger: Ledger) -> None:
    """What a ledger holds before the first step."""
    ledger.define([{"sku": sku} for sku in SKUS], actor="ana")
    ledger.post("receive", STOCK, origin="supplier", document="GRN-0", actor="ana")


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
        requests.append(Request(work, "", b"", "same", reserve.reserve_together, about=(heading, wish)))
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
