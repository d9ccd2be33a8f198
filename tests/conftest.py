"""Fixtures that several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

import postgres

# Nothing is timed here: a busy machine is no defect.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Tests in several processes: their terminal is made up, and would cut what the commands print.
for made_up in ("COLUMNS", "LINES"):
    os.environ.pop(made_up, None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL for the whole run. Without one on the machine the test skips, but not in CI: there it fails."""
    try:
        with postgres.server() as running:
            yield running
    except postgres.PostgresMissingError as missing:
        if os.environ.get("ALLOCATOR_TEST_POSTGRES") == "required":
            raise
        pytest.skip(str(missing))


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """An empty database for one test."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)
