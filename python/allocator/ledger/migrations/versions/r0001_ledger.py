"""The tables of stock, promises and history."""

from __future__ import annotations

from alembic import op

from allocator.ledger import statistics
from allocator.ledger.schema import METADATA

revision = "0001"
down_revision = None

TABLES = ("tenant", "sku", "lifecycle", "goods", "account", "balance", "txn", "entry", "line", "allocation", "number",
          "attribute", "request", "counter", "purge")  # fmt: skip
"""Those of this step: later ones add theirs."""


def upgrade() -> None:
    """Sets up an empty store."""
    connection = op.get_bind()
    dialect, tables = connection.dialect.name, [METADATA.tables[name] for name in TABLES]
    METADATA.create_all(connection, tables, checkfirst=False)
    for statement in statistics.statements(dialect):
        connection.exec_driver_sql(statement)
