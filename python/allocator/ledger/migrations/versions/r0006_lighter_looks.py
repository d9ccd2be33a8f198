"""Whether what rows name is there, and numbers have no gaps, is found with less work on PostgreSQL."""

from __future__ import annotations

from alembic import op

from allocator.ledger import triggers
from allocator.ledger.schema import METADATA

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Replaces what the triggers run; SQLite has foreign keys instead."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for statement in triggers.functions(METADATA.sorted_tables):
            connection.exec_driver_sql(statement)
