"""A small world to begin with, made by a rule: two warehouses of a parts dealer, three kinds of customers."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

AS_OF: Final = dt.date(2026, 6, 30)
SEED: Final = 20260630
LOTS: Final = 240
LINES: Final = 400
SKUS: Final = tuple(f"{name}-{size}" for name in ("filter", "pump", "seal", "valve") for size in ("S", "M", "L"))
CUSTOMERS: Final = ("clinic", "dealer", "web shop")
POLICY: Final = """\
name = "first expired, first out"
stock_order = "fefo"               # what expires first goes first
inbound = "when_needed"            # receipts to come serve lines that are needed from their day on

[shelf_life]
days_min = 0                       # lines say in min_shelf_life_days how long it must still be good
"""
COSTS: Final = {"filter": 12, "pump": 340, "seal": 2, "valve": 58}


def sample() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Stock and demand, the same on every machine."""
    rng = np.random.default_rng(SEED)
    skus = pl.Series(SKUS)
    sku = skus.gather(rng.integers(0, len(SKUS), LOTS))
    received = rng.integers(-200, 14, LOTS)
    stock = pl.DataFrame(
        {
            "stock_id": [f"LOT-{number:03}" for number in range(1, LOTS + 1)],
            "sku": sku,
            "qty_on_hand": rng.integers(2, 40, LOTS),
            "location": pl.Series(["north", "south"]).gather(rng.integers(0, 2, LOTS)),
            "received_on": [AS_OF + dt.timedelta(days=int(days)) for days in received],
            "expires_on": [AS_OF + dt.timedelta(days=int(days)) for days in received + rng.integers(180, 500, LOTS)],
            "blocked": rng.random(LOTS) < 0.05,
            "supplier": pl.Series(["Acme", "Borg", "Ceres"]).gather(rng.integers(0, 3, LOTS)),
        }
    ).with_columns(unit_cost=pl.col("sku").str.split("-").list.first().replace_strict(COSTS, return_dtype=pl.Int64))
    customer = rng.choice(len(CUSTOMERS), LINES, p=[0.25, 0.35, 0.4])
    demand = pl.DataFrame(
        {
            "line_id": [f"L-{number:03}" for number in range(1, LINES + 1)],
            "order_id": [f"O-{number:03}" for number in rng.integers(1, LINES // 2, LINES)],
            "sku": skus.gather(rng.integers(0, len(SKUS), LINES)),
            "qty": rng.integers(1, 24, LINES),
            "customer": pl.Series(CUSTOMERS).gather(customer),
            "priority": customer,
            "min_shelf_life_days": pl.Series([270, 60, 0]).gather(customer),
            "needed_on": [AS_OF + dt.timedelta(days=int(days)) for days in rng.integers(0, 15, LINES)],
        }
    )
    return stock, demand
