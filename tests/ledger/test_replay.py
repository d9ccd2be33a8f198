"""Two years of real order lines, cancellations and stock adjustments, as transactions (`retail.py` says by which rule).

The environment variable `ALLOCATOR_RETAIL_DATA` names the folder with `order_lines.parquet` of UCI Online Retail II.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from ledger.retail import changes, opening, read, replay

DATA = "ALLOCATOR_RETAIL_DATA"
SLICE = 20_000


@pytest.fixture
def folder() -> Path:
    if DATA not in os.environ:
        pytest.skip(f"{DATA} names no folder with the lines of UCI Online Retail II")
    return Path(os.environ[DATA])


def assert_the_record_is_what_is_there(ledger: Ledger, lines: pl.DataFrame) -> None:
    replay(ledger, lines)
    change = lines.select("sku", "step", "known", "qty", change=changes(lines)).group_by("sku").agg(pl.sum("change"))
    expected = opening(lines).join(change, on="sku").select("sku", qty=pl.col("qty") + pl.col("change"))
    with ledger.store.session() as session:
        rows = session.rows(
            "SELECT s.sku, SUM(b.qty) FROM balance b JOIN sku s ON s.tenant = b.tenant AND s.sku_id = b.sku_id "
            "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
            "WHERE a.kind = 'stock' GROUP BY s.sku"
        )
    assert {sku: int(qty) for sku, qty in rows} == dict(expected.filter(pl.col("qty") > 0).iter_rows())


def test_the_first_weeks_are_replayed_line_by_line_and_leave_what_they_should(folder: Path) -> None:
    with Ledger.open("sqlite://") as ledger:
        assert_the_record_is_what_is_there(ledger, read(folder, SLICE))
        assert verify(ledger).clean


@pytest.mark.slow
def test_two_years_are_replayed_line_by_line_and_leave_what_they_should(empty_ledger: Ledger, folder: Path) -> None:
    lines = read(folder)
    assert lines.height > 1_000_000
    assert_the_record_is_what_is_there(empty_ledger, lines)
