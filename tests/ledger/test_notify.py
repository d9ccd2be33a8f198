"""Who is told what: rules over new transactions, on both stores."""

from __future__ import annotations

import pytest

from allocator.errors import PolicyError
from allocator.ledger import Ledger
from allocator.ledger.notify import notifications
from allocator.model.notices import Notice, Notices
from ledger_stores import receive, shop

__all__ = ["shop"]


def busy(ledger: Ledger) -> int:
    """A delivery, a recall, a calibration, a quarantine; the last transaction before them."""
    seq = receive(ledger, *({"sku": "gauge", "serial": f"G-{n}", "location": "north/store"} for n in (1, 2)))
    ledger.post("note", {"serial": "G-1", "event": "calibration"}, actor="cal")
    ledger.post("change_status", {"serial": "G-2", "to_status": "Quarantine"}, actor="qa")
    ledger.post("block", {"serial": "G-1"}, reason="recall", actor="qa")
    return seq


def test_a_recall_is_told_first_and_to_everyone(shop: Ledger) -> None:
    told = notifications(shop, Notices.load("serial"), since=busy(shop))
    assert told.select("notice", "to", "serial").rows() == [
        ("recall hold", "quality", "G-1"),
        ("recall hold", "sales", "G-1"),
        ("recall hold", "service", "G-1"),
        ("service event", "service", "G-1"),
        ("quality issue", "quality", "G-2"),
        ("status change", "operations", "G-2"),
        ("status change", "operations", "G-1"),
    ]
    assert told["urgent"].to_list() == [True] * 3 + [False] * 4


def test_nothing_is_told_twice_or_lost_when_asked_from_the_last_that_was_told(shop: Ledger) -> None:
    rules = Notices.load("serial")
    seq = busy(shop)
    every = notifications(shop, rules, since=0).sort("seq", "to")
    parts = [notifications(shop, rules, since=s, until=s + 1) for s in range(seq + 3)]
    assert [row for part in parts for row in part.sort("to").rows()] == every.rows()
    assert notifications(shop, rules, since=seq + 3).is_empty()
    assert notifications(shop, Notices(), since=0).is_empty()


def test_the_customer_who_has_a_unit_is_told(shop: Ledger) -> None:
    busy(shop)
    seq = shop.post("deliver", {"serial": "G-2", "to_holder": "customer 7"}, actor="ana")
    rule = Notice(name="delivery", to=("$holder", "$owner"), types=("deliver",), locations=("north",))
    told = notifications(shop, Notices(notices=(rule,)), since=seq - 1)
    assert told.select("to", "serial").rows() == [("customer 7", "G-2")], "the business itself is no one to tell"
    assert "tell $holder, $owner of types deliver; at north" in Notices(notices=(rule,)).describe()


def test_who_had_a_unit_is_told_when_it_comes_back(shop: Ledger) -> None:
    busy(shop)
    shop.post("deliver", {"serial": "G-2", "to_holder": "customer 7"}, actor="ana")
    seq = shop.post("return", {"serial": "G-2", "to_location": "north"}, document="RMA-1", actor="ana")
    rule = Notice(name="it came back", to=("$holder",), types=("return",))
    told = notifications(shop, Notices(notices=(rule,)), since=seq - 1)
    assert told.select("to", "serial").rows() == [("customer 7", "G-2")]


def test_one_receiver_is_told_of_an_event_once_by_the_first_rule_that_holds(shop: Ledger) -> None:
    rules = [Notice(name=name, to=("quality",), types=("block",)) for name in ("first", "second")]
    told = notifications(shop, Notices(notices=rules), since=busy(shop))
    assert told.select("notice", "to", "serial").rows() == [("first", "quality", "G-1")]


def test_a_status_is_told_of_what_comes_to_it_and_not_again_of_what_is_in_it(shop: Ledger) -> None:
    seq = busy(shop)
    shop.post("move", {"serial": "G-2", "to_location": "south"}, actor="ana")
    rule = Notice(name="look at it", to=("quality",), statuses=("Quarantine",))
    told = notifications(shop, Notices(notices=(rule,)), since=seq)
    assert told.select("type", "serial").rows() == [("change_status", "G-2")]


def test_a_rule_that_tells_nobody_or_of_nothing_known_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        Notices.loads('notices = [{name = "x", to = [], events = ["explosion"], colour = "red"}]')
    assert {problem.column.split(".")[-1] for problem in caught.value.problems} >= {"to", "colour"}
