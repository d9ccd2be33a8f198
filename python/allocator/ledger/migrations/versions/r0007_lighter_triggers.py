"""Triggers that cost PostgreSQL less: fewer sums to find what is not there, and no lock of a row that is changed."""

from __future__ import annotations

from alembic import op

from allocator.ledger.migrations.versions.r0004_around_tables import guard

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Replaces them; those of SQLite are as they were."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        guard(connection)
