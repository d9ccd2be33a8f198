"""A little of everything that happens to stock, from its receipt to its return."""

from __future__ import annotations

from allocator.ledger import Ledger


def week_of_work(ledger: Ledger) -> None:
    """Sixteen transactions. Unit G-1 is promised, G-2 became G-9 and is blocked; five filters were shipped."""
    said = {"actor": "ana"}
    ledger.define([{"sku": "filter"}, {"sku": "gauge", "tracking": "serial"},
                   {"sku": "oil", "tracking": "lot", "scale": 2}], **said)  # fmt: skip
    ledger.post("receive", [
        {"sku": "filter", "qty": 10, "location": "store"},
        {"sku": "gauge", "serial": "G-1", "location": "store", "numbers": {"mac": "00:1A:2B:3C:4D:5E"}},
        {"sku": "gauge", "serial": "G-2", "location": "store", "attributes": {"firmware": "1"}},
        {"sku": "oil", "lot": "B-7", "qty": 3, "location": "store"},
    ], origin="supplier", document="GRN-1", key="receipt", **said)  # fmt: skip
    answer = ledger.reserve([{"line_id": "L1", "sku": "filter", "qty": 8}, {"line_id": "L2", "sku": "gauge", "qty": 1}],
                            key="order", **said)  # fmt: skip
    ledger.reserve([{"line_id": "L3", "sku": "oil", "qty": 1}], hold_s=3600, **said)
    first = answer["lines"][0]["allocations"][0]["allocation_id"]
    ledger.post("pick", {"allocation_id": first}, **said)
    ledger.post("ship", {"allocation_id": first, "qty": 5, "to_holder": "van"}, document="DC-1", **said)
    ledger.post("deliver", {"sku": "filter", "qty": 5, "holder": "van", "to_holder": "customer 7"}, **said)
    ledger.post("return", {"sku": "filter", "qty": 2, "holder": "customer 7", "line_id": "L1", "to_location": "store"},
                document="RN-1", **said)  # fmt: skip
    for reason in ("quality", "legal"):
        ledger.post("block", {"serial": "G-2"}, reason=reason, **said)
    ledger.post("unblock", {"serial": "G-2"}, reason="quality", **said)
    ledger.post("renumber", {"serial": "G-2", "new_serial": "G-9"}, reason="label lost", **said)
    ledger.post("note", {"serial": "G-9", "attributes": {"firmware": "2"}}, **said)
    ledger.post("change_status", {"sku": "filter", "qty": 1, "location": "store", "status": "available",
                                  "to_status": "defective"}, **said)  # fmt: skip
    mistake = ledger.post("receive", {"sku": "filter", "qty": 99, "location": "store"}, origin="found", reason="count",
                          note="counted twice", **said)  # fmt: skip
    ledger.reverse(mistake, reason="entry error", **said)
