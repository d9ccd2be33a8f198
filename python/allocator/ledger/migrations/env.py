"""Alembic asks for this file; the ledger runs its steps itself, in `migrate.py`."""
