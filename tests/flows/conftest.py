"""Ledgers for flows: those of the ledger's own tests, with a network of partners in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows.network import set_up
from ledger.conftest import (  # noqa: F401 - fixtures
    empty_ledger,
    ledger_template,
    ledger_url,
    postgres_ledger_url,
    sqlite_ledger_url,
)


@pytest.fixture
def network(empty_ledger: Ledger) -> Ledger:  # noqa: F811 - the fixture
    """A network of partners whose stores are empty, on either store."""
    set_up(empty_ledger)
    return empty_ledger


@pytest.fixture
def partners() -> Iterator[Ledger]:
    """The same in memory, for what does not depend on the store."""
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        yield ledger
        assert verify(ledger).clean, str(verify(ledger))
