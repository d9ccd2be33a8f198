"""What decisions look at is kept in columns: after whatever happened, it is what a book would read anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from allocator import Policy
from allocator.errors import InputError, Problem
from allocator.ledger import Ledger, change, known, requests, rows
from allocator.ledger.book import Book
from allocator.ledger.verify import verify
from ledger.stock_steps import DAY, POLICIES, SKUS, answer, begin, steps


def looked_at(ledger: Ledger, *, anew: bool) -> pl.DataFrame:
    """The stock rows that a decision on all SKUs would see."""

    def asked(book: Book) -> pl.DataFrame:
        book.catalog.load_skus(book.session, SKUS)
        skus = [sku for name in SKUS if (sku := book.catalog.find(name))]
        if anew:
            book = Book(book.session, book.catalog, writes=False)
        return rows.stock_rows(book, skus, 0)

    seen: pl.DataFrame = ledger.do(asked, ledger.heading("document", actor="ana"))
    return seen


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(POLICIES), st.lists(steps, min_size=8, max_size=40), st.sampled_from([0, 1000]))
def test_rows_are_those_of_the_tables_after_whatever_happens(
    policy: Policy, work: list[tuple[Any, ...]], empty_max: int
) -> None:
    with Ledger.open("sqlite://") as ledger, patch.object(rows, "EMPTY_MAX", empty_max):
        begin(ledger)
        for number, step in enumerate(work):
            answer(ledger, policy, step, number)
            assert_frame_equal(looked_at(ledger, anew=False), looked_at(ledger, anew=True))


@pytest.mark.parametrize("moved", [True, False], ids=["to a place that was not there", "new goods"])
def test_what_was_refused_in_the_end_leaves_no_row_behind(moved: bool) -> None:
    """Numbers of goods and accounts that were given back go to others."""
    with Ledger.open("sqlite://") as ledger:
        ledger.define([{"sku": sku} for sku in SKUS], actor="ana")
        ledger.post("receive", {"sku": "belt", "qty": 5, "location": "north"}, origin="supplier", document="G",
                    actor="ana")  # fmt: skip
        heading = ledger.heading("move" if moved else "receive", actor="ana", document="G")
        line = {
            "sku": "belt",
            "qty": 2,
            **({"to_location": "attic"} if moved else {"location": "north", "stock_class": "A"}),
        }

        def refused(book: Book) -> None:
            with book.transaction(heading):
                change.post(book, heading, [line], "" if moved else "supplier")
                rows.stock_rows(book, [book.catalog.named("belt")], 0)
                raise InputError(Problem("argument_value", "never mind"))

        with pytest.raises(InputError, match="never mind"):
            ledger.do(refused, heading)
        again = line | ({"to_location": "cellar"} if moved else {"stock_class": "B"})
        ledger.post(heading.type, again, origin="" if moved else "supplier", document="G", actor="ana")
        assert_frame_equal(looked_at(ledger, anew=False), looked_at(ledger, anew=True))
        told = looked_at(ledger, anew=False)
        assert "cellar" in told["location"] if moved else "B" in told["stock_class"]
        assert ledger.reserve([{"line_id": "1", "sku": "belt", "qty": 1}], actor="bob", as_of=DAY)["seq"]


def test_units_with_customers_are_not_read_for_an_order_and_those_that_come_back_serve_the_next(
    empty_ledger: Ledger,
) -> None:
    units = [{"sku": "gauge", "serial": f"G-{n}", "location": "store"} for n in range(5)]
    empty_ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
    empty_ledger.post("receive", units, origin="supplier", document="GRN", actor="ana")
    gone = [{"serial": f"G-{n}", "to_holder": "customer 7"} for n in range(4)]
    empty_ledger.post("deliver", gone, actor="ana")

    def served(ledger: Ledger, line: str) -> list[str]:
        ledger.reserve({"line_id": line, "sku": "gauge", "qty": 1}, actor="bob", as_of=DAY)
        return ledger.allocations().filter(pl.col("line_id") == line)["serial"].to_list()

    with Ledger.open(empty_ledger.store.url) as ledger:
        assert served(ledger, "L1") == ["G-4"]
        known = ledger.requests._known
        assert known is not None and [goods.serial for goods in known.goods.values()] == ["G-4"]
        ledger.post("return", {"serial": "G-2", "to_location": "store"}, reason="unused", document="R-1", actor="ana")
        assert served(ledger, "L2") == ["G-2"]
        assert served(ledger, "L3") == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a new ledger may be, each time another one."""
    folder = tmp_path_factory.mktemp("stores")
    return (f"sqlite:///{folder / str(number)}.db" for number in itertools.count())


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(POLICIES), st.lists(st.tuples(st.booleans(), steps), min_size=8, max_size=40), st.booleans())
def test_two_who_take_turns_answer_as_one_alone(
    files: Iterator[str], policy: Policy, work: list[tuple[bool, tuple[Any, ...]]], often: bool
) -> None:
    url = next(files)
    with Ledger.open(url) as one, Ledger.open(url) as two, Ledger.open("sqlite://") as alone:
        for ledger in (one, alone):
            begin(ledger)
        for number, (first, step) in enumerate(work):
            with patch.object(requests, "READ_FIRST", 32 * often):
                told = answer(one if first else two, policy, step, number)
            assert told == answer(alone, policy, step, number), step
            if number % 5 == 4:
                for ledger in (one, two):
                    assert_frame_equal(looked_at(ledger, anew=False), looked_at(ledger, anew=True))
        assert one.balances().equals(alone.balances())
        assert verify(two).clean


