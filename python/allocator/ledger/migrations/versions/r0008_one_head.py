"""Triggers that cost PostgreSQL less: the head is true, so that what rows name is looked for there alone."""

from __future__ import annotations

from alembic import op

from allocator.ledger.migrations.versions.r0004_around_tables import guard

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Replaces them; those of SQLite are as they were."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        guard(connection)
