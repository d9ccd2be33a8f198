"""Orders for exact units, for what units say of themselves, and for the best of them (SN-15)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from allocator.errors import AllocatorError, InputError
from allocator.ledger import Ledger
from allocator.model.policy import Policy
from ledger_stores import TODAY

DECLARED = {"firmware": "version", "calibrated_on": "day", "ports": "integer"}
UNITS = {"G-1": ("2.9", dt.date(2026, 1, 5)), "G-2": ("2.10.1", dt.date(2026, 6, 1)), "G-3": ("2.10", None)}


@pytest.fixture
def gauges(empty_ledger: Ledger) -> Ledger:
    empty_ledger.define([{"sku": "gauge", "tracking": "serial", "characteristics": DECLARED}], actor="ana")
    lines = [
        {"sku": "gauge", "serial": serial, "location": "store",
         "attributes": {"firmware": firmware} | ({"calibrated_on": day} if day else {})}
        for serial, (firmware, day) in UNITS.items()
    ]  # fmt: skip
    empty_ledger.post("receive", lines, origin="supplier", document="GRN-1", day=TODAY, actor="ana")
    return empty_ledger


def given(ledger: Ledger, policy: Policy, **wish: Any) -> list[str]:
    line = {"line_id": f"L{ledger.lines().height}", "sku": "gauge", "qty": 1, **wish}
    (answer,) = ledger.reserve([line], policy, actor="bob", as_of=TODAY)["lines"]
    units = ledger.allocations().filter(line_id=line["line_id"])
    return sorted(units["serial"].to_list()) or [answer["reason"]]


def test_versions_and_days_are_compared_as_what_the_sku_declares_them_to_be(gauges: Ledger) -> None:
    newest = Policy(attributes=[{"column": "firmware", "op": ">=", "value": "2.10"}])
    assert given(gauges, newest, qty=3) == ["G-2", "G-3"]
    recent = Policy(attributes=[{"column": "calibrated_on", "op": ">", "demand_column": "calibrated_after"}])
    assert given(gauges, recent, calibrated_after="2026-03-01") == ["attribute"]
    assert given(gauges, recent, calibrated_after=dt.date(2026, 1, 1)) == ["G-1"]


def test_the_best_for_a_customer_is_an_ordering(gauges: Ledger) -> None:
    best = Policy(stock_order=[{"column": "firmware", "descending": True}])
    assert [given(gauges, best) for _ in range(3)] == [["G-2"], ["G-3"], ["G-1"]]


def test_an_exact_unit_is_named_by_any_number_that_it_has_or_had(gauges: Ledger) -> None:
    gauges.post("renumber", {"serial": "G-2", "new_serial": "G-20"}, reason="label lost", actor="ana")
    assert given(gauges, Policy(), serial="G-20") == ["G-20"]
    gauges.post("renumber", {"serial": "G-3", "new_serial": "G-30"}, reason="label lost", actor="ana")
    assert given(gauges, Policy(), serial="G-3") == ["G-30"]
    assert given(gauges, Policy(), serial="G-4") == ["serial"]


def test_a_value_given_later_counts_and_one_that_is_taken_away_does_not(gauges: Ledger) -> None:
    newest = Policy(attributes=[{"column": "firmware", "op": ">=", "value": "3"}])
    gauges.post("note", {"serial": "G-1", "attributes": {"firmware": "3.0"}}, actor="ana")
    gauges.post("note", {"serial": "G-2", "attributes": {"firmware": ""}}, actor="ana")
    assert given(gauges, newest, qty=3) == ["G-1"]


def test_a_name_that_nobody_knows_and_one_that_means_two_things_are_refused(gauges: Ledger) -> None:
    with pytest.raises(AllocatorError) as caught:
        given(gauges, Policy(attributes=[{"column": "firmwere", "op": "=", "value": "2"}]))
    assert caught.value.code == "policy_column_missing"
    gauges.define([{"sku": "pump", "tracking": "serial", "characteristics": {"firmware": "integer"}}], actor="ana")
    lines = [{"line_id": sku, "sku": sku, "qty": 1} for sku in ("gauge", "pump")]
    with pytest.raises(InputError) as refused:
        gauges.reserve(lines, Policy(attributes=[{"column": "firmware", "op": ">=", "value": "2"}]), actor="bob")
    assert refused.value.code == "setting_conflict"
