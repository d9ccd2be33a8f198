"""A ledger seen from beside the package: statements by a driver of its own, guarded by the database or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pysqlite3

from allocator.ledger import Ledger, schema

Errors = (pysqlite3.IntegrityError, psycopg.errors.IntegrityError)
"""What a database raises that refuses to hold what cannot be true."""


@contextmanager
def beside(ledger: Ledger) -> Iterator[Any]:
    """A second connection; everything done within is one transaction."""
    if ledger.store.dialect == "sqlite":
        connection = pysqlite3.connect(ledger.store.url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg.connect(ledger.store.url)
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


@contextmanager
def unguarded(ledger: Ledger) -> Iterator[Any]:
    """A second connection of someone who may do anything: no triggers, foreign keys, checks and unique indexes."""
    with beside(ledger) as connection:
        if ledger.store.dialect == "sqlite":
            connection.execute("COMMIT")
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("PRAGMA ignore_check_constraints=ON")
            connection.execute("BEGIN IMMEDIATE")
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in names:
                connection.execute(f"DROP TRIGGER {name}")
        else:
            connection.execute("SET session_replication_role = replica")
            for table in schema.METADATA.sorted_tables:
                for constraint in table.constraints:
                    if isinstance(constraint, schema.CheckConstraint):
                        connection.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {constraint.name}")
        for table in schema.METADATA.sorted_tables:
            for index in table.indexes:
                if index.unique:
                    connection.execute(f"DROP INDEX {index.name}")
        yield connection
