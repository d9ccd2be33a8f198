"""The network breaks at every moment of a request: the caller knows what is known, and the key tells the rest."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest

import postgres
from allocator.errors import StoreError
from allocator.ledger import Ledger
from ledger import checks
from ledger.cutting_proxy import Proxy, When, proxy

COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
"""The message by which a client asks for a commit that it has not prepared."""
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
"""The message by which a server says that it has committed."""


@pytest.fixture
def line(postgres_server: postgres.Server) -> Iterator[Proxy]:
    """The network to the server."""
    with proxy(postgres_server.port) as made:
        yield made


@pytest.fixture
def far(line: Proxy, postgres_server: postgres.Server, postgres_ledger_url: str) -> Iterator[Ledger]:
    """A ledger at the other end of the line, with a million of BULK."""
    with Ledger.open(postgres_ledger_url) as near:
        near.define([{"sku": "BULK"}], actor="ana")
        plenty = {"sku": "BULK", "qty": 10**6, "location": "store"}
        near.post("receive", plenty, origin="supplier", document="GRN-1", actor="ana")
    with Ledger.open(postgres_server.url(postgres_ledger_url.rpartition("/")[2], line.port)) as ledger:
        yield ledger


@pytest.fixture
def nothing_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stock is little: what is asked for the first two times is read for."""
    monkeypatch.setattr("allocator.ledger.shelves.NEAR_MAX", 0)


def take(ledger: Ledger, key: str) -> object:
    return ledger.reserve([{"line_id": key, "sku": "BULK", "qty": 1}], actor="ana", key=key)


@pytest.mark.usefixtures("nothing_is_little")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("known_before", [1, 4], ids=["read for", "decided ahead"])
def test_wherever_the_line_is_cut_the_key_tells_whether_it_happened(
    far: Ledger, line: Proxy, known_before: int, when: When, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocator.ledger.requests.READ_FIRST", 0)
    told: list[tuple[str, bool]] = []
    for event in itertools.count():
        key = f"order {event}"
        for number in range(known_before):
            take(far, f"{key} before {number}")
        line.cut_at(event, when)
        code = ""
        try:
            answer = take(far, key)
        except StoreError as error:
            code = error.code
        line.mend()
        if not line.cuts:
            break
        known = far.outcome(key)
        told.append((code, known is not None))
        if code == "":
            assert known == answer
        elif code != "outcome_unknown":
            assert known is None, f"{code} says that nothing was done"
        again = take(far, key)
        assert known in (None, again)
    assert checks.promised(far) == (known_before + 1) * (event + 1)
    assert not checks.wrong(far)
    assert ("store_lost" if known_before == 1 else "outcome_unknown") in {code for code, _ in told}
    assert {code for code, _ in told} <= {"", "store_lost", "outcome_unknown"}


@pytest.mark.usefixtures("nothing_is_little")
def test_when_the_answer_to_a_commit_is_lost_only_the_key_can_tell_that_it_happened(far: Ledger, line: Proxy) -> None:
    take(far, "first")
    line.cut_at(0, "before", saying=COMMITTED)
    with pytest.raises(StoreError) as lost:
        take(far, "second")
    line.mend()
    assert lost.value.code == "outcome_unknown"
    known = far.outcome("second")
    assert known is not None
    assert take(far, "second") == known
    assert checks.promised(far) == 2


def test_when_a_commit_is_lost_on_its_way_the_key_tells_that_nothing_happened(far: Ledger, line: Proxy) -> None:
    # A new connection, on which nothing has been prepared yet.
    far.store.engine.dispose()
    line.cut_at(0, "before", saying=COMMIT)
    with pytest.raises(StoreError) as lost:
        take(far, "second")
    line.mend()
    assert lost.value.code == "outcome_unknown"
    assert far.outcome("second") is None
    take(far, "second")
    assert checks.promised(far) == 1


def test_a_key_is_not_told_to_be_unused_while_its_request_is_still_being_committed(
    far: Ledger, line: Proxy, postgres_ledger_url: str
) -> None:
    with psycopg.connect(postgres_ledger_url) as connection:
        connection.execute(
            "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON request DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION slowly()"
        )

    def take_on_a_bad_line() -> None:
        with suppress(StoreError):
            take(far, "slow")

    with ThreadPoolExecutor() as pool, Ledger.open(postgres_ledger_url) as near:
        pool.submit(take_on_a_bad_line)
        deadline = time.monotonic() + 60
        while not committing(postgres_ledger_url):
            assert time.monotonic() < deadline
        line.cut_at(0, "before")
        assert near.outcome("slow") is not None


def committing(url: str) -> bool:
    with psycopg.connect(url) as connection:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        return connection.execute(query).fetchone() is not None


def test_connections_that_died_while_nobody_used_them_are_replaced(
    far: Ledger, postgres_ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocator.ledger.store.wire.QUIET_S", 0)
    for hour in range(4):
        take(far, f"night {hour}")
    take(far, "morning")
    with psycopg.connect(postgres_ledger_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert far.outcome("morning") == take(far, "morning")
    take(far, "evening")
    assert checks.promised(far) == 6
