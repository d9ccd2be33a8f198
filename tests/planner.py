"""A planner's small world: two customers, three SKUs, a receipt on its way, and what she asks of it."""

from __future__ import annotations

import datetime as dt

from allocator.model.policy import Policy
from allocator.scenario import Base, Grid, MonteCarlo, Scenario

AS_OF = dt.date(2026, 6, 30)
STOCK = {
    "stock_id": ["A", "B", "C", "D", "E"],
    "sku": ["BOLT", "BOLT", "NUT", "PIN", "PIN"],
    "qty_on_hand": [10, 5, 7, 4, 6],
    "received_on": [AS_OF, AS_OF, AS_OF, AS_OF, AS_OF + dt.timedelta(days=3)],
    "expires_on": [AS_OF + dt.timedelta(days=9), AS_OF + dt.timedelta(days=90), None, AS_OF, None],
    "supplier": ["IRON", "IRON", "STEEL", "STEEL", "STEEL"],
}
DEMAND = {
    "line_id": ["1", "2", "3", "4"],
    "sku": ["BOLT", "BOLT", "NUT", "PIN"],
    "qty": [8, 10, 7, 12],
    "needed_on": [AS_OF, AS_OF, AS_OF, AS_OF + dt.timedelta(days=5)],
    "customer": ["CLINIC", "SHOP", "SHOP", "CLINIC"],
}
SURGE = {"lever": "demand_surge", "where": {"customer": "CLINIC"}}
LATE = {"lever": "supply_late"}


def base(**settings: object) -> Base:
    policy = Policy(inbound="when_needed", stock_order="fefo", **settings)
    return Base(STOCK, DEMAND, policy, as_of=AS_OF, by="customer")


def scenario(name: str, *levers: dict) -> Scenario:
    return Scenario(name=name, levers=levers)


GRID = Grid(
    name="rush and delay",
    axes=[
        {"name": "clinic", "vary": "factor", "values": [1, "3/2", 2], "lever": SURGE},
        {"vary": "days", "values": [0, 9], "lever": LATE},
    ],
)
RISK = MonteCarlo(
    name="port",
    runs=60,
    seed=7,
    levers=[
        {
            "lever": "supply_uncertain",
            "late": {"chance": "0.5", "days": {"shape": "uniform", "low": 1, "high": 6}},
            "short": {"chance": "0.5", "factor": {"shape": "values", "values": ["1/2", 0]}},
        },
        {
            "lever": "demand_uncertain",
            "per": "customer",
            "factor": {"shape": "triangular", "low": "0.5", "mode": 1, "high": 2},
        },
    ],
)
