"""Where a ledger is kept: SQLite or PostgreSQL, spoken to in one SQL.

Statements name their parameters as `:name`. `= ANY(:ids)` takes a list. All else is what both databases share.
"""

from __future__ import annotations

import sqlalchemy as sa

from allocator.errors import InputError, Problem
from allocator.ledger.lines import shown
from allocator.ledger.store.base import Changes, ConflictError, Session, Store, Whole

__all__ = ["Changes", "ConflictError", "Session", "Store", "Whole", "open_store"]


def scheme_of(url: object) -> str:
    """What stands before the first colon of an address that can be read; '' of any other."""
    try:
        # NUL and half a character are in no name of a file.
        named = isinstance(url, str) and "\0" not in url and bool(url.encode()) and sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return ""
    return str(url).partition(":")[0] if named else ""


def open_store(url: str, *, timeout_s: float) -> Store:
    """The store of an address: `sqlite:///path/to/file.db` or `postgresql://user@host:port/database`.

    Raises:
        InputError: `store_url`.
        StoreError: It cannot be reached or trusted.
    """
    scheme = scheme_of(url)
    if scheme == "sqlite":
        from allocator.ledger.store.sqlite import SqliteStore  # noqa: PLC0415 - each store needs its own driver

        return SqliteStore(url, timeout_s)
    if scheme in ("postgresql", "postgres"):
        from allocator.ledger.store.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(url, timeout_s)
    hint = "Write sqlite:///stock.db for a file here, or postgresql://user@host/database"
    raise InputError(Problem("store_url", "this names no store", column="url", value=shown(url), hint=hint))