@pytest.fixture
def other(shop: Ledger) -> Iterator[Ledger]:
    """Another process on the same store."""
    with Ledger.open(shop.store.url) as opened:
        yield opened


@pytest.fixture
def shop(empty_ledger: Ledger) -> Ledger:
    """Three SKUs in stock, which the process knows."""
    begin(empty_ledger)
    looked_at(empty_ledger, anew=False)
    return empty_ledger


def read_meanwhile(act: Callable[[], object]) -> set[str]:
    """What of stock is read meanwhile: whole `SKUs`, or `goods`."""
    read: set[str] = set()

    def seen(name: str, told: str) -> Any:
        method = getattr(known.Known, name)

        def spied(self: known.Known, session: Any, *given: Any, **more: Any) -> Any:
            before = len(self.goods)
            answered = method(self, session, *given, **more)
            if told == "goods" or len(self.goods) > before:
                read.add(told)
            return answered

        return patch.object(known.Known, name, spied)

    with seen("load_skus", "SKUs"), seen("_read_again", "goods"):
        act()
    return read


def test_of_what_others_did_only_the_goods_are_read_again(shop: Ledger, other: Ledger) -> None:
    other.reserve({"line_id": "theirs", "sku": "belt", "qty": 2}, actor="eve", as_of=DAY)
    more = {"sku": "belt", "qty": 3, "location": "attic"}
    other.post("receive", more, origin="supplier", document="GRN-1", actor="eve")
    free = shop.balances(by="sku")["available"].to_list()
    answers = []

    def all_belts() -> None:
        wanted = {"line_id": "mine", "sku": "belt", "qty": 99}
        answers.extend(shop.reserve(wanted, actor="bob", as_of=DAY)["lines"])

    assert read_meanwhile(all_belts) == {"goods"}
    assert [line["allocated"] for line in answers] == [free[0]]
    assert verify(shop).clean


@pytest.mark.parametrize("reason", ["it is much", "a SKU was defined", "the store was put back"])
def test_all_is_read_again_where(shop: Ledger, other: Ledger, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason == "it is much":
        monkeypatch.setattr(known, "TAIL_MAX", 1)
    if reason == "a SKU was defined":
        other.define([{"sku": "belt", "description": "red"}], actor="eve")
    if reason == "the store was put back":
        kept = shop.requests._known
        assert kept is not None
        kept.head = kept.head._replace(hash=b"of another history")
    for number in range(2):
        other.reserve({"line_id": f"theirs {number}", "sku": "belt", "qty": 2}, actor="eve", as_of=DAY)
    assert read_meanwhile(lambda: looked_at(shop, anew=False)) == {"SKUs"}
    assert_frame_equal(looked_at(shop, anew=False), looked_at(shop, anew=True))
