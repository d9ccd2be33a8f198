"""The log of SQLite is moved into its file by a thread beside the writers: nothing is lost, and it does not grow."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from allocator.ledger import Ledger
from allocator.ledger.store import sqlite
from allocator.ledger.verify import verify
from ledger import checks
from ledger.clients import at_once, start
from ledger.small_log import ask_until_killed, left, pages, receive, receive_beside, small_log

PAGE_BYTES = 4096 + 24


@pytest.fixture(autouse=True)
def _small_log() -> Iterator[None]:
    names = ("LOG_PAGES", "LOG_PAGES_LONG", "LOG_PAGES_MAX", "FEW_PAGES")
    before = {name: getattr(sqlite, name) for name in names}
    small_log()
    yield
    for name, value in before.items():
        setattr(sqlite, name, value)


@pytest.fixture
def ledger(sqlite_ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(sqlite_ledger_url) as opened:
        opened.define([{"sku": "BULK"}], actor="ana")
        yield opened
        assert verify(opened).clean


def log_of(ledger: Ledger) -> Path:
    return Path(ledger.store.url.removeprefix("sqlite:///") + "-wal")


def longest_log(ledger: Ledger, commits: int) -> float:
    """The most pages that the log took up while so many commits followed each other."""
    sizes = []
    for _ in range(commits):
        receive(ledger)
        sizes.append(log_of(ledger).stat().st_size / PAGE_BYTES)
    return max(sizes)


def test_who_writes_does_not_move_the_log_and_another_thread_does(ledger: Ledger) -> None:
    by: list[str] = []
    moving = sqlite.SqliteStore._move_log

    def told(store: sqlite.SqliteStore) -> None:
        by.append(threading.current_thread().name)
        moving(store)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite.SqliteStore, "_move_log", told)
        receive(ledger, times=30)
        stayed = left(ledger)
    assert set(by) == {"allocator moves a log"}
    assert stayed < sqlite.LOG_PAGES + 30


def test_the_log_begins_anew_though_somebody_always_writes(
    sqlite_ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOG_PAGES_MAX", 10**6)
    with Ledger.open(sqlite_ledger_url) as ledger, Ledger.open(sqlite_ledger_url) as other:
        ledger.define([{"sku": "BULK"}], actor="ana")
        beside = threading.Thread(target=receive, args=(other, 200))
        beside.start()
        longest = longest_log(ledger, commits=200)
        beside.join()
        assert longest < 1_500 < 400 * 10


def test_a_log_that_no_thread_moves_is_moved_by_writers_once_it_is_long(ledger: Ledger) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert sqlite.LOG_PAGES_MAX <= longest_log(ledger, commits=150) < sqlite.LOG_PAGES_MAX + 60


def test_a_thread_that_cannot_move_it_troubles_nobody_and_the_next_one_does(ledger: Ledger) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_MOVE", "SELECT no_such_column")
        receive(ledger, times=15)
        stayed = left(ledger)
    assert stayed > 3 * sqlite.LOG_PAGES
    receive(ledger, times=5)
    assert left(ledger) < stayed


def test_who_reads_sees_one_moment_while_the_log_is_moved_and_what_they_see_is_moved_later(ledger: Ledger) -> None:
    sql = "SELECT count(*) FROM txn"
    with ledger.store.session() as session:
        before = session.rows(sql)
        begun = time.monotonic()
        receive(ledger, times=30)
        stayed = left(ledger)
        assert session.rows(sql) == before
        assert time.monotonic() - begun < 60, "writers waited for a reader"
        assert stayed > 3 * sqlite.LOG_PAGES
    receive(ledger, times=10)
    assert left(ledger) < stayed


def test_a_reader_in_the_way_is_not_waited_for_at_each_commit(ledger: Ledger) -> None:
    tried = []
    moving = sqlite.SqliteStore._move_log
    with ledger.store.session() as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite.SqliteStore, "_move_log", lambda store: (tried.append(1), moving(store)))
        session.rows("SELECT count(*) FROM txn")
        for _ in range(40):
            receive(ledger)
            in_log, _ = pages(ledger)
    assert 0 < len(tried) <= in_log / sqlite.LOG_PAGES


def test_whoever_closes_leaves_no_log_behind(sqlite_ledger_url: str) -> None:
    with Ledger.open(sqlite_ledger_url) as ledger:
        ledger.define([{"sku": "BULK"}], actor="ana")
        receive(ledger, times=12)
        assert log_of(ledger).exists()
    assert not log_of(ledger).exists()


def test_several_processes_move_one_log(ledger: Ledger) -> None:
    in_log = at_once(receive_beside, [(ledger.store.url, 40)] * 3)
    assert max(in_log) < 2 * sqlite.LOG_PAGES_MAX
    assert checks.number(ledger, "SELECT sum(qty) FROM balance") == 120


def test_whoever_forks_waits_until_the_log_is_moved(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    read = sqlite._log

    def slowly(connection: Any) -> tuple[int, int]:
        time.sleep(0.3)
        return read(connection)

    monkeypatch.setattr(sqlite, "_log", slowly)
    mover = threading.Thread(target=ledger.store._move_log)  # type: ignore[attr-defined]
    mover.start()
    while not sqlite._MOVING.locked():
        time.sleep(0.001)
    child = os.fork()
    if child == 0:
        os._exit(int(sqlite._MOVING.locked()))
    assert not mover.is_alive() or not sqlite._MOVING.locked()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_process_that_forks_while_its_log_is_moved_goes_on_in_both(ledger: Ledger) -> None:
    receive(ledger, times=3)
    children = []
    for _ in range(20):
        # Nobody writes at the moment of the fork, which SQLite forbids; but the thread may be at it still.
        receive(ledger, times=2)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                receive(ledger, times=4)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 20
    assert checks.number(ledger, "SELECT sum(qty) FROM balance") == 3 + 20 * 6


@pytest.mark.parametrize("rounds", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there_though_its_writer_was_killed_while_the_log_was_moved(
    ledger: Ledger, rounds: int
) -> None:
    chance = random.Random(rounds)
    receive(ledger, times=3)
    for number in range(rounds):
        process, lane = start(ask_until_killed, ledger.store.url, f"V{number}")
        told = dict([lane.recv()])
        deadline = time.monotonic() + chance.uniform(0, 0.2)
        while time.monotonic() < deadline:
            if lane.poll(0.01):
                told |= dict([lane.recv()])
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with suppress(EOFError):
            while True:
                told |= dict([lane.recv()])
        lane.close()
        assert told.items() <= {key: ledger.outcome(key) for key in told}.items()
    assert not checks.wrong(ledger)


ENDS_WITHOUT_CLOSING = """
import sys
from allocator.ledger import Ledger
from ledger.small_log import receive, small_log
small_log()
ledger = Ledger.open(sys.argv[1])
receive(ledger, times=20)
"""


def test_a_program_that_ends_without_closing_ends_in_order(ledger: Ledger) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ENDS_WITHOUT_CLOSING, ledger.store.url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert checks.number(ledger, "SELECT sum(qty) FROM balance") == 20
