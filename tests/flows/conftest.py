"""Ledgers for flows: the same as those of the ledger's own tests."""

from ledger.conftest import (  # noqa: F401 - fixtures
    empty_ledger,
    ledger_template,
    ledger_url,
    postgres_ledger_url,
    sqlite_ledger_url,
)
