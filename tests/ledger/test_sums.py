"""What a SKU comes to can always be told: receipts beyond that are refused, whichever way goods come in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.errors import InputError
from allocator.ledger import Ledger, change
from allocator.ledger.book import Book
from allocator.ledger.imports import import_stock
from allocator.ledger.sums import LARGE, ROOM, SUM_MAX
from allocator.ledger.verify import canonical_dump, verify
from ledger_stores import receive, shop

__all__ = ["shop"]

NUMBERS = itertools.count(1)
HALF = 2**62 - ROOM // 2
"""Two of them are one more than there may be."""

FILTER = {"sku": "filter", "location": "yard"}


def refused(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.row) for problem in error.value.problems]


def test_a_receipt_beyond_what_can_be_told_is_refused_and_what_is_there_is_told(shop: Ledger) -> None:
    receive(shop, FILTER | {"qty": HALF})
    before = canonical_dump(shop)
    with pytest.raises(InputError, match=f"it comes to {2 * HALF + 1}; a ledger counts {SUM_MAX} of a SKU") as caught:
        receive(shop, FILTER | {"qty": 1}, FILTER | {"qty": HALF, "location": "shop"})
    assert refused(caught) == [("value_overflow", 1)]
    assert canonical_dump(shop) == before
    receive(shop, FILTER | {"qty": HALF - 1, "location": "shop"})
    assert shop.balances()["on_hand"].to_list() == [SUM_MAX]
    assert shop.reserve({"line_id": "L1", "sku": "filter", "qty": SUM_MAX}, actor="bob")["lines"][0]["short"] == 0
    assert verify(shop).clean


def test_lines_of_one_receipt_are_counted_together(shop: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        receive(shop, FILTER | {"qty": HALF}, FILTER | {"qty": HALF, "location": "shop"}, FILTER | {"qty": HALF - 1})
    assert refused(caught) == [("value_overflow", 1)]


def test_what_is_not_written_yet_is_counted_too(shop: Ledger) -> None:
    heading = shop.heading("receive", actor="ana", document="GRN-1")

    def work(book: Book) -> None:
        for _ in range(2):
            change.post(book, heading, [FILTER | {"qty": HALF}], "supplier")

    with pytest.raises(InputError) as caught:
        shop.do(work, heading)
    assert refused(caught) == [("value_overflow", 0)]
    assert shop.balances().is_empty()


def test_what_is_gone_is_counted_and_what_never_came_is_not(shop: Ledger) -> None:
    seq = receive(shop, FILTER | {"qty": HALF})
    shop.post("scrap", FILTER | {"qty": HALF // 2}, reason="broken", actor="ana")
    with pytest.raises(InputError):
        receive(shop, FILTER | {"qty": HALF})
    shop.reverse(seq + 1, reason="entry error", actor="ana")
    shop.reverse(seq, reason="entry error", actor="ana")
    receive(shop, FILTER | {"qty": SUM_MAX})
    assert shop.balances()["on_hand"].to_list() == [SUM_MAX]


def test_a_count_that_finds_too_much_is_refused(shop: Ledger) -> None:
    receive(shop, FILTER | {"qty": HALF})
    with pytest.raises(InputError) as caught:
        shop.post("adjust", FILTER | {"event": "up", "qty": HALF}, reason="count", actor="ana")
    assert refused(caught) == [("value_overflow", 0)]


def test_an_import_leaves_out_the_row_that_would_be_too_much(shop: Ledger) -> None:
    table = {"sku": ["filter"] * 3, "qty": [HALF, HALF, 5], "location": ["yard"] * 3}
    told = import_stock(shop, table, actor="ana", origin="supplier", document="GRN-1", good_rows_only=True)
    assert (told.recorded, told.bad.select("row", "code").rows()) == (2, [(1, "value_overflow")])
    assert shop.balances()["on_hand"].to_list() == [HALF + 5]


def test_decimals_are_told_as_people_count_them(shop: Ledger) -> None:
    oil = {"sku": "oil", "lot": "A", "location": "yard", "qty": Decimal(SUM_MAX).scaleb(-2)}
    receive(shop, oil)
    with pytest.raises(InputError, match=r"with 86469112845513523\.19 of oil"):
        receive(shop, oil)
    assert shop.balances()["on_hand"].to_list() == [Decimal(SUM_MAX).scaleb(-2)]


def test_several_skus_that_are_too_much_together_are_told_one_by_one(shop: Ledger) -> None:
    with Ledger.open("sqlite://") as ledger:
        ledger.define([{"sku": "sand"}, {"sku": "salt"}], actor="ana")
        receive(ledger, *({"sku": sku, "qty": SUM_MAX, "location": "yard"} for sku in ("sand", "salt")))
        for by in ((), ("location",), ("status", "location")):
            with pytest.raises(InputError, match="Have them told by sku") as caught:
                ledger.balances(by)
            assert refused(caught) == [("value_overflow", None)]
        assert ledger.balances(("location", "sku"))["on_hand"].to_list() == [SUM_MAX, SUM_MAX]


@pytest.fixture(scope="module")
def memory() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as ledger:
        yield ledger


quantities = st.one_of(st.integers(1, 2 * LARGE), st.integers(1, 2**63 - 1), st.integers(2**60, 2**62),
                       st.integers(SUM_MAX - 9, SUM_MAX + 9))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(receipts=st.lists(st.lists(quantities, min_size=1, max_size=3), min_size=1, max_size=6))
def test_what_was_taken_can_be_told_and_what_was_refused_would_have_been_too_much(
    memory: Ledger, receipts: list[list[int]]
) -> None:
    sku, there = f"part {next(NUMBERS)}", 0
    memory.define([{"sku": sku}], actor="ana")
    for qtys in receipts:
        lines: list[dict[str, Any]] = [{"sku": sku, "qty": qty, "location": "yard"} for qty in qtys]
        fits = all(
            qty <= LARGE or there + sum(qtys[: n + 1]) <= SUM_MAX + sum(each for each in qtys[:n] if each <= LARGE)
            for n, qty in enumerate(qtys)
        )
        try:
            receive(memory, *lines)
        except InputError as error:
            assert {problem.code for problem in error.problems} == {"value_overflow"}
            assert there + sum(qtys) > SUM_MAX
        else:
            assert fits
            there += sum(qtys)
        assert memory.balances(skus=sku)["on_hand"].sum() == there < 2**63
