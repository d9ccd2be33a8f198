"""Units that come back: checked against the sale, inspected, and restocked, repaired or retired (SN-18)."""

from __future__ import annotations

import datetime as dt

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.returns import dispose, inspect_return, take_back, verify_return
from allocator.ledger.verify import verify
from ledger_stores import TODAY

EXPIRES = TODAY + dt.timedelta(days=400)
BACK = {"document": "RN-1", "actor": "ana"}


@pytest.fixture
def sold(empty_ledger: Ledger) -> Ledger:
    """G-1, received first, was delivered to customer 7 for line L1; G-2 is in stock; the box D-1 is rented out."""
    ledger = empty_ledger
    ledger.define([{"sku": "gauge", "tracking": "serial"}, {"sku": "box", "tracking": "serial", "lifecycle": "device"}],
                  actor="ana")  # fmt: skip
    lines = [
        {"sku": "gauge", "serial": "G-1", "location": "A", "received_on": dt.date(2026, 1, 1), "stock_class": "import",
         "expires_on": EXPIRES},
        {"sku": "gauge", "serial": "G-2", "location": "A", "received_on": dt.date(2026, 2, 1)},
        {"sku": "box", "serial": "D-1", "location": "A"},
    ]  # fmt: skip
    ledger.post("receive", lines, origin="supplier", document="GRN-1", actor="ana")
    ledger.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1}], actor="bob", as_of=TODAY)
    promise = {"allocation_id": ledger.allocations()["allocation_id"].item()}
    ledger.post("ship", promise | {"to_holder": "carrier"}, document="DC-1", actor="pip", day=TODAY)
    ledger.post("deliver", {"serial": "G-1", "to_holder": "customer 7"}, actor="carrier")
    ledger.post("rent", {"serial": "D-1", "to_holder": "customer 7"}, document="R-1", actor="ana")
    return ledger


