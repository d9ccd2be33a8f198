"""The table of exchanges: what substitutes count for the lines that they were promised to."""

from __future__ import annotations

from alembic import op

from allocator.ledger import statistics
from allocator.ledger.schema import METADATA
from allocator.ledger.schema_exchange import EXCHANGE

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the table; whatever was promised before counts one for one."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    METADATA.create_all(connection, [EXCHANGE], checkfirst=False)
    for statement in statistics.told(dialect, statistics.EXCHANGE_ROWS):
        connection.exec_driver_sql(statement)
