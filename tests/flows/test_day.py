"""A day in the life: everyone sees what they should, and in the evening the books are right."""

from __future__ import annotations

import polars as pl

from allocator.flows.day import a_day
from allocator.ledger import Ledger


def test_a_day_at_a_partner_s_ends_with_clean_books() -> None:
    told: list[tuple[str, pl.DataFrame | None]] = []
    with Ledger.open("sqlite://", tenant="day") as ledger:
        verified = a_day(ledger, lambda sentence, seen: told.append((sentence, seen)))
    assert verified.clean
    said = "\n".join(sentence for sentence, _ in told)
    assert "every part): 0 on hand, 0 in transit and 0 requested leave 30" in said
    assert "under AMC: OLD-88" in said
    assert "under warranty: CX-0002" in said
    assert "scan_repeated" in said
    assert "asset_taken" in said
    assert "the office reconciles AX-000001" in said
    assert "it is of subscription SUB-000001 still" in said
    assert "cannot be had: blocked" in said
    assert "contact_untold: contact: Metro Manufacturing" in said
    shown = [seen for _, seen in told if seen is not None]
    assert [seen.height for seen in shown if "covered" in seen.columns] == [3]
    assert all(seen.height for seen in shown[:-1])
    devices = [seen for seen in shown if seen.columns[:2] == ["serial", "state"] and seen.height == 1]
    assert [seen["state"].item() for seen in devices] == ["Rented", "Blocked", "Used"]
    assert all(seen["done"].all() for seen in shown if {"rule", "done"} <= set(seen.columns))
    module = next(seen for seen in shown if "status_after" in seen.columns)
    assert module["status_after"].to_list()[-2:] == ["Shipped", "Delivered"]
    (reach,) = [seen for seen in shown if seen.columns[0] == "line" and "contact" in seen.columns]
    assert sorted(reach["state"]) == ["blocked"] * 2 + ["out"] * 3