def refused(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_a_return_is_checked_against_who_has_the_unit_and_by_which_document(sold: Ledger) -> None:
    told = verify_return(sold, "G-1", customer="customer 7", document="DC-1")
    assert (told["holder"], told["line_id"], told["documents"], told["given_out_on"]) == (
        "customer 7", "L1", ["DC-1"], TODAY,
    )  # fmt: skip
    with pytest.raises(InputError) as caught:
        take_back(sold, "G-1", "returns", customer="customer 8", sale_document="DC-9", **BACK)
    assert refused(caught) == ["return_unfit"] * 2
    assert "customer 7 has it" in str(caught.value)
    assert "given out by DC-1" in str(caught.value)
    take_back(sold, "G-1", "A", **BACK)
    sold.post("deliver", {"serial": "G-1", "to_holder": "customer 9"}, document="DC-2", actor="ana", day=TODAY)
    again = verify_return(sold, "G-1", customer="customer 9")
    assert (again["line_id"], again["documents"]) == (None, ["DC-2"]), "what it was sold by before is over"
    with pytest.raises(InputError) as caught:
        verify_return(sold, "G-2")
    assert "it is not out: it is in stock at A" in str(caught.value)
    with pytest.raises(InputError) as caught:
        verify_return(sold, "G-3")
    assert refused(caught) == ["goods_unknown"]


def test_a_return_is_inspected_and_restocked_with_its_first_date_expiry_and_origin(sold: Ledger) -> None:
    take_back(sold, "G-1", "returns", sale_document="DC-1", key="r", **BACK)
    assert take_back(sold, "G-1", "returns", sale_document="DC-1", key="r", **BACK)["documents"] == ["DC-1"]
    assert (sold.state("G-1")["status"], sold.lines()["returned"].to_list()) == ("Under Service", [1])
    with pytest.raises(InputError) as caught:
        dispose(sold, "G-1", "restock", actor="eve")
    assert refused(caught) == ["return_unfit"]
    assert "inspect it" in caught.value.problems[0].hint
    inspect_return(sold, "G-1", result="as new", inspector="eve", actor="eve")
    with pytest.raises(InputError) as caught:
        inspect_return(sold, "G-1", result="as new", inspector="eve", actor="eve")
    assert "dispose of it" in caught.value.problems[0].hint
    dispose(sold, "G-1", "restock", to_location="A", actor="eve")
    state = sold.state("G-1")
    assert (state["status"], state["condition"], state["location"]) == ("Available", "used", "A")
    assert (state["received_on"], state["expires_on"], state["stock_class"]) == (
        dt.date(2026, 1, 1), EXPIRES, "import",
    )  # fmt: skip
    sold.reserve([{"line_id": "L2", "sku": "gauge", "qty": 1}], actor="bob", as_of=TODAY)
    assert sold.allocations()["serial"].to_list() == ["G-1"], "it was received before G-2"
    assert verify(sold).clean, verify(sold)


def test_a_return_is_repaired_and_restocked_afterwards_or_retired_for_good(sold: Ledger) -> None:
    take_back(sold, "G-1", "returns", **BACK)
    inspect_return(sold, "G-1", result="broken", inspector="eve", actor="eve")
    dispose(sold, "G-1", "repair", actor="eve")
    dispose(sold, "G-1", "restock", actor="eve")
    assert sold.state("G-1")["condition"] == "repaired"
    take_back(sold, "D-1", "returns", customer="customer 7", **BACK)
    assert sold.state("D-1")["status"] == "Used"
    inspect_return(sold, "D-1", result="burnt", inspector="eve", actor="eve")
    with pytest.raises(InputError) as caught:
        dispose(sold, "D-1", "retire", actor="eve")
    assert refused(caught) == ["reason_missing"]
    dispose(sold, "D-1", "retire", reason="burnt", actor="eve")
    assert sold.state("D-1")["kind"] == "scrap"
    with pytest.raises(InputError) as caught:
        dispose(sold, "D-1", "restok", actor="eve")  # type: ignore[arg-type]
    assert "restock" in caught.value.problems[0].hint


def test_a_sold_unit_is_restocked_only_when_title_came_back(sold: Ledger) -> None:
    sold.post("invoice", {"serial": "G-1"}, document="INV-1", actor="ana")
    take_back(sold, "G-1", "returns", sale_document="INV-1", **BACK)
    inspect_return(sold, "G-1", result="as new", inspector="eve", actor="eve")
    with pytest.raises(InputError) as caught:
        dispose(sold, "G-1", "restock", actor="eve")
    assert "belongs to customer 7 still" in str(caught.value)


def test_a_credit_note_takes_title_back_with_the_unit(sold: Ledger) -> None:
    sold.post("invoice", {"serial": "G-1"}, document="INV-1", actor="ana")
    take_back(sold, "G-1", "returns", credit=True, document="CN-1", actor="ana")
    inspect_return(sold, "G-1", result="as new", inspector="eve", actor="eve")
    dispose(sold, "G-1", "restock", actor="eve")
    assert (sold.state("G-1")["owner"], sold.state("G-1")["status"]) == (None, "Available")


def test_a_unit_is_restocked_in_a_condition_that_can_be_read(sold: Ledger) -> None:
    take_back(sold, "G-1", "returns", **BACK)
    inspect_return(sold, "G-1", result="fine", inspector="ida", actor="ida")
    for wrong in (" used", "us\u200bed", "x" * 201):
        with pytest.raises(InputError, match="value_text"):
            dispose(sold, "G-1", "restock", condition=wrong, actor="ana")
    dispose(sold, "G-1", "restock", condition="as new", to_location="A", actor="ana", role="manager")
    assert sold.state("G-1")["condition"] == "as new"


def test_a_unit_was_given_out_on_the_first_day_of_the_last_time(sold: Ledger) -> None:
    for month, customer in ((3, "customer 8"), (5, "customer 9")):
        document = f"DC-{month}"
        sold.post("ship", {"serial": "G-2"}, document=document, actor="pip", day=dt.date(2026, month, 1))
        sold.post("deliver", {"serial": "G-2", "to_holder": customer}, actor="pip", day=dt.date(2026, month, 4))
        told = verify_return(sold, "G-2", customer=customer)
        assert (told["documents"], told["given_out_on"]) == ([document], dt.date(2026, month, 1))
        take_back(sold, "G-2", "returns", **BACK)
        assert not sold.state("G-2")["attributes"].get("return.result"), "the result of the last time is not this one's"
        inspect_return(sold, "G-2", result=f"as of month {month}", inspector="ida", actor="ida")
        dispose(sold, "G-2", "restock", actor="ana", role="manager")


def test_a_unit_may_be_brought_by_who_has_it_or_by_whose_it_is(sold: Ledger) -> None:
    sold.post("change_owner", {"serial": "G-1", "to_owner": "the bank"}, document="L-1", actor="ana")
    for customer in ("customer 7", "the bank"):
        assert verify_return(sold, "G-1", customer=customer)["owner"] == "the bank"
    with pytest.raises(InputError, match="not customer 8"):
        verify_return(sold, "G-1", customer="customer 8")
