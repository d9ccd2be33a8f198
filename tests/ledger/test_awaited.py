"""Coroutines that reserve: many are awaited at once, and each has its own answer."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from allocator.errors import InputError, StoreError
from allocator.ledger import Ledger, requests, waiting
from allocator.ledger.verify import verify
from allocator.ledger.waiting import Request
from ledger_stores import TODAY

DAY = TODAY


@pytest.fixture
def stocked(empty_ledger: Ledger) -> Ledger:
    """A hundred belts, and more caps than anyone asks for."""
    empty_ledger.define([{"sku": "belt"}, {"sku": "cap"}], actor="ana")
    lines = [{"sku": sku, "qty": qty, "location": "north"} for sku, qty in (("belt", 100), ("cap", 10_000))]
    empty_ledger.post("receive", lines, origin="supplier", document="GRN", actor="ana")
    return empty_ledger


def order(number: int | str, sku: str = "belt", qty: int = 1) -> dict[str, Any]:
    return {"line_id": f"L{number}", "sku": sku, "qty": qty}


async def reserve(ledger: Ledger, number: int | str, sku: str = "belt", **said: Any) -> dict[str, Any]:
    return await ledger.reserve_async(order(number, sku), actor="bob", as_of=DAY, **said)


def test_of_many_who_want_the_last_units_each_has_its_own_answer_and_none_is_promised_twice(stocked: Ledger) -> None:
    async def all_at_once() -> list[dict[str, Any]]:
        return await asyncio.gather(*[reserve(stocked, number) for number in range(130)])

    answers = asyncio.run(all_at_once())
    lines = [line for answer in answers for line in answer["lines"]]
    assert [line["line_id"] for line in lines] == [f"L{number}" for number in range(130)]
    assert sorted(line["allocated"] for line in lines) == [0] * 30 + [1] * 100
    assert {line["reason"] for line in lines if line["short"]} <= {"insufficient", "no_balance", "taken"}
    assert verify(stocked).clean


def test_the_answer_is_that_of_a_call_that_is_not_awaited(stocked: Ledger) -> None:
    awaited = asyncio.run(reserve(stocked, 1, key="K1"))
    assert stocked.reserve(order(1), actor="bob", as_of=DAY, key="K1") == awaited
    assert stocked.outcome("K1") == awaited


def test_what_is_wrong_is_told_to_whoever_asked_for_it_alone(stocked: Ledger) -> None:
    async def good_beside_bad() -> list[Any]:
        bad = stocked.reserve_async({"line_id": "L0", "sku": "bolt", "qty": 0}, actor="bob")
        asked = [bad, *(reserve(stocked, number) for number in range(1, 5))]
        return await asyncio.gather(*asked, return_exceptions=True)

    refused, *others = asyncio.run(good_beside_bad())
    assert isinstance(refused, InputError)
    assert [answer["lines"][0]["allocated"] for answer in others] == [1] * 4


def test_coroutines_and_threads_share_commits(stocked: Ledger) -> None:
    def by_thread(first: int) -> None:
        for number in range(first, first + 40):
            stocked.reserve(order(number, "cap"), actor="eve", as_of=DAY)

    async def by_task(first: int) -> None:
        for number in range(first, first + 40):
            await reserve(stocked, number, "cap")

    async def both() -> None:
        threads = [asyncio.to_thread(by_thread, first) for first in range(0, 200, 50)]
        await asyncio.gather(*threads, *(by_task(first) for first in range(1000, 1200, 50)))

    asyncio.run(both())
    assert stocked.lines()["allocated"].to_list() == [1] * 320
    assert verify(stocked).clean


def test_whoever_is_cancelled_leaves_nobody_waiting(stocked: Ledger) -> None:
    async def some_go_away() -> tuple[list[int], list[Any]]:
        asked = [asyncio.create_task(reserve(stocked, number, "cap", key=f"K{number}")) for number in range(60)]
        await asyncio.sleep(0)
        for number in (0, 1, 30, 59):
            asked[number].cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
        later = await asyncio.gather(*[reserve(stocked, f"later {number}", "cap") for number in range(5)])
        gone = [number for number, each in enumerate(found) if isinstance(each, asyncio.CancelledError)]
        return gone, later

    gone, later = asyncio.run(some_go_away())
    assert gone == [0, 1, 30, 59]
    assert [answer["lines"][0]["allocated"] for answer in later] == [1] * 5
    # Theirs may have come true; the key tells.
    true = sum(stocked.outcome(f"K{number}") is not None for number in gone)
    assert stocked.lines().height == 56 + 5 + true
    assert verify(stocked).clean


def test_all_who_wait_may_go_away(stocked: Ledger) -> None:
    async def nobody_stays() -> None:
        asked = [asyncio.create_task(reserve(stocked, number, "cap")) for number in range(3)]
        await asyncio.sleep(0)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(nobody_stays())
    assert asyncio.run(reserve(stocked, "next", "cap"))["lines"][0]["allocated"] == 1
    assert stocked.reserve(order("last", "cap"), actor="bob", as_of=DAY)["lines"][0]["allocated"] == 1


def test_the_event_loop_goes_on_while_the_store_writes(stocked: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    written_by = []
    ahead = requests.Requests._decided_ahead

    def slowly(self: requests.Requests, batch: list[Request]) -> requests._Ahead | None:
        written_by.append(threading.current_thread())
        time.sleep(0.2)
        return ahead(self, batch)

    async def ticks_beside() -> int:
        asked, ticks = asyncio.create_task(reserve(stocked, 1)), 0
        while not asked.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    monkeypatch.setattr(requests.Requests, "_decided_ahead", slowly)
    assert asyncio.run(ticks_beside()) > 5
    assert threading.main_thread() not in written_by
    assert written_by


def test_a_large_wish_is_awaited_too(stocked: Ledger) -> None:
    lines = [order(number, "cap") for number in range(1500)]
    answer = asyncio.run(stocked.reserve_async(lines, actor="bob", as_of=DAY, document="SO-1"))
    assert sum(line["allocated"] for line in answer["lines"]) == 1500


def test_a_failure_of_the_store_is_told_to_all_who_await(stocked: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreError(requests.Problem("store_lost", "the store cannot be reached"))

    async def both() -> list[Any]:
        return await asyncio.gather(reserve(stocked, 1), reserve(stocked, 2), return_exceptions=True)

    with monkeypatch.context() as broken:
        broken.setattr(stocked.store, "session", fail)
        broken.setattr(stocked.store, "changes", fail)
        failed = asyncio.run(both())
    assert [each.problems[0].code for each in failed] == ["store_lost"] * 2
    assert failed[0] is not failed[1]
    assert asyncio.run(reserve(stocked, 3))["lines"][0]["allocated"] == 1


def test_a_ledger_that_was_closed_opens_again_for_whoever_awaits_it_as_for_others(stocked: Ledger) -> None:
    asyncio.run(reserve(stocked, 1, "cap"))
    if stocked.store.url == "sqlite://":
        pytest.skip("what is in memory is gone with its connection")
    stocked.close()
    assert asyncio.run(reserve(stocked, 2, "cap"))["lines"][0]["allocated"] == 1


def test_a_ledger_that_is_closed_meanwhile_writes_first_what_is_awaited(stocked: Ledger) -> None:
    # More than share a commit: those of the next ones wait while the first are written.
    async def close_beside() -> list[Any]:
        asked = [asyncio.create_task(reserve(stocked, number, "cap")) for number in range(600)]
        await asyncio.sleep(0)
        await asyncio.to_thread(stocked.requests.close)
        return await asyncio.wait_for(asyncio.gather(*asked, reserve(stocked, "later", "cap")), 60)

    answers = asyncio.run(close_beside())
    assert [answer["lines"][0]["allocated"] for answer in answers] == [1] * 601
    assert verify(stocked).clean


def test_without_a_thread_that_writes_those_who_await_are_told_and_others_go_on(
    stocked: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def in_vain() -> list[Any]:
        asked = [reserve(stocked, number, "cap") for number in range(3)]
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)

    with monkeypatch.context() as broken:
        broken.setattr(ThreadPoolExecutor, "submit", refuse)
        failed = asyncio.run(in_vain())
        assert stocked.reserve(order("by hand", "cap"), actor="bob", as_of=DAY)["lines"][0]["allocated"] == 1
    assert [each.problems[0].code for each in failed] == ["store_busy"] * 3
    assert asyncio.run(reserve(stocked, "next", "cap"))["lines"][0]["allocated"] == 1
    assert stocked.lines()["line_id"].to_list() == ["Lby hand", "Lnext"]


def test_a_thread_that_is_there_after_all_leads_nobody_who_was_told_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    led, goes_on = [], threading.Event()

    def lead() -> None:
        led.append(threading.current_thread())
        assert goes_on.wait(60)

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(waiting, "HALVED_MIN", 1)
    waits = waiting.Waiting(lead)
    with closing(asyncio.new_event_loop()) as loop:
        first, second = (Request(lambda _: None, future=loop.create_future()) for _ in range(2))
        waits.add(first)
        writer, turn = waits._writer, waits.take()
        waits.hand_on(turn)
        with monkeypatch.context() as broken:
            broken.setattr(ThreadPoolExecutor, "_adjust_thread_count", refuse)
            waits.add(second)
        assert isinstance(second.error, StoreError)
        goes_on.set()
        writer.shutdown()
    assert len(led) == 1


def test_an_order_of_what_there_is_not_does_not_cost_others_their_commit(
    stocked: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[str] = []
    session = stocked.store.session

    def counted(mode: Any = "read") -> Any:
        sessions.append(mode)
        return session(mode)

    async def one_of_them_unknown() -> list[Any]:
        asked = [reserve(stocked, number, "bolt" if number == 7 else "cap") for number in range(20)]
        return await asyncio.gather(*asked, return_exceptions=True)

    monkeypatch.setattr(stocked.store, "session", counted)
    answers = asyncio.run(one_of_them_unknown())
    assert [each.problems[0].code for each in answers if isinstance(each, InputError)] == ["sku_unknown"]
    # The first may be written before the others come, and rows may be counted.
    assert sessions.count("write") < 5
