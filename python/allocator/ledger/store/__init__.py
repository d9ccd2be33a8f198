"""Where a ledger is kept: SQLite or PostgreSQL, spoken to in one SQL.

Statements name their parameters as `:name`. `= ANY(:ids)` takes a list. All else is what both databases share.
"""

from __future__ import annotations

from allocator.errors import InputError, Problem
from allocator.ledger.store.base import Changes, ConflictError, Session, Store

__all__ = ["Changes", "ConflictError", "Session", "Store", "open_store"]


def open_store(url: str, *, timeout_s: float) -> Store:
    """The store of an address: `sqlite:///path/to/file.db` or `postgresql://user@host:port/database`.

    Raises:
        InputError: `store_url`.
        StoreError: It cannot be reached or trusted.
    """
    scheme = url.partition(":")[0] if isinstance(url, str) else ""
    if scheme == "sqlite":
        from allocator.ledger.store.sqlite import SqliteStore  # noqa: PLC0415 - each store needs its own driver

        return SqliteStore(url, timeout_s)
    if scheme in ("postgresql", "postgres"):
        from allocator.ledger.store.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(url, timeout_s)
    hint = "Write sqlite:///stock.db for a file here, or postgresql://user@host/database"
    raise InputError(Problem("store_url", "this names no store", column="url", value=str(url)[:80], hint=hint))
