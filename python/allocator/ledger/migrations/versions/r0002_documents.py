"""The tables of documents: what people work on, beside the stock."""

from __future__ import annotations

from alembic import op

from allocator.ledger import statistics
from allocator.ledger.schema import METADATA
from allocator.ledger.schema_documents import DOCUMENTS

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the tables; what is there stays as it is."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    METADATA.create_all(connection, list(DOCUMENTS), checkfirst=False)
    for statement in statistics.told(dialect, statistics.DOCUMENT_ROWS):
        connection.exec_driver_sql(statement)
