"""A small warehouse whose orders are scanned: phones with IMEIs, used ones, modules, cable, batteries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from allocator.flows import Person
from allocator.flows.scanning import assign_operators, pick_order, place_order
from allocator.ledger import Ledger

OMS = Person("oms", "service")
SUE = Person("sue", "supervisor")
PAT = Person("pat", "operator")
PAM = Person("pam", "operator")
SHAWN = Person("shawn", "operator")

IMEIS = ["352099001761481", "490154203237518", "356938035643809", "868371030000000"]
SKUS: list[dict[str, Any]] = [
    {"sku": "phone", "tracking": "serial", "gtin": "09520123456788"},
    {"sku": "phone-used", "tracking": "serial", "scan": "used"},
    {"sku": "CM-500", "tracking": "serial", "lifecycle": "serial"},
    {"sku": "cable", "scale": 2, "scan": "used"},
    {"sku": "battery", "tracking": "lot", "gtin": "5901234123457"},
]


def set_up(ledger: Ledger) -> None:
    """The SKUs, and stock: four phones, three used ones, 25 modules, cable, two lots of batteries."""
    ledger.define(SKUS, actor="ada")
    lines: list[dict[str, Any]] = [
        {
            "sku": "phone",
            "serial": f"PH-{n}",
            "numbers": {"imei": imei},
            "location": "WH/P",
            "received_on": f"2026-03-0{n + 1}",
        }
        for n, imei in enumerate(IMEIS)
    ]
    lines += [{"sku": "phone-used", "serial": f"USED-{n}", "location": "WH/U", "condition": "used"} for n in range(3)]
    lines += [{"sku": "CM-500", "serial": f"CM500-2025-{n:04}", "location": "WH/A-15-03"} for n in range(46, 71)]
    lines += [{"sku": "cable", "qty": Decimal("33.60"), "location": "WH/C"}]
    lines += [
        {"sku": "battery", "qty": 10, "lot": f"L{n}", "location": "WH/B", "received_on": f"2026-03-0{n}"}
        for n in (1, 2)
    ]
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="walt")


def ordered(ledger: Ledger, lines: list[dict[str, Any]], **said: Any) -> str:
    """An order with operators, whose stock is promised; its number."""
    number = str(place_order(ledger, lines, OMS, **({"customer": "Metro", "place": "WH"} | said))["number"])
    assign_operators(ledger, number, SUE, picking="pat", packing="pam", shipping="shawn")
    pick_order(ledger, number, PAT)
    return number
