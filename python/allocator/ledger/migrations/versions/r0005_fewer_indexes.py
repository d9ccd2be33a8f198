"""Fewer indexes for each transaction and each line: what they found is found without them."""

from __future__ import annotations

from alembic import op

from allocator.ledger import statistics
from allocator.ledger.schema import LINE

revision = "0005"
down_revision = "0004"

OF_ORDER = "line_of_order"


def upgrade() -> None:
    """Removes the index of moments, and has that of orders only for lines of another number."""
    connection = op.get_bind()
    for name in ("txn_at", OF_ORDER):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
    next(index for index in LINE.indexes if index.name == OF_ORDER).create(connection)
    counted = {"line": {OF_ORDER: statistics.ROWS["line"][OF_ORDER]}}
    for statement in statistics.told(connection.dialect.name, counted):
        connection.exec_driver_sql(statement)
