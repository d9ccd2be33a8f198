"""The questions of quality, service and sales, answered from the ledger on both stores."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.recall import recall_impact
from allocator.ledger.reports import activity, audit, availability, serials, service
from allocator.ledger.warranty import warranty
from allocator.numbers.recall import SCHEMA
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]


def gauges(ledger: Ledger, count: int = 6) -> None:
    """Gauges 1, 2, … in the store, received on the first of June."""
    day = dt.date(2026, 6, 1)
    lines = [{"sku": "gauge", "serial": f"CM500-2025-{n:04}", "location": "north/store"} for n in range(1, count + 1)]
    receive(ledger, *lines, day=day)


def serial(number: int) -> str:
    return f"CM500-2025-{number:04}"


def test_units_are_listed_by_status_by_place_and_by_customer(shop: Ledger) -> None:
    gauges(shop)
    shop.post("deliver", {"serial": serial(1), "to_holder": "customer 7"}, actor="ana")
    shop.post("change_status", {"serial": serial(2), "to_status": "Quarantine"}, actor="ana")
    shop.post("move", {"serial": serial(3), "to_location": "north"}, actor="ana")
    shop.post("move", {"serial": serial(4), "to_location": "northern annex"}, actor="ana")
    receive(
        shop,
        {"sku": "monitor", "serial": "M-1", "lot": "A", "location": "van", "numbers": {"mac": "00:B0:D0:63:C2:26"}},
    )
    assert serials(shop, holder="customer 7")["serial"].to_list() == [serial(1)]
    assert serials(shop, status="Quarantine")["serial"].to_list() == [serial(2)]
    assert serials(shop, location="north")["serial"].to_list() == [serial(n) for n in (2, 3, 5, 6)]
    every = serials(shop)
    assert every.height == 7
    assert every.filter(sku="monitor").select("serial", "lot", "mac").rows() == [("M-1", "A", "00:B0:D0:63:C2:26")]


def test_what_there_is_stands_beside_what_is_wanted(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 10, "location": "store"})
    shop.reserve([{"line_id": "L1", "sku": "filter", "qty": 12}], actor="bob", as_of=TODAY)
    (row,) = availability(shop).rows(named=True)
    assert (row["on_hand"], row["available"], row["lines_open"], row["qty_promised"], row["qty_short"]) == (
        10,
        0,
        1,
        10,
        2,
    )
    receive(shop, {"sku": "filter", "qty": 5, "location": "store"})
    shop.reserve([{"line_id": "L2", "sku": "filter", "qty": 5}], actor="bob", as_of=TODAY)
    (row,) = availability(shop).rows(named=True)
    assert (row["lines_open"], row["qty_short"]) == (2, 2), "a line whose goods have not left is open, too"


def test_a_warranty_starts_with_the_delivery_and_counts_in_months_of_the_calendar(shop: Ledger) -> None:
    gauges(shop, 2)
    shop.post(
        "ship", {"serial": serial(1), "to_holder": "carrier"}, document="DC-1", actor="a", day=dt.date(2026, 8, 30)
    )
    shop.post("deliver", {"serial": serial(1), "to_holder": "c7"}, actor="a", day=dt.date(2026, 8, 31))
    on = {day: warranty(shop, day, skus=["gauge"]).rows(named=True) for day in
          (dt.date(2026, 8, 30), dt.date(2026, 8, 31), dt.date(2028, 8, 31), dt.date(2028, 9, 1))}  # fmt: skip
    first = [rows[0] for rows in on.values()]
    assert [row["under_warranty"] for row in first] == [False, True, True, False]
    assert first[0]["ends_on"] == dt.date(2028, 8, 31) and first[2]["days_left"] == 0
    assert all(rows[1]["starts_on"] is None and not rows[1]["under_warranty"] for rows in on.values())
    assert warranty(shop, dt.date(2027, 1, 1), serial=serial(1))["under_warranty"].to_list() == [True]


def test_a_repair_does_not_start_a_warranty_anew_and_a_second_sale_does(shop: Ledger) -> None:
    gauges(shop, 1)

    def post(kind: str, day: tuple[int, int], **said: object) -> None:
        where = {"return": {"to_location": "repair"}, "credit": {"to_location": "shop"}, "deliver": {"to_holder": "c7"}}
        shop.post(kind, {"serial": serial(1)} | where.get(kind, {}), actor="a", role="manager",
                  day=dt.date(2026, *day), **said)  # type: ignore[arg-type]  # fmt: skip

    def starts() -> dt.date:
        (day,) = warranty(shop, TODAY, serial=serial(1))["starts_on"]
        assert isinstance(day, dt.date)
        return day

    post("deliver", (7, 1))
    post("return", (8, 1), document="RMA-1")
    post("deliver", (9, 1))
    assert starts() == dt.date(2026, 7, 1)
    post("invoice", (9, 2), document="INV-1")
    post("credit", (9, 3), document="CN-1")
    post("deliver", (9, 4))
    assert starts() == dt.date(2026, 9, 4)


def test_a_warranty_by_days_starts_with_the_receipt(shop: Ledger) -> None:
    receive(shop, {"sku": "monitor", "serial": "M-1", "lot": "A", "location": "van"}, day=dt.date(2026, 1, 1))
    (row,) = warranty(shop, TODAY, skus=["monitor"]).rows(named=True)
    assert (row["starts_on"], row["ends_on"]) == (dt.date(2026, 1, 1), dt.date(2026, 4, 1))


def test_services_and_inspections_are_told_of_a_unit_and_of_a_time(shop: Ledger) -> None:
    gauges(shop, 2)
    for event in ("calibration", "inspection", "contact"):
        shop.post("note", {"serial": serial(1), "event": event, "note": "done"}, actor="cal")
    begun = shop.post("note", {"serial": serial(2), "event": "repair"}, actor="cal") - 1
    assert service(shop, serial(1))["subject"].to_list() == ["calibration", "inspection"]
    assert service(shop, since=begun)["serial"].to_list() == [serial(2)]


def test_the_day_shows_what_was_registered_promised_and_shipped(shop: Ledger) -> None:
    gauges(shop, 3)
    receive(shop, {"sku": "filter", "qty": 10, "location": "store"})
    answer = shop.reserve([{"line_id": "L1", "sku": "filter", "qty": 4}], actor="bob", as_of=TODAY)
    promise = {"allocation_id": answer["lines"][0]["allocations"][0]["allocation_id"]}
    shop.post("ship", promise, document="DC-1", actor="pip")
    told = activity(shop, dt.datetime.now(dt.UTC).date()).select("type", "sku", "units", "qty").rows()
    assert told == [("receive", "gauge", 3, 3), ("receive", "filter", 1, 10), ("reserve", "filter", 1, 4),
                    ("ship", "filter", 1, 4)]  # fmt: skip
    assert activity(shop, dt.date(2020, 1, 1)).is_empty()


def test_an_audit_has_every_transaction_with_its_hash(shop: Ledger) -> None:
    gauges(shop, 2)
    told = audit(shop)
    assert told["type"].to_list() == ["define", "receive", "receive"]
    assert told["hash"].str.len_chars().to_list() == [64] * 3
    assert audit(shop, since=1)["seq"].to_list() == [2, 2]
    assert audit(shop, until=1)["type"].to_list() == ["define"]


def test_a_recall_finds_every_unit_of_a_range_wherever_it_is(shop: Ledger) -> None:
    gauges(shop)
    shop.post("deliver", {"serial": serial(2), "to_holder": "customer 7"}, actor="ana")
    shop.post("rent", {"serial": serial(3), "to_holder": "customer 9"}, document="R-1", actor="ana")
    shop.post("scrap", {"serial": serial(4)}, reason="broken", actor="ana")
    shop.post("renumber", {"serial": serial(5), "new_serial": "NEW-5"}, reason="label", actor="ana")
    found = recall_impact(shop, serials=[f"{serial(2)} to {serial(5)}"])
    assert found.select("serial", "kind", "contact").rows() == [
        (serial(2), "customer", "customer 7"),
        (serial(3), "rental", "customer 9"),
        ("NEW-5", "stock", "north/store"),
        (serial(4), "scrap", None),
    ]
    assert found["certain"].all()


def test_a_unit_that_a_recall_names_for_certain_by_one_of_its_numbers_is_certain(shop: Ledger) -> None:
    gauges(shop)
    for n in (1, 2):
        shop.post("renumber", {"serial": serial(n), "new_serial": f"NEW-{n}"}, reason="label", actor="ana")
    named = [(serial(1), "low"), ("NEW-1", "high"), (serial(2), "high"), ("NEW-2", "low"), (serial(3), "low")]
    rows = [{"row": n, "kind": "serial", "first": text, "last": text, "confidence": how}
            for n, (text, how) in enumerate(named)]  # fmt: skip
    found = recall_impact(shop, recall=pl.DataFrame(rows, schema=SCHEMA)).sort("serial")
    assert found.select("serial", "certain").rows() == [(serial(3), False), ("NEW-1", True), ("NEW-2", True)]


def test_a_recall_in_dirty_words_finds_the_lots_that_it_means(shop: Ledger) -> None:
    for n in (104, 105, 110, 111):
        receive(shop, {"sku": "oil", "lot": f"A{n}", "qty": Decimal("1.50"), "location": "tank"}, document=f"GRN-{n}")
    shop.post("consume", {"sku": "oil", "lot": "A105", "qty": Decimal("0.50"), "to_holder": "van 3"}, document="J",
              actor="tec")  # fmt: skip
    found = recall_impact(shop, "Product with LOT #s: A105 thru A110; Exp 12/2026.", skus=["oil"])
    assert found.select("lot", "kind", "qty", "contact", "document").rows() == [
        ("A105", "stock", Decimal("1.00"), "tank", "GRN-105"),
        ("A110", "stock", Decimal("1.50"), "tank", "GRN-110"),
        ("A105", "consumed", Decimal("0.50"), "van 3", "J"),
    ]
    for lots in (["a-104"], "a-104"):
        assert recall_impact(shop, lots=lots)["lot"].to_list() == ["A104"], "as people write it"
    with pytest.raises(InputError) as caught:
        recall_impact(shop)
    assert caught.value.code == "argument_value"


def test_a_warranty_from_shipment_starts_however_the_unit_leaves_and_anew_after_a_reversal(shop: Ledger) -> None:
    rule = {"start": "shipment", "months": 12}
    shop.define([{"sku": "drill", "tracking": "serial", "warranty": rule}], actor="ana")
    receive(shop, *({"sku": "drill", "serial": f"D-{n}", "location": "A"} for n in range(1, 5)))
    leaves = (
        ("ship", {}),
        ("deliver", {"to_holder": "c7"}),
        ("rent", {"to_holder": "c7"}),
        ("sell", {"to_holder": "c7"}),
    )
    for n, (type_, to) in enumerate(leaves, start=1):
        shop.post(type_, {"serial": f"D-{n}"} | to, document="DC-1", actor="ana", day=dt.date(2026, 5, n))
    starts = [dt.date(2026, 5, n) for n in range(1, 5)]
    assert warranty(shop, TODAY, skus="drill")["starts_on"].to_list() == starts
    seq = shop.history("D-2").filter(type="deliver")["seq"].item()
    shop.reverse(seq, reason="wrong unit", actor="ana")
    assert warranty(shop, TODAY, serial="D-2")["starts_on"].to_list() == [None]
    shop.post("deliver", {"serial": "D-2", "to_holder": "c8"}, actor="ana", day=dt.date(2026, 7, 1))
    assert warranty(shop, TODAY, serial="D-2")["starts_on"].to_list() == [dt.date(2026, 7, 1)]
