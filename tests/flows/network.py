"""A small network of service partners: two of them, a warehouse, four SKUs, and who works there."""

from __future__ import annotations

import datetime as dt
from typing import Any

from allocator.flows import Person, keep_settings
from allocator.flows.partner import (
    allocate_request,
    decide_request,
    pick_request,
    raise_request,
    receive_shipment,
    ship_request,
)
from allocator.ledger import Ledger
from allocator.model.network import PartnerSettings

LATER = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=200)
"""When what keeps is over: always after the day on which tests run."""

ADA = Person("ada", "administrator")
SAM = Person("sam", "storekeeper", "ASP-1")
TIM = Person("tim", "technician", "ASP-1")
EVE = Person("eve", "storekeeper", "ASP-2")
OLGA = Person("olga", "operations")
WALT = Person("walt", "warehouse")
DESK = Person("desk", "service")
CRON = Person("cron", "system")

SKUS: list[dict[str, Any]] = [
    {"sku": "valve", "lifecycle": "part", "unit_cost": "12.50", "defective_return": True},
    {"sku": "pump", "tracking": "serial", "lifecycle": "part", "unit_cost": "250", "defective_return": True},
    {"sku": "seal", "lifecycle": "part", "unit_cost": "0.40"},
    {"sku": "grease", "tracking": "lot", "scale": 2, "lifecycle": "part", "unit_cost": "8"},
]

SETTINGS: dict[str, Any] = {
    "warehouses": [{"name": "Central", "place": "WH"}],
    "partners": [{"name": "ASP-1", "place": "ASP-1"}, {"name": "ASP-2", "place": "ASP-2"}],
    "distances": [
        {"sites": ["ASP-1", "ASP-2"], "distance": 40},
        {"sites": ["ASP-1", "Central"], "distance": 300},
        {"sites": ["ASP-2", "Central"], "distance": 260},
    ],
    "limits": {
        "rules": [
            {"name": "all", "units_max": 100},
            {"name": "valves", "sku": "valve", "units_max": 20},
            {"name": "pumps", "sku": "pump", "units_max": 5, "trigger": 1},
        ],
        "override": {"roles": ["operations"]},
    },
    "contracts": {
        "AMC": {
            "contracts": {
                "rules": [
                    {"contract_type": "AMC", "condition": "repaired", "rank": 0},
                    {"contract_type": "AMC", "condition": "new", "rank": 1},
                ]
            }
        },
        "warranty": {"contracts": {"rules": [{"contract_type": "warranty", "condition": "new"}]}},
    },
    "slas": [{"allocate_hours": 4}, {"contract_type": "AMC", "priority": 1, "allocate_hours": 1, "dispatch_hours": 2}],
}


def set_up(ledger: Ledger, **changes: Any) -> None:
    """The network, and stock in its warehouse."""
    ledger.define(SKUS, actor="ada")
    keep_settings(ledger, PartnerSettings(**SETTINGS | changes), ADA)
    lines: list[dict[str, Any]] = [
        {"sku": "valve", "qty": 30, "location": "WH/A", "received_on": "2026-01-05"},
        {"sku": "valve", "qty": 30, "location": "WH/A", "received_on": "2026-02-05"},
        {"sku": "seal", "qty": 500, "location": "WH/C"},
        {"sku": "grease", "qty": 9, "lot": "G-1", "expires_on": LATER, "location": "WH/C"},
    ]
    lines += [{"sku": "pump", "serial": f"P-{n}", "location": "WH/B", "received_on": f"2026-03-{n + 1:02}"}
              for n in range(9)]  # fmt: skip
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="walt")


def shipped(ledger: Ledger, lines: list[dict[str, Any]], by: Person = SAM, **said: Any) -> dict[str, Any]:
    """A request that was approved as it was asked, and shipped: what `ship_request` answers."""
    raised = raise_request(ledger, lines, by, **said)
    number = raised["number"]
    decide_request(ledger, number, [{"line": each["line"], "qty": each["qty"]} for each in raised["lines"]], OLGA)
    allocate_request(ledger, number, WALT)
    pick_request(ledger, number, WALT)
    return ship_request(ledger, number, WALT, carrier="DHL", references={"SODO": f"8000{number[-6:]}"})


def stocked(ledger: Ledger, lines: list[dict[str, Any]], by: Person = SAM, **said: Any) -> str:
    """The same, counted in without a difference; the number of the request."""
    answer = shipped(ledger, lines, by, **said)
    receive_shipment(ledger, answer["number"], by)
    return str(answer["request"])


def on_hand(ledger: Ledger, sku: str, place: str) -> dict[str, int]:
    """What is on hand of a SKU at a place and below it, by status, and what of it is available."""
    rows = ledger.balances(["location", "status"], skus=[sku]).to_dicts()
    mine = [row for row in rows if row["location"] and f"{row['location']}/".startswith(f"{place}/")]
    told: dict[str, int] = {"available": sum(row["available"] for row in mine)}
    for row in mine:
        if row["on_hand"]:
            told[row["status"]] = told.get(row["status"], 0) + (row["on_hand"] if row["status"] != "available" else 0)
    return {status: qty for status, qty in told.items() if qty}
