"""Others are in the way: a caller waits, tries again a few times, and is told so at last; nothing is half done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import psycopg
import pysqlite3
import pytest

from allocator.errors import StoreError
from allocator.ledger import Ledger
from ledger import checks
from ledger.clients import at_once, open_a_tenant

TRIES = 5


def receive(ledger: Ledger, key: str = "") -> int:
    given = {"sku": "BULK", "qty": 1, "location": "store"}
    return ledger.post("receive", given, origin="supplier", document="GRN-1", actor="ana", key=key)


@pytest.fixture
def hasty(ledger_url: str) -> Iterator[Ledger]:
    """A ledger whose callers wait for half a second at most."""
    with Ledger.open(ledger_url, timeout_s=0.5) as ledger:
        ledger.define([{"sku": "BULK"}], actor="ana")
        yield ledger


@contextmanager
def somebody_writing(url: str) -> Iterator[None]:
    """Another program has begun to write for the tenant, and does not end."""
    if url.startswith("sqlite"):
        connection: Any = pysqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg.connect(url)
        connection.execute("SELECT seq FROM tenant FOR UPDATE")
    try:
        yield
    finally:
        connection.close()


def test_who_waits_too_long_is_told_that_others_hold_the_store_and_nothing_is_done(
    hasty: Ledger, ledger_url: str
) -> None:
    with somebody_writing(ledger_url):
        began = time.monotonic()
        with pytest.raises(StoreError) as busy:
            receive(hasty, "late")
        assert busy.value.code == "store_busy"
        assert time.monotonic() - began < 5
    assert hasty.outcome("late") is None
    assert receive(hasty, "late") == 2


def test_a_ledger_is_opened_and_read_while_somebody_writes(hasty: Ledger, ledger_url: str) -> None:
    receive(hasty, "known")
    with somebody_writing(ledger_url), Ledger.open(ledger_url, timeout_s=0.5) as other:
        assert other.outcome("known") == 2


def test_a_new_tenant_waits_for_the_one_writer_of_a_file_and_is_told_so(sqlite_ledger_url: str) -> None:
    Ledger.open(sqlite_ledger_url).close()
    with somebody_writing(sqlite_ledger_url), pytest.raises(StoreError) as busy:
        Ledger.open(sqlite_ledger_url, tenant="new", timeout_s=0.5)
    assert busy.value.code == "store_busy"


@pytest.mark.parametrize("failures, told", [(TRIES - 1, ""), (TRIES, "store_busy")])
def test_a_conflict_is_met_by_five_tries_at_most(
    hasty: Ledger, monkeypatch: pytest.MonkeyPatch, failures: int, told: str
) -> None:
    conflict = (
        pysqlite3.OperationalError("database is locked")
        if hasty.store.dialect == "sqlite"
        else psycopg.errors.SerializationFailure("could not serialize access")
    )
    tries = []
    begin = hasty.store._begin

    def refuse(connection: Any, mode: Any) -> None:
        tries.append(mode)
        if len(tries) <= failures:
            raise conflict
        begin(connection, mode)

    monkeypatch.setattr(conflict, "sqlstate", "40001", raising=False)
    monkeypatch.setattr(hasty.store, "_begin", refuse)
    code = ""
    try:
        receive(hasty)
    except StoreError as error:
        code = error.code
    assert code == told
    assert len(tries) == TRIES


def test_a_deadlock_with_another_program_is_not_the_callers_problem(postgres_ledger_url: str) -> None:
    with Ledger.open(postgres_ledger_url) as ledger, psycopg.connect(postgres_ledger_url) as other:
        ledger.define([{"sku": "BULK"}], actor="ana")
        received = {"sku": "BULK", "qty": 10, "location": "store"}
        ledger.post("receive", received, origin="supplier", document="GRN-1", actor="ana")
        other.execute("SET deadlock_timeout = '10s'")
        other.execute("SELECT * FROM balance FOR UPDATE")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(ledger.reserve, [{"line_id": "L1", "sku": "BULK", "qty": 1}], actor="ana")
            wait_for_lock(postgres_ledger_url)
            # Each has what the other wants; PostgreSQL ends one of them: the ledger, which is the first to look.
            other.execute("SELECT * FROM tenant FOR UPDATE")
            other.rollback()
            (line,) = waiting.result(60)["lines"]
        assert line["allocated"] == 1
        assert checks.promised(ledger) == 1
        assert not checks.wrong(ledger)


def wait_for_lock(url: str) -> None:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 60
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchone() is None:
            assert time.monotonic() < deadline


def test_a_database_that_is_serializable_by_default_serves_many_at_once(postgres_ledger_url: str) -> None:
    with psycopg.connect(postgres_ledger_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    with Ledger.open(postgres_ledger_url) as first, Ledger.open(postgres_ledger_url) as second:
        first.define([{"sku": "BULK"}], actor="ana")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(receive, [first, second] * 20))
        assert checks.number(first, "SELECT sum(qty) FROM balance") == 40
        assert not checks.wrong(first)


@pytest.mark.parametrize("tenants", [["main"] * 6, [f"tenant {number}" for number in range(6)]])
def test_a_new_store_is_set_up_once_however_many_open_it(
    request: pytest.FixtureRequest, store: str, tenants: list[str]
) -> None:
    url = request.getfixturevalue({"sqlite": "sqlite_ledger_url", "postgresql": "postgres_url"}[store])
    numbers = at_once(open_a_tenant, [(url, tenant) for tenant in tenants])
    assert len(set(numbers)) == len(set(tenants))


def test_who_opens_a_new_file_waits_for_whoever_sets_it_up(sqlite_ledger_url: str) -> None:
    # SQLite itself does not wait: whoever finds another at it is told at once that the database is locked.
    with ThreadPoolExecutor(1) as pool:
        with somebody_writing(sqlite_ledger_url):
            opening = pool.submit(Ledger.open, sqlite_ledger_url)
            wait([opening], 0.2)
        with opening.result(60) as ledger:
            assert ledger.define([{"sku": "BULK"}], actor="ana") == 1
    with somebody_writing(sqlite_ledger_url + ".other"), pytest.raises(StoreError) as busy:
        Ledger.open(sqlite_ledger_url + ".other", timeout_s=0.2)
    assert busy.value.code == "store_busy"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_forked_processes_use_a_ledger_that_was_opened_before(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "BULK"}], actor="ana")
    children = [fork_and_receive(empty_ledger, f"child {number}") for number in range(3)]
    receive(empty_ledger, "parent")
    assert [ended(child) for child in children] == [0, 0, 0]
    assert all(empty_ledger.outcome(f"child {number}") for number in range(3))
    assert not checks.wrong(empty_ledger)


def test_a_process_that_forks_while_its_threads_write_goes_on_in_both(postgres_ledger_url: str) -> None:
    # Not so with SQLite, which forbids it: locks that the parent held at that moment are never free for the child.
    stop = threading.Event()
    with Ledger.open(postgres_ledger_url) as ledger, ThreadPoolExecutor(4) as pool:
        ledger.define([{"sku": "BULK"}], actor="ana")

        def write() -> None:
            while not stop.is_set():
                receive(ledger)

        writing = [pool.submit(write) for _ in range(4)]
        endings = [ended(fork_and_receive(ledger, f"child {number}")) for number in range(5)]
        stop.set()
        for each in writing:
            each.result(60)
        assert endings == [0] * 5
        assert all(ledger.outcome(f"child {number}") for number in range(5))
        assert not checks.wrong(ledger)


def fork_and_receive(ledger: Ledger, key: str) -> int:
    """A process that is forked from this one and receives something; its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            receive(ledger, key)
            code = 0
        finally:
            os._exit(code)
    return child


def ended(process: int) -> int:
    """The exit code of a process, which ends within half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, 9)
    os.waitpid(process, 0)
    return -1


def test_a_writer_that_is_stopped_leaves_nobody_waiting(hasty: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is for the caller who happens to write for all; the others are told that nothing is known."""
    entered, go_on = threading.Event(), threading.Event()
    begin = hasty.store._begin

    def stopped(connection: Any, mode: Any) -> None:
        if mode == "write" and not entered.is_set():
            entered.set()
            go_on.wait(60)
            raise KeyboardInterrupt
        begin(connection, mode)

    monkeypatch.setattr(hasty.store, "_begin", stopped)
    with ThreadPoolExecutor(4) as pool:
        leader = pool.submit(receive, hasty, "leader")
        entered.wait(60)
        others = [pool.submit(receive, hasty, f"other {number}") for number in range(3)]
        go_on.set()
        assert isinstance(leader.exception(60), KeyboardInterrupt)
        assert [type(each.exception(60)) for each in others] == [type(None)] * 3
    assert hasty.outcome("leader") is None
