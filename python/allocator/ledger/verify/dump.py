"""The content of a ledger as text, the same for the same history whichever store holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from allocator.ledger.verify.tables import Tables

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

TABLES: Final = ("sku", "lifecycle", "txn", "entry", "goods", "account", "balance", "line", "exchange", "allocation",
                 "number", "attribute", "request", "document", "document_line", "document_link",
                 "document_event")  # fmt: skip

CLOCK: Final = ("recorded_at", "expires_at", "hash", "digest", "opened_at", "due_at", "marks")
"""Columns that tell when something was recorded, or a hash over that."""


def canonical_dump(ledger: Ledger) -> str:
    """Every row of every table of a tenant as a line of JSON, in the order of keys, without what the clock said.

    Two ledgers with the same dump went through the same history: on another store, after a migration, or restored.
    `verify` looks at what is left out, the hashes.

    Raises:
        StoreError: The store failed.
    """
    with ledger.store.session() as session:
        tables = Tables.read(session, ledger.tenant)
    parts = []
    for name in TABLES:
        frame: pl.DataFrame = getattr(tables, name)
        if frame.is_empty() and name.startswith(("document", "exchange")):
            continue
        # An entry that begins a hold says when it ends.
        if name == "entry":
            held = pl.col("details").str.contains(r"^\d+$")
            frame = frame.with_columns(pl.when(held).then(pl.lit("hold")).otherwise("details").alias("details"))
        binary = [column for column, dtype in frame.schema.items() if dtype == pl.Binary]
        kept = frame.drop(CLOCK, strict=False)
        kept = kept.with_columns(pl.col(column).bin.encode("hex") for column in binary if column in kept.columns)
        parts.append(f"# {name}\n{kept.write_ndjson()}")
    return "".join(parts)
