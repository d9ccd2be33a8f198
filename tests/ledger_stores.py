"""A small business for tests of the ledger, on both stores."""

from __future__ import annotations

import datetime as dt

import pytest

from allocator.ledger import Ledger

TODAY = dt.datetime.now(dt.UTC).date()
"""On a day that is written down, what comes in today would one day not be there yet."""

STRANGE = [
    None,
    "",
    5,
    True,
    1.5,
    float("nan"),
    b"x",
    [],
    {},
    object(),
    "a\0b",
    "\ud800",
    dt.datetime(2026, 1, 1),
    2**70,
]
"""What nobody would give on purpose."""


@pytest.fixture
def shop(empty_ledger: Ledger) -> Ledger:
    """Filters without numbers, oil by the litre and lot, gauges by serial, monitors by serial and lot; no stock yet."""
    skus = [
        {"sku": "filter"},
        {"sku": "oil", "tracking": "lot", "scale": 2},
        {"sku": "gauge", "tracking": "serial", "warranty": {"start": "delivery", "months": 24}},
        {"sku": "monitor", "tracking": "both", "warranty": {"start": "receipt", "days": 90}},
    ]
    empty_ledger.define(skus, actor="ana")
    return empty_ledger


def receive(ledger: Ledger, *lines: dict[str, object], document: str = "GRN-1", **said: object) -> int:
    """A receipt from a supplier."""
    return ledger.post("receive", list(lines), **{"origin": "supplier", "document": document, "actor": "ana"} | said)  # type: ignore[arg-type]
