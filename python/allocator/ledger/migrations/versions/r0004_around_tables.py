"""What stands around the tables, as this version has it: triggers that guard them, views for people and tools."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from alembic import op
from sqlalchemy import Connection

from allocator.ledger import triggers, views
from allocator.ledger.schema import METADATA
from allocator.ledger.schema_documents import DOCUMENT_EVENT
from allocator.ledger.schema_exchange import EXCHANGE

revision = "0004"
down_revision = "0003"

REMOVAL: Final[Mapping[str, str]] = {
    "sqlite": "SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger' AND instr(sql, 'RAISE(ABORT')",
    "postgresql": "SELECT 'DROP FUNCTION ' || proname || '() CASCADE' FROM pg_proc "
    "WHERE starts_with(proname, 'ledger_') AND pronamespace = current_schema()::regnamespace",
}
"""Asks each store for the statements that remove the triggers that are there."""


def upgrade() -> None:
    """Puts them in place; a ledger of before may have others, and an index that nothing reads any more."""
    connection = op.get_bind()
    connection.exec_driver_sql("DROP INDEX IF EXISTS allocation_of_line")
    for name in reversed(views.VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    guard(connection)
    for statement in views.statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def guard(connection: Connection) -> None:
    """Puts the triggers in place of those that are there."""
    dialect = connection.dialect.name
    for (statement,) in connection.exec_driver_sql(REMOVAL[dialect]).all():
        connection.exec_driver_sql(statement)
    made = [triggers.statements(dialect), triggers.references(dialect, METADATA.sorted_tables)]
    made += [triggers.append_only(dialect, table.name) for table in (DOCUMENT_EVENT, EXCHANGE)]
    for statement in chain.from_iterable(made):
        connection.exec_driver_sql(statement)
