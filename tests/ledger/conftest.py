"""Ledgers on both stores, empty or with a week of work in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from ledger.week import week_of_work


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """An empty ledger, on either store. Whatever a test does with it, `verify` is clean after."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'stock.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    with Ledger.open(url) as opened:
        yield opened
        assert str(verify(opened)).startswith("clean"), str(verify(opened))


@pytest.fixture
def worked_ledger(empty_ledger: Ledger) -> Ledger:
    """A ledger that saw a little of everything."""
    week_of_work(empty_ledger)
    return empty_ledger
