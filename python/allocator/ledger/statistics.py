"""What SQLite's planner is told of the tables: how many rows a ledger has, and how many share a key.

SQLite counts nothing by itself, and without counts it takes the tenant, which every key begins with, for selective: it
reads all entries of a tenant to find the ten of one unit. These are the counts of a ledger of a million units; what
matters is which key has fewer rows, and that is the same at any size. `ANALYZE` replaces them by those of a store.
PostgreSQL counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

ROWS: Final[Mapping[str, Mapping[str, str]]] = {
    "sku": {"sku": "5000 5000 1", "sqlite_autoindex_sku_2": "5000 1 1"},
    "goods": {
        "goods": "1000000 1000000 1",
        "goods_of_sku": "1000000 200 200 1",
        "goods_of_lot": "500000 100 100",
    },
    "account": {"account": "5000 5000 1", "sqlite_autoindex_account_2": "5000 50 25 20 10 2 2 1 1"},
    "balance": {
        "balance": "1000000 1000000 1 1",
        "balance_of_sku": "1000000 200 200",
        "balance_of_account": "1000000 1000 1 1",
        "unit_in_one_place": "500000 1 1",
    },
    "txn": {
        "txn": "1000000 1000000 1",
        "txn_of_document": "1000000 5 5",
        "reversed_once": "10000 1 1",
    },
    "entry": {
        "entry": "10000000 10000000 10 1",
        "entry_of_goods": "10000000 10 10 1",
        "entry_of_line": "5000000 3 3",
    },
    "line": {"line": "1000000 1000000 1", "line_of_order": "1000000 5 5"},
    "allocation": {
        "allocation": "200000 200000 1",
        "allocation_of_goods": "200000 2 2 1",
        "unit_promised_once": "100000 1 1",
        "holds_by_end": "10000 10000 1",
    },
    "number": {
        "number": "1000000 1000000 500000 200 1",
        "number_value": "1000000 1 1",
        "number_of_goods": "1000000 2 2",
    },
    "attribute": {"attribute": "2000000 2000000 2 1"},
    "request": {"request": "1000000 1000000 1"},
}
"""By table and index (the key of a table has its name): rows, and rows that share one, two, … columns of the index."""

DOCUMENT_ROWS: Final[Mapping[str, Mapping[str, str]]] = {
    "document": {
        "document": "200000 200000 1",
        "document_of_party": "200000 20000 1000 100 100",
        "document_opened": "200000 20000 1 1",
    },
    "document_line": {"document_line": "1000000 1000000 5 1", "document_line_of_goods": "1000000 4 4"},
    "document_link": {"document_link": "400000 400000 2 1 1", "document_link_other": "400000 2 2"},
    "document_event": {"document_event": "1000000 1000000 2 1", "document_event_of_number": "1000000 5 1 1"},
}
"""The same of the tables of documents."""

EXCHANGE_ROWS: Final[Mapping[str, Mapping[str, str]]] = {"exchange": {"exchange": "100000 100000 2 1"}}
"""The same of what substitutes count for lines."""


def statements(dialect: str) -> Iterator[str]:
    """The statements that tell SQLite; none for PostgreSQL."""
    if dialect == "sqlite":
        yield "ANALYZE"
        yield "DELETE FROM sqlite_stat1"
        yield from told(dialect, ROWS)


def told(dialect: str, rows: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The statements that tell SQLite of some tables, beside those that it knows of."""
    if dialect == "sqlite":
        for table, indexes in rows.items():
            for index, counts in indexes.items():
                yield f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{table}', '{index}', '{counts}')"
        yield "ANALYZE sqlite_schema"
