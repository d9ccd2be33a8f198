"""Ledgers on both stores: where a new one is kept, empty, or with a week of work in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from ledger.week import week_of_work


@pytest.fixture(scope="session")
def ledger_template(postgres_server: postgres.Server) -> str:
    """A database with the tables of a ledger, to be copied: faster than making them for each test."""
    name = postgres_server.create()
    Ledger.open(postgres_server.url(name)).close()
    return name


@pytest.fixture
def postgres_ledger_url(postgres_server: postgres.Server, ledger_template: str) -> Iterator[str]:
    """A new ledger on PostgreSQL."""
    name = postgres_server.create(ledger_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def sqlite_ledger_url(tmp_path: Path) -> str:
    """A new ledger in a file."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """A new ledger, on either store."""
    name = {"sqlite": "sqlite_ledger_url", "postgresql": "postgres_ledger_url"}[request.param]
    return str(request.getfixturevalue(name))


@pytest.fixture
def empty_ledger(ledger_url: str) -> Iterator[Ledger]:
    """A ledger in which nothing happened yet, on either store; what a test did with it must be clean at the end."""
    with Ledger.open(ledger_url) as opened:
        yield opened
        assert str(verify(opened)).startswith("clean"), str(verify(opened))


@pytest.fixture
def worked_ledger(empty_ledger: Ledger) -> Ledger:
    """A ledger that saw a little of everything."""
    week_of_work(empty_ledger)
    return empty_ledger
