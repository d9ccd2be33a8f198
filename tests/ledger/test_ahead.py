"""Orders that are decided on what is known, while nobody is kept from writing: as right as those that are read for."""

from __future__ import annotations

import datetime as dt
import gc
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pysqlite3
import pytest
from psycopg.pq import ExecStatus

from allocator.errors import Problem, StoreError
from allocator.ledger import Ledger
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.requests import Requests, _Ahead
from allocator.ledger.store import ConflictError, Whole
from allocator.ledger.store.wire import Sent, Wire
from allocator.ledger.verify import verify
from allocator.model.lifecycle import Lifecycle
from ledger.raw import beside
from ledger_stores import TODAY


@pytest.fixture
def shop(empty_ledger: Ledger) -> Ledger:
    """Eleven old filters and ninety new ones, known to the process and laid out for orders."""
    empty_ledger.define([{"sku": "filter"}], actor="ana")
    for qty, days in ((11, 9), (90, 1)):
        line = {"sku": "filter", "qty": qty, "location": "store", "received_on": TODAY - dt.timedelta(days=days)}
        empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    for number in range(3):
        order(empty_ledger, f"first {number}", 1)
    return empty_ledger


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each attempt to write what was decided ahead, whether it could be written."""
    write, seen = Requests._write_ahead, []

    def watched(requests: Requests, decided: _Ahead) -> None:
        write(requests, decided)
        seen.append(all(request.done for request in decided.requests))

    monkeypatch.setattr(Requests, "_write_ahead", watched)
    return seen


def order(ledger: Ledger, line: str, qty: int, **said: Any) -> dict[str, Any]:
    answer = ledger.reserve([{"line_id": line, "sku": "filter", "qty": qty}], actor="bob", as_of=TODAY, **said)
    return answer["lines"][0]


def receive(ledger: Ledger, qty: int, location: str) -> None:
    line = {"sku": "filter", "qty": qty, "location": location}
    ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")


def taken(answer: dict[str, Any]) -> list[int]:
    return [allocation["qty"] for allocation in answer["allocations"]]


def promised(ledger: Ledger) -> int:
    return int(ledger.allocations()["qty"].sum())


@contextmanager
def writes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, before: Any = None, after: Any = None) -> Iterator[None]:
    """Within, something happens before or after what was decided ahead is written."""
    changes = ledger.store.changes

    def disturbed() -> Whole:
        out = changes()
        send, write = out.send, out.write

        def beside() -> None:
            if before:
                before()
            send()
            write()
            if after:
                after()

        out.send = lambda: None  # type: ignore[method-assign]
        out.write = beside  # type: ignore[method-assign]
        return out

    with monkeypatch.context() as patch:
        patch.setattr(ledger.store, "changes", disturbed)
        yield


def test_what_shelves_serve_is_written_without_being_read_for(shop: Ledger, ahead: list[bool]) -> None:
    assert [taken(order(shop, f"L{number}", 3)) for number in range(4)] == [[3], [3], [2, 1], [3]]
    assert ahead == [True] * 4
    assert order(shop, "L9", 200)["reason"] is not None
    assert ahead == [True] * 4


def test_what_another_process_promised_meanwhile_is_not_promised_again(shop: Ledger, ahead: list[bool]) -> None:
    with Ledger.open(shop.store.url) as other:
        assert order(other, "theirs", 95)["allocated"] == 95
    assert order(shop, "ours", 20)["allocated"] == 3
    assert False in ahead
    assert promised(shop) == 101


@pytest.fixture
def far(postgres_url: str) -> Iterator[Ledger]:
    """Ten filters on PostgreSQL, three of them promised, known to the process and laid out for orders."""
    with Ledger.open(postgres_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        receive(ledger, 10, "store")
        for number in range(3):
            order(ledger, f"first {number}", 1)
        yield ledger


def test_stock_that_someone_took_without_asking_is_not_promised_ahead(
    far: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steal() -> None:
        with beside(far) as connection:
            connection.execute("UPDATE balance SET qty = 7, version = version + 1")

    with writes(far, monkeypatch, before=steal):
        assert order(far, "L1", 6)["allocated"] == 4


def test_a_line_that_is_known_to_the_store_gets_what_it_lacks(shop: Ledger, ahead: list[bool]) -> None:
    assert order(shop, "L1", 5)["allocated"] == 5
    assert taken(order(shop, "L1", 5)) == []
    assert ahead == [True, False]
    assert promised(shop) == 8


def test_a_repeat_under_a_key_is_answered_and_not_done_again(shop: Ledger, ahead: list[bool]) -> None:
    first = order(shop, "L1", 5, key="K1")
    assert order(shop, "L1", 5, key="K1") == first
    assert shop.outcome("K1")["lines"] == [first]
    assert promised(shop) == 8


def test_a_hold_that_is_over_gives_way_to_an_order_decided_ahead(shop: Ledger, ahead: list[bool]) -> None:
    assert taken(order(shop, "L1", 8, hold_s=0.3)) == [8]
    assert taken(order(shop, "L2", 1)) == [1]  # of the new ones
    time.sleep(0.4)
    assert taken(order(shop, "L3", 9)) == [8, 1]
    assert ahead == [True, True]


def test_whoever_waited_to_write_knows_when_holds_end_that_others_made_meanwhile(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_end() -> int | None:
        with shop.store.session("write") as session:
            return Book(session, Catalog(shop.tenant)).hold_ends_first

    with Ledger.open(shop.store.url) as other, ThreadPoolExecutor(1) as pool:
        waiting: list[Future[int | None]] = []
        end = other.store._end

        def end_late(connection: Any, command: str) -> None:
            if command == "COMMIT":
                waiting.append(pool.submit(first_end))
                time.sleep(0.3)
            end(connection, command)

        monkeypatch.setattr(other.store, "_end", end_late)
        assert order(other, "held", 8, hold_s=60)["allocated"] == 8
        assert waiting[-1].result() is not None


def test_what_could_not_be_written_is_decided_again(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch, ahead: list[bool]
) -> None:
    turns = iter(range(10_000))

    def fail() -> None:
        if next(turns) % 3 == 0:
            raise psycopg.OperationalError("the line is down")

    def customer(number: int) -> int:
        return sum(order(shop, f"{number}/{turn}", 1)["allocated"] for turn in range(10))

    monkeypatch.setattr("allocator.ledger.requests.READ_FIRST", 1)
    with writes(shop, monkeypatch, before=fail), ThreadPoolExecutor(8) as customers:
        assert sum(customers.map(customer, range(8))) == 80
    assert {True, False} == set(ahead)
    assert promised(shop) == 83


def test_whether_a_commit_came_true_that_nobody_heard_of_is_told_by_the_key(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost() -> None:
        raise StoreError(Problem("outcome_unknown", "the line is down"))

    with writes(shop, monkeypatch, after=lost), pytest.raises(StoreError) as caught:
        order(shop, "L1", 5, key="K1")
    assert caught.value.code == "outcome_unknown"
    assert shop.outcome("K1")["lines"][0]["allocated"] == 5
    assert taken(order(shop, "L2", 4)) == [3, 1]


def test_what_was_decided_and_not_even_sent_is_not_believed(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Whole:
        raise StoreError(Problem("store_failed", "there is no room to write it down"))

    with monkeypatch.context() as patch:
        patch.setattr(shop.store, "changes", fail)
        assert order(shop, "L1", 60)["allocated"] == 60
    assert order(shop, "L2", 60)["allocated"] == 38
    assert verify(shop).clean


def test_an_interrupted_writer_leaves_nobody_waiting(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with writes(shop, monkeypatch, before=interrupt), pytest.raises(KeyboardInterrupt):
        order(shop, "L1", 5)
    assert taken(order(shop, "L2", 5)) == [5]
    assert verify(shop).clean


def test_columns_and_rows_are_written_by_one_statement_or_not_at_all(empty_ledger: Ledger) -> None:
    tenant, names = empty_ledger.tenant, pl.DataFrame({"name": ["A", "B"], "value": [1, 2]})
    head = ("UPDATE tenant SET seq = tenant.seq WHERE tenant.tenant = :tenant AND tenant.seq = :before",
            {"tenant": "bigint", "before": "bigint"})  # fmt: skip
    for before in (0, 7):
        refused = pytest.raises((ConflictError, StoreError)) if before else nullcontext()
        out = empty_ledger.store.changes()
        out.change(*head, [(tenant, before)])
        out.insert_columns("counter", {"tenant": tenant}, names.with_columns(pl.col("name") + str(before)))
        with refused:
            out.write()
    with empty_ledger.store.session() as session:
        assert session.rows("SELECT name, value FROM counter ORDER BY name") == [("A0", 1), ("B0", 2)]


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "not asked for"])
def test_an_order_of_which_it_was_told_that_it_never_happened_comes_too_late(
    far: Ledger, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    under_way: list[tuple[bytes, Sequence[bytes | None], None, Sequence[int]]] = []

    def lose(_: Wire, sql: str, values: Sequence[bytes | None], formats: Sequence[int]) -> Sent:
        under_way.append((sql.encode(), values, None, formats))
        return Sent(over=True, error=psycopg.OperationalError("the line is down"))

    with monkeypatch.context() as patch, pytest.raises(StoreError) as caught:
        patch.setattr(Wire, "send", lose)
        order(far, "L1", 5, key="K1")
    assert caught.value.code == "outcome_unknown"
    if asked:
        assert far.outcome("K1") is None
    with psycopg.connect(far.store.url, autocommit=True) as connection:
        result = connection.pgconn.exec_params(*under_way[0])
        assert result.status == (ExecStatus.FATAL_ERROR if asked else ExecStatus.TUPLES_OK)
    assert (far.outcome("K1") is None) == asked
    assert promised(far) == (3 if asked else 8)
    assert order(far, "L2", 1)["allocated"] == 1
    assert verify(far).clean


def test_an_order_finds_what_it_changes_by_its_keys_once_there_is_more_than_a_row(
    far: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sent = Wire.send, []

    def tell(wire: Wire, sql: str, *given: Any) -> Sent:
        sent.append(sql)
        return send(wire, sql, *given)

    # Of one row all indexes cost the same, and the server may take the last that was made.
    with beside(far) as connection:
        connection.execute("DROP INDEX balance_of_sku; CREATE INDEX balance_of_sku ON balance (sku_id, tenant)")
        connection.execute("ANALYZE")
    monkeypatch.setattr(Wire, "send", tell)
    order(far, "L1", 1)
    lots = [{"sku": "filter", "qty": 1, "lot": str(number), "location": "store"} for number in range(20)]
    far.post("receive", lots, origin="supplier", document="GRN", actor="ana")
    there = looked_up(far, sent[0])
    assert there.keys() == {"tenant", "balance"}
    assert "(tenant = " in there["tenant"]
    assert "(goods_id = " in there["balance"]
    assert "(account_id = " in there["balance"]


def looked_up(ledger: Ledger, sql: str) -> dict[str, str]:
    """By table, on what condition its index finds the rows that a statement changes."""
    nothing = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", sql))))
    with ledger.store.session("write") as session:
        session.connection.execute(f"PREPARE sent AS {sql}")
        [(plan,)] = session.connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE sent ({nothing})").fetchall()
        session.connection.execute("DEALLOCATE sent")
    looks = [node for node in nodes(plan) if "Scan" in node["Node Type"] and "Relation Name" in node]
    return {node["Relation Name"]: node.get("Index Cond", "") for node in looks}


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """The nodes of a plan of PostgreSQL."""
    for each in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from nodes(each)
    if isinstance(plan, dict) and "Node Type" in plan:
        yield plan


@contextmanager
def lost(ledger: Ledger, folder: Path) -> Iterator[None]:
    """What is done within is not in the store afterwards, as when a replica takes over that did not have it yet."""
    ledger.store.backup(str(folder / "earlier.db"))
    yield
    with (
        closing(pysqlite3.connect(folder / "earlier.db")) as earlier,
        closing(pysqlite3.connect(folder / "stock.db")) as here,
    ):
        earlier.backup(here)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    """One store, two processes, and ten filters, one of which is promised."""
    url = f"sqlite:///{tmp_path / 'stock.db'}"
    with Ledger.open(url) as ledger, Ledger.open(url) as other:
        ledger.define([{"sku": "filter"}], actor="ana")
        receive(ledger, 10, "store")
        order(ledger, "first", 1)
        yield ledger, other


def test_a_store_that_was_put_back_and_written_to_by_others_is_read_anew(
    two: tuple[Ledger, Ledger], tmp_path: Path
) -> None:
    ledger, other = two
    with lost(ledger, tmp_path):
        order(ledger, "lost", 6)
    assert order(other, "theirs", 7)["allocated"] == 7
    assert order(ledger, "next", 2)["allocated"] == 2
    assert sorted(ledger.lines()["line_id"]) == ["first", "next", "theirs"]
    assert verify(ledger).clean


def test_places_that_were_lost_with_the_store_are_not_taken_for_those_that_others_opened(
    two: tuple[Ledger, Ledger], tmp_path: Path
) -> None:
    ledger, other = two
    with lost(ledger, tmp_path):
        receive(ledger, 5, "attic")
    receive(other, 3, "cellar")
    receive(ledger, 4, "attic")
    held = ledger.balances(["location"]).select("location", "on_hand").rows()
    assert sorted(held) == [("attic", 4), ("cellar", 3), ("store", 10)]
    assert verify(ledger).clean


def test_what_may_be_promised_is_asked_of_the_lifecycle_that_is_in_force(shop: Ledger, ahead: list[bool]) -> None:
    assert order(shop, "L1", 1)["allocated"] == 1
    closed = Lifecycle.load("lot").plain()
    for status in closed["statuses"]:
        status["allocatable"] = False
    shop.define(lifecycles=[Lifecycle(**closed)], actor="ana")
    line = {"sku": "filter", "qty": 1, "location": "attic"}
    assert order(shop, "L2", 1)["allocated"] == 0
    shop.post("receive", line, origin="supplier", document="GRN", actor="ana")
    assert order(shop, "L3", 1)["allocated"] == 0


def test_what_was_recorded_goes_when_it_is_written(shop: Ledger) -> None:
    order(shop, "L1", 5)
    gc.disable()
    try:
        gc.collect()
        order(shop, "L2", 5)
        order(shop, "L3", 5)
        assert not any(isinstance(each, Book) for each in gc.get_objects())
    finally:
        gc.enable()
