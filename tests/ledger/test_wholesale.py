"""Thousands of lines at once are recorded in columns, and as they would be one by one."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import postgres
from allocator import Policy
from allocator.errors import InputError
from allocator.ledger import Ledger, asking, wholesale
from allocator.ledger.book import Book
from allocator.ledger.store import ConflictError
from allocator.ledger.verify import canonical_dump, verify
from ledger.stock_steps import DAY, POLICIES, answer, begin, steps

SAID: dict[str, Any] = {"origin": "supplier", "document": "GRN", "actor": "ana"}


@pytest.fixture(autouse=True)
def large() -> Iterator[None]:
    """Every wish is a large one."""
    with patch.object(asking, "PLANNED_MIN", 1):
        yield


def lines(count: int, sku: str = "belt", qty: int = 1, **said: Any) -> list[dict[str, Any]]:
    return [{"line_id": f"{sku} {n:03}", "sku": sku, "qty": qty, **said} for n in range(count)]


@pytest.fixture
def stocked(empty_ledger: Ledger) -> Ledger:
    empty_ledger.define(
        [{"sku": "belt"}, {"sku": "pump", "tracking": "serial"}, {"sku": "oil", "scale": 2}], actor="ana"
    )
    belts = [{"sku": "belt", "qty": 50, "location": place} for place in ("north", "south")]
    empty_ledger.post("receive", belts, **SAID)
    pumps = [{"sku": "pump", "serial": f"P{n}", "location": "north"} for n in range(4)]
    empty_ledger.post("receive", pumps, **SAID)
    return empty_ledger


def seen_in_columns(act: Any) -> list[int]:
    """How many lines were recorded in columns meanwhile, per transaction."""
    counts, take = [], wholesale.take

    def seen(*given: Any) -> Any:
        counts.append(given[2].lines.height)
        return take(*given)

    with patch.object(wholesale, "take", seen):
        act()
    return counts


def test_plain_lines_are_recorded_in_columns(stocked: Ledger) -> None:
    assert seen_in_columns(lambda: stocked.reserve(lines(30), actor="bob", as_of=DAY)) == [30]
    assert stocked.lines()["allocated"].sum() == 30


def test_lines_that_ask_for_more_are_looked_at_one_by_one(stocked: Ledger) -> None:
    stocked.post("receive", {"sku": "oil", "qty": 5, "location": "north"}, **SAID)
    for asked in (
        [{"line_id": 1, "sku": "belt", "qty": 1}],
        [{"line_id": "a", "sku": "oil", "qty": 1}],
        [{"line_id": "b", "sku": "pump", "qty": 1, "serial": "P1"}],
        [{"line_id": "c", "sku": "belt", "qty": 1}, {"line_id": "d", "sku": "belt", "qty": 1, "location": "north"}],
    ):
        assert seen_in_columns(lambda asked=asked: stocked.reserve(asked, actor="bob", as_of=DAY)) == []
    assert stocked.lines().height == 5


def test_a_line_that_has_some_already_gets_what_it_lacks(stocked: Ledger) -> None:
    stocked.reserve(lines(1, qty=60), actor="bob", as_of=DAY)
    assert seen_in_columns(lambda: stocked.reserve(lines(2, qty=60), actor="bob", as_of=DAY)) == []
    assert stocked.lines()["allocated"].to_list() == [60, 40]


def test_units_go_where_their_lifecycle_leads_a_promise(stocked: Ledger) -> None:
    answer = stocked.reserve(lines(6, "pump"), actor="bob", as_of=DAY)
    assert [line["reason"] for line in answer["lines"]] == [None] * 4 + ["taken"] * 2
    assert stocked.allocations()["serial"].sort().to_list() == ["P0", "P1", "P2", "P3"]


def test_what_else_a_line_says_is_kept(stocked: Ledger) -> None:
    asked = lines(2, location="south", needed_on=DAY, remark='"quoted", für später')
    assert seen_in_columns(lambda: stocked.reserve(asked, actor="bob", as_of=DAY)) == [2]
    with stocked.store.session() as session:
        (kept,) = {details for (details,) in session.rows("SELECT details FROM line")}
    assert kept == f'{{"location":"south","needed_on":"{DAY}","remark":"\\"quoted\\", für später"}}'


def test_holds_in_columns_end_like_others(stocked: Ledger) -> None:
    stocked.reserve(lines(3), actor="bob", as_of=DAY, hold_s=-1)
    assert stocked.allocations()["stage"].to_list() == ["held"] * 3
    stocked.reserve(lines(1, "pump"), actor="bob", as_of=DAY)
    assert stocked.allocations()["sku"].to_list() == ["pump"]


def test_a_line_is_found_among_others_whatever_the_language_of_the_server(postgres_server: postgres.Server) -> None:
    # In English b3 comes before Z1, and no name lies between Z1 and b3.
    postgres_server.execute("CREATE DATABASE english TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    with Ledger.open(postgres_server.url("english")) as shop:
        shop.define([{"sku": "belt"}], actor="ana")
        shop.post("receive", {"sku": "belt", "qty": 9, "location": "north"}, **SAID)
        for names in (["a2"], ["Z1", "a2", "b3"]):
            asked = [{"line_id": name, "sku": "belt", "qty": 2} for name in names]
            answer = shop.reserve(asked, actor="bob", as_of=DAY)
        assert [line["allocated"] for line in answer["lines"]] == [2, 0, 2]
        with shop.store.session() as session:
            sql = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE collation_name IS NOT NULL"
            tables = f"{sql} AND table_schema = 'public' AND table_name IN (SELECT tablename FROM pg_tables)"
            others = session.rows(f"{tables} AND table_name <> 'alembic_version'")
    postgres_server.drop("english")
    assert others == [("C",)]


def test_what_another_took_since_is_decided_again(stocked: Ledger) -> None:
    plan = wholesale.plan

    def late(*given: Any) -> Any:
        planned = plan(*given)
        with patch.object(asking, "PLANNED_MIN", 10):
            stocked.reserve([{"line_id": "first", "sku": "belt", "qty": 80}], actor="eve", as_of=DAY)
        return planned

    with patch.object(wholesale, "plan", late):
        answer = stocked.reserve(lines(30), actor="bob", as_of=DAY)
    assert [line["allocated"] for line in answer["lines"]] == [1] * 20 + [0] * 10


def test_a_repeat_with_its_key_is_answered_and_not_done_again(stocked: Ledger) -> None:
    first = stocked.reserve(lines(3), actor="bob", as_of=DAY, key="K")
    assert stocked.reserve(lines(3), actor="bob", as_of=DAY, key="K") == first
    assert stocked.lines()["allocated"].sum() == 3


@pytest.mark.parametrize("error", [ConflictError, RuntimeError], ids=["tried again", "without a thread"])
def test_what_goes_wrong_while_the_answer_is_made_is_no_part_of_it(
    stocked: Ledger, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    failing = [error]

    def fail_once(*given: Any) -> Any:
        if failing:
            raise failing.pop()
        return undisturbed(*given)

    where, name = (Book, "flush") if error is ConflictError else (ThreadPoolExecutor, "submit")
    undisturbed = getattr(where, name)
    monkeypatch.setattr(where, name, fail_once)
    told = stocked.reserve(lines(30), actor="bob", as_of=DAY)
    assert not failing
    assert [line["allocated"] for line in told["lines"]] == [1] * 30
    assert stocked.allocations()["qty"].sum() == 30
    assert verify(stocked).clean


def test_whoever_ends_a_transaction_wrote_all_of_it(stocked: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two interrupts end it before another thread has: what that still writes would be no part of it.
    written_by, made_by = [], []
    flush, tell = Book.flush, wholesale._told

    def watched_flush(*given: Any) -> None:
        written_by.append(threading.current_thread())
        flush(*given)

    def watched_tell(*given: Any) -> Any:
        made_by.append(threading.current_thread())
        return tell(*given)

    monkeypatch.setattr(Book, "flush", watched_flush)
    monkeypatch.setattr(wholesale, "_told", watched_tell)
    assert [line["allocated"] for line in stocked.reserve(lines(3), actor="bob", as_of=DAY)["lines"]] == [1] * 3
    assert written_by == [threading.current_thread()]
    assert made_by
    assert threading.current_thread() not in made_by


def test_every_problem_of_every_line_is_told(stocked: Ledger) -> None:
    wrong = [*lines(2), *lines(1), {"line_id": "x", "sku": "belt", "qty": None}]
    with pytest.raises(InputError) as error:
        stocked.reserve(wrong, actor="bob", as_of=DAY)
    assert sorted(problem.code for problem in error.value.problems) == ["id_duplicate", "value_null"]


@pytest.mark.parametrize("qty", [0, -1, 2**63, True, 1.5])
def test_no_wrong_quantity_is_recorded(stocked: Ledger, qty: Any) -> None:
    before = canonical_dump(stocked)
    with pytest.raises(InputError):
        stocked.reserve([*lines(2), {"line_id": "x", "sku": "belt", "qty": qty}], actor="bob", as_of=DAY)
    assert canonical_dump(stocked) == before


def test_a_day_of_the_lines_is_compared_as_a_day(stocked: Ledger) -> None:
    asked = lines(1, needed_on=DAY + dt.timedelta(days=3))
    assert stocked.reserve(asked, actor="bob", as_of=DAY)["lines"][0]["allocated"] == 1


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(POLICIES), st.lists(steps, min_size=8, max_size=30))
def test_a_ledger_with_columns_is_the_same_as_one_without(policy: Policy, work: list[tuple[Any, ...]]) -> None:
    with Ledger.open("sqlite://") as one, Ledger.open("sqlite://") as other:
        for each in (one, other):
            begin(each)
        for number, step in enumerate(work):
            with patch.object(wholesale, "read", lambda *_: None):
                expected = answer(other, policy, step, number)
            assert answer(one, policy, step, number) == expected, step
        assert canonical_dump(one) == canonical_dump(other)
        assert verify(one).clean
