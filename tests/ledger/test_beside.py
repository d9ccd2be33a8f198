"""While one commit is written the next is decided on it: as right as one after the other, whatever comes of it."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from allocator.errors import Problem, StoreError
from allocator.ledger import Ledger, waiting
from allocator.ledger.book import Book
from allocator.ledger.requests import READ_FIRST, Requests, _Ahead, _repeat, few_collections
from allocator.ledger.store import ConflictError, Whole
from allocator.ledger.verify import verify
from allocator.ledger.waiting import Request
from ledger_stores import TODAY

PATIENCE_S = 20


@pytest.fixture
def shop(empty_ledger: Ledger) -> Ledger:
    """Twenty filters, three of them promised, known to the process and laid out for orders."""
    empty_ledger.define([{"sku": "filter"}], actor="ana")
    line = {"sku": "filter", "qty": 20, "location": "store"}
    empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    for number in range(3):
        order(empty_ledger, f"first {number}", 1)
    return empty_ledger


def order(ledger: Ledger, line: str, qty: int, **said: Any) -> dict[str, Any]:
    answer = ledger.reserve([{"line_id": line, "sku": "filter", "qty": qty}], actor="bob", as_of=TODAY, **said)
    return answer["lines"][0]


@dataclass
class Store:
    """A store of which the first write waits until it is let go, and may fail then.

    What is decided is sent at once, unless that is held back or the first one never comes to the store.
    """

    changes: Callable[[], Whole]
    error: BaseException | None = None
    holds_back: bool = False
    is_written: bool = False
    began: threading.Event = field(default_factory=threading.Event)
    goes: threading.Event = field(default_factory=threading.Event)
    decided: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    sends: int = 0
    writes: int = 0

    def disturbed(self) -> Whole:
        whole = self.changes()
        write, send = whole.write, whole.send

        def sent() -> None:
            self.sends += 1
            if not self.holds_back and (self.sends > 1 or self.error is None or self.is_written):
                send()

        def slowly() -> None:
            self.writes += 1
            if self.writes == 1:
                self.began.set()
                assert self.goes.wait(PATIENCE_S)
                if self.error is not None and not self.is_written:
                    raise self.error
            if self.holds_back:
                send()
            write()
            if self.writes == 1 and self.error is not None:
                raise self.error

        whole.send = sent  # type: ignore[method-assign]
        whole.write = slowly  # type: ignore[method-assign]
        return whole

    def wait_until_decided(self, turns: int) -> None:
        for _ in range(turns):
            assert self.decided.acquire(timeout=PATIENCE_S)


@contextmanager
def slow(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> Iterator[Store]:
    """Within, the first write waits."""
    store = Store(ledger.store.changes, error)
    decide = Requests._decided_ahead

    def told(requests: Requests, batch: list[Request]) -> _Ahead | None:
        try:
            return decide(requests, batch)
        finally:
            store.decided.release()

    with monkeypatch.context() as patch:
        patch.setattr(waiting, "HALVED_MIN", 1)
        patch.setattr(ledger.store, "changes", store.disturbed)
        patch.setattr(Requests, "_decided_ahead", told)
        yield store


@contextmanager
def first_then_second(store: Store, ledger: Ledger, qty: int) -> Iterator[tuple[Future[Any], Future[Any]]]:
    """Two orders, of which the second is decided while the first is written; then that goes on."""
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(order, ledger, "L1", qty, key="K1")
        assert store.began.wait(PATIENCE_S)
        second = callers.submit(order, ledger, "L2", qty, key="K2")
        store.wait_until_decided(2)
        assert not first.done()
        assert not second.done()
        store.goes.set()
        yield first, second


def test_the_next_is_decided_while_one_is_written(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow(shop, monkeypatch) as store, first_then_second(store, shop, 5) as orders:
        assert [each.result(PATIENCE_S)["allocated"] for each in orders] == [5, 5]
    assert store.writes == 2
    assert int(shop.allocations()["qty"].sum()) == 13
    assert verify(shop).clean


def test_nobody_is_answered_before_what_came_before_is_written(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow(shop, monkeypatch) as store, ThreadPoolExecutor(4) as callers:
        first = callers.submit(order, shop, "L1", 1)
        assert store.began.wait(PATIENCE_S)
        others = [callers.submit(order, shop, f"L{number}", 1) for number in (2, 3, 4)]
        store.wait_until_decided(2)
        assert not any(each.done() for each in (first, *others))
        store.goes.set()
        assert [each.result(PATIENCE_S)["allocated"] for each in (first, *others)] == [1] * 4
    assert verify(shop).clean


@pytest.mark.parametrize("qty", [5, 10])
def test_where_one_is_refused_for_what_others_did_both_are_decided_again(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch, qty: int
) -> None:
    with slow(shop, monkeypatch) as store, Ledger.open(shop.store.url) as other, ThreadPoolExecutor(2) as callers:
        if shop.store.url == "sqlite://":
            pytest.skip("what is in memory has no other process")
        store.holds_back = True
        first = callers.submit(order, shop, "L1", qty)
        assert store.began.wait(PATIENCE_S)
        second = callers.submit(order, shop, "L2", qty)
        store.wait_until_decided(2)
        assert order(other, "theirs", 7)["allocated"] == 7
        store.goes.set()
        given = [each.result(PATIENCE_S)["allocated"] for each in (first, second)]
    # Ten are left of seventeen.
    assert given == ([5, 5] if qty == 5 else [10, 0])
    assert int(shop.allocations()["qty"].sum()) == 20
    assert verify(shop).clean


def test_what_was_decided_on_a_commit_that_failed_is_decided_again(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = StoreError(Problem("outcome_unknown", "the line is down"))
    with slow(shop, monkeypatch, lost) as store, first_then_second(store, shop, 12) as (first, second):
        assert isinstance(first.exception(PATIENCE_S), StoreError)
        # The first never came true: the second has all it wants.
        assert second.result(PATIENCE_S)["allocated"] == 12
    assert shop.outcome("K1") is None
    assert shop.outcome("K2")["lines"][0]["allocated"] == 12
    assert verify(shop).clean


def test_what_was_decided_on_a_commit_that_came_true_unheard_is_right(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = StoreError(Problem("outcome_unknown", "the line is down"))
    with slow(shop, monkeypatch, lost) as store:
        store.is_written = True
        with first_then_second(store, shop, 12) as (first, second):
            assert isinstance(first.exception(PATIENCE_S), StoreError)
            assert second.result(PATIENCE_S)["allocated"] == 5
    assert shop.outcome("K1")["lines"][0]["allocated"] == 12
    assert verify(shop).clean


def test_a_writer_who_is_interrupted_leaves_to_the_next_what_is_so(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow(shop, monkeypatch, KeyboardInterrupt()) as store, first_then_second(store, shop, 12) as (first, second):
        assert isinstance(first.exception(PATIENCE_S), KeyboardInterrupt)
        assert second.result(PATIENCE_S)["allocated"] == 12
    assert order(shop, "L3", 5)["allocated"] == 5
    assert verify(shop).clean


def test_what_was_read_anew_is_not_forgotten_for_what_was_decided_before(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow(shop, monkeypatch, ConflictError()) as store, first_then_second(store, shop, 5) as orders:
        assert [each.result(PATIENCE_S)["allocated"] for each in orders] == [5, 5]
    # The second, decided on what was not so, was refused after all was read for the first.
    assert store.writes == 2
    assert shop.requests._known is not None
    assert shop.requests._read_first < READ_FIRST


def test_a_repeat_under_a_key_that_is_being_written_has_the_same_answer(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow(shop, monkeypatch) as store, ThreadPoolExecutor(2) as callers:
        asked = [callers.submit(order, shop, "L1", 5, key="K1")]
        assert store.began.wait(PATIENCE_S)
        asked.append(callers.submit(order, shop, "L1", 5, key="K1"))
        store.wait_until_decided(2)
        store.goes.set()
        first, again = (each.result(PATIENCE_S) for each in asked)
    assert first == again
    assert first["allocated"] == 5
    assert int(shop.allocations()["qty"].sum()) == 8


def test_callers_who_keep_coming_are_done_in_halves(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"sku": "filter", "qty": 10_000, "location": "store"}
    shop.post("receive", line, origin="supplier", document="GRN", actor="ana")
    sizes: list[int] = []
    write = Requests._write_ahead

    def counted(requests: Requests, ahead: _Ahead) -> None:
        sizes.append(len(ahead.requests))
        write(requests, ahead)

    monkeypatch.setattr(Requests, "_write_ahead", counted)

    def come(caller: int) -> None:
        for number in range(40):
            order(shop, f"{caller}-{number}", 1)

    with ThreadPoolExecutor(24) as callers:
        assert [*callers.map(come, range(24))] == [None] * 24
    # All who come at once would be 24.
    assert 1 < sorted(sizes)[len(sizes) // 2] < 17
    assert verify(shop).clean


def test_python_looks_for_garbage_again_whoever_ends_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = threading.Event(), threading.Event()
    is_enabled = gc.isenabled

    def slowly() -> bool:
        found = is_enabled()
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            assert ended.wait(PATIENCE_S)
        return found

    def beside() -> None:
        with few_collections():
            pass

    monkeypatch.setattr(gc, "isenabled", slowly)
    with ThreadPoolExecutor(1) as other:
        with few_collections():
            assert not is_enabled()
            following = other.submit(beside)
            assert asked.wait(PATIENCE_S)
        ended.set()
        following.result(PATIENCE_S)
    try:
        assert is_enabled()
    finally:
        gc.enable()


def test_a_process_that_is_forked_meanwhile_looks_for_garbage() -> None:
    begun, ended = threading.Event(), threading.Event()

    def meanwhile() -> None:
        with few_collections():
            begun.set()
            assert ended.wait(PATIENCE_S)

    with ThreadPoolExecutor(1) as other:
        other.submit(meanwhile)
        assert begun.wait(PATIENCE_S)
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
        ended.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert gc.isenabled()


def test_a_process_that_is_forked_knows_nothing_of_what_is_being_recorded(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()
    flush = Book.flush
    before = shop.requests._waiting

    def slowly(book: Book) -> None:
        begun.set()
        assert ended.wait(PATIENCE_S)
        flush(book)

    monkeypatch.setattr(Book, "flush", slowly)
    line = {"sku": "filter", "qty": 1, "location": "elsewhere"}
    with ThreadPoolExecutor(1) as other:
        other.submit(shop.post, "receive", line, origin="supplier", document="GRN", actor="ana")
        assert begun.wait(PATIENCE_S)
        child = os.fork()
        if child == 0:
            # Before any of its threads asks for anything.
            here = shop.requests
            os._exit(0 if here._waiting is not before and not here.catalog.accounts else 1)
        ended.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_fails_after_a_commit_is_not_done_again(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("rows cannot be counted")

    monkeypatch.setattr(shop.store, "count_rows", fail)
    line = {"sku": "filter", "qty": 1, "location": "store"}
    done = [shop.post("receive", line, origin="supplier", document="GRN", actor="ana") for _ in range(10)]
    assert done == [*range(done[0], done[0] + 10)]


def test_nobody_awaits_that_rows_are_counted(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    counting, go_on = threading.Event(), threading.Event()

    def count() -> None:
        counting.set()
        go_on.wait(PATIENCE_S)

    monkeypatch.setattr(shop.store, "count_rows", count)
    shop.post("receive", {"sku": "filter", "qty": 1000, "location": "store"}, origin="supplier", document="GRN",
              actor="ana")  # fmt: skip

    async def orders() -> int:
        for number in range(100):
            line = {"line_id": f"count-{number}", "sku": "filter", "qty": 1}
            await asyncio.wait_for(shop.reserve_async([line], actor="ana"), PATIENCE_S / 2)
            if counting.is_set():
                return number
        return -1

    try:
        assert asyncio.run(orders()) >= 0
    finally:
        go_on.set()


def test_a_repeat_hears_what_was_answered_and_not_what_it_heard_when_that_was_undone() -> None:
    request = Request(lambda _: None, key="K", error=StoreError(Problem("store_busy", "not this time")))
    _repeat(request, b"", {"answer": 7})
    assert (request.answer, request.error) == (7, None)
