"""What a storekeeper does all day, on both stores."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.blocking import block
from allocator.ledger.waiting import Request, Turn
from ledger_stores import TODAY


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'stock.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    with Ledger.open(url) as opened:
        opened.define([{"sku": "filter"}, {"sku": "gauge", "tracking": "serial"}], actor="ana")
        yield opened


def receive(ledger: Ledger, *lines: dict[str, object], **said: str) -> int:
    return ledger.post("receive", list(lines), **{"origin": "supplier", "document": "GRN-1", "actor": "ana"} | said)


def codes(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_what_is_received_is_promised_picked_shipped_and_delivered(ledger: Ledger) -> None:
    receive(
        ledger,
        {"sku": "filter", "qty": 10, "location": "store"},
        {"sku": "gauge", "serial": "G-1", "location": "store"},
    )
    wishes = [{"line_id": "L1", "sku": "filter", "qty": 12}, {"line_id": "L2", "sku": "gauge", "qty": 1}]
    answer = ledger.reserve(wishes, actor="bob", as_of=TODAY)
    assert [(line["allocated"], line["short"], line["reason"]) for line in answer["lines"]] == [
        (10, 2, "insufficient"),
        (1, 0, None),
    ]
    promised = [{"allocation_id": each["allocation_id"]} for line in answer["lines"] for each in line["allocations"]]
    ledger.post("pick", promised, actor="pip")
    ledger.post("ship", [line | {"to_holder": "carrier"} for line in promised], document="DC-1", actor="pip")
    ledger.post("deliver", {"serial": "G-1", "to_holder": "customer 7"}, actor="carrier")
    with pytest.raises(InputError) as caught:
        ledger.post("move", {"serial": "G-1", "to_location": "shelf"}, actor="ana")
    assert "with a customer at customer 7" in str(caught.value)


def test_a_repeat_under_the_same_key_is_answered_and_not_done_again(ledger: Ledger) -> None:
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    wish = [{"line_id": "L1", "sku": "filter", "qty": 4}]
    first = ledger.reserve(wish, actor="bob", as_of=TODAY, key="order 1")
    assert ledger.reserve(wish, actor="bob", as_of=TODAY, key="order 1") == first == ledger.outcome("order 1")
    with pytest.raises(InputError) as caught:
        ledger.reserve([wish[0] | {"qty": 5}], actor="bob", as_of=TODAY, key="order 1")
    assert codes(caught) == ["key_reused"]


class Tomorrow(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        return dt.datetime.now(tz) + dt.timedelta(days=1)


def test_what_was_asked_before_midnight_is_answered_after_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"line_id": "L-late", "sku": "filter", "qty": 1}
    received = {"sku": "filter", "qty": 3, "location": "store"}
    said = {"origin": "supplier", "document": "D", "actor": "ana", "key": "post"}
    asks: list[Callable[[dt.date | None], object]] = [
        lambda day: ledger.post("receive", received, day=day, **said),
        lambda day: ledger.reserve([line], actor="bob", key="reserve", as_of=day),
        lambda day: block(ledger, {"sku": "filter", "qty": 1}, reason="bad", actor="ana", key="block", as_of=day),
    ]
    answers = [ask(None) for ask in asks]
    monkeypatch.setattr("allocator.ledger.ledger.dt", SimpleNamespace(datetime=Tomorrow, UTC=dt.UTC, date=dt.date))
    assert [ask(None) for ask in asks] == answers
    for ask in asks:
        with pytest.raises(InputError, match="key_reused"):
            ask(dt.date(2026, 1, 1))


def test_a_refusal_stays_a_refusal_under_its_key(ledger: Ledger) -> None:
    def ship() -> int:
        return ledger.post(
            "scrap", {"sku": "filter", "location": "store", "qty": 1}, reason="broken", actor="ana", key="k"
        )

    with pytest.raises(InputError) as first:
        ship()
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    with pytest.raises(InputError) as second:
        ship()
    assert first.value.problems == second.value.problems


def test_every_problem_of_every_line_is_told_and_nothing_is_done(ledger: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        receive(
            ledger,
            {"sku": "filtre", "qty": 1, "location": "store"},
            {"sku": "gauge", "qty": 2, "location": "store"},
            {"sku": "filter", "qty": 3, "location": "store"},
        )
    assert codes(caught) == ["sku_unknown", "tracking_mismatch", "serial_quantity"]
    with pytest.raises(InputError) as caught:
        ledger.post("move", {"sku": "filter", "qty": 1, "location": "store", "to_location": "shelf"}, actor="ana")
    assert codes(caught) == ["goods_unknown"]


def test_a_transaction_is_reversed_once_and_only_while_its_goods_are_there(ledger: Ledger) -> None:
    seq = receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    back = ledger.reverse(seq, actor="ana", reason="entry error")
    assert back == seq + 1
    with pytest.raises(InputError) as caught:
        ledger.reverse(seq, actor="ana", reason="entry error")
    assert codes(caught) == ["reversal_impossible"]
    other = receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    ledger.post("move", {"sku": "filter", "qty": 1, "location": "store", "to_location": "shelf"}, actor="ana")
    with pytest.raises(InputError) as caught:
        ledger.reverse(other, actor="ana", reason="entry error")
    assert codes(caught) == ["stock_short"]


def test_blocks_of_different_reasons_nest_and_are_lifted_in_any_order(ledger: Ledger) -> None:
    receive(ledger, {"sku": "gauge", "serial": "G-1", "location": "store"})
    wish = [{"line_id": "L1", "sku": "gauge", "qty": 1}]
    for reason in ("quality", "legal"):
        ledger.post("block", {"serial": "G-1"}, reason=reason, actor="ana")
    ledger.post("unblock", {"serial": "G-1"}, reason="quality", actor="ana")
    assert ledger.reserve(wish, actor="bob", as_of=TODAY)["lines"][0]["reason"] == "blocked"
    ledger.post("unblock", {"serial": "G-1"}, reason="legal", actor="ana")
    assert ledger.reserve(wish, actor="bob", as_of=TODAY)["lines"][0]["allocated"] == 1


def test_what_is_promised_takes_its_promise_along_when_it_moves(ledger: Ledger) -> None:
    receive(ledger, {"sku": "gauge", "serial": "G-1", "location": "store"})
    answer = ledger.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1}], actor="bob", as_of=TODAY)
    ledger.post("move", {"serial": "G-1", "to_location": "shelf"}, actor="ana")
    number = answer["lines"][0]["allocations"][0]["allocation_id"]
    ledger.post("pick", {"allocation_id": number}, actor="pip")
    ledger.post("ship", {"allocation_id": number}, document="DC-1", actor="pip")
    with pytest.raises(InputError) as caught:
        ledger.post("move", {"serial": "G-1", "to_location": "shelf"}, actor="ana")
    assert codes(caught) == ["goods_unknown"]


def test_a_transaction_that_would_change_nothing_is_refused(ledger: Ledger) -> None:
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    with pytest.raises(InputError) as caught:
        ledger.post("move", {"sku": "filter", "qty": 1, "location": "store", "to_location": "store"}, actor="ana")
    assert codes(caught) == ["setting_conflict"]


def test_a_sku_is_not_set_up_in_a_way_that_its_goods_do_not_fit(ledger: Ledger) -> None:
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    with pytest.raises(InputError) as caught:
        ledger.define([{"sku": "filter", "lifecycle": "asset"}, {"sku": "filter", "tracking": "serial"}], actor="ana")
    assert codes(caught) == ["setting_conflict", "id_duplicate", "status_unknown"]


def test_whoever_waits_in_a_process_that_was_forked_does_not_wait_for_ever(ledger: Ledger) -> None:
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    ledger.requests._waiting._turns.append(
        Turn(Request(lambda _: None))
    )  # another thread was writing at the moment of the fork
    child = os.fork()
    if child == 0:
        try:
            receive(ledger, {"sku": "filter", "qty": 1, "location": "store"})
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    ledger.requests._waiting._turns.clear()
    assert receive(ledger, {"sku": "filter", "qty": 1, "location": "store"}) == 4


def test_a_caller_that_is_interrupted_while_it_gathers_leaves_nobody_waiting(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(**_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger.requests._waiting, "take", interrupt)
    with pytest.raises(KeyboardInterrupt):
        receive(ledger, {"sku": "filter", "qty": 10, "location": "store"})
    assert receive(ledger, {"sku": "filter", "qty": 10, "location": "store"}) == 2


def test_callers_who_wait_together_are_each_answered_as_if_one_after_the_other(
    ledger: Ledger,
) -> None:
    receive(ledger, {"sku": "filter", "qty": 30, "location": "store"})
    with ThreadPoolExecutor(16) as callers:
        answers = list(
            callers.map(
                lambda n: ledger.reserve(
                    [{"line_id": f"L{n}", "sku": "filter", "qty": 2 + n % 3}], actor=f"caller {n}", as_of=TODAY
                ),
                range(16),
            )
        )
    lines = [line for answer in answers for line in answer["lines"]]
    assert sum(line["allocated"] for line in lines) == 30
    assert {line["line_id"] for line in lines} == {f"L{n}" for n in range(16)}
    in_order = sorted((answer for answer in answers if answer["seq"]), key=lambda answer: answer["seq"])
    assert [answer["seq"] for answer in in_order] == list(range(3, 3 + len(in_order)))
    assert all(answer["lines"][0]["short"] == 0 for answer in in_order[:-1])


def test_what_the_transaction_lacks_is_told_beside_what_its_lines_lack(ledger: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        receive(ledger, {"sku": "filter", "qty": 1.5, "location": "store"}, document="")
    assert codes(caught) == ["document_missing", "column_type"]
