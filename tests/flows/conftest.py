"""Ledgers for flows: those of the ledger's own tests, with a network of partners in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows.network import set_up
from flows.shop import set_up as set_up_shop
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


@pytest.fixture
def shop() -> Iterator[Ledger]:
    """A business that sells, rents and subscribes devices, in memory."""
    with Ledger.open("sqlite://") as ledger:
        set_up_shop(ledger)
        yield ledger
        assert verify(ledger).clean, str(verify(ledger))


@pytest.fixture
def shop_on_both(empty_ledger: Ledger) -> Iterator[Ledger]:  # noqa: F811 - the fixture
    """The same on either store."""
    set_up_shop(empty_ledger)
    yield empty_ledger
    assert verify(empty_ledger).clean, str(verify(empty_ledger))
