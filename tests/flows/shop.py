"""A business that sells and rents devices: routers, copiers with a meter, cable, and a customer's own phone."""

from __future__ import annotations

from typing import Any

from allocator.flows import Person, keep_settings
from allocator.flows.devices import advance_order, deliver_order, place_order
from allocator.ledger import Ledger
from allocator.model.devices import DeviceSettings

ADA = Person("ada", "administrator")
DESK = Person("dana", "service")
WALT = Person("walt", "warehouse")
BILL = Person("bill", "billing")
NET = Person("network", "provider")
METRO = Person("Metro", "customer", "Metro")
RIVAL = Person("Rival", "customer", "Rival")

SKUS: list[dict[str, Any]] = [
    {"sku": "router", "tracking": "serial", "lifecycle": "device", "services": ["tv", "wifi"]},
    {"sku": "copier", "tracking": "serial", "lifecycle": "device", "meters": {"pages": "1"}},
    {"sku": "phone", "tracking": "serial", "lifecycle": "device", "rentable": False},
    {"sku": "cable", "lifecycle": "device"},
]


def set_up(ledger: Ledger, **settings: Any) -> None:
    """Four routers, two copiers, a phone and twenty cables in the warehouse."""
    ledger.define(SKUS, actor="ada")
    keep_settings(ledger, DeviceSettings(**{"actions": {"tv": ["reset PIN"]}} | settings), ADA)
    lines: list[dict[str, Any]] = [
        {"sku": "router", "serial": f"R-{n}", "location": "warehouse/A", "received_on": f"2026-03-0{n}"}
        for n in range(1, 5)
    ]
    lines += [{"sku": "copier", "serial": f"K-{n}", "location": "warehouse/B"} for n in (1, 2)]
    lines += [{"sku": "phone", "serial": "P-1", "location": "warehouse/B"}]
    lines += [{"sku": "cable", "qty": 20, "location": "warehouse/C"}]
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="walt")


def ordered(ledger: Ledger, **qty: int) -> str:
    """An order whose processing has begun."""
    lines = [{"sku": sku, "qty": each} for sku, each in (qty or {"router": 2, "cable": 5}).items()]
    number = str(place_order(ledger, lines, DESK, customer="Metro")["number"])
    advance_order(ledger, number, "processing", DESK)
    return number


def delivered(ledger: Ledger, **qty: int) -> str:
    """An order that was delivered whole, and is not completed."""
    number = ordered(ledger, **qty)
    deliver_order(ledger, number, WALT)
    return number
