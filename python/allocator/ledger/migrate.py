"""Brings a store to the tables of this version, by Alembic."""

from __future__ import annotations

from importlib import resources
from typing import Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from allocator.errors import Problem, StoreError
from allocator.ledger.store import Store
from allocator.ledger.store.base import READS

LOCK: Final = 7_318_349_394_477
"""Two processes that open a new store at once: one sets it up, the other waits."""


def upgrade(store: Store) -> None:
    """Sets up a new store, or brings an old one up to date; does nothing to one that is.

    Raises:
        StoreError: The store cannot be reached, or is newer than this version of the package.
    """
    config = Config()
    config.set_main_option("script_location", str(resources.files("allocator.ledger") / "migrations"))
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    try:
        with store.engine.connect().execution_options(**{READS: True}) as connection:
            have = MigrationContext.configure(connection).get_current_revision()
        if have == head:
            return
        if have is not None and have not in {each.revision for each in script.walk_revisions()}:
            message, hint = "a newer version of this package keeps this ledger", "Install that version, or a later one"
            raise StoreError(Problem("store_newer", message, value=have[:80], hint=hint))
        with store.engine.begin() as connection:
            if store.dialect == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")

            def steps(revision: str, _: object) -> object:
                return script._upgrade_revs(head or "head", revision)

            with EnvironmentContext(config, script, fn=steps) as environment:
                environment.configure(connection=connection, transactional_ddl=True)
                environment.run_migrations()
    except sa.exc.DBAPIError as error:
        raise store.translated(error.orig or error, committing=False) from error
