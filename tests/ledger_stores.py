"""Ledgers for tests: on both stores, empty or with a small business in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from allocator.ledger import Ledger

TODAY = dt.date(2026, 11, 22)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'stock.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def shop(ledger_url: str) -> Iterator[Ledger]:
    """Filters without numbers, oil by the litre and lot, gauges by serial, monitors by serial and lot; no stock yet."""
    skus = [
        {"sku": "filter"},
        {"sku": "oil", "tracking": "lot", "scale": 2},
        {"sku": "gauge", "tracking": "serial", "warranty": {"start": "delivery", "months": 24}},
        {"sku": "monitor", "tracking": "both", "warranty": {"start": "receipt", "days": 90}},
    ]
    with Ledger.open(ledger_url) as opened:
        opened.define(skus, actor="ana")
        yield opened


def receive(ledger: Ledger, *lines: dict[str, object], document: str = "GRN-1", **said: object) -> int:
    """A receipt from a supplier."""
    return ledger.post("receive", list(lines), **{"origin": "supplier", "document": document, "actor": "ana"} | said)  # type: ignore[arg-type]
