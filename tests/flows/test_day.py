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
    shown = [seen for _, seen in told if seen is not None]
    assert [seen.height for seen in shown if "covered" in seen.columns] == [3]
    assert all(seen.height for seen in shown[:-1])
