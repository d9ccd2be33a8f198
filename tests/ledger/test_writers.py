"""Writers beside each other, and what they may rely on: one at a time, nothing taken twice, nothing lost."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.book import Book
from allocator.ledger.verify import verify
from ledger.raw import beside
from ledger_stores import TODAY


@pytest.fixture
def store(empty_ledger: Ledger) -> Ledger:
    """Ten filters at one place."""
    empty_ledger.define([{"sku": "filter"}, {"sku": "gauge", "tracking": "serial"}], actor="ana")
    receive(empty_ledger, {"sku": "filter", "qty": 10, "location": "store"})
    return empty_ledger


def receive(ledger: Ledger, *lines: dict[str, object]) -> int:
    return ledger.post("receive", list(lines), origin="supplier", document="GRN", actor="ana", day=TODAY)


def move(ledger: Ledger, qty: int, to: str) -> int:
    line = {"sku": "filter", "qty": qty, "location": "store", "to_location": to}
    return ledger.post("move", line, actor="ana")


def wish(ledger: Ledger, line: str, qty: int, **said: object) -> int:
    answer = ledger.reserve([{"line_id": line, "sku": "filter", "qty": qty}], actor="bob", as_of=TODAY, **said)
    return int(answer["lines"][0]["allocated"])


def test_who_writes_keeps_others_waiting(store: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, order = Book.flush, []
    with Ledger.open(store.store.url) as other:
        second = threading.Thread(target=lambda: order.append(("second", move(other, 1, "north"))))

        def slow(book: Book) -> None:
            if book.catalog is store.requests.catalog:
                second.start()
                time.sleep(0.4)
                order.append(("first", book.seq))
            flush(book)

        monkeypatch.setattr(Book, "flush", slow)
        move(store, 1, "south")
        second.join()
    assert order == [("first", 3), ("second", 4)]
    assert verify(store).clean


def test_stock_that_someone_took_without_asking_is_not_promised_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, taken = Book.flush, []
    with Ledger.open(postgres_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})

        def late(book: Book) -> None:
            if not taken:
                with beside(ledger) as connection:
                    taken.append(connection.execute("UPDATE balance SET qty = 4, version = version + 1"))
            flush(book)

        monkeypatch.setattr(Book, "flush", late)
        assert wish(ledger, "L1", 8) == 4


def test_what_another_process_received_meanwhile_is_taken_in_its_turn(store: Ledger) -> None:
    assert wish(store, "L1", 1) == 1
    with Ledger.open(store.store.url) as other:
        older = {"sku": "filter", "qty": 3, "location": "attic", "received_on": TODAY - dt.timedelta(days=9)}
        receive(other, older)
    answer = store.reserve([{"line_id": "L2", "sku": "filter", "qty": 4}], actor="bob", as_of=TODAY)
    assert [each["qty"] for each in answer["lines"][0]["allocations"]] == [3, 1]
    assert verify(store).clean


def test_a_refused_request_leaves_nothing_to_those_that_are_written_with_it(store: Ledger) -> None:
    began, go, flush = threading.Event(), threading.Event(), Book.flush
    outcomes: dict[str, object] = {}

    def ask(name: str, *places: str) -> None:
        lines = [{"sku": "filter", "qty": 6, "location": "store", "to_location": place} for place in places]
        try:
            outcomes[name] = store.post("move", lines, actor="ana", key=name)
        except InputError as error:
            outcomes[name] = error.code

    def wait(book: Book) -> None:
        began.set()
        go.wait(10)
        flush(book)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Book, "flush", wait)
        leader = threading.Thread(target=receive, args=(store, {"sku": "filter", "qty": 1, "location": "shed"}))
        leader.start()
        began.wait(10)
        # Both wait for the leader, and are written together, in this order.
        too_much = threading.Thread(target=ask, args=("too much", "north", "north"))
        too_much.start()
        time.sleep(0.2)
        enough = threading.Thread(target=ask, args=("enough", "south"))
        enough.start()
        time.sleep(0.2)
        go.set()
        for thread in (leader, too_much, enough):
            thread.join()
    assert outcomes == {"too much": "stock_short", "enough": 4}
    assert verify(store).clean


def test_what_is_acknowledged_is_on_the_disk(store: Ledger) -> None:
    if store.store.dialect == "postgresql":
        with beside(store) as connection:
            name = connection.info.dbname
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with Ledger.open(store.store.url) as ledger, ledger.store.session("write") as session:
        if store.store.dialect == "postgresql":
            assert session.rows("SHOW synchronous_commit") == [("on",)]
        else:
            assert session.rows("PRAGMA synchronous") == [(2,)]
            assert session.rows("PRAGMA journal_mode") == [("wal",)]
            assert session.rows("PRAGMA foreign_keys") == [(1,)]


def test_a_reader_sees_one_moment(store: Ledger) -> None:
    sql = "SELECT COUNT(*) FROM txn"
    with store.store.session() as session:
        before = session.rows(sql)
        move(store, 1, "north")
        assert session.rows(sql) == before


def test_a_clock_that_is_set_back_does_not_turn_history_back(store: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    move(store, 1, "north")
    assert verify(store).clean


def test_a_place_that_another_process_opened_is_known(store: Ledger) -> None:
    with Ledger.open(store.store.url) as other:
        move(other, 1, "north")
    line = {"sku": "filter", "qty": 1, "location": "north", "to_location": "south"}
    assert store.post("move", line, actor="ana") == 4


def test_the_first_receipt_of_a_day_is_taken_first(store: Ledger) -> None:
    receive(store, {"sku": "filter", "qty": 10, "location": "store"})
    move(store, 3, "north")
    with store.store.session() as session:
        assert session.rows("SELECT goods_id, qty FROM entry WHERE seq = 4") == [(1, 3)]


def test_a_hold_that_is_over_serves_the_next(store: Ledger) -> None:
    assert wish(store, "L1", 10, hold_s=0.0) == 10
    assert wish(store, "L2", 10, hold_s=3600.0) == 10
    assert wish(store, "L3", 10) == 0
    assert verify(store).clean


def test_a_balance_that_would_not_fit_is_refused(store: Ledger) -> None:
    receive(store, {"sku": "filter", "qty": 8 * 10**18, "location": "yard"})
    lines = [{"sku": "filter", "qty": 8 * 10**18, "location": "yard", "event": "up"}]
    with pytest.raises(InputError) as caught:
        store.post("adjust", lines, reason="count", actor="ana")
    assert caught.value.code == "value_overflow"


def test_what_is_blocked_is_neither_picked_nor_shipped(store: Ledger) -> None:
    wish(store, "L1", 10)
    store.post("block", {"stock_id": 1 << 24 | 2}, reason="quality", actor="ana")
    for kind, said in (("pick", {}), ("ship", {"to_holder": "van"})):
        with pytest.raises(InputError) as caught:
            store.post(kind, {"allocation_id": 1, **said}, document="DC", actor="pip")
        assert caught.value.code == "blocks_held"


def test_a_status_changes_only_as_the_lifecycle_says(store: Ledger) -> None:
    receive(store, {"sku": "gauge", "serial": "G-1", "location": "store"})
    with pytest.raises(InputError) as caught:
        store.post("change_status", {"serial": "G-1", "to_status": "Retired"}, actor="ana")
    assert caught.value.code == "transition_unlisted"


def test_what_is_promised_is_in_stock_and_not_with_a_customer(store: Ledger) -> None:
    wish(store, "L1", 10)
    for kind, said in (("invoice", {}), ("return", {"to_location": "store"}), ("credit", {"to_location": "store"})):
        with pytest.raises(InputError) as caught:
            store.post(kind, {"allocation_id": 1, **said}, document="INV", actor="ana")
        assert caught.value.code == "goods_unknown"
