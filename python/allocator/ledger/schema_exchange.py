"""The table of exchanges: what substitutes count for the demand lines that they were promised to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column

from allocator.ledger.schema import WORDS, _number, _of, _table

EXCHANGE: Final = _table(
    "exchange",
    "line_id sku_id",
    Column("line_id", WORDS, nullable=False),
    _number("sku_id"),
    _number("given"),
    _number("asked"),
    _number("seq"),
    _of("line", "line_id"),
    _of("sku", "sku_id"),
    CheckConstraint("given > 0 AND asked > 0 AND given <> asked", name="exchange_counts"),
)
"""One row per demand line and SKU that was promised to it and counts otherwise than one for one: `given` steps of it
stand for `asked` steps of what the line asks for, in lowest terms. Never changed."""
