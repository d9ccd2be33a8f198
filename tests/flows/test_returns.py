"""Stock goes back to the warehouse: candidates, approval by line, DC_WAREHOUSE; it keeps where it came from."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import history_of
from allocator.flows.partner import (
    allocate_indent,
    consume,
    decide_return,
    inward_defectives,
    issue_challan,
    raise_indent,
    raise_return,
    receive_shipment,
    return_candidates,
    return_unused,
    settle_difference,
    ship_return,
    trace,
    withdraw_return,
)
from allocator.ledger import Ledger
from flows.network import DESK, EVE, OLGA, SAM, TIM, WALT, on_hand, stocked


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


def job(ledger: Ledger, sku: str, qty: int, used: int, order: str) -> dict[str, Any]:
    """A job that used some of its parts; what it replaced came back."""
    said = {"customer": "C-7", "service_order": order, "party": "ASP-1"}
    number = raise_indent(ledger, [{"sku": sku, "qty": qty}], DESK, **said)["number"]
    allocate_indent(ledger, number, SAM)
    challan = issue_challan(ledger, number, SAM, holder="tim")
    if used:
        consume(ledger, challan["number"], [{"sku": sku, "qty": used}], TIM)
        inward_defectives(ledger, challan["reverse"], [{"line": 1, "qty": used}], SAM)
    if used < qty:
        return_unused(ledger, challan["number"], [{"sku": sku}], SAM)
    return challan


def prepare(ledger: Ledger) -> Ledger:
    """At ASP-1: two defective valves of job SR-1, old pumps and valves, expired grease, new seals."""
    lines = [{"sku": "valve", "qty": 10}, {"sku": "pump", "qty": 2}, {"sku": "seal", "qty": 20}]
    stocked(ledger, lines)
    job(ledger, "valve", 3, 2, "SR-1")
    old = {"sku": "grease", "qty": 2, "lot": "G-0", "expires_on": "2026-01-31", "location": "ASP-1/store"}
    ledger.post("receive", old, origin="found", reason="count", note="shelf", actor="walt")
    return ledger


@pytest.fixture
def store(partners: Ledger) -> Ledger:
    return prepare(partners)


@pytest.fixture
def stores(network: Ledger) -> Ledger:
    return prepare(network)


def approve_all(ledger: Ledger, answer: dict[str, Any]) -> None:
    lines = [{"line": each["line"], "qty": each["qty"]} for each in answer["lines"]]
    decide_return(ledger, answer["number"], lines, OLGA)


def test_the_product_lists_what_could_go_back_and_why(stores: Ledger) -> None:
    told = return_candidates(stores, SAM).select("sku", "why", "qty", "serial", "lot", "jobs", "orders")
    assert sorted(told.rows(), key=str) == sorted(
        [
            ("valve", "unused", "8", None, None, ["SR-1"], ["8000000001"]),
            ("pump", "unused", "1", "P-0", None, [], ["8000000001"]),
            ("pump", "unused", "1", "P-1", None, [], ["8000000001"]),
            ("valve", "defective", "2", None, None, ["SR-1"], ["8000000001"]),
            ("grease", "expired", "2.00", None, "G-0", [], []),
        ],
        key=str,
    )
    assert return_candidates(stores, EVE).is_empty()


def test_stock_that_was_asked_to_go_back_is_no_candidate_twice(store: Ledger) -> None:
    number = raise_return(store, [{"sku": "valve", "qty": 1, "why": "defective"}, {"serial": "P-0"}], SAM)["number"]
    left = {row[:2]: row[2] for row in return_candidates(store, SAM).select("sku", "why", "qty").rows()}
    assert left["valve", "defective"] == "1"
    assert return_candidates(store, SAM).filter(serial="P-0").is_empty()
    withdraw_return(store, number, SAM)
    assert return_candidates(store, SAM).filter(serial="P-0").height == 1


def test_what_ships_to_the_warehouse_leaves_the_partner_s_stock_at_once(stores: Ledger) -> None:
    answer = raise_return(stores, [{"sku": "valve", "why": "defective"}, {"sku": "valve", "why": "unused"}], SAM)
    assert on_hand(stores, "valve", "ASP-1") == {"available": 8, "defective": 2}
    approve_all(stores, answer)
    challan = ship_return(stores, answer["number"], SAM, carrier="DHL")
    assert challan["number"] == "DW-000001"
    assert on_hand(stores, "valve", "ASP-1") == {}
    choice = raise_indent(stores, [{"sku": "valve", "qty": 1}], SAM, customer="C-8", service_order="SR-2")["choice"]
    assert [row["covered"] for row in choice if row["site"] == "ASP-1"] == [0]
    receive_shipment(stores, challan["number"], WALT)
    assert on_hand(stores, "valve", "WH") == {"available": 58, "defective": 2}
    steps = history_of(stores, answer["number"], SAM).select("step", "role").rows()
    assert steps == [
        ("raise", "storekeeper"),
        ("decide", "operations"),
        ("ship", "storekeeper"),
        ("receive", "warehouse"),
    ]


def test_nothing_ships_that_was_not_approved(store: Ledger) -> None:
    answer = raise_return(store, [{"sku": "valve", "qty": 2, "why": "defective"}, {"serial": "P-0"}], SAM)
    with refused("step_impossible"):
        ship_return(store, answer["number"], SAM, carrier="DHL")
    decisions = [{"line": 1, "qty": 1, "reason": "one is enough"}, {"line": 2, "qty": 0, "reason": "keep it"}]
    with refused("role_missing"):
        decide_return(store, answer["number"], decisions, SAM)
    with refused("line_undecided"):
        decide_return(store, answer["number"], decisions[:1], OLGA)
    decide_return(store, answer["number"], decisions, OLGA)
    told = ship_return(store, answer["number"], SAM, carrier="DHL")["lines"]
    assert [(each["sku"], each["qty"]) for each in told] == [("valve", 1)]
    assert store.state("P-0")["kind"] == "stock"


def test_a_returned_unit_still_says_which_job_and_which_order_it_came_from(store: Ledger) -> None:
    job(store, "pump", 1, 0, "SR-3")
    answer = raise_return(store, [{"serial": "P-0"}, {"sku": "valve", "why": "defective"}], SAM)
    approve_all(store, answer)
    lines = ship_return(store, answer["number"], SAM, carrier="DHL")["lines"]
    assert [(each["sku"], each["jobs"], each["orders"]) for each in lines] == [
        ("pump", ["SR-3"], ["8000000001"]), ("valve", ["SR-1"], ["8000000001"]),
    ]  # fmt: skip


def test_what_was_promised_to_a_job_meanwhile_does_not_ship(store: Ledger) -> None:
    answer = raise_return(store, [{"serial": "P-0"}], SAM)
    approve_all(store, answer)
    number = raise_indent(store, [{"sku": "pump", "qty": 1}], SAM, customer="C-8", service_order="SR-2")["number"]
    allocate_indent(store, number, SAM)
    with refused("stock_short"):
        ship_return(store, answer["number"], SAM, carrier="DHL")


@pytest.mark.parametrize(
    ("lines", "code"),
    [([{"sku": "seal", "qty": 1}], "goods_unknown"), ([{"serial": "P-7"}], "goods_unknown"),
     ([{"qty": 1}], "goods_unknown"), ([{"sku": "valve", "qty": 3, "why": "defective"}], "stock_short"),
     ([{"serial": "P-0"}, {"serial": "P-0"}], "stock_short"), ([{"sku": "valve", "why": "ugly"}], "argument_value"),
     ([{"stock_id": 1}], "goods_unknown"), ([], "argument_value")],
)  # fmt: skip
def test_only_candidates_go_back(store: Ledger, lines: Any, code: str) -> None:
    with refused(code):
        raise_return(store, lines, SAM)


def test_the_warehouse_counts_what_comes_back_and_differences_stay_on_record(store: Ledger) -> None:
    answer = raise_return(store, [{"sku": "valve", "why": "defective"}], SAM)
    approve_all(store, answer)
    challan = ship_return(store, answer["number"], SAM, carrier="DHL")["number"]
    with refused("role_missing"):
        receive_shipment(store, challan, SAM)
    told = receive_shipment(store, challan, WALT, counted=[{"sku": "valve", "qty": 1}])
    assert [(each["state"], each["qty"]) for each in told["lines"]] == [("accepted", 1), ("short", 1)]


@pytest.mark.parametrize("outcome", ["scrapped", "to be returned", "accepted"])
def test_what_arrives_damaged_at_the_warehouse_can_be_settled(store: Ledger, outcome: Any) -> None:
    asked = raise_return(store, [{"sku": "valve", "why": "defective"}], SAM)
    approve_all(store, asked)
    challan = ship_return(store, asked["number"], SAM, carrier="DHL")["number"]
    receipt = receive_shipment(store, challan, WALT, counted=[{"sku": "valve", "qty": 2, "condition": "damaged"}])
    before = on_hand(store, "valve", "WH")["defective"]
    if outcome == "accepted":
        with refused("transition_unlisted"):
            settle_difference(store, receipt["number"], 1, outcome, OLGA)
        return
    for line in receipt["lines"]:
        told = settle_difference(store, receipt["number"], line["line"], outcome, OLGA, reason="counted")
    assert told["state"] == "settled"
    assert on_hand(store, "valve", "WH").get("defective", 0) == (0 if outcome == "scrapped" else before)


class TestTrace:
    def flows(self, ledger: Ledger, **asked: str) -> list[str]:
        return trace(ledger, OLGA, **asked)["flow"].unique(maintain_order=True).to_list()

    def test_from_the_erp_order_to_the_service_order_and_the_usage(self, stores: Ledger) -> None:
        told = trace(stores, OLGA, reference="8000000001").filter(sku="valve")
        assert told["flow"].unique(maintain_order=True).to_list() == ["shipment", "goods receipt", "delivery challan"]
        assert told.filter(flow="delivery challan")["line_state"].to_list() == ["settled"]

    def test_from_the_service_order_back_to_the_erp_order(self, store: Ledger) -> None:
        told = trace(store, OLGA, reference="SR-1")
        assert any("SODO: 8000000001" in links for links in told["links"].to_list())
        assert "reverse challan" in told["flow"].to_list()

    def test_of_one_unit(self, store: Ledger) -> None:
        job(store, "pump", 1, 0, "SR-3")
        assert self.flows(store, serial="P-0") == ["shipment", "goods receipt", "delivery challan"]
        assert self.flows(store, serial="P-0", sku="pump") == self.flows(store, serial="P-0")

    def test_nobody_traces_what_is_not_theirs(self, store: Ledger) -> None:
        texts = []
        for asked in ({"serial": "P-0"}, {"serial": "NONE"}, {"reference": "8000000001"}, {"reference": "NONE"}):
            with refused("document_unknown") as refusal:
                trace(store, EVE, **asked)
            texts.append(str(refusal.value).replace(*asked.values(), "X"))
        assert len(set(texts)) == 1
        with refused("argument_value"):
            trace(store, EVE)


def test_what_is_promised_to_a_job_or_usable_today_does_not_go_back(partners: Ledger) -> None:
    today = dt.datetime.now(dt.UTC).date()
    stocked(partners, [{"sku": "valve", "qty": 5}])
    lot = {"sku": "grease", "qty": 1, "lot": "G-9", "expires_on": today, "location": "ASP-1/store"}
    partners.post("receive", lot, origin="found", reason="count", note="shelf", actor="walt")
    said = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}
    allocate_indent(partners, raise_indent(partners, [{"sku": "valve", "qty": 2}], DESK, **said)["number"], SAM)
    assert return_candidates(partners, SAM).select("sku", "qty", "why").rows() == [("valve", "3", "unused")]


def test_where_goods_were_at_others_is_none_of_a_partners_business(partners: Ledger) -> None:
    """Valves of one receipt were shared out among two partners: each sees its own orders and jobs alone."""
    stocked(partners, [{"sku": "valve", "qty": 3}])
    stocked(partners, [{"sku": "valve", "qty": 3}], EVE)
    said = {"customer": "C-8", "service_order": "SR-EVE", "party": "ASP-2"}
    number = raise_indent(partners, [{"sku": "valve", "qty": 1}], DESK, **said)["number"]
    allocate_indent(partners, number, EVE)
    issue_challan(partners, number, EVE, holder="ed")
    for person, orders in ((SAM, ["8000000001"]), (EVE, ["8000000002"])):
        (row,) = return_candidates(partners, person).filter(sku="valve").to_dicts()
        assert (row["orders"], row["jobs"]) == (orders, ["SR-EVE"] if person is EVE else [])


def test_of_two_units_with_one_number_that_of_the_named_product_is_traced(partners: Ledger) -> None:
    partners.define([{"sku": "motor", "tracking": "serial", "lifecycle": "part", "unit_cost": "9"}], actor="ada")
    unit = {"sku": "motor", "serial": "P-0", "location": "WH/B", "received_on": "2026-01-01"}
    partners.post("receive", unit, origin="supplier", document="PO-2", actor="walt")
    stocked(partners, [{"sku": "pump", "qty": 1}, {"sku": "motor", "qty": 1}])
    assert set(trace(partners, SAM, serial="P-0")["sku"]) == {"pump", "motor"}
    assert set(trace(partners, SAM, serial="P-0", sku="motor")["sku"]) == {"motor"}
