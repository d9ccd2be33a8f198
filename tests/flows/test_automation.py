"""When this happens that is done, by rules: each once per event, and no rule by itself again (WD-9)."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from allocator.errors import InputError, PolicyError
from allocator.flows import Person, automate, automation, events, history_of, keep_rules
from allocator.flows.devices import (
    add_device,
    end_subscription,
    open_subscription,
    place_order,
    read_rental,
    remove_device,
    rent_device,
    return_rental,
)
from allocator.ledger import Ledger
from allocator.ledger.devices import device
from allocator.model.automation import Automation
from flows.shop import ADA, DESK, WALT

ROBOT = Person("robot", "system")

BLOCK = {"name": "check", "flow": "rental", "step": "return", "do": "quality.block_goods", "role": "quality",
         "arguments": {"lines": [{"serial": "R-1"}], "reason": "check"}}  # fmt: skip
BEGIN = {"name": "begin", "flow": "sales order", "step": "place", "do": "devices.advance_order", "role": "service",
         "where": {"details.customer": "Metro"}, "arguments": {"order": "$number", "stage": "processing"}}  # fmt: skip


def rules(*each: dict[str, Any]) -> Automation:
    return Automation(rules=list(each))


def head(ledger: Ledger) -> Any:
    with ledger.store.session() as session:
        return session.rows("SELECT seq, hash FROM tenant")


def order(ledger: Ledger, customer: str = "Metro") -> str:
    return str(place_order(ledger, [{"sku": "cable", "qty": 2}], DESK, customer=customer)["number"])


def test_what_comes_back_is_blocked_by_rule_and_orders_begin_by_themselves(shop_on_both: Ledger) -> None:
    keep_rules(shop_on_both, rules(BLOCK, BEGIN), ADA)
    rental = rent_device(shop_on_both, "router", DESK, customer="Metro", serial="R-1")["number"]
    return_rental(shop_on_both, rental, WALT)
    mine, other = order(shop_on_both), order(shop_on_both, "Rival")
    done = automate(shop_on_both, ROBOT)
    assert done.select("rule", "number", "done").rows() == [("check", rental, True), ("begin", mine, True)]
    assert device(shop_on_both, "R-1")["state"] == "Blocked"
    assert [history_of(shop_on_both, each)["state"][-1] for each in (mine, other)] == ["in progress", "drafted"]
    assert history_of(shop_on_both, mine)["actor"].to_list() == ["dana", "rule begin"]


def test_a_rule_for_some_states_leaves_events_that_led_to_others(shop: Ledger) -> None:
    keep_rules(shop, rules(BEGIN | {"name": "late", "states": ["completed"]}, BEGIN | {"states": ["drafted"]}), ADA)
    number = order(shop)
    assert automate(shop, ROBOT).select("rule", "number").rows() == [("begin", number)]


def test_each_rule_is_applied_once_to_each_event(shop: Ledger) -> None:
    keep_rules(shop, rules(BEGIN), ADA)
    numbers = {order(shop) for _ in range(6)}
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: automate(shop, ROBOT), range(4)))
    assert {number for frame in told for number in frame["number"]} == numbers
    taken = events(shop).filter(step="advance")
    assert sorted(taken["number"]) == sorted(numbers)
    before = head(shop)
    assert automate(shop, ROBOT).is_empty()
    assert head(shop) == before


def test_a_run_that_was_cut_off_goes_on_without_doing_anything_twice(
    shop: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_rules(shop, rules(BEGIN), ADA)
    order(shop)
    monkeypatch.setattr("allocator.flows.delivery._keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        automate(shop, ROBOT)
    monkeypatch.undo()
    assert automate(shop, ROBOT)["done"].to_list() == [True]
    assert events(shop).filter(step="advance").height == 1


def test_no_rule_leads_to_itself_however_many_are_between(shop: Ledger) -> None:
    read = {"do": "devices.read_rental", "arguments": {"rental": "$number", "readings": {}}, "role": "service"}
    keep_rules(shop, rules(
        {"name": "again", "flow": "rental", "step": "read", **read},
        {"name": "after the first", "flow": "rental", "step": "read", "where": {"actor": "rule again"}, **read},
    ), ADA)  # fmt: skip
    rental = rent_device(shop, "router", DESK, customer="Metro")["number"]
    read_rental(shop, rental, {}, DESK)
    assert automate(shop, ROBOT)["rule"].to_list() == ["again", "after the first"]
    actors = history_of(shop, rental)["actor"].to_list()
    assert actors == ["dana", "dana", "rule again", "rule again > after the first"]


def test_a_chain_of_rules_ends_before_it_can_no_longer_be_told(shop: Ledger) -> None:
    names = [letter * 40 for letter in "ABCDE"]
    read = {"do": "devices.read_rental", "arguments": {"rental": "$number", "readings": {}}, "role": "service"}
    led = ["dana", *("rule " + " > ".join(names[:n]) for n in range(1, 5))]
    chain = [{"name": name, "flow": "rental", "step": "read", "where": {"actor": actor}, **read}
             for name, actor in zip(names, led, strict=True)]  # fmt: skip
    keep_rules(shop, rules(*chain), ADA)
    read_rental(shop, rent_device(shop, "router", DESK, customer="Metro")["number"], {}, DESK)
    applied = automate(shop, ROBOT)
    assert applied["rule"].to_list() == names
    assert applied["done"].to_list() == [True, True, True, True, False]
    assert "too many rules led to this" in applied["problem"][-1]


def test_a_refusal_is_told_once_and_stops_nothing(shop: Ledger) -> None:
    wrong = BEGIN | {"name": "wrong", "arguments": {"order": "$number", "stage": "lunch"}}
    keep_rules(shop, rules(wrong, BEGIN), ADA)
    order(shop)
    done = automate(shop, ROBOT)
    assert done.select("rule", "done").rows() == [("wrong", False), ("begin", True)]
    assert "there is no such stage" in done["problem"][0]
    assert json.loads(done["answer"][1])["state"] == "in progress"
    assert automate(shop, ROBOT).is_empty()


def test_a_rented_device_is_due_back_once_it_leaves_its_subscription(shop: Ledger) -> None:
    due = {"name": "due", "flow": "subscription", "step": "remove", "do": "end_rental", "role": "service",
           "arguments": {"rental": "$details.rental"}}  # fmt: skip
    keep_rules(shop, rules(due, due | {"name": "at the end", "step": "end"}), ADA)
    sub = open_subscription(shop, DESK, customer="Metro")["number"]
    rental = add_device(shop, sub, "R-1", DESK)["rental"]
    remove_device(shop, sub, "R-1", DESK)
    end_subscription(shop, sub, DESK)
    done = automate(shop, ROBOT)
    assert done["done"].to_list() == [True, False]
    assert "argument_missing" in done["problem"][1], "the end of a subscription says nothing of that name"
    assert history_of(shop, rental)["state"][-1] == "due back"


def test_what_happened_before_the_first_rules_is_left_alone(shop: Ledger) -> None:
    order(shop)
    keep_rules(shop, rules(BEGIN), ADA)
    assert automate(shop, ROBOT).is_empty()
    order(shop)
    assert automate(shop, ROBOT).height == 1


def test_rules_that_name_what_is_not_there_are_refused_with_every_problem(shop: Ledger) -> None:
    wrong = [
        {"name": "a", "flow": "sale order", "step": "x", "do": "devices.advance_order", "role": "r",
         "arguments": {"order": "$number", "stage": "s"}},
        {"name": "b", "flow": "rental", "step": "returns", "states": ["gone"], "do": "quality.block", "role": "r",
         "where": {"colour": "red", "party": 7}},
        {"name": "c", "flow": "rental", "step": "return", "do": "advance_order", "role": "r",
         "arguments": {"ordre": "$number"}},
        {"name": "d", "flow": "rental", "step": "return", "do": "cancel_order", "role": "r"},
    ]  # fmt: skip
    before = head(shop)
    with pytest.raises(PolicyError) as caught:
        keep_rules(shop, rules(*wrong), ADA)
    assert [problem.column for problem in caught.value.problems] == [
        "rules.0.flow", "rules.1.step", "rules.1.states", "rules.1.where", "rules.1.where", "rules.1.do",
        "rules.2.arguments.order", "rules.2.arguments.stage", "rules.2.arguments.ordre", "rules.3.do",
    ]  # fmt: skip
    assert head(shop) == before
    with pytest.raises(PolicyError, match="setting_twice"):
        rules(BEGIN, BEGIN)
    with pytest.raises(PolicyError, match=r"rules\.0\.name"):
        rules(BEGIN | {"name": "a > b"})


CONDITIONS = [
    ("Metro", True), ("Rival", False), (["Rival", "Metro"], True), ({"op": "!=", "value": "Metro"}, False),
    ({"op": "not_in", "value": ["Rival"]}, True),
]  # fmt: skip
NUMBERS = [
    (36, True), ("36", None), (35, False), ({"op": ">=", "value": 36}, True), ({"op": "<", "value": 9}, False),
    ({"op": "between", "value": [9, 100]}, True), ({"op": ">", "value": 35.5}, True), (dt.date(2026, 6, 30), None),
]  # fmt: skip
DAYS = [
    (dt.date(2026, 6, 30), True), ("2026-06-30", True), ({"op": "<", "value": dt.date(2026, 7, 1)}, True),
    ({"op": ">", "value": dt.date(2026, 10, 1)}, False), (30, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "condition", "applied"),
    [("details.customer", *each) for each in CONDITIONS]
    + [("details.months", *each) for each in NUMBERS]
    + [("details.until", *each) for each in DAYS]
    + [("details.whole", True, True), ("details.whole", False, False), ("details.whole", 1, None)]
    + [("details.weight", 33.6, True), ("details.weight", {"op": "<", "value": 100}, True)]
    + [("details.nothing", 3, False), ("actor", "dana", True)],
)
def test_numbers_and_days_are_compared_as_such(name: str, condition: Any, applied: bool | None) -> None:
    """A text would say that 9 comes after 36. What cannot be compared is told, and nothing is done."""
    rule = Automation.loads(rules(BEGIN | {"where": {name: condition}}).dumps("json"), "json").rules[0]
    details = {
        "customer": "Metro",
        "months": 36,
        "until": "2026-06-30T23:30:00+00:00",
        "whole": True,
        "weight": "33.60",
    }
    event = {"flow": "sales order", "step": "place", "actor": "dana", "patch": {"details": details}}
    assert automation._wants(rule, event) is (applied is not False)
    assert (automation._unfit(rule, event) is None) is (applied is not None)


def test_what_cannot_be_compared_is_told_and_nothing_else_waits(shop: Ledger) -> None:
    keep_rules(shop, rules(BEGIN | {"name": "odd", "where": {"details.customer": 7}}, BEGIN), ADA)
    order(shop)
    done = automate(shop, ROBOT)
    assert done.select("rule", "done").rows() == [("odd", False), ("begin", True)]
    assert (
        done["problem"][0]
        == 'setting_type: where: details.customer is "Metro", which is no number: it cannot be compared'
    )


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"details.months": {"op": "<", "value": "36"}}, "compares numbers or days"),
        ({"details.months": {"op": "between", "value": [1, 2, 3]}}, "a list of two"),
        ({"details.months": {"op": ">", "value": [1, 2]}}, "takes a single value"),
        ({"details.months": {"op": "is", "value": 1}}, "op"),
        ({"details.months": [1, "2"]}, "of one kind"),
        ({"details.months": []}, "empty"),
        ({"details.months": {"at_least": 3}}, "setting_unknown"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(where: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        rules(BEGIN | {"where": where})


def test_only_the_system_applies_rules_and_only_an_administrator_sets_them(shop: Ledger) -> None:
    with pytest.raises(InputError, match="role_missing"):
        keep_rules(shop, rules(BEGIN), DESK)
    keep_rules(shop, rules(BEGIN), ADA)
    with pytest.raises(InputError, match="role_missing"):
        automate(shop, DESK)
