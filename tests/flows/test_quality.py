"""Goods are blocked and freed, and recalled wherever they are (WD-12, SN-19)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.flows import Person, board, partner
from allocator.flows.devices import invoice_sale, rent_device, return_rental
from allocator.flows.quality import (
    block_goods,
    clear_recalled,
    close_recall,
    lift_hold,
    raise_recall,
    recall_reach,
    tell_contact,
)
from allocator.ledger import Ledger
from allocator.ledger.devices import device
from allocator.ledger.imports import import_stock
from allocator.ledger.verify import verify
from flows import network, shop
from flows.shop import BILL, DESK, WALT

QA = Person("quinn", "quality")


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


@pytest.fixture
def store() -> Iterator[Ledger]:
    """A business with devices, and two lots of batteries."""
    with Ledger.open("sqlite://") as ledger:
        begin(ledger)
        yield ledger
        assert verify(ledger).clean, str(verify(ledger))


@pytest.fixture
def both_stores(empty_ledger: Ledger) -> Iterator[Ledger]:
    begin(empty_ledger)
    yield empty_ledger
    assert verify(empty_ledger).clean, str(verify(empty_ledger))


def begin(ledger: Ledger) -> None:
    shop.set_up(ledger)
    ledger.define([{"sku": "battery", "tracking": "lot"}, {"sku": "gauge", "tracking": "both", "lifecycle": "serial"}],
                  actor="ada")  # fmt: skip
    lines = [{"sku": "battery", "lot": lot, "qty": 10, "location": f"warehouse/{lot}"} for lot in ("L1", "L2")]
    ledger.post("receive", lines, origin="supplier", document="PO-3", actor="walt")
    receive_gauges(ledger, "G-1", "G-2", "G-3")


def receive_gauges(ledger: Ledger, *serials: str) -> None:
    lines = [{"sku": "gauge", "lot": "A105", "serial": each, "location": "warehouse/G"} for each in serials]
    ledger.post("receive", lines, origin="supplier", document="PO-4", actor="walt")


def blocks(ledger: Ledger, serial: str) -> str | None:
    return ledger.state(serial)["blocks"] or None


def test_a_blocked_device_is_again_what_it_was_wherever_it_went_meanwhile(both_stores: Ledger) -> None:
    store = both_stores
    rental = rent_device(store, "router", DESK, customer="Metro", serial="R-1")["number"]
    return_rental(store, rental, WALT)
    first = block_goods(store, {"serial": "R-1"}, WALT, reason="damage")["number"]
    second = block_goods(store, {"serial": "R-1"}, QA, reason="legal")["number"]
    assert device(store, "R-1")["state"] == "Blocked"
    with pytest.raises(InputError, match="cannot be had: blocked"):
        rent_device(store, "router", DESK, customer="Metro", serial="R-1")
    store.post("move", {"serial": "R-1", "to_location": "warehouse/Q"}, actor="walt")
    assert lift_hold(store, first, QA)["state"] == "lifted"
    assert device(store, "R-1")["state"] == "Blocked"
    lift_hold(store, second, QA)
    assert device(store, "R-1")["state"] == "Used"
    rent_device(store, "router", DESK, customer="Metro", serial="R-1")


def test_a_part_of_a_quantity_is_blocked_and_lifted_in_parts(store: Ledger) -> None:
    hold = block_goods(store, {"sku": "cable", "qty": 8}, QA, reason="quality")["number"]
    with refused("stock_short"):
        invoice_sale(store, [{"sku": "cable", "qty": 13}], BILL, customer="Metro")
    left = lift_hold(store, hold, QA, parts=[{"sku": "cable", "qty": 3}])
    assert (left["state"], left["lines"][0]["qty"]) == ("held", 5)
    with refused("stock_short"):
        lift_hold(store, hold, QA, parts=[{"sku": "cable", "qty": 6}])
    assert lift_hold(store, hold, QA)["state"] == "lifted"
    with refused("step_impossible"):
        lift_hold(store, hold, QA)
    invoice_sale(store, [{"sku": "cable", "qty": 20}], BILL, customer="Metro")


def test_what_is_promised_stays_promised_while_it_is_blocked(store: Ledger) -> None:
    store.reserve([{"line_id": "L1", "sku": "cable", "qty": 20}], actor="bob")
    (row,) = store.balances(["sku", "location"], skus=["cable"]).to_dicts()
    with refused("stock_short"):
        block_goods(store, {"sku": "cable", "qty": 1}, QA, reason="quality")
    stock = store.stock().filter(sku="cable")["stock_id"].item()
    hold = block_goods(store, {"stock_id": stock}, QA, reason="quality")["number"]
    assert store.balances(["sku"], skus=["cable"])["reserved"].item() == row["reserved"] == 20
    lift_hold(store, hold, QA)
    assert store.balances(["sku"], skus=["cable"])["reserved"].item() == 20


def test_a_recall_blocks_what_is_there_and_tells_who_has_the_rest(both_stores: Ledger) -> None:
    store = both_stores
    invoice_sale(store, [{"sku": "battery", "qty": 4}], BILL, customer="Metro")
    store.post("consume", {"sku": "battery", "lot": "L1", "qty": 1}, document="JOB-1", actor="walt")
    store.reserve([{"line_id": "L9", "sku": "battery", "qty": 2}], actor="bob")
    told = raise_recall(store, QA, lots="L1")
    assert (told["blocked"], told["out"], told["gone"], told["contacts"]) == (1, 1, 1, ["Metro"])
    reach = recall_reach(store, told["number"], QA)
    assert reach.select("qty", "state", "contact", "told").rows() == [
        ("5", "blocked", "warehouse/L1", None), ("4", "out", "Metro", False), ("1", "gone", None, None),
    ]  # fmt: skip
    with pytest.raises(InputError, match="contact_untold: contact: Metro"):
        close_recall(store, told["number"], QA)
    with refused("argument_value"):
        tell_contact(store, told["number"], "Nobody", DESK, channel="phone")
    assert tell_contact(store, told["number"], "Metro", DESK, channel="phone")["left"] == []
    assert recall_reach(store, told["number"], QA)["told"].to_list()[1] is True
    assert close_recall(store, told["number"], QA)["state"] == "closed"
    assert store.balances(["sku"], skus=["battery"])["available"].item() == 10, "the other lot alone"


def test_what_comes_back_or_comes_in_during_a_recall_is_blocked_by_that_very_step(both_stores: Ledger) -> None:
    store = both_stores
    rental = rent_device(store, "router", DESK, customer="Metro", serial="R-2")["number"]
    recall = raise_recall(store, QA, serials=["R-1 to R-3"])
    assert (recall["blocked"], recall["contacts"]) == (2, ["Metro"])
    return_rental(store, rental, WALT)
    assert blocks(store, "R-2") == f"recall {recall['number']}"
    assert recall_reach(store, recall["number"], QA)["state"].to_list() == ["blocked"] * 3
    clear_recalled(store, recall["number"], [{"serial": "R-2"}], QA, note="looked at: sound")
    assert blocks(store, "R-2") is None
    again = rent_device(store, "router", DESK, customer="Rival", serial="R-2")["number"]
    return_rental(store, again, WALT)
    assert blocks(store, "R-2") is None, "it was cleared"
    with refused("note_missing"):
        clear_recalled(store, recall["number"], [{"serial": "R-1"}], QA, note="")
    with refused("goods_unknown"):
        clear_recalled(store, recall["number"], [{"serial": "R-4"}], QA, note="none of these")


def test_a_receipt_of_a_partner_is_blocked_where_its_lot_is_recalled(partners: Ledger) -> None:
    sent = network.shipped(partners, [{"sku": "pump", "qty": 2}])
    recall = raise_recall(partners, QA, serials=["P-0 to P-5"])
    assert recall["out"] == 2
    partner.receive_shipment(partners, sent["number"], network.SAM)
    assert {blocks(partners, f"P-{n}") for n in range(6)} == {f"recall {recall['number']}"}
    job = {"customer": "C", "service_order": "S", "party": "ASP-1"}
    raised = partner.raise_indent(partners, [{"sku": "pump", "qty": 1}], network.DESK, **job)
    assert raised["site"] != "ASP-1"


def test_whatever_way_goods_come_in_during_a_recall_they_are_blocked(both_stores: Ledger, tmp_path: Path) -> None:
    """By a plain receipt, a plain return, a transaction that is taken back, an import."""
    store = both_stores
    sold = store.post("sell", {"sku": "battery", "lot": "L1", "qty": 4, "to_holder": "Metro"}, document="INV-1",
                      actor="walt")  # fmt: skip
    lost = store.post("scrap", {"serial": "G-1"}, reason="broken", actor="walt")
    recall = raise_recall(store, QA, lots=["L1", "A100 to A110"])["number"]
    store.reverse(sold, actor="walt", reason="never left")
    store.reverse(lost, actor="walt", reason="found")
    store.post("receive", {"sku": "battery", "lot": "L1", "qty": 3, "location": "warehouse/L1"}, origin="supplier",
               document="PO-9", actor="walt")  # fmt: skip
    receive_gauges(store, "G-9")
    rows = tmp_path / "stock.csv"
    rows.write_text("sku,lot,qty,location\nbattery,L1,2,warehouse/L1\nbattery,L2,5,warehouse/L2\n")
    assert import_stock(store, rows, origin="supplier", document="PO-10", actor="walt").recorded == 2
    free = store.balances(["sku", "lot"], skus=["battery", "gauge"]).filter(pl.col("available") > 0)
    assert free.rows_by_key(["sku", "lot"], named=True, unique=True).keys() == {("battery", "L2")}
    assert {blocks(store, serial) for serial in ("G-1", "G-2", "G-3", "G-9")} == {f"recall {recall}"}
    told = recall_reach(store, recall, QA)
    assert told.filter(sku="battery", state="blocked")["qty"].cast(pl.Int64).sum() == 6 + 4 + 3 + 2


def test_units_with_customers_are_recalled_where_their_lifecycle_leads_there(store: Ledger) -> None:
    store.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1, "serial": "G-1"}], actor="bob")
    store.post("pick", {"allocation_id": store.allocations()["allocation_id"].item()}, actor="bob")
    store.post("ship", {"allocation_id": store.allocations()["allocation_id"].item(), "to_holder": "DHL"},
               document="DN", actor="bob")  # fmt: skip
    store.post("deliver", {"serial": "G-1", "to_holder": "Metro"}, actor="bob")
    raise_recall(store, QA, text="All units of lots A105 through A110 are affected.")
    assert store.state("G-1")["status"] == "Recalled"
    assert {blocks(store, serial) for serial in ("G-2", "G-3")} == {"recall RC-000001"}


def test_two_recalls_hold_the_same_goods_each_for_its_own_reason(store: Ledger) -> None:
    one, two = (raise_recall(store, QA, serials=["R-1"])["number"] for _ in range(2))
    clear_recalled(store, one, [{"line": 1}], QA, note="sound")
    assert blocks(store, "R-1") == f"recall {two}"


@pytest.mark.parametrize(
    ("step", "role"),
    [
        (lambda ledger, who: raise_recall(ledger, who, lots=["L1"]), "warehouse"),
        (lambda ledger, who: block_goods(ledger, {"serial": "R-1"}, who, reason="x"), "service"),
        (lambda ledger, who: lift_hold(ledger, "HOLD-000001", who), "warehouse"),
        (lambda ledger, who: tell_contact(ledger, "RC-000001", "Metro", who, channel="phone"), "warehouse"),
        (lambda ledger, who: close_recall(ledger, "RC-000001", who), "service"),
        (lambda ledger, who: clear_recalled(ledger, "RC-000001", [{"line": 1}], who, note="n"), "service"),
    ],
)
def test_each_step_is_for_its_role_and_for_the_business(store: Ledger, step: Any, role: str) -> None:
    for person in (Person("x", role), Person("x", "quality", "ASP-1")):
        with refused("role_missing"):
            step(store, person)


def test_steps_are_taken_once_per_key_and_nonsense_is_refused(store: Ledger) -> None:
    answer = raise_recall(store, QA, lots=["L2"], key="k")
    assert raise_recall(store, QA, lots=["L2"], key="k") == answer
    with refused("key_reused"):
        raise_recall(store, QA, lots=["L1"], key="k")
    with refused("argument_value"):
        raise_recall(store, QA)
    with refused("sku_unknown"):
        raise_recall(store, QA, lots=["L1"], skus=["batery"])
    with refused("range_ends_differ"):
        raise_recall(store, QA, serials=["A1 to B22"])
    for number in ("RC-000009", "", "SO-000001", "x" * 300):
        with refused("document_unknown"):
            close_recall(store, number, QA)
    assert raise_recall(store, QA, lots=["nothing"])["contacts"] == []
    waiting = board(store, QA).filter(flow="recall")
    assert set(waiting["step"]) == {"tell", "clear", "close"}
